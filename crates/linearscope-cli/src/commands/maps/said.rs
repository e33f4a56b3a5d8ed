//! What `maps` says of what it found: in lines, in a table, and as numbers.

use linearscope_analysis::maps::field::SHARES;
use linearscope_picture::significant;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{ARROWS, Found};

/// What is said of fields that hold nothing: behind units that are off, say.
pub(super) const NO_ENERGY: &str = "all zero";

/// The numbers of a folder's table; NaN, which is null, for what is left out.
pub(super) fn numbers(found: &Found) -> Value {
    let median = |values: &[f64]| distribution(values).median;
    let columns = &found.columns;
    let row = |share: usize| -> f64 {
        let rows = found.rows.as_ref();
        rows.map_or(f64::NAN, |rows| median(&rows.radii[share]))
    };
    json!({
        "row_radius_50": row(0),
        "row_radius_90": row(1),
        "row_radius_99": row(2),
        "column_radius_50": median(&columns.radii[0]),
        "column_radius_90": median(&columns.radii[1]),
        "column_radius_99": median(&columns.radii[2]),
        "off_diagonal": found.rows.as_ref().map_or(f64::NAN, |rows| rows.feeds.share),
        "column_area": median(&columns.area),
        "templates": columns.wide,
        "shift_variance": found.shift.as_ref().map_or(f64::NAN, |shift| shift.whole),
    })
}

/// The same for a person, in one line.
pub(super) fn line(found: &Found) -> String {
    let columns = &found.columns;
    let mut parts = Vec::new();
    if let Ok(rows) = &found.rows
        && rows.feeds.share.is_nan()
    {
        parts.push(format!("rows are {NO_ENERGY}"));
    } else if let Ok(rows) = &found.rows {
        parts.push(format!(
            "90 % of a row within {:.1} px, of a column within {:.1} px",
            distribution(&rows.radii[1]).median,
            distribution(&columns.radii[1]).median
        ));
        parts.push(format!("off-diagonal {:.2} %", 100.0 * rows.feeds.share));
    }
    parts.push(format!("{} templates", columns.wide));
    if let Ok(shift) = &found.shift
        && !shift.whole.is_nan()
    {
        parts.push(format!("shift-variance {:.3}", shift.whole));
    }
    let left_out: Vec<&str> = found.left_out().iter().map(|(what, _)| *what).collect();
    if !left_out.is_empty() {
        parts.push(format!("left out: {}", left_out.join(", ")));
    }
    parts.join(" · ")
}

/// One measure over the places looked at.
#[derive(Serialize)]
pub(super) struct Measure {
    measure: String,
    median: f64,
    mean: f64,
    largest: f64,
    unit: &'static str,
}

pub(super) fn measures(found: &Found) -> Vec<Measure> {
    let mut all = Vec::new();
    let mut add = |measure: String, values: &[f64], unit: &'static str| {
        let Distribution {
            median,
            mean,
            largest,
        } = distribution(values);
        all.push(Measure {
            measure,
            median,
            mean,
            largest,
            unit,
        });
    };
    let columns = &found.columns;
    if let Ok(rows) = &found.rows {
        for (share, values) in SHARES.iter().zip(&rows.radii) {
            add(
                format!("row_radius_{:.0}", 100.0 * share),
                values,
                "input px",
            );
        }
    }
    if found.pictures.place.is_some() {
        for (share, values) in SHARES.iter().zip(&columns.radii) {
            add(
                format!("column_radius_{:.0}", 100.0 * share),
                values,
                "output px",
            );
        }
    }
    add("column_area".into(), &columns.area, "output px");
    if let Ok(rows) = &found.rows {
        add("off_diagonal".into(), &rows.off_diagonal, "share");
    }
    if let Ok(shift) = &found.shift {
        add("shift_variance".into(), &shift.values, "share");
    }
    all
}

/// Median, mean and largest of the numbers there are.
#[derive(Debug, Serialize)]
struct Distribution {
    median: f64,
    mean: f64,
    largest: f64,
}

fn distribution(values: &[f64]) -> Distribution {
    let mut values: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    Distribution {
        median: match values.len() {
            0 => f64::NAN,
            n if n % 2 == 0 => 0.5 * (values[middle - 1] + values[middle]),
            _ => values[middle],
        },
        mean: values.iter().sum::<f64>() / values.len() as f64,
        largest: values.last().copied().unwrap_or(f64::NAN),
    }
}

pub(super) fn report(found: &Found) -> Value {
    let radius = |radii: &[Vec<f64>; SHARES.len()]| -> Value {
        let named = SHARES.iter().zip(radii);
        let named =
            named.map(|(share, radii)| json!({ "share": share, "radius": distribution(radii) }));
        named.collect()
    };
    let zero = |energy: &[f64]| energy.iter().filter(|e| **e == 0.0).count();
    let columns = &found.columns;
    let placed = found.pictures.place.is_some();
    let rows = found.rows.as_ref().ok();
    let shift = found.shift.as_ref().ok();
    let left_out: Map<String, Value> = found
        .left_out()
        .into_iter()
        .map(|(what, reason)| (what.into(), reason.into()))
        .collect();
    json!({
        "pictures": found.pictures,
        "assumed": found.assumed(),
        "left_out": left_out,
        "rows": rows.map(|rows| json!({
            "grid": rows.grid,
            "zero": zero(&rows.energy),
            "radius_input_px": radius(&rows.radii),
        })),
        "columns": {
            "grid": columns.grid,
            "zero": zero(&columns.energy),
            "radius_output_px": placed.then(|| radius(&columns.radii)),
            "area_output_px": distribution(&columns.area),
        },
        "off_diagonal": rows.map(|rows| json!({
            "beyond_input_px": rows.radius,
            "whole": rows.feeds.share,
            "places": distribution(&rows.off_diagonal),
        })),
        "arrows": rows.map(|rows| {
            let arrows = &rows.feeds.arrows;
            arrows[..arrows.len().min(ARROWS)].to_vec()
        }),
        "templates": {
            "least_area_output_px": columns.least_area,
            "wide_columns": columns.wide,
            "of": columns.grid.len(),
            "listed": columns.templates.len(),
        },
        "shift_variance": shift.map(|shift| json!({
            "grid": shift.grid,
            "period": found.period,
            "steps_input_px": shift.steps[0],
            "steps_output_px": shift.steps[1],
            "with_border": shift.with_border,
            "whole": shift.whole,
            "places": distribution(&shift.values),
        })),
        "places": found.at,
    })
}

pub(super) fn summary(found: &Found) -> Vec<String> {
    let columns = &found.columns;
    let mut lines = Vec::new();
    let mut radius = |name: String, radii: [f64; SHARES.len()], unit: &str| {
        if lines.is_empty() {
            lines.push("radius that contains this share of a field's energy:".to_string());
            lines.push(format!(
                "{:24} {:>8} {:>8} {:>8}",
                "", "50 %", "90 %", "99 %"
            ));
        }
        if radii.iter().any(|radius| radius.is_nan()) {
            lines.push(format!("{name:24} {NO_ENERGY}"));
            return;
        }
        let [half, most, all] = radii;
        lines.push(format!(
            "{name:24} {half:8.2} {most:8.2} {all:8.2} px of the {unit}"
        ));
    };
    let medians =
        |radii: &[Vec<f64>; SHARES.len()]| radii.each_ref().map(|r| distribution(r).median);
    if let Ok(rows) = &found.rows {
        radius(
            format!("rows ({}, median)", rows.grid.len()),
            medians(&rows.radii),
            "input",
        );
        radius(
            format!("columns ({}, median)", columns.grid.len()),
            medians(&columns.radii),
            "output",
        );
        for at in &found.at {
            radius(format!("row {}", at.at), at.radius, "input");
        }
        let places = distribution(&rows.off_diagonal);
        if rows.feeds.share.is_nan() {
            lines.push(format!("copied from elsewhere: {NO_ENERGY}"));
        } else {
            lines.push(format!(
            "copied from elsewhere (more than {:.1} px of the input away): {:.2} % of the energy of these \
             rows; per place, median {:.2} %, maximum {:.2} %",
            rows.radius,
            100.0 * rows.feeds.share,
            100.0 * places.median,
            100.0 * places.largest,
        ));
        }
        for arrow in rows.feeds.arrows.iter().take(3) {
            lines.push(format!(
                "  from y {:.0}, x {:.0} to y {:.0}, x {:.0}: {} %",
                arrow.from[0],
                arrow.from[1],
                arrow.to[0],
                arrow.to[1],
                significant(100.0 * arrow.weight, 2)
            ));
        }
    }
    lines.push(format!(
        "templates: {} of {} columns cover at least {:.0} px of the output (median {:.0} px)",
        columns.wide,
        columns.grid.len(),
        columns.least_area,
        distribution(&columns.area).median,
    ));
    for template in columns.templates.iter().take(3) {
        lines.push(format!(
            "  switched at y {}, x {}: {:.0} px about y {:.0}, x {:.0}, energy {}",
            template.place[0],
            template.place[1],
            template.area,
            template.centroid[0],
            template.centroid[1],
            significant(template.energy, 3),
        ));
    }
    if let Ok(shift) = &found.shift
        && !shift.whole.is_nan()
    {
        lines.push(format!(
            "shift-variance {:.4} (0: a convolution; 1: rows {} input px apart have nothing in common){}",
            shift.whole,
            shift.steps[0][0].max(shift.steps[0][1]),
            match shift.with_border {
                true => ", borders included, since every field touches one",
                false => "",
            }
        ));
    }
    lines.extend(found.left_out_lines());
    lines.extend(found.assumed().map(String::from));
    lines
}
