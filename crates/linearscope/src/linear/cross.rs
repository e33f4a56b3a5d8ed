//! The cross product with a frozen side, along an axis of three.

use burn_backend::{Backend, TensorMetadata, tensor::FloatTensor};

use super::{LinearMap, batch};

/// y = x × c; c has the shape of x.
#[derive(Debug)]
pub(crate) struct Cross<B: Backend> {
    other: FloatTensor<B>,
    dim: usize,
}

impl<B: Backend> Cross<B> {
    pub(crate) fn new(other: FloatTensor<B>, dim: usize) -> Self {
        Self {
            other: batch::of_one::<B>(other),
            dim: dim + 1,
        }
    }

    fn others(&self, like: &FloatTensor<B>) -> FloatTensor<B> {
        B::float_expand(self.other.clone(), like.shape())
    }
}

impl<B: Backend> LinearMap<B> for Cross<B> {
    fn name(&self) -> &'static str {
        "cross"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let others = self.others(&x);
        B::float_cross(x, others, self.dim)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let others = self.others(&y);
        B::float_cross(others, y, self.dim)
    }
}
