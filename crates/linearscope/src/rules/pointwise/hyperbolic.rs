//! tanh, sinh, cosh and their inverses.

use burn_backend::Backend;

use super::*;

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

/// tanh(x)/x: its series below 10⁻³, where the first neglected term is 17x⁶/315 < 10⁻¹⁹.
pub(super) fn tanh_over_x<B: Backend>(x: Tensor<B>) -> Tensor<B> {
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

/// 1/(2n + 1)!, the series of sinh(x)/x in x².
fn sinh_series() -> Vec<f64> {
    let mut term = 1.0;
    (0..8)
        .map(|n| {
            term /= match n {
                0 => 1.0,
                n => f64::from(2 * n * (2 * n + 1)),
            };
            term
        })
        .collect()
}

/// sinh(x)/x; its series below 1 neglects x¹⁶/17! < 10⁻¹⁴.
fn sinh_over_x<B: Backend>(x: &Tensor<B>, y: &Tensor<B>) -> Tensor<B> {
    odd::<B>(x, y, 1.0, &sinh_series())
}

/// sinh: secant sinh(x)/x, derivative cosh.
pub(crate) fn sinh<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_sinh,
            secant: Some(sinh_over_x::<B>),
            derivative: |x: &Tensor<B>, _| B::float_cosh(x.clone()),
            at_zero: 0.0,
        },
    )
}

/// cosh: secant (cosh(x) − 1)/x = sinh(x/2) sinh(x/2)/(x/2), derivative sinh.
pub(crate) fn cosh<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_cosh,
            secant: Some(|x, _| {
                let half = times::<B>(x.clone(), 0.5);
                let y = B::float_sinh(half.clone());
                mul::<B>(sinh_over_x::<B>(&half, &y), y)
            }),
            derivative: |x: &Tensor<B>, _| B::float_sinh(x.clone()),
            at_zero: 1.0,
        },
    )
}

/// asinh: secant asinh(x)/x, derivative 1/√(1 + x²).
pub(crate) fn asinh<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_asinh,
            secant: Some(|x, y| {
                let mut series = circular::asin_series();
                series.iter_mut().skip(1).step_by(2).for_each(|c| *c = -*c);
                odd::<B>(x, y, 0.2, &series)
            }),
            derivative: |x: &Tensor<B>, _| {
                let x2 = mul::<B>(x.clone(), x.clone());
                B::float_recip(B::float_sqrt(plus::<B>(x2, 1.0)))
            },
            at_zero: 0.0,
        },
    )
}

/// acosh: the tangent, 1/√(x₀² − 1), because it has no value at 0; 0 at 1 and below.
pub(crate) fn acosh<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_acosh,
            secant: None,
            derivative: |x: &Tensor<B>, _| {
                // By factors: x² − 1 cancels near 1.
                let (up, down) = (plus::<B>(x.clone(), 1.0), plus::<B>(x.clone(), -1.0));
                B::float_recip(B::float_sqrt(mul::<B>(up, down)))
            },
            at_zero: f64::NAN,
        },
    )
}

/// atanh: secant atanh(x)/x, whose series Σ x²ⁿ/(2n + 1) below 0.2 neglects x²⁴/25 < 10⁻¹⁸;
/// derivative 1/((1 − x)(1 + x)).
pub(crate) fn atanh<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_atanh,
            secant: Some(|x, y| {
                let series: Vec<f64> = (0..12).map(|n| 1.0 / f64::from(2 * n + 1)).collect();
                odd::<B>(x, y, 0.2, &series)
            }),
            derivative: |x: &Tensor<B>, _| {
                let (up, down) = (plus::<B>(x.clone(), 1.0), plus::<B>(x.clone(), -1.0));
                B::float_neg(B::float_recip(mul::<B>(up, down)))
            },
            at_zero: 0.0,
        },
    )
}
