//! The decorator's primitives: `{ value, lineage }`.
//!
//! A float tensor carries its value on the inner backend and says how it relates to the input of
//! the current run: not at all (a *constant*), by decisions only, or linearly (*probed*). Int and
//! bool tensors never carry a probe; they remember whether they came from a probed tensor.

use std::sync::Arc;

use burn_backend::{Backend, DType, Shape, TensorMetadata, tensor::FloatTensor};

use crate::scope::{Probe, Scope};

/// How a tensor depends on the input of the current run.
#[derive(Clone, Debug)]
pub enum Lineage<B: Backend> {
    /// It does not: a weight, a literal.
    Constant,
    /// Through decisions only: frozen at x₀, hence a constant of the affine system.
    Decision(Arc<Scope<B>>),
    /// Linearly: a probe runs along.
    Probed(Probe<B>),
}

impl<B: Backend> Lineage<B> {
    /// The run this tensor belongs to, if it depends on it at all.
    pub fn scope(&self) -> Option<&Arc<Scope<B>>> {
        match self {
            Lineage::Constant => None,
            Lineage::Decision(scope) => Some(scope),
            Lineage::Probed(probe) => Some(probe.scope()),
        }
    }

    /// The same dependence with the linear part forgotten.
    pub fn frozen(&self) -> Self {
        match self {
            Lineage::Probed(probe) => Lineage::Decision(probe.scope().clone()),
            other => other.clone(),
        }
    }
}

/// Float primitive of [`LinearScope`](crate::LinearScope): the value f(x₀) on the inner backend,
/// and what the probes make of it.
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

    /// A tensor with a probe beside it.
    pub fn probed(value: FloatTensor<B>, probe: Probe<B>) -> Self {
        Self {
            value,
            lineage: Lineage::Probed(probe),
        }
    }

    /// The same as a gate, if it is probed.
    pub(crate) fn gate(self) -> Self {
        let lineage = match self.lineage {
            Lineage::Probed(probe) => Lineage::Probed(probe.gate()),
            lineage => lineage,
        };
        Self { lineage, ..self }
    }

    /// The value on the inner backend, bit-equal to what the inner backend alone computes.
    pub fn into_value(self) -> FloatTensor<B> {
        self.value
    }

    /// The probe, if this tensor depends linearly on the input.
    pub fn probe(&self) -> Option<&Probe<B>> {
        match &self.lineage {
            Lineage::Probed(probe) => Some(probe),
            _ => None,
        }
    }

    /// How this tensor depends on the input.
    pub fn lineage(&self) -> &Lineage<B> {
        &self.lineage
    }

    /// Value and lineage as an op may use them: while the run is in a reference-only node (norm
    /// statistics, gates) probes are invisible.
    pub(crate) fn open(self) -> (FloatTensor<B>, Lineage<B>) {
        let lineage = match self.lineage {
            Lineage::Probed(probe) if probe.scope().reads_reference_only() => {
                Lineage::Decision(probe.scope().clone())
            }
            other => other,
        };
        (self.value, lineage)
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

/// Int, bool or quantized primitive of [`LinearScope`](crate::LinearScope).
///
/// A float made from one that came from a probed tensor is a *decision source*.
#[derive(Clone, Debug)]
pub struct Tracked<B: Backend, T> {
    pub(crate) value: T,
    /// The run whose probed tensor this was read from.
    pub(crate) origin: Option<Arc<Scope<B>>>,
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
