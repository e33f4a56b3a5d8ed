//! Diagonal maps of floats: y = g ⊙ x for a frozen gain g, or x over a frozen divisor.

use std::sync::Arc;

use burn_backend::{Backend, Shape, tensor::FloatTensor};

use super::{
    Cut, Gain, LinearMap, Locality, Region, Restricted, Storage, Stored, Structure, batch,
    locality::entrywise,
};
use crate::coefficient::Coefficient;

/// y = g ⊙ x; g broadcasts against x and has its rank. The map of every gain that takes more than two
/// values; what a kinked unit chose is a [`SlopeMask`](super::SlopeMask).
#[derive(Debug)]
pub(crate) struct Diagonal<B: Backend> {
    /// `[1, ..]`.
    gain: Coefficient<FloatTensor<B>>,
}

impl<B: Backend> Diagonal<B> {
    pub(crate) fn new(gain: Coefficient<FloatTensor<B>>) -> Self {
        Self {
            gain: gain.map(batch::of_one::<B>),
        }
    }

    /// From a gain that has the probe axis already, of size 1.
    pub(crate) fn of_batched(gain: Coefficient<FloatTensor<B>>) -> Self {
        Self { gain }
    }
}

impl<B: Backend> LinearMap<B> for Diagonal<B> {
    fn name(&self) -> &'static str {
        "diagonal"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_mul(x, self.gain.value().clone())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_mul(y, self.gain.value().clone())
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Diagonal(self)
    }
}

impl<B: Backend> Gain<B> for Diagonal<B> {
    fn gain(&self) -> Coefficient<FloatTensor<B>> {
        self.gain.clone()
    }
    fn then_gain(&self, gain: &Coefficient<FloatTensor<B>>) -> Arc<dyn LinearMap<B>> {
        let gain = self.gain.clone().join(gain.clone(), B::float_mul);
        Arc::new(Self { gain })
    }
}

impl<B: Backend> Storage<B> for Diagonal<B> {
    fn stored(&self) -> Stored {
        Stored::of(&self.gain)
    }
}

impl<B: Backend> Locality<B> for Diagonal<B> {
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        output.num_elements() as u64
    }
    entrywise!(|map: &Self, region: &Region| Self {
        gain: map.gain.clone().map(|gain| region.of_batched::<B>(gain)),
    });
}

/// y = x / d; d broadcasts against x and has its rank. Kept apart from [`Diagonal`] because
/// x·(1/d) rounds twice.
#[derive(Debug)]
pub(crate) struct Divide<B: Backend> {
    /// `[1, ..]`.
    divisor: Coefficient<FloatTensor<B>>,
}

impl<B: Backend> Divide<B> {
    pub(crate) fn new(divisor: Coefficient<FloatTensor<B>>) -> Self {
        Self {
            divisor: divisor.map(batch::of_one::<B>),
        }
    }
}

impl<B: Backend> LinearMap<B> for Divide<B> {
    fn name(&self) -> &'static str {
        "divide"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_div(x, self.divisor.value().clone())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_div(y, self.divisor.value().clone())
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Diagonal(self)
    }
}

impl<B: Backend> Gain<B> for Divide<B> {
    fn gain(&self) -> Coefficient<FloatTensor<B>> {
        self.divisor.clone().map(B::float_recip)
    }
    fn then_gain(&self, gain: &Coefficient<FloatTensor<B>>) -> Arc<dyn LinearMap<B>> {
        let gain = gain.clone().join(self.divisor.clone(), B::float_div);
        Arc::new(Diagonal { gain })
    }
}

impl<B: Backend> Storage<B> for Divide<B> {
    fn stored(&self) -> Stored {
        Stored::of(&self.divisor)
    }
}

impl<B: Backend> Locality<B> for Divide<B> {
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        output.num_elements() as u64
    }
    entrywise!(|map: &Self, region: &Region| Self {
        divisor: map.divisor.clone().map(|d| region.of_batched::<B>(d)),
    });
}
