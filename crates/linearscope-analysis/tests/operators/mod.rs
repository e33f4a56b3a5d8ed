//! Small matrices between pictures, as operators.

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use linearscope_analysis::{LinearOperator, Result};

/// A matrix from `[1, c, h, w]` to `[1, d, H, W]`, in f64.
pub struct Dense {
    f: Tensor<2>,
    device: Device,
    input: [usize; 4],
    output: [usize; 4],
}

fn places([c, h, w]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..c * h * w).map(move |i| [i / (h * w), i / w % h, i % w])
}

impl Dense {
    /// Entries from the output's `[d, y, x]` and the input's `[c, y, x]`.
    pub fn of(
        input: [usize; 3],
        output: [usize; 3],
        entry: impl Fn([usize; 3], [usize; 3]) -> f64,
    ) -> Self {
        let values: Vec<f64> = places(output)
            .flat_map(|p| places(input).map(move |q| (p, q)))
            .map(|(p, q)| entry(p, q))
            .collect();
        let device = Device::flex();
        let len = |[c, h, w]: [usize; 3]| c * h * w;
        let data = TensorData::new(values, [len(output), len(input)]);
        let batch = |[c, h, w]: [usize; 3]| [1, c, h, w];
        Self {
            f: Tensor::from_data(data, (&device, DType::F64)),
            device,
            input: batch(input),
            output: batch(output),
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
        FloatDType::F64
    }

    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        Ok(x.matmul(self.f.clone().transpose()))
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        Ok(y.matmul(self.f.clone()))
    }
}
