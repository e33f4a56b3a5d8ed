//! Columns and rows of F, several at a time.

use burn::tensor::Tensor;
use linearscope::Error;

use crate::operator::{LinearOperator, Result};

/// How many one-hot probes run side by side: enough for the batch speed of convolutions, few
/// enough for a large picture's memory.
const BATCH: usize = 8;

/// Columns F δₖ (projective fields) for flat input positions: `[positions, N]`.
///
/// Cost: one product per position, in batches of 8.
///
/// # Errors
/// [`Error::OutOfRange`]; as [`LinearOperator::apply`].
pub fn columns(f: &impl LinearOperator, positions: &[usize]) -> Result<Tensor<2>> {
    one_hots(f, positions, f.input_shape(), "the column", |x| f.apply(x))
}

/// Rows Fᵀ δₖ (receptive fields) for flat output positions: `[positions, n]`.
///
/// Cost: one adjoint product per position, in batches of 8.
///
/// # Errors
/// [`Error::OutOfRange`]; as [`LinearOperator::apply_adjoint`].
pub fn rows(f: &impl LinearOperator, positions: &[usize]) -> Result<Tensor<2>> {
    one_hots(f, positions, f.output_shape(), "the row", |y| {
        f.apply_adjoint(y)
    })
}

fn one_hots(
    f: &impl LinearOperator,
    positions: &[usize],
    shape: &[usize],
    what: &str,
    product: impl Fn(Tensor<2>) -> Result<Tensor<2>>,
) -> Result<Tensor<2>> {
    let len: usize = shape.iter().product();
    if let Some(&outside) = positions.iter().find(|&&p| p >= len) {
        return Err(Error::OutOfRange {
            what: what.into(),
            index: vec![outside],
            shape: shape.to_vec(),
        });
    }
    let parts = positions
        .chunks(BATCH)
        .map(|chunk| product(one_hot(f, chunk, len)))
        .collect::<Result<Vec<_>>>()?;
    Ok(Tensor::cat(parts, 0))
}

/// Unit vectors on the operator's device, `[positions, len]`.
pub(crate) fn one_hot(f: &impl LinearOperator, positions: &[usize], len: usize) -> Tensor<2> {
    let mut values = vec![0f64; positions.len() * len];
    for (row, position) in positions.iter().enumerate() {
        values[row * len + position] = 1.0;
    }
    f.upload(values, len)
}
