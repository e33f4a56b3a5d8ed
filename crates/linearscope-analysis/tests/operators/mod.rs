//! Small matrices as operators.

// Each test program takes what it needs.
#![allow(dead_code)]

use burn::tensor::{Device, FloatDType};
use linearscope_analysis::Dense;

fn places([c, h, w]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..c * h * w).map(move |i| [i / (h * w), i / w % h, i % w])
}

/// Rows one after the other, between vectors.
pub fn matrix(values: Vec<f64>, rows: usize, columns: usize, dtype: FloatDType) -> Dense {
    Dense::new(values, [rows], [columns], &Device::flex(), dtype).expect("rows × columns numbers")
}

/// From `[1, c, h, w]` to `[1, d, H, W]`, in f64: entries from the output's `[d, y, x]` and the input's
/// `[c, y, x]`.
pub fn between(
    input: [usize; 3],
    output: [usize; 3],
    entry: impl Fn([usize; 3], [usize; 3]) -> f64,
) -> Dense {
    let values: Vec<f64> = places(output)
        .flat_map(|p| places(input).map(move |q| (p, q)))
        .map(|(p, q)| entry(p, q))
        .collect();
    let batch = |[c, h, w]: [usize; 3]| [1, c, h, w];
    Dense::new(
        values,
        batch(output),
        batch(input),
        &Device::flex(),
        FloatDType::F64,
    )
    .expect("an entry for each pair")
}
