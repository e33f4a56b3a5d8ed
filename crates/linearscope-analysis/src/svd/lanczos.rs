//! Block Golub–Kahan–Lanczos with full reorthogonalisation and thick restart.
//!
//! Two orthonormal bases grow together so that F V = U B and Fᵀ U = V Bᵀ + V₊ S, where V₊ is the
//! next block and S touches the newest block of U only. With B = P Σ Qᵀ the triplets (σ, U p, V q)
//! have F v − σ u = 0 and Fᵀ u − σ v = V₊ S p: the residual is known without a product. A restart
//! keeps the best triplets as the first vectors of both bases, which preserves both equations.
//!
//! A Krylov space from b starting vectors holds at most b vectors of a repeated singular value: the
//! bicubic upscaler of a square picture has most σ twice, and one start sees each once. So a
//! converged result is locked and confirmed from a fresh random vector outside it, until the best
//! triplet (θ, ρ) of that new space, ρ its residual, can no longer be one that is missing: ρ within
//! the tolerance, or θ + ρ below σ_K. What comes above σ_K joins, and is confirmed in turn.

use std::ops::ControlFlow;

use super::{Counted, Found, Progress, SvdConfig, SvdError, basis::Basis, dense::Dense};
use crate::{LinearOperator, random::Stream};

/// Steps from a fresh start that a result has to outlast at least: before, a residual says little.
const CONFIRMING: usize = 10;

/// A result that waits for its confirmation.
struct Locked {
    sigma: Vec<f64>,
    /// Steps since the fresh start.
    steps: usize,
}

/// Unit vectors u and v of the K best triplets, converged or not.
pub(super) fn solve<F: LinearOperator>(
    f: &mut Counted<'_, F>,
    config: &SvdConfig,
    block: usize,
    basis: Option<usize>,
    mut on_step: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Found, SvdError> {
    let k = config.k;
    let (n, outputs) = (f.f.input_len(), f.f.output_len());
    let rank = n.min(outputs);
    let most = basis
        .unwrap_or((4 * k).max(k + 24).max(k + 4 * block))
        .min(rank);
    let block = block.min(rank);
    let mut random = Stream::new(config.seed);
    let (mut u, mut v) = (Basis::new(outputs), Basis::new(n));
    let mut b = Dense::default();

    let start = random.vectors(f.f, block, n);
    let mut next = v.orthonormalise(f.f, start, &mut random)?.vectors;
    let mut locked: Option<Locked> = None;
    loop {
        // One step: the next block of V, and of U what F makes of it.
        if let Some(block) = next.take() {
            let product = f.apply(block.clone())?;
            v.push(block);
            let new = u.orthonormalise(f.f, product, &mut random)?;
            let (rows, columns) = (new.coefficients.rows, v.count());
            let first = columns - new.coefficients.columns;
            b = b.grown(rows, columns);
            for row in 0..rows {
                for column in first..columns {
                    b.set(row, column, new.coefficients.at(row, column - first));
                }
            }
            let mut s = Dense::zeros(0, 0);
            if let Some(block) = new.vectors {
                let product = f.apply_adjoint(block.clone())?;
                u.push(block);
                let new = v.orthonormalise(f.f, product, &mut random)?;
                // S: the part outside V, of the newest block's columns.
                let inside = v.count();
                s = Dense::zeros(new.coefficients.rows - inside, new.coefficients.columns);
                for row in 0..s.rows {
                    for column in 0..s.columns {
                        s.set(row, column, new.coefficients.at(inside + row, column));
                    }
                }
                next = new.vectors;
            }

            let (p, sigma, q) = b.svd()?;
            let have = sigma.len();
            let newest = u.count() - s.columns;
            let residual = |i: usize| {
                let parts = (0..s.rows).map(|row| {
                    (0..s.columns)
                        .map(|j| s.at(row, j) * p.at(newest + j, i))
                        .sum::<f64>()
                });
                parts.map(|x| x * x).sum::<f64>().sqrt()
            };
            let over = |x: f64| if x == 0.0 { 0.0 } else { x / sigma[0] };
            let wanted = k.min(have);
            let estimates: Vec<f64> = (0..wanted).map(|i| over(residual(i))).collect();
            // Half the tolerance leaves room for rounding in the true residual.
            let good = |x: &&f64| **x <= 0.5 * config.tolerance;
            let progress = Progress {
                products: f.products,
                converged: estimates.iter().filter(good).count(),
                worst: if have < k {
                    f64::INFINITY
                } else {
                    estimates.iter().copied().fold(0.0, f64::max)
                },
            };
            let stopped = on_step(&progress).is_break() || f.products >= config.max_products;
            let exhausted = next.is_none();
            let converged = have >= k && progress.converged == k;
            let mut found_more = false;
            let mut confirmed = false;
            if let Some(locked) = &mut locked {
                locked.steps += 1;
                // Something joined the best K since they were locked.
                let slack = config.tolerance * sigma[0];
                found_more = (0..k).any(|i| sigma[i] > locked.sigma[i] + slack);
                let outside = (have > k).then(|| (sigma[k], residual(k)));
                let nothing_left = outside.is_some_and(|(theta, rho)| {
                    rho <= config.tolerance * sigma[0] || theta + rho < sigma[k - 1]
                });
                confirmed = converged && !found_more && locked.steps >= CONFIRMING && nothing_left;
            }
            if stopped || exhausted || confirmed {
                let (u, v) = (u.combine(f.f, &p, wanted), v.combine(f.f, &q, wanted));
                let complete = exhausted || confirmed;
                return Ok(Found { u, v, complete });
            }
            // Keep the best triplets, diagonal then, as the beginning of both bases.
            let mut restart = |kept: usize, u: &mut Basis, v: &mut Basis| {
                let (left, right) = (u.combine(f.f, &p, kept), v.combine(f.f, &q, kept));
                (*u, *v) = (Basis::new(outputs), Basis::new(n));
                u.push(left);
                v.push(right);
                b = Dense::diagonal(&sigma[..kept]);
            };
            if converged && (locked.is_none() || found_more) {
                restart(k, &mut u, &mut v);
                let start = random.vectors(f.f, 1, n);
                next = v.orthonormalise(f.f, start, &mut random)?.vectors;
                locked = Some(Locked {
                    sigma: sigma[..k].to_vec(),
                    steps: 0,
                });
                continue;
            }

            let following = next.as_ref().map_or(0, |x| x.dims()[0]);
            // With U complete one more block makes B complete, and the result exact.
            if v.count() + following > most && u.count() < outputs {
                // The wanted ones and half of the rest: what is about to converge stays.
                let kept = (k + (most - k) / 2).min(most - following).clamp(1, have);
                restart(kept, &mut u, &mut v);
            }
        }
    }
}
