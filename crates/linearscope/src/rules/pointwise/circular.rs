//! sin, cos, tan and their inverses.

use burn_backend::Backend;

use super::*;

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

/// tan: secant (sin(x)/x)/cos(x), derivative 1 + tan².
pub(crate) fn tan<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_tan,
            secant: Some(|x, y| {
                near_zero::<B>(
                    x,
                    0.1,
                    |x| B::float_div(sin_over_x::<B>(x), B::float_cos(x.clone())),
                    |x| B::float_div(y.clone(), x),
                )
            }),
            derivative: |_: &Tensor<B>, y: Tensor<B>| plus::<B>(mul::<B>(y.clone(), y), 1.0),
            at_zero: 0.0,
        },
    )
}

/// (2n)!/(4ⁿ n!² (2n + 1)), the series of asin(x)/x in x²; below 0.2 it neglects x²⁴/150 < 10⁻¹⁸.
pub(super) fn asin_series() -> Vec<f64> {
    let mut binomial = 1.0;
    (0..12)
        .map(|n| {
            binomial *= match n {
                0 => 1.0,
                n => f64::from(2 * n - 1) / f64::from(2 * n),
            };
            binomial / f64::from(2 * n + 1)
        })
        .collect()
}

fn asin_over_x<B: Backend>(x: &Tensor<B>) -> Tensor<B> {
    odd::<B>(x, &B::float_asin(x.clone()), 0.2, &asin_series())
}

/// 1/√((1 − x)(1 + x)), by factors because 1 − x² cancels near ±1.
fn asin_slope<B: Backend>(x: &Tensor<B>) -> Tensor<B> {
    let (up, down) = (plus::<B>(x.clone(), 1.0), plus::<B>(x.clone(), -1.0));
    B::float_recip(B::float_sqrt(B::float_neg(mul::<B>(up, down))))
}

/// asin: secant asin(x)/x, derivative 1/√(1 − x²).
pub(crate) fn asin<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_asin,
            secant: Some(|x, _| asin_over_x::<B>(x)),
            derivative: |x: &Tensor<B>, _| asin_slope::<B>(x),
            at_zero: 0.0,
        },
    )
}

/// acos, π/2 − asin: secant −asin(x)/x, derivative −1/√(1 − x²).
pub(crate) fn acos<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_acos,
            secant: Some(|x, _| B::float_neg(asin_over_x::<B>(x))),
            derivative: |x: &Tensor<B>, _| B::float_neg(asin_slope::<B>(x)),
            at_zero: std::f64::consts::FRAC_PI_2,
        },
    )
}

/// atan: secant atan(x)/x, whose series Σ (−1)ⁿ x²ⁿ/(2n + 1) below 0.2 neglects x²⁴/25 < 10⁻¹⁸;
/// derivative 1/(1 + x²).
pub(crate) fn atan<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_atan,
            secant: Some(|x, y| {
                let sign = |n: i32| if n % 2 == 0 { 1.0 } else { -1.0 };
                let series: Vec<f64> = (0..12).map(|n| sign(n) / f64::from(2 * n + 1)).collect();
                odd::<B>(x, y, 0.2, &series)
            }),
            derivative: |x: &Tensor<B>, _| {
                let x2 = mul::<B>(x.clone(), x.clone());
                B::float_recip(plus::<B>(x2, 1.0))
            },
            at_zero: 0.0,
        },
    )
}
