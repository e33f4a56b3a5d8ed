//! Figures of the finished classifiers that the documentation states: residual shares, votes, attacks, training seeds.

pub mod attacks;
pub mod seeds;
pub mod shares;
pub mod votes;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use burn::tensor::{Device, FloatDType, TensorData};
use burn_dispatch::Dispatch;
use linearscope::{Kernels, Loaded, RuleSet};
use linearscope_analysis::{FrozenNetwork, MeanStd};
use linearscope_onnx::Model;
use linearscope_preprocess::{Preprocess, Recipe};

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
            // The program's kernels, so that its digits are these.
            loaded: Arc::new(
                FrozenNetwork::load(network, &Device::flex(), FloatDType::F32)?
                    .with_kernels(Kernels::Own)?,
            ),
            shape: shape.to_vec(),
        })
    }

    /// A bundled one, by name.
    pub fn bundled(name: &str) -> Any<Self> {
        let path = crate::assets().join(format!("{name}/{name}.onnx"));
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

/// ImageNet's classifiers as torchvision tests them.
pub fn imagenet() -> Any<Preprocess> {
    Ok(Recipe::imagenet().for_channels(3)?)
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
    MeanStd::of(values).percent()
}
