//! A network frozen at x₀ with its program kept.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use burn_backend::{Backend, TensorMetadata, tensor::FloatTensor};

use super::{
    batches::{
        check_cotangents, check_finite, check_probes, in_batches, without_probe_axis, zero_probes,
        zeros,
    },
    point::{Point, Rules},
    runs::record,
};
use crate::{
    driver::Loaded,
    error::Result,
    findings::{DecisionsAtRisk, NearKink, near_kinks},
    interrupt::Interrupt,
    linear::elsewhere,
    program::{NodeId, Program, machine_budget},
    rule_set::RuleSet,
    run::Run,
};

/// A network frozen at x₀: its reference outputs and the recorded affine map.
///
/// One run of the network makes it; after that, it can be used any number of times. All tensors are
/// primitives of the inner backend `B`, on the device and in the dtype of the loaded network, one
/// for each input or output. Probes and cotangents have a leading axis k.
#[derive(Debug)]
pub struct Recorded<B: Backend> {
    point: Point<B>,
    program: Program<B>,
    risk: Risk<B>,
    /// What copies with other interrupts share.
    forms: Arc<Forms<B>>,
    /// The same, stopped by its own interrupt.
    own: Forms<B>,
}

/// How many decisions rounding may have changed.
#[derive(Clone, Debug)]
enum Risk<B: Backend> {
    /// Nobody wants to know: in training.
    Unasked,
    Counted(Arc<DecisionsAtRisk>),
    /// Counted when somebody asks, by one more run: every value that decides is read back from the device for that.
    Later {
        x0: Vec<FloatTensor<B>>,
        counted: Arc<OnceLock<DecisionsAtRisk>>,
    },
}

/// Forms of the program, each made when first asked for.
#[derive(Debug)]
struct Forms<B: Backend> {
    /// F alone, in fewer maps.
    homogeneous: OnceLock<Program<B>>,
    /// The program as replays with sources and of parts take it.
    prepared: OnceLock<Program<B>>,
}

impl<B: Backend> Forms<B> {
    fn new() -> Self {
        Self {
            homogeneous: OnceLock::new(),
            prepared: OnceLock::new(),
        }
    }
}

impl<B: Backend> Deref for Recorded<B> {
    type Target = Point<B>;

    fn deref(&self) -> &Point<B> {
        &self.point
    }
}

impl<B: Backend> Recorded<B> {
    /// Freeze the network at x₀ and record its affine map. Cost: one forward pass of the network and
    /// the rules' decisions. Memory: the decisions.
    ///
    /// The budget is [`machine_budget`]; see [`within`](Self::within).
    ///
    /// # Errors
    /// [`Error::NotFinite`](crate::Error::NotFinite) when x₀ or f(x₀) is not; [`Error::NoRule`](crate::Error::NoRule) when the network has an op
    /// without a rule; [`Error::LostTrace`](crate::Error::LostTrace) when an output is not a linear function of the input;
    /// [`Error::Memory`](crate::Error::Memory) when the decisions do not fit.
    pub fn new(loaded: Arc<Loaded<B>>, x0: Vec<FloatTensor<B>>, rules: RuleSet) -> Result<Self> {
        Self::within(loaded, x0, rules, machine_budget())
    }

    /// Like [`new`](Self::new), but within a budget in bytes for decisions and probes. If the decisions
    /// do not fit, use [`Frozen::within`](super::Frozen::within), which then works without them.
    ///
    /// Probes are split into batches that fit; results do not depend on the split.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn within(
        loaded: Arc<Loaded<B>>,
        x0: Vec<FloatTensor<B>>,
        rules: RuleSet,
        budget: usize,
    ) -> Result<Self> {
        check_finite::<B>("input", loaded.network().inputs(), &x0)?;
        let recorded = match elsewhere::<B>(loaded.device()) {
            false => Self::record_within(loaded, x0, rules, budget, true)?,
            true => Self::record_unasked(loaded, x0, rules, budget)?,
        };
        let ports = recorded.loaded().network().outputs();
        check_finite::<B>("output", ports, recorded.reference())?;
        Ok(recorded)
    }

    /// The same without a budget, and without a look at the values, which would wait for the device:
    /// for training.
    pub(crate) fn unchecked(
        loaded: Arc<Loaded<B>>,
        x0: Vec<FloatTensor<B>>,
        rules: RuleSet,
    ) -> Result<Self> {
        Self::record_within(loaded, x0, rules, usize::MAX, false)
    }

    fn record_within(
        loaded: Arc<Loaded<B>>,
        x0: Vec<FloatTensor<B>>,
        rules: RuleSet,
        budget: usize,
        risk: bool,
    ) -> Result<Self> {
        rules.check()?;
        let rules = Rules::new(&loaded, rules);
        let run = match risk {
            true => Run::recording_with_risk(rules.all.clone(), budget, false),
            false => Run::recording_within(rules.all.clone(), budget),
        };
        let (ended, program) = record(&loaded, &x0, run, |_| ())?;
        let risk = match risk {
            true => Risk::Counted(Arc::new(ended.at_risk)),
            false => Risk::Unasked,
        };
        let point = Point::new(loaded, ended.values, rules, &ended.findings, budget);
        Ok(Self::of(point, program, risk))
    }

    /// On a device of its own: with one wait for it, at the end.
    fn record_unasked(
        loaded: Arc<Loaded<B>>,
        x0: Vec<FloatTensor<B>>,
        rules: RuleSet,
        budget: usize,
    ) -> Result<Self> {
        rules.check()?;
        let rules = Rules::new(&loaded, rules);
        let unasked = Run::recording_unasked(rules.all.clone(), budget);
        let mut made = record(&loaded, &x0, unasked.clone(), |_| ());
        // What comes of an infinity that nobody looked for may be an error, too.
        if !unasked.assumption_holds()? {
            // Not two of them at once.
            drop(made);
            let run = Run::recording_within(rules.all.clone(), budget);
            made = record(&loaded, &x0, run, |_| ());
        }
        let (ended, program) = made?;
        let risk = Risk::Later {
            x0,
            counted: Arc::default(),
        };
        let point = Point::new(loaded, ended.values, rules, &ended.findings, budget);
        Ok(Self::of(point, program, risk))
    }

    fn of(point: Point<B>, program: Program<B>, risk: Risk<B>) -> Self {
        // A quarter for what replays would otherwise expand each time, the rest for probes.
        program.keep_expanded(point.budget() / 4);
        Self {
            point,
            program,
            risk,
            forms: Arc::new(Forms::new()),
            own: Forms::new(),
        }
    }

    /// The same frozen network, stopped by `interrupt`. Use one copy for each of several questions that must be
    /// stopped separately. Replays give the same bits. Cost: lists of nodes; the copies share coefficients, and the
    /// forms of the program that either makes later.
    #[must_use]
    pub fn with_interrupt(&self, interrupt: &Interrupt) -> Self {
        Self {
            point: self.point.stopped_by(interrupt),
            program: self.program.stopped_by(interrupt),
            risk: self.risk.clone(),
            forms: self.forms.clone(),
            own: Forms::new(),
        }
    }

    /// List, unit by unit, the decisions that lie within the rounding band of their kink or exactly at
    /// it, in the order in which they are made. [`decisions_at_risk`](Self::decisions_at_risk) counts
    /// them. Cost: a freeze.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn near_kinks(
        loaded: &Loaded<B>,
        x0: &[FloatTensor<B>],
        rules: RuleSet,
    ) -> Result<Vec<NearKink>> {
        rules.check()?;
        let run = Run::recording_with_risk(loaded.network().rules(rules), usize::MAX, true);
        let mut near = Vec::new();
        record(loaded, x0, run, |report| near.extend(near_kinks(report)))?;
        Ok(near)
    }

    /// The recorded linear maps and sources.
    pub fn program(&self) -> &Program<B> {
        &self.program
    }

    /// F alone, in fewer maps than [`program`](Self::program). Replays without sources use it.
    pub fn homogeneous(&self) -> &Program<B> {
        self.own.homogeneous.get_or_init(|| {
            let forms = &self.forms.homogeneous;
            let made = forms.get_or_init(|| self.program.homogeneous());
            made.stopped_by(self.program.interrupt())
        })
    }

    pub(super) fn prepared(&self) -> &Program<B> {
        self.own.prepared.get_or_init(|| {
            let made = self.forms.prepared.get_or_init(|| self.program.prepared());
            made.stopped_by(self.program.interrupt())
        })
    }

    /// How many decisions rounding may have changed; `None` in training, where they are not counted.
    ///
    /// Cost: none on the CPU, where the freeze has counted them. On other devices, the first call takes one more
    /// freeze, which reads back every value that decides.
    ///
    /// # Errors
    /// On other devices, as [`new`](Self::new).
    pub fn decisions_at_risk(&self) -> Result<Option<&DecisionsAtRisk>> {
        let (x0, counted) = match &self.risk {
            Risk::Unasked => return Ok(None),
            Risk::Counted(counted) => return Ok(Some(counted)),
            Risk::Later { x0, counted } => (x0, counted),
        };
        if let Some(counted) = counted.get() {
            return Ok(Some(counted));
        }
        let run = Run::recording_with_risk(self.rules().clone(), self.budget(), false);
        let (ended, _) = record(self.loaded(), x0, run, |_| ())?;
        Ok(Some(counted.get_or_init(|| ended.at_risk)))
    }

    /// F x for k probes, `[k, ..input] → [k, ..output]`, per input and output.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape), [`Error::NoProbes`](crate::Error::NoProbes).
    pub fn apply(&self, x: &[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>> {
        check_probes(self.loaded(), x)?;
        self.replay(x, false)
    }

    /// F x + r for k probes. See [`apply`](Self::apply).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape), [`Error::NoProbes`](crate::Error::NoProbes).
    pub fn affine(&self, x: &[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>> {
        check_probes(self.loaded(), x)?;
        self.replay(x, true)
    }

    /// The residual r, `[..output]` per output: the affine map at x₁ = 0.
    ///
    /// # Errors
    /// None of its own; it shares [`affine`](Self::affine)'s signature.
    pub fn residual(&self) -> Result<Vec<FloatTensor<B>>> {
        let r = self.replay(&zero_probes(self.loaded()), true)?;
        Ok(r.into_iter().map(without_probe_axis::<B>).collect())
    }

    /// Fᵀ y for k cotangents, `[k, ..output] → [k, ..input]`. An input that no output depends on
    /// gets zeros.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape), [`Error::NoProbes`](crate::Error::NoProbes).
    pub fn adjoint(&self, y: &[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>> {
        check_cotangents(self.loaded(), y)?;
        in_batches::<B>(self.probes_at_once(), y, |y| {
            let program = self.homogeneous();
            let seeds = pairs::<B>(program.outputs(), y);
            let found = program.backward(&seeds, program.inputs())?;
            Ok(self.at_inputs(y, found))
        })
    }

    /// What a sweep found at the inputs, zeros where no output depends on one.
    pub(super) fn at_inputs(
        &self,
        y: &[FloatTensor<B>],
        found: Vec<Option<FloatTensor<B>>>,
    ) -> Vec<FloatTensor<B>> {
        let k = y.first().map_or(1, |y| y.shape()[0]);
        let inputs = self.loaded().network().inputs();
        let found = found.into_iter().zip(inputs);
        found
            .map(|(x, port)| x.unwrap_or_else(|| zeros(self.loaded(), k, &port.shape)))
            .collect()
    }

    fn replay(&self, x: &[FloatTensor<B>], sources: bool) -> Result<Vec<FloatTensor<B>>> {
        let program = match sources {
            true => self.prepared(),
            false => self.homogeneous(),
        };
        in_batches::<B>(self.probes_at_once(), x, |x| {
            let starts = pairs::<B>(program.inputs(), x);
            program.forward(&starts, program.outputs(), sources)
        })
    }

    /// How many probes may run side by side through the whole network.
    pub fn probes_at_once(&self) -> usize {
        self.at_once(self.program.probe_bytes())
    }

    /// How many probes of so many bytes fit alongside what replays keep expanded; at least one.
    pub(super) fn at_once(&self, bytes: usize) -> usize {
        let kept = (self.budget() / 4).min(self.program.account().expanded_bytes);
        ((self.budget() - kept) / bytes).max(1)
    }
}

/// Ids and the tensors at them.
pub(super) fn pairs<B: Backend>(
    ids: &[NodeId],
    tensors: &[FloatTensor<B>],
) -> Vec<(NodeId, FloatTensor<B>)> {
    ids.iter().copied().zip(tensors.iter().cloned()).collect()
}
