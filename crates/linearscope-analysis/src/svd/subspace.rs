//! Subspace iteration with Rayleigh–Ritz (Halko, Martinsson and Tropp, *Finding structure with
//! randomness*, 2011, algorithm 4.4, iterated until it converges).
//!
//! K + e random vectors are multiplied by F and Fᵀ in turn, made orthonormal in between, and turned to
//! singular vectors of F within them: from Fᵀ U = V S and S = P Σ Qᵀ the triplets (σ, U q, V p) have
//! Fᵀ u − σ v = 0, and F v − σ u is known from the next product. A residual shrinks by
//! (σ of the first one left out / σ)² a step: slow where σ cluster, but all products come in one batch,
//! nothing is stored but one block, and every copy of a repeated value has a vector of its own.

use std::ops::ControlFlow;

use burn::tensor::Tensor;

use super::{Counted, Found, Progress, SvdConfig, SvdError, basis::Basis, norms};
use crate::{LinearOperator, random::Stream};

/// Unit vectors u and v of the K best triplets, converged or not.
pub(super) fn solve<F: LinearOperator>(
    f: &mut Counted<'_, F>,
    config: &SvdConfig,
    extra: usize,
    mut on_step: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Found, SvdError> {
    let (k, n, outputs) = (config.k, f.f.input_len(), f.f.output_len());
    let block = (k + extra).min(n).min(outputs);
    let mut random = Stream::new(config.seed);
    let start = random.vectors(f.f, block, n);
    let mut v = orthonormal(f.f, start, n, &mut random)?.0;
    let mut left: Option<(Tensor<2>, Vec<f64>)> = None;
    loop {
        let product = f.apply(v.clone())?;
        if let Some((u, sigma)) = &left {
            let scaled = u.clone() * f.f.upload(sigma.clone(), 1);
            let over = |x: f64| if x == 0.0 { 0.0 } else { x / sigma[0] };
            let residuals = norms(&(product.clone() - scaled).narrow(0, 0, k))?;
            let residuals: Vec<f64> = residuals.into_iter().map(over).collect();
            let good = |x: &&f64| **x <= 0.5 * config.tolerance;
            let progress = Progress {
                products: f.products,
                converged: residuals.iter().filter(good).count(),
                worst: residuals.iter().copied().fold(0.0, f64::max),
            };
            let stopped = on_step(&progress).is_break() || f.products >= config.max_products;
            if stopped || progress.converged == k {
                return Ok(Found {
                    u: u.clone().narrow(0, 0, k),
                    v: v.narrow(0, 0, k),
                    complete: progress.converged == k,
                });
            }
        }
        let (u, _) = orthonormal(f.f, product, outputs, &mut random)?;
        let product = f.apply_adjoint(u.clone())?;
        let (next, s) = orthonormal(f.f, product, n, &mut random)?;
        let (p, sigma, q) = s.svd()?;
        let turned = |rows: Tensor<2>, by| {
            let len = rows.dims()[1];
            let mut basis = Basis::new(len);
            basis.push(rows);
            basis.combine(f.f, by, block)
        };
        v = turned(next, &p);
        left = Some((turned(u, &q), sigma));
    }
}

/// Rows made orthonormal, and how they were made of them.
fn orthonormal(
    f: &impl LinearOperator,
    rows: Tensor<2>,
    len: usize,
    random: &mut Stream,
) -> Result<(Tensor<2>, super::dense::Dense), SvdError> {
    let made = Basis::new(len).orthonormalise(f, rows, None, random)?;
    let vectors = made.vectors.expect("fewer rows than their length");
    Ok((vectors, made.coefficients))
}
