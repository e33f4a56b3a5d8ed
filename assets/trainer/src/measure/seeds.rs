//! Whether contributions lie deeper with batch norm, over pairs of classifiers trained from several seeds.

use std::{collections::BTreeMap, fs, path::Path};

use linearscope_analysis::{
    MeanStd,
    contribution::{Contributions, aggregate},
};
use serde_json::{Value, json};

use super::{Any, Classifier, held_out, shares::of_each};
use crate::scenes;

/// Without batch norm and with it.
const PAIR: [&str; 2] = ["vgg", "vgg_bn"];

/// Scenes of every network.
const SCENES: usize = 256;

/// What each layer adds; number 0 is the input, with the pixels' own part.
fn by_layer(parts: &Contributions) -> Vec<f64> {
    let last = parts.layers.iter().map(|part| part.layer).max();
    let of = |layer| {
        let (biases, units) = parts.of_layer(layer);
        biases + units
    };
    let mut sums: Vec<f64> = (0..=last.unwrap_or(0)).map(of).collect();
    sums[0] += parts.input;
    sums
}

/// How |contribution| is spread over the layers with biases: 0 if all of it is in the first, 1 if all is in the last.
fn depth(sums: &[f64]) -> f64 {
    let layers = &sums[1..];
    let last = layers.len().max(2) - 1;
    let sum: f64 = layers.iter().map(|sum| sum.abs()).sum();
    let places = layers.iter().zip(0..);
    let moment: f64 = places.map(|(sum, at)| sum.abs() * f64::from(at)).sum();
    if sum > 0.0 {
        moment / (sum * last as f64)
    } else {
        0.0
    }
}

/// Whether the picture's own part exceeds that of every layer.
fn picture_is_largest(sums: &[f64]) -> bool {
    sums[1..].iter().all(|sum| *sum < sums[0])
}

/// What a network of one seed shows.
struct Seen {
    depth: MeanStd,
    said: Value,
}

fn network(seed: u64, name: &str, path: &Path) -> Any<Seen> {
    let classifier = Classifier::load(path, &[1, 3, scenes::SIDE, scenes::SIDE])?;
    let scenes = held_out(SCENES).into_iter().map(|(_, x)| Ok(x));
    let all = of_each(&classifier, scenes)?;
    let sums: Vec<Vec<f64>> = all.iter().map(by_layer).collect();
    let depth = MeanStd::of(&sums.iter().map(|sums| depth(sums)).collect::<Vec<_>>());
    let largest = sums.iter().filter(|sums| picture_is_largest(sums)).count();
    let over = aggregate(&all)?;
    let figures = fs::read_to_string(path.with_file_name("figures.json"))?;
    let figures: Value = serde_json::from_str(&figures)?;
    let accuracy = figures["reached"]["accuracy"]
        .as_f64()
        .ok_or("figures.json has no accuracy")?;
    let mut layers: BTreeMap<usize, (&str, f64)> = BTreeMap::new();
    for layer in over.layers.iter().filter(|layer| layer.layer > 0) {
        layers.entry(layer.layer).or_insert((&layer.name, 0.0)).1 += layer.share.mean;
    }
    let adds_most = layers.values().max_by(|a, b| a.1.total_cmp(&b.1));
    let most = adds_most.map_or_else(String::new, |(name, share)| {
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
