use burn::tensor::Device;

use crate::{
    Chain, Classifier, Layer,
    classifier::linear,
    layer::{adaptive, batch_norm, conv, max_pool},
};

/// VGG: Simonyan and Zisserman, *Very deep convolutional networks for large-scale image recognition* (2014). Pictures
/// of at least 32×32.
#[derive(Clone, Debug)]
pub struct VggConfig {
    /// Convolutions of each of the five stages.
    pub stages: [usize; 5],
    /// A batch norm behind each convolution.
    pub batch_norm: bool,
    /// Channels of the first stage (64); the stages have 1, 2, 4, 8 and 8 times as many.
    pub width: usize,
    /// Numbers between the linear layers (4096).
    pub hidden: usize,
    /// Number of scores.
    pub classes: usize,
}

impl VggConfig {
    /// The network of this many layers with weights, 11, 13, 16 or 19, for 1000 classes.
    pub fn layers(layers: usize, batch_norm: bool) -> Option<Self> {
        let stages = match layers {
            11 => [1, 1, 2, 2, 2],
            13 => [2, 2, 2, 2, 2],
            16 => [2, 2, 3, 3, 3],
            19 => [2, 2, 4, 4, 4],
            _ => return None,
        };
        Some(Self {
            stages,
            batch_norm,
            width: 64,
            hidden: 4096,
            classes: 1000,
        })
    }

    /// The network, with random weights.
    pub fn init(&self, device: &Device) -> Classifier {
        let mut features = Chain::new();
        let (mut from, mut index) = (3, 0);
        for (convs, factor) in self.stages.into_iter().zip([1, 2, 4, 8, 8]) {
            for _ in 0..convs {
                let to = factor * self.width;
                let layer = conv(from, to, 3).same().init(device);
                features = features.named(format!("features.{index}"), layer);
                if self.batch_norm {
                    let norm = batch_norm(to, 1e-5, device);
                    features = features.named(format!("features.{}", index + 1), norm);
                }
                features = features.then(Layer::Relu);
                index += 2 + usize::from(self.batch_norm);
                from = to;
            }
            features = features.then(max_pool(2, 2, 0, false));
            index += 1;
        }
        let head = Chain::new()
            .named("classifier.0", linear(from * 49, self.hidden, device))
            .named("classifier.3", linear(self.hidden, self.hidden, device))
            .named("classifier.6", linear(self.hidden, self.classes, device));
        Classifier {
            features: features.then(adaptive(7)),
            head,
        }
    }
}
