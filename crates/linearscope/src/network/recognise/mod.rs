//! The recogniser: finds what Burn and exporters decompose into single ops.
//!
//! - [`norm`]: instance, group, layer, RMS and L2 norms, local response norms, Lp norms. Their ops
//!   get a [`Role`]; those that begin a statistic run on the reference only.
//! - [`chain`]: pointwise functions of one tensor made of several ops (softplus, mish, the tanh form
//!   of gelu…), and [`softmax`], written out. They become [`Composite`]s: the ops run on the reference
//!   only, and the whole function is frozen at its exit.
//!
//! No value is computed differently, so y₀ stays untouched. Nobody else may read the inner tensors of
//! what is recognised, and none may be an output of the network: what is frozen inside would be
//! frozen for that reader too.

mod chain;
mod entrywise;
mod graph;
mod norm;
mod softmax;

use std::collections::BTreeMap;

use burn_backend::TensorData;
use burn_ir::{OperationIr, TensorId, TensorIr};

use super::{Role, Step};
use crate::rules::composite::Function;
use graph::Graph;

/// What a composite is as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Whole {
    /// A pointwise function.
    Pointwise(Function),
    /// softmax along an axis.
    Softmax(usize),
    /// log softmax along an axis.
    LogSoftmax(usize),
}

/// A function of one tensor, made of several ops.
#[derive(Clone, Debug)]
pub(crate) struct Composite {
    /// The tensor it is a function of.
    pub entry: TensorIr,
    /// The tensor it makes.
    pub exit: TensorId,
    /// Its ops, in the order they run.
    pub operations: Vec<OperationIr>,
    /// The constants they read: tensors that hold one number.
    pub constants: Vec<(TensorIr, f64)>,
    /// The weights these come from.
    pub weights: Vec<TensorId>,
    /// What they make together.
    pub whole: Whole,
}

/// What was found in a network.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recognised {
    /// How many norms.
    pub norms: usize,
    /// Functions of one tensor; a step's [`Role::Member`] counts into these.
    pub composites: Vec<Composite>,
}

/// Give every op its role.
pub(super) fn recognise(
    steps: &mut [Step],
    weights: &BTreeMap<TensorId, TensorData>,
    inputs: &[TensorId],
    outputs: &[TensorId],
) -> Recognised {
    let graph = Graph::new(steps, weights, inputs, outputs);
    let mut roles = vec![Role::Plain; steps.len()];
    let norms = norm::norms(&graph, &mut roles);
    let mut composites = Vec::new();
    softmax::softmaxes(&graph, &mut roles, &mut composites);
    chain::chains(&graph, &mut roles, &mut composites);
    for (step, role) in steps.iter_mut().zip(roles) {
        step.role = role;
    }
    Recognised { norms, composites }
}
