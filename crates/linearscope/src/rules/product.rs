//! Products and quotients of two tensors.
//!
//! With one side constant they are linear: x · c, x / c, x W. With both from the input, x · g:
//!
//! - g a gate (the output of a sigmoid, softmax or clip, moved or scaled since): y₁ = g₀ ⊙ x₁, the
//!   paper's reading of what decides and what is decided about;
//! - none or both gates: y₁ = ½(g₀ ⊙ x₁ + x₀ ⊙ g₁), the mean of both readings, exact at x₀; always
//!   so by the rule *halves*;
//! - by the rule *taylor* the tangent, y₁ = g₀ ⊙ x₁ + x₀ ⊙ g₁ − x₀ ⊙ g₀.
//!
//! a / b: b frozen, y₁ = a₁ / b₀; c / b with c constant, and a / b by *taylor*: the tangent,
//! a₁/b₀ − a₀/b₀² b₁ + a₀/b₀. The same for matrix products, so that attention's weights are frozen
//! and its values pass.

use burn_backend::{
    Backend, Scalar, Shape, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::{
    Product,
    arithmetic::{broadcast, note_decision, unprobed},
};
use crate::{
    error::Error,
    linear::{Divide, LinearMap, MatmulLeft, MatmulRight, Scale},
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

/// Σ of the parts of a product that pass: the side that is no gate, or half of each, or the tangent,
/// for which `at_x0` gives the product itself.
pub(super) fn passing<B: Backend>(
    (px, by_y): (Probe<B>, impl LinearMap<B> + 'static),
    (py, by_x): (Probe<B>, impl LinearMap<B> + 'static),
    shape: &Shape,
    at_x0: impl FnOnce() -> FloatTensor<B>,
) -> Probe<B> {
    match (px.scope().rules().product, px.is_gate(), py.is_gate()) {
        (Product::Gate, false, true) => px.decided("gate", by_y, shape),
        (Product::Gate, true, false) => py.decided("gate", by_x, shape),
        (Product::Gate | Product::Halves, ..) => {
            let px = px.decided("half of each", by_y, shape);
            let py = py.decided("half of each", by_x, shape);
            Probe::sum(vec![(0.5, px), (0.5, py)], shape)
        }
        (Product::Taylor, ..) => {
            let px = px.decided("taylor", by_y, shape);
            let py = py.decided("taylor", by_x, shape);
            Probe::sum(vec![(1.0, px), (1.0, py)], shape).source(B::float_neg(at_x0()), shape)
        }
    }
}

/// Operands of two runs have no common product.
pub(super) fn strangers<B: Backend>(px: &Probe<B>, py: &Probe<B>, op: &str) -> Option<Error> {
    let place = px.scope().place(op);
    (!std::sync::Arc::ptr_eq(px.scope(), py.scope())).then_some(Error::ScopesMeet { place })
}

/// x ⊙ y.
pub(crate) fn mul<B: Backend>(x: ScopeTensor<B>, y: ScopeTensor<B>) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (y, y_lineage) = y.open();
    let (x_shape, y_shape) = (x.shape(), y.shape());
    let out = B::float_mul(x.clone(), y.clone());
    let shape = out.shape();
    let lineage = match (x_lineage, y_lineage) {
        (Lineage::Probed(px), Lineage::Probed(py)) => {
            if let Some(error) = strangers(&px, &py, "float_mul") {
                py.refuse(error.clone());
                Lineage::Probed(px.refuse(error))
            } else {
                let px = broadcast(px, &x_shape, &shape);
                let py = broadcast(py, &y_shape, &shape);
                Lineage::Probed(passing(
                    (px, Scale::new(y)),
                    (py, Scale::new(x)),
                    &shape,
                    || out.clone(),
                ))
            }
        }
        (Lineage::Probed(p), factor) => {
            note_decision(&factor, "factor");
            Lineage::Probed(broadcast(p, &x_shape, &shape).map(Scale::new(y), &shape))
        }
        (factor, Lineage::Probed(p)) => {
            note_decision(&factor, "factor");
            Lineage::Probed(broadcast(p, &y_shape, &shape).map(Scale::new(x), &shape))
        }
        (a, b) => unprobed(a, b),
    };
    ScopeTensor {
        value: out,
        lineage,
    }
}

/// −x/y², the derivative of x/y in y; 0 where y is.
fn inverse_slope<B: Backend>(
    x: FloatTensor<B>,
    y: FloatTensor<B>,
    shape: &Shape,
) -> FloatTensor<B> {
    let bool_dtype = get_or_init_device_settings::<B>(&y.device()).bool_dtype;
    let singular = B::float_equal_elem(y.clone(), Scalar::Float(0.0), bool_dtype);
    let safe = B::float_mask_fill(y, singular.clone(), Scalar::Float(1.0));
    let slope = B::float_neg(B::float_div(B::float_div(x, safe.clone()), safe));
    let singular = B::bool_expand(singular, shape.clone());
    B::float_mask_fill(slope, singular, Scalar::Float(0.0))
}

/// x / y.
pub(crate) fn div<B: Backend>(x: ScopeTensor<B>, y: ScopeTensor<B>) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (y, y_lineage) = y.open();
    let (x_shape, y_shape) = (x.shape(), y.shape());
    let out = B::float_div(x.clone(), y.clone());
    let shape = out.shape();
    let lineage = match (x_lineage, y_lineage) {
        (Lineage::Probed(px), Lineage::Probed(py)) => {
            if let Some(error) = strangers(&px, &py, "float_div") {
                py.refuse(error.clone());
                Lineage::Probed(px.refuse(error))
            } else if px.scope().rules().product == Product::Taylor {
                let gain = inverse_slope::<B>(x, y.clone(), &shape);
                let px = broadcast(px, &x_shape, &shape).decided("taylor", Divide::new(y), &shape);
                let py =
                    broadcast(py, &y_shape, &shape).decided("taylor", Scale::new(gain), &shape);
                let sum = Probe::sum(vec![(1.0, px), (1.0, py)], &shape);
                Lineage::Probed(sum.source(out.clone(), &shape))
            } else {
                let px = broadcast(px, &x_shape, &shape);
                Lineage::Probed(px.decided("divisor", Divide::new(y), &shape))
            }
        }
        (Lineage::Probed(px), divisor) => {
            note_decision(&divisor, "divisor");
            Lineage::Probed(broadcast(px, &x_shape, &shape).map(Divide::new(y), &shape))
        }
        (_, Lineage::Probed(py)) => {
            let gain = inverse_slope::<B>(x, y, &shape);
            let source = B::float_mul_scalar(out.clone(), Scalar::Float(2.0));
            let probe = broadcast(py, &y_shape, &shape)
                .decided("taylor", Scale::new(gain), &shape)
                .source(source, &shape);
            Lineage::Probed(probe)
        }
        (a, b) => unprobed(a, b),
    };
    ScopeTensor {
        value: out,
        lineage,
    }
}

/// x y, the matrix product over the last two axes. A constant side is a layer's weight.
pub(crate) fn matmul<B: Backend>(x: ScopeTensor<B>, y: ScopeTensor<B>) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (y, y_lineage) = y.open();
    let by_y = |y: &FloatTensor<B>| MatmulRight::new(&x.shape(), y.clone());
    let by_x = |x: &FloatTensor<B>| MatmulLeft::new(&y.shape(), x.clone());
    let out = B::float_matmul(x.clone(), y.clone());
    let shape = out.shape();
    let lineage = match (x_lineage, y_lineage) {
        (Lineage::Probed(px), Lineage::Probed(py)) => {
            if let Some(error) = strangers(&px, &py, "float_matmul") {
                py.refuse(error.clone());
                Lineage::Probed(px.refuse(error))
            } else {
                Lineage::Probed(passing((px, by_y(&y)), (py, by_x(&x)), &shape, || {
                    out.clone()
                }))
            }
        }
        (Lineage::Probed(p), factor) => {
            note_decision(&factor, "factor");
            Lineage::Probed(p.weighted(by_y(&y), &shape))
        }
        (factor, Lineage::Probed(p)) => {
            note_decision(&factor, "factor");
            Lineage::Probed(p.weighted(by_x(&x), &shape))
        }
        (a, b) => unprobed(a, b),
    };
    ScopeTensor {
        value: out,
        lineage,
    }
}
