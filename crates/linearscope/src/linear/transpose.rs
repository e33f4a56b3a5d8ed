//! The adjoint of a map as a map: what the backward ops of Burn compute from a gradient.

use burn_backend::{Backend, tensor::FloatTensor};

use super::LinearMap;

/// y = Aᵀ x for a map A.
#[derive(Debug)]
pub(crate) struct Transpose<M>(pub M);

impl<B: Backend, M: LinearMap<B>> LinearMap<B> for Transpose<M> {
    fn name(&self) -> &'static str {
        "transpose"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        self.0.adjoint(x)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        self.0.apply(y)
    }
}
