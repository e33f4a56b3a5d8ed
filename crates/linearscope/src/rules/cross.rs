//! x × y along an axis of three: bilinear, as the products of `product.rs`.
//!
//! One side constant: linear. Both probed: the gate frozen, else y₁ = ½(x₁ × y₀ + x₀ × y₁). Operands
//! broadcast against each other. Exact at x₀.

use burn_backend::{Backend, TensorMetadata};

use super::{
    arithmetic::{broadcast, note_decision, unprobed},
    product::{passing, strangers},
};
use crate::{
    linear::Cross,
    tensor::{Lineage, ScopeTensor},
};

pub(crate) fn cross<B: Backend>(
    x: ScopeTensor<B>,
    y: ScopeTensor<B>,
    dim: usize,
) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (y, y_lineage) = y.open();
    let (x_shape, y_shape) = (x.shape(), y.shape());
    let value = B::float_cross(x.clone(), y.clone(), dim);
    let shape = value.shape();
    let by_y = Cross::new(B::float_expand(y, shape.clone()), dim);
    // x × y = −y × x.
    let by_x = Cross::new(B::float_neg(B::float_expand(x, shape.clone())), dim);
    let lineage = match (x_lineage, y_lineage) {
        (Lineage::Probed(px), Lineage::Probed(py)) => {
            if let Some(error) = strangers(&px, &py, "float_cross") {
                py.refuse(error.clone());
                Lineage::Probed(px.refuse(error))
            } else {
                let px = broadcast(px, &x_shape, &shape);
                let py = broadcast(py, &y_shape, &shape);
                Lineage::Probed(passing((px, by_y), (py, by_x), &shape, || value.clone()))
            }
        }
        (Lineage::Probed(p), factor) => {
            note_decision(&factor, "factor");
            Lineage::Probed(broadcast(p, &x_shape, &shape).map(by_y, &shape))
        }
        (factor, Lineage::Probed(p)) => {
            note_decision(&factor, "factor");
            Lineage::Probed(broadcast(p, &y_shape, &shape).map(by_x, &shape))
        }
        (a, b) => unprobed(a, b),
    };
    ScopeTensor { value, lineage }
}
