//! The interpreter: the user's handle on y(x) = F x + r of one network at one x₀.

use std::sync::{Arc, OnceLock};

use burn_backend::{
    Backend, DType, Shape, Slice, TensorData, TensorMetadata, read_sync, tensor::FloatTensor,
};

use crate::{
    driver::Loaded,
    error::{Error, Place, Result, guarded},
    linear::batch,
    program::{Carry, Node, NodeId, Program, machine_budget},
    rules::{Kinks, RuleSet},
    scope::{Probe, Scope},
    tensor::{Lineage, ScopeTensor},
};

/// A network frozen at x₀: its reference outputs and the recorded affine map.
///
/// Made by one run of the network; asked any number of times. All tensors are primitives of the
/// inner backend `B` on the device the network was loaded on, in its dtype; probes and
/// cotangents have a leading axis k.
#[derive(Debug)]
pub struct Interpreter<B: Backend> {
    loaded: Arc<Loaded<B>>,
    reference: Vec<FloatTensor<B>>,
    program: Program<B>,
    rules: RuleSet,
    decisions: Vec<Arc<str>>,
    unused_rules: Vec<String>,
    /// Bytes that decisions, their expansions and probes may take.
    budget: usize,
    /// F alone, in fewer maps; made when first asked for.
    homogeneous: OnceLock<Program<B>>,
    /// The program as replays with sources and of parts take it.
    prepared: OnceLock<Program<B>>,
    /// x₀, where the decisions did not fit the budget.
    unrecorded: Option<Vec<FloatTensor<B>>>,
}

/// One source and its contribution ⟨q, b⟩ to a linear functional of the output.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceShare {
    /// Name of the network node the source came from.
    pub node: String,
    /// Index into [`Program::layers`].
    pub layer: usize,
    /// ⟨q, b⟩ for each of the k cotangents.
    pub values: Vec<f64>,
}

impl<B: Backend> Interpreter<B> {
    /// Freeze the network at x₀ and record its affine map. Cost: one forward of the network and
    /// the rules' decisions; memory: the decisions.
    ///
    /// Memory is what [`machine_budget`] says; see [`within`](Self::within).
    ///
    /// # Errors
    /// [`Error::NotFinite`] when x₀ or f(x₀) is not; [`Error::NoRule`] when the network has an op
    /// without a rule; [`Error::LostProbe`] when an output is no linear function of the input.
    pub fn new(loaded: Arc<Loaded<B>>, x0: Vec<FloatTensor<B>>, rules: RuleSet) -> Result<Self> {
        Self::within(loaded, x0, rules, machine_budget())
    }

    /// [`new`](Self::new) within a budget of bytes.
    ///
    /// Probes are cut into as many batches as fit; what comes out does not depend on the cut. Where
    /// not even the decisions fit, nothing is recorded and every replay runs the network with its
    /// reference beside the probes ([`is_recorded`](Self::is_recorded) says so): twice the price,
    /// and forwards only.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn within(
        loaded: Arc<Loaded<B>>,
        x0: Vec<FloatTensor<B>>,
        rules: RuleSet,
        budget: usize,
    ) -> Result<Self> {
        let ports = loaded.network().inputs();
        for (port, x0) in ports.iter().zip(&x0) {
            check_finite::<B>(&format!("input \"{}\"", port.name), x0)?;
        }
        let frozen = Self::record_within(loaded, x0, rules, budget)?;
        let ports = frozen.loaded.network().outputs();
        for (port, y0) in ports.iter().zip(&frozen.reference) {
            check_finite::<B>(&format!("output \"{}\"", port.name), y0)?;
        }
        Ok(frozen)
    }

    /// The same without a budget, and without a look at the values, which would wait for the device:
    /// for training.
    pub(crate) fn record(
        loaded: Arc<Loaded<B>>,
        x0: Vec<FloatTensor<B>>,
        rules: RuleSet,
    ) -> Result<Self> {
        Self::record_within(loaded, x0, rules, usize::MAX)
    }

    fn record_within(
        loaded: Arc<Loaded<B>>,
        x0: Vec<FloatTensor<B>>,
        rules: RuleSet,
        budget: usize,
    ) -> Result<Self> {
        rules.check()?;
        let given = rules.entries().len();
        let rules = loaded.network().rules(rules);
        let scope = Scope::recording_within(rules.clone(), budget);
        let inputs = x0
            .iter()
            .enumerate()
            .map(|(index, x0)| {
                let probe = scope.input(index, &x0.shape());
                ScopeTensor::probed(x0.clone(), probe)
            })
            .collect();
        let (reference, program, unrecorded) = match probed_outputs(&loaded, inputs, &scope) {
            Ok((reference, probes)) => (reference, scope.finish(&probes, loaded.dtype())?, None),
            Err(Error::Memory { .. }) => {
                // One probe shows what recording would have: refused ops, lost probes.
                let zeros = x0.iter().map(|x0| batch::zeros::<B>(x0, 1, &x0.shape()));
                let (reference, _) =
                    Self::paired(&loaded, x0.clone(), zeros.collect(), rules.clone(), true)?;
                (reference, Program::empty(loaded.dtype()), Some(x0))
            }
            Err(error) => return Err(error),
        };
        let interpreter = Self {
            decisions: scope.decision_sources(),
            unused_rules: scope.unused_rules(given),
            loaded,
            reference,
            program,
            rules,
            budget,
            homogeneous: OnceLock::new(),
            prepared: OnceLock::new(),
            unrecorded,
        };
        // A quarter for what replays would otherwise expand each time, the rest for probes.
        interpreter.program.keep_expanded(budget / 4);
        Ok(interpreter)
    }

    /// Whether the program was recorded. If not, its decisions did not fit the budget, and replays
    /// run the network with its reference (the paper's mode).
    pub fn is_recorded(&self) -> bool {
        self.unrecorded.is_none()
    }

    /// Bytes that decisions and probes may take.
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// F alone, in fewer maps than [`program`](Self::program): what replays without sources use.
    pub fn homogeneous(&self) -> &Program<B> {
        self.homogeneous.get_or_init(|| self.program.homogeneous())
    }

    fn prepared(&self) -> &Program<B> {
        self.prepared.get_or_init(|| self.program.prepared())
    }

    fn recorded(&self, what: &str) -> Result<&Program<B>> {
        match self.unrecorded {
            None => Ok(&self.program),
            Some(_) => Err(Error::Memory {
                what: what.into(),
                budget: self.budget,
            }),
        }
    }

    /// The paper's mode: reference and k probes side by side, nothing recorded.
    ///
    /// Takes x₀ and `[k, ..input]` probes per input; gives y₀ and `[k, ..output]` per output:
    /// F x₁ + r with `sources`, F x₁ without. Cost: k + 1 forwards and the rules; memory: the
    /// tensors alive at once, no decisions. On an autodiff device gradients reach the probes.
    ///
    /// # Errors
    /// [`Error::Shape`] for a probe batch that does not fit; [`Error::NoRule`], [`Error::LostProbe`]
    /// as in [`new`](Self::new). Values are not looked at: that would wait for the device each step.
    #[allow(clippy::type_complexity)]
    pub fn paired(
        loaded: &Loaded<B>,
        x0: Vec<FloatTensor<B>>,
        probes: Vec<FloatTensor<B>>,
        rules: RuleSet,
        sources: bool,
    ) -> Result<(Vec<FloatTensor<B>>, Vec<FloatTensor<B>>)> {
        rules.check()?;
        let scope = Scope::paired(loaded.network().rules(rules), sources);
        let (reference, probes) = beside(loaded, x0, probes, &scope)?;
        let probes = probes
            .into_iter()
            .map(|probe| {
                probe
                    .into_batch()
                    .expect("a paired run without an error carries batches")
            })
            .collect();
        Ok((reference, probes))
    }

    /// How far along k directions d, `[k, ..input]` per input, the decisions of x₀ hold: what every
    /// piecewise-linear op says, in the order they run. Up to the least t of all nothing flips, so
    /// that f(x₀ + t d) = F (x₀ + t d) + r; where t is exact, that of a later op is not, since those
    /// before it have flipped by then. Cost: a paired run; the units are read back from the device.
    ///
    /// # Errors
    /// [`Error::NotPiecewise`] where an op was frozen that is not piecewise linear: it decides
    /// otherwise at once. As [`paired`](Self::paired).
    pub fn first_flips(
        loaded: &Loaded<B>,
        x0: Vec<FloatTensor<B>>,
        directions: Vec<FloatTensor<B>>,
        rules: RuleSet,
    ) -> Result<Vec<Kinks>> {
        rules.check()?;
        let scope = Scope::watching(loaded.network().rules(rules));
        beside(loaded, x0, directions, &scope)?;
        scope.kinks()
    }

    /// The network this is an interpreter of.
    pub fn loaded(&self) -> &Arc<Loaded<B>> {
        &self.loaded
    }

    /// y₀ = f(x₀), one tensor per output, without a probe axis.
    pub fn reference(&self) -> &[FloatTensor<B>] {
        &self.reference
    }

    /// The recorded linear maps and sources; without nodes where nothing was
    /// [recorded](Self::is_recorded).
    pub fn program(&self) -> &Program<B> {
        &self.program
    }

    /// The rules that froze the non-linear units: those given, then the network's own.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Entries of the rule set that nothing in the network fitted: a misspelt name, perhaps.
    pub fn unused_rules(&self) -> &[String] {
        &self.unused_rules
    }

    /// Nodes at which floats were made out of decisions (comparisons, indices).
    pub fn decision_sources(&self) -> &[Arc<str>] {
        &self.decisions
    }

    /// F x for k probes, `[k, ..input] → [k, ..output]`, per input and output.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn apply(&self, x: &[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>> {
        self.check_probes(x)?;
        self.replay(x, false)
    }

    /// F x + r for k probes. See [`apply`](Self::apply).
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn affine(&self, x: &[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>> {
        self.check_probes(x)?;
        self.replay(x, true)
    }

    /// The residual r, `[..output]` per output: the affine map at x₁ = 0.
    ///
    /// # Errors
    /// None of its own; it shares [`affine`](Self::affine)'s signature.
    pub fn residual(&self) -> Result<Vec<FloatTensor<B>>> {
        let zeros: Vec<_> = self
            .loaded
            .network()
            .inputs()
            .iter()
            .map(|port| self.zeros(1, &port.shape))
            .collect();
        let r = self.replay(&zeros, true)?;
        Ok(r.into_iter().map(without_probe_axis::<B>).collect())
    }

    /// Fᵀ y for k cotangents, `[k, ..output] → [k, ..input]`. An input that no output depends on
    /// gets zeros.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Memory`] where nothing was recorded.
    pub fn adjoint(&self, y: &[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>> {
        self.recorded("the adjoint")?;
        let outputs = self.loaded.network().outputs();
        check_batches::<B>("cotangent of output", outputs, y)?;
        self.in_batches(y, |y| self.sweep(self.homogeneous(), y, |_, _, _| {}))
    }

    /// Fᵀ y, and for every source its contribution ⟨q, b⟩ to ⟨y, F x + r⟩ (Theorem 1 of the
    /// paper: they sum to ⟨y, r⟩ on any acyclic graph). Sums in f64 on the host; cost: one adjoint
    /// sweep and one read-back per source.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Data`].
    pub fn contributions(
        &self,
        y: &[FloatTensor<B>],
    ) -> Result<(Vec<FloatTensor<B>>, Vec<SourceShare>)> {
        self.recorded("contributions")?;
        let program = self.prepared();
        let mut shares = Vec::new();
        let mut failed = None;
        let rows = self.sweep(program, y, |node, b, q| {
            let k = q.shape()[0];
            // Sum q over what b was broadcast along, so that the product is small.
            let q = batch::sum_to::<B>(q.clone(), &b.shape());
            match (host::<B>(q), host::<B>(b.clone())) {
                (Ok(q), Ok(b)) => shares.push(SourceShare {
                    node: node.name.to_string(),
                    layer: node.layer,
                    values: q
                        .chunks(q.len() / k)
                        .map(|q| q.iter().zip(&b).map(|(q, b)| q * b).sum())
                        .collect(),
                }),
                (Err(error), _) | (_, Err(error)) => {
                    failed.get_or_insert(error);
                }
            }
        })?;
        shares.reverse();
        match failed {
            Some(error) => Err(error),
            None => Ok((rows, shares)),
        }
    }

    /// One backward sweep from k cotangents of the only output to the only input that takes along
    /// what sources say, see [`Carry`]: `(q, s)`, each `[k, ..input]`. With a layer only its sources
    /// are heard.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Memory`] where nothing was recorded.
    pub fn carried(
        &self,
        y: &FloatTensor<B>,
        carry: Carry,
        layer: Option<usize>,
    ) -> Result<(FloatTensor<B>, FloatTensor<B>)> {
        let heard = |node: &Node<B>| layer.is_none_or(|layer| node.layer == layer);
        let program = self.recorded("a discussion")?;
        let (to, input) = (
            self.end(None, program.outputs())?,
            self.end(None, &program.inputs())?,
        );
        self.check_at("the cotangent", y, to)?;
        let mut found = self.in_batches(std::slice::from_ref(y), |y| {
            let seeds = [(to, y[0].clone())];
            let both = guarded(
                || replaying("the adjoint replay"),
                || program.carry_of(&seeds, carry, heard).remove(0),
            )?;
            let k = y[0].shape()[0];
            let zeros = || self.zeros(k, program.shape(input));
            let (q, s) = both.unwrap_or_else(|| (zeros(), zeros()));
            Ok(vec![q, s])
        })?;
        let s = found.remove(1);
        Ok((found.remove(0), s))
    }

    /// What the sources of every layer add to every entry of each output, `[layers, ..output]`, in
    /// forward passes. Summed over layers it is [`residual`](Self::residual); each column is what
    /// [`contributions`](Self::contributions) finds by an adjoint sweep.
    ///
    /// # Errors
    /// [`Error::Memory`] where nothing was recorded.
    pub fn contributions_of_all(&self) -> Result<Vec<FloatTensor<B>>> {
        self.recorded("contributions")?;
        let program = self.prepared();
        let zeros = |k: usize, id: NodeId| self.zeros(k, program.shape(id));
        guarded(
            || replaying("the replay"),
            || program.residual_by_layer(&zeros, self.probes_at_once()),
        )
    }

    fn sweep(
        &self,
        program: &Program<B>,
        y: &[FloatTensor<B>],
        on_source: impl FnMut(&Node<B>, &FloatTensor<B>, &FloatTensor<B>),
    ) -> Result<Vec<FloatTensor<B>>> {
        let outputs = self.loaded.network().outputs();
        check_batches::<B>("cotangent of output", outputs, y)?;
        let k = y.first().map_or(1, |y| y.shape()[0]);
        let seeds = pairs::<B>(program.outputs(), y);
        let inputs = guarded(
            || replaying("the adjoint replay"),
            || program.backward(&seeds, &program.inputs(), on_source),
        )?;
        Ok(inputs
            .into_iter()
            .zip(self.loaded.network().inputs())
            .map(|(x, port)| x.unwrap_or_else(|| self.zeros(k, &port.shape)))
            .collect())
    }

    fn replay(&self, x: &[FloatTensor<B>], sources: bool) -> Result<Vec<FloatTensor<B>>> {
        if let Some(x0) = &self.unrecorded {
            return self.in_batches(x, |x| {
                let (x0, x) = (x0.clone(), x.to_vec());
                Ok(Self::paired(&self.loaded, x0, x, self.rules.clone(), sources)?.1)
            });
        }
        let program = match sources {
            true => self.prepared(),
            false => self.homogeneous(),
        };
        self.in_batches(x, |x| {
            let starts = pairs::<B>(&program.inputs(), x);
            guarded(
                || replaying("the replay"),
                || program.forward(&starts, program.outputs(), sources),
            )
        })
    }

    /// How many probes may run side by side.
    pub fn probes_at_once(&self) -> usize {
        let left = self.budget - (self.budget / 4).min(self.program.account().expanded_bytes);
        match self.unrecorded {
            None => self.program.probes_within(left),
            // Nothing is known about the size of what a run keeps alive.
            Some(_) => 1,
        }
    }

    /// `work` on as many probes at a time as fit the budget, the results side by side.
    fn in_batches(
        &self,
        x: &[FloatTensor<B>],
        mut work: impl FnMut(&[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>>,
    ) -> Result<Vec<FloatTensor<B>>> {
        let k = x.first().map_or(1, |x| x.shape()[0]);
        let most = self.probes_at_once();
        if k <= most {
            return work(x);
        }
        let mut parts: Vec<Vec<FloatTensor<B>>> = Vec::new();
        for start in (0..k).step_by(most) {
            let some: Vec<FloatTensor<B>> = x
                .iter()
                .map(|x| {
                    let mut ranges: Vec<Slice> =
                        x.shape().iter().map(|&size| Slice::from(0..size)).collect();
                    ranges[0] = Slice::from(start..(start + most).min(k));
                    B::float_slice(x.clone(), &ranges)
                })
                .collect();
            parts.push(work(&some)?);
        }
        let ports = parts.first().map_or(0, Vec::len);
        Ok((0..ports)
            .map(|port| B::float_cat(parts.iter().map(|part| part[port].clone()).collect(), 0))
            .collect())
    }

    fn zeros(&self, k: usize, shape: &Shape) -> FloatTensor<B> {
        B::float_zeros(
            batch::shape_of(k, shape),
            self.loaded.device(),
            self.loaded.dtype().into(),
        )
    }

    /// The place of a named network node, or an error that lists what there is.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`].
    pub fn node(&self, name: &str) -> Result<NodeId> {
        let program = self.recorded("a sub-network")?;
        program.place(name).ok_or_else(|| Error::NoSuchNode {
            name: name.into(),
            nodes: self.program.place_names().map(String::from).collect(),
        })
    }

    /// The sub-network between two places, homogeneous: k probes of `from` (`None`: the only
    /// input) to what they become at `to` (`None`: the only output). Paths that do not pass
    /// `from` carry zeros.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn apply_between(
        &self,
        x: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
    ) -> Result<FloatTensor<B>> {
        let k = x.shape()[0];
        let zeros = self
            .program
            .inputs()
            .into_iter()
            .map(|id| (id, self.zeros(k, self.program.shape(id))))
            .collect();
        self.between(x, from, to, zeros, false)
    }

    /// The same with sources: the frozen network with `from` set to the probes. Paths that do not
    /// pass `from` carry x₀, so that the probe f_from(x₀) gives f_to(x₀).
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn affine_between(
        &self,
        x: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
        x0: &[FloatTensor<B>],
    ) -> Result<FloatTensor<B>> {
        let k = x.shape()[0];
        let repeated = self
            .program
            .inputs()
            .into_iter()
            .zip(x0)
            .map(|(id, x0)| {
                let x0 = batch::of_one::<B>(x0.clone());
                (id, B::float_repeat_dim(x0, 0, k))
            })
            .collect();
        self.between(x, from, to, repeated, true)
    }

    fn between(
        &self,
        x: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
        mut starts: Vec<(NodeId, FloatTensor<B>)>,
        sources: bool,
    ) -> Result<FloatTensor<B>> {
        self.recorded("a sub-network")?;
        let from = self.end(from, &self.program.inputs())?;
        let to = self.end(to, self.program.outputs())?;
        self.check_at("the probe", &x, from)?;
        if !self.program.depends(to, from) {
            return Err(self.no_path(from, to));
        }
        starts.retain(|(id, _)| *id != from);
        starts.push((from, x));
        guarded(
            || replaying("the replay"),
            || self.prepared().forward(&starts, &[to], sources).remove(0),
        )
    }

    /// [`Program::deconvolution`] of k cotangents of `to` down to `from`.
    ///
    /// # Errors
    /// As [`adjoint_between`](Self::adjoint_between).
    pub fn deconvolution_between(
        &self,
        y: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
    ) -> Result<FloatTensor<B>> {
        self.carried_back(y, from, to, |seed, target| {
            self.prepared().deconvolution(&[seed], &[target])
        })
    }

    /// The adjoint of [`apply_between`](Self::apply_between): k cotangents of `to` carried back
    /// to `from`.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::NoPath`] when `to` does not depend on `from`.
    pub fn adjoint_between(
        &self,
        y: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
    ) -> Result<FloatTensor<B>> {
        self.carried_back(y, from, to, |seed, target| {
            self.prepared().backward(&[seed], &[target], |_, _, _| {})
        })
    }

    fn carried_back(
        &self,
        y: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
        sweep: impl Fn((NodeId, FloatTensor<B>), NodeId) -> Vec<Option<FloatTensor<B>>>,
    ) -> Result<FloatTensor<B>> {
        self.recorded("a sub-network")?;
        let from = self.end(from, &self.program.inputs())?;
        let to = self.end(to, self.program.outputs())?;
        self.check_at("the cotangent", &y, to)?;
        let found = guarded(
            || replaying("the adjoint replay"),
            || sweep((to, y.clone()), from),
        )?;
        found
            .into_iter()
            .next()
            .flatten()
            .ok_or_else(|| self.no_path(from, to))
    }

    fn no_path(&self, from: NodeId, to: NodeId) -> Error {
        let name = |id: NodeId| self.program.nodes()[id.0].name.to_string();
        Error::NoPath {
            from: name(from),
            to: name(to),
        }
    }

    fn end(&self, given: Option<NodeId>, only: &[NodeId]) -> Result<NodeId> {
        match (given, only) {
            (Some(id), _) => Ok(id),
            (None, [id]) => Ok(*id),
            (None, several) => Err(Error::Shape {
                what: "the list of ends of a sub-network".into(),
                got: vec![several.len()],
                expected: vec![1],
                hint: "; name the node".into(),
            }),
        }
    }

    fn check_at(&self, what: &str, x: &FloatTensor<B>, at: NodeId) -> Result<()> {
        let expected = batch::shape_of(x.shape()[0], self.program.shape(at));
        if x.shape() == expected {
            return Ok(());
        }
        Err(Error::Shape {
            what: format!("{what} at \"{}\"", self.program.nodes()[at.0].name),
            got: x.shape().to_vec(),
            expected: expected.to_vec(),
            hint: "; the first axis counts the probes".into(),
        })
    }

    fn check_probes(&self, x: &[FloatTensor<B>]) -> Result<()> {
        check_batches::<B>("probe of input", self.loaded.network().inputs(), x)
    }
}

fn replaying(what: &str) -> Place {
    Place {
        node: String::new(),
        op: what.into(),
    }
}

fn pairs<B: Backend>(ids: &[NodeId], tensors: &[FloatTensor<B>]) -> Vec<(NodeId, FloatTensor<B>)> {
    ids.iter().copied().zip(tensors.iter().cloned()).collect()
}

/// Run a paired scope: x₀ and `[k, ..input]` probes per input.
#[allow(clippy::type_complexity)]
fn beside<B: Backend>(
    loaded: &Loaded<B>,
    x0: Vec<FloatTensor<B>>,
    probes: Vec<FloatTensor<B>>,
    scope: &Arc<Scope<B>>,
) -> Result<(Vec<FloatTensor<B>>, Vec<Probe<B>>)> {
    let inputs = x0
        .into_iter()
        .zip(probes)
        .map(|(x0, probes)| {
            let probe = scope.probe(probes, &x0.shape())?;
            Ok(ScopeTensor::probed(x0, probe))
        })
        .collect::<Result<_>>()?;
    probed_outputs(loaded, inputs, scope)
}

/// Run, and insist that every output is still a linear function of the input.
#[allow(clippy::type_complexity)]
fn probed_outputs<B: Backend>(
    loaded: &Loaded<B>,
    inputs: Vec<ScopeTensor<B>>,
    scope: &Arc<Scope<B>>,
) -> Result<(Vec<FloatTensor<B>>, Vec<Probe<B>>)> {
    let outputs = loaded.run(inputs, Some(scope))?;
    let mut values = Vec::new();
    let mut probes = Vec::new();
    for (port, tensor) in loaded.network().outputs().iter().zip(outputs) {
        let because = match tensor.lineage() {
            Lineage::Probed(_) => None,
            Lineage::Decision(scope) => Some(match scope.decision_sources().last() {
                Some(node) => format!(
                    "it depends on the input through decisions only, the last made in node \
                     \"{node}\""
                ),
                None => "it depends on the input through decisions only".to_string(),
            }),
            Lineage::Constant => Some("it does not depend on the input".to_string()),
        };
        if let Some(because) = because {
            return Err(Error::LostProbe {
                output: port.name.clone(),
                because,
            });
        }
        let ScopeTensor { value, lineage } = tensor;
        let Lineage::Probed(probe) = lineage else {
            unreachable!("checked above")
        };
        values.push(value);
        probes.push(probe);
    }
    Ok((values, probes))
}

fn check_batches<B: Backend>(
    what: &str,
    ports: &[crate::network::Port],
    tensors: &[FloatTensor<B>],
) -> Result<()> {
    if ports.len() != tensors.len() {
        return Err(Error::Shape {
            what: format!("the list of {what}s"),
            got: vec![tensors.len()],
            expected: vec![ports.len()],
            hint: String::new(),
        });
    }
    let k = tensors.first().map_or(1, |t| t.shape()[0]);
    for (port, tensor) in ports.iter().zip(tensors) {
        let expected = batch::shape_of(k, &port.shape);
        if tensor.shape() != expected {
            return Err(Error::Shape {
                what: format!("{what} \"{}\"", port.name),
                got: tensor.shape().to_vec(),
                expected: expected.to_vec(),
                hint: "; the first axis counts the probes".into(),
            });
        }
    }
    Ok(())
}

/// `[1, ..shape] → [..shape]`.
fn without_probe_axis<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let dims: Vec<usize> = x.shape().iter().skip(1).copied().collect();
    B::float_reshape(x, Shape::from(dims))
}

/// A float tensor's numbers on the host, as f64.
///
/// # Errors
/// [`Error::Data`] when the device cannot deliver.
pub fn host<B: Backend>(x: FloatTensor<B>) -> Result<Vec<f64>> {
    let data: TensorData =
        read_sync(B::float_into_data(x)).map_err(|error| Error::Data(format!("{error:?}")))?;
    let data = data.convert_dtype(DType::F64);
    data.try_to_vec::<f64>()
        .map_err(|error| Error::Data(format!("{error:?}")))
}

fn check_finite<B: Backend>(what: &str, x: &FloatTensor<B>) -> Result<()> {
    let values = host::<B>(B::float_detach(x.clone()))?;
    let mut bad = values.iter().enumerate().filter(|(_, v)| !v.is_finite());
    match bad.next() {
        None => Ok(()),
        Some((first, _)) => Err(Error::NotFinite {
            what: what.into(),
            count: 1 + bad.count(),
            first,
        }),
    }
}

/// A one-hot batch: row j is 1 at flat position `positions[j]` of `shape`, `[k, ..shape]`.
///
/// # Errors
/// [`Error::OutOfRange`].
pub fn one_hot<B: Backend>(
    positions: &[usize],
    shape: &Shape,
    device: &B::Device,
    dtype: DType,
) -> Result<FloatTensor<B>> {
    let numel = shape.num_elements();
    let mut values = vec![0f32; positions.len() * numel];
    for (row, &position) in positions.iter().enumerate() {
        if position >= numel {
            return Err(Error::OutOfRange {
                what: "the flat position".into(),
                index: vec![position],
                shape: shape.to_vec(),
            });
        }
        values[row * numel + position] = 1.0;
    }
    let shape = batch::shape_of(positions.len(), shape);
    let data = TensorData::new(values, shape).convert_dtype(dtype);
    Ok(B::float_from_data(data, device))
}
