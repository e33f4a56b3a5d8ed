//! Smooth pointwise functions h, frozen by secant or tangent (DESIGN §5).
//!
//! secant: y₁ = g x₁ + h(0), g = (h(x₀) − h(0))/x₀, written without cancellation and as h′(x₀/2)'s
//! series near 0. taylor: y₁ = h′(x₀) x₁ + (h(x₀) − h′(x₀) x₀). Both are exact at x₀.

use burn_backend::{
    Backend, Scalar, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::Pointwise;
use crate::{
    linear::{Scale, batch},
    tensor::{Lineage, ScopeTensor},
};

/// A smooth function as rules need it.
struct Smooth<B: Backend> {
    /// h itself: Burn's own op.
    value: fn(FloatTensor<B>) -> FloatTensor<B>,
    /// (h(x) − h(0))/x for every x, 0 included.
    secant: fn(FloatTensor<B>) -> FloatTensor<B>,
    /// h′ from x and h(x).
    derivative: fn(&FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
    /// h(0).
    at_zero: f64,
}

fn scalar(c: f64) -> Scalar {
    Scalar::Float(c)
}

/// tanh: secant tanh(x)/x, derivative 1 − tanh².
pub(crate) fn tanh<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::float_tanh,
            secant: tanh_over_x::<B>,
            derivative: |_, y| {
                let y2 = B::float_mul(y.clone(), y);
                B::float_add_scalar(B::float_neg(y2), scalar(1.0))
            },
            at_zero: 0.0,
        },
    )
}

/// sigmoid: secant tanh(x/2)/(2x), derivative σ(1 − σ), σ(0) = ½.
pub(crate) fn sigmoid<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    frozen(
        x,
        Smooth {
            value: B::sigmoid,
            secant: |x| {
                let half = B::float_mul_scalar(x, scalar(0.5));
                B::float_mul_scalar(tanh_over_x::<B>(half), scalar(0.25))
            },
            derivative: |_, y| {
                let one_minus = B::float_add_scalar(B::float_neg(y.clone()), scalar(1.0));
                B::float_mul(y, one_minus)
            },
            at_zero: 0.5,
        },
    )
}

/// tanh(x)/x: its series below 10⁻³, where the first neglected term is 17x⁶/315 < 10⁻¹⁹.
fn tanh_over_x<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let bool_dtype = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
    let small = B::float_lower_elem(B::float_abs(x.clone()), scalar(1e-3), bool_dtype);
    let x2 = B::float_mul(x.clone(), x.clone());
    // 1 − x²/3 + 2x⁴/15 = 1 + x² (−1/3 + 2x²/15)
    let inner = B::float_add_scalar(
        B::float_mul_scalar(x2.clone(), scalar(2.0 / 15.0)),
        scalar(-1.0 / 3.0),
    );
    let series = B::float_add_scalar(B::float_mul(x2, inner), scalar(1.0));
    let safe = B::float_mask_fill(x, small.clone(), scalar(1.0));
    let quotient = B::float_div(B::float_tanh(safe.clone()), safe);
    B::float_mask_where(quotient, small, series)
}

fn frozen<B: Backend>(x: ScopeTensor<B>, h: Smooth<B>) -> ScopeTensor<B> {
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
    let probe = match probe.scope().rules().pointwise {
        Pointwise::Secant => {
            let gain = (h.secant)(x);
            let probe = probe.decided("secant", Scale::new(gain), &shape);
            if h.at_zero == 0.0 {
                probe
            } else {
                let at_zero = batch::literal::<B>(scalar(h.at_zero), shape.num_dims(), &y);
                probe.source(at_zero, &shape)
            }
        }
        Pointwise::Taylor => {
            let gain = (h.derivative)(&x, y.clone());
            let source = B::float_sub(y.clone(), B::float_mul(gain.clone(), x));
            probe
                .decided("taylor", Scale::new(gain), &shape)
                .source(source, &shape)
        }
    };
    ScopeTensor::probed(y, probe)
}
