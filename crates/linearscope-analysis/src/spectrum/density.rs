//! The density of singular values, by stochastic Lanczos quadrature (Ubaru, Chen and Saad, 2017).

use serde::Serialize;

use super::{BATCH, Estimate, across, back, count, enough, quadrature::nodes, signs};
use crate::{
    host,
    operator::{LinearOperator, Result},
    random::Stream,
};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DensityConfig {
    /// Random vectors.
    pub probes: usize,
    /// Lanczos steps for each: quadrature nodes.
    pub steps: usize,
    /// How many σ the density is told at.
    pub points: usize,
    /// Standard deviation of the Gaussian that it is smoothed with, over the largest σ.
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

/// How the min(n, N) singular values of F are spread, zeros among them.
#[derive(Clone, Debug, Serialize)]
pub struct Density {
    /// Where it is told, from 0 to just above the largest.
    pub sigma: Vec<f64>,
    /// Σᵢ g(σ − σᵢ), g the Gaussian of standard deviation `width`: singular values per unit of σ.
    pub density: Vec<Estimate>,
    /// Σᵢ G((σᵢ − σ)/width), G the Gaussian's integral: how many singular values lie above.
    pub above: Vec<Estimate>,
    /// The Gaussian's standard deviation, in units of σ.
    pub width: f64,
    /// The largest node found: σ₁ from below.
    pub largest: f64,
    /// Products with F and Fᵀ.
    pub products: usize,
}

/// One probe's Lanczos recurrence of Fᵀ F (or F Fᵀ), with every vector kept and cleared of all before it.
struct Recurrence {
    basis: Vec<Vec<f64>>,
    diagonal: Vec<f64>,
    beside: Vec<f64>,
    /// Whether the probe's invariant space is exhausted.
    ended: bool,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Recurrence {
    fn new(z: &[f64]) -> Self {
        let norm = dot(z, z).sqrt();
        Self {
            basis: vec![z.iter().map(|x| x / norm).collect()],
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
        let before = dot(&w, &w).sqrt();
        let last = &self.basis[self.basis.len() - 1];
        self.diagonal.push(dot(&w, last));
        // Twice is enough (Parlett).
        for _ in 0..2 {
            for v in &self.basis {
                let part = dot(&w, v);
                w.iter_mut().zip(v).for_each(|(w, v)| *w -= part * v);
            }
        }
        let norm = dot(&w, &w).sqrt();
        // What is left is rounding: of f32 products, a part in 10⁷.
        if norm <= 1e-6 * before || self.basis.len() == w.len() {
            self.ended = true;
            return;
        }
        self.beside.push(norm);
        w.iter_mut().for_each(|w| *w /= norm);
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

/// erfc(x)/2 at x = t/√2, the share of a Gaussian above t: Abramowitz and Stegun 7.1.26, to 10⁻⁷.
fn tail(t: f64) -> f64 {
    let x = t.abs() / std::f64::consts::SQRT_2;
    let k = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = k
        * (0.254_829_592
            + k * (-0.284_496_736
                + k * (1.421_413_741 + k * (-1.453_152_027 + k * 1.061_405_429))));
    let upper = 0.5 * series * (-x * x).exp();
    if t >= 0.0 { upper } else { 1.0 - upper }
}

/// The density of F's singular values.
///
/// An error bar is the 95 % interval over the probes plus what the quadrature still moves: the difference
/// between all nodes and the first three quarters of the steps.
///
/// Cost: 2 · steps products a probe, in batches of 8, and probes · steps vectors of the smaller side's length on
/// the host, 8 probes at a time.
///
/// # Errors
/// `Error::OutOfRange` for less than 4 probes; as [`LinearOperator::apply`] and its adjoint.
pub fn density(f: &impl LinearOperator, config: &DensityConfig) -> Result<Density> {
    enough(config.probes)?;
    let n = count(f);
    let steps = config.steps.clamp(1, n);
    let mut stream = Stream::new(config.seed);
    let (mut whole, mut part) = (Vec::new(), Vec::new());
    let mut products = 0;
    for start in (0..config.probes).step_by(BATCH) {
        let k = BATCH.min(config.probes - start);
        let z = signs(&mut stream, k, n);
        let mut each: Vec<Recurrence> = z.chunks(n).map(Recurrence::new).collect();
        for _ in 0..steps {
            if each.iter().all(|one| one.ended) {
                break;
            }
            let last = each
                .iter()
                .flat_map(|one| one.basis[one.basis.len() - 1].clone());
            let v = f.upload(last.collect(), n);
            let w = host(back(f, across(f, v)?)?)?;
            products += 2 * k;
            for (one, w) in each.iter_mut().zip(w.chunks(n)) {
                one.step(w.to_vec());
            }
        }
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
    let width = config.width * largest.max(f64::MIN_POSITIVE);
    let points = config.points.max(2);
    let sigma: Vec<f64> = (0..points)
        .map(|i| 1.05 * largest * i as f64 / (points - 1) as f64)
        .collect();
    let all = n as f64;
    let bell = |t: f64| (-t * t / 2.0).exp() / (width * std::f64::consts::TAU.sqrt());
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
    Ok(Density {
        density: sigma
            .iter()
            .map(|&at| told(&|node| bell((at - node) / width)))
            .collect(),
        above: sigma
            .iter()
            .map(|&at| told(&|node| tail((at - node) / width)))
            .collect(),
        sigma,
        width,
        largest,
        products,
    })
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn the_tail_is_the_gaussians() {
        for (t, expected) in [
            (0.0, 0.5),
            (1.0, 0.158_655),
            (-1.0, 0.841_345),
            (3.0, 0.001_350),
        ] {
            assert!((tail(t) - expected).abs() < 1e-6, "{t}");
        }
    }
}
