//! erf and gelu, of the normal distribution.

use burn_backend::Backend;

use super::*;

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
