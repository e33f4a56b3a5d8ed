//! Small matrices as operators.

// Each test program takes what it needs.
#![allow(dead_code)]

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use linearscope_analysis::{LinearOperator, Result};

/// A matrix between vectors, or from `[1, c, h, w]` to `[1, d, H, W]`.
pub struct Dense {
    f: Tensor<2>,
    device: Device,
    dtype: FloatDType,
    input: Vec<usize>,
    output: Vec<usize>,
}

fn places([c, h, w]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..c * h * w).map(move |i| [i / (h * w), i / w % h, i % w])
}

impl Dense {
    /// Rows one after the other, between vectors.
    pub fn matrix(values: Vec<f64>, rows: usize, columns: usize, dtype: FloatDType) -> Self {
        let device = Device::flex();
        let of: DType = dtype.into();
        let data = TensorData::new(values, [rows, columns]).convert_dtype(of);
        Self {
            f: Tensor::from_data(data, (&device, of)),
            device,
            dtype,
            input: vec![columns],
            output: vec![rows],
        }
    }

    /// Between pictures, in f64: entries from the output's `[d, y, x]` and the input's `[c, y, x]`.
    pub fn of(
        input: [usize; 3],
        output: [usize; 3],
        entry: impl Fn([usize; 3], [usize; 3]) -> f64,
    ) -> Self {
        let values: Vec<f64> = places(output)
            .flat_map(|p| places(input).map(move |q| (p, q)))
            .map(|(p, q)| entry(p, q))
            .collect();
        let len = |[c, h, w]: [usize; 3]| c * h * w;
        let batch = |[c, h, w]: [usize; 3]| vec![1, c, h, w];
        Self {
            input: batch(input),
            output: batch(output),
            ..Self::matrix(values, len(output), len(input), FloatDType::F64)
        }
    }
}

impl LinearOperator for Dense {
    fn input_shape(&self) -> &[usize] {
        &self.input
    }

    fn output_shape(&self) -> &[usize] {
        &self.output
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn dtype(&self) -> FloatDType {
        self.dtype
    }

    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        Ok(x.matmul(self.f.clone().transpose()))
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        Ok(y.matmul(self.f.clone()))
    }
}
