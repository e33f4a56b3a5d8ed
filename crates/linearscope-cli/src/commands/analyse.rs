//! `analyse`: everything that fits the task, as files and as one report.

use std::{fmt::Write, path::PathBuf};

use linearscope_analysis::{LinearOperator, operator::Field, ranking, svd::SvdConfig};
use linearscope_picture::{
    Band, Sheet,
    page::{self, Cell, Column, Markup, Render, Table},
};
use serde_json::json;

use super::{contributions, fields, maps, position, svd, votes};
use crate::{
    args::{Analyse, Between, Common, Task},
    error::{Failure, Result},
    folder::{self, One},
    output,
    picture::View,
    report::{Chapter, Part, Report},
    session::{Session, certificate_line, judge},
};

pub(crate) fn run(args: &Analyse) -> Result<()> {
    if args.k == 0 {
        return Err(Failure::input("-k 0: at least one triplet is needed"));
    }
    if !folder::is_one(&args.common) {
        let (found, text) = one(args)?;
        let Told { chapter, failure } = found.found;
        let path = report(&args.common, vec![chapter])?;
        if args.common.json {
            println!("{text}");
        } else {
            println!("{}", found.line);
            println!("the report is {}", path.display());
        }
        return failure.map_or(Ok(()), Err);
    }
    // One report, a chapter for each picture.
    let each = |args: &Analyse| Ok(one(args)?.0);
    let (set, told) = folder::each("analyse", args, |args| &mut args.common, each)?.apart();
    let (chapters, failures): (Vec<_>, Vec<_>) = told
        .into_iter()
        .map(|Told { chapter, failure }| (chapter, failure))
        .unzip();
    let path = report(&args.common, chapters)?;
    set.close((), &[format!("the report is {}", path.display())])?;
    failures.into_iter().flatten().next().map_or(Ok(()), Err)
}

/// What is told of one picture, and what did not hold.
struct Told {
    chapter: Chapter,
    failure: Option<Failure>,
}

fn report(common: &Common, chapters: Vec<Chapter>) -> Result<PathBuf> {
    let model = common.model.file_name().unwrap_or_default();
    let report = Report {
        title: format!("What {} does", model.to_string_lossy()),
        intro: vec![INTRO.into()],
        chapters,
    };
    let path = common.out.join("report.html");
    output::write_whole(&path, report.html().as_bytes())?;
    Ok(path)
}

/// One picture's chapter, and the manifest's text.
fn one(args: &Analyse) -> Result<(One<Told>, String)> {
    let mut session = Session::open("analyse", &args.common)?;
    let task = args.task.unwrap_or_else(|| guess(&session));
    session.note("task", format!("{task:?}").to_lowercase());
    let model = session.model.clone();
    let (mut chapter, failures) = chapter(&mut session, task, args.k)?;
    chapter.title = match args.common.input.file_name() {
        Some(name) => format!("{model} at {}", name.to_string_lossy()),
        None => model.clone(),
    };
    let (certificate, text) = session.finish()?;
    chapter.certificate = certificate_line(&certificate, args.common.dtype);
    chapter.holds = certificate.holds();
    let line = chapter.certificate.clone();
    let failure = judge(&certificate).err().or(failures.into_iter().next());
    let numbers = json!({ "certificate": certificate });
    let found = Told { chapter, failure };
    Ok((
        One {
            line,
            numbers,
            found,
        },
        text,
    ))
}

/// What every report begins with.
pub(crate) const INTRO: &str = "Freeze what every non-linear unit of a network decided for one \
    picture x₀, and the network is an affine map y = F x + r that can be read. A row of F says which \
    input pixels one output uses; a column says where one input pixel goes; the singular vectors say \
    what passes and how much; the residual r is what the biases add by themselves.";

/// Scores, a larger picture, or a picture of the same size.
pub(crate) fn guess(session: &Session) -> Task {
    let (from, to) = (session.frozen.input_shape(), session.frozen.output_shape());
    match (from, to) {
        (&[.., h, w], &[_, _, rows, columns]) if rows >= 4 && columns >= 4 => {
            if rows > h && columns > w {
                Task::Sr
            } else {
                Task::I2i
            }
        }
        _ => Task::Classifier,
    }
}

/// How a sheet goes into a report.
pub(crate) fn body(sheet: Option<&Sheet>) -> Result<Markup> {
    match sheet {
        Some(sheet) => Ok(page::sheet(sheet)?),
        None => Ok(page::paragraph(
            "It has no picture; the numbers are in the files.",
        )),
    }
}

/// The best classes of a classifier, as a table.
fn scores(session: &Session, y0: &[f64]) -> Markup {
    let columns = [
        Column::number("class"),
        Column::number("score"),
        Column::text("name"),
    ];
    let best = ranking(y0).into_iter().take(5);
    let table = best.fold(Table::new(columns), |table, k| {
        table.row([
            Cell::number(k as f64, k.to_string()),
            Cell::number(y0[k], format!("{:.3}", y0[k])),
            session.label(k).map_or(Cell::missing(), Cell::text),
        ])
    });
    table.render()
}

/// Everything that fits the task. A solver that did not converge is told, and the rest goes on.
pub(crate) fn chapter(
    session: &mut Session,
    task: Task,
    k: usize,
) -> Result<(Chapter, Vec<Failure>)> {
    let shape = session.frozen.output_shape().to_vec();
    let y0 = session.numbers(session.frozen.reference())?;
    let residual = session.numbers(session.frozen.residual()?)?;
    let flags = session.line.clone();
    let line = |command: &str, more: &str| {
        let more = match more {
            "" => String::new(),
            more => format!(" {more}"),
        };
        format!("linearscope {command} {flags}{more}")
    };
    let commands = |command: &str, more: &str| vec![line(command, more)];
    let (run, row, column) = (
        commands("run", ""),
        commands("row", ""),
        commands("column", ""),
    );
    let rank = session.frozen.input_len().min(session.frozen.output_len());
    let (asked, k) = (k, k.min(rank));
    let svd_command = commands("svd", &format!("-k {k}"));
    let mut chapter = Chapter::default();
    let mut failures = Vec::new();

    session.save_output("output", &y0, &shape)?;
    session.save_signed("residual", "residual r", &residual, &shape, View::Whole)?;
    let mut reference = session.reference_band()?;
    reference.heading = String::new();
    let residual_panels = session
        .painter
        .signed("r, the residual", &residual, &shape, View::Whole);
    reference.panels.extend(residual_panels);
    let pictures = Sheet {
        bands: vec![reference],
        ..Sheet::default()
    };
    let classifier = task == Task::Classifier;
    let mut first = vec![page::sheet(&pictures)?];
    if classifier {
        first.push(scores(session, &y0));
    }
    chapter.parts.push(Part {
        heading: if classifier { "What it says" } else { "What it makes" }.into(),
        look: if classifier {
            "The picture it was asked about, and its best scores. All that follows is about how this \
             picture, and no other, was read."
                .into()
        } else {
            "The output is untouched by the interpreter: bit-equal to a plain run. The residual is \
             what the frozen network gives for a picture of zeros: the biases, projected forward. \
             Where it is strong, the output owes more to what was learned than to these pixels."
                .into()
        },
        body: first,
        commands: run,
    });

    let target = if classifier {
        "top1".to_string()
    } else {
        // The strongest edge: there is most to explain.
        let place = position::places(&["auto".into()], &y0, &shape)?;
        position::text(place[0].positions[0], &shape)
    };
    let found = contributions::find(session, &target)?;
    let mut contribution = Some(Part {
        heading: "Which layer made it".into(),
        look: if classifier {
            "The best score, taken apart exactly: the grey bar is what the pixels add, each other bar \
             what one layer's biases add on their way to the score. Look for where the decision is \
             made: early, or deep."
                .into()
        } else {
            format!(
                "Output {target}, on the strongest edge, taken apart exactly: the grey bar is what \
                 the pixels add, each other bar what one layer's biases add on their way to it."
            )
        },
        body: vec![page::bars(&found.chart)],
        commands: vec![format!(
            "linearscope contributions {} --target {target}",
            session.line
        )],
    });
    if classifier {
        chapter.parts.extend(contribution.take());
        chapter.parts.push(part_of(
            session,
            Field::Row,
            "Which pixels its best scores use",
            "A row of F for each of the best classes: the weight that score gives each pixel, at \
             frozen decisions. Look for whether the weight sits on the object, and how the classes \
             differ in the same place.",
            row,
        )?);
        chapter.parts.push(votes_part(session, &line("votes", ""))?);
    } else {
        chapter.parts.push(part_of(
            session,
            Field::Row,
            "Which pixels an output uses",
            match task {
                Task::Sr => {
                    "Each is the filter that made one output pixel (in colour, the sum of its three \
                     channels): 1 sits on the strongest edge, 6 on the flattest part. A linear \
                     upscaler would show one filter six times; these follow the edges."
                }
                _ => {
                    "Each is all that one output pixel read (in colour, the sum of its three \
                     channels): 1 sits on the strongest edge, 6 on the flattest part. Weight away from the pixel's own place means that it copies from \
                     elsewhere."
                }
            },
            row,
        )?);
        chapter.parts.push(part_of(
            session,
            Field::Column,
            "Where a pixel goes",
            match task {
                Task::Sr => {
                    "Each is what one input pixel adds to the output: its footprint. Look at how it \
                     changes from the edge (1) to the plain (6)."
                }
                _ => {
                    "Each is what one input pixel adds to the output. A footprint that draws a whole \
                     shape is a template which that pixel switches."
                }
            },
            column,
        )?);
    }
    if !classifier && maps::are_of(session) {
        let (mut sheet, lines) = maps::part(session)?;
        sheet.bands.retain(signed);
        chapter.parts.push(Part {
            heading: "How far it reaches, and what it copies".into(),
            look: "Radii that hold so much of a field's energy, what comes from beyond a place's own \
                   surroundings (arrows: the strongest ways), columns that draw whole shapes, and how \
                   much neighbouring filters differ."
                .into(),
            body: vec![body(Some(&sheet))?, page::lines(&lines)],
            commands: commands("maps", ""),
        });
    }
    let config = SvdConfig::new(k);
    let triplets = svd::find(session, &config, &Between::default())?;
    let mut look = match task {
        Task::Classifier => {
            "The pictures that move the scores most, and which classes each moves, up or down."
        }
        Task::Sr => {
            "The inputs v this frozen network amplifies most, and what it makes of them, u. Look for \
             patches that are local, oriented and striped, like wavelets."
        }
        Task::I2i => {
            "The inputs v this frozen network amplifies most, and what it makes of them, u. Look for \
             whether they are local, and whether u stays where v is."
        }
    }
    .to_string();
    if k < asked {
        let _ = write!(look, " F has rank {k} at most: there are no more.");
    }
    if let Some(failure) = triplets.failure {
        let _ = write!(look, " Not all converged: {}.", failure.message);
        failures.push(failure);
    }
    // The reference stands at the chapter's top.
    let sheet = triplets.sheet.map(|mut sheet| {
        sheet.bands.retain(signed);
        sheet
    });
    chapter.parts.push(Part {
        heading: "What passes, and how much".into(),
        look,
        body: vec![body(sheet.as_ref())?],
        commands: svd_command,
    });
    // For pictures it comes last: one pixel's score is a detail.
    chapter.parts.extend(contribution);
    Ok((chapter, failures))
}

/// Whether a band shows findings rather than the reference.
pub(crate) fn signed(band: &Band) -> bool {
    band.panels.iter().all(|panel| panel.raster.scale.is_some())
}

/// Classes whose votes are counted without being asked: each costs two products.
const VOTED: usize = 200;

fn votes_part(session: &mut Session, command: &str) -> Result<Part> {
    let classes = session.frozen.output_len();
    let (look, body) = if classes > VOTED {
        let look = format!(
            "Each pixel votes for the class whose discussion it speaks loudest in. With {classes} classes \
             that takes minutes; the command below does it."
        );
        (look, Vec::new())
    } else {
        let (sheet, table) = votes::part(session)?;
        let look = "Each pixel votes for the class whose discussion it speaks loudest in: what the score \
                    makes of the pixel, and of the biases on its way. Look for whether the loud votes lie \
                    on the object."
            .to_string();
        (look, vec![body(sheet.as_ref())?, table.render()])
    };
    Ok(Part {
        heading: "Which class each pixel votes for".into(),
        look,
        body,
        commands: vec![command.into()],
    })
}

fn part_of(
    session: &mut Session,
    field: Field,
    heading: &str,
    look: &str,
    commands: Vec<String>,
) -> Result<Part> {
    let (sheet, _) = fields::find(session, field, &["auto".into()])?;
    Ok(Part {
        heading: heading.into(),
        look: look.into(),
        body: vec![body(sheet.as_ref())?],
        commands,
    })
}
