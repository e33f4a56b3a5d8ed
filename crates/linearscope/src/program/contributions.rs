//! What sources add to an output: read off one backward sweep, or carried forward layer by layer.

use burn_backend::{Backend, Slice, tensor::FloatTensor};

use super::{Node, NodeId, Operation, Program, replay::Cotangents, traverse::Here};
use crate::{
    error::Result,
    linear::{LinearMap, batch},
};

impl<B: Backend> Program<B> {
    /// [`backward`](Self::backward) that calls `on_source` with each source it passes: its node, its
    /// constant b, and the cotangent q there, `[k, ..shape]`; its contribution to ⟨y, F x + r⟩ is
    /// ⟨q, b⟩. It passes all that the seeds depend on, up to the targets, also what no target leads
    /// to. Later nodes come first.
    ///
    /// # Errors
    /// As [`backward`](Self::backward); the first that `on_source` gives.
    pub fn contributions(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        targets: &[NodeId],
        on_source: impl FnMut(&Node<B>, &FloatTensor<B>, &FloatTensor<B>) -> Result<()>,
    ) -> Result<Vec<Option<FloatTensor<B>>>> {
        let seeds = self.batches("the cotangent", seeds)?;
        let targets = self.indices(targets)?;
        let everywhere = vec![true; self.nodes.len()];
        let mut cotangents = Cotangents {
            through: |_: &Here<'_, B>, map: &dyn LinearMap<B>, q| {
                Ok(map.adjoint_until(q, &self.interrupt))
            },
            on_source,
        };
        self.backwards(seeds, &targets, &everywhere, &mut cotangents)
    }

    /// The residual taken apart by layer, in forward passes: `[layers, ..output]` for each output.
    ///
    /// Every layer with sources is a probe of its own, zero but for what they add; layers without
    /// are zero. `at_once` layers run side by side.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) where `zeros` does not give `[k, ..shape]` for k and a
    /// node; [`Error::Panicked`](crate::Error::Panicked).
    pub fn residual_by_layer(
        &self,
        zeros: &dyn Fn(usize, NodeId) -> FloatTensor<B>,
        at_once: usize,
    ) -> Result<Vec<FloatTensor<B>>> {
        let count = self.layers.len();
        let mut has = vec![false; count];
        for node in &self.nodes {
            has[node.layer] |= matches!(node.operation, Operation::Source { .. });
        }
        let with: Vec<usize> = (0..count).filter(|&layer| has[layer]).collect();
        // Row `layer` of each output, as it is found.
        let mut rows: Vec<Vec<FloatTensor<B>>> = self
            .outputs
            .iter()
            .map(|id| (0..count).map(|_| zeros(1, *id)).collect())
            .collect();
        for some in with.chunks(at_once.max(1)) {
            let inputs = self.inputs.iter();
            let starts: Vec<_> = inputs.map(|id| (*id, zeros(some.len(), *id))).collect();
            let ends = self.forward_with(&starts, &self.outputs, |x, node, b| {
                let Some(row) = some.iter().position(|&layer| layer == node.layer) else {
                    return x;
                };
                let mut ranges = batch::full_ranges(some.len(), &node.shape);
                ranges[0] = Slice::from(row..row + 1);
                let sum = B::float_add(
                    B::float_slice(x.clone(), &ranges),
                    batch::of_one::<B>(b.clone()),
                );
                B::float_slice_assign(x, &ranges, sum)
            })?;
            for ((found, end), id) in rows.iter_mut().zip(ends).zip(&self.outputs) {
                for (row, &layer) in some.iter().enumerate() {
                    let mut ranges = batch::full_ranges(some.len(), self.shape(*id)?);
                    ranges[0] = Slice::from(row..row + 1);
                    found[layer] = B::float_slice(end.clone(), &ranges);
                }
            }
        }
        Ok(rows.into_iter().map(|rows| B::float_cat(rows, 0)).collect())
    }
}
