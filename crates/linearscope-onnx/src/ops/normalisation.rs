//! Norms: of batches (inference), instances, groups, layers, neighbouring channels.

use burn_backend::{Backend, Scalar, TensorMetadata, ops::PadMode, tensor::FloatTensor};

use super::arithmetic::floats;
use crate::{
    context::{Context, Outputs, one, reshaped},
    error::Result,
    value::Value,
};

pub(super) fn batch_norm<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    // Before opset 14 a training form was told by its outputs.
    let training = cx.flag("training_mode", false)?;
    if !training && (1..cx.node.outputs.len()).any(|index| cx.wants(index)) {
        return Err(cx.unsupported("outputs of training, without training_mode=1,"));
    }
    if cx.opset() < 9 && !cx.flag("spatial", true)? {
        return Err(cx.unsupported("spatial=0"));
    }
    let x = cx.float(0)?;
    let dims = x.shape().to_vec();
    let statistics = [cx.float(1)?, cx.float(2)?, cx.float(3)?, cx.float(4)?];
    for statistic in &statistics {
        if dims.len() < 2 || statistic.shape().to_vec() != [dims[1]] {
            return Err(cx.misfit(format!(
                "statistics of shape {:?} for an input of shape {dims:?}",
                statistic.shape().to_vec()
            )));
        }
    }
    let [gamma, beta, mean, variance] = statistics;
    let epsilon = cx.float_or("epsilon", 1e-5)?;
    if training {
        return batch_statistics(cx, x, [gamma, beta, mean, variance], epsilon);
    }
    one(B::batch_norm(x, gamma, beta, mean, variance, epsilon))
}

/// A batch norm by the statistics of the batch, and the running statistics after it.
fn batch_statistics<B: Backend>(
    cx: &Context<'_, B>,
    x: FloatTensor<B>,
    [gamma, beta, old_mean, old_variance]: [FloatTensor<B>; 4],
    epsilon: f64,
) -> Outputs<B> {
    let shape = x.shape().to_vec();
    let (batch, channels) = (shape[0], shape[1]);
    let plane: usize = shape[2..].iter().product();
    let rows = [channels, batch * plane];
    // One row a channel.
    let x = B::float_swap_dims(reshaped::<B>(x, &[batch, channels, plane]), 0, 1);
    let x = reshaped::<B>(x, &rows);
    let mean = B::float_mean_dim(x.clone(), 1);
    let centred = B::float_sub(x, mean.clone());
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 1);
    let spread = B::float_sqrt(B::float_add_scalar(
        variance.clone(),
        Scalar::Float(epsilon),
    ));
    let column = |x: FloatTensor<B>| reshaped::<B>(x, &[channels, 1]);
    let y = floats::<B>(B::float_div(centred, spread), column(gamma), B::float_mul);
    let y = floats::<B>(y, column(beta), B::float_add);
    let y = reshaped::<B>(y, &[channels, batch, plane]);
    let y = reshaped::<B>(B::float_swap_dims(y, 0, 1), &shape);
    let momentum = cx.float_or("momentum", 0.9)?;
    let running = |old: FloatTensor<B>, new: FloatTensor<B>| {
        let kept = B::float_mul_scalar(old, Scalar::Float(momentum));
        let new = B::float_mul_scalar(
            reshaped::<B>(new, &[channels]),
            Scalar::Float(1.0 - momentum),
        );
        Value::Float(B::float_add(kept, new))
    };
    let mut outputs = vec![Value::Float(y)];
    if cx.wants(1) || cx.wants(2) {
        outputs.push(running(old_mean, mean));
        outputs.push(running(old_variance, variance));
    }
    Ok(outputs)
}

/// One entry a channel, in a shape that broadcasts.
fn per_channel<B: Backend>(x: FloatTensor<B>, channels: usize, rank: usize) -> FloatTensor<B> {
    let mut dims = vec![1; rank];
    dims[1] = channels;
    reshaped::<B>(x, &dims)
}

/// x less its mean, over its standard deviation, in `groups` groups of channels: the ops of Burn's
/// own `GroupNorm`, so that one recogniser serves both.
fn normalised<B: Backend>(x: FloatTensor<B>, groups: usize, epsilon: f64) -> FloatTensor<B> {
    let shape = x.shape().to_vec();
    let plane = shape[1..].iter().product::<usize>() / groups;
    let x = reshaped::<B>(x, &[shape[0], groups, plane]);
    let centred = B::float_sub(x.clone(), B::float_mean_dim(x, 2));
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 2);
    let spread = B::float_sqrt(B::float_add_scalar(variance, Scalar::Float(epsilon)));
    reshaped::<B>(B::float_div(centred, spread), &shape)
}

pub(super) fn instance_norm<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let shape = x.shape().to_vec();
    if shape.len() < 3 {
        return Err(cx.unsupported(format!("an input of shape {shape:?}")));
    }
    let (channels, rank) = (shape[1], shape.len());
    let y = normalised::<B>(x, channels, cx.float_or("epsilon", 1e-5)?);
    let gamma = per_channel::<B>(cx.float(1)?, channels, rank);
    let beta = per_channel::<B>(cx.float(2)?, channels, rank);
    one(B::float_add(B::float_mul(y, gamma), beta))
}

/// Scale and shift are one a channel, or one a group (opset 18 to 20).
pub(super) fn group_norm<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let shape = x.shape().to_vec();
    let groups = usize::try_from(cx.int_or("num_groups", 0)?).unwrap_or(0);
    if shape.len() < 2 || groups == 0 || !shape[1].is_multiple_of(groups) {
        return Err(cx.misfit(format!(
            "num_groups={groups} for an input of shape {shape:?}"
        )));
    }
    let y = normalised::<B>(x, groups, cx.float_or("epsilon", 1e-5)?);
    let affine = |index: usize| -> Result<FloatTensor<B>> {
        let values = cx.float(index)?;
        let count = values.shape().num_elements();
        if count == shape[1] {
            return Ok(per_channel::<B>(values, shape[1], shape.len()));
        }
        if count != groups {
            return Err(cx.unsupported(format!("{count} scales for {groups} groups")));
        }
        let members = (shape[1] / groups) as i64;
        let group = (0..shape[1] as i64).map(|channel| channel / members);
        let all = B::float_select(values, 0, cx.indices(group.collect()));
        Ok(per_channel::<B>(all, shape[1], shape.len()))
    };
    one(B::float_add(B::float_mul(y, affine(1)?), affine(2)?))
}

/// Over `axis` and all after it; the mean and 1/σ where they are asked for.
pub(super) fn layer_norm<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let shape = x.shape().to_vec();
    let axis = cx.axis(cx.int_or("axis", -1)?, shape.len())?;
    let (lead, tail) = shape.split_at(axis);
    let inner: usize = tail.iter().product();
    let rows = reshaped::<B>(x, &[lead.iter().product(), inner]);
    let epsilon = cx.float_or("epsilon", 1e-5)?;
    let affine = |values: FloatTensor<B>| {
        let spread = super::arithmetic::spread(Value::<B>::Float(values), tail);
        match spread.reshape(&[inner]) {
            Value::Float(values) => values,
            _ => unreachable!("floats stay floats"),
        }
    };
    let gamma = affine(cx.float(1)?);
    let beta = cx.optional_float(2)?.map(affine);
    let y = B::layer_norm(rows.clone(), gamma, beta, epsilon);
    let mut outputs = vec![Value::Float(reshaped::<B>(y, &shape))];
    if cx.wants(1) || cx.wants(2) {
        let mut kept = lead.to_vec();
        kept.resize(shape.len(), 1);
        let mean = B::float_mean_dim(rows.clone(), 1);
        let centred = B::float_sub(rows, mean.clone());
        let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred), 1);
        let spread = B::float_sqrt(B::float_add_scalar(variance, Scalar::Float(epsilon)));
        outputs.push(Value::Float(reshaped::<B>(mean, &kept)));
        outputs.push(Value::Float(reshaped::<B>(B::float_recip(spread), &kept)));
    }
    Ok(outputs)
}

/// x/√(mean x² + ε) · scale: as a quotient its divisor is frozen.
pub(super) fn rms_norm<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let shape = x.shape().to_vec();
    let axis = cx.axis(cx.int_or("axis", -1)?, shape.len())?;
    let (lead, tail) = shape.split_at(axis);
    let rows = reshaped::<B>(x, &[lead.iter().product(), tail.iter().product()]);
    let square = B::float_mean_dim(B::float_mul(rows.clone(), rows.clone()), 1);
    let epsilon = Scalar::Float(cx.float_or("epsilon", 1e-5)?);
    let size = B::float_sqrt(B::float_add_scalar(square, epsilon));
    let y = reshaped::<B>(B::float_div(rows, size), &shape);
    one(floats::<B>(y, cx.float(1)?, B::float_mul))
}

/// x/(bias + α/size · Σ x²)^β, the sum over `size` neighbouring channels; as a quotient its
/// divisor is frozen.
pub(super) fn lrn<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let shape = x.shape().to_vec();
    let size = usize::try_from(cx.int_or("size", 0)?).unwrap_or(0);
    if shape.len() < 3 || size == 0 {
        return Err(cx.unsupported(format!("size={size} for an input of shape {shape:?}")));
    }
    let plane: usize = shape[2..].iter().product();
    let lines = reshaped::<B>(x.clone(), &[shape[0], 1, shape[1], plane]);
    let square = B::float_mul(lines.clone(), lines);
    let before = (size - 1) / 2;
    let pads = [(0, 0), (0, 0), (before, size - 1 - before), (0, 0)];
    let padded = B::float_pad(square, &pads, PadMode::Constant(0.0));
    let mean = B::avg_pool2d(padded, [size, 1], [1, 1], [0, 0], true, false);
    let alpha = Scalar::Float(cx.float_or("alpha", 1e-4)?);
    let bias = Scalar::Float(cx.float_or("bias", 1.0)?);
    let beta = Scalar::Float(cx.float_or("beta", 0.75)?);
    let base = B::float_add_scalar(B::float_mul_scalar(mean, alpha), bias);
    let size = reshaped::<B>(B::float_powf_scalar(base, beta), &shape);
    one(B::float_div(x, size))
}

/// x over its L1 or L2 norm along an axis; 0 stays 0.
pub(super) fn lp_norm<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let axis = cx.axis(cx.int_or("axis", -1)?, x.shape().num_dims())?;
    let size = match cx.int_or("p", 2)? {
        1 => B::float_sum_dim(B::float_abs(x.clone()), axis),
        2 => B::float_sqrt(B::float_sum_dim(B::float_mul(x.clone(), x.clone()), axis)),
        p => return Err(cx.unsupported(format!("p={p}"))),
    };
    let none = B::float_equal_elem(size.clone(), Scalar::Float(0.0), cx.bool_dtype());
    one(B::float_div(
        x,
        B::float_mask_fill(size, none, Scalar::Float(1.0)),
    ))
}

/// (x − mean)/(σ + 1e-9) over `axes`.
pub(super) fn mean_variance_norm<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let axes = cx.attribute_ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]);
    let axes = cx.axes(&axes, x.shape().num_dims())?;
    let mean = |x: FloatTensor<B>| axes.iter().fold(x, |x, &axis| B::float_mean_dim(x, axis));
    let centred = B::float_sub(x.clone(), mean(x));
    let spread = B::float_sqrt(mean(B::float_mul(centred.clone(), centred.clone())));
    one(B::float_div(
        centred,
        B::float_add_scalar(spread, Scalar::Float(1e-9)),
    ))
}
