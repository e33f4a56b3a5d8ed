//! How methods are evaluated.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How methods are evaluated. A measure with a count of 0 is left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvaluationConfig {
    /// Parts of the curves, 1 or more; at most one per place. Default 20.
    pub steps: usize,
    /// Random parts of x₀, for infidelity. Default 32.
    pub perturbations: usize,
    /// Inputs around x₀, for sensitivity. Default 4.
    pub neighbours: usize,
    /// How far their entries are from x₀, relative to the range of x₀: greater than 0. Default
    /// 0.02.
    pub radius: f64,
    /// Networks with more and more weights re-drawn; at most one per layer. Default 3.
    pub stages: usize,
    /// The seed of everything random. Default 0.
    pub seed: u64,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            steps: 20,
            perturbations: 32,
            neighbours: 4,
            radius: 0.02,
            stages: 3,
            seed: 0,
        }
    }
}

setters!(
    EvaluationConfig: with_steps steps: usize, with_perturbations perturbations: usize,
    with_neighbours neighbours: usize, with_radius radius: f64, with_stages stages: usize,
    with_seed seed: u64
);

impl EvaluationConfig {
    pub(super) fn check(&self) -> Result<()> {
        if self.steps == 0 {
            return Err(Error::Setting {
                what: "the number of steps",
                got: "0".into(),
                allowed: "a curve needs at least one".into(),
            });
        }
        if !self.radius.is_finite() || self.radius <= 0.0 {
            return Err(Error::Setting {
                what: "the radius of neighbours",
                got: self.radius.to_string(),
                allowed: "it must be above 0; use 0 neighbours to skip sensitivity".into(),
            });
        }
        Ok(())
    }
}
