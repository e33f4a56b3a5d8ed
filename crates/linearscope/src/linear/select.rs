//! Selection by frozen indices: pooling winners, gathered rows, reflected borders.
//!
//! Indices are always one-dimensional: `float_select` on a flattened or a named axis, its
//! adjoint `select_assign(Add)`. Nothing is expanded over the probes.

use burn_backend::{
    Backend, Shape, TensorMetadata,
    tensor::{FloatTensor, IndexingUpdateOp, IntTensor},
};

use super::{Chosen, LinearMap, Stored, batch};
use crate::error::Result;

/// y[j] = x[indices[j]] along one axis.
#[derive(Debug)]
pub(crate) struct Select<B: Backend> {
    input: Shape,
    dim: usize,
    indices: IntTensor<B>,
}

impl<B: Backend> Select<B> {
    pub(crate) fn new(input: &Shape, dim: usize, indices: IntTensor<B>) -> Self {
        Self {
            input: input.clone(),
            dim,
            indices,
        }
    }
}

impl<B: Backend> LinearMap<B> for Select<B> {
    fn name(&self) -> &'static str {
        "select"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_select(x, self.dim + 1, self.indices.clone())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let zeros = batch::zeros::<B>(&y, y.shape()[0], &self.input);
        B::float_select_assign(
            zeros,
            self.dim + 1,
            self.indices.clone(),
            y,
            IndexingUpdateOp::Add,
        )
    }
    fn stored(&self) -> Stored {
        Stored::tensor(&self.indices)
    }
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        Chosen::places::<B>(self.indices.clone()).map(Some)
    }
}

/// y[j] = x[indices[j]] over flat positions: `indices` is `[numel(output)]`.
#[derive(Debug)]
pub(crate) struct Pick<B: Backend> {
    flat: Select<B>,
    input: Shape,
    output: Shape,
}

impl<B: Backend> Pick<B> {
    pub(crate) fn new(input: &Shape, output: &Shape, indices: IntTensor<B>) -> Self {
        Self {
            flat: Select::new(&Shape::from(vec![input.num_elements()]), 0, indices),
            input: input.clone(),
            output: output.clone(),
        }
    }
}

impl<B: Backend> LinearMap<B> for Pick<B> {
    fn name(&self) -> &'static str {
        "pick"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let k = x.shape()[0];
        let y = self.flat.apply(batch::flatten::<B>(x));
        B::float_reshape(y, batch::shape_of(k, &self.output))
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let k = y.shape()[0];
        let x = self.flat.adjoint(batch::flatten::<B>(y));
        B::float_reshape(x, batch::shape_of(k, &self.input))
    }
    fn stored(&self) -> Stored {
        self.flat.stored()
    }
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        self.flat.chosen()
    }
}
