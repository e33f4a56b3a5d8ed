//! Padding: linear in every mode; a constant other than 0 is a source on the border.

use burn_backend::{Backend, TensorMetadata, ops::PadMode};

use crate::{
    coefficient::Coefficient,
    linear::Pad,
    run::{ScopeTensor, open::unary_after},
};

pub(crate) fn pad<B: Backend>(
    x: ScopeTensor<B>,
    padding: &[(usize, usize)],
    mode: PadMode,
) -> ScopeTensor<B> {
    unary_after(
        x,
        |x| B::float_pad(x, padding, mode),
        |input, y, tracer| {
            let shape = y.shape();
            let tracer = tracer.map(Pad::new(input, padding, &mode), &shape);
            match mode {
                PadMode::Constant(c) if c != 0.0 => {
                    let zeros = B::float_zeros(input.clone(), &y.device(), y.dtype().into());
                    let border = B::float_pad(zeros, padding, mode);
                    tracer.source(Coefficient::weight(border), &shape)
                }
                _ => tracer,
            }
        },
    )
}
