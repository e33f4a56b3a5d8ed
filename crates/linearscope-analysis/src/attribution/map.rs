//! The result of an attribution, and what all methods share.

use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};

use super::method::Method;
use crate::{
    attack::tangent,
    error::{Error, Result},
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    vectors::{over, read},
};

/// Baselines from which a score is measured, bounds of the input, and groups of entries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Surroundings {
    /// The baseline input, flat; `None`: zeros.
    pub baseline: Option<Vec<f64>>,
    /// Baselines from which expected gradients start, in turn; empty: the baseline alone.
    pub baselines: Vec<Vec<f64>>,
    /// The least and largest value of each channel, or of all channels.
    pub bounds: Option<[Vec<f64>; 2]>,
    /// The number of the group with which each input entry is ablated; `None`: patches for a picture, otherwise each
    /// entry alone.
    pub groups: Option<Vec<usize>>,
}

setters!(
    Surroundings: with_baseline baseline: Option<Vec<f64>>, with_baselines baselines: Vec<Vec<f64>>,
    with_bounds bounds: Option<[Vec<f64>; 2]>, with_groups groups: Option<Vec<usize>>
);

impl Surroundings {
    pub(crate) fn baseline_of(&self, f: &FrozenNetwork) -> Result<Vec<f64>> {
        match &self.baseline {
            None => Ok(vec![0.0; f.input_len()]),
            Some(baseline) => fitting(f, baseline),
        }
    }

    pub(super) fn baselines_of(&self, f: &FrozenNetwork) -> Result<Vec<Vec<f64>>> {
        match &self.baselines[..] {
            [] => Ok(vec![self.baseline_of(f)?]),
            several => several.iter().map(|one| fitting(f, one)).collect(),
        }
    }
}

fn fitting(f: &FrozenNetwork, baseline: &[f64]) -> Result<Vec<f64>> {
    match baseline.len() == f.input_len() {
        true => Ok(baseline.to_vec()),
        false => Err(Error::Length {
            what: "the baseline",
            got: [1, baseline.len()],
            expected: f.input_len(),
        }),
    }
}

/// What each input entry adds to a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// The method, by its name.
    pub method: String,
    /// The outputs whose scores are added, flat.
    pub target: Vec<usize>,
    /// Σ f(x₀) over the target.
    pub score: f64,
    /// One value per input entry, in C order of the input's shape. Methods that only know places spread their
    /// value evenly over the channels.
    pub map: Vec<f64>,
    /// Σ map.
    pub sum: f64,
    /// The sum that the method promises; `None`: it promises none.
    pub promised: Option<f64>,
    /// (sum − promised) / |score|; 0 if they are equal, infinite if they differ and the score is 0.
    pub gap: Option<f64>,
    /// A remark on this map, such as the layer of Grad-CAM or the number of nodes of integrated
    /// gradients.
    pub note: Option<String>,
}

impl Attribution {
    pub(super) fn new(
        method: &Method,
        target: &[usize],
        score: f64,
        map: Vec<f64>,
        promised: Option<f64>,
    ) -> Self {
        let sum = map.iter().sum();
        Self {
            method: method.name(),
            target: target.to_vec(),
            score,
            map,
            sum,
            promised,
            gap: promised.map(|promised| over(sum - promised, score.abs())),
            note: None,
        }
    }

    pub(super) fn noted(self, note: impl Into<Option<String>>) -> Self {
        Self {
            note: note.into(),
            ..self
        }
    }
}

/// The same network at some input under the rules that make F its Jacobian.
pub(crate) fn tangent_at(f: &FrozenNetwork, x: Vec<f64>) -> Result<FrozenNetwork> {
    let frozen = f.frozen();
    let x = TensorData::new(x, f.input_shape().to_vec());
    tangent(frozen.loaded(), x, frozen.rules(), frozen.budget())
}

/// Fᵀ of the indicators of targets, one row per target.
pub(super) fn rows(f: &FrozenNetwork, targets: &[Vec<usize>]) -> Result<Vec<Vec<f64>>> {
    let len = f.output_len();
    let seeds = f.upload(indicators(targets, len), len);
    Ok(inputs(f, &read(f.apply_adjoint(seeds)?)?))
}

/// Rows of a batch of inputs.
pub(super) fn inputs(f: &FrozenNetwork, values: &[f64]) -> Vec<Vec<f64>> {
    values.chunks(f.input_len()).map(<[f64]>::to_vec).collect()
}
