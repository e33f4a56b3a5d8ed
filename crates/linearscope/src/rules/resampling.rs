//! Interpolation: linear, in every mode.

use burn_backend::{Backend, TensorMetadata, ops::InterpolateOptions};

use crate::{
    linear::Interpolate,
    run::{ScopeTensor, open::unary_at},
};

/// `[n, c, h, w] → [n, c, ..output_size]`.
pub(crate) fn interpolate<B: Backend>(
    x: ScopeTensor<B>,
    output_size: [usize; 2],
    options: InterpolateOptions,
) -> ScopeTensor<B> {
    let value = |x| B::interpolate(x, output_size, options.clone());
    unary_at(x, value, |x, y, tracer| {
        let map = Interpolate::new(&x, &x.shape(), output_size, options.clone());
        tracer.map(map, &y.shape())
    })
}
