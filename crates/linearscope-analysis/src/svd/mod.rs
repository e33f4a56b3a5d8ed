//! The largest singular triplets of a network's linear map, F v = σ u and Fᵀ u = σ v.
//!
//! The right vectors v are *eigen-inputs*, the left vectors u *eigen-outputs*: pictures that the
//! frozen network passes, and what it makes of them (paper, section 3.3 and figure 13). F is never
//! formed; a solver sees [`LinearOperator`] alone.

mod basis;
mod config;
mod dense;
mod lanczos;
mod power;
mod result;
mod subspace;

use std::ops::ControlFlow;

use burn::tensor::Tensor;

pub use config::{Momentum, Solver, SvdConfig};
pub use result::{Svd, SvdError, TripletResidual};

use self::{config::check, result::Found};
use crate::{
    error::Error,
    operator::{BATCH, InUnits, LinearOperator},
    progress::Progress,
    ranking::ranking,
    vectors::{over, read, row_norms},
};

/// The K largest singular triplets of `f`.
///
/// Progress counts converged triplets, products, and the largest estimated residual; where the observer says
/// stop, what is there by then comes back in [`SvdError::Unconverged`]. Memory: the basis, up to
/// max(4 K, K + 24) vectors of either side. Numbers are the operator's dtype, small matrices f64; all in units
/// of F's own size, so that singular values may be 1e-30 or 1e30.
///
/// # Errors
/// [`SvdError`]; an unconverged result is never an `Ok`.
///
/// # Example
/// ```
/// use burn::tensor::{Device, FloatDType};
/// use linearscope_analysis::{Dense, progress::unobserved, svd::{SvdConfig, svd}};
///
/// let f = Dense::new(vec![0.0, 2.0, 1.0, 0.0], [2], [2], &Device::flex(), FloatDType::F64)?;
/// let found = svd(&f, &SvdConfig::new(1).with_tolerance(1e-10), unobserved)?;
/// assert!((found.sigma[0] - 2.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn svd(
    f: &(impl LinearOperator + ?Sized),
    config: &SvdConfig,
    observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Svd, SvdError> {
    check(f, config)?;
    let scaled = InUnits::new(f);
    let Found { u, v, complete } = match config.solver {
        Solver::Lanczos { block, basis } => {
            lanczos::solve(&scaled, config, block, basis, observer)?
        }
        Solver::Subspace { extra } => subspace::solve(&scaled, config, extra, observer)?,
        Solver::Power { momentum } => power::solve(&scaled, config, momentum, observer)?,
    };
    let found = measured(&scaled, u, v)?;
    let converged = found
        .residuals
        .iter()
        .filter(|r| r.worst() <= config.tolerance)
        .count();
    if converged == config.k && complete {
        return Ok(found);
    }
    if converged == config.k {
        return Err(SvdError::Unconfirmed {
            partial: Box::new(found),
        });
    }
    let worst = found
        .residuals
        .iter()
        .map(|r| r.worst())
        .fold(0.0, f64::max);
    Err(SvdError::Unconverged {
        partial: Box::new(found),
        converged,
        wanted: config.k,
        tolerance: config.tolerance,
        worst,
    })
}

/// How much larger probes are made to look at products that are suspiciously exact.
const MAGNIFIED: f64 = (1u64 << 40) as f64;

/// Measure unit vectors u `[K, N]` and v `[K, n]`: σ by Rayleigh's quotient uᵀF v, both residuals,
/// signs and order.
///
/// Residuals that are exactly 0 for every triplet are those of a diagonal, of F = 0, or of products that
/// vanished below the dtype's range. Then products of larger probes are taken and the residuals are those.
fn measured<F: LinearOperator + ?Sized>(
    f: &InUnits<'_, F>,
    u: Tensor<2>,
    v: Tensor<2>,
) -> Result<Svd, SvdError> {
    let plain = measured_with(f, u.clone(), v.clone(), 1.0)?;
    if plain
        .residuals
        .iter()
        .any(|residual| residual.worst() != 0.0)
    {
        return Ok(plain);
    }
    match measured_with(f, u, v, MAGNIFIED) {
        // Larger probes overflow: then it was no vanishing.
        Err(SvdError::Failed(Error::NotFinite { .. })) => Ok(plain),
        looked_at => looked_at,
    }
}

/// [`measured`] with probes of norm `size`.
fn measured_with<F: LinearOperator + ?Sized>(
    f: &InUnits<'_, F>,
    u: Tensor<2>,
    v: Tensor<2>,
    size: f64,
) -> Result<Svd, SvdError> {
    let k = v.dims()[0];
    let (mut sigma, mut right, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let (mut us, mut vs) = (Vec::new(), Vec::new());
    let resized = |x: Tensor<2>, by: f64| if by == 1.0 { x } else { x * by };
    for start in (0..k).step_by(BATCH) {
        let rows = start..(start + BATCH).min(k);
        let u = u.clone().slice([rows.clone()]);
        let v = v.clone().slice([rows]);
        let fv = resized(f.apply(resized(v.clone(), size))?, size.recip());
        let fu = resized(f.apply_adjoint(resized(u.clone(), size))?, size.recip());
        let mut values = read((fv.clone() * u.clone()).sum_dim(1))?;
        let mut signs = read(v.clone().max_dim(1) + v.clone().min_dim(1))?;
        for (value, sign) in values.iter_mut().zip(&mut signs) {
            // The entry of largest magnitude becomes positive; σ too, by u's sign.
            *sign = if *sign < 0.0 { -1.0 } else { 1.0 };
            if !value.is_finite() {
                return Err(Error::overflow("F v").into());
            }
        }
        let flip: Vec<f64> = values
            .iter()
            .zip(&signs)
            .map(|(value, sign)| if *value < 0.0 { -sign } else { *sign })
            .collect();
        values.iter_mut().for_each(|value| *value = value.abs());
        let column = |x: &[f64]| f.operator().upload(x.to_vec(), 1);
        let (sign_u, sign_v, scale) = (column(&flip), column(&signs), column(&values));
        let u = u * sign_u.clone();
        let v = v * sign_v.clone();
        right.extend(row_norms(&(fv * sign_v - u.clone() * scale.clone()))?);
        left.extend(row_norms(&(fu * sign_u - v.clone() * scale))?);
        sigma.extend(values);
        us.push(u);
        vs.push(v);
    }
    let order = ranking(&sigma);
    let (u, v) = (Tensor::cat(us, 0), Tensor::cat(vs, 0));
    let largest = sigma[order[0]];
    let pick = |x: Tensor<2>| {
        let rows = order.iter().map(|&i| x.clone().narrow(0, i, 1)).collect();
        Tensor::cat(rows, 0).into_data()
    };
    Ok(Svd {
        u: pick(u),
        v: pick(v),
        // F = 0: any vectors are exact.
        residuals: order
            .iter()
            .map(|&i| TripletResidual {
                right: over(right[i], largest),
                left: over(left[i], largest),
            })
            .collect(),
        sigma: order.iter().map(|&i| sigma[i] * f.unit()).collect(),
        products: f.products(),
        passes: f.passes(),
    })
}
