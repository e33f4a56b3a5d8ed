//! Reports: what one op froze at x₀, said by the op itself, once.
//!
//! Whoever runs a network brackets each op and gets its [`OpReport`]. Surveys, validity radii,
//! decisions at risk, unused rules and lists of decisions are folds over reports. A decision without
//! kinks changes by degrees: no radius holds for it.

use std::sync::Arc;

use crate::error::Error;

/// When a piecewise-constant decision changes: how many units it has, and what an observer of the run
/// found.
#[derive(Clone, Debug, PartialEq)]
pub struct Kinks {
    /// How many units decide.
    pub units: usize,
    /// What the run's observer made of them.
    pub seen: Seen,
}

/// What an observer of a run found about one decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// The run has no observer.
    Unobserved,
    /// Where along the run's probes units flip.
    Flips(Flips),
    /// How many units lie within rounding of their kink.
    AtRisk(AtRisk),
}

/// Where along directions d units flip first.
#[derive(Clone, Debug, PartialEq)]
pub struct Flips {
    /// Units that lie exactly at their kink, or pools whose largest cell stands twice. They may
    /// flip at once and are not counted in `first`.
    pub at_kink: usize,
    /// For each direction d the least t > 0 at which a unit flips, as far as its own operand goes;
    /// infinite where none does.
    pub first: Vec<f64>,
    /// Which unit that is, flat; 0 where none.
    pub unit: Vec<usize>,
}

/// Units whose decision may be another in exact arithmetic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AtRisk {
    /// Units within the rounding band of their kink, exact ties aside.
    pub within: usize,
    /// Units exactly at it: the first of equals is taken.
    pub ties: usize,
    /// Units of which nothing is known: a map of unknown weights lies before them.
    pub unknown: usize,
    /// Which units lie within the band or are exact ties, flat, where the run lists them.
    pub near: Option<Vec<usize>>,
}

/// One decision of an op: numbers that flip together, or change by degrees.
#[derive(Clone, Debug, PartialEq)]
pub struct Frozen {
    /// What: `slope`, `switches`, `secant`, …
    pub what: &'static str,
    /// When it changes, where it is constant between kinks; `None`: it changes by degrees.
    pub kinks: Option<Kinks>,
}

/// Proof that a decision was reported: what makes a `Coefficient::decided`.
#[derive(Clone, Debug)]
pub struct Decided(());

/// What one op did at x₀.
#[derive(Clone, Debug, Default)]
pub struct OpReport {
    /// The network node it belongs to.
    pub node: Arc<str>,
    /// What it froze, in order.
    pub frozen: Vec<Frozen>,
    /// The first map or source it handed on with a coefficient that x₀ chose, here or earlier.
    pub carried: Option<&'static str>,
    /// Whether it read a traced operand at x₀ only: its result is a decision.
    pub reads: bool,
    /// The entries of the rule set that were asked about it and fitted.
    pub rules: Vec<usize>,
    /// Why it was refused.
    pub error: Option<Error>,
}

impl OpReport {
    /// Report a decision.
    pub(crate) fn freeze(&mut self, frozen: Frozen) -> Decided {
        self.frozen.push(frozen);
        Decided(())
    }
}
