//! Sampling between pixels at frozen points: grid sampling and deformable convolution.
//!
//! y[n, c, p] = Σⱼ wⱼ[n, g, p] · x[n, c, iⱼ[n, g, p]], with g the group channel c belongs to and a
//! handful of corners j. Points are the same for all channels of a group, so k probes and the
//! channels of a group share one axis, and each corner is one `float_select` with 1-D indices.

use std::sync::Arc;

use burn_backend::{
    Backend, Shape, TensorMetadata,
    tensor::{FloatTensor, IndexingUpdateOp, IntTensor},
};

use super::{
    Cut, Filters, LinearMap, Locality, Region, Restricted, Storage, Stored, Structure, Transform,
    Weighted, batch, locality::everywhere,
};
use crate::coefficient::Coefficient;

/// One term of the sum: flat indices into `[n·groups·h·w]` and weights `[1, n·groups·points]`. No two
/// corners of a point are one pixel, unless one of them weighs 0.
#[derive(Clone, Debug)]
pub(crate) struct Corner<B: Backend> {
    pub indices: Coefficient<IntTensor<B>>,
    pub weights: Coefficient<FloatTensor<B>>,
}

/// Samples of `[n, c, h, w]`, shaped `[n, c, ..points]`. Cost: corners · output entries.
#[derive(Debug)]
pub(crate) struct Sample<B: Backend> {
    input: Shape,
    output: Shape,
    groups: usize,
    corners: Vec<Corner<B>>,
}

impl<B: Backend> Sample<B> {
    pub(crate) fn new(
        input: &Shape,
        output: &Shape,
        groups: usize,
        corners: Vec<Corner<B>>,
    ) -> Self {
        Self {
            input: input.clone(),
            output: output.clone(),
            groups,
            corners,
        }
    }

    /// `[k, n, c, ..cells] → [k·c/groups, n·groups·cells]`.
    fn by_group(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let shape = x.shape();
        let (k, n, c) = (shape[0], shape[1], shape[2]);
        let cells: usize = shape[3..].iter().product();
        let (g, share) = (self.groups, c / self.groups);
        let x = B::float_reshape(x, Shape::from(vec![k, n, g, share, cells]));
        let x = B::float_permute(x, &[0, 3, 1, 2, 4]);
        B::float_reshape(x, Shape::from(vec![k * share, n * g * cells]))
    }

    /// Undo [`by_group`](Self::by_group) to `[k, ..shape]`.
    fn by_channel(&self, x: FloatTensor<B>, shape: &Shape) -> FloatTensor<B> {
        let (n, c) = (shape[0], shape[1]);
        let cells: usize = shape[2..].iter().product();
        let (g, share) = (self.groups, c / self.groups);
        let k = x.shape()[0] / share;
        let x = B::float_reshape(x, Shape::from(vec![k, share, n, g, cells]));
        let x = B::float_permute(x, &[0, 2, 3, 1, 4]);
        B::float_reshape(x, batch::shape_of(k, shape))
    }
}

impl<B: Backend> LinearMap<B> for Sample<B> {
    fn name(&self) -> &'static str {
        "sample"
    }

    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let x = self.by_group(x);
        let y = self
            .corners
            .iter()
            .map(|corner| {
                let seen = B::float_select(x.clone(), 1, corner.indices.value().clone());
                B::float_mul(seen, corner.weights.value().clone())
            })
            .reduce(B::float_add)
            .expect("a sample has corners");
        self.by_channel(y, &self.output)
    }

    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let y = self.by_group(y);
        let cells = self.input[0] * self.groups * self.input[2] * self.input[3];
        let zeros = B::float_zeros(
            Shape::from(vec![y.shape()[0], cells]),
            &y.device(),
            y.dtype().into(),
        );
        let x = self.corners.iter().fold(zeros, |x, corner| {
            let spread = B::float_mul(y.clone(), corner.weights.value().clone());
            let add = IndexingUpdateOp::Add;
            B::float_select_assign(x, 1, corner.indices.value().clone(), spread, add)
        });
        self.by_channel(x, &self.input)
    }

    fn structure(&self) -> Structure<'_, B> {
        Structure::Weighted(self)
    }
}

impl<B: Backend> Storage<B> for Sample<B> {
    fn stored(&self) -> Stored {
        let corners = self.corners.iter().flat_map(|corner| {
            let Corner { indices, weights } = corner;
            [Stored::of(indices), Stored::of(weights)]
        });
        corners.fold(Stored::default(), Stored::and)
    }
}

impl<B: Backend> Weighted<B> for Sample<B> {
    fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
        let corners = self.corners.iter().map(|corner| Corner {
            indices: corner.indices.clone(),
            weights: corner.weights.clone().map(|w| transform.of_sparse::<B>(w)),
        });
        let corners = corners.collect();
        Arc::new(Self::new(&self.input, &self.output, self.groups, corners))
    }
    fn filters(&self) -> Option<Filters<'_, B>> {
        None
    }
    fn adjoint_has_gradient(&self) -> bool {
        true
    }
}

impl<B: Backend> Locality<B> for Sample<B> {
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        (2 * self.corners.len() * output.num_elements()) as u64
    }
    everywhere!();
}
