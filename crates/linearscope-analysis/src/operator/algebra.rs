//! Operators made of others: Fᵀ, a F, F + G, F G.
//!
//! Each passes [`fields`](LinearOperator::fields) on, so that what an operator knows of where its fields lie
//! is not lost.

use burn::tensor::{Device, FloatDType, Tensor};

use super::{Field, Geometry, LinearOperator, described_by};
use crate::{
    error::{Error, Result},
    progress::Observer,
};

/// Fᵀ.
#[derive(Clone, Copy, Debug)]
pub struct Transposed<F>(pub F);

impl<F: LinearOperator> LinearOperator for Transposed<F> {
    fn input_shape(&self) -> &[usize] {
        self.0.output_shape()
    }

    fn output_shape(&self) -> &[usize] {
        self.0.input_shape()
    }

    fn device(&self) -> &Device {
        self.0.device()
    }

    fn dtype(&self) -> FloatDType {
        self.0.dtype()
    }

    fn memory(&self) -> Option<usize> {
        self.0.memory()
    }

    fn check_interrupt(&self) -> Result<()> {
        self.0.check_interrupt()
    }

    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        self.0.apply_adjoint(x)
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        self.0.apply(y)
    }

    fn fields(
        &self,
        field: Field,
        places: &[Vec<usize>],
        observer: &mut Observer<'_>,
    ) -> Result<Tensor<2>> {
        self.0.fields(field.transposed(), places, observer)
    }
}

/// a F for a number a.
#[derive(Clone, Copy, Debug)]
pub struct Scaled<F> {
    /// F.
    pub operator: F,
    /// a.
    pub by: f64,
}

impl<F: LinearOperator> LinearOperator for Scaled<F> {
    described_by!(|it| it.operator => it.operator);

    fn geometry(&self) -> Result<Option<Geometry>> {
        self.operator.geometry()
    }

    fn memory(&self) -> Option<usize> {
        self.operator.memory()
    }

    fn check_interrupt(&self) -> Result<()> {
        self.operator.check_interrupt()
    }

    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        Ok(self.operator.apply(x)? * self.by)
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        Ok(self.operator.apply_adjoint(y)? * self.by)
    }

    fn fields(
        &self,
        field: Field,
        places: &[Vec<usize>],
        observer: &mut Observer<'_>,
    ) -> Result<Tensor<2>> {
        Ok(self.operator.fields(field, places, observer)? * self.by)
    }
}

/// Two operators' numbers have to be of one kind and place.
fn alike(a: &impl LinearOperator, b: &impl LinearOperator) -> Result<()> {
    let differ = |what, left: String, right: String| match left == right {
        true => Ok(()),
        false => Err(Error::Operators { what, left, right }),
    };
    let dtype = |f: FloatDType| format!("{f:?}");
    differ("the dtype", dtype(a.dtype()), dtype(b.dtype()))?;
    let device = |f: &Device| format!("{f:?}");
    differ("the device", device(a.device()), device(b.device()))
}

/// F + G. Vectors of both have the same lengths; shapes are those of F.
///
/// # Example
/// ```
/// use burn::tensor::{Device, FloatDType};
/// use linearscope_analysis::{Dense, LinearOperator, operator::{Scaled, Sum}, vectors};
///
/// let of = |values: [f64; 2]| Dense::new(values.into(), [1], [2], &Device::flex(), FloatDType::F64);
/// // What changed from F to G: G − F.
/// let difference = Sum::new(of([3.0, 5.0])?, Scaled { operator: of([3.0, 4.0])?, by: -1.0 })?;
/// let y = difference.apply(difference.upload(vec![1.0, 1.0], 2))?;
/// assert_eq!(vectors::read(y)?, [1.0]);
/// # Ok::<(), linearscope_analysis::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sum<F, G> {
    f: F,
    g: G,
}

impl<F: LinearOperator, G: LinearOperator> Sum<F, G> {
    /// F + G.
    ///
    /// # Errors
    /// [`Error::Operators`] where lengths, dtype or device differ.
    pub fn new(f: F, g: G) -> Result<Self> {
        alike(&f, &g)?;
        let len = |f: &dyn LinearOperator| format!("{} × {}", f.output_len(), f.input_len());
        match (len(&f), len(&g)) {
            (left, right) if left == right => Ok(Self { f, g }),
            (left, right) => Err(Error::Operators {
                what: "the size N × n",
                left,
                right,
            }),
        }
    }
}

impl<F: LinearOperator, G: LinearOperator> LinearOperator for Sum<F, G> {
    described_by!(|it| it.f => it.f);

    fn check_interrupt(&self) -> Result<()> {
        self.f.check_interrupt()?;
        self.g.check_interrupt()
    }

    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        Ok(self.f.apply(x.clone())? + self.g.apply(x)?)
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        Ok(self.f.apply_adjoint(y.clone())? + self.g.apply_adjoint(y)?)
    }

    fn fields(
        &self,
        field: Field,
        places: &[Vec<usize>],
        observer: &mut Observer<'_>,
    ) -> Result<Tensor<2>> {
        self.check_interrupt()?;
        let f = self.f.fields(field, places, observer)?;
        Ok(f + self.g.fields(field, places, observer)?)
    }
}

/// F G: first G, then F.
#[derive(Clone, Copy, Debug)]
pub struct Composed<F, G> {
    f: F,
    g: G,
}

impl<F: LinearOperator, G: LinearOperator> Composed<F, G> {
    /// F after G.
    ///
    /// # Errors
    /// [`Error::Operators`] where G's output is not of the length of F's input, or dtype or device differ.
    pub fn new(f: F, g: G) -> Result<Self> {
        alike(&f, &g)?;
        match (f.input_len(), g.output_len()) {
            (left, right) if left == right => Ok(Self { f, g }),
            (left, right) => Err(Error::Operators {
                what: "the length between them",
                left: left.to_string(),
                right: right.to_string(),
            }),
        }
    }
}

impl<F: LinearOperator, G: LinearOperator> LinearOperator for Composed<F, G> {
    described_by!(|it| it.g => it.f);

    fn check_interrupt(&self) -> Result<()> {
        self.f.check_interrupt()?;
        self.g.check_interrupt()
    }

    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        self.f.apply(self.g.apply(x)?)
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        self.g.apply_adjoint(self.f.apply_adjoint(y)?)
    }

    fn fields(
        &self,
        field: Field,
        places: &[Vec<usize>],
        observer: &mut Observer<'_>,
    ) -> Result<Tensor<2>> {
        self.check_interrupt()?;
        match field {
            Field::Column => self.f.apply(self.g.fields(field, places, observer)?),
            Field::Row => self
                .g
                .apply_adjoint(self.f.fields(field, places, observer)?),
        }
    }
}

/// F with every field computed by a whole product, whatever F knows of where its fields lie: what
/// [`LinearOperator::fields`] is held to.
#[derive(Clone, Copy, Debug)]
pub struct ByProducts<F>(pub F);

impl<F: LinearOperator> LinearOperator for ByProducts<F> {
    described_by!(|it| it.0 => it.0);

    fn geometry(&self) -> Result<Option<Geometry>> {
        self.0.geometry()
    }

    fn memory(&self) -> Option<usize> {
        self.0.memory()
    }

    fn check_interrupt(&self) -> Result<()> {
        self.0.check_interrupt()
    }

    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        self.0.apply(x)
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        self.0.apply_adjoint(y)
    }
}
