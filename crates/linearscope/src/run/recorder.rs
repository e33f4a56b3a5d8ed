//! The recording sink: maps and sources become nodes of a program, small.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use burn_backend::{
    Backend, DType, Shape, TensorMetadata,
    tensor::{Device, FloatTensor},
};

use super::noise::{Noise, roundoff};
use crate::{
    error::{Error, Result},
    linear::recorded_form,
    program::{Node, NodeIndex, Operation, Program},
};

/// An operation with its choices in few bits, as far as they can be kept so on a device.
///
/// # Errors
/// [`Error::Data`].
pub(super) fn small<B: Backend>(
    operation: Operation<B>,
    device: Option<&Device<B>>,
) -> Result<Operation<B>> {
    match (operation, device) {
        (Operation::Map { map, input }, Some(device)) => Ok(Operation::Map {
            map: recorded_form(map, device)?,
            input,
        }),
        (operation, _) => Ok(operation),
    }
}

/// The nodes so far.
#[derive(Debug)]
pub(super) struct Recorder<B: Backend> {
    /// Where probes will be.
    device: Option<Device<B>>,
    nodes: Vec<Node<B>>,
    layers: Vec<Arc<str>>,
    /// The noise of the latest input, and the input.
    x0: Option<(Noise, FloatTensor<B>)>,
    decision_bytes: usize,
    budget: usize,
    /// The rounding noise of each node, where the run asks for it; `None` for a node of which nothing is
    /// known.
    noise: Option<Vec<Option<Noise>>>,
}

/// Nothing that could panic is done under the lock.
pub(super) fn locked<B: Backend>(recorder: &Mutex<Recorder<B>>) -> MutexGuard<'_, Recorder<B>> {
    recorder.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B: Backend> Recorder<B> {
    pub(super) fn new(budget: usize, noise: bool) -> Self {
        Self {
            device: None,
            nodes: Vec::new(),
            layers: vec!["input".into()],
            x0: None,
            decision_bytes: 0,
            budget,
            noise: noise.then(Vec::new),
        }
    }

    pub(super) fn work_on(&mut self, device: Device<B>) {
        self.device = Some(device);
    }

    pub(super) fn device(&self) -> Option<Device<B>> {
        self.device.clone()
    }

    pub(super) fn open_layer(&mut self, name: Arc<str>) -> usize {
        self.layers.push(name);
        self.layers.len() - 1
    }

    /// One more node.
    ///
    /// # Errors
    /// [`Error::Memory`] when the decisions outgrow their budget.
    pub(super) fn append(
        &mut self,
        operation: Operation<B>,
        name: Arc<str>,
        shape: &Shape,
        layer: usize,
    ) -> Result<NodeIndex> {
        self.decision_bytes += operation.stored().unwrap_or_default().decisions.bytes;
        if self.decision_bytes > self.budget {
            return Err(Error::Memory {
                what: "a replay".into(),
                budget: self.budget,
            });
        }
        if let Some(mut noise) = self.noise.take() {
            noise.push(self.noise_of(&noise, &operation, shape)?);
            self.noise = Some(noise);
        }
        self.nodes.push(Node {
            operation,
            name,
            shape: shape.clone(),
            layer,
        });
        Ok(NodeIndex(self.nodes.len() - 1))
    }

    /// x₀ of the input that comes next is exact.
    pub(super) fn exact(&mut self, x0: &FloatTensor<B>) -> Result<()> {
        if self.noise.is_some() {
            self.x0 = Some((Noise::of_input::<B>(x0)?, x0.clone()));
        }
        Ok(())
    }

    /// The noise of a node's value, if it is known.
    pub(super) fn noise(&mut self, at: NodeIndex) -> Option<&mut Noise> {
        self.noise.as_mut()?.get_mut(at.0)?.as_mut()
    }

    /// What an operation makes of the noise of its operands.
    fn noise_of(
        &self,
        known: &[Option<Noise>],
        operation: &Operation<B>,
        shape: &Shape,
    ) -> Result<Option<Noise>> {
        let Some((exact, x0)) = &self.x0 else {
            return Ok(None);
        };
        let u2 = roundoff(x0.dtype());
        let of = |at: &NodeIndex| known[at.0].as_ref();
        Ok(match operation {
            Operation::Input(_) => Some(exact.clone()),
            Operation::Map { map, input } => match of(input) {
                Some(noise) => noise.through(&**map, &self.nodes[input.0].shape, shape, u2, x0)?,
                None => None,
            },
            Operation::Source { value, input, .. } => match of(input) {
                Some(noise) => Some(noise.plus::<B>(value, shape, u2)?),
                None => None,
            },
            Operation::Sum(terms) => {
                let terms: Option<Vec<_>> =
                    terms.iter().map(|(c, at)| Some((*c, of(at)?))).collect();
                terms.map(|terms| Noise::sum(&terms, u2))
            }
            Operation::Concat {
                parts,
                dim,
                extents,
            } => {
                let parts: Option<Vec<_>> = parts.iter().map(of).collect();
                parts.map(|parts| Noise::concat(&parts, *dim, extents))
            }
        })
    }

    /// The program that ends in `outputs`; the recorder is empty afterwards.
    pub(super) fn finish(
        &mut self,
        outputs: Vec<NodeIndex>,
        dtype: DType,
        places: BTreeMap<Arc<str>, NodeIndex>,
    ) -> Program<B> {
        let nodes = std::mem::take(&mut self.nodes);
        Program::new(
            nodes,
            outputs,
            std::mem::take(&mut self.layers),
            dtype,
            places,
        )
    }
}
