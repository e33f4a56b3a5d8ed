//! `maps`: how far fields reach, what is copied from elsewhere, what is drawn by template, and how far
//! the network is from a convolution.

mod sheet;

use linearscope_analysis::{
    FrozenNetwork, LinearOperator,
    maps::{
        ColumnMaps, Grid, Pictures, RowMaps, column_maps,
        copy_move::{Origin, origin},
        energies,
        field::{SHARES, radii},
        off_diagonal, row_maps,
        shift::{self, ShiftMap},
    },
    operator::Field,
};
use linearscope_picture::Sheet;
use serde::Serialize;
use serde_json::{Value, json};

use super::position;
use crate::{
    args::{MapFlags, Maps},
    error::{Failure, Result},
    folder::{self, One},
    output,
    session::Session,
};

/// Places along the longer side of a picture, where no stride is given.
const ALONG: usize = 16;
/// Arrows listed and drawn.
const ARROWS: usize = 12;

/// One place that was asked for.
#[derive(Debug, Serialize)]
struct At {
    at: String,
    place: [usize; 2],
    own: [f64; 2],
    radius: [f64; SHARES.len()],
    off_diagonal: f64,
    origin: Option<Origin>,
    #[serde(skip)]
    energy: Vec<f64>,
}

/// All that was measured.
struct Found {
    pictures: Pictures,
    rows: RowMaps,
    columns: ColumnMaps,
    shift: ShiftMap,
    period: usize,
    at: Vec<At>,
}

pub(crate) fn run(args: &Maps) -> Result<()> {
    check(&args.grid)?;
    if !folder::is_one(&args.common) {
        return one(args).map(drop);
    }
    folder::each("maps", args, |args| &mut args.common, one)?.close((), &[])
}

fn one(args: &Maps) -> Result<One<()>> {
    let mut session = Session::open("maps", &args.common)?;
    let found = find(&session, &args.grid)?;
    write(&mut session, &found)?;
    let lines = summary(&found);
    session.close(&lines)?;
    Ok(One {
        line: lines.first().cloned().unwrap_or_default(),
        numbers: lines.into(),
        found: (),
    })
}

/// Whether this network makes one picture from one.
pub(crate) fn are_of(session: &Session) -> bool {
    Pictures::of(&session.frozen).is_ok()
}

/// The maps of a network from picture to picture, written: their sheet and what they say.
pub(crate) fn part(session: &mut Session) -> Result<(Sheet, Vec<String>)> {
    let found = find(session, &MapFlags::default())?;
    Ok((write(session, &found)?, summary(&found)))
}

fn check(args: &MapFlags) -> Result<()> {
    let positive = |flag: &str, value: Option<f64>, least: f64| match value {
        Some(value) if !(value >= least && value.is_finite()) => Err(Failure::input(format!(
            "--{flag} {value}: give at least {least} pixels"
        ))),
        _ => Ok(()),
    };
    positive("stride", args.stride.map(|stride| stride as f64), 1.0)?;
    positive("period", Some(args.period as f64), 1.0)?;
    positive("radius", args.radius, 0.0)?;
    positive("template-area", args.template_area, 1.0)
}

fn find(session: &Session, args: &MapFlags) -> Result<Found> {
    let f = &session.frozen;
    let pictures = Pictures::of(f).map_err(|_| {
        Failure::input(format!(
            "maps are of networks that make one picture from one; this one makes {:?} from {:?}",
            f.output_shape(),
            f.input_shape()
        ))
        .hint("for scores there are row (receptive fields), contributions, and svd")
    })?;
    let ([_, h, w], [_, rows, columns]) = (pictures.input, pictures.output);
    // Strides that meet every sub-pixel, and every phase of networks that stride by two.
    let [down, right] = [0, 1].map(|axis| pictures.step(axis)[1]);
    let stride = args
        .stride
        .unwrap_or_else(|| Grid::stride(ALONG, [rows, columns], down.max(right)));
    let grid = Grid::every(stride, [rows, columns]);
    let there = (stride * h).div_ceil(rows).max(1);
    let there = match args.stride {
        Some(_) => there,
        None => Grid::stride(ALONG, [h, w], 1),
    };
    let inputs = Grid::every(there, [h, w]);
    let radius = args.radius.unwrap_or((h.min(w) as f64 / 8.0).max(2.0));
    let least_area = args
        .template_area
        .unwrap_or((0.02 * (rows * columns) as f64).max(2.0));

    let at = at(session, &pictures, &args.at, radius)?;
    let row_maps = row_maps(f, &grid, radius, output::observer())?;
    let templates = args.templates;
    let column_maps = column_maps(f, &inputs, least_area, templates, output::observer())?;
    // Three rows a place: every second one both ways.
    let some = Grid {
        y: grid.y.iter().copied().step_by(2).collect(),
        x: grid.x.iter().copied().step_by(2).collect(),
    };
    let shift = shift::variance(f, &some, args.period, output::observer())?;
    Ok(Found {
        pictures,
        rows: row_maps,
        columns: column_maps,
        shift,
        period: args.period,
        at,
    })
}

/// The places that were asked for, one by one.
fn at(session: &Session, pictures: &Pictures, texts: &[String], radius: f64) -> Result<Vec<At>> {
    let f: &FrozenNetwork = &session.frozen;
    let y0 = session.numbers(f.reference())?;
    let asked = position::places(texts, &y0, f.output_shape())?;
    let [_, h, w] = pictures.output;
    let places: Vec<[usize; 2]> = asked
        .iter()
        .map(|at| {
            let pixel = at.positions[0] % (h * w);
            [pixel / w, pixel % w]
        })
        .collect();
    let found = energies(f, Field::Row, &places, output::observer())?;
    let measured = |((asked, &place), energy): ((&position::At, _), &_)| {
        let own = pictures.corresponding(Field::Row, place);
        At {
            at: asked.text.clone(),
            place,
            own,
            radius: radii(energy, own),
            off_diagonal: off_diagonal::share(energy, own, radius),
            origin: origin(energy, own, radius),
            energy: energy.values().to_vec(),
        }
    };
    Ok(asked
        .iter()
        .zip(&places)
        .zip(&found)
        .map(measured)
        .collect())
}

fn write(session: &mut Session, found: &Found) -> Result<Sheet> {
    let [[rows, columns], [down, right], [some_rows, some_columns]] = [
        found.rows.grid.shape(),
        found.columns.grid.shape(),
        found.shift.grid.shape(),
    ];
    let shares = SHARES.len();
    let radius = found.rows.radii.concat();
    session.save_array("row_radius", &radius, &[shares, rows, columns])?;
    let radius = found.columns.radii.concat();
    session.save_array("column_radius", &radius, &[shares, down, right])?;
    session.save_array("off_diagonal", &found.rows.off_diagonal, &[rows, columns])?;
    let each = |of: fn(&Origin) -> f64| -> Vec<f64> {
        let origins = found.rows.origins.iter();
        origins.map(|at| at.as_ref().map_or(f64::NAN, of)).collect()
    };
    let moves = [
        each(|at| at.peak[0]),
        each(|at| at.peak[1]),
        each(|at| at.centroid[0]),
        each(|at| at.centroid[1]),
    ];
    session.save_array("copy_move", &moves.concat(), &[4, rows, columns])?;
    let [_, h, w] = found.pictures.input;
    session.save_array("feeds", &found.rows.feeds.heat, &[h, w])?;
    session.save_array(
        "shift_variance",
        &found.shift.values,
        &[some_rows, some_columns],
    )?;
    session.save_array("template_area", &found.columns.area, &[down, right])?;
    session.save_json("templates", &found.columns.templates)?;
    let report = report(found);
    session.save_json("maps", &report)?;
    session.note("maps", &report);
    sheet::draw(session, found)
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

fn report(found: &Found) -> Value {
    let radius = |radii: &[Vec<f64>; SHARES.len()]| -> Value {
        let named = SHARES.iter().zip(radii);
        let named =
            named.map(|(share, radii)| json!({ "share": share, "radius": distribution(radii) }));
        named.collect()
    };
    let zero = |energy: &[f64]| energy.iter().filter(|e| **e == 0.0).count();
    let (rows, columns, shift) = (&found.rows, &found.columns, &found.shift);
    let arrows = &rows.feeds.arrows;
    json!({
        "pictures": found.pictures,
        "rows": {
            "grid": rows.grid,
            "zero": zero(&rows.energy),
            "radius_input_px": radius(&rows.radii),
        },
        "columns": {
            "grid": columns.grid,
            "zero": zero(&columns.energy),
            "radius_output_px": radius(&columns.radii),
            "area_output_px": distribution(&columns.area),
        },
        "off_diagonal": {
            "beyond_input_px": rows.radius,
            "whole": rows.feeds.share,
            "places": distribution(&rows.off_diagonal),
        },
        "arrows": arrows[..arrows.len().min(ARROWS)],
        "templates": {
            "least_area_output_px": columns.least_area,
            "wide_columns": columns.wide,
            "of": columns.grid.len(),
            "listed": columns.templates.len(),
        },
        "shift_variance": {
            "grid": shift.grid,
            "period": found.period,
            "steps_input_px": shift.steps[0],
            "steps_output_px": shift.steps[1],
            "whole": shift.whole,
            "places": distribution(&shift.values),
        },
        "places": found.at,
    })
}

fn summary(found: &Found) -> Vec<String> {
    let (rows, columns, shift) = (&found.rows, &found.columns, &found.shift);
    let mut lines = vec![format!(
        "{:24} {:>8} {:>8} {:>8}   radius that holds so much of the energy",
        "", "50 %", "90 %", "99 %"
    )];
    let mut radius = |name: String, radii: [f64; SHARES.len()], unit: &str| {
        let [half, most, all] = radii;
        lines.push(format!(
            "{name:24} {half:8.2} {most:8.2} {all:8.2}   px of the {unit}"
        ));
    };
    let medians =
        |radii: &[Vec<f64>; SHARES.len()]| radii.each_ref().map(|r| distribution(r).median);
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
    lines.push(format!(
        "off-diagonal, beyond {:.1} px of the input: {:.2} % of the energy of these rows; by place median \
         {:.2} %, at most {:.2} %",
        rows.radius,
        100.0 * rows.feeds.share,
        100.0 * places.median,
        100.0 * places.largest,
    ));
    for arrow in rows.feeds.arrows.iter().take(3) {
        lines.push(format!(
            "  from y {:.0}, x {:.0} to y {:.0}, x {:.0}: {:.3} %",
            arrow.from[0],
            arrow.from[1],
            arrow.to[0],
            arrow.to[1],
            100.0 * arrow.weight
        ));
    }
    lines.push(format!(
        "templates: {} of {} columns cover {:.0} px of the output or more (median {:.0} px)",
        columns.wide,
        columns.grid.len(),
        columns.least_area,
        distribution(&columns.area).median,
    ));
    for template in columns.templates.iter().take(3) {
        lines.push(format!(
            "  switched at y {}, x {}: {:.0} px about y {:.0}, x {:.0}, energy {:.3e}",
            template.place[0],
            template.place[1],
            template.area,
            template.centroid[0],
            template.centroid[1],
            template.energy,
        ));
    }
    lines.push(format!(
        "shift-variance {:.4} (0: a convolution; 1: rows {} input px apart have nothing in common)",
        shift.whole,
        shift.steps[0][0].max(shift.steps[0][1]),
    ));
    lines
}
