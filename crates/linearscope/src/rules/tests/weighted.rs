//! Arithmetic, matrix products and convolutions against naive loops.

use super::*;

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
