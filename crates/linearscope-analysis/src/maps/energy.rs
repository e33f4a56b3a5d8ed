//! The energy map of one field: how much of it lies at each pixel.

use serde::{Deserialize, Serialize};

/// Σ v² over channels at each pixel of a picture, `[h, w]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    values: Vec<f64>,
    size: [usize; 2],
}

impl Energy {
    /// Of any number of channels of `[h, w]` numbers, one after the other.
    pub fn of(channels: &[f64], size: [usize; 2]) -> Self {
        let pixels = size[0] * size[1];
        let mut values = vec![0.0; pixels];
        for channel in channels.chunks(pixels) {
            for (sum, value) in values.iter_mut().zip(channel) {
                *sum += value * value;
            }
        }
        Self { values, size }
    }

    /// The numbers, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// `[h, w]`.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Σ E.
    pub fn total(&self) -> f64 {
        self.values.iter().sum()
    }

    /// The pixels that hold energy, `[y, x]`, and how much.
    pub fn pixels(&self) -> impl Iterator<Item = ([f64; 2], f64)> + '_ {
        let w = self.size[1];
        let place = move |(i, &e): (usize, &f64)| ([(i / w) as f64, (i % w) as f64], e);
        self.values
            .iter()
            .enumerate()
            .filter(|(_, e)| **e > 0.0)
            .map(place)
    }

    /// Σ E q / Σ E, as `[y, x]`; `None` where there is no energy.
    pub fn centroid(&self) -> Option<[f64; 2]> {
        centroid(self.pixels())
    }

    /// √(Σ E |q − centroid|² / Σ E), in pixels; `None` where there is no energy.
    pub fn spread(&self) -> Option<f64> {
        let centroid = self.centroid()?;
        let moment: f64 = self
            .pixels()
            .map(|(at, e)| e * distance(at, centroid).powi(2))
            .sum();
        Some((moment / self.total()).sqrt())
    }

    /// Which way it lies, and how clearly: the main axis of M = Σ E (q − q̄)(q − q̄)ᵀ / Σ E as an angle in
    /// degrees, 0 ≤ angle < 180, 0 to the right and 90 down; and (λ₁ − λ₂)/(λ₁ + λ₂) of M, 1 for a line
    /// and 0 for a disc. `None` where there is no energy, NaN for a single pixel.
    pub fn axis(&self) -> Option<[f64; 2]> {
        let centroid = self.centroid()?;
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (at, e) in self.pixels() {
            let (y, x) = (at[0] - centroid[0], at[1] - centroid[1]);
            (xx, xy, yy) = (xx + e * x * x, xy + e * x * y, yy + e * y * y);
        }
        Some(axis(xx, xy, yy))
    }

    /// The effective area (Σ E)² / Σ E² in pixels, the participation ratio: n where n pixels hold the
    /// same energy and the rest none; 0 where there is none.
    pub fn area(&self) -> f64 {
        // Over the largest, so that no square leaves the range of f64.
        let largest = self.values.iter().copied().fold(0.0, f64::max);
        if largest == 0.0 {
            return 0.0;
        }
        let (sum, squares) = self.values.iter().fold((0.0, 0.0), |(sum, squares), e| {
            let e = e / largest;
            (sum + e, squares + e * e)
        });
        sum * sum / squares
    }
}

/// The main axis of [[xx, xy], [xy, yy]] ≥ 0: its angle in degrees from x towards y, 0 ≤ angle < 180, and
/// (λ₁ − λ₂)/(λ₁ + λ₂). NaN for zero.
pub(crate) fn axis(xx: f64, xy: f64, yy: f64) -> [f64; 2] {
    if xx + yy <= 0.0 {
        return [f64::NAN; 2];
    }
    let angle = 0.5 * (2.0 * xy).atan2(xx - yy).to_degrees();
    [
        // Rounding just below 0 becomes 180 itself, which is 0.
        angle.rem_euclid(180.0) % 180.0,
        (xx - yy).hypot(2.0 * xy) / (xx + yy),
    ]
}

/// Σ E q / Σ E of some pixels.
pub(super) fn centroid(pixels: impl Iterator<Item = ([f64; 2], f64)>) -> Option<[f64; 2]> {
    let (mut sum, mut moment) = (0.0, [0.0; 2]);
    for (at, e) in pixels {
        sum += e;
        moment = [moment[0] + e * at[0], moment[1] + e * at[1]];
    }
    (sum > 0.0).then(|| moment.map(|m| m / sum))
}

/// The distance of two positions, in pixels.
pub(super) fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}
