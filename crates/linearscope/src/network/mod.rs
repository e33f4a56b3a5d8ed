//! A network: a captured graph with its weights and names, whatever its origin.
//!
//! Operations are Burn's own `OperationIr`, in the order the model ran them. Each has the name of
//! the node it came from and a [`Role`], assigned by the recogniser.

mod capture;
mod cost;
mod recognise;
mod redraw;
mod scores;

pub(crate) use capture::ParameterNames;
pub use capture::Ports;
pub(crate) use cost::flops;
pub(crate) use recognise::{Composite, Recognised, Whole};

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use burn_backend::{Shape, TensorData};
use burn_capture::CapturedGraph;
use burn_ir::{OperationIr, TensorId, TensorIr};

use crate::{
    error::{Error, Place, Result},
    rule_set::{Entry, RuleSet},
};

/// An input or output of a network.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its name in the model.
    pub name: String,
    pub(crate) id: TensorId,
    /// Its shape, batch axis included.
    pub shape: Shape,
}

/// The role that the recogniser assigned to an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It does what its kind says.
    #[default]
    Plain,
    /// It computes the mean that a norm subtracts.
    NormMean,
    /// It begins the computation of the standard deviation, or another measure, that a norm divides
    /// by.
    NormSpread,
    /// Another part of a norm.
    NormPart,
    /// It takes its tangent whatever the rules: a part of a homogeneous function, such as an Lp
    /// norm.
    Tangent,
    /// It reads the reference only: a sign in a piecewise-linear unit.
    Decision,
    /// It belongs to a function of several ops: the network's function with this number.
    Member(usize),
}

/// One operation of a network.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub operation: OperationIr,
    pub node: Arc<str>,
    pub role: Role,
}

/// The largest tensor a network may make: 4 GiB in f32.
const LARGEST: u128 = 1 << 30;

/// Check that a network may make a tensor of this shape; the error says why not. Loaders check
/// input shapes with it before they allocate placeholders.
///
/// # Errors
/// [`Error::Shape`].
pub fn check_input(name: &str, shape: &[usize]) -> Result<()> {
    let numel = shape
        .iter()
        .try_fold(1u128, |n, &size| n.checked_mul(size as u128));
    if shape.iter().all(|&size| size > 0) && numel.is_some_and(|numel| numel <= LARGEST) {
        return Ok(());
    }
    Err(Error::Shape {
        what: format!("input \"{name}\""),
        got: shape.to_vec(),
        expected: vec![],
        hint: "; it must have from 1 to 2³⁰ elements".into(),
    })
}

/// Refuse tensors without elements, which no op defines alike, and absurdly large ones, before
/// anything is allocated.
fn check_sizes(steps: &[Step]) -> Result<()> {
    for step in steps {
        for output in step.operation.outputs() {
            let numel: u128 = output.shape.iter().map(|&size| size as u128).product();
            let because = match numel {
                0 => "no elements",
                numel if numel > LARGEST => "more than 2³⁰ elements",
                _ => continue,
            };
            return Err(Error::Replay {
                place: Place {
                    node: step.node.to_string(),
                    op: operation_name(&step.operation),
                },
                because: format!(
                    "a result of shape {:?} has {because}",
                    output.shape.to_vec()
                ),
            });
        }
    }
    Ok(())
}

/// A captured graph: operations, weights, names.
#[derive(Clone, Debug)]
pub struct Network {
    pub(crate) steps: Vec<Step>,
    pub(crate) weights: BTreeMap<TensorId, TensorData>,
    pub(crate) recognised: Recognised,
    /// Entries below every rule set: see [`Network::with_default`].
    defaults: Vec<Entry>,
    /// What nodes are called besides, by name: see [`Network::with_aliases`].
    aliases: HashMap<Arc<str>, Arc<str>>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

impl Network {
    /// A network from a finished capture.
    ///
    /// `node_of` names the node that made a tensor (looked up by an operation's first output). An
    /// operation that it does not know takes the name of the next one that it knows, so that the
    /// ops of one node share its name.
    ///
    /// # Errors
    /// [`Error::Capture`] when the number of names differs from the graph's inputs or outputs.
    pub fn new(
        captured: CapturedGraph,
        input_names: &[String],
        output_names: &[String],
        node_of: impl Fn(TensorId) -> Option<String>,
    ) -> Result<Self> {
        let CapturedGraph { graph, mut values } = captured;
        let mut known: HashMap<TensorId, TensorIr> = HashMap::new();
        for operation in &graph.operations {
            for tensor in operation.nodes() {
                known.entry(tensor.id).or_insert_with(|| tensor.clone());
            }
        }
        let ports = |ids: &[TensorId], names: &[String], kind: &str| {
            if ids.len() != names.len() {
                return Err(Error::Capture(format!(
                    "the graph has {} {kind}s, but {} names were given",
                    ids.len(),
                    names.len()
                )));
            }
            ids.iter()
                .zip(names)
                .map(|(id, name)| {
                    let shape = known
                        .get(id)
                        .map(|ir| ir.shape.clone())
                        .or_else(|| values.get(id).map(|data| data.shape().clone()));
                    match shape {
                        Some(shape) => Ok(Port {
                            name: name.clone(),
                            id: *id,
                            shape,
                        }),
                        None => Err(Error::Capture(format!(
                            "{kind} \"{name}\" is not used in the graph"
                        ))),
                    }
                })
                .collect::<Result<Vec<_>>>()
        };
        let inputs = ports(&graph.inputs, input_names, "input")?;
        let outputs = ports(&graph.outputs, output_names, "output")?;
        for input in &inputs {
            // The placeholder the graph was captured with.
            values.remove(&input.id);
        }

        let mut steps: Vec<Step> = graph
            .operations
            .into_iter()
            .filter(|operation| !matches!(operation, OperationIr::Init(_)))
            .map(|operation| Step {
                operation,
                node: "".into(),
                role: Role::Plain,
            })
            .collect();
        let mut name: Arc<str> = "".into();
        for step in steps.iter_mut().rev() {
            if let Some(node) = step.operation.outputs().find_map(|out| node_of(out.id)) {
                name = node.into();
            }
            step.node = name.clone();
        }
        check_sizes(&steps)?;
        let recognised = recognise::recognise(&mut steps, &values, &graph.inputs, &graph.outputs);
        Ok(Self {
            steps,
            weights: values,
            recognised,
            defaults: Vec::new(),
            aliases: HashMap::new(),
            inputs,
            outputs,
        })
    }

    /// Add an entry that ranks below those of any rule set the network is frozen with. A loader can
    /// use it for what it knows about a node and Burn's op does not say, for example that a
    /// rounding belongs to a quantiser.
    pub fn with_default(mut self, entry: Entry) -> Self {
        self.defaults.push(entry);
        self
    }

    /// Add aliases of nodes, in pairs of name and alias. A loader that names a node after the module it
    /// came from gives the file's own name here. Nodes are shown by name, and found by either.
    pub fn with_aliases(mut self, aliases: impl IntoIterator<Item = (String, String)>) -> Self {
        let aliases = aliases.into_iter();
        self.aliases
            .extend(aliases.map(|(name, alias)| (name.into(), alias.into())));
        self
    }

    /// The alias of the node of this name, if it has one.
    pub fn alias(&self, node: &str) -> Option<&Arc<str>> {
        self.aliases.get(node)
    }

    /// The name of the node that has this name or, failing that, this alias.
    pub fn node_called<'a>(&'a self, called: &'a str) -> Option<&'a str> {
        let mut nodes = self.steps.iter().map(|step| &*step.node);
        let mut aliased = self.steps.iter().map(|step| &step.node);
        nodes.find(|node| *node == called).or_else(|| {
            let node =
                aliased.find(|node| self.alias(node).is_some_and(|alias| **alias == *called));
            node.map(|node| &**node)
        })
    }

    /// The rule set with the network's own entries below its entries.
    pub(crate) fn rules(&self, rules: RuleSet) -> RuleSet {
        self.defaults.iter().cloned().fold(rules, RuleSet::with)
    }

    /// The inputs, in order.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// The names of the nodes in the order in which they run, without repetition, each with its
    /// number of ops.
    pub fn nodes(&self) -> Vec<(Arc<str>, usize)> {
        let mut nodes: Vec<(Arc<str>, usize)> = Vec::new();
        for step in &self.steps {
            match nodes.last_mut() {
                Some((name, count)) if *name == step.node => *count += 1,
                _ => nodes.push((step.node.clone(), 1)),
            }
        }
        nodes
    }

    /// How many norms the recogniser found.
    pub fn recognised_norms(&self) -> usize {
        self.recognised.norms
    }

    /// How many functions made of several ops the recogniser found: softplus, mish, a softmax written
    /// out.
    pub fn recognised_functions(&self) -> usize {
        self.recognised.composites.len()
    }

    /// How many numbers the weights contain.
    pub fn parameters(&self) -> usize {
        self.weights.values().map(|data| data.num_elements()).sum()
    }
}

/// Burn's name of an operation, for errors and `inspect`.
pub(crate) fn operation_name(operation: &OperationIr) -> String {
    let text = match operation {
        OperationIr::BaseFloat(op) => format!("{op:?}"),
        OperationIr::BaseInt(op) => format!("Int{op:?}"),
        OperationIr::BaseBool(op) => format!("Bool{op:?}"),
        OperationIr::NumericFloat(_, op) => format!("{op:?}"),
        OperationIr::NumericInt(_, op) => format!("Int{op:?}"),
        OperationIr::Bool(op) => format!("Bool{op:?}"),
        OperationIr::Int(op) => format!("Int{op:?}"),
        OperationIr::Float(_, op) => format!("{op:?}"),
        OperationIr::Module(op) => format!("{op:?}"),
        OperationIr::Activation(op) => format!("{op:?}"),
        OperationIr::Custom(op) => return format!("custom {}", op.id),
        other => format!("{other:?}"),
    };
    let end = text.find(['(', ' ', '{']).unwrap_or(text.len());
    text[..end].to_string()
}
