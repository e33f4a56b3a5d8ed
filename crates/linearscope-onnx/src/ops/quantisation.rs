//! Quantised tensors. While a graph is captured they travel as floats that hold whole numbers. The
//! scale is frozen, and the rounding of a quantiser is straight-through where the user's rule set
//! says nothing else: x₁ + (round(x₀) − x₀).

use burn_backend::{Backend, DType, TensorData, TensorMetadata, tensor::FloatTensor};

use super::arithmetic::floats;
use crate::{
    context::{Context, Outputs, one, reshaped},
    error::{COMPUTED, Result},
    initialiser::{dtype, type_name},
    low_precision::{LowPrecision, RoundMode},
    value::Value,
};

/// A scale or zero point in a shape that broadcasts with `dims`: one number, one each along
/// `axis`, or one each for blocks of `block` along it.
fn per_axis<B: Backend>(
    cx: &Context<'_, B>,
    index: usize,
    dims: &[usize],
    axis: usize,
    block: usize,
    like: DType,
) -> Result<FloatTensor<B>> {
    let data = cx.data(index, "a scale or zero point")?;
    let shape = data.shape().to_vec();
    let values: Vec<f64> = data.iter::<f64>().collect();
    if values.len() == 1 && block == 0 {
        return Ok(cx.constant(values, vec![1; dims.len()], like));
    }
    if block == 0 {
        if shape.len() != 1 || dims.get(axis) != Some(&values.len()) {
            return Err(cx.unsupported(format!(
                "scales of shape {shape:?} along axis {axis} of {dims:?}"
            )));
        }
        let mut line = vec![1; dims.len()];
        line[axis] = values.len();
        return Ok(cx.constant(values, line, like));
    }
    let fits = shape.len() == dims.len()
        && (0..dims.len()).all(|i| match i == axis {
            true => shape[i] == dims[i].div_ceil(block),
            false => shape[i] == dims[i],
        });
    if !fits {
        return Err(cx.unsupported(format!(
            "scales of shape {shape:?} for blocks of {block} along axis {axis} of {dims:?}"
        )));
    }
    // Each scale for every entry of its block.
    let inner: usize = dims[axis + 1..].iter().product();
    let outer: usize = dims[..axis].iter().product();
    let mut all = Vec::with_capacity(dims.iter().product());
    for o in 0..outer {
        for at in 0..dims[axis] {
            for i in 0..inner {
                all.push(values[(o * shape[axis] + at / block) * inner + i]);
            }
        }
    }
    Ok(cx.constant(all, dims.to_vec(), like))
}

fn axis_and_block<B: Backend>(cx: &Context<'_, B>, rank: usize) -> Result<(usize, usize)> {
    let block = cx.int_or("block_size", 0)?;
    let block =
        usize::try_from(block).map_err(|_| cx.unsupported(format!("block_size={block}")))?;
    let axis = cx.int_or("axis", 1)?;
    // A single scale needs no axis, whatever the attribute says.
    Ok((cx.axis(axis, rank).unwrap_or(0), block))
}

/// Operand `index` less its zero point, as floats.
pub(super) fn centred<B: Backend>(
    cx: &Context<'_, B>,
    index: usize,
    zero: Option<usize>,
    axis: usize,
    like: DType,
) -> Result<FloatTensor<B>> {
    let Value::Float(x) = cx.value(index)?.cast(like) else {
        unreachable!("a cast to floats");
    };
    let Some(zero) = zero.filter(|zero| cx.has(*zero)) else {
        return Ok(x);
    };
    let dims = x.shape().to_vec();
    let zero = per_axis(cx, zero, &dims, axis, 0, like)?;
    Ok(floats::<B>(x, zero, B::float_sub))
}

/// `x` times the scale in operand `scale`.
pub(super) fn scaled_by<B: Backend>(
    cx: &Context<'_, B>,
    x: FloatTensor<B>,
    scale: usize,
    axis: usize,
) -> Result<FloatTensor<B>> {
    let dims = x.shape().to_vec();
    let scale = per_axis(cx, scale, &dims, axis, 0, x.dtype())?;
    Ok(floats::<B>(x, scale, B::float_mul))
}

/// What is quantised to.
#[derive(Clone, Copy)]
enum Target {
    Plain(DType),
    LowPrecision(LowPrecision),
}

/// The range of an integer type.
fn range(target: Target) -> Option<(f64, f64)> {
    let dtype = match target {
        Target::LowPrecision(kind) => return kind.range(),
        Target::Plain(dtype) => dtype,
    };
    Some(match dtype {
        DType::U8 => (0.0, 255.0),
        DType::I8 => (-128.0, 127.0),
        DType::U16 => (0.0, 65_535.0),
        DType::I16 => (-32_768.0, 32_767.0),
        DType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
        _ => return None,
    })
}

/// round(x / scale) + zero, within the range of the type of the zero point.
pub(super) fn quantised<B: Backend>(
    cx: &Context<'_, B>,
    x: FloatTensor<B>,
    scale: usize,
    zero: Option<usize>,
    axis: usize,
) -> Result<Value<B>> {
    let to = match zero.filter(|zero| cx.has(*zero)) {
        Some(zero) => cx.raw(zero)?.dtype(),
        None => DType::U8,
    };
    quantised_to(cx, x, scale, zero, (axis, 0), Target::Plain(to))
}

fn quantised_to<B: Backend>(
    cx: &Context<'_, B>,
    x: FloatTensor<B>,
    scale: usize,
    zero: Option<usize>,
    (axis, block): (usize, usize),
    to: Target,
) -> Result<Value<B>> {
    let dims = x.shape().to_vec();
    let like = x.dtype();
    let scale = per_axis(cx, scale, &dims, axis, block, like)?;
    let mut y = floats::<B>(x, scale, B::float_div);
    let range = range(to);
    if range.is_some() {
        y = B::float_round(y);
        if cx.env.capturing {
            let mut quantisers = cx.env.quantisers.borrow_mut();
            quantisers.push(cx.node.name.clone());
        }
    }
    if let Some(zero) = zero.filter(|zero| cx.has(*zero)) {
        let zero = per_axis(cx, zero, &dims, axis, block, like)?;
        y = floats::<B>(y, zero, B::float_add);
    }
    let y = reshaped::<B>(y, &dims);
    let (low, high) = match (range, to) {
        (Some(range), _) => range,
        (None, Target::LowPrecision(to)) if !cx.env.capturing => {
            let y = cx.read(Value::Float(y))?;
            let saturate = cx.flag("saturate", true)?;
            return Ok(Value::Constant(to.rounded(&y, saturate, RoundMode::Up)));
        }
        (None, Target::LowPrecision(to)) => {
            return Err(cx.unsupported(format!("{} numbers {COMPUTED}", type_name(to.data_type()))));
        }
        (None, Target::Plain(to)) => {
            return Err(cx.unsupported(format!("quantisation to {}", to.name())));
        }
    };
    let y = B::float_clamp(y, low.into(), high.into());
    Ok(match (cx.env.capturing, to) {
        (true, _) => Value::Float(y),
        (false, Target::Plain(to)) => Value::<B>::Float(y).cast(to),
        (false, Target::LowPrecision(to)) => Value::<B>::Float(y).cast(to.carrier()),
    })
}

pub(super) fn quantize<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = match cx.value(0)? {
        Value::Float(x) => x,
        x => match x.cast(DType::F32) {
            Value::Float(x) => x,
            _ => unreachable!("a cast to floats"),
        },
    };
    let code = i32::try_from(cx.int_or("output_dtype", 0)?).unwrap_or(-1);
    let to = match (cx.has(2), code) {
        (true, _) => match cx.low_precision(2) {
            Some(kind) => Target::LowPrecision(kind),
            None => Target::Plain(cx.raw(2)?.dtype()),
        },
        (false, 0) => Target::Plain(DType::U8),
        (false, code) => match (dtype(code), LowPrecision::of(code)) {
            (Some(dtype), _) => Target::Plain(dtype),
            (None, Some(kind)) => Target::LowPrecision(kind),
            (None, None) => {
                return Err(cx.unsupported(format!("output_dtype = {}", type_name(code))));
            }
        },
    };
    let precision = cx.int_or("precision", 0)?;
    if precision != 0 && dtype(precision as i32) != Some(x.dtype()) {
        return Err(cx.unsupported(format!("precision = {}", type_name(precision as i32))));
    }
    let place = axis_and_block(cx, x.shape().num_dims())?;
    Ok(vec![quantised_to(cx, x, 1, Some(2), place, to)?])
}

pub(super) fn dequantize<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let dims = x.shape();
    let (axis, block) = axis_and_block(cx, dims.len())?;
    let to = match cx.raw(1)?.dtype() {
        _ if cx.env.capturing => DType::F32,
        other => other,
    };
    let Value::Float(mut x) = x.cast(to) else {
        return Err(cx.unsupported(format!("a scale of type {}", to.name())));
    };
    if cx.has(2) {
        let zero = per_axis(cx, 2, &dims, axis, block, to)?;
        x = floats::<B>(x, zero, B::float_sub);
    }
    let scale = per_axis(cx, 1, &dims, axis, block, to)?;
    let y = reshaped::<B>(floats::<B>(x, scale, B::float_mul), &dims);
    let code = i32::try_from(cx.int_or("output_dtype", 0)?).unwrap_or(-1);
    match dtype(code) {
        _ if code == 0 || cx.env.capturing => one(y),
        Some(to) if to.is_float() => Ok(vec![Value::<B>::Float(y).cast(to)]),
        _ => Err(cx.unsupported(format!("output_dtype = {}", type_name(code)))),
    }
}

/// Scale and zero point from the input's own range: a constant graph has none such.
pub(super) fn dynamic_quantize<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.floats(0, "its range")?;
    let dims = cx.raw(0)?.shape();
    let low = x.iter().copied().fold(0.0, f64::min) as f32;
    let high = x.iter().copied().fold(0.0, f64::max) as f32;
    let scale = (high - low) / 255.0;
    let even = |x: f32| x.round_ties_even();
    let zero = match scale {
        0.0 => 0.0,
        scale => even((0.0 - low / scale).clamp(0.0, 255.0)),
    };
    let y: Vec<u8> = x
        .iter()
        .map(|&x| match scale {
            0.0 => zero as u8,
            scale => (even(x as f32 / scale) + zero).clamp(0.0, 255.0) as u8,
        })
        .collect();
    Ok(vec![
        Value::Constant(TensorData::new(y, dims)),
        Value::Constant(TensorData::new(vec![scale], [0usize; 0])),
        Value::Constant(TensorData::new(vec![zero as u8], [0usize; 0])),
    ])
}

/// Products of integers less their zero points; the sums are exact in f64.
pub(super) fn matmul_integer<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let rank = |index: usize| Ok::<_, crate::error::Error>(cx.raw(index)?.shape().len());
    // One zero point a row of the left, a column of the right.
    let (left, right) = (rank(0)?.saturating_sub(2), rank(1)?.saturating_sub(1));
    let x = centred(cx, 0, Some(2), left, DType::F64)?;
    let y = centred(cx, 1, Some(3), right, DType::F64)?;
    let product = super::product::multiplied(cx, x, y)?;
    Ok(vec![Value::<B>::Float(product).cast(DType::I32)])
}

pub(super) fn qlinear_matmul<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let rank = |index: usize| Ok::<_, crate::error::Error>(cx.raw(index)?.shape().len());
    let (left, right) = (rank(0)?.saturating_sub(2), rank(3)?.saturating_sub(1));
    let x = scaled_by(cx, centred(cx, 0, Some(2), left, DType::F32)?, 1, left)?;
    let y = scaled_by(cx, centred(cx, 3, Some(5), right, DType::F32)?, 4, right)?;
    let product = super::product::multiplied(cx, x, y)?;
    let last = product.shape().num_dims().saturating_sub(2);
    Ok(vec![quantised(cx, product, 6, Some(7), last)?])
}
