//! Non-linear units, and the softmax family.

use burn_backend::{Backend, Scalar, TensorMetadata, tensor::FloatTensor};

use crate::{
    context::{Context, Outputs, one, reshaped},
    error::Result,
    value::Value,
};

pub(super) fn relu<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    Ok(vec![match cx.value(0)? {
        Value::Float(x) => Value::Float(B::relu(x)),
        Value::Int(x) => Value::Int(B::int_clamp_min(x, Scalar::Int(0))),
        x => return Err(cx.unsupported_types(&[&x])),
    }])
}

pub(super) fn sigmoid<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    one(B::sigmoid(cx.float(0)?))
}

/// Along one axis; before opset 13 over this axis and all after it.
fn along<B: Backend>(
    cx: &Context<'_, B>,
    op: impl Fn(FloatTensor<B>, usize) -> Result<FloatTensor<B>>,
) -> Outputs<B> {
    let x = cx.float(0)?;
    let dims = x.shape().to_vec();
    let old = cx.opset() < 13;
    let axis = cx.axis(cx.int_or("axis", if old { 1 } else { -1 })?, dims.len())?;
    if !old || axis + 1 == dims.len() {
        return one(op(x, axis)?);
    }
    let (lead, tail) = dims.split_at(axis);
    let flat = [lead.iter().product(), tail.iter().product()];
    one(reshaped::<B>(op(reshaped::<B>(x, &flat), 1)?, &dims))
}

pub(super) fn softmax<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    along(cx, |x, axis| Ok(B::softmax(x, axis)))
}

pub(super) fn log_softmax<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    along(cx, |x, axis| Ok(B::log_softmax(x, axis)))
}

/// 1 at the first largest entry, else 0.
pub(super) fn hardmax<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    along(cx, |x, axis| {
        let dims = x.shape().to_vec();
        let dtype = x.dtype();
        let best = B::float_argmax(x, axis, cx.int_dtype());
        let mut line = vec![1; dims.len()];
        line[axis] = dims[axis];
        let places = Value::<B>::Int(cx.indices((0..dims[axis] as i64).collect())).reshape(&line);
        let (Value::Int(places), Value::Int(best)) =
            (places.expand(&dims), Value::<B>::Int(best).expand(&dims))
        else {
            unreachable!("integers stay integers");
        };
        match Value::<B>::Bool(B::int_equal(places, best, cx.bool_dtype())).cast(dtype) {
            Value::Float(x) => Ok(x),
            _ => unreachable!("a cast to floats"),
        }
    })
}

pub(super) fn leaky_relu<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let slope = Scalar::Float(cx.float_or("alpha", 0.01)?);
    one(B::leaky_relu(cx.float(0)?, slope))
}

pub(super) fn prelu<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let (x, slope) = (cx.float(0)?, cx.float(1)?);
    let dims = x.shape().to_vec();
    let mut slopes = slope.shape().to_vec();
    // One slope a channel, as older exporters write it.
    if slopes.len() == 1
        && dims.len() > 2
        && slopes[0] == dims[1]
        && slopes[0] != dims[dims.len() - 1]
    {
        slopes.resize(dims.len() - 1, 1);
    }
    let mut line = vec![1; dims.len().saturating_sub(slopes.len())];
    line.extend(slopes);
    one(B::prelu(x, reshaped::<B>(slope, &line)))
}

pub(super) fn clip<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let bound = |index: usize, name: &str| -> Result<Option<f64>> {
        if cx.has(index) {
            return Ok(cx.floats(index, &format!("{name} bound"))?.first().copied());
        }
        cx.attribute(name)
            .map(|_| cx.float_or(name, 0.0))
            .transpose()
    };
    let (min, max) = (bound(1, "min")?, bound(2, "max")?);
    let x = match x {
        Value::Float(x) => x,
        Value::Int(mut x) => {
            if let Some(min) = min {
                x = B::int_clamp_min(x, Scalar::Int(min as i64));
            }
            if let Some(max) = max {
                x = B::int_clamp_max(x, Scalar::Int(max as i64));
            }
            return Ok(vec![Value::Int(x)]);
        }
        x => return Err(cx.unsupported_types(&[&x])),
    };
    one(match (min, max) {
        // ONNX: min above max gives max everywhere.
        (Some(min), Some(max)) if min > max => {
            B::float_clamp_max(B::float_clamp_min(x, min.into()), max.into())
        }
        (Some(min), Some(max)) => B::float_clamp(x, min.into(), max.into()),
        (Some(min), None) => B::float_clamp_min(x, min.into()),
        (None, Some(max)) => B::float_clamp_max(x, max.into()),
        (None, None) => x,
    })
}

/// x Φ(x); with approximate=tanh ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
pub(super) fn gelu<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    match cx.text_or("approximate", "none")? {
        "none" => one(B::gelu(x)),
        "tanh" => {
            let square = B::float_mul(x.clone(), x.clone());
            let bent = B::float_add_scalar(
                B::float_mul_scalar(square, Scalar::Float(0.044_715)),
                Scalar::Float(1.0),
            );
            let inner = B::float_mul_scalar(
                B::float_mul(x.clone(), bent),
                Scalar::Float((2.0 / std::f64::consts::PI).sqrt()),
            );
            let gate = B::float_add_scalar(B::float_tanh(inner), Scalar::Float(1.0));
            one(B::float_mul(
                x,
                B::float_mul_scalar(gate, Scalar::Float(0.5)),
            ))
        }
        other => Err(cx.unsupported(format!("approximate={other}"))),
    }
}

fn hard<B: Backend>(x: FloatTensor<B>, alpha: f64, beta: f64) -> FloatTensor<B> {
    B::hard_sigmoid(x, Scalar::Float(alpha), Scalar::Float(beta))
}

pub(super) fn hard_sigmoid<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let (alpha, beta) = (cx.float_or("alpha", 0.2)?, cx.float_or("beta", 0.5)?);
    one(hard::<B>(cx.float(0)?, alpha, beta))
}

/// x · clip(x/6 + ½, 0, 1): the clip is a gate.
pub(super) fn hard_swish<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    one(B::float_mul(x.clone(), hard::<B>(x, 1.0 / 6.0, 0.5)))
}

/// x · σ(αx): the sigmoid is a gate.
pub(super) fn swish<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let inner = match cx.float_or("alpha", 1.0)? {
        1.0 => x.clone(),
        alpha => B::float_mul_scalar(x.clone(), Scalar::Float(alpha)),
    };
    one(B::float_mul(x, B::sigmoid(inner)))
}

/// x · tanh(log(1 + eˣ)).
pub(super) fn mish<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    one(B::float_mul(x.clone(), B::float_tanh(soft_plus::<B>(x))))
}

/// x where x > 0, else α(exp(x/c) − 1).
fn exponential<B: Backend>(
    cx: &Context<'_, B>,
    x: FloatTensor<B>,
    alpha: f64,
    c: f64,
) -> FloatTensor<B> {
    let left = B::float_lower_equal_elem(x.clone(), Scalar::Float(0.0), cx.bool_dtype());
    let scaled = match c {
        1.0 => x.clone(),
        c => B::float_div_scalar(x.clone(), Scalar::Float(c)),
    };
    let below = B::float_add_scalar(B::float_exp(scaled), Scalar::Float(-1.0));
    B::float_mask_where(x, left, B::float_mul_scalar(below, Scalar::Float(alpha)))
}

pub(super) fn elu<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let alpha = cx.float_or("alpha", 1.0)?;
    one(exponential(cx, cx.float(0)?, alpha, 1.0))
}

pub(super) fn celu<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let alpha = cx.float_or("alpha", 1.0)?;
    one(exponential(cx, cx.float(0)?, alpha, alpha))
}

pub(super) fn selu<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let alpha = cx.float_or("alpha", 1.673_263_2)?;
    let gamma = cx.float_or("gamma", 1.050_701)?;
    let y = exponential(cx, cx.float(0)?, alpha, 1.0);
    one(B::float_mul_scalar(y, Scalar::Float(gamma)))
}

/// log(1 + eˣ) = −log σ(−x), which does not overflow.
fn soft_plus<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_neg(B::log_sigmoid(B::float_neg(x)))
}

pub(super) fn softplus<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    one(soft_plus::<B>(cx.float(0)?))
}

/// x/(1 + |x|): as a quotient its divisor is frozen, which is the secant.
pub(super) fn softsign<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let size = B::float_add_scalar(B::float_abs(x.clone()), Scalar::Float(1.0));
    one(B::float_div(x, size))
}

pub(super) fn thresholded_relu<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let alpha = Scalar::Float(cx.float_or("alpha", 1.0)?);
    let below = B::float_lower_equal_elem(x.clone(), alpha, cx.bool_dtype());
    one(B::float_mask_fill(x, below, Scalar::Float(0.0)))
}

/// x + bias below −λ, x − bias above λ, 0 between.
pub(super) fn shrink<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let (bias, lambda) = (cx.float_or("bias", 0.0)?, cx.float_or("lambd", 0.5)?);
    let x = match cx.value(0)? {
        Value::Float(x) => x,
        x => return Err(cx.unsupported_types(&[&x])),
    };
    let dtype = cx.bool_dtype();
    let low = B::float_lower_elem(x.clone(), Scalar::Float(-lambda), dtype);
    let high = B::float_greater_elem(x.clone(), Scalar::Float(lambda), dtype);
    let zero = B::float_mul_scalar(x.clone(), Scalar::Float(0.0));
    let up = B::float_add_scalar(x.clone(), Scalar::Float(bias));
    let down = B::float_add_scalar(x, Scalar::Float(-bias));
    one(B::float_mask_where(
        B::float_mask_where(zero, low, up),
        high,
        down,
    ))
}
