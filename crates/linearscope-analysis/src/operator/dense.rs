//! A matrix as an operator.

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};

use super::LinearOperator;
use crate::{
    error::{Error, Result},
    vectors::check,
};

/// A matrix F, `[N, n]`, kept on its device: the oracle of tests, and for maps that are small.
///
/// # Example
/// ```
/// use burn::tensor::{Device, FloatDType};
/// use linearscope_analysis::{Dense, progress::unobserved, svd::{SvdConfig, svd}};
///
/// let f = Dense::new(vec![3.0, 0.0, 0.0, -2.0], [2], [2], &Device::flex(), FloatDType::F64)?;
/// let found = svd(&f, &SvdConfig::new(2), unobserved)?;
/// assert!((found.sigma[0] - 3.0).abs() < 1e-12 && (found.sigma[1] - 2.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dense {
    f: Tensor<2>,
    input_shape: Vec<usize>,
    output_shape: Vec<usize>,
    device: Device,
    dtype: FloatDType,
}

impl Dense {
    /// A matrix of N · n numbers, row after row, between vectors of these shapes, rounded to `dtype`.
    ///
    /// Memory: N · n numbers on the device.
    ///
    /// # Errors
    /// [`Error::Setting`] where there are not N · n numbers, or none.
    pub fn new(
        values: Vec<f64>,
        output_shape: impl Into<Vec<usize>>,
        input_shape: impl Into<Vec<usize>>,
        device: &Device,
        dtype: FloatDType,
    ) -> Result<Self> {
        let (input_shape, output_shape) = (input_shape.into(), output_shape.into());
        let rows: usize = output_shape.iter().product();
        let columns: usize = input_shape.iter().product();
        if values.len() != rows * columns || values.is_empty() {
            return Err(Error::Setting {
                what: "the number of a matrix's entries",
                got: values.len().to_string(),
                allowed: format!(
                    "shapes {output_shape:?} and {input_shape:?} give {rows} × {columns}, and it must be at least 1"
                ),
            });
        }
        let of: DType = dtype.into();
        let data = TensorData::new(values, [rows, columns]).convert_dtype(of);
        Ok(Self {
            f: Tensor::from_data(data, (device, of)),
            input_shape,
            output_shape,
            device: device.clone(),
            dtype,
        })
    }

    /// The matrix, `[N, n]`.
    pub fn matrix(&self) -> Tensor<2> {
        self.f.clone()
    }
}

impl LinearOperator for Dense {
    fn input_shape(&self) -> &[usize] {
        &self.input_shape
    }

    fn output_shape(&self) -> &[usize] {
        &self.output_shape
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn dtype(&self) -> FloatDType {
        self.dtype
    }

    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        check("the probe", &x, self.input_len())?;
        Ok(x.matmul(self.f.clone().transpose()))
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        check("the cotangent", &y, self.output_len())?;
        Ok(y.matmul(self.f.clone()))
    }
}
