use burn::tensor::Device;

use crate::{
    Chain, Classifier, Layer,
    layer::{adaptive, conv, max_pool},
};

/// SqueezeNet: Iandola et al., *SqueezeNet: AlexNet-level accuracy with 50x fewer parameters* (2016). Pictures of at
/// least 21×21 (1.0) or 17×17 (1.1).
#[derive(Clone, Debug)]
pub struct SqueezeNetConfig {
    /// The authors' second version: smaller kernels at the entrance, earlier pools, 2.4 times less to compute.
    pub version_1_1: bool,
    /// Number of scores.
    pub classes: usize,
}

/// Squeezed and expanded channels of the eight fire modules.
const FIRES: [[usize; 2]; 8] = [
    [16, 64],
    [16, 64],
    [32, 128],
    [32, 128],
    [48, 192],
    [48, 192],
    [64, 256],
    [64, 256],
];

/// Fewer channels by 1×1, then more by 1×1 and 3×3 side by side.
fn fire(from: usize, [squeezed, expanded]: [usize; 2], device: &Device) -> Layer {
    let expand = |name: &str, k: usize| {
        Chain::new()
            .named(name, conv(squeezed, expanded, k).same().init(device))
            .then(Layer::Relu)
    };
    Chain::new()
        .named("squeeze", conv(from, squeezed, 1).init(device))
        .then(Layer::Relu)
        .then(Layer::Concat(vec![
            expand("expand1x1", 1),
            expand("expand3x3", 3),
        ]))
        .into()
}

impl SqueezeNetConfig {
    /// The network, with random weights.
    pub fn init(&self, device: &Device) -> Classifier {
        // Before which fire modules a pool stands.
        let (mut channels, kernel, pools) = match self.version_1_1 {
            true => (64, 3, [0, 2, 4]),
            false => (96, 7, [0, 3, 7]),
        };
        let mut features = Chain::new()
            .named(
                "features.0",
                conv(3, channels, kernel).stride(2).init(device),
            )
            .then(Layer::Relu);
        let mut index = 2;
        for (i, sizes) in FIRES.into_iter().enumerate() {
            if pools.contains(&i) {
                features = features.then(max_pool(3, 2, 0, true));
                index += 1;
            }
            features = features.named(format!("features.{index}"), fire(channels, sizes, device));
            channels = 2 * sizes[1];
            index += 1;
        }
        let features = features
            .named("classifier.1", conv(channels, self.classes, 1).init(device))
            .then(Layer::Relu)
            .then(adaptive(1));
        Classifier {
            features,
            head: Chain::new(),
        }
    }
}
