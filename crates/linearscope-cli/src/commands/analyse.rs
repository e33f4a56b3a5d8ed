//! `analyse`: everything that fits the task, as files and as one report.

use std::{fmt::Write, fs};

use clap::{Args, ValueEnum};
use linearscope_analysis::{
    LinearOperator,
    attribution::{AdjointMethod, Method},
    operator::Field,
    ranking,
    svd::SvdConfig,
};
use linearscope_picture::{
    Band, Drawing, Overlay, Sheet,
    page::{self, Cell, Column, Markup, Page, Part, Render, Section, Shown, Table},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    attribute::{self, How, trusted},
    column, contributions, fields, maps, position, row, run, svd, votes,
};
use crate::{
    args::{Between, Common},
    boxes,
    command::{About, FileAbout, Group, OnPicture, Pictures, Told},
    error::{Failure, Result},
    job::{Fold, Job, Summary},
    opened::name_of,
    picture::View,
    report::{Chapter, Report, footer},
    segments::LabelMap,
    session::{Session, certificate_line},
    task::Task,
};

/// How figures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Pixels, as on the screen
    Png,
    /// Vectors, text as outlines
    Svg,
    /// The same, one page each
    Pdf,
}

impl Format {
    fn end(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Pdf => "pdf",
        }
    }

    fn bytes(self, drawing: &Drawing) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Png => drawing.to_png()?,
            Self::Svg => drawing.to_outlined_svg()?.into_bytes(),
            Self::Pdf => drawing.to_pdf()?,
        })
    }
}

/// A heading as a part of a file's name.
fn slug(heading: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            ' '
        }
    };
    let plain: String = heading.chars().map(plain).collect();
    plain.split_whitespace().collect::<Vec<_>>().join("-")
}

/// Every figure of a report as a file, numbered as they come.
fn save_figures(session: &mut Session, chapter: &Chapter, format: Format) -> Result<usize> {
    let figures = chapter.parts.iter().flat_map(|part| {
        let name = slug(&part.heading);
        part.figures
            .iter()
            .map(move |figure| (name.clone(), figure))
    });
    let folder = session.results.path(FIGURES);
    fs::create_dir_all(&folder).map_err(|error| Failure::file(&folder, error))?;
    let mut count = 0;
    for (number, (name, figure)) in figures.enumerate() {
        let drawing = figure.draw()?;
        let file = format!("{FIGURES}{:02}-{name}.{}", number + 1, format.end());
        session
            .results
            .save(&file, &format.bytes(&drawing)?, json!({}))?;
        count += 1;
    }
    Ok(count)
}

/// Where figures go.
const FIGURES: &str = "figures/";

/// `analyse`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Analyse {
    /// Number of singular triplets
    #[arg(short, default_value_t = 6, value_name = "K")]
    pub k: usize,
    /// Also write each figure of the report as a separate file, for a paper: lines and text as vectors, fields as
    /// lossless pictures
    #[arg(long, value_enum, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Format>,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

impl OnPicture for Analyse {
    const ABOUT: &'static About = &About {
        name: "analyse",
        group: Group::Start,
        summary: "Run every analysis that fits the task and write one report",
        details: "Tells scores, pictures, per-pixel classes and boxes apart by the shapes (--task overrides \
            this), and runs what fits: contributions, rows, votes, columns, maps, SVD. The report shows the \
            command behind each figure.",
        example: "analyse net.onnx --input cat.jpg",
        pictures: Pictures::Folders,
        files: &[
            FileAbout(
                "report.html",
                "the report: self-contained, for any browser and for print",
            ),
            FileAbout(
                FIGURES,
                "the figures of the report, numbered, where --figures is given",
            ),
        ],
        tables: &[],
        includes: &[
            <run::Run as OnPicture>::ABOUT,
            <row::Row as OnPicture>::ABOUT,
            <column::Column as OnPicture>::ABOUT,
            attribute::ABOUT,
            contributions::ABOUT,
            votes::ABOUT,
            maps::ABOUT,
            svd::ABOUT,
        ],
    };

    type Fold = Index;

    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> Result<()> {
        match self.k {
            0 => Err(Failure::input("-k 0: at least one triplet is needed")),
            _ => Ok(()),
        }
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let task = known(session)?;
        session.note("task", task);
        let (mut chapter, failures) = chapter(session, task, self.k)?;
        let input = session.manifest["input"]["file"].as_str().unwrap_or("");
        let input = name_of(std::path::Path::new(input));
        chapter.title = format!("{} at {input}", session.model);
        let certificate = session.certify()?;
        chapter.certificate = certificate_line(&certificate, session.precision);
        chapter.holds = certificate.holds();
        let line = chapter.certificate.lines().next().unwrap_or("").to_string();
        let report = Report {
            title: format!("What {} does", session.model),
            intro: vec![INTRO.into()],
            chapters: vec![chapter],
        };
        session
            .results
            .save("report.html", report.html().as_bytes(), json!({}))?;
        let mut summary = vec!["open report.html in a browser".into()];
        if let Some(format) = self.figures {
            let count = save_figures(session, &report.chapters[0], format)?;
            summary.push(format!("{count} figures are in {FIGURES}"));
        }
        Ok(Told {
            summary,
            line,
            found: json!({
                "task": task,
                "exactness": certificate.exactness,
                "adjoint": certificate.adjoint,
                "residual_over_output": certificate.residual_over_output,
            }),
            failure: failures.into_iter().next(),
        })
    }
}

/// The page that leads to each picture's report.
pub(crate) struct Index(Table);

impl Default for Index {
    fn default() -> Self {
        Self(Table::new([
            Column::text("picture"),
            Column::number("‖r‖ / ‖f(x₀)‖"),
            Column::number("exactness"),
        ]))
    }
}

/// What it says of one picture.
#[derive(Deserialize)]
pub(crate) struct Found {
    exactness: f64,
    residual_over_output: f64,
}

impl Fold for Index {
    type Found = Found;

    fn add(&mut self, name: &str, found: Found) -> Result<()> {
        self.0.push([
            Cell::text(name).to(format!("{name}/report.html")),
            Cell::number(
                found.residual_over_output,
                format!("{:.3}", found.residual_over_output),
            ),
            Cell::number(found.exactness, format!("{:.1e}", found.exactness)),
        ]);
        Ok(())
    }

    fn finish(self, job: &Job, summary: &mut Summary<'_>) -> Result<()> {
        let page = Page {
            title: format!("What {} does", job.model_name()),
            intro: vec![INTRO.into(), "Each picture has a report of its own.".into()],
            sections: vec![Section {
                parts: vec![Part {
                    body: vec![self.0.render()],
                    ..Part::default()
                }],
                ..Section::default()
            }],
            footer: footer(),
        };
        summary.save_page("report.html", &page.render().into_string())?;
        summary.lines.push("open report.html in a browser".into());
        Ok(())
    }
}

/// What every report begins with.
pub(crate) const INTRO: &str = "Freeze what every non-linear unit of a network decided for one \
    picture x₀, and the network is an affine map y = F x + r that can be read. A row of F says which \
    input pixels one output uses; a column says where one input pixel goes; the singular vectors say \
    what passes and how much; the residual r is what the biases add by themselves.";

/// What the network does.
pub(crate) fn known(session: &Session) -> Result<Task> {
    session.task.ok_or_else(|| {
        let shape = session.frozen.output_shape();
        let place = vec!["0"; position::axes(shape).len()].join(",");
        Failure::input(format!(
            "analyse cannot handle outputs of shape {shape:?}: they are not scores, a picture, per-pixel classes or boxes"
        ))
        .hint(format!(
            "use `row --at {place}` or `contributions --target {place}` to explain a single number, --output \
             NAME to read another value of the network, or --task to say what the network does"
        ))
    })
}

/// How a sheet goes into a report.
pub(crate) fn body(sheet: Option<&Sheet>) -> Result<Markup> {
    match sheet {
        Some(sheet) => Ok(page::sheet(sheet)?),
        None => Ok(page::paragraph(
            "There is no picture of this result; the numbers are in the files.",
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
    let (y0, residual) = run::save(session)?;
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
    let mut figures = vec![Shown::Sheet(pictures)];
    if classifier {
        first.push(scores(session, &y0));
    }
    let labels = match task {
        Task::Segmenter => LabelMap::new(&y0, &shape),
        _ => None,
    };
    if let Some(labels) = &labels {
        if let Some(sheet) = labels.save(session)? {
            first.push(page::sheet(&sheet)?);
            figures.push(Shown::Sheet(sheet));
        }
        first.push(labels.table(session).render());
    }
    if let Some(boxes) = session.boxes {
        let best = boxes.save(session, &y0)?;
        first.push(boxes::table(session, &best).render());
    }
    chapter.parts.push(Part {
        heading: if classifier { "What it says" } else { "What it makes" }.into(),
        look: if classifier {
            "The input picture and its best scores. Everything below is about how the network read this \
             picture, and no other."
                .into()
        } else {
            "The interpreter does not change the output: it equals a plain run bit for bit. The residual is \
             the frozen network's output for a picture of zeros: the biases, projected forward. Where it is \
             strong, the output owes more to what the network learned than to these pixels."
                .into()
        },
        body: first,
        commands: run,
        figures,
    });

    let target = if classifier {
        "top1".to_string()
    } else {
        // The strongest edge, where there is most to explain, or the best box.
        let auto = ["auto".to_string()];
        let place = position::places("--target", &auto, &y0, &shape, session.look())?;
        position::text(place[0].positions[0], &shape)
    };
    if matches!(task, Task::Classifier | Task::Segmenter | Task::Detector) {
        chapter
            .parts
            .push(attribution(session, &line("attribute", ""))?);
    }
    let found = contributions::find(session, &target)?;
    let mut contribution = Some(Part {
        heading: "Which layer made it".into(),
        look: if classifier {
            "The best score, split into exact parts: the grey bar is what the pixels add, and each other bar \
             is what one layer's biases, or the constants of frozen units, add to the score. Look at whether \
             the decision is made early or deep in the network."
                .into()
        } else {
            let on = match task {
                Task::Detector => "the score of the best box",
                _ => "on the strongest edge",
            };
            format!(
                "Output {target}, {on}, split into exact parts: the grey bar is what the pixels add, and each \
                 other bar is what one layer's biases, or the constants of frozen units, add to it."
            )
        },
        body: vec![page::bars(&found.chart)],
        commands: vec![format!(
            "linearscope contributions {} --target {target}",
            session.line
        )],
        figures: vec![Shown::Bars(found.chart)],
    });
    if classifier {
        chapter.parts.extend(contribution.take());
        chapter.parts.push(part_of(
            session,
            Field::Row,
            "Which pixels its best scores use",
            "A row of F for each of the best classes: the weight that the score gives each pixel while \
             decisions stay frozen. Look at whether the weight lies on the object, and how the classes differ \
             at the same place.",
            row,
        )?);
        // One score alone has no rival that a pixel could vote for.
        if y0.len() > 1 {
            chapter.parts.push(votes_part(session, &line("votes", ""))?);
        }
    } else {
        chapter.parts.push(part_of(
            session,
            Field::Row,
            "Which pixels an output uses",
            match task {
                Task::Sr => {
                    "Each is the filter that made one output pixel (in colour, the sum of its three channels): \
                     1 is on the strongest edge, 6 in the flattest part. A linear upscaler would show the same \
                     filter six times; these follow the edges."
                }
                Task::Detector => {
                    "How the best box depends on the pixels: 1 is its score, then its objectness if the \
                     network has one, then its four coordinates. Weight outside the box is context."
                }
                Task::Segmenter => {
                    "Each shows how the score of the class that wins at one place depends on the pixels: 1 is \
                     on the strongest edge, 6 in the flattest part. Weight far from the place is context that \
                     influences the decision there."
                }
                _ => {
                    "Each shows everything that one output pixel depends on (in colour, the sum of its three \
                     channels): 1 is on the strongest edge, 6 in the flattest part. Weight away from the \
                     pixel's own place means that it copies from elsewhere."
                }
            },
            row,
        )?);
        // Of a detector the output has no places for a pixel to go to.
        if task != Task::Detector {
            chapter.parts.push(part_of(
                session,
                Field::Column,
                "Where a pixel goes",
                match task {
                    Task::Sr => {
                        "Each is what one input pixel adds to the output: its footprint. Look at how it \
                         changes from the edge (1) to the flat part (6)."
                    }
                    _ => {
                        "Each is what one input pixel adds to the output. A footprint that draws a whole shape \
                         is a template that this pixel switches on."
                    }
                },
                column,
            )?);
        }
    }
    if !classifier && task != Task::Detector && maps::are_of(session) {
        let (mut sheet, lines) = maps::part(session)?;
        sheet.bands.retain(signed);
        chapter.parts.push(Part {
            heading: "How far it reaches, and what it copies".into(),
            look: "The radii that contain a given share of a field's energy, what comes from outside a place's \
                   own neighbourhood (arrows: the strongest flows), columns that draw whole shapes, and how \
                   much neighbouring filters differ."
                .into(),
            body: vec![body(Some(&sheet))?, page::lines(&lines)],
            commands: commands("maps", ""),
            figures: vec![Shown::Sheet(sheet)],
        });
    }
    let config = SvdConfig::new(k);
    let triplets = svd::find(session, &config, &Between::default())?;
    let mut look = match task {
        Task::Classifier => {
            "The pictures that change the scores most, and which classes each one raises or lowers."
        }
        Task::Sr => {
            "The inputs v that this frozen network amplifies most, and its outputs u for them. Look for \
             patches that are local, oriented and striped, like wavelets."
        }
        Task::Detector => {
            "The inputs v that this frozen network amplifies most, over all boxes. Look at whether they lie on \
             the objects that it finds."
        }
        Task::I2i | Task::Segmenter => {
            "The inputs v that this frozen network amplifies most, and its outputs u for them. Look at whether \
             they are local, and whether u stays where v is."
        }
    }
    .to_string();
    if k < asked {
        let _ = write!(look, " F has rank {k} at most, so there are no more.");
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
        figures: sheet.map(Shown::Sheet).into_iter().collect(),
    });
    // For pictures it comes last: one pixel's score is a detail.
    chapter.parts.extend(contribution);
    Ok((chapter, failures))
}

/// What each pixel adds to the best score, or to the class that wins most places, over the picture.
fn attribution(session: &mut Session, command: &str) -> Result<Part> {
    let method = [Method::Adjoint(AdjointMethod::Conserving)];
    let top = ["top1".to_string()];
    let how = How {
        methods: &method,
        ..How::default()
    };
    let found = attribute::find(session, &top, &how, Overlay::default())?;
    let trust = trusted(session)?;
    let mut lines = found.summary.clone();
    lines.extend(trust.iter().map(|one| one.line()));
    Ok(Part {
        heading: "What each pixel adds".into(),
        look: "What each pixel, and the biases on its way, contribute to the score, redistributed so that the \
               map sums to the score: vermilion is evidence for it, blue against it. The lines below give how \
               far the reading F x + r holds on the way to each baseline."
            .into(),
        body: vec![body(found.sheet.as_ref())?, page::lines(&lines)],
        commands: vec![command.into()],
        figures: found.sheet.map(Shown::Sheet).into_iter().collect(),
    })
}

/// Whether a band shows findings rather than the reference.
pub(crate) fn signed(band: &Band) -> bool {
    band.panels.iter().all(|panel| panel.raster.scale.is_some())
}

/// Classes whose votes are counted without being asked: each costs two products.
const VOTED: usize = 200;

fn votes_part(session: &mut Session, command: &str) -> Result<Part> {
    let classes = session.frozen.output_len();
    let mut figures = Vec::new();
    let (look, body) = if classes > VOTED {
        let look = format!(
            "Each pixel votes for the class that it supports most. With {classes} classes this takes minutes; \
             run the command below to compute it."
        );
        (look, Vec::new())
    } else {
        let (sheet, table) = votes::part(session)?;
        let look = "Each pixel votes for the class that it supports most: the class whose score the pixel, and \
                    the biases on its way, raise most. Look at whether the strong votes lie on the object."
            .to_string();
        let shown = vec![body(sheet.as_ref())?, table.render()];
        figures.extend(sheet.map(Shown::Sheet));
        (look, shown)
    };
    Ok(Part {
        heading: "Which class each pixel votes for".into(),
        look,
        body,
        commands: vec![command.into()],
        figures,
    })
}

fn part_of(
    session: &mut Session,
    field: Field,
    heading: &str,
    look: &str,
    commands: Vec<String>,
) -> Result<Part> {
    let (sheet, _) = fields::find(session, field, "--at", &["auto".into()])?;
    Ok(Part {
        heading: heading.into(),
        look: look.into(),
        body: vec![body(sheet.as_ref())?],
        commands,
        figures: sheet.map(Shown::Sheet).into_iter().collect(),
    })
}
