//! What the networks of the zoo are built of.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor},
    nn::{
        BatchNorm, BatchNormConfig, InstanceNorm, InstanceNormConfig, PRelu, PReluConfig,
        PaddingConfig2d, PixelShuffle, PixelShuffleConfig,
        conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig},
        interpolate::{Interpolate2d, Interpolate2dConfig, InterpolateMode},
        pool::{
            AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, AvgPool2d, AvgPool2dConfig, MaxPool2d,
            MaxPool2dConfig,
        },
    },
    tensor::{Device, Tensor, activation, ops::PadMode},
};

use crate::Chain;

/// One layer of a network on pictures, `[n, c, h, w]` → `[n, c′, h′, w′]`, in the form it has after training.
#[derive(Clone, Debug)]
pub enum Layer {
    /// A convolution.
    Conv(Conv2d),
    /// A transposed convolution.
    ConvTranspose(ConvTranspose2d),
    /// A batch norm: running statistics, except in training on an autodiff device.
    BatchNorm(BatchNorm),
    /// An instance norm, which has no running statistics.
    InstanceNorm(InstanceNorm),
    /// max(x, 0).
    Relu,
    /// A leaky ReLU whose slope is a parameter.
    PRelu(PRelu),
    /// tanh.
    Tanh,
    /// A max pool.
    MaxPool(MaxPool2d),
    /// An average pool that counts padding.
    AvgPool(AvgPool2d),
    /// An average pool to a fixed number of cells.
    Adaptive(AdaptiveAvgPool2d),
    /// Mirrored borders, this many pixels on each side.
    Reflect(usize),
    /// Channels side by side become finer pixels.
    Shuffle(PixelShuffle),
    /// Interpolation to a finer grid.
    Interpolate(Interpolate2d),
    /// scale · x + shift, per channel of three.
    Affine {
        /// Factors.
        scale: [f64; 3],
        /// Added behind.
        shift: [f64; 3],
    },
    /// Layers one after another.
    Chain(Chain<Layer>),
    /// shortcut(x) + scale · body(x).
    Residual {
        /// What is added.
        body: Chain<Layer>,
        /// What it is added to; empty where that is x itself.
        shortcut: Chain<Layer>,
        /// Factor of the body.
        scale: f64,
    },
    /// Branches from one input, joined by channels.
    Concat(Vec<Chain<Layer>>),
}

impl Layer {
    /// The layer's output. Cost: that of Burn's own module.
    ///
    /// # Panics
    /// As Burn's modules do where a shape does not fit.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Conv(conv) => conv.forward(x),
            Self::ConvTranspose(conv) => conv.forward(x),
            Self::BatchNorm(norm) => norm.forward(x),
            Self::InstanceNorm(norm) => norm.forward(x),
            Self::Relu => activation::relu(x),
            Self::PRelu(slope) => slope.forward(x),
            Self::Tanh => activation::tanh(x),
            Self::MaxPool(pool) => pool.forward(x),
            Self::AvgPool(pool) => pool.forward(x),
            Self::Adaptive(pool) => pool.forward(x),
            Self::Reflect(p) => x.pad([(*p, *p), (*p, *p)], PadMode::Reflect),
            Self::Shuffle(shuffle) => shuffle.forward(x),
            Self::Interpolate(interpolate) => interpolate.forward(x),
            Self::Affine { scale, shift } => {
                let device = x.device();
                let channels = |of: &[f64; 3]| {
                    Tensor::<1>::from_floats(of.map(|v| v as f32), &device).reshape([1, 3, 1, 1])
                };
                let (scale, shift) = (channels(scale), channels(shift));
                x * scale + shift
            }
            Self::Chain(chain) => chain.forward(x),
            Self::Residual {
                body,
                shortcut,
                scale,
            } => {
                let y = body.forward(x.clone());
                let y = match scale {
                    1.0 => y,
                    _ => y * *scale,
                };
                y + shortcut.forward(x)
            }
            Self::Concat(branches) => {
                let parts = branches.iter().map(|branch| branch.forward(x.clone()));
                Tensor::cat(parts.collect(), 1)
            }
        }
    }
}

impl Chain<Layer> {
    /// Each layer on what the one before it gave: `[n, c, h, w]` → `[n, c′, h′, w′]`.
    ///
    /// # Panics
    /// As [`Layer::forward`].
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.links().fold(x, |x, (_, layer)| layer.forward(x))
    }
}

impl From<Chain<Layer>> for Layer {
    fn from(chain: Chain<Layer>) -> Self {
        Self::Chain(chain)
    }
}

/// A convolution before it has weights: kernel, stride 1, no padding, a bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conv {
    from: usize,
    to: usize,
    kernel: [usize; 2],
    stride: usize,
    pad: [usize; 2],
    bias: bool,
}

/// From this many channels to that many.
pub(crate) fn conv(from: usize, to: usize, k: usize) -> Conv {
    Conv {
        from,
        to,
        kernel: [k, k],
        stride: 1,
        pad: [0, 0],
        bias: true,
    }
}

impl Conv {
    pub(crate) fn kernel(self, kernel: [usize; 2]) -> Self {
        Self { kernel, ..self }
    }

    pub(crate) fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub(crate) fn pad(self, p: usize) -> Self {
        Self {
            pad: [p, p],
            ..self
        }
    }

    /// As many zeros as keep the size at stride 1, for odd kernels.
    pub(crate) fn same(self) -> Self {
        let [h, w] = self.kernel;
        Self {
            pad: [h / 2, w / 2],
            ..self
        }
    }

    pub(crate) fn no_bias(self) -> Self {
        Self {
            bias: false,
            ..self
        }
    }

    pub(crate) fn init(self, device: &Device) -> Layer {
        let config = Conv2dConfig::new([self.from, self.to], self.kernel)
            .with_stride([self.stride; 2])
            .with_padding(padding(self.pad))
            .with_bias(self.bias);
        Layer::Conv(config.init(device))
    }
}

fn padding([h, w]: [usize; 2]) -> PaddingConfig2d {
    PaddingConfig2d::Explicit(h, w, h, w)
}

/// A transposed convolution that doubles the size: kernel 3, stride 2.
pub(crate) fn doubling(from: usize, to: usize, device: &Device) -> Layer {
    let config = ConvTranspose2dConfig::new([from, to], [3, 3])
        .with_stride([2, 2])
        .with_padding([1, 1])
        .with_padding_out([1, 1]);
    Layer::ConvTranspose(config.init(device))
}

pub(crate) fn batch_norm(channels: usize, epsilon: f64, device: &Device) -> Layer {
    let config = BatchNormConfig::new(channels).with_epsilon(epsilon);
    Layer::BatchNorm(config.init(device))
}

/// An instance norm without parameters.
pub(crate) fn instance_norm(channels: usize, device: &Device) -> Layer {
    let config = InstanceNormConfig::new(channels).with_affine(false);
    Layer::InstanceNorm(config.init(device))
}

/// One slope for all channels.
pub(crate) fn prelu(device: &Device) -> Layer {
    Layer::PRelu(PReluConfig::new().init(device))
}

/// A max pool of this kernel, stride and padding; with `ceil` a last window may reach over the border.
pub(crate) fn max_pool(kernel: usize, stride: usize, pad: usize, ceil: bool) -> Layer {
    let config = MaxPool2dConfig::new([kernel; 2])
        .with_strides([stride; 2])
        .with_padding(padding([pad; 2]))
        .with_ceil_mode(ceil);
    Layer::MaxPool(config.init())
}

pub(crate) fn avg_pool(kernel: usize, stride: usize, pad: usize) -> Layer {
    let config = AvgPool2dConfig::new([kernel; 2])
        .with_strides([stride; 2])
        .with_padding(padding([pad; 2]));
    Layer::AvgPool(config.init())
}

pub(crate) fn adaptive(cells: usize) -> Layer {
    Layer::Adaptive(AdaptiveAvgPool2dConfig::new([cells; 2]).init())
}

pub(crate) fn shuffle(factor: usize) -> Layer {
    Layer::Shuffle(PixelShuffleConfig::new(factor).init())
}

/// Bicubic interpolation, a = −0.75, pixel centres aligned: `F.interpolate` with `align_corners=False`.
pub(crate) fn bicubic(factor: usize) -> Layer {
    let config = Interpolate2dConfig::new()
        .with_scale_factor(Some([factor as f32; 2]))
        .with_mode(InterpolateMode::Cubic)
        .with_align_corners(false);
    Layer::Interpolate(config.init())
}

/// x + scale · body(x).
pub(crate) fn residual(body: Chain<Layer>, scale: f64) -> Layer {
    Layer::Residual {
        body,
        shortcut: Chain::new(),
        scale,
    }
}

impl Layer {
    /// The same layer with each of its parts replaced.
    fn rebuilt(self, with: &mut impl Rebuild) -> Self {
        match self {
            Self::Conv(part) => Self::Conv(with.part(part)),
            Self::ConvTranspose(part) => Self::ConvTranspose(with.part(part)),
            Self::BatchNorm(part) => Self::BatchNorm(with.part(part)),
            Self::InstanceNorm(part) => Self::InstanceNorm(with.part(part)),
            Self::PRelu(part) => Self::PRelu(with.part(part)),
            Self::Chain(part) => Self::Chain(with.part(part)),
            Self::Residual {
                body,
                shortcut,
                scale,
            } => Self::Residual {
                body: with.part(body),
                shortcut: with.part(shortcut),
                scale,
            },
            Self::Concat(branches) => {
                Self::Concat(branches.into_iter().map(|part| with.part(part)).collect())
            }
            plain @ (Self::Relu
            | Self::Tanh
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::Adaptive(_)
            | Self::Reflect(_)
            | Self::Shuffle(_)
            | Self::Interpolate(_)
            | Self::Affine { .. }) => plain,
        }
    }

    /// A look at each of the layer's parts.
    fn looked(&self, with: &mut impl Look) {
        match self {
            Self::Conv(part) => with.part(part),
            Self::ConvTranspose(part) => with.part(part),
            Self::BatchNorm(part) => with.part(part),
            Self::InstanceNorm(part) => with.part(part),
            Self::PRelu(part) => with.part(part),
            Self::Chain(part) => with.part(part),
            Self::Residual { body, shortcut, .. } => {
                with.part(body);
                with.part(shortcut);
            }
            Self::Concat(branches) => branches.iter().for_each(|part| with.part(part)),
            Self::Relu
            | Self::Tanh
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::Adaptive(_)
            | Self::Reflect(_)
            | Self::Shuffle(_)
            | Self::Interpolate(_)
            | Self::Affine { .. } => {}
        }
    }
}

/// What is seen of every module below, whatever its type.
trait Look {
    fn part<M: Module>(&mut self, part: &M);
}

struct Visit<'a, V>(&'a mut V);

impl<V: ModuleVisitor> Look for Visit<'_, V> {
    fn part<M: Module>(&mut self, part: &M) {
        part.visit(self.0);
    }
}

struct Devices(Vec<Device>);

impl Look for Devices {
    fn part<M: Module>(&mut self, part: &M) {
        self.0 = part.collect_devices(std::mem::take(&mut self.0));
    }
}

/// What is done to every module below, whatever its type.
trait Rebuild {
    fn part<M: Module>(&mut self, part: M) -> M;
}

struct Map<'a, M>(&'a mut M);

impl<M: ModuleMapper> Rebuild for Map<'_, M> {
    fn part<P: Module>(&mut self, part: P) -> P {
        part.map(self.0)
    }
}

enum Move<'a> {
    To(&'a Device),
    Fork(&'a Device),
    Train,
    Valid,
    Materialize,
}

impl Rebuild for Move<'_> {
    fn part<P: Module>(&mut self, part: P) -> P {
        match self {
            Self::To(device) => part.to_device(device),
            Self::Fork(device) => part.fork(device),
            Self::Train => part.train(),
            Self::Valid => part.valid(),
            Self::Materialize => part.materialize(),
        }
    }
}

// By hand: Burn's derive would put the variants' names into the parameters' paths.
impl Module for Layer {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.looked(&mut Visit(visitor));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.rebuilt(&mut Map(mapper))
    }

    fn to_device(self, device: &Device) -> Self {
        self.rebuilt(&mut Move::To(device))
    }

    fn fork(self, device: &Device) -> Self {
        self.rebuilt(&mut Move::Fork(device))
    }

    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        let mut found = Devices(devices);
        self.looked(&mut found);
        found.0
    }

    fn train(self) -> Self {
        self.rebuilt(&mut Move::Train)
    }

    fn valid(&self) -> Self {
        self.clone().rebuilt(&mut Move::Valid)
    }

    fn materialize(self) -> Self {
        self.rebuilt(&mut Move::Materialize)
    }
}
