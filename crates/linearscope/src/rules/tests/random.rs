//! Random small networks: skips, concatenations, branches, strides, dilation, groups, odd sizes,
//! batch > 1, selection, sampling, weights made by the network. The promises hold for every one.

use burn_backend::{
    BoolDType, FloatDType, Scalar, TensorData, TensorMetadata,
    ops::{
        ActivationOps, AttentionModuleOptions, ConvOptions, ConvTransposeOptions,
        DeformConvOptions, FloatTensorOps, GridSampleOptions, GridSamplePaddingMode, IntTensorOps,
        InterpolateMode, InterpolateOptions, ModuleOps, PadMode, UnfoldOptions,
    },
    tensor::IndexingUpdateOp,
};
use burn_flex::{Flex, FlexDevice, FlexTensor};

use super::{
    Frozen, Random, carry::sources_are_carried, constant, keeps_promises, numbers,
    windows::windows_agree,
};
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

fn ints(values: &[i64], shape: &[usize]) -> crate::Tracked<Flex, FlexTensor> {
    S::int_from_data(
        TensorData::new(values.to_vec(), shape.to_vec()),
        &FlexDevice,
    )
}

trait Reshaped {
    fn reshaped(self, shape: [usize; 4]) -> Self;
}

impl Reshaped for T {
    fn reshaped(self, shape: [usize; 4]) -> Self {
        S::float_reshape(self, shape.into())
    }
}

/// One random layer on `[n, c, h, w]`.
fn layer(x: T, random: &mut Random) -> T {
    let [n, c, h, w] = x.shape().dims();
    let dtype = x.dtype().into();
    let weight = |random: &mut Random, shape: &[usize]| S::float_cast(weight(random, shape), dtype);
    match random.below(32) {
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
            let variance = S::float_cast(constant(&vec![1.5; c], &[c]), dtype);
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
        17 => {
            let best = [S::float_max_dim, S::float_min_dim, S::float_max_abs_dim];
            let best = best[random.below(3)](x.clone(), 1 + random.below(3));
            S::float_sub(x, best)
        }
        18 => {
            let axis = 1 + random.below(3);
            [S::float_cummax, S::float_cummin][random.below(2)](x, axis)
        }
        19 => {
            let axis = 1 + random.below(3);
            let keep = 1 + random.below([c, h, w][axis - 1]);
            match random.below(2) {
                0 => S::float_sort(x, axis, keep == 1),
                _ => S::float_topk(x, axis, keep),
            }
        }
        20 => {
            let kept = 1 + random.below(3);
            let at = |i: usize| i * 7 % w;
            let at: Vec<i64> = (0..n * c * h * kept).map(|i| at(i) as i64).collect();
            S::float_gather(3, x, ints(&at, &[n, c, h, kept]))
        }
        21 => {
            // The outermost rows, taken off where they were.
            let at = ints(&[(h - 1) as i64, 0], &[2]);
            let rows = S::float_select(x.clone(), 2, at.clone());
            S::float_select_assign(x, 2, at, S::float_neg(rows), IndexingUpdateOp::Add)
        }
        22 if h > 1 && w > 1 && c < 3 && h * w < 40 => {
            let options = UnfoldOptions::new([1, 1], [1, 0], [1, 1]);
            let columns = S::unfold4d(x, [2, 2], options.clone());
            match random.below(2) {
                0 => S::fold4d(columns, [h, w], [2, 2], options),
                _ => S::float_reshape(columns, vec![n, 4 * c, h + 1, w - 1].into()),
            }
        }
        23 if h > 1 => {
            // Windows of two rows, side by side.
            let windows = S::float_unfold(x, 2, 2, 1);
            S::float_sum_dim(windows, 4).reshaped([n, c, h - 1, w])
        }
        24 => {
            let grid = weight(random, &[n, 3, 4, 2]);
            let options = GridSampleOptions::new(
                [InterpolateMode::Nearest, InterpolateMode::Bilinear][random.below(2)].clone(),
            );
            let options = options.with_padding_mode(
                [
                    GridSamplePaddingMode::Zeros,
                    GridSamplePaddingMode::Border,
                    GridSamplePaddingMode::Reflection,
                ][random.below(3)],
            );
            S::float_grid_sample_2d(x, grid, options)
        }
        25 if h > 1 && w > 1 => {
            // Offsets from the input itself.
            let out = 1 + random.below(3);
            let kernel = weight(random, &[c, c, 2, 2]);
            let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
            let offset_kernel = weight(random, &[8, c, 2, 2]);
            let offset = S::conv2d(x.clone(), offset_kernel, None, options);
            let kernel = S::float_cat(vec![kernel; out], 0);
            let options = DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1);
            S::deform_conv2d(x, offset, kernel, None, None, options)
        }
        26 => {
            // A squeezed picture makes the weights of a 1 × 1 convolution.
            let pooled = S::adaptive_avg_pool2d(x.clone(), [1, 1]);
            let pooled = S::float_mean_dim(pooled, 0).reshaped([1, c, 1, 1]);
            let kernel = weight(random, &[3, 1, 1, 1]);
            let kernel = S::float_mul(pooled, kernel);
            let kernel = match random.below(2) {
                0 => S::sigmoid(kernel),
                _ => kernel,
            };
            S::conv2d(x, kernel, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
        }
        27 => {
            let slope = S::float_mean_dim(x.clone(), 3);
            S::prelu(x, slope)
        }
        28 => {
            // Pixels attend to pixels, channels are heads of one feature.
            let flat = S::float_reshape(x, vec![n, c, h * w, 1].into());
            let seen = S::attention(
                flat.clone(),
                S::float_neg(flat.clone()),
                flat,
                None,
                None,
                AttentionModuleOptions::default(),
            );
            S::float_reshape(seen, vec![n, c, h, w].into())
        }
        29 => {
            let size = [1 + random.below(h), 1 + random.below(w)];
            S::adaptive_avg_pool2d(x, size)
        }
        30 if h * w < 40 => {
            let mode =
                [InterpolateMode::Bicubic, InterpolateMode::Lanczos3][random.below(2)].clone();
            S::interpolate(x, [h + 1, w], InterpolateOptions::new(mode))
        }
        31 => {
            let other = S::float_mul_scalar(x.clone(), Scalar::Float(-0.5));
            let lower = S::float_lower(x.clone(), other.clone(), BoolDType::Native);
            S::float_mask_where(x, lower, other)
        }
        _ => S::float_mul_scalar(x, Scalar::Float(1.25)),
    }
}

/// A random network: its name, an x₀ with its shape, rules and layers.
struct Drawn {
    what: String,
    x0: Vec<f64>,
    shape: [usize; 4],
    rules: Pointwise,
    depth: usize,
    layers: u64,
}

impl Drawn {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let shape = [
            1 + random.below(2),
            1 + random.below(3),
            2 + random.below(5),
            2 + random.below(5),
        ];
        let depth = 2 + random.below(6);
        let rules = [Pointwise::Secant, Pointwise::Taylor][random.below(2)];
        Self {
            what: format!("random network {seed}"),
            x0: random.vector(shape.iter().product()),
            shape,
            rules,
            depth,
            layers: random.bits(),
        }
    }

    fn network(&self, x: T) -> T {
        let mut random = Random(self.layers);
        (0..self.depth).fold(x, |x, _| layer(x, &mut random))
    }
}

#[test]
fn random_networks_keep_the_promises() {
    for drawn in (0..400).map(Drawn::new) {
        let network = |x| drawn.network(x);
        let what = &drawn.what;
        let frozen = keeps_promises(what, &drawn.x0, &drawn.shape, drawn.rules, network);
        let mut random = Random(drawn.layers);
        windows_agree(what, &frozen, &mut random);
        windows_agree(what, &frozen.folded(), &mut random);
        sources_are_carried(what, &frozen, &mut random);
    }
}

/// The same in f32: y₀ untouched, exact at x₀ and the adjoint one to 1e-4 (the certificate's
/// measures).
#[test]
fn random_networks_in_f32_hold_the_certificate() {
    let norm = |x: &[f64]| x.iter().map(|v| v * v).sum::<f64>().sqrt();
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let (mut worst_exactness, mut worst_adjoint) = (0f64, 0f64);
    for drawn in (0..400).map(Drawn::new) {
        let what = &drawn.what;
        let network = |x: T| {
            let x = S::float_cast(x, FloatDType::F32);
            S::float_cast(drawn.network(x), FloatDType::F64)
        };
        let frozen = Frozen::new(&drawn.x0, &drawn.shape, drawn.rules, network)
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        let plain = numbers(network(constant(&drawn.x0, &drawn.shape)).into_value());
        let same = plain
            .iter()
            .zip(&frozen.y0)
            .all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{what}: the reference changed");

        let at_x0 = frozen.apply(&drawn.x0, true);
        let linear = norm(&frozen.apply(&drawn.x0, false));
        let residual = norm(&frozen.apply(&vec![0.0; drawn.x0.len()], true));
        let gap: Vec<f64> = at_x0.iter().zip(&plain).map(|(a, b)| a - b).collect();
        let exactness = norm(&gap) / norm(&plain).max(linear + residual).max(1e-30);
        assert!(exactness <= 1e-4, "{what}: exactness {exactness:e}");

        let mut random = Random(drawn.layers);
        let (v, u) = (random.vector(drawn.x0.len()), random.vector(plain.len()));
        let fv = frozen.apply(&v, false);
        let gap = dot(&fv, &u) - dot(&v, &frozen.adjoint(&u));
        let adjoint = gap.abs() / (norm(&fv) * norm(&u)).max(1e-30);
        assert!(adjoint <= 1e-4, "{what}: adjoint error {adjoint:e}");
        worst_exactness = worst_exactness.max(exactness);
        worst_adjoint = worst_adjoint.max(adjoint);
    }
    println!("worst exactness {worst_exactness:e}, worst adjoint error {worst_adjoint:e}");
}
