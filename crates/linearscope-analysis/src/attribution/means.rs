//! Means of gradients over several inputs.

use std::ops::ControlFlow;

use burn::tensor::TensorData;
use linearscope::SplitMix64;

use super::{
    map::{Attribution, Surroundings, rows, tangent_at},
    method::{MeanMethod, Method},
};
use crate::{
    error::{Error, Result, tell},
    frozen::FrozenNetwork,
    operator::LinearOperator,
    progress::Progress,
    vectors::{numbers, read},
};

/// Nodes of integrated gradients to begin with, unless given.
const FIRST: usize = 8;
/// And at most.
const MOST: usize = 128;
/// The part of f(x₀) − f(x′) that integrated gradients may miss.
const MISSED: f64 = 0.01;

pub(super) fn maps(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    scores: &[f64],
    (method, mean): (&Method, MeanMethod),
    around: &Surroundings,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Attribution>> {
    match mean {
        MeanMethod::IntegratedGradients { steps: Some(0) } => Err(Error::Setting {
            what: "integrated gradients",
            got: "0 nodes".into(),
            allowed: "they need at least one node".into(),
        }),
        MeanMethod::ExpectedGradients { samples, seed } => expected(
            f,
            targets,
            scores,
            (method, samples, seed),
            around,
            observer,
        ),
        MeanMethod::IntegratedGradients { steps } => {
            integrated(f, targets, scores, (method, steps), around, observer)
        }
        MeanMethod::SmoothGrad {
            samples,
            noise,
            seed,
        } => {
            if samples == 0 || !noise.is_finite() || noise < 0.0 {
                return Err(Error::Setting {
                    what: "smooth-grad",
                    got: format!("{samples} samples, noise {noise}"),
                    allowed: "it needs at least one sample, and noise of 0 or more".into(),
                });
            }
            let x0 = read(f.x0())?;
            let least = x0.iter().copied().fold(f64::INFINITY, f64::min);
            let most = x0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sigma = noise * (most - least);
            let mut random = SplitMix64::new(seed);
            let points = (0..samples).map(|_| {
                let noisy = x0.iter().map(|x| x + sigma * normal(&mut random));
                (1.0 / samples as f64, noisy.collect())
            });
            let means = weighted(f, targets, points, observer)?;
            let note = match sigma == 0.0 {
                true => "no noise, because x₀ is constant or the noise level is 0".into(),
                false => format!("{samples} inputs, noise of {sigma:.3}"),
            };
            let each = means.into_iter().zip(targets).zip(scores);
            Ok(each
                .map(|((map, target), &score)| {
                    Attribution::new(method, target, score, map, None).noted(note.clone())
                })
                .collect())
        }
    }
}

/// A standard normal number, by the polar method of Marsaglia.
fn normal(random: &mut SplitMix64) -> f64 {
    loop {
        let (a, b) = (random.next_uniform(), random.next_uniform());
        let square = a * a + b * b;
        if square > 0.0 && square < 1.0 {
            return a * (-2.0 * square.ln() / square).sqrt();
        }
    }
}

fn integrated(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    scores: &[f64],
    (method, steps): (&Method, Option<usize>),
    around: &Surroundings,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Attribution>> {
    let (x0, baseline) = (read(f.x0())?, around.baseline_of(f)?);
    let shape = f.input_shape().to_vec();
    let data = TensorData::new(baseline.clone(), shape);
    let from = numbers(FrozenNetwork::forward(f.frozen().loaded(), data)?)?;
    let way: Vec<f64> = x0.iter().zip(&baseline).map(|(x, from)| x - from).collect();
    let mut nodes = steps.unwrap_or(FIRST);
    let mut found: Vec<Option<Attribution>> = vec![None; targets.len()];
    // Each target has the nodes that it needs, whatever is asked beside it.
    let mut open: Vec<usize> = (0..targets.len()).collect();
    while !open.is_empty() {
        let points = gauss_legendre(nodes).into_iter().map(|(at, weight)| {
            let point = baseline.iter().zip(&way).map(|(from, way)| from + at * way);
            (weight, point.collect())
        });
        let asked: Vec<Vec<usize>> = open.iter().map(|&i| targets[i].clone()).collect();
        let means = weighted(f, &asked, points, observer)?;
        let last = steps.is_some() || nodes >= MOST;
        let mut missed = Vec::new();
        for (i, mean) in open.into_iter().zip(means) {
            let map = mean.iter().zip(&way).map(|(g, way)| g * way).collect();
            let before: f64 = targets[i].iter().map(|&at| from[at]).sum();
            let promised = scores[i] - before;
            let one = Attribution::new(method, &targets[i], scores[i], map, Some(promised))
                .noted(format!("{nodes} Gauss–Legendre nodes"));
            if !last && (one.sum - promised).abs() > MISSED * promised.abs() {
                missed.push(i);
            }
            found[i] = Some(one);
        }
        open = missed;
        nodes *= 2;
    }
    Ok(found
        .into_iter()
        .map(|one| one.expect("each was open once"))
        .collect())
}

/// Means over baselines of (x₀ − x′) ⊙ the gradient at a point on the way, one in each of `samples` parts of it.
fn expected(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    scores: &[f64],
    (method, samples, seed): (&Method, usize, u64),
    around: &Surroundings,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Attribution>> {
    let baselines = around.baselines_of(f)?;
    if samples < baselines.len() {
        return Err(Error::Setting {
            what: "expected gradients",
            got: format!("{samples} samples of {} baselines", baselines.len()),
            allowed: "each baseline needs at least one sample".into(),
        });
    }
    let x0 = read(f.x0())?;
    let mut random = SplitMix64::new(seed);
    let mut maps = vec![vec![0.0; x0.len()]; targets.len()];
    let mut before = vec![0.0; targets.len()];
    let mut done = 0;
    for (number, baseline) in baselines.iter().enumerate() {
        // As many of each as of any other, or one more.
        let own = (samples - number).div_ceil(baselines.len());
        let data = TensorData::new(baseline.clone(), f.input_shape().to_vec());
        let from = numbers(FrozenNetwork::forward(f.frozen().loaded(), data)?)?;
        let share = own as f64 / samples as f64;
        for (before, target) in before.iter_mut().zip(targets) {
            *before += share * target.iter().map(|&at| from[at]).sum::<f64>();
        }
        for part in 0..own {
            tell(observer, Progress::new("taking gradients", done, samples))?;
            done += 1;
            let at = (part as f64 + 0.5 * (random.next_uniform() + 1.0)) / own as f64;
            let way = |(x, from): (&f64, &f64)| x - from;
            let point = x0
                .iter()
                .zip(baseline)
                .map(|(x, from)| from + at * (x - from));
            let gradients = rows(&tangent_at(f, point.collect())?, targets)?;
            for (map, gradient) in maps.iter_mut().zip(gradients) {
                let ways = x0.iter().zip(baseline).map(way);
                for ((sum, g), way) in map.iter_mut().zip(gradient).zip(ways) {
                    *sum += g * way / samples as f64;
                }
            }
        }
    }
    let note = format!("{samples} samples, {} baselines", baselines.len());
    let each = maps.into_iter().zip(targets).zip(scores.iter().zip(before));
    Ok(each
        .map(|((map, target), (&score, before))| {
            Attribution::new(method, target, score, map, Some(score - before)).noted(note.clone())
        })
        .collect())
}

/// Σ weight × gradient over points, one row per target.
fn weighted(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    points: impl ExactSizeIterator<Item = (f64, Vec<f64>)>,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Vec<f64>>> {
    let mut sums = vec![vec![0.0; f.input_len()]; targets.len()];
    let all = points.len();
    for (done, (weight, point)) in points.enumerate() {
        tell(observer, Progress::new("taking gradients", done, all))?;
        let gradients = rows(&tangent_at(f, point)?, targets)?;
        for (sum, gradient) in sums.iter_mut().zip(gradients) {
            let entries = sum.iter_mut().zip(gradient);
            entries.for_each(|(sum, g)| *sum += weight * g);
        }
    }
    Ok(sums)
}

/// Nodes in 0..1 and their weights, which sum to 1: zeros of the Legendre polynomial by Newton's method.
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let degree = n as f64;
    // Pₙ(x) and its derivative.
    let polynomial = |x: f64| {
        let (mut before, mut now) = (1.0, x);
        for k in 2..=n {
            let k = k as f64;
            let next = ((2.0 * k - 1.0) * x * now - (k - 1.0) * before) / k;
            (before, now) = (now, next);
        }
        (now, degree * (x * now - before) / (x * x - 1.0))
    };
    (0..n)
        .map(|i| {
            let mut x = -(std::f64::consts::PI * (i as f64 + 0.75) / (degree + 0.5)).cos();
            for _ in 0..100 {
                let (value, slope) = polynomial(x);
                let step = value / slope;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            let (_, slope) = polynomial(x);
            let weight = 2.0 / ((1.0 - x * x) * slope * slope);
            ((x + 1.0) / 2.0, weight / 2.0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// n nodes integrate polynomials of degree 2n − 1 exactly.
    #[test]
    fn nodes_integrate_polynomials() {
        for n in [1, 2, 3, 8, 50, 128] {
            let nodes = gauss_legendre(n);
            assert_eq!(nodes.len(), n);
            for degree in [0, 1, 2 * n - 1] {
                let found: f64 = nodes.iter().map(|(x, w)| w * x.powi(degree as i32)).sum();
                let exact = 1.0 / (degree as f64 + 1.0);
                assert!(
                    (found - exact).abs() < 1e-13,
                    "{n} {degree}: {found} {exact}"
                );
            }
        }
    }

    #[test]
    fn noise_is_normal() {
        let mut random = SplitMix64::new(3);
        let numbers: Vec<f64> = (0..20000).map(|_| normal(&mut random)).collect();
        let mean = numbers.iter().sum::<f64>() / 2e4;
        let square = numbers.iter().map(|x| x * x).sum::<f64>() / 2e4;
        let fourth = numbers.iter().map(|x| x.powi(4)).sum::<f64>() / 2e4;
        // Four standard errors.
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.04 && (fourth - 3.0).abs() < 0.28);
    }
}
