//! Ops with weights and a bias: y₁ = W x₁ + b. The bias is a source of a layer of its own.

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use crate::{
    error::Error,
    linear::LinearMap,
    tensor::{Lineage, ScopeTensor},
};

/// A convolution or transposed convolution over `[n, c, ..]` with bias `[c_out]`.
///
/// Weights that depend on the input are refused.
pub(crate) fn convolution<B: Backend, M: LinearMap<B> + 'static>(
    op: &str,
    x: ScopeTensor<B>,
    weight: ScopeTensor<B>,
    bias: Option<ScopeTensor<B>>,
    value: impl FnOnce(FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>) -> FloatTensor<B>,
    map: impl FnOnce(FloatTensor<B>, Shape) -> M,
) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (weight, w_lineage) = weight.open();
    let (bias, b_lineage) = bias.map_or((None, Lineage::Constant), |bias| {
        let (bias, lineage) = bias.open();
        (Some(bias), lineage)
    });
    let input = x.shape();
    for lineage in [&w_lineage, &b_lineage] {
        if let Lineage::Probed(probe) = lineage {
            let error = Error::NoRule {
                place: probe.scope().place(op),
                shape: input.to_vec(),
                because: ": its weight or bias depends on the input".into(),
            };
            let probe = probe.clone().refuse(error);
            return ScopeTensor::probed(value(x, weight, bias), probe);
        }
    }
    let Lineage::Probed(probe) = x_lineage else {
        let lineage = super::arithmetic::unprobed(
            x_lineage,
            super::arithmetic::unprobed(w_lineage, b_lineage),
        );
        return ScopeTensor {
            value: value(x, weight, bias),
            lineage,
        };
    };
    let map = map(weight.clone(), input);
    let y = value(x, weight, bias.clone());
    let shape = y.shape();
    let mut probe = probe.weighted(map, &shape);
    if let Some(bias) = bias {
        probe = probe.source(per_channel::<B>(bias, shape.num_dims()), &shape);
    }
    ScopeTensor::probed(y, probe)
}

/// `[c] → [1, c, 1, ..]` of the given rank.
pub(crate) fn per_channel<B: Backend>(x: FloatTensor<B>, rank: usize) -> FloatTensor<B> {
    let mut dims = vec![1; rank];
    dims[1] = x.shape().num_elements();
    B::float_reshape(x, Shape::from(dims))
}
