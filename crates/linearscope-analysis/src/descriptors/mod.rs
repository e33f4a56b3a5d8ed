//! What eigen-inputs and eigen-outputs look like, in numbers, so that "localised, oriented,
//! band-pass, like wavelets" becomes a measurement.
//!
//! For a picture v, `[c, h, w]`, with the energy map E(q) = Σ_c v(c, q)²:
//!
//! - *localisation*: the spread √(Σ E |q − q̄|² / Σ E) about the centroid q̄, in pixels (a Gabor patch
//!   of standard deviation σ: σ; a picture of constant magnitude: √((h² + w² − 2)/12)), and the
//!   effective area (Σ E)² / Σ E², the number of pixels that would hold the same energy evenly; the
//!   area over h·w is the *coverage*, 1 for a picture that covers everything evenly. The patch itself
//!   may be elongated: the axis and elongation of its energy.
//! - *orientation*: the structure tensor Σ ∇v ∇vᵀ over channels and pixels ([`orientation`]). The
//!   angle of its main axis is that of the wave vector, across the stripes; its coherence
//!   (λ₁ − λ₂)/(λ₁ + λ₂) is 1 for stripes and 0 if no direction prevails.
//! - *frequency*: the radially averaged power spectrum ([`frequency`]): centre, and bandwidth in
//!   octaves, 2.9 for a white spectrum or one that begins at frequency 0. The share of the mean is
//!   reported separately: a band-pass picture has none.
//!
//! Wavelets have a small coverage, a coherence near 1, and a bandwidth of one to two octaves; pictures of
//! a cosine transform have a coverage of 4/9, and as narrow a band as can be measured.

pub mod frequency;
pub mod orientation;

use serde::{Deserialize, Serialize};

use crate::maps::Energy;
use frequency::Band;

/// What one picture looks like. Positions and directions are `[y, x]`, y down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Where it lies, in pixels.
    pub centroid: [f64; 2],
    /// √(Σ E |q − centroid|² / Σ E), in pixels.
    pub spread: f64,
    /// (Σ E)² / Σ E², in pixels.
    pub area: f64,
    /// The area over all pixels.
    pub coverage: f64,
    /// The direction of the patch, in degrees as below ([`Energy::axis`]); NaN for a single pixel.
    pub axis: f64,
    /// How long it is: 0 for a disc, 1 for a line; NaN for a single pixel.
    pub elongation: f64,
    /// The angle of the wave vector in degrees, 0 ≤ angle < 180: 0 points right (stripes stand), 90
    /// down, 45 down to the right. NaN where there is no gradient.
    pub angle: f64,
    /// How strongly this direction prevails, 0..1; NaN if there is no gradient.
    pub coherence: f64,
    /// The band of its frequencies.
    #[serde(flatten)]
    pub band: Band,
}

/// Measure one picture of shape `[c, h, w]` or `[1, c, h, w]`; `None` if it is not a picture (a vector, a volume, or
/// less than 2 pixels per side), and for zero. Three axes could also be a signal, `[1, c, l]`; the caller must know
/// which it is.
///
/// Cost: a fast Fourier transform per channel.
///
/// # Example
/// ```
/// use linearscope_analysis::descriptors::describe;
///
/// // Stripes of 8 pixels a period that stand upright.
/// let stripes: Vec<f64> = (0..32 * 32).map(|i| (i as f64 * std::f64::consts::TAU / 8.0).cos()).collect();
/// let found = describe(&stripes, &[1, 32, 32]).expect("a picture");
/// assert!((found.band.frequency - 1.0 / 8.0).abs() < 0.01 && found.coherence > 0.99);
/// ```
pub fn describe(values: &[f64], shape: &[usize]) -> Option<Descriptor> {
    let &[ref outer @ .., c, h, w] = shape else {
        return None;
    };
    let fits = c * h * w == values.len() && h >= 2 && w >= 2 && outer.len() <= 1;
    if !fits || outer.iter().any(|&size| size != 1) {
        return None;
    }
    let energy = Energy::of(values, [h, w]);
    let area = energy.area();
    let [angle, coherence] = orientation::orientation(values, [h, w]);
    let [axis, elongation] = energy.axis()?;
    Some(Descriptor {
        axis,
        elongation,
        centroid: energy.centroid()?,
        spread: energy.spread()?,
        area,
        coverage: area / (h * w) as f64,
        angle,
        coherence,
        band: frequency::band(values, [h, w])?,
    })
}

/// Measure k pictures, one after the other; `None` where they are none.
pub fn describe_all(values: &[f64], shape: &[usize]) -> Option<Vec<Descriptor>> {
    let each = shape.iter().product::<usize>().max(1);
    values
        .chunks(each)
        .map(|values| describe(values, shape))
        .collect()
}

#[cfg(test)]
mod tests;
