//! `maps`: how far fields reach, what is copied from elsewhere, what is drawn by template, and how far
//! the network is from a convolution.

mod said;
mod sheet;

use clap::Args;
use linearscope_analysis::{
    Error, FrozenNetwork, LinearOperator,
    maps::{
        self, ColumnMaps, Grid, Pictures, RowMaps, column_maps,
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

use super::position;
use crate::{
    args::Common,
    command::{self, About, Alone, FileAbout, Group, OnPicture, TableAbout, Told},
    console,
    error::{Failure, Result},
    kind::Kind,
    session::Session,
    subject::Subject,
};

/// `maps`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Maps {
    #[command(flatten)]
    pub grid: MapFlags,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

/// Where maps look, and what counts.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct MapFlags {
    /// Distance between the places whose rows are measured, in output pixels [default: about 16 places along the longer
    /// side, covering every sub-pixel position; fewer, but at least 8, if that takes more than 5e13 floating-point
    /// operations]
    #[arg(long, value_name = "PX")]
    pub stride: Option<usize>,
    /// Places of the output to measure one by one, all channels together: `c,y,x` with any c, or `all`; repeat for
    /// several. `auto` chooses six, from the strongest edge to the flattest part
    #[arg(long, alias = "at", default_value = "auto", value_name = "C,Y,X|auto")]
    pub target: Vec<String>,
    /// Radius of a place's own neighbourhood, in input pixels [default: an eighth of the input's shorter side]
    #[arg(long, value_name = "PX")]
    pub radius: Option<f64>,
    /// Distance between the rows compared for the shift-variance, in multiples of the smallest number of input
    /// pixels that all strides of the network divide
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub period: usize,
    /// Smallest effective area of a template column, in output pixels [default: 2 % of the output]
    #[arg(long, value_name = "PX")]
    pub template_area: Option<f64>,
    /// Number of templates to list
    #[arg(long, default_value_t = 6, value_name = "N")]
    pub templates: usize,
}

impl Default for MapFlags {
    fn default() -> Self {
        Self {
            stride: None,
            target: vec!["auto".into()],
            radius: None,
            period: 1,
            template_area: None,
            templates: 6,
        }
    }
}

/// Places along the longer side of a picture, where no stride is given, and how many at least where they are dear.
const ALONG: usize = 16;
const ALONG_AT_LEAST: usize = 8;
/// Floating-point operations from which places are dear: four minutes of two cores of 100 Gflop/s each.
const DEAR: u64 = 50_000_000_000_000;
/// Arrows listed and drawn.
pub(crate) const ARROWS: usize = 12;

/// One place that was requested.
#[derive(Debug, Serialize)]
struct At {
    at: String,
    place: [usize; 2],
    /// Its position in the input, if it has one; without it there are no distances.
    own: Option<[f64; 2]>,
    radius: [f64; SHARES.len()],
    off_diagonal: f64,
    origin: Option<Origin>,
    #[serde(skip)]
    energy: Vec<f64>,
}

/// A measure, or why this network has none of it.
type Measured<T> = std::result::Result<T, String>;

/// All that was measured.
struct Found {
    pictures: Pictures,
    rows: Measured<RowMaps>,
    columns: ColumnMaps,
    shift: Measured<ShiftMap>,
    period: usize,
    at: Vec<At>,
}

impl Found {
    /// What is not there, and why.
    fn left_out(&self) -> Vec<(&'static str, &str)> {
        let rows = self.rows.as_ref().err().map(String::as_str);
        let shift = self.shift.as_ref().err().map(String::as_str);
        // Columns have radii where rows have.
        let columns = rows.filter(|_| self.pictures.place.is_none());
        let all = [
            ("row radii", rows),
            ("column radii", columns),
            ("off-diagonal energy", rows),
            ("copy and move", rows),
            ("shift-variance", shift),
        ];
        all.into_iter()
            .filter_map(|(what, why)| Some((what, why?)))
            .collect()
    }

    /// The same in sentences, one for each reason.
    fn left_out_lines(&self) -> Vec<String> {
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for (what, why) in self.left_out() {
            match reasons.iter_mut().find(|(known, _)| *known == why) {
                Some((_, all)) => all.push(what),
                None => reasons.push((why, vec![what])),
            }
        }
        reasons
            .into_iter()
            .map(|(why, all)| format!("left out: {}: {why}", all.join(", ")))
            .collect()
    }

    /// What is only assumed.
    fn assumed(&self) -> Option<&'static str> {
        self.pictures.guessed.then_some(
            "the decisions did not fit into memory, so positions cannot be traced through the ops; assuming \
             that both pictures cover the same scene",
        )
    }
}

/// A measure that does not apply is left out, with its reason; all else that fails, fails.
fn if_it_applies<T>(found: linearscope_analysis::Result<T>) -> Result<Measured<T>> {
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(error @ (Error::NoPlace { .. } | Error::NoStep { .. })) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// What `maps` says of itself.
pub(crate) const ABOUT: &About = &About {
    name: "maps",
    group: Group::Operator,
    summary: "Map how far fields reach, what is copied from elsewhere, and how far F is from a convolution",
    details: "For networks from picture to picture: radii of rows and columns, off-diagonal energy (copy and \
        move), columns that switch on whole shapes (templates), shift-variance.",
    example: "maps net.onnx --input lr.png",
    pictures: command::Pictures::Folders,
    files: &[
        FileAbout(
            "row_radius.npy",
            "[3, rows, columns]: radii that contain 50, 90 and 99 % of a row's energy, in input pixels",
        ),
        FileAbout("row_radius.png", "row_radius.npy drawn"),
        FileAbout("row_radius.svg", "the same for print"),
        FileAbout(
            "column_radius.npy",
            "[3, h, w]: the same for columns, in output pixels",
        ),
        FileAbout("column_radius.png", "column_radius.npy drawn"),
        FileAbout("column_radius.svg", "the same for print"),
        FileAbout(
            "off_diagonal.npy",
            "[rows, columns]: the share of a row's energy outside its own neighbourhood",
        ),
        FileAbout("off_diagonal.png", "off_diagonal.npy drawn"),
        FileAbout("off_diagonal.svg", "the same for print"),
        FileAbout(
            "copy_move.npy",
            "[4, rows, columns]: where that energy comes from: peak y, x, centroid y, x, from the place's own position",
        ),
        FileAbout("copy_move.png", "copy_move.npy drawn"),
        FileAbout("copy_move.svg", "the same for print"),
        FileAbout(
            "feeds.npy",
            "[h, w]: energy that each input pixel gives to places elsewhere",
        ),
        FileAbout("feeds.png", "feeds.npy drawn"),
        FileAbout("feeds.svg", "the same for print"),
        FileAbout(
            "shift_variance.npy",
            "[rows, columns]: how much neighbouring rows differ; 0 for a convolution",
        ),
        FileAbout("shift_variance.png", "shift_variance.npy drawn"),
        FileAbout("shift_variance.svg", "the same for print"),
        FileAbout(
            "template_area.npy",
            "[h, w]: effective area of columns, in output pixels",
        ),
        FileAbout("template_area.png", "template_area.npy drawn"),
        FileAbout("template_area.svg", "the same for print"),
        FileAbout(
            "templates.json",
            "columns that cover a segment, largest first",
        ),
        FileAbout("maps.json", "all measures, with the requested places"),
        FileAbout("maps.png", "all maps on one sheet"),
        FileAbout("maps.svg", "the same for print"),
    ],
    tables: &[TableAbout {
        name: "measures",
        rows: "one line for each measure of the whole network",
        columns: &[
            ("measure", "its name"),
            ("median", "over the places looked at"),
            ("mean", "over the places looked at"),
            ("largest", "over the places looked at"),
            ("unit", "what it is measured in"),
        ],
    }],
    includes: &[],
};

impl OnPicture for Maps {
    const ABOUT: &'static About = ABOUT;

    type Fold = Alone;

    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> Result<()> {
        check(&self.grid)
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let found = find(session, &self.grid)?;
        write(session, &found)?;
        let numbers = said::numbers(&found);
        Ok(Told {
            line: said::line(&found),
            found: numbers,
            summary: said::summary(&found),
            failure: None,
        })
    }
}

/// Whether this network makes one picture from one.
pub(crate) fn are_of(session: &Session) -> bool {
    Pictures::of(&session.frozen).is_ok()
}

/// The maps of a network from picture to picture, written: their sheet and what they say.
pub(crate) fn part(session: &mut Session) -> Result<(Sheet, Vec<String>)> {
    let found = find(session, &MapFlags::default())?;
    Ok((write(session, &found)?, said::summary(&found)))
}

fn check(args: &MapFlags) -> Result<()> {
    let positive = |flag: &str, value: Option<f64>, least: f64| match value {
        Some(value) if !(value >= least && value.is_finite()) => Err(Failure::input(format!(
            "--{flag} {value}: must be at least {least}"
        ))),
        _ => Ok(()),
    };
    positive("stride", args.stride.map(|stride| stride as f64), 1.0)?;
    positive("period", Some(args.period as f64), 1.0)?;
    positive("radius", args.radius, 0.0)?;
    positive("template-area", args.template_area, 1.0)
}

/// The pictures at both ends of a network, or why there are none.
pub(crate) fn pictures_of(subject: &Subject) -> Result<Pictures> {
    pictures_for("maps", subject)
}

/// The same for another command that needs them.
pub(crate) fn pictures_for(command: &str, subject: &Subject) -> Result<Pictures> {
    let f = &subject.frozen;
    Pictures::of(f).map_err(|error| match error {
        Error::NotPictures { .. } => no_pictures(command, f.input_shape(), f.output_shape()),
        error => error.into(),
    })
}

/// The radius of a place's own surroundings where no flag says one, in input pixels.
pub(crate) fn surroundings(pictures: &Pictures) -> f64 {
    let [_, h, w] = pictures.input;
    (h.min(w) as f64 / 8.0).max(2.0)
}

fn find(session: &mut Session, args: &MapFlags) -> Result<Found> {
    let f = &session.frozen;
    let pictures = pictures_of(session)?;
    let ([_, h, w], [_, rows, columns]) = (pictures.input, pictures.output);
    let [stride, there] = strides(f, &pictures, args.stride)?;
    let grid = Grid::every(stride, [rows, columns]);
    let inputs = Grid::every(there, [h, w]);
    let radius = args.radius.unwrap_or(surroundings(&pictures));
    let least_area = args
        .template_area
        .unwrap_or((0.02 * (rows * columns) as f64).max(2.0));

    let at = at(session, &pictures, &args.target, radius)?;
    let row_maps = if_it_applies(row_maps(f, &grid, radius, console::observer()))?;
    if let Ok(rows) = &row_maps {
        save_rows(session, rows)?;
        unfinished("rows", rows.finished, grid.len())?;
    }
    let f = &session.frozen;
    let templates = args.templates;
    let column_maps = column_maps(f, &inputs, least_area, templates, console::observer())?;
    save_columns(session, &pictures, &column_maps)?;
    unfinished("columns", column_maps.finished, inputs.len())?;
    let f = &session.frozen;
    // Three rows a place: every second one both ways.
    let some = shift::grid(f, 2 * stride, args.period);
    let shift = match if_it_applies(some)? {
        Ok(some) => if_it_applies(shift::variance(f, &some, args.period, console::observer()))?,
        Err(reason) => Err(reason),
    };
    if let Ok(shift) = &shift {
        let [rows, columns] = shift.grid.shape();
        session.save_array("shift_variance", &shift.values, &[rows, columns])?;
        unfinished("places", shift.finished, shift.grid.len())?;
    }
    Ok(Found {
        pictures,
        rows: row_maps,
        columns: column_maps,
        shift,
        period: args.period,
        at,
    })
}

/// How far apart rows and columns are looked at: as was requested, else so that a grid costs no more than
/// [`DEAR`] operations, as far as [`ALONG_AT_LEAST`] places allow. What is chosen depends on the network and the
/// sizes alone, not on the machine.
pub(crate) fn strides(
    f: &FrozenNetwork,
    pictures: &Pictures,
    asked: Option<usize>,
) -> Result<[usize; 2]> {
    let ([_, h, w], [_, rows, columns]) = (pictures.input, pictures.output);
    if let Some(stride) = asked {
        return Ok([stride, (stride * h).div_ceil(rows).max(1)]);
    }
    // Strides that meet every sub-pixel, and every phase of networks that stride by two.
    let [down, right] = [0, 1].map(|axis| pictures.step(axis).map_or(1, |[_, output]| output));
    let of = |along: usize| {
        [
            Grid::stride(along, [rows, columns], down.max(right)),
            Grid::stride(along, [h, w], 1),
        ]
    };
    let Some(cost) = maps::cost(f)? else {
        return Ok(of(ALONG));
    };
    let taken = |[stride, there]: [usize; 2]| {
        let (grid, inputs) = (
            Grid::every(stride, [rows, columns]),
            Grid::every(there, [h, w]),
        );
        cost.of_maps(grid.len(), inputs.len())
    };
    let wished = of(ALONG);
    let chosen = of(affordable(ALONG, |along| taken(of(along))));
    if chosen != wished {
        console::notice(&format!(
            "sampling rows every {} output pixels and columns every {} input pixels instead of every {} and \
             {}, which would take {:.0} Tflop (this takes {:.0}); pass --stride {} to do so anyway",
            chosen[0],
            chosen[1],
            wished[0],
            wished[1],
            taken(wished) as f64 / 1e12,
            taken(chosen) as f64 / 1e12,
            wished[0],
        ));
    }
    Ok(chosen)
}

/// How many places along the longer side, `wished` at most: the most whose operations are not [`DEAR`].
pub(crate) fn affordable(wished: usize, operations: impl Fn(usize) -> u64) -> usize {
    (ALONG_AT_LEAST..=wished)
        .rev()
        .find(|&along| operations(along) <= DEAR)
        .unwrap_or(ALONG_AT_LEAST)
}

/// Why there are no maps, and what there is instead.
fn no_pictures(command: &str, input: &[usize], output: &[usize]) -> Failure {
    let kinds = [Kind::of(input), Kind::of(output)];
    let what = |kind: Kind, shape: &[usize]| format!("{} of shape {shape:?}", kind.words());
    let message = format!(
        "{command} needs a network from picture to picture; this one makes {} from {}",
        what(kinds[1], output),
        what(kinds[0], input)
    );
    Failure::input(message).hint(match kinds {
        [_, Kind::Scores] => {
            "for scores, use row (receptive fields), contributions, or svd"
        }
        [Kind::Signal | Kind::Volume, _] | [_, Kind::Signal | Kind::Volume] => {
            "radii, arrows and templates are defined for pictures only; for signals and volumes use row and \
             column (fields), or svd and spectrum (singular values)"
        }
        _ => "use row and column for its fields, svd and spectrum for its singular values",
    })
}

/// Ctrl-C in the middle of a walk: what was read is written.
fn unfinished(what: &str, finished: Option<usize>, of: usize) -> Result<()> {
    match finished {
        None => Ok(()),
        Some(read) => Err(Failure::interrupted(format!(
            "interrupted after {read} of {of} {what}"
        ))),
    }
}

fn save_rows(session: &mut Session, rows: &RowMaps) -> Result<()> {
    let [down, across] = rows.grid.shape();
    let radius = rows.radii.concat();
    session.save_array("row_radius", &radius, &[SHARES.len(), down, across])?;
    session.save_array("off_diagonal", &rows.off_diagonal, &[down, across])?;
    let each = |of: fn(&Origin) -> f64| -> Vec<f64> {
        let origins = rows.origins.iter();
        origins.map(|at| at.as_ref().map_or(f64::NAN, of)).collect()
    };
    let moves = [
        each(|at| at.peak[0]),
        each(|at| at.peak[1]),
        each(|at| at.centroid[0]),
        each(|at| at.centroid[1]),
    ];
    session.save_array("copy_move", &moves.concat(), &[4, down, across])?;
    let shape = session.frozen.input_shape();
    let size = [shape[shape.len() - 2], shape[shape.len() - 1]];
    session.save_array("feeds", &rows.feeds.heat, &size)
}

fn save_columns(session: &mut Session, pictures: &Pictures, columns: &ColumnMaps) -> Result<()> {
    let [down, across] = columns.grid.shape();
    if pictures.place.is_some() {
        let radius = columns.radii.concat();
        session.save_array("column_radius", &radius, &[SHARES.len(), down, across])?;
    }
    session.save_array("template_area", &columns.area, &[down, across])
}

/// The places that were requested, one by one.
fn at(session: &Session, pictures: &Pictures, texts: &[String], radius: f64) -> Result<Vec<At>> {
    let f: &FrozenNetwork = &session.frozen;
    let y0 = session.numbers(f.reference())?;
    let asked = position::places("--target", texts, &y0, f.output_shape(), session.look())?;
    let [_, h, w] = pictures.output;
    let places: Vec<[usize; 2]> = asked
        .iter()
        .map(|at| {
            let pixel = at.positions[0] % (h * w);
            [pixel / w, pixel % w]
        })
        .collect();
    let found = energies(f, Field::Row, &places, console::observer())?;
    let measured = |((asked, &place), energy): ((&position::At, _), &_)| {
        let own = pictures.corresponding(Field::Row, place);
        At {
            at: asked.text.clone(),
            place,
            own,
            radius: own.map_or([f64::NAN; SHARES.len()], |own| radii(energy, own)),
            off_diagonal: own.map_or(f64::NAN, |own| off_diagonal::share(energy, own, radius)),
            origin: own.and_then(|own| origin(energy, own, radius)),
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
    session.save_json("templates", &found.columns.templates)?;
    session.save_table("measures", &said::measures(found))?;
    let report = said::report(found);
    session.save_json("maps", &report)?;
    session.note("maps", &report);
    sheet::draw(session, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dear_network_is_looked_at_in_fewer_places() {
        let each = |flops: u64| move |along: usize| flops * (along * along) as u64;
        assert_eq!(affordable(ALONG, each(1)), ALONG);
        assert_eq!(affordable(ALONG, each(DEAR / 256)), ALONG);
        assert_eq!(affordable(ALONG, each(DEAR / 255)), ALONG - 1);
        assert_eq!(affordable(ALONG, each(DEAR / 100)), 10);
        assert_eq!(affordable(ALONG, each(DEAR)), ALONG_AT_LEAST);
    }
}
