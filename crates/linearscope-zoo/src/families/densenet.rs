use burn::tensor::Device;

use crate::{
    Chain, Classifier, Layer,
    classifier::linear,
    layer::{adaptive, avg_pool, batch_norm, conv, max_pool},
};

/// DenseNet: Huang et al., *Densely connected convolutional networks* (2016). Pictures of at least 29×29.
#[derive(Clone, Debug)]
pub struct DenseNetConfig {
    /// Layers of each of the four blocks.
    pub blocks: [usize; 4],
    /// Channels that each layer adds.
    pub growth: usize,
    /// Channels behind the entrance.
    pub entrance: usize,
    /// Number of scores.
    pub classes: usize,
}

impl DenseNetConfig {
    /// The network of this many layers with weights, 121, 161, 169 or 201, for 1000 classes.
    pub fn layers(layers: usize) -> Option<Self> {
        let (blocks, growth, entrance) = match layers {
            121 => ([6, 12, 24, 16], 32, 64),
            161 => ([6, 12, 36, 24], 48, 96),
            169 => ([6, 12, 32, 32], 32, 64),
            201 => ([6, 12, 48, 32], 32, 64),
            _ => return None,
        };
        Some(Self {
            blocks,
            growth,
            entrance,
            classes: 1000,
        })
    }

    /// x, with what this layer makes of it behind.
    fn layer(&self, from: usize, device: &Device) -> Layer {
        let within = 4 * self.growth;
        let made = Chain::new()
            .named("norm1", batch_norm(from, 1e-5, device))
            .then(Layer::Relu)
            .named("conv1", conv(from, within, 1).no_bias().init(device))
            .named("norm2", batch_norm(within, 1e-5, device))
            .then(Layer::Relu)
            .named(
                "conv2",
                conv(within, self.growth, 3).same().no_bias().init(device),
            );
        Layer::Concat(vec![Chain::new(), made])
    }

    /// The network, with random weights.
    pub fn init(&self, device: &Device) -> Classifier {
        let mut channels = self.entrance;
        let mut features = Chain::new()
            .named(
                "features.conv0",
                conv(3, channels, 7).same().stride(2).no_bias().init(device),
            )
            .named("features.norm0", batch_norm(channels, 1e-5, device))
            .then(Layer::Relu)
            .then(max_pool(3, 2, 1, false));
        for (block, layers) in self.blocks.into_iter().enumerate() {
            let block = block + 1;
            for layer in 1..=layers {
                features = features.named(
                    format!("features.denseblock{block}.denselayer{layer}"),
                    self.layer(channels, device),
                );
                channels += self.growth;
            }
            if block < self.blocks.len() {
                let transition = Chain::new()
                    .named("norm", batch_norm(channels, 1e-5, device))
                    .then(Layer::Relu)
                    .named(
                        "conv",
                        conv(channels, channels / 2, 1).no_bias().init(device),
                    )
                    .then(avg_pool(2, 2, 0));
                features = features.named(format!("features.transition{block}"), transition);
                channels /= 2;
            }
        }
        let features = features
            .named("features.norm5", batch_norm(channels, 1e-5, device))
            .then(Layer::Relu)
            .then(adaptive(1));
        Classifier {
            features,
            head: Chain::new().named("classifier", linear(channels, self.classes, device)),
        }
    }
}
