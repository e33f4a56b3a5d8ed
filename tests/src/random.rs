//! Random small networks as Burn programs, from a small palette of shapes: on a GPU every new shape
//! costs compiling kernels.
//!
//! Pictures are `[n, 4, 8, 8]` between any two layers, n = 1 or 2; wider, smaller and concatenated
//! ones occur within a layer.

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

    fn layer(&mut self, x: Tensor<4>) -> Tensor<4> {
        match self.below(18) {
            0 | 1 => self.conv(x, CHANNELS, [1, 1, 1]),
            2 => self.conv(x, CHANNELS, [1, 2, 1]),
            3 => self.conv(x, CHANNELS, [1, 1, 2]),
            4 | 5 => activation::relu(x),
            6 => activation::leaky_relu(x, 0.2),
            7 => activation::tanh(x),
            8 => activation::gelu(x),
            9 => MaxPool2dConfig::new([3, 3])
                .with_strides([1, 1])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init()
                .forward(x),
            // Half the size and back: a stride and an interpolation, or a transposed convolution.
            10 => {
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
            11 => {
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
            12 => {
                let y = self.conv(x.clone(), CHANNELS, [1, 1, 1]);
                activation::relu(y) + x
            }
            13 => {
                let y = activation::relu(self.conv(x.clone(), CHANNELS, [1, 1, 1]));
                self.conv(Tensor::cat(vec![x, y], 1), CHANNELS, [1, 1, 1])
            }
            14 => InstanceNormConfig::new(CHANNELS)
                .init(&self.device)
                .forward(x),
            15 => GroupNormConfig::new(2, CHANNELS)
                .init(&self.device)
                .forward(x),
            16 => {
                let mut norm = BatchNormConfig::new(CHANNELS).init(&self.device);
                let gamma = self.weight([CHANNELS]) + 1.0;
                norm.gamma = burn::module::Param::from_tensor(gamma);
                norm.forward(x)
            }
            // Squeeze and excitation.
            _ => {
                let mean = x.clone().mean_dim(2).mean_dim(3).flatten::<2>(1, 3);
                let weight = self.weight([CHANNELS, CHANNELS]);
                let gate = activation::sigmoid(mean.matmul(weight));
                x * gate.unsqueeze_dims::<4>(&[2, 3])
            }
        }
    }
}

/// Random network number `seed` and an x₀ for it: three to nine layers, then a picture or scores.
///
/// # Panics
/// When it is not captured, which is a mistake.
pub fn network(seed: usize) -> (Network, TensorData) {
    let mut draw = Draw {
        at: 7919 * seed,
        device: Device::capture(),
    };
    let shape = [1 + draw.below(2), CHANNELS, SIDE, SIDE];
    let network = Network::capture(&Nothing {}, |_, ports| {
        let mut x = ports.input("x", shape);
        draw.device = x.device();
        for _ in 0..3 + draw.below(7) {
            x = draw.layer(x);
        }
        match draw.below(3) {
            0 => {
                let mut head = LinearConfig::new(CHANNELS * SIDE * SIDE, 5)
                    .with_bias(false)
                    .init(&draw.device);
                let weight = draw.weight([CHANNELS * SIDE * SIDE, 5]) * 0.5;
                head.weight = burn::module::Param::from_tensor(weight);
                ports.output("scores", head.forward(x.flatten::<2>(1, 3)));
            }
            1 => {
                let x = x.pad([(1, 1), (1, 1)], PadMode::Reflect);
                ports.output("picture", draw.conv(x, 2, [1, 1, 1]));
            }
            _ => ports.output("picture", draw.conv(x, CHANNELS, [1, 1, 1])),
        }
    });
    let x0 = pseudo_input(&shape, 2.0, 100 * seed);
    (network.expect("captures"), x0)
}
