//! Whether contributions lie deeper with batch norm, over pairs of classifiers trained from several seeds.

use std::{fs, path::Path};

use linearscope_analysis::{
    MeanStd,
    contribution::{self, Contributions, aggregate, contributions},
};
use serde_json::{Value, json};

use super::{Any, Classifier, held_out};
use crate::scenes;

/// Without batch norm and with it.
const PAIR: [&str; 2] = ["vgg", "vgg_bn"];

/// Scenes of every network.
const SCENES: usize = 256;

/// How |contribution| is spread over the layers with biases: 0 if all of it is in the first, 1 if all is in the last.
fn depth(parts: &Contributions) -> f64 {
    let layers = parts.layers.iter().filter(|part| part.layer > 0);
    let last = parts.layers.iter().map(|part| part.layer).max();
    let last = last.unwrap_or(1).max(2) as f64;
    let (mut sum, mut moment) = (0.0, 0.0);
    for part in layers {
        sum += part.value.abs();
        moment += part.value.abs() * (part.layer as f64 - 1.0) / (last - 1.0);
    }
    if sum > 0.0 { moment / sum } else { 0.0 }
}

/// Whether the picture's own part exceeds that of every layer.
fn picture_is_largest(parts: &Contributions) -> bool {
    let last = parts.layers.iter().map(|part| part.layer).max();
    let mut sums = vec![0.0; last.unwrap_or(0) + 1];
    for part in &parts.layers {
        sums[part.layer] += part.value;
    }
    sums[1..].iter().all(|sum| *sum < sums[0])
}

/// What a network of one seed shows.
struct Seen {
    depth: MeanStd,
    said: Value,
}

fn network(seed: u64, name: &str, path: &Path) -> Any<Seen> {
    let classifier = Classifier::load(path, &[1, 3, scenes::SIDE, scenes::SIDE])?;
    let mut all = Vec::with_capacity(SCENES);
    for (_, x) in held_out(SCENES) {
        let f = classifier.freeze(x)?;
        all.push(contributions(&f, contribution::top1(&f)?)?);
    }
    let depth = MeanStd::of(&all.iter().map(depth).collect::<Vec<_>>());
    let largest = all.iter().filter(|parts| picture_is_largest(parts)).count();
    let over = aggregate(&all)?;
    let figures = fs::read_to_string(path.with_file_name("figures.json"))?;
    let figures: Value = serde_json::from_str(&figures)?;
    let accuracy = figures["reached"]["accuracy"]
        .as_f64()
        .ok_or("figures.json has no accuracy")?;
    let mut layers: Vec<(usize, &str, f64)> = Vec::new();
    for layer in over.layers.iter().filter(|layer| layer.layer > 0) {
        match layers
            .iter_mut()
            .find(|(number, ..)| *number == layer.layer)
        {
            Some((_, _, share)) => *share += layer.share.mean,
            None => layers.push((layer.layer, &layer.name, layer.share.mean)),
        }
    }
    let adds_most = layers.iter().max_by(|a, b| a.2.total_cmp(&b.2));
    let most = adds_most.map_or_else(String::new, |(_, name, share)| {
        format!("{name} {:.0} %", 100.0 * share)
    });
    println!(
        "| {seed} | {name} | {:.1} % | {} | {:.2} ± {:.2} | {most} | {largest} of {SCENES} |",
        100.0 * accuracy,
        over.residual_share.percent(),
        depth.mean,
        depth.std,
    );
    Ok(Seen {
        said: json!({
            "seed": seed,
            "network": name,
            "accuracy": accuracy,
            "depth": depth,
            "picture_is_largest": largest,
            "over": over,
        }),
        depth,
    })
}

/// Compare the bundled pair (seed 1), and those below `runs`: `runs/SEED/vgg/vgg.onnx` and `runs/SEED/vgg_bn/vgg_bn.onnx`, as
/// `--out runs/SEED` writes them.
pub fn measure(runs: Option<&Path>) -> Any<Value> {
    let runs = runs.ok_or("seeds needs --data DIR, a folder with one folder for each seed")?;
    let mut seeds = vec![(1, crate::assets())];
    for entry in fs::read_dir(runs)? {
        let folder = entry?.path();
        let number = folder
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        if let Some(number) = number {
            seeds.push((number, folder));
        }
    }
    seeds.sort();
    println!(
        "| seed | network | right | residual share | depth of contributions | the layer that adds most | picture's part the largest |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let (mut all, mut deeper) = (Vec::new(), Vec::new());
    for (seed, folder) in &seeds {
        let mut depths = Vec::new();
        for name in PAIR {
            let seen = network(*seed, name, &folder.join(format!("{name}/{name}.onnx")))?;
            depths.push(seen.depth.mean);
            all.push(seen.said);
        }
        deeper.push(depths[1] - depths[0]);
    }
    let over = MeanStd::of(&deeper);
    println!(
        "\nwith batch norm the depth is {:+.2} ± {:.2} ({} of {} pairs deeper)",
        over.mean,
        over.std,
        deeper.iter().filter(|by| **by > 0.0).count(),
        deeper.len()
    );
    Ok(json!({ "networks": all, "deeper_with_batch_norm": deeper }))
}
