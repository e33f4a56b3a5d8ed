//! What can be wrong with a model file.

/// An error of the loader: where, what, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is no ONNX protobuf, or ends too early.
    #[error("{path} is no readable ONNX model ({because}); is it complete, and really an .onnx?")]
    NotOnnx {
        /// The file.
        path: String,
        /// What the parser stumbled over.
        because: String,
    },
    /// A tensor in the file claims more data than the file holds.
    #[error(
        "initialiser \"{tensor}\" claims {expected} bytes of data but the file holds {got}; \
         the file is truncated or damaged"
    )]
    Truncated {
        /// The tensor.
        tensor: String,
        /// Bytes its shape and type need.
        expected: u128,
        /// Bytes there are.
        got: usize,
    },
    /// Weights beside the file that cannot be used.
    #[error(
        "initialiser \"{tensor}\" keeps its data in the file {location:?}: {because}; \
         keep it beside the model, or save the model with its data inside"
    )]
    ExternalData {
        /// The tensor.
        tensor: String,
        /// The file's name in the model.
        location: String,
        /// What is wrong with it.
        because: String,
    },
    /// A tensor in the file that is no usable constant.
    #[error("initialiser \"{tensor}\" {because}, which is not supported")]
    Initialiser {
        /// The tensor.
        tensor: String,
        /// What it is.
        because: String,
    },
    /// The graph contradicts itself.
    #[error("the graph could not be understood: {0}")]
    Parse(String),
    /// An op that has no row in the table.
    #[error("in node \"{node}\": ONNX op {op} is not supported")]
    UnsupportedOp {
        /// The file's name of the node.
        node: String,
        /// The op.
        op: String,
    },
    /// An op that is supported, but not in this form.
    #[error("in node \"{node}\": {op} with {what} is not supported")]
    Unsupported {
        /// The file's name of the node.
        node: String,
        /// The op.
        op: String,
        /// The attribute or input, with its value.
        what: String,
    },
    /// An input shape that does not fit the model.
    #[error("input \"{input}\" takes shape {expected}, but {got:?} came{hint}")]
    Shape {
        /// The input.
        input: String,
        /// The shape that came.
        got: Vec<usize>,
        /// The shape the model takes, symbols for dynamic axes.
        expected: String,
        /// What to do about it; starts with `; ` or is empty.
        hint: String,
    },
    /// An input of a kind that cannot be frozen.
    #[error("input \"{input}\" {because}")]
    Input {
        /// The input.
        input: String,
        /// What it is.
        because: String,
    },
    /// Burn panicked; the message is passed on.
    #[error("in node \"{node}\": stopped with: {message}")]
    Panicked {
        /// The file's name of the node.
        node: String,
        /// The panic's message.
        message: String,
    },
    /// Capturing the graph failed.
    #[error(transparent)]
    Capture(#[from] linearscope::Error),
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
