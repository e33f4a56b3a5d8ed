use burn::tensor::Device;

use crate::{
    Chain, Classifier, Layer,
    classifier::linear,
    layer::{adaptive, batch_norm, conv, max_pool},
};

/// ResNet: He et al., *Deep residual learning for image recognition* (2015); strides on the 3×3 convolutions, as
/// torchvision has them. Pictures of any size from 1×1 on; below 33×33 the last stage sees one pixel.
#[derive(Clone, Debug)]
pub struct ResNetConfig {
    /// Blocks of each of the four stages.
    pub stages: [usize; 4],
    /// Blocks of 1×1, 3×3 and 1×1 convolutions, with four times as many channels behind them, instead of two of 3×3.
    pub bottleneck: bool,
    /// Channels of the first stage (64), before a bottleneck's expansion; they double from stage to stage.
    pub width: usize,
    /// Number of scores.
    pub classes: usize,
}

impl ResNetConfig {
    /// The network of this many layers with weights, 18, 34, 50, 101 or 152, for 1000 classes.
    pub fn layers(layers: usize) -> Option<Self> {
        let (stages, bottleneck) = match layers {
            18 => ([2, 2, 2, 2], false),
            34 => ([3, 4, 6, 3], false),
            50 => ([3, 4, 6, 3], true),
            101 => ([3, 4, 23, 3], true),
            152 => ([3, 8, 36, 3], true),
            _ => return None,
        };
        Some(Self {
            stages,
            bottleneck,
            width: 64,
            classes: 1000,
        })
    }

    /// Channels behind a block over channels within.
    fn expansion(&self) -> usize {
        if self.bottleneck { 4 } else { 1 }
    }

    fn block(&self, from: usize, width: usize, stride: usize, device: &Device) -> Layer {
        let to = width * self.expansion();
        // Channels, kernel and stride of each convolution.
        let convs = match self.bottleneck {
            true => vec![(width, 1, 1), (width, 3, stride), (to, 1, 1)],
            false => vec![(width, 3, stride), (to, 3, 1)],
        };
        let mut body = Chain::new();
        let mut within = from;
        for (i, (channels, k, stride)) in convs.into_iter().enumerate() {
            if i > 0 {
                body = body.then(Layer::Relu);
            }
            let layer = conv(within, channels, k).same().stride(stride).no_bias();
            body = body
                .named(format!("conv{}", i + 1), layer.init(device))
                .named(format!("bn{}", i + 1), batch_norm(channels, 1e-5, device));
            within = channels;
        }
        let shortcut = match stride != 1 || from != to {
            true => Chain::new()
                .named(
                    "downsample.0",
                    conv(from, to, 1).stride(stride).no_bias().init(device),
                )
                .named("downsample.1", batch_norm(to, 1e-5, device)),
            false => Chain::new(),
        };
        let sum = Layer::Residual {
            body,
            shortcut,
            scale: 1.0,
        };
        Chain::new().then(sum).then(Layer::Relu).into()
    }

    /// The network, with random weights.
    pub fn init(&self, device: &Device) -> Classifier {
        let mut features = Chain::new()
            .named(
                "conv1",
                conv(3, self.width, 7)
                    .same()
                    .stride(2)
                    .no_bias()
                    .init(device),
            )
            .named("bn1", batch_norm(self.width, 1e-5, device))
            .then(Layer::Relu)
            .then(max_pool(3, 2, 1, false));
        let mut from = self.width;
        for (stage, blocks) in self.stages.into_iter().enumerate() {
            let width = self.width << stage;
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                features = features.named(
                    format!("layer{}.{block}", stage + 1),
                    self.block(from, width, stride, device),
                );
                from = width * self.expansion();
            }
        }
        Classifier {
            features: features.then(adaptive(1)),
            head: Chain::new().named("fc", linear(from, self.classes, device)),
        }
    }
}
