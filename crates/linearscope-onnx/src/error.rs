//! Errors about model files.

/// How a message names what the picture decides; [`Error::hint`] goes by it.
pub(crate) const COMPUTED: &str = "computed from the model's input";

/// How a message about an input of integers ends; [`Error::hint`] goes by it.
pub(crate) const CANNOT_VARY: &str = "which an interpreter cannot vary";

/// An error of the loader, with its place. [`hint`](Error::hint) says what to do.
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
    /// The file is not an ONNX protobuf, ends too early, or contains no nodes.
    #[error("{path} is not a readable ONNX model ({because})")]
    NotOnnx {
        /// The file.
        path: String,
        /// What it is instead, or where the parser failed.
        because: String,
        /// What to do about it.
        hint: String,
    },
    /// A tensor in the file claims more data than the file contains.
    #[error("initialiser \"{tensor}\" claims {expected} bytes of data, but the file has {got}")]
    Truncated {
        /// The tensor.
        tensor: String,
        /// Bytes that its shape and type need.
        expected: u128,
        /// Bytes that are present.
        got: usize,
    },
    /// External weights cannot be used.
    #[error("initialiser \"{tensor}\" stores its data in the file {location:?}: {because}")]
    ExternalData {
        /// The tensor.
        tensor: String,
        /// The file's name in the model.
        location: String,
        /// What is wrong with it.
        because: String,
    },
    /// A tensor in the file is not a usable constant.
    #[error("initialiser \"{tensor}\" {because}, which is not supported")]
    Initialiser {
        /// The tensor.
        tensor: String,
        /// What it is.
        because: String,
    },
    /// The graph contradicts itself.
    #[error("could not interpret the graph: {0}")]
    Parse(String),
    /// The op is not in [`SUPPORTED_OPS`](crate::SUPPORTED_OPS).
    #[error("in node \"{node}\": ONNX op {op} is not supported")]
    UnsupportedOp {
        /// The file's name of the node.
        node: String,
        /// The op.
        op: String,
    },
    /// The op is supported, but not in this form.
    #[error("in node \"{node}\": {op} with {what} is not supported")]
    Unsupported {
        /// The file's name of the node.
        node: String,
        /// The op.
        op: String,
        /// The attribute or input, with its value.
        what: String,
    },
    /// An input shape does not fit the model.
    #[error("input \"{input}\" takes shape {expected}, but got {got:?}")]
    Shape {
        /// The input.
        input: String,
        /// The shape that was given.
        got: Vec<usize>,
        /// The shape that the model takes, with symbols for dynamic axes.
        expected: String,
        /// What to do about it, or empty.
        hint: String,
    },
    /// The file allows the input size but the graph does not: sizes do not fit each other in a node.
    #[error("{given}in node \"{node}\", {op} has {what}")]
    Misfit {
        /// "this network does not take 66×66: ", or empty.
        given: Box<str>,
        /// The file's name of the node.
        node: String,
        /// The op.
        op: String,
        /// The sizes in this node.
        what: String,
        /// Sizes that would fit, or empty.
        hint: Box<str>,
    },
    /// An output has no elements at the given shapes.
    #[error("the output \"{output}\" has no elements: its shape is {shape:?}")]
    Empty {
        /// The output.
        output: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// An input does not exist, is of another kind than the numbers given for it, or cannot be frozen.
    #[error("input \"{input}\" {because}")]
    Input {
        /// The input.
        input: String,
        /// What it is.
        because: String,
    },
    /// An output was requested by a name that nothing in the graph has.
    #[error("\"{name}\" is not an output, value or node of this model; its outputs are {}", outputs.join(", "))]
    Output {
        /// What was requested.
        name: String,
        /// The file's outputs.
        outputs: Vec<String>,
        /// Nodes of similar names.
        near: Vec<String>,
    },
    /// An output contains integers or booleans, which have no derivative: an index, a mask, a count.
    #[error("the output \"{output}\" holds {holds}, and only floats have a derivative")]
    NoFloats {
        /// The output.
        output: String,
        /// Its type, as ONNX calls it.
        holds: String,
        /// The floats from which it is made, if there are any.
        behind: Option<String>,
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

/// What to do about an op that is not in [`SUPPORTED_OPS`](crate::SUPPORTED_OPS), in one line. `op` is
/// as in [`Error::UnsupportedOp`], with its domain if that is not the standard's.
pub fn hint_for_op(op: &str) -> &'static str {
    match op {
        "LSTM" | "GRU" | "RNN" => {
            "recurrent ops are not supported: export the network with its steps unrolled into MatMul, Sigmoid \
             and Tanh, or cut it before this node"
        }
        "Scan" => {
            "export the model with its scan unrolled, or as a Loop with a constant trip count"
        }
        op if op.starts_with("Random") || matches!(op, "Bernoulli" | "Multinomial") => {
            "random numbers cannot be frozen: export the model in inference mode"
        }
        op if op.contains("Sequence") || op.starts_with("Optional") => {
            "sequences and optionals are not tensors: export the model with tensors instead"
        }
        op if op.starts_with("String") || matches!(op, "RegexFullMatch" | "TfIdfVectorizer") => {
            "strings are not tensors: cut the model after its text processing"
        }
        op if op.contains("::") => {
            "export the model with standard ops only, or include the function that defines this one in the \
             file"
        }
        _ => {
            "export the model with supported ops (crates/linearscope-onnx/README.md lists them), or cut it \
             before this node"
        }
    }
}

impl Error {
    /// What to do about it, in one line; none if the message already says it.
    ///
    /// ```
    /// use linearscope_onnx::Model;
    ///
    /// let error = Model::from_bytes(b"<html>", "net.onnx").expect_err("that is a web page");
    /// assert!(error.hint().is_some_and(|hint| hint.contains("download the file itself")));
    /// ```
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::Io { .. } => return None,
            Error::NotOnnx { hint, .. } => hint,
            Error::Truncated { .. } => {
                "the file is truncated or damaged; download or export it again"
            }
            Error::ExternalData { .. } => {
                "keep it next to the model, or save the model with its data inside"
            }
            Error::Initialiser { .. } => "save the model with dense tensors of ONNX's number types",
            Error::Parse(_) => "check the model in Python with onnx.checker.check_model",
            Error::UnsupportedOp { op, .. } => hint_for_op(op),
            Error::Unsupported { what, .. } if what.contains(COMPUTED) => {
                "export the model for one fixed shape, so that this does not depend on the picture"
            }
            Error::Unsupported { op, .. } if op == "If" || op == "Loop" => {
                "If and Loop need a constant condition and trip count: export the model by tracing it, or cut \
                 it before this node"
            }
            Error::Unsupported { .. } => {
                "export the model with another value, or with another opset; docs/book/src/onnx.md describes each op"
            }
            Error::Shape { hint, .. } if hint.is_empty() => return None,
            Error::Shape { hint, .. } => hint,
            Error::Misfit { hint, .. } if hint.is_empty() => "use another input size",
            Error::Misfit { hint, .. } => hint,
            Error::Empty { .. } => {
                "use a larger input, or export the model without the op that cuts everything off"
            }
            Error::Input { because, .. } if because.ends_with(CANNOT_VARY) => {
                "fix it to given numbers with Model::with_constant"
            }
            Error::Input { .. } => return None,
            Error::Output { near, .. } if near.is_empty() => {
                "you can also give the name of a node; `linearscope inspect` lists them"
            }
            Error::Output { near, .. } => return Some(format!("similar: {}", near.join(", "))),
            Error::NoFloats { behind, .. } => {
                return Some(match behind {
                    Some(behind) => format!("read the floats it is computed from: --output {behind}"),
                    None => "select a float value in the graph with --output; `linearscope inspect` lists the \
                             nodes"
                        .into(),
                });
            }
            Error::Panicked { .. } => {
                "this should have had its own error message: please report it with the model"
            }
            Error::Capture(_) => return None,
        };
        Some(text.to_string())
    }
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
