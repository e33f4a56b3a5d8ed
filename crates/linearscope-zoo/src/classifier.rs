//! Networks from pictures to scores.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor},
    nn::{Linear, LinearConfig},
    tensor::{Device, Tensor, activation},
};

use crate::{Chain, Layer};

/// A network from pictures to scores: layers on pictures, then linear layers with ReLUs between them.
///
/// Dropout, which does nothing after training, is left out.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// The layers on pictures.
    pub features: Chain<Layer>,
    /// The layers on the flattened features of each picture. Empty if those are already the scores.
    pub head: Chain<Linear>,
}

impl Classifier {
    /// Scores: `[n, c, h, w]` → `[n, classes]`.
    ///
    /// # Panics
    /// As [`Layer::forward`]; if a picture is too small for the network's pools.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.features.forward(x).flatten(1, 3);
        let layers = self.head.links().map(|(_, linear)| linear);
        layers.enumerate().fold(x, |x, (i, linear)| match i {
            0 => linear.forward(x),
            _ => linear.forward(activation::relu(x)),
        })
    }
}

/// A linear layer with bias.
pub(crate) fn linear(from: usize, to: usize, device: &Device) -> Linear {
    LinearConfig::new(from, to).init(device)
}

// By hand: Burn's derive would put `features` and `head` into the parameters' paths.
impl Module for Classifier {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.features.visit(visitor);
        self.head.visit(visitor);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        Self {
            features: self.features.map(mapper),
            head: self.head.map(mapper),
        }
    }

    fn to_device(self, device: &Device) -> Self {
        Self {
            features: self.features.to_device(device),
            head: self.head.to_device(device),
        }
    }

    fn fork(self, device: &Device) -> Self {
        Self {
            features: self.features.fork(device),
            head: self.head.fork(device),
        }
    }

    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.head
            .collect_devices(self.features.collect_devices(devices))
    }

    fn train(self) -> Self {
        Self {
            features: self.features.train(),
            head: self.head.train(),
        }
    }

    fn valid(&self) -> Self {
        Self {
            features: self.features.valid(),
            head: self.head.valid(),
        }
    }

    fn materialize(self) -> Self {
        Self {
            features: self.features.materialize(),
            head: self.head.materialize(),
        }
    }
}
