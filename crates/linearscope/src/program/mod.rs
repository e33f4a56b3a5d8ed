//! A program: the recorded linear maps and sources of one network at one x₀.
//!
//! Nodes are in topological order; each is one linear map, a sum, a concatenation or a source.
//! A program does not depend on x₀ any more and replays any number of times, both ways.

mod account;
mod carry;
mod flips;
mod memory;
mod replay;
mod simplify;
mod times;
mod window;

pub use account::Account;
pub use carry::Carry;
pub use flips::Flip;
pub use memory::machine_budget;
pub use times::NodeTime;
pub use window::{Regions, Window};

use std::{collections::BTreeMap, fmt, sync::Arc};

use burn_backend::{Backend, DType, Shape, tensor::FloatTensor};

use crate::linear::{LinearMap, Stored};

/// Index of a node in its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

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
        input: NodeId,
    },
    /// Σ cᵢ xᵢ.
    Sum(Vec<(f64, NodeId)>),
    /// Parts side by side along an axis (of the value, without the probe axis).
    Concat {
        /// The parts, in order.
        parts: Vec<NodeId>,
        /// Axis of the value.
        dim: usize,
        /// Size of each part along it.
        extents: Vec<usize>,
    },
    /// x + b.
    Source {
        /// The constant, of the node's rank, broadcasting against its shape.
        value: FloatTensor<B>,
        /// What it is added to.
        input: NodeId,
    },
}

impl<B: Backend> Operation<B> {
    /// The nodes this one reads.
    pub fn operands(&self) -> Vec<NodeId> {
        match self {
            Operation::Input(_) => vec![],
            Operation::Map { input, .. } | Operation::Source { input, .. } => vec![*input],
            Operation::Sum(terms) => terms.iter().map(|(_, id)| *id).collect(),
            Operation::Concat { parts, .. } => parts.clone(),
        }
    }

    /// The memory its coefficients take.
    pub(crate) fn stored(&self) -> Stored {
        match self {
            Operation::Map { map, .. } => map.stored(),
            Operation::Source { value, .. } => Stored::tensor(value),
            _ => Stored::default(),
        }
    }

    fn renumber(&mut self, to: &[Option<NodeId>]) {
        *self = self.with_operands(|id| to[id.0].expect("operands of live nodes are live"));
    }

    /// The same operation on other operands; coefficients are shared.
    fn with_operands(&self, new: impl Fn(NodeId) -> NodeId) -> Self {
        match self {
            Operation::Input(index) => Operation::Input(*index),
            Operation::Map { map, input } => Operation::Map {
                map: map.clone(),
                input: new(*input),
            },
            Operation::Source { value, input } => Operation::Source {
                value: value.clone(),
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
    /// Whether x₀ chose its coefficients: a mask, winners, a gain, statistics.
    pub decided: bool,
}

/// The affine map y = F x + r of a network at one x₀, as a list of linear maps and sources.
pub struct Program<B: Backend> {
    nodes: Vec<Node<B>>,
    outputs: Vec<NodeId>,
    layers: Vec<Arc<str>>,
    dtype: DType,
    /// The node that holds the output of each named node of the network.
    places: BTreeMap<Arc<str>, NodeId>,
}

impl<B: Backend> fmt::Debug for Program<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, node) in self.nodes.iter().enumerate() {
            writeln!(
                f,
                "{id:4} {:14} {:?} {} ({})",
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
        outputs: Vec<NodeId>,
        layers: Vec<Arc<str>>,
        dtype: DType,
        places: BTreeMap<Arc<str>, NodeId>,
    ) -> Self {
        let mut live = vec![false; nodes.len()];
        for output in &outputs {
            live[output.0] = true;
        }
        for id in (0..nodes.len()).rev() {
            // Inputs stay: they give the program its signature.
            live[id] |= matches!(nodes[id].operation, Operation::Input(_));
            if live[id] {
                for operand in nodes[id].operation.operands() {
                    live[operand.0] = true;
                }
            }
        }
        let mut renumbered = vec![None; nodes.len()];
        let mut kept = Vec::new();
        for (id, mut node) in nodes.into_iter().enumerate() {
            if live[id] {
                node.operation.renumber(&renumbered);
                renumbered[id] = Some(NodeId(kept.len()));
                kept.push(node);
            }
        }
        let outputs: Vec<NodeId> = outputs
            .iter()
            .map(|id| renumbered[id.0].expect("outputs are live"))
            .collect();
        let places = places
            .into_iter()
            .filter_map(|(name, id)| Some((name, renumbered[id.0]?)))
            .collect();
        Self {
            nodes: kept,
            outputs,
            layers,
            dtype,
            places,
        }
    }

    /// A program that says nothing, where none could be kept.
    pub(crate) fn empty(dtype: DType) -> Self {
        Self::new(Vec::new(), Vec::new(), Vec::new(), dtype, BTreeMap::new())
    }

    /// The program node that holds the output of the network node `name`; `None` when there is no
    /// such node or no output depends on it.
    pub fn place(&self, name: &str) -> Option<NodeId> {
        self.places.get(name).copied()
    }

    /// Names of the network's nodes that the outputs depend on.
    pub fn place_names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(|name| &**name)
    }

    /// The shape of a node's result, without the probe axis.
    pub fn shape(&self, id: NodeId) -> &Shape {
        &self.nodes[id.0].shape
    }

    /// The nodes of the inputs, in order.
    pub fn inputs(&self) -> Vec<NodeId> {
        let mut inputs: Vec<(usize, NodeId)> = self
            .nodes
            .iter()
            .enumerate()
            .filter_map(|(id, node)| match node.operation {
                Operation::Input(index) => Some((index, NodeId(id))),
                _ => None,
            })
            .collect();
        inputs.sort_by_key(|(index, _)| *index);
        inputs.into_iter().map(|(_, id)| id).collect()
    }

    /// Whether node `of` depends on node `on` (a node depends on itself).
    pub fn depends(&self, of: NodeId, on: NodeId) -> bool {
        let mut reached = vec![false; self.nodes.len()];
        reached[of.0] = true;
        for id in (on.0 + 1..=of.0).rev() {
            if reached[id] {
                for operand in self.nodes[id].operation.operands() {
                    reached[operand.0] = true;
                }
            }
        }
        reached[on.0]
    }

    /// The nodes of the outputs, in order.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// The steps, in order.
    pub fn nodes(&self) -> &[Node<B>] {
        &self.nodes
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
