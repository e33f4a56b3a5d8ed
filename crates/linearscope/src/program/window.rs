//! Windows: a program restricted to boxes of its nodes.
//!
//! Fields of convolutions are small; what lies outside them is zero or does not matter. A window
//! is a program like any other, of the same maps cut to boxes, and exact.

use std::{collections::BTreeMap, sync::Arc};

use burn_backend::{Backend, Shape};

use super::{
    Node, NodeId, NodeIndex, Operation, Program, Regions,
    regions::part_of,
    traverse::{Along, Constant, Forwards, Here},
};
use crate::{
    error::{Error, Result},
    linear::{Adapt, Cut, LinearMap, Region, Zero},
};

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

impl<B: Backend> Program<B> {
    /// The program on these boxes, ending in `outputs` (nodes with a box).
    ///
    /// From [`fields`](Self::fields) it gives F x + r on the boxes of the outputs, for every x cut
    /// to the boxes of the inputs; from [`reaches`](Self::reaches) it gives F x for every x that is
    /// zero outside them. Its coefficients are cut copies; weights are shared.
    ///
    /// # Errors
    /// [`Error::ForeignNode`] for nodes or boxes of another program; [`Error::Question`] when an
    /// output has no box; [`Error::Panicked`].
    pub fn window(&self, regions: &Regions, outputs: &[NodeId]) -> Result<Window<B>> {
        let mut builder = Builder {
            regions: self.own(regions)?,
            nodes: Vec::new(),
        };
        let all: Vec<_> = (0..self.nodes.len()).map(NodeIndex).collect();
        let made = self.forwards([], &all, &mut builder)?;
        let mut ends = Vec::with_capacity(outputs.len());
        let mut boxes = Vec::with_capacity(outputs.len());
        for id in outputs {
            let at = self.index(*id)?;
            let (end, region) = made[at.0].ok_or_else(|| {
                Error::Question(format!(
                    "a window cannot end at \"{}\", which is not part of the window",
                    self.at(at).name
                ))
            })?;
            ends.push(end);
            boxes.push(region.clone());
        }
        let program = Program::new(
            builder.nodes,
            ends,
            self.layers.clone(),
            self.dtype,
            BTreeMap::new(),
        )
        .with_interrupt(&self.interrupt);
        let inputs = self.inputs.iter();
        let inputs = inputs.map(|id| regions.of(*id).map(Option::<&Region>::cloned));
        Ok(Window {
            program,
            inputs: inputs.collect::<Result<_>>()?,
            outputs: boxes,
        })
    }
}

/// A node of the window with its box; `None` where nothing passes.
type Made<'r> = Option<(NodeIndex, &'r Region)>;

/// Nodes of a window as they are made.
struct Builder<'r, B: Backend> {
    /// The box of each node of the whole program; none is empty.
    regions: Vec<Option<&'r Region>>,
    nodes: Vec<Node<B>>,
}

impl<'r, B: Backend> Forwards<B> for Builder<'r, B> {
    type Value = Made<'r>;

    fn input(&mut self, here: &Here<'_, B>, number: usize) -> Result<Made<'r>> {
        Ok(self.regions[here.index.0].map(|region| {
            let input = self.push(here, Operation::Input(number), region);
            (input, region)
        }))
    }

    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        from: &Shape,
        x: Made<'r>,
    ) -> Made<'r> {
        let region = self.regions[here.index.0]?;
        let (at, own) = x?;
        let cut = Cut {
            input: from,
            output: &here.node.shape,
            from: own,
            to: region,
        };
        Some((self.restricted(here, map, at, &cut), region))
    }

    fn source(&mut self, here: &Here<'_, B>, b: &Constant<B>, x: Made<'r>) -> Made<'r> {
        let region = self.regions[here.index.0]?;
        let (at, from) = x?;
        let input = self.adapted(here, at, from, region);
        let value = b.clone().map(|b| region.of_broadcast::<B>(b));
        let Operation::Source { kind, .. } = here.node.operation else {
            unreachable!("only sources come here")
        };
        let source = Operation::Source { value, kind, input };
        Some((self.push(here, source, region), region))
    }

    fn sum(&mut self, here: &Here<'_, B>, terms: Vec<(f64, Made<'r>)>) -> Made<'r> {
        let region = self.regions[here.index.0]?;
        let found = terms.into_iter().filter_map(|(c, x)| Some((c, x?)));
        let terms: Vec<_> = found
            .map(|(c, (at, from))| (c, self.adapted(here, at, from, region)))
            .collect();
        if terms.is_empty() {
            return None;
        }
        Some((self.push(here, Operation::Sum(terms), region), region))
    }

    fn concat(&mut self, here: &Here<'_, B>, parts: Vec<(Along, Made<'r>)>) -> Made<'r> {
        let region = self.regions[here.index.0]?;
        let dim = parts[0].0.dim;
        // What lends its place to parts that are zero.
        let (lent, lent_region) = parts.iter().find_map(|(_, x)| *x)?;
        let (mut indices, mut sizes) = (Vec::new(), Vec::new());
        for (along, x) in parts {
            let to = part_of(region, along);
            if to.is_empty() {
                continue;
            }
            sizes.push(to.0[dim].len());
            indices.push(match x {
                Some((at, from)) => self.adapted(here, at, from, &to),
                None => {
                    let map = Zero::new(&lent_region.shape(), &to.shape());
                    let map: Arc<dyn LinearMap<B>> = Arc::new(map);
                    let zero = Operation::Map { map, input: lent };
                    self.push(here, zero, &to)
                }
            });
        }
        let concat = Operation::Concat {
            parts: indices,
            dim,
            extents: sizes,
        };
        Some((self.push(here, concat, region), region))
    }
}

impl<B: Backend> Builder<'_, B> {
    /// A node named after the one being cut.
    fn push(&mut self, here: &Here<'_, B>, operation: Operation<B>, region: &Region) -> NodeIndex {
        self.nodes.push(Node {
            operation,
            name: here.node.name.clone(),
            shape: region.shape(),
            layer: here.node.layer,
        });
        NodeIndex(self.nodes.len() - 1)
    }

    /// A node on one box, brought to another.
    fn adapted(
        &mut self,
        here: &Here<'_, B>,
        at: NodeIndex,
        from: &Region,
        to: &Region,
    ) -> NodeIndex {
        if from == to {
            return at;
        }
        let map: Arc<dyn LinearMap<B>> = Arc::new(Adapt::new(from, to));
        self.push(here, Operation::Map { map, input: at }, to)
    }

    fn restricted(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        at: NodeIndex,
        cut: &Cut<'_>,
    ) -> NodeIndex {
        let (all_of_input, all_of_output) = (Region::full(cut.input), Region::full(cut.output));
        // Nothing to cut: the map as it is, with the form it replays in and what it keeps expanded.
        if *cut.from == all_of_input && *cut.to == all_of_output {
            let whole = Operation::Map {
                map: map.clone(),
                input: at,
            };
            return self.push(here, whole, cut.to);
        }
        let whole = || (map.clone(), all_of_input, all_of_output);
        let (map, from, to) = match map.structure().locality().and_then(|map| map.restrict(cut)) {
            Some(part) if !part.from.is_empty() && !part.to.is_empty() => {
                (part.map, part.from, part.to)
            }
            _ => whole(),
        };
        let input = self.adapted(here, at, cut.from, &from);
        let made = self.push(here, Operation::Map { map, input }, &to);
        self.adapted(here, made, &to, cut.to)
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::{DType, TensorData, ops::FloatTensorOps};
    use burn_flex::{Flex, FlexDevice};

    use super::*;
    use crate::linear;

    /// A window that covers a map shares it, prepared and expanded as it is; a smaller one cuts it.
    #[test]
    fn what_is_not_cut_is_shared() {
        let gains = TensorData::new(vec![1.0, 2.0, 3.0, 4.0], [4]);
        let gain = linear::gain::<Flex>(Flex::float_from_data(gains, &FlexDevice));
        let gain: Arc<dyn LinearMap<Flex>> = Arc::from(gain);
        let node = |operation| Node {
            operation,
            name: "node".into(),
            shape: Shape::from(vec![4]),
            layer: 0,
        };
        let map = Operation::Map {
            map: gain.clone(),
            input: NodeIndex(0),
        };
        let nodes = vec![node(Operation::Input(0)), node(map)];
        let outputs = vec![NodeIndex(1)];
        let program = Program::new(nodes, outputs, vec![], DType::F64, BTreeMap::new());
        let output = program.outputs()[0];
        for (part, shared) in [(0..4, true), (1..3, false)] {
            let regions = program.fields(&[(output, Region(vec![part.clone()]))]);
            let window = program.window(&regions.expect("boxes"), &[output]);
            let window = window.expect("a window").program;
            let maps = window.nodes().iter().filter_map(|n| match &n.operation {
                Operation::Map { map, .. } => Some(map),
                _ => None,
            });
            let same: Vec<bool> = maps.map(|map| Arc::ptr_eq(map, &gain)).collect();
            assert_eq!(same, [shared], "{part:?}");
        }
    }
}
