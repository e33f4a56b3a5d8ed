//! Sums and means over several axes or everything: linear.

use burn_backend::{Backend, TensorMetadata};

use crate::{
    linear::{Multiple, Sum, SumDim},
    run::{ScopeTensor, open::unary_after},
};

/// Σ over the given axes, each kept with size 1.
pub(crate) fn sum_dims<B: Backend>(x: ScopeTensor<B>, dims: &[usize]) -> ScopeTensor<B> {
    unary_after(
        x,
        |x| B::float_sum_dims(x, dims),
        |input, _, mut tracer| {
            let mut shape = input.clone();
            for &dim in dims {
                let map = SumDim::new(&shape, dim);
                shape[dim] = 1;
                tracer = tracer.map(map, &shape);
            }
            tracer
        },
    )
}

/// The mean of everything, `[1]`.
pub(crate) fn mean<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    unary_after(x, B::float_mean, |input, y, tracer| {
        let output = y.shape();
        tracer
            .map(Sum::new(input), &output)
            .map(Multiple(1.0 / input.num_elements() as f64), &output)
    })
}
