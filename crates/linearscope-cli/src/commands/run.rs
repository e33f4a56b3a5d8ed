//! `run`: f(x₀), r, the certificate.

use clap::Args;
use linearscope_analysis::{LinearOperator, ranking};
use serde::Serialize;
use serde_json::json;

use crate::{
    args::Common,
    boxes,
    command::{About, Alone, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    ends::Shaped,
    error::Result,
    kind::Kind,
    picture::View,
    segments::LabelMap,
    session::Session,
    task::Task,
};

/// `run`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Run {
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

/// f(x₀) and r, computed and written.
pub(crate) fn save(session: &mut Session) -> Result<(Vec<f64>, Vec<f64>)> {
    let shape = session.frozen.output_shape().to_vec();
    let output = session.numbers(session.frozen.reference())?;
    let residual = session.numbers(session.frozen.residual()?)?;
    session.save_output("output", &output, &shape, Shaped::Output)?;
    session.save_signed(
        "residual",
        "residual r",
        &residual,
        (&shape, Shaped::Output),
        View::Whole,
    )?;
    Ok((output, residual))
}

/// What a segmenter's map holds.
pub(crate) const SEGMENTS: TableAbout = TableAbout {
    name: "segments",
    rows: "for segmenters: one line for each class that wins somewhere, most places first",
    columns: &[
        ("class", "index of the channel"),
        ("label", "its name, if the recipe has labels"),
        ("pixels", "number of places where it wins"),
        ("share", "the same over all places"),
    ],
};

/// What a detector's boxes are.
pub(crate) const BOXES: TableAbout = TableAbout {
    name: "boxes",
    rows: "for detectors: the best box of each of the five best classes",
    columns: &[
        ("box", "its number"),
        ("class", "number of the class"),
        ("label", "its name, if the recipe has labels"),
        (
            "score",
            "class score, times the objectness if the network has one; for raw scores, the sigmoid of both",
        ),
        (
            "coordinates",
            "the four coordinates, as the network gives them",
        ),
    ],
};

/// One of the best scores.
#[derive(Serialize)]
struct Best {
    class: usize,
    label: Option<String>,
    score: f64,
}

impl OnPicture for Run {
    const ABOUT: &'static About = &About {
        name: "run",
        group: Group::Start,
        summary: "Compute the output, the residual, and how exact the interpreter is",
        details: "Runs the network on the picture, freezes its decisions there, and measures the certificate: \
            how exactly F x₀ + r reproduces the output on this machine, whether F and Fᵀ are adjoint to each \
            other, and how many decisions lie within rounding error of their kink.",
        example: "run net.onnx --input cat.jpg",
        pictures: Pictures::One,
        files: &[
            FileAbout("output.npy", "f(x₀), in the output's shape"),
            FileAbout(
                "output.png",
                "f(x₀) as a picture; signals as lines, volumes as slices",
            ),
            FileAbout(
                "residual.npy",
                "r, in the output's shape: the biases, projected forward",
            ),
            FileAbout("residual.png", "r, blue below zero, red above"),
            FileAbout("residual.svg", "the same for print"),
            FileAbout(
                "classes.npy",
                "[h, w] i32, for segmenters: the class that wins at each place",
            ),
            FileAbout("classes.png", "the same in colours"),
            FileAbout("classes.svg", "the same for print"),
        ],
        tables: &[
            SEGMENTS,
            BOXES,
            TableAbout {
                name: "scores",
                rows: "the five best scores, best first",
                columns: &[
                    ("class", "index of the output"),
                    ("label", "its name, if the recipe has labels"),
                    ("score", "f(x₀) there, before any softmax"),
                ],
            },
        ],
        includes: &[],
    };

    type Fold = Alone;

    fn common(&self) -> &Common {
        &self.common
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let shape = session.frozen.output_shape().to_vec();
        let (output, _) = save(session)?;
        let mut summary = vec![format!(
            "the output has shape {shape:?}, the input {:?}",
            session.frozen.input_shape()
        )];
        if Kind::of(&shape) == Kind::Scores && output.len() > 1 {
            let best = |&class: &usize| Best {
                class,
                label: session.label(class).map(String::from),
                score: output[class],
            };
            let best: Vec<Best> = ranking(&output).iter().take(5).map(best).collect();
            for one in &best {
                summary.push(format!(
                    "  class {:4}  score {:9.4}  {}",
                    one.class,
                    one.score,
                    one.label.as_deref().unwrap_or("")
                ));
            }
            session.save_table("scores", &best)?;
        }
        if session.task == Some(Task::Segmenter)
            && let Some(labels) = LabelMap::new(&output, &shape)
        {
            labels.save(session)?;
            summary.extend(labels.lines(session));
        }
        if let Some(boxes) = session.boxes {
            let best = boxes.save(session, &output)?;
            summary.extend(boxes::lines(&best));
        }
        Ok(Told {
            line: summary[0].clone(),
            found: json!({}),
            summary,
            failure: None,
        })
    }
}
