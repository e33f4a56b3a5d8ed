//! Ops with weights and a bias: y = W x + b, bilinear in picture and weight.
//!
//! - x probed, W constant: y₁ = W x₁ + b, a layer of its own; the bias is a source of it.
//! - W probed, x constant (weights made by a network): y₁ = W₁ x + b, linear in W.
//! - both: the rule of products (`product.rs`): y₁ = W₀ x₁ where W is a gate, else ½(W₀ x₁ + W₁
//!   x₀).
//!
//! A probed bias is added. Exact at x₀ in every case.

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use super::{
    arithmetic::{broadcast, note_decision, unprobed},
    product::{passing, strangers},
};
use crate::{
    linear::{LinearMap, Reshape},
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

/// A convolution or transposed convolution over `[n, c, ..]` with bias `[c_out]`. The maps are made
/// of the other operand's value: `of_x(weight, shape of x)`, `of_weight(x, shape of the weight)`.
pub(crate) fn convolution<B: Backend, M, W>(
    op: &str,
    x: ScopeTensor<B>,
    weight: ScopeTensor<B>,
    bias: Option<ScopeTensor<B>>,
    value: impl FnOnce(FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>) -> FloatTensor<B>,
    of_x: impl FnOnce(FloatTensor<B>, Shape) -> M,
    of_weight: impl FnOnce(FloatTensor<B>, Shape) -> W,
) -> ScopeTensor<B>
where
    M: LinearMap<B> + 'static,
    W: LinearMap<B> + 'static,
{
    let (x, x_lineage) = x.open();
    let (weight, w_lineage) = weight.open();
    let (bias, b_lineage) = bias.map_or((None, Lineage::Constant), |bias| {
        let (bias, lineage) = bias.open();
        (Some(bias), lineage)
    });
    let y = value(x.clone(), weight.clone(), bias.clone());
    let shape = y.shape();
    let (input, kernel) = (x.shape(), weight.shape());
    let probe = match (x_lineage, w_lineage) {
        (Lineage::Probed(px), Lineage::Probed(pw)) => {
            if let Some(error) = strangers(&px, &pw, op) {
                pw.refuse(error.clone());
                return ScopeTensor::probed(y, px.refuse(error));
            }
            let (by_weight, by_x) = (of_x(weight, input), of_weight(x, kernel));
            let at_x0 = || match &bias {
                Some(bias) => {
                    let bias = per_channel::<B>(bias.clone(), shape.num_dims());
                    B::float_sub(y.clone(), bias)
                }
                None => y.clone(),
            };
            Some(passing((px, by_weight), (pw, by_x), &shape, at_x0))
        }
        (Lineage::Probed(px), factor) => {
            note_decision(&factor, "factor");
            Some(px.weighted(of_x(weight, input), &shape))
        }
        (factor, Lineage::Probed(pw)) => {
            note_decision(&factor, "factor");
            Some(pw.weighted(of_weight(x, kernel), &shape))
        }
        (a, b) if !matches!(b_lineage, Lineage::Probed(_)) => {
            let lineage = unprobed(unprobed(a, b), b_lineage);
            return ScopeTensor { value: y, lineage };
        }
        _ => None,
    };
    let Some(bias) = bias else {
        let probe = probe.expect("without a bias, picture or weight is probed");
        return ScopeTensor::probed(y, probe);
    };
    let channels = bias.shape();
    let spread = per_channel::<B>(bias, shape.num_dims());
    let probe = match (probe, b_lineage) {
        (probe, Lineage::Probed(pb)) => {
            let aligned = spread.shape();
            let pb = pb.map(Reshape::new(&channels, &aligned), &aligned);
            let pb = broadcast(pb, &aligned, &shape);
            match probe {
                Some(probe) => Probe::sum(vec![(1.0, probe), (1.0, pb)], &shape),
                None => pb.source(B::float_sub(y.clone(), spread), &shape),
            }
        }
        (Some(probe), _) => probe.source(spread, &shape),
        (None, _) => unreachable!("one operand is probed"),
    };
    ScopeTensor::probed(y, probe)
}

/// `[c] → [1, c, 1, ..]` of the given rank.
pub(crate) fn per_channel<B: Backend>(x: FloatTensor<B>, rank: usize) -> FloatTensor<B> {
    let mut dims = vec![1; rank];
    dims[1] = x.shape().num_elements();
    B::float_reshape(x, Shape::from(dims))
}
