//! The whole spectrum of F by random probes, with error bars: its size, its effective number of
//! directions, and how its singular values are distributed.
//!
//! - [`moments`]: ‖F‖² = Σ σ² and Σ σ⁴ by Hutchinson's estimator, E ‖F z‖² and E ‖Fᵀ F z‖² over z with
//!   entries ±1; and from them the effective rank (Σ σ²)² / Σ σ⁴, the number of equal singular values
//!   that would give the same.
//! - [`density`]: the density of singular values, by stochastic Lanczos quadrature.
//!
//! Probes are drawn on the smaller side of F, its input or its output. F has min(n, N) singular values;
//! further ones of the other side are zeros. If N < n, F and Fᵀ are exchanged in what follows.
//!
//! The ± of an [`Estimate`] is half the width of a 95 % interval: Student's t over the probes, which are independent
//! and determined by the seed. Sums are f64 on the host, whatever the dtype of F. For the largest singular values one
//! by one, use [`svd`](crate::svd).

mod density;
mod quadrature;

pub use density::{Density, DensityConfig, density};

use std::ops::ControlFlow;

use burn::tensor::Tensor;
use linearscope::SplitMix64;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result, tell, unless_stopped},
    estimate::Estimate,
    operator::{BATCH, InUnits, LinearOperator},
    progress::Progress,
    vectors::{norm, over, read},
};

/// Σ σ², Σ σ⁴ and quantities derived from them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// ‖F‖, the Frobenius norm: √(Σ σ²).
    pub frobenius: Estimate,
    /// Σ σ².
    pub squares: Estimate,
    /// Σ σ⁴.
    pub fourths: Estimate,
    /// (Σ σ²)² / Σ σ⁴: n for n equal singular values, 1 for a single one, 0 for F = 0.
    pub effective_rank: Estimate,
    /// Number of probes.
    pub probes: usize,
    /// Products with F and Fᵀ.
    pub products: usize,
    /// The computation was stopped, and `probes` counts those finished by then: fewer than
    /// requested.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

impl Moments {
    /// Whether it was stopped before all probes were finished, see [`partial`](Self::partial).
    pub fn is_partial(&self) -> bool {
        self.partial
    }
}

/// Finished probes from which an estimate has an error bar.
const FINISHED: usize = 2;

/// Error bars need four probes.
fn enough(probes: usize) -> Result<()> {
    if probes >= 4 {
        return Ok(());
    }
    Err(Error::Setting {
        what: "the number of probes",
        got: probes.to_string(),
        allowed: "error bars need at least 4".into(),
    })
}

/// How many singular values F has: the length of its smaller side.
fn count(f: &(impl LinearOperator + ?Sized)) -> usize {
    f.input_len().min(f.output_len())
}

/// From the smaller side of F to the larger, in units of F.
fn across<F: LinearOperator + ?Sized>(f: &InUnits<'_, F>, x: Tensor<2>) -> Result<Tensor<2>> {
    match f.operator().output_len() < f.operator().input_len() {
        true => f.apply_adjoint(x),
        false => f.apply(x),
    }
}

/// And back.
fn back<F: LinearOperator + ?Sized>(f: &InUnits<'_, F>, y: Tensor<2>) -> Result<Tensor<2>> {
    match f.operator().output_len() < f.operator().input_len() {
        true => f.apply(y),
        false => f.apply_adjoint(y),
    }
}

/// ‖·‖² of each row; numbers that are not finite are an error.
fn squares(x: Tensor<2>) -> Result<Vec<f64>> {
    let len = x.dims()[1];
    let squares: Vec<f64> = read(x)?.chunks(len).map(|row| norm(row).powi(2)).collect();
    match squares.iter().all(|square| square.is_finite()) {
        true => Ok(squares),
        false => Err(Error::overflow("a product with F")),
    }
}

/// How [`moments`] are estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MomentsConfig {
    /// Random vectors, 4 or more. Default 16.
    pub probes: usize,
    /// Their seed. Default 0.
    pub seed: u64,
}

impl Default for MomentsConfig {
    fn default() -> Self {
        Self {
            probes: 16,
            seed: 0,
        }
    }
}

setters!(MomentsConfig: with_probes probes: usize, with_seed seed: u64);

/// Estimate the Frobenius norm and effective rank from random vectors.
///
/// If it is stopped, by the observer or in the middle of a product, after the first batch, the result is the
/// estimates from the finished probes ([`Moments::partial`]). Before that, a stop is an error
/// ([`Error::is_stopped`]).
///
/// Cost: 2 products per probe, in batches of 8. The relative error of Σ σ² is about
/// √(2 / (probes · effective rank)) times the t of 95 %: a few probes are enough for an F with many
/// directions.
///
/// # Errors
/// [`Error::Setting`] for fewer than 4 probes; [`Error::NotFinite`]; [`Error::Stopped`]; as
/// [`LinearOperator::apply`] and its adjoint.
///
/// # Example
/// ```
/// use burn::tensor::{Device, FloatDType};
/// use linearscope_analysis::{Dense, progress::unobserved, spectrum::{MomentsConfig, moments}};
///
/// // Two singular values of 2: every probe sees the same.
/// let f = Dense::new(vec![2.0, 0.0, 0.0, 2.0], [2], [2], &Device::flex(), FloatDType::F64)?;
/// let found = moments(&f, &MomentsConfig::default(), unobserved)?;
/// assert!((found.effective_rank.value - 2.0).abs() < 1e-9);
/// # Ok::<(), linearscope_analysis::Error>(())
/// ```
pub fn moments(
    f: &(impl LinearOperator + ?Sized),
    config: &MomentsConfig,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Moments> {
    enough(config.probes)?;
    let scaled = InUnits::new(f);
    let mut random = SplitMix64::new(config.seed);
    let (mut second, mut fourth) = (Vec::new(), Vec::new());
    let mut partial = false;
    for start in (0..config.probes).step_by(BATCH) {
        let progress = Progress::new("estimating moments", start, config.probes);
        let mut batch = || {
            tell(&mut observer, progress)?;
            let k = BATCH.min(config.probes - start);
            let z = f.upload(random.signs(k * count(f)), count(f));
            let y = across(&scaled, z)?;
            Ok([squares(y.clone())?, squares(back(&scaled, y)?)?])
        };
        let Some([twos, fours]) = unless_stopped(batch(), start >= FINISHED)? else {
            partial = true;
            break;
        };
        second.extend(twos);
        fourth.extend(fours);
    }
    let probes = second.len();
    let (a, b): (f64, f64) = (second.iter().sum(), fourth.iter().sum());
    let many = probes as f64;
    // F = 0 has no direction.
    let rank = |a: f64, b: f64, count: f64| over(a * a, count * b);
    let without: Vec<f64> = (second.iter().zip(&fourth))
        .map(|(x, y)| rank(a - x, b - y, many - 1.0))
        .collect();
    let unit = scaled.unit();
    let sizes: Vec<f64> = second.iter().map(|square| square.sqrt()).collect();
    Ok(Moments {
        frobenius: Estimate::root_mean_square(&sizes).scaled(unit),
        squares: Estimate::mean(&second).scaled(unit.powi(2)),
        fourths: Estimate::mean(&fourth).scaled(unit.powi(4)),
        effective_rank: Estimate::jackknife(rank(a, b, many), &without),
        probes,
        products: scaled.products(),
        partial,
    })
}
