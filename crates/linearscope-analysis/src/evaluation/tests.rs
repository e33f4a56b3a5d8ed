//! Each measure against its definition, written out for tiny networks.

use std::{ops::ControlFlow, sync::Arc};

use burn::{
    module::Param,
    nn::{Linear, LinearConfig, Relu},
    tensor::{Device, FloatDType, Tensor, TensorData, activation::relu},
};
use linearscope::{Network, RuleSet, SplitMix64};

use super::{asked::Asked, places::Places, robustness::neighbours, *};
use crate::{
    attribution::attribute,
    error::Error,
    operator::LinearOperator,
    progress::unobserved,
    vectors::{distance, norm, numbers},
};

/// Matrices `[in, out]` with a ReLU between each, after an input of this shape is made a vector. Entries are quarters,
/// which f32 holds.
fn network(shape: &[usize], sizes: &[usize]) -> Network {
    let mut random = SplitMix64::new(11);
    let layers: Vec<Linear> = sizes
        .windows(2)
        .map(|ends| {
            let entries = (0..ends[0] * ends[1]).map(|_| (random.next_uniform() * 8.0).round());
            let entries: Vec<f32> = entries.map(|entry| entry as f32 / 4.0).collect();
            let entries = TensorData::new(entries, [ends[0], ends[1]]);
            let mut layer = LinearConfig::new(ends[0], ends[1])
                .with_bias(false)
                .init(&Device::flex());
            layer.weight = Param::from_tensor(Tensor::from_data(entries, &Device::flex()));
            layer
        })
        .collect();
    let through = |layers: &[Linear], mut x: Tensor<2>| {
        for (number, layer) in layers.iter().enumerate() {
            if number > 0 {
                x = relu(x);
            }
            x = layer.forward(x);
        }
        x
    };
    let len = sizes[0];
    let captured = Network::capture(&layers, |layers, ports| match *shape {
        [a, b, c, d] => {
            let x: Tensor<4> = ports.input("x", [a, b, c, d]);
            ports.output("y", through(layers, x.reshape([1, len])));
        }
        _ => {
            let x: Tensor<2> = ports.input("x", [1, len]);
            ports.output("y", through(layers, x));
        }
    });
    captured.expect("captures")
}

fn freeze(network: Network, x0: &[f64]) -> FrozenNetwork {
    let shape = network.inputs()[0].shape.to_vec();
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).expect("loads");
    let x0 = TensorData::new(x0.to_vec(), shape);
    FrozenNetwork::new(loaded, x0, RuleSet::default()).expect("freezes")
}

fn some(len: usize) -> Vec<f64> {
    let mut random = SplitMix64::new(5);
    random.uniform(len)
}

fn methods(names: &[&str]) -> Vec<Method> {
    names.iter().map(|name| name.parse().expect(name)).collect()
}

fn all(
    f: &FrozenNetwork,
    target: &[usize],
    names: &[&str],
    around: &Surroundings,
    config: &EvaluationConfig,
) -> Vec<Evaluation> {
    let found = evaluate(f, target, &methods(names), around, None, config, unobserved);
    let found = found.expect("evaluates").into_iter();
    found.map(|(_, one)| one.expect("a method")).collect()
}

/// Only curves.
fn curves_alone(steps: usize) -> EvaluationConfig {
    EvaluationConfig::default()
        .with_steps(steps)
        .with_perturbations(0)
        .with_neighbours(0)
        .with_stages(0)
}

fn outputs(f: &FrozenNetwork, x: &[f64]) -> Vec<f64> {
    let x = TensorData::new(x.to_vec(), f.input_shape().to_vec());
    numbers(FrozenNetwork::forward(f.frozen().loaded(), x).expect("runs")).expect("numbers")
}

fn map(f: &FrozenNetwork, target: usize, name: &str) -> Vec<f64> {
    let method = methods(&[name]).remove(0);
    let around = Surroundings::default();
    let found = attribute(f, &[vec![target]], &method, &around, unobserved);
    found.expect("a map").remove(0).map
}

#[test]
fn curves_by_hand() {
    // y = 3 x₀ + x₁: no vector of scores.
    let weights = TensorData::from([[3f32], [1.0]]);
    let network = Network::capture(&Relu::new(), |_, ports| {
        let x: Tensor<2> = ports.input("x", [1, 2]);
        ports.output("y", {
            let weights = Tensor::from_data(weights.clone(), &x.device());
            x.matmul(weights)
        });
    });
    let f = freeze(network.expect("captures"), &[1.0, 1.0]);
    let (around, config) = (Surroundings::default(), curves_alone(20));
    let found = all(&f, &[0], &["row"], &around, &config).remove(0);
    assert_eq!(found.score, 4.0);
    assert_eq!(found.deletion.at, [0.0, 0.5, 1.0]);
    assert_eq!(found.deletion.value, [1.0, 0.25, 0.0]);
    assert_eq!(found.deletion.area, 0.375);
    assert_eq!(found.insertion.value, [0.0, 0.75, 1.0]);
    assert_eq!(found.insertion.area, 0.625);
    let nothing = (found.infidelity, found.sensitivity, found.stability);
    assert_eq!(nothing, (None, None, None));
    assert!(found.randomised.is_empty() && found.object.is_none());
    // Above a baseline: 5 … 4 … 8.
    let raised = Surroundings::default().with_baseline(Some(vec![0.0, 2.0]));
    let found = all(&f, &[0], &["row"], &raised, &config).remove(0);
    assert_eq!(found.deletion.value, [1.0, -0.5, 0.0]);
    // The same score there: nothing to measure.
    let same = Surroundings::default().with_baseline(Some(vec![0.0, 4.0]));
    let refused = evaluate(
        &f,
        &[0],
        &methods(&["row"]),
        &same,
        None,
        &config,
        unobserved,
    );
    assert!(matches!(refused, Err(Error::Setting { .. })), "{refused:?}");
}

/// Pixel by pixel in all channels, probabilities from the definition, ties by position.
#[test]
fn curves_equal_a_slow_twin() {
    let shape = [1, 2, 3, 3];
    let x0 = some(18);
    let baseline: Vec<f64> = x0.iter().map(|x| 0.25 - x * x).collect();
    let f = freeze(network(&shape, &[18, 6, 4]), &x0);
    let around = Surroundings::default().with_baseline(Some(baseline.clone()));
    let names = ["conserving", "saliency", "guided-backprop"];
    let found = all(&f, &[2], &names, &around, &curves_alone(4));
    for (one, name) in found.iter().zip(names) {
        let map = map(&f, 2, name);
        let place = |p: usize| map[p] + map[9 + p];
        // Each place's rank is how many come before it.
        let before = |p: usize| {
            (0..9)
                .filter(|&q| place(q) > place(p) || (place(q) == place(p) && q < p))
                .count()
        };
        for (step, count) in [0, 2, 4, 6, 9].into_iter().enumerate() {
            let probability = |from: &[f64], to: &[f64]| {
                let moved = |i: usize| before(i % 9) < count;
                let x = (0..18).map(|i| if moved(i) { to[i] } else { from[i] });
                let y = outputs(&f, &x.collect::<Vec<_>>());
                y[2].exp() / y.iter().map(|y| y.exp()).sum::<f64>()
            };
            let (gone, come) = (probability(&x0, &baseline), probability(&baseline, &x0));
            assert!((one.deletion.at[step] - count as f64 / 9.0).abs() < 1e-15);
            assert!((one.deletion.value[step] - gone).abs() < 1e-12, "{name}");
            assert!((one.insertion.value[step] - come).abs() < 1e-12, "{name}");
        }
    }
}

#[test]
fn ties_go_by_position() {
    // All places say the same.
    let network = Network::capture(&Relu::new(), |_, ports| {
        let x: Tensor<2> = ports.input("x", [1, 4]);
        let weights = TensorData::from([[1f32], [1.0], [1.0], [1.0]]);
        let weights = Tensor::from_data(weights, &x.device());
        let y = x.matmul(weights);
        ports.output("y", y.clone() * y);
    });
    let f = freeze(network.expect("captures"), &[0.5, 0.5, 0.5, 0.5]);
    let around = Surroundings::default().with_baseline(Some(vec![0.0, 0.0, 1.0, 0.0]));
    let found = all(&f, &[0], &["gradient"], &around, &curves_alone(4)).remove(0);
    let twin: Vec<f64> = [2.0f64, 1.5, 1.0, 1.5, 1.0]
        .into_iter()
        .map(|sum| (sum * sum - 1.0) / 3.0)
        .collect();
    assert_eq!(found.deletion.value, twin);
}

/// A linear network loses what the row says, wherever the baseline is, and a shuffled map misses much of it.
#[test]
fn linear_networks_are_faithful() {
    for shape in [vec![1, 16], vec![1, 2, 4, 4]] {
        let len: usize = shape.iter().product();
        let f = freeze(network(&shape, &[len, 3]), &some(len));
        let config = EvaluationConfig::default()
            .with_neighbours(0)
            .with_stages(0);
        let plain = Surroundings::default();
        let names = ["row", "gradient", "conserving", "integrated-gradients"];
        for one in all(&f, &[1], &names, &plain, &config) {
            assert!(one.infidelity.expect("a loss") < 1e-12, "{one:?}");
        }
        let saliency = all(&f, &[1], &["saliency"], &plain, &config).remove(0);
        assert!(saliency.infidelity.expect("a loss") > 1e-2);
        let raised = Surroundings::default().with_baseline(Some(vec![0.5; len]));
        let names = ["gradient", "smooth-grad", "integrated-gradients"];
        for one in all(&f, &[1], &names, &raised, &config) {
            assert!(one.infidelity.expect("a loss") < 1e-12, "{one:?}");
        }
        let nothing = Surroundings::default().with_baseline(Some(some(len)));
        let none = all(&f, &[1], &["row"], &nothing, &config).remove(0);
        assert_eq!(none.infidelity, None, "nothing is taken away");
    }
}

/// From the formula, with the same parts.
#[test]
fn infidelity_equals_a_slow_twin() {
    let x0 = some(32);
    let f = freeze(network(&[1, 2, 4, 4], &[32, 8, 3]), &x0);
    let config = EvaluationConfig::default()
        .with_neighbours(0)
        .with_stages(0)
        .with_seed(9);
    let around = Surroundings::default();
    let found = all(&f, &[0], &["row", "gradient"], &around, &config);
    let mut random = SplitMix64::new(9);
    let parts: Vec<Vec<usize>> = (0..32)
        .map(|_| Places::of(&[1, 2, 4, 4]).some(&mut random))
        .collect();
    for (one, times_x0) in found.iter().zip([false, true]) {
        let map = map(&f, 0, &one.method);
        let (mut aa, mut ab, mut bb) = (0.0, 0.0, 0.0);
        for part in &parts {
            let (mut x, mut a) = (x0.clone(), 0.0);
            for at in part.iter().flat_map(|&place| [place, 16 + place]) {
                a += if times_x0 { map[at] * x0[at] } else { map[at] };
                x[at] = 0.0;
            }
            let b = outputs(&f, &x0)[0] - outputs(&f, &x)[0];
            aa += a * a;
            ab += a * b;
            bb += b * b;
        }
        let twin = 1.0 - ab * ab / (aa * bb);
        let found = one.infidelity.expect("a loss");
        assert!(
            (found - twin).abs() < 1e-12 && found > 1e-6,
            "{found} {twin}"
        );
    }
}

#[test]
fn sensitivity_equals_a_slow_twin() {
    let x0 = some(12);
    let network = network(&[1, 12], &[12, 16, 3]);
    let f = freeze(network.clone(), &x0);
    let config = EvaluationConfig::default()
        .with_stages(0)
        .with_radius(0.1)
        .with_seed(3);
    let around = Surroundings::default();
    let asked = Asked::new(&f, &[1], &around, &config).expect("a question");
    let inputs = neighbours(&asked);
    let (least, most) = x0.iter().fold((0.0f64, 0.0f64), |(least, most), x| {
        (least.min(*x), most.max(*x))
    });
    let range = most - least;
    assert_eq!(inputs.len(), 4);
    for (at, x0) in x0.iter().enumerate() {
        let off = inputs
            .iter()
            .map(|x| (x[at] - x0).abs())
            .fold(0.0, f64::max);
        assert!(off <= 0.1 * range && off > 0.0, "{off}");
    }
    for one in all(
        &f,
        &[1],
        &["row", "gradient", "smooth-grad"],
        &around,
        &config,
    ) {
        let whole = map(&f, 1, &one.method);
        assert!(norm(&whole) > 0.0);
        let changes = inputs.iter().map(|x| {
            let there = map(&freeze(network.clone(), x), 1, &one.method);
            distance(&there, &whole) / norm(&whole)
        });
        let twin = changes.fold(0.0, f64::max);
        assert!((one.sensitivity.expect("a change") - twin).abs() < 1e-12);
    }
    // A linear network has one gradient, a constant input no range.
    let linear = freeze(self::network(&[1, 4], &[4, 3]), &[0.5, -1.0, 2.0, 0.25]);
    let found = all(&linear, &[1], &["gradient"], &around, &config).remove(0);
    assert!(found.sensitivity.expect("a change") < 1e-12);
    let constant = freeze(self::network(&[1, 4], &[4, 3]), &[0.5; 4]);
    let found = all(&constant, &[1], &["row"], &around, &config).remove(0);
    assert_eq!(found.sensitivity, None);
}

#[test]
fn stages_are_of_networks_shuffled_by_hand() {
    let x0 = some(10);
    let network = network(&[1, 10], &[10, 8, 6, 3]);
    let layers = network.weighted_layers();
    assert_eq!(layers.len(), 3);
    let f = freeze(network.clone(), &x0);
    let around = Surroundings::default();
    let config = EvaluationConfig::default().with_neighbours(0).with_seed(6);
    for one in all(&f, &[1], &["row", "saliency"], &around, &config) {
        assert_eq!(one.randomised.len(), layers.len().min(3));
        assert_eq!(
            one.randomised.last().map(|stage| stage.layers),
            Some(layers.len())
        );
        let whole = map(&f, 1, &one.method);
        for stage in &one.randomised {
            let chosen: Vec<Arc<str>> = layers[layers.len() - stage.layers..].to_vec();
            let there = map(&freeze(network.redrawn(&chosen, 6), &x0), 1, &one.method);
            // Magnitudes have no ties here, so that Spearman's other formula holds.
            let rank = |map: &[f64], at: usize| {
                map.iter().filter(|v| v.abs() < map[at].abs()).count() as f64
            };
            let squares = (0..10).map(|at| (rank(&there, at) - rank(&whole, at)).powi(2));
            let twin = 1.0 - 6.0 * squares.sum::<f64>() / 990.0;
            let found = stage.similarity.expect("maps that vary");
            assert!((found - twin).abs() < 1e-12, "{found} {twin}");
        }
    }
}

#[test]
fn only_chance_is_unstable() {
    let f = freeze(network(&[1, 12], &[12, 6, 3]), &some(12));
    let config = curves_alone(2);
    let around = Surroundings::default();
    let found = all(
        &f,
        &[1],
        &["row", "smooth-grad", "integrated-gradients"],
        &around,
        &config,
    );
    assert!(found[1].stability.expect("a seed") > 0.0);
    assert!(found[0].stability.is_none() && found[2].stability.is_none());
}

#[test]
fn a_method_fails_alone_and_a_stop_for_all() {
    let f = freeze(network(&[1, 2, 4, 4], &[32, 8, 3]), &some(32));
    let names = methods(&[
        "lrp-epsilon-gamma-box",
        "row",
        "grad-cam:nobody",
        "gradient",
    ]);
    let object: Vec<bool> = (0..16).map(|place| place % 4 < 2).collect();
    let (around, config) = (Surroundings::default(), EvaluationConfig::default());
    let ask = |target: &[usize], object: &[bool], config: &EvaluationConfig| {
        evaluate(
            &f,
            target,
            &names,
            &around,
            Some(object),
            config,
            unobserved,
        )
    };
    let found = ask(&[2], &object, &config).expect("evaluates");
    let there: Vec<bool> = found.iter().map(|(_, one)| one.is_ok()).collect();
    assert_eq!(there, [false, true, false, true]);
    for ((method, one), asked) in found.iter().zip(&names) {
        assert_eq!(method, asked);
        let Ok(one) = one else { continue };
        assert_eq!(one.method, method.name());
        let object = one.object.expect("a mask");
        assert!(object.share == 0.5 && (0.0..=1.0).contains(&object.energy));
        assert!(one.sensitivity.is_some() && one.infidelity.is_some());
        let text = serde_json::to_string(one).expect("text");
        assert_eq!(
            &serde_json::from_str::<Evaluation>(&text).expect("read"),
            one
        );
    }
    // As if the others were not there.
    let alone = evaluate(
        &f,
        &[2],
        &names[3..],
        &around,
        Some(&object),
        &config,
        unobserved,
    );
    let alone = alone.expect("evaluates").remove(0).1.expect("a method");
    assert_eq!(found[3].1.as_ref().ok(), Some(&alone));

    assert!(matches!(
        ask(&[3], &object, &config),
        Err(Error::OutOfRange { .. })
    ));
    assert!(matches!(
        ask(&[], &object, &config),
        Err(Error::Empty { .. })
    ));
    assert!(matches!(
        ask(&[2], &object[1..], &config),
        Err(Error::Length { .. })
    ));
    assert!(matches!(
        ask(&[2], &[false; 16], &config),
        Err(Error::Empty { .. })
    ));
    for bad in [
        config.with_steps(0),
        config.with_radius(0.0),
        config.with_radius(f64::NAN),
    ] {
        assert!(matches!(
            ask(&[2], &object, &bad),
            Err(Error::Setting { .. })
        ));
    }
    // Whenever it comes.
    let mut told = 0usize;
    let count = |_: &Progress| {
        told += 1;
        ControlFlow::Continue(())
    };
    evaluate(&f, &[2], &names, &around, None, &config, count).expect("evaluates");
    assert!(told > 32 + 2 * 2 * 14 + 4 + 3, "{told}");
    for at in 0..told {
        let mut left = at;
        let stopped = evaluate(&f, &[2], &names, &around, None, &config, |_: &Progress| {
            left = match left.checked_sub(1) {
                Some(left) => left,
                None => return ControlFlow::Break(()),
            };
            ControlFlow::Continue(())
        });
        assert!(stopped.is_err_and(|error| error.is_stopped()), "{at}");
    }
}

#[test]
fn summaries_are_of_what_is_known() {
    let one = |method: &str, area: f64, known: Option<f64>| Evaluation {
        method: method.into(),
        target: vec![0],
        score: 1.0,
        deletion: Curve {
            at: vec![0.0, 1.0],
            value: vec![area; 2],
            area,
        },
        insertion: Curve {
            at: vec![0.0, 1.0],
            value: vec![0.5; 2],
            area: 0.5,
        },
        infidelity: known,
        sensitivity: None,
        randomised: vec![Stage {
            layers: 2,
            similarity: known,
        }],
        object: known.map(|energy| OnObject {
            share: 0.5,
            pointing: energy > 0.5,
            energy,
        }),
        stability: None,
    };
    let all = [
        one("row", 1.0, Some(0.25)),
        one("gradient", 9.0, None),
        one("row", 3.0, None),
        one("row", 2.0, Some(0.75)),
    ];
    let found = summarised(&all);
    assert_eq!(found.len(), 2);
    let row = &found[0];
    assert_eq!((row.method.as_str(), row.pictures), ("row", 3));
    assert_eq!((row.deletion.mean, row.deletion.std), (2.0, 1.0));
    let half = |found: Option<crate::MeanStd>| found.is_some_and(|of| of.mean == 0.5);
    assert!(half(row.infidelity) && half(row.randomised[0].similarity));
    let object = row.object.expect("objects");
    assert_eq!((object.pictures, object.pointing.mean), (2, 0.5));
    assert_eq!((row.sensitivity, row.stability), (None, None));
    assert_eq!((found[1].infidelity, found[1].object), (None, None));
    assert_eq!(found[1].randomised[0].similarity, None);
}
