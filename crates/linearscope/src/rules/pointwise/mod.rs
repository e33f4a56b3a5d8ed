//! Smooth pointwise functions h, frozen by secant or tangent (DESIGN §5).
//!
//! secant: y₁ = g x₁ + h(0), g = (h(x₀) − h(0))/x₀, written without cancellation and as h′(x₀/2)'s
//! series near 0. taylor: y₁ = h′(x₀) x₁ + (h(x₀) − h′(x₀) x₀). mask: y₁ = h(x₀)/x₀ · x₁, refused
//! where x₀ ≈ 0 and h(0) ≠ 0. All are exact at x₀. Where h(0) or h′ is not finite (log, √, 1/x)
//! secant is taylor, with gain 0 at the singular point.

mod circular;
mod exponential;
mod hyperbolic;
mod logistic;
mod normal;
mod power;

pub(crate) use circular::{acos, asin, atan, cos, sin, tan};
pub(super) use exponential::exp_secant;
pub(crate) use exponential::{exp, log, log1p};
pub(crate) use hyperbolic::{acosh, asinh, atanh, cosh, sinh, tanh};
pub(crate) use logistic::{log_sigmoid, sigmoid};
pub(crate) use normal::{erf, gelu};
pub(crate) use power::{power, recip, sqrt};

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

/// h(x)/x of an odd h that its op computes accurately near 0: its series Σ cₙ x²ⁿ within `radius`.
fn odd<B: Backend>(x: &Tensor<B>, y: &Tensor<B>, radius: f64, series: &[f64]) -> Tensor<B> {
    near_zero::<B>(
        x,
        radius,
        |x| polynomial::<B>(&mul::<B>(x.clone(), x.clone()), series),
        |x| B::float_div(y.clone(), x),
    )
}

/// A gain where h is singular or beyond the dtype says nothing: 0 there, so that a branch nobody
/// selects (elu's exp at large x) never makes 0 · ∞.
pub(crate) fn finite<B: Backend>(gain: Tensor<B>) -> Tensor<B> {
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
pub(crate) fn masked<B: Backend>(
    probe: Probe<B>,
    x: Tensor<B>,
    y: &Tensor<B>,
    at_zero: f64,
) -> Probe<B> {
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
