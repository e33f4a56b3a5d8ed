//! What the finished ONNX files reach on data no training saw: figures are of what is shipped.

use std::path::Path;

use burn::tensor::{Device, FloatDType, TensorData};
use linearscope_analysis::{FrozenNetwork, argmax};
use linearscope_onnx::Model;
use serde_json::{Value, json};

use crate::{facades, photos, picture::Picture, random::Random, scenes};

type Any<T> = Result<T, Box<dyn std::error::Error>>;

/// A network in a file, run on single pictures of one shape.
struct Judged {
    run: Box<dyn Fn(Vec<f32>) -> Any<Vec<f32>>>,
}

impl Judged {
    fn new(path: &Path, shape: [usize; 4]) -> Any<Self> {
        let network = Model::load(path)?.network(&[shape.to_vec()])?;
        let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F32)?;
        let run = move |values: Vec<f32>| {
            let y = FrozenNetwork::forward(&loaded, TensorData::new(values, shape))?;
            Ok(y.iter::<f32>().collect())
        };
        Ok(Self { run: Box::new(run) })
    }

    fn run(&self, values: Vec<f32>) -> Any<Vec<f32>> {
        (self.run)(values)
    }
}

/// 0..1 to −1..1.
pub fn centred(picture: &Picture) -> Vec<f32> {
    picture.values.iter().map(|v| 2.0 * v - 1.0).collect()
}

/// The share of scenes of a seed that a classifier names right.
pub fn classifier(path: &Path, seed: u64, count: usize) -> Any<Value> {
    let network = Judged::new(path, [1, 3, scenes::SIDE, scenes::SIDE])?;
    let mut random = Random::new(seed);
    let mut right = 0;
    for _ in 0..count {
        let scene = scenes::scene(&mut random);
        let scores = network.run(centred(&scene.picture))?;
        let scores: Vec<f64> = scores.into_iter().map(f64::from).collect();
        right += usize::from(argmax(&scores) == Some(scene.kind));
    }
    let accuracy = right as f64 / count as f64;
    Ok(json!({ "accuracy": accuracy, "held_out_scenes": count }))
}

/// The share of pixels of a seed's façades that a generator labels right.
pub fn generator(path: &Path, seed: u64, count: usize) -> Any<Value> {
    let network = Judged::new(path, [1, 3, facades::SIDE, facades::SIDE])?;
    let mut random = Random::new(seed);
    let plane = facades::SIDE * facades::SIDE;
    let mut right = 0;
    for _ in 0..count {
        let facade = facades::facade(&mut random);
        let y = network.run(centred(&facade.picture))?;
        for (i, &label) in facade.labels.iter().enumerate() {
            let colour = std::array::from_fn(|c| 0.5 + 0.5 * f64::from(y[c * plane + i]));
            right += usize::from(facades::nearest(colour) == label);
        }
    }
    let accuracy = right as f64 / (plane * count) as f64;
    Ok(json!({ "label_accuracy": accuracy, "held_out_facades": count }))
}

fn psnr(a: &[f32], b: &[f32]) -> f64 {
    let gap = |(a, b): (&f32, &f32)| f64::from(a.clamp(0.0, 1.0) - b).powi(2);
    let squares: f64 = a.iter().zip(b).map(gap).sum();
    -10.0 * (squares / a.len() as f64).log10()
}

/// A picture and its reduction by the cubic kernel.
pub fn pair(high: Picture, factor: usize) -> (Picture, Picture) {
    let (h, w) = (high.h / factor * factor, high.w / factor * factor);
    let high = high.cut(0, 0, h, w);
    (high.resized(h / factor, w / factor), high)
}

/// PSNR of an upscaler on the held-out photographs, in luminance or in colour, beside that of cubic
/// interpolation.
pub fn upscaler(path: &Path, factor: usize, luminance: bool) -> Any<Value> {
    let numbers = |picture: &Picture| match luminance {
        true => picture.luminance(),
        false => picture.values.clone(),
    };
    let (mut ours, mut cubic, mut each) = (0.0, 0.0, Vec::new());
    let photographs = photos::load(&photos::HELD_OUT)?;
    let count = photographs.len() as f64;
    for (name, photo) in photos::HELD_OUT.iter().zip(photographs) {
        let (low, high) = pair(photo, factor);
        let channels = if luminance { 1 } else { 3 };
        let network = Judged::new(path, [1, channels, low.h, low.w])?;
        let truth = numbers(&high);
        let reached = psnr(&network.run(numbers(&low))?, &truth);
        let interpolated = psnr(&numbers(&low.resized(high.h, high.w)), &truth);
        ours += reached / count;
        cubic += interpolated / count;
        each.push(json!({ "photo": name, "psnr": reached, "bicubic_psnr": interpolated }));
    }
    Ok(json!({
        "psnr": ours,
        "bicubic_psnr": cubic,
        "gain_db": ours - cubic,
        "held_out": each,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset(name: &str) -> std::path::PathBuf {
        crate::assets().join(format!("{name}/{name}.onnx"))
    }

    fn figure(value: &Value, key: &str) -> f64 {
        value[key].as_f64().expect("a figure")
    }

    /// The figures beside a network are those it reaches.
    fn assert_stated(name: &str, key: &str, reached: f64, slack: f64) {
        let path = asset(name).with_file_name("figures.json");
        let stated: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let stated = figure(&stated["reached"], key);
        assert!(
            (reached - stated).abs() <= slack,
            "{name}: {reached}, stated {stated}"
        );
    }

    /// Scenes of another seed than training's and than the stated figure's.
    #[test]
    fn the_classifiers_have_learned() {
        for name in ["vgg", "vgg_bn"] {
            let reached = figure(&classifier(&asset(name), 5005, 400).unwrap(), "accuracy");
            assert!(reached >= 0.95, "{name}: {reached}");
            // 400 scenes: four standard deviations at 97 % are 3.4 %.
            assert_stated(name, "accuracy", reached, 0.035);
        }
    }

    #[test]
    fn the_upscalers_beat_cubic_interpolation() {
        for (name, factor, luminance) in [("pixelshuffle", 3, true), ("edsr", 2, false)] {
            let reached = figure(
                &upscaler(&asset(name), factor, luminance).unwrap(),
                "gain_db",
            );
            assert!(reached >= 0.3, "{name}: {reached}");
            assert_stated(name, "gain_db", reached, 1e-3);
        }
    }

    #[test]
    fn the_generator_labels_facades() {
        let reached = figure(
            &generator(&asset("facade"), 5005, 40).unwrap(),
            "label_accuracy",
        );
        assert!(reached >= 0.9, "{reached}");
        assert_stated("facade", "label_accuracy", reached, 0.02);
    }
}
