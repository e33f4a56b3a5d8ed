//! Smooth pointwise functions h, frozen by secant or tangent (DESIGN §5).
//!
//! secant: y₁ = g x₁ + h(0), g = (h(x₀) − h(0))/x₀, written without cancellation and as h′(x₀/2)'s
//! series near 0. taylor: y₁ = h′(x₀) x₁ + (h(x₀) − h′(x₀) x₀). mask: y₁ = h(x₀)/x₀ · x₁, refused
//! where x₀ ≈ 0 and h(0) ≠ 0. All are exact at x₀. Where h(0) or h′ is not finite (log, √, 1/x)
//! secant is taylor, with gain 0 at the singular point.

use burn_backend::{
    Backend, DType, Scalar, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::Pointwise;
use crate::{
    error::Error,
    linear::{Scale, batch},
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

/// A function of x and h(x).
type Gain<B> = fn(&FloatTensor<B>, &FloatTensor<B>) -> FloatTensor<B>;

/// A smooth function as rules need it.
struct Smooth<B: Backend, V, D> {
    /// h itself: Burn's own op.
    value: V,
    /// (h(x) − h(0))/x for every x, 0 included, from x and h(x); none where h(0) or h′ is not
    /// finite: then the tangent is taken whatever the rule.
    secant: Option<Gain<B>>,
    /// h′ from x and h(x).
    derivative: D,
    /// h(0).
    at_zero: f64,
}

fn scalar(c: f64) -> Scalar {
    Scalar::Float(c)
}

type Tensor<B> = FloatTensor<B>;

fn mul<B: Backend>(x: Tensor<B>, y: Tensor<B>) -> Tensor<B> {
    B::float_mul(x, y)
}

fn times<B: Backend>(x: Tensor<B>, c: f64) -> Tensor<B> {
    B::float_mul_scalar(x, scalar(c))
}

fn plus<B: Backend>(x: Tensor<B>, c: f64) -> Tensor<B> {
    B::float_add_scalar(x, scalar(c))
}

/// Σ cᵢ xⁱ.
fn polynomial<B: Backend>(x: &Tensor<B>, coefficients: &[f64]) -> Tensor<B> {
    let (last, rest) = coefficients.split_last().expect("a polynomial");
    let start = plus::<B>(times::<B>(x.clone(), 0.0), *last);
    rest.iter()
        .rev()
        .fold(start, |sum, c| plus::<B>(mul::<B>(sum, x.clone()), *c))
}

/// `far(x)` where |x| ≥ `radius`, `near(x)` within. `far` never sees an |x| below it.
fn near_zero<B: Backend>(
    x: &Tensor<B>,
    radius: f64,
    near: impl FnOnce(&Tensor<B>) -> Tensor<B>,
    far: impl FnOnce(Tensor<B>) -> Tensor<B>,
) -> Tensor<B> {
    let bool_dtype = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
    let small = B::float_lower_elem(B::float_abs(x.clone()), scalar(radius), bool_dtype);
    let safe = B::float_mask_fill(x.clone(), small.clone(), scalar(1.0));
    B::float_mask_where(far(safe), small, near(x))
}

/// tanh: secant tanh(x)/x, derivative 1 − tanh².
pub(crate) fn tanh<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_tanh,
            secant: Some(|x, _| tanh_over_x::<B>(x.clone())),
            derivative: |_: &Tensor<B>, y: Tensor<B>| {
                plus::<B>(B::float_neg(mul::<B>(y.clone(), y)), 1.0)
            },
            at_zero: 0.0,
        },
    )
}

/// sigmoid: secant tanh(x/2)/(2x), derivative σ(1 − σ), σ(0) = ½. A gate.
pub(crate) fn sigmoid<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    let y = frozen(
        x,
        Smooth {
            value: B::sigmoid,
            secant: Some(|x, _| times::<B>(tanh_over_x::<B>(times::<B>(x.clone(), 0.5)), 0.25)),
            derivative: |_: &Tensor<B>, y: Tensor<B>| {
                mul::<B>(y.clone(), plus::<B>(B::float_neg(y), 1.0))
            },
            at_zero: 0.5,
        },
    );
    y.gate()
}

/// exp: secant (eˣ − 1)/x = e^(x/2) sinh(x/2)/(x/2).
pub(crate) fn exp<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_exp,
            secant: Some(|x, _| exp_secant::<B>(x)),
            derivative: |_: &Tensor<B>, y| y,
            at_zero: 1.0,
        },
    )
}

/// (eˣ − 1)/x; below 1 as e^u sinh(u)/u with u = x/2, whose series neglects u¹⁶/17! < 10⁻¹⁹.
pub(super) fn exp_secant<B: Backend>(x: &Tensor<B>) -> Tensor<B> {
    near_zero::<B>(
        x,
        1.0,
        |x| {
            let u = times::<B>(x.clone(), 0.5);
            let u2 = mul::<B>(u.clone(), u.clone());
            let mut factorial = 1.0;
            let terms: Vec<f64> = (0..8)
                .map(|n| {
                    // 1/(2n + 1)!
                    factorial *= if n == 0 {
                        1.0
                    } else {
                        f64::from(2 * n * (2 * n + 1))
                    };
                    1.0 / factorial
                })
                .collect();
            mul::<B>(polynomial::<B>(&u2, &terms), B::float_exp(u))
        },
        |x| B::float_div(plus::<B>(B::float_exp(x.clone()), -1.0), x),
    )
}

/// log: the tangent, 1/x₀; 0 at 0.
pub(crate) fn log<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_log,
            secant: None,
            derivative: |x: &Tensor<B>, _| B::float_recip(x.clone()),
            at_zero: 0.0,
        },
    )
}

/// log(1 + x): secant log(1 + x)/x; below 0.2 by atanh, log(1 + x) = 2 atanh(x/(2 + x)), whose series
/// neglects z¹⁶/17 < 10⁻¹⁶.
pub(crate) fn log1p<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_log1p,
            secant: Some(|x, _| {
                near_zero::<B>(
                    x,
                    0.2,
                    |x| {
                        let two = plus::<B>(x.clone(), 2.0);
                        let z = B::float_div(x.clone(), two.clone());
                        let odd: Vec<f64> = (0..8).map(|i| 2.0 / f64::from(2 * i + 1)).collect();
                        let series = polynomial::<B>(&mul::<B>(z.clone(), z), &odd);
                        B::float_div(series, two)
                    },
                    |x| B::float_div(B::float_log1p(x.clone()), x),
                )
            }),
            derivative: |x: &Tensor<B>, _| B::float_recip(plus::<B>(x.clone(), 1.0)),
            at_zero: 0.0,
        },
    )
}

/// √x: the tangent, ½/√x₀; 0 at 0.
pub(crate) fn sqrt<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_sqrt,
            secant: None,
            derivative: |_: &Tensor<B>, y: Tensor<B>| times::<B>(B::float_recip(y), 0.5),
            at_zero: 0.0,
        },
    )
}

/// 1/x: the tangent, −1/x₀²; 0 at 0.
pub(crate) fn recip<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_recip,
            secant: None,
            derivative: |_: &Tensor<B>, y: Tensor<B>| B::float_neg(mul::<B>(y.clone(), y)),
            at_zero: 0.0,
        },
    )
}

/// xᶜ: for whole c ≥ 1 secant xᶜ⁻¹, else the tangent c xᶜ⁻¹; 0 where that is not finite.
pub(crate) fn power<B: Backend>(
    x: ScopeTensor<B>,
    c: f64,
    value: impl FnOnce(Tensor<B>) -> Tensor<B>,
) -> ScopeTensor<B> {
    let whole = c >= 1.0 && c.fract() == 0.0;
    frozen(
        x,
        Smooth {
            value,
            secant: whole.then_some(|x: &Tensor<B>, y: &Tensor<B>| {
                let at_zero = |x: &Tensor<B>| times::<B>(x.clone(), 0.0);
                near_zero::<B>(x, f64::from(f32::MIN_POSITIVE), at_zero, |x| {
                    B::float_div(y.clone(), x)
                })
            }),
            derivative: |x: &Tensor<B>, _| {
                times::<B>(B::float_powf_scalar(x.clone(), scalar(c - 1.0)), c)
            },
            at_zero: 0.0,
        },
    )
}

/// erf: secant erf(x)/x, below 0.5 by its series (neglected: x²⁴/(12! · 25) < 10⁻¹⁶).
pub(crate) fn erf<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    use std::f64::consts::FRAC_2_SQRT_PI;
    frozen(
        x,
        Smooth {
            value: B::float_erf,
            secant: Some(|x, _| {
                near_zero::<B>(
                    x,
                    0.5,
                    |x| {
                        let mut factorial = 1.0;
                        let terms: Vec<f64> = (0..12)
                            .map(|n| {
                                factorial *= if n == 0 { 1.0 } else { -f64::from(n) };
                                FRAC_2_SQRT_PI / (factorial * f64::from(2 * n + 1))
                            })
                            .collect();
                        polynomial::<B>(&mul::<B>(x.clone(), x.clone()), &terms)
                    },
                    |x| B::float_div(B::float_erf(x.clone()), x),
                )
            }),
            derivative: |x: &Tensor<B>, _| {
                let x2 = mul::<B>(x.clone(), x.clone());
                times::<B>(B::float_exp(B::float_neg(x2)), FRAC_2_SQRT_PI)
            },
            at_zero: 0.0,
        },
    )
}

/// sin(x)/x, by its series below 0.1 (neglected: x¹⁰/11! < 10⁻¹⁷).
fn sin_over_x<B: Backend>(x: &Tensor<B>) -> Tensor<B> {
    near_zero::<B>(
        x,
        0.1,
        |x| {
            let x2 = mul::<B>(x.clone(), x.clone());
            let terms = [1.0, -1.0 / 6.0, 1.0 / 120.0, -1.0 / 5040.0, 1.0 / 362_880.0];
            polynomial::<B>(&x2, &terms)
        },
        |x| B::float_div(B::float_sin(x.clone()), x),
    )
}

/// sin: secant sin(x)/x.
pub(crate) fn sin<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_sin,
            secant: Some(|x, _| sin_over_x::<B>(x)),
            derivative: |x: &Tensor<B>, _| B::float_cos(x.clone()),
            at_zero: 0.0,
        },
    )
}

/// cos: secant (cos(x) − 1)/x = −sin(x/2) sin(x/2)/(x/2).
pub(crate) fn cos<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_cos,
            secant: Some(|x, _| {
                let half = times::<B>(x.clone(), 0.5);
                let sinc = sin_over_x::<B>(&half);
                B::float_neg(mul::<B>(B::float_sin(half), sinc))
            }),
            derivative: |x: &Tensor<B>, _| B::float_neg(B::float_sin(x.clone())),
            at_zero: 1.0,
        },
    )
}

/// gelu, x Φ(x): secant Φ(x), near 0 its series; derivative Φ(x) + x φ(x).
pub(crate) fn gelu<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::gelu,
            secant: Some(normal_distribution::<B>),
            derivative: |x: &Tensor<B>, y: Tensor<B>| {
                let x2 = mul::<B>(x.clone(), x.clone());
                let density = B::float_exp(times::<B>(x2, -0.5));
                let density = times::<B>(density, 1.0 / (2.0 * std::f64::consts::PI).sqrt());
                let phi = normal_distribution::<B>(x, &y);
                B::float_add(phi, mul::<B>(x.clone(), density))
            },
            at_zero: 0.0,
        },
    )
}

/// Φ(x) = gelu(x)/x; below 10⁻⁴ as ½ + x/√(2π), which neglects x³/15.
fn normal_distribution<B: Backend>(x: &Tensor<B>, y: &Tensor<B>) -> Tensor<B> {
    let slope = 1.0 / (2.0 * std::f64::consts::PI).sqrt();
    near_zero::<B>(
        x,
        1e-4,
        |x| plus::<B>(times::<B>(x.clone(), slope), 0.5),
        |x| B::float_div(y.clone(), x),
    )
}

/// log σ(x): secant ½ − log cosh(x/2)/x, derivative 1 − σ(x), −log 2 at 0.
pub(crate) fn log_sigmoid<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::log_sigmoid,
            secant: Some(|x, _| {
                let part = near_zero::<B>(
                    x,
                    0.1,
                    // log cosh(u) = u²/2 − u⁴/12 + u⁶/45 − 17u⁸/2520 …, over x = 2u.
                    |x| {
                        let u = times::<B>(x.clone(), 0.5);
                        let u2 = mul::<B>(u.clone(), u.clone());
                        let terms = [0.25, -1.0 / 24.0, 1.0 / 90.0, -17.0 / 5040.0];
                        mul::<B>(polynomial::<B>(&u2, &terms), u)
                    },
                    |x| {
                        near_zero::<B>(
                            &x,
                            4.0,
                            // log(1 + 2 sinh²(u/2)): no cancellation of logarithms.
                            |x| {
                                let quarter = times::<B>(x.clone(), 0.25);
                                let up = B::float_exp(quarter.clone());
                                let down = B::float_exp(B::float_neg(quarter));
                                let twice = B::float_sub(up, down);
                                let square = times::<B>(mul::<B>(twice.clone(), twice), 0.5);
                                B::float_div(B::float_log1p(square), x.clone())
                            },
                            // |u| + log(1 + e^(−2|u|)) − log 2: no overflow.
                            |x| {
                                let size = B::float_abs(x.clone());
                                let tail = B::float_exp(B::float_neg(size.clone()));
                                let tail = B::float_log1p(tail);
                                let sum = B::float_add(times::<B>(size, 0.5), tail);
                                B::float_div(plus::<B>(sum, -std::f64::consts::LN_2), x)
                            },
                        )
                    },
                );
                plus::<B>(B::float_neg(part), 0.5)
            }),
            derivative: |x: &Tensor<B>, _| B::sigmoid(B::float_neg(x.clone())),
            at_zero: -std::f64::consts::LN_2,
        },
    )
}

/// tanh(x)/x: its series below 10⁻³, where the first neglected term is 17x⁶/315 < 10⁻¹⁹.
fn tanh_over_x<B: Backend>(x: Tensor<B>) -> Tensor<B> {
    near_zero::<B>(
        &x,
        1e-3,
        |x| {
            let x2 = mul::<B>(x.clone(), x.clone());
            polynomial::<B>(&x2, &[1.0, -1.0 / 3.0, 2.0 / 15.0])
        },
        |x| B::float_div(B::float_tanh(x.clone()), x),
    )
}

/// A gain where h is singular or beyond the dtype says nothing: 0 there, so that a branch nobody
/// selects (elu's exp at large x) never makes 0 · ∞.
fn finite<B: Backend>(gain: Tensor<B>) -> Tensor<B> {
    let largest = match gain.dtype() {
        DType::F64 => f64::MAX,
        _ => f64::from(f32::MAX),
    };
    let bool_dtype = get_or_init_device_settings::<B>(&gain.device()).bool_dtype;
    let size = B::float_abs(gain.clone());
    let good = B::float_lower_equal_elem(size, scalar(largest), bool_dtype);
    B::float_mask_fill(gain, B::bool_not(good), scalar(0.0))
}

fn frozen<B: Backend>(
    x: ScopeTensor<B>,
    h: Smooth<
        B,
        impl FnOnce(Tensor<B>) -> Tensor<B>,
        impl FnOnce(&Tensor<B>, Tensor<B>) -> Tensor<B>,
    >,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor {
            value: (h.value)(x),
            lineage,
        };
    };
    let shape = x.shape();
    let y = (h.value)(x.clone());
    let probe = match (probe.scope().rules().pointwise, h.secant) {
        // With h(0) = 0 the mask's gain is the secant's.
        (Pointwise::Mask, secant) if secant.is_none() || h.at_zero != 0.0 => {
            masked(probe, x, &y, h.at_zero)
        }
        (Pointwise::Secant | Pointwise::Mask, Some(secant)) => {
            let gain = finite::<B>(secant(&x, &y));
            let probe = probe.decided("secant", Scale::new(gain), &shape);
            if h.at_zero == 0.0 {
                probe
            } else {
                let at_zero = batch::literal::<B>(scalar(h.at_zero), shape.num_dims(), &y);
                probe.source(at_zero, &shape)
            }
        }
        _ => {
            let gain = finite::<B>((h.derivative)(&x, y.clone()));
            let source = B::float_sub(y.clone(), mul::<B>(gain.clone(), x));
            probe
                .decided("taylor", Scale::new(gain), &shape)
                .source(source, &shape)
        }
    };
    ScopeTensor::probed(y, probe)
}

/// |x₀| below this counts as zero to [`masked`]: h(0)/x₀ would be all there is to the gain.
const ZERO: f64 = 1e-6;

/// Gain h(x₀)/x₀, no source; an error where x₀ ≈ 0. Waits for the device to count those.
fn masked<B: Backend>(probe: Probe<B>, x: Tensor<B>, y: &Tensor<B>, at_zero: f64) -> Probe<B> {
    let shape = x.shape();
    let values = crate::host::<B>(x.clone());
    let count = match values {
        Ok(values) => values.iter().filter(|x| x.abs() < ZERO).count(),
        Err(error) => return probe.refuse(error),
    };
    if count > 0 {
        let place = probe.scope().place("");
        let hint = match place.node.is_empty() {
            true => "pointwise".into(),
            false => format!("node:{}", place.node),
        };
        return probe.refuse(Error::MaskAtZero {
            place,
            count,
            of: shape.num_elements(),
            below: ZERO,
            at_zero,
            hint,
        });
    }
    let gain = finite::<B>(B::float_div(y.clone(), x));
    probe.decided("mask", Scale::new(gain), &shape)
}
