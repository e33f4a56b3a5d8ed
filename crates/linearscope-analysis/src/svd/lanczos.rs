//! Block Lanczos with full reorthogonalisation of the shorter side and thick restart.
//!
//! A [`Chain`] grows a basis V of the shorter side, and what F makes of it. It comes in two kinds. *By products*
//! it keeps W = F V as it is, and H = Vᵀ Fᵀ F V; the eigenvectors q of H make right vectors V q, and W q over their length left ones.
//! Only V is made orthogonal: for an upscaler a tenth of the work and fewer passes over memory (for bidiagonals:
//! Simon and Zha, *Low-rank matrix approximation using the Lanczos bidiagonalization process*, 2000). H is
//! σ squared, so that σ is only good to ε σ₁²/σ. Where the tolerance asks for more, the chain has *two bases*
//! (Golub and Kahan), F V = U B and Fᵀ U = V Bᵀ + V₊ S, each reorthogonalised in full.
//!
//! Either way residuals are known without a product: with V₊ the next block and S what the newest one
//! leaves outside V, F v − σ u = 0 and Fᵀ u − σ v = V₊ S p (for H, V₊ S q / σ). A restart keeps the best triplets as
//! the first vectors, which preserves these equations.
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
    chain::{Chain, Kind, Ritz},
    config::{SECOND, SvdConfig, basis_size},
    result::{Ended, Found, GoOn, SvdError, progress, unless_stopped},
};
use crate::{
    operator::{InUnits, LinearOperator},
    progress::Progress,
    vectors::epsilon,
};

use burn::tensor::Tensor;
use linearscope::SplitMix64;

/// Steps of a second chain at least. A residual says how near a singular value is, not that none is
/// larger: more steps, or a wider margin than one residual, miss fewer copies and cost products. On 2160
/// small matrices of six kinds of spectrum with hidden copies (40 rounds of
/// `copies_are_found_in_every_kind_of_spectrum`) this missed 9, 10 steps 2, 3 steps with five residuals 1;
/// on networks, which have no copies, the last costs twice the products of this.
const CONFIRMING: usize = 4;

/// Residuals that are near the tolerance, in tolerances.
const NEAR: f64 = 10.0;

/// Steps between two looks at what a chain gives, far from convergence and [`NEAR`] it. A look is a dense decomposition
/// of as many columns as the basis has vectors: its cost grows with their cube, that of a step with their number. In
/// a basis of 128, looks every fourth step took a third of the time. A step adds `block` vectors.
fn between_looks(most: usize, block: usize) -> [usize; 2] {
    let steps = |vectors: usize, least: usize| (vectors / block.max(1)).max(least);
    let far = if block > 1 { 1 } else { 4 };
    [steps(most / 8, far), steps(most / 32, 1)]
}

/// The share of σ₁ that σ must have for a chain by products: below it, what H's rounding does to a triplet takes more
/// than a quarter of the tolerance.
fn least_share(f: &(impl LinearOperator + ?Sized), tolerance: f64) -> f64 {
    4.0 * epsilon(f.dtype()) / tolerance
}

/// Unit vectors u and v of the K best triplets, converged or not. Stopped in the middle of a step or a restart,
/// those that the bases gave before it. F must not be wider than tall.
pub(super) fn solve<F: LinearOperator + ?Sized>(
    f: &InUnits<'_, F>,
    config: &SvdConfig,
    block: usize,
    basis: Option<usize>,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Found, SvdError> {
    let operator = f.operator();
    let n = operator.input_len();
    let most = basis_size(operator, config, block, basis);
    let mut random = SplitMix64::new(config.seed);
    let start = operator.upload(random.uniform(block.min(n) * n), n);
    let least = least_share(operator, config.tolerance);
    let kind = match least < 1.0 {
        true => Kind::ByProducts { least },
        false => Kind::TwoBases,
    };
    let mut chain = Chain::new(operator, kind, start, None, most, &mut random)?;
    let mut last = None;
    let found = iterate(f, config, &mut chain, &mut last, &mut random, &mut observer);
    unless_stopped(found, || {
        let ritz: Ritz = last?;
        Some(chain.found(operator, &ritz, config.k, Ended::Stopped))
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
    let operator = f.operator();
    let block = chain.next.as_ref().map_or(1, |block| block.dims()[0]);
    let [far, near] = between_looks(chain.most, block);
    // Steps to the next look.
    let mut ahead: usize = 0;
    loop {
        let Some(block) = chain.next.take() else {
            unreachable!("a chain without a next block has ended");
        };
        let rows = block.dims()[0];
        chain.step(f, block, random)?;
        let used_up = f.products() >= config.max_products;
        let exhausted = chain.next.is_none();
        ahead = ahead.saturating_sub(1);
        if ahead > 0 && !used_up && !exhausted && !chain.is_full() {
            if observer(&at_work(last.as_ref(), config, f.products())).is_break() {
                let ritz = chain.ritz(operator)?;
                return chain.found(operator, &ritz, k, Ended::Stopped);
            }
            continue;
        }
        let ritz: &Ritz = last.insert(chain.ritz(operator)?);
        let at_work = at_work(Some(ritz), config, f.products());
        ahead = match at_work.residual <= NEAR * config.tolerance {
            true => near,
            false => far,
        };
        let have = ritz.sigma.len();
        let converged = have >= k && at_work.done == k;
        let word = observer(&at_work);
        let looked_at = exhausted || converged || chain.is_full();
        if word.is_continue() && looked_at && !used_up && chain.reliable(ritz) < k.min(have) {
            let reliable = ritz.estimates().take(chain.reliable(ritz));
            let locked = reliable.take_while(|x| is_good(*x, config)).count();
            // Nothing where none had converged: a stop before the next look finds none.
            *last = chain.with_two_bases(operator, ritz, locked, rows, random)?;
            ahead = 0;
            continue;
        }
        if let Some(ended) = Ended::after(word, exhausted, used_up) {
            return chain.found(operator, ritz, k, ended);
        }
        if converged {
            let smallest = ritz.sigma[k - 1];
            let settled = (k..have)
                .take_while(|&i| ritz.sigma[i] + ritz.residuals[i] < smallest)
                .count();
            let go_on: GoOn<'_> = &|| operator.check_interrupt();
            let (u, v) = chain.vectors(operator, ritz, k + settled, go_on)?;
            let (left, right) = (Basis::of(u.clone()), Basis::of(v.clone()));
            let second = Second {
                kind: chain.kind(),
                apart: (&left, &right),
                smallest,
                slack: config.tolerance * ritz.sigma[0],
                most: chain.most.min(SECOND),
                max_products: config.max_products,
            };
            let verdict = second.look(f, random, |products| {
                observer(&Progress {
                    products,
                    ..at_work
                })
            });
            let (u, v) = (u.narrow(0, 0, k), v.narrow(0, 0, k));
            let ended = match verdict {
                Ok(Verdict::Ended(ended)) => ended,
                Err(error) if error.is_stopped() => Ended::Stopped,
                Err(error) => return Err(error),
                Ok(Verdict::Missing(start)) => {
                    let found = chain.restarted(operator, ritz, k);
                    *last = Some(found);
                    chain.begin_again(operator, *start, random)?;
                    ahead = 0;
                    continue;
                }
            };
            return Ok(ritz.found(u, v, ended));
        }
        if chain.is_full() {
            let kept = chain.restarted(operator, ritz, chain.kept(k, have));
            *last = Some(kept);
        }
    }
}

/// Whether a residual, estimated over σ₁, is within the tolerance: half of it leaves room for rounding in the true one.
fn is_good(estimate: f64, config: &SvdConfig) -> bool {
    estimate <= 0.5 * config.tolerance
}

/// Where a solver is, by what its chain gave last.
fn at_work(ritz: Option<&Ritz>, config: &SvdConfig, products: usize) -> Progress {
    let estimates = || ritz.into_iter().flat_map(Ritz::estimates).take(config.k);
    let converged = estimates().filter(|x| is_good(*x, config)).count();
    let worst = match estimates().count() < config.k {
        true => f64::INFINITY,
        false => estimates().fold(0.0, f64::max),
    };
    progress(converged, config.k, products, worst)
}

/// A search for what a converged result may have missed.
struct Second<'a> {
    kind: Kind,
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
        let operator = f.operator();
        let n = operator.input_len();
        let start = operator.upload(random.uniform(n), n);
        let apart = Some(self.apart);
        let mut chain = Chain::new(operator, self.kind, start, apart, self.most, random)?;
        let mut steps = 0;
        while let Some(block) = chain.next.take() {
            chain.step(f, block, random)?;
            let ritz = chain.ritz(operator)?;
            steps += 1;
            let Some((&theta, &rho)) = ritz.sigma.first().zip(ritz.residuals.first()) else {
                break;
            };
            if theta > self.smallest + self.slack {
                let go_on: GoOn<'_> = &|| operator.check_interrupt();
                let (_, v) = chain.vectors(operator, &ritz, 1, go_on)?;
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
            if chain.is_full() {
                let kept = chain.kept(1, ritz.sigma.len());
                chain.restarted(operator, &ritz, kept);
            }
        }
        // Everything was looked at.
        Ok(Verdict::Ended(Ended::Complete))
    }
}
