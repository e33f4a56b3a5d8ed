//! Layer-wise contributions to one score (the paper's Theorem 1).
//!
//! With q the cotangent that one adjoint sweep carries from the score back to a source b,
//!
//! ```text
//! score = ⟨Fᵀδ, x₀⟩ + Σ_sources ⟨q, b⟩
//! ```
//!
//! on any acyclic graph. A layer is one weighted op and all up to the next; the pixels' own part
//! comes first, then sources before the first weighted op, if there are any.

use linearscope::Error;
use serde::Serialize;

use crate::{
    FrozenNetwork, LinearOperator, frozen::host, operator::Result, projection::indicators,
};

/// What one layer adds to a score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerContribution {
    /// Number of the layer; 0 is the input, and what comes before the first weighted op.
    pub layer: usize,
    /// Name of the weighted op that begins it; for number 0 "input" (the pixels' own part) or
    /// "before the first layer" (sources there).
    pub name: String,
    /// Its part of the score.
    pub value: f64,
    /// value / score.
    pub share: f64,
}

/// A score taken apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contributions {
    /// Flat index of the output that was asked about.
    pub target: usize,
    /// f(x₀) there.
    pub score: f64,
    /// ⟨row, x₀⟩: what the pixels themselves add, without any source.
    pub input: f64,
    /// r there: the sum over all sources.
    pub residual: f64,
    /// residual / score. Meaningless for a score ≤ 0, which is why that is flagged.
    pub residual_share: f64,
    /// The score is not positive: shares flip their sign.
    pub score_not_positive: bool,
    /// |Σ contributions − score| / Σ|contributions|.
    pub gap: f64,
    /// One entry a layer, input first. Layers without sources are left out.
    pub layers: Vec<LayerContribution>,
}

/// The contributions of every layer to output `target` (flat). Cost: one adjoint sweep.
///
/// # Errors
/// [`Error::OutOfRange`] for a target outside the output.
pub fn contributions(f: &FrozenNetwork, target: usize) -> Result<Contributions> {
    if target >= f.output_len() {
        return Err(Error::OutOfRange {
            what: "the target".into(),
            index: vec![target],
            shape: f.output_shape().to_vec(),
        });
    }
    let score = host(f.reference())?[target];
    let (row, sources) = f.contributions(indicators(f, &[vec![target]], f.output_len()))?;
    let input: f64 = host(row)?
        .iter()
        .zip(host(f.x0())?)
        .map(|(row, x)| row * x)
        .sum();
    // Sources ahead of the first weighted op (an input normalised in the graph) have layer 0 too,
    // but are no part of what the pixels add.
    let mut values = vec![None; f.layers().len()];
    for source in &sources {
        *values[source.layer].get_or_insert(0.0) += source.values[0];
    }
    let residual: f64 = sources.iter().map(|source| source.values[0]).sum();
    let entry = |layer: usize, name: &str, value: f64| LayerContribution {
        layer,
        name: name.to_string(),
        value,
        share: value / score,
    };
    let mut layers = vec![entry(0, "input", input)];
    for (layer, value) in values.iter().enumerate() {
        let name = match layer {
            0 => "before the first layer",
            layer => &f.layers()[layer],
        };
        layers.extend(value.map(|value| entry(layer, name, value)));
    }
    let total: f64 = layers.iter().map(|layer| layer.value).sum();
    let magnitude: f64 = layers.iter().map(|layer| layer.value.abs()).sum();
    Ok(Contributions {
        target,
        score,
        input,
        residual,
        residual_share: residual / score,
        score_not_positive: score <= 0.0,
        gap: (total - score).abs() / magnitude.max(f64::MIN_POSITIVE),
        layers,
    })
}

/// The flat index of the largest output.
///
/// # Errors
/// [`Error::Data`].
pub fn top1(f: &FrozenNetwork) -> Result<usize> {
    let y0 = host(f.reference())?;
    let best = y0
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .expect("an output has elements");
    Ok(best.0)
}
