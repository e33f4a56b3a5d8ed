//! What can go wrong, with the place, the numbers and the next step.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Where in the network something happened: the node's own name and Burn's name of the op.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The node's name as the model file or module gives it; empty for the bare decorator.
    pub node: String,
    /// Burn's name of the operation, for instance `float_atan2`.
    pub op: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.node.is_empty(), self.op.is_empty()) {
            (true, _) => write!(f, "in op {}", self.op),
            (false, true) => write!(f, "in node \"{}\"", self.node),
            (false, false) => write!(f, "in node \"{}\" (op {})", self.node, self.op),
        }
    }
}

/// An error of the interpreter. Every variant says where, what and what to do.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A non-linear op without a rule met a traced tensor.
    #[error(
        "{place}: no rule turns this op on a tensor of shape {shape:?} into a linear map{because}"
    )]
    NoRule {
        /// Where it happened.
        place: Place,
        /// Shape of the traced operand, without the probe axis.
        shape: Vec<usize>,
        /// Why, when there is more to say than the op's name; starts with `: ` or is empty.
        because: String,
    },
    /// The rule *mask* has no gain where x₀ ≈ 0 and h(0) ≠ 0.
    #[error(
        "{place}: the rule mask has gain h(x₀)/x₀, but {count} of {of} entries have |x₀| < {below:e} while \
         h(0) = {at_zero}; use secant or taylor there, for instance {hint}=secant"
    )]
    MaskAtZero {
        /// Where it happened.
        place: Place,
        /// How many entries have no gain.
        count: usize,
        /// Number of entries in total.
        of: usize,
        /// What counts as zero.
        below: f64,
        /// h(0).
        at_zero: f64,
        /// The entry that says where.
        hint: String,
    },
    /// A rule set without meaning, or one that contradicts itself.
    #[error("{0}")]
    Rules(String),
    /// A rule the user named for an op does not fit it.
    #[error("{place}: the rule {rule} does not fit: {because}")]
    RuleMisfit {
        /// Where it happened.
        place: Place,
        /// The rule.
        rule: String,
        /// Why not.
        because: String,
    },
    /// Traced tensors of two different runs met in one op.
    #[error(
        "{place}: tensors of two interpreter runs meet in one op; give each run its own inputs"
    )]
    RunsMeet {
        /// Where it happened.
        place: Place,
    },
    /// Ops of two threads in one run.
    #[error(
        "{place}: a different thread works on the tensors of this run, which would mix up its reports; give \
         each thread its own run"
    )]
    TwoThreads {
        /// Where it happened.
        place: Place,
    },
    /// The host asked for the data of a traced tensor in the middle of a run.
    #[error(
        "{place}: the data of a traced tensor was read during a run, so later steps could depend on it \
         unnoticed; read the run's outputs instead"
    )]
    DataRead {
        /// Where it happened.
        place: Place,
    },
    /// An output no longer depends linearly on the input.
    #[error("output \"{output}\" is not a linear function of the input: {because}")]
    LostTrace {
        /// Name of the output.
        output: String,
        /// The cause.
        because: String,
    },
    /// An operation the graph driver cannot replay.
    #[error("{place}: {because}")]
    Replay {
        /// Where it happened.
        place: Place,
        /// Why the operation cannot be replayed.
        because: String,
    },
    /// Burn panicked under the driver; its own message is passed on.
    #[error("{place}: Burn stopped with: {message}")]
    Panicked {
        /// Where it happened.
        place: Place,
        /// Burn's message.
        message: String,
    },
    /// An input, probe, cotangent or index does not fit the network.
    #[error("{what} has shape {got:?}, but {expected:?} is needed{hint}")]
    Shape {
        /// Which tensor.
        what: String,
        /// The shape that came.
        got: Vec<usize>,
        /// The shape that is needed.
        expected: Vec<usize>,
        /// What to do about it; starts with `; ` or is empty.
        hint: String,
    },
    /// A batch without probes or cotangents.
    #[error("{what} has no probes: the first axis, which counts them, is 0")]
    NoProbes {
        /// Which batch.
        what: String,
    },
    /// A replay needs an input that was not given.
    #[error(
        "the replay needs a start for input {input}, which its stops depend on; add its node to the starts \
         (use zeros to ignore it)"
    )]
    NoStart {
        /// The number of the input.
        input: usize,
    },
    /// A node id of another program.
    #[error(
        "node {node} belongs to program {of}, but was used with program {here}; ids are valid only for their \
         own program: get them from its `inputs`, `outputs`, `ids` or `place`, or by name from \
         `Recorded::node`"
    )]
    ForeignNode {
        /// Its place in its own program.
        node: usize,
        /// The number of that program, in the order that programs were made.
        of: u64,
        /// The number of the program that was called.
        here: u64,
    },
    /// A node name that does not exist in the network, or a node on which no output depends.
    #[error(
        "no output depends on a node \"{name}\"; there are: {}",
        crate::error::shortened(nodes)
    )]
    NoSuchNode {
        /// The name that came.
        name: String,
        /// The existing names.
        nodes: Vec<String>,
    },
    /// The end of a sub-network does not depend on its beginning.
    #[error("node \"{to}\" does not depend on node \"{from}\"; did you swap them?")]
    NoPath {
        /// The beginning.
        from: String,
        /// The end.
        to: String,
    },
    /// A position outside the tensor it points into.
    #[error("{what} {index:?} is outside a tensor of shape {shape:?}")]
    OutOfRange {
        /// What the index selects (a row, a column…).
        what: String,
        /// The index that was given.
        index: Vec<usize>,
        /// The shape that it must fit.
        shape: Vec<usize>,
    },
    /// A tensor with NaN or infinity where numbers are needed.
    #[error(
        "{what} has {count} values that are not finite (the first at flat index {first}), so an interpreter of \
         it would be meaningless"
    )]
    NotFinite {
        /// Which tensor.
        what: String,
        /// How many values.
        count: usize,
        /// Flat index of the first one.
        first: usize,
    },
    /// A question about piecewise-linear networks met a frozen op that is not piecewise linear.
    #[error(
        "in node \"{node}\": frozen by the rule {rule}, it is not piecewise linear, so the reading is exact \
         only at x₀; measure how the error grows instead"
    )]
    NotPiecewise {
        /// The network node.
        node: String,
        /// What was frozen.
        rule: &'static str,
    },
    /// A live parameter differs from the one with which the network was captured.
    #[error("parameter \"{name}\" {because}")]
    Parameter {
        /// Its path in the module.
        name: String,
        /// What is wrong, and what to do.
        because: String,
    },
    /// Gradients were requested through something that Burn cannot differentiate.
    #[error("{place}: {because}")]
    NoGradient {
        /// Where it happened.
        place: Place,
        /// What cannot be differentiated, and what to do.
        because: String,
    },
    /// A custom linear map does not describe its structure, which is needed here.
    #[error(
        "in node \"{node}\": {asked} needs to know what the map \"{map}\" is, but its structure is General; \
         return a specific `structure`, or create it with linear::gain or linear::multiple"
    )]
    GeneralMap {
        /// The network node.
        node: String,
        /// The map's name.
        map: String,
        /// What was requested.
        asked: String,
    },
    /// The box rule of a relevance was requested for a layer whose inputs have no known bounds.
    #[error(
        "the box before \"{node}\" has no bounds: {because}; use another rule for this layer, such as z⁺"
    )]
    NoBounds {
        /// The layer's network node.
        node: String,
        /// What stands between it and the input.
        because: String,
    },
    /// A device is not compiled in, not present, or does not open.
    #[error("device \"{name}\" {because}; there are: {}", available.join(", "))]
    Device {
        /// The name that came.
        name: String,
        /// What is wrong with it.
        because: String,
        /// The names of the available devices.
        available: Vec<String>,
    },
    /// A device does not compute in a dtype.
    #[error(
        "device \"{device}\" does not support {dtype}; use the cpu, or f32, which all devices support"
    )]
    Dtype {
        /// The device's name.
        device: String,
        /// The dtype.
        dtype: String,
    },
    /// Two programs to be compared do not come from one network and one set of rules.
    #[error("these programs do not belong to the same network and rules: {because}")]
    ProgramsDiffer {
        /// The node at which they differ; empty if they differ as a whole.
        node: String,
        /// How they differ.
        because: String,
    },
    /// The decisions of x₀ do not fit in the memory that they may take.
    #[error(
        "{what} needs the recorded program, but the decisions of x₀ take more than the {budget} bytes allowed; \
         allow more memory, or use only columns, projections and rows"
    )]
    Memory {
        /// What was requested.
        what: String,
        /// The available bytes.
        budget: usize,
    },
    /// The network's [`Interrupt`](crate::Interrupt) was stopped; what was computed by then is
    /// dropped.
    #[error("interrupted before it was finished; freeze or compute it again")]
    Interrupted,
    /// The request makes no sense for this network or these numbers; the message says why, and what
    /// would.
    #[error("{0}")]
    Question(String),
    /// Capturing a graph failed.
    #[error("the graph could not be captured: {0}")]
    Capture(String),
    /// Data arrived from the device in an unexpected form, or not at all.
    #[error("tensor data could not be read: {0}")]
    Data(String),
}

/// A list of names for an error: all of a short one, the first of a long one.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 40;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Burn reports by panicking: here that is an error that names the place.
pub(crate) fn guarded<T>(place: impl FnOnce() -> Place, work: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Error::Panicked {
        place: place(),
        message: panic_message(panic.as_ref()),
    })
}

/// What a caught panic said: Burn reports by panicking, and its message is worth keeping.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()))
        .unwrap_or_else(|| "a panic without a message".into())
}
