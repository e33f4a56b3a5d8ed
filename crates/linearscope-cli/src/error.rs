//! What the program says when it cannot go on, and the exit code it ends with.
//!
//! 0 ok · 1 a bug in the program itself · 2 usage or bad input · 3 unsupported op · 4 certificate failed or not
//! converged · 130 interrupted. Decided here only.

/// An error of the program: `error:` then `hint:`.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong, with place and numbers.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The program's exit code.
    pub code: u8,
    /// Where in the network, as far as that is known.
    pub cause: Option<Box<Cause>>,
}

/// Where in a network something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// The node's name, or empty.
    pub node: String,
    /// The op, or empty.
    pub op: String,
    /// Shapes that are in the way: the one that came, then the one that is needed.
    pub shapes: Vec<Vec<usize>>,
}

impl Cause {
    fn of(error: &linearscope::Error) -> Option<Box<Self>> {
        use linearscope::Error;
        let at = |place: &linearscope::Place| Self {
            node: place.node.clone(),
            op: place.op.clone(),
            ..Self::default()
        };
        Some(Box::new(match error {
            Error::NoRule { place, shape, .. } => Self {
                shapes: vec![shape.clone()],
                ..at(place)
            },
            Error::MaskAtZero { place, .. }
            | Error::RuleMisfit { place, .. }
            | Error::Replay { place, .. }
            | Error::Panicked { place, .. }
            | Error::NoGradient { place, .. } => at(place),
            Error::Shape { got, expected, .. } => Self {
                shapes: vec![got.clone(), expected.clone()],
                ..Self::default()
            },
            Error::NotPiecewise { node, .. } | Error::GeneralMap { node, .. } => Self {
                node: node.clone(),
                ..Self::default()
            },
            _ => return None,
        }))
    }
}

/// A bug in the program itself.
pub(crate) const BUG: u8 = 1;
/// Usage or bad input.
pub(crate) const BAD_INPUT: u8 = 2;
/// An op without a rule, or one the loader does not know.
pub(crate) const UNSUPPORTED: u8 = 3;
/// The certificate's errors are beyond its limit, or an iteration did not converge: what is
/// written is not to be trusted.
pub(crate) const CERTIFICATE: u8 = 4;
/// Ctrl-C, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Shorthand for results of this program.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// Bad input: place and numbers in the message.
    pub fn input(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            code: BAD_INPUT,
            cause: None,
        }
    }

    /// A bug of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self {
            code: BUG,
            ..Self::input(message)
        }
    }

    /// Stopped by Ctrl-C.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self {
            code: INTERRUPTED,
            ..Self::input(message)
        }
    }

    /// Whether Ctrl-C is why.
    pub(crate) fn is_interruption(&self) -> bool {
        self.code == INTERRUPTED
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Message and hint, where it is no reason to stop.
    pub(crate) fn one_line(&self) -> String {
        match &self.hint {
            None => self.message.clone(),
            Some(hint) => format!("{} ({hint})", self.message),
        }
    }

    /// The same, about a file.
    pub(crate) fn at(self, path: &std::path::Path) -> Self {
        Self {
            message: format!("{}: {}", path.display(), self.message),
            ..self
        }
    }

    /// A file that could not be written or read.
    pub(crate) fn file(path: &std::path::Path, error: impl std::fmt::Display) -> Self {
        Self::input(format!("{}: {error}", path.display()))
    }
}

impl From<linearscope::Error> for Failure {
    fn from(error: linearscope::Error) -> Self {
        use linearscope::Error;
        if error == Error::Interrupted {
            return Self::interrupted("interrupted");
        }
        let (code, hint) = match &error {
            Error::NoRule { .. } => (
                UNSUPPORTED,
                Some("docs/book/src/rules.md lists the ops that have a rule"),
            ),
            Error::MaskAtZero { .. } | Error::RuleMisfit { .. } => (UNSUPPORTED, None),
            Error::Replay { .. } | Error::LostTrace { .. } => (UNSUPPORTED, None),
            _ => (BAD_INPUT, None),
        };
        Self {
            message: error.to_string(),
            hint: hint.map(String::from),
            code,
            cause: Cause::of(&error),
        }
    }
}

impl From<linearscope_analysis::Error> for Failure {
    fn from(error: linearscope_analysis::Error) -> Self {
        match error {
            error if error.is_stopped() => Self::interrupted(match &error {
                linearscope_analysis::Error::Stopped(at) => format!(
                    "interrupted while {}, at {} of {}",
                    at.doing, at.done, at.of
                ),
                _ => "interrupted".into(),
            }),
            linearscope_analysis::Error::Engine(error) => error.into(),
            error => Self::input(error.to_string()),
        }
    }
}

impl From<linearscope_onnx::Error> for Failure {
    fn from(error: linearscope_onnx::Error) -> Self {
        use linearscope_onnx::Error;
        let code = match &error {
            Error::UnsupportedOp { .. } | Error::Unsupported { .. } => UNSUPPORTED,
            Error::Capture(inner) => return Self::from(inner.clone()),
            _ => BAD_INPUT,
        };
        let at = |node: &String, op: &String| Cause {
            node: node.clone(),
            op: op.clone(),
            ..Cause::default()
        };
        let cause = match &error {
            Error::UnsupportedOp { node, op }
            | Error::Unsupported { node, op, .. }
            | Error::Misfit { node, op, .. } => Some(at(node, op)),
            Error::Panicked { node, .. } => Some(at(node, &String::new())),
            Error::Shape { got, .. } => Some(Cause {
                shapes: vec![got.clone()],
                ..Cause::default()
            }),
            _ => None,
        };
        Self {
            message: error.to_string(),
            hint: error.hint(),
            code,
            cause: cause.map(Box::new),
        }
    }
}

impl From<linearscope_zoo::Error> for Failure {
    fn from(error: linearscope_zoo::Error) -> Self {
        use linearscope_zoo::Error;
        let hint = match &error {
            Error::Network(inner) => return Self::from(inner.clone()),
            Error::Unknown { .. } => {
                Some("docs/book/src/zoo.md says what they are; linearscope fetch downloads weights")
            }
            Error::Weights { .. } => {
                Some("the file must be a state dict of this network, under PyTorch's names")
            }
            _ => None,
        };
        Self {
            hint: hint.map(String::from),
            ..Self::input(error.to_string())
        }
    }
}

impl From<linearscope_picture::Error> for Failure {
    fn from(error: linearscope_picture::Error) -> Self {
        Self::input(error.to_string())
    }
}

impl From<linearscope_preprocess::Error> for Failure {
    fn from(error: linearscope_preprocess::Error) -> Self {
        Self {
            hint: error.hint(),
            ..Self::input(error.to_string())
        }
    }
}
