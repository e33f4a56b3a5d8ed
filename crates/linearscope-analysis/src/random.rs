//! Random vectors that are the same on every machine.

use burn::tensor::Tensor;

use crate::LinearOperator;

/// A stream of numbers in [−1, 1): splitmix64.
#[derive(Clone, Debug)]
pub struct Stream(u64);

impl Stream {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// The next `k` vectors of length `len`, `[k, len]`, where the operator's vectors live.
    pub(crate) fn vectors(&mut self, f: &impl LinearOperator, k: usize, len: usize) -> Tensor<2> {
        let values = (0..k * len).map(|_| self.next()).collect();
        f.upload(values, len)
    }
}

/// `len` numbers in [−1, 1), the same for a seed on every machine.
pub fn noise(len: usize, seed: u64) -> Vec<f64> {
    let mut stream = Stream::new(seed);
    (0..len).map(|_| stream.next()).collect()
}
