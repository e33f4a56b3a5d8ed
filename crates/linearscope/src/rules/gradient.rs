//! Backward ops: linear in the output gradient, y₁ = A g₁, often the adjoint of the forward op's
//! map.
//!
//! Only the gradient may depend on the input linearly; where another operand does as well (a second
//! derivative through x), the op is refused.

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use crate::{
    coefficient::Coefficient,
    linear::{Diagonal, LinearMap, Reshape, SumDim},
    run::{
        ScopeTensor, Tracer,
        open::{Opened, Operand},
    },
};

/// Put value and tracer of a backward op together: `carry` makes the tracer of the result from that
/// of the gradient.
pub(crate) fn of_gradient<B: Backend, C>(
    name: &str,
    op: &Opened<B>,
    value: FloatTensor<B>,
    gradient: Operand<B>,
    others_traced: bool,
    carry: impl FnOnce() -> C,
) -> ScopeTensor<B>
where
    C: FnOnce(Tracer<B>, &Shape) -> Tracer<B>,
{
    const BECAUSE: &str =
        ": it is linear in its output gradient alone, and another operand depends on the input";
    match gradient {
        _ if others_traced => op.refused(value, name, BECAUSE),
        Operand::Traced(gradient) => {
            let tracer = carry()(gradient.tracer, &value.shape());
            op.traced(value, tracer)
        }
        Operand::Fixed(_) => op.fixed(value),
    }
}

/// By one map.
pub(crate) fn by<B: Backend>(
    map: impl LinearMap<B> + 'static,
) -> impl FnOnce(Tracer<B>, &Shape) -> Tracer<B> {
    move |tracer, shape| tracer.map(map, shape)
}

/// A bias' gradient: `[n, c, ..]` summed over all but the channels.
pub(crate) fn over_channels<B: Backend>(
    gradient: Shape,
) -> impl FnOnce(Tracer<B>, &Shape) -> Tracer<B> {
    move |mut tracer, shape| {
        let mut summed = gradient;
        for dim in (0..summed.num_dims()).filter(|&dim| dim != 1) {
            let map = SumDim::new(&summed, dim);
            summed[dim] = 1;
            tracer = tracer.map(map, &summed);
        }
        tracer.map(Reshape::new(&summed, shape), shape)
    }
}

/// A pointwise unit's: its slope, which is what it makes of ones.
pub(crate) fn slope<B: Backend>(
    gradient: &FloatTensor<B>,
    at: Coefficient<FloatTensor<B>>,
    backward: impl FnOnce(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> impl FnOnce(Tracer<B>, &Shape) -> Tracer<B> {
    let ones = B::float_ones(
        gradient.shape(),
        &gradient.device(),
        gradient.dtype().into(),
    );
    by(Diagonal::new(at.map(|at| backward(at, ones))))
}
