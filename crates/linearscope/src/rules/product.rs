//! Products and quotients of two tensors.
//!
//! With one side constant they are linear: x · c, x / c, x W. With both from the input, x · g:
//!
//! - g a gate (the output of a sigmoid, softmax or clip, moved or scaled since): y₁ = g₀ ⊙ x₁, the
//!   paper's reading of what decides and what is decided about;
//! - none or both gates: y₁ = ½(g₀ ⊙ x₁ + x₀ ⊙ g₁), the mean of both readings, exact at x₀.
//!
//! a / b: b frozen, y₁ = a₁ / b₀; c / b with c constant: its tangent, −c/b₀² b₁ + 2c/b₀. The same for
//! matrix products, so that attention's weights are frozen and its values pass.

use burn_backend::{
    Backend, Scalar, Shape, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::arithmetic::{broadcast, note_decision, unprobed};
use crate::{
    error::Error,
    linear::{Divide, LinearMap, MatmulLeft, MatmulRight, Scale},
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

/// Σ of the parts of a product that pass: the side that is no gate, or half of each.
fn passing<B: Backend>(
    (px, by_y): (Probe<B>, impl LinearMap<B> + 'static),
    (py, by_x): (Probe<B>, impl LinearMap<B> + 'static),
    shape: &Shape,
) -> Probe<B> {
    match (px.is_gate(), py.is_gate()) {
        (false, true) => px.decided("gate", by_y, shape),
        (true, false) => py.decided("gate", by_x, shape),
        _ => {
            let px = px.decided("half of each", by_y, shape);
            let py = py.decided("half of each", by_x, shape);
            Probe::sum(vec![(0.5, px), (0.5, py)], shape)
        }
    }
}

/// Operands of two runs have no common product.
fn strangers<B: Backend>(px: &Probe<B>, py: &Probe<B>, op: &str) -> Option<Error> {
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
                Lineage::Probed(passing((px, Scale::new(y)), (py, Scale::new(x)), &shape))
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

/// x / y.
pub(crate) fn div<B: Backend>(x: ScopeTensor<B>, y: ScopeTensor<B>) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (y, y_lineage) = y.open();
    let (x_shape, y_shape) = (x.shape(), y.shape());
    let out = B::float_div(x.clone(), y.clone());
    let shape = out.shape();
    let lineage = match (x_lineage, y_lineage) {
        (Lineage::Probed(px), y_lineage) => {
            if let Lineage::Probed(py) = &y_lineage
                && let Some(error) = strangers(&px, py, "float_div")
            {
                py.clone().refuse(error.clone());
                Lineage::Probed(px.refuse(error))
            } else {
                if !matches!(y_lineage, Lineage::Constant) {
                    px.scope().note_rule("divisor");
                }
                Lineage::Probed(broadcast(px, &x_shape, &shape).map(Divide::new(y), &shape))
            }
        }
        (_, Lineage::Probed(py)) => {
            // −c/b², 0 where b is.
            let bool_dtype = get_or_init_device_settings::<B>(&y.device()).bool_dtype;
            let singular = B::float_equal_elem(y.clone(), Scalar::Float(0.0), bool_dtype);
            let safe = B::float_mask_fill(y, singular.clone(), Scalar::Float(1.0));
            let slope = B::float_neg(B::float_div(B::float_div(x, safe.clone()), safe));
            let gain = B::float_mask_fill(
                slope,
                B::bool_expand(singular, shape.clone()),
                Scalar::Float(0.0),
            );
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
                Lineage::Probed(passing((px, by_y(&y)), (py, by_x(&x)), &shape))
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
