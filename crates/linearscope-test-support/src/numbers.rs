//! Numbers that are the same on every machine, and small measures of vectors.

/// Number `i` of a fixed sequence in [0, 1), the same in every language: Knuth's multiplicative
/// hash of i.
pub fn pseudo(i: usize) -> f64 {
    let hash = (i as u64 + 1).wrapping_mul(2_654_435_761) % (1 << 32);
    hash as f64 / (1u64 << 32) as f64
}

/// `count` numbers of the fixed sequence from `offset` on, stretched to [−1, 1).
pub fn signed(count: usize, offset: usize) -> Vec<f64> {
    (0..count).map(|i| 2.0 * pseudo(i + offset) - 1.0).collect()
}

/// A small deterministic generator: splitmix64, from any state.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [−1, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// One of 0..n.
    ///
    /// # Panics
    /// For n = 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// `len` numbers in [−1, 1).
    pub fn vector(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| self.unit()).collect()
    }
}

/// √Σx².
pub fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// ‖a − b‖.
///
/// # Panics
/// When they differ in length.
pub fn gap(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of different length");
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&difference)
}

/// ‖a − b‖ / ‖b‖.
///
/// # Panics
/// When they differ in length.
pub fn relative(a: &[f64], b: &[f64]) -> f64 {
    gap(a, b) / norm(b).max(f64::MIN_POSITIVE)
}

/// Σ aᵢ bᵢ.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
