//! Networks to measure with: published architectures, weights from a seed, nothing to download.
//!
//! Weights are numbers of one [`SplitMix64`] in the order in which layers are made, weight before bias: uniform
//! within ±√(6 / fan-in) (He, *Delving deep into rectifiers*, 2015), so that activations keep their size through
//! any depth, and biases within ±√(1 / fan-in). They are the same on every machine and easily made elsewhere;
//! `benches/gpu_suite.py` does so in NumPy, and both sides compute the same f(x₀).

use burn::{
    module::{Module, Param},
    nn::{
        InstanceNorm, InstanceNormConfig, Linear, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig},
        pool::{MaxPool2d, MaxPool2dConfig},
    },
    tensor::{
        Device, Tensor, TensorData, activation::relu, module::adaptive_avg_pool2d, ops::PadMode,
    },
};
use linearscope::{Network, SplitMix64};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// The seed of all weights.
pub const SEED: u64 = 1;

/// A published architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// SqueezeNet 1.1, 1000 classes (Iandola, 2016, and its repository).
    #[serde(rename = "squeezenet1.1")]
    SqueezeNet,
    /// CycleGAN's generator with nine residual blocks (Zhu, 2017).
    #[serde(rename = "cyclegan_9_blocks")]
    CycleGan,
    /// EDSR, 32 blocks of 256 channels, ×4 (Lim, 2017).
    #[serde(rename = "edsr_32x256_x4")]
    Edsr,
    /// VGG-19, 1000 classes (Simonyan and Zisserman, 2014).
    #[serde(rename = "vgg19")]
    Vgg19,
}

impl Architecture {
    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::SqueezeNet => "squeezenet1.1",
            Self::CycleGan => "cyclegan_9_blocks",
            Self::Edsr => "edsr_32x256_x4",
            Self::Vgg19 => "vgg19",
        }
    }

    /// Capture it for pictures of `[n, 3, size, size]`, every width and number of classes divided by `scale`
    /// (1: as published; numbers of layers stay). Sizes: at least 17 for SqueezeNet, a multiple of 4 from 16 on for
    /// CycleGAN, any for EDSR, a multiple of 32 for VGG-19.
    ///
    /// Memory: the weights several times while it is captured (0.57 GB for VGG-19 as published at 224²).
    ///
    /// # Errors
    /// [`linearscope::Error::Capture`] for a size that is too small for its pools and paddings.
    pub fn network(self, n: usize, size: usize, scale: usize) -> Result<Network> {
        let seeded = &mut Seeded {
            random: SplitMix64::new(SEED),
            device: Device::flex(),
            scale: scale.max(1),
        };
        let shape = [n, 3, size, size];
        Ok(match self {
            Self::SqueezeNet => captured(&SqueezeNet::new(seeded), shape, SqueezeNet::forward),
            Self::CycleGan => captured(&CycleGan::new(seeded), shape, CycleGan::forward),
            Self::Edsr => captured(&Edsr::new(seeded), shape, Edsr::forward),
            Self::Vgg19 => captured(&Vgg::new(seeded, size / 32), shape, Vgg::forward),
        }?)
    }
}

/// A 3×3 convolution with a bias, of `[n, channels, size, size]` to the same shape: padded, weights from the seed.
///
/// # Errors
/// [`linearscope::Error::Capture`] for sizes of 0.
pub fn convolution(n: usize, channels: usize, size: usize) -> Result<Network> {
    let seeded = &mut Seeded {
        random: SplitMix64::new(SEED),
        device: Device::flex(),
        scale: 1,
    };
    let layer = seeded.conv(channels, channels, 3, 1, 1);
    let shape = [n, channels, size, size];
    Ok(captured(&layer, shape, Conv2d::forward)?)
}

fn captured<M: Module, const D: usize>(
    module: &M,
    shape: [usize; 4],
    forward: impl FnOnce(&M, Tensor<4>) -> Tensor<D>,
) -> linearscope::Result<Network> {
    Network::capture(module, |module, ports| {
        let x = ports.input("x", shape);
        ports.output("y", forward(module, x));
    })
}

/// Layers with weights from one generator, their widths divided.
struct Seeded {
    random: SplitMix64,
    device: Device,
    scale: usize,
}

impl Seeded {
    /// A published width, divided; with fewer than 4 channels a layer may be off as a whole, and F is 0.
    fn width(&self, published: usize) -> usize {
        (published / self.scale).max(4)
    }

    fn uniform<const D: usize>(&mut self, shape: [usize; D], bound: f64) -> Param<Tensor<D>> {
        let numbers = (0..shape.iter().product())
            .map(|_| (bound * self.random.next_uniform()) as f32)
            .collect();
        Param::from_data(TensorData::new::<f32, _>(numbers, shape), &self.device)
    }

    /// Weight and bias of a layer each of whose outputs reads `fan_in` entries.
    fn weights<const D: usize>(
        &mut self,
        shape: [usize; D],
        outputs: usize,
        fan_in: usize,
    ) -> (Param<Tensor<D>>, Option<Param<Tensor<1>>>) {
        let fan_in = fan_in as f64;
        let weight = self.uniform(shape, (6.0 / fan_in).sqrt());
        (weight, Some(self.uniform([outputs], (1.0 / fan_in).sqrt())))
    }

    /// A k×k convolution between widths as they are.
    fn conv(&mut self, from: usize, to: usize, k: usize, pad: usize, stride: usize) -> Conv2d {
        let config = Conv2dConfig::new([from, to], [k, k])
            .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
            .with_stride([stride, stride]);
        let (weight, bias) = self.weights([to, from, k, k], to, from * k * k);
        Conv2d {
            weight,
            bias,
            ..config.init(&self.device)
        }
    }

    /// A transposed 3×3 convolution of stride 2, which doubles the size.
    fn up(&mut self, from: usize, to: usize) -> ConvTranspose2d {
        let config = ConvTranspose2dConfig::new([from, to], [3, 3])
            .with_stride([2, 2])
            .with_padding([1, 1])
            .with_padding_out([1, 1]);
        // Of the nine taps a quarter meets an entry.
        let (weight, bias) = self.weights([from, to, 3, 3], to, from * 9 / 4);
        ConvTranspose2d {
            weight,
            bias,
            ..config.init(&self.device)
        }
    }

    fn dense(&mut self, from: usize, to: usize) -> Linear {
        let (weight, bias) = self.weights([from, to], to, from);
        Linear { weight, bias }
    }
}

/// Squeezed to few channels, then 1×1 and 3×3 beside each other.
#[derive(Module, Debug)]
struct Fire {
    squeeze: Conv2d,
    one: Conv2d,
    three: Conv2d,
}

impl Fire {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = relu(self.squeeze.forward(x));
        Tensor::cat(
            vec![
                relu(self.one.forward(x.clone())),
                relu(self.three.forward(x)),
            ],
            1,
        )
    }
}

#[derive(Module, Debug)]
struct SqueezeNet {
    first: Conv2d,
    fires: Vec<Fire>,
    last: Conv2d,
}

impl SqueezeNet {
    /// Channels of each fire, squeezed and of either branch.
    const FIRES: [(usize, usize); 8] = [
        (16, 64),
        (16, 64),
        (32, 128),
        (32, 128),
        (48, 192),
        (48, 192),
        (64, 256),
        (64, 256),
    ];

    /// The fires that a pool comes before.
    const POOLED: [usize; 3] = [0, 2, 4];

    fn new(seeded: &mut Seeded) -> Self {
        let mut from = seeded.width(64);
        let first = seeded.conv(3, from, 3, 0, 2);
        let fires = Self::FIRES.map(|(squeezed, branch)| {
            let (squeezed, branch) = (seeded.width(squeezed), seeded.width(branch));
            let fire = Fire {
                squeeze: seeded.conv(from, squeezed, 1, 0, 1),
                one: seeded.conv(squeezed, branch, 1, 0, 1),
                three: seeded.conv(squeezed, branch, 3, 1, 1),
            };
            from = 2 * branch;
            fire
        });
        let classes = seeded.width(1000);
        Self {
            first,
            fires: fires.into(),
            last: seeded.conv(from, classes, 1, 0, 1),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let pool = MaxPool2dConfig::new([3, 3])
            .with_strides([2, 2])
            .with_ceil_mode(true)
            .init();
        let mut x = relu(self.first.forward(x));
        for (number, fire) in self.fires.iter().enumerate() {
            if Self::POOLED.contains(&number) {
                x = pool.forward(x);
            }
            x = fire.forward(x);
        }
        let x = relu(self.last.forward(x));
        adaptive_avg_pool2d(x, [1, 1]).flatten(1, 3)
    }
}

#[derive(Module, Debug)]
struct Vgg {
    convs: Vec<Conv2d>,
    dense: Vec<Linear>,
}

impl Vgg {
    /// Channels of its convolutions, and how many of them before each pool.
    const STAGES: [(usize, usize); 5] = [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)];

    /// `side`: of the picture that is left after five pools.
    fn new(seeded: &mut Seeded, side: usize) -> Self {
        let mut from = 3;
        let mut convs = Vec::new();
        for (channels, count) in Self::STAGES {
            let channels = seeded.width(channels);
            for _ in 0..count {
                convs.push(seeded.conv(from, channels, 3, 1, 1));
                from = channels;
            }
        }
        let (hidden, classes) = (seeded.width(4096), seeded.width(1000));
        let dense = [
            (from * side * side, hidden),
            (hidden, hidden),
            (hidden, classes),
        ];
        Self {
            convs,
            dense: dense.map(|(from, to)| seeded.dense(from, to)).into(),
        }
    }

    fn forward(&self, mut x: Tensor<4>) -> Tensor<2> {
        let pool: MaxPool2d = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        let mut convs = self.convs.iter();
        for (_, count) in Self::STAGES {
            for conv in convs.by_ref().take(count) {
                x = relu(conv.forward(x));
            }
            x = pool.forward(x);
        }
        let x = relu(self.dense[0].forward(x.flatten(1, 3)));
        self.dense[2].forward(relu(self.dense[1].forward(x)))
    }
}

#[derive(Module, Debug)]
struct Edsr {
    head: Conv2d,
    body: Vec<Conv2d>,
    ups: Vec<Conv2d>,
    tail: Conv2d,
}

impl Edsr {
    const BLOCKS: usize = 32;

    fn new(seeded: &mut Seeded) -> Self {
        let width = seeded.width(256);
        let mut same = |from, to| seeded.conv(from, to, 3, 1, 1);
        Self {
            head: same(3, width),
            // Two a block, and one after them all.
            body: (0..=2 * Self::BLOCKS).map(|_| same(width, width)).collect(),
            ups: (0..2).map(|_| same(width, 4 * width)).collect(),
            tail: same(width, 3),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let head = self.head.forward(x);
        let mut x = head.clone();
        for pair in self.body[..2 * Self::BLOCKS].chunks(2) {
            let branch = pair[1].forward(relu(pair[0].forward(x.clone())));
            x = x + branch * 0.1;
        }
        let mut x = self.body[2 * Self::BLOCKS].forward(x) + head;
        for up in &self.ups {
            let [n, c, h, w] = x.dims();
            let wide: Tensor<6> = up.forward(x).reshape([n, c, 2, 2, h, w]);
            x = wide
                .permute([0, 1, 4, 2, 5, 3])
                .reshape([n, c, 2 * h, 2 * w]);
        }
        self.tail.forward(x)
    }
}

#[derive(Module, Debug)]
struct CycleGan {
    down: Vec<Conv2d>,
    blocks: Vec<Conv2d>,
    up: Vec<ConvTranspose2d>,
    last: Conv2d,
    norms: Vec<InstanceNorm>,
}

impl CycleGan {
    fn new(seeded: &mut Seeded) -> Self {
        let [narrow, middle, wide] = [64, 128, 256].map(|published| seeded.width(published));
        let widths = [narrow, middle, wide]
            .into_iter()
            .chain([wide; 18])
            .chain([middle, narrow]);
        let norm = |channels| InstanceNormConfig::new(channels).init(&seeded.device);
        let norms = widths.map(norm).collect();
        Self {
            norms,
            down: vec![
                seeded.conv(3, narrow, 7, 0, 1),
                seeded.conv(narrow, middle, 3, 1, 2),
                seeded.conv(middle, wide, 3, 1, 2),
            ],
            blocks: (0..18).map(|_| seeded.conv(wide, wide, 3, 0, 1)).collect(),
            up: vec![seeded.up(wide, middle), seeded.up(middle, narrow)],
            last: seeded.conv(narrow, 3, 7, 0, 1),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let reflect = |x: Tensor<4>, p: usize| x.pad((p, p, p, p), PadMode::Reflect);
        let mut norms = self.norms.iter();
        let mut norm = |x| norms.next().expect("a norm each").forward(x);
        let mut x = relu(norm(self.down[0].forward(reflect(x, 3))));
        for down in &self.down[1..] {
            x = relu(norm(down.forward(x)));
        }
        for pair in self.blocks.chunks(2) {
            let branch = relu(norm(pair[0].forward(reflect(x.clone(), 1))));
            x = x + norm(pair[1].forward(reflect(branch, 1)));
        }
        for up in &self.up {
            x = relu(norm(up.forward(x)));
        }
        self.last.forward(reflect(x, 3)).tanh()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As torchvision and the papers' code count them.
    #[test]
    fn published_numbers_of_parameters() {
        for (architecture, size, output, parameters) in [
            (
                Architecture::SqueezeNet,
                224,
                vec![1, 1000],
                1_235_496_usize,
            ),
            // 11 378 179 and γ, β of 23 norms, which PyTorch's generator leaves out.
            (
                Architecture::CycleGan,
                64,
                vec![1, 3, 64, 64],
                11_378_179 + 2 * (64 + 128 + 19 * 256 + 128 + 64),
            ),
            (Architecture::Edsr, 8, vec![1, 3, 32, 32], 43_089_923),
        ] {
            let network = architecture.network(1, size, 1).unwrap();
            assert_eq!(network.parameters(), parameters, "{architecture:?}");
            assert_eq!(network.outputs()[0].shape.to_vec(), output);
        }
    }

    #[test]
    fn scaled_networks_have_the_layers_and_fewer_channels() {
        for (architecture, size) in [
            (Architecture::SqueezeNet, 32),
            (Architecture::CycleGan, 16),
            (Architecture::Edsr, 4),
            (Architecture::Vgg19, 32),
        ] {
            let [scaled, twice] = [1, 2].map(|n| architecture.network(n, size, 32).unwrap());
            assert!(scaled.parameters() < 60_000, "{}", scaled.parameters());
            assert_eq!(scaled.parameters(), twice.parameters());
            assert_eq!(twice.inputs()[0].shape.to_vec(), [2, 3, size, size]);
            assert!(scaled.weighted_layers().len() >= 24 || architecture == Architecture::Vgg19);
            let name = serde_json::to_value(architecture).unwrap();
            assert_eq!(name, architecture.name());
        }
    }
}
