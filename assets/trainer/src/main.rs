//! Trains the bundled networks and writes them beside this crate, with the figures they reach.
//!
//! ```text
//! cargo run --release -p linearscope-trainer -- NAME [--steps N] [--seed S] [--out DIR]
//! ```
//!
//! NAME is vgg, vgg_bn, pixelshuffle, edsr, facade, or pictures (the demo's inputs). Figures of the
//! finished classifiers, with --data DIR also of real ones that are not bundled:
//!
//! ```text
//! cargo run --release -p linearscope-trainer -- shares|votes|attacks --out DIR [--data DIR]
//! ```
//!
//! Whether contributions lie deeper with batch norm, over several trainings of the pair (each by `-- vgg --seed N --out RUNS/N`, and `vgg_bn`):
//!
//! ```text
//! cargo run --release -p linearscope-trainer -- seeds --data RUNS --out DIR
//! ```
//!
//! Scenes that no training has seen, each with the place of its object, for `linearscope evaluate --masks`:
//!
//! ```text
//! cargo run --release -p linearscope-trainer -- scenes --steps 24 --seed 7 --out DIR
//! ```

mod export;
mod facades;
mod judge;
mod measure;
mod networks;
mod photos;
mod picture;
mod random;
mod scenes;
mod train;

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{random::Random, train::Schedule};

type Any<T> = Result<T, Box<dyn std::error::Error>>;

/// Seed of the pictures the demo shows; no training or judging uses it.
const SHOWN: u64 = 4242;

/// Scenes and the places of their objects, in two folders, by number and kind.
fn scene_folder(out: &Path, count: usize, seed: u64) -> Any<()> {
    let (pictures, masks) = (out.join("scenes"), out.join("masks"));
    std::fs::create_dir_all(&pictures)?;
    std::fs::create_dir_all(&masks)?;
    let mut random = Random::new(SHOWN ^ seed);
    for number in 0..count {
        let scene = scenes::scene(&mut random);
        let name = format!("{number:03}-{}.png", scenes::KINDS[scene.kind]);
        scene.picture.to_image().save(pictures.join(&name))?;
        mask_of(&scene).save(masks.join(&name))?;
    }
    Ok(())
}

/// The share of each pixel that the object covers, as a picture.
fn mask_of(scene: &scenes::Scene) -> image::GrayImage {
    let level = |i: usize| image::Luma([(255.0 * scene.mask[i]).round() as u8]);
    let side = scenes::SIDE as u32;
    image::GrayImage::from_fn(side, side, |x, y| level((y * side + x) as usize))
}

/// The demo's inputs: a scene with the place of its object, a façade with its labels, and a part of
/// a held-out photograph, reduced.
fn pictures(out: &Path) -> Any<()> {
    let folder = out.join("pictures");
    std::fs::create_dir_all(&folder)?;
    let mut random = Random::new(SHOWN);
    // A star, which is neither round nor square.
    let scene = std::iter::repeat_with(|| scenes::scene(&mut random))
        .find(|scene| scenes::KINDS[scene.kind] == "star")
        .expect("scenes do not end");
    scene.picture.to_image().save(folder.join("scene.png"))?;
    mask_of(&scene).save(folder.join("scene_mask.png"))?;
    let facade = facades::facade(&mut random);
    facade.picture.to_image().save(folder.join("facade.png"))?;
    facade
        .label_picture()
        .to_image()
        .save(folder.join("facade_labels.png"))?;
    let cat = photos::load(&["chelsea"])?.remove(0);
    let cat = cat.cut(12, 66, 144, 144).resized(48, 48);
    cat.to_image().save(folder.join("cat.png"))?;
    let kinds: Vec<String> = scenes::KINDS
        .iter()
        .map(|kind| format!("{kind}\n"))
        .collect();
    std::fs::write(folder.join("kinds.txt"), kinds.concat())?;
    Ok(())
}

/// The folder of the bundled networks.
fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn main() -> Any<()> {
    let mut args = std::env::args().skip(1);
    let name = args.next().ok_or("name a network, or `pictures`")?;
    let (mut steps, mut seed, mut data) = (None, 1, None);
    let mut out = assets();
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--steps" => steps = Some(value.parse()?),
            "--seed" => seed = value.parse()?,
            "--out" => out = value.into(),
            "--data" => data = Some(PathBuf::from(value)),
            other => return Err(format!("unknown flag {other}").into()),
        }
    }
    let schedule = |default, batch, rate| Schedule {
        steps: steps.unwrap_or(default),
        batch,
        rate,
        seed,
    };
    if name == "pictures" {
        return pictures(&out);
    }
    if name == "scenes" {
        return scene_folder(&out, steps.unwrap_or(24), seed);
    }
    let data = data.as_deref();
    let measured = match name.as_str() {
        "shares" => Some(measure::shares::measure(data)?),
        "votes" => Some(measure::votes::measure(data, &out)?),
        "attacks" => Some(measure::attacks::measure(data, &out)?),
        "seeds" => Some(measure::seeds::measure(data)?),
        _ => None,
    };
    if let Some(figures) = measured {
        let text = serde_json::to_string_pretty(&figures)?;
        return Ok(std::fs::write(out.join(format!("{name}.json")), text)?);
    }
    let folder = out.join(&name);
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.onnx"));
    let started = std::time::Instant::now();
    let (used, reached) = match name.as_str() {
        "vgg" | "vgg_bn" => {
            let batch_norm = name == "vgg_bn";
            // Without norms a slower pace, or it does not learn at all.
            let schedule = match batch_norm {
                true => schedule(1200, 48, 2e-3),
                false => schedule(3500, 48, 1e-3),
            };
            export::classifier(&train::classifier(batch_norm, schedule), &path)?;
            (schedule, judge::classifier(&path, seed + 1000, 2048)?)
        }
        "pixelshuffle" => {
            let schedule = schedule(6000, 16, 2e-3);
            export::pixel_shuffle(&train::pixel_shuffle(schedule)?, &path)?;
            let reached = judge::upscaler(&path, networks::PixelShuffle::FACTOR, true)?;
            (schedule, reached)
        }
        "edsr" => {
            let schedule = schedule(5000, 16, 2e-3);
            export::edsr(&train::edsr(schedule)?, &path)?;
            let reached = judge::upscaler(&path, networks::Edsr::FACTOR, false)?;
            (schedule, reached)
        }
        "facade" => {
            let schedule = schedule(2400, 8, 2e-3);
            export::generator(&train::generator(schedule), &path)?;
            (schedule, judge::generator(&path, seed + 1000, 256)?)
        }
        other => return Err(format!("no network is named {other}").into()),
    };
    let figures = json!({
        "network": name,
        "seed": used.seed,
        "steps": used.steps,
        "batch": used.batch,
        "rate": used.rate,
        "minutes": (started.elapsed().as_secs_f64() / 6.0).round() / 10.0,
        "reached": reached,
    });
    let text = serde_json::to_string_pretty(&figures)?;
    std::fs::write(folder.join("figures.json"), format!("{text}\n"))?;
    println!("{text}");
    Ok(())
}
