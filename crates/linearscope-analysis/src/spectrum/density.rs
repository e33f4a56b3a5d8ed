//! The density of singular values, by stochastic Lanczos quadrature (Ubaru, Chen and Saad, 2017).

use std::ops::ControlFlow;

use linearscope::SplitMix64;
use serde::{Deserialize, Serialize};

use super::{FINISHED, across, back, count, enough, quadrature::nodes};
use crate::{
    error::{Error, Result, tell, unless_stopped},
    estimate::Estimate,
    operator::{BATCH, InUnits, LinearOperator},
    progress::Progress,
    vectors::{dot, epsilon, norm, read},
};

/// What is requested.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DensityConfig {
    /// Random vectors.
    pub probes: usize,
    /// Lanczos steps for each: quadrature nodes.
    pub steps: usize,
    /// At how many σ the density is computed.
    pub points: usize,
    /// Standard deviation of the smoothing Gaussian, relative to the largest σ.
    pub width: f64,
    /// Seed of the random vectors.
    pub seed: u64,
}

impl Default for DensityConfig {
    fn default() -> Self {
        Self {
            probes: 16,
            steps: 40,
            points: 64,
            width: 0.04,
            seed: 0,
        }
    }
}

setters!(
    DensityConfig: with_probes probes: usize, with_steps steps: usize, with_points points: usize,
    with_width width: f64, with_seed seed: u64
);

/// How the min(n, N) singular values of F are distributed, including zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Density {
    /// The σ at which it is computed, from 0 to just above the largest.
    pub sigma: Vec<f64>,
    /// Σᵢ g(σ − σᵢ) + g(σ + σᵢ), g the Gaussian of standard deviation `width`: singular values per unit of σ,
    /// including zeros.
    pub density: Vec<Estimate>,
    /// The integral of the density from σ on, without zeros: how many singular values lie above. At σ = 0 this
    /// is the rank, unless a value lies so near 0 that the quadrature cannot distinguish it from 0.
    pub above: Vec<Estimate>,
    /// The Gaussian's standard deviation, in units of σ.
    pub width: f64,
    /// The largest node found: σ₁ from below.
    pub largest: f64,
    /// Products with F and Fᵀ.
    pub products: usize,
    /// The number of probes used, if it was stopped before all were finished; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<usize>,
}

impl Density {
    /// Whether it was stopped before all probes were finished, see [`finished`](Self::finished).
    pub fn is_partial(&self) -> bool {
        self.finished.is_some()
    }
}

/// One probe's Lanczos recurrence of Fᵀ F (or F Fᵀ), with every vector kept and cleared of all before it.
struct Recurrence {
    basis: Vec<Vec<f64>>,
    diagonal: Vec<f64>,
    beside: Vec<f64>,
    /// Whether the probe's invariant space is exhausted.
    ended: bool,
}

impl Recurrence {
    fn new(z: &[f64]) -> Self {
        let size = norm(z);
        Self {
            basis: vec![z.iter().map(|x| x / size).collect()],
            diagonal: Vec::new(),
            beside: Vec::new(),
            ended: false,
        }
    }

    /// Take the product of the last vector.
    fn step(&mut self, mut w: Vec<f64>) {
        if self.ended {
            return;
        }
        let before = norm(&w);
        let last = &self.basis[self.basis.len() - 1];
        self.diagonal.push(dot(&w, last));
        // Twice is enough (Parlett).
        for _ in 0..2 {
            for v in &self.basis {
                let part = dot(&w, v);
                w.iter_mut().zip(v).for_each(|(w, v)| *w -= part * v);
            }
        }
        let size = norm(&w);
        // What is left is rounding: of f32 products, a part in 10⁷.
        if size <= 1e-6 * before || self.basis.len() == w.len() {
            self.ended = true;
            return;
        }
        self.beside.push(size);
        w.iter_mut().for_each(|w| *w /= size);
        self.basis.push(w);
    }

    /// Singular values and weights of the first `steps` steps.
    fn nodes(&self, steps: usize) -> Vec<(f64, f64)> {
        let steps = steps.min(self.diagonal.len());
        let found = nodes(&self.diagonal[..steps], &self.beside[..steps - 1]);
        let root = |(square, weight): (f64, f64)| (square.max(0.0).sqrt(), weight);
        found.into_iter().flatten().map(root).collect()
    }
}

/// How much larger than √ε σ₁ what is left of a zero may be: σ² carries the rounding of a few dozen operations.
const ROUNDING: f64 = 8.0;

/// The share of a Gaussian above t.
fn tail(t: f64) -> f64 {
    0.5 * libm::erfc(t / std::f64::consts::SQRT_2)
}

/// Estimate the density of F's singular values.
///
/// An error bar is the 95 % interval over the probes plus the remaining change of the quadrature: the
/// difference between all nodes and the first three quarters of the steps.
///
/// A singular value below 8 √ε σ₁, with ε the rounding of F's dtype, cannot be distinguished from 0, since
/// only σ² is seen. It does not count as a value above 0.
///
/// If it is stopped, by the observer or in the middle of a product, after the first batch, the result is the
/// density from the finished probes ([`Density::finished`]). Before that, a stop is an error
/// ([`Error::is_stopped`]).
///
/// Cost: 2 · steps products per probe, in batches of 8, and probes · steps vectors of the smaller side's length
/// on the host, 8 probes at a time.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for fewer than 4 probes;
/// [`Error::Stopped`](crate::Error::Stopped); [`Error::NotFinite`](crate::Error::NotFinite); as
/// [`LinearOperator::apply`] and its adjoint.
pub fn density(
    f: &(impl LinearOperator + ?Sized),
    config: &DensityConfig,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Density> {
    enough(config.probes)?;
    let scaled = InUnits::new(f);
    let n = count(f);
    let steps = config.steps.clamp(1, n);
    let mut random = SplitMix64::new(config.seed);
    let (mut whole, mut part) = (Vec::new(), Vec::new());
    for start in (0..config.probes).step_by(BATCH) {
        let k = BATCH.min(config.probes - start);
        let z = random.signs(k * n);
        let mut batch = || {
            let mut each: Vec<Recurrence> = z.chunks(n).map(Recurrence::new).collect();
            for step in 0..steps {
                if each.iter().all(|one| one.ended) {
                    break;
                }
                let (done, of) = (start * steps + k * step, config.probes * steps);
                let products = scaled.products();
                let progress = Progress::new("estimating the density", done, of);
                tell(
                    &mut observer,
                    Progress {
                        products,
                        ..progress
                    },
                )?;
                let last = each
                    .iter()
                    .flat_map(|one| one.basis[one.basis.len() - 1].clone());
                let v = f.upload(last.collect(), n);
                let w = read(back(&scaled, across(&scaled, v)?)?)?;
                if w.iter().any(|w| !w.is_finite()) {
                    return Err(Error::overflow("a product with F"));
                }
                for (one, w) in each.iter_mut().zip(w.chunks(n)) {
                    f.check_interrupt()?;
                    one.step(w.to_vec());
                }
            }
            Ok(each)
        };
        let Some(each) = unless_stopped(batch(), whole.len() >= FINISHED)? else {
            break;
        };
        for one in each {
            whole.push(one.nodes(steps));
            // A recurrence that ended is exact: there is nothing to compare it with.
            let less = if one.ended {
                steps
            } else {
                (3 * steps).div_ceil(4)
            };
            part.push(one.nodes(less));
        }
    }
    let nodes = whole.iter().flatten();
    let largest = nodes.map(|(sigma, _)| *sigma).fold(0.0, f64::max);
    let zero = ROUNDING * epsilon(f.dtype()).sqrt() * largest;
    // F = 0: one bell of any width at 0.
    let width = config.width * if largest > 0.0 { largest } else { 1.0 };
    let points = config.points.max(2);
    let sigma: Vec<f64> = (0..points)
        .map(|i| 1.05 * largest * i as f64 / (points - 1) as f64)
        .collect();
    let all = n as f64;
    let bell = |t: f64| (-t * t / 2.0).exp() / (width * std::f64::consts::TAU.sqrt());
    // Singular values are not negative: what a Gaussian puts below 0 is folded up.
    let folded = |of: &dyn Fn(f64) -> f64, at: f64, node: f64| {
        of((at - node) / width) + of((at + node) / width)
    };
    let told = |of: &dyn Fn(f64) -> f64| {
        let over = |probes: &[Vec<(f64, f64)>]| -> Vec<f64> {
            let sum = |nodes: &Vec<(f64, f64)>| -> f64 {
                all * nodes
                    .iter()
                    .map(|(at, weight)| weight * of(*at))
                    .sum::<f64>()
            };
            probes.iter().map(sum).collect()
        };
        let mut estimate = Estimate::mean(&over(&whole));
        estimate.error += (estimate.value - Estimate::mean(&over(&part)).value).abs();
        estimate
    };
    let unit = scaled.unit();
    let density = |at: f64| told(&|node| folded(&bell, at, node));
    let above = |at: f64| {
        told(&|node| match node > zero {
            true => folded(&tail, at, node),
            false => 0.0,
        })
    };
    Ok(Density {
        density: sigma
            .iter()
            .map(|&at| density(at).scaled(unit.recip()))
            .collect(),
        above: sigma.iter().map(|&at| above(at)).collect(),
        sigma: sigma.iter().map(|at| at * unit).collect(),
        width: width * unit,
        largest: largest * unit,
        products: scaled.products(),
        finished: (whole.len() < config.probes).then_some(whole.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn the_tail_is_the_gaussians() {
        for (t, expected) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457),
            (-1.0, 0.841_344_746_068_543),
            (3.0, 0.001_349_898_031_630),
        ] {
            assert!((tail(t) - expected).abs() < 1e-14, "{t}");
        }
    }
}
