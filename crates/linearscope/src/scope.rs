//! One interpreter run: who carries what, and where linear maps go.
//!
//! A rule turns an op at x₀ into linear maps and sources and hands them to the [`Probe`] it
//! acts on; the run's sink does the rest. The *paired* sink applies a map to the probes at
//! once and forgets it (the paper's mode); the *recording* sink appends it to a
//! [`Program`].

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use burn_backend::{Backend, DType, Shape, TensorMetadata, tensor::FloatTensor};

use crate::{
    error::{Error, Place, Result},
    linear::{LinearMap, batch},
    program::{Node, NodeId, Operation, Program},
    rules::{
        Choices, Kinks, Rule, RuleSet,
        set::{Site, plain},
    },
};

/// What happens to the linear maps and sources that rules return.
#[derive(Debug)]
enum Sink<B: Backend> {
    /// Apply to the probes at once, keep nothing. `sources` off gives F x₁ alone.
    Paired { sources: bool },
    /// Append to a program, as long as its decisions take no more than so many bytes.
    Recording {
        nodes: Mutex<Vec<Node<B>>>,
        budget: usize,
    },
}

#[derive(Debug, Default)]
struct State {
    site: Site,
    layers: Vec<Arc<str>>,
    error: Option<Error>,
    rule: Option<&'static str>,
    decisions: Vec<Arc<str>>,
    /// Which entries of the rule set have had a say.
    used: Vec<bool>,
    places: BTreeMap<Arc<str>, NodeId>,
    decision_bytes: usize,
    /// What units say of when they flip, where a run watches.
    watched: Option<Watched>,
}

/// What a run that watches its decisions has seen.
#[derive(Debug, Default)]
struct Watched {
    kinks: Vec<Kinks>,
    /// How many ops have been entered: a node may be several, of one position.
    entered: usize,
    /// Which of them said so.
    told: Vec<usize>,
    /// Which were frozen, at what node, and how.
    frozen: Vec<(usize, Arc<str>, &'static str)>,
}

/// One run of a network with probes. Shared by every probed tensor of the run.
#[derive(Debug)]
pub struct Scope<B: Backend> {
    sink: Sink<B>,
    rules: RuleSet,
    reference_only: AtomicBool,
    tangents: AtomicBool,
    state: Mutex<State>,
}

/// What a probed tensor carries, by sink.
#[derive(Clone, Debug)]
enum Carrier<B: Backend> {
    /// k probes, `[k, ..shape]`.
    Batch(FloatTensor<B>),
    /// A node of the program being recorded.
    Node(NodeId),
    /// Something upstream was refused; the run returns that error.
    Poisoned,
}

/// The probe beside a value: how this tensor depends, affinely, on the input.
#[derive(Clone, Debug)]
pub struct Probe<B: Backend> {
    scope: Arc<Scope<B>>,
    carrier: Carrier<B>,
    /// The last weighted op upstream; sources downstream of it belong to its layer.
    layer: usize,
    /// Whether it weighs others: the output of a sigmoid, a softmax, a clip.
    gate: bool,
}

impl<B: Backend> Scope<B> {
    fn new(sink: Sink<B>, rules: RuleSet) -> Arc<Self> {
        let used = vec![false; rules.entries().len()];
        Arc::new(Self {
            sink,
            rules,
            reference_only: AtomicBool::new(false),
            tangents: AtomicBool::new(false),
            state: Mutex::new(State {
                layers: vec!["input".into()],
                used,
                ..State::default()
            }),
        })
    }

    /// A run that applies every linear map to its probes at once. With `sources` the probes
    /// become F x₁ + r, otherwise F x₁.
    pub fn paired(rules: RuleSet, sources: bool) -> Arc<Self> {
        Self::new(Sink::Paired { sources }, rules)
    }

    /// A paired run, homogeneous, that notes where along its probes decisions change.
    pub(crate) fn watching(rules: RuleSet) -> Arc<Self> {
        let scope = Self::paired(rules, false);
        scope.state.lock().expect("scope state").watched = Some(Watched::default());
        scope
    }

    /// Note what a unit op that `probe` enters says of its decisions, if this run watches; `kinks` gets
    /// the current node and the probes.
    pub(crate) fn watch(
        &self,
        probe: &Probe<B>,
        kinks: impl FnOnce(Arc<str>, FloatTensor<B>) -> Result<Kinks>,
    ) {
        let Carrier::Batch(batch) = &probe.carrier else {
            return;
        };
        let node = {
            let state = self.state.lock().expect("scope state");
            if state.watched.is_none() {
                return;
            }
            state.site.node.clone()
        };
        match kinks(node, batch.clone()) {
            Ok(kinks) => {
                if let Some(watched) = &mut self.state.lock().expect("scope state").watched {
                    watched.kinks.push(kinks);
                    watched.told.push(watched.entered);
                }
            }
            Err(error) => self.fail(error),
        }
    }

    /// What a watching run has seen: every piecewise-linear op's kinks.
    ///
    /// # Errors
    /// [`Error::NotPiecewise`] at the first op that was frozen in another way.
    pub(crate) fn kinks(&self) -> Result<Vec<Kinks>> {
        let mut state = self.state.lock().expect("scope state");
        let Watched {
            kinks,
            told,
            frozen,
            ..
        } = state.watched.take().unwrap_or_default();
        match frozen.into_iter().find(|(op, ..)| !told.contains(op)) {
            None => Ok(kinks),
            Some((_, node, rule)) => Err(Error::NotPiecewise {
                node: node.to_string(),
                rule,
            }),
        }
    }

    /// A run that records a program.
    pub fn recording(rules: RuleSet) -> Arc<Self> {
        Self::recording_within(rules, usize::MAX)
    }

    /// A run that records a program, unless its decisions take more than `budget` bytes: then it
    /// ends with [`Error::Memory`].
    pub fn recording_within(rules: RuleSet, budget: usize) -> Arc<Self> {
        let nodes = Mutex::new(Vec::new());
        Self::new(Sink::Recording { nodes, budget }, rules)
    }

    /// The probe of an input of a paired run: k probes as `[k, ..shape]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the rank is not one more than the input's, or the shapes differ.
    pub fn probe(self: &Arc<Self>, probes: FloatTensor<B>, input: &Shape) -> Result<Probe<B>> {
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
        Ok(Probe {
            scope: self.clone(),
            carrier: Carrier::Batch(probes),
            layer: 0,
            gate: false,
        })
    }

    /// The node of input number `index` of a recording run.
    pub fn input(self: &Arc<Self>, index: usize, shape: &Shape) -> Probe<B> {
        let carrier = self.append(Operation::Input(index), shape, 0);
        Probe {
            scope: self.clone(),
            carrier,
            layer: 0,
            gate: false,
        }
    }

    /// What the rule set chooses for the current op.
    pub fn rules(&self) -> Choices {
        if self.tangents.load(Ordering::Relaxed) {
            return Choices::TANGENT;
        }
        self.rules
            .choices(&self.state.lock().expect("scope state").site)
    }

    /// The rule that replaces the current op's own, if the rule set names one.
    pub(crate) fn replacement(&self) -> Option<&Rule> {
        self.rules
            .replacement(&self.state.lock().expect("scope state").site)
    }

    /// Entries among the first `given` of the rule set that nothing in the network has fitted.
    pub(crate) fn unused_rules(&self, given: usize) -> Vec<String> {
        let state = self.state.lock().expect("scope state");
        let entries = self.rules.entries().iter().zip(&state.used);
        let unused = entries.take(given).filter(|(_, used)| !**used);
        unused.map(|(entry, _)| entry.to_string()).collect()
    }

    /// Say which op of which node runs next: Burn's name of it, the node's name and its number in
    /// the order they run.
    pub(crate) fn enter(&self, op: &str, node: &Arc<str>, position: usize) {
        let mut state = self.state.lock().expect("scope state");
        state.site = Site {
            op: plain(op),
            node: node.clone(),
            position,
        };
        // What follows is decided anew.
        state.rule = None;
        if let Some(watched) = &mut state.watched {
            watched.entered += 1;
        }
    }

    /// Whether the ops that follow take their tangents, whatever the rules: parts of a function that
    /// is frozen as a whole.
    pub(crate) fn take_tangents(&self, on: bool) {
        self.tangents.store(on, Ordering::Relaxed);
    }

    /// Whether the ops that follow read the reference only.
    pub(crate) fn read_reference_only(&self, on: bool) {
        self.reference_only.store(on, Ordering::Relaxed);
    }

    pub(crate) fn reads_reference_only(&self) -> bool {
        self.reference_only.load(Ordering::Relaxed)
    }

    /// A weighted op (convolution, matrix product) begins a layer named after its node.
    fn open_layer(&self) -> usize {
        let mut state = self.state.lock().expect("scope state");
        let node = state.site.node.clone();
        state.layers.push(node);
        state.layers.len() - 1
    }

    /// Note that a float was made from a decision (a comparison, an index) at the current node.
    pub(crate) fn note_decision(&self) {
        let mut state = self.state.lock().expect("scope state");
        let node = state.site.node.clone();
        if state.decisions.last() != Some(&node) {
            state.decisions.push(node);
        }
    }

    /// Names of the nodes that made floats out of decisions.
    pub fn decision_sources(&self) -> Vec<Arc<str>> {
        self.state.lock().expect("scope state").decisions.clone()
    }

    /// Say what was frozen of the current op, for surveys.
    pub(crate) fn note_rule(&self, rule: &'static str) {
        let mut state = self.state.lock().expect("scope state");
        let State {
            used,
            site,
            watched,
            ..
        } = &mut *state;
        for entry in self.rules.fitting(site) {
            used[entry] = true;
        }
        if let Some(watched) = watched {
            watched
                .frozen
                .push((watched.entered, site.node.clone(), rule));
        }
        state.rule = Some(rule);
    }

    /// What was frozen since the last time this was asked.
    pub(crate) fn take_rule(&self) -> Option<&'static str> {
        self.state.lock().expect("scope state").rule.take()
    }

    /// The error of the run, which goes on as if there had been none.
    pub(crate) fn take_error(&self) -> Option<Error> {
        self.state.lock().expect("scope state").error.take()
    }

    /// Whether this run records a program.
    pub(crate) fn records(&self) -> bool {
        matches!(self.sink, Sink::Recording { .. })
    }

    /// Remember where the output of the current node is; the last one of a node counts.
    pub(crate) fn note_output(&self, probe: &Probe<B>) {
        if let Carrier::Node(id) = probe.carrier {
            let mut state = self.state.lock().expect("scope state");
            let node = state.site.node.clone();
            state.places.insert(node, id);
        }
    }

    pub(crate) fn place(&self, op: &str) -> Place {
        Place {
            node: self
                .state
                .lock()
                .expect("scope state")
                .site
                .node
                .to_string(),
            op: op.to_string(),
        }
    }

    /// Remember the first error of the run.
    pub(crate) fn fail(&self, error: Error) {
        self.state
            .lock()
            .expect("scope state")
            .error
            .get_or_insert(error);
    }

    /// The first error of the run, if any op was refused.
    pub fn error(&self) -> Option<Error> {
        self.state.lock().expect("scope state").error.clone()
    }

    fn append(&self, operation: Operation<B>, shape: &Shape, layer: usize) -> Carrier<B> {
        let Sink::Recording { nodes, budget } = &self.sink else {
            unreachable!("only the recording sink appends")
        };
        let (name, decided) = {
            let mut state = self.state.lock().expect("scope state");
            let decided = state.rule.is_some();
            if decided {
                state.decision_bytes += operation.stored().bytes;
            }
            if state.decision_bytes > *budget {
                state.error.get_or_insert(Error::Memory {
                    what: "a replay".into(),
                    budget: *budget,
                });
                return Carrier::Poisoned;
            }
            (state.site.node.clone(), decided)
        };
        let mut nodes = nodes.lock().expect("program nodes");
        nodes.push(Node {
            operation,
            name,
            shape: shape.clone(),
            layer,
            decided,
        });
        Carrier::Node(NodeId(nodes.len() - 1))
    }

    /// The recorded program with these probes as its outputs, dead nodes removed.
    pub(crate) fn finish(&self, outputs: &[Probe<B>], dtype: DType) -> Result<Program<B>> {
        if let Some(error) = self.error() {
            return Err(error);
        }
        let Sink::Recording { nodes, .. } = &self.sink else {
            unreachable!("only a recording run yields a program")
        };
        let nodes = std::mem::take(&mut *nodes.lock().expect("program nodes"));
        let (layers, places) = {
            let state = self.state.lock().expect("scope state");
            (state.layers.clone(), state.places.clone())
        };
        let outputs = outputs
            .iter()
            .map(|probe| match probe.carrier {
                Carrier::Node(id) => id,
                _ => unreachable!("a recording run without an error carries nodes"),
            })
            .collect();
        Ok(Program::new(nodes, outputs, layers, dtype, places))
    }
}

impl<B: Backend> Probe<B> {
    /// The run this probe belongs to.
    pub fn scope(&self) -> &Arc<Scope<B>> {
        &self.scope
    }

    /// The k probes of a paired run, `[k, ..shape]`; `None` when recording or after a refusal.
    pub fn into_batch(self) -> Option<FloatTensor<B>> {
        match self.carrier {
            Carrier::Batch(batch) => Some(batch),
            _ => None,
        }
    }

    /// Refuse: the run will return `error`, and what follows carries no meaning.
    pub(crate) fn refuse(self, error: Error) -> Self {
        self.scope.fail(error);
        Self {
            carrier: Carrier::Poisoned,
            ..self
        }
    }

    /// y = A x: hand one linear map to the sink. `shape` is that of the result, without the
    /// probe axis.
    pub(crate) fn map(self, map: impl LinearMap<B> + 'static, shape: &Shape) -> Self {
        let gate = self.gate && map.moves();
        let carrier = match self.carrier {
            Carrier::Batch(x) => Carrier::Batch(map.apply(x)),
            Carrier::Node(input) => self.scope.append(
                Operation::Map {
                    map: Arc::new(map),
                    input,
                },
                shape,
                self.layer,
            ),
            Carrier::Poisoned => Carrier::Poisoned,
        };
        Self {
            carrier,
            gate,
            ..self
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

    /// Like [`map`](Self::map) for a map that x₀ chose; `rule` says what was frozen.
    pub(crate) fn decided(
        self,
        rule: &'static str,
        map: impl LinearMap<B> + 'static,
        shape: &Shape,
    ) -> Self {
        self.scope.note_rule(rule);
        self.map(map, shape)
    }

    /// Like [`map`](Self::map) for a map with weights: it begins a new layer.
    pub(crate) fn weighted(mut self, map: impl LinearMap<B> + 'static, shape: &Shape) -> Self {
        self.layer = self.scope.open_layer();
        self.map(map, shape)
    }

    /// y = x + b: a source of the affine system. `b` broadcasts against `shape` and has its rank.
    pub(crate) fn source(self, b: FloatTensor<B>, shape: &Shape) -> Self {
        let carrier = match self.carrier {
            Carrier::Batch(x) => Carrier::Batch(match self.scope.sink {
                Sink::Paired { sources: true } => B::float_add(x, batch::of_one::<B>(b)),
                _ => x,
            }),
            Carrier::Node(input) => {
                self.scope
                    .append(Operation::Source { value: b, input }, shape, self.layer)
            }
            Carrier::Poisoned => Carrier::Poisoned,
        };
        Self {
            carrier,
            gate: false,
            ..self
        }
    }

    /// Σ cᵢ xᵢ of probes of one shape.
    pub(crate) fn sum(terms: Vec<(f64, Self)>, shape: &Shape) -> Self {
        let (coefficients, probes): (Vec<f64>, Vec<Self>) = terms.into_iter().unzip();
        Self::join(
            probes,
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

    /// Concatenate probes along value axis `dim`; `extents` are their sizes there.
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

    /// Several probes of one run become one, by `at_once` or by a node.
    fn join(
        probes: Vec<Self>,
        shape: &Shape,
        at_once: impl FnOnce(Vec<FloatTensor<B>>) -> FloatTensor<B>,
        node: impl FnOnce(Vec<NodeId>) -> Operation<B>,
    ) -> Self {
        let scope = probes[0].scope.clone();
        let layer = probes.iter().map(|p| p.layer).max().unwrap_or(0);
        if let Some(stranger) = probes.iter().find(|p| !Arc::ptr_eq(&scope, &p.scope)) {
            let place = scope.place("");
            stranger.scope.fail(Error::ScopesMeet {
                place: place.clone(),
            });
            scope.fail(Error::ScopesMeet { place });
        }
        let (mut batches, mut nodes) = (Vec::new(), Vec::new());
        let count = probes.len();
        for probe in probes {
            match probe.carrier {
                Carrier::Batch(x) => batches.push(x),
                Carrier::Node(id) => nodes.push(id),
                Carrier::Poisoned => {}
            }
        }
        let carrier = if scope.error().is_some() {
            Carrier::Poisoned
        } else if batches.len() == count {
            Carrier::Batch(at_once(batches))
        } else if nodes.len() == count {
            scope.append(node(nodes), shape, layer)
        } else {
            Carrier::Poisoned
        };
        Self {
            scope,
            carrier,
            layer,
            gate: false,
        }
    }

    /// The zero probe of a constant operand joined with probed ones: A = 0, its value a source.
    ///
    /// `x` only lends its run; the result has `shape` and carries the constant `value`.
    pub(crate) fn constant_beside(
        x: &Self,
        value: FloatTensor<B>,
        x_shape: &Shape,
        shape: &Shape,
    ) -> Self {
        x.clone()
            .map(crate::linear::Zero::new(x_shape, shape), shape)
            .source(value, shape)
    }
}
