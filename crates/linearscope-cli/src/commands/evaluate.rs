//! `evaluate`: whether attributions hold, by what the field measures of them.

mod masks;
mod measures;

use std::path::Path;

use clap::Args;
use linearscope_analysis::{
    MeanStdTotals,
    attribution::Method,
    evaluation::{self, Evaluation, EvaluationConfig, summarised},
};
use linearscope_picture::{Curve, CurveChart, CurvePanel, significant};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::attribute::{self, How, Target};
use crate::{
    args::Common,
    baseline::Baseline,
    command::{About, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    console,
    error::{Failure, Result},
    job::{Fold, Job, Summary},
    results::pretty,
    session::Session,
};
use masks::Masks;

/// The methods where none is named: one of each family, those that take seconds.
const USUAL: [&str; 6] = [
    "conserving",
    "gradient-input",
    "integrated-gradients:8",
    "lrp-epsilon-plus",
    "grad-cam",
    "saliency",
];

/// `evaluate`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Evaluate {
    /// Which score: `top1`, a class by number or name, or `c,y,x` of an output picture; a single target, written as for
    /// `attribute`
    #[arg(long, default_value = "top1", value_name = "TARGET")]
    pub target: String,
    /// Methods to evaluate, written as for `attribute`; by default a few quick ones. Repeat for several
    #[arg(long, default_values = USUAL, value_name = "METHOD")]
    pub method: Vec<Method>,
    /// Mask of the object: a picture of the input's size with values above 127 (of 255) on the object, or a folder with
    /// one NAME.png for each picture
    #[arg(long, value_name = "DIR|FILE")]
    pub masks: Option<Masks>,
    /// Baseline, a picture without information, as for `attribute`: black, white, mean, blur, zeros, or a file
    /// [default: black; for arrays, zeros]. Curves and infidelity use the first of several
    #[arg(long, value_name = "PICTURE")]
    #[serde(serialize_with = "crate::content::of_baselines")]
    pub baseline: Vec<Baseline>,
    /// Number of steps of the deletion and insertion curves
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub steps: usize,
    /// Number of random parts of x₀ to remove, for infidelity
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub perturbations: usize,
    /// Number of inputs around x₀, for sensitivity; each runs all methods once more
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub neighbours: usize,
    /// Number of networks with re-drawn weights; each runs all methods once more
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub stages: usize,
    /// Seed for everything random
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

/// What `evaluate` says of itself.
pub(crate) const ABOUT: &About = &About {
    name: "evaluate",
    group: Group::Explain,
    summary: "Evaluate attributions: deletion, insertion, infidelity, sanity checks",
    details: "Deletion and insertion: how the score falls as the places that a map ranks highest are replaced \
        by the baseline, and rises as they are restored. Infidelity: how badly a map predicts what the score \
        loses when parts of x₀ are removed. Sensitivity: how much a map changes with x₀. Randomised: how \
        similar it is to the map of a network with re-drawn weights. Pointing and energy, with masks: whether \
        the map's maximum, and how much of the map, lies on the object. Stability: how much a map changes with \
        another seed. No measure proves that a map is right, and deletion and insertion depend on the \
        baseline. For a folder, prints means and standard deviations.",
    example: "evaluate net.onnx --input cat.jpg --masks cat_mask.png",
    pictures: Pictures::Folders,
    files: &[
        FileAbout(
            "evaluation.png",
            "deletion and insertion of all methods; over a folder, their means",
        ),
        FileAbout("evaluation.svg", "the same for print"),
        FileAbout(
            "evaluation_summary.csv",
            "for a folder: mean and standard deviation of each measure, one line for each method",
        ),
        FileAbout(
            "evaluation_summary.json",
            "the same, including all networks with re-drawn weights",
        ),
    ],
    tables: &[
        TableAbout {
            name: "evaluations",
            rows: "one line for each method",
            columns: &[
                ("method", "how the map was made"),
                ("target", "what is attributed, as the flag takes it"),
                ("label", "its name, where there is one"),
                ("score", "f(x₀) there; of several outputs their sum"),
                ("deletion", "area below its curve: lower is better"),
                ("insertion", "area below its curve: higher is better"),
                (
                    "infidelity",
                    "the part of the score's losses that the best multiple of the map does not explain: 0 is \
                    perfect, 1 is uninformative",
                ),
                (
                    "sensitivity",
                    "‖Φ(x) − Φ(x₀)‖ / ‖Φ(x₀)‖, the largest around x₀: lower is better",
                ),
                (
                    "randomised",
                    "rank correlation with the map of the last stage's network: 0 is good, 1 means that \
                     weights do not matter",
                ),
                ("share", "the object's share of the places"),
                ("pointing", "whether the highest place lies on the object"),
                (
                    "energy",
                    "the object's share of the positive values: good if larger than its share of the places",
                ),
                (
                    "stability",
                    "‖Φ′ − Φ‖ / ‖Φ‖ with another seed, for methods that use one: 0 is good",
                ),
                ("failure", "why the method has no map here"),
            ],
        },
        TableAbout {
            name: "curves",
            rows: "one line for each point of a curve",
            columns: &[
                ("method", "how the map was made"),
                ("curve", "deletion or insertion"),
                ("share", "the share of the places that were replaced"),
                (
                    "value",
                    "the probability of the class; for other outputs, the score minus the baseline's, relative \
                    to its value at x₀",
                ),
            ],
        },
        TableAbout {
            name: "stages",
            rows: "one line for each method and network with re-drawn weights",
            columns: &[
                ("method", "how the map was made"),
                (
                    "layers",
                    "how many layers were re-drawn, from the output on",
                ),
                (
                    "similarity",
                    "rank correlation with the map of the network as it is",
                ),
            ],
        },
    ],
    includes: &[],
};

/// A method in numbers.
#[derive(Serialize)]
struct Line<'a> {
    method: &'a str,
    target: &'a str,
    label: Option<&'a str>,
    score: f64,
    deletion: Option<f64>,
    insertion: Option<f64>,
    infidelity: Option<f64>,
    sensitivity: Option<f64>,
    randomised: Option<f64>,
    share: Option<f64>,
    pointing: Option<bool>,
    energy: Option<f64>,
    stability: Option<f64>,
    failure: Option<&'a str>,
}

/// A point of a curve.
#[derive(Serialize)]
struct Point<'a> {
    method: &'a str,
    curve: &'static str,
    share: f64,
    value: f64,
}

/// A map of a network with re-drawn weights alongside the map.
#[derive(Serialize)]
struct StageLine<'a> {
    method: &'a str,
    layers: usize,
    similarity: Option<f64>,
}

/// A method, and what was measured of it or why there is no map.
struct One {
    method: String,
    found: Result<Evaluation>,
}

impl One {
    fn words(&self) -> (&str, std::result::Result<&Evaluation, &str>) {
        let found = self.found.as_ref();
        (
            &self.method,
            found.map_err(|failure| failure.message.as_str()),
        )
    }

    fn line<'a>(&'a self, target: &'a Target, score: f64) -> Line<'a> {
        let (method, found) = self.words();
        let failure = found.err();
        let found = found.ok();
        let object = found.and_then(|found| found.object);
        Line {
            method,
            target: &target.text,
            label: target.label.as_deref(),
            score,
            deletion: found.map(|found| found.deletion.area),
            insertion: found.map(|found| found.insertion.area),
            infidelity: found.and_then(|found| found.infidelity),
            sensitivity: found.and_then(|found| found.sensitivity),
            randomised: found.and_then(|found| found.randomised.last()?.similarity),
            share: object.map(|object| object.share),
            pointing: object.map(|object| object.pointing),
            energy: object.map(|object| object.energy),
            stability: found.and_then(|found| found.stability),
            failure,
        }
    }
}

impl OnPicture for Evaluate {
    const ABOUT: &'static About = ABOUT;

    type Fold = Over;

    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> Result<()> {
        if self.steps == 0 {
            return Err(Failure::input("--steps 0: a curve needs at least one step"));
        }
        match &self.masks {
            Some(masks) => masks.check(&self.common.input),
            None => Ok(()),
        }
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let target = self.one_target(session)?;
        let (all, baseline) = self.measured(session, &target)?;
        let known: Vec<&Evaluation> = all
            .iter()
            .filter_map(|one| one.found.as_ref().ok())
            .collect();
        if known.is_empty() {
            return Err(none_has_a_map(all));
        }
        let score = known[0].score;
        let lines: Vec<Line<'_>> = all.iter().map(|one| one.line(&target, score)).collect();
        session.save_table("evaluations", &lines)?;
        session.save_table("curves", &points(&known))?;
        let stages = stages(&known);
        if !stages.is_empty() {
            session.save_table("stages", &stages)?;
        }
        let curves: Vec<Curves> = known.iter().map(|one| Curves::of(one)).collect();
        let title = format!("Deletion and insertion, {}", session.model);
        session.save_curves("evaluation", &chart(title, target.title(), &curves))?;

        let mut summary = vec![format!(
            "{}: score {}, baseline {baseline}",
            target.title(),
            significant(score, 5),
        )];
        summary.extend(measures::of_one(all.iter().map(One::words)));
        let share = known[0].object.map(|object| object.share);
        summary.extend(share.map(of_object));
        let failures: Vec<FailedMethod> = all
            .iter()
            .filter_map(|one| {
                Some(FailedMethod {
                    method: one.method.clone(),
                    why: one.found.as_ref().err()?.message.clone(),
                })
            })
            .collect();
        let least = known
            .iter()
            .min_by(|a, b| a.deletion.area.total_cmp(&b.deletion.area));
        let most = known
            .iter()
            .max_by(|a, b| a.insertion.area.total_cmp(&b.insertion.area));
        let best = |one: Option<&&Evaluation>, area: fn(&Evaluation) -> f64| {
            one.map_or(String::new(), |one| {
                format!("{} {}", one.method, significant(area(one), 3))
            })
        };
        let line = format!(
            "{}: lowest deletion {}, highest insertion {}",
            target.title(),
            best(least, |one| one.deletion.area),
            best(most, |one| one.insertion.area)
        );
        // Where it is many outputs, they are not said once a method.
        let short: Vec<Evaluation> = known
            .iter()
            .map(|&one| {
                let mut one = one.clone();
                one.target.truncate(1);
                one
            })
            .collect();
        Ok(Told {
            line,
            found: json!({
                "target": target.text,
                "label": target.label,
                "score": score,
                "share": share,
                "evaluations": short,
                "failures": failures,
            }),
            summary,
            failure: None,
        })
    }
}

impl Evaluate {
    /// The one score.
    fn one_target(&self, session: &Session) -> Result<Target> {
        let y0 = session.numbers(session.frozen.reference())?;
        let found = attribute::targets(session, std::slice::from_ref(&self.target), &y0)?;
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some(target), None) => Ok(target),
            _ => Err(Failure::input(format!(
                "--target {}: evaluate takes a single score",
                self.target
            ))
            .hint("give top1, or the number of a class")),
        }
    }

    /// All methods once, in the order in which they were given; and the baseline in words.
    fn measured(&self, session: &mut Session, target: &Target) -> Result<(Vec<One>, String)> {
        let picture = session.manifest["input"]["file"].as_str();
        let picture = picture.unwrap_or_default().to_string();
        let object = match &self.masks {
            Some(masks) => masks.object(session, Path::new(&picture))?,
            None => None,
        };
        let mut methods: Vec<Method> = Vec::new();
        for method in &self.method {
            if !methods.contains(method) {
                methods.push(method.clone());
            }
        }
        let how = How {
            methods: &methods,
            baselines: &self.baseline,
            ..How::default()
        };
        let (around, baseline) = how.surroundings(session)?;
        let config = EvaluationConfig::default()
            .with_steps(self.steps)
            .with_perturbations(self.perturbations)
            .with_neighbours(self.neighbours)
            .with_stages(self.stages)
            .with_seed(self.seed);
        session.note("baseline", &baseline);
        session.note("evaluation_config", config);
        console::step("evaluating attributions");
        let found = evaluation::evaluate(
            &session.frozen,
            &target.positions,
            &methods,
            &around,
            object.as_deref(),
            &config,
            console::observer(),
        )?;
        let found = found.into_iter().map(|(method, found)| One {
            method: method.name(),
            found: found.map_err(Failure::from),
        });
        Ok((found.collect(), baseline))
    }
}

/// Why no method has a map.
fn none_has_a_map(all: Vec<One>) -> Failure {
    let failures = all.into_iter().filter_map(|one| {
        let failure = one.found.err()?;
        Some(Failure {
            message: format!("{}: {}", one.method, failure.message),
            ..failure
        })
    });
    let failures: Vec<Failure> = failures.collect();
    let said: Vec<&str> = failures.iter().map(|one| one.message.as_str()).collect();
    let message = format!("no method has a map here: {}", said.join("; "));
    let first = failures.into_iter().next();
    match first {
        Some(first) => Failure { message, ..first },
        None => Failure::input(message),
    }
}

/// What the energy of a map that knows nothing is.
fn of_object(share: f64) -> String {
    format!(
        "the object covers {:.1} % of the places, so an uninformative map has an energy of {}",
        100.0 * share,
        significant(share, 3)
    )
}

fn points<'a>(known: &[&'a Evaluation]) -> Vec<Point<'a>> {
    let both = known.iter().flat_map(|one| {
        [
            (one, "deletion", &one.deletion),
            (one, "insertion", &one.insertion),
        ]
    });
    both.flat_map(|(one, curve, points)| {
        let points = points.at.iter().zip(&points.value);
        points.map(move |(&share, &value)| Point {
            method: &one.method,
            curve,
            share,
            value,
        })
    })
    .collect()
}

fn stages<'a>(known: &[&'a Evaluation]) -> Vec<StageLine<'a>> {
    let each = known
        .iter()
        .flat_map(|one| one.randomised.iter().map(move |stage| (one, stage)));
    each.map(|(one, stage)| StageLine {
        method: &one.method,
        layers: stage.layers,
        similarity: stage.similarity,
    })
    .collect()
}

/// Deletion and insertion of a method, as they are drawn.
struct Curves {
    method: String,
    deletion: Vec<(f64, f64)>,
    insertion: Vec<(f64, f64)>,
}

impl Curves {
    fn of(one: &Evaluation) -> Self {
        let points = |curve: &evaluation::Curve| {
            let points = curve.at.iter().copied();
            points.zip(curve.value.iter().copied()).collect()
        };
        Self {
            method: one.method.clone(),
            deletion: points(&one.deletion),
            insertion: points(&one.insertion),
        }
    }
}

/// Methods that one panel tells apart: as many as charts have colours.
const TOGETHER: usize = 3;

/// Deletion above insertion, a panel for each few methods.
fn chart(title: String, of: String, all: &[Curves]) -> CurveChart {
    let parts = all.chunks(TOGETHER).len();
    let panels = |name: &str, points: fn(&Curves) -> &[(f64, f64)]| -> Vec<CurvePanel> {
        let chunks = all.chunks(TOGETHER).enumerate();
        chunks
            .map(|(i, chunk)| CurvePanel {
                title: match parts {
                    1 => name.into(),
                    _ => format!("{name} ({} of {parts})", i + 1),
                },
                curves: chunk
                    .iter()
                    .map(|one| Curve {
                        label: one.method.clone(),
                        points: points(one).to_vec(),
                        band: Vec::new(),
                    })
                    .collect(),
            })
            .collect()
    };
    CurveChart {
        title,
        notes: vec![
            format!("{of}."),
            "Places are replaced by the baseline (deletion) or restored from it (insertion), most important \
             first. Vertical axis: the probability of the class; for other outputs, the score minus the \
             baseline's, relative to its value at x₀."
                .into(),
        ],
        across: "share of the places".into(),
        panels: [
            panels("deletion, lower is better", |one| &one.deletion),
            panels("insertion, higher is better", |one| &one.insertion),
        ]
        .concat(),
    }
}

/// A method without a map.
#[derive(Serialize, Deserialize)]
pub(crate) struct FailedMethod {
    method: String,
    why: String,
}

/// What is folded of one picture.
#[derive(Deserialize)]
pub(crate) struct Found {
    evaluations: Vec<Evaluation>,
    failures: Vec<FailedMethod>,
}

/// Evaluations over the pictures of a folder.
#[derive(Default)]
pub(crate) struct Over {
    pictures: usize,
    /// Without the points of their curves.
    evaluations: Vec<Evaluation>,
    means: Vec<MeanCurves>,
    failed: Vec<OftenFailed>,
}

/// A method without a map, on how many pictures, and why on the first.
#[derive(Serialize)]
struct OftenFailed {
    method: String,
    pictures: usize,
    first: String,
    why: String,
}

/// The mean curves of a method.
struct MeanCurves {
    method: String,
    deletion: MeanCurve,
    insertion: MeanCurve,
}

/// The mean of curves, at the points of the first.
#[derive(Default)]
struct MeanCurve(Vec<(f64, MeanStdTotals)>);

impl MeanCurve {
    fn add(&mut self, curve: &evaluation::Curve) {
        if self.0.is_empty() {
            let at = curve.at.iter();
            self.0 = at.map(|&at| (at, MeanStdTotals::default())).collect();
        }
        for (at, total) in &mut self.0 {
            total.add(value_at(curve, *at));
        }
    }

    fn points(&self) -> Vec<(f64, f64)> {
        let points = self.0.iter();
        points
            .map(|(at, total)| (*at, total.finish().mean))
            .collect()
    }
}

/// A curve between its points.
fn value_at(curve: &evaluation::Curve, at: f64) -> f64 {
    let next = curve.at.partition_point(|point| *point < at);
    let next = next.min(curve.at.len().saturating_sub(1));
    let (x1, y1) = (curve.at[next], curve.value[next]);
    if next == 0 || at >= x1 {
        return y1;
    }
    let (x0, y0) = (curve.at[next - 1], curve.value[next - 1]);
    y0 + (y1 - y0) * (at - x0) / (x1 - x0)
}

impl Fold for Over {
    type Found = Found;

    const NAMES: &'static [&'static str] = &["evaluation.png"];

    fn add(&mut self, name: &str, found: Found) -> Result<()> {
        self.pictures += 1;
        for mut one in found.evaluations {
            let place = self.means.iter().position(|mean| mean.method == one.method);
            let place = place.unwrap_or_else(|| {
                self.means.push(MeanCurves {
                    method: one.method.clone(),
                    deletion: MeanCurve::default(),
                    insertion: MeanCurve::default(),
                });
                self.means.len() - 1
            });
            let mean = &mut self.means[place];
            mean.deletion.add(&one.deletion);
            mean.insertion.add(&one.insertion);
            for curve in [&mut one.deletion, &mut one.insertion] {
                (curve.at, curve.value) = (Vec::new(), Vec::new());
            }
            self.evaluations.push(one);
        }
        for one in found.failures {
            match self.failed.iter_mut().find(|of| of.method == one.method) {
                Some(of) => of.pictures += 1,
                None => self.failed.push(OftenFailed {
                    method: one.method,
                    pictures: 1,
                    first: name.into(),
                    why: one.why,
                }),
            }
        }
        Ok(())
    }

    fn finish(self, job: &Job, summary: &mut Summary<'_>) -> Result<()> {
        let found = summarised(&self.evaluations);
        let curves: Vec<Curves> = self
            .means
            .iter()
            .map(|mean| Curves {
                method: mean.method.clone(),
                deletion: mean.deletion.points(),
                insertion: mean.insertion.points(),
            })
            .collect();
        let title = format!("Deletion and insertion, {}", job.model_name());
        let of = format!("Means over {} pictures", self.pictures);
        summary.save_curves("evaluation", &chart(title, of, &curves))?;
        summary.save_page("evaluation_summary.csv", &measures::csv(&found))?;
        summary.save_page("evaluation_summary.json", &pretty(&found))?;
        summary.lines.push("means ± standard deviations:".into());
        summary.lines.extend(measures::of_several(&found));
        if let Some(object) = found.iter().find_map(|one| one.object) {
            let masked = match object.pictures {
                all if all == self.pictures => String::new(),
                some => format!("of the {some} with a mask: "),
            };
            let said = of_object(object.share.mean);
            summary.lines.push(format!("{masked}{said}"));
        }
        for one in &self.failed {
            summary.lines.push(format!(
                "{} has no map for {} of {} pictures; the first, {}: {}",
                one.method, one.pictures, self.pictures, one.first, one.why
            ));
        }
        summary.over = json!({ "evaluations": found, "failures": self.failed });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(at: &[f64], value: &[f64]) -> evaluation::Curve {
        evaluation::Curve {
            at: at.to_vec(),
            value: value.to_vec(),
            area: 0.0,
        }
    }

    #[test]
    fn curves_of_other_points_are_read_between_them() {
        let first = curve(&[0.0, 0.5, 1.0], &[1.0, 0.25, 0.0]);
        let second = curve(&[0.0, 0.25, 1.0], &[0.0, 1.0, 4.0]);
        for (at, value) in [(0.0, 1.0), (0.5, 0.25), (1.0, 0.0), (0.25, 0.625)] {
            assert_eq!(value_at(&first, at), value);
        }
        let mut mean = MeanCurve::default();
        mean.add(&first);
        mean.add(&second);
        let found = mean.points();
        assert_eq!(found[0], (0.0, 0.5));
        assert_eq!(found[1], (0.5, (0.25 + 2.0) / 2.0));
        assert_eq!(found[2], (1.0, 2.0));
    }

    #[test]
    fn a_panel_has_no_more_methods_than_colours() {
        let all: Vec<Curves> = ["a", "b", "c", "d"]
            .iter()
            .map(|name| Curves {
                method: (*name).into(),
                deletion: vec![(0.0, 1.0), (1.0, 0.0)],
                insertion: vec![(0.0, 0.0), (1.0, 1.0)],
            })
            .collect();
        let titles = |all: &[Curves]| -> Vec<String> {
            let chart = chart("a title".into(), "a score".into(), all);
            chart.panels.into_iter().map(|panel| panel.title).collect()
        };
        assert_eq!(titles(&all).len(), 4);
        assert_eq!(
            titles(&all[..3]),
            ["deletion, lower is better", "insertion, higher is better"]
        );
    }
}
