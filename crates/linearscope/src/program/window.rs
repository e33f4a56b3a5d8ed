//! Locality: a program restricted to boxes of its nodes.
//!
//! Fields of convolutions are small; what lies outside them is zero or does not matter. A window
//! is a program like any other, of the same maps cut to boxes, and exact.

use std::{collections::BTreeMap, sync::Arc};

use burn_backend::Backend;

use super::{Node, NodeId, Operation, Program};
use crate::linear::{Adapt, Cut, LinearMap, Region, Zero};

/// One box for each node of a program; `None` for nodes that take no part.
pub type Regions = Vec<Option<Region>>;

/// A program on boxes of another's nodes.
#[derive(Debug)]
pub struct Window<B: Backend> {
    /// The restricted program.
    pub program: Program<B>,
    /// The box of each input of the whole program, in order; `None`: nothing of it is used.
    pub inputs: Vec<Option<Region>>,
    /// The box of each output of the window.
    pub outputs: Vec<Region>,
}

fn extend(slot: &mut Option<Region>, region: Region) {
    *slot = Some(match slot.take() {
        Some(known) => known.hull(&region),
        None => region,
    });
}

impl<B: Backend> Program<B> {
    /// What outputs in boxes depend on: for each node the box that holds all they need.
    ///
    /// Cost: a few comparisons a node; nothing is computed.
    pub fn fields(&self, to: &[(NodeId, Region)]) -> Regions {
        let mut regions: Regions = vec![None; self.nodes.len()];
        for (id, region) in to {
            extend(&mut regions[id.0], region.clone());
        }
        for (id, node) in self.nodes.iter().enumerate().rev() {
            let Some(region) = regions[id].clone() else {
                continue;
            };
            match &node.operation {
                Operation::Input(_) => {}
                Operation::Map { map, input } => {
                    let field = map.field(self.shape(*input), &node.shape, &region);
                    // What depends on nothing (a border of zeros) still has a place in the graph.
                    let field = match field.is_empty() {
                        true => Region(vec![0..1; self.shape(*input).num_dims()]),
                        false => field,
                    };
                    extend(&mut regions[input.0], field);
                }
                Operation::Source { input, .. } => extend(&mut regions[input.0], region),
                Operation::Sum(terms) => {
                    for (_, of) in terms {
                        extend(&mut regions[of.0], region.clone());
                    }
                }
                Operation::Concat {
                    parts,
                    dim,
                    extents,
                } => {
                    let mut start = 0;
                    for (of, extent) in parts.iter().zip(extents) {
                        let part = part_of(&region, *dim, start, *extent);
                        start += extent;
                        if !part.is_empty() {
                            extend(&mut regions[of.0], part);
                        }
                    }
                }
            }
        }
        regions
    }

    /// What inputs in boxes reach: for each node the box outside which it stays zero.
    ///
    /// Sources are left out of account: this is about F, not r.
    pub fn reaches(&self, from: &[(NodeId, Region)]) -> Regions {
        let mut regions: Regions = vec![None; self.nodes.len()];
        for (id, region) in from {
            extend(&mut regions[id.0], region.clone());
        }
        for (id, node) in self.nodes.iter().enumerate() {
            let region = match &node.operation {
                Operation::Input(_) => continue,
                Operation::Map { map, input } => regions[input.0]
                    .as_ref()
                    .map(|region| map.reach(self.shape(*input), &node.shape, region)),
                Operation::Source { input, .. } => regions[input.0].clone(),
                Operation::Sum(terms) => {
                    let mut sum = None;
                    for (_, of) in terms {
                        if let Some(region) = &regions[of.0] {
                            extend(&mut sum, region.clone());
                        }
                    }
                    sum
                }
                Operation::Concat {
                    parts,
                    dim,
                    extents,
                } => {
                    let (mut joined, mut start) = (None, 0);
                    for (of, extent) in parts.iter().zip(extents) {
                        if let Some(region) = &regions[of.0] {
                            let mut region = region.clone();
                            let along = &mut region.0[*dim];
                            *along = along.start + start..along.end + start;
                            extend(&mut joined, region);
                        }
                        start += extent;
                    }
                    joined
                }
            };
            if let Some(region) = region.filter(|region| !region.is_empty()) {
                extend(&mut regions[id], region);
            }
        }
        regions
    }

    /// The program on these boxes, ending in `outputs` (nodes with a box).
    ///
    /// From [`fields`](Self::fields) it gives F x + r on the boxes of the outputs, for every x cut
    /// to the boxes of the inputs; from [`reaches`](Self::reaches) it gives F x for every x that is
    /// zero outside them. Its coefficients are cut copies; weights are shared.
    ///
    /// # Panics
    /// When an output has no box.
    pub fn window(&self, regions: &Regions, outputs: &[NodeId]) -> Window<B> {
        let mut builder = Builder {
            nodes: Vec::new(),
            at: vec![None; self.nodes.len()],
            template: (Arc::from(""), 0),
        };
        for (id, node) in self.nodes.iter().enumerate() {
            let Some(region) = regions[id].as_ref().filter(|region| !region.is_empty()) else {
                continue;
            };
            builder.template = (node.name.clone(), node.layer);
            let operand = |of: &NodeId| {
                let region = regions[of.0].as_ref().filter(|region| !region.is_empty());
                region.and_then(|region| Some((builder.at[of.0]?, region.clone())))
            };
            let made = match &node.operation {
                Operation::Input(index) => {
                    Some(builder.push(Operation::Input(*index), region, false))
                }
                Operation::Map { map, input } => operand(input).map(|(at, from)| {
                    let cut = Cut {
                        input: self.shape(*input),
                        output: &node.shape,
                        from: &from,
                        to: region,
                    };
                    builder.restricted(map, at, &cut, node.decided)
                }),
                Operation::Source { value, input } => operand(input).map(|(at, from)| {
                    let input = builder.adapted(at, &from, region);
                    let value = region.of_broadcast::<B>(value.clone());
                    builder.push(Operation::Source { value, input }, region, node.decided)
                }),
                Operation::Sum(terms) => {
                    let found: Vec<_> = terms
                        .iter()
                        .filter_map(|(c, of)| Some((*c, operand(of)?)))
                        .collect();
                    let terms: Vec<_> = found
                        .into_iter()
                        .map(|(c, (at, from))| (c, builder.adapted(at, &from, region)))
                        .collect();
                    (!terms.is_empty()).then(|| builder.push(Operation::Sum(terms), region, false))
                }
                Operation::Concat {
                    parts,
                    dim,
                    extents,
                } => {
                    let found: Vec<_> = parts.iter().map(operand).collect();
                    let lent = found.iter().flatten().next().cloned();
                    lent.map(|lent| {
                        let (mut ids, mut sizes, mut start) = (Vec::new(), Vec::new(), 0);
                        for (part, extent) in found.into_iter().zip(extents) {
                            let to = part_of(region, *dim, start, *extent);
                            start += extent;
                            if to.is_empty() {
                                continue;
                            }
                            sizes.push(to.0[*dim].len());
                            ids.push(match part {
                                Some((at, from)) => builder.adapted(at, &from, &to),
                                None => {
                                    let map = Zero::new(&lent.1.shape(), &to.shape());
                                    let input = lent.0;
                                    let map: Arc<dyn LinearMap<B>> = Arc::new(map);
                                    builder.push(Operation::Map { map, input }, &to, false)
                                }
                            });
                        }
                        let concat = Operation::Concat {
                            parts: ids,
                            dim: *dim,
                            extents: sizes,
                        };
                        builder.push(concat, region, false)
                    })
                }
            };
            builder.at[id] = made;
        }
        let ends: Vec<NodeId> = outputs
            .iter()
            .map(|id| builder.at[id.0].expect("an output of a window has a box"))
            .collect();
        let program = Program::new(
            builder.nodes,
            ends,
            self.layers.clone(),
            self.dtype,
            BTreeMap::new(),
        );
        let region = |id: &NodeId| regions[id.0].clone();
        Window {
            program,
            inputs: self.inputs().iter().map(region).collect(),
            outputs: outputs.iter().filter_map(region).collect(),
        }
    }
}

/// The part of a concatenation's box that one part fills, in that part's own coordinates.
fn part_of(region: &Region, dim: usize, start: usize, extent: usize) -> Region {
    let mut part = region.clone();
    let along = &mut part.0[dim];
    let first = along.start.clamp(start, start + extent) - start;
    *along = first..(along.end.clamp(start, start + extent) - start).max(first);
    part
}

/// Nodes of a window as they are made.
struct Builder<B: Backend> {
    nodes: Vec<Node<B>>,
    /// Where each node of the whole program is in the window.
    at: Vec<Option<NodeId>>,
    /// Name and layer of the node being cut.
    template: (Arc<str>, usize),
}

impl<B: Backend> Builder<B> {
    fn push(&mut self, operation: Operation<B>, region: &Region, decided: bool) -> NodeId {
        self.nodes.push(Node {
            operation,
            name: self.template.0.clone(),
            shape: region.shape(),
            layer: self.template.1,
            decided,
        });
        NodeId(self.nodes.len() - 1)
    }

    /// A node on one box, brought to another.
    fn adapted(&mut self, at: NodeId, from: &Region, to: &Region) -> NodeId {
        if from == to {
            return at;
        }
        let map: Arc<dyn LinearMap<B>> = Arc::new(Adapt::new(from, to));
        self.push(Operation::Map { map, input: at }, to, false)
    }

    fn restricted(
        &mut self,
        map: &Arc<dyn LinearMap<B>>,
        at: NodeId,
        cut: &Cut<'_>,
        decided: bool,
    ) -> NodeId {
        let whole = || {
            (
                map.clone(),
                Region::full(cut.input),
                Region::full(cut.output),
            )
        };
        let (map, from, to) = match map.restrict(cut) {
            Some(part) if !part.from.is_empty() && !part.to.is_empty() => {
                (part.map, part.from, part.to)
            }
            _ => whole(),
        };
        let input = self.adapted(at, cut.from, &from);
        let made = self.push(Operation::Map { map, input }, &to, decided);
        self.adapted(made, &to, cut.to)
    }
}
