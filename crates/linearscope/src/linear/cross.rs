//! The cross product with a frozen side, along an axis of three.

use std::sync::Arc;

use burn_backend::{Backend, Shape, Slice, TensorMetadata, tensor::FloatTensor};

use super::{
    Cut, Filters, LinearMap, Locality, Region, Restricted, Storage, Stored, Structure, Transform,
    Weighted, batch, locality::everywhere,
};
use crate::coefficient::Coefficient;

/// y = x × c; c has the shape of x.
#[derive(Debug)]
pub(crate) struct Cross<B: Backend> {
    other: Coefficient<FloatTensor<B>>,
    dim: usize,
}

impl<B: Backend> Cross<B> {
    pub(crate) fn new(other: Coefficient<FloatTensor<B>>, dim: usize) -> Self {
        Self {
            other: other.map(batch::of_one::<B>),
            dim: dim + 1,
        }
    }

    fn others(&self, like: &FloatTensor<B>) -> FloatTensor<B> {
        B::float_expand(self.other.value().clone(), like.shape())
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
    fn structure(&self) -> Structure<'_, B> {
        Structure::Weighted(self)
    }
}

impl<B: Backend> Storage<B> for Cross<B> {
    fn stored(&self) -> Stored {
        Stored::of(&self.other)
    }
}

impl<B: Backend> Weighted<B> for Cross<B> {
    fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
        // Component i is xᵢ₊₁ cᵢ₊₂ − xᵢ₊₂ cᵢ₊₁, counted round.
        let weights = |by: usize, sign: f64| {
            let turned = |c| batch::scaled::<B>(turned::<B>(c, self.dim, by), sign);
            let weights = self.other.clone().map(turned);
            weights.map(|weights| transform.of::<B>(weights))
        };
        Arc::new(Round {
            weights: [weights(2, 1.0), weights(1, -1.0)],
            dim: self.dim,
        })
    }
    fn filters(&self) -> Option<Filters<'_, B>> {
        None
    }
    fn adjoint_has_gradient(&self) -> bool {
        true
    }
}

impl<B: Backend> Locality<B> for Cross<B> {
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        3 * output.num_elements() as u64
    }
    everywhere!();
}

/// Entry i becomes entry i + `by` along an axis of three, counted round.
fn turned<B: Backend>(x: FloatTensor<B>, dim: usize, by: usize) -> FloatTensor<B> {
    let part = |range: std::ops::Range<usize>| {
        let mut ranges: Vec<Slice> = x.shape().iter().map(|&n| Slice::from(0..n)).collect();
        ranges[dim] = Slice::from(range);
        B::float_slice(x.clone(), &ranges)
    };
    B::float_cat(vec![part(by..3), part(0..by)], dim)
}

/// yᵢ = aᵢ xᵢ₊₁ + bᵢ xᵢ₊₂ along an axis of three, counted round: a cross product with other weights.
#[derive(Debug)]
struct Round<B: Backend> {
    /// a and b, `[1, ..]`.
    weights: [Coefficient<FloatTensor<B>>; 2],
    dim: usize,
}

impl<B: Backend> LinearMap<B> for Round<B> {
    fn name(&self) -> &'static str {
        "cross"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let [a, b] = [0, 1].map(|i| {
            let x = turned::<B>(x.clone(), self.dim, i + 1);
            B::float_mul(x, self.weights[i].value().clone())
        });
        B::float_add(a, b)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let [a, b] = [0, 1].map(|i| {
            let y = B::float_mul(y.clone(), self.weights[i].value().clone());
            turned::<B>(y, self.dim, 2 - i)
        });
        B::float_add(a, b)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Weighted(self)
    }
}

impl<B: Backend> Storage<B> for Round<B> {
    fn stored(&self) -> Stored {
        let [a, b] = &self.weights;
        Stored::of(a).and(Stored::of(b))
    }
}

impl<B: Backend> Weighted<B> for Round<B> {
    fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
        let weights = self.weights.clone();
        Arc::new(Self {
            weights: weights.map(|weights| weights.map(|weights| transform.of::<B>(weights))),
            dim: self.dim,
        })
    }
    fn filters(&self) -> Option<Filters<'_, B>> {
        None
    }
    fn adjoint_has_gradient(&self) -> bool {
        true
    }
}

impl<B: Backend> Locality<B> for Round<B> {
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        3 * output.num_elements() as u64
    }
    everywhere!();
}
