//! Conformance: whether a frozen network keeps every promise, here and now.

use burn::tensor::{FloatDType, TensorData};
use linearscope::Paired;
use serde::{Deserialize, Serialize};

use crate::{
    certificate::{adjoint_error, limit},
    contribution::{contributions, top1},
    error::Result,
    frozen::FrozenNetwork,
    operator::LinearOperator,
    random::SplitMix64,
    vectors::{batched, distance, flat, norm, numbers, read, shaped},
};

/// One promise, and how far the network is from keeping it exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The promise in words.
    pub promise: String,
    /// The relative error.
    pub error: f64,
    /// What it may be.
    pub limit: f64,
}

impl Check {
    /// Whether the error is within the limit. NaN is not.
    pub fn holds(&self) -> bool {
        self.error <= self.limit
    }
}

/// ‖a − b‖ over the larger of `scale` and both norms; 0 where a = b.
fn gap(a: &[f64], b: &[f64], scale: f64) -> f64 {
    match distance(a, b) {
        0.0 => 0.0,
        error => error / norm(a).max(norm(b)).max(scale),
    }
}

/// Every promise on a network, at its x₀ and along one random direction v, with random u:
///
/// * the reference is that of a plain run, y₀ = f(x₀): to 10⁻⁶ (f64: 10⁻¹²), bit by bit on Flex but for
///   sums over more than 2¹⁶ entries;
/// * x₁ = x₀ gives y₁ = y₀;
/// * y₁ is affine: y₁((x₀ + v)/2) = (y₁(x₀) + y₁(v))/2;
/// * ⟨F v, u⟩ = ⟨v, Fᵀ u⟩;
/// * a paired run gives what a replay gives;
/// * the contributions to the largest output sum to it.
///
/// Cost: one plain forward, one paired run, six products and two adjoint ones. What was not
/// recorded has no contributions by layer, and is not asked for them.
///
/// # Errors
/// As [`LinearOperator::apply`].
pub fn conformance(f: &FrozenNetwork) -> Result<Vec<Check>> {
    let frozen = f.frozen();
    let allowed = limit(f.dtype());
    let y0 = read(f.reference())?;
    let x0 = read(f.x0())?;
    // Where F x₀ and r cancel, what is left of them cannot be held to its own size.
    let (fx0, r) = (read(f.apply(f.x0())?)?, read(f.residual()?)?);
    let scale = norm(&fx0) + norm(&r);
    let mut checks = Vec::new();
    let mut check = |promise: &str, error, limit| {
        checks.push(Check {
            promise: promise.to_string(),
            error,
            limit,
        });
    };

    let data = TensorData::new(x0.clone(), f.input_shape().to_vec());
    let plain = numbers(FrozenNetwork::forward(frozen.loaded(), data)?)?;
    let untouched = match f.dtype() {
        FloatDType::F64 => 1e-12,
        _ => 1e-6,
    };
    check(
        "the reference is that of a plain run",
        gap(&plain, &y0, 0.0),
        untouched,
    );

    let at_x0 = read(f.affine(f.x0())?)?;
    check("x₁ = x₀ gives y₁ = y₀", gap(&at_x0, &y0, scale), allowed);

    let v = f.upload(SplitMix64::new(3).uniform(f.input_len()), f.input_len());
    let along = read(v.clone())?;
    let middle: Vec<f64> = x0.iter().zip(&along).map(|(a, b)| 0.5 * (a + b)).collect();
    let at_v = read(f.affine(v.clone())?)?;
    let at_middle = read(f.affine(f.upload(middle, f.input_len()))?)?;
    let mean: Vec<f64> = at_x0
        .iter()
        .zip(&at_v)
        .map(|(a, b)| 0.5 * (a + b))
        .collect();
    let size = scale.max(norm(&at_v));
    check("y₁ is affine in x₁", gap(&at_middle, &mean, size), allowed);

    check("⟨F v, u⟩ = ⟨v, Fᵀ u⟩", adjoint_error(f, [3, 4])?, allowed);

    let (_, paired) = Paired::beside(
        frozen.loaded(),
        vec![shaped(f.x0(), f.input_shape())],
        vec![batched(v, f.input_shape())],
        frozen.rules().clone(),
        true,
    )?;
    let paired = read(flat(paired.into_iter().next().expect("one output")))?;
    check(
        "a paired run gives what a replay gives",
        gap(&paired, &at_v, size),
        allowed,
    );

    if f.recorded().is_some() {
        let found = contributions(f, top1(f)?)?;
        check("contributions sum to the output", found.gap, allowed);
    }
    Ok(checks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_relative_and_nan_holds_nothing() {
        assert_eq!(gap(&[3.0, 4.0], &[3.0, 4.0], 0.0), 0.0);
        assert_eq!(gap(&[0.0, 0.0], &[0.0, 0.0], 0.0), 0.0);
        assert_eq!(gap(&[3.0, 4.0], &[3.0, 3.0], 0.0), 0.2);
        assert_eq!(gap(&[3.0, 4.0], &[3.0, 3.0], 100.0), 0.01);
        let check = |error| Check {
            promise: "a promise".into(),
            error,
            limit: 1e-4,
        };
        assert!(check(gap(&[1.0], &[1.00001], 0.0)).holds());
        assert!(!check(gap(&[1.0], &[1.001], 0.0)).holds());
        assert!(!check(gap(&[f64::NAN], &[1.0], 0.0)).holds());
    }
}
