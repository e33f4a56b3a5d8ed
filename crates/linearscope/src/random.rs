//! Random vectors that are the same on every machine.

/// The generator *SplitMix64* (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*,
/// 2014), read as numbers in [−1, 1).
///
/// ```
/// use linearscope::SplitMix64;
/// let (mut a, mut b) = (SplitMix64::new(7), SplitMix64::new(7));
/// assert!((0..100).all(|_| {
///     let x = a.next_uniform();
///     (-1.0..1.0).contains(&x) && x == b.next_uniform()
/// }));
/// ```
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, uniform in [−1, 1).
    pub fn next_uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// The next sign, −1 or 1 (Rademacher).
    pub fn next_sign(&mut self) -> f64 {
        if self.next_uniform() < 0.0 { -1.0 } else { 1.0 }
    }

    /// The next `len` numbers, uniform in [−1, 1).
    pub fn uniform(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| self.next_uniform()).collect()
    }

    /// The next `len` signs.
    pub fn signs(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| self.next_sign()).collect()
    }
}

/// `len` numbers, uniform in [−1, 1), the same for a seed on every machine.
pub fn noise(len: usize, seed: u64) -> Vec<f64> {
    SplitMix64::new(seed).uniform(len)
}
