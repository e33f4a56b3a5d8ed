//! Selection by frozen indices: gathered rows, sorted lines, windows.
//!
//! Indices are always one-dimensional: `float_select` on a flattened or a named axis, its
//! adjoint `select_assign(Add)`. Nothing is expanded over the probes.

use std::sync::Arc;

use burn_backend::{
    Backend, Shape, TensorMetadata,
    tensor::{FloatTensor, IndexingUpdateOp, IntTensor},
};

use super::{
    AxisPlace, Choice, Chosen, Cut, LinearMap, Locality, Region, Restricted, Storage, Stored,
    Structure, batch, locality::everywhere,
};
use crate::{
    coefficient::{Coefficient, Origin},
    error::Result,
};

/// y[j] = x[indices[j]] along one axis.
#[derive(Debug)]
pub(crate) struct Select<B: Backend> {
    input: Shape,
    dim: usize,
    indices: Coefficient<IntTensor<B>>,
}

impl<B: Backend> Select<B> {
    pub(crate) fn new(input: &Shape, dim: usize, indices: Coefficient<IntTensor<B>>) -> Self {
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
        B::float_select(x, self.dim + 1, self.indices.value().clone())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let zeros = batch::zeros::<B>(&y, y.shape()[0], &self.input);
        B::float_select_assign(
            zeros,
            self.dim + 1,
            self.indices.value().clone(),
            y,
            IndexingUpdateOp::Add,
        )
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Selection(self)
    }
}

impl<B: Backend> Storage<B> for Select<B> {
    fn stored(&self) -> Stored {
        Stored::of(&self.indices)
    }
}

impl<B: Backend> Choice<B> for Select<B> {
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        match self.indices.origin() {
            Origin::Weight => Ok(None),
            Origin::Decision => Chosen::places::<B>(self.indices.value()).map(Some),
        }
    }
    fn largest(&self) -> [f64; 2] {
        [1.0, 1.0]
    }
    fn keep_expanded(&self, _keep: bool) {}
    fn packed(&self) -> Result<Option<Arc<dyn LinearMap<B>>>> {
        Ok(None)
    }
}

impl<B: Backend> Locality<B> for Select<B> {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    everywhere!();
    /// Indices that the network has, where they repeat at a constant step.
    fn places(&self, input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        if self.indices.origin() == Origin::Decision {
            return None;
        }
        let indices = crate::host::ints::<B>(self.indices.value()).ok()?;
        let mut places = AxisPlace::entrywise(input.num_dims());
        places[self.dim] = match AxisPlace::of_indices(self.dim, &indices) {
            AxisPlace::Any if input[self.dim] > 1 => return None,
            place => place,
        };
        Some(places)
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
    pub(crate) fn new(input: &Shape, output: &Shape, indices: Coefficient<IntTensor<B>>) -> Self {
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
    fn structure(&self) -> Structure<'_, B> {
        Structure::Selection(self)
    }
}

impl<B: Backend> Storage<B> for Pick<B> {
    fn stored(&self) -> Stored {
        self.flat.stored()
    }
}

impl<B: Backend> Choice<B> for Pick<B> {
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        self.flat.chosen()
    }
    fn largest(&self) -> [f64; 2] {
        [1.0, 1.0]
    }
    fn keep_expanded(&self, _keep: bool) {}
    fn packed(&self) -> Result<Option<Arc<dyn LinearMap<B>>>> {
        Ok(None)
    }
}

impl<B: Backend> Locality<B> for Pick<B> {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    everywhere!();
}
