//! Coefficients: the numbers in maps and sources, with their origin.
//!
//! A coefficient is a *weight* (it does not depend on the input) or a *decision* (x₀ chose it). It
//! records which it is, so that accounts of memory, surveys and comparisons of two x₀ need no
//! convention. A decision can only be made by reporting it: `Coefficient::decided` takes the
//! [`Decided`] that `OpReport::freeze` returns.

use burn_backend::{Backend, Scalar, Shape, TensorMetadata, tensor::FloatTensor};

use crate::report::Decided;

/// Where a coefficient came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// It does not depend on the input.
    Weight,
    /// x₀ chose it.
    Decision,
}

/// A coefficient on a device, or in whatever form a map keeps it, with its origin.
#[derive(Clone, Debug)]
pub struct Coefficient<T> {
    value: T,
    origin: Origin,
}

impl<T> Coefficient<T> {
    /// What does not depend on the input: structure (positions, sizes), or an operand whose lineage
    /// says so.
    pub(crate) fn weight(value: T) -> Self {
        Self {
            value,
            origin: Origin::Weight,
        }
    }

    /// What the op that reported `decided` chose at x₀.
    pub(crate) fn decided(value: T, _decided: &Decided) -> Self {
        Self::carried(value)
    }

    /// What an earlier op chose, and reported: an operand whose lineage says so.
    pub(crate) fn carried(value: T) -> Self {
        Self {
            value,
            origin: Origin::Decision,
        }
    }

    /// Weight or decision.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The numbers.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The numbers.
    pub fn into_value(self) -> T {
        self.value
    }

    /// The same, borrowed.
    pub fn as_ref(&self) -> Coefficient<&T> {
        Coefficient {
            value: &self.value,
            origin: self.origin,
        }
    }

    /// Other numbers made of these alone.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Coefficient<U> {
        Coefficient {
            value: f(self.value),
            origin: self.origin,
        }
    }

    /// Numbers made of two coefficients: a decision if either is.
    pub fn join<U, V>(self, other: Coefficient<U>, f: impl FnOnce(T, U) -> V) -> Coefficient<V> {
        Coefficient {
            value: f(self.value, other.value),
            origin: self.origin.max(other.origin),
        }
    }
}

/// The number c as a weight of the given rank with one element, ready to broadcast.
pub(crate) fn literal<B: Backend>(
    c: f64,
    rank: usize,
    like: &FloatTensor<B>,
) -> Coefficient<FloatTensor<B>> {
    let one = Shape::from(vec![1; rank]);
    let c = Scalar::Float(c);
    Coefficient::weight(B::float_full(one, c, &like.device(), like.dtype().into()))
}

impl<T: TensorMetadata> Coefficient<T> {
    /// Its shape.
    pub fn shape(&self) -> Shape {
        self.value.shape()
    }

    /// Bytes it takes on its device.
    pub(crate) fn bytes(&self) -> usize {
        self.value.shape().num_elements() * self.value.dtype().size()
    }
}
