//! What the page has to know before it asks anything: shapes, names, scores, what there is to ask, and how commands are
//! typed.

use std::path::PathBuf;

use linearscope::{Interrupt, PRESETS};
use linearscope_analysis::{LinearOperator, attribution, certificate::certificate, ranking, votes};
use linearscope_picture::diverging;
use serde_json::{Value, json};

use super::{Answer, Desk, Refusal};
use crate::{
    args::{Common, quoted},
    commands::maps,
    error::Failure,
    explore::{
        answer::without_batch,
        asked::Of,
        points::{Point, Points},
    },
    kind::Kind,
    results::SCHEMA,
    subject::Subject,
    task::Task,
};

/// How many scores stand at the top.
const TOP: usize = 10;

/// The session; with `to` or `rules` that of the one network that they make.
pub(super) fn session(desk: &Desk, of: &Of, interrupt: &Interrupt) -> Result<Answer, Refusal> {
    let points = &desk.points;
    let whole = *of == Of::default();
    let mut nets = Vec::new();
    let mut commands = Value::Null;
    for net in if whole {
        0..points.len()
    } else {
        of.net..of.net + 1
    } {
        let of = Of { net, ..of.clone() };
        let point = points.get(&of, &desk.jobs, interrupt)?;
        nets.push(described(&point, points.common(net), &of, interrupt)?);
        if commands.is_null() {
            commands = typed(&point.subject, points);
        }
    }
    let stops = [-1.0, -0.5, 0.0, 0.5, 1.0].map(diverging);
    Ok(Answer::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "schema": SCHEMA,
        "key": points.key(),
        "stops": stops,
        "nets": nets,
        "commands": commands,
    })))
}

/// The lines that make what the page shows, with places to fill in.
fn typed(subject: &Subject, points: &Points) -> Value {
    // What is compared, where that is another file.
    let compared: String = (1..points.len())
        .flat_map(|net| {
            let (first, other) = (points.common(0), points.common(net));
            let flag = |name, first: &PathBuf, other: &PathBuf| {
                let other = (first != other).then(|| quoted(&other.display().to_string()));
                other.map(|other| format!(" --compare-{name} {other}"))
            };
            [
                flag("model", &first.model, &other.model),
                flag("input", &first.input, &other.input),
            ]
        })
        .flatten()
        .collect();
    let line = |command: &str, more: &str| format!("linearscope {command} {}{more}", subject.line);
    json!({
        "run": line("run", ""),
        "row": line("row", " --target {at}"),
        "column": line("column", " --at {at}"),
        "attribution": line("attribute", " --target {target} --method {method}"),
        "contributions": line("contributions", " --target {target}"),
        "svd": line("svd", " -k {k}"),
        "votes": line("votes", ""),
        "fields": line("maps", ""),
        "attack": line("attack", " --eps {eps}"),
        "explore": line("explore", &compared),
    })
}

fn described(
    point: &Point,
    common: &Common,
    of: &Of,
    interrupt: &Interrupt,
) -> Result<Value, Refusal> {
    let Point { y0, facts, .. } = point;
    let subject = &point.subject.with_interrupt(interrupt);
    let frozen = &subject.frozen;
    let (input, output) = (frozen.input_shape(), frozen.output_shape());
    let certificate = certificate(frozen)?;
    let residual = subject.numbers(frozen.residual()?)?;
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let classifier = subject.task == Some(Task::Classifier);
    let top = match classifier {
        true => best(subject, y0),
        false => Vec::new(),
    };
    let recorded = frozen.recorded();
    // Networks of the zoo have one output.
    let nodes: Vec<&str> = match recorded {
        Some(recorded) if !crate::model::is_zoo(&common.model) => {
            recorded.program().place_names().collect()
        }
        _ => Vec::new(),
    };
    let risk = certificate.decisions_at_risk.as_ref();
    let painter = &subject.painter;
    let output_is_picture = painter.output(y0, output).is_some();
    Ok(json!({
        "model": subject.model,
        "model_sha256": facts["model"]["sha256"],
        "input": crate::opened::name_of(&common.input),
        "input_sha256": facts["input"]["sha256"],
        "line": subject.line,
        "to": of.to,
        "attacked": of.attacked,
        "rules": of.rules.as_deref().unwrap_or("default"),
        "rules_entries": facts["rules"],
        "mode": facts["mode"],
        "recipe": facts["recipe"],
        "device": facts["device"],
        "dtype": subject.precision.name(),
        "input_shape": without_batch(input),
        "output_shape": without_batch(output),
        "channels_last": { "input": subject.layouts.input, "output": subject.layouts.output },
        "input_is_picture": painter.input(&point.x0, input).is_some(),
        "output_is_picture": output_is_picture,
        "output_range": output_is_picture.then(|| painter.output_bounds(output)),
        "task": task(subject.task),
        "scale": scale(input, output),
        "scores": classifier.then_some(y0),
        "labels": subject.labels.as_deref(),
        "top": top,
        "residual": { "norm": norm(&residual), "share": over(norm(&residual), norm(y0)) },
        "certificate": certificate,
        "at_risk": risk,
        "decisions": risk.map(|risk| risk.decisions),
        "layers": layers(subject),
        "nodes": nodes,
        "panels": panels(subject),
    }))
}

/// The best scores, `[class, score, label]` each.
pub(super) fn best(subject: &Subject, scores: &[f64]) -> Vec<Value> {
    let best = ranking(scores).into_iter().take(TOP);
    best.map(|k| json!([k, scores[k], subject.label(k)]))
        .collect()
}

fn over(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn task(task: Option<Task>) -> &'static str {
    match task {
        Some(Task::Classifier) => "classifier",
        Some(Task::Segmenter) => "segmenter",
        Some(Task::Sr) => "super_resolution",
        Some(Task::I2i) => "image_to_image",
        Some(Task::Detector) => "detector",
        None => "other",
    }
}

/// Output pixels for each input pixel, where both are pictures and it is one number.
fn scale(input: &[usize], output: &[usize]) -> Option<f64> {
    let (&[.., h, w], &[.., rows, columns]) = (input, output) else {
        return None;
    };
    let pictures = [input, output]
        .iter()
        .all(|shape| Kind::of(shape) == Kind::Picture);
    (pictures && h * columns == w * rows).then(|| rows as f64 / h as f64)
}

/// The weighted ops that begin layers; the input is none.
fn layers(subject: &Subject) -> Vec<Value> {
    let Some(recorded) = subject.frozen.recorded() else {
        return Vec::new();
    };
    let program = recorded.program();
    let kind = |layer: usize| {
        let mut nodes = program.nodes().iter();
        nodes
            .find(|node| node.layer == layer)
            .map(|node| node.operation.name())
    };
    let named = program.layers().iter().enumerate().skip(1);
    named
        .map(|(layer, name)| json!({ "layer": layer, "name": &**name, "kind": kind(layer) }))
        .collect()
}

/// What can be asked; else why not.
fn panels(subject: &Subject) -> Value {
    let frozen = &subject.frozen;
    let there = |found: Result<(), Failure>| match found {
        Ok(()) => json!(true),
        Err(failure) => json!(failure.one_line()),
    };
    let recorded = |what: &str| Ok(frozen.recorded_for(what).map(|_| ())?);
    let methods: Vec<&str> = attribution::NAMES.iter().map(|(name, _)| *name).collect();
    let named: Vec<Value> = attribution::NAMES
        .iter()
        .map(|(name, words)| json!({ "name": name, "words": words }))
        .collect();
    let classifier = || Ok(votes::classes(frozen).map(|_| ())?);
    let presets: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
    json!({
        "svd": true,
        "contributions": there(recorded("contributions")),
        "attribution": match recorded("attributions") {
            Ok(()) => json!(methods),
            Err(failure) => there(Err(failure)),
        },
        "attribution_words": named,
        "votes": there(recorded("votes").and_then(|()| classifier())),
        "validity": true,
        "attack": there(classifier()),
        "rules": presets,
        "fields": there(maps::pictures_of(subject).map(|_| ())),
    })
}
