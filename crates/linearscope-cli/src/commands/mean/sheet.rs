//! The pictures of `mean`: filters, sub-pixels side by side, and the shares as bars.

use linearscope_analysis::maps::mean::MeanOperator;
use linearscope_picture::{Array, Band, Bar, BarChart, Panel, Sheet};

use super::{doubts, filters_line, percent, phase, shares};
/// Channels drawn at either end; the array has all of them.
const CHANNELS: usize = 4;

/// What channels are called, one or three of them as the recipe orders them.
fn names(count: usize, order: Option<&str>) -> Vec<String> {
    let colours: Option<[&str; 3]> = match order {
        Some("rgb") => Some(["red", "green", "blue"]),
        Some("bgr") => Some(["blue", "green", "red"]),
        _ => None,
    };
    match (count, colours) {
        (3, Some(colours)) => colours.map(String::from).into(),
        _ => (0..count).map(|i| format!("channel {i}")).collect(),
    }
}

/// The part of the energy that may lie outside of what is drawn of the filters.
const UNSEEN: f64 = 1e-3;

/// How far from their middle filters are drawn, in input pixels: most of a window is empty, and what is in it small.
fn seen(found: &MeanOperator) -> usize {
    let [.., size] = found.shape;
    let radius = size / 2;
    // By distance from the middle, the larger of down and right.
    let mut rings = vec![0.0; radius + 1];
    for (i, value) in found.filters.iter().enumerate() {
        let off = [i / size % size, i % size].map(|at| at.abs_diff(radius));
        rings[off[0].max(off[1])] += value * value;
    }
    let whole: f64 = rings.iter().sum();
    let mut outside = whole;
    let enough = rings.iter().position(|ring| {
        outside -= ring;
        outside <= UNSEEN * whole
    });
    enough.unwrap_or(radius).max(1).min(radius)
}

/// The filters from one channel to another as far as `reach`, each at the place of its sub-pixel, and their sizes down and
/// right.
fn tiles(found: &MeanOperator, to: usize, from: usize, reach: usize) -> (Vec<f64>, [usize; 2]) {
    let [down, right, d, c, size, _] = found.shape;
    let (shown, skipped) = (2 * reach + 1, size / 2 - reach);
    let (h, w) = (down * shown, right * shown);
    let mut values = vec![0.0; h * w];
    for phase in 0..down * right {
        let first = ((phase * d + to) * c + from) * size * size;
        let (top, left) = (phase / right * shown, phase % right * shown);
        for line in 0..shown {
            let row = &found.filters[first + (skipped + line) * size + skipped..][..shown];
            values[(top + line) * w + left..][..shown].copy_from_slice(row);
        }
    }
    (values, [h, w])
}

/// The filters, a band for each channel of the output and a panel for each of the input, all on one scale.
pub(super) fn filters(model: &str, found: &MeanOperator, order: Option<&str>) -> Sheet {
    let [down, right, d, c, ..] = found.shape;
    let [outputs, inputs] = [names(d, order), names(c, order)];
    let scale = found.filters.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let energy = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
    let whole = energy(&found.filters);
    let reach = seen(found);
    let panel = |to: usize, from: usize| {
        let (values, size) = tiles(found, to, from, reach);
        let array = Array::new(&values, &size)?;
        let raster = array.signed(array.whole(), Some(scale), Sheet::MOST);
        let title = match (d, c) {
            (1, 1) => String::from("mean filters"),
            _ => format!("{} to {}", inputs[from], outputs[to]),
        };
        let share = match whole > 0.0 {
            true => energy(&values) / whole,
            false => f64::NAN,
        };
        let panel = Panel::new(title, raster).tiles([down, right]);
        Some(match (d, c) {
            (1, 1) => panel,
            _ => panel.caption(format!("{} of the energy", percent(share))),
        })
    };
    let band = |to: usize| Band {
        heading: match (d, c) {
            (1, 1) => String::new(),
            (1, _) => "Mean filters".into(),
            _ => format!("Mean filters to {}", outputs[to]),
        },
        panels: (0..c.min(CHANNELS))
            .filter_map(|from| panel(to, from))
            .collect(),
    };
    let mut notes = vec![format!("{}.", sentence(&filters_line(found)))];
    if down * right > 1 {
        notes.push(format!(
            "The filters lie in a panel as each {} lies in the output; the middle of each is the input pixel nearest to it.",
            phase(found)
        ));
    }
    if 2 * reach + 1 < found.shape[4] {
        notes.push(format!(
            "Their middle {0}×{0} is shown, outside of which lies at most 0.1 % of their energy.",
            2 * reach + 1
        ));
    }
    let parts: Vec<String> = shares(found)
        .iter()
        .map(|share| format!("{} {}", share.part, percent(share.share)))
        .collect();
    notes.push(format!("Of the energy of the rows: {}.", parts.join(", ")));
    if d > CHANNELS || c > CHANNELS {
        notes.push(format!(
            "The first {CHANNELS} channels at either end; filters.npy has all."
        ));
    }
    notes.extend(doubtful(found));
    Sheet {
        title: format!("Mean operator, {model}"),
        notes,
        bands: (0..d.min(CHANNELS)).map(band).collect(),
    }
}

/// What there is to doubt, a sentence each.
fn doubtful(found: &MeanOperator) -> Vec<String> {
    let doubts = doubts(found);
    let sentences = doubts.iter().map(|doubt| format!("{}.", sentence(doubt)));
    sentences.collect()
}

/// With a capital at the beginning.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// The shares as bars; what lies outside the window is grey.
pub(super) fn bars(model: &str, found: &MeanOperator) -> BarChart {
    let mut notes = vec![format!("{}.", sentence(&filters_line(found)))];
    if found.energy == 0.0 {
        notes.push("All rows are zero, so there are no shares.".into());
    }
    notes.extend(doubtful(found));
    BarChart {
        title: format!("Shares of the rows' energy, {model}"),
        notes,
        bars: shares(found)
            .into_iter()
            .filter(|share| share.share.is_finite())
            .map(|share| Bar {
                label: share.part.into(),
                value: share.share,
                note: percent(share.share),
                apart: share.part == "outside",
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use linearscope_analysis::maps::mean::{Aligned, Shares};

    use super::*;

    /// 1×2 sub-pixels, two channels out, one in, windows of 3×3, numbered.
    fn numbered() -> MeanOperator {
        let along = Aligned {
            step: [1, 2],
            offset: 0.0,
            ratio: 0.5,
        };
        MeanOperator {
            shape: [1, 2, 2, 1, 3, 3],
            filters: (0..36).map(f64::from).collect(),
            shares: Shares {
                fixed: 0.5,
                within_pictures: 0.25,
                between_pictures: 0.0,
                outside: 0.25,
            },
            energy: 8.0,
            rows: vec![20, 30],
            along: [along; 2],
            pictures: 1,
            places: 50,
            least_rows: 20,
            with_border: false,
        }
    }

    #[test]
    fn sub_pixels_lie_side_by_side() {
        let found = numbered();
        let (values, size) = tiles(&found, 1, 0, 1);
        assert_eq!(size, [3, 6]);
        // Channel 1 of sub-pixel 0 begins at 9, of sub-pixel 1 at 27.
        assert_eq!(values[..6], [9.0, 10.0, 11.0, 27.0, 28.0, 29.0]);
        assert_eq!(values[12..], [15.0, 16.0, 17.0, 33.0, 34.0, 35.0]);
        // Their middle alone.
        assert_eq!(tiles(&found, 1, 0, 0), (vec![13.0, 31.0], [1, 2]));
    }

    /// What is drawn holds all but a thousandth, and is never a single pixel.
    #[test]
    fn empty_margins_are_not_drawn() {
        let of = |at: usize, value: f64| {
            let mut filters = vec![0.0; 81];
            filters[40] = 1.0;
            filters[at] = value;
            let shape = [1, 1, 1, 1, 9, 9];
            seen(&MeanOperator {
                shape,
                filters,
                ..numbered()
            })
        };
        assert_eq!(of(40, 1.0), 1);
        // Two pixels down and one to the left.
        assert_eq!(of(57, 0.04), 2);
        assert_eq!(of(57, 0.03), 1);
        assert_eq!(of(0, 1.0), 4);
    }

    #[test]
    fn a_single_picture_has_nothing_between_pictures() {
        let mut found = numbered();
        let parts = |found: &MeanOperator| -> Vec<&str> {
            shares(found).iter().map(|share| share.part).collect()
        };
        assert_eq!(parts(&found), ["fixed", "within pictures", "outside"]);
        assert_eq!(shares(&found)[0].energy, 4.0);
        assert_eq!(bars("net.onnx", &found).bars.len(), 3);
        found.pictures = 2;
        assert_eq!(parts(&found).len(), 4);
        // No number at all rather than NaN.
        found.shares.fixed = f64::NAN;
        found.energy = 0.0;
        let svg = bars("net.onnx", &found).draw().to_svg();
        assert!(
            svg.contains("All rows are zero") && !svg.contains("NaN"),
            "{svg}"
        );
    }

    #[test]
    fn a_sheet_names_channels_and_draws_the_first() {
        let sheet = filters("net.onnx", &numbered(), None);
        assert_eq!(sheet.bands.len(), 2);
        assert_eq!(sheet.bands[1].panels[0].title, "channel 0 to channel 1");
        assert_eq!(names(3, Some("bgr"))[0], "blue");
        let many = MeanOperator {
            shape: [1, 1, 6, 5, 1, 1],
            filters: vec![1.0; 30],
            rows: vec![20],
            ..numbered()
        };
        let sheet = filters("net.onnx", &many, Some("rgb"));
        assert_eq!((sheet.bands.len(), sheet.bands[0].panels.len()), (4, 4));
        assert!(
            sheet
                .notes
                .iter()
                .any(|note| note.contains("filters.npy has all"))
        );
    }
}
