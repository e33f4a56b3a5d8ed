//! Comparisons, logic, choices, casts.

use burn_backend::{
    Backend, DType, TensorMetadata, get_or_init_device_settings,
    tensor::{BoolTensor, FloatTensor, IntTensor},
};

use super::arithmetic::{broadcast, spread};
use crate::{
    context::{Context, Outputs, empty, one_constant},
    error::Result,
    initialiser::{dtype, type_name},
    low_precision::{LowPrecision, RoundMode},
    value::Value,
};

type Both<T> = fn(T, T) -> T;

fn compare<B: Backend>(
    cx: &Context<'_, B>,
    float: fn(FloatTensor<B>, FloatTensor<B>, burn_backend::BoolDType) -> BoolTensor<B>,
    int: fn(IntTensor<B>, IntTensor<B>, burn_backend::BoolDType) -> BoolTensor<B>,
    bool: Option<Both<BoolTensor<B>>>,
) -> Outputs<B> {
    let (x, y) = (cx.value(0)?, cx.value(1)?);
    let dims = broadcast(cx, &x.shape(), &y.shape())?;
    if dims.contains(&0) {
        return Ok(vec![empty(&dims, cx.bool_dtype().into())]);
    }
    let dtype = cx.bool_dtype();
    let (x, y) = (spread(x, &dims), spread(y, &dims));
    Ok(vec![Value::Bool(match (x, y) {
        (Value::Float(x), Value::Float(y)) => float(x, y, dtype),
        (Value::Int(x), Value::Int(y)) => int(x, y, dtype),
        (Value::Bool(x), Value::Bool(y)) if bool.is_some() => bool.expect("just looked")(x, y),
        (x, y) => return Err(cx.unsupported_types(&[&x, &y])),
    })])
}

pub(super) fn equal<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    compare(cx, B::float_equal, B::int_equal, Some(B::bool_equal))
}

pub(super) fn greater<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    compare(cx, B::float_greater, B::int_greater, None)
}

pub(super) fn greater_or_equal<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    compare(cx, B::float_greater_equal, B::int_greater_equal, None)
}

pub(super) fn less<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    compare(cx, B::float_lower, B::int_lower, None)
}

pub(super) fn less_or_equal<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    compare(cx, B::float_lower_equal, B::int_lower_equal, None)
}

fn logic<B: Backend>(
    cx: &Context<'_, B>,
    op: fn(BoolTensor<B>, BoolTensor<B>) -> BoolTensor<B>,
) -> Outputs<B> {
    let (x, y) = (Value::<B>::Bool(cx.bool(0)?), Value::<B>::Bool(cx.bool(1)?));
    let dims = broadcast(cx, &x.shape(), &y.shape())?;
    match (spread::<B>(x, &dims), spread::<B>(y, &dims)) {
        (Value::Bool(x), Value::Bool(y)) => Ok(vec![Value::Bool(op(x, y))]),
        (x, y) => Err(cx.unsupported_types(&[&x, &y])),
    }
}

pub(super) fn and<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    logic(cx, B::bool_and)
}

pub(super) fn or<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    logic(cx, B::bool_or)
}

pub(super) fn xor<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    logic(cx, B::bool_xor)
}

pub(super) fn not<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    Ok(vec![Value::Bool(B::bool_not(cx.bool(0)?))])
}

/// `x` where the condition holds, else `y`.
pub(super) fn choose<B: Backend>(
    cx: &Context<'_, B>,
    condition: BoolTensor<B>,
    x: Value<B>,
    y: Value<B>,
) -> Result<Value<B>> {
    let of_both = broadcast(cx, &x.shape(), &y.shape())?;
    let dims = broadcast(cx, &of_both, &condition.shape().to_vec())?;
    if std::mem::discriminant(&x) != std::mem::discriminant(&y) {
        return Err(cx.unsupported_types(&[&x, &y]));
    }
    if dims.contains(&0) {
        return Ok(empty(&dims, x.dtype()));
    }
    let Value::Bool(condition) = spread::<B>(Value::Bool(condition), &dims) else {
        unreachable!("booleans stay booleans");
    };
    Ok(spread(y, &dims).mask_where(condition, spread(x, &dims)))
}

pub(super) fn where_<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    Ok(vec![choose(cx, cx.bool(0)?, cx.value(1)?, cx.value(2)?)?])
}

/// The dtype a cast goes to on this backend.
fn target<B: Backend>(cx: &Context<'_, B>, to: DType) -> DType {
    let settings = get_or_init_device_settings::<B>(&cx.env.device);
    if to.is_bool() {
        settings.bool_dtype.into()
    } else if to.is_float() {
        // A captured graph is f32 throughout.
        let kept = !cx.env.capturing && B::supports_dtype(&cx.env.device, to);
        if kept { to } else { DType::F32 }
    } else {
        let kept = !cx.env.capturing && B::supports_dtype(&cx.env.device, to);
        if kept { to } else { settings.int_dtype.into() }
    }
}

/// To a type that Burn has no dtype for: rounded on the host, and carried by a wider one.
fn cast_to_low_precision<B: Backend>(cx: &Context<'_, B>, to: LowPrecision) -> Outputs<B> {
    if cx.low_precision(0) == Some(to) {
        return Ok(vec![cx.raw(0)?]);
    }
    let mode = match cx.text_or("round_mode", "up")? {
        "up" => RoundMode::Up,
        "down" => RoundMode::Down,
        "nearest" => RoundMode::Nearest,
        other => return Err(cx.unsupported(format!("round_mode={other}"))),
    };
    let x = cx.data(0, "numbers to round to a low-precision type")?;
    one_constant(to.rounded(&x, cx.flag("saturate", true)?, mode))
}

pub(super) fn cast<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let code = i32::try_from(cx.int_or("to", 0)?).unwrap_or(0);
    if let Some(to) = LowPrecision::of(code) {
        return cast_to_low_precision(cx, to);
    }
    let to = dtype(code).ok_or_else(|| cx.unsupported(format!("to = {}", type_name(code))))?;
    Ok(vec![cx.value(0)?.cast(target(cx, to))])
}

pub(super) fn cast_like<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    if let Some(to) = cx.low_precision(1) {
        return cast_to_low_precision(cx, to);
    }
    let to = target(cx, cx.raw(1)?.dtype());
    // Of the other operand only the type is read: a constant stays one.
    if let Value::Constant(data) = cx.raw(0)?
        && to.is_float()
        && !data.dtype().is_bool()
    {
        return one_constant(data.convert_dtype(to));
    }
    Ok(vec![cx.value(0)?.cast(to)])
}
