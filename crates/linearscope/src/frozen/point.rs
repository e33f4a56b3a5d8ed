//! What every frozen network knows, recorded or paired.

use std::sync::Arc;

use burn_backend::{Backend, tensor::FloatTensor};

use crate::{driver::Loaded, findings::Findings, interrupt::Interrupt, rule_set::RuleSet};

/// The point at which a network is linearised: the network, the rules and y₀, and what the run at x₀
/// found.
///
/// [`Recorded`](super::Recorded), [`Paired`](super::Paired) and [`Frozen`](super::Frozen) dereference to
/// it.
#[derive(Clone, Debug)]
pub struct Point<B: Backend> {
    loaded: Arc<Loaded<B>>,
    reference: Vec<FloatTensor<B>>,
    rules: RuleSet,
    unused_rules: Vec<String>,
    decision_sources: Vec<Arc<str>>,
    budget: usize,
}

/// The rules of a run, and which of them the user gave.
pub(super) struct Rules {
    /// Those given, then the network's own.
    pub all: RuleSet,
    /// How many were given.
    given: usize,
}

impl Rules {
    pub(super) fn new<B: Backend>(loaded: &Loaded<B>, given: RuleSet) -> Self {
        Self {
            given: given.entries().len(),
            all: loaded.network().rules(given),
        }
    }
}

impl<B: Backend> Point<B> {
    pub(super) fn new(
        loaded: Arc<Loaded<B>>,
        reference: Vec<FloatTensor<B>>,
        rules: Rules,
        findings: &Findings,
        budget: usize,
    ) -> Self {
        Self {
            unused_rules: findings.unused(&rules.all, rules.given),
            decision_sources: findings.decisions().to_vec(),
            loaded,
            reference,
            rules: rules.all,
            budget,
        }
    }

    /// The same point of the same network, stopped by another interrupt.
    pub(super) fn stopped_by(&self, interrupt: &Interrupt) -> Self {
        Self {
            loaded: Arc::new(self.loaded.with_interrupt(interrupt.clone())),
            ..self.clone()
        }
    }

    /// The network, on its device.
    pub fn loaded(&self) -> &Arc<Loaded<B>> {
        &self.loaded
    }

    /// y₀ = f(x₀), one tensor per output, without a probe axis.
    pub fn reference(&self) -> &[FloatTensor<B>] {
        &self.reference
    }

    /// The rules that froze the non-linear units: first those given, then the network's own.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Entries of the rule set that fitted nothing in the network, perhaps because of a misspelt
    /// name.
    pub fn unused_rules(&self) -> &[String] {
        &self.unused_rules
    }

    /// Nodes that read x₀ for a comparison, an index or a count.
    pub fn decision_sources(&self) -> &[Arc<str>] {
        &self.decision_sources
    }

    /// Bytes that decisions and probes may take.
    pub fn budget(&self) -> usize {
        self.budget
    }
}
