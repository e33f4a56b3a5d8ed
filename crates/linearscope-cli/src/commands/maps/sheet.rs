//! The pictures of `maps`: one beside each array, and all of them on one sheet.

use linearscope_analysis::{LinearOperator, maps::field::SHARES, operator::Field};
use linearscope_picture::{Array, Arrow, Band, Mark, Panel, Sheet, significant};

use super::{ARROWS, Found};
use crate::{console, error::Result, picture::View, session::Session};

/// Numbers as colours, heat where none is negative; what is no number is white.
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
    let all = &found.rows.feeds.arrows;
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
        let mark = Mark {
            y: template.corresponding[0].round() as usize,
            x: template.corresponding[1].round() as usize,
            label: String::new(),
        };
        let captioned = drawn.into_iter().map(|panel| {
            panel
                .caption(format!(
                    "{:.0} px, energy {}",
                    template.area,
                    significant(template.energy, 3)
                ))
                .marks(vec![mark.clone()])
        });
        panels.extend(captioned);
    }
    Ok(panels)
}

pub(super) fn draw(session: &mut Session, found: &Found) -> Result<Sheet> {
    let ([_, h, w], rows, columns) = (found.pictures.input, &found.rows, &found.columns);
    let (grid, inputs) = (rows.grid.shape(), columns.grid.shape());
    let row_radii = radii(&rows.radii, grid, "radius of rows");
    let column_radii = radii(&columns.radii, inputs, "radius of columns");
    let off = heat("off-diagonal share", &rows.off_diagonal, grid);
    let shift = heat(
        "shift-variance",
        &found.shift.values,
        found.shift.grid.shape(),
    );
    let area = heat("effective area of columns", &columns.area, inputs);
    let feeds =
        heat("feeds the rest", &rows.feeds.heat, [h, w]).map(|panel| panel.arrows(arrows(found)));
    let templates = templates(session, found)?;
    let moves: Vec<Panel> = ["down", "right"]
        .iter()
        .enumerate()
        .filter_map(|(axis, way)| {
            let peaks: Vec<f64> = rows
                .origins
                .iter()
                .map(|origin| origin.map_or(0.0, |origin| origin.peak[axis]))
                .collect();
            heat(format!("its peak lies so far {way}"), &peaks, grid)
        })
        .collect();

    let (x0, y0) = (
        session.numbers(session.frozen.x0())?,
        session.numbers(session.frozen.reference())?,
    );
    let marks = |of: fn(&super::At) -> [usize; 2]| -> Vec<Mark> {
        let numbered = found.at.iter().enumerate();
        numbered
            .map(|(i, at)| Mark {
                y: of(at)[0],
                x: of(at)[1],
                label: (i + 1).to_string(),
            })
            .collect()
    };
    let near = |at: &super::At| at.own.map(|at| at.round().max(0.0) as usize);
    let mut reference = session.painter.reference(
        (&x0, session.frozen.input_shape()),
        (&y0, session.frozen.output_shape()),
        (marks(near), marks(|at| at.place)),
    );
    if let Some(first) = reference.first().cloned()
        && !rows.feeds.arrows.is_empty()
    {
        let title = "what flows where, on x₀";
        reference.push(Panel::new(title, first.raster).arrows(arrows(found)));
    }
    let places = found.at.iter().enumerate().filter_map(|(i, at)| {
        let array = Array::new(&at.energy, &[h, w])?;
        let raster = array.signed(View::BULK.window(&array), None, Sheet::MOST);
        Some(
            Panel::new(format!("{} · {}", i + 1, at.at), raster)
                .caption(format!("{:.2} % off-diagonal", 100.0 * at.off_diagonal)),
        )
    });
    let places = band(
        "Energy of the rows of these places, the window with 99 % of it",
        places,
    );
    let beyond = format!(
        "Rows: the share of the energy beyond {:.1} input pixels, where it comes from, shift-variance",
        rows.radius
    );
    let bands = vec![
        band("Frozen at", reference),
        places,
        band(
            "Rows: the radius that holds so much of the energy, in input pixels, over the output",
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
            "Templates: columns that cover a segment; the ring is the pixel's own place",
            templates,
        ),
    ];
    let sheet = Sheet {
        title: format!("Maps of F, {}", session.model),
        notes: vec![
            "Energy is F² summed over the channels of both pixels; a place's own position in the other \
             picture covers the same part of the scene. Heat is white at 0."
                .into(),
        ],
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
