//! The one thing analyses ask of a network.

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};

use crate::projection::{self, Field};

/// Result with the interpreter's error.
pub type Result<T, E = linearscope::Error> = std::result::Result<T, E>;

/// A linear map F from `[n]` to `[N]`, known by what it does to batches of vectors.
///
/// Vectors are flat in C order of [`input_shape`](Self::input_shape) and
/// [`output_shape`](Self::output_shape); tensors live on [`device`](Self::device) in
/// [`dtype`](Self::dtype). ⟨F v, u⟩ = ⟨v, Fᵀ u⟩ holds to rounding.
pub trait LinearOperator {
    /// Shape of x, without a probe axis.
    fn input_shape(&self) -> &[usize];

    /// Shape of F x, without a probe axis.
    fn output_shape(&self) -> &[usize];

    /// Where vectors live.
    fn device(&self) -> &Device;

    /// The precision of vectors.
    fn dtype(&self) -> FloatDType;

    /// F x for k vectors: `[k, n] → [k, N]`. Homogeneous: no residual.
    ///
    /// # Errors
    /// `Error::Shape` when x is not `[k, n]`.
    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>>;

    /// Fᵀ y for k vectors: `[k, N] → [k, n]`.
    ///
    /// # Errors
    /// `Error::Shape` when y is not `[k, N]`.
    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>>;

    /// One field per place, `[places, n or N]`, as [`projection::fields`] gives it; operators that know
    /// where their fields lie give the same for less.
    ///
    /// # Errors
    /// As [`projection::fields`].
    fn fields(
        &self,
        field: Field,
        places: &[Vec<usize>],
        on_batch: &mut dyn FnMut(usize),
    ) -> Result<Tensor<2>>
    where
        Self: Sized,
    {
        projection::fields(self, field, places, on_batch)
    }

    /// Host numbers as k vectors of length `len` where vectors live, `[k, len]`.
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
