//! How much a reading hangs on the rule that smooth units are frozen by.

use burn::tensor::TensorData;
use linearscope::RuleSet;
use serde::{Deserialize, Serialize};

use crate::{
    discussion::scores,
    error::Result,
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    vectors::{cosine, distance, norm, over, read},
};

/// How far one vector is from another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Apart {
    /// ⟨a, b⟩ / (‖a‖ ‖b‖); 0 where either is 0.
    pub cosine: f64,
    /// ‖a − b‖ / ‖b‖; 0 where they are equal, infinite where b alone is 0.
    pub distance: f64,
}

impl Apart {
    /// How far `a` is from `b`.
    fn of(a: &[f64], b: &[f64]) -> Self {
        Self {
            cosine: cosine(a, b),
            distance: over(distance(a, b), norm(b)),
        }
    }
}

/// A score's row under other rules, against the one under a network's own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleDifference {
    /// Of the rows.
    pub row: Apart,
    /// Of row ⊙ x₀, the attribution without what sources add.
    pub row_input: Apart,
}

/// How far each target's row is where `rules` stand above the network's own: whether a picture of F is one of the network,
/// or of how its smooth units are frozen. Each target is a list of flat positions whose scores are added. Under *taylor*
/// the row is the gradient; of a piecewise-linear network it is so under every rule, and nothing differs.
///
/// # Example
/// ```
/// # use burn::{nn::LinearConfig, tensor::{Device, FloatDType, TensorData, activation::gelu}};
/// # use linearscope::{Network, RuleSet};
/// # use linearscope_analysis::FrozenNetwork;
/// # let device = Device::flex();
/// # let layers = vec![LinearConfig::new(4, 8).init(&device), LinearConfig::new(8, 3).init(&device)];
/// # let network = Network::capture(&layers, |layers, ports| {
/// #     let x = ports.input("x", [1, 4]);
/// #     ports.output("y", layers[1].forward(gelu(layers[0].forward(x))));
/// # })?;
/// # let loaded = FrozenNetwork::load(network, &device, FloatDType::F64)?;
/// # let x0 = TensorData::from([[0.3, -0.2, 0.9, 0.5]]);
/// # let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default())?;
/// use linearscope_analysis::validity::under_rules;
///
/// let taylor = under_rules(&frozen, &[vec![2]], &RuleSet::preset("taylor")?)?;
/// assert!(taylor[0].row.distance > 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Cost: one more freezing, held alongside the first, and two adjoints a target.
///
/// # Errors
/// As [`FrozenNetwork::within`]: a rule may refuse at this x₀, as *mask* does at a unit whose operand is 0;
/// [`Error::Empty`](crate::Error::Empty) and [`Error::OutOfRange`](crate::Error::OutOfRange) for targets.
pub fn under_rules(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    rules: &RuleSet,
) -> Result<Vec<RuleDifference>> {
    scores(f, targets)?;
    let frozen = f.frozen();
    let own = frozen.rules().entries().iter().cloned();
    let rules = own.fold(rules.clone(), RuleSet::with);
    let x0 = read(f.x0())?;
    let x = TensorData::new(x0.clone(), f.input_shape().to_vec());
    let other = FrozenNetwork::within(frozen.loaded().clone(), x, rules, frozen.budget())?;
    let rows = |f: &FrozenNetwork| {
        let len = f.output_len();
        let seeds = f.upload(indicators(targets, len), len);
        read(f.apply_adjoint(seeds)?)
    };
    let (before, after) = (rows(f)?, rows(&other)?);
    let each = before.chunks(x0.len()).zip(after.chunks(x0.len()));
    let times_x0 = |row: &[f64]| -> Vec<f64> { row.iter().zip(&x0).map(|(a, x)| a * x).collect() };
    Ok(each
        .map(|(before, after)| RuleDifference {
            row: Apart::of(after, before),
            row_input: Apart::of(&times_x0(after), &times_x0(before)),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::Apart;

    #[test]
    fn distances_by_hand() {
        let apart = Apart::of(&[3.0, 0.0], &[3.0, 4.0]);
        assert!((apart.cosine - 0.6).abs() < 1e-15 && (apart.distance - 0.8).abs() < 1e-15);
        let same = Apart::of(&[0.0, 0.0], &[0.0, 0.0]);
        assert_eq!((same.cosine, same.distance), (0.0, 0.0));
        assert_eq!(Apart::of(&[1.0], &[0.0]).distance, f64::INFINITY);
    }
}
