//! Layer-wise relevance propagation by its formulas.

use burn::tensor::{
    DType, Device, FloatDType, Tensor, TensorData, activation::relu, module::conv2d,
    ops::ConvOptions,
};
use linearscope::{Network, RuleSet};
use linearscope_analysis::{
    FrozenNetwork,
    attribution::{Surroundings, attribute},
    progress::unobserved,
};

use super::{dense, noise_of, one};

#[test]
fn relevance_is_what_the_formulas_say_on_dense_layers() {
    for seed in 0..8 {
        let (f, layers, x0) = dense(seed, true);
        let mut inputs = vec![x0];
        let mut y = Vec::new();
        for layer in &layers {
            y = layer.at(inputs.last().expect("one"));
            inputs.push(y.iter().map(|z| z.max(0.0)).collect());
        }
        for (first, others) in [
            ("epsilon", "epsilon"),
            ("plus", "plus"),
            ("alpha-beta", "alpha-beta"),
            ("gamma", "gamma"),
            ("flat", "plus"),
            ("w-square", "gamma"),
            ("box", "epsilon"),
        ] {
            let method = format!("lrp-first={first},{others}");
            let mut r = vec![0.0; y.len()];
            r[2] = y[2];
            for (number, layer) in layers.iter().enumerate().rev() {
                let rule = if number == 0 { first } else { others };
                r = layer.relevance(rule, &inputs[number], &r, [-1.0, 1.5]);
            }
            let found = one(&f, 2, &method);
            let norm = r.iter().map(|v| v * v).sum::<f64>().sqrt();
            for (a, b) in found.map.iter().zip(&r) {
                assert!(
                    (a - b).abs() <= 1e-10 * norm,
                    "{method}, seed {seed}: {a} for {b}"
                );
            }
        }
    }
}

/// Without biases nothing but the stabiliser is lost, and the leak that is told is what is lost with them. LRP-αβ keeps
/// sums only where something raises a unit and something lowers it.
#[test]
fn relevance_is_conserved_where_the_rule_promises_it() {
    for seed in 0..4 {
        for (biases, method) in [
            (false, "lrp-epsilon"),
            (false, "lrp-plus"),
            (false, "lrp-gamma"),
            (true, "lrp-epsilon"),
            (true, "lrp-plus"),
        ] {
            let (f, ..) = dense(seed, biases);
            let found = one(&f, 1, method);
            let gap = found.gap.expect("a promise");
            assert_eq!(
                gap,
                (found.map.iter().sum::<f64>() - found.score) / found.score.abs()
            );
            if !biases {
                // Stabilisers of 1e-6 beside sums that may be small.
                assert!(gap.abs() < 1e-2, "{method}, seed {seed}: {gap}");
            } else {
                assert!(gap.abs() > 1e-3, "{method}, seed {seed}: {gap}");
            }
        }
    }
}

/// A network that normalises its input itself has the map of one whose input comes normalised, with the bounds brought
/// along; where something bends before the layer, or the layer is not the first, the box refuses by name.
#[test]
fn the_box_follows_its_bounds() {
    let device = Device::flex();
    let mut numbers = noise_of(9);
    let mut tensor = |shape: [usize; 4]| {
        let len = shape.iter().product();
        let data = TensorData::new((0..len).map(|_| numbers()).collect::<Vec<f64>>(), shape);
        Tensor::<4>::from_data(data, (&device, DType::F32))
    };
    let (first, second) = (tensor([4, 2, 3, 3]), tensor([3, 4, 2, 2]));
    // Both are exact in f32; the second turns its channel round.
    let (mean, std) = ([0.5, 0.25], [0.5, -0.25]);
    let four = |v: [f64; 2]| {
        let data = TensorData::new(v.to_vec(), [1, 2, 1, 1]);
        Tensor::<4>::from_data(data, (&device, DType::F32))
    };
    let parts = [first, second, four(mean), four(std)];
    let of = |inside: bool, bent: bool| {
        let network = Network::capture(&parts, |[first, second, mean, std], ports| {
            let mut x = ports.input::<4>("x", [1, 2, 6, 6]);
            if inside {
                x = (x - mean.clone()) / std.clone();
            }
            if bent {
                x = relu(x);
            }
            let options = || ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
            let x = relu(conv2d(x, first.clone(), None, options()));
            let x = conv2d(x, second.clone(), None, options());
            ports.output("y", x.mean_dim(2).mean_dim(3).flatten::<2>(1, 3));
        });
        FrozenNetwork::load(network.expect("captures"), &device, FloatDType::F64).expect("loads")
    };
    let mut numbers = noise_of(10);
    let raw: Vec<f64> = (0..72).map(|_| 0.5 * (numbers() + 1.0)).collect();
    let normal = |v: &[f64]| -> Vec<f64> {
        let each = v.len() / 2;
        let one = |(at, x): (usize, &f64)| (x - mean[at / each]) / std[at / each];
        v.iter().enumerate().map(one).collect()
    };
    let at = |loaded, x: Vec<f64>| {
        let data = TensorData::new(x, [1, 2, 6, 6]);
        FrozenNetwork::new(loaded, data, RuleSet::default()).expect("freezes")
    };
    let map = |f: &FrozenNetwork, method: &str, low: Vec<f64>, high: Vec<f64>| {
        let around = Surroundings::default().with_bounds(Some([low, high]));
        let method = method.parse().expect("a method");
        attribute(f, &[vec![1]], &method, &around, unobserved)
    };
    let (low, high) = (normal(&[0.0, 0.0]), normal(&[1.0, 1.0]));
    let least: Vec<f64> = low.iter().zip(&high).map(|(a, b)| a.min(*b)).collect();
    let most: Vec<f64> = low.iter().zip(&high).map(|(a, b)| a.max(*b)).collect();
    let plain = at(of(false, false), normal(&raw));
    let plain = map(&plain, "lrp-epsilon-gamma-box", least, most).expect("a map");
    let inside = at(of(true, false), raw.clone());
    let found = map(&inside, "lrp-epsilon-gamma-box", vec![0.0], vec![1.0]).expect("a map");
    let scale = plain[0].map.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for (a, b) in found[0].map.iter().zip(&plain[0].map) {
        assert!((a - b).abs() < 1e-10 * scale, "{a} for {b}");
    }
    let bent = at(of(true, true), raw.clone());
    for (f, method) in [
        (&bent, "lrp-first=box,epsilon"),
        (&inside, "lrp-at:1=box,epsilon"),
    ] {
        let refused = map(f, method, vec![0.0], vec![1.0])
            .expect_err("refused")
            .to_string();
        assert!(
            refused.contains("no bounds") && refused.contains("lies between"),
            "{refused}"
        );
    }
}

/// A rule for layers that there are not is told.
#[test]
fn rules_without_layers_are_told() {
    let (f, ..) = dense(1, true);
    assert_eq!(one(&f, 0, "lrp-node:*=plus").note, None);
    assert_eq!(one(&f, 0, "lrp-first=flat,conv=plus,epsilon").note, None);
    let note = one(&f, 0, "lrp-node:nowhere.*=plus,at:7..9=gamma,epsilon").note;
    assert_eq!(
        note.as_deref(),
        Some("no layer matches node:nowhere.*=plus, at:7..9=gamma")
    );
}
