//! Methods that ask the network again and again, against plain loops.

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use linearscope::{Network, RuleSet};
use linearscope_analysis::{
    LinearOperator,
    attribution::{Surroundings, attribute},
    progress::unobserved,
    vectors::numbers,
};

use super::{FrozenNetwork, dense, frozen, one, picture};

fn forward(f: &FrozenNetwork, x: &[f64]) -> Vec<f64> {
    let data = TensorData::new(x.to_vec(), f.input_shape().to_vec());
    let y = FrozenNetwork::forward(f.frozen().loaded(), data).expect("runs");
    numbers(y).expect("numbers")
}

/// What the score loses without a group, evenly among its entries; groups from code, patches of pictures, else entries.
#[test]
fn ablation_is_what_is_lost() {
    let (f, _, x0) = dense(2, true);
    let score = |x: &[f64]| forward(&f, x)[1];
    let from = vec![0.25; 7];
    let groups = vec![0, 0, 5, 5, 5, 1, 2];
    for groups in [None, Some(groups)] {
        let of = groups.clone().unwrap_or((0..7).collect());
        let around = Surroundings::default()
            .with_baseline(Some(from.clone()))
            .with_groups(groups);
        let method = "feature-ablation".parse().expect("a method");
        let found = attribute(&f, &[vec![1]], &method, &around, unobserved).expect("a map");
        for (at, entry) in found[0].map.iter().enumerate() {
            let mut x = x0.clone();
            let together: Vec<usize> = (0..7).filter(|&i| of[i] == of[at]).collect();
            together.iter().for_each(|&i| x[i] = from[i]);
            let lost = (score(&x0) - score(&x)) / together.len() as f64;
            assert!((entry - lost).abs() < 1e-12, "{at}: {entry} for {lost}");
        }
    }
    let f = frozen("lenet", FloatDType::F64);
    let x0 = picture();
    let found = one(&f, 0, "feature-ablation:5");
    for at in [0, 77, 3 * 256 - 1] {
        let place = at % 256;
        let patch = [place / 16 / 5, place % 16 / 5];
        let mut x = x0.clone();
        let inside = |i: usize| [i % 256 / 16 / 5, i % 16 / 5] == patch;
        let together: Vec<usize> = (0..3 * 256).filter(|&i| inside(i)).collect();
        together.iter().for_each(|&i| x[i] = 0.0);
        let lost = (forward(&f, &x0)[0] - forward(&f, &x)[0]) / together.len() as f64;
        assert!((found.map[at] - lost).abs() < 1e-12, "{at}");
    }
}

/// Where the score is one pixel alone, that pixel is the highest place; the map of a picture that says nothing is 0.
#[test]
fn rise_finds_what_is_read() {
    let device = Device::flex();
    // A network without weights.
    let nothing = [Tensor::<1>::zeros([1], &device)];
    let network = Network::capture(&nothing, |_, ports| {
        let x = ports.input::<4>("x", [1, 2, 12, 12]);
        let one = x.narrow(1, 1, 1).narrow(2, 7, 1).narrow(3, 4, 1);
        ports.output("y", one.flatten::<2>(1, 3));
    });
    let loaded =
        FrozenNetwork::load(network.expect("captures"), &device, FloatDType::F64).expect("loads");
    let with = |x0: Vec<f64>| {
        let data = TensorData::new(x0, [1, 2, 12, 12]);
        FrozenNetwork::new(loaded.clone(), data, RuleSet::default()).expect("freezes")
    };
    let found = one(&with(vec![1.0; 288]), 0, "rise:2000");
    let places: Vec<f64> = (0..144)
        .map(|at| found.map[at] + found.map[144 + at])
        .collect();
    let highest = linearscope_analysis::argmax(&places);
    assert_eq!(highest, Some(7 * 12 + 4), "{places:?}");
    // Of masks with cells of 0 and 1, E[m²] / E[m] − E[m] is between a sixth and a half.
    let top = places[7 * 12 + 4];
    assert!((1.0 / 6.0..0.55).contains(&top), "{top}");
    let nothing = one(&with(vec![0.0; 288]), 0, "rise:20");
    assert!(nothing.map.iter().all(|v| *v == 0.0));
}

/// Of one baseline they are integrated gradients by chance; of several the mean, and they promise as much.
#[test]
fn expected_gradients_are_means_over_baselines() {
    let (f, _, x0) = dense(5, true);
    let method = |samples: usize| {
        let text = format!("expected-gradients:{samples}");
        text.parse().expect("a method")
    };
    let baselines = [vec![0.0; 7], vec![0.5; 7], x0.iter().map(|x| -x).collect()];
    let of = |baselines: &[Vec<f64>], samples: usize| {
        let around = Surroundings::default().with_baselines(baselines.to_vec());
        let found = attribute(&f, &[vec![3]], &method(samples), &around, unobserved);
        found.expect("a map").remove(0)
    };
    let single: Vec<_> = baselines
        .iter()
        .map(|one| of(std::slice::from_ref(one), 400))
        .collect();
    let all = of(&baselines, 1200);
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mean = |at: usize| single.iter().map(|one| one.map[at]).sum::<f64>() / 3.0;
    let off: Vec<f64> = (0..7).map(|at| all.map[at] - mean(at)).collect();
    // Each part of the way has its own point: what chance leaves is a part in 400 of what bends.
    assert!(norm(&off) < 0.01 * norm(&all.map), "{off:?}");
    let promised: f64 = single.iter().filter_map(|one| one.promised).sum::<f64>() / 3.0;
    assert!((all.promised.expect("a promise") - promised).abs() < 1e-12);
    assert!(all.gap.expect("a promise").abs() < 0.01, "{:?}", all.gap);
    let around = Surroundings::default().with_baselines(baselines.to_vec());
    let few = attribute(&f, &[vec![3]], &method(2), &around, unobserved).expect_err("too few");
    assert!(few.to_string().contains("3 baselines"), "{few}");
}

/// A layer's shares sum to the score without what is added behind it.
#[test]
fn shares_of_layers_sum_to_what_they_say() {
    for (network, node) in [("lenet", "4"), ("vgg", "12"), ("mobilenet", "4.add")] {
        let f = frozen(network, FloatDType::F64);
        let found = one(&f, 1, &format!("layer:{node}"));
        let note = found.note.expect("a note");
        let said: f64 = note
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a sum");
        let behind = f.between(Some(node), None).expect("a part");
        let values = f
            .between(None, Some(node))
            .expect("a part")
            .affine(f.x0())
            .expect("values");
        let len = f.output_len();
        let seed = (0..len).map(|at| f64::from(at == 1)).collect();
        let row = behind
            .apply_adjoint(behind.upload(seed, len))
            .expect("a row");
        let twin: f64 = numbers((row * values).into_data())
            .expect("numbers")
            .iter()
            .sum();
        assert!((said - twin).abs() < 1e-4, "{network}: {note}, {twin}");
    }
}
