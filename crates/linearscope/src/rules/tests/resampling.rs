//! Pooling and interpolation against their slow twins.

use super::*;

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
