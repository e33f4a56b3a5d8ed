//! `attribute`: how much each pixel adds to a score, by any method, over the photograph.

use clap::{Args, ValueEnum};
use linearscope_analysis::{
    LinearOperator,
    attribution::{self, Attribution, Method, Surroundings},
};
use linearscope_picture::{Array, Band, Overlay, Panel, Sheet, Sign, significant};
use serde::Serialize;
use serde_json::json;

use super::position;
use crate::{
    args::Common,
    baseline::{Baseline, bounds, percent, trust},
    command::{About, Alone, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    console,
    ends::Shaped,
    error::{Failure, Result},
    picture::View,
    segments::LabelMap,
    session::Session,
    task::Task,
};

/// `attribute`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Attribute {
    /// What is attributed: `top1`, a class by number or name, `c,y,x` of a picture, a part of one as
    /// `all,10..20,8..`; of a segmenter a class where it wins. Repeat for several
    #[arg(long, default_value = "top1", value_name = "TARGET")]
    pub target: Vec<String>,
    /// How: conserving, row, gradient-input, lrp-epsilon-plus, integrated-gradients, grad-cam, occlusion and others;
    /// docs/attributions.md has them all. Repeat for several
    #[arg(long, default_value = "conserving", value_name = "METHOD")]
    pub method: Vec<Method>,
    /// What a picture that says nothing is: black, white, mean, blur, zeros, or a file [default: black; of arrays,
    /// zeros]
    #[arg(long, value_name = "PICTURE")]
    pub baseline: Option<Baseline>,
    /// Which values are drawn
    #[arg(long, default_value = "both")]
    pub sign: Signs,
    /// From which percentile of the magnitudes on colour is full
    #[arg(long, default_value_t = 99.0, value_name = "P")]
    pub percentile: f64,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Signs {
    Both,
    Positive,
    Negative,
    Absolute,
}

impl Signs {
    fn drawn(self) -> Sign {
        match self {
            Self::Both => Sign::Both,
            Self::Positive => Sign::Positive,
            Self::Negative => Sign::Negative,
            Self::Absolute => Sign::Absolute,
        }
    }
}

/// What `attribute` says of itself.
pub(crate) const ABOUT: &About = &About {
    name: "attribute",
    group: Group::Explain,
    summary: "How much each pixel adds to a score, over the photograph",
    details: "By default what the score makes of each pixel, and of the biases on its way, shared out so that the map \
        sums to the score. Other methods are those of Captum and zennit; each says whether it sums, and by how much it \
        misses. Also says how far the reading holds, towards pictures that say nothing.",
    example: "attribute net.onnx --input cat.jpg --method grad-cam",
    pictures: Pictures::Folders,
    files: &[
        FileAbout(
            "attribution.npy",
            "the map, in the input's shape; of several targets and methods with a leading axis, target by target",
        ),
        FileAbout("attribution.png", "the maps over the photograph"),
        FileAbout("attribution.svg", "the same for print"),
    ],
    tables: &[TableAbout {
        name: "attributions",
        rows: "one line for each target and method",
        columns: &[
            ("target", "what is attributed, as the flag takes it"),
            ("label", "its name, where there is one"),
            ("method", "how"),
            ("score", "f(x₀) there; of several outputs their sum"),
            ("sum", "the sum of the map"),
            ("promised", "what the method promises that to be"),
            ("gap", "(sum − promised) / |score|"),
            ("positive", "the sum of all entries above 0"),
            ("negative", "the sum of all entries below 0"),
            ("note", "what there is to say of this map"),
        ],
    }],
    includes: &[],
};

/// A map in numbers.
#[derive(Serialize)]
struct Line {
    target: String,
    label: Option<String>,
    method: String,
    score: f64,
    sum: f64,
    promised: Option<f64>,
    gap: Option<f64>,
    positive: f64,
    negative: f64,
    note: Option<String>,
}

impl OnPicture for Attribute {
    const ABOUT: &'static About = ABOUT;

    type Fold = Alone;

    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> Result<()> {
        if !(self.percentile > 0.0 && self.percentile <= 100.0) {
            return Err(Failure::input(format!(
                "--percentile {}: it is above 0 and at most 100",
                self.percentile
            )));
        }
        Ok(())
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let overlay = Overlay {
            sign: self.sign.drawn(),
            percentile: self.percentile,
        };
        let baseline = self.baseline.as_ref();
        let found = find(session, &self.target, &self.method, baseline, overlay)?;
        let mut summary = found.summary;
        let trust = trust(session)?;
        if let Some(first) = trust.first()
            && first.is_smooth()
        {
            summary.push(
                "how far the reading F x + r holds (a smooth unit moves with every step: it is exact at x₀ alone):"
                    .into(),
            );
        } else if !trust.is_empty() {
            summary.push("how far the reading F x + r holds:".into());
        }
        summary.extend(trust.iter().map(|one| format!("  {}", one.line())));
        Ok(Told {
            line: found.line,
            found: json!({ "attributions": found.numbers }),
            summary,
            failure: None,
        })
    }
}

/// What `attribute` found.
pub(crate) struct Found {
    pub sheet: Option<Sheet>,
    pub summary: Vec<String>,
    pub line: String,
    numbers: serde_json::Value,
}

/// What is attributed: positions whose scores are added.
struct Target {
    text: String,
    label: Option<String>,
    positions: Vec<usize>,
}

impl Target {
    fn title(&self) -> String {
        match &self.label {
            Some(label) => format!("{label} ({})", self.text),
            None => format!("output {}", self.text),
        }
    }
}

/// The class that a name means: the whole label, else the one label that holds it.
fn named(session: &Session, text: &str) -> Result<Option<usize>> {
    let Some(labels) = &session.labels else {
        return Ok(None);
    };
    let wanted = text.to_lowercase();
    let lower: Vec<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    if let Some(class) = lower.iter().position(|label| *label == wanted) {
        return Ok(Some(class));
    }
    let holding: Vec<usize> = (0..lower.len())
        .filter(|&i| lower[i].contains(&wanted))
        .collect();
    match holding[..] {
        [] => Ok(None),
        [class] => Ok(Some(class)),
        _ => {
            let some: Vec<&str> = holding.iter().take(5).map(|&i| &*labels[i]).collect();
            Err(Failure::input(format!(
                "--target {text}: {} labels hold it: {}{}",
                holding.len(),
                some.join("; "),
                if holding.len() > 5 { "; …" } else { "" }
            )))
        }
    }
}

/// The scores of a segmenter's class at the places that it wins.
fn where_it_wins(session: &Session, labels: &LabelMap, class: usize, text: &str) -> Result<Target> {
    let plane = labels.of.len();
    let places = (0..plane).filter(|&at| labels.of[at] as usize == class);
    let positions: Vec<usize> = places.map(|at| class * plane + at).collect();
    if positions.is_empty() {
        return Err(Failure::input(format!(
            "--target {text}: the class wins nowhere in this picture"
        ))
        .hint(format!("{class},Y,X names its score at one place")));
    }
    let share = positions.len() as f64 / plane as f64;
    let name = session
        .label(class)
        .map_or(format!("class {class}"), String::from);
    Ok(Target {
        text: class.to_string(),
        label: Some(format!("{name} where it wins, {:.1} %", 100.0 * share)),
        positions,
    })
}

fn targets(session: &Session, texts: &[String], y0: &[f64]) -> Result<Vec<Target>> {
    let shape = session.frozen.output_shape();
    let labels = match session.task {
        Some(Task::Segmenter) => LabelMap::new(y0, shape),
        _ => None,
    };
    let mut found = Vec::new();
    for text in texts {
        let number = || text.trim().parse::<usize>().ok();
        let numeric = text
            .chars()
            .all(|c| c.is_ascii_digit() || ",. ".contains(c));
        let keyword = numeric || text == "auto" || text == "top1" || text.starts_with("all,");
        let by_name = match keyword {
            true => None,
            false => Some(named(session, text)?.ok_or_else(|| {
                let hint = match session.labels {
                    Some(_) => {
                        "no label holds it; `top1`, a number, or c,y,x name a target without labels"
                    }
                    None => "there are no labels to look in: --labels FILE, or name it by number",
                };
                Failure::input(format!("--target {text}: there is no such class")).hint(hint)
            })?),
        };
        if let (Some(labels), &[_, classes, ..]) = (&labels, shape) {
            let class = match (text.as_str(), by_name) {
                (_, Some(class)) => Some(class),
                ("top1", _) => labels.most().first().copied(),
                _ => number(),
            };
            if let Some(class) = class {
                if class >= classes {
                    return Err(Failure::input(format!(
                        "--target {text}: the network has classes 0 to {}",
                        classes - 1
                    )));
                }
                found.push(where_it_wins(session, labels, class, text)?);
                continue;
            }
        }
        if let Some(class) = by_name {
            let text = class.to_string();
            let positions = position::parse("--target", &text, shape)?;
            found.push(Target {
                label: session.named(class),
                text,
                positions,
            });
            continue;
        }
        for at in position::places(
            "--target",
            std::slice::from_ref(text),
            y0,
            shape,
            session.look(),
        )? {
            let label = match at.positions[..] {
                [one] => session.named(one),
                _ => None,
            };
            found.push(Target {
                text: at.text,
                label,
                positions: at.positions,
            });
        }
    }
    Ok(found)
}

/// Attribute, write, tell.
pub(crate) fn find(
    session: &mut Session,
    texts: &[String],
    methods: &[Method],
    baseline: Option<&Baseline>,
    overlay: Overlay,
) -> Result<Found> {
    let y0 = session.numbers(session.frozen.reference())?;
    let targets = targets(session, texts, &y0)?;
    let usual = Baseline::usual(session);
    let baseline = baseline.unwrap_or(&usual);
    let around = Surroundings::default()
        .with_baseline(Some(baseline.values(session)?))
        .with_bounds(bounds(session));
    let positions: Vec<Vec<usize>> = targets.iter().map(|one| one.positions.clone()).collect();
    // A method at a time, all targets side by side.
    let mut by_method = Vec::new();
    for method in methods {
        console::step(&format!("attributing by {method}"));
        let observer = console::observer();
        by_method.push(attribution::attribute(
            &session.frozen,
            &positions,
            method,
            &around,
            observer,
        )?);
    }
    let shape = session.frozen.input_shape().to_vec();
    let (mut lines, mut summary, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let photograph = {
        let x0 = session.numbers(session.frozen.x0())?;
        session.painter.input_where(&x0, &shape, |_| true)
    };
    let mut bands = Vec::new();
    for (i, target) in targets.iter().enumerate() {
        let mut panels = Vec::new();
        summary.push(format!(
            "{}: score {}",
            target.title(),
            significant(by_method[0][i].score, 5)
        ));
        for (method, found) in methods.iter().zip(&by_method) {
            let one = &found[i];
            summary.push(format!("  {}", said(one)));
            lines.push(line(target, one));
            values.extend_from_slice(&one.map);
            let title = method.name();
            let over = (photograph.as_ref()).zip(Array::new(&one.map, &shape));
            let sign = match method.is_signed() {
                true => overlay.sign,
                false => Sign::Absolute,
            };
            let overlay = Overlay { sign, ..overlay };
            match over.and_then(|(photograph, map)| overlay.panel(&title, photograph, &map)) {
                Some(panel) => panels.push(panel.caption(caption(one))),
                None => panels.extend(
                    (session
                        .painter
                        .signed(&title, &one.map, &shape, View::Whole)
                        .into_iter())
                    .map(|panel| panel.caption(caption(one))),
                ),
            }
        }
        if i == 0
            && let Some(raster) = photograph.clone()
        {
            panels.insert(0, Panel::new("x₀", raster));
        }
        if !panels.is_empty() {
            bands.push(Band {
                heading: format!(
                    "{}, score {}",
                    target.title(),
                    significant(by_method[0][i].score, 4)
                ),
                panels,
            });
        }
    }
    let maps = targets.len() * methods.len();
    let (dims, lead) = match maps {
        1 => (shape.clone(), 0),
        maps => ([vec![maps], shape.clone()].concat(), 1),
    };
    session.save_shaped("attribution", &values, &dims, lead, Shaped::Input)?;
    session.save_table("attributions", &lines)?;
    session.note("baseline", baseline.words());
    let mut drawn = None;
    if !bands.is_empty() {
        let sheet = Sheet {
            title: format!("What each pixel adds, {}", session.model),
            notes: Vec::new(),
            bands,
        };
        session.save_sheet("attribution", &sheet)?;
        drawn = Some(sheet);
    }
    Ok(Found {
        sheet: drawn,
        line: summary
            .iter()
            .take(2)
            .map(|line| line.trim())
            .collect::<Vec<_>>()
            .join("; "),
        summary,
        numbers: json!(lines),
    })
}

fn line(target: &Target, one: &Attribution) -> Line {
    let part = |keep: fn(&f64) -> bool| one.map.iter().copied().filter(keep).sum();
    Line {
        target: target.text.clone(),
        label: target.label.clone(),
        method: one.method.clone(),
        score: one.score,
        sum: one.sum,
        promised: one.promised,
        gap: one.gap,
        positive: part(|v| *v > 0.0),
        negative: part(|v| *v < 0.0),
        note: one.note.clone(),
    }
}

/// What a map sums to, and what it should.
fn caption(one: &Attribution) -> String {
    let sum = significant(one.sum, 4);
    match (one.promised, one.gap) {
        (Some(promised), Some(gap)) if gap.abs() > 5e-4 => format!(
            "sums to {sum} of {}: {} of the score {}",
            significant(promised, 4),
            missed(gap),
            if one.sum < promised {
                "missing"
            } else {
                "too much"
            }
        ),
        (Some(promised), _) => format!("sums to {sum} of {}", significant(promised, 4)),
        (None, _) => "promises no sum".into(),
    }
}

/// A gap over the score, of which there may be none.
fn missed(gap: f64) -> String {
    match gap.is_finite() {
        true => percent(gap.abs()),
        false => "more than all".into(),
    }
}

/// The same in a line, with what else there is to say.
fn said(one: &Attribution) -> String {
    let sum = match (one.promised, one.gap) {
        (Some(promised), Some(gap)) => format!(
            "sums to {} of {}, a gap of {} of the score",
            significant(one.sum, 5),
            significant(promised, 5),
            missed(gap)
        ),
        _ => format!(
            "sums to {}, which it does not promise",
            significant(one.sum, 5)
        ),
    };
    match &one.note {
        Some(note) => format!("{:24} {sum}; {note}", one.method),
        None => format!("{:24} {sum}", one.method),
    }
}
