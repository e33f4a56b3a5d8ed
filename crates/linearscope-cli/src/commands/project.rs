//! `project`: F x₁ and F x₁ + r, for the network or a part of it, and how far towards x₁ the reading holds.

use std::path::PathBuf;

use burn::tensor::Tensor;
use clap::Args;
use linearscope_analysis::{Error, LinearOperator, validity};
use serde::Serialize;
use serde_json::json;

use crate::{
    args::{Between, Common},
    command::{About, Alone, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    error::Result,
    picture::View,
    session::Session,
};

/// Where on the way from x₀ to x₁ the error of the linear reading is looked at.
const TOWARDS: [f64; 6] = [0.0, 1e-3, 1e-2, 0.1, 0.3, 1.0];

/// `project`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Project {
    /// x₁: an .npy array of the input's shape, or a picture, preprocessed like x₀
    #[arg(long, value_name = "IMG|NPY")]
    #[serde(serialize_with = "crate::content::of_path")]
    pub probe: PathBuf,
    #[command(flatten)]
    pub between: Between,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

/// The error of the reading at one place.
#[derive(Serialize)]
struct Growth {
    t: f64,
    relative_error: f64,
}

impl OnPicture for Project {
    const ABOUT: &'static About = &About {
        name: "project",
        group: Group::Operator,
        summary: "Run another input through the frozen network: F x₁ and F x₁ + r",
        details: "Also measures how far along the way from x₀ to x₁ the frozen network equals the network \
            itself, and its error beyond that.",
        example: "project net.onnx --input cat.jpg --probe dog.jpg",
        pictures: Pictures::One,
        files: &[
            FileAbout("projected.npy", "F x₁"),
            FileAbout("projected.png", "F x₁ drawn"),
            FileAbout("projected.svg", "the same for print"),
            FileAbout("affine.npy", "F x₁ + r"),
            FileAbout(
                "affine.png",
                "F x₁ + r as a picture; signals as lines, volumes as slices",
            ),
            FileAbout("affine.svg", "the same for print, inside the network"),
        ],
        tables: &[TableAbout {
            name: "growth",
            rows: "one line for each point on the way from x₀ to x₁",
            columns: &[
                ("t", "how far: 0 at x₀, 1 at x₁"),
                ("relative_error", "‖F x + r − f(x)‖ / ‖f(x)‖ there"),
            ],
        }],
        includes: &[],
    };

    type Fold = Alone;

    fn common(&self) -> &Common {
        &self.common
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let summary = find(session, self)?;
        Ok(Told {
            line: summary.first().cloned().unwrap_or_default(),
            found: json!({}),
            summary,
            failure: None,
        })
    }
}

fn find(session: &mut Session, args: &Project) -> Result<Vec<String>> {
    let part = session
        .frozen
        .between(args.between.from.as_deref(), args.between.to.as_deref())?;
    let shape = part.output_shape().to_vec();
    let [of_probe, shaped] = args.between.shaped();
    let probe = session.read_probe(&args.probe, part.input_shape(), of_probe)?;
    let x1 = probe.clone();
    let projected = session.numbers(part.apply(probe.clone())?)?;
    let affine = session.numbers(part.affine(probe)?)?;
    session.save_signed(
        "projected",
        "F x₁",
        &projected,
        (&shape, shaped),
        View::Whole,
    )?;
    if args.between.to.is_none() {
        session.save_output("affine", &affine, &shape, shaped)?;
    } else {
        // Inside the network a value is no picture.
        session.save_signed("affine", "F x₁ + r", &affine, (&shape, shaped), View::Whole)?;
    }
    let mut summary = vec![format!("F x₁ and F x₁ + r have shape {shape:?}")];
    if args.between.from.is_none() && args.between.to.is_none() {
        summary.push(reach(session, &x1)?);
    }
    Ok(summary)
}

/// How far towards x₁ the reading at x₀ holds.
fn reach(session: &mut Session, x1: &Tensor<2>) -> Result<String> {
    let direction = x1.clone() - session.frozen.x0();
    let gaps = validity::growth(&session.frozen, direction.clone(), &TOWARDS)?;
    let growth: Vec<(f64, f64)> = TOWARDS.into_iter().zip(gaps).collect();
    let records = growth
        .iter()
        .map(|&(t, relative_error)| Growth { t, relative_error });
    session.save_table("growth", &records.collect::<Vec<_>>())?;
    session.note("error_towards_probe", &growth);
    let at = |t: f64| {
        growth
            .iter()
            .find(|(s, _)| *s == t)
            .map_or(0.0, |(_, gap)| *gap)
    };
    let error = format!(
        "F x + r is {} off f a tenth of the way from x₀ to x₁, {} at x₁",
        percent(at(0.1)),
        percent(at(1.0))
    );
    match validity::radii(&session.frozen, direction) {
        Ok(found) => {
            session.note("validity_towards_probe", &found);
            Ok(format!(
                "{}; {error}",
                stretch(found.radii[0], &found.by[0])
            ))
        }
        Err(Error::Engine(refused @ linearscope::Error::NotPiecewise { .. })) => {
            session.note("validity_towards_probe", refused.to_string());
            Ok(format!(
                "{error}\nhow far it is exact is unknown: {refused}"
            ))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// For how much of the way to x₁ the reading is exact, and what ends it.
fn stretch(t: f64, by: &str) -> String {
    match t {
        0.0 => format!(
            "exact only at x₀: a unit of {by} lies at its kink, and the way to x₁ crosses it"
        ),
        t if t.is_finite() && t < 1.0 => {
            format!(
                "exact for the first {} of the way to x₁, where a unit of {by} flips",
                percent(t)
            )
        }
        t if t.is_finite() => format!(
            "exact all the way to x₁; the first unit to flip, in {by}, flips {t:.3} times as far away"
        ),
        _ => "exact all the way to x₁ and beyond: no unit flips in this direction".into(),
    }
}

/// A fraction for people: two significant digits.
fn percent(fraction: f64) -> String {
    match 100.0 * fraction {
        0.0 => "0 %".into(),
        p if p < 1e-3 => format!("{p:.1e} %"),
        p if p >= 10.0 => format!("{p:.0} %"),
        p => {
            let digits = (1 - p.log10().floor() as i32).max(0) as usize;
            format!("{p:.digits$} %")
        }
    }
}
