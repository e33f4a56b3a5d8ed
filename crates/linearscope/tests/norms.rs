//! Norms as Burn's modules and exporters write them: recognised, and frozen alike whatever the
//! spelling. Each against a slow twin written from the norm's definition.

mod captured;

use burn::{
    nn::{
        GroupNormConfig, InstanceNormConfig, LayerNormConfig, LocalResponseNormConfig, Relu,
        RmsNormConfig,
    },
    tensor::{Device, Tensor, module::avg_pool2d, ops::AvgPoolOptions},
};
use burn_backend::DType;
use captured::*;
use linearscope::{Network, Normalisation, RuleSet};

const SHAPE: [usize; 4] = [2, 4, 3, 2];
const COUNT: usize = 48;
const EPSILON: f64 = 1e-3;

/// Which statistics an entry belongs to.
type Group = fn(usize) -> usize;

fn channel(i: usize) -> usize {
    i / 6 % 4
}

/// A norm as a function: of a group's entries, what is subtracted from one and what it is divided by;
/// γ and β of an entry.
#[derive(Clone, Copy)]
struct Norm {
    group: Group,
    centred: bool,
    measure: fn(&[f64]) -> f64,
    affine: fn(usize) -> (f64, f64),
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn mean_square(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64
}

fn rms(x: &[f64]) -> f64 {
    (mean_square(x) + EPSILON).sqrt()
}

fn plain(_: usize) -> (f64, f64) {
    (1.0, 0.0)
}

/// Exact in f32, which captured constants are.
const GAMMA: [f64; 4] = [1.5, -0.5, 2.0, 0.75];
const BETA: [f64; 4] = [0.125, 0.25, -0.375, 0.0];

fn per_channel(i: usize) -> (f64, f64) {
    (GAMMA[channel(i)], BETA[channel(i)])
}

impl Norm {
    fn members(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        (0..COUNT).filter(move |&j| (self.group)(j) == (self.group)(i))
    }

    /// Entry i with mean from one tensor and measure from another.
    fn entry(&self, i: usize, x: &[f64], means: &[f64], measured: &[f64]) -> f64 {
        let of = |x: &[f64]| self.members(i).map(|j| x[j]).collect::<Vec<_>>();
        let shift = |x: &[f64]| if self.centred { mean(&of(x)) } else { 0.0 };
        let inner = shift(measured);
        let deviations: Vec<f64> = of(measured).iter().map(|x| x - inner).collect();
        let (gamma, beta) = (self.affine)(i);
        gamma * (x[i] - shift(means)) / (self.measure)(&deviations) + beta
    }

    fn of(&self, x: &[f64]) -> Vec<f64> {
        (0..COUNT).map(|i| self.entry(i, x, x, x)).collect()
    }

    fn twin(&self, rule: Normalisation, x0: &[f64], x1: &[f64]) -> Vec<f64> {
        match rule {
            Normalisation::MeanAndStd => (0..COUNT).map(|i| self.entry(i, x1, x0, x0)).collect(),
            Normalisation::StdOnly => (0..COUNT).map(|i| self.entry(i, x1, x1, x0)).collect(),
            Normalisation::Taylor => {
                // The norm along the line from x₀ to x₁, its derivative by five points.
                let e = 1e-3;
                let along = |t: f64| {
                    let x: Vec<f64> = x0.iter().zip(x1).map(|(a, b)| a + t * (b - a)).collect();
                    self.of(&x)
                };
                let points = [along(-2.0 * e), along(-e), along(e), along(2.0 * e)];
                let y0 = self.of(x0);
                (0..COUNT)
                    .map(|i| {
                        let [a, b, c, d] = [0, 1, 2, 3].map(|p| points[p][i]);
                        y0[i] + (a - 8.0 * b + 8.0 * c - d) / (12.0 * e)
                    })
                    .collect()
            }
        }
    }
}

fn with(rule: Normalisation) -> RuleSet {
    RuleSet::of(rule)
}

/// The same by every rule, with its promises.
fn equals_twin(name: &str, norms: usize, norm: Norm, capture: impl Fn() -> Network) {
    assert_eq!(capture().recognised_norms(), norms, "{name}");
    let x0: Vec<f64> = pseudo(COUNT, 11).iter().map(|x| 2.0 * x + 0.3).collect();
    let x1 = pseudo(COUNT, 300);
    let rules = [
        (Normalisation::MeanAndStd, 1e-12),
        (Normalisation::StdOnly, 1e-12),
        // What the finite difference is exact to.
        (Normalisation::Taylor, 1e-8),
    ];
    for (rule, limit) in rules {
        let what = format!("{name}, {rule:?}");
        let frozen = Frozen::new(capture(), &x0, with(rule), DType::F64);
        frozen.keeps_promises(&what, 1e-11);
        close(&what, &frozen.y0(), &norm.of(&x0), 1e-12);
        close(
            &what,
            &frozen.affine(&x1),
            &norm.twin(rule, &x0, &x1),
            limit,
        );
    }
}

fn constant(values: &[f64], shape: [usize; 4], x: &Tensor<4>) -> Tensor<4> {
    let data = burn::tensor::TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data.convert::<f32>(), &x.device())
}

const INSTANCE: Norm = Norm {
    group: |i| i / 6,
    centred: true,
    measure: rms,
    affine: plain,
};

const WITH_AFFINE: Norm = Norm {
    affine: per_channel,
    ..INSTANCE
};

fn means(x: Tensor<4>) -> Tensor<4> {
    x.mean_dim(2).mean_dim(3)
}

#[test]
fn modules_of_burn() {
    let device = Device::flex();
    let image = |ports: &mut linearscope::Ports| ports.input("x", SHAPE);
    let group = GroupNormConfig::new(2, 4)
        .with_epsilon(EPSILON)
        .init(&device);
    equals_twin(
        "group norm",
        1,
        Norm {
            group: |i| i / 12,
            ..INSTANCE
        },
        || {
            Network::capture(&group, |module, ports| {
                let x = image(ports);
                ports.output("y", module.forward(x));
            })
            .expect("captures")
        },
    );
    let instance = InstanceNormConfig::new(4)
        .with_epsilon(EPSILON)
        .init(&device);
    equals_twin("instance norm", 1, INSTANCE, || {
        Network::capture(&instance, |module, ports| {
            let x = image(ports);
            ports.output("y", module.forward(x));
        })
        .expect("captures")
    });
    let rows = Norm {
        group: |i| i / 2,
        ..INSTANCE
    };
    let layer = LayerNormConfig::new(2).with_epsilon(EPSILON).init(&device);
    equals_twin("layer norm, one op", 0, rows, || {
        Network::capture(&layer, |module, ports| {
            let x = image(ports);
            ports.output("y", module.forward(x));
        })
        .expect("captures")
    });
    let root = RmsNormConfig::new(2).with_epsilon(EPSILON).init(&device);
    let centreless = Norm {
        centred: false,
        ..rows
    };
    equals_twin("rms norm", 1, centreless, || {
        Network::capture(&root, |module, ports| {
            let x = image(ports);
            ports.output("y", module.forward(x));
        })
        .expect("captures")
    });
}

#[test]
fn spellings_of_exporters() {
    type Spelling = (&'static str, Norm, fn(Tensor<4>) -> Tensor<4>);
    let spellings: [Spelling; 9] = [
        ("a quotient by a root", INSTANCE, |x| {
            let d = x.clone() - means(x);
            d.clone() / (means(d.square()) + EPSILON).sqrt()
        }),
        (
            "a product with a reciprocal root, gamma and beta",
            WITH_AFFINE,
            |x| {
                let gamma = constant(&GAMMA, [1, 4, 1, 1], &x);
                let beta = constant(&BETA, [1, 4, 1, 1], &x);
                let d = x.clone() - means(x);
                let inverse = (means(d.clone().square()) + EPSILON).sqrt().recip();
                d * inverse * gamma + beta
            },
        ),
        ("a power of minus a half", INSTANCE, |x| {
            let d = x.clone() - means(x);
            let inverse = (means(d.clone().powf_scalar(2.0)) + EPSILON).powf_scalar(-0.5);
            d * inverse
        }),
        ("gamma and mean folded", WITH_AFFINE, |x| {
            let gamma = constant(&GAMMA, [1, 4, 1, 1], &x);
            let beta = constant(&BETA, [1, 4, 1, 1], &x);
            let mean = means(x.clone());
            let variance = means((x.clone() - mean.clone()).square());
            let scale = (variance + EPSILON).sqrt().recip() * gamma;
            x * scale.clone() + (beta - mean * scale)
        }),
        (
            "squared difference, as TensorFlow writes it",
            INSTANCE,
            |x| {
                let mean = means(x.clone());
                let variance = means((x.clone() - mean.clone()) * (x.clone() - mean.clone()));
                (x - mean) * (variance + EPSILON).sqrt().recip()
            },
        ),
        ("the difference of two means", INSTANCE, |x| {
            let mean = means(x.clone());
            let variance = means(x.clone().square()) - mean.clone().square();
            (x - mean) / (variance + EPSILON).sqrt()
        }),
        ("sums over n", INSTANCE, |x| {
            let sum = |x: Tensor<4>| x.sum_dim(2).sum_dim(3);
            let d = x.clone() - sum(x) / 6.0;
            d.clone() / (sum(d.square()) / 6.0 + EPSILON).sqrt()
        }),
        (
            "rms by a reciprocal",
            Norm {
                centred: false,
                ..INSTANCE
            },
            |x| x.clone() * (means(x.square()) + EPSILON).sqrt().recip(),
        ),
        (
            "rms by one over a root",
            Norm {
                centred: false,
                ..INSTANCE
            },
            |x| {
                let root = (means(x.clone().square()) + EPSILON).sqrt();
                x * (root.ones_like() / root)
            },
        ),
    ];
    for (name, norm, forward) in spellings {
        equals_twin(name, 1, norm, || network(SHAPE, forward));
    }
}

#[test]
fn quotients_by_norms_and_local_responses() {
    fn euclid(x: &[f64]) -> f64 {
        x.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-6)
    }
    let along_channels = Norm {
        group: |i| i / 24 * 6 + i % 6,
        centred: false,
        measure: euclid,
        affine: plain,
    };
    equals_twin("x / max(‖x‖, ε)", 1, along_channels, || {
        network(SHAPE, |x| {
            let norm = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-6);
            x / norm
        })
    });
    equals_twin("x · 1/max(‖x‖, ε)", 1, along_channels, || {
        network(SHAPE, |x| {
            let norm = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-6);
            x * norm.recip()
        })
    });
    let cubes = Norm {
        measure: |x| x.iter().map(|x| x.abs().powi(3)).sum::<f64>().cbrt(),
        ..along_channels
    };
    equals_twin("x / ‖x‖₃", 1, cubes, || {
        network(SHAPE, |x| {
            let norm = x
                .clone()
                .abs()
                .powf_scalar(3.0)
                .sum_dim(1)
                .powf_scalar(1.0 / 3.0);
            x / norm
        })
    });
    let sizes = Norm {
        measure: |x| x.iter().map(|x| x.abs()).sum(),
        ..along_channels
    };
    equals_twin("x / Σ |x|", 1, sizes, || {
        network(SHAPE, |x| x.clone() / x.abs().sum_dim(1))
    });
}

/// Local response norm: the denominator of x₀, or the tangent of the whole.
#[test]
fn local_response_norm() {
    let module = LocalResponseNormConfig::new(3)
        .with_alpha(0.3)
        .with_beta(0.75)
        .with_k(2.0)
        .init();
    let capture = || {
        Network::capture(&module, |module, ports| {
            let x = ports.input("x", SHAPE);
            ports.output("y", module.forward(x));
        })
        .expect("captures")
    };
    assert_eq!(capture().recognised_norms(), 1);
    // Burn pads with zeros that count.
    let divisor = |x: &[f64], i: usize| {
        let (c, step) = (channel(i), 6);
        let near = (c.saturating_sub(1)..=(c + 1).min(3)).map(|d| x[i + d * step - c * step]);
        (2.0 + 0.3 / 3.0 * near.map(|x| x * x).sum::<f64>()).powf(0.75)
    };
    let (x0, x1) = (pseudo(COUNT, 11), pseudo(COUNT, 300));
    let frozen = Frozen::new(capture(), &x0, RuleSet::default(), DType::F64);
    frozen.keeps_promises("lrn", 1e-12);
    let twin: Vec<f64> = (0..COUNT).map(|i| x1[i] / divisor(&x0, i)).collect();
    close("lrn", &frozen.affine(&x1), &twin, 1e-12);

    let taylor = with(Normalisation::Taylor);
    let frozen = Frozen::new(capture(), &x0, taylor.clone(), DType::F64);
    frozen.keeps_promises("lrn taylor", 1e-12);
    let e = 1e-3;
    let along = |t: f64, i: usize| {
        let x: Vec<f64> = x0.iter().zip(&x1).map(|(a, b)| a + t * (b - a)).collect();
        x[i] / divisor(&x, i)
    };
    let twin: Vec<f64> = (0..COUNT)
        .map(|i| {
            let difference =
                along(-2.0 * e, i) - 8.0 * along(-e, i) + 8.0 * along(e, i) - along(2.0 * e, i);
            along(0.0, i) + difference / (12.0 * e)
        })
        .collect();
    close("lrn taylor", &frozen.affine(&x1), &twin, 1e-8);
}

/// A norm that divides nothing is homogeneous: its tangent is Σ ∂‖x₀‖/∂x₀ x₁ without a source, 0 at 0.
#[test]
fn lp_norms_and_pools_take_their_tangent() {
    type Forward = fn(Tensor<4>) -> Tensor<4>;
    let lp: [(&str, f64, Forward); 3] = [
        ("L2", 2.0, |x| x.square().sum_dim(1).sqrt()),
        ("L3", 3.0, |x| {
            x.abs().powf_scalar(3.0).sum_dim(1).powf_scalar(1.0 / 3.0)
        }),
        ("L4", 4.0, |x| {
            x.powf_scalar(4.0).sum_dim(1).powf_scalar(0.25)
        }),
    ];
    let mut x0 = pseudo(COUNT, 11);
    // One group of zeros.
    x0.iter_mut()
        .skip(2)
        .take(24)
        .step_by(6)
        .for_each(|x| *x = 0.0);
    let x1 = pseudo(COUNT, 300);
    for (name, p, forward) in lp {
        assert_eq!(network(SHAPE, forward).recognised_norms(), 0, "{name}");
        let frozen = Frozen::new(network(SHAPE, forward), &x0, RuleSet::default(), DType::F64);
        frozen.keeps_promises(name, 1e-12);
        let twin: Vec<f64> = (0..12)
            .map(|o| {
                let group: Vec<usize> = (0..4).map(|c| o / 6 * 24 + c * 6 + o % 6).collect();
                let norm = group
                    .iter()
                    .map(|&i| x0[i].abs().powf(p))
                    .sum::<f64>()
                    .powf(1.0 / p);
                let slope = |i: usize| x0[i].signum() * (x0[i].abs() / norm).powf(p - 1.0);
                match norm {
                    0.0 => 0.0,
                    _ => group.iter().map(|&i| slope(i) * x1[i]).sum(),
                }
            })
            .collect();
        close(name, &frozen.affine(&x1), &twin, 1e-12);
        close(
            &format!("{name}, no source"),
            &frozen.apply(&x1),
            &twin,
            1e-12,
        );
    }
    // Lp pooling: a root of a scaled average of squares.
    let pool = |x: Tensor<4>| {
        let options = AvgPoolOptions::new([3, 2]);
        (avg_pool2d(x.square(), options) * 6.0).sqrt()
    };
    let x0 = pseudo(COUNT, 11);
    let frozen = Frozen::new(network(SHAPE, pool), &x0, RuleSet::default(), DType::F64);
    frozen.keeps_promises("L2 pool", 1e-12);
    let twin: Vec<f64> = (0..8)
        .map(|o| {
            let part = 6 * o..6 * o + 6;
            let norm = x0[part.clone()].iter().map(|x| x * x).sum::<f64>().sqrt();
            part.map(|i| x0[i] / norm * x1[i]).sum()
        })
        .collect();
    close("L2 pool", &frozen.apply(&x1), &twin, 1e-12);
}

/// Statistics that somebody else reads are no norm's alone.
#[test]
fn shared_statistics_are_no_norm() {
    let mean_out = network(SHAPE, |x| {
        let mean = means(x.clone());
        let d = x - mean.clone();
        d.clone() / (means(d.square()) + EPSILON).sqrt() + mean
    });
    assert_eq!(mean_out.recognised_norms(), 0);
    let std_out = Network::capture(&Relu::new(), |_, ports| {
        let x = ports.input::<4>("x", SHAPE);
        let d = x.clone() - means(x);
        let std = (means(d.clone().square()) + EPSILON).sqrt();
        let y = d / std.clone();
        ports.output("std", std);
        ports.output("y", y);
    })
    .expect("captures");
    assert_eq!(std_out.recognised_norms(), 0);
}
