//! Columns and rows of F, several at a time.

use burn::tensor::Tensor;
use linearscope::Error;

use crate::operator::{LinearOperator, Result};

/// How many probes run side by side: enough for the batch speed of convolutions, few enough for a
/// large picture's memory.
const BATCH: usize = 8;

/// Which way a field is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// F δ, of the output's shape: where input entries go (projective field).
    Column,
    /// Fᵀ δ, of the input's shape: what output entries use (receptive field).
    Row,
}

/// Columns F δₖ (projective fields) for flat input positions: `[positions, N]`.
///
/// Cost: one product per position, in batches of 8.
///
/// # Errors
/// [`Error::OutOfRange`]; [`Error::NoProbes`]; as [`LinearOperator::apply`].
pub fn columns(f: &impl LinearOperator, positions: &[usize]) -> Result<Tensor<2>> {
    fields(f, Field::Column, &singly(positions), |_| {})
}

/// Rows Fᵀ δₖ (receptive fields) for flat output positions: `[positions, n]`.
///
/// Cost: one adjoint product per position, in batches of 8.
///
/// # Errors
/// [`Error::OutOfRange`]; [`Error::NoProbes`]; as [`LinearOperator::apply_adjoint`].
pub fn rows(f: &impl LinearOperator, positions: &[usize]) -> Result<Tensor<2>> {
    fields(f, Field::Row, &singly(positions), |_| {})
}

fn singly(positions: &[usize]) -> Vec<Vec<usize>> {
    positions.iter().map(|&position| vec![position]).collect()
}

/// One field per place, `[places, n or N]`; a place is one flat position, or several whose fields
/// add up (all channels of a pixel). `on_batch` is told how many are done before each batch.
///
/// Cost: one product per place, in batches of 8.
///
/// # Errors
/// [`Error::OutOfRange`]; [`Error::NoProbes`] without places; as [`LinearOperator::apply`] and its
/// adjoint.
pub fn fields(
    f: &impl LinearOperator,
    field: Field,
    places: &[Vec<usize>],
    mut on_batch: impl FnMut(usize),
) -> Result<Tensor<2>> {
    let (what, shape) = match field {
        Field::Column => ("the column", f.input_shape()),
        Field::Row => ("the row", f.output_shape()),
    };
    let len: usize = shape.iter().product();
    if places.is_empty() {
        return Err(Error::NoProbes {
            what: "a list of places".into(),
        });
    }
    if let Some(&outside) = places.iter().flatten().find(|&&p| p >= len) {
        return Err(Error::OutOfRange {
            what: what.into(),
            index: vec![outside],
            shape: shape.to_vec(),
        });
    }
    let mut parts = Vec::new();
    for (batch, chunk) in places.chunks(BATCH).enumerate() {
        on_batch(batch * BATCH);
        let delta = indicators(f, chunk, len);
        parts.push(match field {
            Field::Column => f.apply(delta)?,
            Field::Row => f.apply_adjoint(delta)?,
        });
    }
    Ok(Tensor::cat(parts, 0))
}

/// Vectors that are 1 at a place's positions and 0 elsewhere, on the operator's device,
/// `[places, len]`.
pub(crate) fn indicators(f: &impl LinearOperator, places: &[Vec<usize>], len: usize) -> Tensor<2> {
    let mut values = vec![0f64; places.len() * len];
    for (row, positions) in places.iter().enumerate() {
        for position in positions {
            values[row * len + position] = 1.0;
        }
    }
    f.upload(values, len)
}
