//! What all measures share: the network, the score, where it is measured from.

use burn::tensor::TensorData;

use super::{config::EvaluationConfig, places::Places};
use crate::{
    attribution::Surroundings,
    discussion::scores,
    error::{Error, Result},
    frozen::FrozenNetwork,
    operator::LinearOperator,
    vectors::{numbers, read},
};

/// A question about one score at one x₀.
pub(super) struct Asked<'a> {
    pub f: &'a FrozenNetwork,
    pub target: Vec<Vec<usize>>,
    pub around: &'a Surroundings,
    pub config: &'a EvaluationConfig,
    pub places: Places,
    pub x0: Vec<f64>,
    pub baseline: Vec<f64>,
    /// f(x₀), without any freezing, as all other outputs.
    pub at_x0: Vec<f64>,
    /// f(x′).
    pub at_baseline: Vec<f64>,
    /// The position of a class, where the target is one.
    class: Option<usize>,
}

impl<'a> Asked<'a> {
    /// Cost: two forwards.
    pub fn new(
        f: &'a FrozenNetwork,
        target: &[usize],
        around: &'a Surroundings,
        config: &'a EvaluationConfig,
    ) -> Result<Self> {
        let target = vec![target.to_vec()];
        scores(f, &target)?;
        let baseline = around.baseline_of(f)?;
        let classes =
            matches!(*f.output_shape(), [1, c] | [1, c, 1, 1] if c > 1) && target[0].len() == 1;
        let mut asked = Self {
            f,
            around,
            config,
            places: Places::of(f.input_shape()),
            x0: read(f.x0())?,
            baseline,
            at_x0: Vec::new(),
            at_baseline: Vec::new(),
            class: classes.then_some(target[0][0]),
            target,
        };
        asked.at_x0 = asked.output(asked.x0.clone())?;
        asked.at_baseline = asked.output(asked.baseline.clone())?;
        asked.value(&asked.at_x0)?;
        Ok(asked)
    }

    /// f(x), all of it finite.
    pub fn output(&self, x: Vec<f64>) -> Result<Vec<f64>> {
        let x = TensorData::new(x, self.f.input_shape().to_vec());
        let y = numbers(FrozenNetwork::forward(self.f.frozen().loaded(), x)?)?;
        match y.iter().all(|v| v.is_finite()) {
            true => Ok(y),
            false => Err(Error::overflow("an output on the way to the baseline")),
        }
    }

    /// Σ y over the target.
    pub fn score(&self, y: &[f64]) -> f64 {
        self.target[0].iter().map(|&at| y[at]).sum()
    }

    /// A class's probability; else the share of what the score is above the baseline's.
    pub fn value(&self, y: &[f64]) -> Result<f64> {
        if let Some(class) = self.class {
            return Ok(probability(y, class));
        }
        let from = self.score(&self.at_baseline);
        let value = (self.score(y) - from) / (self.score(&self.at_x0) - from);
        match value.is_finite() {
            true => Ok(value),
            false => Err(Error::Setting {
                what: "the baseline",
                got: format!("one where the score is {from}, as at x₀"),
                allowed: "curves measure the distance of the score from there; use another one"
                    .into(),
            }),
        }
    }
}

/// What is a method's own: a stop is everybody's.
pub(super) fn own<T>(found: Result<T>) -> Result<Result<T>> {
    match found {
        Err(error) if error.is_stopped() => Err(error),
        found => Ok(found),
    }
}

/// exp yᵢ / Σ exp y.
fn probability(y: &[f64], at: usize) -> f64 {
    let most = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let all: f64 = y.iter().map(|y| (y - most).exp()).sum();
    (y[at] - most).exp() / all
}

#[cfg(test)]
mod tests {
    use super::probability;

    #[test]
    fn probabilities_hold_for_any_scores() {
        let y = [0.3, -1.0, 2.0];
        let naive = |at: usize| f64::exp(y[at]) / y.iter().map(|y| y.exp()).sum::<f64>();
        for at in 0..3 {
            assert!((probability(&y, at) - naive(at)).abs() < 1e-15);
        }
        assert_eq!(probability(&[1e6, -1e6], 0), 1.0);
        assert_eq!(probability(&[1e6, -1e6], 1), 0.0);
        assert_eq!(probability(&[-1e9; 4], 1), 0.25);
    }
}
