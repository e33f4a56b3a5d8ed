//! Block Golub–Kahan–Lanczos with full reorthogonalisation and thick restart.
//!
//! A *chain* is two orthonormal bases that grow together so that F V = U B and
//! Fᵀ U = V Bᵀ + V₊ S, where V₊ is the next block and S touches the newest block of U only. With
//! B = P Σ Qᵀ the triplets (σ, U p, V q) have F v − σ u = 0 and Fᵀ u − σ v = V₊ S p: the residual is
//! known without a product. A restart keeps the best triplets as the first vectors of both bases,
//! which preserves both equations.
//!
//! A Krylov space from b starting vectors holds at most b vectors of a repeated singular value: the
//! bicubic upscaler of a square picture has most σ twice, and one start sees each once. So a
//! converged result is confirmed by a second chain from a random vector, on F with the first chain's
//! triplets taken out: the K wanted ones, and all others whose σ + residual lies below σ_K, so that
//! what is left is small unless something is missing. Its best triplet (θ, ρ), ρ its residual, says
//! so: nothing is missing when ρ is within the tolerance or θ + ρ below σ_K, and a vector with
//! θ > σ_K joins and is confirmed in turn.

use std::ops::ControlFlow;

use super::{
    basis::Basis,
    config::SvdConfig,
    dense::Dense,
    result::{Ended, Found, GoOn, SvdError, TripletResidual, progress, to_the_end, unless_stopped},
};
use crate::{
    operator::{InUnits, LinearOperator},
    progress::Progress,
    vectors::over,
};

use burn::tensor::Tensor;
use linearscope::SplitMix64;

/// Steps of a second chain at least. A residual says how near a singular value is, not that none is
/// larger: more steps, or a wider margin than one residual, miss fewer copies and cost products. On 2160
/// small matrices of six kinds of spectrum with hidden copies (40 rounds of
/// `copies_are_found_in_every_kind_of_spectrum`) this missed 9, 10 steps 2, 3 steps with five residuals 1;
/// on networks, which have no copies, the last costs twice the products of this.
const CONFIRMING: usize = 4;

/// What a chain's bases give. It stays so when they grow: it is about their first vectors, as many as `p` and
/// `q` have rows.
struct Ritz {
    /// As columns: left vectors in U.
    p: Dense,
    sigma: Vec<f64>,
    /// As columns: right vectors in V.
    q: Dense,
    /// ‖Fᵀ u − σ v‖ of each.
    residuals: Vec<f64>,
}

/// Bases that grow, and vectors they stay apart from.
struct Chain<'a> {
    u: Basis,
    v: Basis,
    b: Dense,
    /// The next block of V; none where nothing is left.
    next: Option<Tensor<2>>,
    apart: Option<(&'a Basis, &'a Basis)>,
    /// Vectors on either side before a restart.
    most: usize,
}

impl<'a> Chain<'a> {
    fn new<F: LinearOperator + ?Sized>(
        f: &F,
        start: Tensor<2>,
        apart: Option<(&'a Basis, &'a Basis)>,
        most: usize,
        random: &mut SplitMix64,
    ) -> Result<Self, SvdError> {
        let (u, v) = (Basis::new(f.output_len()), Basis::new(f.input_len()));
        let next = v
            .orthonormalise(f, start, apart.map(|(_, v)| v), random)?
            .vectors;
        Ok(Self {
            u,
            v,
            b: Dense::default(),
            next,
            apart,
            most,
        })
    }

    /// Take the next block of V, make the one of U of it, and the block of V after.
    fn step<F: LinearOperator + ?Sized>(
        &mut self,
        f: &InUnits<'_, F>,
        block: Tensor<2>,
        random: &mut SplitMix64,
    ) -> Result<Ritz, SvdError> {
        let product = f.apply(block.clone())?;
        self.v.push(block);
        let beside = self.apart.map(|(u, _)| u);
        let new = self
            .u
            .orthonormalise(f.operator(), product, beside, random)?;
        let (rows, columns) = (new.coefficients.rows, self.v.count());
        let first = columns - new.coefficients.columns;
        self.b = self.b.grown(rows, columns);
        for row in 0..rows {
            for column in first..columns {
                self.b
                    .set(row, column, new.coefficients.at(row, column - first));
            }
        }
        let mut s = Dense::zeros(0, 0);
        if let Some(block) = new.vectors {
            let product = f.apply_adjoint(block.clone())?;
            self.u.push(block);
            let beside = self.apart.map(|(_, v)| v);
            let new = self
                .v
                .orthonormalise(f.operator(), product, beside, random)?;
            // S: the part outside V, of the newest block's columns.
            let inside = self.v.count();
            s = Dense::zeros(new.coefficients.rows - inside, new.coefficients.columns);
            for row in 0..s.rows {
                for column in 0..s.columns {
                    s.set(row, column, new.coefficients.at(inside + row, column));
                }
            }
            self.next = new.vectors;
        }

        let (p, sigma, q) = self.b.svd(&|| f.operator().check_interrupt())?;
        let newest = self.u.count() - s.columns;
        let residual = |i: usize| {
            let parts = (0..s.rows).map(|row| {
                (0..s.columns)
                    .map(|j| s.at(row, j) * p.at(newest + j, i))
                    .sum::<f64>()
            });
            parts.map(|x| x * x).sum::<f64>().sqrt()
        };
        let residuals = (0..sigma.len()).map(residual).collect();
        Ok(Ritz {
            p,
            sigma,
            q,
            residuals,
        })
    }

    /// The first `count` triplets' vectors.
    fn vectors(
        &self,
        f: &(impl LinearOperator + ?Sized),
        ritz: &Ritz,
        count: usize,
        go_on: GoOn<'_>,
    ) -> Result<(Tensor<2>, Tensor<2>), SvdError> {
        Ok((
            self.u.combine(f, &ritz.p, count, go_on)?,
            self.v.combine(f, &ritz.q, count, go_on)?,
        ))
    }

    /// The best triplets there are, `wanted` at most.
    fn found(
        &self,
        f: &(impl LinearOperator + ?Sized),
        ritz: &Ritz,
        wanted: usize,
        ended: Ended,
    ) -> Result<Found, SvdError> {
        let count = wanted.min(ritz.sigma.len());
        let (u, v) = self.vectors(f, ritz, count, &to_the_end)?;
        Ok(ritz.found(u, v, ended))
    }

    /// Keep the best triplets, diagonal then, as the beginning of both bases, where no more fit; what the bases
    /// give after that.
    fn restart_if_full(
        &mut self,
        f: &(impl LinearOperator + ?Sized),
        ritz: &Ritz,
        wanted: usize,
    ) -> Result<Option<Ritz>, SvdError> {
        let following = self.next.as_ref().map_or(0, |x| x.dims()[0]);
        let complete = self.u.count() + self.apart.map_or(0, |(u, _)| u.count()) >= f.output_len();
        // With U complete one more block makes B complete, and the result exact.
        if complete || self.v.count() + following <= self.most {
            return Ok(None);
        }
        // The wanted ones and half of the rest: what is about to converge stays.
        let kept = (wanted + (self.most.saturating_sub(wanted)) / 2)
            .min(self.most.saturating_sub(following))
            .clamp(1, ritz.sigma.len());
        let (u, v) = self.vectors(f, ritz, kept, &|| f.check_interrupt())?;
        Ok(Some(self.begin(u, v, ritz)))
    }

    /// Begin with the vectors of the first triplets, next block untouched; what the bases give then.
    fn begin(&mut self, u: Tensor<2>, v: Tensor<2>, ritz: &Ritz) -> Ritz {
        let kept = u.dims()[0];
        (self.u, self.v) = (Basis::new(self.u.len()), Basis::new(self.v.len()));
        self.u.push(u);
        self.v.push(v);
        self.b = Dense::diagonal(&ritz.sigma[..kept]);
        let same = Dense::diagonal(&vec![1.0; kept]);
        Ritz {
            p: same.clone(),
            sigma: ritz.sigma[..kept].to_vec(),
            q: same,
            residuals: ritz.residuals[..kept].to_vec(),
        }
    }
}

impl Ritz {
    /// Vectors of the first triplets, with what is known of them: F v − σ u is 0, and the residual that of Fᵀ u.
    fn found(&self, u: Tensor<2>, v: Tensor<2>, ended: Ended) -> Found {
        let count = u.dims()[0];
        let residual = |&left: &f64| TripletResidual {
            right: 0.0,
            left: over(left, self.sigma[0]),
        };
        Found {
            u,
            v,
            sigma: self.sigma[..count].to_vec(),
            residuals: self.residuals[..count].iter().map(residual).collect(),
            ended,
        }
    }
}

/// Unit vectors u and v of the K best triplets, converged or not. Stopped in the middle of a step or a restart,
/// those that the bases gave before it.
pub(super) fn solve<F: LinearOperator + ?Sized>(
    f: &InUnits<'_, F>,
    config: &SvdConfig,
    block: usize,
    basis: Option<usize>,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Found, SvdError> {
    let k = config.k;
    let n = f.operator().input_len();
    let rank = n.min(f.operator().output_len());
    let most = basis
        .unwrap_or((4 * k).max(k + 24).max(k + 4 * block))
        .min(rank);
    let mut random = SplitMix64::new(config.seed);
    let start = f.operator().upload(random.uniform(block.min(rank) * n), n);
    let mut chain = Chain::new(f.operator(), start, None, most, &mut random)?;
    let mut last = None;
    let found = iterate(f, config, &mut chain, &mut last, &mut random, &mut observer);
    unless_stopped(found, || {
        let ritz: Ritz = last?;
        Some(chain.found(f.operator(), &ritz, k, Ended::Stopped))
    })
}

/// Let a chain grow until it has converged and is confirmed. `last` is what its bases gave last.
fn iterate<F: LinearOperator + ?Sized>(
    f: &InUnits<'_, F>,
    config: &SvdConfig,
    chain: &mut Chain<'_>,
    last: &mut Option<Ritz>,
    random: &mut SplitMix64,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Found, SvdError> {
    let k = config.k;
    loop {
        let Some(block) = chain.next.take() else {
            unreachable!("a chain without a next block has ended");
        };
        let ritz: &Ritz = last.insert(chain.step(f, block, random)?);
        let have = ritz.sigma.len();
        let wanted = k.min(have);
        let estimates: Vec<f64> = ritz.residuals[..wanted]
            .iter()
            .map(|&x| over(x, ritz.sigma[0]))
            .collect();
        // Half the tolerance leaves room for rounding in the true residual.
        let good = |x: &&f64| **x <= 0.5 * config.tolerance;
        let converged = estimates.iter().filter(good).count();
        let worst = if have < k {
            f64::INFINITY
        } else {
            estimates.iter().copied().fold(0.0, f64::max)
        };
        let progress = progress(converged, k, f.products(), worst);
        let used_up = f.products() >= config.max_products;
        let exhausted = chain.next.is_none();
        if let Some(ended) = Ended::after(observer(&progress), exhausted, used_up) {
            return chain.found(f.operator(), ritz, k, ended);
        }
        if have >= k && converged == k {
            let smallest = ritz.sigma[k - 1];
            let settled = (k..have)
                .take_while(|&i| ritz.sigma[i] + ritz.residuals[i] < smallest)
                .count();
            let go_on: GoOn<'_> = &|| f.operator().check_interrupt();
            let (u, v) = chain.vectors(f.operator(), ritz, k + settled, go_on)?;
            let (mut left, mut right) = (
                Basis::new(f.operator().output_len()),
                Basis::new(f.operator().input_len()),
            );
            left.push(u.clone());
            right.push(v.clone());
            let second = Second {
                apart: (&left, &right),
                smallest,
                slack: config.tolerance * ritz.sigma[0],
                most: chain.most,
                max_products: config.max_products,
            };
            let verdict = second.look(f, random, |products| {
                observer(&Progress {
                    products,
                    ..progress
                })
            });
            let (u, v) = (u.narrow(0, 0, k), v.narrow(0, 0, k));
            match verdict {
                Ok(Verdict::Ended(ended)) => return Ok(ritz.found(u, v, ended)),
                Err(error) if error.is_stopped() => return Ok(ritz.found(u, v, Ended::Stopped)),
                Err(error) => return Err(error),
                Ok(Verdict::Missing(start)) => {
                    *last = Some(chain.begin(u, v, ritz));
                    chain.next = chain
                        .v
                        .orthonormalise(f.operator(), *start, None, random)?
                        .vectors;
                }
            }
            continue;
        }
        if let Some(kept) = chain.restart_if_full(f.operator(), ritz, k)? {
            *last = Some(kept);
        }
    }
}

/// A search for what a converged result may have missed.
struct Second<'a> {
    apart: (&'a Basis, &'a Basis),
    /// σ_K.
    smallest: f64,
    slack: f64,
    most: usize,
    max_products: usize,
}

enum Verdict {
    /// Complete if nothing is missing.
    Ended(Ended),
    /// A vector of more than σ_K.
    Missing(Box<Tensor<2>>),
}

impl Second<'_> {
    fn look<F: LinearOperator + ?Sized>(
        &self,
        f: &InUnits<'_, F>,
        random: &mut SplitMix64,
        mut observer: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Verdict, SvdError> {
        let n = f.operator().input_len();
        let start = f.operator().upload(random.uniform(n), n);
        let mut chain = Chain::new(f.operator(), start, Some(self.apart), self.most, random)?;
        let mut steps = 0;
        while let Some(block) = chain.next.take() {
            let ritz = chain.step(f, block, random)?;
            steps += 1;
            let Some((&theta, &rho)) = ritz.sigma.first().zip(ritz.residuals.first()) else {
                break;
            };
            if theta > self.smallest + self.slack {
                let go_on: GoOn<'_> = &|| f.operator().check_interrupt();
                let (_, v) = chain.vectors(f.operator(), &ritz, 1, go_on)?;
                return Ok(Verdict::Missing(Box::new(v)));
            }
            let settled = rho <= self.slack || theta + rho < self.smallest;
            if steps >= CONFIRMING && settled {
                return Ok(Verdict::Ended(Ended::Complete));
            }
            let used_up = f.products() >= self.max_products;
            if let Some(ended) = Ended::after(observer(f.products()), false, used_up) {
                return Ok(Verdict::Ended(ended));
            }
            chain.restart_if_full(f.operator(), &ritz, 1)?;
        }
        // Everything was looked at.
        Ok(Verdict::Ended(Ended::Complete))
    }
}
