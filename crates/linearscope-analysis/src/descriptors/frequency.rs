//! Which frequencies a picture holds: its radially averaged power spectrum.

use rustfft::{FftPlanner, num_complex::Complex};
use serde::{Deserialize, Serialize};

/// Shares of the energy below which the band begins and ends. A Gaussian pass-band holds 76.1 % of its
/// energy between its half-power frequencies: for it this bandwidth is the half-power one.
const BEGINS: f64 = 0.1195;
const ENDS: f64 = 0.8805;

/// A band of frequencies, in cycles per pixel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// The centre: half of the energy lies below.
    pub frequency: f64,
    /// 11.95 % of the energy lie below.
    pub low: f64,
    /// 88.05 % of the energy lie below.
    pub high: f64,
    /// log₂(high / low).
    pub octaves: f64,
    /// The share of the picture's energy that is its mean: 1 for a constant, 0 for what is band-pass.
    pub mean: f64,
}

/// |DFT|² summed over channels, for frequencies u/h, v/w with u = 0..h, v = 0..=w/2.
fn power(values: &[f64], [h, w]: [usize; 2]) -> Vec<f64> {
    let mut planner = FftPlanner::new();
    let (rows, columns) = (planner.plan_fft_forward(w), planner.plan_fft_forward(h));
    let half = w / 2 + 1;
    let mut power = vec![0.0; h * half];
    let mut turned = vec![Complex::default(); half * h];
    for channel in values.chunks(h * w) {
        let mut lines: Vec<Complex<f64>> = channel.iter().map(|&v| v.into()).collect();
        rows.process(&mut lines);
        for y in 0..h {
            for v in 0..half {
                turned[v * h + y] = lines[y * w + v];
            }
        }
        columns.process(&mut turned);
        for v in 0..half {
            for u in 0..h {
                power[u * half + v] += turned[v * h + u].norm_sqr();
            }
        }
    }
    power
}

/// The mean power on rings of frequencies around 0, summed over channels. Ring k holds what is nearest
/// to k/max(h, w) cycles per pixel; ring 0 is the mean alone.
pub fn rings(values: &[f64], [h, w]: [usize; 2]) -> Vec<f64> {
    let power = power(values, [h, w]);
    let half = w / 2 + 1;
    let finest = h.max(w) as f64;
    let count = (finest * std::f64::consts::FRAC_1_SQRT_2).round() as usize + 1;
    let mut sums = vec![(0.0, 0.0); count];
    for u in 0..h {
        let fy = u.min(h - u) as f64 / h as f64;
        for v in 0..half {
            let fx = v as f64 / w as f64;
            // Real pictures: what lies at −v is what lies at v.
            let times = if v == 0 || 2 * v == w { 1.0 } else { 2.0 };
            let ring = &mut sums[(fy.hypot(fx) * finest).round() as usize];
            *ring = (ring.0 + times * power[u * half + v], ring.1 + times);
        }
    }
    sums.iter()
        .map(|(sum, count)| if *count > 0.0 { sum / count } else { 0.0 })
        .collect()
}

/// The band of a picture of channels of `[h, w]` numbers; `None` for zero.
///
/// The spectrum's profile p(f) is its mean over all directions ([`rings`]), so that a white picture is
/// flat; shares are those of ∫ p df, with each ring's energy spread evenly over its width 1/max(h, w).
/// Nothing narrower than that can be told.
pub fn band(values: &[f64], size: [usize; 2]) -> Option<Band> {
    let rings = rings(values, size);
    let width = 1.0 / size[0].max(size[1]) as f64;
    // From f = 0: ring 0 is half as wide.
    let begins = |ring: usize| (ring as f64 - 0.5).max(0.0) * width;
    let ends = |ring: usize| (ring as f64 + 0.5) * width;
    let energy: Vec<f64> = (0..rings.len())
        .map(|ring| rings[ring] * (ends(ring) - begins(ring)))
        .collect();
    let total: f64 = energy.iter().sum();
    if total <= 0.0 || !total.is_finite() {
        return None;
    }
    let below = |share: f64| {
        let mut left = share * total;
        for (ring, &held) in energy.iter().enumerate() {
            if held > 0.0 && left <= held {
                return begins(ring) + left / held * (ends(ring) - begins(ring));
            }
            left -= held;
        }
        ends(energy.len() - 1)
    };
    let (low, high) = (below(BEGINS), below(ENDS));
    // Of each channel's own mean, over all of the energy.
    let pixels = size[0] * size[1];
    let squares: f64 = values.iter().map(|v| v * v).sum();
    let constant: f64 = values
        .chunks(pixels)
        .map(|channel| channel.iter().sum::<f64>().powi(2) / pixels as f64)
        .sum();
    Some(Band {
        frequency: below(0.5),
        low,
        high,
        octaves: (high / low).log2(),
        mean: constant / squares,
    })
}
