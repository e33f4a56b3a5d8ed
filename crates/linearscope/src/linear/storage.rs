//! What maps store: how much of it, what of it x₀ chose, and small forms of it.

use std::{fmt::Debug, sync::Arc};

use burn_backend::{Backend, TensorMetadata, tensor::Device};

use super::{Chosen, LinearMap, Locality};
use crate::{
    coefficient::{Coefficient, Origin},
    error::Result,
};

/// Coefficients and the bytes they take at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Bytes at rest.
    pub bytes: usize,
    /// How many coefficients they stand for: slopes, indices, gains, weights.
    pub coefficients: usize,
}

/// What a map stores, for accounts of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// What does not depend on the input. Shared with the network where a map uses it as it is.
    pub weights: Amount,
    /// What x₀ chose.
    pub decisions: Amount,
    /// Bytes of the form that replays work with, where that is another one and may be kept.
    pub expanded: usize,
}

impl Stored {
    /// An amount of coefficients of one origin.
    pub(crate) fn amount(origin: Origin, amount: Amount) -> Self {
        let (weights, decisions) = match origin {
            Origin::Weight => (amount, Amount::default()),
            Origin::Decision => (Amount::default(), amount),
        };
        Self {
            weights,
            decisions,
            expanded: 0,
        }
    }

    /// A tensor of coefficients, stored as it is.
    pub(crate) fn of<T: TensorMetadata>(x: &Coefficient<T>) -> Self {
        let amount = Amount {
            bytes: x.bytes(),
            coefficients: x.value().shape().num_elements(),
        };
        Self::amount(x.origin(), amount)
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        let add = |a: Amount, b: Amount| Amount {
            bytes: a.bytes + b.bytes,
            coefficients: a.coefficients + b.coefficients,
        };
        Self {
            weights: add(self.weights, other.weights),
            decisions: add(self.decisions, other.decisions),
            expanded: self.expanded + other.expanded,
        }
    }
}

/// A map with coefficients.
pub trait Storage<B: Backend>: Debug + Send + Sync {
    /// The memory its coefficients take.
    fn stored(&self) -> Stored;
}

/// A map whose coefficients are choices among finitely many.
pub trait Choice<B: Backend>: Locality<B> + Storage<B> {
    /// What each unit chose at x₀; `None` where it was not x₀ that chose.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) where the choices live on a device that does not deliver.
    fn chosen(&self) -> Result<Option<Chosen<'_>>>;

    /// The largest |weight| of units whose bit is set, and of all others; 1 where entries are moved.
    fn largest(&self) -> [f64; 2];

    /// Whether to keep, between replays, the form that replays work with.
    fn keep_expanded(&self, keep: bool);

    /// The same map with its choices in few bits, if it is not stored so already and that would be smaller: on the host, where
    /// that computes, else where they are, without a wait.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data).
    fn packed(&self) -> Result<Option<Arc<dyn LinearMap<B>>>>;
}

/// The form in which a program whose probes are on `device` keeps a map: with small choices, unless ops
/// on that device go on a tape, which would end on the host.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) where choices are not delivered.
pub(crate) fn recorded_form<B: Backend>(
    map: Arc<dyn LinearMap<B>>,
    device: &Device<B>,
) -> Result<Arc<dyn LinearMap<B>>> {
    if B::ad_enabled(device) {
        return Ok(map);
    }
    let packed = match map.structure().choice() {
        Some(choice) => choice.packed()?,
        None => None,
    };
    Ok(packed.unwrap_or(map))
}
