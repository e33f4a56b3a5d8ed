//! Attributions against Captum and zennit, on four small networks (`reference/attribution/make.py` says how), and
//! against slow twins for what neither has.

use std::path::Path;

use burn::tensor::{
    DType, Device, FloatDType, Tensor, TensorData, activation::relu, module::conv2d,
    ops::ConvOptions,
};
use linearscope::{Network, RuleSet, SplitMix64};
use linearscope_analysis::{
    FrozenNetwork,
    attribution::{Attribution, Method, NAMES, Surroundings, attribute},
    progress::unobserved,
};
use linearscope_onnx::Model;
use serde_json::Value;

const SIDE: usize = 16;

/// The numbers of `make.py`.
fn picture() -> Vec<f64> {
    let number = |at: usize| ((at * 37) % 101) as f64 / 101.0 * 2.0 - 0.8;
    (0..3 * SIDE * SIDE).map(number).collect()
}

fn frozen(name: &str, dtype: FloatDType) -> FrozenNetwork {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/attribution");
    let model = Model::load(folder.join(format!("{name}.onnx"))).expect("a model");
    let shape = vec![1, 3, SIDE, SIDE];
    let network = model
        .network(std::slice::from_ref(&shape))
        .expect("a network");
    let loaded = FrozenNetwork::load(network, &Device::flex(), dtype).expect("loads");
    let x0 = TensorData::new(picture(), shape);
    FrozenNetwork::new(loaded, x0, RuleSet::default()).expect("freezes")
}

fn around() -> Surroundings {
    Surroundings::default().with_bounds(Some([vec![-1.0], vec![1.5]]))
}

fn one(f: &FrozenNetwork, target: usize, method: &str) -> Attribution {
    let method: Method = method.parse().expect(method);
    let found = attribute(f, &[vec![target]], &method, &around(), unobserved);
    found
        .unwrap_or_else(|error| panic!("{method}: {error}"))
        .remove(0)
}

fn golden() -> Value {
    let text = include_str!("../reference/attribution/golden.json");
    serde_json::from_str(text).expect("JSON")
}

fn floats(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list").iter();
    list.map(|v| v.as_f64().expect("a number")).collect()
}

/// The layer of Grad-CAM that `make.py` chose.
fn named(network: &str, method: &str) -> String {
    match (network, method) {
        ("lenet", "grad-cam") => "grad-cam:4".into(),
        ("vgg", "grad-cam") => "grad-cam:12".into(),
        ("resnet", "grad-cam") => "grad-cam:/second/relu_1/Relu".into(),
        ("mobilenet", "grad-cam") => "grad-cam:4.add".into(),
        (_, method) => method.into(),
    }
}

/// How far each map is from its golden one, over the golden norm.
fn distances(dtype: FloatDType) -> Vec<(String, f64)> {
    let golden = golden();
    let mut found = Vec::new();
    for network in ["lenet", "vgg", "resnet", "mobilenet"] {
        let f = frozen(network, dtype);
        let golden = &golden[network];
        let target = golden["target"].as_u64().expect("a class") as usize;
        for (method, golden) in golden["maps"].as_object().expect("maps") {
            let one = one(&f, target, &named(network, method));
            let norm = golden["norm"].as_f64().expect("a norm");
            let at = golden["at"].as_array().expect("places").iter();
            let at = at.map(|at| at.as_u64().expect("a place") as usize);
            let values = floats(&golden["values"]);
            let entries = at.zip(values).map(|(at, v)| (one.map[at] - v).abs());
            let norm_off = (one.map.iter().map(|v| v * v).sum::<f64>().sqrt() - norm).abs();
            let worst = entries.fold(norm_off, f64::max) / norm;
            found.push((format!("{network} {method}"), worst));
        }
    }
    found
}

#[test]
fn maps_are_those_of_captum_and_zennit() {
    let found = distances(FloatDType::F64);
    assert_eq!(found.len(), 4 * 15 - 2);
    // Captum rounds occlusions to f32.
    let limit = |name: &str| {
        if name.contains("occlusion") {
            1e-6
        } else {
            1e-8
        }
    };
    let off: Vec<_> = (found.iter())
        .filter(|(name, off)| off.is_nan() || *off > limit(name))
        .collect();
    assert!(off.is_empty(), "{off:#?}");
}

/// In f32 the same to its rounding; an occlusion is a difference of scores, of which most may cancel.
#[test]
fn maps_in_f32_are_the_same_to_rounding() {
    let limit = |name: &str| {
        if name.contains("occlusion") {
            1e-3
        } else {
            1e-5
        }
    };
    let found = distances(FloatDType::F32);
    let off: Vec<_> = (found.iter())
        .filter(|(name, off)| off.is_nan() || *off > limit(name))
        .collect();
    assert!(off.is_empty(), "{off:#?}");
}

/// A dense layer as plain numbers: `weight[o][i]`.
struct Dense {
    weight: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

impl Dense {
    fn at(&self, a: &[f64]) -> Vec<f64> {
        let one =
            |(row, b): (&Vec<f64>, &f64)| row.iter().zip(a).map(|(w, a)| w * a).sum::<f64>() + b;
        self.weight.iter().zip(&self.bias).map(one).collect()
    }

    /// R of the inputs, entry by entry as the formulas say.
    fn relevance(&self, rule: &str, a: &[f64], r: &[f64], [low, high]: [f64; 2]) -> Vec<f64> {
        const S: f64 = 1e-6;
        let over = |r: f64, z: f64| r / (z + if z >= 0.0 { S } else { -S });
        let mut found = vec![0.0; a.len()];
        for ((row, &b), &r) in self.weight.iter().zip(&self.bias).zip(r) {
            let terms: Vec<f64> = row.iter().zip(a).map(|(w, a)| w * a).collect();
            let z = terms.iter().sum::<f64>() + b;
            let shares: Vec<f64> = match rule {
                "epsilon" => terms.iter().map(|t| over(r, z) * t).collect(),
                "plus" | "alpha-beta" => {
                    let (alpha, beta) = if rule == "plus" {
                        (1.0, 0.0)
                    } else {
                        (2.0, 1.0)
                    };
                    let up: f64 = terms.iter().map(|t| t.max(0.0)).sum::<f64>() + b.max(0.0);
                    let down: f64 = terms.iter().map(|t| t.min(0.0)).sum::<f64>() + b.min(0.0);
                    let share = |t: &f64| {
                        alpha * over(r, up) * t.max(0.0) - beta * over(r, down) * t.min(0.0)
                    };
                    terms.iter().map(share).collect()
                }
                "gamma" => {
                    // What z is, is made stronger.
                    let sign = if z > 0.0 { 1.0 } else { -1.0 };
                    let more = |t: f64| t + 0.25 * if t * sign > 0.0 { t } else { 0.0 };
                    let all: f64 = terms.iter().map(|t| more(*t)).sum::<f64>() + more(b);
                    terms.iter().map(|t| over(r, all) * more(*t)).collect()
                }
                "flat" => vec![over(r, a.len() as f64); a.len()],
                "w-square" => {
                    let all: f64 = row.iter().map(|w| w * w).sum::<f64>() + b * b;
                    row.iter().map(|w| over(r, all) * w * w).collect()
                }
                "box" => {
                    let of = |(w, a): (&f64, &f64)| w * a - w.max(0.0) * low - w.min(0.0) * high;
                    let parts: Vec<f64> = row.iter().zip(a).map(of).collect();
                    let all: f64 = parts.iter().sum();
                    parts.iter().map(|part| over(r, all) * part).collect()
                }
                other => panic!("{other}"),
            };
            found
                .iter_mut()
                .zip(shares)
                .for_each(|(sum, share)| *sum += share);
        }
        found
    }
}

/// Three dense layers with ReLU between, with biases or without, and their numbers.
fn dense(seed: u64, biases: bool) -> (FrozenNetwork, Vec<Dense>, Vec<f64>) {
    let device = Device::flex();
    let sizes = [7, 9, 8, 4];
    let mut numbers = noise_of(seed);
    let layers: Vec<Dense> = (sizes.windows(2))
        .map(|pair| Dense {
            weight: (0..pair[1])
                .map(|_| (0..pair[0]).map(|_| numbers()).collect())
                .collect(),
            bias: (0..pair[1])
                .map(|_| if biases { numbers() } else { 0.0 })
                .collect(),
        })
        .collect();
    let x0: Vec<f64> = (0..sizes[0]).map(|_| numbers()).collect();
    let tensors: Vec<(Tensor<2>, Tensor<2>)> = (layers.iter())
        .map(|layer| {
            let (o, i) = (layer.weight.len(), layer.weight[0].len());
            let weight = TensorData::new(layer.weight.concat(), [o, i]);
            let bias = TensorData::new(layer.bias.clone(), [1, o]);
            let of = |data| Tensor::<2>::from_data(data, (&device, DType::F32));
            (of(weight), of(bias))
        })
        .collect();
    let network = Network::capture(&tensors, |tensors, ports| {
        let mut x = ports.input::<2>("x", [1, sizes[0]]);
        for (number, (weight, bias)) in tensors.iter().enumerate() {
            x = x.matmul(weight.clone().transpose()) + bias.clone();
            if number < 2 {
                x = relu(x);
            }
        }
        ports.output("y", x);
    });
    let loaded = FrozenNetwork::load(network.expect("captures"), &device, FloatDType::F64);
    let data = TensorData::new(x0.clone(), [1, sizes[0]]);
    let frozen = FrozenNetwork::new(loaded.expect("loads"), data, RuleSet::default());
    (frozen.expect("freezes"), layers, x0)
}

fn noise_of(seed: u64) -> impl FnMut() -> f64 {
    let mut random = SplitMix64::new(seed);
    // As f32 holds it.
    move || f64::from(random.next_uniform() as f32)
}

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

#[test]
fn what_means_nothing_is_refused() {
    let f = frozen("lenet", FloatDType::F32);
    let refused = |targets: &[Vec<usize>], method: &str, around: Surroundings| {
        let method = method.parse().expect("a method");
        attribute(&f, targets, &method, &around, unobserved)
            .expect_err("refused")
            .to_string()
    };
    let usual = Surroundings::default;
    assert!(refused(&[], "row", usual()).contains("holds none"));
    assert!(refused(&[vec![]], "lrp-epsilon", usual()).contains("holds none"));
    assert!(refused(&[vec![5]], "conserving", usual()).contains("[5]"));
    assert!(refused(&[vec![0]], "lrp-epsilon-gamma-box", usual()).contains("box"));
    let bounds = Surroundings::default().with_bounds(Some([vec![0.0; 2], vec![1.0; 2]]));
    assert!(refused(&[vec![0]], "lrp-box", bounds).contains("bounds"));
    let short = Surroundings::default().with_baseline(Some(vec![0.0; 3]));
    assert!(refused(&[vec![0]], "occlusion", short.clone()).contains("baseline"));
    assert!(refused(&[vec![0]], "integrated-gradients", short).contains("baseline"));
    assert!(refused(&[vec![0]], "occlusion:17", usual()).contains("patch"));
    assert!(refused(&[vec![0]], "grad-cam:nowhere", usual()).contains("nowhere"));
    assert!(refused(&[vec![0]], "grad-cam:9", usual()).contains("places"));
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
