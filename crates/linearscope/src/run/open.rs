//! Opening operands: the one place where an op learns what its operands depend on.
//!
//! An [`Opened`] op takes its operands one by one. It sees to it that they belong to one run, that a
//! run which reads x₀ only hands out no tracers, that what is read is reported, and that the result
//! depends on the run whenever an operand does, through whatever door it came in. A rule gets each
//! float as an [`Operand`]: traced, or fixed, and then as a [`Coefficient`] that says whether it is a
//! weight or a decision.

use std::sync::Arc;

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use super::{
    Lineage, Mode, Run, ScopeTensor, Tracer, Tracked,
    kinks::{Decides, Read, Stairs, Test},
};
use crate::{coefficient::Coefficient, error::Error, linear::LinearMap};

/// A traced operand: its value at x₀ and its tracer.
#[derive(Clone, Debug)]
pub(crate) struct Traced<B: Backend> {
    pub value: FloatTensor<B>,
    pub tracer: Tracer<B>,
}

impl<B: Backend> Traced<B> {
    /// The tracer broadcast to a shape; the value stays.
    pub(crate) fn broadcast(self, to: &Shape) -> Self {
        Self {
            tracer: self.tracer.broadcast(&self.value.shape(), to),
            ..self
        }
    }
}

/// A float operand as a rule sees it.
#[derive(Clone, Debug)]
pub(crate) enum Operand<B: Backend> {
    /// It depends linearly on the input.
    Traced(Traced<B>),
    /// It does not: a weight, or a decision.
    Fixed(Coefficient<FloatTensor<B>>),
}

impl<B: Backend> Operand<B> {
    /// The value at x₀.
    pub(crate) fn value(&self) -> &FloatTensor<B> {
        match self {
            Operand::Traced(x) => &x.value,
            Operand::Fixed(x) => x.value(),
        }
    }

    /// Whether a tracer runs along.
    pub(crate) fn is_traced(&self) -> bool {
        matches!(self, Operand::Traced(_))
    }

    /// As a coefficient; `None` for a traced one, whose value at x₀ only the op's own decision may fix.
    pub(crate) fn fixed(self) -> Option<Coefficient<FloatTensor<B>>> {
        match self {
            Operand::Traced(_) => None,
            Operand::Fixed(x) => Some(x),
        }
    }
}

/// One op with its operands opened.
#[derive(Clone, Debug)]
pub(crate) struct Opened<B: Backend> {
    run: Option<Arc<Run<B>>>,
    /// Operands of two runs met: both have failed.
    torn: bool,
    /// A traced operand, without its probes, and its shape: for refusals.
    traced: Option<(Tracer<B>, Shape)>,
}

impl<B: Backend> Default for Opened<B> {
    fn default() -> Self {
        Self {
            run: None,
            torn: false,
            traced: None,
        }
    }
}

impl<B: Backend> Opened<B> {
    /// An operand of a run takes part; operands of two runs are an error of both. Whether it may.
    fn meet(&mut self, run: &Arc<Run<B>>) -> bool {
        let first = self.run.get_or_insert_with(|| run.clone());
        if Arc::ptr_eq(first, run) {
            return true;
        }
        self.torn = true;
        for run in [&*first, run] {
            let place = run.place("");
            run.fail(Error::RunsMeet { place });
        }
        false
    }

    /// Open a float operand.
    pub(crate) fn float(&mut self, x: ScopeTensor<B>) -> Operand<B> {
        self.float_or_read(x, |tracer, _, mode| {
            if let Mode::Reference(what) = mode {
                tracer.run().read(what, None);
            }
            matches!(mode, Mode::Reference(_) | Mode::Inside)
        })
    }

    /// Open a float operand that the op reads at x₀ only, whatever the mode; `decides` says how what it
    /// makes of it hangs on it.
    pub(crate) fn read(
        &mut self,
        x: ScopeTensor<B>,
        what: &'static str,
        decides: impl for<'a> FnOnce(&'a FloatTensor<B>, &'a Tracer<B>) -> Option<Decides<'a, B>>,
    ) -> FloatTensor<B> {
        let mut decides = Some(decides);
        let operand = self.float_or_read(x, |tracer, value, _| {
            let decides = decides.take().and_then(|decides| decides(value, tracer));
            tracer.run().read(what, decides);
            true
        });
        operand.value().clone()
    }

    /// Open the operand of a staircase: read, with its steps, where the run reads x₀ only.
    pub(crate) fn climb(&mut self, x: ScopeTensor<B>, stairs: Stairs) -> FloatTensor<B> {
        let operand = self.float_or_read(x, |tracer, value, mode| {
            if let Mode::Reference(what) = mode {
                let decides = Decides::Stairs(Read::traced(value, tracer), stairs);
                tracer.run().read(what, Some(decides));
            }
            matches!(mode, Mode::Reference(_) | Mode::Inside)
        });
        operand.value().clone()
    }

    /// Open two float operands that are compared entry by entry; `swapped` tests the second against the
    /// first.
    pub(crate) fn compare(
        &mut self,
        x: ScopeTensor<B>,
        y: ScopeTensor<B>,
        test: Test,
        swapped: bool,
    ) -> (FloatTensor<B>, FloatTensor<B>) {
        let tracers = [&x, &y].map(|operand| operand.tracer().cloned());
        for operand in [&x, &y] {
            if let Some(run) = operand.lineage().run() {
                self.meet(run);
            }
        }
        let runs = tracers
            .iter()
            .flatten()
            .next()
            .map(|tracer| tracer.run().clone());
        if let (Some(run), false) = (runs, self.torn) {
            let (of_x, of_y) = (x.value.shape(), y.value.shape());
            let dims: Vec<usize> = of_x
                .iter()
                .zip(of_y.iter())
                .map(|(a, b)| *a.max(b))
                .collect();
            let [left, right] =
                [(&x, &tracers[0]), (&y, &tracers[1])].map(|(operand, tracer)| Read {
                    value: &operand.value,
                    tracer: tracer.as_ref(),
                });
            let reads = if swapped {
                [right, left]
            } else {
                [left, right]
            };
            let decides = Decides::Against(reads, test, Shape::from(dims));
            run.read("comparison", Some(decides));
        }
        (x.value, y.value)
    }

    /// The operands of another part of the op count as this one's.
    pub(crate) fn join(&mut self, other: &Self) {
        if let Some(run) = &other.run {
            self.meet(run);
        }
        self.torn |= other.torn;
        self.traced = self.traced.take().or_else(|| other.traced.clone());
    }

    /// Whether any operand is traced.
    pub(crate) fn any_traced(&self) -> bool {
        self.traced.is_some()
    }

    /// Open a float operand; `reads` says whether it is read at x₀ only.
    fn float_or_read(
        &mut self,
        x: ScopeTensor<B>,
        reads: impl FnOnce(&Tracer<B>, &FloatTensor<B>, Mode) -> bool,
    ) -> Operand<B> {
        let ScopeTensor { value, lineage } = x;
        match lineage {
            Lineage::Constant => Operand::Fixed(Coefficient::weight(value)),
            Lineage::Decision(run) => {
                self.meet(&run);
                Operand::Fixed(Coefficient::carried(value))
            }
            Lineage::Traced(tracer) => {
                let together = self.meet(tracer.run());
                let mode = tracer.run().mode();
                if !together || reads(&tracer, &value, mode) {
                    return Operand::Fixed(Coefficient::carried(value));
                }
                if self.traced.is_none() {
                    self.traced = Some((tracer.poisoned(), value.shape()));
                }
                Operand::Traced(Traced { value, tracer })
            }
        }
    }

    /// Open an int, bool or quantised operand.
    pub(crate) fn other<T>(&mut self, x: Tracked<B, T>) -> Coefficient<T> {
        match &x.origin {
            Some(run) => {
                self.meet(run);
                Coefficient::carried(x.value)
            }
            None => Coefficient::weight(x.value),
        }
    }

    /// How a result depends on the run if it is not traced.
    fn lineage(&self) -> Lineage<B> {
        match &self.run {
            Some(run) => Lineage::Decision(run.clone()),
            None => Lineage::Constant,
        }
    }

    /// A result that no tracer runs along with.
    pub(crate) fn fixed(&self, value: FloatTensor<B>) -> ScopeTensor<B> {
        let lineage = self.lineage();
        ScopeTensor { value, lineage }
    }

    /// A traced result.
    pub(crate) fn traced(&self, value: FloatTensor<B>, tracer: Tracer<B>) -> ScopeTensor<B> {
        let tracer = if self.torn { tracer.poisoned() } else { tracer };
        ScopeTensor::traced(value, tracer)
    }

    /// An int, bool or quantised result.
    pub(crate) fn tracked<T>(&self, value: T) -> Tracked<B, T> {
        let origin = self.run.clone();
        Tracked { value, origin }
    }

    /// A result of an op without a rule: poisoned if any operand was traced. `because` starts with `: `
    /// or is empty.
    pub(crate) fn refused(&self, value: FloatTensor<B>, op: &str, because: &str) -> ScopeTensor<B> {
        match self.refuse(op, because) {
            Some(tracer) => ScopeTensor::traced(value, tracer),
            None => self.fixed(value),
        }
    }

    /// Refuse if any operand was traced.
    pub(crate) fn refuse(&self, op: &str, because: &str) -> Option<Tracer<B>> {
        let (tracer, shape) = self.traced.clone()?;
        Some(tracer.without_rule(op, &shape, because))
    }
}

/// An op on one float: its value, and what its rule makes of the tracer. The rule is asked first, with
/// the operand borrowed, so that the backend may compute the value in place.
pub(crate) fn unary<B: Backend>(
    x: ScopeTensor<B>,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    rule: impl FnOnce(&FloatTensor<B>, Tracer<B>) -> Tracer<B>,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    match op.float(x) {
        Operand::Fixed(x) => op.fixed(value(x.into_value())),
        Operand::Traced(Traced { value: x, tracer }) => {
            let tracer = rule(&x, tracer);
            op.traced(value(x), tracer)
        }
    }
}

/// [`unary`] for a rule that needs the value y₀ and of x₀ the shape only: x₀ may be overwritten.
pub(crate) fn unary_after<B: Backend>(
    x: ScopeTensor<B>,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    rule: impl FnOnce(&Shape, &FloatTensor<B>, Tracer<B>) -> Tracer<B>,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    match op.float(x) {
        Operand::Fixed(x) => op.fixed(value(x.into_value())),
        Operand::Traced(Traced { value: x, tracer }) => {
            let input = x.shape();
            let y = value(x);
            let tracer = rule(&input, &y, tracer);
            op.traced(y, tracer)
        }
    }
}

/// y = A x: the map is made from the shape of x.
pub(crate) fn linear<B: Backend, M: LinearMap<B> + 'static>(
    x: ScopeTensor<B>,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    map: impl FnOnce(&Shape) -> M,
) -> ScopeTensor<B> {
    unary_after(x, value, |input, y, tracer| {
        tracer.map(map(input), &y.shape())
    })
}

/// [`unary`] for a rule that needs the value y₀ as well: it gets x₀, y₀ and the tracer.
pub(crate) fn unary_at<B: Backend>(
    x: ScopeTensor<B>,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    rule: impl FnOnce(FloatTensor<B>, &FloatTensor<B>, Tracer<B>) -> Tracer<B>,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    match op.float(x) {
        Operand::Fixed(x) => op.fixed(value(x.into_value())),
        Operand::Traced(Traced { value: x, tracer }) => {
            let y = value(x.clone());
            let tracer = rule(x, &y, tracer);
            op.traced(y, tracer)
        }
    }
}
