//! `contributions`: which layer's biases made the score.

use clap::Args;
use linearscope_analysis::{
    LinearOperator, certificate,
    contribution::{self, ContributionStatistics, ContributionTotals, PartKind},
};
use linearscope_picture::{Bar, BarChart, Curve, CurveChart, CurvePanel};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::position;
use crate::{
    args::Common,
    command::{About, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    error::{CERTIFICATE, Failure, Result},
    job::{Fold, Job, Summary},
    session::Session,
    subject::Subject,
};

/// `contributions`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Contributions {
    /// Which output: `top1`, a class index `k`, or `c,y,x` of an output picture
    #[arg(long, default_value = "top1", value_name = "top1|K|C,Y,X")]
    pub target: String,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

/// Columns of a table of parts.
pub(crate) const OF_PARTS: &[(&str, &str)] = &[
    ("layer", "number of the layer; 0 is the input"),
    (
        "name",
        "the weighted op that begins the layer; the node of the units",
    ),
    (
        "kind",
        "input: the pixels; bias: what the network adds; unit: constants that freezing leaves over",
    ),
    ("value", "its part of the score"),
    ("share", "the same over the score"),
];

/// The kind as tables write it.
fn word(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Input => "input",
        PartKind::Bias => "bias",
        _ => "unit",
    }
}

/// A part as charts name it.
pub(crate) fn label(name: &str, kind: PartKind) -> String {
    match kind {
        PartKind::Unit => format!("{name} (unit)"),
        _ => name.into(),
    }
}

/// What `contributions` says of itself.
pub(crate) const ABOUT: &About = &About {
    name: "contributions",
    group: Group::Explain,
    summary: "Break a score down into what each layer's biases add",
    details: "One adjoint sweep splits a score exactly into what the pixels themselves add, what the biases of \
        each layer add, and what the constants of frozen units add (σ(0) = ½ of a sigmoid, −μ of a norm). The \
        parts sum to the score; the remaining gap is printed.",
    example: "contributions net.onnx --input cat.jpg --target top1",
    pictures: Pictures::Folders,
    files: &[
        FileAbout(
            "contributions.png",
            "the parts as bars; over a folder, mean ± standard deviation",
        ),
        FileAbout("contributions.svg", "the same for print"),
    ],
    tables: &[TableAbout {
        name: "contributions",
        rows: "the input, then for each layer one line for its biases and one for each node with constants of units",
        columns: OF_PARTS,
    }],
    includes: &[],
};

impl OnPicture for Contributions {
    const ABOUT: &'static About = ABOUT;

    type Fold = Over;

    fn common(&self) -> &Common {
        &self.common
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let parts = find(session, &self.target)?;
        let limit = certificate::limit(session.frozen.dtype());
        let (gap, found) = (parts.gap, parts.found);
        let failure = (gap > limit).then(|| Failure {
            message: format!(
                "the contributions miss the score by {gap:.1e}, above the limit of {limit:.0e}"
            ),
            hint: Some("the results are written, but do not trust them; try --dtype f64".into()),
            code: CERTIFICATE,
            cause: None,
        });
        let mut said = said(session, &found);
        said["contributions"] = json!(found);
        Ok(Told {
            line: parts.summary.first().cloned().unwrap_or_default(),
            found: said,
            summary: parts.summary,
            failure,
        })
    }
}

/// Contributions over the pictures of a folder.
#[derive(Default)]
pub(crate) struct Over(ContributionTotals);

/// What is folded of one picture.
#[derive(Deserialize)]
pub(crate) struct Found {
    contributions: contribution::Contributions,
}

impl Fold for Over {
    type Found = Found;

    const NAMES: &'static [&'static str] = &["contributions.png"];

    fn add(&mut self, _: &str, found: Found) -> Result<()> {
        Ok(self.0.add(&found.contributions)?)
    }

    fn finish(self, job: &Job, summary: &mut Summary<'_>) -> Result<()> {
        let over = self.0.finish()?;
        summary.save_curves("contributions", &spread(&job.model_name(), &over))?;
        summary.lines.push(format!(
            "residual share {}{}, the largest gap {:.1e}",
            over.residual_share.percent(),
            match over.not_positive {
                0 => String::new(),
                some => format!(" ({some} scores are not positive and are excluded)"),
            },
            over.gap,
        ));
        for layer in &over.layers {
            summary.lines.push(format!(
                "  {:3} {:36} {:5} {:10.4} ± {:8.4} {:7.1} ± {:5.1} %",
                layer.layer,
                layer.name,
                word(layer.kind),
                layer.value.mean,
                layer.value.std,
                100.0 * layer.share.mean,
                100.0 * layer.share.std,
            ));
        }
        summary.over = json!(over);
        Ok(())
    }
}

/// Mean and standard deviation of each layer's contribution.
fn spread(model: &str, over: &ContributionStatistics) -> CurveChart {
    let number = |i: usize| i as f64;
    CurveChart {
        title: format!("Contributions over {} pictures, {model}", over.pictures),
        notes: vec![
            format!(
                "What each layer's biases and constants of units add to the score, mean and standard deviation; \
                 residual share {}.",
                over.residual_share.percent()
            ),
            format!(
                "From left to right: {}.",
                over.layers
                    .iter()
                    .map(|layer| label(&layer.name, layer.kind))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ],
        across: "layer".into(),
        panels: vec![CurvePanel {
            title: "contribution".into(),
            curves: vec![Curve {
                label: "mean and standard deviation".into(),
                points: over
                    .layers
                    .iter()
                    .enumerate()
                    .map(|(i, layer)| (number(i), layer.value.mean))
                    .collect(),
                band: over.layers.iter().map(|layer| layer.value.std).collect(),
            }],
        }],
    }
}

/// What `contributions` found.
pub(crate) struct Parts {
    pub chart: BarChart,
    pub summary: Vec<String>,
    found: contribution::Contributions,
    /// |Σ contributions − score| / Σ|contributions|.
    pub gap: f64,
}

/// What is said of contributions besides the layers'.
pub(crate) fn said(subject: &Subject, found: &contribution::Contributions) -> Value {
    json!({
        "target": position::text(found.target, subject.frozen.output_shape()),
        "label": subject.named(found.target),
        "score": found.score,
        "input": found.input,
        "residual": found.residual,
        "biases": found.biases,
        "units": found.units,
        "residual_share": found.residual_share,
        "gap": found.gap,
    })
}

/// All that is said of contributions, the layers' among it.
pub(crate) fn told(subject: &Subject, found: &contribution::Contributions) -> Value {
    let mut said = said(subject, found);
    said["score_not_positive"] = json!(found.score_not_positive);
    said["layers"] = json!(found.layers);
    said
}

/// The one output that a text names, among the values `y0`.
pub(crate) fn one_score(subject: &Subject, flag: &str, text: &str, y0: &[f64]) -> Result<usize> {
    let shape = subject.frozen.output_shape();
    let places = position::places(flag, &[text.into()], y0, shape, subject.look())?;
    match &places[..] {
        [position::At { positions, .. }] if positions.len() == 1 => Ok(positions[0]),
        // Of a picture without more said, its largest value.
        _ if text == "top1" => Ok(contribution::top1(&subject.frozen)?),
        _ => Err(Failure::input(format!(
            "{flag} {text}: contributions explain a single score"
        ))
        .hint("give one channel")),
    }
}

/// Compute and write the contributions to one score.
pub(crate) fn find(session: &mut Session, target: &str) -> Result<Parts> {
    let y0 = session.numbers(session.frozen.reference())?;
    let target = one_score(session, "--target", target, &y0)?;
    let found = contribution::contributions(&session.frozen, target)?;
    session.save_table("contributions", &found.layers)?;
    let label = session.named(target);
    session.note("label", &label);
    session.note("contributions", &found);

    let name = position::text(target, session.frozen.output_shape());
    let name = match &label {
        Some(label) => format!("{name} ({label})"),
        None => name,
    };
    let chart = chart(session, &found, &name);
    session.save_chart("contributions", &chart)?;
    let mut summary = vec![format!(
        "output {name}: score {:.4} = input {:.4} + residual {:.4} · residual share {:.1} %",
        found.score,
        found.input,
        found.residual,
        100.0 * found.residual_share,
    )];
    if found.units != 0.0 {
        summary.push(format!(
            "residual {:.4} = biases {:.4} + constants of units {:.4}",
            found.residual, found.biases, found.units,
        ));
    }
    if found.score_not_positive {
        summary.push("the score is not positive, so shares change their sign".into());
    }
    let widest = found.layers.iter().fold(0f64, |m, l| m.max(l.value.abs()));
    for layer in &found.layers {
        let bar = "█".repeat((30.0 * layer.value.abs() / widest.max(f64::MIN_POSITIVE)) as usize);
        summary.push(format!(
            "  {:3} {:36} {:5} {:10.4} {:7.1} %  {bar}",
            layer.layer,
            layer.name,
            word(layer.kind),
            layer.value,
            100.0 * layer.share,
        ));
    }
    summary.push(format!(
        "|Σ contributions − score| / Σ|contributions| = {:.1e}",
        found.gap
    ));
    Ok(Parts {
        chart,
        summary,
        gap: found.gap,
        found,
    })
}

fn chart(session: &Session, found: &contribution::Contributions, name: &str) -> BarChart {
    let units = match found.units {
        0.0 => String::new(),
        units => format!(" + {units:.4} from the constants of frozen units (unit)"),
    };
    let mut notes = vec![format!(
        "Score {:.4} = {:.4} from the pixels (grey) + {:.4} from the layers' biases{units}, projected \
         forward: residual share {:.1} %. The bars add up to the score, within {:.0e} of their sum.",
        found.score,
        found.input,
        found.biases,
        100.0 * found.residual_share,
        found.gap.max(1e-16),
    )];
    if found.score_not_positive {
        notes.push("The score is not positive, so shares change their sign.".into());
    }
    BarChart {
        title: format!("Contributions to output {name}, {}", session.model),
        notes,
        bars: found
            .layers
            .iter()
            .enumerate()
            .map(|(i, layer)| Bar {
                label: label(&layer.name, layer.kind),
                value: layer.value,
                note: format!("{:.1} %", 100.0 * layer.share),
                apart: i == 0,
            })
            .collect(),
    }
}
