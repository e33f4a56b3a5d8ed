//! Random small networks: skips, concatenations, branches, strides, dilation, groups, odd sizes,
//! batch > 1, selection, sampling, weights made by the network, decisions that enter as data. The
//! promises hold for every one.

use burn_backend::{
    BoolDType, FloatDType, IntDType, Scalar, Slice, TensorData, TensorMetadata,
    ops::{
        ActivationOps, AttentionModuleOptions, BoolTensorOps, ConvOptions, ConvTransposeOptions,
        DeformConvOptions, FloatTensorOps, GridSampleOptions, GridSamplePaddingMode, IntTensorOps,
        InterpolateMode, InterpolateOptions, ModuleOps, PadMode, UnfoldOptions,
    },
    tensor::IndexingUpdateOp,
};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use linearscope_test_support::shrinking::{every, smallest};
use proptest::{collection::vec, prop_oneof, sample::select, strategy::Strategy};

use super::{
    Asked, Frozen, Random, carry::sources_are_carried, constant, promised, receptive::fields_hold,
    windows::windows_agree,
};
use crate::{
    LinearScope, Pointwise, ScopeTensor,
    conformance::{Allowed, Floor, all_hold, promises},
};

type S = LinearScope<Flex>;
type T = ScopeTensor<Flex>;
type Ints = crate::Tracked<Flex, FlexTensor>;

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

fn ints(values: &[i64], shape: &[usize]) -> Ints {
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

/// A decision about x of x's shape, as floats: a comparison with a number, of two tensors, of a decision;
/// an arg-max; a truncation.
fn decision(x: &T, random: &mut Random) -> T {
    let shape = x.shape();
    let dtype: FloatDType = x.dtype().into();
    let level = 0.4 * random.unit();
    let above =
        |x: T, level: f64| S::float_greater_elem(x, Scalar::Float(level), BoolDType::Native);
    match random.below(5) {
        0 => S::bool_into_float(above(x.clone(), level), dtype),
        1 => {
            let other = S::float_flip(x.clone(), &[3]);
            let lower = S::float_lower(x.clone(), other, BoolDType::Native);
            S::bool_into_float(S::bool_not(lower), dtype)
        }
        2 => {
            let lit = S::bool_into_float(above(x.clone(), level), dtype);
            let share = S::float_expand(S::float_mean_dim(lit, 3), shape);
            S::bool_into_float(above(share, 0.45), dtype)
        }
        3 => {
            let best = S::float_argmax(x.clone(), 1, IntDType::I64);
            let best = S::int_into_float(S::int_expand(best, shape), dtype);
            S::float_mul_scalar(best, Scalar::Float(0.3))
        }
        _ => {
            let x = S::float_mul_scalar(x.clone(), Scalar::Float(2.3));
            let steps = S::float_into_int(x, IntDType::I64);
            let steps = S::int_clamp(steps, Scalar::Int(-2), Scalar::Int(2));
            S::float_mul_scalar(S::int_into_float(steps, dtype), Scalar::Float(0.4))
        }
    }
}

/// A decision for each channel.
fn per_channel(x: &T, random: &mut Random) -> T {
    let c = x.shape()[1];
    let shares = decision(x, random);
    let shares = S::float_mean_dim(S::float_mean_dim(S::float_mean_dim(shares, 3), 2), 0);
    S::float_reshape(shares, vec![c].into())
}

/// A layer into which a decision enters as data; what each is, [`decided_layer`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decided {
    Moved,
    Concat,
    SliceAssign,
    MaskWhere,
    MaskFill,
    SelectAssign,
    Scatter,
    Arithmetic,
    Divide,
    Matmul,
    Kernel,
    Bias,
    BatchNorm,
    BatchNormOfConstant,
    Prelu,
    Pointed,
    Grid,
    DeformConv,
    AttentionBias,
}

/// A layer; what each is, [`layer`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Relu,
    LeakyRelu,
    Tanh,
    Sigmoid,
    Clamp,
    Prelu,
    Conv,
    TransposedConv,
    MaxPool,
    AvgPool,
    BatchNorm,
    Branch,
    ConcatAbs,
    Pad,
    Interpolate,
    Matmul,
    Best,
    Cumulative,
    Sort,
    Gather,
    SelectAssign,
    Unfold4d,
    Windows,
    GridSample,
    DeformConv,
    SqueezedKernel,
    SqueezedSlope,
    Attention,
    AdaptivePool,
    Resample,
    MaskWhere,
    Decided(Decided),
}

/// The simplest first: shrinking goes that way. Convolutions are twice as frequent.
const LAYERS: [Layer; 32] = [
    Layer::Relu,
    Layer::LeakyRelu,
    Layer::Tanh,
    Layer::Sigmoid,
    Layer::Clamp,
    Layer::Prelu,
    Layer::Conv,
    Layer::Conv,
    Layer::TransposedConv,
    Layer::MaxPool,
    Layer::AvgPool,
    Layer::BatchNorm,
    Layer::Branch,
    Layer::ConcatAbs,
    Layer::Pad,
    Layer::Interpolate,
    Layer::Matmul,
    Layer::Best,
    Layer::Cumulative,
    Layer::Sort,
    Layer::Gather,
    Layer::SelectAssign,
    Layer::Unfold4d,
    Layer::Windows,
    Layer::GridSample,
    Layer::DeformConv,
    Layer::SqueezedKernel,
    Layer::SqueezedSlope,
    Layer::Attention,
    Layer::AdaptivePool,
    Layer::Resample,
    Layer::MaskWhere,
];

const DECIDED: [Decided; 19] = [
    Decided::Moved,
    Decided::Concat,
    Decided::SliceAssign,
    Decided::MaskWhere,
    Decided::MaskFill,
    Decided::SelectAssign,
    Decided::Scatter,
    Decided::Arithmetic,
    Decided::Divide,
    Decided::Matmul,
    Decided::Kernel,
    Decided::Bias,
    Decided::BatchNorm,
    Decided::BatchNormOfConstant,
    Decided::Prelu,
    Decided::Pointed,
    Decided::Grid,
    Decided::DeformConv,
    Decided::AttentionBias,
];

/// One random layer on `[n, c, h, w]` into which a decision enters as data.
fn decided_layer(kind: Decided, x: T, random: &mut Random) -> T {
    let [n, c, h, w] = x.shape().dims();
    let shape = x.shape();
    let dtype: FloatDType = x.dtype().into();
    let weight = |random: &mut Random, shape: &[usize]| S::float_cast(weight(random, shape), dtype);
    let one = Scalar::Float(1.0);
    let best = |x: &T| S::float_argmax(x.clone(), 3, IntDType::I64);
    match kind {
        Decided::Concat if c < 6 => {
            let decided = decision(&x, random);
            let parts = [vec![x.clone(), decided.clone()], vec![decided, x]];
            S::float_cat(parts[random.below(2)].clone(), 1)
        }
        Decided::SliceAssign => {
            let decided = decision(&x, random);
            let rows = [0..n, 0..c, 0..1, 0..w].map(Slice::from);
            let part = S::float_slice(decided.clone(), &rows);
            match random.below(2) {
                0 => S::float_slice_assign(x, &rows, part),
                _ => S::float_slice_assign(decided, &rows, S::float_slice(x, &rows)),
            }
        }
        Decided::MaskWhere => {
            let third: Vec<bool> = (0..shape.num_elements()).map(|i| i % 3 == 0).collect();
            let mask = S::bool_from_data(TensorData::new(third, shape), &FlexDevice);
            let decided = decision(&x, random);
            match random.below(2) {
                0 => S::float_mask_where(x, mask, decided),
                _ => S::float_mask_where(decided, mask, x),
            }
        }
        Decided::MaskFill => {
            let decided = decision(&x, random);
            let mask = S::float_greater_elem(decided, Scalar::Float(0.2), BoolDType::Native);
            S::float_mask_fill(x, mask, Scalar::Float(0.3))
        }
        Decided::SelectAssign => {
            let update = [IndexingUpdateOp::Add, IndexingUpdateOp::Assign][random.below(2)];
            let at = ints(&[(h - 1) as i64], &[1]);
            let (decided, row) = (
                decision(&x, random),
                [0..n, 0..c, 0..1, 0..w].map(Slice::from),
            );
            match random.below(2) {
                0 => S::float_select_assign(x, 2, at, S::float_slice(decided, &row), update),
                _ => S::float_select_assign(decided, 2, at, S::float_slice(x, &row), update),
            }
        }
        Decided::Scatter => {
            let (at, decided) = (best(&x), decision(&x, random));
            let column = [0..n, 0..c, 0..h, 0..1].map(Slice::from);
            let value = S::float_slice(decided, &column);
            S::float_scatter(3, x, at, value, IndexingUpdateOp::Add)
        }
        Decided::Arithmetic => {
            let decided = decision(&x, random);
            match random.below(3) {
                0 => S::float_add(x, decided),
                1 => S::float_sub(decided, x),
                _ => S::float_mul(S::float_add_scalar(decided, Scalar::Float(0.5)), x),
            }
        }
        Decided::Divide => {
            let size = S::float_abs(decision(&x, random));
            S::float_div(x, S::float_add_scalar(size, one))
        }
        Decided::Matmul if h == w => {
            let decided = decision(&x, random);
            match random.below(2) {
                0 => S::float_matmul(x, decided),
                _ => S::float_matmul(decided, x),
            }
        }
        Decided::Kernel => {
            let (out, pooled) = (1 + random.below(3), per_channel(&x, random));
            let kernel = weight(random, &[out, c, 1, 1]);
            let kernel = S::float_mul(kernel, pooled.reshaped([1, c, 1, 1]));
            S::conv2d(x, kernel, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
        }
        Decided::Bias => {
            let (kernel, bias) = (weight(random, &[c, c, 1, 1]), per_channel(&x, random));
            let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
            S::conv2d(x, kernel, Some(bias), options)
        }
        Decided::BatchNorm => {
            // Each parameter a weight or a decision.
            let mut parameters = [(); 4].map(|()| match random.below(2) {
                0 => weight(random, &[c]),
                _ => per_channel(&x, random),
            });
            let variance = S::float_abs(parameters[3].clone());
            parameters[3] = S::float_add_scalar(variance, one);
            let [gamma, beta, mean, variance] = parameters;
            S::batch_norm(x, gamma, beta, mean, variance, 1e-5)
        }
        Decided::BatchNormOfConstant => {
            // The same of a constant picture.
            let picture = weight(random, &[1, c, h, w]);
            let (gamma, beta) = (per_channel(&x, random), per_channel(&x, random));
            let [mean, variance] = [(); 2].map(|()| weight(random, &[c]));
            let variance = S::float_add_scalar(S::float_abs(variance), one);
            let y = S::batch_norm(picture, gamma, beta, mean, variance, 1e-5);
            S::float_add(x, y)
        }
        Decided::Prelu => {
            let slope = S::float_mul_scalar(per_channel(&x, random), Scalar::Float(0.5));
            match random.below(2) {
                0 => S::prelu(x, slope.reshaped([1, c, 1, 1])),
                _ => {
                    let decided = S::float_sub_scalar(decision(&x, random), Scalar::Float(0.25));
                    S::prelu(decided, x)
                }
            }
        }
        Decided::Pointed => match random.below(3) {
            0 => S::float_sub(x.clone(), S::float_gather(3, x.clone(), best(&x))),
            1 => {
                let at = S::int_reshape(best(&x), vec![n * c * h].into());
                let kept = 1 + random.below(w.min(n * c * h));
                let at = S::int_slice(at, &[Slice::from(0..kept)]);
                S::float_select(x, 3, at)
            }
            _ => {
                let table = weight(random, &[n, c, h, w]);
                S::float_add(x.clone(), S::float_gather(3, table, best(&x)))
            }
        },
        Decided::Grid => {
            let still = S::float_mul_scalar(weight(random, &[n, h, w, 2]), Scalar::Float(0.5));
            let moved = S::float_mean_dim(decision(&x, random), 1).reshaped([n, h, w, 1]);
            let moved = S::float_mul_scalar(moved, Scalar::Float(0.3));
            S::float_grid_sample_2d(x, S::float_add(still, moved), GridSampleOptions::default())
        }
        Decided::DeformConv if h > 1 && w > 1 => {
            let cells = [0..n, 0..1, 0..h - 1, 0..w - 1].map(Slice::from);
            let lit = S::float_slice(decision(&x, random), &cells);
            let offset = S::float_mul_scalar(lit.clone(), Scalar::Float(0.3));
            let offset = S::float_repeat_dim(offset, 1, 8);
            let share = S::float_add_scalar(S::float_repeat_dim(lit, 1, 4), Scalar::Float(0.5));
            let kernel = weight(random, &[2, c, 2, 2]);
            let kernel = S::float_mul(kernel, per_channel(&x, random).reshaped([1, c, 1, 1]));
            let bias = S::float_mean_dim(per_channel(&x, random), 0);
            let bias = S::float_repeat_dim(bias, 0, 2);
            let options = DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1);
            S::deform_conv2d(x, offset, kernel, Some(share), Some(bias), options)
        }
        Decided::AttentionBias => {
            // Pixels attend to pixels, to some more than to others.
            let flat = S::float_reshape(x.clone(), vec![n, c, h * w, 1].into());
            let bias = S::float_reshape(decision(&x, random), vec![n, c, 1, h * w].into());
            let bias = S::float_expand(bias, vec![n, c, h * w, h * w].into());
            let options = AttentionModuleOptions::default();
            let seen = S::attention(flat.clone(), flat.clone(), flat, None, Some(bias), options);
            S::float_reshape(seen, shape)
        }
        // Also in place of one that does not fit this size.
        _ => {
            // A decision that is moved and bent first.
            let decided = S::float_permute(decision(&x, random), &[0, 1, 3, 2]);
            let decided = S::float_pad(decided, &[(0, 0), (0, 0), (1, 0), (0, 0)], PadMode::Edge);
            let decided = S::float_cumsum(S::float_tanh(decided), 3);
            let mean = S::float_mean_dim(S::float_mean_dim(decided, 3), 2);
            S::float_add(x, mean)
        }
    }
}

/// One random layer on `[n, c, h, w]`.
fn layer(kind: Layer, x: T, random: &mut Random) -> T {
    let [n, c, h, w] = x.shape().dims();
    let dtype = x.dtype().into();
    let weight = |random: &mut Random, shape: &[usize]| S::float_cast(weight(random, shape), dtype);
    match kind {
        Layer::Decided(kind) => decided_layer(kind, x, random),
        Layer::Conv => {
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
        Layer::TransposedConv if h * w < 60 => {
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
        Layer::Relu => S::relu(x),
        Layer::LeakyRelu => S::leaky_relu(x, Scalar::Float(0.2)),
        Layer::Tanh => S::float_tanh(x),
        Layer::Sigmoid => S::sigmoid(x),
        Layer::Prelu => {
            let alpha = weight(random, &[1, c, 1, 1]);
            S::prelu(x, alpha)
        }
        Layer::MaxPool if h > 2 && w > 2 => S::max_pool2d(x, [2, 2], [1, 2], [0, 1], [1, 1], false),
        Layer::AvgPool if h > 1 && w > 1 => {
            S::avg_pool2d(x, [2, 2], [1, 1], [1, 0], random.below(2) == 0, false)
        }
        Layer::BatchNorm => {
            let parameters = [(); 3].map(|()| weight(random, &[c]));
            let variance = S::float_cast(constant(&vec![1.5; c], &[c]), dtype);
            let [gamma, beta, mean] = parameters;
            S::batch_norm(x, gamma, beta, mean, variance, 1e-5)
        }
        Layer::Branch => {
            let branch = S::relu(S::float_add(x.clone(), weight(random, &[1, c, 1, 1])));
            S::float_sub(x, branch)
        }
        Layer::ConcatAbs if c < 6 => {
            let other = S::float_mul(x.clone(), weight(random, &[1, c, 1, 1]));
            S::float_cat(vec![x, S::float_abs(other)], 1)
        }
        Layer::Pad if h > 1 && w > 1 && h * w < 60 => {
            let mode = [PadMode::Reflect, PadMode::Edge, PadMode::Constant(0.5)][random.below(3)];
            S::float_pad(x, &[(0, 0), (0, 0), (1, 0), (0, 1)], mode)
        }
        Layer::Interpolate if h * w < 40 => {
            let mode =
                [InterpolateMode::Nearest, InterpolateMode::Bilinear][random.below(2)].clone();
            S::interpolate(x, [h + 2, 2 * w], InterpolateOptions::new(mode))
        }
        Layer::Matmul => {
            let x = S::float_reshape(x, vec![n, c, h * w].into());
            let kernel = weight(random, &[h * w, 6]);
            let x = S::float_matmul(x, S::float_reshape(kernel, vec![1, h * w, 6].into()));
            S::float_reshape(x, vec![n, c, 2, 3].into())
        }
        Layer::Clamp => S::float_clamp(x, Scalar::Float(-0.7), Scalar::Float(0.9)),
        Layer::Best => {
            let best = [S::float_max_dim, S::float_min_dim, S::float_max_abs_dim];
            let best = best[random.below(3)](x.clone(), 1 + random.below(3));
            S::float_sub(x, best)
        }
        Layer::Cumulative => {
            let axis = 1 + random.below(3);
            [S::float_cummax, S::float_cummin][random.below(2)](x, axis)
        }
        Layer::Sort => {
            let axis = 1 + random.below(3);
            let keep = 1 + random.below([c, h, w][axis - 1]);
            match random.below(2) {
                0 => S::float_sort(x, axis, keep == 1),
                _ => S::float_topk(x, axis, keep),
            }
        }
        Layer::Gather => {
            let kept = 1 + random.below(3);
            let at = |i: usize| i * 7 % w;
            let at: Vec<i64> = (0..n * c * h * kept).map(|i| at(i) as i64).collect();
            S::float_gather(3, x, ints(&at, &[n, c, h, kept]))
        }
        Layer::SelectAssign => {
            // The outermost rows, taken off where they were.
            let at = ints(&[(h - 1) as i64, 0], &[2]);
            let rows = S::float_select(x.clone(), 2, at.clone());
            S::float_select_assign(x, 2, at, S::float_neg(rows), IndexingUpdateOp::Add)
        }
        Layer::Unfold4d if h > 1 && w > 1 && c < 3 && h * w < 40 => {
            let options = UnfoldOptions::new([1, 1], [1, 0], [1, 1]);
            let columns = S::unfold4d(x, [2, 2], options.clone());
            match random.below(2) {
                0 => S::fold4d(columns, [h, w], [2, 2], options),
                _ => S::float_reshape(columns, vec![n, 4 * c, h + 1, w - 1].into()),
            }
        }
        Layer::Windows if h > 1 => {
            // Windows of two rows, side by side.
            let windows = S::float_unfold(x, 2, 2, 1);
            S::float_sum_dim(windows, 4).reshaped([n, c, h - 1, w])
        }
        Layer::GridSample => {
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
        Layer::DeformConv if h > 1 && w > 1 => {
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
        Layer::SqueezedKernel => {
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
        Layer::SqueezedSlope => {
            let slope = S::float_mean_dim(x.clone(), 3);
            S::prelu(x, slope)
        }
        Layer::Attention => {
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
        Layer::AdaptivePool => {
            let size = [1 + random.below(h), 1 + random.below(w)];
            S::adaptive_avg_pool2d(x, size)
        }
        Layer::Resample if h * w < 40 => {
            let mode =
                [InterpolateMode::Bicubic, InterpolateMode::Lanczos3][random.below(2)].clone();
            S::interpolate(x, [h + 1, w], InterpolateOptions::new(mode))
        }
        Layer::MaskWhere => {
            let other = S::float_mul_scalar(x.clone(), Scalar::Float(-0.5));
            let lower = S::float_lower(x.clone(), other.clone(), BoolDType::Native);
            S::float_mask_where(x, lower, other)
        }
        // One that does not fit this size.
        _ => S::float_mul_scalar(x, Scalar::Float(1.25)),
    }
}

/// A random network. It shrinks to fewer and simpler layers and a smaller picture: each layer has a seed of
/// its own, so that it stays what it is when others go.
#[derive(Clone, Debug)]
struct Recipe {
    shape: [usize; 4],
    rules: Pointwise,
    layers: Vec<(Layer, u64)>,
    /// Of x₀.
    seed: u64,
}

impl Recipe {
    /// Up to nine layers, one of three with a decision as data.
    fn any() -> impl Strategy<Value = Self> {
        let layer = prop_oneof![
            2 => select(&LAYERS[..]),
            1 => select(&DECIDED[..]).prop_map(Layer::Decided),
        ];
        let layers = vec((layer, 0..1000u64), 0..=9);
        let shape = [1..=2usize, 1..=3, 2..=6, 2..=6];
        let rules = select(&[Pointwise::Secant, Pointwise::Taylor][..]);
        (shape, rules, layers, 0..1000u64).prop_map(|(shape, rules, layers, seed)| Self {
            shape,
            rules,
            layers,
            seed,
        })
    }

    fn x0(&self) -> Vec<f64> {
        Random(self.seed).vector(self.shape.iter().product())
    }

    fn network(&self, x: T) -> T {
        let layers = self.layers.iter();
        layers.fold(x, |x, (kind, seed)| layer(*kind, x, &mut Random(*seed)))
    }
}

#[test]
fn random_networks_keep_the_promises() {
    every(400, 0, Recipe::any(), |recipe| {
        let network = |x| recipe.network(x);
        let frozen = promised(&recipe.x0(), &recipe.shape, recipe.rules, network)?;
        let (what, mut random) = ("a random network", Random(recipe.seed));
        windows_agree(what, &frozen, &mut random);
        windows_agree(what, &frozen.folded(), &mut random);
        sources_are_carried(what, &frozen, &mut random);
        fields_hold(what, &frozen, &mut random);
        Ok(())
    });
}

/// The same in f32, as the certificate measures: relative to ‖F x₀‖ + ‖r‖, to 1e-4.
#[test]
fn random_networks_in_f32_hold_the_certificate() {
    let allowed = Allowed {
        floor: Floor::Terms,
        ..Allowed::bitwise(1e-4)
    };
    let worst = std::cell::RefCell::new([0f64; 5]);
    every(400, 1, Recipe::any(), |recipe| {
        let text = |error: crate::Error| error.to_string();
        let network = |x: T| {
            let x = S::float_cast(x, FloatDType::F32);
            S::float_cast(recipe.network(x), FloatDType::F64)
        };
        let (x0, rules) = (recipe.x0(), recipe.rules.into());
        let frozen = Frozen::new(&x0, &recipe.shape, recipe.rules, network).map_err(text)?;
        let asked = Asked {
            frozen: &frozen,
            x0: &x0,
            rules: &rules,
            op: network,
        };
        let checks = promises(&asked, &allowed).map_err(text)?;
        for (worst, check) in worst.borrow_mut().iter_mut().zip(&checks) {
            *worst = worst.max(check.error);
        }
        all_hold(&checks)
    });
    println!("worst errors: {:?}", worst.into_inner());
}

/// With a rule broken on purpose, the network that is shown is the smallest that has it: here tanh gives
/// another value where it is traced.
#[test]
fn a_random_network_that_fails_shrinks() {
    let found = smallest(400, 0, Recipe::any(), |recipe| {
        let network = |x: T| {
            let layers = recipe.layers.iter();
            layers.fold(x, |x, (kind, seed)| {
                let broken = *kind == Layer::Tanh && x.tracer().is_some();
                let y = layer(*kind, x, &mut Random(*seed));
                match broken {
                    true => S::float_mul_scalar(y, Scalar::Float(1.001)),
                    false => y,
                }
            })
        };
        promised(&recipe.x0(), &recipe.shape, recipe.rules, network).map(|_| ())
    });
    let (recipe, because) = found.expect_err("some network has a tanh");
    println!("{because}\n{recipe:?}");
    assert!(because.contains("the reference"), "{because}");
    let layers: Vec<Layer> = recipe.layers.iter().map(|(kind, _)| *kind).collect();
    assert_eq!((layers, recipe.shape), (vec![Layer::Tanh], [1, 1, 2, 2]));
}
