//! The adjoint of a map as a map: what the backward ops of Burn compute from a gradient.

use std::sync::Arc;

use burn_backend::{Backend, Shape, tensor::FloatTensor};

use super::{
    AxisPlace, Choice, Chosen, Cut, Filters, LinearMap, Locality, NonNegative, Region, Restricted,
    Storage, Stored, Structure, Transform, Weighted,
};
use crate::{error::Result, interrupt::Interrupt};

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
    fn apply_until(&self, x: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        self.0.adjoint_until(x, interrupt)
    }
    fn adjoint_until(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        self.0.apply_until(y, interrupt)
    }
    fn structure(&self) -> Structure<'_, B> {
        match self.0.structure() {
            Structure::General => Structure::General,
            Structure::Zero(_) => Structure::Zero(self),
            // A diagonal matrix is its own transpose.
            Structure::Identity(_) => Structure::Identity(self),
            Structure::Multiple(c, map) => Structure::Multiple(c, map),
            Structure::Diagonal(map) => Structure::Diagonal(map),
            Structure::SlopeMask(map) => Structure::SlopeMask(map),
            Structure::Mask(map) => Structure::Mask(map),
            Structure::Reshape(_) => Structure::Reshape(self),
            Structure::View(_) | Structure::Selection(_) => Structure::Spread(self),
            Structure::Placement(_) => Structure::Placement(self),
            Structure::Spread(_) => Structure::Selection(self),
            Structure::NonNegative(_) => Structure::NonNegative(self),
            // The rows of an interpolation add up to 1, its columns do not.
            Structure::Interpolation(_) | Structure::Weighted(_) => Structure::Weighted(self),
        }
    }
}

impl<B: Backend, M: LinearMap<B>> Locality<B> for Transpose<M> {
    fn flops(&self, input: &Shape, output: &Shape) -> u64 {
        let of = self.0.structure().locality();
        of.map_or(0, |map| map.flops(output, input))
    }

    fn reach(&self, input: &Shape, output: &Shape, from: &Region) -> Region {
        match self.0.structure().locality() {
            Some(map) => map.field(output, input, from),
            None => Region::full(output),
        }
    }

    fn field(&self, input: &Shape, output: &Shape, to: &Region) -> Region {
        match self.0.structure().locality() {
            Some(map) => map.reach(output, input, to),
            None => Region::full(input),
        }
    }

    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let part = self.0.structure().locality()?.restrict(&Cut {
            input: cut.output,
            output: cut.input,
            from: cut.to,
            to: cut.from,
        })?;
        Some(Restricted {
            map: Arc::new(Transpose(part.map)),
            from: part.to,
            to: part.from,
        })
    }

    fn places(&self, input: &Shape, output: &Shape) -> Option<Vec<AxisPlace>> {
        let map = self.0.structure().locality().filter(|map| !map.mirrors())?;
        let places = map.places(output, input)?;
        AxisPlace::transposed(&places, output.num_dims())
    }
}

impl<B: Backend, M: LinearMap<B>> Storage<B> for Transpose<M> {
    fn stored(&self) -> Stored {
        self.0.structure().stored().unwrap_or_default()
    }
}

impl<B: Backend, M: LinearMap<B>> Choice<B> for Transpose<M> {
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        match self.0.structure().choice() {
            Some(map) => map.chosen(),
            None => Ok(None),
        }
    }

    fn largest(&self) -> [f64; 2] {
        [1.0, 1.0]
    }
    fn keep_expanded(&self, keep: bool) {
        if let Some(map) = self.0.structure().choice() {
            map.keep_expanded(keep);
        }
    }

    fn packed(&self) -> Result<Option<Arc<dyn LinearMap<B>>>> {
        let packed = match self.0.structure().choice() {
            Some(map) => map.packed()?,
            None => None,
        };
        Ok(packed.map(|map| Arc::new(Transpose(map)) as Arc<dyn LinearMap<B>>))
    }
}

impl<B: Backend, M: LinearMap<B>> NonNegative<B> for Transpose<M> {
    /// It is the forward op.
    fn adjoint_has_gradient(&self) -> bool {
        true
    }
}

impl<M> Transpose<M> {
    fn weights<B: Backend>(&self) -> &dyn Weighted<B>
    where
        M: LinearMap<B>,
    {
        let weights = self.0.structure().weights();
        weights.expect("only the transpose of a map with weights is asked for them")
    }
}

impl<B: Backend, M: LinearMap<B>> Weighted<B> for Transpose<M> {
    fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
        Arc::new(Transpose(self.weights().with_weights(transform)))
    }

    fn filters(&self) -> Option<Filters<'_, B>> {
        None
    }
    fn prepared(&self) -> Option<Arc<dyn LinearMap<B>>> {
        let prepared = self.weights().prepared()?;
        Some(Arc::new(Transpose(prepared)))
    }

    /// It is the forward op.
    fn adjoint_has_gradient(&self) -> bool {
        true
    }
}
