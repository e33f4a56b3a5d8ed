//! The decorator's primitives: `{ value, lineage }`.
//!
//! A float tensor carries its value on the inner backend and says how it relates to the input of
//! the current run: not at all (a *constant*), by decisions only, or linearly (*traced*). Int and
//! bool tensors are never traced; they remember whether they came from a traced tensor. What an op
//! makes of its operands' lineages is decided in [`open`](super::open) alone.

use std::sync::Arc;

use burn_backend::{Backend, DType, Shape, TensorMetadata, tensor::FloatTensor};

use super::{Run, Tracer};

/// How a tensor depends on the input of the current run.
#[derive(Clone, Debug)]
pub enum Lineage<B: Backend> {
    /// It does not: a weight, a literal.
    Constant,
    /// Through decisions only: fixed at x₀, hence a constant of the affine system.
    Decision(Arc<Run<B>>),
    /// Linearly: a tracer runs along.
    Traced(Tracer<B>),
}

impl<B: Backend> Lineage<B> {
    /// The run this tensor belongs to, if it depends on it at all.
    pub fn run(&self) -> Option<&Arc<Run<B>>> {
        match self {
            Lineage::Constant => None,
            Lineage::Decision(run) => Some(run),
            Lineage::Traced(tracer) => Some(tracer.run()),
        }
    }
}

/// Float primitive of [`LinearScope`](crate::LinearScope): the value f(x₀) on the inner backend,
/// and how it depends on the input.
#[derive(Clone, Debug)]
pub struct ScopeTensor<B: Backend> {
    pub(crate) value: FloatTensor<B>,
    pub(crate) lineage: Lineage<B>,
}

impl<B: Backend> ScopeTensor<B> {
    /// A tensor that does not depend on the input.
    pub fn constant(value: FloatTensor<B>) -> Self {
        Self {
            value,
            lineage: Lineage::Constant,
        }
    }

    /// A tensor with a tracer alongside it.
    pub fn traced(value: FloatTensor<B>, tracer: Tracer<B>) -> Self {
        Self {
            value,
            lineage: Lineage::Traced(tracer),
        }
    }

    /// The value on the inner backend, bit-equal to what the inner backend alone computes.
    pub fn into_value(self) -> FloatTensor<B> {
        self.value
    }

    /// The tracer, if this tensor depends linearly on the input.
    pub fn tracer(&self) -> Option<&Tracer<B>> {
        match &self.lineage {
            Lineage::Traced(tracer) => Some(tracer),
            _ => None,
        }
    }

    /// How this tensor depends on the input.
    pub fn lineage(&self) -> &Lineage<B> {
        &self.lineage
    }
}

impl<B: Backend> TensorMetadata for ScopeTensor<B> {
    type Device = B::Device;

    fn dtype(&self) -> DType {
        self.value.dtype()
    }
    fn shape(&self) -> Shape {
        self.value.shape()
    }
    fn device(&self) -> Self::Device {
        self.value.device()
    }
    fn can_mut(&self) -> bool {
        self.value.can_mut()
    }
}

/// Int, bool or quantised primitive of [`LinearScope`](crate::LinearScope).
///
/// A float made from one that came from a traced tensor is a decision.
#[derive(Clone, Debug)]
pub struct Tracked<B: Backend, T> {
    pub(crate) value: T,
    /// The run whose traced tensor this was read from.
    pub(crate) origin: Option<Arc<Run<B>>>,
}

impl<B: Backend, T> Tracked<B, T> {
    /// A tensor that does not depend on the input.
    pub fn constant(value: T) -> Self {
        Self {
            value,
            origin: None,
        }
    }

    /// The value on the inner backend.
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<B: Backend, T: TensorMetadata<Device = B::Device>> TensorMetadata for Tracked<B, T> {
    type Device = B::Device;

    fn dtype(&self) -> DType {
        self.value.dtype()
    }
    fn shape(&self) -> Shape {
        self.value.shape()
    }
    fn device(&self) -> Self::Device {
        self.value.device()
    }
    fn can_mut(&self) -> bool {
        self.value.can_mut()
    }
}
