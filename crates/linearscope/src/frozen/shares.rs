//! What sources add to outputs: contributions and discussions.

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use super::{
    batches::{check_cotangents, in_batches, replaying, zeros},
    recorded::{Recorded, pairs},
};
use crate::{
    error::{Error, Result, guarded},
    host,
    linear::batch,
    program::{Carry, Node, NodeId, Operation, RelevanceLayer, RelevanceRule, SourceKind},
};

/// One source and its contribution ⟨q, b⟩ to a linear functional of the output.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceShare {
    /// Name of the network node the source came from.
    pub node: String,
    /// Index into [`Program::layers`](crate::program::Program::layers).
    pub layer: usize,
    /// Whether the network itself adds it.
    pub kind: SourceKind,
    /// ⟨q, b⟩ for each of the k cotangents.
    pub values: Vec<f64>,
}

impl<B: Backend> Recorded<B> {
    /// Fᵀ y, and for every source its contribution ⟨q, b⟩ to ⟨y, F x + r⟩ (Theorem 1 of the paper:
    /// they sum to ⟨y, r⟩ on any acyclic graph). Sums are taken in f64 on the host. Cost: one
    /// adjoint sweep and one read-back per source.
    ///
    /// # Errors
    /// As [`adjoint`](Self::adjoint); [`Error::Data`].
    pub fn contributions(
        &self,
        y: &[FloatTensor<B>],
    ) -> Result<(Vec<FloatTensor<B>>, Vec<SourceShare>)> {
        check_cotangents(self.loaded(), y)?;
        let program = self.prepared();
        let mut shares: Vec<SourceShare> = Vec::new();
        let rows = in_batches::<B>(self.probes_at_once(), y, |y| {
            let seeds = pairs::<B>(program.outputs(), y);
            let mut some = Vec::new();
            let found = program.contributions(&seeds, program.inputs(), |node, b, q| {
                some.push(share::<B>(node, b, q)?);
                Ok(())
            })?;
            some.reverse();
            // Every batch passes the same sources.
            match shares.is_empty() {
                true => shares = some,
                false => shares
                    .iter_mut()
                    .zip(some)
                    .for_each(|(share, more)| share.values.extend(more.values)),
            }
            Ok(self.at_inputs(y, found))
        })?;
        Ok((rows, shares))
    }

    /// Do one backward sweep from k cotangents of the only output to the only input, carrying along what sources add,
    /// see [`Carry`]. Returns `(q, s, e)`: q and s are `[k, ..input]`, and e, `[k, 1]`, is the part that cannot be
    /// given to any input (see [`Carriage::elsewhere`](crate::program::Carriage::elsewhere)). If a layer is given, only
    /// its sources count.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NoProbes`]; [`Error::OutOfRange`] for a layer that does not
    /// exist; [`Error::GeneralMap`] as [`Program::carry`](crate::program::Program::carry).
    pub fn carried(
        &self,
        y: &FloatTensor<B>,
        carry: Carry,
        layer: Option<usize>,
    ) -> Result<(FloatTensor<B>, FloatTensor<B>, FloatTensor<B>)> {
        let heard = |node: &Node<B>| layer.is_none_or(|layer| node.layer == layer);
        let program = self.prepared();
        let layers = program.layers().len();
        if let Some(layer) = layer.filter(|&layer| layer >= layers) {
            return Err(Error::OutOfRange {
                what: "the layer".into(),
                index: vec![layer],
                shape: vec![layers],
            });
        }
        let (to, input) = (
            self.end(None, program.outputs())?,
            self.end(None, program.inputs())?,
        );
        self.check_at("the cotangent", y, to)?;
        let shape = program.shape(input)?;
        // q and s, side by side.
        let most = self.at_once(2 * program.probe_bytes());
        let mut found = in_batches::<B>(most, std::slice::from_ref(y), |y| {
            let seeds = [(to, y[0].clone())];
            let mut found = program.carry_of(&seeds, carry, heard)?;
            let zeros = |shape: &Shape| zeros(self.loaded(), y[0].shape()[0], shape);
            let both = found.inputs.remove(0);
            let (q, s) = both.unwrap_or_else(|| (zeros(shape), zeros(shape)));
            let elsewhere = found.elsewhere.unwrap_or_else(|| zeros(&Shape::from([1])));
            Ok(vec![q, s, elsewhere])
        })?;
        let elsewhere = found.remove(2);
        let s = found.remove(1);
        Ok((found.remove(0), s, elsewhere))
    }

    /// Layer-wise relevance propagation of k relevances of the only output down to the only input, `[k, ..input]`, see
    /// [`Program::relevance`](crate::program::Program::relevance); `x0` is the input it was frozen at, without a probe
    /// axis.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NoProbes`]; those of [`Program::relevance`](crate::program::Program::relevance) and
    /// [`Relevance::of`](crate::program::Relevance::of).
    pub fn relevance(
        &self,
        x0: &FloatTensor<B>,
        y: &FloatTensor<B>,
        stabiliser: f64,
        rule: impl Fn(&RelevanceLayer<'_>) -> RelevanceRule,
    ) -> Result<FloatTensor<B>> {
        let program = self.prepared();
        let (to, input) = (
            self.end(None, program.outputs())?,
            self.end(None, program.inputs())?,
        );
        self.check_at("the relevance", y, to)?;
        let shape = program.shape(input)?;
        if x0.shape() != *shape {
            return Err(Error::Shape {
                what: "x₀".into(),
                got: x0.shape().to_vec(),
                expected: shape.to_vec(),
                hint: "; it has no probe axis".into(),
            });
        }
        let relevance = program.relevance(std::slice::from_ref(x0), stabiliser, rule)?;
        let most = self.at_once(2 * program.probe_bytes());
        let mut found = in_batches::<B>(most, std::slice::from_ref(y), |y| {
            let seeds = [(to, y[0].clone())];
            let found = relevance.of(&seeds)?.remove(0);
            Ok(vec![found.unwrap_or_else(|| {
                zeros(self.loaded(), y[0].shape()[0], shape)
            })])
        })?;
        Ok(found.remove(0))
    }

    /// DeepLift's multipliers (the rescale rule) of k seeds of the only output, at the only input, `[k, ..input]`, see
    /// [`Program::secant`](crate::program::Program::secant): between `x0`, where this was frozen, and `x1`, where `other`
    /// was, both without a probe axis and by the rules *taylor*.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NoProbes`]; those of [`Program::secant`](crate::program::Program::secant).
    pub fn secant(
        &self,
        x0: &FloatTensor<B>,
        other: &Self,
        x1: &FloatTensor<B>,
        y: &FloatTensor<B>,
    ) -> Result<FloatTensor<B>> {
        let program = self.prepared();
        let (to, input) = (
            self.end(None, program.outputs())?,
            self.end(None, program.inputs())?,
        );
        self.check_at("the multiplier", y, to)?;
        let shape = program.shape(input)?;
        for (what, x) in [("x₀", x0), ("the baseline", x1)] {
            if x.shape() != *shape {
                return Err(Error::Shape {
                    what: what.into(),
                    got: x.shape().to_vec(),
                    expected: shape.to_vec(),
                    hint: "; it has no probe axis".into(),
                });
            }
        }
        let ends = [x0, x1].map(std::slice::from_ref);
        let secant = program.secant(ends[0], other.prepared(), ends[1])?;
        let most = self.at_once(2 * program.probe_bytes());
        let mut found = in_batches::<B>(most, std::slice::from_ref(y), |y| {
            let seeds = [(to, y[0].clone())];
            let found = secant.adjoint(&seeds)?.remove(0);
            Ok(vec![found.unwrap_or_else(|| {
                zeros(self.loaded(), y[0].shape()[0], shape)
            })])
        })?;
        Ok(found.remove(0))
    }

    /// What the sources of every layer add to every entry of each output, `[layers, ..output]`, in
    /// forward passes. Summed over layers it is [`residual`](Self::residual); each column is what
    /// [`contributions`](Self::contributions) finds by an adjoint sweep.
    ///
    /// # Errors
    /// [`Error::Panicked`] if Burn panicked.
    pub fn contributions_of_all(&self) -> Result<Vec<FloatTensor<B>>> {
        let program = self.prepared();
        let zeros = |k: usize, id: NodeId| {
            zeros(self.loaded(), k, program.shape(id).expect("its own node"))
        };
        guarded(
            || replaying("the replay by layers"),
            || program.residual_by_layer(&zeros, self.probes_at_once()),
        )?
    }
}

/// ⟨q, b⟩ for each of the k cotangents at a source, summed in f64 on the host.
fn share<B: Backend>(
    node: &Node<B>,
    b: &FloatTensor<B>,
    q: &FloatTensor<B>,
) -> Result<SourceShare> {
    let Operation::Source { kind, .. } = node.operation else {
        unreachable!("only sources have shares")
    };
    // Sum q over what b was broadcast along, so that the product is small.
    let q = host::<B>(batch::sum_to::<B>(q.clone(), &b.shape()))?;
    let b = host::<B>(b.clone())?;
    // A source that no decision selects has q = 0, and may be infinite.
    let product = |(q, b): (&f64, &f64)| if *q == 0.0 { 0.0 } else { q * b };
    let values: Vec<f64> = q
        .chunks(b.len())
        .map(|q| q.iter().zip(&b).map(product).sum())
        .collect();
    let mut bad = values.iter().enumerate().filter(|(_, v)| !v.is_finite());
    if let Some((first, _)) = bad.next() {
        return Err(Error::NotFinite {
            what: format!("in node \"{}\": what its source adds", node.name),
            count: 1 + bad.count(),
            first,
        });
    }
    Ok(SourceShare {
        node: node.name.to_string(),
        layer: node.layer,
        kind,
        values,
    })
}
