//! What is found, and why it is not all that was asked for.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::{error::Error, progress::Progress};

/// How far a triplet is from one, as measured by a product with F and one with Fᵀ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TripletResidual {
    /// ‖F v − σ u‖ / σ₁.
    pub right: f64,
    /// ‖Fᵀ u − σ v‖ / σ₁.
    pub left: f64,
}

impl TripletResidual {
    /// The larger of both.
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
    /// True residuals, measured afterwards.
    pub residuals: Vec<TripletResidual>,
    /// Vectors multiplied by F or Fᵀ, the measuring included.
    pub products: usize,
    /// Batches they were multiplied in.
    pub passes: usize,
}

/// Why there is no [`Svd`].
#[derive(Debug, thiserror::Error)]
pub enum SvdError {
    /// Products are used up, or the observer said stop, before all triplets converged.
    #[error(
        "{converged} of {wanted} triplets reached residual {tolerance:.0e} within {} products (the worst is at {worst:.1e}); allow more products, a larger basis, or a looser tolerance",
        .partial.products
    )]
    Unconverged {
        /// Everything found so far, with true residuals: those within the tolerance are good.
        partial: Box<Svd>,
        /// How many are within the tolerance.
        converged: usize,
        /// How many were asked for.
        wanted: usize,
        /// The tolerance asked for.
        tolerance: f64,
        /// The largest residual among those found.
        worst: f64,
    },
    /// Products were used up, or the observer said stop, when all triplets had converged but a search
    /// from a fresh start had not yet ruled out that a larger one, or a copy, is missing.
    #[error(
        "all triplets converged, but after {} products it was not yet ruled out that a larger one is missing (a repeated singular value shows late); allow more products",
        .partial.products
    )]
    Unconfirmed {
        /// What was found, with true residuals within the tolerance.
        partial: Box<Svd>,
    },
    /// A setting that means nothing, numbers that are not finite, or the network itself failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl SvdError {
    /// What was found by then, with true residuals.
    pub fn partial(&self) -> Option<&Svd> {
        match self {
            Self::Unconverged { partial, .. } | Self::Unconfirmed { partial } => Some(partial),
            Self::Failed(_) => None,
        }
    }
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
    /// No larger triplet, and no copy of one, was left out.
    pub complete: bool,
}
