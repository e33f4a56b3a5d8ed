//! Random numbers that are the same on every machine.

use linearscope_analysis::SplitMix64;

/// A seeded source of choices.
#[derive(Clone, Debug)]
pub struct Random(SplitMix64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// Uniform in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * 0.5 * (self.0.next_uniform() + 1.0)
    }

    /// One of 0..count.
    pub fn below(&mut self, count: usize) -> usize {
        (self.between(0.0, count as f64) as usize).min(count - 1)
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.between(0.0, 1.0) < probability
    }

    /// A colour, each channel in 0..1.
    pub fn colour(&mut self) -> [f64; 3] {
        std::array::from_fn(|_| self.between(0.05, 0.95))
    }
}
