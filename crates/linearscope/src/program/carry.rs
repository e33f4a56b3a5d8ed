//! One sweep that takes along, besides a cotangent q, what sources said on its way: (q, s).

use std::sync::Arc;

use burn_backend::{
    Backend, Scalar, Shape, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::{
    Node, NodeId, NodeIndex, Program,
    replay::part_of,
    shares::Shares,
    traverse::{Along, Backwards, Constant, Here},
};
use crate::{
    error::Result,
    interrupt::Interrupt,
    linear::{LinearMap, batch},
};

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

/// A cotangent q and what sources said on its way, s; each `[k, ..shape]`.
type Both<B> = (FloatTensor<B>, FloatTensor<B>);

/// What a sweep that listens to sources brought back.
#[derive(Debug)]
pub struct Carriage<B: Backend> {
    /// `(q, s)` at each input; `None` where no output depends on it.
    pub inputs: Vec<Option<(FloatTensor<B>, FloatTensor<B>)>>,
    /// Σ q ⊙ b over entries that depend on no input, `[k, 1]`: what a pruned filter's bias says, or that of a window
    /// wholly on padding. [`Carry::Conserving`] has no input to give it to; `None` where there is nothing of it.
    pub elsewhere: Option<FloatTensor<B>>,
}

impl<B: Backend> Program<B> {
    /// Sweep backwards from `seeds`, `[k, ..output]`, to the inputs, with s = 0 to begin with:
    /// `(q, s)` at each input; `None` where no output depends on it. The first that conserves keeps the magnitudes of
    /// all weights for those that follow.
    ///
    /// # Errors
    /// As [`backward`](Self::backward); [`Error::GeneralMap`](crate::Error::GeneralMap) where
    /// [`Carry::Conserving`] meets a map whose weights are not known.
    #[allow(clippy::type_complexity)]
    pub fn carry(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        carry: Carry,
    ) -> Result<Vec<Option<(FloatTensor<B>, FloatTensor<B>)>>> {
        Ok(self.carry_of(seeds, carry, |_| true)?.inputs)
    }

    /// [`carry`](Self::carry) that hears only the sources of nodes that `heard` holds for, and keeps apart what no input
    /// can be given.
    ///
    /// # Errors
    /// As [`carry`](Self::carry).
    pub fn carry_of(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        carry: Carry,
        heard: impl Fn(&Node<B>) -> bool + Sync,
    ) -> Result<Carriage<B>> {
        let first = self.batches("the cotangent", seeds)?.into_iter().next();
        let inputs = self.indices(&self.inputs)?;
        let passes = self.dependants(&inputs);
        // Made by all cores, before they take a few cotangents each.
        let shares = match carry {
            Carry::Conserving => first.map(|(_, like)| self.shares(&like)),
            Carry::Scored | Carry::Plain => None,
        };
        let shares = shares.transpose()?;
        let sweep = |seeds: &[(NodeId, FloatTensor<B>)]| {
            let silent = |(at, q): (NodeIndex, FloatTensor<B>)| {
                let s = batch::zeros::<B>(&q, q.shape()[0], &self.at(at).shape);
                (at, (q, s))
            };
            let mut carried = Carried {
                carry,
                shares,
                heard: &heard,
                elsewhere: None,
                interrupt: &self.interrupt,
            };
            let seeds = self.batches("the cotangent", seeds)?;
            let seeds = seeds.into_iter().map(silent);
            let inputs = self.backwards(seeds, &inputs, &passes, &mut carried)?;
            Ok(vec![Carriage {
                inputs,
                elsewhere: carried.elsewhere,
            }])
        };
        let mut found = self.on_all_cores(seeds, sweep, Carriage::together)?;
        Ok(found.remove(0))
    }
}

impl<B: Backend> Carriage<B> {
    /// Those of some cotangents after those of others.
    fn together(parts: Vec<Self>) -> Self {
        let (inputs, elsewhere): (Vec<_>, Vec<_>) = (parts.into_iter())
            .map(|part| (part.inputs, part.elsewhere))
            .unzip();
        let joined = |parts: Vec<FloatTensor<B>>| B::float_cat(parts, 0);
        let ends = inputs.first().map_or(0, Vec::len);
        let mut inputs: Vec<_> = inputs.into_iter().map(Vec::into_iter).collect();
        let inputs = (0..ends).map(|_| {
            // Of every part, before anything is said of one that has none.
            let each: Vec<Option<Both<B>>> = (inputs.iter_mut())
                .map(|part| part.next().flatten())
                .collect();
            let each: Option<Vec<Both<B>>> = each.into_iter().collect();
            let (q, s): (Vec<_>, Vec<_>) = each?.into_iter().unzip();
            Some((joined(q), joined(s)))
        });
        let elsewhere: Option<Vec<_>> = elsewhere.into_iter().collect();
        Self {
            inputs: inputs.collect(),
            elsewhere: elsewhere.map(joined),
        }
    }
}

struct Carried<'a, B: Backend, H> {
    carry: Carry,
    /// Of each node, where s is shared out.
    shares: Option<&'a [Option<Shares<B>>]>,
    heard: H,
    /// Σ of what was said where nothing depends on an input, `[k, 1]`.
    elsewhere: Option<FloatTensor<B>>,
    interrupt: &'a Interrupt,
}

impl<B: Backend, H: Fn(&Node<B>) -> bool> Backwards<B> for Carried<'_, B, H> {
    type Value = Both<B>;

    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        _from: &Shape,
        (q, s): Both<B>,
    ) -> Result<Both<B>> {
        let s = match self.shares {
            Some(shares) => shares[here.index.0]
                .as_ref()
                .ok_or_else(|| here.node.unknown("a conserving discussion"))?
                .of_map(&**map, s, self.interrupt),
            None => map.adjoint_until(s, self.interrupt),
        };
        Ok((map.adjoint_until(q, self.interrupt), s))
    }

    fn source(&mut self, here: &Here<'_, B>, b: &Constant<B>, (q, s): Both<B>) -> Result<Both<B>> {
        if !(self.heard)(here.node) {
            return Ok((q, s));
        }
        let b = batch::of_one::<B>(b.value().clone());
        let said = match self.carry {
            Carry::Plain => B::float_expand(b, q.shape()),
            Carry::Scored | Carry::Conserving => B::float_mul(q.clone(), b),
        };
        // A source that no decision selects may be infinite: where q = 0 it says nothing.
        let bool_dtype = get_or_init_device_settings::<B>(&q.device()).bool_dtype;
        let infinite = B::bool_or(
            B::float_is_inf(said.clone(), bool_dtype),
            B::float_is_nan(said.clone(), bool_dtype),
        );
        let unheard = B::float_equal_elem(q.clone(), Scalar::Float(0.0), bool_dtype);
        let said = B::float_mask_fill(said, B::bool_and(infinite, unheard), Scalar::Float(0.0));
        let shares = self.shares.and_then(|shares| shares[here.index.0].as_ref());
        let said = match shares {
            Some(Shares::Source { live }) => {
                let heard = B::float_mul(said.clone(), live.clone());
                let [k, len] = [said.shape()[0], said.shape().num_elements()];
                let lost = B::float_sub(said, heard.clone());
                let lost = B::float_reshape(lost, Shape::from(vec![k, len / k.max(1)]));
                let lost = B::float_sum_dim(lost, 1);
                self.elsewhere = Some(match self.elsewhere.take() {
                    Some(sum) => B::float_add(sum, lost),
                    None => lost,
                });
                heard
            }
            _ => said,
        };
        Ok((q, B::float_add(s, said)))
    }

    fn term(
        &mut self,
        here: &Here<'_, B>,
        of: NodeIndex,
        c: f64,
        size: f64,
        (q, s): Both<B>,
    ) -> Both<B> {
        let shares = self.shares.and_then(|shares| shares[here.index.0].as_ref());
        let by_place = shares.and_then(|shares| shares.of_term(of, c, &s));
        let share = match self.carry {
            Carry::Conserving => c.abs() / size,
            Carry::Scored | Carry::Plain => c,
        };
        let s = by_place.unwrap_or_else(|| batch::scaled::<B>(s, share));
        (batch::scaled::<B>(q, c), s)
    }

    fn part(&mut self, here: &Here<'_, B>, along: Along, (q, s): Both<B>) -> Option<Both<B>> {
        Some((part_of::<B>(here, along, q), part_of::<B>(here, along, s)))
    }

    fn add(&mut self, (q0, s0): Both<B>, (q, s): Both<B>) -> Both<B> {
        (B::float_add(q0, q), B::float_add(s0, s))
    }
}
