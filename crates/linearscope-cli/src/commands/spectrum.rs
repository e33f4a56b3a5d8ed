//! `spectrum`: norm, effective rank and density of singular values by random probes.

use linearscope_analysis::{
    Estimate, LinearOperator,
    spectrum::{Density, DensityConfig, Moments, MomentsConfig, density, moments},
};
use linearscope_picture::{Curve, CurveChart, CurvePanel};
use serde_json::json;

use crate::{
    args::Spectrum,
    error::{Failure, Result},
    output,
    session::Session,
};

pub(crate) fn run(args: &Spectrum) -> Result<()> {
    if args.probes < 4 {
        return Err(Failure::input(format!(
            "--probes {}: error bars need 4 or more",
            args.probes
        )));
    }
    if args.steps == 0 || !(args.width > 0.0 && args.width.is_finite()) {
        return Err(Failure::input(format!(
            "--steps {} --width {}: both must be greater than 0",
            args.steps, args.width
        )));
    }
    let mut session = Session::open("spectrum", &args.common)?;
    let between = &args.between;
    let part = session
        .frozen
        .between(between.from.as_deref(), between.to.as_deref())?;
    let config = DensityConfig::default()
        .with_probes(args.probes)
        .with_steps(args.steps)
        .with_width(args.width)
        .with_seed(args.seed);
    output::progress(&format!(
        "{} products for the norm and the rank",
        2 * args.probes
    ));
    let sizes = moments(
        &part,
        &MomentsConfig::default()
            .with_probes(args.probes)
            .with_seed(args.seed),
        output::observer(),
    )?;
    output::progress(&format!(
        "up to {} products for the density",
        2 * args.probes * args.steps
    ));
    let spread = density(&part, &config, output::observer())?;
    let directions = part.input_len().min(part.output_len());
    let summary = summary(&sizes, &spread, directions);
    let chart = chart(&session, &spread);
    let report = json!({
        "moments": sizes,
        "density": spread,
        "singular_values": directions,
        "config": config,
    });
    session.save_json("spectrum", &report)?;
    session.save_curves("spectrum", &chart)?;
    session.note("spectrum_config", config);
    session.note("from", &between.from);
    session.note("to", &between.to);
    session.note("moments", sizes);
    session.close(&summary)
}

fn told(name: &str, estimate: &Estimate) -> String {
    format!(
        "{name:16} {:12.5e} ± {:.1e}",
        estimate.value, estimate.error
    )
}

fn summary(sizes: &Moments, spread: &Density, directions: usize) -> Vec<String> {
    let mut lines = vec![
        told("‖F‖", &sizes.frobenius),
        told("effective rank", &sizes.effective_rank),
        format!("{:16} {:12.5e}   (from below)", "σ₁", spread.largest),
    ];
    for share in [0.9, 0.5, 0.1] {
        let at = share * spread.largest;
        let nearest = |i: &usize| (spread.sigma[*i] - at).abs();
        let nearest = (0..spread.sigma.len()).min_by(|a, b| nearest(a).total_cmp(&nearest(b)));
        let Some(i) = nearest else { continue };
        lines.push(format!(
            "{} of {directions}",
            told(&format!("above {:.3}", spread.sigma[i]), &spread.above[i])
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
