//! Arithmetic of two or more tensors, with ONNX's broadcasting.

use burn_backend::{Backend, DType, Scalar, TensorMetadata, tensor::FloatTensor};

use crate::{
    context::{Context, Outputs, at_rank},
    error::Result,
    value::Value,
};

/// The shape two shapes broadcast to.
pub(super) fn broadcast<B: Backend>(
    cx: &Context<'_, B>,
    left: &[usize],
    right: &[usize],
) -> Result<Vec<usize>> {
    let rank = left.len().max(right.len());
    let size = |dims: &[usize], axis: usize| match (axis + dims.len()).checked_sub(rank) {
        Some(at) => dims[at],
        None => 1,
    };
    let mut dims = Vec::with_capacity(rank);
    for axis in 0..rank {
        dims.push(match (size(left, axis), size(right, axis)) {
            (1, size) | (size, 1) => size,
            (a, b) if a == b => a,
            _ => {
                return Err(cx.misfit(format!(
                    "inputs of shapes {left:?} and {right:?}, which do not broadcast"
                )));
            }
        });
    }
    cx.check_size(&dims)?;
    Ok(dims)
}

/// Leading axes of size 1 up to `rank`.
pub(super) fn raised<B: Backend>(x: Value<B>, rank: usize) -> Value<B> {
    let dims = x.shape();
    if dims.len() >= rank {
        return x;
    }
    let mut raised = vec![1; rank - dims.len()];
    raised.extend(dims);
    x.reshape(&raised)
}

/// Of this very shape.
pub(super) fn spread<B: Backend>(x: Value<B>, dims: &[usize]) -> Value<B> {
    raised(x, dims.len()).expand(dims)
}

/// An op of two tensors of one kind: floats or integers. Burn broadcasts axes of size 1.
fn both<B: Backend>(
    cx: &Context<'_, B>,
    [left, right]: [Value<B>; 2],
    float: fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
    int: fn(
        burn_backend::tensor::IntTensor<B>,
        burn_backend::tensor::IntTensor<B>,
    ) -> burn_backend::tensor::IntTensor<B>,
) -> Result<Value<B>> {
    let dims = broadcast(cx, &left.shape(), &right.shape())?;
    if dims.contains(&0) {
        return Ok(crate::context::empty(&dims, left.dtype()));
    }
    match (raised(left, dims.len()), raised(right, dims.len())) {
        (Value::Float(x), Value::Float(y)) => Ok(Value::Float(float(x, y))),
        (Value::Int(x), Value::Int(y)) => Ok(Value::Int(int(x, y))),
        (x, y) => Err(cx.unsupported_types(&[&x, &y])),
    }
}

macro_rules! binary {
    ($($name:ident => $float:ident, $int:ident;)*) => {$(
        pub(super) fn $name<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
            let operands = [cx.value(0)?, cx.value(1)?];
            let operands = old_broadcast(cx, operands)?;
            Ok(vec![both(cx, operands, B::$float, B::$int)?])
        }
    )*};
}

binary! {
    add => float_add, int_add;
    sub => float_sub, int_sub;
    mul => float_mul, int_mul;
}

/// Before opset 7 the second operand's axes stood at `axis` of the first, if `broadcast` was set.
fn old_broadcast<B: Backend>(cx: &Context<'_, B>, [x, y]: [Value<B>; 2]) -> Result<[Value<B>; 2]> {
    if cx.opset() >= 7 || cx.attribute("axis").is_none() {
        return Ok([x, y]);
    }
    let rank = x.shape().len();
    let axis = cx.axis(cx.int_or("axis", 0)?, rank)?;
    let mut dims = y.shape();
    dims.resize((rank.saturating_sub(axis)).max(dims.len()), 1);
    Ok([x, y.reshape(&dims)])
}

/// Integers are divided towards zero; a zero among the divisors is an error.
pub(super) fn div<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let [x, y] = old_broadcast(cx, [cx.value(0)?, cx.value(1)?])?;
    if matches!(y, Value::Int(_)) && cx.ints(1, "a divisor")?.contains(&0) {
        return Err(cx.unsupported("a division of integers by 0"));
    }
    Ok(vec![both(cx, [x, y], B::float_div, B::int_div)?])
}

pub(super) fn neg<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    Ok(vec![match cx.value(0)? {
        Value::Float(x) => Value::Float(B::float_neg(x)),
        Value::Int(x) => Value::Int(B::int_neg(x)),
        x => return Err(cx.unsupported_types(&[&x])),
    }])
}

/// Any number of operands, two at a time.
fn many<B: Backend>(
    cx: &Context<'_, B>,
    op: impl Fn(&Context<'_, B>, [Value<B>; 2]) -> Result<Value<B>>,
) -> Result<Value<B>> {
    let mut terms = cx.all()?.into_iter();
    let first = terms.next().ok_or_else(|| cx.unsupported("no inputs"))?;
    terms.try_fold(first, |sum, term| op(cx, [sum, term]))
}

fn add_two<B: Backend>(cx: &Context<'_, B>, operands: [Value<B>; 2]) -> Result<Value<B>> {
    both(cx, operands, B::float_add, B::int_add)
}

pub(super) fn sum<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    Ok(vec![many(cx, add_two)?])
}

pub(super) fn mean<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let count = cx.node.inputs.len();
    match many(cx, add_two)? {
        Value::Float(sum) => Ok(vec![Value::Float(B::float_div_scalar(
            sum,
            Scalar::Float(count as f64),
        ))]),
        sum => Err(cx.unsupported_types(&[&sum])),
    }
}

/// The larger of two, entry by entry (the first where they are equal): who wins is a decision,
/// what wins passes on.
pub(super) fn larger<B: Backend>(
    cx: &Context<'_, B>,
    [x, y]: [Value<B>; 2],
    smaller: bool,
) -> Result<Value<B>> {
    let dims = broadcast(cx, &x.shape(), &y.shape())?;
    let (x, y) = (spread(x, &dims), spread(y, &dims));
    let dtype = cx.bool_dtype();
    let second = match (x.clone(), y.clone(), smaller) {
        (Value::Float(x), Value::Float(y), false) => B::float_greater(y, x, dtype),
        (Value::Float(x), Value::Float(y), true) => B::float_lower(y, x, dtype),
        (Value::Int(x), Value::Int(y), false) => B::int_greater(y, x, dtype),
        (Value::Int(x), Value::Int(y), true) => B::int_lower(y, x, dtype),
        _ => return Err(cx.unsupported_types(&[&x, &y])),
    };
    // A number that is none wins, as in numpy.
    let second = match &y {
        Value::Float(other) if !cx.env.capturing => {
            B::bool_or(second, B::float_is_nan(other.clone(), dtype))
        }
        _ => second,
    };
    Ok(x.mask_where(second, y))
}

pub(super) fn max<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    Ok(vec![many(cx, |cx, operands| larger(cx, operands, false))?])
}

pub(super) fn min<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    Ok(vec![many(cx, |cx, operands| larger(cx, operands, true))?])
}

/// The rest of a division: of the sign of the divisor, or of the dividend with fmod=1.
pub(super) fn modulo<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let (x, y) = (cx.value(0)?, cx.value(1)?);
    if matches!(y, Value::Int(_)) && cx.ints(1, "a divisor")?.contains(&0) {
        return Err(cx.unsupported("a division of integers by 0"));
    }
    if !cx.flag("fmod", false)? {
        return Ok(vec![both(
            cx,
            [x, y],
            B::float_remainder,
            B::int_remainder,
        )?]);
    }
    let dims = broadcast(cx, &x.shape(), &y.shape())?;
    Ok(vec![match (spread(x, &dims), spread(y, &dims)) {
        (Value::Float(x), Value::Float(y)) => {
            let size = B::float_remainder(B::float_abs(x.clone()), B::float_abs(y));
            Value::Float(B::float_mul(B::float_sign(x), size))
        }
        (Value::Int(x), Value::Int(y)) => {
            if !(x.dtype().is_int()) {
                Value::Int(B::int_remainder(x, y))
            } else {
                let size = B::int_remainder(B::int_abs(x.clone()), B::int_abs(y));
                Value::Int(B::int_mul(B::int_sign(x), size))
            }
        }
        (x, y) => return Err(cx.unsupported_types(&[&x, &y])),
    }])
}

/// xᶜ; a single constant exponent has a rule of its own.
pub(super) fn pow<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let exponent = cx.raw(1)?;
    if exponent.numel() == 1
        && let Value::Constant(exponent) = &exponent
        && let Value::Float(base) = &x
        && exponent.rank() <= base.shape().num_dims()
    {
        let exponent = exponent.iter::<f64>().next().unwrap_or(1.0);
        let power = B::float_powf_scalar(base.clone(), Scalar::Float(exponent));
        return Ok(vec![Value::Float(power)]);
    }
    let y = cx.value(1)?;
    let dims = broadcast(cx, &x.shape(), &y.shape())?;
    let to = x.dtype();
    let (x, y) = (spread(x, &dims), spread(y, &dims));
    Ok(vec![match (x, y) {
        (Value::Float(x), y) => {
            let Value::Float(y) = y.cast(x.dtype()) else {
                unreachable!("a cast to floats");
            };
            Value::Float(B::float_powf(x, y))
        }
        (x, y) => {
            // Whole powers below 2⁵³ are exact in f64.
            let (Value::Float(x), Value::Float(y)) = (x.cast(DType::F64), y.cast(DType::F64))
            else {
                unreachable!("a cast to floats");
            };
            Value::<B>::Float(B::float_powf(x, y)).cast(to)
        }
    }])
}

/// Leading axes of size 1, then `op`: for ops of floats alone.
pub(super) fn floats<B: Backend>(
    x: FloatTensor<B>,
    y: FloatTensor<B>,
    op: fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<B> {
    let rank = x.shape().num_dims().max(y.shape().num_dims());
    op(at_rank::<B>(x, rank), at_rank::<B>(y, rank))
}

macro_rules! bitwise {
    ($($name:ident => $int:ident;)*) => {$(
        pub(super) fn $name<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
            match (cx.value(0)?, cx.value(1)?) {
                (x @ Value::Int(_), y @ Value::Int(_)) => {
                    let dims = broadcast(cx, &x.shape(), &y.shape())?;
                    let (Value::Int(x), Value::Int(y)) = (spread(x, &dims), spread(y, &dims)) else {
                        unreachable!("integers stay integers");
                    };
                    Ok(vec![Value::Int(B::$int(x, y))])
                }
                (x, y) => Err(cx.unsupported_types(&[&x, &y])),
            }
        }
    )*};
}

bitwise! {
    bitwise_and => bitwise_and;
    bitwise_or => bitwise_or;
    bitwise_xor => bitwise_xor;
    left_shift => bitwise_left_shift;
    right_shift => bitwise_right_shift;
}

pub(super) fn bitwise_not<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    match cx.value(0)? {
        Value::Int(x) => Ok(vec![Value::Int(B::bitwise_not(x))]),
        x => Err(cx.unsupported_types(&[&x])),
    }
}

pub(super) fn bit_shift<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    match cx.text_or("direction", "")? {
        "LEFT" => left_shift(cx),
        "RIGHT" => right_shift(cx),
        other => Err(cx.unsupported(format!("direction {other:?}"))),
    }
}
