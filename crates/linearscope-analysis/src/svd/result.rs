//! What was found, and why it may be less than was requested.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::{error::Error, progress::Progress};

/// How far a triplet is from an exact one, measured by a product with F and one with Fᵀ, or
/// [estimated](Svd::estimated).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TripletResidual {
    /// ‖F v − σ u‖ / σ₁.
    pub right: f64,
    /// ‖Fᵀ u − σ v‖ / σ₁.
    pub left: f64,
}

impl TripletResidual {
    /// The larger of the two.
    pub fn worst(self) -> f64 {
        // NaN counts as the worst of all.
        if self.right >= self.left || self.right.is_nan() {
            self.right
        } else {
            self.left
        }
    }
}

/// Singular triplets, largest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Svd {
    /// Singular values, largest first.
    pub sigma: Vec<f64>,
    /// Eigen-outputs, `[K, N]`, of norm 1, in the operator's dtype.
    pub u: TensorData,
    /// Eigen-inputs, `[K, n]`, of norm 1, in the operator's dtype; the entry of largest magnitude is
    /// positive.
    pub v: TensorData,
    /// True residuals, measured afterwards, or estimates.
    pub residuals: Vec<TripletResidual>,
    /// The computation was stopped, and no products were left to measure the residuals. They are those of
    /// the solver's recurrence plus 16 roundings of the operator's dtype. In exact arithmetic they are the
    /// true ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// Number of vectors multiplied by F or Fᵀ, including those for measuring.
    pub products: usize,
    /// Number of batches in which they were multiplied.
    pub passes: usize,
}

/// Why there is no [`Svd`].
#[derive(Debug, thiserror::Error)]
pub enum SvdError {
    /// The products were used up, or the computation was stopped, before all triplets converged.
    #[error(
        "{converged} of {wanted} triplets reached a residual of {tolerance:.0e} within {} products (the worst \
        is {worst:.1e}); {}",
        .partial.products,
        if .partial.estimated { STOPPED } else { "allow more products, a larger basis, or a looser tolerance" }
    )]
    Unconverged {
        /// Everything found so far, with true residuals: triplets within the tolerance are good. After a
        /// stop the residuals are [estimates](Svd::estimated), since no further product is computed.
        partial: Box<Svd>,
        /// How many are within the tolerance.
        converged: usize,
        /// How many were requested.
        wanted: usize,
        /// The tolerance asked for.
        tolerance: f64,
        /// The largest residual among those found.
        worst: f64,
    },
    /// All triplets had converged, but the products were used up, or the computation was stopped, before
    /// a search from a fresh start ruled out that a larger triplet or a copy is missing, or before the
    /// residuals were measured.
    #[error(
        "all triplets converged, but {} products were not enough to rule out that a larger one is missing \
        (repeated singular values show up late); {}",
        .partial.products,
        if .partial.estimated { STOPPED } else { "allow more products" }
    )]
    Unconfirmed {
        /// What was found, with residuals within the tolerance: true ones, or
        /// [estimates](Svd::estimated) after a stop.
        partial: Box<Svd>,
    },
    /// A setting makes no sense, numbers are not finite, or the network itself failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// What a message says after a stop.
const STOPPED: &str = "it was stopped, so residuals are estimated, not measured";

impl SvdError {
    /// Whether the computation was stopped and nothing went wrong, see [`Error::is_stopped`].
    pub fn is_stopped(&self) -> bool {
        match self {
            Self::Unconverged { partial, .. } | Self::Unconfirmed { partial } => partial.estimated,
            Self::Failed(error) => error.is_stopped(),
        }
    }

    /// What was found so far, with true residuals, or with estimates after a stop.
    pub fn partial(&self) -> Option<&Svd> {
        match self {
            Self::Unconverged { partial, .. } | Self::Unconfirmed { partial } => Some(partial),
            Self::Failed(_) => None,
        }
    }
}

/// Whether to go on, asked within dense work: an error where somebody stopped it.
pub(super) type GoOn<'a> = &'a dyn Fn() -> Result<(), Error>;

/// What is needed for a partial result is done to its end.
pub(super) fn to_the_end() -> Result<(), Error> {
    Ok(())
}

/// Where a solver is: `converged` of `wanted` triplets.
pub(super) fn progress(
    converged: usize,
    wanted: usize,
    products: usize,
    residual: f64,
) -> Progress {
    Progress {
        products,
        residual,
        ..Progress::new("computing singular triplets", converged, wanted)
    }
}

/// What a solver found.
pub(super) struct Found {
    /// Unit vectors `[K, N]`.
    pub u: Tensor<2>,
    /// Unit vectors `[K, n]`.
    pub v: Tensor<2>,
    /// σ of each, in units of F.
    pub sigma: Vec<f64>,
    /// What the recurrence says of each, over σ₁.
    pub residuals: Vec<TripletResidual>,
    /// How it ended.
    pub ended: Ended,
}

impl Found {
    /// Of the transpose.
    pub(super) fn transposed(self) -> Self {
        let swapped = |known: TripletResidual| TripletResidual {
            right: known.left,
            left: known.right,
        };
        Self {
            u: self.v,
            v: self.u,
            residuals: self.residuals.into_iter().map(swapped).collect(),
            ..self
        }
    }
}

/// How a solver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// No larger triplet, and no copy of one, was left out.
    Complete,
    /// Products were used up.
    UsedUp,
    /// Somebody stopped it: no more products.
    Stopped,
}

impl Ended {
    /// Whether a step was the last, and why; `word` is the observer's.
    pub(super) fn after(word: ControlFlow<()>, complete: bool, used_up: bool) -> Option<Self> {
        match word {
            ControlFlow::Break(()) => Some(Self::Stopped),
            ControlFlow::Continue(()) if complete => Some(Self::Complete),
            ControlFlow::Continue(()) => used_up.then_some(Self::UsedUp),
        }
    }
}

/// What is there where a solver was stopped in the middle of something: `partial`, if anything.
pub(super) fn unless_stopped(
    found: Result<Found, SvdError>,
    partial: impl FnOnce() -> Option<Result<Found, SvdError>>,
) -> Result<Found, SvdError> {
    match found {
        Err(error) if error.is_stopped() => partial().unwrap_or(Err(error)),
        found => found,
    }
}
