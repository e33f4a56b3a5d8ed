//! Tables 1, 3 and 4, Figures 3, 4, 8, 9 and 10, Theorem 1: scores, contributions, votes, attacks.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use burn::tensor::Device;
use linearscope::{Interrupt, RuleSet, survey::Overview};
use linearscope_zoo::Architecture;

use crate::{
    lab::{Answer, Entry, Lab, Model, Outcome, Verdict},
    measures::{flips, mean_std},
};

const IMAGENET: &[&str] = &[
    "--mean",
    "0.485,0.456,0.406",
    "--std",
    "0.229,0.224,0.225",
    "--resize",
    "256",
    "--crop",
    "224",
];
const HALVES: &[&str] = &[
    "--mean", "0.5", "--std", "0.5", "--resize", "256", "--crop", "224",
];
const PLAIN: &[&str] = &["--resize", "256", "--crop", "224"];

/// ε of the attacks, in levels of a pixel.
const EPS: &str = "2";

/// A classifier with the pictures that it is asked about.
struct Subject {
    model: Model,
    batch_norm: bool,
    pictures: Vec<PathBuf>,
}

fn subjects(lab: &Lab) -> Outcome<Vec<Subject>> {
    let scene = vec![lab.picture("scene.png")];
    let mut all = vec![
        Subject {
            model: lab.bundled("vgg"),
            batch_norm: false,
            pictures: scene.clone(),
        },
        Subject {
            model: lab.bundled("vgg_bn"),
            batch_norm: true,
            pictures: scene,
        },
    ];
    let real = [
        ("squeezenet1.1", IMAGENET, false),
        ("efficientnet_lite0", HALVES, true),
        ("tiny_darknet", PLAIN, true),
    ];
    for (name, flags, batch_norm) in real {
        if let Some(model) = lab.real(name, flags) {
            all.push(Subject {
                model,
                batch_norm,
                pictures: lab.pictures("imagenet_curated")?,
            });
        }
    }
    Ok(all)
}

pub(crate) fn entries(lab: &Lab) -> Outcome<Vec<Entry>> {
    let all = subjects(lab)?;
    Ok(vec![
        table_1()?,
        tables_3_and_4(lab, &all)?,
        votes(lab, &all)?,
        layers(lab, &all)?,
        attacked_layers(lab, &all)?,
        attacked_votes(lab, &all)?,
        theorem_1(lab, &all)?,
    ])
}

/// Activations of units, from the architectures alone.
fn table_1() -> Outcome<Entry> {
    let rows = [
        ("vgg19", [1, 3, 224, 224], 58.0),
        ("cyclegan_9blocks", [1, 3, 256, 256], 90.0),
        ("edsr_x4", [1, 3, 48, 48], 4147.0),
    ];
    let mut figures = Vec::new();
    let mut ratios = Vec::new();
    for (name, shape, paper) in rows {
        let failed = |error: &dyn std::fmt::Display| format!("{name}: {error}");
        let known = Architecture::named(name).map_err(|error| failed(&error))?;
        let network = known
            .init(&Device::flex())
            .network(shape)
            .map_err(|error| failed(&error))?;
        let overview = Overview::of(
            &Arc::new(network),
            &RuleSet::default(),
            &Interrupt::default(),
        )
        .map_err(|error| failed(&error))?;
        let account = overview
            .recording
            .ok_or_else(|| failed(&"refused"))?
            .program;
        let [floats, stored] =
            [account.decision_floats, account.decision_bytes].map(|bytes| bytes as f64);
        ratios.push(paper * 1e9 / floats);
        figures.push(format!(
            "{name} at {}×{}: {:.1} MB as f32, {:.1} MB as stored; the paper has {paper} GB, {:.0} times as much",
            shape[2], shape[3], floats / 1e6, stored / 1e6, paper * 1e9 / floats
        ));
    }
    Ok(Entry {
        order: 10,
        name: "Table 1",
        claim: "the decisions of one picture take 58 GB (VGG-19), 90 GB (CycleGAN), 4147 GB (EDSR): too much to store",
        figures,
        commands: vec!["linearscope inspect NETWORK.onnx".into()],
        criterion: "replicated if our count is within a factor of two. VGG-19 and CycleGAN are both a thousandth of the \
                    paper's: gigabytes seem to stand for megabytes; the paper does not say at which size EDSR was counted"
            .into(),
        verdict: Verdict::of(&[ratios.iter().all(|ratio| (0.5..2.0).contains(ratio))]),
        pictures: vec![],
    })
}

fn shares(answers: &[Answer]) -> Outcome<Vec<f64>> {
    answers
        .iter()
        .map(|one| one.number("/contributions/residual_share"))
        .collect()
}

fn tables_3_and_4(lab: &Lab, all: &[Subject]) -> Outcome<Entry> {
    // Mean and the largest deviation that the paper has for any network.
    const SQUEEZENET: f64 = 84.3;
    const DEVIATION: f64 = 17.0;
    let mut figures = Vec::new();
    let (mut measured, mut findings) = (Vec::new(), Vec::new());
    for subject in all.iter().filter(|subject| subject.pictures.len() > 1) {
        let answers = lab.ask_all(&subject.model, &subject.pictures, "contributions", &[])?;
        let (mean, std) = mean_std(&shares(&answers)?);
        let (mean, std) = (100.0 * mean, 100.0 * std);
        figures.push(format!(
            "{}: {mean:.1} ± {std:.1} % over {} pictures",
            subject.model.name,
            answers.len()
        ));
        measured.push((mean, std));
        if subject.model.name == "squeezenet1.1" {
            findings.push((mean - SQUEEZENET).abs() <= DEVIATION);
        }
    }
    measured.sort_by(|a, b| a.0.total_cmp(&b.0));
    if measured.len() > 1 {
        findings.push(measured.windows(2).all(|pair| pair[1].1 <= pair[0].1));
    }
    let verdict = match findings.is_empty() {
        true => Verdict::NotAttempted,
        false => Verdict::of(&findings),
    };
    Ok(Entry {
        order: 30,
        name: "Tables 3, 4",
        claim: "the residual has most of the top score: SqueezeNet 1.1 84.3 %, AlexNet 78.5, VGG-19 85.5, ResNet-152 81.1, \
                Inception v3 91.6, DenseNet-161 95.0 %; larger shares spread less",
        figures,
        commands: vec!["linearscope contributions NETWORK.onnx --input PICTURES/".into()],
        criterion: "SqueezeNet 1.1 within 17 points (the largest deviation in the paper) of 84.3 %, and deviations fall as \
                    shares grow. Only this network of the paper's is at hand; without --data none is"
            .into(),
        verdict,
        pictures: vec![],
    })
}

/// Height and width at the end of a shape.
fn sides(shape: &[usize]) -> [usize; 2] {
    [shape[shape.len() - 2], shape[shape.len() - 1]]
}

fn votes(lab: &Lab, all: &[Subject]) -> Outcome<Entry> {
    let mut figures = Vec::new();
    let mut findings = Vec::new();
    let mut pictures = Vec::new();
    for subject in all
        .iter()
        .filter(|subject| ["vgg", "squeezenet1.1"].contains(&subject.model.name))
    {
        let answers = lab.ask_all(&subject.model, &subject.pictures, "votes", &[])?;
        let (mut mixed, mut most) = (Vec::new(), 0);
        for answer in &answers {
            let (values, shape) = answer.array("discussion")?;
            let [h, w] = sides(&shape);
            mixed.push(flips(&values[..h * w], h, w));
            most += usize::from(answer.number("/best")? == answer.number("/most_votes")?);
        }
        let (mixed, _) = mean_std(&mixed);
        figures.push(format!(
            "{}: neighbours in the discussion of the top class have opposite signs at {:.0} % of places (noise: 50 %); the \
             top class has the most votes in {most} of {}",
            subject.model.name, 100.0 * mixed, answers.len()
        ));
        findings.extend([mixed > 0.25, 2 * most > answers.len()]);
        pictures.push(answers[0].picture(
            "votes.png",
            format!("{}: discussions and votes", subject.model.name),
        ));
    }
    // Votes on the object, where its place is known.
    let scene = lab.ask(&lab.bundled("vgg"), &lab.picture("scene.png"), "votes", &[])?;
    let (votes, shape) = scene.array("votes")?;
    let [h, w] = sides(&shape);
    let mask = lab.picture("scene_mask.png");
    let mask = image::open(&mask).map_err(|error| format!("{}: {error}", mask.display()))?;
    let mask = mask
        .resize_exact(w as u32, h as u32, image::imageops::FilterType::Nearest)
        .to_luma8();
    let best = scene.number("/best")?;
    let on: Vec<bool> = mask.pixels().map(|dot| dot.0[0] > 127).collect();
    let of_best: Vec<bool> = votes
        .iter()
        .zip(&on)
        .filter(|(vote, _)| **vote == best)
        .map(|(_, on)| *on)
        .collect();
    let share = |of: &[bool]| of.iter().filter(|on| **on).count() as f64 / of.len().max(1) as f64;
    let (inside, area) = (share(&of_best), share(&on));
    figures.push(format!(
        "vgg, scene.png: {:.0} % of the top class's votes are on its object, which is {:.0} % of the picture",
        100.0 * inside, 100.0 * area
    ));
    findings.push(inside > area);
    Ok(Entry {
        order: 130,
        name: "Fig. 3, 9",
        claim: "discussions look random, positive next to negative; votes of the best classes fall on the object, and the top \
                class has the most",
        figures,
        commands: vec!["linearscope votes NETWORK.onnx --input PICTURE".into()],
        criterion: "opposite signs at more than 25 % of neighbours; the top class first in votes in most pictures; its votes on \
                    the object more often than chance. Its examples are not at hand"
            .into(),
        verdict: Verdict::of(&findings),
        pictures,
    })
}

/// Mean share of each layer's biases in the score, in the order of the network, the input's first.
fn by_layer(answers: &[Answer], pointer: &str) -> Outcome<Vec<(String, Vec<f64>)>> {
    let mut all: BTreeMap<usize, (String, Vec<f64>)> = BTreeMap::new();
    for answer in answers {
        let value = answer
            .found
            .pointer(pointer)
            .or_else(|| answer.manifest.pointer(pointer));
        let layers = value
            .and_then(|value| value.as_array())
            .ok_or_else(|| format!("{}: no layers", answer.line))?;
        let mut sums: BTreeMap<usize, (String, f64)> = BTreeMap::new();
        for line in layers {
            let number = line["layer"].as_u64().unwrap_or(0) as usize;
            let share = line["share"].as_f64().unwrap_or(0.0);
            let name = line["name"].as_str().unwrap_or_default();
            sums.entry(number).or_insert_with(|| (name.into(), 0.0)).1 += share;
        }
        for (number, (name, share)) in sums {
            all.entry(number)
                .or_insert_with(|| (name, Vec::new()))
                .1
                .push(share);
        }
    }
    Ok(all.into_values().collect())
}

fn layers(lab: &Lab, all: &[Subject]) -> Outcome<Entry> {
    let mut figures = Vec::new();
    let mut findings = Vec::new();
    let mut pictures = Vec::new();
    for subject in all {
        let answers = lab.ask_all(&subject.model, &subject.pictures, "contributions", &[])?;
        let layers = by_layer(&answers, "/contributions/layers")?;
        let means: Vec<f64> = layers[1..]
            .iter()
            .map(|(_, shares)| mean_std(shares).0)
            .collect();
        let third = means.len().div_ceil(3);
        let thirds: Vec<f64> = means.chunks(third).map(|part| part.iter().sum()).collect();
        let largest = means
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1))
            .map_or(0, |(at, _)| at);
        let first = answers.iter().enumerate().filter(|(at, _)| {
            let rest = layers[1..].iter().filter_map(|(_, shares)| shares.get(*at));
            rest.fold(f64::MIN, |a, b| a.max(*b)) < layers[0].1[*at]
        });
        let first = first.count();
        let kind = if subject.batch_norm {
            "batch norm"
        } else {
            "no batch norm"
        };
        let told: Vec<String> = thirds
            .iter()
            .map(|sum| format!("{:.0} %", 100.0 * sum))
            .collect();
        figures.push(format!(
            "{} ({kind}): thirds of its depth add {}; the largest layer is {} of {} ({}); the picture's own part is the largest \
             in {first} of {}",
            subject.model.name, told.join(", "), largest + 1, means.len(), layers[largest + 1].0, answers.len()
        ));
        let last = thirds.len() - 1;
        findings.push(match subject.batch_norm {
            true => largest / third == last,
            false => thirds[0] > thirds[1] && thirds[last] > thirds[1],
        });
        findings.push(2 * first < answers.len());
        pictures.push(answers[0].picture(
            "contributions.png",
            format!("{}, one picture", subject.model.name),
        ));
    }
    Ok(Entry {
        order: 140,
        name: "Fig. 4",
        claim: "VGG's layers add most early and just before the dense layers; with batch norm only there; the picture's own part \
                is seldom the largest",
        figures,
        commands: vec!["linearscope contributions NETWORK.onnx --input PICTURES/".into()],
        criterion: "for each network without batch norm the first and last third of the depth add more than the middle one, with \
                    it the largest layer is in the last; the picture's part is the largest in fewer than half of the pictures"
            .into(),
        verdict: Verdict::of(&findings),
        pictures,
    })
}

/// The subject whose pictures are attacked: of the paper's networks, with a set of pictures.
fn attacked<'a>(lab: &Lab, all: &'a [Subject]) -> Outcome<Option<(&'a Subject, Vec<Answer>)>> {
    let Some(subject) = all
        .iter()
        .find(|subject| subject.model.name == "squeezenet1.1")
    else {
        return Ok(None);
    };
    let answers = lab.ask_all(&subject.model, &subject.pictures, "attack", &["--eps", EPS])?;
    Ok(Some((subject, answers)))
}

const WITHOUT: &str = "a set of pictures is needed: --data";

fn attacked_layers(lab: &Lab, all: &[Subject]) -> Outcome<Entry> {
    const CLAIM: &str =
        "after FGSM the spreads of contributions explode, and layers no longer agree";
    let Some((subject, answers)) = attacked(lab, all)? else {
        return Ok(Entry::not_attempted(180, "Fig. 8", CLAIM, WITHOUT));
    };
    let spread = |pointer: &str| -> Outcome<f64> {
        let layers = by_layer(&answers, pointer)?;
        let all: Vec<f64> = layers
            .iter()
            .map(|(_, shares)| mean_std(shares).1)
            .collect();
        Ok(mean_std(&all).0)
    };
    let before = spread("/attack/contributions_before/layers")?;
    let after = spread("/attack/contributions_after/layers")?;
    Ok(Entry {
        order: 180,
        name: "Fig. 8",
        claim: CLAIM,
        figures: vec![format!(
            "{}, ε = {EPS}/255: a layer's share has a standard deviation of {:.1} points over {} pictures before, {:.1} after",
            subject.model.name,
            100.0 * before,
            answers.len(),
            100.0 * after
        )],
        commands: vec![format!(
            "linearscope attack NETWORK.onnx --input PICTURES/ --eps {EPS}"
        )],
        criterion: "the deviation grows at least threefold".into(),
        verdict: Verdict::of(&[after >= 3.0 * before]),
        pictures: vec![answers[0].picture("contributions.png", "before and after, one picture")],
    })
}

fn attacked_votes(lab: &Lab, all: &[Subject]) -> Outcome<Entry> {
    const CLAIM: &str = "after a successful FGSM pixels leave the right label but do not gather at the new one; where it fails they stay";
    let Some((subject, answers)) = attacked(lab, all)? else {
        return Ok(Entry::not_attempted(200, "Fig. 10", CLAIM, WITHOUT));
    };
    let (mut lost, mut gained, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for answer in &answers {
        let share = |array: &str, class: f64| -> Outcome<f64> {
            let (votes, _) = answer.array(array)?;
            Ok(votes.iter().filter(|vote| **vote == class).count() as f64 / votes.len() as f64)
        };
        let [old, new] =
            ["before", "after"].map(|when| answer.number(&format!("/attack/class_{when}")));
        let (old, new) = (old?, new?);
        let fell = share("votes_before", old)? - share("votes_after", old)?;
        match old == new {
            true => kept.push(fell),
            false => {
                lost.push(fell);
                gained.push(share("votes_after", new)? - share("votes_before", new)?);
            }
        }
    }
    let [lost_mean, gained_mean, kept_mean] =
        [&lost, &gained, &kept].map(|all| 100.0 * mean_std(all).0);
    let mut figures = vec![format!(
        "{}, ε = {EPS}/255: succeeds on {} of {}; there the right label loses {lost_mean:.2} points of all votes, and the new \
         one gains {gained_mean:.2}",
        subject.model.name,
        lost.len(),
        answers.len()
    )];
    if !kept.is_empty() {
        figures.push(format!(
            "where it fails, the right label loses {kept_mean:.2} points"
        ));
    }
    let mut findings = vec![lost_mean > 0.0, gained_mean < 0.5 * lost_mean];
    if !kept.is_empty() {
        findings.push(kept_mean < 0.5 * lost_mean);
    }
    Ok(Entry {
        order: 200,
        name: "Fig. 10",
        claim: CLAIM,
        figures,
        commands: vec![format!("linearscope attack NETWORK.onnx --input PICTURES/ --eps {EPS}")],
        criterion: "in the mean the right label loses votes where the attack succeeds, the new one gains less than half of that, \
                    and where it fails less than half is lost"
            .into(),
        verdict: Verdict::of(&findings),
        pictures: vec![answers[0].picture("attack.png", "one picture")],
    })
}

fn theorem_1(lab: &Lab, all: &[Subject]) -> Outcome<Entry> {
    let mut worst = 0f64;
    let mut asked = 0;
    for subject in all {
        for answer in lab.ask_all(&subject.model, &subject.pictures, "contributions", &[])? {
            worst = worst.max(answer.number("/contributions/gap")?.abs());
            asked += 1;
        }
    }
    Ok(Entry {
        order: 300,
        name: "Theorem 1",
        claim: "what the picture and the layers' biases add sums to the score, on any architecture",
        figures: vec![format!(
            "over {asked} pictures and {} networks |Σ − score| / Σ|contributions| is at most {worst:.0e} (f32)",
            all.len()
        )],
        commands: vec!["linearscope contributions NETWORK.onnx --input PICTURE".into()],
        criterion: "at most 1e-5".into(),
        verdict: Verdict::of(&[worst <= 1e-5]),
        pictures: vec![],
    })
}
