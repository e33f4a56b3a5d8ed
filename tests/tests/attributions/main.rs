//! Attributions: against Captum and zennit on four small networks (`reference/attribution/make.py` says how), against slow
//! twins for what neither has, and what they promise.

mod composites;
mod deep_lift;
mod golden;
mod other_rules;
mod relevance;
mod sums;
mod taken_away;

use std::path::Path;

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData, activation::relu};
use linearscope::{Network, RuleSet, SplitMix64};
use linearscope_analysis::{
    FrozenNetwork,
    attribution::{Attribution, Method, Surroundings, attribute},
    progress::unobserved,
};
use linearscope_onnx::Model;

const SIDE: usize = 16;

/// The numbers of `make.py`.
fn picture() -> Vec<f64> {
    let number = |at: usize| ((at * 37) % 101) as f64 / 101.0 * 2.0 - 0.8;
    (0..3 * SIDE * SIDE).map(number).collect()
}

fn frozen(name: &str, dtype: FloatDType) -> FrozenNetwork {
    frozen_at(name, dtype, picture())
}

fn frozen_at(name: &str, dtype: FloatDType, x0: Vec<f64>) -> FrozenNetwork {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/attribution");
    let model = Model::load(folder.join(format!("{name}.onnx"))).expect("a model");
    let shape = vec![1, 3, SIDE, SIDE];
    let network = model
        .network(std::slice::from_ref(&shape))
        .expect("a network");
    let loaded = FrozenNetwork::load(network, &Device::flex(), dtype).expect("loads");
    let x0 = TensorData::new(x0, shape);
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
fn what_means_nothing_is_refused() {
    let f = frozen("lenet", FloatDType::F32);
    let refused = |targets: &[Vec<usize>], method: &str, around: Surroundings| {
        let method = method.parse().expect("a method");
        attribute(&f, targets, &method, &around, unobserved)
            .expect_err("refused")
            .to_string()
    };
    let usual = Surroundings::default;
    assert!(refused(&[], "row", usual()).contains("is empty"));
    assert!(refused(&[vec![]], "lrp-epsilon", usual()).contains("is empty"));
    assert!(refused(&[vec![5]], "conserving", usual()).contains("[5]"));
    assert!(refused(&[vec![0]], "lrp-epsilon-gamma-box", usual()).contains("box"));
    let bounds = Surroundings::default().with_bounds(Some([vec![0.0; 2], vec![1.0; 2]]));
    assert!(refused(&[vec![0]], "lrp-box", bounds).contains("bounds"));
    let short = Surroundings::default().with_baseline(Some(vec![0.0; 3]));
    assert!(refused(&[vec![0]], "occlusion", short.clone()).contains("baseline"));
    assert!(refused(&[vec![0]], "integrated-gradients", short).contains("baseline"));
    assert!(refused(&[vec![0]], "occlusion:17", usual()).contains("patch"));
    assert!(refused(&[vec![0]], "grad-cam:nowhere", usual()).contains("nowhere"));
    assert!(refused(&[vec![0]], "grad-cam:9", usual()).contains("spatial"));
}
