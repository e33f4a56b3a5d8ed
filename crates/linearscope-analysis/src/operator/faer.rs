//! A network as an operator of [faer](https://docs.rs/faer), for its matrix-free solvers.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use ::faer::{
    MatMut, MatRef, Par,
    dyn_stack::{MemStack, StackReq},
    matrix_free::{BiLinOp, LinOp},
};

use super::LinearOperator;
use crate::{
    error::{Error, Result},
    vectors::read,
};

/// F behind faer's traits [`LinOp`] and [`BiLinOp`], in f64 on faer's side and in the operator's own
/// precision inside.
///
/// faer's products cannot fail, ours can: after an error all further products are NaN, and
/// [`finish`](Self::finish) says what happened. Cost: that of the products, and two copies.
pub struct FaerOperator<F> {
    operator: F,
    failed: Mutex<Option<Error>>,
}

impl<F> FaerOperator<F> {
    /// F for faer.
    pub fn new(operator: F) -> Self {
        Self {
            operator,
            failed: Mutex::new(None),
        }
    }

    /// Whether all products succeeded.
    ///
    /// # Errors
    /// The first error of a product.
    pub fn finish(self) -> Result<()> {
        let failed = self.failed.into_inner();
        match failed.unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }
}

impl<F: LinearOperator> FaerOperator<F> {
    fn product(&self, mut out: MatMut<'_, f64>, rhs: MatRef<'_, f64>, back: bool) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (len, k) = (rhs.nrows(), rhs.ncols());
        let made = match failed.is_some() || k == 0 {
            true => None,
            false => {
                let values = (0..k).flat_map(|j| (0..len).map(move |i| rhs[(i, j)]));
                let x = self.operator.upload(values.collect(), len);
                let made = match back {
                    false => self.operator.apply(x),
                    true => self.operator.apply_adjoint(x),
                };
                made.and_then(read)
                    .map_err(|error| *failed = Some(error))
                    .ok()
            }
        };
        let rows = out.nrows();
        for j in 0..out.ncols() {
            for i in 0..rows {
                out[(i, j)] = made.as_ref().map_or(f64::NAN, |made| made[j * rows + i]);
            }
        }
    }
}

impl<F: LinearOperator> fmt::Debug for FaerOperator<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, columns) = (self.operator.output_len(), self.operator.input_len());
        write!(f, "FaerOperator({rows} × {columns})")
    }
}

impl<F: LinearOperator + Sync> LinOp<f64> for FaerOperator<F> {
    fn apply_scratch(&self, _: usize, _: Par) -> StackReq {
        StackReq::EMPTY
    }

    fn nrows(&self) -> usize {
        self.operator.output_len()
    }

    fn ncols(&self) -> usize {
        self.operator.input_len()
    }

    fn apply(&self, out: MatMut<'_, f64>, rhs: MatRef<'_, f64>, _: Par, _: &mut MemStack) {
        self.product(out, rhs, false);
    }

    fn conj_apply(&self, out: MatMut<'_, f64>, rhs: MatRef<'_, f64>, _: Par, _: &mut MemStack) {
        self.product(out, rhs, false);
    }
}

impl<F: LinearOperator + Sync> BiLinOp<f64> for FaerOperator<F> {
    fn transpose_apply_scratch(&self, _: usize, _: Par) -> StackReq {
        StackReq::EMPTY
    }

    fn transpose_apply(
        &self,
        out: MatMut<'_, f64>,
        rhs: MatRef<'_, f64>,
        _: Par,
        _: &mut MemStack,
    ) {
        self.product(out, rhs, true);
    }

    fn adjoint_apply(&self, out: MatMut<'_, f64>, rhs: MatRef<'_, f64>, _: Par, _: &mut MemStack) {
        self.product(out, rhs, true);
    }
}
