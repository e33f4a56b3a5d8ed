//! Sweeps in which units clip what comes back, alongside the adjoint for comparison: Zeiler and Fergus' deconvolution and
//! guided backpropagation.

use burn_backend::{Backend, tensor::FloatTensor};

use super::{NodeId, Program, traverse::Here};
use crate::{
    error::Result,
    linear::{LinearMap, Structure},
};

/// What units let through on the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clip {
    /// What is positive, whatever x₀ let through on the way forth (Zeiler and Fergus, *Visualizing and understanding
    /// convolutional networks*, 2014).
    Deconvolution,
    /// What is positive of what x₀ let through (Springenberg et al., *Striving for simplicity*, 2015).
    Guided,
}

impl<B: Backend> Program<B> {
    /// [`backward`](Self::backward) with units that clip: those with two slopes, such as ReLU; others pass as they
    /// are. Not linear, and no part of F; for comparison.
    ///
    /// # Errors
    /// As [`backward`](Self::backward); [`Error::GeneralMap`](crate::Error::GeneralMap) where the sweep
    /// meets a map that may or may not be such a unit.
    pub fn clipped(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        targets: &[NodeId],
        clip: Clip,
    ) -> Result<Vec<Option<FloatTensor<B>>>> {
        let through = |here: &Here<'_, B>, map: &dyn LinearMap<B>, q| match map.structure() {
            Structure::General => Err(here.node.unknown("a clipped sweep")),
            Structure::SlopeMask(_) => Ok(match clip {
                Clip::Deconvolution => B::relu(q),
                Clip::Guided => map.adjoint_until(B::relu(q), &self.interrupt),
            }),
            Structure::Zero(_)
            | Structure::Identity(_)
            | Structure::Multiple(..)
            | Structure::Diagonal(_)
            | Structure::Mask(_)
            | Structure::Reshape(_)
            | Structure::View(_)
            | Structure::Selection(_)
            | Structure::Placement(_)
            | Structure::Spread(_)
            | Structure::NonNegative(_)
            | Structure::Interpolation(_)
            | Structure::Weighted(_) => Ok(map.adjoint_until(q, &self.interrupt)),
        };
        self.backward_through(seeds, targets, through)
    }
}
