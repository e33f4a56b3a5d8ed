//! The tracer alongside a value: how this tensor depends, affinely, on the input of a run.

use std::sync::Arc;

use burn_backend::{Backend, Shape, tensor::FloatTensor};

use super::{Run, Sink, kinks::Decides, noise::Noise};
use crate::{
    coefficient::{Coefficient, Origin},
    error::Error,
    linear::{Expand, LinearMap, Zero, batch},
    program::{NodeIndex, Operation, SourceKind},
    report::Decided,
};

/// What a traced tensor carries, by sink.
#[derive(Clone, Debug)]
pub(super) enum Carrier<B: Backend> {
    /// k probes, `[k, ..shape]`.
    Batch(FloatTensor<B>),
    /// A node of the program being recorded.
    Node(NodeIndex),
    /// Something upstream was refused; the run returns that error.
    Poisoned,
}

/// How a tensor depends on the input: its probes, or its node in the program being recorded.
#[derive(Clone, Debug)]
pub struct Tracer<B: Backend> {
    pub(super) run: Arc<Run<B>>,
    pub(super) carrier: Carrier<B>,
    /// The last weighted op upstream; sources downstream of it belong to its layer.
    layer: usize,
    /// Whether it weighs others: the output of a sigmoid, a softmax, a clip.
    gate: bool,
}

impl<B: Backend> Tracer<B> {
    pub(super) fn new(run: Arc<Run<B>>, carrier: Carrier<B>) -> Self {
        Self {
            run,
            carrier,
            layer: 0,
            gate: false,
        }
    }

    /// The run this tracer belongs to.
    pub fn run(&self) -> &Arc<Run<B>> {
        &self.run
    }

    /// The k probes of a paired run, `[k, ..shape]`; `None` when recording or after a refusal.
    pub fn into_batch(self) -> Option<FloatTensor<B>> {
        match self.carrier {
            Carrier::Batch(batch) => Some(batch),
            _ => None,
        }
    }

    /// The k probes of a paired run.
    pub(super) fn batch(&self) -> Option<&FloatTensor<B>> {
        match &self.carrier {
            Carrier::Batch(batch) => Some(batch),
            _ => None,
        }
    }

    /// With the rounding noise of its value, if that is known.
    pub(super) fn with_noise<T>(&self, look: impl FnOnce(&mut Noise) -> T) -> Option<T> {
        match self.carrier {
            Carrier::Node(at) => self.run.with_noise(at, look),
            Carrier::Batch(_) | Carrier::Poisoned => None,
        }
    }

    /// Refuse: the run will return `error`, and what follows carries no meaning.
    pub(crate) fn refuse(self, error: Error) -> Self {
        self.run.fail(error);
        self.poisoned()
    }

    /// Refuse because the op has no rule here; `because` starts with `: ` or is empty.
    pub(crate) fn without_rule(self, op: &str, shape: &Shape, because: &str) -> Self {
        let error = Error::NoRule {
            place: self.run.place(op),
            shape: shape.to_vec(),
            because: because.into(),
        };
        self.refuse(error)
    }

    /// The same without what it carries: it refuses, and keeps no probes alive, so that the op itself may
    /// overwrite them.
    pub(super) fn poisoned(&self) -> Self {
        Self {
            run: self.run.clone(),
            carrier: Carrier::Poisoned,
            layer: self.layer,
            gate: self.gate,
        }
    }

    /// Report a decision of the current op, see [`Run::freeze`].
    pub(crate) fn freeze(&self, what: &'static str, decides: Option<Decides<'_, B>>) -> Decided {
        self.run.freeze(what, decides)
    }

    /// y = A x: hand one linear map to the sink. `shape` is that of the result, without the
    /// probe axis.
    pub(crate) fn map(self, map: impl LinearMap<B> + 'static, shape: &Shape) -> Self {
        let stored = map.structure().stored();
        if stored.is_none_or(|stored| stored.decisions.coefficients > 0) {
            self.run.carried(map.name());
        }
        let gate = self.gate && map.structure().is_scaled_selection();
        let carrier = match self.carrier {
            Carrier::Batch(x) => Carrier::Batch(map.apply(x)),
            Carrier::Node(input) => {
                let map = Arc::new(map);
                let operation = Operation::Map { map, input };
                self.run.append(operation, shape, self.layer)
            }
            Carrier::Poisoned => Carrier::Poisoned,
        };
        Self {
            carrier,
            gate,
            ..self
        }
    }

    /// Broadcast to the shape of the result.
    pub(crate) fn broadcast(self, from: &Shape, to: &Shape) -> Self {
        if from == to {
            self
        } else {
            self.map(Expand::new(from, to), to)
        }
    }

    /// The same as a gate: in a product it is the part that is frozen.
    pub(crate) fn gate(self) -> Self {
        Self { gate: true, ..self }
    }

    /// Whether it is the output of a gate, moved or scaled since.
    pub(crate) fn is_gate(&self) -> bool {
        self.gate
    }

    /// Like [`map`](Self::map) for a map with weights: it begins a new layer.
    pub(crate) fn weighted(mut self, map: impl LinearMap<B> + 'static, shape: &Shape) -> Self {
        self.layer = self.run.open_layer();
        self.map(map, shape)
    }

    /// y = x + b: a source of the affine system. `b` broadcasts against `shape` and has its rank. It is
    /// a bias where it does not depend on x₀, see [`unit`](Self::unit).
    pub(crate) fn source(self, b: Coefficient<FloatTensor<B>>, shape: &Shape) -> Self {
        let kind = SourceKind::of(b.origin());
        self.plus(b, kind, shape)
    }

    /// The same for a constant that the rule of a unit leaves over. It need not depend on x₀, as σ(0) does
    /// not, and is no bias of the network's.
    pub(crate) fn unit(self, b: Coefficient<FloatTensor<B>>, shape: &Shape) -> Self {
        self.plus(b, SourceKind::Unit, shape)
    }

    fn plus(self, b: Coefficient<FloatTensor<B>>, kind: SourceKind, shape: &Shape) -> Self {
        if b.origin() == Origin::Decision {
            self.run.carried("source");
        }
        let carrier = match self.carrier {
            Carrier::Batch(x) => Carrier::Batch(match self.run.sink {
                Sink::Paired { sources: true } => {
                    B::float_add(x, batch::of_one::<B>(b.into_value()))
                }
                _ => x,
            }),
            Carrier::Node(input) => {
                let operation = Operation::Source {
                    value: b,
                    kind,
                    input,
                };
                self.run.append(operation, shape, self.layer)
            }
            Carrier::Poisoned => Carrier::Poisoned,
        };
        Self {
            carrier,
            gate: false,
            ..self
        }
    }

    /// Σ cᵢ xᵢ of tracers of one shape and run.
    pub(crate) fn sum(terms: Vec<(f64, Self)>, shape: &Shape) -> Self {
        let (coefficients, tracers): (Vec<f64>, Vec<Self>) = terms.into_iter().unzip();
        Self::join(
            tracers,
            shape,
            |batches| {
                batches
                    .into_iter()
                    .zip(&coefficients)
                    .map(|(x, c)| batch::scaled::<B>(x, *c))
                    .reduce(B::float_add)
                    .expect("a sum has terms")
            },
            |nodes| Operation::Sum(coefficients.iter().copied().zip(nodes).collect()),
        )
    }

    /// Concatenate tracers of one run along value axis `dim`; `extents` are their sizes there.
    pub(crate) fn concat(parts: Vec<Self>, dim: usize, extents: Vec<usize>, shape: &Shape) -> Self {
        Self::join(
            parts,
            shape,
            |batches| B::float_cat(batches, dim + 1),
            |parts| Operation::Concat {
                parts,
                dim,
                extents: extents.clone(),
            },
        )
    }

    /// Several tracers become one, by `at_once` or by a node. [`open`](super::open) has seen to it that
    /// they are of one run.
    fn join(
        tracers: Vec<Self>,
        shape: &Shape,
        at_once: impl FnOnce(Vec<FloatTensor<B>>) -> FloatTensor<B>,
        node: impl FnOnce(Vec<NodeIndex>) -> Operation<B>,
    ) -> Self {
        let run = tracers[0].run.clone();
        let layer = tracers.iter().map(|p| p.layer).max().unwrap_or(0);
        let (mut batches, mut nodes) = (Vec::new(), Vec::new());
        let count = tracers.len();
        for tracer in tracers {
            match tracer.carrier {
                Carrier::Batch(x) => batches.push(x),
                Carrier::Node(id) => nodes.push(id),
                Carrier::Poisoned => {}
            }
        }
        let carrier = if batches.len() == count {
            Carrier::Batch(at_once(batches))
        } else if nodes.len() == count {
            run.append(node(nodes), shape, layer)
        } else {
            Carrier::Poisoned
        };
        Self {
            run,
            carrier,
            layer,
            gate: false,
        }
    }

    /// The tracer of a constant operand joined with traced ones: A = 0, its value a source.
    ///
    /// It lends only its run; the result has `shape` and carries the constant `value`.
    pub(crate) fn constant_beside(
        &self,
        value: Coefficient<FloatTensor<B>>,
        own: &Shape,
        shape: &Shape,
    ) -> Self {
        self.clone()
            .map(Zero::new(own, shape), shape)
            .source(value, shape)
    }
}
