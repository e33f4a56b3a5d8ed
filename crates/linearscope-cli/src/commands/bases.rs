//! What singular vectors look like, as numbers: a table, and an entry of the manifest.

use linearscope_analysis::descriptors::{Descriptor, describe_all};
use serde::Serialize;
use serde_json::json;

use crate::{command::TableAbout, error::Result, kind::Kind, session::Session};

/// A singular vector in numbers; docs/book/src/bases.md explains each.
#[derive(Serialize)]
struct Measured {
    vector: String,
    spread_px: f64,
    area_px: f64,
    coverage: f64,
    axis_deg: f64,
    elongation: f64,
    stripes_deg: f64,
    coherence: f64,
    cycles_per_px: f64,
    octaves: f64,
    mean: f64,
}

impl Measured {
    fn new(vector: String, found: &Descriptor) -> Self {
        Self {
            vector,
            spread_px: found.spread,
            area_px: found.area,
            coverage: found.coverage,
            axis_deg: found.axis,
            elongation: found.elongation,
            // Stripes run across the wave vector.
            stripes_deg: (found.angle + 90.0) % 180.0,
            coherence: found.coherence,
            cycles_per_px: found.band.frequency,
            octaves: found.band.octaves,
            mean: found.band.mean,
        }
    }
}

/// Its columns.
pub(crate) const TABLE: TableAbout = TableAbout {
    name: "vectors",
    rows: "one line for each eigen-input and eigen-output that is a picture",
    columns: &[
        (
            "vector",
            "v1 is the first eigen-input, u1 the first eigen-output",
        ),
        (
            "spread_px",
            "root mean square distance of its energy from its centre",
        ),
        ("area_px", "pixels that its energy covers"),
        ("coverage", "the same over all pixels"),
        ("axis_deg", "which way the patch lies; 0 across, 90 down"),
        ("elongation", "0 for a disc, 1 for a line"),
        ("stripes_deg", "which way its stripes run"),
        ("coherence", "how strongly that direction prevails, 0 to 1"),
        ("cycles_per_px", "its mean frequency"),
        ("octaves", "the width of its band"),
        ("mean", "the share of energy in its mean"),
    ],
};

/// A line for each eigen-input and eigen-output that is a picture; notes all of them.
pub(crate) fn describe(
    session: &mut Session,
    (v, input): (&[f64], &[usize]),
    (u, output): (&[f64], &[usize]),
) -> Result<Vec<String>> {
    let (mut lines, mut records) = (Vec::new(), Vec::new());
    let mut left_out = Vec::new();
    let mut of = |name: &str, values: &[f64], shape: &[usize]| match Kind::of(shape) {
        Kind::Picture => describe_all(values, shape),
        kind => {
            if let Kind::Signal | Kind::Volume = kind {
                left_out.push(format!("each {name} is {}", kind.words()));
            }
            None
        }
    };
    let (v, u) = (of("v", v, input), of("u", u, output));
    let left_out = (!left_out.is_empty()).then(|| {
        format!(
            "spread, stripes and frequency are measures of pictures: {}",
            left_out.join(", ")
        )
    });
    session.note("bases", json!({ "v": v, "u": u, "left_out": left_out }));
    for (letter, found) in [("v", v), ("u", u)] {
        for (i, basis) in found.into_iter().flatten().enumerate() {
            if lines.is_empty() {
                lines.push(HEAD.into());
            }
            let one = Measured::new(format!("{letter}{}", i + 1), &basis);
            lines.push(line(&one));
            records.push(one);
        }
    }
    session.save_table("vectors", &records)?;
    lines.extend(left_out);
    Ok(lines)
}

const HEAD: &str = "       spread px   cover  lies at  elongated  stripes  coherence  cycles/px  octaves   mean   \
    (docs/book/src/bases.md)";

fn line(one: &Measured) -> String {
    format!(
        "{:>5} {:10.2} {:6.1}% {:7.0}° {:10.2} {:7.0}° {:10.2} {:10.3} {:8.2} {:5.0}%",
        one.vector,
        one.spread_px,
        100.0 * one.coverage,
        one.axis_deg,
        one.elongation,
        one.stripes_deg,
        one.coherence,
        one.cycles_per_px,
        one.octaves,
        100.0 * one.mean,
    )
    // What there is not: a single pixel has no axis.
    .replace("NaN", " – ")
}
