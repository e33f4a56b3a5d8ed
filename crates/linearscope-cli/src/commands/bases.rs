//! What singular vectors look like, as numbers: a table, and an entry of the manifest.

use linearscope_analysis::descriptors::{Descriptor, describe_all};
use serde_json::json;

use crate::session::Session;

/// A line for each eigen-input and eigen-output that is a picture; notes all of them.
pub(crate) fn describe(
    session: &mut Session,
    (v, input): (&[f64], &[usize]),
    (u, output): (&[f64], &[usize]),
) -> Vec<String> {
    let (v, u) = (describe_all(v, input), describe_all(u, output));
    session.note("bases", json!({ "v": v, "u": u }));
    let mut lines = Vec::new();
    for (letter, found) in [("v", v), ("u", u)] {
        for (i, basis) in found.into_iter().flatten().enumerate() {
            if lines.is_empty() {
                lines.push(HEAD.into());
            }
            lines.push(line(&format!("{letter}{}", i + 1), &basis));
        }
    }
    lines
}

const HEAD: &str = "       spread px   cover  lies at  elongated  stripes  coherence  cycles/px  octaves   mean   \
    (docs/bases.md)";

fn line(name: &str, basis: &Descriptor) -> String {
    format!(
        "{name:>5} {:10.2} {:6.1}% {:7.0}° {:10.2} {:7.0}° {:10.2} {:10.3} {:8.2} {:5.0}%",
        basis.spread,
        100.0 * basis.coverage,
        basis.axis,
        basis.elongation,
        // Stripes run across the wave vector.
        (basis.angle + 90.0) % 180.0,
        basis.coherence,
        basis.band.frequency,
        basis.band.octaves,
        100.0 * basis.band.mean,
    )
}
