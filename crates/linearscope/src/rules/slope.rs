//! Piecewise-linear units: the slope that x₀ chose, and plateaus as sources.
//!
//! relu, leaky_relu, prelu, abs: y₁ = s(x₀) ⊙ x₁. clamp: s is 1 inside and 0 on a plateau,
//! whose constant is a source. At a kink the left slope counts (relu′(0) = 0, abs′(0) = −1).
//! An infinite entry on a flat side is cut off (`infinite.rs`). Exact at x₀ for every x₀, kinks included; NaN counts as left of the kink.

use burn_backend::{
    Backend, Scalar, TensorMetadata, get_or_init_device_settings,
    tensor::{BoolTensor, FloatTensor},
};

use super::infinite;
use crate::{
    coefficient::Coefficient,
    linear::{Left, SlopeMask, on_host},
    report::Decided,
    run::{
        ScopeTensor, Tracer,
        kinks::Decides,
        open::{unary, unary_at},
    },
};

/// x > c, elementwise.
pub(super) fn above<B: Backend>(x: &FloatTensor<B>, c: f64) -> BoolTensor<B> {
    let bool_dtype = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
    B::float_greater_elem(x.clone(), Scalar::Float(c), bool_dtype)
}

/// y₁ = s ⊙ x₁ with s = `right` where the mask is true, else `left`; each unit lies above one of
/// `levels` or not.
fn masked<B: Backend>(
    tracer: Tracer<B>,
    what: &'static str,
    x: &FloatTensor<B>,
    levels: &[f64],
    mask: BoolTensor<B>,
    right: f64,
    left: Left<B>,
) -> (Tracer<B>, Decided) {
    let decided = tracer.freeze(what, Some(Decides::above(x, &tracer, levels)));
    let tracer = match left {
        // A program of the host keeps slopes as gains; all others select, see `SlopeMask`.
        Left::Number(0.0) if tracer.run().records() && on_host::<B>(&x.device()) => {
            match infinite::entries::<B>(tracer.run(), x) {
                Some(at) => {
                    let flat = B::bool_and(at, B::bool_not(mask.clone()));
                    infinite::cut(tracer, &flat, &decided)
                }
                None => tracer,
            }
        }
        _ => tracer,
    };
    let mask = Coefficient::decided(mask, &decided);
    let map = SlopeMask::new(mask, right, left, x);
    (tracer.map(map, &x.shape()), decided)
}

/// The unit's value by `value`; the slope at x₀ is 1 above 0, else `left`.
fn sloped<B: Backend>(
    x: ScopeTensor<B>,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    left: Left<B>,
) -> ScopeTensor<B> {
    unary(x, value, |x, tracer| {
        let mask = above::<B>(x, 0.0);
        masked(tracer, "slope", x, &[0.0], mask, 1.0, left).0
    })
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

/// The tracer of prelu(x, α) for a fixed α, which broadcasts against x: s = 1 where x₀ > 0, else α.
pub(super) fn prelu<B: Backend>(
    x: &FloatTensor<B>,
    tracer: Tracer<B>,
    alpha: Coefficient<FloatTensor<B>>,
) -> Tracer<B> {
    let (mask, left) = (above::<B>(x, 0.0), Left::Tensor(alpha));
    masked(tracer, "slope", x, &[0.0], mask, 1.0, left).0
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
    unary_at(x, value, |x, y, tracer| {
        let shape = x.shape();
        let [min, max] = [min, max].map(|bound| bound.map(|bound| bound.elem::<f64>()));
        let levels: Vec<f64> = [min, max].into_iter().flatten().collect();
        let below = |max| B::bool_not(above::<B>(&x, max));
        let inside = match (min, max) {
            (Some(min), Some(max)) => B::bool_and(above::<B>(&x, min), below(max)),
            (Some(min), None) => above::<B>(&x, min),
            (None, Some(max)) => below(max),
            (None, None) => unreachable!("a clamp has a bound"),
        };
        let (what, flat) = ("slope, plateaus", Left::Number(0.0));
        let (tracer, decided) = masked(tracer, what, &x, &levels, inside.clone(), 1.0, flat);
        let plateau = B::float_mask_fill(y.clone(), inside, Scalar::Float(0.0));
        let tracer = tracer.source(Coefficient::decided(plateau, &decided), &shape);
        // Between two bounds it weighs others, as in hard swish: x · clip(x + 3, 0, 6)/6.
        match levels.len() {
            2 => tracer.gate(),
            _ => tracer,
        }
    })
}

/// clip(αx + β, 0, 1): slope α where 0 < αx₀ + β ≤ 1, else 0, the rest a source. A gate.
pub(crate) fn hard_sigmoid<B: Backend>(
    x: ScopeTensor<B>,
    alpha: Scalar,
    beta: Scalar,
) -> ScopeTensor<B> {
    let value = |x| B::hard_sigmoid(x, alpha, beta);
    unary_at(x, value, |x, y, tracer| {
        let shape = x.shape();
        let (a, b): (f64, f64) = (alpha.elem(), beta.elem());
        let inner = B::float_add_scalar(B::float_mul_scalar(x.clone(), alpha), beta);
        let inside = B::bool_and(
            above::<B>(&inner, 0.0),
            B::bool_not(above::<B>(&inner, 1.0)),
        );
        let flat = B::bool_not(inside.clone());
        let risen = B::float_mul_scalar(x.clone(), alpha);
        let risen = B::float_mask_fill(risen, flat, Scalar::Float(0.0));
        let source = B::float_sub(y.clone(), risen);
        // α = 0 leaves a constant, which never flips.
        let levels: Vec<f64> = match a {
            0.0 => vec![],
            a => vec![-b / a, (1.0 - b) / a],
        };
        let (what, flat) = ("slope, plateaus", Left::Number(0.0));
        let (tracer, decided) = masked(tracer, what, &x, &levels, inside, a, flat);
        tracer
            .source(Coefficient::decided(source, &decided), &shape)
            .gate()
    })
}
