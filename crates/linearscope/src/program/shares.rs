//! How s is shared out on its way back so that its sum stays.
//!
//! By the size of the weights for weighted maps, entry by entry for diagonal ones, by the shares of what is summed for
//! all others. An entry that depends on no input, as padding does, gets nothing: what it got would be lost. What sources
//! say at such entries is kept apart.

use std::{collections::BTreeMap, sync::Arc};

use burn_backend::{
    Backend, DType, Scalar, Shape, TensorMetadata, get_or_init_device_settings, read_sync,
    tensor::FloatTensor,
};

use super::{
    NodeIndex, Operation, Program,
    traverse::{Along, Constant, Forwards, Here},
};
use crate::{
    error::Result,
    interrupt::Interrupt,
    linear::{LinearMap, Structure, Transform, batch, singly},
};

/// How a node shares out s among its operands. Tensors have a probe axis of 1.
#[derive(Debug)]
pub(super) enum Shares<B: Backend> {
    /// Each output of a map has one input, which is its own.
    Own,
    /// Each output of a map has one input, which gets all of it.
    One,
    /// In the proportions in which a map sums ones.
    Proportions {
        /// The map; `None`: that of the node itself.
        map: Option<Arc<dyn LinearMap<B>>>,
        /// Whether probes may go side by side and each be summed as alone.
        side_by_side: bool,
        /// What it makes of the entries that depend on an input, 1 where that is 0.
        total: FloatTensor<B>,
    },
    /// A sum of which some terms depend on an input in some places only.
    Terms {
        /// Which entries of each term do; all where there is nothing.
        lives: BTreeMap<NodeIndex, FloatTensor<B>>,
        /// Σ |c| over those, 1 where that is 0.
        total: FloatTensor<B>,
    },
    /// A source, some of whose entries depend on no input.
    Source {
        /// Which do.
        live: FloatTensor<B>,
    },
}

impl<B: Backend> Program<B> {
    /// The shares of all nodes; `None` of maps of which nobody knows them, and of nodes that have nothing to share out.
    /// Made once: a forward pass over magnitudes of the weights, which are kept.
    pub(super) fn shares(&self, like: &FloatTensor<B>) -> Result<&[Option<Shares<B>>]> {
        if self.shares.get().is_none() {
            let outputs = self.indices(&self.outputs)?;
            let mut maker = Maker {
                shares: self.nodes.iter().map(|_| None).collect(),
                device: like.device(),
                dtype: like.dtype(),
                interrupt: &self.interrupt,
            };
            self.forwards([], &outputs, &mut maker)?;
            let _ = self.shares.set(maker.shares);
        }
        Ok(self.shares.get().expect("just made"))
    }
}

/// Goes forth with the entries that depend on an input: 1, others 0; `None` where all do.
struct Maker<'a, B: Backend> {
    shares: Vec<Option<Shares<B>>>,
    device: B::Device,
    dtype: DType,
    interrupt: &'a Interrupt,
}

impl<B: Backend> Maker<'_, B> {
    fn ones(&self, shape: &Shape) -> FloatTensor<B> {
        B::float_ones(batch::shape_of(1, shape), &self.device, self.dtype.into())
    }

    /// x with 1 where it is 0, and where it is not; `None` where it nowhere is. Waits for the device, which is asked for
    /// one number.
    fn without_zeros(&self, x: FloatTensor<B>) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
        let bool_dtype = get_or_init_device_settings::<B>(&self.device).bool_dtype;
        let zero = B::float_equal_elem(x.clone(), Scalar::Float(0.0), bool_dtype);
        let any = read_sync(B::bool_into_data(B::bool_any(zero.clone())));
        if any.is_ok_and(|any| !any.iter::<bool>().any(|any| any)) {
            return (x, None);
        }
        let live = B::float_ones(x.shape(), &self.device, self.dtype.into());
        let live = B::float_mask_fill(live, zero.clone(), Scalar::Float(0.0));
        (B::float_mask_fill(x, zero, Scalar::Float(1.0)), Some(live))
    }
}

impl<B: Backend> Forwards<B> for Maker<'_, B> {
    type Value = Option<FloatTensor<B>>;

    fn input(&mut self, _here: &Here<'_, B>, _number: usize) -> Result<Self::Value> {
        Ok(None)
    }

    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        from: &Shape,
        live: Self::Value,
    ) -> Self::Value {
        let apply = |map: &dyn LinearMap<B>, x| map.apply_until(x, self.interrupt);
        let (shares, live) = match map.structure() {
            Structure::General => return None,
            Structure::Multiple(..)
            | Structure::Diagonal(_)
            | Structure::SlopeMask(_)
            | Structure::Mask(_) => (Shares::Own, live),
            Structure::Identity(_)
            | Structure::Reshape(_)
            | Structure::View(_)
            | Structure::Selection(_) => (Shares::One, live.map(|live| apply(&**map, live))),
            structure @ (Structure::Zero(_)
            | Structure::Placement(_)
            | Structure::Spread(_)
            | Structure::NonNegative(_)
            | Structure::Interpolation(_)
            | Structure::Weighted(_)) => {
                let (sizes, side_by_side) = match structure {
                    Structure::Weighted(weights) => {
                        let sizes = weights.with_weights(Transform::Absolute);
                        let prepared = sizes.structure().prepared();
                        let side_by_side = prepared.is_some();
                        (Some(prepared.unwrap_or(sizes)), side_by_side)
                    }
                    _ => (None, false),
                };
                let live = live.unwrap_or_else(|| self.ones(from));
                let total = apply(sizes.as_deref().unwrap_or(&**map), live);
                let (total, found) = self.without_zeros(total);
                let shares = Shares::Proportions {
                    map: sizes,
                    side_by_side,
                    total,
                };
                (shares, found)
            }
        };
        self.shares[here.index.0] = Some(shares);
        live
    }

    fn source(&mut self, here: &Here<'_, B>, _b: &Constant<B>, live: Self::Value) -> Self::Value {
        let shares = live.clone().map(|live| Shares::Source { live });
        self.shares[here.index.0] = shares;
        live
    }

    fn sum(&mut self, here: &Here<'_, B>, terms: Vec<(f64, Self::Value)>) -> Self::Value {
        if terms.iter().all(|(_, live)| live.is_none()) {
            return None;
        }
        let Operation::Sum(of) = &here.node.operation else {
            return None;
        };
        let whole = terms.iter().any(|(_, live)| live.is_none());
        let mut lives = BTreeMap::new();
        let mut total: Option<FloatTensor<B>> = None;
        for ((c, live), (_, of)) in terms.into_iter().zip(of) {
            if let Some(live) = &live {
                lives.insert(*of, live.clone());
            }
            let live = live.unwrap_or_else(|| self.ones(&here.node.shape));
            let part = batch::scaled::<B>(live, c.abs());
            total = Some(match total {
                Some(total) => B::float_add(total, part),
                None => part,
            });
        }
        let (total, live) = self.without_zeros(total.expect("a sum has terms"));
        self.shares[here.index.0] = Some(Shares::Terms { lives, total });
        live.filter(|_| !whole)
    }

    fn concat(&mut self, here: &Here<'_, B>, parts: Vec<(Along, Self::Value)>) -> Self::Value {
        if parts.iter().all(|(_, live)| live.is_none()) {
            return None;
        }
        let dim = parts[0].0.dim;
        let part = |(along, live): (Along, Self::Value)| {
            live.unwrap_or_else(|| {
                let mut shape = here.node.shape.to_vec();
                shape[along.dim] = along.extent;
                self.ones(&Shape::from(shape))
            })
        };
        Some(B::float_cat(parts.into_iter().map(part).collect(), dim + 1))
    }
}

impl<B: Backend> Shares<B> {
    /// s of a map's outputs as that of its inputs.
    pub(super) fn of_map(
        &self,
        own: &dyn LinearMap<B>,
        s: FloatTensor<B>,
        interrupt: &Interrupt,
    ) -> FloatTensor<B> {
        match self {
            Shares::Own | Shares::Terms { .. } | Shares::Source { .. } => s,
            Shares::One => own.adjoint_until(s, interrupt),
            Shares::Proportions {
                map,
                side_by_side,
                total,
            } => {
                let map = map.as_deref().unwrap_or(own);
                let s = B::float_div(s, total.clone());
                match side_by_side {
                    true => map.adjoint_until(s, interrupt),
                    // Of weights that are not prepared, by the backend: at least between probes it can be stopped.
                    false => singly::<B>(s, interrupt, |s| map.adjoint_until(s, interrupt)),
                }
            }
        }
    }

    /// s of a sum as that of the term c x, x that of node `of`; `None` where its share is the same everywhere.
    pub(super) fn of_term(
        &self,
        of: NodeIndex,
        c: f64,
        s: &FloatTensor<B>,
    ) -> Option<FloatTensor<B>> {
        let Shares::Terms { lives, total } = self else {
            return None;
        };
        let s = batch::scaled::<B>(B::float_div(s.clone(), total.clone()), c.abs());
        Some(match lives.get(&of) {
            Some(live) => B::float_mul(s, live.clone()),
            None => s,
        })
    }
}
