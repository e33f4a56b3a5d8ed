//! The one thing that analyses require of a network, [`LinearOperator`], and operators made from
//! others.
//!
//! | operator | is |
//! | --- | --- |
//! | [`FrozenNetwork`](crate::FrozenNetwork), [`SubNetwork`](crate::SubNetwork) | a network at one x₀, or a part of it |
//! | [`Dense`] | a matrix |
//! | [`Transposed`] | Fᵀ |
//! | [`Scaled`] | a F |
//! | [`Sum`] | F + G |
//! | [`Composed`] | F G |
//! | [`ByProducts`] | F, with its fields computed by whole products |
//! | `&F`, `Box<F>`, `Arc<F>` | F |
//!
//! The trait can be used as an object: `&dyn LinearOperator` is an operator, too.

mod algebra;
mod dense;
#[cfg(feature = "faer")]
pub mod faer;
mod units;

use std::sync::Arc;

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use linearscope::program::Placed;

pub use algebra::{ByProducts, Composed, Scaled, Sum, Transposed};
pub use dense::Dense;
pub(crate) use units::InUnits;

use crate::{
    error::{Error, Result, tell},
    progress::{Observer, Progress},
};

/// How many vectors are multiplied side by side where many are known: enough for the batch speed of
/// convolutions, few enough for a large picture's memory.
pub(crate) const BATCH: usize = 8;

/// Where the entries of F x lie along each axis of x, or why nothing can be said of that.
pub type Geometry = Vec<std::result::Result<Placed, String>>;

/// Which way a field is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// F δ, of the output's shape: where input entries go (projective field).
    Column,
    /// Fᵀ δ, of the input's shape: what output entries use (receptive field).
    Row,
}

impl Field {
    /// The shape places of the field lie in.
    pub(crate) fn places(self, f: &(impl LinearOperator + ?Sized)) -> &[usize] {
        match self {
            Field::Column => f.input_shape(),
            Field::Row => f.output_shape(),
        }
    }

    /// What a long reading of fields is called.
    pub(crate) fn reading(self) -> &'static str {
        match self {
            Field::Column => "reading columns",
            Field::Row => "reading rows",
        }
    }

    /// The field of the transpose.
    fn transposed(self) -> Self {
        match self {
            Field::Column => Field::Row,
            Field::Row => Field::Column,
        }
    }

    /// Whether places can be asked for: there are some, none without a position, all inside.
    pub(crate) fn check(self, shape: &[usize], places: &[Vec<usize>]) -> Result<()> {
        let (what, list) = match self {
            Field::Column => ("the column", "the list of columns"),
            Field::Row => ("the row", "the list of rows"),
        };
        if places.is_empty() {
            return Err(Error::Empty { what: list });
        }
        let len: usize = shape.iter().product();
        match places.iter().flatten().find(|&&position| position >= len) {
            None => Ok(()),
            Some(&outside) => Err(Error::OutOfRange {
                what,
                index: vec![outside],
                shape: shape.to_vec(),
            }),
        }
    }
}

/// A linear map F from `[n]` to `[N]`, defined by what it does to batches of vectors.
///
/// Vectors are flat in C order of [`input_shape`](Self::input_shape) and
/// [`output_shape`](Self::output_shape); tensors live on [`device`](Self::device) in
/// [`dtype`](Self::dtype). ⟨F v, u⟩ = ⟨v, Fᵀ u⟩ holds to rounding. Everything in this crate that takes an
/// operator accepts any implementation, by reference or as an object.
///
/// # Example
/// A circular shift of four numbers, and its rows.
/// ```
/// use burn::tensor::{Device, FloatDType, Tensor};
/// use linearscope_analysis::{LinearOperator, Result, projection, vectors};
///
/// struct Shift(Device);
///
/// impl LinearOperator for Shift {
///     fn input_shape(&self) -> &[usize] { &[4] }
///     fn output_shape(&self) -> &[usize] { &[4] }
///     fn device(&self) -> &Device { &self.0 }
///     fn dtype(&self) -> FloatDType { FloatDType::F64 }
///     fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> { Ok(x.roll(&[1], &[1])) }
///     fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> { Ok(y.roll(&[-1], &[1])) }
/// }
///
/// let rows = projection::rows(&Shift(Device::flex()), &[0])?;
/// assert_eq!(vectors::read(rows)?, [0.0, 0.0, 0.0, 1.0]);
/// # Ok::<(), linearscope_analysis::Error>(())
/// ```
pub trait LinearOperator {
    /// Shape of x, without a probe axis.
    fn input_shape(&self) -> &[usize];

    /// Shape of F x, without a probe axis.
    fn output_shape(&self) -> &[usize];

    /// The device of vectors.
    fn device(&self) -> &Device;

    /// The dtype of vectors.
    fn dtype(&self) -> FloatDType;

    /// F x for k vectors: `[k, n] → [k, N]`. Homogeneous: no residual.
    ///
    /// # Errors
    /// [`Error::Length`] if x is not `[k, n]`; [`Error::Empty`] for k = 0; the operator's own
    /// errors, as [`Error::Operator`].
    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>>;

    /// Fᵀ y for k vectors: `[k, N] → [k, n]`.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>>;

    /// One field for each place, `[places, N]` for columns and `[places, n]` for rows. A place is one flat
    /// position, or several positions whose fields are added (all channels of a pixel).
    ///
    /// The default multiplies with indicator vectors, 8 at a time: one product per place. Operators that
    /// know where their fields lie give the same at a lower cost.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; [`Error::Empty`] without places; [`Error::Stopped`]; as
    /// [`apply`](Self::apply) and its adjoint.
    fn fields(
        &self,
        field: Field,
        places: &[Vec<usize>],
        observer: &mut Observer<'_>,
    ) -> Result<Tensor<2>> {
        by_products(self, field, places, observer)
    }

    /// Where entries of F x lie in x: for each axis of x, which entries along it an entry of F x uses, or why this
    /// is unknown. `None`, the default, is for operators without this knowledge; a frozen network derives it from
    /// its ops ([`Program::places`](linearscope::program::Program::places)).
    ///
    /// # Errors
    /// The operator's own, as [`Error::Operator`].
    fn geometry(&self) -> Result<Option<Geometry>> {
        Ok(None)
    }

    /// Bytes that its user allows for data kept alongside it, such as entries of its fields; `None`: unspecified. This
    /// may decide how much is computed at once, but must never change a result.
    fn memory(&self) -> Option<usize> {
        None
    }

    /// Whether computations with F may continue. This is checked before each product and within the
    /// dense work between products. The default never stops; a frozen network checks its
    /// [`Interrupt`](linearscope::Interrupt).
    ///
    /// # Errors
    /// [`linearscope::Error::Interrupted`], as [`Error::Engine`], or any other for which
    /// [`Error::is_stopped`] holds.
    fn check_interrupt(&self) -> Result<()> {
        Ok(())
    }

    /// Upload host numbers as k vectors of length `len`, `[k, len]`, to the device of vectors,
    /// rounded to [`dtype`](Self::dtype).
    ///
    /// # Panics
    /// If `values` is not a whole number of vectors.
    fn upload(&self, values: Vec<f64>, len: usize) -> Tensor<2> {
        let k = values.len() / len;
        let data = TensorData::new(values, [k, len]);
        let dtype: DType = self.dtype().into();
        Tensor::from_data(data.convert_dtype(dtype), (self.device(), dtype))
    }

    /// n, the length of x.
    fn input_len(&self) -> usize {
        self.input_shape().iter().product()
    }

    /// N, the length of F x.
    fn output_len(&self) -> usize {
        self.output_shape().iter().product()
    }
}

/// Shapes, device and dtype of an operator made of others: x is as the first one's, all else as the second
/// one's.
macro_rules! described_by {
    (|$it:ident| $input:expr => $output:expr) => {
        fn input_shape(&self) -> &[usize] {
            let $it = self;
            $input.input_shape()
        }

        fn output_shape(&self) -> &[usize] {
            let $it = self;
            $output.output_shape()
        }

        fn device(&self) -> &Device {
            let $it = self;
            $output.device()
        }

        fn dtype(&self) -> FloatDType {
            let $it = self;
            $output.dtype()
        }
    };
}
use described_by;

/// An operator behind a pointer is that operator.
macro_rules! forwarded {
    ($($pointer:ty),*) => {$(
        impl<F: LinearOperator + ?Sized> LinearOperator for $pointer {
            described_by!(|it| (**it) => (**it));

            fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
                (**self).apply(x)
            }

            fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
                (**self).apply_adjoint(y)
            }

            fn fields(
                &self,
                field: Field,
                places: &[Vec<usize>],
                observer: &mut Observer<'_>,
            ) -> Result<Tensor<2>> {
                (**self).fields(field, places, observer)
            }

            fn geometry(&self) -> Result<Option<Geometry>> {
                (**self).geometry()
            }

            fn memory(&self) -> Option<usize> {
                (**self).memory()
            }

            fn check_interrupt(&self) -> Result<()> {
                (**self).check_interrupt()
            }

            fn upload(&self, values: Vec<f64>, len: usize) -> Tensor<2> {
                (**self).upload(values, len)
            }
        }
    )*};
}

forwarded!(&F, Box<F>, Arc<F>);

/// Fields by multiplying with indicator vectors, 8 at a time: what [`LinearOperator::fields`] is for
/// operators that know nothing better.
pub(crate) fn by_products(
    f: &(impl LinearOperator + ?Sized),
    field: Field,
    places: &[Vec<usize>],
    observer: &mut Observer<'_>,
) -> Result<Tensor<2>> {
    let shape = field.places(f);
    field.check(shape, places)?;
    let len: usize = shape.iter().product();
    let mut parts = Vec::new();
    for (batch, chunk) in places.chunks(BATCH).enumerate() {
        let progress = Progress::new(field.reading(), batch * BATCH, places.len());
        tell(observer, progress)?;
        f.check_interrupt()?;
        let delta = f.upload(indicators(chunk, len), len);
        parts.push(match field {
            Field::Column => f.apply(delta)?,
            Field::Row => f.apply_adjoint(delta)?,
        });
    }
    Ok(Tensor::cat(parts, 0))
}

/// Vectors that are 1 at a place's positions and 0 elsewhere, one after the other.
pub(crate) fn indicators(places: &[Vec<usize>], len: usize) -> Vec<f64> {
    let mut values = vec![0f64; places.len() * len];
    for (row, positions) in places.iter().enumerate() {
        for position in positions {
            values[row * len + position] = 1.0;
        }
    }
    values
}
