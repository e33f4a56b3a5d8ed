//! The whole spectrum of F by random probes, with error bars: its size, how many directions it really
//! has, and how its singular values are spread.
//!
//! - [`moments`]: ‖F‖² = Σ σ² and Σ σ⁴ by Hutchinson's estimator, E ‖F z‖² and E ‖Fᵀ F z‖² over z with
//!   entries ±1; from them the effective rank (Σ σ²)² / Σ σ⁴, the number of equal singular values that
//!   would give the same.
//! - [`density`]: the density of singular values, by stochastic Lanczos quadrature.
//!
//! Probes live on the smaller side of F, its input or its output, whose min(n, N) singular values are all
//! there are: the other side's further ones are zeros. Where N < n, F and Fᵀ are exchanged in what follows.
//!
//! An error is half the width of a 95 % interval: Student's t over the probes, which are independent; the
//! seed decides them. Sums are f64 on the host whatever F computes in. For the largest singular values one
//! by one there is [`svd`](crate::svd).

mod density;
mod quadrature;

pub use density::{Density, DensityConfig, density};

use burn::tensor::Tensor;
use linearscope::Error;
use serde::Serialize;

use crate::{
    host,
    operator::{LinearOperator, Result},
    random::Stream,
};

/// How many probes run side by side.
const BATCH: usize = 8;

/// A number and half the width of its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// value ± error covers the truth in 95 of 100 seeds, about.
    pub error: f64,
}

impl Estimate {
    /// Whether the interval covers a number.
    pub fn covers(&self, truth: f64) -> bool {
        (self.value - truth).abs() <= self.error
    }

    /// The mean of independent samples that are no less than 0: quadratic forms of random signs.
    ///
    /// Sums of them are distributed about as Gamma, skewed where F has few directions, and Student's
    /// interval would lie below the truth too often. The bar is the upper side of Gamma's interval, with
    /// shape mean²/variance of the mean and Wilson and Hilferty's quantile; of many directions it is
    /// Student's.
    fn mean(samples: &[f64]) -> Self {
        let count = samples.len() as f64;
        let value = samples.iter().sum::<f64>() / count;
        let variance = variance(samples, value) / count;
        if variance == 0.0 {
            return Self { value, error: 0.0 };
        }
        let shape = value * value / variance;
        let root = 1.0 - 1.0 / (9.0 * shape) - student(samples.len()) / (3.0 * shape.sqrt());
        // A single sample that holds all says little: at most 26 times the value.
        Self {
            value,
            error: value * (root.max(1.0 / 3.0).powi(-3) - 1.0),
        }
    }

    /// A function of means, from its values with each sample left out (the jackknife): its bias is
    /// taken off.
    fn jackknife(whole: f64, without: &[f64]) -> Self {
        let count = without.len() as f64;
        let pseudo = |less: &f64| count * whole - (count - 1.0) * less;
        let samples: Vec<f64> = without.iter().map(pseudo).collect();
        let value = samples.iter().sum::<f64>() / count;
        Self {
            value,
            error: student(samples.len()) * (variance(&samples, value) / count).sqrt(),
        }
    }
}

/// Of one sample, about their mean.
fn variance(samples: &[f64], mean: f64) -> f64 {
    let squares: f64 = samples.iter().map(|x| (x - mean).powi(2)).sum();
    squares / (samples.len() as f64 - 1.0)
}

/// The 97.5 % point of Student's t for so many samples (Abramowitz and Stegun, 26.7.5; within 1 % from 4
/// samples on).
fn student(samples: usize) -> f64 {
    let (z, n) = (1.959_963_985_f64, samples as f64 - 1.0);
    let g1 = (z.powi(3) + z) / 4.0;
    let g2 = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let g3 = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + g1 / n + g2 / n.powi(2) + g3 / n.powi(3)
}

/// Σ σ², Σ σ⁴ and what follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Moments {
    /// ‖F‖, the Frobenius norm: √(Σ σ²).
    pub frobenius: Estimate,
    /// Σ σ².
    pub squares: Estimate,
    /// Σ σ⁴.
    pub fourths: Estimate,
    /// (Σ σ²)² / Σ σ⁴: n for n equal singular values, 1 for a single one. NaN for F = 0.
    pub effective_rank: Estimate,
    /// How many probes there were.
    pub probes: usize,
    /// Products with F and Fᵀ.
    pub products: usize,
}

fn enough(probes: usize) -> Result<()> {
    if probes >= 4 {
        return Ok(());
    }
    Err(Error::OutOfRange {
        what: "the number of probes (error bars need 4 or more),".into(),
        index: vec![probes],
        shape: vec![4],
    })
}

/// The next `k` vectors of signs, `[k, len]`.
fn signs(stream: &mut Stream, k: usize, len: usize) -> Vec<f64> {
    (0..k * len)
        .map(|_| if stream.next() < 0.0 { -1.0 } else { 1.0 })
        .collect()
}

/// How many singular values F has: the length of its smaller side.
fn count(f: &impl LinearOperator) -> usize {
    f.input_len().min(f.output_len())
}

/// From the smaller side of F to the larger.
fn across(f: &impl LinearOperator, x: Tensor<2>) -> Result<Tensor<2>> {
    match f.output_len() < f.input_len() {
        true => f.apply_adjoint(x),
        false => f.apply(x),
    }
}

/// And back.
fn back(f: &impl LinearOperator, y: Tensor<2>) -> Result<Tensor<2>> {
    match f.output_len() < f.input_len() {
        true => f.apply(y),
        false => f.apply_adjoint(y),
    }
}

/// ‖·‖² of each row.
fn squares(x: Tensor<2>) -> Result<Vec<f64>> {
    let len = x.dims()[1];
    let values = host(x)?;
    Ok(values
        .chunks(len)
        .map(|row| row.iter().map(|v| v * v).sum())
        .collect())
}

/// Frobenius norm and effective rank from `probes` random vectors.
///
/// Cost: 2 products a probe, in batches of 8. The relative error of Σ σ² is about
/// √(2 / (probes · effective rank)) times the t of 95 %: a few probes do for an F of many directions.
///
/// # Errors
/// [`Error::OutOfRange`] for less than 4 probes; as [`LinearOperator::apply`] and its adjoint.
pub fn moments(f: &impl LinearOperator, probes: usize, seed: u64) -> Result<Moments> {
    enough(probes)?;
    let mut stream = Stream::new(seed);
    let (mut second, mut fourth) = (Vec::new(), Vec::new());
    for start in (0..probes).step_by(BATCH) {
        let k = BATCH.min(probes - start);
        let z = f.upload(signs(&mut stream, k, count(f)), count(f));
        let y = across(f, z)?;
        second.extend(squares(y.clone())?);
        fourth.extend(squares(back(f, y)?)?);
    }
    let (a, b): (f64, f64) = (second.iter().sum(), fourth.iter().sum());
    let many = probes as f64;
    let root = |sum: f64, count: f64| (sum / count).sqrt();
    let rank = |a: f64, b: f64, count: f64| a * a / (count * b);
    let without = |of: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
        let each = second.iter().zip(&fourth);
        each.map(|(x, y)| of(a - x, b - y)).collect()
    };
    Ok(Moments {
        frobenius: Estimate::jackknife(
            root(a, many),
            &without(&|a, _| root(a.max(0.0), many - 1.0)),
        ),
        squares: Estimate::mean(&second),
        fourths: Estimate::mean(&fourth),
        effective_rank: Estimate::jackknife(
            rank(a, b, many),
            &without(&|a, b| rank(a, b, many - 1.0)),
        ),
        probes,
        products: 2 * probes,
    })
}
