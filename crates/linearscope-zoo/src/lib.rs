#![doc = include_str!("../README.md")]

mod architecture;
mod chain;
mod classifier;
mod error;
mod families;
mod layer;
mod model;
mod parameters;
mod weights;

pub use architecture::Architecture;
pub use chain::Chain;
pub use classifier::Classifier;
pub use error::{Error, Result};
pub use families::{
    AlexNetConfig, CycleGanConfig, DenseNetConfig, EdsrConfig, InceptionConfig, ResNetConfig,
    SqueezeNetConfig, SrResNetConfig, SubPixelConfig, VggConfig,
};
pub use layer::Layer;
pub use model::Model;
pub use parameters::{Parameter, parameters};
pub use weights::{load_tensors, load_weights};
