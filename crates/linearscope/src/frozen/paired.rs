//! The paper's mode: reference and probes side by side, nothing recorded.

use std::{ops::Deref, sync::Arc};

use burn_backend::{Backend, tensor::FloatTensor};

use super::{
    batches::{check_finite, check_probes, in_batches, without_probe_axis, zero_probes},
    point::{Point, Rules},
    runs::{Ended, beside},
};
use crate::{
    driver::Loaded,
    error::Result,
    findings::{UnitFlips, Watched},
    interrupt::Interrupt,
    program::machine_budget,
    rule_set::RuleSet,
    run::Run,
};

/// A network frozen at x₀ without recording anything: each product runs the network again, with its
/// reference alongside the probes.
///
/// Memory: the tensors alive at once, no decisions. Cost of a product: two forward passes for each
/// probe, and the rules. Only forward products are available: whatever needs a program, such as the
/// adjoint, needs [`Recorded`](super::Recorded).
#[derive(Debug)]
pub struct Paired<B: Backend> {
    point: Point<B>,
    x0: Vec<FloatTensor<B>>,
}

impl<B: Backend> Deref for Paired<B> {
    type Target = Point<B>;

    fn deref(&self) -> &Point<B> {
        &self.point
    }
}

impl<B: Backend> Paired<B> {
    /// Run the network at x₀ with one probe, to find out now what would fail in a product: refused
    /// ops, lost traces.
    ///
    /// # Errors
    /// As [`Recorded::new`](super::Recorded::new), [`Error::Memory`](crate::Error::Memory) apart.
    pub fn new(loaded: Arc<Loaded<B>>, x0: Vec<FloatTensor<B>>, rules: RuleSet) -> Result<Self> {
        Self::within(loaded, x0, rules, machine_budget())
    }

    pub(super) fn within(
        loaded: Arc<Loaded<B>>,
        x0: Vec<FloatTensor<B>>,
        rules: RuleSet,
        budget: usize,
    ) -> Result<Self> {
        check_finite::<B>("input", loaded.network().inputs(), &x0)?;
        rules.check()?;
        let rules = Rules::new(&loaded, rules);
        let run = Run::paired(rules.all.clone(), true);
        let probes = zero_probes(&loaded);
        let ended = beside(&loaded, x0.clone(), probes, &run, |_| Ok(()))?;
        check_finite::<B>("output", loaded.network().outputs(), &ended.values)?;
        Ok(Self {
            point: Point::new(loaded, ended.values, rules, &ended.findings, budget),
            x0,
        })
    }

    /// The same frozen network, stopped by `interrupt`. Cost: negligible.
    #[must_use]
    pub fn with_interrupt(&self, interrupt: &Interrupt) -> Self {
        Self {
            point: self.point.stopped_by(interrupt),
            x0: self.x0.clone(),
        }
    }

    /// Do one paired run, without freezing first. It takes x₀ and `[k, ..input]` probes per input, and
    /// returns y₀ and `[k, ..output]` per output: F x₁ + r with `sources`, F x₁ without.
    ///
    /// Cost: k + 1 forward passes and the rules. On an autodiff device gradients reach the probes.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a probe batch that does not fit,
    /// [`Error::NoProbes`](crate::Error::NoProbes) for an empty one;
    /// [`Error::NoRule`](crate::Error::NoRule), [`Error::LostTrace`](crate::Error::LostTrace) as
    /// [`new`](Self::new). Values are not checked, because that would wait for the device in each
    /// step.
    #[allow(clippy::type_complexity)]
    pub fn beside(
        loaded: &Loaded<B>,
        x0: Vec<FloatTensor<B>>,
        probes: Vec<FloatTensor<B>>,
        rules: RuleSet,
        sources: bool,
    ) -> Result<(Vec<FloatTensor<B>>, Vec<FloatTensor<B>>)> {
        rules.check()?;
        let run = Run::paired(loaded.network().rules(rules), sources);
        let Ended {
            values, tracers, ..
        } = beside(loaded, x0, probes, &run, |_| Ok(()))?;
        let probes = tracers.into_iter().map(|tracer| {
            tracer
                .into_batch()
                .expect("a paired run without an error carries batches")
        });
        Ok((values, probes.collect()))
    }

    /// How far along k directions d, `[k, ..input]` per input, the decisions of x₀ hold, for every
    /// piecewise-linear op in the order in which they run. Up to the least t of all, nothing flips,
    /// so that f(x₀ + t d) = F (x₀ + t d) + r. The least t is exact; larger ones of later ops are
    /// not, since ops before them have flipped by then. Cost: a paired run; the units are read back
    /// from the device.
    ///
    /// # Errors
    /// [`Error::NotPiecewise`](crate::Error::NotPiecewise) if a frozen op is not piecewise linear: its
    /// decision changes at once. As [`beside`](Self::beside).
    pub fn first_flips(
        loaded: &Loaded<B>,
        x0: Vec<FloatTensor<B>>,
        directions: Vec<FloatTensor<B>>,
        rules: RuleSet,
    ) -> Result<Vec<UnitFlips>> {
        rules.check()?;
        let run = Run::watching(loaded.network().rules(rules));
        let mut watched = Watched::default();
        beside(loaded, x0, directions, &run, |report| watched.add(report))?;
        Ok(watched.into_flips())
    }

    /// F x for k probes, `[k, ..input] → [k, ..output]`, per input and output.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape), [`Error::NoProbes`](crate::Error::NoProbes).
    pub fn apply(&self, x: &[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>> {
        self.run(x, false)
    }

    /// F x + r for k probes. See [`apply`](Self::apply).
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn affine(&self, x: &[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>> {
        self.run(x, true)
    }

    /// The residual r, `[..output]` per output: the affine map at x₁ = 0.
    ///
    /// # Errors
    /// None of its own; it shares [`affine`](Self::affine)'s signature.
    pub fn residual(&self) -> Result<Vec<FloatTensor<B>>> {
        let r = self.run(&zero_probes(self.loaded()), true)?;
        Ok(r.into_iter().map(without_probe_axis::<B>).collect())
    }

    fn run(&self, x: &[FloatTensor<B>], sources: bool) -> Result<Vec<FloatTensor<B>>> {
        check_probes(self.loaded(), x)?;
        // Nothing is known about the size of what a run keeps alive.
        in_batches::<B>(1, x, |x| {
            let (x0, x, rules) = (self.x0.clone(), x.to_vec(), self.rules().clone());
            Ok(Self::beside(self.loaded(), x0, x, rules, sources)?.1)
        })
    }
}
