//! A program: the recorded linear maps and sources of one network at one x₀.
//!
//! Nodes are in topological order; each is one linear map, a sum, a concatenation or a source. A
//! program no longer depends on x₀, and can be replayed any number of times, forwards and
//! backwards.

mod account;
mod carry;
mod contributions;
mod cores;
mod deconvolution;
mod flips;
mod id;
mod memory;
mod places;
mod receptive;
mod regions;
mod relevance;
mod replay;
mod secant;
mod shares;
mod simplify;
mod times;
mod traverse;
mod window;

#[cfg(test)]
mod tests;

pub use account::Account;
pub use carry::{Carriage, Carry};
pub use deconvolution::Clip;
pub use flips::Flip;
pub use id::{NodeId, NodeIndex};
pub use memory::machine_budget;
pub use places::Placed;
pub use regions::Regions;
pub use relevance::{Relevance, RelevanceLayer, RelevanceRule};
pub use secant::Secant;
pub use times::NodeTime;
pub use window::Window;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use burn_backend::{Backend, DType, Shape, tensor::FloatTensor};

use crate::{
    coefficient::{Coefficient, Origin},
    error::{Error, Result},
    interrupt::Interrupt,
    linear::{LinearMap, Stored},
};
use id::Tag;
use shares::Shares;

/// Where the constant of a source comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// The network adds it, whatever the input: a convolution's bias, a norm's learned shift, the running
    /// mean of a batch norm, a number in the graph.
    Bias,
    /// It is left over from freezing a unit: σ(0) = ½ under the secant rule, −μ of a norm that measures
    /// x₀, the plateau of a clip, the constant part of a tangent.
    Unit,
}

impl SourceKind {
    /// Of a constant that an operand brings along: what x₀ chose is no bias.
    pub(crate) fn of(origin: Origin) -> Self {
        match origin {
            Origin::Weight => Self::Bias,
            Origin::Decision => Self::Unit,
        }
    }
}

/// What a node computes from earlier nodes.
#[derive(Debug)]
pub enum Operation<B: Backend> {
    /// Input number i of the network.
    Input(usize),
    /// One linear map.
    Map {
        /// The map with its coefficients.
        map: Arc<dyn LinearMap<B>>,
        /// What it acts on.
        input: NodeIndex,
    },
    /// Σ cᵢ xᵢ.
    Sum(Vec<(f64, NodeIndex)>),
    /// Parts side by side along an axis (of the value, without the probe axis).
    Concat {
        /// The parts, in order.
        parts: Vec<NodeIndex>,
        /// Axis of the value.
        dim: usize,
        /// Size of each part along it.
        extents: Vec<usize>,
    },
    /// x + b.
    Source {
        /// The constant, of the node's rank, broadcasting against its shape.
        value: Coefficient<FloatTensor<B>>,
        /// Whether the network itself adds it.
        kind: SourceKind,
        /// What it is added to.
        input: NodeIndex,
    },
}

impl<B: Backend> Operation<B> {
    /// The nodes this one reads.
    pub(crate) fn operands(&self) -> impl Iterator<Item = NodeIndex> {
        let (one, terms, parts): (_, &[(f64, NodeIndex)], &[NodeIndex]) = match self {
            Operation::Input(_) => (None, &[], &[]),
            Operation::Map { input, .. } | Operation::Source { input, .. } => {
                (Some(*input), &[], &[])
            }
            Operation::Sum(terms) => (None, terms, &[]),
            Operation::Concat { parts, .. } => (None, &[], parts),
        };
        let terms = terms.iter().map(|(_, of)| *of);
        one.into_iter().chain(terms).chain(parts.iter().copied())
    }

    /// The memory its coefficients take; `None` if unknown.
    pub(crate) fn stored(&self) -> Option<Stored> {
        match self {
            Operation::Map { map, .. } => map.structure().stored(),
            Operation::Source { value, .. } => Some(Stored::of(value)),
            Operation::Input(_) | Operation::Sum(_) | Operation::Concat { .. } => {
                Some(Stored::default())
            }
        }
    }

    fn renumber(&mut self, to: &[Option<NodeIndex>]) {
        *self = self.with_operands(|of| to[of.0].expect("operands of live nodes are live"));
    }

    /// The same operation on other operands; coefficients are shared.
    fn with_operands(&self, new: impl Fn(NodeIndex) -> NodeIndex) -> Self {
        match self {
            Operation::Input(index) => Operation::Input(*index),
            Operation::Map { map, input } => Operation::Map {
                map: map.clone(),
                input: new(*input),
            },
            Operation::Source { value, kind, input } => Operation::Source {
                value: value.clone(),
                kind: *kind,
                input: new(*input),
            },
            Operation::Sum(terms) => {
                Operation::Sum(terms.iter().map(|(c, id)| (*c, new(*id))).collect())
            }
            Operation::Concat {
                parts,
                dim,
                extents,
            } => Operation::Concat {
                parts: parts.iter().map(|id| new(*id)).collect(),
                dim: *dim,
                extents: extents.clone(),
            },
        }
    }

    /// The word `inspect` prints.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Input(_) => "input",
            Operation::Map { map, .. } => map.name(),
            Operation::Sum(_) => "sum",
            Operation::Concat { .. } => "concat",
            Operation::Source { .. } => "source",
        }
    }
}

/// One step of a program.
#[derive(Debug)]
pub struct Node<B: Backend> {
    /// What it computes.
    pub operation: Operation<B>,
    /// The network node it came from.
    pub name: Arc<str>,
    /// Shape of its result without the probe axis.
    pub shape: Shape,
    /// The layer it belongs to, see [`Program::layers`].
    pub layer: usize,
}

impl<B: Backend> Node<B> {
    /// Why `asked` cannot be answered: nothing is known of the map of this node.
    pub(crate) fn unknown(&self, asked: &str) -> Error {
        Error::GeneralMap {
            node: self.name.to_string(),
            map: self.operation.name().into(),
            asked: asked.into(),
        }
    }
}

/// The affine map y = F x + r of a network at one x₀, as a list of linear maps and sources.
///
/// [`NodeId`]s are valid only for their own program: every method that takes one returns
/// [`Error::ForeignNode`] for that of another program.
pub struct Program<B: Backend> {
    tag: Tag,
    nodes: Vec<Node<B>>,
    inputs: Vec<NodeId>,
    outputs: Vec<NodeId>,
    layers: Vec<Arc<str>>,
    dtype: DType,
    /// The node that holds the output of each named node of the network.
    places: BTreeMap<Arc<str>, NodeId>,
    /// How each map shares out what is conserved; made when first asked for, and shared by copies.
    shares: Arc<OnceLock<Vec<Option<Shares<B>>>>>,
    interrupt: Interrupt,
}

impl<B: Backend> fmt::Debug for Program<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.nodes.iter().enumerate() {
            writeln!(
                f,
                "{index:4} {:14} {:?} {} ({})",
                node.operation.name(),
                node.shape.to_vec(),
                node.name,
                self.layers[node.layer],
            )?;
        }
        write!(f, "outputs {:?}", self.outputs)
    }
}

impl<B: Backend> Program<B> {
    /// A program of what the outputs need; everything else (norm statistics, side branches) goes.
    pub(crate) fn new(
        nodes: Vec<Node<B>>,
        outputs: Vec<NodeIndex>,
        layers: Vec<Arc<str>>,
        dtype: DType,
        places: BTreeMap<Arc<str>, NodeIndex>,
    ) -> Self {
        let mut live = vec![false; nodes.len()];
        for output in &outputs {
            live[output.0] = true;
        }
        for index in (0..nodes.len()).rev() {
            // Inputs stay: they give the program its signature.
            live[index] |= matches!(nodes[index].operation, Operation::Input(_));
            if live[index] {
                for operand in nodes[index].operation.operands() {
                    live[operand.0] = true;
                }
            }
        }
        let mut renumbered = vec![None; nodes.len()];
        let mut kept: Vec<Node<B>> = Vec::new();
        let mut inputs = Vec::new();
        for (index, mut node) in nodes.into_iter().enumerate() {
            if live[index] {
                node.operation.renumber(&renumbered);
                let now = NodeIndex(kept.len());
                if let Operation::Input(number) = node.operation {
                    inputs.push((number, now));
                }
                renumbered[index] = Some(now);
                kept.push(node);
            }
        }
        inputs.sort_by_key(|(number, _)| *number);
        let tag = Tag::new();
        let outputs = outputs
            .iter()
            .map(|of| tag.id(renumbered[of.0].expect("outputs are live")))
            .collect();
        let places = places
            .into_iter()
            .filter_map(|(name, at)| Some((name, tag.id(renumbered[at.0]?))))
            .collect();
        Self {
            tag,
            nodes: kept,
            inputs: inputs.into_iter().map(|(_, at)| tag.id(at)).collect(),
            outputs,
            layers,
            dtype,
            places,
            shares: Arc::default(),
            interrupt: Interrupt::new(),
        }
    }

    /// The same program, stopped by `interrupt`.
    pub(crate) fn with_interrupt(self, interrupt: &Interrupt) -> Self {
        Self {
            interrupt: interrupt.clone(),
            ..self
        }
    }

    /// The same program, with the same nodes and ids, stopped by another interrupt. The copies share coefficients,
    /// and whatever is made from them later. Cost: a list of its nodes.
    pub(crate) fn stopped_by(&self, interrupt: &Interrupt) -> Self {
        Self {
            shares: self.shares.clone(),
            ..self.copy_of(self.copied_nodes()).with_interrupt(interrupt)
        }
    }

    /// Its nodes once more; coefficients are shared.
    fn copied_nodes(&self) -> Vec<Node<B>> {
        let copied = self.nodes.iter().map(|node| Node {
            operation: node.operation.with_operands(|of| of),
            name: node.name.clone(),
            shape: node.shape.clone(),
            layer: node.layer,
        });
        copied.collect()
    }

    /// The same program with other nodes in the place of its own, one for one.
    fn copy_of(&self, nodes: Vec<Node<B>>) -> Self {
        Self {
            tag: self.tag,
            nodes,
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            layers: self.layers.clone(),
            dtype: self.dtype,
            places: self.places.clone(),
            shares: Arc::default(),
            interrupt: self.interrupt.clone(),
        }
    }

    /// The interrupt that stops its replays: that of the network it was recorded from.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    fn index(&self, id: NodeId) -> Result<NodeIndex> {
        self.tag.index(id)
    }

    fn indices(&self, ids: &[NodeId]) -> Result<Vec<NodeIndex>> {
        ids.iter().map(|id| self.index(*id)).collect()
    }

    fn at(&self, index: NodeIndex) -> &Node<B> {
        &self.nodes[index.0]
    }

    /// The program node that holds the output of the network node `name`; `None` if no such node
    /// exists or no output depends on it.
    pub fn place(&self, name: &str) -> Option<NodeId> {
        self.places.get(name).copied()
    }

    /// Names of the network's nodes that the outputs depend on.
    pub fn place_names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(|name| &**name)
    }

    /// The nodes of the inputs, in order.
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// The nodes of the outputs, in order.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// The steps, in order.
    pub fn nodes(&self) -> &[Node<B>] {
        &self.nodes
    }

    /// The ids of the steps, in order.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = NodeId> {
        let tag = self.tag;
        (0..self.nodes.len()).map(move |index| tag.id(NodeIndex(index)))
    }

    /// One step.
    ///
    /// # Errors
    /// [`Error::ForeignNode`].
    pub fn node(&self, id: NodeId) -> Result<&Node<B>> {
        Ok(self.at(self.index(id)?))
    }

    /// The shape of a node's result, without the probe axis.
    ///
    /// # Errors
    /// [`Error::ForeignNode`].
    pub fn shape(&self, id: NodeId) -> Result<&Shape> {
        Ok(&self.node(id)?.shape)
    }

    /// The nodes that a node reads, in the order of its operation.
    ///
    /// # Errors
    /// [`Error::ForeignNode`].
    pub fn operands(&self, id: NodeId) -> Result<Vec<NodeId>> {
        let operands = self.node(id)?.operation.operands();
        Ok(operands.map(|of| self.tag.id(of)).collect())
    }

    /// Whether node `of` depends on node `on` (a node depends on itself).
    ///
    /// # Errors
    /// [`Error::ForeignNode`].
    pub fn depends(&self, of: NodeId, on: NodeId) -> Result<bool> {
        Ok(self.dependants(&[self.index(on)?])[self.index(of)?.0])
    }

    /// Names of the layers; number 0 is the input itself, then one for each weighted op.
    pub fn layers(&self) -> &[Arc<str>] {
        &self.layers
    }

    /// The dtype of probes and cotangents.
    pub fn dtype(&self) -> DType {
        self.dtype
    }
}
