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
        /// Of how many.
        of: usize,
        /// What counts as zero.
        below: f64,
        /// h(0).
        at_zero: f64,
        /// The entry that says where.
        hint: String,
    },
    /// A rule set that says nothing, or contradicts itself.
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
    /// An output does not depend linearly on the input any more.
    #[error("output \"{output}\" is not a linear function of the input: {because}")]
    LostTrace {
        /// Name of the output.
        output: String,
        /// How it came about.
        because: String,
    },
    /// An operation the graph driver cannot replay.
    #[error("{place}: {because}")]
    Replay {
        /// Where it happened.
        place: Place,
        /// What it is about the operation.
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
    /// A replay comes to an input that it was given nothing for.
    #[error(
        "the replay needs a start for input {input}, which its stops depend on; add its node to the starts \
         (use zeros to ignore it)"
    )]
    NoStart {
        /// The number of the input.
        input: usize,
    },
    /// A node id on a program that it does not come from.
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
        /// The number of the program that was asked.
        here: u64,
    },
    /// A node name the network does not have, or that no output depends on.
    #[error(
        "no output depends on a node \"{name}\"; there are: {}",
        crate::error::shortened(nodes)
    )]
    NoSuchNode {
        /// The name that came.
        name: String,
        /// The names there are.
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
        /// The index that came.
        index: Vec<usize>,
        /// The shape it has to fit.
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
    /// A question about piecewise-linear networks met an op that is frozen but curved.
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
    /// A live parameter is not what the network was captured with.
    #[error("parameter \"{name}\" {because}")]
    Parameter {
        /// Its path in the module.
        name: String,
        /// What is wrong, and what to do.
        because: String,
    },
    /// Gradients are asked of something that Burn cannot differentiate.
    #[error("{place}: {because}")]
    NoGradient {
        /// Where it happened.
        place: Place,
        /// What cannot be differentiated, and what to do.
        because: String,
    },
    /// Something has to be known of a linear map that says nothing about itself: one of a user's own.
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
    /// The box of a relevance before a layer whose inputs have no bounds that are known.
    #[error(
        "the box before \"{node}\" has no bounds: {because}; use another rule for this layer, such as z⁺"
    )]
    NoBounds {
        /// The layer's network node.
        node: String,
        /// What stands between it and the input.
        because: String,
    },
    /// A device that is not compiled in, not there, or does not open.
    #[error("device \"{name}\" {because}; there are: {}", available.join(", "))]
    Device {
        /// The name that came.
        name: String,
        /// What is wrong with it.
        because: String,
        /// The names of the devices there are.
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
    /// Two programs that were to be compared are not of one network by one set of rules.
    #[error("these programs do not belong to the same network and rules: {because}")]
    ProgramsDiffer {
        /// The node at which they part; empty where it is all of them.
        node: String,
        /// How they differ.
        because: String,
    },
    /// The decisions of x₀ do not fit the memory they may take.
    #[error(
        "{what} needs the recorded program, but the decisions of x₀ take more than the {budget} bytes allowed; \
         allow more memory, or use only columns, projections and rows"
    )]
    Memory {
        /// What was requested.
        what: String,
        /// The bytes there are.
        budget: usize,
    },
    /// Somebody stopped the network's [`Interrupt`](crate::Interrupt): what was computed by then is
    /// dropped.
    #[error("interrupted before it was finished; freeze or compute it again")]
    Interrupted,
    /// What was requested means nothing for this network or these numbers; says why and what would.
    #[error("{0}")]
    Question(String),
    /// Capturing a graph failed.
    #[error("the graph could not be captured: {0}")]
    Capture(String),
    /// Data moved off the device in another form than expected, or not at all.
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
