//! Replay: y = F x (+ r) forwards, x = Fᵀ y backwards, for k probes at once, from any nodes of a
//! program to any others.

use burn_backend::{Backend, Slice, TensorMetadata, tensor::FloatTensor};

use super::{Node, NodeId, Operation, Program};
use crate::linear::{LinearMap, batch};

impl<B: Backend> Program<B> {
    /// Replay forwards: the values of `stops`, given those of `starts`, each `[k, ..shape]`.
    ///
    /// From the inputs to the outputs this is F x, and F x + r with `sources`. With other starts
    /// it is the map from there: a start's own operands are not looked at. Every path back from a
    /// stop must end in a start. Cost: about k forwards of what lies between; memory: the probes
    /// alive at once, freed at their last use.
    ///
    /// The shapes are the caller's to check; [`Interpreter`](crate::Interpreter) does.
    ///
    /// # Panics
    /// When a stop depends on an input that is no start.
    pub fn forward(
        &self,
        starts: &[(NodeId, FloatTensor<B>)],
        stops: &[NodeId],
        sources: bool,
    ) -> Vec<FloatTensor<B>> {
        self.forward_with(starts, stops, |x, _, b| match sources {
            true => B::float_add(x, batch::of_one::<B>(b.clone())),
            false => x,
        })
    }

    /// [`forward`](Self::forward) with what becomes of x at a source left to `at_source`: from x,
    /// `[k, ..shape]`, the node and its constant b.
    pub(super) fn forward_with(
        &self,
        starts: &[(NodeId, FloatTensor<B>)],
        stops: &[NodeId],
        at_source: impl Fn(FloatTensor<B>, &Node<B>, &FloatTensor<B>) -> FloatTensor<B>,
    ) -> Vec<FloatTensor<B>> {
        let started: Vec<NodeId> = starts.iter().map(|(id, _)| *id).collect();
        let last_use = self.last_uses(&started, stops);
        let mut values: Vec<Option<FloatTensor<B>>> = vec![None; self.nodes.len()];
        for (id, x) in starts {
            values[id.0] = Some(x.clone());
        }
        for (id, node) in self.nodes.iter().enumerate() {
            if last_use[id].is_none() || values[id].is_some() {
                continue;
            }
            let mut operands = fetch::<B>(&mut values, &last_use, id, &node.operation.operands());
            let mut one = || operands.pop().expect("this operation has one operand");
            let value = match &node.operation {
                Operation::Input(index) => panic!("input {index} is no start of this replay"),
                Operation::Map { map, .. } => map.apply(one()),
                Operation::Source { value, .. } => at_source(one(), node, value),
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
        stops
            .iter()
            .map(|id| values[id.0].clone().expect("stops live to the end"))
            .collect()
    }

    /// For each node on a path from a start to a stop, the last node that reads it (the number of
    /// nodes for stops); `None` for all others.
    pub(super) fn last_uses(&self, starts: &[NodeId], stops: &[NodeId]) -> Vec<Option<usize>> {
        let mut last_use = vec![None; self.nodes.len()];
        for stop in stops {
            last_use[stop.0] = Some(self.nodes.len());
        }
        for id in (0..self.nodes.len()).rev() {
            if last_use[id].is_some() && !starts.contains(&NodeId(id)) {
                for operand in self.nodes[id].operation.operands() {
                    last_use[operand.0].get_or_insert(id);
                }
            }
        }
        last_use
    }

    /// Replay backwards: the cotangents of `targets`, given those of `seeds`, each `[k, ..shape]`.
    ///
    /// From the outputs to the inputs this is Fᵀ y. Calls `on_source` with each source the sweep
    /// passes: its node, its constant b, and the cotangent q there, `[k, ..shape]`; its
    /// contribution to ⟨y, F x + r⟩ is ⟨q, b⟩. A target that no seed depends on gives `None`.
    /// Cost: about k forwards.
    pub fn backward(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        targets: &[NodeId],
        on_source: impl FnMut(&Node<B>, &FloatTensor<B>, &FloatTensor<B>),
    ) -> Vec<Option<FloatTensor<B>>> {
        self.backward_with(seeds, targets, on_source, |map, q| map.adjoint(q))
    }

    /// [`backward`](Self::backward) as Zeiler and Fergus' deconvolution (*Visualizing and
    /// understanding convolutional networks*, 2014): units let through what is positive on the way
    /// back instead of what x₀ let through on the way forth. Not linear, and no part of F; for
    /// comparison.
    pub fn deconvolution(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        targets: &[NodeId],
    ) -> Vec<Option<FloatTensor<B>>> {
        let through = |map: &dyn LinearMap<B>, q| match map.name() {
            "slopes" => B::relu(q),
            _ => map.adjoint(q),
        };
        self.backward_with(seeds, targets, |_, _, _| {}, through)
    }

    fn backward_with(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        targets: &[NodeId],
        mut on_source: impl FnMut(&Node<B>, &FloatTensor<B>, &FloatTensor<B>),
        through: impl Fn(&dyn LinearMap<B>, FloatTensor<B>) -> FloatTensor<B>,
    ) -> Vec<Option<FloatTensor<B>>> {
        let mut pending: Vec<Option<FloatTensor<B>>> = vec![None; self.nodes.len()];
        for (id, cotangent) in seeds {
            accumulate::<B>(&mut pending[id.0], cotangent.clone());
        }
        for (id, node) in self.nodes.iter().enumerate().rev() {
            if targets.contains(&NodeId(id)) {
                continue;
            }
            let Some(q) = pending[id].take() else {
                continue;
            };
            match &node.operation {
                Operation::Input(_) => {}
                Operation::Map { map, input } => {
                    accumulate::<B>(&mut pending[input.0], through(&**map, q));
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
                    let mut ranges = batch::full_ranges(q.shape()[0], &node.shape);
                    let mut start = 0;
                    for (of, extent) in parts.iter().zip(extents) {
                        ranges[dim + 1] = Slice::from(start..start + extent);
                        start += extent;
                        accumulate::<B>(&mut pending[of.0], B::float_slice(q.clone(), &ranges));
                    }
                }
            }
        }
        targets.iter().map(|id| pending[id.0].take()).collect()
    }
}

/// The operands of node `id`. What it reads for the last time is moved out, so that the backend
/// may work in place.
fn fetch<B: Backend>(
    values: &mut [Option<FloatTensor<B>>],
    last_use: &[Option<usize>],
    id: usize,
    operands: &[NodeId],
) -> Vec<FloatTensor<B>> {
    operands
        .iter()
        .enumerate()
        .map(|(i, of)| {
            let last = last_use[of.0] == Some(id) && !operands[i + 1..].contains(of);
            let slot = &mut values[of.0];
            if last { slot.take() } else { slot.clone() }
                .expect("operands come first and live to their last use")
        })
        .collect()
}

fn accumulate<B: Backend>(slot: &mut Option<FloatTensor<B>>, x: FloatTensor<B>) {
    *slot = Some(match slot.take() {
        Some(sum) => B::float_add(sum, x),
        None => x,
    });
}
