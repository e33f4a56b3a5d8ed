//! What `column` and `row` share: projective and receptive fields, as arrays and as one sheet.

use linearscope_analysis::{LinearOperator, operator::Field};
use linearscope_picture::{Band, Mark, Sheet, significant};
use serde::Serialize;

use super::position::{self, At, Look};
use crate::{
    console, ends::Shaped, error::Result, picture::View, session::Session, subject::Subject,
};

fn name(field: Field) -> &'static str {
    match field {
        Field::Column => "column",
        Field::Row => "row",
    }
}

/// One field in numbers.
#[derive(Serialize)]
struct Measured {
    at: String,
    /// Entries that are not zero.
    nonzero: usize,
    entries: usize,
    /// The weight of largest magnitude.
    largest: f64,
    largest_at: String,
    sum: f64,
}

impl Measured {
    fn new(at: &At, values: &[f64], shape: &[usize]) -> Self {
        let magnitude = |i: &usize| values[*i].abs();
        let largest = (0..values.len()).reduce(|a, b| match magnitude(&b) > magnitude(&a) {
            true => b,
            false => a,
        });
        let largest = largest.unwrap_or(0);
        Self {
            at: at.text.clone(),
            nonzero: values.iter().filter(|v| **v != 0.0).count(),
            entries: values.len(),
            largest: values[largest],
            largest_at: position::text(largest, shape),
            sum: values.iter().sum(),
        }
    }

    fn line(&self, name: &str) -> String {
        match self.nonzero {
            0 => format!("{name} {}: all zero", self.at),
            _ => format!(
                "{name} {}: largest weight {} at ({}); {} of {} weights are nonzero",
                self.at,
                significant(self.largest, 3),
                self.largest_at,
                self.nonzero,
                self.entries
            ),
        }
    }
}

/// The columns of `rows.csv` and `columns.csv`.
pub(crate) const COLUMNS: &[(&str, &str)] = &[
    ("at", "the place, as the flag takes it"),
    ("nonzero", "how many weights are nonzero"),
    ("entries", "how many weights there are"),
    ("largest", "the weight of largest magnitude"),
    ("largest_at", "where it is"),
    ("sum", "the sum of all weights"),
];

/// The places that a flag names in the input or the output, of these values and this shape.
pub(crate) fn places(
    subject: &Subject,
    field: Field,
    flag: &str,
    at: &[String],
    (values, shape): (&[f64], &[usize]),
) -> Result<Vec<At>> {
    let look = match field {
        Field::Column => Look::Plain,
        Field::Row => subject.look(),
    };
    position::places(flag, at, values, shape, look)
}

/// Compute and write the fields at these places; gives their sheet, if they are pictures, and a
/// line about each.
pub(crate) fn find(
    session: &mut Session,
    field: Field,
    flag: &str,
    at: &[String],
) -> Result<(Option<Sheet>, Vec<String>)> {
    let name = name(field);
    let frozen = &session.frozen;
    let (input, output_shape) = (
        frozen.input_shape().to_vec(),
        frozen.output_shape().to_vec(),
    );
    let x0 = session.numbers(frozen.x0())?;
    let y0 = session.numbers(frozen.reference())?;
    let (values, from, to) = match field {
        Field::Column => (&x0, &input, &output_shape),
        Field::Row => (&y0, &output_shape, &input),
    };
    let places = places(session, field, flag, at, (values, from))?;
    let positions: Vec<Vec<usize>> = places.iter().map(|at| at.positions.clone()).collect();
    let found = frozen.fields(field, &positions, &mut console::observer())?;
    let fields = session.numbers(found)?;
    let each = fields.len() / places.len();
    let texts: Vec<&str> = places.iter().map(|at| at.text.as_str()).collect();
    session.note(&format!("{name}_at"), &texts);

    let title = |number: usize, at: &At| {
        let label = match (field, at.positions.as_slice()) {
            (Field::Row, [k]) => session.named(*k),
            _ => None,
        };
        match label {
            Some(label) => format!("{label} ({})", at.text),
            None => format!("{} · {}", number + 1, at.text),
        }
    };
    let (mut summary, mut records) = (Vec::new(), Vec::new());
    let (mut panels, mut seen) = (Vec::new(), Vec::new());
    for (number, (at, values)) in places.iter().zip(fields.chunks(each)).enumerate() {
        let one = Measured::new(at, values, to);
        summary.push(one.line(name));
        records.push(one);
        let drawn = session
            .painter
            .signed(&title(number, at), values, to, View::FIELD);
        // Where the field is, in the other picture, if it is somewhere.
        if let Some(panel) = drawn.first() {
            let (part, [h, w]) = (panel.raster.window, panel.raster.of);
            // A signal has one row.
            if (h == 1 || 2 * part.h <= h) && 2 * part.w <= w {
                seen.push(Mark {
                    y: part.y + part.h / 2,
                    x: part.x + part.w / 2,
                    label: (number + 1).to_string(),
                });
            }
        }
        panels.extend(drawn);
    }
    // A single one has the shape itself; several have a leading axis.
    let shape = match places.as_slice() {
        [_] => to.clone(),
        places => [vec![places.len()], to.clone()].concat(),
    };
    let shaped = match field {
        Field::Column => Shaped::Output,
        Field::Row => Shaped::Input,
    };
    let lead = shape.len() - to.len();
    session.save_shaped(name, &fields, &shape, lead, shaped)?;
    session.save_table(&format!("{name}s"), &records)?;
    let mut drawn = None;
    if !panels.is_empty() {
        let marks = position::marks(&places, from);
        let marks = match field {
            Field::Column => (marks, seen),
            Field::Row => (seen, marks),
        };
        let reference = session
            .painter
            .reference((&x0, &input), (&y0, &output_shape), marks);
        let (heading, meaning) = match field {
            Field::Column => (
                "Columns of F",
                "A column F δ shows where one place of the input goes in the output, and with what weight; \
                 `all` adds the columns of all channels.",
            ),
            Field::Row => (
                "Rows of F",
                "A row Fᵀδ shows which places of the input one output uses, and with what weight; `all` adds \
                 the rows of all channels.",
            ),
        };
        let mut bands = vec![Band {
            heading: heading.into(),
            panels,
        }];
        if !reference.is_empty() {
            let marked = reference.iter().any(|panel| !panel.marks.is_empty());
            let heading = if marked {
                "Where they are"
            } else {
                "Frozen at"
            }
            .into();
            bands.insert(
                0,
                Band {
                    heading,
                    panels: reference,
                },
            );
        }
        let sheet = Sheet {
            title: format!("{heading}, {}", session.model),
            notes: vec![meaning.into()],
            bands,
        };
        session.save_sheet(name, &sheet)?;
        drawn = Some(sheet);
    }
    Ok((drawn, summary))
}
