//! Pooling and interpolation against their slow twins.

use super::*;

/// Windows of a pool over `[n, c, h, w]`: for each output cell its input positions.
pub(super) fn windows(
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
    let max_pools: [(&str, Op); 2] = [
        ("max_pool2d", |x| {
            S::max_pool2d(x, [3, 2], [2, 1], [1, 1], [1, 1], false)
        }),
        ("max_pool2d_with_indices", |x| {
            let indices = IntDType::I64;
            S::max_pool2d_with_indices(x, [3, 2], [2, 1], [1, 1], [1, 1], false, indices).output
        }),
    ];
    for (name, op) in max_pools {
        equals_twin(name, &xs, rules(), op, |x0, x1| {
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
        });
    }
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

/// Interpolation is Burn's own forwards; the twin is Burn's kernel on the bare backend, and the
/// adjoint is held to it by `keeps_promises`.
#[test]
fn interpolations() {
    for mode in [
        InterpolateMode::Nearest,
        InterpolateMode::Bilinear,
        InterpolateMode::Bicubic,
        InterpolateMode::Lanczos3,
    ] {
        for align_corners in [false, true] {
            let options = InterpolateOptions::new(mode.clone()).with_align_corners(align_corners);
            // Up, down, to one pixel, from one row.
            for (shape, size) in [
                ([2, 2, 3, 4], [7, 5]),
                ([1, 1, 7, 6], [3, 4]),
                ([1, 1, 3, 4], [1, 1]),
                ([1, 1, 1, 4], [2, 9]),
            ] {
                equals_twin(
                    &format!("interpolate {options:?}, {shape:?} to {size:?}"),
                    &shape,
                    rules(),
                    |x| S::interpolate(x, size, options.clone()),
                    linear(|x| {
                        numbers(Flex::interpolate(tensor(x, &shape), size, options.clone()))
                    }),
                );
            }
        }
    }
}

/// Adaptive pools average over cells that overlap where sizes do not divide, in one to three
/// dimensions: from ⌊i n/m⌋ to ⌈(i + 1) n/m⌉.
#[test]
fn adaptive_pools() {
    let cells = |i: usize, from: usize, to: usize| (i * from / to, ((i + 1) * from).div_ceil(to));
    // One axis after another, as the cells are boxes.
    let pooled = move |x: &[f64], shape: &[usize], out: &[usize]| {
        let (mut x, mut shape) = (x.to_vec(), shape.to_vec());
        for (axis, &to) in out.iter().enumerate() {
            let axis = axis + 2;
            let (from, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
            let outer: usize = shape[..axis].iter().product();
            shape[axis] = to;
            x = (0..outer * to * inner)
                .map(|o| {
                    let (start, end) = cells(o / inner % to, from, to);
                    let sum: f64 = (start..end)
                        .map(|j| x[(o / inner / to * from + j) * inner + o % inner])
                        .sum();
                    sum / (end - start) as f64
                })
                .collect();
        }
        x
    };
    for out in [1, 3, 5] {
        equals_twin(
            &format!("adaptive_avg_pool1d to {out}"),
            &[2, 2, 7],
            rules(),
            |x| S::adaptive_avg_pool1d(x, out),
            linear(|x| pooled(x, &[2, 2, 7], &[out])),
        );
    }
    for out in [[2, 3], [4, 1]] {
        equals_twin(
            &format!("adaptive_avg_pool2d to {out:?}"),
            &[2, 2, 5, 7],
            rules(),
            |x| S::adaptive_avg_pool2d(x, out),
            linear(|x| pooled(x, &[2, 2, 5, 7], &out)),
        );
    }
    for out in [[1, 1, 1], [2, 3, 2]] {
        equals_twin(
            &format!("adaptive_avg_pool3d to {out:?}"),
            &[2, 2, 3, 4, 5],
            rules(),
            |x| S::adaptive_avg_pool3d(x, out),
            linear(|x| pooled(x, &[2, 2, 3, 4, 5], &out)),
        );
    }
}

/// Windows that hang over the end, dilation, one dimension. The twin is Burn's kernel: what counts
/// is that the adjoint of `keeps_promises` is this kernel's.
#[test]
fn pools_with_ceil_mode() {
    for include in [false, true] {
        equals_twin(
            &format!("avg_pool2d with ceil_mode, count_include_pad {include}"),
            &[2, 1, 6, 7],
            rules(),
            |x| S::avg_pool2d(x, [3, 2], [2, 2], [1, 0], include, true),
            linear(|x| {
                let x = tensor(x, &[2, 1, 6, 7]);
                numbers(Flex::avg_pool2d(x, [3, 2], [2, 2], [1, 0], include, true))
            }),
        );
        equals_twin(
            &format!("avg_pool1d with ceil_mode, count_include_pad {include}"),
            &[2, 2, 8],
            rules(),
            |x| S::avg_pool1d(x, 3, 2, 1, include, true),
            linear(|x| {
                numbers(Flex::avg_pool1d(
                    tensor(x, &[2, 2, 8]),
                    3,
                    2,
                    1,
                    include,
                    true,
                ))
            }),
        );
    }
    let max_pools: [(&str, Op); 2] = [
        ("max_pool1d with dilation and ceil_mode", |x| {
            S::max_pool1d(x, 2, 3, 0, 2, true)
        }),
        ("max_pool1d_with_indices", |x| {
            S::max_pool1d_with_indices(x, 2, 3, 0, 2, true, IntDType::I64).output
        }),
    ];
    for (name, op) in max_pools {
        equals_twin(name, &[2, 2, 8], rules(), op, |x0, x1| {
            (0..12)
                .map(|o| {
                    let start = o / 3 * 8 + o % 3 * 3;
                    let rest = (start + 2 < o / 3 * 8 + 8).then_some(start + 2);
                    match rest {
                        Some(other) if x0[other] > x0[start] => x1[other],
                        _ => x1[start],
                    }
                })
                .collect()
        });
    }
}
