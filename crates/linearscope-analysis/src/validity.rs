//! How far the linear reading holds.
//!
//! A piecewise-linear network equals y = F x + r not only at x₀ but in a whole polytope around it,
//! within which no unit changes its decision. Its *validity radius* along a direction is where the
//! first unit flips, and this is exact. Smooth units and norms have no such range. For them the
//! question is how the error grows, and how much F depends on the rule that freezes them.

mod rules;

use burn::tensor::{Tensor, TensorData};
use linearscope::Paired;
use serde::{Deserialize, Serialize};

pub use rules::{Apart, RuleDifference, under_rules};

use crate::{
    error::Result,
    frozen::FrozenNetwork,
    operator::LinearOperator,
    vectors::{batched, check, distance, norm, numbers, over, read, shaped},
};

/// How far along k directions the decisions of x₀ hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validity {
    /// For each direction d, the least t ≥ 0 at which a unit flips at x₀ + t d; infinite if none
    /// does.
    pub radii: Vec<f64>,
    /// For each direction, the op that flips first; empty if none does.
    pub by: Vec<String>,
    /// Units exactly at their kink, or pools with two largest cells. Those that a direction pushes across
    /// flip immediately, which makes its radius 0; the others hold.
    pub at_kink: usize,
    /// Every decision, in the order in which they are made.
    pub decisions: Vec<DecisionRadius>,
}

/// One decision of a [`Validity`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionRadius {
    /// The network node.
    pub node: String,
    /// What decides: `slope`, `switches`, `comparison`, …
    pub what: String,
    /// How many units it has.
    pub units: usize,
    /// How many of them are exactly at a kink.
    pub at_kink: usize,
    /// The least t for each direction, as if nothing before it had flipped.
    pub first: Vec<f64>,
}

/// Compute the validity radii along directions `[k, n]`, in units of each direction's length.
///
/// # Example
/// ```
/// # use burn::{nn::LinearConfig, tensor::{Device, FloatDType, TensorData, activation::relu}};
/// # use linearscope::{Network, RuleSet};
/// # use linearscope_analysis::FrozenNetwork;
/// # let device = Device::flex();
/// # let layers = vec![LinearConfig::new(4, 8).init(&device), LinearConfig::new(8, 3).init(&device)];
/// # let network = Network::capture(&layers, |layers, ports| {
/// #     let x = ports.input("x", [1, 4]);
/// #     ports.output("y", layers[1].forward(relu(layers[0].forward(x))));
/// # })?;
/// # let loaded = FrozenNetwork::load(network, &device, FloatDType::F64)?;
/// # let x0 = TensorData::from([[0.3, -0.2, 0.9, 0.5]]);
/// # let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default())?;
/// use linearscope_analysis::{LinearOperator, validity::radii};
///
/// let found = radii(&frozen, frozen.upload(vec![1.0, 0.0, 0.0, 0.0], 4))?;
/// assert!(found.radii[0] > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Within a radius, f(x₀ + t d) = F (x₀ + t d) + r to rounding. Cost: one paired run of k probes,
/// and each unit is read back from the device. In f32 the radius has a relative accuracy of about
/// 1e-6.
///
/// # Errors
/// [`linearscope::Error::NotPiecewise`] names the first frozen op that is not piecewise linear: see
/// [`growth`].
pub fn radii(f: &FrozenNetwork, directions: Tensor<2>) -> Result<Validity> {
    check("the direction", &directions, f.input_len())?;
    let k = directions.dims()[0];
    let x0 = shaped(f.x0(), f.input_shape());
    let d = batched(directions, f.input_shape());
    let frozen = f.frozen();
    let rules = frozen.rules().clone();
    let flips = Paired::first_flips(frozen.loaded(), vec![x0], vec![d], rules)?;
    let mut radii = vec![f64::INFINITY; k];
    let mut by = vec![String::new(); k];
    for unit in &flips {
        for (j, &t) in unit.flips.first.iter().enumerate() {
            if t < radii[j] {
                (radii[j], by[j]) = (t, unit.node.to_string());
            }
        }
    }
    Ok(Validity {
        radii,
        by,
        at_kink: flips.iter().map(|unit| unit.flips.at_kink).sum(),
        decisions: flips
            .into_iter()
            .map(|unit| DecisionRadius {
                node: unit.node.to_string(),
                what: unit.what.to_string(),
                units: unit.units,
                at_kink: unit.flips.at_kink,
                first: unit.flips.first,
            })
            .collect(),
    })
}

/// Compute ‖f(x₀ + t d) − F (x₀ + t d) − r‖ / ‖f(x₀ + t d)‖ for each t: how the error of the linear
/// reading grows along one direction d `[1, n]`, for networks of any kind.
///
/// Cost: a plain forward pass for each t, and two replays.
///
/// # Errors
/// As [`FrozenNetwork::forward`], [`LinearOperator::apply`].
pub fn growth(f: &FrozenNetwork, direction: Tensor<2>, steps: &[f64]) -> Result<Vec<f64>> {
    check("the direction", &direction, f.input_len())?;
    let at_x0 = read(f.affine(f.x0())?)?;
    let rate = read(f.apply(direction.clone())?)?;
    let (x0, d) = (read(f.x0())?, read(direction)?);
    steps
        .iter()
        .map(|t| {
            let x: Vec<f64> = x0.iter().zip(&d).map(|(x, d)| x + t * d).collect();
            let x = TensorData::new(x, f.input_shape().to_vec());
            let y = numbers(FrozenNetwork::forward(f.frozen().loaded(), x)?)?;
            let line: Vec<f64> = at_x0.iter().zip(&rate).map(|(a, b)| a + t * b).collect();
            Ok(over(distance(&y, &line), norm(&y)))
        })
        .collect()
}
