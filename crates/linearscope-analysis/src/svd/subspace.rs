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
use linearscope::SplitMix64;

use super::{
    basis::Basis,
    config::SvdConfig,
    result::{Ended, Found, GoOn, SvdError, TripletResidual, progress, unless_stopped},
};
use crate::{
    operator::{InUnits, LinearOperator},
    progress::Progress,
    vectors::{over, row_norms},
};

/// Unit vectors u and v of the K best triplets, converged or not. Stopped in the middle of a step, the last whose
/// residuals are known.
pub(super) fn solve<F: LinearOperator + ?Sized>(
    f: &InUnits<'_, F>,
    config: &SvdConfig,
    extra: usize,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Found, SvdError> {
    let mut last = None;
    let found = iterate(f, config, extra, &mut last, &mut observer);
    unless_stopped(found, || last.map(Ok))
}

/// Steps until all have converged; `last` is what was known last.
fn iterate<F: LinearOperator + ?Sized>(
    f: &InUnits<'_, F>,
    config: &SvdConfig,
    extra: usize,
    last: &mut Option<Found>,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Found, SvdError> {
    let operator = f.operator();
    let go_on: GoOn<'_> = &|| operator.check_interrupt();
    let (k, n, outputs) = (config.k, operator.input_len(), operator.output_len());
    let block = (k + extra).min(n).min(outputs);
    let mut random = SplitMix64::new(config.seed);
    let start = operator.upload(random.uniform(block * n), n);
    let mut v = orthonormal(operator, start, n, &mut random)?.0;
    let mut left: Option<(Tensor<2>, Vec<f64>)> = None;
    loop {
        let product = f.apply(v.clone())?;
        if let Some((u, sigma)) = left.take() {
            let scaled = u.clone() * operator.upload(sigma.clone(), 1);
            let residuals = row_norms(&(product.clone() - scaled).narrow(0, 0, k))?;
            let residuals: Vec<f64> = residuals.into_iter().map(|x| over(x, sigma[0])).collect();
            let good = |x: &&f64| **x <= 0.5 * config.tolerance;
            let converged = residuals.iter().filter(good).count();
            let worst = residuals.iter().copied().fold(0.0, f64::max);
            let progress = progress(converged, k, f.products(), worst);
            let residual = |right| TripletResidual { right, left: 0.0 };
            let found = |ended| Found {
                u: u.narrow(0, 0, k),
                v: v.clone().narrow(0, 0, k),
                sigma: sigma[..k].to_vec(),
                residuals: residuals.into_iter().map(residual).collect(),
                ended,
            };
            let used_up = f.products() >= config.max_products;
            if let Some(ended) = Ended::after(observer(&progress), converged == k, used_up) {
                return Ok(found(ended));
            }
            *last = Some(found(Ended::Stopped));
        }
        let (u, _) = orthonormal(operator, product, outputs, &mut random)?;
        let product = f.apply_adjoint(u.clone())?;
        let (next, s) = orthonormal(operator, product, n, &mut random)?;
        let (p, sigma, q) = s.svd(go_on)?;
        let turned = |rows: Tensor<2>, by| Basis::of(rows).combine(operator, by, block, go_on);
        v = turned(next, &p)?;
        left = Some((turned(u, &q)?, sigma));
    }
}

/// Rows made orthonormal, and how they were made of them.
fn orthonormal(
    f: &(impl LinearOperator + ?Sized),
    rows: Tensor<2>,
    len: usize,
    random: &mut SplitMix64,
) -> Result<(Tensor<2>, super::dense::Dense), SvdError> {
    let made = Basis::new(len, 0).orthonormalise(f, rows, None, random)?;
    let vectors = made.vectors.expect("fewer rows than their length");
    Ok((vectors, made.coefficients))
}
