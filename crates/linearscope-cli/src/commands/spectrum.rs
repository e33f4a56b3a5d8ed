//! `spectrum`: norm, effective rank and density of singular values by random probes.

use clap::Args;
use linearscope_analysis::{
    Estimate, LinearOperator,
    spectrum::{Density, DensityConfig, Moments, MomentsConfig, density, moments},
};
use linearscope_picture::{Curve, CurveChart, CurvePanel, significant, with_error};
use serde::Serialize;
use serde_json::json;

use crate::{
    args::{Between, Common},
    command::{About, Alone, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    console,
    error::{Failure, Result},
    session::Session,
};

/// `spectrum`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Spectrum {
    /// Number of random vectors; error bars shrink with its square root
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub probes: usize,
    /// Lanczos steps per vector, of two products each; more steps resolve the density more finely
    #[arg(long, default_value_t = 40, value_name = "N")]
    pub steps: usize,
    /// Standard deviation of the Gaussian that smooths the density, relative to σ₁
    #[arg(long, default_value_t = 0.04, value_name = "WIDTH")]
    pub width: f64,
    /// Seed for the random vectors
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub between: Between,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

/// One place of the density.
#[derive(Serialize)]
struct At {
    sigma: f64,
    density: f64,
    density_error: f64,
    above: f64,
    above_error: f64,
}

impl OnPicture for Spectrum {
    const ABOUT: &'static About = &About {
        name: "spectrum",
        group: Group::Operator,
        summary: "Estimate the whole spectrum of F from random probes: norm, effective rank, density",
        details: "Uses stochastic Lanczos quadrature: nothing is decomposed, and every number has an error bar.",
        example: "spectrum net.onnx --input cat.jpg",
        pictures: Pictures::One,
        files: &[
            FileAbout(
                "spectrum.json",
                "norm, effective rank and density with errors",
            ),
            FileAbout("spectrum.png", "density and count of singular values"),
            FileAbout("spectrum.svg", "the same for print"),
        ],
        tables: &[TableAbout {
            name: "density",
            rows: "one line for each σ at which the density is given",
            columns: &[
                ("sigma", "σ"),
                ("density", "singular values per unit of σ there"),
                ("density_error", "half of its 95 % interval"),
                ("above", "how many are larger"),
                ("above_error", "half of its 95 % interval"),
            ],
        }],
        includes: &[],
    };

    type Fold = Alone;

    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> Result<()> {
        if self.probes < 4 {
            return Err(Failure::input(format!(
                "--probes {}: error bars need at least 4",
                self.probes
            )));
        }
        if self.steps == 0 || !(self.width > 0.0 && self.width.is_finite()) {
            return Err(Failure::input(format!(
                "--steps {} --width {}: both must be greater than 0",
                self.steps, self.width
            )));
        }
        Ok(())
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let between = &self.between;
        let part = session
            .frozen
            .between(between.from.as_deref(), between.to.as_deref())?;
        let config = DensityConfig::default()
            .with_probes(self.probes)
            .with_steps(self.steps)
            .with_width(self.width)
            .with_seed(self.seed);
        let of_moments = MomentsConfig::default()
            .with_probes(self.probes)
            .with_seed(self.seed);
        let sizes = moments(&part, &of_moments, console::observer())?;
        let stopped = |finished: usize| {
            Failure::interrupted(format!(
                "interrupted after {finished} of {} probes",
                self.probes
            ))
        };
        if sizes.partial {
            let finished = sizes.probes;
            session.save_json("spectrum", &json!({ "moments": sizes }))?;
            return Err(stopped(finished));
        }
        let spread = density(&part, &config, console::observer())?;
        let failure = spread.finished.map(stopped);
        let directions = part.input_len().min(part.output_len());
        let summary = summary(&sizes, &spread, directions);
        let chart = chart(session, &spread);
        let records: Vec<At> = (0..spread.sigma.len())
            .map(|i| At {
                sigma: spread.sigma[i],
                density: spread.density[i].value,
                density_error: spread.density[i].error,
                above: spread.above[i].value,
                above_error: spread.above[i].error,
            })
            .collect();
        session.save_table("density", &records)?;
        let found = json!({
            "frobenius": sizes.frobenius.value,
            "effective_rank": sizes.effective_rank.value,
            "largest": spread.largest,
        });
        let report = json!({
            "moments": sizes,
            "density": spread,
            "singular_values": directions,
            "config": config,
        });
        session.save_json("spectrum", &report)?;
        session.save_curves("spectrum", &chart)?;
        session.note("spectrum_config", config);
        session.note("moments", sizes);
        Ok(Told {
            line: summary.first().cloned().unwrap_or_default(),
            found,
            summary,
            failure,
        })
    }
}

fn told(name: &str, estimate: &Estimate) -> String {
    format!("{name:16} {}", with_error(estimate.value, estimate.error))
}

fn summary(sizes: &Moments, spread: &Density, directions: usize) -> Vec<String> {
    let mut lines = vec![
        told("‖F‖", &sizes.frobenius),
        told("effective rank", &sizes.effective_rank),
        format!(
            "{:16} {} (from below)",
            "σ₁",
            significant(spread.largest, 6)
        ),
    ];
    for share in [0.9, 0.5, 0.1] {
        let at = share * spread.largest;
        let nearest = |i: &usize| (spread.sigma[*i] - at).abs();
        let nearest = (0..spread.sigma.len()).min_by(|a, b| nearest(a).total_cmp(&nearest(b)));
        let Some(i) = nearest else { continue };
        lines.push(format!(
            "{} of {directions}",
            told(
                &format!("σ above {}", significant(spread.sigma[i], 4)),
                &spread.above[i]
            )
        ));
    }
    lines.push(format!(
        "± is half of a 95 % interval; {} products",
        sizes.products + spread.products
    ));
    lines
}

fn chart(session: &Session, spread: &Density) -> CurveChart {
    let curve = |label: &str, estimates: &[Estimate]| Curve {
        label: label.into(),
        points: spread
            .sigma
            .iter()
            .copied()
            .zip(estimates.iter().map(|e| e.value))
            .collect(),
        band: estimates.iter().map(|e| e.error).collect(),
    };
    let panel = |title: &str, estimates: &[Estimate]| CurvePanel {
        title: title.into(),
        curves: vec![curve("95 % interval", estimates)],
    };
    CurveChart {
        title: format!("Singular values of F, {}", session.model),
        notes: vec![format!(
            "By random probes, smoothed with a Gaussian of standard deviation {:.3}; errors are half of 95 % \
             intervals.",
            spread.width
        )],
        across: "σ".into(),
        panels: vec![
            panel("singular values per unit of σ", &spread.density),
            panel("singular values above σ", &spread.above),
        ],
    }
}
