//! Attention as one op: its weights are frozen, its values pass.
//!
//! y₁ = A₀ V₁ with A₀ = softmax(Q₀K₀ᵀ · scale), softcap, masks and additive bias as in the op: its
//! definition, run on x₀ with the unit matrix for values. Shapes: Q `[n, heads, q, d]`, K
//! `[n, heads, k, d]`, V `[n, heads, k, e]`, A₀ `[n, heads, q, k]`, which is what freezing stores.
//! Exact at x₀ to rounding: the value itself may come from a fused kernel. A row with every key
//! masked is 0. Values that do not depend on the input leave only weights that do: refused.

use burn_backend::{
    Backend, Shape, TensorData, TensorMetadata,
    ops::{AttentionModuleOptions, attention::attention_fallback},
};

use super::arithmetic::unprobed;
use crate::{
    error::Error,
    linear::MatmulLeft,
    tensor::{Lineage, ScopeTensor, Tracked},
};

pub(crate) fn attention<B: Backend>(
    [query, key, values]: [ScopeTensor<B>; 3],
    mask: Option<Tracked<B, B::BoolTensorPrimitive>>,
    bias: Option<ScopeTensor<B>>,
    options: AttentionModuleOptions,
) -> ScopeTensor<B> {
    let (query, q) = query.open();
    let (key, k) = key.open();
    let (values, v) = values.open();
    let (bias, b) = match bias.map(ScopeTensor::open) {
        Some((bias, lineage)) => (Some(bias), lineage),
        None => (None, Lineage::Constant),
    };
    let masked = mask.as_ref().and_then(|mask| mask.origin.clone());
    let masked = masked.map_or(Lineage::Constant, Lineage::Decision);
    let mask = mask.map(|mask| mask.value);
    let value = B::attention(
        query.clone(),
        key.clone(),
        values.clone(),
        mask.clone(),
        bias.clone(),
        options,
    );
    let Lineage::Probed(probe) = v else {
        let mut weights = [q, k, b, masked].into_iter();
        if let Some(Lineage::Probed(probe)) =
            weights.clone().find(|l| matches!(l, Lineage::Probed(_)))
        {
            let error = Error::NoRule {
                place: probe.scope().place("attention"),
                shape: query.shape().to_vec(),
                because: ": its weights would be frozen at x₀, and its values are constant".into(),
            };
            return ScopeTensor::probed(value, probe.refuse(error));
        }
        let lineage = weights.by_ref().fold(v, unprobed);
        return ScopeTensor { value, lineage };
    };
    let (input, shape) = (values.shape(), value.shape());
    let keys = input[2];
    let mut unit = vec![0f32; keys * keys];
    unit.iter_mut()
        .step_by(keys + 1)
        .for_each(|entry| *entry = 1.0);
    let unit = TensorData::new(unit, [1, 1, keys, keys]).convert_dtype(values.dtype());
    let unit = B::float_expand(
        B::float_from_data(unit, &values.device()),
        Shape::from(vec![input[0], input[1], keys, keys]),
    );
    let weights = attention_fallback::<B>(query, key, unit, mask, bias, options);
    let probe = probe.decided("weights", MatmulLeft::new(&input, weights), &shape);
    ScopeTensor::probed(value, probe)
}
