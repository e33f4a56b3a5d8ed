//! An operator in units of its own size.

use std::cell::Cell;

use burn::tensor::Tensor;

use super::LinearOperator;
use crate::{
    error::Result,
    vectors::{power_of_two, read},
};

/// F over a power of two near its size, which the first product that is not zero decides; and how many
/// products were taken.
///
/// Iterative solvers square, divide and compare with fixed thresholds: in these units numbers stay near 1
/// whether singular values are 1e-30 or 1e30, in f32 too. A power of two changes no digit, and operators of
/// ordinary size keep unit 1.
#[derive(Debug)]
pub(crate) struct InUnits<'a, F: ?Sized> {
    f: &'a F,
    unit: Cell<Option<f64>>,
    products: Cell<usize>,
    passes: Cell<usize>,
}

impl<'a, F: LinearOperator + ?Sized> InUnits<'a, F> {
    pub(crate) fn new(f: &'a F) -> Self {
        Self {
            f,
            unit: Cell::new(None),
            products: Cell::new(0),
            passes: Cell::new(0),
        }
    }

    /// In the units of another, its products counted.
    pub(crate) fn after<G: ?Sized>(f: &'a F, other: &InUnits<'_, G>) -> Self {
        Self {
            f,
            unit: other.unit.clone(),
            products: other.products.clone(),
            passes: other.passes.clone(),
        }
    }

    /// The operator itself.
    pub(crate) fn operator(&self) -> &'a F {
        self.f
    }

    /// What products are in units of.
    pub(crate) fn unit(&self) -> f64 {
        self.unit.get().unwrap_or(1.0)
    }

    /// Vectors multiplied by F or Fᵀ so far.
    pub(crate) fn products(&self) -> usize {
        self.products.get()
    }

    /// Batches they were multiplied in.
    pub(crate) fn passes(&self) -> usize {
        self.passes.get()
    }

    fn count(&self, x: &Tensor<2>) {
        self.products.set(self.products.get() + x.dims()[0]);
        self.passes.set(self.passes.get() + 1);
    }

    /// F x / unit, `[k, n] → [k, N]`.
    pub(crate) fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        self.f.check_interrupt()?;
        self.count(&x);
        self.in_units(self.f.apply(x)?)
    }

    /// Fᵀ y / unit, `[k, N] → [k, n]`.
    pub(crate) fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        self.f.check_interrupt()?;
        self.count(&y);
        self.in_units(self.f.apply_adjoint(y)?)
    }

    fn in_units(&self, product: Tensor<2>) -> Result<Tensor<2>> {
        /// Nothing in f32 leaves its range within this factor of 1.
        const ORDINARY: f64 = (1u64 << 24) as f64;
        let unit = match self.unit.get() {
            Some(unit) => unit,
            None => {
                let size = read(product.clone().abs().max().reshape([1, 1]))?[0];
                if !(size > 0.0 && size.is_finite()) {
                    return Ok(product);
                }
                let unit = match (ORDINARY.recip()..ORDINARY).contains(&size) {
                    true => 1.0,
                    false => power_of_two(size),
                };
                self.unit.set(Some(unit));
                unit
            }
        };
        Ok(if unit == 1.0 { product } else { product / unit })
    }
}
