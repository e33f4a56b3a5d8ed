//! exp, log, log(1 + x).

use burn_backend::Backend;

use super::*;

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
pub(in crate::rules) fn exp_secant<B: Backend>(x: &Tensor<B>) -> Tensor<B> {
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
