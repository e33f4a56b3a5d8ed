//! How far a field reaches: the radius that holds most of its energy.

use super::{Energy, energy::distance};

/// The shares of the energy whose radii are asked for.
pub const SHARES: [f64; 3] = [0.5, 0.9, 0.99];

/// The smallest r for which the pixels within r of `own` hold a share of the energy,
/// Σ_{|q − own| ≤ r} E(q) ≥ share · Σ E(q), for each of [`SHARES`]; NaN without energy.
///
/// A pixel counts by its centre: a field that is one pixel, at its own place, has radius 0.
pub fn radii(energy: &Energy, own: [f64; 2]) -> [f64; SHARES.len()] {
    let mut found = [f64::NAN; SHARES.len()];
    let mut pixels: Vec<(f64, f64)> = energy
        .pixels()
        .map(|(at, e)| (distance(at, own), e))
        .collect();
    pixels.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Summed in the order they are compared in, so that all of it is all of it.
    let total: f64 = pixels.iter().map(|(_, e)| e).sum();
    let mut held = 0.0;
    let mut next = 0;
    for (distance, e) in pixels {
        held += e;
        while next < SHARES.len() && held >= SHARES[next] * total {
            found[next] = distance;
            next += 1;
        }
    }
    found
}
