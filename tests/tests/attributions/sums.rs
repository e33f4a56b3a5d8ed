//! What promises a sum keeps it.

use burn::tensor::{
    DType, Device, FloatDType, Tensor, TensorData, activation::relu, module::conv2d,
    ops::ConvOptions,
};
use linearscope::{Network, RuleSet};
use linearscope_analysis::{
    FrozenNetwork,
    attribution::{Method, NAMES, attribute},
    progress::unobserved,
};

use super::{around, frozen, noise_of, one};

/// What promises a sum keeps it; several targets at once are each as alone; a region is the sum of its parts.
#[test]
fn sums_are_kept_and_targets_are_independent() {
    for network in ["lenet", "vgg", "resnet", "mobilenet"] {
        let f = frozen(network, FloatDType::F64);
        for (name, limit) in [
            ("conserving", 1e-12),
            ("paper", 1e-12),
            ("row", 1e-12),
            ("integrated-gradients:64", 0.05),
        ] {
            let found = one(&f, 3, name);
            let gap = found.gap.expect("a promise");
            assert!(gap.abs() <= limit, "{network} {name}: {gap}");
        }
        for (name, _) in NAMES {
            let method: Method = name.parse().expect("a method");
            // The first class, then the second, and both together.
            let targets = [vec![0], vec![1], vec![0, 1]];
            let found = attribute(&f, &targets, &method, &around(), unobserved).expect(name);
            let alone = one(&f, 1, name);
            let norm = |map: &[f64]| map.iter().map(|v| v * v).sum::<f64>().sqrt();
            let off = |a: &[f64], b: &[f64]| {
                let d: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
                norm(&d) / norm(b).max(1e-300)
            };
            assert!(off(&found[1].map, &alone.map) < 1e-12, "{network} {name}");
            // Magnitudes, clips and λ do not add up.
            let linear = ![
                "saliency",
                "grad-cam",
                "full-grad",
                "guided-backprop",
                "deconvolution",
                "paper",
            ]
            .contains(&name)
                && name != "integrated-gradients";
            if linear {
                let sum: Vec<f64> = found[0]
                    .map
                    .iter()
                    .zip(&found[1].map)
                    .map(|(a, b)| a + b)
                    .collect();
                assert!(off(&found[2].map, &sum) < 1e-9, "{network} {name}");
            }
        }
    }
}

/// What is shared out does not go to entries that depend on no input: the border that a Pad adds, and the channels that a
/// shortcut is filled up with.
#[test]
fn nothing_is_lost_to_padding() {
    let device = Device::flex();
    let mut numbers = noise_of(3);
    let mut tensor = |shape: [usize; 4]| {
        let len = shape.iter().product();
        let data = TensorData::new((0..len).map(|_| numbers()).collect::<Vec<f64>>(), shape);
        Tensor::<4>::from_data(data, (&device, DType::F32))
    };
    let (first, second, bias) = (
        tensor([4, 2, 3, 3]),
        tensor([6, 4, 3, 3]),
        tensor([1, 4, 1, 1]),
    );
    let more = tensor([1, 6, 1, 1]);
    let parts = [first, second, bias, more];
    let network = Network::capture(&parts, |[first, second, bias, more], ports| {
        let options = || ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let x = ports.input::<4>("x", [1, 2, 8, 8]);
        let wider = x.pad((1, 1, 1, 1), 0.0);
        let a = relu(conv2d(wider, first.clone(), None, options()) + bias.clone());
        let wider = a.clone().pad((1, 1, 1, 1), 0.0);
        let b = conv2d(wider, second.clone(), None, options()) + more.clone();
        // Two channels of zeros beside the four there are.
        let zeros = a.clone().narrow(1, 0, 2) * 0.0;
        let y = relu(b + Tensor::cat(vec![a, zeros], 1));
        ports.output("y", y.mean_dim(2).mean_dim(3).flatten::<2>(1, 3));
    });
    let loaded = FrozenNetwork::load(network.expect("captures"), &device, FloatDType::F64);
    let mut numbers = noise_of(4);
    let x0: Vec<f64> = (0..128).map(|_| numbers()).collect();
    let data = TensorData::new(x0, [1, 2, 8, 8]);
    let f = FrozenNetwork::new(loaded.expect("loads"), data, RuleSet::default()).expect("freezes");
    for target in 0..6 {
        let found = one(&f, target, "conserving");
        let scale: f64 = found.map.iter().map(|v| v.abs()).sum();
        assert!(
            (found.sum - found.score).abs() < 1e-12 * scale,
            "{target}: {found:?}"
        );
    }
}

/// What biases say where nothing depends on the input is spread evenly and told: a filter that was pruned, windows wholly
/// on padding.
#[test]
fn what_no_pixel_says_is_spread_and_told() {
    let device = Device::flex();
    let mut numbers = noise_of(6);
    let mut tensor = |shape: [usize; 4], pruned: bool| {
        let len: usize = shape.iter().product();
        let mut values: Vec<f64> = (0..len).map(|_| numbers()).collect();
        if pruned {
            values[..len / shape[0]].fill(0.0);
        }
        let data = TensorData::new(values, shape);
        Tensor::<4>::from_data(data, (&device, DType::F32))
    };
    for (pruned, padding) in [(true, 0), (false, 3), (true, 3), (false, 0)] {
        let first = tensor([3, 2, 2, 2], pruned);
        let bias = tensor([1, 3, 1, 1], false).abs();
        let parts = [first, bias];
        let network = Network::capture(&parts, |[first, bias], ports| {
            let x = ports.input::<4>("x", [1, 2, 5, 5]);
            let options = ConvOptions::new([1, 1], [padding, padding], [1, 1], 1);
            let y = relu(conv2d(x, first.clone(), None, options) + bias.clone());
            ports.output("y", y.mean_dim(2).mean_dim(3).flatten::<2>(1, 3));
        });
        let loaded = FrozenNetwork::load(network.expect("captures"), &device, FloatDType::F64);
        let mut numbers = noise_of(7);
        let x0: Vec<f64> = (0..50).map(|_| numbers()).collect();
        let data = TensorData::new(x0, [1, 2, 5, 5]);
        let f = FrozenNetwork::new(loaded.expect("loads"), data, RuleSet::default());
        let f = f.expect("freezes");
        for target in 0..3 {
            let found = one(&f, target, "conserving");
            let scale: f64 = found.map.iter().map(|v| v.abs()).sum();
            assert!(
                (found.sum - found.score).abs() < 1e-12 * scale.max(1.0),
                "{pruned} {padding} {target}: {found:?}"
            );
            let told = found.note.is_some();
            assert_eq!(
                told,
                padding > 0 || (pruned && target == 0),
                "{pruned} {padding} {target}"
            );
            if pruned && target == 0 {
                // Nothing but the bias, the same for every pixel.
                let even = found.score / 50.0;
                assert!(
                    found.map.iter().all(|v| (v - even).abs() < 1e-12),
                    "{found:?}"
                );
            }
        }
    }
}
