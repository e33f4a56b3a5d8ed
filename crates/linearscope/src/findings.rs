//! What the reports of one run add up to: decisions, unused rules, where units flip.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    error::{Error, Result},
    report::{Flips, Kinks, OpReport, Seen},
    rule_set::RuleSet,
};

/// How many decisions of a network lie so near their kink that exact arithmetic might have decided
/// differently: within eight standard deviations of the estimated rounding error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecisionsAtRisk {
    /// All units whose decision has a kink: slopes, pools, maxima, comparisons, orders.
    pub units: usize,
    /// How many of them lie within the band, but not exactly at their kink.
    pub within: usize,
    /// How many lie exactly at it, such as cells of a flat area under a pool: the first of equals is
    /// taken.
    pub ties: usize,
    /// About how many nothing is known, because a map of unknown weights comes before them.
    pub unknown: usize,
    /// The nodes with units within the band, those with most of them first.
    pub nodes: Vec<NodeAtRisk>,
}

/// One node of [`DecisionsAtRisk`].
#[derive(Clone, Debug, PartialEq)]
pub struct NodeAtRisk {
    /// The network node.
    pub node: Arc<str>,
    /// How many units it has.
    pub units: usize,
    /// How many lie within the band.
    pub within: usize,
}

impl DecisionsAtRisk {
    pub(crate) fn add(&mut self, report: &OpReport) {
        let (mut units, mut within) = (0, 0);
        for frozen in &report.frozen {
            if let Some(Kinks {
                units: count,
                seen: Seen::AtRisk(found),
            }) = &frozen.kinks
            {
                units += count;
                within += found.within;
                self.ties += found.ties;
                self.unknown += found.unknown;
            }
        }
        self.units += units;
        self.within += within;
        if within == 0 {
            return;
        }
        match self
            .nodes
            .iter_mut()
            .find(|known| known.node == report.node)
        {
            Some(known) => {
                (known.units, known.within) = (known.units + units, known.within + within)
            }
            None => self.nodes.push(NodeAtRisk {
                node: report.node.clone(),
                units,
                within,
            }),
        }
        // Stable: of equals the earlier node is first.
        self.nodes
            .sort_by_key(|node| std::cmp::Reverse(node.within));
    }
}

/// The units of one decision that lie within the rounding band of their kink, or exactly at it.
#[derive(Clone, Debug, PartialEq)]
pub struct NearKink {
    /// The network node.
    pub node: Arc<str>,
    /// What decides: `slope`, `switches`, `comparison`, …
    pub what: &'static str,
    /// How many units it has.
    pub units: usize,
    /// Flat indices of those that are near; `None`: nothing is known about them.
    pub near: Option<Vec<usize>>,
}

/// The decisions of a run that lists risks, unit by unit.
pub(crate) fn near_kinks(report: &OpReport) -> impl Iterator<Item = NearKink> {
    report
        .frozen
        .iter()
        .filter_map(|frozen| match &frozen.kinks {
            Some(Kinks {
                units,
                seen: Seen::AtRisk(found),
            }) => Some(NearKink {
                node: report.node.clone(),
                what: frozen.what,
                units: *units,
                near: found.near.clone(),
            }),
            _ => None,
        })
}

/// Rules that had a say and nodes that decided, of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    used: BTreeSet<usize>,
    decisions: Vec<Arc<str>>,
}

impl Findings {
    pub(crate) fn add(&mut self, report: &OpReport) {
        self.used.extend(&report.rules);
        let decides = report.reads && report.frozen.iter().any(|f| f.kinks.is_some());
        if decides && self.decisions.last() != Some(&report.node) {
            self.decisions.push(report.node.clone());
        }
    }

    /// Nodes that read x₀ to compare, to point or to count, in the order they run.
    pub(crate) fn decisions(&self) -> &[Arc<str>] {
        &self.decisions
    }

    /// Entries among the first `given` of the rule set that nothing in the network has fitted.
    pub(crate) fn unused(&self, rules: &RuleSet, given: usize) -> Vec<String> {
        let entries = rules.entries().iter().take(given).enumerate();
        let unused = entries.filter(|(number, _)| !self.used.contains(number));
        unused.map(|(_, entry)| entry.to_string()).collect()
    }
}

/// Where the units of one decision flip along some directions.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitFlips {
    /// The network node.
    pub node: Arc<str>,
    /// What decides: `slope`, `switches`, `comparison`, …
    pub what: &'static str,
    /// How many units it has.
    pub units: usize,
    /// Where they flip, as far as their own operands go.
    pub flips: Flips,
}

/// The decisions of a watching run, in the order they were made.
#[derive(Debug, Default)]
pub(crate) struct Watched(Vec<UnitFlips>);

impl Watched {
    /// # Errors
    /// [`Error::NotPiecewise`] at a decision that changes by degrees.
    pub(crate) fn add(&mut self, report: &OpReport) -> Result<()> {
        for frozen in &report.frozen {
            let Some(Kinks {
                units,
                seen: Seen::Flips(flips),
            }) = &frozen.kinks
            else {
                return Err(Error::NotPiecewise {
                    node: report.node.to_string(),
                    rule: frozen.what,
                });
            };
            self.0.push(UnitFlips {
                node: report.node.clone(),
                what: frozen.what,
                units: *units,
                flips: flips.clone(),
            });
        }
        Ok(())
    }

    pub(crate) fn into_flips(self) -> Vec<UnitFlips> {
        self.0
    }
}
