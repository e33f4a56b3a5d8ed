//! Powers and roots.

use burn_backend::Backend;

use super::*;

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
