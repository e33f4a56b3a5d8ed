//! Figures of the finished classifiers that the documentation states: residual shares, votes, attacks.

pub mod attacks;
pub mod shares;
pub mod votes;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use burn::tensor::{Device, FloatDType, TensorData};
use burn_dispatch::Dispatch;
use image::imageops::FilterType;
use linearscope::{Loaded, RuleSet};
use linearscope_analysis::{FrozenNetwork, MeanStd};
use linearscope_onnx::Model;

use crate::{
    judge::centred,
    random::Random,
    scenes::{self, Scene},
};

pub type Any<T> = Result<T, Box<dyn std::error::Error>>;

/// A classifier's scores, loaded once.
pub struct Classifier {
    loaded: Arc<Loaded<Dispatch>>,
    shape: Vec<usize>,
}

impl Classifier {
    pub fn load(path: &Path, shape: &[usize]) -> Any<Self> {
        let network = Model::load(path)?.network(&[shape.to_vec()])?;
        let (network, _) = network.without_final_softmax();
        Ok(Self {
            loaded: FrozenNetwork::load(network, &Device::flex(), FloatDType::F32)?,
            shape: shape.to_vec(),
        })
    }

    /// A bundled one, by name.
    pub fn bundled(name: &str) -> Any<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}/{name}.onnx"));
        Self::load(&path, &[1, 3, scenes::SIDE, scenes::SIDE])
    }

    pub fn freeze(&self, x: Vec<f32>) -> Any<FrozenNetwork> {
        let x = TensorData::new(x, self.shape.clone());
        Ok(FrozenNetwork::new(
            self.loaded.clone(),
            x,
            RuleSet::default(),
        )?)
    }
}

/// The first scenes of a seed that no training and no judging uses.
pub fn held_out(count: usize) -> Vec<(Scene, Vec<f32>)> {
    const SEED: u64 = 7001;
    let mut random = Random::new(SEED);
    (0..count)
        .map(|_| {
            let scene = scenes::scene(&mut random);
            let x = centred(&scene.picture);
            (scene, x)
        })
        .collect()
}

/// How a photograph goes into an ImageNet classifier.
pub enum Recipe {
    /// Shorter side 256, 224×224 from the middle, ImageNet's mean and standard deviation.
    ImageNet,
    /// The same cut, 0..1.
    Plain,
}

/// `[3, 224, 224]`.
pub fn photograph(path: &Path, recipe: &Recipe) -> Any<Vec<f32>> {
    let picture = image::open(path)?;
    let (w, h) = (f64::from(picture.width()), f64::from(picture.height()));
    let scale = 256.0 / w.min(h);
    let (w, h) = ((w * scale) as u32, (h * scale) as u32);
    let middle = |size: u32| (f64::from(size - 224) / 2.0).round_ties_even() as u32;
    let picture = picture
        .resize_exact(w, h, FilterType::Triangle)
        .crop_imm(middle(w), middle(h), 224, 224)
        .to_rgb8();
    let (mean, std) = match recipe {
        Recipe::ImageNet => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        Recipe::Plain => ([0.0; 3], [1.0; 3]),
    };
    let plane = 224 * 224;
    let mut values = vec![0f32; 3 * plane];
    for (i, pixel) in picture.pixels().enumerate() {
        for c in 0..3 {
            let level = f64::from(pixel.0[c]) / 255.0;
            values[c * plane + i] = ((level - mean[c]) / std[c]) as f32;
        }
    }
    Ok(values)
}

/// The labelled photographs of a data folder, by name, and their classes.
pub fn photographs(data: &Path) -> Any<Vec<(PathBuf, usize)>> {
    let folder = data.join("images/imagenet_curated");
    let text = std::fs::read_to_string(folder.join("labels.json"))?;
    let labels: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text)?;
    let class = |of: &serde_json::Value| of["class"].as_u64().ok_or("a label has no class");
    labels
        .iter()
        .map(|(name, of)| Ok((folder.join(name), class(of)? as usize)))
        .collect()
}

/// "12.3 ± 4.5 %" of shares.
pub fn percent(values: &[f64]) -> String {
    percent_of(MeanStd::of(values))
}

/// "12.3 ± 4.5 %".
pub fn percent_of(spread: MeanStd) -> String {
    format!("{:.1} ± {:.1} %", 100.0 * spread.mean, 100.0 * spread.std)
}
