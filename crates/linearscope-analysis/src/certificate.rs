//! The certificate: how exact the interpreter is, here and now.
//!
//! It checks arithmetic: that F x₀ + r equals f(x₀), and that Fᵀ is F's transpose. It also counts the
//! decisions that lie so near their kink that exact arithmetic might have decided differently, which
//! exactness at x₀ does not show. Whether the linear reading can be *trusted* away from x₀ is another
//! question: see [`validity`](crate::validity).

use burn::tensor::{FloatDType, Tensor};
use linearscope::{DecisionsAtRisk, SplitMix64};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    frozen::FrozenNetwork,
    operator::LinearOperator,
    vectors::{dot, norm, over, read},
};

/// The errors of an interpreter on its network and picture, and what is allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// ‖F x₀ + r − f(x₀)‖ / max(‖f(x₀)‖, ‖F x₀‖ + ‖r‖).
    pub exactness: f64,
    /// |⟨F v, u⟩ − ⟨v, Fᵀ u⟩| / (‖F v‖ ‖u‖) for random v, u.
    pub adjoint: f64,
    /// The limit of both: 1e-4 in f32, 1e-10 in f64.
    pub limit: f64,
    /// ‖r‖ / ‖f(x₀)‖: how much of the output does not depend on the pixels once the decisions are
    /// frozen.
    pub residual_over_output: f64,
    /// Decisions within rounding of their kink; `None` in paired mode, where they are not counted.
    pub decisions_at_risk: Option<AtRisk>,
}

/// Decisions on which exact arithmetic might have differed, see [`DecisionsAtRisk`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtRisk {
    /// All decisions with a kink.
    pub decisions: usize,
    /// Within the rounding band, exact ties aside.
    pub within: usize,
    /// Exactly at the kink: the first of equals is taken.
    pub ties: usize,
    /// Those about which nothing is known.
    pub unknown: usize,
    /// The nodes with most decisions within the band.
    pub worst: Vec<RiskyNode>,
}

/// One node of [`AtRisk`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RiskyNode {
    /// The network node.
    pub node: String,
    /// Its decisions.
    pub decisions: usize,
    /// How many lie within the band.
    pub within: usize,
}

/// How many nodes are named.
const NAMED: usize = 5;

impl From<&DecisionsAtRisk> for AtRisk {
    fn from(found: &DecisionsAtRisk) -> Self {
        let worst = found.nodes.iter().take(NAMED);
        Self {
            decisions: found.units,
            within: found.within,
            ties: found.ties,
            unknown: found.unknown,
            worst: worst
                .map(|node| RiskyNode {
                    node: node.node.to_string(),
                    decisions: node.units,
                    within: node.within,
                })
                .collect(),
        }
    }
}

impl Certificate {
    /// Whether both errors are within the limit. NaN is not.
    pub fn holds(&self) -> bool {
        self.exactness <= self.limit && self.adjoint <= self.limit
    }
}

/// The limit of a certificate's errors: 1e-4, and 1e-10 in f64.
pub fn limit(dtype: FloatDType) -> f64 {
    match dtype {
        FloatDType::F64 => 1e-10,
        _ => 1e-4,
    }
}

/// |⟨F v, u⟩ − ⟨v, Fᵀ u⟩| / (‖F v‖ ‖u‖) for random v, u of these seeds; 0 where both products are 0.
///
/// Cost: a product and an adjoint product.
///
/// # Errors
/// As [`LinearOperator::apply`].
pub fn adjoint_error(f: &(impl LinearOperator + ?Sized), seeds: [u64; 2]) -> Result<f64> {
    let v = random(f, seeds[0], f.input_len());
    let u = random(f, seeds[1], f.output_len());
    let fv = read(f.apply(v.clone())?)?;
    let fu = read(f.apply_adjoint(u.clone())?)?;
    Ok(apart([&read(v)?, &fv], [&read(u)?, &fu]))
}

/// A random vector of this seed, on F's device.
fn random(f: &(impl LinearOperator + ?Sized), seed: u64, len: usize) -> Tensor<2> {
    f.upload(SplitMix64::new(seed).uniform(len), len)
}

/// |⟨F v, u⟩ − ⟨v, Fᵀ u⟩| / (‖F v‖ ‖u‖) of v, F v and u, Fᵀ u.
fn apart([v, fv]: [&[f64]; 2], [u, fu]: [&[f64]; 2]) -> f64 {
    // Both products in units of ‖F v‖, so that neither leaves the range of f64.
    let size = norm(fv);
    let unit = if size > 0.0 { size } else { 1.0 };
    let in_units = |values: &[f64]| -> Vec<f64> { values.iter().map(|x| x / unit).collect() };
    let apart = (dot(&in_units(fv), u) - dot(v, &in_units(fu))).abs();
    over(apart, over(size, unit) * norm(u))
}

/// An error for numbers that are not finite, with the name of the first node whose source they come from,
/// where the network was recorded.
fn finite(f: &FrozenNetwork, what: &str, numbers: &[f64]) -> Result<()> {
    let bad = numbers.iter().filter(|number| !number.is_finite()).count();
    if bad == 0 {
        return Ok(());
    }
    let ones = f.upload(vec![1.0; f.output_len()], f.output_len());
    f.contributions(ones)?;
    Err(Error::NotFinite {
        what: what.into(),
        because: format!(
            "{bad} of {} numbers; an op between x₀ and the output exceeds the range of {:?}",
            numbers.len(),
            f.dtype()
        ),
    })
}

/// Measure the certificate. Cost: three products and one adjoint product.
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
/// use linearscope_analysis::certificate::certificate;
///
/// assert!(certificate(&frozen)?.holds());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::NotFinite`] if F x₀ + r is not finite; as [`LinearOperator::apply`].
pub fn certificate(f: &FrozenNetwork) -> Result<Certificate> {
    let y0 = read(f.reference())?;
    let r = read(f.residual()?)?;
    let v = random(f, 1, f.input_len());
    let u = random(f, 2, f.output_len());
    // x₀ and v together, which share what a replay prepares and keep two cores busy.
    let both = read(f.apply(Tensor::cat(vec![f.x0(), v.clone()], 0))?)?;
    let (fx0, fv) = both.split_at(f.output_len());
    finite(f, "F x₀ + r", &[fx0, &r].concat())?;
    let fu = read(f.apply_adjoint(u.clone())?)?;
    let gap: Vec<f64> = (0..y0.len()).map(|i| fx0[i] + r[i] - y0[i]).collect();
    let scale = norm(&y0).max(norm(fx0) + norm(&r));
    Ok(Certificate {
        exactness: over(norm(&gap), scale),
        adjoint: apart([&read(v)?, fv], [&read(u)?, &fu]),
        limit: limit(f.dtype()),
        residual_over_output: over(norm(&r), norm(&y0)),
        decisions_at_risk: match f.recorded() {
            Some(recorded) => recorded.decisions_at_risk()?.map(AtRisk::from),
            None => None,
        },
    })
}
