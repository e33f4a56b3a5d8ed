//! The certificate: how exact the interpreter is, here and now.

use burn::tensor::{FloatDType, Tensor};
use serde::Serialize;

use crate::{FrozenNetwork, LinearOperator, frozen::host, operator::Result};

/// Errors an interpreter shows on its own network and picture, and what is allowed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Certificate {
    /// ‖F x₀ + r − f(x₀)‖ / max(‖f(x₀)‖, ‖F x₀‖ + ‖r‖).
    pub exactness: f64,
    /// |⟨F v, u⟩ − ⟨v, Fᵀ u⟩| / (‖F v‖ ‖u‖) for random v, u.
    pub adjoint: f64,
    /// What either may be: 1e-4 in f32, 1e-10 in f64.
    pub limit: f64,
    /// ‖r‖ / ‖f(x₀)‖: how much of the output is no function of the pixels at frozen decisions.
    pub residual_over_output: f64,
}

impl Certificate {
    /// Whether both errors are within the limit. NaN is not.
    pub fn holds(&self) -> bool {
        self.exactness <= self.limit && self.adjoint <= self.limit
    }
}

/// What errors of a certificate may be: 1e-4, and 1e-10 in f64.
pub fn limit(dtype: FloatDType) -> f64 {
    match dtype {
        FloatDType::F64 => 1e-10,
        _ => 1e-4,
    }
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Uniform numbers in [−1, 1) from splitmix64, the same on every machine.
fn random(f: &FrozenNetwork, len: usize, seed: u64) -> Tensor<2> {
    let mut state = seed;
    let values: Vec<f64> = (0..len)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
        .collect();
    f.upload(values, len)
}

/// Measure the certificate. Cost: three products and one adjoint product.
///
/// # Errors
/// As [`LinearOperator::apply`].
pub fn certificate(f: &FrozenNetwork) -> Result<Certificate> {
    let y0 = host(f.reference())?;
    let r = host(f.residual()?)?;
    let fx0 = host(f.apply(f.x0())?)?;
    let gap: Vec<f64> = (0..y0.len()).map(|i| fx0[i] + r[i] - y0[i]).collect();
    let scale = norm(&y0).max(norm(&fx0) + norm(&r));

    let (v, u) = (random(f, f.input_len(), 1), random(f, f.output_len(), 2));
    let fv = host(f.apply(v.clone())?)?;
    let fu = host(f.apply_adjoint(u.clone())?)?;
    let (v, u) = (host(v)?, host(u)?);
    let product = norm(&fv) * norm(&u);
    // F = 0 has both products 0: exact.
    let relative = |error: f64, scale: f64| if error == 0.0 { 0.0 } else { error / scale };
    Ok(Certificate {
        exactness: relative(norm(&gap), scale),
        adjoint: relative((dot(&fv, &u) - dot(&v, &fu)).abs(), product),
        limit: limit(f.dtype()),
        residual_over_output: relative(norm(&r), norm(&y0)),
    })
}
