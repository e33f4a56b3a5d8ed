//! The bundled networks, as Burn modules.

use burn::{
    module::Module,
    nn::{
        BatchNorm, BatchNormConfig, Initializer, InstanceNorm, InstanceNormConfig, Linear,
        LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig},
        pool::{MaxPool2d, MaxPool2dConfig},
    },
    tensor::{Device, Tensor, activation, ops::PadMode},
};

use crate::scenes;

fn conv(from: usize, to: usize, k: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([from, to], [k, k])
        .with_padding(PaddingConfig2d::Explicit(k / 2, k / 2, k / 2, k / 2))
        .init(device)
}

/// Channels of the classifier's six convolutions; a max pool follows every second.
pub const VGG: [usize; 6] = [16, 16, 32, 32, 48, 48];

/// A VGG-style classifier of scenes: `[n, 3, 48, 48]` → `[n, 8]` scores.
#[derive(Module, Debug)]
pub struct Vgg {
    pub convs: Vec<Conv2d>,
    pub norms: Vec<BatchNorm>,
    pub pool: MaxPool2d,
    pub fc1: Linear,
    pub fc2: Linear,
}

impl Vgg {
    pub fn new(batch_norm: bool, device: &Device) -> Self {
        let mut from = 3;
        let convs = VGG.map(|to| {
            let config = Conv2dConfig::new([std::mem::replace(&mut from, to), to], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
            // Without norms the signal has to keep its strength by itself (He et al., 2015).
            let config = match batch_norm {
                true => config,
                false => config.with_initializer(Initializer::KaimingNormal {
                    gain: 2f64.sqrt(),
                    fan_out_only: false,
                }),
            };
            config.init(device)
        });
        let norms = VGG.iter().filter(|_| batch_norm);
        Self {
            convs: convs.into(),
            norms: norms
                .map(|c| BatchNormConfig::new(*c).init(device))
                .collect(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            fc1: LinearConfig::new(48 * 36, 64).init(device),
            fc2: LinearConfig::new(64, scenes::KINDS.len()).init(device),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut x = x;
        for (i, conv) in self.convs.iter().enumerate() {
            x = conv.forward(x);
            if let Some(norm) = self.norms.get(i) {
                x = norm.forward(x);
            }
            x = activation::relu(x);
            if i % 2 == 1 {
                x = self.pool.forward(x);
            }
        }
        let x = activation::relu(self.fc1.forward(x.flatten(1, 3)));
        self.fc2.forward(x)
    }
}

/// Side by side channels to finer pixels: `[n, c·r², h, w]` → `[n, c, h·r, w·r]`.
fn shuffle(x: Tensor<4>, r: usize) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let c = c / (r * r);
    x.reshape([n, c, r, r, h, w])
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([n, c, h * r, w * r])
}

/// The paper's upscaler ×3 of luminance: four convolutions and a pixel shuffle (Shi et al., 2016).
#[derive(Module, Debug)]
pub struct PixelShuffle {
    pub convs: Vec<Conv2d>,
}

impl PixelShuffle {
    pub const FACTOR: usize = 3;
    /// From, to, kernel.
    pub const LAYERS: [[usize; 3]; 4] = [[1, 48, 5], [48, 48, 3], [48, 24, 3], [24, 9, 3]];

    pub fn new(device: &Device) -> Self {
        let convs = Self::LAYERS.map(|[from, to, k]| conv(from, to, k, device));
        Self {
            convs: convs.into(),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut x = x;
        for (i, conv) in self.convs.iter().enumerate() {
            x = conv.forward(x);
            if i < 3 {
                x = activation::relu(x);
            }
        }
        shuffle(x, Self::FACTOR)
    }
}

/// A small EDSR ×2 in colour (Lim et al., 2017): no norms, residual blocks, a long skip.
#[derive(Module, Debug)]
pub struct Edsr {
    pub head: Conv2d,
    pub first: Vec<Conv2d>,
    pub second: Vec<Conv2d>,
    pub body: Conv2d,
    pub upsample: Conv2d,
    pub tail: Conv2d,
}

impl Edsr {
    pub const FACTOR: usize = 2;
    pub const WIDTH: usize = 24;
    pub const BLOCKS: usize = 5;
    /// Subtracted before and added behind.
    pub const MEAN: f64 = 0.45;

    pub fn new(device: &Device) -> Self {
        let w = Self::WIDTH;
        let block = |_| conv(w, w, 3, device);
        Self {
            head: conv(3, w, 3, device),
            first: (0..Self::BLOCKS).map(block).collect(),
            second: (0..Self::BLOCKS).map(block).collect(),
            body: conv(w, w, 3, device),
            upsample: conv(w, 4 * w, 3, device),
            tail: conv(w, 3, 3, device),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let head = self.head.forward(x - Self::MEAN);
        let mut x = head.clone();
        for (first, second) in self.first.iter().zip(&self.second) {
            x = second.forward(activation::relu(first.forward(x.clone()))) + x;
        }
        let x = self.body.forward(x) + head;
        self.tail
            .forward(shuffle(self.upsample.forward(x), Self::FACTOR))
            + Self::MEAN
    }
}

/// A convolution between reflect pads and an instance norm, as CycleGAN's generator has them.
fn bare(from: usize, to: usize, k: usize, stride: usize, device: &Device) -> Conv2d {
    let p = usize::from(stride == 2);
    Conv2dConfig::new([from, to], [k, k])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(p, p, p, p))
        .init(device)
}

fn norm(c: usize, device: &Device) -> InstanceNorm {
    InstanceNormConfig::new(c).init(device)
}

fn reflect(x: Tensor<4>, p: usize) -> Tensor<4> {
    x.pad([(p, p), (p, p)], PadMode::Reflect)
}

/// A small CycleGAN-style generator (Zhu et al., 2017), façades → labels: reflect pads, instance
/// norms, residual blocks, transposed convolutions, tanh.
#[derive(Module, Debug)]
pub struct Generator {
    pub enter: Conv2d,
    pub enter_norm: InstanceNorm,
    pub down: Vec<Conv2d>,
    pub down_norms: Vec<InstanceNorm>,
    pub first: Vec<Conv2d>,
    pub first_norms: Vec<InstanceNorm>,
    pub second: Vec<Conv2d>,
    pub second_norms: Vec<InstanceNorm>,
    pub up: Vec<ConvTranspose2d>,
    pub up_norms: Vec<InstanceNorm>,
    pub leave: Conv2d,
}

impl Generator {
    pub const WIDTH: usize = 12;
    pub const BLOCKS: usize = 3;

    pub fn new(device: &Device) -> Self {
        let w = Self::WIDTH;
        let up = |from: usize| {
            ConvTranspose2dConfig::new([from, from / 2], [3, 3])
                .with_stride([2, 2])
                .with_padding([1, 1])
                .with_padding_out([1, 1])
                .init(device)
        };
        let norms = |_| norm(4 * w, device);
        let blocks = |_| bare(4 * w, 4 * w, 3, 1, device);
        Self {
            enter: bare(3, w, 7, 1, device),
            enter_norm: norm(w, device),
            down: vec![
                bare(w, 2 * w, 3, 2, device),
                bare(2 * w, 4 * w, 3, 2, device),
            ],
            down_norms: vec![norm(2 * w, device), norm(4 * w, device)],
            first: (0..Self::BLOCKS).map(blocks).collect(),
            first_norms: (0..Self::BLOCKS).map(norms).collect(),
            second: (0..Self::BLOCKS).map(blocks).collect(),
            second_norms: (0..Self::BLOCKS).map(norms).collect(),
            up: vec![up(4 * w), up(2 * w)],
            up_norms: vec![norm(2 * w, device), norm(w, device)],
            leave: bare(w, 3, 7, 1, device),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let relu = activation::relu::<4>;
        let x = self.enter.forward(reflect(x, 3));
        let mut x = relu(self.enter_norm.forward(x));
        for (conv, norm) in self.down.iter().zip(&self.down_norms) {
            x = relu(norm.forward(conv.forward(x)));
        }
        for i in 0..Self::BLOCKS {
            let y = self.first[i].forward(reflect(x.clone(), 1));
            let y = relu(self.first_norms[i].forward(y));
            let y = self.second[i].forward(reflect(y, 1));
            x = x + self.second_norms[i].forward(y);
        }
        for (conv, norm) in self.up.iter().zip(&self.up_norms) {
            x = relu(norm.forward(conv.forward(x)));
        }
        activation::tanh(self.leave.forward(reflect(x, 3)))
    }
}
