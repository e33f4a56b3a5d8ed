//! Decisions that differ between precisions: how many of the [certificate](crate::certificate)'s decisions
//! at risk really do.

use std::sync::Arc;

use burn::tensor::{DType, Device, TensorData};
use linearscope::Loaded;
use serde::{Deserialize, Serialize};

use crate::{
    difference::{COMPARISON, flips},
    error::Result,
    frozen::FrozenNetwork,
    operator::LinearOperator,
    vectors::read,
};

/// One unit layer, and how many of its decisions differ in f64.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Differing {
    /// The network node.
    pub node: String,
    /// What decides: `slope_mask`, `switches`, …
    pub kind: String,
    /// How many units it has.
    pub units: usize,
    /// How many decided differently.
    pub differing: usize,
}

/// Freeze the same network at the same x₀ in f64, on the CPU, and list the unit layers with decisions
/// that differ from those of `f`. The list is empty if none do. Every differing decision is among the
/// decisions at risk, or was an exact tie.
///
/// Cost: a freeze in f64. Memory: another copy of the weights, with twice the bytes.
///
/// # Errors
/// As [`FrozenNetwork::new`]; [`linearscope::Error::Memory`] if nothing was recorded.
pub fn differing_in_f64(f: &FrozenNetwork) -> Result<Vec<Differing>> {
    // Refused before another freeze, not after it.
    let recorded = f.recorded_for(COMPARISON)?;
    let network = Arc::clone(recorded.loaded().network());
    let device = Device::flex();
    let loaded = Loaded::new(network, device.as_dispatch().clone(), DType::F64)?;
    let x0 = TensorData::new(read(f.x0())?, f.input_shape().to_vec());
    let rules = recorded.rules().clone();
    let exact = FrozenNetwork::new(Arc::new(loaded), x0, rules)?;
    let differing = flips(f, &exact)?
        .into_iter()
        .filter(|flip| flip.flipped > 0);
    Ok(differing
        .map(|flip| Differing {
            node: flip.name,
            kind: flip.kind,
            units: flip.units,
            differing: flip.flipped,
        })
        .collect())
}
