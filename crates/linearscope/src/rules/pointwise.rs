//! Smooth pointwise functions h, rows of [the table](crate::smooth), frozen by secant or tangent
//! (DESIGN §5).
//!
//! secant: y₁ = g x₁ + h(0), g = (h(x₀) − h(0))/x₀, written without cancellation. taylor:
//! y₁ = h′(x₀) x₁ + (h(x₀) − h′(x₀) x₀). mask: y₁ = h(x₀)/x₀ · x₁, refused where x₀ ≈ 0 and h(0) ≠ 0.
//! All are exact at x₀. Where x₀ is infinite, y₁ = y₀ (`infinite.rs`). Where h(0) or h′(0) is not finite (log, √, 1/x) secant is taylor, with gain 0 at
//! the singular point.

use std::convert::Infallible;

use burn_backend::{
    Backend, DType, Scalar, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::{Pointwise, infinite::apart};
use crate::{
    coefficient::{Coefficient, literal},
    error::Error,
    linear::Diagonal,
    run::{ScopeTensor, Tracer, open::unary_at},
    smooth::{Entries, Smooth},
};

/// Freeze y = h(x) at x₀. A gate where h is one.
pub(crate) fn freeze<B: Backend>(x: ScopeTensor<B>, h: Smooth) -> ScopeTensor<B> {
    freeze_valued(x, h, |x| h.of(Entries::<B>(x)).0)
}

/// Freeze y = xᶜ at x₀, by the one of Burn's four powers that the op is.
pub(crate) fn power<B: Backend>(
    x: ScopeTensor<B>,
    c: f64,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    freeze_valued(x, Smooth::Power(c), value)
}

/// Freeze y = h(x) at x₀, where `value` is the op that computes y₀.
fn freeze_valued<B: Backend>(
    x: ScopeTensor<B>,
    h: Smooth,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    unary_at(x, value, |x, y, tracer| {
        let Ok(tracer) = apart(tracer, x, y, |tracer, x, y| {
            Ok::<_, Infallible>(traced(tracer, x, y, h))
        });
        if h.is_gate() { tracer.gate() } else { tracer }
    })
}

/// The tracer of y₀ = h(x₀).
fn traced<B: Backend>(
    tracer: Tracer<B>,
    x: FloatTensor<B>,
    y: &FloatTensor<B>,
    h: Smooth,
) -> Tracer<B> {
    let shape = x.shape();
    let rule = tracer.run().rules().pointwise;
    // With h(0) = 0 the mask's gain is the secant's.
    if rule == Pointwise::Mask && (!h.has_secant() || h.at_zero() != 0.0) {
        return masked(tracer, x, y, h.at_zero());
    }
    let value = Entries::<B>(y.clone());
    if rule != Pointwise::Taylor
        && let Some(gain) = h.secant(Entries(x.clone()), value.clone())
    {
        let decided = tracer.freeze("secant", None);
        let gain = Coefficient::decided(finite::<B>(gain.0), &decided);
        let tracer = tracer.map(Diagonal::new(gain), &shape);
        if h.at_zero() == 0.0 {
            return tracer;
        }
        return tracer.unit(literal::<B>(h.at_zero(), shape.num_dims(), y), &shape);
    }
    let decided = tracer.freeze("taylor", None);
    let gain = finite::<B>(h.slope(Entries(x.clone()), value).0);
    let source = B::float_sub(y.clone(), B::float_mul(gain.clone(), x));
    tracer
        .map(Diagonal::new(Coefficient::decided(gain, &decided)), &shape)
        .source(Coefficient::decided(source, &decided), &shape)
}

/// A gain where h is singular or beyond the dtype says nothing: 0 there, so that a branch nobody
/// selects (elu's exp at large x) never makes 0 · ∞.
pub(crate) fn finite<B: Backend>(gain: FloatTensor<B>) -> FloatTensor<B> {
    let largest = match gain.dtype() {
        DType::F64 => f64::MAX,
        _ => f64::from(f32::MAX),
    };
    let bool_dtype = get_or_init_device_settings::<B>(&gain.device()).bool_dtype;
    let size = B::float_abs(gain.clone());
    let good = B::float_lower_equal_elem(size, Scalar::Float(largest), bool_dtype);
    B::float_mask_fill(gain, B::bool_not(good), Scalar::Float(0.0))
}

/// |x₀| below this counts as zero to [`masked`]: h(0)/x₀ would be all there is to the gain.
const ZERO: f64 = 1e-6;

/// Gain h(x₀)/x₀, no source; an error where x₀ ≈ 0. Waits for the device to count those.
pub(crate) fn masked<B: Backend>(
    tracer: Tracer<B>,
    x: FloatTensor<B>,
    y: &FloatTensor<B>,
    at_zero: f64,
) -> Tracer<B> {
    let shape = x.shape();
    let values = crate::host::<B>(x.clone());
    let count = match values {
        Ok(values) => values.iter().filter(|x| x.abs() < ZERO).count(),
        Err(error) => return tracer.refuse(error),
    };
    if count > 0 {
        let place = tracer.run().place("");
        let hint = match place.node.is_empty() {
            true => "pointwise".into(),
            false => format!("node:{}", place.node),
        };
        return tracer.refuse(Error::MaskAtZero {
            place,
            count,
            of: shape.num_elements(),
            below: ZERO,
            at_zero,
            hint,
        });
    }
    let gain = finite::<B>(B::float_div(y.clone(), x));
    let decided = tracer.freeze("mask", None);
    tracer.map(Diagonal::new(Coefficient::decided(gain, &decided)), &shape)
}
