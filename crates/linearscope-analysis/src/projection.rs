//! Columns and rows of F, several at a time.

use burn::tensor::Tensor;

use crate::{
    error::Result,
    operator::{Field, LinearOperator},
    progress::unobserved,
};

/// Columns F δₖ (projective fields) for flat input positions: `[positions, N]`.
///
/// Cost: one product per position, or less if the operator knows where its columns lie
/// ([`LinearOperator::fields`]).
///
/// # Errors
/// As [`LinearOperator::fields`].
pub fn columns(f: &(impl LinearOperator + ?Sized), positions: &[usize]) -> Result<Tensor<2>> {
    f.fields(Field::Column, &singly(positions), &mut unobserved)
}

/// Rows Fᵀ δₖ (receptive fields) for flat output positions: `[positions, n]`.
///
/// Cost: one adjoint product per position, or less if the operator knows where its rows lie
/// ([`LinearOperator::fields`]).
///
/// # Errors
/// As [`LinearOperator::fields`].
pub fn rows(f: &(impl LinearOperator + ?Sized), positions: &[usize]) -> Result<Tensor<2>> {
    f.fields(Field::Row, &singly(positions), &mut unobserved)
}

/// Each position as a place of its own.
fn singly(positions: &[usize]) -> Vec<Vec<usize>> {
    positions.iter().map(|&position| vec![position]).collect()
}
