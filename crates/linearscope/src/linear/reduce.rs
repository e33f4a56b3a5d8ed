//! Sums and means; their adjoints spread a cotangent over what was summed.

use burn_backend::{Backend, Scalar, Shape, TensorMetadata, tensor::FloatTensor};

use super::{
    AxisPlace, Cut, LinearMap, Locality, NonNegative, Region, Restricted, Structure, batch,
    locality::everywhere,
};

/// Σ over everything: `[..input] → [1]`.
#[derive(Debug)]
pub(crate) struct Sum {
    input: Shape,
}

impl Sum {
    pub(crate) fn new(input: &Shape) -> Self {
        Self {
            input: input.clone(),
        }
    }
}

impl<B: Backend> LinearMap<B> for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_sum_dim(batch::flatten::<B>(x), 1)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let k = y.shape()[0];
        let ones = vec![1; self.input.num_dims()];
        let y = B::float_reshape(y, batch::shape_of(k, &Shape::from(ones)));
        B::float_expand(y, batch::shape_of(k, &self.input))
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::NonNegative(self)
    }
}

/// Σ along one axis, kept with size 1.
#[derive(Debug)]
pub(crate) struct SumDim {
    input: Shape,
    dim: usize,
}

impl SumDim {
    pub(crate) fn new(input: &Shape, dim: usize) -> Self {
        Self {
            input: input.clone(),
            dim,
        }
    }
}

impl<B: Backend> LinearMap<B> for SumDim {
    fn name(&self) -> &'static str {
        "sum_dim"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_sum_dim(x, self.dim + 1)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let k = y.shape()[0];
        B::float_expand(y, batch::shape_of(k, &self.input))
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::NonNegative(self)
    }
}

/// Mean along one axis, kept with size 1.
#[derive(Debug)]
pub(crate) struct MeanDim {
    sum: SumDim,
}

impl MeanDim {
    pub(crate) fn new(input: &Shape, dim: usize) -> Self {
        Self {
            sum: SumDim::new(input, dim),
        }
    }
}

impl<B: Backend> LinearMap<B> for MeanDim {
    fn name(&self) -> &'static str {
        "mean_dim"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_mean_dim(x, self.sum.dim + 1)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        // Not a division: Burn's autodiff takes the reciprocal of a divisor in f32.
        let share = 1.0 / self.sum.input[self.sum.dim] as f64;
        let y = B::float_mul_scalar(y, Scalar::Float(share));
        LinearMap::<B>::adjoint(&self.sum, y)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::NonNegative(self)
    }
}

/// Running sum along one axis; the adjoint runs from the other end.
#[derive(Debug)]
pub(crate) struct CumSum(pub usize);

impl<B: Backend> LinearMap<B> for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_cumsum(x, self.0 + 1)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let axis = [self.0 + 1];
        B::float_flip(B::float_cumsum(B::float_flip(y, &axis), self.0 + 1), &axis)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::NonNegative(self)
    }
}

/// What is asked of sums alike.
macro_rules! sums {
    ($($name:ident: $along:expr;)+) => {$(
        impl<B: Backend> NonNegative<B> for $name {
            fn adjoint_has_gradient(&self) -> bool {
                true
            }
        }

        impl<B: Backend> Locality<B> for $name {
            fn flops(&self, input: &Shape, _output: &Shape) -> u64 {
                input.num_elements() as u64
            }
            everywhere!();
            fn places(&self, _input: &Shape, output: &Shape) -> Option<Vec<AxisPlace>> {
                let along: Option<usize> = $along(self);
                let axes = 0..output.num_dims();
                Some(
                    axes.map(|axis| match along {
                        Some(along) if along != axis => AxisPlace::same(axis),
                        _ => AxisPlace::Any,
                    })
                    .collect(),
                )
            }
        }
    )+};
}

// Which axis is read whole; `None`: all of them.
sums!(
    Sum: |_: &Self| None;
    SumDim: |map: &Self| Some(map.dim);
    MeanDim: |map: &Self| Some(map.sum.dim);
    CumSum: |map: &Self| Some(map.0);
);
