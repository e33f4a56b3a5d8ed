//! Off-diagonal energy: what a row holds away from its own place.

use super::{Energy, energy::distance};

/// The pixels that lie more than `radius` from `own`, with their energy.
pub(super) fn outside(
    energy: &Energy,
    own: [f64; 2],
    radius: f64,
) -> impl Iterator<Item = ([f64; 2], f64)> + '_ {
    energy
        .pixels()
        .filter(move |(at, _)| distance(*at, own) > radius)
}

/// Σ_{|q − own| > radius} E(q) / Σ E(q); NaN without energy.
pub fn share(energy: &Energy, own: [f64; 2], radius: f64) -> f64 {
    // From 0, since an empty sum of floats is −0.
    let away = outside(energy, own, radius).fold(0.0, |sum, (_, e)| sum + e);
    away / energy.total()
}
