//! The interpreter: the user's handle on y(x) = F x + r of one network at one x₀.

use std::sync::Arc;

use burn_backend::{
    Backend, DType, Shape, TensorData, TensorMetadata, read_sync, tensor::FloatTensor,
};

use crate::{
    driver::Loaded,
    error::{Error, Place, Result, guarded},
    linear::batch,
    program::{Node, NodeId, Program},
    rules::RuleSet,
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
    /// # Errors
    /// [`Error::NotFinite`] when x₀ or f(x₀) is not; [`Error::NoRule`] when the network has an op
    /// without a rule; [`Error::LostProbe`] when an output is no linear function of the input.
    pub fn new(loaded: Arc<Loaded<B>>, x0: Vec<FloatTensor<B>>, rules: RuleSet) -> Result<Self> {
        let ports = loaded.network().inputs();
        for (port, x0) in ports.iter().zip(&x0) {
            check_finite::<B>(&format!("input \"{}\"", port.name), x0)?;
        }
        let frozen = Self::record(loaded, x0, rules)?;
        let ports = frozen.loaded.network().outputs();
        for (port, y0) in ports.iter().zip(&frozen.reference) {
            check_finite::<B>(&format!("output \"{}\"", port.name), y0)?;
        }
        Ok(frozen)
    }

    /// The same without a look at the values, which would wait for the device: for training.
    pub(crate) fn record(
        loaded: Arc<Loaded<B>>,
        x0: Vec<FloatTensor<B>>,
        rules: RuleSet,
    ) -> Result<Self> {
        rules.check()?;
        let scope = Scope::recording(rules.clone());
        let inputs = x0
            .into_iter()
            .enumerate()
            .map(|(index, x0)| {
                let probe = scope.input(index, &x0.shape());
                ScopeTensor::probed(x0, probe)
            })
            .collect();
        let (reference, probes) = probed_outputs(&loaded, inputs, &scope)?;
        let program = scope.finish(&probes, loaded.dtype())?;
        Ok(Self {
            decisions: scope.decision_sources(),
            unused_rules: scope.unused_rules(),
            loaded,
            reference,
            program,
            rules,
        })
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
        let scope = Scope::paired(rules, sources);
        let inputs = x0
            .into_iter()
            .zip(probes)
            .map(|(x0, probes)| {
                let probe = scope.probe(probes, &x0.shape())?;
                Ok(ScopeTensor::probed(x0, probe))
            })
            .collect::<Result<_>>()?;
        let (reference, probes) = probed_outputs(loaded, inputs, &scope)?;
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

    /// The network this is an interpreter of.
    pub fn loaded(&self) -> &Arc<Loaded<B>> {
        &self.loaded
    }

    /// y₀ = f(x₀), one tensor per output, without a probe axis.
    pub fn reference(&self) -> &[FloatTensor<B>] {
        &self.reference
    }

    /// The recorded linear maps and sources.
    pub fn program(&self) -> &Program<B> {
        &self.program
    }

    /// The rules that froze the non-linear units.
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
    /// [`Error::Shape`].
    pub fn adjoint(&self, y: &[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>> {
        self.sweep(y, |_, _, _| {})
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
        let mut shares = Vec::new();
        let mut failed = None;
        let rows = self.sweep(y, |node, b, q| {
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

    fn sweep(
        &self,
        y: &[FloatTensor<B>],
        on_source: impl FnMut(&Node<B>, &FloatTensor<B>, &FloatTensor<B>),
    ) -> Result<Vec<FloatTensor<B>>> {
        let outputs = self.loaded.network().outputs();
        check_batches::<B>("cotangent of output", outputs, y)?;
        let k = y.first().map_or(1, |y| y.shape()[0]);
        let seeds = pairs::<B>(self.program.outputs(), y);
        let inputs = guarded(
            || replaying("the adjoint replay"),
            || {
                self.program
                    .backward(&seeds, &self.program.inputs(), on_source)
            },
        )?;
        Ok(inputs
            .into_iter()
            .zip(self.loaded.network().inputs())
            .map(|(x, port)| x.unwrap_or_else(|| self.zeros(k, &port.shape)))
            .collect())
    }

    fn replay(&self, x: &[FloatTensor<B>], sources: bool) -> Result<Vec<FloatTensor<B>>> {
        let starts = pairs::<B>(&self.program.inputs(), x);
        guarded(
            || replaying("the replay"),
            || {
                self.program
                    .forward(&starts, self.program.outputs(), sources)
            },
        )
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
        self.program.place(name).ok_or_else(|| Error::NoSuchNode {
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
            || self.program.forward(&starts, &[to], sources).remove(0),
        )
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
        let from = self.end(from, &self.program.inputs())?;
        let to = self.end(to, self.program.outputs())?;
        self.check_at("the cotangent", &y, to)?;
        let found = guarded(
            || replaying("the adjoint replay"),
            || self.program.backward(&[(to, y)], &[from], |_, _, _| {}),
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
