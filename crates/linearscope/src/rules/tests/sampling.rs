//! Grid sampling, deformable convolution and unfolding against their definitions.

use burn_backend::ops::{
    DeformConvOptions, GridSampleOptions, GridSamplePaddingMode, UnfoldOptions,
};

use super::*;

/// x[plane] at (y, x) between pixels: every pixel, weighed by its tent. Outside there is 0.
fn tent(plane: &[f64], [h, w]: [usize; 2], [y, x]: [f64; 2]) -> f64 {
    let near = |at: f64, pixel: usize| (1.0 - (at - pixel as f64).abs()).max(0.0);
    (0..h * w)
        .map(|i| plane[i] * near(y, i / w) * near(x, i % w))
        .sum()
}

/// A coordinate folded back at the ends, step by step.
fn fold(mut at: f64, low: f64, high: f64) -> f64 {
    while at < low || at > high {
        at = if at < low {
            2.0 * low - at
        } else {
            2.0 * high - at
        };
    }
    at
}

fn naive_grid_sample(
    x: &[f64],
    [n, c, h, w]: [usize; 4],
    grid: &[f64],
    points: usize,
    options: &GridSampleOptions,
) -> Vec<f64> {
    let pixel = |at: f64, size: usize| {
        let last = size as f64 - 1.0;
        let (at, low, high) = if options.align_corners {
            ((at + 1.0) / 2.0 * last, 0.0, last)
        } else {
            ((at + 1.0) / 2.0 * size as f64 - 0.5, -0.5, last + 0.5)
        };
        match options.padding_mode {
            GridSamplePaddingMode::Zeros => at,
            GridSamplePaddingMode::Border => at.clamp(0.0, last),
            GridSamplePaddingMode::Reflection => fold(at, low, high).clamp(0.0, last),
        }
    };
    let mut y = Vec::new();
    for plane in 0..n * c {
        for p in 0..points {
            let at = (plane / c * points + p) * 2;
            let (row, column) = (pixel(grid[at + 1], h), pixel(grid[at], w));
            let at = match options.mode {
                InterpolateMode::Nearest => [row.round_ties_even(), column.round_ties_even()],
                _ => [row, column],
            };
            y.push(tent(&x[plane * h * w..(plane + 1) * h * w], [h, w], at));
        }
    }
    y
}

const PICTURE: [usize; 4] = [2, 3, 4, 5];

fn every_grid_option() -> Vec<GridSampleOptions> {
    let mut all = Vec::new();
    for mode in [InterpolateMode::Bilinear, InterpolateMode::Nearest] {
        for padding in [
            GridSamplePaddingMode::Zeros,
            GridSamplePaddingMode::Border,
            GridSamplePaddingMode::Reflection,
        ] {
            for align_corners in [false, true] {
                let options = GridSampleOptions::new(mode.clone())
                    .with_padding_mode(padding)
                    .with_align_corners(align_corners);
                all.push(options);
            }
        }
    }
    all
}

#[test]
fn grid_samples() {
    // Inside, outside, far outside, on the corners, on pixels and halfway between them.
    let mut grid: Vec<f64> = Random(21)
        .vector(2 * 9 * 2)
        .iter()
        .map(|v| 1.6 * v)
        .collect();
    grid[..10].copy_from_slice(&[-1.0, 1.0, 1.0, -1.0, 0.0, 0.0, -0.75, 0.25, 9.0, -7.0]);
    for options in every_grid_option() {
        let twin = options.clone();
        equals_twin(
            &format!("grid_sample_2d {options:?}"),
            &PICTURE,
            rules(),
            |x| S::float_grid_sample_2d(x, constant(&grid, &[2, 3, 3, 2]), options.clone()),
            linear(|x| naive_grid_sample(x, PICTURE, &grid, 9, &twin)),
        );
    }
}

/// A grid that comes from x₀ (a spatial transformer) is a decision; the picture passes.
#[test]
fn a_grid_from_the_input_is_frozen() {
    for options in every_grid_option() {
        let twin = options.clone();
        equals_twin(
            &format!("grid of x₀, {options:?}"),
            &PICTURE,
            rules(),
            |x| {
                let flat = S::float_reshape(x.clone(), vec![120].into());
                let flat = S::float_tanh(S::float_slice(flat, &[Slice::from(0..24)]));
                let grid = S::float_reshape(flat, vec![2, 2, 3, 2].into());
                S::float_grid_sample_2d(x, grid, options.clone())
            },
            |x0, x1| {
                let grid: Vec<f64> = x0[..24].iter().map(|v| v.tanh()).collect();
                naive_grid_sample(x1, PICTURE, &grid, 6, &twin)
            },
        );
    }
}

/// Only the grid probed: freezing it would leave a silent constant. Modes without a rule say so.
#[test]
fn what_sampling_refuses() {
    let error = Frozen::new(&[0.1; 12], &[1, 2, 3, 2], rules(), |grid| {
        let x = constant(&[1.0; 4], &[1, 1, 2, 2]);
        S::float_grid_sample_2d(x, grid, GridSampleOptions::default())
    });
    let error = error.err().expect("refused").to_string();
    assert!(error.contains("its grid would be frozen"), "{error}");
    let error = Frozen::new(&[0.1; 18], &[1, 18, 1, 1], rules(), |offset| {
        let (x, w) = (
            constant(&[1.0; 9], &[1, 1, 3, 3]),
            constant(&[1.0; 9], &[1, 1, 3, 3]),
        );
        let options = DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1);
        S::deform_conv2d(x, offset, w, None, None, options)
    });
    let error = error.err().expect("refused").to_string();
    assert!(
        error.contains("offsets and mask would be frozen"),
        "{error}"
    );
}

struct Deformed {
    xs: [usize; 4],
    ws: [usize; 4],
    out: [usize; 2],
    options: DeformConvOptions<2>,
}

impl Deformed {
    fn naive(
        &self,
        x: &[f64],
        offset: &[f64],
        w: &[f64],
        mask: Option<&[f64]>,
        bias: &[f64],
    ) -> Vec<f64> {
        let ([n, c, h, wide], [o, share, kh, kw]) = (self.xs, self.ws);
        let (cells, outputs) = (kh * kw, self.out[0] * self.out[1]);
        let groups = self.options.offset_groups;
        let mut y = Vec::new();
        for picture in 0..n {
            for channel in 0..o {
                for p in 0..outputs {
                    let mut sum = bias[channel];
                    for i in 0..share {
                        let from = channel / (o / self.options.weight_groups) * share + i;
                        let group = from / (c / groups);
                        for cell in 0..cells {
                            let at = [0, 1].map(|axis| {
                                let (u, q) = match axis {
                                    0 => (cell / kw, p / self.out[1]),
                                    _ => (cell % kw, p % self.out[1]),
                                };
                                let kind = (picture * groups + group) * cells + cell;
                                (q * self.options.stride[axis] + u * self.options.dilation[axis])
                                    as f64
                                    - self.options.padding[axis] as f64
                                    + offset[(kind * 2 + axis) * outputs + p]
                            });
                            let kind = (picture * groups + group) * cells + cell;
                            let weight = w[(channel * share + i) * cells + cell]
                                * mask.map_or(1.0, |mask| mask[kind * outputs + p]);
                            let plane = &x[(picture * c + from) * h * wide..][..h * wide];
                            sum += weight * tent(plane, [h, wide], at);
                        }
                    }
                    y.push(sum);
                }
            }
        }
        y
    }
}

#[test]
fn deformable_convolutions() {
    let cases = [
        Deformed {
            xs: [1, 2, 4, 5],
            ws: [3, 2, 2, 2],
            out: [3, 4],
            options: DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1),
        },
        Deformed {
            xs: [2, 4, 5, 6],
            ws: [6, 2, 3, 2],
            out: [3, 6],
            options: DeformConvOptions::new([2, 1], [1, 1], [1, 2], 2, 2),
        },
    ];
    for case in cases {
        let (n, groups) = (case.xs[0], case.options.offset_groups);
        let (cells, outputs) = (case.ws[2] * case.ws[3], case.out[0] * case.out[1]);
        let w = Random(5).vector(case.ws.iter().product());
        let bias = Random(6).vector(case.ws[0]);
        let scale = |v: Vec<f64>, c: f64| v.into_iter().map(|v| c * v).collect::<Vec<f64>>();
        let offset = scale(Random(7).vector(n * groups * cells * 2 * outputs), 2.5);
        let mask = Random(8).vector(n * groups * cells * outputs);
        let offset_shape = [n, groups * cells * 2, case.out[0], case.out[1]];
        let mask_shape = [n, groups * cells, case.out[0], case.out[1]];
        for masked in [false, true] {
            equals_twin(
                &format!("deform_conv2d {:?}, mask {masked}", case.xs),
                &case.xs,
                rules(),
                |x| {
                    S::deform_conv2d(
                        x,
                        constant(&offset, &offset_shape),
                        constant(&w, &case.ws),
                        masked.then(|| constant(&mask, &mask_shape)),
                        Some(constant(&bias, &[case.ws[0]])),
                        case.options.clone(),
                    )
                },
                linear(|x| case.naive(x, &offset, &w, masked.then_some(&mask[..]), &bias)),
            );
        }
        // Offsets and mask made of the input: decisions.
        equals_twin(
            &format!("deform_conv2d {:?}, offsets of x₀", case.xs),
            &case.xs,
            rules(),
            |x| {
                let mean = S::float_reshape(S::float_mean(x.clone()), vec![1; 4].into());
                let gate = S::sigmoid(mean.clone());
                S::deform_conv2d(
                    x,
                    S::float_mul(constant(&offset, &offset_shape), mean),
                    constant(&w, &case.ws),
                    Some(S::float_mul(constant(&mask, &mask_shape), gate)),
                    None,
                    case.options.clone(),
                )
            },
            |x0, x1| {
                let mean = x0.iter().sum::<f64>() / x0.len() as f64;
                let offset = scale(offset.clone(), mean);
                let mask = scale(mask.clone(), 1.0 / (1.0 + (-mean).exp()));
                case.naive(x1, &offset, &w, Some(&mask), &vec![0.0; case.ws[0]])
            },
        );
    }
}

#[test]
fn windows_along_an_axis() {
    equals_twin(
        "unfold",
        &[2, 7, 3],
        rules(),
        |x| S::float_unfold(x, 1, 3, 2),
        linear(|x| {
            // [2, windows, 3, size]
            (0..2 * 3 * 3 * 3)
                .map(|o| {
                    let (n, window, i, u) = (o / 27, o / 9 % 3, o / 3 % 3, o % 3);
                    x[(n * 7 + window * 2 + u) * 3 + i]
                })
                .collect()
        }),
    );
}

/// Where block b's kernel cell lies in a picture, if inside.
fn cell(
    [h, w]: [usize; 2],
    blocks: usize,
    (b, u): (usize, usize),
    kernel: usize,
    options: &UnfoldOptions,
) -> Option<usize> {
    let row = b / blocks * options.stride[0] + u / kernel * options.dilation[0];
    let column = b % blocks * options.stride[1] + u % kernel * options.dilation[1];
    let (row, column) = (
        row.wrapping_sub(options.padding[0]),
        column.wrapping_sub(options.padding[1]),
    );
    (row < h && column < w).then_some(row * w + column)
}

#[test]
fn blocks_as_columns_and_back() {
    // Kernel 2 × 3 on 5 × 6: without padding, and with everything.
    let cases = [
        (UnfoldOptions::new([1, 2], [0, 0], [1, 1]), [4, 2]),
        (UnfoldOptions::new([2, 1], [1, 2], [2, 1]), [3, 8]),
    ];
    let size = [5, 6];
    for (options, [bh, bw]) in cases {
        let blocks = bh * bw;
        let twin = options.clone();
        equals_twin(
            &format!("unfold4d {options:?}"),
            &[2, 2, 5, 6],
            rules(),
            |x| S::unfold4d(x, [2, 3], options.clone()),
            linear(|x| {
                let mut y = Vec::new();
                for row in 0..2 * 2 * 6 {
                    for b in 0..blocks {
                        let at = cell(size, bw, (b, row % 6), 3, &twin);
                        y.push(at.map_or(0.0, |at| x[row / 6 * 30 + at]));
                    }
                }
                y
            }),
        );
        equals_twin(
            &format!("fold4d {options:?}"),
            &[2, 12, blocks],
            rules(),
            |x| S::fold4d(x, size, [2, 3], options.clone()),
            linear(|x| {
                let mut y = vec![0.0; 2 * 2 * 30];
                for row in 0..2 * 2 * 6 {
                    for b in 0..blocks {
                        if let Some(at) = cell(size, bw, (b, row % 6), 3, &twin) {
                            y[row / 6 * 30 + at] += x[row * blocks + b];
                        }
                    }
                }
                y
            }),
        );
    }
}
