//! Pointwise functions of several ops: recognised, and frozen by the secant or the tangent of the
//! whole. Each against a slow twin written from the function's definition.

mod captured;

use burn::{
    nn::activation::SwiGluConfig,
    tensor::{Device, Tensor, activation},
};
use burn_backend::DType;
use burn_flex::{Flex, FlexDevice};
use captured::*;
use linearscope::{Loaded, Network, Paired, Pointwise, RuleSet, survey::Standing};

type Forward = fn(Tensor<1>) -> Tensor<1>;
type H = fn(f64) -> f64;

/// A function: its ops, its value, its gain (h(x) − h(0))/x written without cancellation, h(0), how
/// many composites it is, and what its gain in f32 is held against besides itself.
struct Unit {
    name: &'static str,
    forward: Forward,
    h: H,
    gain: H,
    at_zero: f64,
    composites: usize,
    scale: f64,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Burn's: the identity beyond 20.
fn capped(x: f64) -> f64 {
    if x > 20.0 { x } else { softplus(x) }
}

fn capped_gain(x: f64) -> f64 {
    if x > 20.0 {
        1.0 - std::f64::consts::LN_2 / x
    } else {
        softplus_gain(x)
    }
}

/// (softplus(x) − log 2)/x = ½ + log cosh(x/2)/x.
fn softplus_gain(x: f64) -> f64 {
    0.5 + log_cosh(0.5 * x) / x
}

/// log(1 + 2 sinh²(x/2)), and |x| − log 2 + log(1 + e^(−2|x|)) where that overflows.
fn log_cosh(x: f64) -> f64 {
    if x.abs() < 2.0 {
        (2.0 * (0.5 * x).sinh().powi(2)).ln_1p()
    } else {
        x.abs() + (-2.0 * x.abs()).exp().ln_1p() - std::f64::consts::LN_2
    }
}

fn exponential(x: f64, alpha: f64, c: f64) -> f64 {
    if x > 0.0 { x } else { alpha * (x / c).exp_m1() }
}

fn tanh_gelu_weight(x: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
    // ½(1 + tanh u) = σ(2u): no cancellation far to the left.
    sigmoid(2.0 * inner)
}

const SELU: (f64, f64) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);

fn units() -> Vec<Unit> {
    let unit = |name, forward, h, gain, at_zero, composites, scale| Unit {
        name,
        forward,
        h,
        gain,
        at_zero,
        composites,
        scale,
    };
    let ln2 = std::f64::consts::LN_2;
    vec![
        unit(
            "softplus",
            |x| activation::softplus(x, 1.0),
            capped,
            capped_gain,
            ln2,
            1,
            0.0,
        ),
        unit(
            "softplus, beta 2",
            |x| activation::softplus(x, 2.0),
            |x| capped(2.0 * x) / 2.0,
            |x| capped_gain(2.0 * x),
            ln2 / 2.0,
            1,
            0.0,
        ),
        unit(
            "softplus by relu",
            |x| activation::relu(x.clone()) + x.abs().neg().exp().log1p(),
            softplus,
            softplus_gain,
            ln2,
            1,
            0.0,
        ),
        unit(
            "mish",
            activation::mish,
            |x| x * softplus(x).tanh(),
            |x| softplus(x).tanh(),
            0.0,
            1,
            0.0,
        ),
        unit(
            "gelu by tanh",
            activation::gelu_approximate,
            |x| x * tanh_gelu_weight(x),
            tanh_gelu_weight,
            0.0,
            1,
            1.0,
        ),
        unit(
            "sigmoid by exp",
            |x| (x.neg().exp() + 1.0).recip(),
            sigmoid,
            |x| (0.5 * x).tanh() / (2.0 * x),
            0.5,
            1,
            0.0,
        ),
        unit(
            "log cosh",
            |x| x.cosh().log(),
            log_cosh,
            |x| log_cosh(x) / x,
            0.0,
            1,
            // Burn's own f32 logarithm of what lies next to 1 is off by as much.
            1.0,
        ),
        unit(
            "x + cos²",
            |x| x.clone() + x.cos().square(),
            |x| x + x.cos().powi(2),
            |x| 1.0 - x.sin() * (x.sin() / x),
            1.0,
            1,
            1.0,
        ),
        // The ops' own rules give the secant of these.
        unit(
            "elu",
            |x| activation::elu(x, 0.7),
            |x| exponential(x, 0.7, 1.0),
            // At the kink the left slope.
            |x| if x > 1e-11 { 1.0 } else { 0.7 * x.exp_m1() / x },
            0.0,
            0,
            0.0,
        ),
        unit(
            "celu",
            |x| activation::celu(x, 1.5),
            |x| exponential(x, 1.5, 1.5),
            |x| {
                if x > 0.0 {
                    1.0
                } else {
                    1.5 * (x / 1.5).exp_m1() / x
                }
            },
            0.0,
            0,
            0.0,
        ),
        unit(
            "selu",
            activation::selu,
            |x| SELU.1 * exponential(x, SELU.0, 1.0),
            |x| {
                SELU.1
                    * if x > 0.0 {
                        1.0
                    } else {
                        SELU.0 * x.exp_m1() / x
                    }
            },
            0.0,
            0,
            0.0,
        ),
        unit(
            "silu",
            activation::silu,
            |x| x * sigmoid(x),
            sigmoid,
            0.0,
            0,
            0.0,
        ),
        unit(
            "quick gelu",
            |x| x.clone() * activation::sigmoid(x * 1.702),
            |x| x * sigmoid(1.702 * x),
            |x| sigmoid(1.702 * x),
            0.0,
            0,
            // Of the tail e^(1.702 x) f32 has the exponent to 6e-8 of up to 51.
            1.0,
        ),
        unit(
            "hard swish",
            activation::hard_swish,
            |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            |x| (x / 6.0 + 0.5).clamp(0.0, 1.0),
            0.0,
            0,
            1.0,
        ),
        unit(
            "softsign",
            activation::softsign,
            |x| x / (1.0 + x.abs()),
            |x| 1.0 / (1.0 + x.abs()),
            0.0,
            0,
            0.0,
        ),
        unit(
            "tanhshrink",
            activation::tanhshrink,
            |x| x - x.tanh(),
            |x| 1.0 - x.tanh() / x,
            0.0,
            0,
            1.0,
        ),
        unit(
            "snake",
            |x| x.clone() + x.sin().square(),
            |x| x + x.sin().powi(2),
            |x| 1.0 + x.sin() * (x.sin() / x),
            0.0,
            0,
            1.0,
        ),
    ]
}

fn rules() -> RuleSet {
    RuleSet::default()
}

fn taylor() -> RuleSet {
    RuleSet::of(Pointwise::Taylor)
}

#[test]
fn functions_take_the_secant_of_the_whole() {
    let x0 = [-2.7, -1.1, -0.4, -1e-3, 2e-5, 0.6, 0.99, 1.3, 2.9];
    let x1 = pseudo(9, 40);
    for unit in units() {
        let network = network([9], unit.forward);
        assert_eq!(
            network.recognised_functions(),
            unit.composites,
            "{}",
            unit.name
        );
        let frozen = Frozen::new(network, &x0, rules(), DType::F64);
        frozen.keeps_promises(unit.name, 1e-12);
        let twin: Vec<f64> = x0
            .iter()
            .zip(&x1)
            .map(|(&x0, &x1)| (unit.gain)(x0) * x1 + unit.at_zero)
            .collect();
        close(
            &format!("{}, twin", unit.name),
            &frozen.affine(&x1),
            &twin,
            1e-12,
        );
        // The twin's gain is the secant of the twin's h, where that does not cancel.
        for x in x0.iter().filter(|x| x.abs() > 0.1) {
            let quotient = ((unit.h)(*x) - unit.at_zero) / x;
            assert!(
                (quotient - (unit.gain)(*x)).abs() < 1e-14,
                "{} at {x}",
                unit.name
            );
        }
    }
}

#[test]
fn functions_take_their_tangent() {
    let x0 = [-2.7, -1.1, -0.4, -0.1, 0.2, 0.6, 0.99, 1.3, 2.9];
    let x1 = pseudo(9, 40);
    // The others are gates or quotients, with rules of their own.
    for unit in units().into_iter().filter(|unit| unit.composites == 1) {
        let frozen = Frozen::new(network([9], unit.forward), &x0, taylor(), DType::F64);
        frozen.keeps_promises(unit.name, 1e-12);
        let twin: Vec<f64> = x0
            .iter()
            .zip(&x1)
            .map(|(&x0, &x1)| {
                // Five points: the error is h⁽⁵⁾ 10⁻¹²/30.
                let (h, e) = (unit.h, 1e-3);
                let slope = (8.0 * (h(x0 + e) - h(x0 - e)) - h(x0 + 2.0 * e) + h(x0 - 2.0 * e))
                    / (12.0 * e);
                h(x0) + slope * (x1 - x0)
            })
            .collect();
        close(
            &format!("{}, tangent", unit.name),
            &frozen.affine(&x1),
            &twin,
            1e-10,
        );
    }
}

/// From |x₀| = 1e-8 to 30, both signs: in f64 against the twin's gain, in f32 against it too. And h′(0)
/// at 0.
#[test]
fn gains_are_accurate() {
    let mut x0 = vec![0.0];
    for step in 0..400 {
        // Exact in f32, so that both dtypes see the same x₀.
        let x = f64::from((1e-8 * (30.0f64 / 1e-8).powf(step as f64 / 399.0)) as f32);
        x0.extend([x, -x]);
    }
    let ones = vec![1.0; x0.len()];
    let mut worst = Vec::new();
    for unit in units() {
        let gains = |dtype| {
            let network = network([801], unit.forward);
            Frozen::new(network, &x0, rules(), dtype).apply(&ones)
        };
        let gap = |found: &[f64]| {
            let gaps = x0.iter().zip(found).map(|(x, found)| {
                // h′(0) may be 0.
                let (expected, scale) = match *x {
                    0.0 => ((unit.gain)(1e-12), 1.0),
                    x => ((unit.gain)(x), unit.scale),
                };
                let gap = (found - expected).abs() / expected.abs().max(scale);
                (if gap.is_nan() { f64::INFINITY } else { gap }, *x)
            });
            gaps.fold(
                (0.0, 0.0),
                |worst, gap| if gap.0 > worst.0 { gap } else { worst },
            )
        };
        let (wide, narrow) = (gap(&gains(DType::F64)), gap(&gains(DType::F32)));
        worst.push((unit.name, wide, narrow));
    }
    let report = |(name, wide, narrow): &(&str, (f64, f64), (f64, f64))| {
        format!(
            "{name:20} f64 {:.1e} at {:.1e}, f32 {:.1e} at {:.1e}",
            wide.0, wide.1, narrow.0, narrow.1
        )
    };
    let all: Vec<String> = worst.iter().map(report).collect();
    println!("{}", all.join("\n"));
    let good = worst
        .iter()
        .all(|(_, wide, narrow)| wide.0 <= 2e-12 && narrow.0 <= 1e-6);
    assert!(good, "{}", all.join("\n"));
}

/// Where h(0) or h′(0) is not finite the tangent is taken by either rule; what has no finite slope at x₀
/// counts 0.
#[test]
fn singular_functions_take_the_tangent() {
    let units: [(&str, Forward, H, H); 3] = [
        (
            "x log x",
            |x| x.clone() * x.log(),
            |x| x * x.ln(),
            |x| x.ln() + 1.0,
        ),
        (
            "log of a root",
            |x| x.sqrt().log(),
            |x| 0.5 * x.ln(),
            |x| 0.5 / x,
        ),
        (
            "x + √x",
            |x| x.clone() + x.sqrt(),
            |x| x + x.sqrt(),
            |x| 1.0 + 0.5 / x.sqrt(),
        ),
    ];
    let (x0, x1) = ([0.2, 0.9, 1.4, 3.0], [0.5, -1.0, 0.0, 2.0]);
    for (name, forward, h, slope) in units {
        assert_eq!(network([4], forward).recognised_functions(), 1, "{name}");
        for rules in [rules(), taylor()] {
            let frozen = Frozen::new(network([4], forward), &x0, rules, DType::F64);
            let twin: Vec<f64> = x0
                .iter()
                .zip(&x1)
                .map(|(&x0, &x1)| h(x0) + slope(x0) * (x1 - x0))
                .collect();
            close(name, &frozen.affine(&x1), &twin, 1e-13);
        }
    }
    let root = network([2], |x| x.clone() + x.sqrt());
    let frozen = Frozen::new(root, &[0.0, 1.0], rules(), DType::F64);
    assert_eq!(frozen.apply(&[1.0, 1.0]), [1.0, 1.5]);
    assert_eq!(frozen.affine(&[7.0, 1.0]), [7.0, 2.0]);
}

/// A branch that x₀ does not select may overflow: its gain is 0, never 0 · ∞.
#[test]
fn unselected_branches_stay_silent() {
    for (dtype, far) in [(DType::F64, 800.0), (DType::F32, 200.0)] {
        let x0 = [far, -far, 0.5];
        for unit in units() {
            // These overflow by themselves, whatever is selected.
            if ["sigmoid by exp", "log cosh", "gelu by tanh"].contains(&unit.name) {
                continue;
            }
            for rules in [rules(), taylor()] {
                let frozen = Frozen::new(network([3], unit.forward), &x0, rules, dtype);
                let (f, back) = (frozen.apply(&[1.0; 3]), frozen.adjoint(&[1.0; 3]));
                let finite = |v: &[f64]| v.iter().all(|v| v.is_finite());
                assert!(finite(&f) && finite(&back), "{}: {f:?} {back:?}", unit.name);
            }
            let frozen = Frozen::new(network([3], unit.forward), &x0, rules(), dtype);
            let expected: Vec<f64> = x0.iter().map(|x| (unit.gain)(*x)).collect();
            close(unit.name, &frozen.apply(&[1.0; 3]), &expected, 1e-6);
        }
    }
}

/// Piecewise-linear units keep slope and plateaus: they are no secants.
#[test]
fn piecewise_linear_units_keep_slopes_and_plateaus() {
    type Units = (&'static str, Forward, fn(f64, f64) -> f64);
    let units: [Units; 7] = [
        (
            "soft shrink",
            |x| activation::soft_shrink(x, 0.5),
            |x0, x1| {
                if x0.abs() <= 0.5 {
                    0.0
                } else {
                    x1 - 0.5 * x0.signum()
                }
            },
        ),
        (
            "shrink",
            |x| activation::shrink(x, 0.5, 0.2),
            |x0, x1| {
                if x0.abs() <= 0.5 {
                    0.0
                } else {
                    x1 - 0.2 * x0.signum()
                }
            },
        ),
        (
            "hard shrink",
            |x| activation::hard_shrink(x, 0.5),
            |x0, x1| if x0.abs() <= 0.5 { 0.0 } else { x1 },
        ),
        (
            "thresholded relu",
            |x| activation::thresholded_relu(x, 0.7),
            |x0, x1| if x0 <= 0.7 { 0.0 } else { x1 },
        ),
        (
            "threshold",
            |x| activation::threshold(x, 0.7, -2.0),
            |x0, x1| if x0 <= 0.7 { -2.0 } else { x1 },
        ),
        (
            "clip of a clip",
            |x| (x.clamp(-1.5, 2.0) * 2.0).clamp_max(1.0),
            |x0, x1| match x0 {
                x if x <= -1.5 => -3.0,
                x if x > 0.5 => 1.0,
                _ => 2.0 * x1,
            },
        ),
        (
            "relu by max",
            |x| x.clamp_min(0.0) * 3.0 - 1.0,
            |x0, x1| if x0 > 0.0 { 3.0 * x1 - 1.0 } else { -1.0 },
        ),
    ];
    let x0 = [-2.7, -1.1, -0.3, 0.3, 0.6, 1.3, 2.9];
    let x1 = pseudo(7, 3);
    for (name, forward, twin) in units {
        let network = network([7], forward);
        assert_eq!(network.recognised_functions(), 0, "{name}");
        let frozen = Frozen::new(network, &x0, rules(), DType::F64);
        frozen.keeps_promises(name, 1e-12);
        let expected: Vec<f64> = x0.iter().zip(&x1).map(|(&x0, &x1)| twin(x0, x1)).collect();
        close(name, &frozen.affine(&x1), &expected, 1e-13);
    }
}

/// Linear and piecewise-linear ends stay outside, with their own rules.
#[test]
fn ends_keep_their_own_rules() {
    let forward: Forward = |x| {
        let x = x * 2.0 + 1.0;
        activation::mish(activation::relu(x)).clamp(-1.0, 2.0) - 3.0
    };
    let x0 = [-2.0, 0.1, 0.4, 3.0];
    let x1 = [0.3, -0.2, 1.0, 0.5];
    let network = network([4], forward);
    assert_eq!(network.recognised_functions(), 1);
    let frozen = Frozen::new(network, &x0, rules(), DType::F64);
    let twin: Vec<f64> = x0
        .iter()
        .zip(&x1)
        .map(|(x0, x1)| {
            let (z0, z1) = (2.0 * x0 + 1.0, 2.0 * x1 + 1.0);
            let slope = f64::from(z0 > 0.0);
            let gain = softplus(slope * z0).tanh();
            let y0: f64 = slope * z0 * gain;
            let y1 = if y0 > 2.0 { 2.0 } else { gain * slope * z1 };
            y1 - 3.0
        })
        .collect();
    close("mish between ends", &frozen.affine(&x1), &twin, 1e-13);
    // A shifted unit is the unit by its own rule, after a linear map.
    let shifted = captured::network([4], |x: Tensor<1>| (x * 2.0 + 1.0).tanh());
    assert_eq!(shifted.recognised_functions(), 0);
}

/// What reads two tensors, or is read from inside, is no function of one tensor.
#[test]
fn only_functions_of_one_tensor_are_recognised() {
    let inner_output = Network::capture(&burn::nn::Relu::new(), |_, ports| {
        let x = ports.input::<1>("x", [3]);
        let inner = x.exp();
        let y = inner.clone().log1p();
        ports.output("inner", inner);
        ports.output("y", y);
    })
    .expect("captures");
    assert_eq!(inner_output.recognised_functions(), 0);
    let two_inputs = Network::capture(&burn::nn::Relu::new(), |_, ports| {
        let (a, b) = (ports.input::<1>("a", [3]), ports.input::<1>("b", [3]));
        ports.output("y", (a.exp() + b).log());
    })
    .expect("captures");
    assert_eq!(two_inputs.recognised_functions(), 0);
    // A sum of tensors before the function is its entry.
    let sum = Network::capture(&burn::nn::Relu::new(), |_, ports| {
        let (a, b) = (ports.input::<1>("a", [3]), ports.input::<1>("b", [3]));
        ports.output("y", activation::mish(a.clone() + b) + a);
    })
    .expect("captures");
    assert_eq!(sum.recognised_functions(), 1);
}

/// One decision in a survey; the inner ops read x₀.
#[test]
fn a_survey_shows_one_decision() {
    let network = network([3], |x: Tensor<1>| activation::softplus(x * 1.5 + 0.2, 1.0));
    let loaded = Loaded::<Flex>::new(network.into(), FlexDevice, DType::F64).expect("loads");
    let x0 = upload(&[0.1, -0.4, 2.0], &[3], DType::F64);
    let survey = loaded.survey(vec![x0], rules()).expect("surveys");
    let ruled: Vec<&str> = survey
        .iter()
        .filter(|op| matches!(op.standing, Standing::Ruled("secant")))
        .map(|op| op.op.as_str())
        .collect();
    assert_eq!(ruled, ["MaskWhere"]);
    let words: Vec<&str> = survey.iter().map(|op| op.standing.word()).collect();
    assert_eq!(
        words.iter().filter(|word| **word == "linear").count(),
        2,
        "{words:?}"
    );
    let rest = words.iter().filter(|word| **word == "reads x₀").count();
    assert_eq!(rest, survey.len() - 3, "{words:?}");
}

/// SwiGLU: silu of one linear map, times another: the silu is a gate's work, the product halves.
#[test]
fn a_swiglu_keeps_its_promises() {
    let device = Device::flex();
    device.seed(3);
    let module = SwiGluConfig::new(3, 4).init(&device);
    let network = Network::capture(&module, |module, ports| {
        let x = ports.input::<2>("x", [2, 3]);
        ports.output("y", module.forward(x));
    })
    .expect("captures");
    assert_eq!(network.recognised_functions(), 0);
    let frozen = Frozen::new(network, &pseudo(6, 0), rules(), DType::F64);
    frozen.keeps_promises("swiglu", 1e-12);
}

/// The paper's mode on the recorded program's gains, in f32.
#[test]
fn paired_and_recorded_agree_in_f32() {
    let x0: Vec<f64> = pseudo(64, 5).iter().map(|x| 4.0 * x).collect();
    let mish = || network([64], activation::mish);
    let frozen = Frozen::new(mish(), &x0, rules(), DType::F32);
    let probe = upload(&pseudo(64, 500), &[1, 64], DType::F32);
    let loaded = frozen.interpreter.loaded();
    let x = upload(&x0, &[64], DType::F32);
    let (_, paired) = Paired::beside(loaded, vec![x], vec![probe], rules(), true).expect("pairs");
    let paired = linearscope::host::<Flex>(paired[0].clone()).unwrap();
    close("mish", &paired, &frozen.affine(&pseudo(64, 500)), 1e-7);
}
