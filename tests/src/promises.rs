//! What the interpreter promises of every network, on every device: `linearscope::conformance` on small
//! networks. Each device has a short runner in `tests/`.

use std::sync::Arc;

use burn_backend::{Backend, DType, TensorData};
use linearscope::{
    Loaded, Network, Recorded, RuleSet,
    conformance::{Allowed, OneToOne, all_hold, promises},
};

use linearscope_test_support::shrinking;

use crate::{random::Recipe, upload};

/// Where the promises are tried.
#[derive(Clone, Debug)]
pub struct Platform<B: Backend> {
    /// Its device.
    pub device: B::Device,
    /// The dtype of everything.
    pub dtype: DType,
    /// What errors may be.
    pub allowed: Allowed,
}

impl<B: Backend> Platform<B> {
    /// All promises for one network of one input and output at x₀.
    ///
    /// # Errors
    /// Those that are broken, with their errors.
    pub fn keeps(&self, network: Network, x0: &TensorData, rules: RuleSet) -> Result<(), String> {
        let checks = || {
            let loaded = Loaded::<B>::new(Arc::new(network), self.device.clone(), self.dtype)?;
            let x0 = upload::<B>(x0, &self.device, self.dtype);
            let frozen = Recorded::new(Arc::new(loaded), vec![x0.clone()], rules)?;
            promises(&OneToOne::new(&frozen, x0)?, &self.allowed)
        };
        all_hold(&checks().map_err(|error| error.to_string())?)
    }

    /// The promises on `count` random networks drawn from `seed`.
    ///
    /// # Panics
    /// When one is broken, with the smallest network found that breaks it.
    pub fn keeps_on_random_networks(&self, count: u32, seed: u64) {
        shrinking::every(count, seed, Recipe::any(), |recipe| {
            let (network, x0) = recipe.network();
            self.keeps(network, &x0, RuleSet::default())
        });
    }
}
