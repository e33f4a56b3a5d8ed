//! `attack`: a picture close to x₀ that is read otherwise, and what changed.

use burn::tensor::TensorData;
use clap::{Args, ValueEnum};
use linearscope_analysis::{
    Bar, FrozenNetwork, LinearOperator, argmax,
    attack::{self, AttackConfig, Attacked, Ball, Goal, Loss},
    comparison::{
        Comparison, ComparisonConfig, ComparisonStatistics, ComparisonSummary, ComparisonTotals,
        compare,
    },
    contribution::{self, ContributionStatistics, Contributions, contributions},
    difference::DifferenceConfig,
    ranking,
    vectors::numbers,
    votes::classes,
};
use linearscope_picture::{Band, Curve, CurveChart, CurvePanel, Panel, Sheet};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    contributions::{OF_PARTS, label},
    votes::{self, coloured, name},
};
use crate::{
    args::{Common, Hearing},
    command::{About, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    console,
    ends::Shaped,
    error::{Failure, Result},
    job::{Fold, Job, Summary},
    npy::is_npy,
    picture::View,
    recipe::Recipe,
    session::Session,
    subject::Subject,
};

/// `attack`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Attack {
    /// ε: the largest change of each entry
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    pub eps: f64,
    /// Unit of ε
    #[arg(long, default_value = "pixel")]
    pub eps_unit: EpsUnit,
    /// Number of gradient steps: 1 is FGSM, more is PGD
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub steps: usize,
    /// Attack towards this class [default: away from the best one; for a single score, towards the other sign]
    #[arg(long, value_name = "K")]
    pub target: Option<usize>,
    /// Loss whose gradient the attack follows [default: cross-entropy; for a single score, the score]
    #[arg(long)]
    pub loss: Option<Loss>,
    /// Start at a random picture within ε, drawn with this seed [default: start at x₀]
    #[arg(long, value_name = "SEED")]
    pub random_start: Option<u64>,
    /// Number of random products that estimate ‖F′ − F‖
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub probes: usize,
    /// Number of classes to show
    #[arg(long, default_value_t = 5, value_name = "K")]
    pub top: usize,
    #[command(flatten)]
    pub hearing: Hearing,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EpsUnit {
    /// Levels 0 to 255 of the picture
    Pixel,
    /// Units of the network's input
    Input,
}

impl OnPicture for Attack {
    const ABOUT: &'static About = &About {
        name: "attack",
        group: Group::Explain,
        summary: "Find a picture close to x₀ that is classified differently, and see what changed inside",
        details: "Runs FGSM or PGD, changing each entry by at most ε. Compares votes, contributions, decisions \
            and F itself before and after.",
        example: "attack net.onnx --input cat.jpg --eps 2",
        pictures: Pictures::Folders,
        files: &[
            FileAbout("adversarial.npy", "x, in the input's shape"),
            FileAbout("adversarial.png", "x as a picture of eight bits"),
            FileAbout("perturbation.npy", "x − x₀"),
            FileAbout("perturbation.png", "x − x₀ drawn"),
            FileAbout("perturbation.svg", "the same for print"),
            FileAbout("votes_before.npy", "[h, w] i32: votes at x₀"),
            FileAbout("votes_after.npy", "[h, w] i32: votes at x"),
            FileAbout(
                "contributions.png",
                "contributions before and after; over a folder, mean ± standard deviation",
            ),
            FileAbout("contributions.svg", "the same for print"),
            FileAbout("attack.png", "pictures and votes before and after"),
            FileAbout("attack.svg", "the same for print"),
        ],
        tables: &[
            TableAbout {
                name: "contributions_before",
                rows: "contributions to the best class at x₀",
                columns: OF_PARTS,
            },
            TableAbout {
                name: "contributions_after",
                rows: "contributions to the same class at x",
                columns: OF_PARTS,
            },
            TableAbout {
                name: "flips",
                rows: "one line for each op that decides",
                columns: &[
                    ("name", "its node"),
                    ("layer", "number of its layer"),
                    ("kind", "what it decides"),
                    ("units", "how many decisions it makes"),
                    ("flipped", "decisions that differ between x₀ and x"),
                    ("share", "flipped over units"),
                ],
            },
        ],
        includes: &[],
    };

    type Fold = Over;

    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> Result<()> {
        if !(self.eps.is_finite() && self.eps > 0.0) {
            return Err(Failure::input(format!(
                "--eps {}: ε must be greater than 0",
                self.eps
            )));
        }
        if self.eps_unit == EpsUnit::Pixel && self.eps > 255.0 {
            return Err(Failure::input(format!(
                "--eps {} is more than the 255 levels of a pixel",
                self.eps
            ))
            .hint("--eps-unit input measures ε in units of the network's input"));
        }
        for (flag, number) in [
            ("steps", self.steps),
            ("probes", self.probes),
            ("top", self.top),
        ] {
            if number == 0 {
                return Err(Failure::input(format!("--{flag} 0: must be at least 1")));
            }
        }
        if is_npy(&self.common.input) && self.eps_unit == EpsUnit::Pixel {
            return Err(no_pixels());
        }
        Ok(())
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let recipe = session
            .painter
            .recipe
            .clone()
            .filter(|_| !session.from_array);
        if recipe.is_none() && self.eps_unit == EpsUnit::Pixel {
            return Err(no_pixels());
        }
        let (summary, found) = find(session, self, recipe.as_ref())?;
        Ok(Told {
            line: summary.first().cloned().unwrap_or_default(),
            found: json!({
                "class_before": found.class,
                "class_after": found.class_after,
                "votes_moved": found.moved(),
                "flipped_share": found.difference.flipped_share,
                "f_change": found.difference.f_change(),
                "comparison": found.summary(),
            }),
            summary,
            failure: None,
        })
    }
}

fn no_pixels() -> Failure {
    Failure::input("ε in pixel levels needs a picture; an .npy array is used without a recipe")
        .hint("--eps-unit input")
}

/// Comparisons over the pictures of a folder.
#[derive(Default)]
pub(crate) struct Over(ComparisonTotals);

/// What is folded of one picture.
#[derive(Deserialize)]
pub(crate) struct Found {
    comparison: ComparisonSummary,
}

impl Fold for Over {
    type Found = Found;

    const NAMES: &'static [&'static str] = &["contributions.png"];

    fn add(&mut self, _: &str, found: Found) -> Result<()> {
        Ok(self.0.add(&found.comparison)?)
    }

    fn finish(self, job: &Job, summary: &mut Summary<'_>) -> Result<()> {
        let over = self.0.finish()?;
        summary.save_curves("contributions", &set_chart(&job.model_name(), &over))?;
        summary.lines.extend([
            format!(
                "{} of {} are now classified differently",
                over.changed, over.pictures
            ),
            format!("decisions flipped {}", over.flipped_share.percent()),
            format!(
                "its residual share {} before, {} after",
                over.before.residual_share.percent(),
                over.after.residual_share.percent()
            ),
            format!(
                "‖F′ − F‖ over ‖F‖ {:.3} ± {:.3}, ‖r′ − r‖ over ‖r‖ {:.3} ± {:.3}",
                over.f_change.mean,
                over.f_change.std,
                over.residual_change.mean,
                over.residual_change.std
            ),
        ]);
        if let (Some(moved), Some([before, after])) = (over.moved, over.share) {
            summary.lines.extend([
                format!("pixels that changed their vote {}", moved.percent()),
                format!(
                    "votes for the first class {} before, {} after",
                    before.percent(),
                    after.percent()
                ),
            ]);
        }
        summary.over = json!(over);
        Ok(())
    }
}

/// The paper's figure 8: contributions before and after, mean and standard deviation.
fn set_chart(model: &str, over: &ComparisonStatistics) -> CurveChart {
    let curve = |label: &str, of: &ContributionStatistics| Curve {
        label: label.into(),
        points: of
            .layers
            .iter()
            .enumerate()
            .map(|(i, layer)| (i as f64, layer.value.mean))
            .collect(),
        band: of.layers.iter().map(|layer| layer.value.std).collect(),
    };
    let layers = over.before.layers.iter();
    let names: Vec<String> = layers.map(|part| label(&part.name, part.kind)).collect();
    CurveChart {
        title: format!(
            "Contributions before and after, {} pictures, {model}",
            over.pictures
        ),
        notes: vec![format!("From left to right: {}.", names.join(", "))],
        across: "layer".into(),
        panels: vec![CurvePanel {
            title: "contribution, mean and standard deviation".into(),
            curves: vec![curve("before", &over.before), curve("after", &over.after)],
        }],
    }
}

/// ε and the valid range of each entry, in units of the network's input.
pub(crate) fn ball(eps: f64, unit: EpsUnit, recipe: Option<&Recipe>, n: usize) -> Ball {
    let Some(recipe) = recipe else {
        return Ball::of(eps, n);
    };
    let (preprocess, [low, high]) = (&recipe.preprocess, recipe.bounds());
    let each = n / preprocess.mean().len();
    let mut ball = Ball::of(eps, n);
    for i in 0..n {
        let c = i / each;
        (ball.low[i], ball.high[i]) = (low[c], high[c]);
        if unit == EpsUnit::Pixel {
            let levels = eps / 255.0 * preprocess.range();
            ball.radius[i] = (levels / preprocess.std()[c]).abs();
        }
    }
    ball
}

/// What an attack aims at, and the loss that it follows, where flags say no more.
pub(crate) fn aim(
    subject: &Subject,
    loss: Option<Loss>,
    target: Option<usize>,
) -> Result<(Goal, Loss)> {
    let frozen = &subject.frozen;
    let one_score = frozen.output_len() == 1;
    let count = match one_score {
        true => 1,
        false => classes(frozen)?,
    };
    let class = contribution::top1(frozen)?;
    let loss = match (loss, one_score) {
        (Some(Loss::CrossEntropy), true) => {
            return Err(Failure::input(
                "--loss cross-entropy: with a single score it is 0 for every picture",
            )
            .hint("omit --loss; the attack then follows the score itself"));
        }
        (None, true) => Loss::Score,
        (loss, _) => loss.unwrap_or_default(),
    };
    let goal = match target {
        None if one_score && subject.numbers(frozen.reference())?[0] <= 0.0 => Goal::To(class),
        None => Goal::From(class),
        Some(target) if one_score => {
            return Err(Failure::input(format!(
                "--target {target}: the network has a single score"
            ))
            .hint("omit --target; the attack then goes towards the other sign"));
        }
        Some(target) if target >= count => {
            return Err(Failure::input(format!(
                "--target {target}: the network has classes 0 to {}",
                count - 1
            )));
        }
        Some(target) if target == class => {
            return Err(Failure::input(format!(
                "--target {target}: this is already the best class"
            ))
            .hint("omit --target to attack away from it"));
        }
        Some(target) => Goal::To(target),
    };
    Ok((goal, loss))
}

fn find(
    session: &mut Session,
    args: &Attack,
    recipe: Option<&Recipe>,
) -> Result<(Vec<String>, Comparison)> {
    let frozen = &session.frozen;
    let (goal, loss) = aim(session, args.loss, args.target)?;
    let config = AttackConfig::fgsm(goal)
        .with_loss(loss)
        .with_steps(args.steps)
        .with_seed(args.random_start);
    let ball = ball(args.eps, args.eps_unit, recipe, frozen.input_len());
    let attacked = attack::attack(frozen, &ball, &config, console::observer())?;
    let shape = frozen.input_shape().to_vec();
    session.save_output("adversarial", &attacked.x, &shape, Shaped::Input)?;
    let title = "x − x₀";
    session.save_signed(
        "perturbation",
        title,
        &attacked.perturbation,
        (&shape, Shaped::Input),
        View::Whole,
    )?;
    if attacked.partial {
        return Err(Failure::interrupted(format!(
            "interrupted after {} of {} steps",
            attacked.steps.len().saturating_sub(1),
            args.steps
        )));
    }
    let frozen = &session.frozen;
    let data = |x: Vec<f64>| TensorData::new(x, shape.clone());
    let engine = frozen.frozen();
    let (loaded, rules) = (engine.loaded().clone(), engine.rules().clone());
    let x = data(attacked.x.clone());
    let after = FrozenNetwork::within(loaded.clone(), x, rules, engine.budget())?;
    let in_eight_bits = match recipe {
        None => None,
        Some(recipe) => {
            let y = FrozenNetwork::forward(
                &loaded,
                data(recipe.preprocess.in_eight_bits(&attacked.x)),
            )?;
            argmax(&numbers(y)?)
        }
    };
    let hearing = votes::config(session, &args.hearing, false)?;
    let config = ComparisonConfig::default()
        .with_votes(hearing)
        .with_difference(DifferenceConfig::default().with_probes(args.probes));
    let found = compare(&session.frozen, &after, &config, console::observer())?;
    let new = match found.changed() {
        true => Some(contributions(&after, found.class_after)?),
        false => None,
    };

    for (when, votes) in ["before", "after"].iter().zip(found.votes.iter().flatten()) {
        session.save_whole(&format!("votes_{when}"), &votes.of, &votes.shape)?;
    }
    session.save_table("contributions_before", &found.before.layers)?;
    session.save_table("contributions_after", &found.after.layers)?;
    session.save_table("flips", &found.difference.flips)?;
    let chart = chart(session, &found, new.as_ref());
    session.save_curves("contributions", &chart)?;
    if let Some(sheet) = sheet(session, args, &attacked, &found)? {
        session.save_sheet("attack", &sheet)?;
    }
    let largest = attacked
        .perturbation
        .iter()
        .fold(0f64, |m, v| m.max(v.abs()));
    let unit = match args.eps_unit {
        EpsUnit::Pixel => "pixel",
        EpsUnit::Input => "input",
    };
    session.note(
        "attack",
        json!({
            "eps": args.eps,
            "eps_unit": unit,
            "valid_range": recipe.is_some(),
            "steps": args.steps,
            "loss": loss,
            "target": args.target,
            "random_start": args.random_start,
            "path": attacked.steps,
            "largest_change": largest,
            "class_before": found.class,
            "class_after": found.class_after,
            "class_in_eight_bits": in_eight_bits,
            "votes_moved": found.moved(),
            "votes_for_class": found.share(),
            "contributions_before": found.before,
            "contributions_after": found.after,
            "change": found.difference,
            "f_change": found.difference.f_change(),
        }),
    );
    let mut lines = vec![format!(
        "{}, ε = {} ({unit}{}){}",
        if args.steps == 1 {
            "FGSM".to_string()
        } else {
            format!("PGD, {} steps", args.steps)
        },
        args.eps,
        if recipe.is_some() {
            ", within black and white"
        } else {
            ", without bounds"
        },
        match found.votes {
            None => String::new(),
            Some(_) => format!(
                ": {} → {}",
                name(session, found.class),
                name(session, found.class_after)
            ),
        },
    )];
    if let Some(class) = in_eight_bits.filter(|class| *class != found.class_after) {
        lines.push(format!(
            "the picture in eight bits (adversarial.png) is read as {}",
            name(session, class)
        ));
    }
    lines.extend(summary(session, args.top, &found));
    Ok((lines, found))
}

/// Contributions over layers, before and after.
fn chart(session: &Session, found: &Comparison, new: Option<&Contributions>) -> CurveChart {
    let curve = |label: String, of: &Contributions| Curve {
        label,
        points: of
            .layers
            .iter()
            .enumerate()
            .map(|(i, layer)| (i as f64, layer.value))
            .collect(),
        band: Vec::new(),
    };
    let class = name(session, found.class);
    let mut curves = vec![
        curve(format!("{class}, before"), &found.before),
        curve(format!("{class}, after"), &found.after),
    ];
    curves.extend(new.map(|new| curve(format!("{}, after", name(session, new.target)), new)));
    let layers = found.before.layers.iter();
    let names: Vec<String> = layers.map(|part| label(&part.name, part.kind)).collect();
    CurveChart {
        title: format!("Contributions before and after, {}", session.model),
        notes: vec![
            format!(
                "What each layer's biases add to the score of {class}: {:.3} before, {:.3} after.",
                found.before.score, found.after.score
            ),
            format!("From left to right: {}.", names.join(", ")),
        ],
        across: "layer".into(),
        panels: vec![CurvePanel {
            title: "contribution".into(),
            curves,
        }],
    }
}

fn sheet(
    session: &Session,
    args: &Attack,
    attacked: &Attacked,
    found: &Comparison,
) -> Result<Option<Sheet>> {
    let x0 = session.numbers(session.frozen.x0())?;
    let shape = session.frozen.input_shape();
    let mut pictures = Vec::new();
    for (title, x, class) in [
        ("before", &x0, found.class),
        ("after", &attacked.x, found.class_after),
    ] {
        if let Some(raster) = session.painter.input_where(x, shape, |_| true) {
            pictures.push(Panel::new(title, raster).caption(name(session, class)));
        }
    }
    if pictures.is_empty() {
        return Ok(None);
    }
    let changed =
        session
            .painter
            .signed("what was added", &attacked.perturbation, shape, View::Whole);
    pictures.extend(changed);
    let band = |heading: &str, panels| Band {
        heading: heading.into(),
        panels,
    };
    let mut bands = vec![band("The picture", pictures)];
    let flipped = 100.0 * found.difference.flipped_share;
    let mut note = format!("{flipped:.1} % of all decisions flipped.");
    if let (Some([before, after]), Some(moved)) = (&found.votes, found.moved()) {
        note = format!(
            "{:.1} % of the pixels changed their vote; {note}",
            100.0 * moved
        );
        // One set of colours for both: what most pixels voted for before, then after.
        let mut classes = coloured(&before.table(), args.top.div_ceil(2));
        for class in coloured(&after.table(), args.top) {
            if classes.len() < args.top.min(linearscope_picture::MOST_CLASSES)
                && !classes.contains(&class)
            {
                classes.push(class);
            }
        }
        let mut panels = votes::panels(session, "votes before", before, &classes);
        panels.extend(votes::panels(session, "votes after", after, &classes));
        if !panels.is_empty() {
            bands.push(band("Which pixels support which class", panels));
        }
    }
    Ok(Some(Sheet {
        title: format!("An attack on {}", session.model),
        notes: vec![note],
        bands,
    }))
}

/// The scores and votes of the best classes before and after; of one score, it alone.
fn scores(session: &Session, top: usize, found: &Comparison) -> Vec<String> {
    let (Some([before, after]), Some(moved)) = (&found.votes, found.moved()) else {
        let [before, after] = [found.before.score, found.after.score];
        let sign = match (before > 0.0) == (after > 0.0) {
            true => "the same sign",
            false => "the other sign",
        };
        return vec![format!("score {before:.4} → {after:.4}: {sign}")];
    };
    let mut shown: Vec<usize> = ranking(&before.scores).into_iter().take(top).collect();
    for class in ranking(&after.scores).into_iter().take(top) {
        if !shown.contains(&class) {
            shown.push(class);
        }
    }
    let share = |votes: &linearscope_analysis::votes::Votes, class: usize| {
        100.0 * votes.counts[class] as f64 / votes.of.len().max(1) as f64
    };
    let mut lines = vec!["  score before   after     votes before   after    class".to_string()];
    for class in shown {
        lines.push(format!(
            "  {:12.4} {:7.4}     {:10.1} % {:5.1} %  {}",
            before.scores[class],
            after.scores[class],
            share(before, class),
            share(after, class),
            name(session, class),
        ));
    }
    lines.push(format!(
        "{:.1} % of the pixels vote otherwise",
        100.0 * moved
    ));
    lines
}

fn summary(session: &Session, top: usize, found: &Comparison) -> Vec<String> {
    let mut lines = scores(session, top, found);
    let change = &found.difference;
    lines.push(format!(
        "residual share of {}: {:.1} % → {:.1} %",
        name(session, found.class),
        100.0 * found.before.residual_share,
        100.0 * found.after.residual_share
    ));
    lines.push(format!(
        "‖F′ − F‖ = {:.3} ± {:.3}, ‖F‖ = {:.3} ± {:.3} ({}); its row changes by {:.3} of itself, \
         cosine {:.3}; r of it {:.4} → {:.4}",
        change.f_difference.value,
        change.f_difference.error,
        change.f.value,
        change.f.error,
        match change.f.bar {
            Bar::Exact => "all rows".to_string(),
            _ => format!("95 % intervals, {} random products", change.probes),
        },
        change.row,
        change.row_cosine,
        change.residual[0],
        change.residual[1],
    ));
    lines.push(format!(
        "{:.2} % of all decisions flipped:",
        100.0 * change.flipped_share
    ));
    for flip in &change.flips {
        lines.push(format!(
            "  {:28} {:8} {:8} of {:8}  {:5.2} %",
            flip.name,
            flip.kind,
            flip.flipped,
            flip.units,
            100.0 * flip.share
        ));
    }
    lines
}
