//! Piecewise-linear units: the slope that x₀ chose, and plateaus as sources.
//!
//! relu, leaky_relu, prelu, abs: y₁ = s(x₀) ⊙ x₁. clamp: s is 1 inside and 0 on a plateau,
//! whose constant is a source. At a kink the left slope counts (relu′(0) = 0, abs′(0) = −1).
//! Exact at x₀ for every x₀, kinks included; NaN counts as left of the kink.

use burn_backend::{
    Backend, Scalar, TensorMetadata, get_or_init_device_settings,
    tensor::{BoolTensor, FloatTensor},
};

use super::kink;
use crate::{
    linear::{Left, Scale, Slopes},
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

/// x > c, elementwise.
fn above<B: Backend>(x: &FloatTensor<B>, c: Scalar) -> BoolTensor<B> {
    let bool_dtype = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
    B::float_greater_elem(x.clone(), c, bool_dtype)
}

fn as_float<B: Backend>(mask: BoolTensor<B>, like: &FloatTensor<B>) -> FloatTensor<B> {
    B::bool_into_float(mask, like.dtype().into())
}

/// y₁ = s ⊙ x₁ with s = `right` where the mask is true, else `left`; the mask has the shape of `x`.
///
/// A program stores one bit a unit. A paired run multiplies by the gain at once and reads nothing
/// back from the device; nor does a run that trains, whose gradients would end on the host.
fn masked<B: Backend>(
    probe: Probe<B>,
    rule: &'static str,
    x: &FloatTensor<B>,
    mask: BoolTensor<B>,
    right: f64,
    left: Left<B>,
) -> Probe<B> {
    let shape = x.shape();
    if probe.scope().records() && !B::ad_enabled(&x.device()) {
        return match Slopes::new(mask, right, left, x) {
            Ok(slopes) => probe.decided(rule, slopes, &shape),
            Err(error) => probe.refuse(error),
        };
    }
    let left = match left {
        Left::Number(0.0) if right == 1.0 => {
            return probe.decided(rule, Scale::new(as_float::<B>(mask, x)), &shape);
        }
        Left::Number(left) => B::float_full(
            shape.clone(),
            Scalar::Float(left),
            &x.device(),
            x.dtype().into(),
        ),
        Left::Tensor(left) => B::float_expand(left, shape.clone()),
    };
    let gain = B::float_mask_fill(left, mask, Scalar::Float(right));
    probe.decided(rule, Scale::new(gain), &shape)
}

/// The unit's value by `value`; the slope at x₀ is 1 above 0, else `left`.
fn sloped<B: Backend>(
    x: ScopeTensor<B>,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    left: Left<B>,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor {
            value: value(x),
            lineage,
        };
    };
    let mask = above::<B>(&x, Scalar::Float(0.0));
    kink::watch(&probe, &x, &[0.0]);
    let probe = masked(probe, "slope", &x, mask, 1.0, left);
    ScopeTensor::probed(value(x), probe)
}

/// s = 1 where x₀ > 0, else 0.
pub(crate) fn relu<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    sloped(x, B::relu, Left::Number(0.0))
}

/// s = 1 where x₀ > 0, else `negative_slope`.
pub(crate) fn leaky_relu<B: Backend>(x: ScopeTensor<B>, negative_slope: Scalar) -> ScopeTensor<B> {
    let left = Left::Number(negative_slope.elem());
    sloped(x, |x| B::leaky_relu(x, negative_slope), left)
}

/// s = 1 where x₀ > 0, else α; α broadcasts against x and does not depend on it.
pub(crate) fn prelu<B: Backend>(x: ScopeTensor<B>, alpha: FloatTensor<B>) -> ScopeTensor<B> {
    let left = Left::Tensor(alpha.clone());
    sloped(x, |x| B::prelu(x, alpha), left)
}

/// s = 1 where x₀ > 0, else −1.
pub(crate) fn abs<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    sloped(x, B::float_abs, Left::Number(-1.0))
}

/// s = 1 where min < x₀ ≤ max (a missing bound is infinite), else 0; the plateau is a source.
pub(crate) fn clamp<B: Backend>(
    x: ScopeTensor<B>,
    min: Option<Scalar>,
    max: Option<Scalar>,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor {
            value: value(x),
            lineage,
        };
    };
    let shape = x.shape();
    let kinks: Vec<f64> = [min, max].into_iter().flatten().map(Scalar::elem).collect();
    kink::watch(&probe, &x, &kinks);
    let inside = match (min, max) {
        (Some(min), Some(max)) => {
            B::bool_and(above::<B>(&x, min), B::bool_not(above::<B>(&x, max)))
        }
        (Some(min), None) => above::<B>(&x, min),
        (None, Some(max)) => B::bool_not(above::<B>(&x, max)),
        (None, None) => unreachable!("a clamp has a bound"),
    };
    let probe = masked(
        probe,
        "slope, plateaus",
        &x,
        inside.clone(),
        1.0,
        Left::Number(0.0),
    );
    let y = value(x);
    let plateau = B::float_mask_fill(y.clone(), inside, Scalar::Float(0.0));
    let probe = probe.source(plateau, &shape);
    // Between two bounds it weighs others, as in hard swish: x · clip(x + 3, 0, 6)/6.
    let probe = match (min, max) {
        (Some(_), Some(_)) => probe.gate(),
        _ => probe,
    };
    ScopeTensor::probed(y, probe)
}

/// clip(αx + β, 0, 1): slope α where 0 < αx₀ + β ≤ 1, else 0, the rest a source. A gate.
pub(crate) fn hard_sigmoid<B: Backend>(
    x: ScopeTensor<B>,
    alpha: Scalar,
    beta: Scalar,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let y = B::hard_sigmoid(x.clone(), alpha, beta);
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor { value: y, lineage };
    };
    let shape = x.shape();
    let (a, b): (f64, f64) = (alpha.elem(), beta.elem());
    kink::watch(&probe, &x, &[-b / a, (1.0 - b) / a]);
    let inner = B::float_add_scalar(B::float_mul_scalar(x.clone(), alpha), beta);
    let inside = B::bool_and(
        above::<B>(&inner, Scalar::Float(0.0)),
        B::bool_not(above::<B>(&inner, Scalar::Float(1.0))),
    );
    let gain = B::float_mul_scalar(as_float::<B>(inside.clone(), &x), alpha);
    let source = B::float_sub(y.clone(), B::float_mul(gain, x.clone()));
    let (slope, flat) = (alpha.elem(), Left::Number(0.0));
    let probe = masked(probe, "slope, plateaus", &x, inside, slope, flat)
        .source(source, &shape)
        .gate();
    ScopeTensor::probed(y, probe)
}
