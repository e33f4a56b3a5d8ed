//! The one traversal of a program. How sums, concatenations and sources join what passes is said
//! here; whoever goes along a program, probes, cotangents or boxes, supplies the values only.

use std::{cell::Cell, sync::Arc};

use burn_backend::{Backend, Shape, tensor::FloatTensor};

use super::{Node, NodeIndex, Operation, Program};
use crate::{
    coefficient::Coefficient,
    error::{Place, Result, guarded},
    linear::LinearMap,
};

/// The constant of a source.
pub(super) type Constant<B> = Coefficient<FloatTensor<B>>;

/// The node that a traversal is at.
#[derive(Debug)]
pub(super) struct Here<'a, B: Backend> {
    pub index: NodeIndex,
    pub node: &'a Node<B>,
}

/// Where one part of a concatenation lies: `extent` entries from `start` on, along axis `dim` of the
/// value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Along {
    pub dim: usize,
    pub start: usize,
    pub extent: usize,
}

impl Along {
    /// Parts of these sizes, side by side.
    fn each(dim: usize, extents: &[usize]) -> impl Iterator<Item = Along> {
        extents.iter().scan(0, move |end, &extent| {
            let start = *end;
            *end += extent;
            Some(Along { dim, start, extent })
        })
    }
}

/// What goes forth along a program: from a node's operands to the node.
pub(super) trait Forwards<B: Backend> {
    type Value: Clone;

    /// Input `number`, where it is not a start.
    fn input(&mut self, here: &Here<'_, B>, number: usize) -> Result<Self::Value>;

    /// A x; `from` is the shape of x.
    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        from: &Shape,
        x: Self::Value,
    ) -> Self::Value;

    /// x + b.
    fn source(&mut self, here: &Here<'_, B>, b: &Constant<B>, x: Self::Value) -> Self::Value;

    /// Σ cᵢ xᵢ.
    fn sum(&mut self, here: &Here<'_, B>, terms: Vec<(f64, Self::Value)>) -> Self::Value;

    /// Parts side by side, all along one axis.
    fn concat(&mut self, here: &Here<'_, B>, parts: Vec<(Along, Self::Value)>) -> Self::Value;
}

/// What goes back along a program: from a node to its operands.
pub(super) trait Backwards<B: Backend> {
    type Value: Clone;

    /// All that came to a node, added up.
    fn arrived(&mut self, _here: &Here<'_, B>, _q: &Self::Value) {}

    /// Aᵀ q; `from` is the shape of the result.
    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        from: &Shape,
        q: Self::Value,
    ) -> Result<Self::Value>;

    /// What passes a source b.
    fn source(
        &mut self,
        here: &Here<'_, B>,
        b: &Constant<B>,
        q: Self::Value,
    ) -> Result<Self::Value>;

    /// What goes to the term c x of a sum, x that of node `of`; `size` is Σ |c| over all of them.
    fn term(
        &mut self,
        here: &Here<'_, B>,
        of: NodeIndex,
        c: f64,
        size: f64,
        q: Self::Value,
    ) -> Self::Value;

    /// What goes to one part of a concatenation, if anything does.
    fn part(&mut self, here: &Here<'_, B>, along: Along, q: Self::Value) -> Option<Self::Value>;

    /// What comes to a node from two that read it.
    fn add(&mut self, sum: Self::Value, q: Self::Value) -> Self::Value;
}

impl<B: Backend> Program<B> {
    /// Go forth: the values of `stops`, given those of `starts`.
    ///
    /// A start's own operands are not looked at. A value goes at its last use, moved into the node that
    /// reads it, so that the backend may work in place. A panic below is an error that names the node. The
    /// interrupt is looked at before every node and at the end.
    pub(super) fn forwards<V: Forwards<B>>(
        &self,
        starts: impl IntoIterator<Item = (NodeIndex, V::Value)>,
        stops: &[NodeIndex],
        visitor: &mut V,
    ) -> Result<Vec<V::Value>> {
        let mut values: Vec<Option<V::Value>> = self.nodes.iter().map(|_| None).collect();
        let mut started = Vec::new();
        for (start, x) in starts {
            values[start.0] = Some(x);
            started.push(start);
        }
        let last_use = self.last_uses(&started, stops);
        self.guarded(|at| {
            for (index, node) in self.nodes.iter().enumerate() {
                if last_use[index].is_none() || values[index].is_some() {
                    continue;
                }
                self.interrupt.check()?;
                at.set(index);
                let here = Here {
                    index: NodeIndex(index),
                    node,
                };
                // The operand's value; moved out where nobody reads it again.
                let mut take = |of: NodeIndex, again: bool| {
                    let slot = &mut values[of.0];
                    match last_use[of.0] == Some(index) && !again {
                        true => slot.take(),
                        false => slot.clone(),
                    }
                    .expect("operands come first and live to their last use")
                };
                let value = match &node.operation {
                    Operation::Input(number) => visitor.input(&here, *number)?,
                    Operation::Map { map, input } => {
                        let x = take(*input, false);
                        visitor.map(&here, map, &self.at(*input).shape, x)
                    }
                    Operation::Source { value, input, .. } => {
                        let x = take(*input, false);
                        visitor.source(&here, value, x)
                    }
                    Operation::Sum(terms) => {
                        let again = |i: usize, of| terms[i + 1..].iter().any(|(_, o)| *o == of);
                        let terms = terms.iter().enumerate();
                        let terms = terms.map(|(i, &(c, of))| (c, take(of, again(i, of))));
                        visitor.sum(&here, terms.collect())
                    }
                    Operation::Concat {
                        parts,
                        dim,
                        extents,
                    } => {
                        let again = |i: usize, of| parts[i + 1..].contains(of);
                        let values = parts.iter().enumerate();
                        let values = values.map(|(i, of)| take(*of, again(i, of)));
                        let parts = Along::each(*dim, extents).zip(values);
                        visitor.concat(&here, parts.collect())
                    }
                };
                values[index] = Some(value);
            }
            // What the last node made may be cut short.
            self.interrupt.check()
        })?;
        let value = |stop: &NodeIndex| values[stop.0].clone().expect("stops live to the end");
        Ok(stops.iter().map(value).collect())
    }

    /// Go back: what `seeds` send to `targets`, on the nodes that `passes` holds for; `None` where
    /// nothing arrives. What comes to a target does not go on.
    ///
    /// A value goes when it has been sent on. A panic below is an error that names the node. The interrupt
    /// is looked at before every node and at the end.
    pub(super) fn backwards<V: Backwards<B>>(
        &self,
        seeds: impl IntoIterator<Item = (NodeIndex, V::Value)>,
        targets: &[NodeIndex],
        passes: &[bool],
        visitor: &mut V,
    ) -> Result<Vec<Option<V::Value>>> {
        let mut pending: Vec<Option<V::Value>> = self.nodes.iter().map(|_| None).collect();
        let mut is_target = vec![false; self.nodes.len()];
        for target in targets {
            is_target[target.0] = true;
        }
        self.guarded(|at| {
            for (seed, q) in seeds {
                at.set(seed.0);
                add(visitor, &mut pending[seed.0], q);
            }
            for (index, node) in self.nodes.iter().enumerate().rev() {
                if is_target[index] || !passes[index] {
                    continue;
                }
                let Some(q) = pending[index].take() else {
                    continue;
                };
                self.interrupt.check()?;
                at.set(index);
                let here = Here {
                    index: NodeIndex(index),
                    node,
                };
                visitor.arrived(&here, &q);
                match &node.operation {
                    Operation::Input(_) => {}
                    Operation::Map { map, input } => {
                        let q = visitor.map(&here, map, &self.at(*input).shape, q)?;
                        add(visitor, &mut pending[input.0], q);
                    }
                    Operation::Source { value, input, .. } => {
                        let q = visitor.source(&here, value, q)?;
                        add(visitor, &mut pending[input.0], q);
                    }
                    Operation::Sum(terms) => {
                        let size = terms.iter().map(|(c, _)| c.abs()).sum();
                        let going = terms.iter().filter(|(_, of)| passes[of.0]);
                        for (&(c, of), q) in with_each(going, q) {
                            let q = visitor.term(&here, of, c, size, q);
                            add(visitor, &mut pending[of.0], q);
                        }
                    }
                    Operation::Concat {
                        parts,
                        dim,
                        extents,
                    } => {
                        let parts = parts.iter().zip(Along::each(*dim, extents));
                        let going = parts.filter(|(of, _)| passes[of.0]);
                        for ((of, along), q) in with_each(going, q) {
                            if let Some(q) = visitor.part(&here, along, q) {
                                add(visitor, &mut pending[of.0], q);
                            }
                        }
                    }
                }
            }
            self.interrupt.check()
        })?;
        Ok(targets.iter().map(|at| pending[at.0].clone()).collect())
    }

    /// For each node on a path from a start to a stop, the last node that reads it (the number of
    /// nodes for stops); `None` for all others.
    pub(super) fn last_uses(
        &self,
        starts: &[NodeIndex],
        stops: &[NodeIndex],
    ) -> Vec<Option<usize>> {
        let mut last_use = vec![None; self.nodes.len()];
        for stop in stops {
            last_use[stop.0] = Some(self.nodes.len());
        }
        let mut started = vec![false; self.nodes.len()];
        for start in starts {
            started[start.0] = true;
        }
        for index in (0..self.nodes.len()).rev() {
            if last_use[index].is_some() && !started[index] {
                for operand in self.nodes[index].operation.operands() {
                    last_use[operand.0].get_or_insert(index);
                }
            }
        }
        last_use
    }

    /// Which nodes depend on any of these; each depends on itself.
    pub(super) fn dependants(&self, on: &[NodeIndex]) -> Vec<bool> {
        let mut depends = vec![false; self.nodes.len()];
        for node in on {
            depends[node.0] = true;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            depends[index] |= node.operation.operands().any(|of| depends[of.0]);
        }
        depends
    }

    /// `work` as an error that names the node it is at, should Burn panic there.
    fn guarded(&self, work: impl FnOnce(&Cell<usize>) -> Result<()>) -> Result<()> {
        let at = Cell::new(0);
        let place = || {
            let node = self.nodes.get(at.get());
            node.map_or_else(Place::default, |node| Place {
                node: node.name.to_string(),
                op: node.operation.name().into(),
            })
        };
        guarded(place, || work(&at))?
    }
}

fn add<B: Backend, V: Backwards<B>>(visitor: &mut V, slot: &mut Option<V::Value>, q: V::Value) {
    *slot = Some(match slot.take() {
        Some(sum) => visitor.add(sum, q),
        None => q,
    });
}

/// Every item with a copy of q, the last one with q itself.
fn with_each<T, Q: Clone>(
    items: impl IntoIterator<Item = T>,
    q: Q,
) -> impl Iterator<Item = (T, Q)> {
    let mut items = items.into_iter().peekable();
    let mut left = Some(q);
    std::iter::from_fn(move || {
        let item = items.next()?;
        let q = match items.peek() {
            Some(_) => left.clone(),
            None => left.take(),
        };
        Some((item, q.expect("it goes with the last item")))
    })
}
