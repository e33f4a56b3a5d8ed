//! One run of a network at x₀: its rules, where maps go, and where it is.
//!
//! A rule turns an op at x₀ into linear maps and sources and hands them to the [`Tracer`] it acts on; the
//! run's sink does the rest. The *paired* sink applies a map to the probes at once and forgets it (the
//! paper's mode); the *recording* sink appends it to a [`Program`]. Whoever drives the run brackets each
//! op with `begin` and `end`, which returns the op's [`OpReport`]. Without a driver, the reports of all
//! ops since the last `end` add up.
//!
//! A run belongs to the thread that made it. Ops of another thread would write into each other's
//! brackets, so they make the run fail.

mod flips;
pub(crate) mod kinks;
mod noise;
pub(crate) mod open;
mod recorder;
mod risk;
mod tensor;
mod tracer;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
};

use burn_backend::{
    Backend, DType, FloatDType, Scalar, Shape, TensorMetadata, tensor::FloatTensor,
};

use self::{kinks::Decides, noise::Noise, recorder::Recorder, tracer::Carrier};
pub use self::{
    tensor::{Lineage, ScopeTensor, Tracked},
    tracer::Tracer,
};
use crate::{
    error::{Error, Place, Result},
    program::{NodeIndex, Operation, Program},
    report::{Decided, Frozen, Kinks, OpReport, Seen},
    rule_set::{Choices, Rule, RuleSet, Site},
};

/// What happens to the linear maps and sources that rules return.
#[derive(Debug)]
enum Sink<B: Backend> {
    /// Apply to the probes at once, keep nothing. `sources` off gives F x₁ alone.
    Paired { sources: bool },
    /// Append to a program.
    Recording(Mutex<Recorder<B>>),
}

/// Who looks at decisions while they are made.
#[derive(Debug)]
enum Observer {
    Nobody,
    /// Where along the probes of a paired run units flip.
    Flips,
    /// How many units of a recording run lie within rounding of their kink; with `list`, which.
    Rounding {
        list: bool,
    },
}

/// How an op's operands are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As the op's rule says.
    #[default]
    Rules,
    /// By the op's tangent, whatever the rules.
    Tangent,
    /// At x₀ only: the result is a decision, of this name.
    Reference(&'static str),
    /// At x₀ only, inside a function of several ops that is frozen as a whole at its exit: what happens
    /// on the way decides nothing by itself.
    Inside,
}

/// Where the run is, and what happened there.
#[derive(Debug, Default)]
struct Bracket {
    site: Site,
    mode: Mode,
    open: bool,
    report: OpReport,
    /// The first error of the run.
    error: Option<Error>,
}

/// One run of a network with tracers. Shared by every traced tensor of the run.
#[derive(Debug)]
pub struct Run<B: Backend> {
    sink: Sink<B>,
    rules: RuleSet,
    observer: Observer,
    thread: ThreadId,
    bracket: Mutex<Bracket>,
    finite: Finite<B>,
}

/// Whether a run asks, op by op, if something at x₀ is infinite.
#[derive(Debug)]
enum Finite<B: Backend> {
    /// It asks, and waits for the device each time.
    Asked,
    /// It goes on as if nothing were. What it assumed finite is added up, each times 0, and looked at once.
    Assumed(Mutex<Option<FloatTensor<B>>>),
}

impl<B: Backend> Run<B> {
    fn new(sink: Sink<B>, rules: RuleSet, observer: Observer) -> Arc<Self> {
        Arc::new(Self {
            sink,
            rules,
            observer,
            thread: thread::current().id(),
            bracket: Mutex::default(),
            finite: Finite::Asked,
        })
    }

    /// The same, but it asks the device for nothing while it runs: that no operand is infinite where a rule wants to know is
    /// assumed, and [`assumption_holds`](Self::assumption_holds) afterwards.
    pub(crate) fn recording_unasked(rules: RuleSet, budget: usize) -> Arc<Self> {
        let recorder = Mutex::new(Recorder::new(budget, false));
        let run = Self::new(Sink::Recording(recorder), rules, Observer::Nobody);
        let run = Arc::into_inner(run).expect("nobody else has it yet");
        Arc::new(Self {
            finite: Finite::Assumed(Mutex::default()),
            ..run
        })
    }

    /// Whether x may be taken as finite without a look at it now.
    pub(crate) fn assumes_finite(&self, x: &FloatTensor<B>) -> bool {
        let Finite::Assumed(sum) = &self.finite else {
            return false;
        };
        // 0 of what is finite, else NaN.
        let zero = B::float_mul_scalar(B::float_sum(x.clone()), Scalar::Float(0.0));
        let zero = match x.dtype() {
            DType::F32 => zero,
            _ => B::float_cast(zero, FloatDType::F32),
        };
        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
        let both = match sum.take() {
            Some(sum) => B::float_add(sum, zero),
            None => zero,
        };
        *sum = Some(both);
        true
    }

    /// Whether all that was assumed finite is. Waits for the device, which is asked for one number.
    ///
    /// # Errors
    /// [`Error::Data`].
    pub(crate) fn assumption_holds(&self) -> Result<bool> {
        let Finite::Assumed(sum) = &self.finite else {
            return Ok(true);
        };
        let sum = sum.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(sum) = sum else { return Ok(true) };
        Ok(crate::host::<B>(sum)?.iter().all(|sum| *sum == 0.0))
    }

    /// A run that applies every linear map to its probes immediately. With `sources` the probes
    /// become F x₁ + r, otherwise F x₁.
    pub fn paired(rules: RuleSet, sources: bool) -> Arc<Self> {
        Self::new(Sink::Paired { sources }, rules, Observer::Nobody)
    }

    /// A paired run, homogeneous, whose reports say where along its probes decisions change.
    pub(crate) fn watching(rules: RuleSet) -> Arc<Self> {
        Self::new(Sink::Paired { sources: false }, rules, Observer::Flips)
    }

    /// A run that records a program.
    pub fn recording(rules: RuleSet) -> Arc<Self> {
        Self::recording_within(rules, usize::MAX)
    }

    /// A run that records a program. If its decisions take more than `budget` bytes, it ends with
    /// [`Error::Memory`].
    pub fn recording_within(rules: RuleSet, budget: usize) -> Arc<Self> {
        let recorder = Mutex::new(Recorder::new(budget, false));
        Self::new(Sink::Recording(recorder), rules, Observer::Nobody)
    }

    /// The same, whose reports count the decisions that rounding may have made otherwise, and with `list`
    /// say which. Costs a look at every value that decides, and a pass over the weights.
    pub(crate) fn recording_with_risk(rules: RuleSet, budget: usize, list: bool) -> Arc<Self> {
        let recorder = Mutex::new(Recorder::new(budget, true));
        Self::new(
            Sink::Recording(recorder),
            rules,
            Observer::Rounding { list },
        )
    }

    /// The tracer of an input of a paired run: k probes as `[k, ..shape]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rank is not one more than the input's, or the shapes differ.
    pub fn probe(self: &Arc<Self>, probes: FloatTensor<B>, input: &Shape) -> Result<Tracer<B>> {
        let shape = probes.shape();
        if shape.num_dims() != input.num_dims() + 1 || shape[1..] != input[..] {
            let mut expected = vec![1];
            expected.extend(input.iter());
            return Err(Error::Shape {
                what: "the probe batch".into(),
                got: shape.to_vec(),
                expected,
                hint: "; the first axis counts the probes and may be any size".into(),
            });
        }
        Ok(Tracer::new(self.clone(), Carrier::Batch(probes)))
    }

    /// The tracer of input number `index` of a recording run, x₀ there.
    pub fn input(self: &Arc<Self>, index: usize, x0: &FloatTensor<B>) -> Tracer<B> {
        if let Sink::Recording(recorder) = &self.sink {
            let mut recorder = recorder::locked(recorder);
            recorder.work_on(x0.device());
            if let Err(error) = recorder.exact(x0) {
                drop(recorder);
                self.fail(error);
            }
        }
        let carrier = self.append(Operation::Input(index), &x0.shape(), 0);
        Tracer::new(self.clone(), carrier)
    }

    /// Locks are held for a few assignments that do not panic: what a poisoned one guards is whole.
    fn bracket(&self) -> MutexGuard<'_, Bracket> {
        self.bracket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bracket, for ops: theirs must be the run's own thread.
    fn here(&self) -> MutexGuard<'_, Bracket> {
        let mut bracket = self.bracket();
        if thread::current().id() != self.thread {
            let place = bracket.place("");
            bracket.error.get_or_insert(Error::TwoThreads { place });
        }
        bracket
    }

    /// The next op begins: Burn's name of it, the node's name and its number in the order they run.
    pub(crate) fn begin(&self, site: Site) {
        let mut bracket = self.here();
        if std::mem::replace(&mut bracket.open, true) {
            let place = bracket.place("");
            bracket.error.get_or_insert(Error::Panicked {
                place,
                message: "the op before it did not end".into(),
            });
        }
        bracket.report = OpReport {
            node: site.node.clone(),
            ..OpReport::default()
        };
        bracket.site = site;
        bracket.mode = Mode::Rules;
    }

    /// How the operands of the current op are seen from now on.
    pub(crate) fn see(&self, mode: Mode) {
        self.here().mode = mode;
    }

    /// The current op has ended: what it did. Its error, if any, is the run's unless the caller
    /// [forgives](Self::forgive) it.
    pub(crate) fn end(&self) -> OpReport {
        let mut bracket = self.here();
        bracket.open = false;
        bracket.mode = Mode::Rules;
        let mut report = std::mem::take(&mut bracket.report);
        report.error = bracket.error.clone();
        if report.carried.is_some() || !report.frozen.is_empty() {
            report.rules = self.rules.fitting(&bracket.site).collect();
        }
        report
    }

    /// Go on as if no op had been refused: for surveys.
    pub(crate) fn forgive(&self) {
        self.bracket().error = None;
    }

    pub(crate) fn mode(&self) -> Mode {
        self.here().mode
    }

    /// What the rule set chooses for the current op.
    pub fn rules(&self) -> Choices {
        let bracket = self.here();
        match bracket.mode {
            Mode::Tangent => Choices::TANGENT,
            _ => self.rules.choices(&bracket.site),
        }
    }

    /// The rule that replaces the op's own at a place, if the rule set names one.
    pub(crate) fn replacement(&self, site: &Site) -> Option<&Rule> {
        self.rules.replacement(site)
    }

    /// Report a decision of the current op: what it is and, where it is constant between kinks, how it
    /// hangs on what the op reads. The run's observer looks at the units now.
    pub(crate) fn freeze(&self, what: &'static str, decides: Option<Decides<'_, B>>) -> Decided {
        let kinks = decides.map(|decides| {
            let seen = match self.observer {
                Observer::Nobody => Ok(Seen::Unobserved),
                Observer::Flips => decides.flips().map(Seen::Flips),
                Observer::Rounding { list } => decides.at_risk(list).map(Seen::AtRisk),
            };
            seen.map(|seen| Kinks {
                units: decides.units(),
                seen,
            })
        });
        let kinks = kinks.transpose().unwrap_or_else(|error| {
            self.fail(error);
            None
        });
        self.here().report.freeze(Frozen { what, kinks })
    }

    /// Report that the current op reads a traced operand at x₀ only: its result is a decision. Inside a
    /// function that is frozen as a whole nothing is decided yet.
    pub(crate) fn read(&self, what: &'static str, decides: Option<Decides<'_, B>>) {
        if self.mode() != Mode::Inside {
            self.freeze(what, decides);
            self.here().report.reads = true;
        }
    }

    /// With the rounding noise of a node's value: what `look` makes of it; `None` where it is not known.
    /// Whether it records a program, and may wait for the device to do so.
    pub(crate) fn records(&self) -> bool {
        matches!(self.sink, Sink::Recording(_))
    }

    fn with_noise<T>(&self, at: NodeIndex, look: impl FnOnce(&mut Noise) -> T) -> Option<T> {
        match &self.sink {
            Sink::Recording(recorder) => recorder::locked(recorder).noise(at).map(look),
            Sink::Paired { .. } => None,
        }
    }

    /// The current op hands on a coefficient that x₀ chose, here or earlier.
    fn carried(&self, word: &'static str) {
        self.here().report.carried.get_or_insert(word);
    }

    pub(crate) fn place(&self, op: &str) -> Place {
        self.bracket().place(op)
    }

    /// Remember the first error of the run.
    pub(crate) fn fail(&self, error: Error) {
        self.bracket().error.get_or_insert(error);
    }

    /// The first error of the run, if any op was refused.
    pub fn error(&self) -> Option<Error> {
        self.bracket().error.clone()
    }

    /// A weighted op (convolution, matrix product) begins a layer named after its node.
    fn open_layer(&self) -> usize {
        let node = self.bracket().site.node.clone();
        match &self.sink {
            Sink::Recording(recorder) => recorder::locked(recorder).open_layer(node),
            Sink::Paired { .. } => 0,
        }
    }

    fn append(&self, operation: Operation<B>, shape: &Shape, layer: usize) -> Carrier<B> {
        let Sink::Recording(recorder) = &self.sink else {
            unreachable!("only the recording sink appends")
        };
        let name = self.here().site.node.clone();
        // Choices are read back from the device without a lock.
        let device = recorder::locked(recorder).device();
        let operation = recorder::small(operation, device.as_ref());
        let appended = operation
            .and_then(|operation| recorder::locked(recorder).append(operation, name, shape, layer));
        match appended {
            Ok(id) => Carrier::Node(id),
            Err(error) => {
                self.fail(error);
                Carrier::Poisoned
            }
        }
    }

    /// The recorded program with these tracers as its outputs, dead nodes removed. `places` gives the
    /// node that holds the output of each named node of the network.
    pub(crate) fn finish(
        &self,
        outputs: &[Tracer<B>],
        dtype: DType,
        places: &[(Arc<str>, Tracer<B>)],
    ) -> Result<Program<B>> {
        if let Some(error) = self.error() {
            return Err(error);
        }
        let Sink::Recording(recorder) = &self.sink else {
            unreachable!("only a recording run yields a program")
        };
        let node = |tracer: &Tracer<B>| match tracer.carrier {
            Carrier::Node(id) if std::ptr::eq(&*tracer.run, self) => Some(id),
            _ => None,
        };
        let ends: Option<Vec<_>> = outputs.iter().map(node).collect();
        let Some(ends) = ends else {
            let place = self.place("");
            return Err(Error::RunsMeet { place });
        };
        let places = places
            .iter()
            .filter_map(|(name, tracer)| Some((name.clone(), node(tracer)?)));
        Ok(recorder::locked(recorder).finish(ends, dtype, places.collect()))
    }
}

impl Bracket {
    fn place(&self, op: &str) -> Place {
        Place {
            node: self.site.node.to_string(),
            op: op.to_string(),
        }
    }
}
