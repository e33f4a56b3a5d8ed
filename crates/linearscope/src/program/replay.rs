//! Replay: y = F x (+ r) forwards, x = Fᵀ y backwards, for k probes at once.

use burn_backend::{Backend, Shape, Slice, TensorMetadata, tensor::FloatTensor};

use super::{Node, NodeId, Operation, Program};
use crate::linear::batch;

impl<B: Backend> Program<B> {
    /// F x for k probes of every input, `[k, ..input]` each; with `sources`, F x + r.
    ///
    /// Returns `[k, ..output]` for every output. Cost: about k forwards of the network; memory:
    /// the probes alive at once, freed at their last use.
    ///
    /// The shapes are the caller's to check; [`Interpreter`](crate::Interpreter) does.
    pub fn apply(&self, inputs: &[FloatTensor<B>], sources: bool) -> Vec<FloatTensor<B>> {
        let mut values: Vec<Option<FloatTensor<B>>> = vec![None; self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate() {
            let mut operands = self.fetch(&mut values, id, &node.operation.operands());
            let mut one = || operands.pop().expect("this operation has one operand");
            let value = match &node.operation {
                Operation::Input(index) => inputs[*index].clone(),
                Operation::Map { map, .. } => map.apply(one()),
                Operation::Source { value, .. } if sources => {
                    B::float_add(one(), batch::of_one::<B>(value.clone()))
                }
                Operation::Source { .. } => one(),
                Operation::Sum(terms) => operands
                    .into_iter()
                    .zip(terms)
                    .map(|(x, (c, _))| batch::scaled::<B>(x, *c))
                    .reduce(B::float_add)
                    .expect("a sum has terms"),
                Operation::Concat { dim, .. } => B::float_cat(operands, dim + 1),
            };
            values[id] = Some(value);
        }
        self.outputs
            .iter()
            .map(|id| values[id.0].clone().expect("outputs live to the end"))
            .collect()
    }

    /// The operands of node `id`. What it reads for the last time is moved out, so that the
    /// backend may work in place.
    fn fetch(
        &self,
        values: &mut [Option<FloatTensor<B>>],
        id: usize,
        operands: &[NodeId],
    ) -> Vec<FloatTensor<B>> {
        operands
            .iter()
            .enumerate()
            .map(|(i, of)| {
                let last = self.last_use[of.0] == id && !operands[i + 1..].contains(of);
                let slot = &mut values[of.0];
                if last { slot.take() } else { slot.clone() }
                    .expect("operands come first and live to their last use")
            })
            .collect()
    }

    /// Fᵀ y for k cotangents of every output, `[k, ..output]`; `None` stands for zeros.
    ///
    /// Returns `[k, ..input]` for every input, and calls `on_source` with each source the sweep
    /// passes (its node, its constant, the cotangent q there, `[k, ..shape]`): the contribution
    /// of that source to ⟨y, F x + r⟩ is ⟨q, b⟩. Cost: about k forwards.
    pub fn adjoint(
        &self,
        cotangents: &[Option<FloatTensor<B>>],
        mut on_source: impl FnMut(&Node<B>, &FloatTensor<B>, &FloatTensor<B>),
    ) -> Vec<Option<FloatTensor<B>>> {
        let mut pending: Vec<Option<FloatTensor<B>>> = vec![None; self.nodes.len()];
        for (id, cotangent) in self.outputs.iter().zip(cotangents) {
            if let Some(cotangent) = cotangent {
                accumulate::<B>(&mut pending[id.0], cotangent.clone());
            }
        }
        let mut inputs = vec![None; self.inputs()];
        for (id, node) in self.nodes.iter().enumerate().rev() {
            let Some(q) = pending[id].take() else {
                continue;
            };
            match &node.operation {
                Operation::Input(index) => inputs[*index] = Some(q),
                Operation::Map { map, input } => {
                    accumulate::<B>(&mut pending[input.0], map.adjoint(q));
                }
                Operation::Source { value, input } => {
                    on_source(node, value, &q);
                    accumulate::<B>(&mut pending[input.0], q);
                }
                Operation::Sum(terms) => {
                    for (c, of) in terms {
                        let part = batch::scaled::<B>(q.clone(), *c);
                        accumulate::<B>(&mut pending[of.0], part);
                    }
                }
                Operation::Concat {
                    parts,
                    dim,
                    extents,
                } => {
                    let k = q.shape()[0];
                    let mut start = 0;
                    for (of, extent) in parts.iter().zip(extents) {
                        let mut ranges = batch::full_ranges(k, &node.shape);
                        ranges[dim + 1] = Slice::from(start..start + extent);
                        start += extent;
                        accumulate::<B>(
                            &mut pending[of.0],
                            B::float_slice(q.clone(), &ranges),
                        );
                    }
                }
            }
        }
        inputs
    }

    /// How many inputs the program has.
    pub fn inputs(&self) -> usize {
        self.nodes
            .iter()
            .filter(|node| matches!(node.operation, Operation::Input(_)))
            .count()
    }

    /// The shape of input number `index`, without the probe axis.
    pub fn input_shape(&self, index: usize) -> &Shape {
        let node = self
            .nodes
            .iter()
            .find(|node| matches!(node.operation, Operation::Input(i) if i == index));
        &node.expect("the program has this input").shape
    }
}

fn accumulate<B: Backend>(slot: &mut Option<FloatTensor<B>>, x: FloatTensor<B>) {
    *slot = Some(match slot.take() {
        Some(sum) => B::float_add(sum, x),
        None => x,
    });
}
