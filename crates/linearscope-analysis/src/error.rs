//! What can go wrong, with the place, the numbers and the next step.

use std::ops::ControlFlow;

use crate::progress::Progress;

/// An error of an analysis.
///
/// Singular value decompositions that did not converge have their own error,
/// [`SvdError`](crate::svd::SvdError), which carries what they found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine refused, or failed.
    #[error(transparent)]
    Engine(#[from] linearscope::Error),
    /// A custom operator failed.
    #[error("the operator failed: {0}")]
    Operator(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Vectors of the wrong length.
    #[error(
        "{what} is a batch of shape {got:?}, but needs shape [k, {expected}]: k flat vectors, each in C order"
    )]
    Length {
        /// Which vectors.
        what: &'static str,
        /// The shape that came, `[k, length]`.
        got: [usize; 2],
        /// The length that is needed.
        expected: usize,
    },
    /// Nothing was requested: no vectors, no places, no pictures.
    #[error("{what} is empty; give at least one")]
    Empty {
        /// What is empty.
        what: &'static str,
    },
    /// An index outside what it points into.
    #[error("{what} {index:?} is outside {shape:?}; indices begin at 0")]
    OutOfRange {
        /// What the index selects (the row, the column, the class …).
        what: &'static str,
        /// The index that was given, flat or one number per axis.
        index: Vec<usize>,
        /// The size or shape it must fit.
        shape: Vec<usize>,
    },
    /// A setting that makes no sense here.
    #[error("{what} is {got}, but {allowed}")]
    Setting {
        /// The setting.
        what: &'static str,
        /// Its value.
        got: String,
        /// The allowed values.
        allowed: String,
    },
    /// Two operators that were to be composed or added do not fit.
    #[error("operators do not match: {what} is {left} for one and {right} for the other")]
    Operators {
        /// What differs: a length, the dtype, the device.
        what: &'static str,
        /// Of the first operator.
        left: String,
        /// Of the second.
        right: String,
    },
    /// The analysis is only for classifiers.
    #[error(
        "the output of shape {shape:?} is not a vector of scores for one picture, so the network is not a \
         classifier; contributions, rows and columns work for all networks"
    )]
    NotAClassifier {
        /// The output's shape.
        shape: Vec<usize>,
    },
    /// The analysis is only for one picture at a time.
    #[error("the input of shape {shape:?} is a batch of pictures; use one picture at a time")]
    Batch {
        /// The input's shape.
        shape: Vec<usize>,
    },
    /// The analysis is only for networks that map a picture to a picture.
    #[error(
        "the {end} of shape {shape:?} is not a single picture [1, c, h, w] of at least 2×2 pixels; maps need a \
         network from one picture to one picture: for scores, use rows, contributions or singular vectors"
    )]
    NotPictures {
        /// Which end: the input or the output.
        end: &'static str,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// No two output pixels are separated by a step that is a whole number of pixels in both input
    /// and output.
    #[error(
        "shift-variance compares rows {step:?} output pixels apart (down, right), the smallest step that is a \
         whole number of pixels in the input, in the output and for every stride between, but the output has \
         only {size:?}; use a larger input"
    )]
    NoStep {
        /// The step, `[down, right]` in output pixels.
        step: [usize; 2],
        /// `[h, w]` of the output.
        size: [usize; 2],
    },
    /// It is unknown which pixel of the input a pixel of the output lies on.
    #[error("output pixels have no position in the input: {reason}")]
    NoPlace {
        /// Why.
        reason: String,
    },
    /// Results that were to be combined do not come from one network.
    #[error("{what} do not belong to one network: {because}")]
    Different {
        /// What was to be combined.
        what: &'static str,
        /// Where they differ.
        because: String,
    },
    /// Numbers that are not finite, or leave the range of the dtype.
    #[error("{what} is not finite: {because}")]
    NotFinite {
        /// Which numbers.
        what: String,
        /// What it means, and what to do.
        because: String,
    },
    /// The observer stopped a long computation before anything was finished that could be returned.
    #[error("stopped while {}: {} of {} done", .0.doing, .0.done, .0.of)]
    Stopped(Progress),
    /// Numbers arrived from the device in an unexpected form, or not at all.
    #[error("tensor data could not be read: {0}")]
    Data(String),
}

impl Error {
    /// Whether the computation was stopped and nothing went wrong. It can be stopped by its observer,
    /// or by the network's [`Interrupt`](linearscope::Interrupt) in the middle of a product.
    pub fn is_stopped(&self) -> bool {
        match self {
            Self::Stopped(_) | Self::Engine(linearscope::Error::Interrupted) => true,
            // An operator of a user's own may stand on one of ours.
            Self::Operator(source) => match source.downcast_ref::<Self>() {
                Some(error) => error.is_stopped(),
                None => source.downcast_ref() == Some(&linearscope::Error::Interrupted),
            },
            _ => false,
        }
    }

    /// Numbers that came out of the network are NaN or infinite.
    pub(crate) fn overflow(what: &str) -> Self {
        Self::NotFinite {
            what: what.into(),
            because: "the network overflows; try another dtype or input".into(),
        }
    }
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was finished, where that is something, when a stop came: its error otherwise.
pub(crate) fn unless_stopped<T>(found: Result<T>, finished: bool) -> Result<Option<T>> {
    match found {
        Err(error) if finished && error.is_stopped() => Ok(None),
        found => found.map(Some),
    }
}

/// Tell the observer; [`Error::Stopped`] where it says stop.
pub(crate) fn tell(
    observer: &mut (impl FnMut(&Progress) -> ControlFlow<()> + ?Sized),
    progress: Progress,
) -> Result<()> {
    match observer(&progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Stopped(progress)),
    }
}
