//! Conformance: whether this frozen network keeps every promise.

use burn::tensor::{FloatDType, Tensor, TensorData};
use linearscope::{
    Paired,
    conformance::{self, Allowed, Floor, Interpreted},
};
use serde::{Deserialize, Serialize};

use crate::{
    certificate::limit,
    contribution::{contributions, top1},
    error::{Error, Result},
    frozen::FrozenNetwork,
    operator::LinearOperator,
    vectors::{batched, flat, numbers, read, shaped},
};

/// One promise, and how far the network is from keeping it exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The promise in words.
    pub promise: String,
    /// The relative error.
    pub error: f64,
    /// The largest allowed error.
    pub limit: f64,
}

impl Check {
    /// Whether the error is within the limit. NaN is not.
    pub fn holds(&self) -> bool {
        self.error <= self.limit
    }
}

impl From<conformance::Check> for Check {
    fn from(check: conformance::Check) -> Self {
        Self {
            promise: check.promise.to_string(),
            error: check.error,
            limit: check.limit,
        }
    }
}

/// Its vectors on the host.
struct Asked<'a>(&'a FrozenNetwork);

impl Asked<'_> {
    fn probes(&self, x: &[f64]) -> Tensor<2> {
        self.0.upload(x.to_vec(), self.0.input_len())
    }
}

impl Interpreted for Asked<'_> {
    type Error = Error;

    fn x0(&self) -> Result<Vec<f64>> {
        read(self.0.x0())
    }

    fn plain(&self) -> Result<Vec<f64>> {
        let x0 = TensorData::new(self.x0()?, self.0.input_shape().to_vec());
        let y = FrozenNetwork::forward(self.0.frozen().loaded(), x0)?;
        numbers(y)
    }

    fn reference(&self) -> Result<Vec<f64>> {
        read(self.0.reference())
    }

    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        read(self.0.apply(self.probes(x))?)
    }

    fn affine(&self, x: &[f64]) -> Result<Vec<f64>> {
        read(self.0.affine(self.probes(x))?)
    }

    fn adjoint(&self, y: &[f64]) -> Result<Vec<f64>> {
        let y = self.0.upload(y.to_vec(), self.0.output_len());
        read(self.0.apply_adjoint(y)?)
    }

    fn paired(&self, x: &[f64], sources: bool) -> Result<Vec<f64>> {
        let (frozen, shape) = (self.0.frozen(), self.0.input_shape());
        let (_, paired) = Paired::beside(
            frozen.loaded(),
            vec![shaped(self.0.x0(), shape)],
            vec![batched(self.probes(x), shape)],
            frozen.rules().clone(),
            sources,
        )?;
        read(flat(paired.into_iter().next().expect("one output")))
    }
}

/// Check every promise on a network, at its x₀ and along one random direction:
/// [`promises`](conformance::promises) of the core crate, with the certificate's limits, relative to
/// ‖F x₀‖ + ‖r‖ if that is larger; and
///
/// * the contributions to the largest output sum to it.
///
/// The reference must equal that of a plain run to 10⁻⁶ (f64: 10⁻¹²). On Flex it does so bit by bit, except
/// for sums over more than 2¹⁶ entries. Cost: one plain forward pass, two paired runs, seven products and
/// two adjoint products. A network that was not recorded has no contributions by layer, and they are not
/// checked.
///
/// # Errors
/// As [`LinearOperator::apply`].
pub fn conformance(f: &FrozenNetwork) -> Result<Vec<Check>> {
    let other = limit(f.dtype());
    let allowed = Allowed {
        reference: match f.dtype() {
            FloatDType::F64 => 1e-12,
            _ => 1e-6,
        },
        exact: other,
        other,
        floor: Floor::Terms,
    };
    let checks = conformance::promises(&Asked(f), &allowed)?;
    let mut checks: Vec<Check> = checks.into_iter().map(Check::from).collect();
    if f.recorded().is_some() {
        let found = contributions(f, top1(f)?)?;
        checks.push(Check {
            promise: "contributions sum to the output".into(),
            error: found.gap,
            limit: other,
        });
    }
    Ok(checks)
}
