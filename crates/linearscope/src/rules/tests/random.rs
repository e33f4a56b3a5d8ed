//! Random small networks: skips, concatenations, branches, strides, dilation, groups, odd sizes,
//! batch > 1. The promises hold for every one.

use burn_backend::{
    Scalar, TensorMetadata,
    ops::{
        ActivationOps, ConvOptions, ConvTransposeOptions, FloatTensorOps, InterpolateMode,
        InterpolateOptions, ModuleOps, PadMode,
    },
};
use burn_flex::Flex;

use super::{Random, constant, keeps_promises};
use crate::{LinearScope, Pointwise, ScopeTensor};

type S = LinearScope<Flex>;
type T = ScopeTensor<Flex>;

fn weight(random: &mut Random, shape: &[usize]) -> T {
    let fan: usize = shape.iter().skip(1).product();
    let scale = (2.0 / fan.max(1) as f64).sqrt();
    let values: Vec<f64> = random
        .vector(shape.iter().product())
        .iter()
        .map(|v| v * scale)
        .collect();
    constant(&values, shape)
}

/// One random layer on `[n, c, h, w]`.
fn layer(x: T, random: &mut Random) -> T {
    let [n, c, h, w] = x.shape().dims();
    match random.below(17) {
        0 | 1 => {
            let groups = if c % 2 == 0 && random.below(2) == 0 {
                2
            } else {
                1
            };
            let out = 2 * (1 + random.below(3));
            let k = 1 + random.below(h.min(w).min(3));
            let options = ConvOptions {
                stride: [1 + random.below(2), 1],
                padding: [
                    (random.below(k), random.below(k)),
                    (random.below(k), random.below(k)),
                ],
                dilation: [1, 1],
                groups,
            };
            let kernel = weight(random, &[out, c / groups, k, k]);
            let bias = weight(random, &[out]);
            S::conv2d(x, kernel, Some(bias), options)
        }
        2 if h * w < 60 => {
            let out = 1 + random.below(4);
            let options = ConvTransposeOptions {
                stride: [2, 1],
                padding: [0, 1],
                padding_out: [random.below(2), 0],
                dilation: [1, 1],
                groups: 1,
            };
            let kernel = weight(random, &[c, out, 2, 3]);
            S::conv_transpose2d(x, kernel, None, options)
        }
        3 => S::relu(x),
        4 => S::leaky_relu(x, Scalar::Float(0.2)),
        5 => S::float_tanh(x),
        6 => S::sigmoid(x),
        7 => {
            let alpha = weight(random, &[1, c, 1, 1]);
            S::prelu(x, alpha)
        }
        8 if h > 2 && w > 2 => S::max_pool2d(x, [2, 2], [1, 2], [0, 1], [1, 1], false),
        9 if h > 1 && w > 1 => {
            S::avg_pool2d(x, [2, 2], [1, 1], [1, 0], random.below(2) == 0, false)
        }
        10 => {
            let parameters = [(); 3].map(|()| weight(random, &[c]));
            let variance = constant(&vec![1.5; c], &[c]);
            let [gamma, beta, mean] = parameters;
            S::batch_norm(x, gamma, beta, mean, variance, 1e-5)
        }
        11 => {
            let branch = S::relu(S::float_add(x.clone(), weight(random, &[1, c, 1, 1])));
            S::float_sub(x, branch)
        }
        12 if c < 6 => {
            let other = S::float_mul(x.clone(), weight(random, &[1, c, 1, 1]));
            S::float_cat(vec![x, S::float_abs(other)], 1)
        }
        13 if h > 1 && w > 1 && h * w < 60 => {
            let mode = [PadMode::Reflect, PadMode::Edge, PadMode::Constant(0.5)][random.below(3)];
            S::float_pad(x, &[(0, 0), (0, 0), (1, 0), (0, 1)], mode)
        }
        14 if h * w < 40 => {
            let mode =
                [InterpolateMode::Nearest, InterpolateMode::Bilinear][random.below(2)].clone();
            S::interpolate(x, [h + 2, 2 * w], InterpolateOptions::new(mode))
        }
        15 => {
            let x = S::float_reshape(x, vec![n, c, h * w].into());
            let kernel = weight(random, &[h * w, 6]);
            let x = S::float_matmul(x, S::float_reshape(kernel, vec![1, h * w, 6].into()));
            S::float_reshape(x, vec![n, c, 2, 3].into())
        }
        16 => S::float_clamp(x, Scalar::Float(-0.7), Scalar::Float(0.9)),
        _ => S::float_mul_scalar(x, Scalar::Float(1.25)),
    }
}

#[test]
fn random_networks_keep_the_promises() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let shape = [
            1 + random.below(2),
            1 + random.below(3),
            2 + random.below(5),
            2 + random.below(5),
        ];
        let depth = 2 + random.below(6);
        let rules = [Pointwise::Secant, Pointwise::Taylor][random.below(2)];
        let x0 = random.vector(shape.iter().product());
        let layers = random.bits();
        let network = |x: T| {
            let mut random = Random(layers);
            (0..depth).fold(x, |x, _| layer(x, &mut random))
        };
        keeps_promises(
            &format!("random network {seed}"),
            &x0,
            &shape,
            rules,
            network,
        );
    }
}
