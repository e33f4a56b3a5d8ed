//! Backward ops, linear in their output gradient: the transposes of naive forwards. Those of
//! convolutions are in `bilinear.rs`.

use super::{resampling::windows, *};

/// Aᵀ g of a linear forward on n numbers, column by column.
fn transposed(n: usize, forward: impl Fn(&[f64]) -> Vec<f64>) -> impl Fn(&[f64]) -> Vec<f64> {
    move |g| {
        (0..n)
            .map(|i| {
                let mut unit = vec![0.0; n];
                unit[i] = 1.0;
                forward(&unit).iter().zip(g).map(|(a, g)| a * g).sum()
            })
            .collect()
    }
}

fn like(shape: &[usize]) -> ScopeTensor<Flex> {
    constant(&vec![0.0; shape.iter().product()], shape)
}

#[test]
fn pools_and_interpolation_backwards() {
    let xs = [2, 2, 5, 4];
    let (kernel, stride, pad) = ([3, 2], [2, 1], [1, 1]);
    for include in [true, false] {
        equals_twin(
            &format!("avg_pool2d_backward, count_include_pad {include}"),
            &[2, 2, 3, 5],
            rules(),
            |g| S::avg_pool2d_backward(like(&xs), g, kernel, stride, pad, include, false),
            linear(transposed(80, |x| {
                let mean = |window: &Vec<usize>| {
                    let count = if include { 6 } else { window.len() };
                    window.iter().map(|&i| x[i]).sum::<f64>() / count as f64
                };
                windows(xs, kernel, stride, pad).iter().map(mean).collect()
            })),
        );
    }
    let xs = [2, 2, 7];
    equals_twin(
        "avg_pool1d_backward",
        &[2, 2, 3],
        rules(),
        |g| S::avg_pool1d_backward(like(&xs), g, 3, 2, 0, true, false),
        linear(transposed(28, |x| {
            (0..12)
                .map(|o| (0..3).map(|u| x[o / 3 * 7 + o % 3 * 2 + u]).sum::<f64>() / 3.0)
                .collect()
        })),
    );
    let means = |x: &[f64], cells: usize| -> Vec<f64> {
        x.chunks(cells)
            .map(|plane| plane.iter().sum::<f64>() / cells as f64)
            .collect()
    };
    equals_twin(
        "adaptive_avg_pool1d_backward",
        &[2, 3, 1],
        rules(),
        |g| S::adaptive_avg_pool1d_backward(like(&[2, 3, 4]), g),
        linear(transposed(24, |x| means(x, 4))),
    );
    equals_twin(
        "adaptive_avg_pool2d_backward",
        &[2, 1, 1, 1],
        rules(),
        |g| S::adaptive_avg_pool2d_backward(like(&[2, 1, 3, 4]), g),
        linear(transposed(24, |x| means(x, 12))),
    );
    equals_twin(
        "adaptive_avg_pool3d_backward",
        &[2, 1, 1, 1, 1],
        rules(),
        |g| S::adaptive_avg_pool3d_backward(like(&[2, 1, 2, 2, 3]), g),
        linear(transposed(24, |x| means(x, 12))),
    );
    for mode in [
        InterpolateMode::Nearest,
        InterpolateMode::Bilinear,
        InterpolateMode::Bicubic,
    ] {
        for align_corners in [false, true] {
            let options = InterpolateOptions::new(mode.clone()).with_align_corners(align_corners);
            let xs = [2, 1, 3, 4];
            equals_twin(
                &format!("interpolate_backward {options:?}"),
                &[2, 1, 7, 5],
                rules(),
                |g| S::interpolate_backward(like(&xs), g, [7, 5], options.clone()),
                linear(transposed(24, |x| {
                    numbers(Flex::interpolate(tensor(x, &xs), [7, 5], options.clone()))
                })),
            );
        }
    }
}

#[test]
fn embeddings_backwards() {
    let rows = [4, 0, 0, 2];
    equals_twin(
        "embedding_backward",
        &[2, 2, 3],
        rules(),
        |g| {
            let at = S::int_from_data(TensorData::new(rows.to_vec(), [2, 2]), &FlexDevice);
            S::embedding_backward(like(&[5, 3]), g, at)
        },
        linear(transposed(15, |x| {
            rows.iter()
                .flat_map(|&row: &i64| x[row as usize * 3..][..3].to_vec())
                .collect()
        })),
    );
}

/// Pointwise units: h′ at the point, times the gradient.
#[test]
fn pointwise_units_backwards() {
    let x = [-2.0, -0.3, 0.4, 1.5];
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    type Backward = fn(ScopeTensor<Flex>, ScopeTensor<Flex>) -> ScopeTensor<Flex>;
    let at = |op: Backward, point: [f64; 4]| move |g| op(constant(&point, &[4]), g);
    let slope = |s: [f64; 4]| linear(move |g: &[f64]| (0..4).map(|i| s[i] * g[i]).collect());
    equals_twin(
        "relu_backward",
        &[4],
        rules(),
        at(S::relu_backward, x.map(|x: f64| x.max(0.0))),
        slope([0.0, 0.0, 1.0, 1.0]),
    );
    equals_twin(
        "sigmoid_backward",
        &[4],
        rules(),
        at(S::sigmoid_backward, x.map(sigmoid)),
        slope(x.map(|x| sigmoid(x) * (1.0 - sigmoid(x)))),
    );
    equals_twin(
        "log_sigmoid_backward",
        &[4],
        rules(),
        at(S::log_sigmoid_backward, x),
        slope(x.map(|x| 1.0 - sigmoid(x))),
    );
    // What flex takes for gelu's slope, made of ones: the rule is that the op is linear in g.
    let made_of_ones = numbers(Flex::gelu_backward(
        tensor(&x, &[4]),
        tensor(&[1.0; 4], &[4]),
    ));
    equals_twin(
        "gelu_backward",
        &[4],
        rules(),
        at(S::gelu_backward, x),
        linear(|g| (0..4).map(|i| made_of_ones[i] * g[i]).collect()),
    );
}

/// What belongs to a training step is refused with that reason.
#[test]
fn training_ops_say_why_they_are_refused() {
    let error = Frozen::new(&[0.5; 8], &[2, 1, 2, 2], rules(), |x| {
        S::batch_norm_train(x, like(&[1]), like(&[1]), 1e-5).output
    });
    let error = error.err().expect("refused").to_string();
    assert!(error.contains("validation form"), "{error}");
}
