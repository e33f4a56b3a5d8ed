//! The pictures of `maps`: one beside each array, and all of them on one sheet.

use linearscope_analysis::{LinearOperator, maps::field::SHARES, operator::Field};
use linearscope_picture::{Array, Arrow, Band, Mark, Panel, Sheet, significant};

use super::{ARROWS, Found, said::NO_ENERGY};
use crate::{console, error::Result, picture::View, session::Session};

/// Numbers as colours, heat where none is negative; what is not a number is white.
fn heat(title: impl Into<String>, values: &[f64], [h, w]: [usize; 2]) -> Option<Panel> {
    let shown: Vec<f64> = values
        .iter()
        .map(|v| if v.is_finite() { *v } else { 0.0 })
        .collect();
    let array = Array::new(&shown, &[h, w])?;
    let raster = array.signed(array.whole(), None, Sheet::MOST);
    Some(Panel::new(title, raster))
}

fn band(heading: &str, panels: impl IntoIterator<Item = Panel>) -> Band {
    Band {
        heading: heading.into(),
        panels: panels.into_iter().collect(),
    }
}

fn radii(radii: &[Vec<f64>; SHARES.len()], size: [usize; 2], what: &str) -> Vec<Panel> {
    let one = |(share, values): (&f64, &Vec<f64>)| {
        heat(format!("{what}: {:.0} %", 100.0 * share), values, size)
    };
    SHARES.iter().zip(radii).filter_map(one).collect()
}

/// The strongest flows, as they are drawn.
fn arrows(found: &Found) -> Vec<Arrow> {
    let Ok(rows) = &found.rows else {
        return Vec::new();
    };
    let all = &rows.feeds.arrows;
    let strongest = all.first().map_or(1.0, |arrow| arrow.weight);
    all.iter()
        .take(ARROWS)
        .map(|arrow| Arrow {
            from: arrow.from,
            to: arrow.to,
            strength: arrow.weight / strongest,
        })
        .collect()
}

/// The columns of the templates, all channels of their pixel added.
fn templates(session: &Session, found: &Found) -> Result<Vec<Panel>> {
    let frozen = &session.frozen;
    let [c, h, w] = found.pictures.input;
    let list = &found.columns.templates;
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let all = |[y, x]: [usize; 2]| (0..c).map(move |ch| (ch * h + y) * w + x).collect();
    let places: Vec<Vec<usize>> = list.iter().map(|template| all(template.place)).collect();
    let columns = frozen.fields(Field::Column, &places, &mut console::observer())?;
    let columns = session.numbers(columns)?;
    let shape = frozen.output_shape();
    let mut panels = Vec::new();
    for (template, values) in list.iter().zip(columns.chunks(frozen.output_len())) {
        let [y, x] = template.place;
        let drawn =
            session
                .painter
                .signed(&format!("switched at {y}, {x}"), values, shape, View::Whole);
        let marks: Vec<Mark> = template
            .corresponding
            .iter()
            .filter_map(|at| mark(*at, String::new()))
            .collect();
        let captioned = drawn.into_iter().map(|panel| {
            panel
                .caption(format!(
                    "{:.0} px, energy {}",
                    template.area,
                    significant(template.energy, 3)
                ))
                .marks(marks.clone())
        });
        panels.extend(captioned);
    }
    Ok(panels)
}

/// A ring at a position, if it is in a picture at all: a crop's places lie inside, an input pixel's place may not.
fn mark(at: [f64; 2], label: String) -> Option<Mark> {
    let [y, x] = at.map(f64::round);
    (y >= 0.0 && x >= 0.0).then_some(Mark {
        y: y as usize,
        x: x as usize,
        label,
    })
}

pub(super) fn draw(session: &mut Session, found: &Found) -> Result<Sheet> {
    let ([_, h, w], columns) = (found.pictures.input, &found.columns);
    let rows = found.rows.as_ref().ok();
    let inputs = columns.grid.shape();
    let row_radii = rows.map(|rows| radii(&rows.radii, rows.grid.shape(), "radius of rows"));
    let row_radii = row_radii.unwrap_or_default();
    let column_radii = match found.pictures.place {
        Some(_) => radii(&columns.radii, inputs, "radius of columns"),
        None => Vec::new(),
    };
    let off =
        rows.and_then(|rows| heat("off-diagonal share", &rows.off_diagonal, rows.grid.shape()));
    let shift = found.shift.as_ref().ok();
    let shift = shift.and_then(|shift| heat("shift-variance", &shift.values, shift.grid.shape()));
    let area = heat("effective area of columns", &columns.area, inputs);
    let feeds = rows.and_then(|rows| heat("feeds other places", &rows.feeds.heat, [h, w]));
    let feeds = feeds.map(|panel| panel.arrows(arrows(found)));
    let templates = templates(session, found)?;
    let moves: Vec<Panel> = ["down", "right"]
        .iter()
        .enumerate()
        .filter_map(|(axis, way)| {
            let rows = rows?;
            let peaks: Vec<f64> = rows
                .origins
                .iter()
                .map(|origin| origin.map_or(0.0, |origin| origin.peak[axis]))
                .collect();
            heat(
                format!("distance of its peak {way}"),
                &peaks,
                rows.grid.shape(),
            )
        })
        .collect();

    let (x0, y0) = (
        session.numbers(session.frozen.x0())?,
        session.numbers(session.frozen.reference())?,
    );
    let marks = |of: fn(&super::At) -> Option<[f64; 2]>| -> Vec<Mark> {
        let numbered = found.at.iter().enumerate();
        numbered
            .filter_map(|(i, at)| mark(of(at)?, (i + 1).to_string()))
            .collect()
    };
    let placed = |at: &super::At| Some(at.place.map(|at| at as f64));
    let mut reference = session.painter.reference(
        (&x0, session.frozen.input_shape()),
        (&y0, session.frozen.output_shape()),
        (marks(|at| at.own), marks(placed)),
    );
    if let Some(first) = reference.first().cloned()
        && rows.is_some_and(|rows| !rows.feeds.arrows.is_empty())
    {
        let title = "what flows where, on x₀";
        reference.push(Panel::new(title, first.raster).arrows(arrows(found)));
    }
    let places = found.at.iter().enumerate().filter_map(|(i, at)| {
        let array = Array::new(&at.energy, &[h, w])?;
        let raster = array.signed(View::BULK.window(&array), None, Sheet::MOST);
        let panel = Panel::new(format!("{} · {}", i + 1, at.at), raster);
        Some(match at.own {
            Some(_) if at.off_diagonal.is_nan() => panel.caption(NO_ENERGY.to_string()),
            Some(_) => panel.caption(format!("{:.2} % off-diagonal", 100.0 * at.off_diagonal)),
            None => panel,
        })
    });
    let places = band(
        "Energy of the rows of these places; the window contains 99 % of it",
        places,
    );
    let beyond = match rows {
        Some(rows) => format!(
            "Rows: share of the energy beyond {:.1} input pixels, where it comes from, shift-variance",
            rows.radius
        ),
        None => "Rows: shift-variance".into(),
    };
    let bands = vec![
        band("Frozen at", reference),
        places,
        band(
            "Rows: the radius that contains this share of the energy, in input pixels, over the output",
            row_radii.clone(),
        ),
        band(
            &beyond,
            [off.clone(), feeds.clone(), shift.clone()]
                .into_iter()
                .flatten(),
        ),
        band(
            "Columns: the radius and the effective area, in output pixels, over the input",
            column_radii.iter().cloned().chain(area.clone()),
        ),
        band(
            "Templates: columns that cover a segment; the ring marks the pixel's own place",
            templates,
        ),
    ];
    let sheet = Sheet {
        title: format!("Maps of F, {}", session.model),
        notes: vec![
            "Energy is F² summed over the channels of both pixels. The position of a place in the other \
             picture is the centre of its theoretical receptive field. Heat is white at 0."
                .into(),
        ]
        .into_iter()
        .chain(found.left_out_lines())
        .chain(found.assumed().map(String::from))
        .collect(),
        bands: bands
            .into_iter()
            .filter(|band| !band.panels.is_empty())
            .collect(),
    };
    let mut one = |name: &str, panels: Vec<Panel>| -> Result<()> {
        if panels.is_empty() {
            return Ok(());
        }
        let sheet = Sheet {
            bands: vec![band("", panels)],
            ..Sheet::default()
        };
        session.save_sheet(name, &sheet)
    };
    one("row_radius", row_radii)?;
    one("column_radius", column_radii)?;
    one("off_diagonal", off.into_iter().collect())?;
    one("copy_move", moves)?;
    one("feeds", feeds.into_iter().collect())?;
    one("shift_variance", shift.into_iter().collect())?;
    one("template_area", area.into_iter().collect())?;
    session.save_sheet("maps", &sheet)?;
    Ok(sheet)
}
