//! `contributions`: which layer's biases made the score.

use linearscope_analysis::{LinearOperator, certificate, contribution};
use linearscope_picture::{Bar, BarChart, Curve, CurveChart, CurvePanel};
use serde_json::json;

use super::position;
use crate::{
    args::Contributions,
    error::{CERTIFICATE, Failure, Result},
    folder::{self, One},
    session::Session,
};

pub(crate) fn run(args: &Contributions) -> Result<()> {
    if !folder::is_one(&args.common) {
        return one(args).map(drop);
    }
    let (set, all) = folder::each("contributions", args, |args| &mut args.common, one)?.apart();
    let over = contribution::aggregate(&all)?;
    set.save_curves(
        "contributions",
        &spread(&args.common.model.display().to_string(), &over),
    )?;
    let mut lines = vec![format!(
        "residual share {}{}, the largest gap {:.1e}",
        over.residual_share.percent(),
        match over.not_positive {
            0 => String::new(),
            some => format!(" ({some} scores are not positive and left out)"),
        },
        over.gap,
    )];
    for layer in &over.layers {
        lines.push(format!(
            "  {:3} {:36} {:10.4} ± {:8.4} {:7.1} ± {:5.1} %",
            layer.layer,
            layer.name,
            layer.value.mean,
            layer.value.std,
            100.0 * layer.share.mean,
            100.0 * layer.share.std,
        ));
    }
    set.close(&over, &lines)
}

/// Mean and standard deviation of each layer's contribution.
fn spread(model: &str, over: &contribution::ContributionStatistics) -> CurveChart {
    let number = |i: usize| i as f64;
    CurveChart {
        title: format!("Contributions over {} pictures, {model}", over.pictures),
        notes: vec![
            format!(
                "What each layer's biases add to the score, mean and standard deviation; residual share \
                 {}.",
                over.residual_share.percent()
            ),
            format!(
                "From left to right: {}.",
                over.layers
                    .iter()
                    .map(|layer| layer.name.as_str())
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

fn one(args: &Contributions) -> Result<One<contribution::Contributions>> {
    let mut session = Session::open("contributions", &args.common)?;
    let found = find(&mut session, &args.target)?;
    let limit = certificate::limit(session.frozen.dtype());
    session.close(&found.summary)?;
    let gap = found.gap;
    if gap <= limit {
        return Ok(One {
            line: found.summary.first().cloned().unwrap_or_default(),
            numbers: json!(found.found),
            found: found.found,
        });
    }
    Err(Failure {
        message: format!("contributions miss the score by {gap:.1e}, more than {limit:.0e}"),
        hint: Some("the results are written but not to be trusted; try --dtype f64".into()),
        code: CERTIFICATE,
    })
}

/// What `contributions` found.
pub(crate) struct Parts {
    pub chart: BarChart,
    pub summary: Vec<String>,
    found: contribution::Contributions,
    /// |Σ contributions − score| / Σ|contributions|.
    pub gap: f64,
}

/// Compute and write the contributions to one score.
pub(crate) fn find(session: &mut Session, target: &str) -> Result<Parts> {
    let target = if target == "top1" {
        contribution::top1(&session.frozen)?
    } else {
        match position::parse("--target", target, session.frozen.output_shape())?[..] {
            [target] => target,
            _ => {
                return Err(Failure::input(format!(
                    "--target {target}: contributions are of one score"
                ))
                .hint("name one channel"));
            }
        }
    };
    let found = contribution::contributions(&session.frozen, target)?;
    session.save_json("contributions", &found.layers)?;
    let label = session.label(target).map(String::from);
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
    if found.score_not_positive {
        summary.push("the score is not positive: shares change their sign".into());
    }
    let widest = found.layers.iter().fold(0f64, |m, l| m.max(l.value.abs()));
    for layer in &found.layers {
        let bar = "█".repeat((30.0 * layer.value.abs() / widest.max(f64::MIN_POSITIVE)) as usize);
        summary.push(format!(
            "  {:3} {:36} {:10.4} {:7.1} %  {bar}",
            layer.layer,
            layer.name,
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
    let mut notes = vec![format!(
        "Score {:.4} = {:.4} from the pixels (grey) + {:.4} from the layers' biases, projected \
         forward: residual share {:.1} %. The bars add up to the score, within {:.0e} of their sum.",
        found.score,
        found.input,
        found.residual,
        100.0 * found.residual_share,
        found.gap.max(1e-16),
    )];
    if found.score_not_positive {
        notes.push("The score is not positive: shares change their sign.".into());
    }
    BarChart {
        title: format!("Contributions to output {name}, {}", session.model),
        notes,
        bars: found
            .layers
            .iter()
            .enumerate()
            .map(|(i, layer)| Bar {
                label: layer.name.clone(),
                value: layer.value,
                note: format!("{:.1} %", 100.0 * layer.share),
                apart: i == 0,
            })
            .collect(),
    }
}
