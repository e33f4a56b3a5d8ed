//! Which decisions differ between two programs of one network.

use std::sync::Arc;

use burn_backend::Backend;

use super::{Node, NodeIndex, Operation, Program};
use crate::{
    error::{Error, Result},
    linear::{Choice, Chosen, LinearMap, Structure},
};

/// One non-linear unit layer, and how many of its decisions are others at the other x₀.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The network node.
    pub name: Arc<str>,
    /// Its layer, see [`Program::layers`].
    pub layer: usize,
    /// What decides: `slope_mask`, `switches`, …
    pub kind: &'static str,
    /// How many units there are.
    pub units: usize,
    /// How many decided otherwise.
    pub flipped: usize,
}

/// Two programs are not of one network: at which node, and why.
pub(super) fn differ(node: &str, because: String) -> Error {
    let node = node.into();
    Error::ProgramsDiffer { node, because }
}

impl<B: Backend> Program<B> {
    /// Compare every choice among finitely many with the one that the same unit made in `other`, a
    /// program of the same network by the same rules: the slope of a ReLU, the winner of a pool or
    /// of a maximum, the order of a sort, which of two tensors was taken. One entry a node, in the
    /// network's order.
    ///
    /// Gains of smooth units and statistics of norms are no choices: they change by degrees, and are
    /// not counted. A clip counts as flipped when it enters or leaves its linear part; from one
    /// plateau to the other it keeps slope 0 and is not counted.
    ///
    /// Cost: a pass over the stored decisions; indices that live on the device are read back.
    ///
    /// # Errors
    /// [`Error::ProgramsDiffer`] where the two are not of one network; [`Error::GeneralMap`] for a map
    /// that may or may not have chosen; [`Error::Data`].
    pub fn flips(&self, other: &Self) -> Result<Vec<Flip>> {
        self.as_long_as(other)?;
        let again = self.said_again(other)?;
        let mut flips = Vec::new();
        for (id, (a, b)) in self.nodes.iter().zip(&other.nodes).enumerate() {
            let (was, is) = (a.operation.name(), b.operation.name());
            if a.name != b.name || was != is || a.shape != b.shape {
                let text = |name: &str, operation: &str, shape: &[usize]| {
                    format!("{operation} of \"{name}\" with shape {shape:?}")
                };
                let because = format!(
                    "one has {}, the other {}",
                    text(&a.name, was, &a.shape),
                    text(&b.name, is, &b.shape)
                );
                return Err(differ(&a.name, because));
            }
            let (Operation::Map { map: before, .. }, Operation::Map { map: after, .. }) =
                (&a.operation, &b.operation)
            else {
                continue;
            };
            let (before, after) = (chosen(a, &**before)?, chosen(b, &**after)?);
            let (Some(before), Some(after)) = (before, after) else {
                continue;
            };
            if again.contains(&NodeIndex(id)) {
                continue;
            }
            let (units, others) = (before.units(), after.units());
            let flipped = before.differing(&after).ok_or_else(|| {
                differ(
                    &a.name,
                    format!("one has {units} units, the other {others}"),
                )
            })?;
            flips.push(Flip {
                name: a.name.clone(),
                layer: a.layer,
                kind: was,
                units,
                flipped,
            });
        }
        Ok(flips)
    }

    /// Whether two programs have as many nodes.
    pub(super) fn as_long_as(&self, other: &Self) -> Result<()> {
        match (self.nodes.len(), other.nodes.len()) {
            (a, b) if a == b => Ok(()),
            (a, b) => Err(differ("", format!("one has {a} nodes, the other {b}"))),
        }
    }

    /// Nodes that chose nothing new: a choice between two tensors is a sum of two masks, and what one lets
    /// through the other keeps back, in both programs.
    fn said_again(&self, other: &Self) -> Result<Vec<NodeIndex>> {
        let mut again = Vec::new();
        for node in &self.nodes {
            let Operation::Sum(terms) = &node.operation else {
                continue;
            };
            for (i, (_, second)) in terms.iter().enumerate() {
                for (_, first) in &terms[..i] {
                    let opposed = |program: &Self| -> Result<bool> {
                        let (a, b) = (program.choice_at(*first)?, program.choice_at(*second)?);
                        Ok(a.is_some_and(|a| b.is_some_and(|b| a.opposes(&b))))
                    };
                    if opposed(self)? && opposed(other)? {
                        again.push(*second);
                    }
                }
            }
        }
        Ok(again)
    }

    fn choice_at(&self, id: NodeIndex) -> Result<Option<Chosen<'_>>> {
        let Some(Operation::Map { map, .. }) = self.nodes.get(id.0).map(|node| &node.operation)
        else {
            return Ok(None);
        };
        map.structure().choice().map_or(Ok(None), Choice::chosen)
    }
}

/// What a map chose at x₀ among finitely many.
fn chosen<'a, B: Backend>(node: &Node<B>, map: &'a dyn LinearMap<B>) -> Result<Option<Chosen<'a>>> {
    match map.structure() {
        Structure::General => Err(node.unknown("a comparison of decisions")),
        known => known.choice().map_or(Ok(None), Choice::chosen),
    }
}
