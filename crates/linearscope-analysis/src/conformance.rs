//! Conformance: whether a frozen network keeps every promise, here and now.

use burn::tensor::FloatDType;
use linearscope::Paired;
use serde::Serialize;

use crate::{
    FrozenNetwork, LinearOperator,
    certificate::limit,
    contribution::{contributions, top1},
    frozen::{batched, flat, host},
    operator::Result,
    random::Stream,
};

/// One promise, and how far the network is from keeping it exactly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The promise in words.
    pub promise: &'static str,
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

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// ‖a − b‖ over the larger of `scale` and both norms; 0 where a = b.
fn gap(a: &[f64], b: &[f64], scale: f64) -> f64 {
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    match norm(&difference) {
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
    let y0 = host(f.reference())?;
    let x0 = host(f.x0())?;
    // Where F x₀ and r cancel, what is left of them cannot be held to its own size.
    let (fx0, r) = (host(f.apply(f.x0())?)?, host(f.residual()?)?);
    let scale = norm(&fx0) + norm(&r);
    let mut checks = Vec::new();
    let mut check = |promise, error, limit| {
        checks.push(Check {
            promise,
            error,
            limit,
        });
    };

    let data = f.x0().into_data();
    let data = burn::tensor::TensorData::new(
        data.iter::<f64>().collect::<Vec<f64>>(),
        f.input_shape().to_vec(),
    );
    let plain = FrozenNetwork::forward(frozen.loaded(), data)?;
    let plain: Vec<f64> = plain.iter::<f64>().collect();
    let untouched = match f.dtype() {
        FloatDType::F64 => 1e-12,
        _ => 1e-6,
    };
    check(
        "the reference is that of a plain run",
        gap(&plain, &y0, 0.0),
        untouched,
    );

    let at_x0 = host(f.affine(f.x0())?)?;
    check("x₁ = x₀ gives y₁ = y₀", gap(&at_x0, &y0, scale), allowed);

    let v = Stream::new(3).vectors(f, 1, f.input_len());
    let along = host(v.clone())?;
    let middle: Vec<f64> = x0.iter().zip(&along).map(|(a, b)| 0.5 * (a + b)).collect();
    let at_v = host(f.affine(v.clone())?)?;
    let at_middle = host(f.affine(f.upload(middle, f.input_len()))?)?;
    let mean: Vec<f64> = at_x0
        .iter()
        .zip(&at_v)
        .map(|(a, b)| 0.5 * (a + b))
        .collect();
    let size = scale.max(norm(&at_v));
    check("y₁ is affine in x₁", gap(&at_middle, &mean, size), allowed);

    let fv = host(f.apply(v.clone())?)?;
    let u = Stream::new(4).vectors(f, 1, f.output_len());
    let fu = host(f.apply_adjoint(u.clone())?)?;
    let u = host(u)?;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let error = match (dot(&fv, &u) - dot(&along, &fu)).abs() {
        0.0 => 0.0,
        error => error / (norm(&fv) * norm(&u)),
    };
    check("⟨F v, u⟩ = ⟨v, Fᵀ u⟩", error, allowed);

    let (_, paired) = Paired::beside(
        frozen.loaded(),
        vec![shaped(f.x0(), f.input_shape())],
        vec![batched(v, f.input_shape())],
        frozen.rules().clone(),
        true,
    )?;
    let paired = host(flat(paired.into_iter().next().expect("one output")))?;
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

/// `[1, numel]` as one tensor of `shape`.
fn shaped(x: burn::tensor::Tensor<2>, shape: &[usize]) -> burn_dispatch::DispatchTensor {
    use burn_backend::{Shape, ops::FloatTensorOps};
    burn_dispatch::Dispatch::float_reshape(x.into_dispatch(), Shape::from(shape.to_vec()))
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
            promise: "a promise",
            error,
            limit: 1e-4,
        };
        assert!(check(gap(&[1.0], &[1.00001], 0.0)).holds());
        assert!(!check(gap(&[1.0], &[1.001], 0.0)).holds());
        assert!(!check(gap(&[f64::NAN], &[1.0], 0.0)).holds());
    }
}
