//! Infidelity: whether what a map says of a part of x₀ is what the score loses without it.

use linearscope::SplitMix64;

use super::asked::Asked;
use crate::{
    attribution::{AdjointMethod, ForwardMethod, MeanMethod, Method, SweepMethod},
    error::{Result, tell},
    progress::{Observer, Progress},
    vectors::dot,
};

/// A part of x₀ that was put to the baseline.
pub(super) struct Perturbation {
    places: Vec<usize>,
    /// f(x₀) − f(x).
    lost: f64,
}

/// Random parts and what the score loses without each, the same for all methods. Cost: a forward pass each.
pub(super) fn perturbations(
    asked: &Asked<'_>,
    observer: &mut Observer<'_>,
) -> Result<Vec<Perturbation>> {
    let mut random = SplitMix64::new(asked.config.seed);
    let all = asked.config.perturbations;
    let score = asked.score(&asked.at_x0);
    let mut found = Vec::new();
    for done in 0..all {
        tell(observer, Progress::new("perturbing", done, all))?;
        let places = asked.places.some(&mut random);
        let mut x = asked.x0.clone();
        asked.places.put(&mut x, &asked.baseline, &places);
        let lost = score - asked.score(&asked.output(x)?);
        found.push(Perturbation { places, lost });
    }
    Ok(found)
}

/// What is missed of the losses by the best multiple of what the map says they are, 0 to 1; `None` where nothing is lost.
pub(super) fn infidelity(
    asked: &Asked<'_>,
    method: &Method,
    map: &[f64],
    perturbations: &[Perturbation],
) -> Option<f64> {
    let said = match unit(method) {
        Unit::Share => asked.places.sums(map),
        Unit::Slope => {
            let entries = map.iter().zip(&asked.x0).zip(&asked.baseline);
            let shares: Vec<f64> = entries.map(|((m, x), from)| m * (x - from)).collect();
            asked.places.sums(&shares)
        }
    };
    let each = |one: &Perturbation| one.places.iter().map(|&place| said[place]).sum();
    let said: Vec<f64> = perturbations.iter().map(each).collect();
    let lost: Vec<f64> = perturbations.iter().map(|one| one.lost).collect();
    missed(&said, &lost)
}

/// 1 − (Σ a b)² / (Σ a² Σ b²), 1 where a is 0; `None` where b is.
fn missed(a: &[f64], b: &[f64]) -> Option<f64> {
    // Squares of parts of the largest neither overflow nor vanish.
    let scaled = |v: &[f64]| {
        let largest = v.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        (largest > 0.0 && largest.is_finite())
            .then(|| v.iter().map(|v| v / largest).collect::<Vec<f64>>())
    };
    let b = scaled(b)?;
    let Some(a) = scaled(a) else {
        return Some(1.0);
    };
    // Not through the cosine, which leaves nothing of what is below its rounding.
    let best = dot(&a, &b) / dot(&a, &a);
    let rest: f64 = a.iter().zip(&b).map(|(a, b)| (b - best * a).powi(2)).sum();
    Some((rest / dot(&b, &b)).clamp(0.0, 1.0))
}

/// What an entry of a map is.
enum Unit {
    /// A part of the score, x₀ in it.
    Share,
    /// What the score gains by an entry of x: a part of it is it times x₀ − x′.
    Slope,
}

fn unit(method: &Method) -> Unit {
    match method {
        Method::Adjoint(
            AdjointMethod::Conserving
            | AdjointMethod::Scored
            | AdjointMethod::Paper
            | AdjointMethod::Row
            | AdjointMethod::GradientInput,
        )
        | Method::Sweep(SweepMethod::Lrp(_) | SweepMethod::DeepLift)
        | Method::Mean(
            MeanMethod::IntegratedGradients { .. } | MeanMethod::ExpectedGradients { .. },
        )
        | Method::Forward(
            ForwardMethod::GradCam { .. }
            | ForwardMethod::Layer { .. }
            | ForwardMethod::FullGrad
            | ForwardMethod::Ablation { .. }
            | ForwardMethod::Rise { .. }
            | ForwardMethod::Occlusion { .. },
        ) => Unit::Share,
        Method::Adjoint(AdjointMethod::Gradient | AdjointMethod::Saliency)
        | Method::Sweep(SweepMethod::GuidedBackprop | SweepMethod::Deconvolution)
        | Method::Mean(MeanMethod::SmoothGrad { .. }) => Unit::Slope,
    }
}

#[cfg(test)]
mod tests {
    use super::missed;

    #[test]
    fn what_is_missed_has_no_unit() {
        let (a, b) = ([1.0, -2.0, 0.5], [2.0, 1.0, 3.0]);
        let ab: f64 = 2.0 - 2.0 + 1.5;
        let naive = 1.0 - ab * ab / (5.25 * 14.0);
        for unit in [1.0, -3.0, 1e-200, 1e200] {
            let said: Vec<f64> = a.iter().map(|a| a * unit).collect();
            let found = missed(&said, &b).expect("something is lost");
            assert!((found - naive).abs() < 1e-14, "{found} {naive}");
            assert!(missed(&said, &a).expect("something is lost") < 1e-30);
        }
        assert_eq!(missed(&[0.0; 3], &b), Some(1.0));
        assert_eq!(missed(&[1.0, 0.0], &[0.0, 2.0]), Some(1.0));
        assert_eq!(missed(&a, &[0.0; 3]), None);
        assert_eq!(missed(&[], &[]), None);
    }
}
