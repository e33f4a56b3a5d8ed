//! Backward ops: linear in the output gradient, y₁ = A g₁, often the adjoint of the forward op's
//! map.
//!
//! Only the gradient may depend on the input; where another operand does as well (a second
//! derivative through x), the op is refused.

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use crate::{
    linear::{LinearMap, Reshape, Scale, SumDim},
    ops::Seen,
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

/// Put value and probe of a backward op together: `carry` makes the probe of the result from that
/// of the gradient; `others` is what the other operands carried.
pub(crate) fn of_gradient<B: Backend, C>(
    op: &str,
    value: FloatTensor<B>,
    gradient: Lineage<B>,
    others: Seen<B>,
    carry: impl FnOnce() -> C,
) -> ScopeTensor<B>
where
    C: FnOnce(Probe<B>, &Shape) -> Probe<B>,
{
    let shape = value.shape();
    let others = others
        .because(
            ": it is linear in its output gradient alone, and another operand depends on the input",
        )
        .refused(op);
    let lineage = match (gradient, others) {
        (_, poisoned @ Lineage::Probed(_)) => poisoned,
        (Lineage::Probed(probe), _) => Lineage::Probed(carry()(probe, &shape)),
        (gradient, others) => super::arithmetic::unprobed(gradient, others),
    };
    ScopeTensor { value, lineage }
}

/// By one map.
pub(crate) fn by<B: Backend>(
    map: impl LinearMap<B> + 'static,
) -> impl FnOnce(Probe<B>, &Shape) -> Probe<B> {
    move |probe, shape| probe.map(map, shape)
}

/// A bias' gradient: `[n, c, ..]` summed over all but the channels.
pub(crate) fn over_channels<B: Backend>(
    gradient: Shape,
) -> impl FnOnce(Probe<B>, &Shape) -> Probe<B> {
    move |mut probe, shape| {
        let mut summed = gradient;
        for dim in (0..summed.num_dims()).filter(|&dim| dim != 1) {
            let map = SumDim::new(&summed, dim);
            summed[dim] = 1;
            probe = probe.map(map, &summed);
        }
        probe.map(Reshape::new(&summed, shape), shape)
    }
}

/// A pointwise unit's: its slope, which is what it makes of ones.
pub(crate) fn slope<B: Backend>(
    gradient: &FloatTensor<B>,
    backward: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> impl FnOnce(Probe<B>, &Shape) -> Probe<B> {
    let ones = B::float_ones(
        gradient.shape(),
        &gradient.device(),
        gradient.dtype().into(),
    );
    by(Scale::new(backward(ones)))
}
