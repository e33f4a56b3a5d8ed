//! The slow twins.

use burn_backend::{
    BoolDType, IntDType, Scalar, Shape, Slice, TensorData,
    ops::{
        ActivationOps, BoolTensorOps, ConvOptions, ConvTransposeOptions, FloatTensorOps,
        IntTensorOps, InterpolateMode, InterpolateOptions, ModuleOps, PadMode,
    },
};
use burn_flex::{Flex, FlexDevice};

use super::{Frozen, Random, assert_close, constant, equals_twin, numbers, tensor};
use crate::{Error, LinearScope, Normalisation, Pointwise, RuleSet, ScopeTensor};

type S = LinearScope<Flex>;
type Op = fn(ScopeTensor<Flex>) -> ScopeTensor<Flex>;

fn rules() -> RuleSet {
    RuleSet::default()
}

fn scalar(x: f64) -> Scalar {
    Scalar::Float(x)
}

/// An entrywise twin.
fn each(f: impl Fn(f64, f64) -> f64) -> impl Fn(&[f64], &[f64]) -> Vec<f64> {
    move |x0, x1| x0.iter().zip(x1).map(|(&x0, &x1)| f(x0, x1)).collect()
}

/// A linear twin: the same naive function whatever x₀ is.
fn linear(f: impl Fn(&[f64]) -> Vec<f64>) -> impl Fn(&[f64], &[f64]) -> Vec<f64> {
    move |_, x1| f(x1)
}

#[test]
fn slopes() {
    let shape = [2, 3, 4];
    equals_twin(
        "relu",
        &shape,
        rules(),
        S::relu,
        each(|x0, x1| if x0 > 0.0 { x1 } else { 0.0 }),
    );
    equals_twin(
        "leaky_relu",
        &shape,
        rules(),
        |x| S::leaky_relu(x, scalar(0.1)),
        each(|x0, x1| if x0 > 0.0 { x1 } else { 0.1 * x1 }),
    );
    equals_twin(
        "abs",
        &shape,
        rules(),
        S::float_abs,
        each(|x0, x1| x0.signum() * x1),
    );
    equals_twin(
        "prelu",
        &shape,
        rules(),
        |x| S::prelu(x, constant(&[0.1, -0.2, 0.3], &[1, 3, 1])),
        |x0, x1| {
            let slope = [0.1, -0.2, 0.3];
            (0..24)
                .map(|i| {
                    if x0[i] > 0.0 {
                        x1[i]
                    } else {
                        slope[i / 4 % 3] * x1[i]
                    }
                })
                .collect()
        },
    );
    equals_twin(
        "clamp",
        &shape,
        rules(),
        |x| S::float_clamp(x, scalar(-1.0), scalar(0.5)),
        each(|x0, x1| {
            if x0 < -1.0 {
                -1.0
            } else if x0 > 0.5 {
                0.5
            } else {
                x1
            }
        }),
    );
    equals_twin(
        "clamp_min",
        &shape,
        rules(),
        |x| S::float_clamp_min(x, scalar(0.2)),
        each(|x0, x1| if x0 < 0.2 { 0.2 } else { x1 }),
    );
    equals_twin(
        "clamp_max",
        &shape,
        rules(),
        |x| S::float_clamp_max(x, scalar(0.2)),
        each(|x0, x1| if x0 > 0.2 { 0.2 } else { x1 }),
    );
}

/// At a kink the left slope counts, and the value is exact.
#[test]
fn kinks_take_the_left_slope() {
    let at_zero = |op: Op| {
        let frozen = Frozen::new(&[0.0], &[1], rules(), op).expect("freezes");
        (
            frozen.apply(&[1.0], false)[0],
            frozen.apply(&[0.0], true)[0],
        )
    };
    assert_eq!(at_zero(S::relu), (0.0, 0.0));
    assert_eq!(at_zero(S::float_abs), (-1.0, 0.0));
    assert_eq!(
        at_zero(|x| S::leaky_relu(x, Scalar::Float(0.1))),
        (0.1, 0.0)
    );
}

#[test]
fn smooth_units() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let taylor = RuleSet {
        pointwise: Pointwise::Taylor,
        ..rules()
    };
    equals_twin(
        "tanh secant",
        &[7],
        rules(),
        S::float_tanh,
        each(|x0, x1| x0.tanh() / x0 * x1),
    );
    equals_twin(
        "tanh taylor",
        &[7],
        taylor,
        S::float_tanh,
        each(|x0, x1| x0.tanh() + (1.0 - x0.tanh().powi(2)) * (x1 - x0)),
    );
    equals_twin(
        "sigmoid secant",
        &[7],
        rules(),
        S::sigmoid,
        each(move |x0, x1| 0.5 + (sigmoid(x0) - 0.5) / x0 * x1),
    );
    equals_twin(
        "sigmoid taylor",
        &[7],
        taylor,
        S::sigmoid,
        each(move |x0, x1| {
            let y = sigmoid(x0);
            y + y * (1.0 - y) * (x1 - x0)
        }),
    );
}

/// Gains in f32 against f64 for |x₀| from 1e-8 to 30: neither exactness nor the adjoint sees a
/// bad one. And x₀ = 0 gives h′(0).
#[test]
fn gains_are_accurate_in_f32() {
    let gain = |op: Op, x0: f64, dtype| {
        let data = TensorData::new(vec![x0], [1]).convert_dtype(dtype);
        let scope = crate::scope::Scope::paired(rules(), false);
        let one = TensorData::new(vec![1.0], [1, 1]).convert_dtype(dtype);
        let probe = scope
            .probe(
                Flex::float_from_data(one, &FlexDevice),
                &Shape::from(vec![1]),
            )
            .expect("fits");
        let out = op(ScopeTensor::probed(
            Flex::float_from_data(data, &FlexDevice),
            probe,
        ));
        numbers(out.probe().cloned().unwrap().into_batch().unwrap())[0]
    };
    let ops: [(&str, Op, f64); 2] = [("tanh", S::float_tanh, 1.0), ("sigmoid", S::sigmoid, 0.25)];
    for (name, op, at_zero) in ops {
        assert_eq!(gain(op, 0.0, burn_backend::DType::F32), at_zero);
        for step in 0..400 {
            // Exact in f32, so that both dtypes see the same x₀.
            let x0 = f64::from((1e-8 * (30.0f64 / 1e-8).powf(step as f64 / 399.0)) as f32);
            for x0 in [x0, -x0] {
                let narrow = gain(op, x0, burn_backend::DType::F32);
                let wide = gain(op, x0, burn_backend::DType::F64);
                assert!(
                    (narrow - wide).abs() <= 4e-7 * wide.abs(),
                    "{name} at {x0:e}: f32 gain {narrow}, f64 gain {wide}"
                );
            }
        }
    }
}

#[test]
fn arithmetic_with_constants() {
    let c = [0.5, -2.0, 3.0];
    let shape = [2, 3];
    let with = move |f: fn(ScopeTensor<Flex>, ScopeTensor<Flex>) -> ScopeTensor<Flex>| {
        move |x| f(x, constant(&c, &[1, 3]))
    };
    let after = move |f: fn(ScopeTensor<Flex>, ScopeTensor<Flex>) -> ScopeTensor<Flex>| {
        move |x| f(constant(&c, &[1, 3]), x)
    };
    let entry =
        move |f: fn(f64, f64) -> f64| linear(move |x| (0..6).map(|i| f(x[i], c[i % 3])).collect());
    equals_twin(
        "x + c",
        &shape,
        rules(),
        with(S::float_add),
        entry(|x, c| x + c),
    );
    equals_twin(
        "x - c",
        &shape,
        rules(),
        with(S::float_sub),
        entry(|x, c| x - c),
    );
    equals_twin(
        "c - x",
        &shape,
        rules(),
        after(S::float_sub),
        entry(|x, c| c - x),
    );
    equals_twin(
        "x · c",
        &shape,
        rules(),
        with(S::float_mul),
        entry(|x, c| x * c),
    );
    equals_twin(
        "c · x",
        &shape,
        rules(),
        after(S::float_mul),
        entry(|x, c| x * c),
    );
    equals_twin(
        "x / c",
        &shape,
        rules(),
        with(S::float_div),
        entry(|x, c| x / c),
    );
    equals_twin("-x", &shape, rules(), S::float_neg, entry(|x, _| -x));
    equals_twin(
        "x + 2",
        &shape,
        rules(),
        |x| S::float_add_scalar(x, scalar(2.0)),
        entry(|x, _| x + 2.0),
    );
    equals_twin(
        "x - 2",
        &shape,
        rules(),
        |x| S::float_sub_scalar(x, scalar(2.0)),
        entry(|x, _| x - 2.0),
    );
    equals_twin(
        "2 x",
        &shape,
        rules(),
        |x| S::float_mul_scalar(x, scalar(2.0)),
        entry(|x, _| 2.0 * x),
    );
    equals_twin(
        "x / 3",
        &shape,
        rules(),
        |x| S::float_div_scalar(x, scalar(3.0)),
        entry(|x, _| x / 3.0),
    );
    // A probed row broadcast against a constant column, and against itself doubled.
    equals_twin(
        "broadcast",
        &[1, 3],
        rules(),
        |x| S::float_add(x, constant(&[1.0, 2.0], &[2, 1])),
        linear(|x| (0..6).map(|i| x[i % 3] + [1.0, 2.0][i / 3]).collect()),
    );
    equals_twin(
        "x + x",
        &shape,
        rules(),
        |x| S::float_add(x.clone(), x),
        entry(|x, _| 2.0 * x),
    );
    equals_twin(
        "x - x",
        &shape,
        rules(),
        |x| S::float_sub(x.clone(), x),
        entry(|_, _| 0.0),
    );
}

#[test]
fn matrix_products() {
    let w: Vec<f64> = Random(3).vector(12);
    let product = |a: &[f64], b: &[f64], m: usize, p: usize, q: usize| -> Vec<f64> {
        (0..m * q)
            .map(|i| (0..p).map(|j| a[i / q * p + j] * b[j * q + i % q]).sum())
            .collect()
    };
    let (right, left) = (w.clone(), w.clone());
    equals_twin(
        "x W",
        &[2, 3],
        rules(),
        move |x| S::float_matmul(x, constant(&right, &[3, 4])),
        linear(|x| product(x, &w, 2, 3, 4)),
    );
    equals_twin(
        "W x",
        &[3, 2],
        rules(),
        move |x| S::float_matmul(constant(&left, &[4, 3]), x),
        linear(|x| product(&w, x, 4, 3, 2)),
    );
    let batched = w.clone();
    equals_twin(
        "batched x W",
        &[2, 2, 3],
        rules(),
        move |x| S::float_matmul(x, constant(&batched, &[2, 3, 2])),
        linear(|x| {
            [0, 1]
                .iter()
                .flat_map(|&b| product(&x[b * 6..b * 6 + 6], &w[b * 6..b * 6 + 6], 2, 3, 2))
                .collect()
        }),
    );
}

/// Position in a C-order `[n, c, h, w]`.
fn at([_, c, h, w]: [usize; 4], n: usize, ch: usize, y: usize, x: usize) -> usize {
    ((n * c + ch) * h + y) * w + x
}

/// Naive convolution; `x` is `[n, c, h, w]`, the weight `[o, c/groups, kh, kw]`.
#[allow(clippy::too_many_arguments)]
fn naive_conv(
    x: &[f64],
    xs: [usize; 4],
    w: &[f64],
    ws: [usize; 4],
    bias: &[f64],
    stride: [usize; 2],
    pad: [(usize, usize); 2],
    dilation: [usize; 2],
    groups: usize,
) -> Vec<f64> {
    let out = |i: usize, k: usize| {
        (xs[2 + i] + pad[i].0 + pad[i].1 - dilation[i] * (k - 1) - 1) / stride[i] + 1
    };
    let (oh, ow) = (out(0, ws[2]), out(1, ws[3]));
    let mut y = Vec::new();
    for n in 0..xs[0] {
        for o in 0..ws[0] {
            for i in 0..oh {
                for j in 0..ow {
                    let mut sum = bias[o];
                    for c in 0..ws[1] {
                        let channel = o / (ws[0] / groups) * ws[1] + c;
                        for u in 0..ws[2] {
                            for v in 0..ws[3] {
                                let row = (i * stride[0] + u * dilation[0]).wrapping_sub(pad[0].0);
                                let col = (j * stride[1] + v * dilation[1]).wrapping_sub(pad[1].0);
                                if row < xs[2] && col < xs[3] {
                                    sum += w[at(ws, o, c, u, v)] * x[at(xs, n, channel, row, col)];
                                }
                            }
                        }
                    }
                    y.push(sum);
                }
            }
        }
    }
    y
}

#[test]
fn convolutions() {
    let cases = [
        (
            [1, 2, 5, 6],
            [3, 2, 3, 3],
            [1, 1],
            [(1, 1), (1, 1)],
            [1, 1],
            1,
        ),
        (
            [2, 4, 7, 5],
            [6, 2, 3, 2],
            [2, 1],
            [(0, 2), (1, 0)],
            [1, 2],
            2,
        ),
        (
            [1, 3, 9, 8],
            [3, 1, 2, 3],
            [3, 2],
            [(0, 0), (2, 1)],
            [2, 1],
            3,
        ),
    ];
    for (xs, ws, stride, padding, dilation, groups) in cases {
        let w = Random(5).vector(ws.iter().product());
        let bias = Random(6).vector(ws[0]);
        let options = ConvOptions {
            stride,
            padding,
            dilation,
            groups,
        };
        let (weight, b) = (w.clone(), bias.clone());
        equals_twin(
            &format!("conv2d {xs:?} {ws:?}"),
            &xs,
            rules(),
            move |x| {
                S::conv2d(
                    x,
                    constant(&weight, &ws),
                    Some(constant(&b, &[ws[0]])),
                    options.clone(),
                )
            },
            linear(|x| naive_conv(x, xs, &w, ws, &bias, stride, padding, dilation, groups)),
        );
    }
}

/// Transposed convolution by its definition: every input cell stamps its kernel.
#[test]
fn transposed_convolutions() {
    let cases = [
        (
            [1, 3, 4, 5],
            [3, 2, 3, 3],
            [2, 2],
            [1, 0],
            [1, 0],
            [1, 1],
            1,
        ),
        (
            [2, 4, 3, 3],
            [4, 1, 2, 3],
            [1, 3],
            [0, 1],
            [0, 2],
            [2, 1],
            2,
        ),
    ];
    for (xs, ws, stride, padding, padding_out, dilation, groups) in cases {
        let size = |i: usize| {
            (xs[2 + i] - 1) * stride[i] + dilation[i] * (ws[2 + i] - 1) + 1 + padding_out[i]
                - 2 * padding[i]
        };
        let channels = ws[1] * groups;
        let ys = [xs[0], channels, size(0), size(1)];
        let w = Random(5).vector(ws.iter().product());
        let options = ConvTransposeOptions {
            stride,
            padding,
            padding_out,
            dilation,
            groups,
        };
        let weight = w.clone();
        equals_twin(
            &format!("conv_transpose2d {xs:?} {ws:?}"),
            &xs,
            rules(),
            move |x| S::conv_transpose2d(x, constant(&weight, &ws), None, options.clone()),
            linear(|x| {
                let mut y = vec![0.0; ys.iter().product()];
                for n in 0..xs[0] {
                    for c in 0..xs[1] {
                        for o in 0..ws[1] {
                            for i in 0..xs[2] * xs[3] * ws[2] * ws[3] {
                                let (v, u) = (i % ws[3], i / ws[3] % ws[2]);
                                let (q, p) =
                                    (i / (ws[3] * ws[2]) % xs[3], i / (ws[3] * ws[2] * xs[3]));
                                let row =
                                    (p * stride[0] + u * dilation[0]).wrapping_sub(padding[0]);
                                let col =
                                    (q * stride[1] + v * dilation[1]).wrapping_sub(padding[1]);
                                if row < ys[2] && col < ys[3] {
                                    let channel = c / (xs[1] / groups) * ws[1] + o;
                                    y[at(ys, n, channel, row, col)] +=
                                        w[at(ws, c, o, u, v)] * x[at(xs, n, c, p, q)];
                                }
                            }
                        }
                    }
                }
                y
            }),
        );
    }
}

/// Windows of a pool over `[n, c, h, w]`: for each output cell its input positions.
fn windows(
    xs: [usize; 4],
    kernel: [usize; 2],
    stride: [usize; 2],
    pad: [usize; 2],
) -> Vec<Vec<usize>> {
    let out = |i: usize| (xs[2 + i] + 2 * pad[i] - kernel[i]) / stride[i] + 1;
    let mut all = Vec::new();
    for plane in 0..xs[0] * xs[1] {
        for i in 0..out(0) {
            for j in 0..out(1) {
                let mut window = Vec::new();
                for u in 0..kernel[0] {
                    for v in 0..kernel[1] {
                        let row = (i * stride[0] + u).wrapping_sub(pad[0]);
                        let col = (j * stride[1] + v).wrapping_sub(pad[1]);
                        if row < xs[2] && col < xs[3] {
                            window.push((plane * xs[2] + row) * xs[3] + col);
                        }
                    }
                }
                all.push(window);
            }
        }
    }
    all
}

#[test]
fn pools() {
    let xs = [2, 3, 6, 7];
    let (kernel, stride, pad) = ([3, 2], [2, 1], [1, 1]);
    equals_twin(
        "max_pool2d",
        &xs,
        rules(),
        |x| S::max_pool2d(x, kernel, stride, pad, [1, 1], false),
        |x0, x1| {
            windows(xs, kernel, stride, pad)
                .iter()
                .map(|window| {
                    let best = window
                        .iter()
                        .copied()
                        .reduce(|a, b| if x0[b] > x0[a] { b } else { a });
                    x1[best.unwrap()]
                })
                .collect()
        },
    );
    for include in [true, false] {
        equals_twin(
            &format!("avg_pool2d, count_include_pad {include}"),
            &xs,
            rules(),
            |x| S::avg_pool2d(x, kernel, stride, pad, include, false),
            linear(|x| {
                windows(xs, kernel, stride, pad)
                    .iter()
                    .map(|window| {
                        let count = if include { 6 } else { window.len() };
                        window.iter().map(|&i| x[i]).sum::<f64>() / count as f64
                    })
                    .collect()
            }),
        );
    }
    equals_twin(
        "adaptive_avg_pool2d",
        &xs,
        rules(),
        |x| S::adaptive_avg_pool2d(x, [1, 1]),
        linear(|x| {
            x.chunks(42)
                .map(|plane| plane.iter().sum::<f64>() / 42.0)
                .collect()
        }),
    );
}

/// Ties: the first cell of the window wins, the same in every run.
#[test]
fn max_pool_ties_go_to_the_first_cell() {
    let frozen = Frozen::new(&[5.0; 4], &[1, 1, 2, 2], rules(), |x| {
        S::max_pool2d(x, [2, 2], [2, 2], [0, 0], [1, 1], false)
    })
    .expect("freezes");
    assert_eq!(frozen.adjoint(&[1.0]), [1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn norms() {
    let xs = [2, 3, 2, 2];
    let (g, b, m, v) = (
        [1.5, -0.5, 2.0],
        [0.1, 0.2, 0.3],
        [0.5, -1.0, 0.0],
        [1.0, 4.0, 0.25],
    );
    equals_twin(
        "batch_norm",
        &xs,
        rules(),
        |x| {
            let [g, b, m, v] = [g, b, m, v].map(|p| constant(&p, &[3]));
            S::batch_norm(x, g, b, m, v, 1e-3)
        },
        linear(|x| {
            (0..24)
                .map(|i| {
                    let c = i / 4 % 3;
                    g[c] * (x[i] - m[c]) / (v[c] + 1e-3f64).sqrt() + b[c]
                })
                .collect()
        }),
    );
    let stats = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let var = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
        (mean, (var + 1e-3).sqrt())
    };
    let layer_norm = |x| S::layer_norm(x, constant(&g, &[3]), Some(constant(&b, &[3])), 1e-3);
    equals_twin("layer_norm", &[4, 3], rules(), layer_norm, |x0, x1| {
        (0..12)
            .map(|i| {
                let (mean, std) = stats(&x0[i / 3 * 3..i / 3 * 3 + 3]);
                g[i % 3] * (x1[i] - mean) / std + b[i % 3]
            })
            .collect()
    });
    let std_only = RuleSet {
        normalisation: Normalisation::StdOnly,
        ..rules()
    };
    equals_twin(
        "layer_norm, std only",
        &[4, 3],
        std_only,
        layer_norm,
        |x0, x1| {
            (0..12)
                .map(|i| {
                    let row = i / 3 * 3..i / 3 * 3 + 3;
                    let (_, std) = stats(&x0[row.clone()]);
                    let (mean, _) = stats(&x1[row]);
                    g[i % 3] * (x1[i] - mean) / std + b[i % 3]
                })
                .collect()
        },
    );
}

#[test]
fn shapes() {
    let xs = [2, 3, 4];
    let index = |i: usize, j: usize, k: usize| (i * 3 + j) * 4 + k;
    equals_twin(
        "reshape",
        &xs,
        rules(),
        |x| S::float_reshape(x, [6, 4].into()),
        linear(<[f64]>::to_vec),
    );
    equals_twin(
        "permute",
        &xs,
        rules(),
        |x| S::float_permute(x, &[2, 0, 1]),
        linear(|x| (0..24).map(|o| x[index(o / 3 % 2, o % 3, o / 6)]).collect()),
    );
    equals_twin(
        "swap_dims",
        &xs,
        rules(),
        |x| S::float_swap_dims(x, 0, 2),
        linear(|x| (0..24).map(|o| x[index(o % 2, o / 2 % 3, o / 6)]).collect()),
    );
    equals_twin(
        "flip",
        &xs,
        rules(),
        |x| S::float_flip(x, &[0, 2]),
        linear(|x| {
            (0..24)
                .map(|o| x[index(1 - o / 12, o / 4 % 3, 3 - o % 4)])
                .collect()
        }),
    );
    equals_twin(
        "slice with a step",
        &xs,
        rules(),
        |x| {
            S::float_slice(
                x,
                &[
                    Slice::from(0..2),
                    Slice::from(1..3),
                    Slice::new(0, Some(4), 2),
                ],
            )
        },
        linear(|x| {
            (0..8)
                .map(|o| x[index(o / 4, 1 + o / 2 % 2, o % 2 * 2)])
                .collect()
        }),
    );
    equals_twin(
        "expand to a higher rank",
        &[3, 1],
        rules(),
        |x| S::float_expand(x, [2, 3, 4].into()),
        linear(|x| (0..24).map(|o| x[o / 4 % 3]).collect()),
    );
    equals_twin(
        "repeat_dim",
        &[2, 3],
        rules(),
        |x| S::float_repeat_dim(x, 1, 2),
        linear(|x| (0..12).map(|o| x[o / 6 * 3 + o % 3]).collect()),
    );
    equals_twin(
        "cat",
        &[2, 2],
        rules(),
        |x| {
            let c = constant(&[7.0, 8.0], &[2, 1]);
            S::float_cat(vec![c, x.clone(), S::float_neg(x)], 1)
        },
        linear(|x| vec![7.0, x[0], x[1], -x[0], -x[1], 8.0, x[2], x[3], -x[2], -x[3]]),
    );
    equals_twin(
        "slice_assign a constant",
        &[2, 3],
        rules(),
        |x| {
            S::float_slice_assign(
                x,
                &[Slice::from(0..1), Slice::from(1..3)],
                constant(&[7.0, 8.0], &[1, 2]),
            )
        },
        linear(|x| vec![x[0], 7.0, 8.0, x[3], x[4], x[5]]),
    );
    equals_twin(
        "slice_assign into a constant",
        &[1, 2],
        rules(),
        |x| {
            let c = constant(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
            S::float_slice_assign(c, &[Slice::from(1..2), Slice::from(0..2)], x)
        },
        linear(|x| vec![1.0, 2.0, x[0], x[1]]),
    );
    equals_twin(
        "slice_assign both",
        &[2, 2],
        rules(),
        |x| {
            let top = S::float_slice(x.clone(), &[Slice::from(0..1), Slice::from(0..2)]);
            S::float_slice_assign(x, &[Slice::from(1..2), Slice::from(0..2)], top)
        },
        linear(|x| vec![x[0], x[1], x[0], x[1]]),
    );
}

#[test]
fn paddings() {
    let input = [1, 1, 3, 4];
    let amount = [(0, 0), (0, 0), (2, 1), (1, 2)];
    let padded = |fill: Option<f64>, reflect: bool| {
        move |x: &[f64]| -> Vec<f64> {
            let cell = |i: i64, size: i64| match (reflect, i) {
                _ if (0..size).contains(&i) => Some(i),
                _ if fill.is_some() => None,
                (true, i) if i < 0 => Some(-i),
                (true, i) => Some(2 * (size - 1) - i),
                (false, i) => Some(i.clamp(0, size - 1)),
            };
            let mut y = Vec::new();
            for i in -2..4 {
                for j in -1..6 {
                    y.push(match (cell(i, 3), cell(j, 4)) {
                        (Some(i), Some(j)) => x[(i * 4 + j) as usize],
                        _ => fill.unwrap(),
                    });
                }
            }
            y
        }
    };
    let pad = |mode: fn() -> PadMode| move |x| S::float_pad(x, &amount, mode());
    equals_twin(
        "pad 0",
        &input,
        rules(),
        pad(|| PadMode::Constant(0.0)),
        linear(padded(Some(0.0), false)),
    );
    equals_twin(
        "pad 2",
        &input,
        rules(),
        pad(|| PadMode::Constant(2.0)),
        linear(padded(Some(2.0), false)),
    );
    equals_twin(
        "pad reflect",
        &input,
        rules(),
        pad(|| PadMode::Reflect),
        linear(padded(None, true)),
    );
    equals_twin(
        "pad edge",
        &input,
        rules(),
        pad(|| PadMode::Edge),
        linear(padded(None, false)),
    );
}

#[test]
fn selections() {
    let indices = |values: &[i64]| {
        S::int_cast(
            S::int_from_data(
                TensorData::new(values.to_vec(), [values.len()]),
                &FlexDevice,
            ),
            IntDType::I32,
        )
    };
    equals_twin(
        "select with repeats",
        &[2, 3],
        rules(),
        move |x| S::float_select(x, 1, indices(&[2, 0, 2])),
        linear(|x| vec![x[2], x[0], x[2], x[5], x[3], x[5]]),
    );
    let mask = || {
        let data = TensorData::new(vec![true, false, false, true], [4]);
        S::bool_from_data(data, &FlexDevice)
    };
    equals_twin(
        "mask_fill",
        &[4],
        rules(),
        move |x| S::float_mask_fill(x, mask(), scalar(9.0)),
        linear(|x| vec![9.0, x[1], x[2], 9.0]),
    );
    equals_twin(
        "mask_where",
        &[4],
        rules(),
        move |x| S::float_mask_where(S::float_neg(x.clone()), mask(), x),
        linear(|x| vec![x[0], -x[1], -x[2], x[3]]),
    );
    equals_twin(
        "mask_where with a constant",
        &[4],
        rules(),
        move |x| S::float_mask_where(x, mask(), constant(&[1.0, 2.0, 3.0, 4.0], &[4])),
        linear(|x| vec![1.0, x[1], x[2], 4.0]),
    );
    // A mask read from x₀ is a decision: max(x, c) written out.
    equals_twin(
        "a mask from x₀",
        &[4],
        rules(),
        |x| {
            let below = S::float_lower_elem(x.clone(), scalar(0.5), BoolDType::Native);
            S::float_mask_fill(x, below, scalar(0.5))
        },
        each(|x0, x1| if x0 < 0.5 { 0.5 } else { x1 }),
    );
}

#[test]
fn reductions() {
    let xs = [2, 3, 2];
    equals_twin(
        "sum",
        &xs,
        rules(),
        S::float_sum,
        linear(|x| vec![x.iter().sum()]),
    );
    equals_twin(
        "mean",
        &xs,
        rules(),
        S::float_mean,
        linear(|x| vec![x.iter().sum::<f64>() / 12.0]),
    );
    let over_middle = |x: &[f64]| -> Vec<f64> {
        (0..4)
            .map(|o| (0..3).map(|j| x[o / 2 * 6 + j * 2 + o % 2]).sum())
            .collect()
    };
    equals_twin(
        "sum_dim",
        &xs,
        rules(),
        |x| S::float_sum_dim(x, 1),
        linear(over_middle),
    );
    equals_twin(
        "mean_dim",
        &xs,
        rules(),
        |x| S::float_mean_dim(x, 1),
        linear(move |x| over_middle(x).iter().map(|v| v / 3.0).collect()),
    );
    equals_twin(
        "sum_dims",
        &xs,
        rules(),
        |x| S::float_sum_dims(x, &[0, 2]),
        linear(|x| {
            (0..3)
                .map(|j| [0, 1, 6, 7].iter().map(|o| x[o + 2 * j]).sum())
                .collect()
        }),
    );
    equals_twin(
        "cumsum",
        &[2, 3],
        rules(),
        |x| S::float_cumsum(x, 1),
        linear(|x| {
            vec![
                x[0],
                x[0] + x[1],
                x[0] + x[1] + x[2],
                x[3],
                x[3] + x[4],
                x[3] + x[4] + x[5],
            ]
        }),
    );
}

/// Interpolation is Burn's own forwards; the twin is Burn's kernel on the bare backend, and the
/// adjoint is held to it by `keeps_promises`.
#[test]
fn interpolations() {
    for mode in [
        InterpolateMode::Nearest,
        InterpolateMode::Bilinear,
        InterpolateMode::Bicubic,
    ] {
        for align_corners in [false, true] {
            let options = InterpolateOptions::new(mode.clone()).with_align_corners(align_corners);
            let (op, twin) = (options.clone(), options.clone());
            equals_twin(
                &format!("interpolate {mode:?}, align_corners {align_corners}"),
                &[1, 2, 3, 4],
                rules(),
                move |x| S::interpolate(x, [7, 5], op.clone()),
                linear(move |x| {
                    numbers(Flex::interpolate(
                        tensor(x, &[1, 2, 3, 4]),
                        [7, 5],
                        twin.clone(),
                    ))
                }),
            );
        }
    }
}

/// Ops without a rule refuse by name, and the error survives everything after it.
#[test]
fn ops_without_a_rule_refuse_by_name() {
    let refused = |op: Op| {
        let frozen = Frozen::new(&[0.5, 1.5], &[2], rules(), |x| S::relu(S::float_neg(op(x))));
        match frozen {
            Err(Error::NoRule { place, shape, .. }) => {
                assert_eq!(shape, [2]);
                place.op
            }
            Err(other) => panic!("another error: {other}"),
            Ok(_) => panic!("not refused"),
        }
    };
    assert_eq!(refused(S::float_exp), "float_exp");
    assert_eq!(refused(S::float_round), "float_round");
    assert_eq!(refused(S::gelu), "gelu");
    assert_eq!(refused(|x| S::softmax(x, 0)), "softmax");
    assert_eq!(refused(|x| S::float_sort(x, 0, true)), "float_sort");
    assert_eq!(refused(|x| S::float_mul(x.clone(), x)), "float_mul");
    assert_eq!(
        refused(|x| S::float_div(ScopeTensor::constant(tensor(&[1.0, 1.0], &[2])), x)),
        "float_div"
    );
    // Reading the data of a probed tensor would hide a dependence.
    let read = Frozen::new(&[0.5], &[1], rules(), |x| {
        let data = burn_backend::read_sync(S::float_into_data(x.clone())).expect("reads");
        assert_eq!(data.num_elements(), 1);
        x
    });
    assert!(matches!(read, Err(Error::DataRead { .. })));
}

/// Tensors of two runs that meet in one op are an error of both.
#[test]
fn scopes_that_meet_are_an_error() {
    let probed = || {
        let scope = crate::scope::Scope::<Flex>::recording(rules());
        let probe = scope.input(0, &Shape::from(vec![2]));
        (scope, ScopeTensor::probed(tensor(&[1.0, 2.0], &[2]), probe))
    };
    let ((a, x), (b, y)) = (probed(), probed());
    S::float_add(x, y);
    assert!(matches!(a.error(), Some(Error::ScopesMeet { .. })));
    assert!(matches!(b.error(), Some(Error::ScopesMeet { .. })));
    // Also where only the reference is read.
    let ((a, x), (b, y)) = (probed(), probed());
    S::float_greater(x, y, BoolDType::Native);
    assert!(matches!(a.error(), Some(Error::ScopesMeet { .. })));
    assert!(matches!(b.error(), Some(Error::ScopesMeet { .. })));
}

/// A float made of a decision is a constant of the affine system, and is noted.
#[test]
fn decisions_become_sources() {
    let frozen = Frozen::new(&[0.5, -0.5], &[2], rules(), |x| {
        let sign = S::float_greater_elem(x.clone(), scalar(0.0), BoolDType::Native);
        let sign = S::bool_into_float(sign, burn_backend::FloatDType::F64);
        S::float_add(x, sign)
    })
    .expect("freezes");
    assert_close(
        "decision",
        &frozen.apply(&[2.0, 3.0], true),
        &[3.0, 3.0],
        0.0,
    );
    assert_close(
        "homogeneous",
        &frozen.apply(&[2.0, 3.0], false),
        &[2.0, 3.0],
        0.0,
    );
}
