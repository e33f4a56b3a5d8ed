//! `attribute`: how much each pixel adds to a score, by any method, over the photograph.

mod trust;

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{Args, ValueEnum, builder::ArgPredicate};
use linearscope_analysis::{
    LinearOperator,
    attribution::{self, Attribution, Composite, Method, NAMES, Surroundings, SweepMethod},
};
use linearscope_picture::{Array, Band, Overlay, Panel, Sheet, Sign, significant};
use serde::Serialize;
use serde_json::json;

use super::position;
use crate::{
    args::Common,
    baseline::{Baseline, bounds, percent},
    command::{About, Alone, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    console,
    ends::Shaped,
    error::{Failure, Result},
    labels::class_named,
    picture::View,
    rules::composites,
    segments::LabelMap,
    session::Session,
    subject::Subject,
    task::Task,
};
pub(crate) use trust::trusted;

/// `attribute`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Attribute {
    /// What to attribute: `top1`, a class by number or name, `c,y,x` of an output picture, or a region of one such as
    /// `all,10..20,8..`; for a segmenter, a class over the places where it wins. Repeat for several
    #[arg(long, default_value = "top1", value_name = "TARGET")]
    pub target: Vec<String>,
    /// Method: conserving, row, gradient-input, lrp-epsilon-plus, integrated-gradients, grad-cam, occlusion and others;
    /// `--help` lists all of them. Repeat for several
    #[arg(
        long,
        default_value = "conserving",
        // One who asks for a composite asks for no other.
        default_value_if("composite", ArgPredicate::IsPresent, None::<&str>),
        value_name = "METHOD",
        long_help = methods_in_words()
    )]
    pub method: Vec<Method>,
    /// LRP with your own rules: entries such as `first=box`, `conv&node:features.*=gamma:0.5`, `epsilon`, a preset
    /// (epsilon-plus, ...), or a .toml file of entries. The first entry that matches a layer wins. Repeat for several.
    /// See docs/book/src/attributions.md
    #[arg(long, value_name = "RULE[,RULE]", value_parser = composites::read)]
    pub composite: Vec<Composite>,
    /// Baseline, a picture without information: black, white, mean, blur, zeros, or a file [default: black; for arrays,
    /// zeros]. Repeat for several; expected-gradients averages over all of them [default: the first four; for arrays,
    /// zeros, mean and blur]
    #[arg(long, value_name = "PICTURE")]
    #[serde(serialize_with = "crate::content::of_baselines")]
    pub baseline: Vec<Baseline>,
    /// Smallest and largest value of an array's entries, for the box rule of LRP [default for pictures: black and
    /// white]
    #[arg(long, value_name = "LOW,HIGH", allow_hyphen_values = true)]
    pub bounds: Option<Bounds>,
    /// Array of the input's shape; feature-ablation ablates entries with the same number together
    #[arg(long, value_name = "FILE")]
    #[serde(serialize_with = "crate::content::of_file")]
    pub groups: Option<PathBuf>,
    /// Which values to draw
    #[arg(long, default_value = "both")]
    pub sign: Signs,
    /// Percentile of the magnitudes at which colours saturate
    #[arg(long, default_value_t = 99.0, value_name = "P")]
    pub percentile: f64,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

/// Two numbers, the first below the second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Bounds([f64; 2]);

impl FromStr for Bounds {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let numbers: Option<Vec<f64>> = text
            .split(',')
            .map(|part| part.trim().parse().ok())
            .collect();
        match numbers.as_deref() {
            Some(&[low, high]) if low < high && low.is_finite() && high.is_finite() => {
                Ok(Self([low, high]))
            }
            _ => Err("expected two numbers, the first below the second, such as 0,1".into()),
        }
    }
}

/// All methods, a line each.
fn methods_in_words() -> String {
    let mut text = String::from(
        "Method, listed with its kind and what its map sums to. Repeat for several\n\n",
    );
    for (name, words) in NAMES {
        text += &format!("{name}: {words}\n");
    }
    text + "\nSettings follow a colon: the number of gradients (integrated-gradients:50, smooth-grad:50, \
            expected-gradients:100), the number of masks (rise:1000), the layer (grad-cam:NODE, layer:NODE), \
            patch and stride (occlusion:16/8), the patch (feature-ablation:16). \
            lrp-first=box,conv=gamma:0.5,epsilon sets LRP rules by layer"
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
    pub(crate) fn drawn(self) -> Sign {
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
    summary: "How much each pixel adds to a score, shown over the picture",
    details: "The default method adds up what each pixel and the biases on its way contribute to the score, \
        shared out so that the map sums to the score. Other methods are those of Captum and zennit; for each, \
        the program prints whether the map should sum to the score and by how much it misses. It also measures \
        how far the linear reading holds on the way to each baseline.",
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
                "--percentile {}: must be greater than 0 and at most 100",
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
        let methods = self.methods();
        let how = self.how(&methods);
        let found = find(session, &self.target, &how, overlay)?;
        let mut summary = found.summary;
        let trusted = trust::trusted_of(session, &found.targets)?;
        summary.extend(trust::heading(&trusted));
        summary.extend(trusted.iter().map(|one| format!("  {}", one.line())));
        Ok(Told {
            line: found.line,
            found: json!({ "attributions": found.numbers }),
            summary,
            failure: None,
        })
    }
}

impl Attribute {
    /// What the flags say of how.
    pub(crate) fn how<'a>(&'a self, methods: &'a [Method]) -> How<'a> {
        How {
            methods,
            baselines: &self.baseline,
            bounds: self.bounds,
            groups: self.groups.as_deref(),
        }
    }

    /// Those that were named, and one for each composite.
    pub(crate) fn methods(&self) -> Vec<Method> {
        let own = self.composite.iter().cloned();
        let own = own.map(|composite| Method::Sweep(SweepMethod::Lrp(composite)));
        self.method.iter().cloned().chain(own).collect()
    }
}

/// How scores are attributed.
#[derive(Clone, Copy, Default)]
pub(crate) struct How<'a> {
    pub methods: &'a [Method],
    /// What scores are measured from, those of expected gradients; empty: the usual.
    pub baselines: &'a [Baseline],
    /// Of the input; `None`: black and white.
    pub bounds: Option<Bounds>,
    /// A file with what is ablated together.
    pub groups: Option<&'a Path>,
}

impl How<'_> {
    /// What is around x₀, and the baseline in words.
    pub(crate) fn surroundings(&self, session: &Subject) -> Result<(Surroundings, String)> {
        let usual = Baseline::usual(session);
        // A blurred picture takes longer than a row: only where a method starts from it.
        let baselines = match self.baselines {
            [] if self.methods.iter().any(Method::has_several_baselines) => &usual[..],
            [] => &usual[..1],
            named => named,
        };
        let values = baselines.iter().map(|one| one.values(session));
        let values: Vec<Vec<f64>> = values.collect::<Result<_>>()?;
        let bounds = match self.bounds {
            Some(Bounds([low, high])) => Some([vec![low], vec![high]]),
            None => bounds(session),
        };
        let around = Surroundings::default()
            .with_baseline(values.first().cloned())
            .with_baselines(values)
            .with_bounds(bounds)
            .with_groups(self.groups.map(|path| groups(session, path)).transpose()?);
        Ok((around, baselines[0].words()))
    }
}

/// The group of each input entry, by an array of whole numbers.
fn groups(session: &Subject, path: &Path) -> Result<Vec<usize>> {
    let shape = session.frozen.input_shape().to_vec();
    let found = session.numbers(session.read_array(path, &shape, Shaped::Input)?)?;
    let whole = |(at, number): (usize, &f64)| match *number >= 0.0 && number.fract() == 0.0 {
        true => Ok(*number as usize),
        false => Err(Failure::input(format!(
            "{}: entry {at} is {number}, which is not a group number",
            path.display()
        ))
        .hint("give whole numbers from 0, the same number for entries to ablate together")),
    };
    found.iter().enumerate().map(whole).collect()
}

/// What `attribute` found.
pub(crate) struct Found {
    pub targets: Vec<Target>,
    pub sheet: Option<Sheet>,
    pub summary: Vec<String>,
    pub line: String,
    numbers: serde_json::Value,
}

/// What is attributed: positions whose scores are added.
pub(crate) struct Target {
    pub text: String,
    pub label: Option<String>,
    pub positions: Vec<usize>,
}

impl Target {
    pub(crate) fn title(&self) -> String {
        match &self.label {
            Some(label) => format!("{label} ({})", self.text),
            None => format!("output {}", self.text),
        }
    }
}

fn found_by_name(session: &Subject, text: &str) -> Result<Option<usize>> {
    match &session.labels {
        Some(labels) => class_named("--target", text, labels),
        None => Ok(None),
    }
}

/// The scores of a segmenter's class at the places that it wins.
fn where_it_wins(session: &Subject, labels: &LabelMap, class: usize, text: &str) -> Result<Target> {
    let plane = labels.of.len();
    let places = (0..plane).filter(|&at| labels.of[at] as usize == class);
    let positions: Vec<usize> = places.map(|at| class * plane + at).collect();
    if positions.is_empty() {
        return Err(Failure::input(format!(
            "--target {text}: this class does not win anywhere in this picture"
        ))
        .hint(format!("{class},Y,X selects its score at one place")));
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

pub(crate) fn targets(session: &Subject, texts: &[String], y0: &[f64]) -> Result<Vec<Target>> {
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
            false => Some(found_by_name(session, text)?.ok_or_else(|| {
                let hint = match session.labels {
                    Some(_) => {
                        "no label contains it; to select a target without labels, use `top1`, a number, or c,y,x"
                    }
                    None => "no labels were given: pass --labels FILE, or give the class by number",
                };
                Failure::input(format!("--target {text}: no such class")).hint(hint)
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
        // A class is its number; of a detector its best box.
        let text = &by_name.map_or(text.clone(), |class| class.to_string());
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
    how: &How<'_>,
    overlay: Overlay,
) -> Result<Found> {
    let y0 = session.numbers(session.frozen.reference())?;
    let targets = targets(session, texts, &y0)?;
    let (around, baseline) = how.surroundings(session)?;
    let positions: Vec<Vec<usize>> = targets.iter().map(|one| one.positions.clone()).collect();
    // A method at a time, all targets side by side.
    let (mut methods, mut by_method, mut unfit) = (Vec::new(), Vec::new(), Vec::new());
    for method in how.methods {
        console::step(&format!("attributing by {method}"));
        let observer = console::observer();
        let found = attribution::attribute(&session.frozen, &positions, method, &around, observer);
        match found {
            Ok(found) => {
                methods.push(method);
                by_method.push(found);
            }
            Err(error) if error.is_stopped() => return Err(error.into()),
            // One that cannot be had here loses the others nothing.
            Err(error) => unfit.push((method, error)),
        }
    }
    if methods.is_empty()
        && let Some((_, error)) = unfit.pop()
    {
        return Err(error.into());
    }
    for (method, error) in &unfit {
        console::notice(&format!("{method} is left out: {error}"));
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
        for (&method, found) in methods.iter().zip(&by_method) {
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
    session.note("baseline", baseline);
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
        targets,
        sheet: drawn,
        line: summary
            .iter()
            .take(2)
            .map(|line| line.trim())
            .collect::<Vec<_>>()
            .join("; "),
        summary: summary
            .into_iter()
            .chain(
                unfit
                    .iter()
                    .map(|(method, error)| format!("  {:24} left out: {error}", method.name())),
            )
            .collect(),
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
        (None, _) => "has no sum to check".into(),
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
            "sums to {}, with nothing to compare it to",
            significant(one.sum, 5)
        ),
    };
    match &one.note {
        Some(note) => format!("{:24} {sum}; {note}", one.method),
        None => format!("{:24} {sum}", one.method),
    }
}
