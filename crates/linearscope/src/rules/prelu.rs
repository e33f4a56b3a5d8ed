//! prelu(x, α) = x where x > 0, else α ⊙ x; α broadcasts against x.
//!
//! With a constant α the slope of x₀ is all that is frozen (`slope.rs`). With a probed α the left
//! part is a product and follows the rule of products: y₁ = [x₀ > 0] ⊙ x₁ + [x₀ ≤ 0] ⊙ (the gate
//! frozen, else ½(α₀ x₁ + x₀ α₁)). A constant x: linear in α, the right part a source. Exact at x₀;
//! at 0 the left part counts.

use burn_backend::{
    Backend, Scalar, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::{arithmetic::broadcast, product::passing, slope};
use crate::{
    linear::Scale,
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

pub(crate) fn prelu<B: Backend>(x: ScopeTensor<B>, alpha: ScopeTensor<B>) -> ScopeTensor<B> {
    let (alpha, alpha_lineage) = alpha.open();
    let pa = match alpha_lineage {
        Lineage::Probed(pa) => pa,
        unprobed => {
            let y = slope::prelu(x, alpha);
            return match y.lineage {
                Lineage::Constant => ScopeTensor {
                    lineage: unprobed,
                    ..y
                },
                _ => y,
            };
        }
    };
    let (x, lineage) = x.open();
    let shape = x.shape();
    let value = B::prelu(x.clone(), alpha.clone());
    let bool_dtype = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
    let right = B::float_greater_elem(x.clone(), Scalar::Float(0.0), bool_dtype);
    let left = B::bool_not(right.clone());
    let none = Scalar::Float(0.0);
    let on_left = |v: FloatTensor<B>| B::float_mask_fill(v, right.clone(), none);
    let by_x = Scale::new(on_left(x.clone()));
    let pa = broadcast(pa, &alpha.shape(), &shape);
    let probe = match lineage {
        Lineage::Probed(px) => {
            let by_alpha = Scale::new(on_left(B::float_expand(alpha, shape.clone())));
            let passed = B::bool_into_float(right.clone(), x.dtype().into());
            let kept = px.clone().decided("slope", Scale::new(passed), &shape);
            let at_x0 = || on_left(value.clone());
            let product = passing((px, by_alpha), (pa, by_x), &shape, at_x0);
            Probe::sum(vec![(1.0, kept), (1.0, product)], &shape)
        }
        _ => pa
            .map(by_x, &shape)
            .source(B::float_mask_fill(x, left, none), &shape),
    };
    ScopeTensor::probed(value, probe)
}
