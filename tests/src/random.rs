//! Random small networks as Burn programs, from a small palette of shapes: on a GPU every new shape
//! costs compiling kernels.
//!
//! Pictures are `[n, 4, 8, 8]` between any two layers, n = 1 or 2; wider, smaller and concatenated
//! ones occur within a layer. A network is made from a [`Recipe`], which shrinks to fewer and simpler
//! layers: each layer has a seed of its own, so that it stays what it is when others go.

use burn::{
    module::Module,
    nn::{
        BatchNormConfig, GroupNormConfig, InstanceNormConfig, LinearConfig, PaddingConfig2d,
        conv::{Conv2dConfig, ConvTranspose2dConfig},
        interpolate::{Interpolate2dConfig, InterpolateMode},
        pool::{AvgPool2dConfig, MaxPool2dConfig},
    },
    tensor::{Device, Tensor, TensorData, activation, ops::PadMode},
};
use linearscope::Network;
use linearscope_test_support::numbers::Random;
use proptest::{collection::vec, sample::select, strategy::Strategy};

use crate::{pseudo, pseudo_input};

const SIDE: usize = 8;
const CHANNELS: usize = 4;

/// A module without parameters: the layers make their own on the capture device.
#[derive(Module, Debug)]
struct Nothing {}

/// Draws from the fixed sequence.
struct Draw {
    at: usize,
    device: Device,
}

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.at += 1;
        (pseudo(self.at) * n as f64) as usize
    }

    /// Weights of standard deviation √(2/fan).
    fn weight<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        let fan: usize = shape.iter().skip(1).product::<usize>().max(1);
        let scale = (6.0 / fan as f64).sqrt();
        self.at += 1;
        let values = pseudo_input(&shape, 1.0, 1000 * self.at);
        Tensor::from_data(values, &self.device) * (2.0 * scale) - scale
    }

    fn bias(&mut self, count: usize) -> Tensor<1> {
        self.weight([count]) * 0.2
    }

    fn conv(
        &mut self,
        x: Tensor<4>,
        to: usize,
        [stride, dilation, groups]: [usize; 3],
    ) -> Tensor<4> {
        let from = x.dims()[1];
        let mut conv = Conv2dConfig::new([from, to], [3, 3])
            .with_stride([stride; 2])
            .with_dilation([dilation; 2])
            .with_groups(groups)
            .with_padding(PaddingConfig2d::Explicit(
                dilation, dilation, dilation, dilation,
            ))
            .init(&self.device);
        let (weight, bias) = (self.weight([to, from / groups, 3, 3]), self.bias(to));
        conv.weight = burn::module::Param::from_tensor(weight);
        conv.bias = Some(burn::module::Param::from_tensor(bias));
        conv.forward(x)
    }

    fn layer(&mut self, layer: Layer, x: Tensor<4>) -> Tensor<4> {
        match layer {
            Layer::Conv => self.conv(x, CHANNELS, [1, 1, 1]),
            Layer::Dilated => self.conv(x, CHANNELS, [1, 2, 1]),
            Layer::Grouped => self.conv(x, CHANNELS, [1, 1, 2]),
            Layer::Relu => activation::relu(x),
            Layer::LeakyRelu => activation::leaky_relu(x, 0.2),
            Layer::Tanh => activation::tanh(x),
            Layer::Gelu => activation::gelu(x),
            Layer::MaxPool => MaxPool2dConfig::new([3, 3])
                .with_strides([1, 1])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init()
                .forward(x),
            // Half the size and back: a stride and an interpolation, or a transposed convolution.
            Layer::Resized => {
                let small = self.conv(x, CHANNELS, [2, 1, 1]);
                let mode = match self.below(2) {
                    0 => InterpolateMode::Nearest,
                    _ => InterpolateMode::Linear,
                };
                Interpolate2dConfig::new()
                    .with_output_size(Some([SIDE, SIDE]))
                    .with_mode(mode)
                    .init()
                    .forward(small)
            }
            Layer::Pooled => {
                let small = AvgPool2dConfig::new([2, 2])
                    .with_strides([2, 2])
                    .init()
                    .forward(x);
                let mut up = ConvTranspose2dConfig::new([CHANNELS, CHANNELS], [2, 2])
                    .with_stride([2, 2])
                    .init(&self.device);
                let weight = self.weight([CHANNELS, CHANNELS, 2, 2]);
                up.weight = burn::module::Param::from_tensor(weight);
                up.bias = Some(burn::module::Param::from_tensor(self.bias(CHANNELS)));
                up.forward(small)
            }
            Layer::Skip => {
                let y = self.conv(x.clone(), CHANNELS, [1, 1, 1]);
                activation::relu(y) + x
            }
            Layer::Concat => {
                let y = activation::relu(self.conv(x.clone(), CHANNELS, [1, 1, 1]));
                self.conv(Tensor::cat(vec![x, y], 1), CHANNELS, [1, 1, 1])
            }
            Layer::InstanceNorm => InstanceNormConfig::new(CHANNELS)
                .init(&self.device)
                .forward(x),
            Layer::GroupNorm => GroupNormConfig::new(2, CHANNELS)
                .init(&self.device)
                .forward(x),
            Layer::BatchNorm => {
                let mut norm = BatchNormConfig::new(CHANNELS).init(&self.device);
                let gamma = self.weight([CHANNELS]) + 1.0;
                norm.gamma = burn::module::Param::from_tensor(gamma);
                norm.forward(x)
            }
            // Squeeze and excitation.
            Layer::Excited => {
                let mean = x.clone().mean_dim(2).mean_dim(3).flatten::<2>(1, 3);
                let weight = self.weight([CHANNELS, CHANNELS]);
                let gate = activation::sigmoid(mean.matmul(weight));
                x * gate.unsqueeze_dims::<4>(&[2, 3])
            }
        }
    }
}

/// A layer, from any picture to one of the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The rectifier.
    Relu,
    /// Slope 0.2 on the left.
    LeakyRelu,
    /// tanh.
    Tanh,
    /// gelu.
    Gelu,
    /// A 3 × 3 convolution.
    Conv,
    /// A convolution of dilation 2.
    Dilated,
    /// A convolution of two groups.
    Grouped,
    /// Batch norm.
    BatchNorm,
    /// Instance norm.
    InstanceNorm,
    /// Group norm of two groups.
    GroupNorm,
    /// Max pooling of stride 1.
    MaxPool,
    /// relu(conv(x)) + x.
    Skip,
    /// A convolution of x beside relu(conv(x)).
    Concat,
    /// A stride of 2, and an interpolation back.
    Resized,
    /// Average pooling of stride 2, and a transposed convolution back.
    Pooled,
    /// Squeeze and excitation.
    Excited,
}

/// All of them, the simplest first: shrinking goes that way. Rectifiers and convolutions are twice as
/// frequent as others.
const LAYERS: [Layer; 18] = [
    Layer::Relu,
    Layer::Relu,
    Layer::LeakyRelu,
    Layer::Tanh,
    Layer::Gelu,
    Layer::Conv,
    Layer::Conv,
    Layer::Dilated,
    Layer::Grouped,
    Layer::BatchNorm,
    Layer::InstanceNorm,
    Layer::GroupNorm,
    Layer::MaxPool,
    Layer::Skip,
    Layer::Concat,
    Layer::Resized,
    Layer::Pooled,
    Layer::Excited,
];

/// What a network ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A convolution.
    Picture,
    /// A convolution of the picture padded by reflection.
    Padded,
    /// A dense layer of five scores.
    Scores,
}

/// What a random network is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Pictures in x₀.
    pub batch: usize,
    /// Its layers, each with the seed of its weights.
    pub layers: Vec<(Layer, usize)>,
    /// What comes last.
    pub head: Head,
    /// The seed of x₀ and of the head.
    pub seed: usize,
}

impl Recipe {
    /// Up to twelve layers, then a picture or scores.
    pub fn any() -> impl Strategy<Value = Self> {
        let layers = vec((select(&LAYERS[..]), 0..1000usize), 0..=12);
        let head = select(&[Head::Picture, Head::Padded, Head::Scores][..]);
        (1..=2usize, layers, head, 0..1000usize).prop_map(|(batch, layers, head, seed)| Self {
            batch,
            layers,
            head,
            seed,
        })
    }

    /// Number `seed` of a fixed sequence of recipes of three to nine layers, for tests that count over
    /// many.
    pub fn number(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut layer = |_| (LAYERS[random.below(LAYERS.len())], random.below(1000));
        let layers: Vec<_> = (0..9).map(&mut layer).collect();
        let depth = 3 + random.below(7);
        Self {
            batch: 1 + random.below(2),
            layers: layers[..depth].to_vec(),
            head: [Head::Picture, Head::Padded, Head::Scores][random.below(3)],
            seed: random.below(1000),
        }
    }

    /// The network and its x₀.
    ///
    /// # Panics
    /// When it is not captured, which is a mistake.
    pub fn network(&self) -> (Network, TensorData) {
        let shape = [self.batch, CHANNELS, SIDE, SIDE];
        let network = Network::capture(&Nothing {}, |_, ports| {
            let x = ports.input("x", shape);
            let device = x.device();
            let draw = |seed: usize| Draw {
                at: 7919 * seed,
                device: device.clone(),
            };
            let layers = self.layers.iter();
            let x = layers.fold(x, |x, (layer, seed)| draw(*seed).layer(*layer, x));
            let mut draw = draw(self.seed);
            match self.head {
                Head::Scores => {
                    let mut head = LinearConfig::new(CHANNELS * SIDE * SIDE, 5)
                        .with_bias(false)
                        .init(&device);
                    let weight = draw.weight([CHANNELS * SIDE * SIDE, 5]) * 0.5;
                    head.weight = burn::module::Param::from_tensor(weight);
                    ports.output("scores", head.forward(x.flatten::<2>(1, 3)));
                }
                Head::Padded => {
                    let x = x.pad([(1, 1), (1, 1)], PadMode::Reflect);
                    ports.output("picture", draw.conv(x, 2, [1, 1, 1]));
                }
                Head::Picture => ports.output("picture", draw.conv(x, CHANNELS, [1, 1, 1])),
            }
        });
        let x0 = pseudo_input(&shape, 2.0, 100 * self.seed);
        (network.expect("captures"), x0)
    }
}
