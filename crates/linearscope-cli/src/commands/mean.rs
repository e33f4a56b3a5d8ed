//! `mean`: the mean operator, and which shares of the rows are one fixed filter, adapt within a picture, or adapt from
//! picture to picture.
//!
//! Beside `maps` and no part of it: its answer is about all pictures of a folder together, with files of its own.

mod sheet;

use std::{fs, path::Path};

use clap::Args;
use linearscope_analysis::{
    Error, FrozenNetwork,
    maps::{
        self, Grid, Pictures,
        mean::{MeanOperator, MeanOperatorTotals, usable},
    },
};
use linearscope_preprocess::Limits;
use serde::{Serialize, de::IgnoredAny};
use serde_json::{Value, json};

use super::maps::{affordable, pictures_for};
use crate::{
    args::{Common, Precision},
    command::{self, About, FileAbout, Group, OnPicture, TableAbout, Told},
    console,
    error::{Failure, Result},
    job::{Fold, Job, Summary},
    npy,
    session::Session,
};

/// `mean`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Mean {
    /// How far the window around a place reaches, in input pixels: filters are (2·PX + 1) squared
    #[arg(long, default_value_t = 6, value_name = "PX")]
    pub radius: usize,
    /// Distance between the places whose rows are measured, in output pixels [default: about 24 places along the longer
    /// side of the part whose fields meet no border, covering every sub-pixel position; fewer, but at least 8, if that
    /// takes more than 5e13 floating-point operations]
    #[arg(long, value_name = "PX")]
    pub stride: Option<usize>,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

/// Places along the longer side of a picture, where no stride is given.
const ALONG: usize = 24;
/// The mean of fewer rows holds more than a tenth of their energy, whatever they are.
const FEW: usize = 10;

/// One part of the energy.
#[derive(Debug, PartialEq, Serialize)]
struct Share {
    part: &'static str,
    share: f64,
    energy: f64,
    #[serde(skip)]
    meaning: &'static str,
}

/// The parts of a mean operator. One picture differs from no other.
fn shares(found: &MeanOperator) -> Vec<Share> {
    let shares = &found.shares;
    let all = [
        ("fixed", shares.fixed, "the mean filters explain it"),
        (
            "within pictures",
            shares.within_pictures,
            "rows differ from the mean of their picture",
        ),
        (
            "between pictures",
            shares.between_pictures,
            "means of pictures differ from each other",
        ),
        ("outside", shares.outside, "beyond the window"),
    ];
    all.into_iter()
        .filter(|(part, ..)| *part != "between pictures" || found.pictures > 1)
        .map(|(part, share, meaning)| Share {
            part,
            share,
            energy: match found.energy > 0.0 {
                true => share * found.energy,
                false => 0.0,
            },
            meaning,
        })
        .collect()
}

/// What `mean` says of itself.
const ABOUT: &About = &About {
    name: "mean",
    group: Group::Operator,
    summary: "Split F into one fixed filter per sub-pixel and what adapts, over places and pictures",
    details: "For networks from picture to picture. Rows of all places are aligned; their mean is the best \
        fixed filter, one for each sub-pixel. Shares of the rows' energy: fixed, adaptive within a picture, adaptive from \
        picture to picture (a folder), and outside the compared window. A convolution is fixed.",
    example: "mean net.onnx --input lr/",
    pictures: command::Pictures::Folders,
    files: &[
        FileAbout(
            "filters.npy",
            "[phases down, phases right, channels out, channels in, size, size], f64: the mean row of each sub-pixel",
        ),
        FileAbout(
            "mean.json",
            "shares, places and how they are aligned; with filters.npy all that is needed to combine pictures",
        ),
        FileAbout(
            "mean.png",
            "the filters as pictures, sub-pixels side by side",
        ),
        FileAbout("mean.svg", "the same for print"),
        FileAbout("shares.png", "the shares of the energy as bars"),
        FileAbout("shares.svg", "the same for print"),
    ],
    tables: &[TableAbout {
        name: "shares",
        rows: "one line for each part of the energy of the rows; between pictures there is something for several only",
        columns: &[
            (
                "part",
                "fixed, within pictures, between pictures, outside the window",
            ),
            ("share", "of the energy; all sum to 1"),
            ("energy", "Σ F² over the rows of these places"),
        ],
    }],
    includes: &[],
};

impl OnPicture for Mean {
    const ABOUT: &'static About = ABOUT;

    type Fold = Over;

    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> Result<()> {
        match self.stride {
            Some(0) => Err(Failure::input("--stride 0: must be at least 1")),
            _ => Ok(()),
        }
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let found = find(session, self)?;
        let report = report(&found);
        session.results.save_array_as(
            "filters",
            &found.filters,
            &found.shape,
            // What pictures are put together from.
            Precision::F64,
        )?;
        session.save_table("shares", &shares(&found))?;
        session.save_json("mean", &report)?;
        session.note("mean", &report);
        let recipe = session.painter.recipe.as_ref();
        let channels = recipe.map(|recipe| recipe.preprocess.channels().to_string());
        let mut sheet = sheet::filters(&session.model, &found, channels.as_deref());
        sheet.bands.insert(0, session.reference_band()?);
        session.save_sheet("mean", &sheet)?;
        session.save_chart("shares", &sheet::bars(&session.model, &found))?;
        Ok(Told {
            line: line(&found),
            found: json!({
                "fixed": found.shares.fixed,
                "within_pictures": found.shares.within_pictures,
                "outside": found.shares.outside,
                "energy": found.energy,
                "places": found.places,
                "least_rows": found.least_rows,
                "with_border": found.with_border,
            }),
            summary: summary(&found),
            failure: None,
        })
    }
}

fn find(session: &Session, args: &Mean) -> Result<MeanOperator> {
    let f = &session.frozen;
    let pictures = pictures_for(ABOUT.name, session)?;
    let unplaced = |error: Error| match error {
        error @ Error::NoPlace { .. } => Failure::input(format!(
            "mean has to align rows, but {error}"
        ))
        .hint(
            "row, column, svd and spectrum need no positions; maps says what else can be measured",
        ),
        error => error.into(),
    };
    let (input, output) = (pictures.input, pictures.output);
    if args.radius > input[1].max(input[2]) {
        return Err(Failure::input(format!(
            "--radius {}: the picture has {}×{} pixels",
            args.radius, input[1], input[2]
        ))
        .hint("pass a smaller one"));
    }
    if let Some(stride) = args.stride
        && stride > output[1].max(output[2])
    {
        return Err(Failure::input(format!(
            "--stride {stride}: the output has {}×{} pixels",
            output[1], output[2]
        ))
        .hint("pass a smaller one"));
    }
    let step = |axis| pictures.step(axis).map_err(unplaced);
    let phases = [step(0)?[1], step(1)?[1]];
    let stride = match args.stride {
        Some(stride) => met(stride, phases)?,
        None => chosen(f, &pictures, phases, args.radius)?,
    };
    let [_, h, w] = pictures.input;
    let [_, rows, columns] = pictures.output;
    let grid = Grid::every(stride, [rows, columns]);
    let found = MeanOperator::of_picture(f, &grid, args.radius, console::observer());
    found.map_err(|error| match error {
        Error::OutOfRange { .. } => Failure::input(format!(
            "no place has its window of {0}×{0} input pixels (--radius {1}) in the picture of {h}×{w}",
            2 * args.radius + 1,
            args.radius
        ))
        .hint("pass a smaller --radius or --stride, or a larger picture"),
        error => unplaced(error),
    })
}

/// A stride that was asked for, if places so far apart meet every sub-pixel.
fn met(stride: usize, phases: [usize; 2]) -> Result<usize> {
    let meets = |stride: &usize| phases.iter().all(|&phase| Grid::meets(*stride, phase));
    if meets(&stride) {
        return Ok(stride);
    }
    let next = (stride + 1..)
        .find(meets)
        .expect("one more than a multiple of both");
    Err(Failure::input(format!(
        "--stride {stride}: places so far apart meet only some of the {}×{} phases (sub-pixels, or steps of a stride)",
        phases[0], phases[1]
    ))
    .hint(format!(
        "take one that has no divisor in common with them, such as {next}"
    )))
}

/// The stride where none is given: so many places, of those that are taken at all, as cost no more than maps do. It depends
/// on the network and the sizes alone, not on the machine.
fn chosen(
    f: &FrozenNetwork,
    pictures: &Pictures,
    [down, right]: [usize; 2],
    radius: usize,
) -> Result<usize> {
    // Deep upscalers have a few places in the middle, which a grid over the whole output would hardly meet.
    let part = usable(pictures, radius)?.map(|[first, end]| end - first);
    let both = if down == right { down } else { down * right };
    let of = |along: usize| Grid::stride(along, part, both);
    let Some(cost) = maps::cost(f)? else {
        return Ok(of(ALONG));
    };
    let taken = |stride: usize| {
        let places = Grid::every(stride, part).len();
        cost.row.saturating_mul(places as u64)
    };
    let wished = of(ALONG);
    let chosen = of(affordable(ALONG, |along| taken(of(along))));
    if chosen != wished {
        console::notice(&format!(
            "sampling rows every {chosen} output pixels instead of every {wished}, which would take {:.0} Tflop (this \
             takes {:.0}); pass --stride {wished} to do so anyway",
            taken(wished) as f64 / 1e12,
            taken(chosen) as f64 / 1e12,
        ));
    }
    Ok(chosen)
}

/// Everything but the filters, which have an array.
fn report(found: &MeanOperator) -> Value {
    let mut report = json!(found);
    if let Value::Object(report) = &mut report {
        report.remove("filters");
    }
    report
}

/// The mean operator of one picture, as its piece of a job has it.
fn read(piece: &Path) -> Result<MeanOperator> {
    let path = piece.join("mean.json");
    let failed = |error: &dyn std::fmt::Display| Failure::file(&path, error);
    let text = fs::read_to_string(&path).map_err(|error| failed(&error))?;
    let mut report: Value = serde_json::from_str(&text).map_err(|error| failed(&error))?;
    let (filters, _) = npy::read(&piece.join("filters.npy"), &Limits::default())?;
    report["filters"] = json!([]);
    let found: MeanOperator = serde_json::from_value(report).map_err(|error| failed(&error))?;
    Ok(MeanOperator { filters, ..found })
}

/// The mean operator over the pictures of a folder.
#[derive(Default)]
pub(crate) struct Over(Vec<String>);

impl Fold for Over {
    type Found = IgnoredAny;

    const NAMES: &'static [&'static str] = &["mean.png", "shares.png", "filters.npy"];

    fn add(&mut self, name: &str, _: IgnoredAny) -> Result<()> {
        self.0.push(name.into());
        Ok(())
    }

    fn finish(self, job: &Job, summary: &mut Summary<'_>) -> Result<()> {
        let mut totals: Option<MeanOperatorTotals> = None;
        let mut unlike = Vec::new();
        // One by one: memory does not grow with the folder.
        for name in &self.0 {
            let one = read(&summary.piece(name))?;
            let [.., size] = one.shape;
            let totals = totals.get_or_insert_with(|| MeanOperatorTotals::new(size / 2));
            match totals.merge(&one) {
                Ok(()) => {}
                // A picture of another size may be laid out in another way.
                Err(Error::Different { because, .. }) => {
                    summary.lines.push(format!(
                        "{name} is not in the mean, since its places are aligned in another way: {because}"
                    ));
                    unlike.push(json!({ "picture": name, "because": because }));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let Some(found) = totals.and_then(|totals| totals.finish()) else {
            return Ok(());
        };
        let model = job.model_name();
        summary.save_array("filters", &found.filters, &found.shape, Precision::F64)?;
        let report = report(&found);
        summary.save_json("mean", &report)?;
        let channels = job.question["recipe"]["channels"].as_str();
        let sheet = sheet::filters(&model, &found, channels);
        summary.save_drawing("mean", &sheet.draw()?)?;
        summary.save_drawing("shares", &sheet::bars(&model, &found).draw())?;
        summary.lines.extend(self::summary(&found));
        summary.over = json!({ "mean": report, "not_in_the_mean": unlike });
        Ok(())
    }
}

/// A share for people; – where there is none.
fn percent(share: f64) -> String {
    match share.is_finite() {
        true => format!("{:.2} %", 100.0 * share),
        false => "–".into(),
    }
}

fn line(found: &MeanOperator) -> String {
    format!(
        "fixed {}, adaptive {}, outside {}",
        percent(found.shares.fixed),
        percent(found.shares.adaptive()),
        percent(found.shares.outside)
    )
}

/// What the filters of one output are told apart by: the sub-pixels of an upscaler, the phases of a network that strides.
fn phase(found: &MeanOperator) -> &'static str {
    match found.along.iter().all(|along| along.step[0] == 1) {
        true => "sub-pixel",
        false => "phase",
    }
}

/// What the filters are, in a sentence.
fn filters_line(found: &MeanOperator) -> String {
    let [down, right, d, c, size, _] = found.shape;
    let filters = match down * right {
        1 => "one filter".to_string(),
        _ => format!("{down}×{right} filters, one for each {},", phase(found)),
    };
    let channels = match c {
        1 => "1 channel".to_string(),
        c => format!("{c} channels"),
    };
    let pictures = match found.pictures {
        1 => String::new(),
        many => format!(" of {many} pictures"),
    };
    format!(
        "{filters} of {size}×{size} input pixels from {channels} to {d}, over {} places{pictures}",
        found.places
    )
}

/// What makes the numbers less than they seem.
fn doubts(found: &MeanOperator) -> Vec<String> {
    let mut doubts = Vec::new();
    match found.least_rows {
        0 => doubts.push(
            format!(
                "some filters have no place and are 0, those of each {} that the grid misses: pass a smaller --stride or larger \
                 pictures",
                phase(found)
            ),
        ),
        1 => doubts.push(
            "some filters are a single row, from which nothing differs: pass a smaller --stride or larger pictures"
                .into(),
        ),
        few if few < FEW => doubts.push(format!(
            "some filters are the mean of {few} rows, which holds 1/{few} of their energy even if they have nothing in \
             common: pass a smaller --stride or larger pictures"
        )),
        _ => {}
    }
    if found.with_border {
        doubts.push(
            "fields meet the border, so what the border does counts as adaptive; larger pictures help".into(),
        );
    }
    doubts
}

fn summary(found: &MeanOperator) -> Vec<String> {
    let mut lines = vec![format!("mean operator: {}", filters_line(found))];
    match found.energy > 0.0 {
        false => lines.push("all rows are zero, so there are no shares".into()),
        true => lines.extend(shares(found).iter().map(|share| {
            format!(
                "  {:18} {:>9}   {}",
                share.part,
                percent(share.share),
                share.meaning
            )
        })),
    }
    if found.pictures == 1 && found.energy > 0.0 {
        lines
            .push("  (a folder of pictures also shows what adapts from picture to picture)".into());
    }
    lines.extend(doubts(found));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_that_skip_sub_pixels_are_refused() {
        assert_eq!(met(5, [3, 3]).unwrap(), 5);
        assert_eq!(met(4, [1, 1]).unwrap(), 4);
        let refused = met(6, [3, 2]).unwrap_err();
        assert!(refused.message.contains("3×2"), "{}", refused.message);
        assert!(refused.hint.unwrap().ends_with("such as 7"));
    }
}
