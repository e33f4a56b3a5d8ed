//! Figures 7, 13, 14 and 15: networks that turn a picture into another kind.

use std::path::PathBuf;

use crate::{
    lab::{Entry, Lab, Model, Outcome, Verdict},
    measures::mean_std,
    upscalers::vectors,
};

/// How norms are frozen.
const RULES: [&str; 3] = ["mean-and-std", "std-only", "norm=taylor"];

struct Subject {
    model: Model,
    picture: PathBuf,
    style: bool,
}

fn subjects(lab: &Lab) -> Outcome<Vec<Subject>> {
    let facade = Subject {
        model: lab.bundled("facade"),
        picture: lab.picture("facade.png"),
        style: false,
    };
    let mut all = vec![facade];
    if let Some(picture) = lab
        .pictures("set5")?
        .into_iter()
        .find(|path| path.to_string_lossy().contains("butterfly"))
    {
        for name in ["tiny_style_starry-night", "fns_mosaic"] {
            if let Some(model) = lab.real(name, &["--range", "255", "--resize", "64x64"]) {
                all.push(Subject {
                    model,
                    picture: picture.clone(),
                    style: true,
                });
            }
        }
    }
    Ok(all)
}

pub(crate) fn entries(lab: &Lab) -> Outcome<Vec<Entry>> {
    let all = subjects(lab)?;
    Ok(vec![rows(lab, &all)?, eigen_outputs(lab, &all)?])
}

fn rows(lab: &Lab, all: &[Subject]) -> Outcome<Entry> {
    let mut figures = Vec::new();
    let mut pictures = Vec::new();
    // For each rule: near deltas somewhere, copies from afar somewhere, templates somewhere.
    let mut shown = [[false; 3]; 3];
    for Subject { model, picture, .. } in all {
        for (rule, shown) in RULES.into_iter().zip(&mut shown) {
            let answer = lab.ask(&model.by(rule), picture, "maps", &[])?;
            let (radius, _) = answer.array("row_radius")?;
            let places = radius.len() / 3;
            let near =
                radius[..places].iter().filter(|r| **r <= 1.0).count() as f64 / places as f64;
            let afar = answer.number("/off_diagonal")?;
            let templates = answer.number("/templates")?;
            figures.push(format!(
                "{} by {rule}: {:.0} % of rows have half their energy within one pixel, {:.1} % of the energy comes from afar, \
                 {templates:.0} columns are templates",
                model.name, 100.0 * near, 100.0 * afar
            ));
            shown[0] |= near > 0.1;
            shown[1] |= afar > 0.1;
            shown[2] |= templates > 0.0;
            if rule == RULES[0] {
                pictures.push(answer.picture("maps.png", format!("{} by {rule}", model.name)));
            }
        }
    }
    for (rule, [near, afar, templates]) in RULES.into_iter().zip(shown) {
        let word = |holds| if holds { "shown" } else { "not shown" };
        figures.push(format!(
            "{rule}: near-delta rows {}, copy–move {}, templates {}",
            word(near),
            word(afar),
            word(templates)
        ));
    }
    let best = shown
        .iter()
        .max_by_key(|found| found.iter().filter(|holds| **holds).count());
    Ok(Entry {
        order: 170,
        name: "Fig. 7, 13",
        claim: "CycleGAN: near-delta rows where content is kept; some networks add far regions to every place (copy–move); in photo \
                → label one pixel switches a whole window (template)",
        figures,
        commands: RULES.map(|rule| format!("linearscope maps NETWORK.onnx --input PICTURE --rules {rule}")).into(),
        criterion: "by one way of freezing norms: some network with more than 10 % of rows within a pixel, one that takes more than \
                    10 % of its energy from afar, one with templates. CycleGAN's own weights are not at hand, nor its networks for \
                    ukiyo-e"
            .into(),
        verdict: Verdict::of(best.map_or(&[], |found| &found[..])),
        pictures,
    })
}

fn eigen_outputs(lab: &Lab, all: &[Subject]) -> Outcome<Entry> {
    let upscaler = lab.bundled("edsr");
    let cat = lab.picture("cat.png");
    let spread_of = |model: &Model, picture: &PathBuf| -> Outcome<(f64, (PathBuf, String))> {
        let answer = lab.ask(
            model,
            picture,
            "svd",
            &["-k", "16", "--max-products", "4000"],
        )?;
        let u = vectors(&answer, "u")?;
        Ok((
            mean_std(&u.spreads()[..4]).0,
            answer.picture(
                "svd.png",
                format!("{}: eigen-inputs and eigen-outputs", model.name),
            ),
        ))
    };
    let residual = |model: &Model, picture: &PathBuf| {
        lab.ask(model, picture, "run", &[])?
            .number("/certificate/residual_over_output")
    };
    let (narrow, _) = spread_of(&upscaler, &cat)?;
    let small = residual(&upscaler, &cat)?;
    let mut figures = vec![format!(
        "edsr, for contrast: eigen-outputs 1 to 4 spread over {:.1} % of the picture, ‖r‖/‖y‖ = {small:.3}",
        100.0 * narrow
    )];
    let mut findings = Vec::new();
    let mut pictures = Vec::new();
    for Subject {
        model,
        picture,
        style,
    } in all
    {
        let (wide, drawn) = spread_of(model, picture)?;
        let large = residual(model, picture)?;
        let kind = if *style { "style" } else { "labels" };
        figures.push(format!(
            "{} ({kind}): eigen-outputs 1 to 4 spread over {:.1} % of the picture, ‖r‖/‖y‖ = {large:.3}",
            model.name, 100.0 * wide
        ));
        findings.extend([wide > narrow, large > small]);
        pictures.push(drawn);
    }
    Ok(Entry {
        order: 240,
        name: "Fig. 14, 15",
        claim: "eigen-outputs of CycleGAN: local for large σ, but wider than in super-resolution, in the style's colours; residuals \
                larger than in super-resolution",
        figures,
        commands: vec!["linearscope svd NETWORK.onnx --input PICTURE -k 16".into(), "linearscope run NETWORK.onnx --input PICTURE".into()],
        criterion: "for each network: wider than the bundled EDSR's, and a larger residual. Colours are for the eye".into(),
        verdict: Verdict::of(&findings),
        pictures,
    })
}
