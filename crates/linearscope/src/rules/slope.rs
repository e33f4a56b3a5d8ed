//! Piecewise-linear units: the slope that x₀ chose, and plateaus as sources.
//!
//! relu, leaky_relu, prelu, abs: y₁ = s(x₀) ⊙ x₁. clamp: s is 1 inside and 0 on a plateau,
//! whose constant is a source. At a kink the left slope counts (relu′(0) = 0, abs′(0) = −1).
//! Exact at x₀ for every x₀, kinks included; NaN counts as left of the kink.

use burn_backend::{
    Backend, Scalar, TensorMetadata, get_or_init_device_settings,
    tensor::{BoolTensor, FloatTensor},
};

use crate::{
    linear::Scale,
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

/// The unit's value by `value`, its probe by the slope at x₀.
fn sloped<B: Backend>(
    x: ScopeTensor<B>,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    slope: impl FnOnce(&FloatTensor<B>) -> FloatTensor<B>,
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
    let probe = probe.decided("slope", Scale::new(slope(&x)), &shape);
    ScopeTensor::probed(value(x), probe)
}

/// s = 1 where x₀ > 0, else 0.
pub(crate) fn relu<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    sloped(x, B::relu, |x| {
        as_float::<B>(above::<B>(x, Scalar::Float(0.0)), x)
    })
}

/// s = 1 where x₀ > 0, else `negative_slope`.
pub(crate) fn leaky_relu<B: Backend>(x: ScopeTensor<B>, negative_slope: Scalar) -> ScopeTensor<B> {
    sloped(
        x,
        |x| B::leaky_relu(x, negative_slope),
        |x| {
            let ones = B::float_ones(x.shape(), &x.device(), x.dtype().into());
            let left = B::bool_not(above::<B>(x, Scalar::Float(0.0)));
            B::float_mask_fill(ones, left, negative_slope)
        },
    )
}

/// s = 1 where x₀ > 0, else α; α broadcasts against x and does not depend on it.
pub(crate) fn prelu<B: Backend>(x: ScopeTensor<B>, alpha: FloatTensor<B>) -> ScopeTensor<B> {
    let slope_alpha = alpha.clone();
    sloped(
        x,
        |x| B::prelu(x, alpha),
        |x| {
            let right = above::<B>(x, Scalar::Float(0.0));
            let alpha = B::float_expand(slope_alpha, x.shape());
            B::float_mask_fill(alpha, right, Scalar::Float(1.0))
        },
    )
}

/// s = 1 where x₀ > 0, else −1.
pub(crate) fn abs<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    sloped(x, B::float_abs, |x| {
        let ones = B::float_ones(x.shape(), &x.device(), x.dtype().into());
        let left = B::bool_not(above::<B>(x, Scalar::Float(0.0)));
        B::float_mask_fill(ones, left, Scalar::Float(-1.0))
    })
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
    let inside = match (min, max) {
        (Some(min), Some(max)) => {
            B::bool_and(above::<B>(&x, min), B::bool_not(above::<B>(&x, max)))
        }
        (Some(min), None) => above::<B>(&x, min),
        (None, Some(max)) => B::bool_not(above::<B>(&x, max)),
        (None, None) => unreachable!("a clamp has a bound"),
    };
    let gain = as_float::<B>(inside.clone(), &x);
    let y = value(x);
    let plateau = B::float_mask_fill(y.clone(), inside, Scalar::Float(0.0));
    let probe = probe
        .decided("slope, plateaus", Scale::new(gain), &shape)
        .source(plateau, &shape);
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
    let inner = B::float_add_scalar(B::float_mul_scalar(x.clone(), alpha), beta);
    let inside = B::bool_and(
        above::<B>(&inner, Scalar::Float(0.0)),
        B::bool_not(above::<B>(&inner, Scalar::Float(1.0))),
    );
    let gain = B::float_mul_scalar(as_float::<B>(inside, &x), alpha);
    let source = B::float_sub(y.clone(), B::float_mul(gain.clone(), x));
    let probe = probe
        .decided("slope, plateaus", Scale::new(gain), &shape)
        .source(source, &shape)
        .gate();
    ScopeTensor::probed(y, probe)
}
