//! Replay: y = F x (+ r) forwards, x = Fᵀ y backwards, for k probes at once, from any nodes of a
//! program to any others.

use std::sync::Arc;

use burn_backend::{Backend, Shape, Slice, TensorMetadata, tensor::FloatTensor};

use super::{
    Node, NodeId, NodeIndex, Program,
    traverse::{Along, Backwards, Constant, Forwards, Here},
};
use crate::{
    error::{Error, Result},
    interrupt::Interrupt,
    linear::{LinearMap, batch},
};

impl<B: Backend> Program<B> {
    /// Replay forwards: the values of `stops`, given those of `starts`, each `[k, ..shape]`.
    ///
    /// From the inputs to the outputs this is F x, and F x + r with `sources`. With other starts
    /// it is the map from there: a start's own operands are not looked at. Every path back from a
    /// stop must end in a start. Cost: about k forwards of what lies between; memory: the probes
    /// alive at once, freed at their last use.
    ///
    /// # Errors
    /// [`Error::NoStart`] when a stop depends on an input that is not a start; [`Error::ForeignNode`];
    /// [`Error::Shape`] and [`Error::NoProbes`] for starts that are not k probes each;
    /// [`Error::Panicked`]; [`Error::Interrupted`].
    pub fn forward(
        &self,
        starts: &[(NodeId, FloatTensor<B>)],
        stops: &[NodeId],
        sources: bool,
    ) -> Result<Vec<FloatTensor<B>>> {
        let pass = |starts: &[(NodeId, FloatTensor<B>)]| {
            self.forward_with(starts, stops, |x, _, b| match sources {
                true => B::float_add(x, batch::of_one::<B>(b.clone())),
                false => x,
            })
        };
        self.on_all_cores(starts, pass, |parts| B::float_cat(parts, 0))
    }

    /// [`forward`](Self::forward) with what becomes of x at a source left to `at_source`: from x,
    /// `[k, ..shape]`, the node and its constant b.
    pub(super) fn forward_with(
        &self,
        starts: &[(NodeId, FloatTensor<B>)],
        stops: &[NodeId],
        at_source: impl Fn(FloatTensor<B>, &Node<B>, &FloatTensor<B>) -> FloatTensor<B>,
    ) -> Result<Vec<FloatTensor<B>>> {
        let starts = self.batches("the start", starts)?;
        let stops = self.indices(stops)?;
        let mut probes = Probes {
            at_source,
            interrupt: &self.interrupt,
        };
        self.forwards(starts, &stops, &mut probes)
    }

    /// Replay backwards: the cotangents of `targets`, given those of `seeds`, each `[k, ..shape]`.
    ///
    /// From the outputs to the inputs this is Fᵀ y. A target that no seed depends on gives `None`; what
    /// comes to a target does not go on to another. Cost: about k forwards of what lies between.
    ///
    /// # Errors
    /// [`Error::ForeignNode`]; [`Error::Shape`] and [`Error::NoProbes`] for seeds that are not k
    /// cotangents each; [`Error::Panicked`]; [`Error::Interrupted`].
    pub fn backward(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        targets: &[NodeId],
    ) -> Result<Vec<Option<FloatTensor<B>>>> {
        let sweep = |seeds: &[(NodeId, FloatTensor<B>)]| {
            self.backward_through(seeds, targets, |_, map, q| {
                Ok(map.adjoint_until(q, &self.interrupt))
            })
        };
        self.on_all_cores(seeds, sweep, |parts| {
            let parts: Option<Vec<_>> = parts.into_iter().collect();
            parts.map(|parts| B::float_cat(parts, 0))
        })
    }

    /// [`backward`](Self::backward) with what becomes of q at a map left to `through`.
    pub(super) fn backward_through(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
        targets: &[NodeId],
        through: impl Fn(&Here<'_, B>, &dyn LinearMap<B>, FloatTensor<B>) -> Result<FloatTensor<B>>,
    ) -> Result<Vec<Option<FloatTensor<B>>>> {
        let seeds = self.batches("the cotangent", seeds)?;
        let targets = self.indices(targets)?;
        let passes = self.dependants(&targets);
        let mut cotangents = Cotangents {
            through,
            on_source: |_: &Node<B>, _: &FloatTensor<B>, _: &FloatTensor<B>| Ok(()),
        };
        self.backwards(seeds, &targets, &passes, &mut cotangents)
    }

    /// F x + r at the nodes that are needed, each `[1, ..shape]`, of inputs without a probe axis.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub(super) fn values_at(
        &self,
        x: &[FloatTensor<B>],
        needed: &[bool],
    ) -> Result<Vec<Option<FloatTensor<B>>>> {
        let stops: Vec<NodeId> = (self.ids().zip(needed))
            .filter_map(|(id, needed)| needed.then_some(id))
            .collect();
        let starts: Vec<(NodeId, FloatTensor<B>)> = (self.inputs.iter().zip(x))
            .map(|(id, x)| (*id, batch::of_one::<B>(x.clone())))
            .collect();
        let mut found = self.forward(&starts, &stops, true)?.into_iter();
        Ok(needed
            .iter()
            .map(|needed| needed.then(|| found.next().expect("one a stop")))
            .collect())
    }

    /// Ends of a replay, each with `[k, ..shape]` for one k ≥ 1.
    pub(super) fn batches(
        &self,
        what: &str,
        ends: &[(NodeId, FloatTensor<B>)],
    ) -> Result<Vec<(NodeIndex, FloatTensor<B>)>> {
        let mut k = None;
        let mut found = Vec::with_capacity(ends.len());
        for (id, x) in ends {
            let at = self.index(*id)?;
            let Node { name, shape, .. } = self.at(at);
            let what = || format!("{what} at \"{name}\"");
            k = Some(batch::count(what, &x.shape(), shape, k)?);
            found.push((at, x.clone()));
        }
        Ok(found)
    }
}

/// k probes on their way forth.
struct Probes<'a, S> {
    at_source: S,
    interrupt: &'a Interrupt,
}

impl<B: Backend, S> Forwards<B> for Probes<'_, S>
where
    S: Fn(FloatTensor<B>, &Node<B>, &FloatTensor<B>) -> FloatTensor<B>,
{
    type Value = FloatTensor<B>;

    fn input(&mut self, _here: &Here<'_, B>, number: usize) -> Result<FloatTensor<B>> {
        Err(Error::NoStart { input: number })
    }

    fn map(
        &mut self,
        _here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        _from: &Shape,
        x: FloatTensor<B>,
    ) -> FloatTensor<B> {
        map.apply_until(x, self.interrupt)
    }

    fn source(&mut self, here: &Here<'_, B>, b: &Constant<B>, x: FloatTensor<B>) -> FloatTensor<B> {
        (self.at_source)(x, here.node, b.value())
    }

    fn sum(&mut self, _here: &Here<'_, B>, terms: Vec<(f64, FloatTensor<B>)>) -> FloatTensor<B> {
        terms
            .into_iter()
            .map(|(c, x)| batch::scaled::<B>(x, c))
            .reduce(B::float_add)
            .expect("a sum has terms")
    }

    fn concat(
        &mut self,
        _here: &Here<'_, B>,
        parts: Vec<(Along, FloatTensor<B>)>,
    ) -> FloatTensor<B> {
        let dim = parts[0].0.dim;
        B::float_cat(parts.into_iter().map(|(_, x)| x).collect(), dim + 1)
    }
}

/// k cotangents on their way back.
pub(super) struct Cotangents<M, S> {
    pub through: M,
    pub on_source: S,
}

impl<B: Backend, M, S> Backwards<B> for Cotangents<M, S>
where
    M: Fn(&Here<'_, B>, &dyn LinearMap<B>, FloatTensor<B>) -> Result<FloatTensor<B>>,
    S: FnMut(&Node<B>, &FloatTensor<B>, &FloatTensor<B>) -> Result<()>,
{
    type Value = FloatTensor<B>;

    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        _from: &Shape,
        q: FloatTensor<B>,
    ) -> Result<FloatTensor<B>> {
        (self.through)(here, &**map, q)
    }

    fn source(
        &mut self,
        here: &Here<'_, B>,
        b: &Constant<B>,
        q: FloatTensor<B>,
    ) -> Result<FloatTensor<B>> {
        (self.on_source)(here.node, b.value(), &q)?;
        Ok(q)
    }

    fn term(
        &mut self,
        _here: &Here<'_, B>,
        _of: NodeIndex,
        c: f64,
        _size: f64,
        q: FloatTensor<B>,
    ) -> FloatTensor<B> {
        batch::scaled::<B>(q, c)
    }

    fn part(
        &mut self,
        here: &Here<'_, B>,
        along: Along,
        q: FloatTensor<B>,
    ) -> Option<FloatTensor<B>> {
        Some(part_of::<B>(here, along, q))
    }

    fn add(&mut self, sum: FloatTensor<B>, q: FloatTensor<B>) -> FloatTensor<B> {
        B::float_add(sum, q)
    }
}

/// The part of k concatenated cotangents that belongs to one part.
pub(super) fn part_of<B: Backend>(
    here: &Here<'_, B>,
    along: Along,
    q: FloatTensor<B>,
) -> FloatTensor<B> {
    let mut ranges = batch::full_ranges(q.shape()[0], &here.node.shape);
    ranges[along.dim + 1] = Slice::from(along.start..along.start + along.extent);
    B::float_slice(q, &ranges)
}
