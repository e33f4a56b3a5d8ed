//! Which way a picture's stripes run: the structure tensor.

use crate::maps::axis;

/// Derivative and smoothing filters of 5 taps whose directions agree over most of the frequency
/// plane (Farid and Simoncelli, 2004, table of 5-tap first-order filters).
const SMOOTH: [f64; 5] = [0.037_659, 0.249_153, 0.426_375, 0.249_153, 0.037_659];
const SLOPE: [f64; 5] = [-0.109_604, -0.276_691, 0.0, 0.276_691, 0.109_604];

/// The angle in degrees, 0 ≤ angle < 180, and the coherence of Σ ∇v ∇vᵀ over channels and pixels.
///
/// With J = [[Jxx, Jxy], [Jxy, Jyy]]: angle ½ atan2(2 Jxy, Jxx − Jyy), coherence
/// √((Jxx − Jyy)² + 4 Jxy²)/(Jxx + Jyy). Gradients are taken where the filters lie inside the
/// picture: what a border adds is no stripe. NaN for pictures below 5 pixels a side, and where there is
/// no gradient. Stripes a pixel apart (alternating signs) have none under these filters.
pub fn orientation(values: &[f64], [h, w]: [usize; 2]) -> [f64; 2] {
    if h < 5 || w < 5 {
        return [f64::NAN; 2];
    }
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    let mut across = vec![[0.0; 2]; h * w];
    for channel in values.chunks(h * w) {
        // Along x first: the slope and the smooth.
        for y in 0..h {
            for x in 2..w - 2 {
                let taps = &channel[y * w + x - 2..y * w + x + 3];
                let sum = |filter: &[f64; 5]| -> f64 {
                    taps.iter().zip(filter).map(|(v, f)| v * f).sum()
                };
                across[y * w + x] = [sum(&SLOPE), sum(&SMOOTH)];
            }
        }
        for y in 2..h - 2 {
            for x in 2..w - 2 {
                let (mut gx, mut gy) = (0.0, 0.0);
                for tap in 0..5 {
                    let [slope, smooth] = across[(y + tap - 2) * w + x];
                    gx += SMOOTH[tap] * slope;
                    gy += SLOPE[tap] * smooth;
                }
                xx += gx * gx;
                xy += gx * gy;
                yy += gy * gy;
            }
        }
    }
    // A constant leaves rounding only.
    let energy: f64 = values.iter().map(|v| v * v).sum();
    if xx + yy <= 1e-24 * energy {
        return [f64::NAN; 2];
    }
    axis(xx, xy, yy)
}
