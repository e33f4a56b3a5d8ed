//! Bases that grow by products with F: see [`lanczos`](super::lanczos).

use burn::tensor::Tensor;
use linearscope::SplitMix64;

use super::{
    basis::Basis,
    dense::Dense,
    result::{Ended, Found, GoOn, SvdError, TripletResidual, to_the_end},
};
use crate::{
    operator::{InUnits, LinearOperator},
    vectors::{epsilon, over, row_norms},
};

/// What a chain's bases give. It stays so when they grow: it is about their first vectors, as many as `p` and
/// `q` have rows.
pub(super) struct Ritz {
    /// As columns: left vectors in the left side's, to their length.
    p: Dense,
    pub sigma: Vec<f64>,
    /// As columns: right vectors in V.
    q: Dense,
    /// ‖Fᵀ u − σ v‖ of each.
    pub residuals: Vec<f64>,
}

/// What a chain keeps of the longer side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// F V as it is, for triplets whose σ is more than this share of σ₁.
    ByProducts {
        /// The share.
        least: f64,
    },
    /// An orthonormal basis.
    TwoBases,
}

/// The longer side.
enum Left {
    /// W = F V, and the upper triangle of H = Vᵀ Fᵀ F V.
    Products { w: Basis, h: Dense, least: f64 },
    /// U and B, F V = U B.
    Orthonormal { u: Basis, b: Dense },
}

/// Bases that grow, and vectors they stay apart from.
pub(super) struct Chain<'a> {
    v: Basis,
    left: Left,
    /// The next block of V; none where nothing is left.
    pub next: Option<Tensor<2>>,
    /// S: what the newest block leaves outside V, in the next block's vectors.
    s: Dense,
    apart: Option<(&'a Basis, &'a Basis)>,
    /// Vectors on either side before a restart.
    pub most: usize,
    /// Vectors of the longer side.
    output_len: usize,
}

impl<'a> Chain<'a> {
    pub(super) fn new<F: LinearOperator + ?Sized>(
        f: &F,
        kind: Kind,
        start: Tensor<2>,
        apart: Option<(&'a Basis, &'a Basis)>,
        most: usize,
        random: &mut SplitMix64,
    ) -> Result<Self, SvdError> {
        let mut chain = Self::empty(f, kind, start.dims()[0], apart, most);
        chain.begin_again(f, start, random)?;
        Ok(chain)
    }

    /// Without a vector, for blocks of so many rows.
    fn empty<F: LinearOperator + ?Sized>(
        f: &F,
        kind: Kind,
        rows: usize,
        apart: Option<(&'a Basis, &'a Basis)>,
        most: usize,
    ) -> Self {
        let (inputs, outputs) = (f.input_len(), f.output_len());
        // With U complete one block more than `most` is taken.
        let room = most + rows;
        let left = Basis::new(outputs, room.min(outputs));
        Self {
            v: Basis::new(inputs, room.min(inputs)),
            left: match kind {
                Kind::ByProducts { least } => Left::Products {
                    w: left,
                    h: Dense::default(),
                    least,
                },
                Kind::TwoBases => Left::Orthonormal {
                    u: left,
                    b: Dense::default(),
                },
            },
            next: None,
            s: Dense::default(),
            apart,
            most,
            output_len: outputs,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.left {
            Left::Products { least, .. } => Kind::ByProducts { least },
            Left::Orthonormal { .. } => Kind::TwoBases,
        }
    }

    /// Go on from other vectors.
    pub(super) fn begin_again<F: LinearOperator + ?Sized>(
        &mut self,
        f: &F,
        start: Tensor<2>,
        random: &mut SplitMix64,
    ) -> Result<(), SvdError> {
        let beside = self.apart.map(|(_, v)| v);
        self.next = self.v.orthonormalise(f, start, beside, random)?.vectors;
        Ok(())
    }

    /// Take the next block of V, what F makes of it, and the block of V after.
    pub(super) fn step<F: LinearOperator + ?Sized>(
        &mut self,
        f: &InUnits<'_, F>,
        block: Tensor<2>,
        random: &mut SplitMix64,
    ) -> Result<(), SvdError> {
        let product = f.apply(block.clone())?;
        self.v.push(block);
        let newest = match &mut self.left {
            Left::Products { w, .. } => {
                w.push(product.clone());
                Some(product)
            }
            Left::Orthonormal { u, b } => {
                let beside = self.apart.map(|(u, _)| u);
                let new = u.orthonormalise(f.operator(), product, beside, random)?;
                let (rows, columns) = (new.coefficients.rows, self.v.count());
                *b = b.grown(rows, columns);
                b.copy(&new.coefficients, 0, columns - new.coefficients.columns);
                if let Some(block) = &new.vectors {
                    u.push(block.clone());
                }
                new.vectors
            }
        };
        self.s = Dense::default();
        let Some(newest) = newest else {
            return Ok(());
        };
        let product = f.apply_adjoint(newest)?;
        let beside = self.apart.map(|(_, v)| v);
        let new = self
            .v
            .orthonormalise(f.operator(), product, beside, random)?;
        let (inside, columns) = (self.v.count(), new.coefficients.columns);
        if let Left::Products { h, .. } = &mut self.left {
            *h = h.grown(inside, inside);
            h.copy(&new.coefficients.rows(0..inside), 0, inside - columns);
        }
        self.s = new.coefficients.rows(inside..new.coefficients.rows);
        self.next = new.vectors;
        Ok(())
    }

    /// The triplets of F within the bases, with their residuals. No product; a dense decomposition of at most
    /// as many columns as there are vectors.
    pub(super) fn ritz(&self, f: &(impl LinearOperator + ?Sized)) -> Result<Ritz, SvdError> {
        let go_on: GoOn<'_> = &|| f.check_interrupt();
        let last = |x: &Dense| {
            let newest = x.rows - self.s.columns;
            let residual = |i: usize| {
                let parts = (0..self.s.rows).map(|row| {
                    (0..self.s.columns)
                        .map(|j| self.s.at(row, j) * x.at(newest + j, i))
                        .sum::<f64>()
                });
                parts.map(|x| x * x).sum::<f64>().sqrt()
            };
            (0..x.columns).map(residual).collect::<Vec<f64>>()
        };
        match &self.left {
            Left::Orthonormal { b, .. } => {
                let (p, sigma, q) = b.svd(go_on)?;
                let residuals = last(&p);
                Ok(Ritz {
                    p,
                    sigma,
                    q,
                    residuals,
                })
            }
            Left::Products { h, .. } => {
                // H is symmetric and not negative: its singular vectors are its eigenvectors.
                let (_, squares, q) = h.mirrored().svd(go_on)?;
                let sigma: Vec<f64> = squares.into_iter().map(f64::sqrt).collect();
                // ‖Fᵀ F v − σ² v‖, and H's own rounding, over σ.
                let rounding = epsilon(f.dtype()) * sigma[0] * sigma[0];
                let residuals = last(&q);
                let residuals = residuals.iter().zip(&sigma);
                Ok(Ritz {
                    p: q.clone(),
                    residuals: residuals.map(|(r, &s)| over(r + rounding, s)).collect(),
                    sigma,
                    q,
                })
            }
        }
    }

    /// The first `count` triplets' vectors.
    pub(super) fn vectors(
        &self,
        f: &(impl LinearOperator + ?Sized),
        ritz: &Ritz,
        count: usize,
        go_on: GoOn<'_>,
    ) -> Result<(Tensor<2>, Tensor<2>), SvdError> {
        let v = self.v.combine(f, &ritz.q, count, go_on)?;
        let u = match &self.left {
            Left::Orthonormal { u, .. } => u.combine(f, &ritz.p, count, go_on)?,
            Left::Products { w, .. } => {
                let products = w.combine(f, &ritz.p, count, go_on)?;
                let norms = row_norms(&products)?;
                let norms = norms
                    .into_iter()
                    .map(|norm| if norm > 0.0 { norm } else { 1.0 });
                products / f.upload(norms.collect(), 1)
            }
        };
        Ok((u, v))
    }

    /// How many triplets are what they are said to be: of a chain by products those whose σ is not lost in the rounding
    /// of H.
    pub(super) fn reliable(&self, ritz: &Ritz) -> usize {
        match self.left {
            Left::Orthonormal { .. } => ritz.sigma.len(),
            Left::Products { least, .. } => {
                let reliable = |sigma: &&f64| **sigma > least * ritz.sigma[0];
                ritz.sigma.iter().take_while(reliable).count()
            }
        }
    }

    /// The best triplets there are, `wanted` at most.
    pub(super) fn found(
        &self,
        f: &(impl LinearOperator + ?Sized),
        ritz: &Ritz,
        wanted: usize,
        ended: Ended,
    ) -> Result<Found, SvdError> {
        let count = wanted.min(self.reliable(ritz).max(1));
        let (u, v) = self.vectors(f, ritz, count, &to_the_end)?;
        Ok(ritz.found(u, v, ended))
    }

    /// A chain of two bases in place of this one by products: it begins with the converged triplets, `locked` of
    /// them, and goes on from the sum of all others and what would have been next. What it gives then.
    pub(super) fn with_two_bases<F: LinearOperator + ?Sized>(
        &mut self,
        f: &F,
        ritz: &Ritz,
        locked: usize,
        rows: usize,
        random: &mut SplitMix64,
    ) -> Result<Option<Ritz>, SvdError> {
        let Left::Products { w, .. } = &self.left else {
            return Ok(None);
        };
        let go_on: GoOn<'_> = &|| f.check_interrupt();
        let mut others = Dense::zeros(ritz.q.rows, rows);
        for i in locked..ritz.q.columns {
            for row in 0..ritz.q.rows {
                others.add(row, i % rows, ritz.q.at(row, i));
            }
        }
        let mut start = self.v.combine(f, &others, rows, go_on)?;
        if let Some(next) = self.next.take() {
            let [some, len] = next.dims();
            let sum = start.clone().narrow(0, 0, some) + next;
            start = start.slice_assign([0..some, 0..len], sum);
        }
        let mut chain = Chain::empty(f, Kind::TwoBases, rows, self.apart, self.most);
        let mut begun = None;
        if let (true, Left::Orthonormal { u, b }) = (locked > 0, &mut chain.left) {
            // F V = U B to the rounding of products; what Fᵀ U leaves outside V is within the tolerance.
            let products = w.combine(f, &ritz.p, locked, go_on)?;
            let made = u.orthonormalise(f, products, None, random)?;
            *b = made.coefficients;
            u.push(made.vectors.expect("as many as there were"));
            chain.v.push(self.v.combine(f, &ritz.q, locked, go_on)?);
            let same = Dense::diagonal(&vec![1.0; locked]);
            begun = Some(Ritz {
                p: same.clone(),
                sigma: ritz.sigma[..locked].to_vec(),
                q: same,
                residuals: ritz.residuals[..locked].to_vec(),
            });
        }
        chain.begin_again(f, start, random)?;
        *self = chain;
        Ok(begun)
    }

    /// Whether the next block has no room before a restart.
    pub(super) fn is_full(&self) -> bool {
        let following = self.next.as_ref().map_or(0, |x| x.dims()[0]);
        let complete = match &self.left {
            Left::Products { .. } => false,
            // One more block makes B complete, and the result exact.
            Left::Orthonormal { u, .. } => {
                u.count() + self.apart.map_or(0, |(u, _)| u.count()) >= self.output_len
            }
        };
        !complete && self.v.count() + following > self.most
    }

    /// How many of `have` triplets a restart keeps: the wanted ones and half of the rest, since what is about to
    /// converge stays.
    pub(super) fn kept(&self, wanted: usize, have: usize) -> usize {
        let following = self.next.as_ref().map_or(0, |x| x.dims()[0]);
        (wanted + (self.most.saturating_sub(wanted)) / 2)
            .min(self.most.saturating_sub(following))
            .clamp(1, have)
    }

    /// Keep the best triplets as the beginning of both sides, the next block untouched; what the bases give then.
    /// In place, and not to be stopped halfway.
    pub(super) fn restarted(
        &mut self,
        f: &(impl LinearOperator + ?Sized),
        ritz: &Ritz,
        kept: usize,
    ) -> Ritz {
        let sigma = ritz.sigma[..kept].to_vec();
        let same = Dense::diagonal(&vec![1.0; kept]);
        self.v.turn(f, &ritz.q, kept);
        match &mut self.left {
            Left::Products { w, h, .. } => {
                w.turn(f, &ritz.p, kept);
                let squares: Vec<f64> = sigma.iter().map(|x| x * x).collect();
                *h = Dense::diagonal(&squares);
            }
            Left::Orthonormal { u, b } => {
                u.turn(f, &ritz.p, kept);
                *b = Dense::diagonal(&sigma);
            }
        }
        Ritz {
            p: same.clone(),
            sigma,
            q: same,
            residuals: ritz.residuals[..kept].to_vec(),
        }
    }
}

impl Ritz {
    /// The residuals over σ₁.
    pub(super) fn estimates(&self) -> impl Iterator<Item = f64> + Clone {
        self.residuals.iter().map(|&x| over(x, self.sigma[0]))
    }

    /// Vectors of the first triplets, with what is known of them: F v − σ u is 0, and the residual that of Fᵀ u.
    pub(super) fn found(&self, u: Tensor<2>, v: Tensor<2>, ended: Ended) -> Found {
        let count = u.dims()[0];
        let residual = |left| TripletResidual { right: 0.0, left };
        Found {
            u,
            v,
            sigma: self.sigma[..count].to_vec(),
            residuals: self.estimates().take(count).map(residual).collect(),
            ended,
        }
    }
}
