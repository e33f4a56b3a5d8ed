//! What attacks do to contributions, votes, decisions and F, over sets of pictures.

use std::path::Path;

use burn::tensor::TensorData;
use linearscope_analysis::{
    FrozenNetwork, LinearOperator, MeanStd,
    attack::{AttackConfig, Ball, Goal, attack},
    comparison::{ComparisonConfig, aggregate, compare},
    contribution::{self, ContributionStatistics, contributions},
    difference::{DifferenceConfig, difference},
    progress::unobserved,
};
use linearscope_picture::{Curve, CurveChart, CurvePanel};
use serde_json::{Map, Value, json};

use super::{Any, Classifier, held_out, imagenet, percent, photographs};

/// Scenes that figures are over.
const COUNT: usize = 64;

/// The network at the attacked picture.
fn attacked(f: &FrozenNetwork, ball: &Ball, config: &AttackConfig) -> Any<FrozenNetwork> {
    let found = attack(f, ball, config, unobserved)?;
    let frozen = f.frozen();
    let x = TensorData::new(found.x, f.input_shape().to_vec());
    let rules = frozen.rules().clone();
    let (loaded, budget) = (frozen.loaded().clone(), frozen.budget());
    Ok(FrozenNetwork::within(loaded, x, rules, budget)?)
}

/// How norms are estimated: 8 random products.
fn norms() -> DifferenceConfig {
    DifferenceConfig::default().with_probes(8)
}

/// The paper's Fig. 8.
fn chart(
    title: &str,
    note: String,
    before: &ContributionStatistics,
    after: &ContributionStatistics,
) -> CurveChart {
    let curve = |label: &str, of: &ContributionStatistics| Curve {
        label: label.into(),
        points: of
            .layers
            .iter()
            .enumerate()
            .map(|(i, l)| (i as f64, l.value.mean))
            .collect(),
        band: of.layers.iter().map(|layer| layer.value.std).collect(),
    };
    CurveChart {
        title: title.into(),
        notes: vec![note],
        across: "layer".into(),
        panels: vec![CurvePanel {
            title: "contribution to the score of the class before, mean ± std".into(),
            curves: vec![curve("before", before), curve("after", after)],
        }],
    }
}

fn of_scenes(name: &str, levels: f64, steps: usize, out: &Path) -> Any<Value> {
    let classifier = Classifier::bundled(name)?;
    let mut set = Vec::new();
    for (_, x) in held_out(COUNT) {
        let f = classifier.freeze(x)?;
        // −1..1: a level is 2/255.
        let ball = Ball::of(2.0 * levels / 255.0, f.input_len()).within(-1.0, 1.0);
        let goal = Goal::From(contribution::top1(&f)?);
        let g = attacked(&f, &ball, &AttackConfig::pgd(goal, steps))?;
        set.push(compare(
            &f,
            &g,
            &ComparisonConfig::default().with_difference(norms()),
            unobserved,
        )?);
    }
    let found = aggregate(&set)?;
    let (Some(shares), Some(moved)) = (found.share, found.moved) else {
        return Err(format!("{name} has no votes").into());
    };
    println!(
        "| {name} | {} | {levels} | {}/{} | {:.2} ± {:.2} → {:.2} ± {:.2} | {} | {} → {} | {} | {:.2} ± {:.2} | {:.2} ± {:.2} |",
        if steps == 1 {
            "FGSM".into()
        } else {
            format!("PGD {steps}")
        },
        found.changed,
        found.pictures,
        found.before.score.mean,
        found.before.score.std,
        found.after.score.mean,
        found.after.score.std,
        found.flipped_share.percent(),
        shares[0].percent(),
        shares[1].percent(),
        moved.percent(),
        found.f_change.mean,
        found.f_change.std,
        found.row_cosine.mean,
        found.row_cosine.std,
    );
    let by = match steps {
        1 => "FGSM".to_string(),
        steps => format!("PGD in {steps} steps"),
    };
    let note = format!(
        "{COUNT} scenes; {by}, ε is {levels} of 255 levels. The class is the best one before."
    );
    let title = format!("Contributions before and after an attack, {name}");
    let drawn = chart(&title, note, &found.before, &found.after).draw();
    std::fs::write(
        out.join(format!("attack_{name}_{levels}_{steps}.png")),
        drawn.to_png()?,
    )?;
    Ok(json!(found))
}

/// Contributions, decisions and the class's row; no votes, which take a minute a picture among 1000
/// classes.
fn of_photographs(data: &Path, levels: f64, out: &Path) -> Any<Value> {
    let classifier = Classifier::load(&data.join("models/squeezenet1.1.onnx"), &[1, 3, 224, 224])?;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let (mut flipped, mut moved_f, mut cosine, mut changed) =
        (Vec::new(), Vec::new(), Vec::new(), 0);
    let imagenet = imagenet()?;
    for (path, _) in photographs(data)? {
        let f = classifier.freeze(imagenet.read(&path)?.to_f32())?;
        let n = f.input_len();
        let mut ball = Ball::of(0.0, n);
        for i in 0..n {
            let c = i / (n / 3);
            ball.radius[i] = levels / 255.0 / imagenet.std()[c];
            (ball.low[i], ball.high[i]) =
                (imagenet.normalised(c, 0.0), imagenet.normalised(c, 1.0));
        }
        let class = contribution::top1(&f)?;
        let g = attacked(&f, &ball, &AttackConfig::fgsm(Goal::From(class)))?;
        changed += usize::from(contribution::top1(&g)? != class);
        before.push(contributions(&f, class)?);
        after.push(contributions(&g, class)?);
        let found = difference(&f, &g, class, &norms(), unobserved)?;
        flipped.push(found.flipped_share);
        moved_f.push(found.f_change());
        cosine.push(found.row_cosine);
    }
    let (before, after) = (
        contribution::aggregate(&before)?,
        contribution::aggregate(&after)?,
    );
    let (moved_f, cosine) = (MeanStd::of(&moved_f), MeanStd::of(&cosine));
    println!(
        "| squeezenet1.1 | FGSM | {levels} | {changed}/{} | {:.2} ± {:.2} → {:.2} ± {:.2} | {} | – | – | {:.2} ± {:.2} | {:.2} ± {:.2} |",
        before.pictures,
        before.score.mean,
        before.score.std,
        after.score.mean,
        after.score.std,
        percent(&flipped),
        moved_f.mean,
        moved_f.std,
        cosine.mean,
        cosine.std,
    );
    let note = format!(
        "26 photographs; FGSM, ε is {levels} of 255 levels. The class is the best one before."
    );
    let title = "Contributions before and after an attack, squeezenet1.1";
    let drawn = chart(title, note, &before, &after).draw();
    std::fs::write(
        out.join(format!("attack_squeezenet_{levels}.png")),
        drawn.to_png()?,
    )?;
    Ok(json!({ "before": before, "after": after, "changed": changed }))
}

/// Print the table's rows, write the charts, and give all of it.
pub fn measure(data: Option<&Path>, out: &Path) -> Any<Value> {
    let mut all = Map::new();
    println!(
        "| network | attack | ε | other class | its score | decisions flipped | its votes | votes moved | ‖F′−F‖/‖F‖ | cosine of its rows |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for name in ["vgg", "vgg_bn"] {
        for (levels, steps) in [(2.0, 1), (8.0, 1), (8.0, 10)] {
            let found = of_scenes(name, levels, steps, out)?;
            all.insert(format!("{name}, {levels}, {steps}"), found);
        }
    }
    if let Some(data) = data {
        for levels in [2.0, 8.0] {
            all.insert(
                format!("squeezenet1.1, {levels}"),
                of_photographs(data, levels, out)?,
            );
        }
    }
    Ok(Value::Object(all))
}
