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
    tensor::BoolTensor,
};

use crate::{
    coefficient::Coefficient,
    linear::MatmulLeft,
    run::{
        ScopeTensor, Tracked,
        open::{Opened, Operand, Traced},
    },
};

pub(crate) fn attention<B: Backend>(
    operands: [ScopeTensor<B>; 3],
    mask: Option<Tracked<B, BoolTensor<B>>>,
    bias: Option<ScopeTensor<B>>,
    options: AttentionModuleOptions,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let [query, key, values] = operands.map(|operand| op.float(operand));
    let mask = mask.map(|mask| op.other(mask));
    let bias = bias.map(|bias| op.float(bias));
    let (q, k) = (query.value().clone(), key.value().clone());
    let (m, b) = (
        mask.as_ref().map(|mask| mask.value().clone()),
        bias.as_ref().map(|bias| bias.value().clone()),
    );
    let y = B::attention(
        q.clone(),
        k.clone(),
        values.value().clone(),
        m.clone(),
        b.clone(),
        options,
    );
    let Operand::Traced(Traced {
        value: values,
        tracer,
    }) = values
    else {
        let because = ": its weights would be frozen at x₀, and its values are constant";
        return op.refused(y, "attention", because);
    };
    let (input, shape) = (values.shape(), y.shape());
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
    let weights = attention_fallback::<B>(q, k, unit, m, b, options);
    let of_weights = [Some(query), Some(key), bias];
    let fixed: Option<Vec<_>> = of_weights
        .into_iter()
        .flatten()
        .map(Operand::fixed)
        .collect();
    let weights = match fixed {
        // What an earlier op decided, or nobody.
        Some(fixed) => {
            let mask = mask.map_or(Coefficient::weight(()), |mask| mask.map(|_| ()));
            let origin = fixed
                .into_iter()
                .fold(mask, |origin, operand| origin.join(operand, |(), _| ()));
            origin.map(|()| weights)
        }
        None => {
            let decided = tracer.freeze("weights", None);
            Coefficient::decided(weights, &decided)
        }
    };
    op.traced(y, tracer.map(MatmulLeft::new(&input, weights), &shape))
}
