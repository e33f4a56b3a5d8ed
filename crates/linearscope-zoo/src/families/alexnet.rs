use burn::tensor::Device;

use crate::{
    Chain, Classifier, Layer,
    classifier::linear,
    layer::{adaptive, conv, max_pool},
};

/// AlexNet as torchvision has it: Krizhevsky, *One weird trick for parallelizing convolutional neural networks*
/// (2014). Pictures of at least 63×63.
#[derive(Clone, Debug)]
pub struct AlexNetConfig {
    /// Number of scores.
    pub classes: usize,
}

impl AlexNetConfig {
    /// The network, with random weights.
    pub fn init(&self, device: &Device) -> Classifier {
        let features = Chain::new()
            .named("features.0", conv(3, 64, 11).stride(4).pad(2).init(device))
            .then(Layer::Relu)
            .then(max_pool(3, 2, 0, false))
            .named("features.3", conv(64, 192, 5).same().init(device))
            .then(Layer::Relu)
            .then(max_pool(3, 2, 0, false))
            .named("features.6", conv(192, 384, 3).same().init(device))
            .then(Layer::Relu)
            .named("features.8", conv(384, 256, 3).same().init(device))
            .then(Layer::Relu)
            .named("features.10", conv(256, 256, 3).same().init(device))
            .then(Layer::Relu)
            .then(max_pool(3, 2, 0, false))
            .then(adaptive(6));
        let head = Chain::new()
            .named("classifier.1", linear(256 * 36, 4096, device))
            .named("classifier.4", linear(4096, 4096, device))
            .named("classifier.6", linear(4096, self.classes, device));
        Classifier { features, head }
    }
}
