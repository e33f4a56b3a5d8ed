//! The largest singular triplets of a network's linear map, F v = σ u and Fᵀ u = σ v.
//!
//! The right vectors v are *eigen-inputs*, and the left vectors u are *eigen-outputs*: pictures
//! that the frozen network passes on, and what it turns them into (paper, section 3.3 and figure
//! 13). F is never formed; a solver sees only a [`LinearOperator`].

mod basis;
mod chain;
mod config;
mod dense;
mod lanczos;
mod power;
mod result;
mod subspace;

use std::ops::ControlFlow;

use burn::tensor::Tensor;
use linearscope::delivered;

pub use config::{Momentum, Solver, SvdConfig};
pub use result::{Svd, SvdError, TripletResidual};

use self::{
    config::check,
    result::{Ended, Found},
};
use crate::{
    error::{Error, tell},
    operator::{BATCH, InUnits, LinearOperator, Transposed},
    progress::Progress,
    ranking::ranking,
    vectors::{epsilon, over, read, row_norms},
};

/// Compute the K largest singular triplets of `f`.
///
/// Progress reports converged triplets, products, and the largest estimated residual; at the end it counts measured
/// triplets. If the computation is stopped, by the observer or in the middle of a product ([`Error::is_stopped`]), no
/// further product is computed. The triplets found so far come back in [`SvdError::Unconverged`] or
/// [`SvdError::Unconfirmed`], with [estimated](Svd::estimated) residuals. Before the first triplets there is nothing to
/// return, and the error is [`SvdError::Failed`]. Memory: the basis, up to max(4 K, K + 24) vectors of either side, or
/// what [`SvdConfig::max_memory`] allows. Vectors have the operator's dtype and small matrices are f64. All are in
/// units of F's own size, so that singular values may be 1e-30 or 1e30.
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
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Svd, SvdError> {
    check(f, config)?;
    let mut scaled = InUnits::new(f);
    let found = match config.solver {
        Solver::Lanczos { block, basis } if f.output_len() < f.input_len() => {
            let transposed = Transposed(f);
            let turned = InUnits::new(&transposed);
            let found = lanczos::solve(&turned, config, block, basis, &mut observer)?;
            scaled = InUnits::after(f, &turned);
            found.transposed()
        }
        Solver::Lanczos { block, basis } => {
            lanczos::solve(&scaled, config, block, basis, &mut observer)?
        }
        Solver::Subspace { extra } => subspace::solve(&scaled, config, extra, &mut observer)?,
        Solver::Power { momentum } => power::solve(&scaled, config, momentum, &mut observer)?,
    };
    let complete = found.ended == Ended::Complete;
    let found = match found.ended {
        Ended::Stopped => estimated(&scaled, found)?,
        Ended::Complete | Ended::UsedUp => {
            let (u, v) = (found.u.clone(), found.v.clone());
            match measured(&scaled, u, v, &mut observer) {
                Err(error) if error.is_stopped() => estimated(&scaled, found)?,
                measured => measured?,
            }
        }
    };
    let converged = found
        .residuals
        .iter()
        .filter(|r| r.worst() <= config.tolerance)
        .count();
    if converged == config.k && complete && !found.estimated {
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

/// Roundings of the dtype that an estimated residual allows for.
const ROUNDINGS: f64 = 16.0;

/// What a solver that was stopped found, without a product.
fn estimated<F: LinearOperator + ?Sized>(
    f: &InUnits<'_, F>,
    found: Found,
) -> Result<Svd, SvdError> {
    let signs = signs(&found.v)?;
    let sign = f.operator().upload(signs, 1);
    let (u, v) = (found.u * sign.clone(), found.v * sign);
    let rounding = ROUNDINGS * epsilon(f.operator().dtype());
    let residuals: Vec<TripletResidual> = found
        .residuals
        .iter()
        .map(|known| TripletResidual {
            right: known.right + rounding,
            left: known.left + rounding,
        })
        .collect();
    Ok(Svd {
        estimated: true,
        ..ranked(f, [u, v], &found.sigma, &residuals)?
    })
}

/// The sign of the entry of largest magnitude of each row.
fn signs(v: &Tensor<2>) -> Result<Vec<f64>, SvdError> {
    let signs = read(v.clone().max_dim(1) + v.clone().min_dim(1))?;
    let sign = |sign: f64| if sign < 0.0 { -1.0 } else { 1.0 };
    Ok(signs.into_iter().map(sign).collect())
}

/// Triplets in order, σ in units of F.
fn ranked<F: LinearOperator + ?Sized>(
    f: &InUnits<'_, F>,
    [u, v]: [Tensor<2>; 2],
    sigma: &[f64],
    residuals: &[TripletResidual],
) -> Result<Svd, SvdError> {
    let order = ranking(sigma);
    let pick = |x: Tensor<2>| {
        let rows = order.iter().map(|&i| x.clone().narrow(0, i, 1)).collect();
        delivered(Tensor::cat(rows, 0).try_into_data()).map_err(Error::from)
    };
    Ok(Svd {
        u: pick(u)?,
        v: pick(v)?,
        residuals: order.iter().map(|&i| residuals[i]).collect(),
        estimated: false,
        sigma: order.iter().map(|&i| sigma[i] * f.unit()).collect(),
        products: f.products(),
        passes: f.passes(),
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
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Svd, SvdError> {
    let plain = measured_with(f, u.clone(), v.clone(), 1.0, observer)?;
    if plain
        .residuals
        .iter()
        .any(|residual| residual.worst() != 0.0)
    {
        return Ok(plain);
    }
    match measured_with(f, u, v, MAGNIFIED, observer) {
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
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Svd, SvdError> {
    let k = v.dims()[0];
    let (mut sigma, mut right, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let (mut us, mut vs) = (Vec::new(), Vec::new());
    let resized = |x: Tensor<2>, by: f64| if by == 1.0 { x } else { x * by };
    for start in (0..k).step_by(BATCH) {
        let rows = start..(start + BATCH).min(k);
        let products = f.products();
        let progress = Progress::new("measuring residuals", start, k);
        tell(
            observer,
            Progress {
                products,
                ..progress
            },
        )?;
        let u = u.clone().slice([rows.clone()]);
        let v = v.clone().slice([rows]);
        let fv = resized(f.apply(resized(v.clone(), size))?, size.recip());
        let fu = resized(f.apply_adjoint(resized(u.clone(), size))?, size.recip());
        let mut values = read((fv.clone() * u.clone()).sum_dim(1))?;
        // The entry of largest magnitude becomes positive; σ too, by u's sign.
        let signs = signs(&v)?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err(Error::overflow("F v").into());
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
    let largest = sigma.iter().copied().fold(0.0, f64::max);
    // F = 0: any vectors are exact.
    let residuals: Vec<TripletResidual> = (right.iter().zip(&left))
        .map(|(&right, &left)| TripletResidual {
            right: over(right, largest),
            left: over(left, largest),
        })
        .collect();
    let vectors = [Tensor::cat(us, 0), Tensor::cat(vs, 0)];
    ranked(f, vectors, &sigma, &residuals)
}
