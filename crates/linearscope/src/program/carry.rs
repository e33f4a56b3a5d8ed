//! One sweep that takes along, besides a cotangent q, what sources said on its way: (q, s).

use burn_backend::{
    Backend, Scalar, Slice, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::{Node, NodeId, Operation, Program};
use crate::linear::{LinearMap, batch};

/// What a source adds to s, and how s passes a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// s ← Wᵀ(s + q ⊙ b).
    Scored,
    /// s + q ⊙ b, shared out among what it came from so that its sum stays.
    Conserving,
    /// s ← Wᵀ(s + b).
    Plain,
}

impl<B: Backend> Program<B> {
    /// Sweep backwards from `seeds`, `[k, ..output]`, to the inputs, with s = 0 to begin with:
    /// `(q, s)` at each input; `None` where no output depends on it.
    #[allow(clippy::type_complexity)]
    pub fn carry(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        carry: Carry,
    ) -> Vec<Option<(FloatTensor<B>, FloatTensor<B>)>> {
        self.carry_of(seeds, carry, |_| true)
    }

    /// [`carry`](Self::carry) that hears only the sources of nodes that `heard` holds for.
    #[allow(clippy::type_complexity)]
    pub fn carry_of(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        carry: Carry,
        heard: impl Fn(&Node<B>) -> bool,
    ) -> Vec<Option<(FloatTensor<B>, FloatTensor<B>)>> {
        type Both<B> = (FloatTensor<B>, FloatTensor<B>);
        let mut pending: Vec<Option<Both<B>>> = vec![None; self.nodes.len()];
        let add = |slot: &mut Option<Both<B>>, q: FloatTensor<B>, s: FloatTensor<B>| {
            *slot = Some(match slot.take() {
                Some((q0, s0)) => (B::float_add(q0, q), B::float_add(s0, s)),
                None => (q, s),
            });
        };
        for (id, q) in seeds {
            let s = batch::zeros::<B>(q, q.shape()[0], self.shape(*id));
            add(&mut pending[id.0], q.clone(), s);
        }
        for (id, node) in self.nodes.iter().enumerate().rev() {
            if matches!(node.operation, Operation::Input(_)) {
                continue;
            }
            let Some((q, s)) = pending[id].take() else {
                continue;
            };
            match &node.operation {
                Operation::Input(_) => {}
                Operation::Map { map, input } => {
                    let s = match carry {
                        Carry::Conserving => {
                            shared(map.as_ref(), s, batch::shape_of(1, self.shape(*input)))
                        }
                        _ => map.adjoint(s),
                    };
                    add(&mut pending[input.0], map.adjoint(q), s);
                }
                Operation::Source { input, .. } if !heard(node) => add(&mut pending[input.0], q, s),
                Operation::Source { value, input } => {
                    let b = batch::of_one::<B>(value.clone());
                    let said = match carry {
                        Carry::Plain => B::float_expand(b, q.shape()),
                        _ => B::float_mul(q.clone(), b),
                    };
                    add(&mut pending[input.0], q, B::float_add(s, said));
                }
                Operation::Sum(terms) => {
                    let all: f64 = terms.iter().map(|(c, _)| c.abs()).sum();
                    for (c, of) in terms {
                        let share = match carry {
                            Carry::Conserving => c.abs() / all,
                            _ => *c,
                        };
                        let s = batch::scaled::<B>(s.clone(), share);
                        add(&mut pending[of.0], batch::scaled::<B>(q.clone(), *c), s);
                    }
                }
                Operation::Concat {
                    parts,
                    dim,
                    extents,
                } => {
                    let mut ranges = batch::full_ranges(q.shape()[0], &node.shape);
                    let mut start = 0;
                    for (of, extent) in parts.iter().zip(extents) {
                        ranges[dim + 1] = Slice::from(start..start + extent);
                        start += extent;
                        let part = |x: &FloatTensor<B>| B::float_slice(x.clone(), &ranges);
                        add(&mut pending[of.0], part(&q), part(&s));
                    }
                }
            }
        }
        self.inputs()
            .iter()
            .map(|id| pending[id.0].take())
            .collect()
    }

    /// The residual taken apart by layer, in forward passes: `[layers, ..output]` for each output.
    ///
    /// Every layer with sources is a probe of its own, zero but for what they add; layers without
    /// are zero. `at_once` layers run side by side.
    pub fn residual_by_layer(
        &self,
        zeros: &dyn Fn(usize, NodeId) -> FloatTensor<B>,
        at_once: usize,
    ) -> Vec<FloatTensor<B>> {
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
            let starts: Vec<_> = self
                .inputs()
                .into_iter()
                .map(|id| (id, zeros(some.len(), id)))
                .collect();
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
            });
            for ((found, end), id) in rows.iter_mut().zip(ends).zip(&self.outputs) {
                for (row, &layer) in some.iter().enumerate() {
                    let mut ranges = batch::full_ranges(some.len(), self.shape(*id));
                    ranges[0] = Slice::from(row..row + 1);
                    found[layer] = B::float_slice(end.clone(), &ranges);
                }
            }
        }
        rows.into_iter().map(|rows| B::float_cat(rows, 0)).collect()
    }
}

/// s shared out among a map's inputs so that its sum stays: by the size of the weights for weighted
/// maps, entry by entry for entrywise ones, by the shares of what is summed for all others. Where
/// an output has no inputs (zero padding) its s is lost.
fn shared<B: Backend>(
    map: &dyn LinearMap<B>,
    s: FloatTensor<B>,
    input: burn_backend::Shape,
) -> FloatTensor<B> {
    if map.is_entrywise() {
        return s;
    }
    let magnitudes = map.magnitudes();
    let map = magnitudes.as_deref().unwrap_or(map);
    let ones = B::float_ones(input, &s.device(), s.dtype().into());
    let total = map.apply(ones);
    let bool_dtype = get_or_init_device_settings::<B>(&s.device()).bool_dtype;
    let none = B::float_equal_elem(total.clone(), Scalar::Float(0.0), bool_dtype);
    let total = B::float_mask_fill(total, none, Scalar::Float(1.0));
    map.adjoint(B::float_div(s, total))
}
