//! Zeiler and Fergus' deconvolution, beside the adjoint for comparison.

use burn_backend::{Backend, tensor::FloatTensor};

use super::{Node, NodeId, Program};
use crate::{
    error::Result,
    linear::{LinearMap, Structure},
};

impl<B: Backend> Program<B> {
    /// [`backward`](Self::backward) as Zeiler and Fergus' deconvolution (*Visualizing and
    /// understanding convolutional networks*, 2014): units let through what is positive on the way
    /// back instead of what x₀ let through on the way forth. Not linear, and no part of F; for
    /// comparison.
    ///
    /// # Errors
    /// As [`backward`](Self::backward); [`Error::GeneralMap`](crate::Error::GeneralMap) where the sweep
    /// meets a map that may or may not be such a unit.
    pub fn deconvolution(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        targets: &[NodeId],
    ) -> Result<Vec<Option<FloatTensor<B>>>> {
        let through = |node: &Node<B>, map: &dyn LinearMap<B>, q| match map.structure() {
            Structure::General => Err(node.unknown("deconvolution")),
            Structure::SlopeMask(_) => Ok(B::relu(q)),
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
