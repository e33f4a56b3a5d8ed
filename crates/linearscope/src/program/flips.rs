//! Which decisions differ between two programs of one network.

use std::sync::Arc;

use burn_backend::Backend;

use super::{Operation, Program};
use crate::error::{Error, Result};

/// One non-linear unit layer, and how many of its decisions are others at the other x₀.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The network node.
    pub name: Arc<str>,
    /// Its layer, see [`Program::layers`].
    pub layer: usize,
    /// What decides: `slopes`, `winners`, …
    pub kind: &'static str,
    /// How many units there are.
    pub units: usize,
    /// How many decided otherwise.
    pub flipped: usize,
}

impl<B: Backend> Program<B> {
    /// Compare every choice among finitely many with the one that the same unit made in `other`, a
    /// program of the same network by the same rules: the slope of a ReLU, the winner of a pool or
    /// of a maximum, the order of a sort. One entry a node, in the network's order.
    ///
    /// Gains of smooth units and statistics of norms are no choices: they change by degrees, and are
    /// not counted. A clip counts as flipped when it enters or leaves its linear part; from one
    /// plateau to the other it keeps slope 0 and is not counted.
    ///
    /// Cost: a pass over the stored decisions; indices that live on the device are read back.
    ///
    /// # Errors
    /// [`Error::ProgramsDiffer`] where the two are not of one network; [`Error::Data`].
    pub fn flips(&self, other: &Self) -> Result<Vec<Flip>> {
        let differ = |node: &str, because: String| Error::ProgramsDiffer {
            node: node.into(),
            because,
        };
        if self.nodes.len() != other.nodes.len() {
            let (a, b) = (self.nodes.len(), other.nodes.len());
            return Err(differ("", format!("one has {a} nodes, the other {b}")));
        }
        let mut flips = Vec::new();
        for (a, b) in self.nodes.iter().zip(&other.nodes) {
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
            // Indices that do not depend on x₀ are no decisions.
            if !a.decided {
                continue;
            }
            let (Some(before), Some(after)) = (before.chosen()?, after.chosen()?) else {
                continue;
            };
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
}
