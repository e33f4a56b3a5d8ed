//! Attention, and rotary position embeddings.

use burn_backend::{Backend, Scalar, TensorMetadata, tensor::FloatTensor};

use super::{
    arithmetic::{floats, spread},
    product::multiplied,
};
use crate::{
    context::{Context, Outputs, one, reshaped},
    error::Result,
    value::Value,
};

/// `[n, length, heads·d]` → `[n, heads, length, d]`; rank 4 is that already.
fn heads<B: Backend>(cx: &Context<'_, B>, x: FloatTensor<B>, name: &str) -> Result<FloatTensor<B>> {
    let dims = x.shape().to_vec();
    match dims[..] {
        [_, _, _, _] => Ok(x),
        [n, length, all] => {
            let heads = usize::try_from(cx.int_or(name, 0)?).unwrap_or(0);
            if heads == 0 || !all.is_multiple_of(heads) {
                return Err(cx.unsupported(format!("{name}={heads} for {all} features")));
            }
            let x = reshaped::<B>(x, &[n, length, heads, all / heads]);
            Ok(B::float_permute(x, &[0, 2, 1, 3]))
        }
        _ => Err(cx.unsupported(format!("an input of shape {dims:?}"))),
    }
}

/// Each head of keys serves a group of heads of queries.
fn grouped<B: Backend>(
    cx: &Context<'_, B>,
    x: FloatTensor<B>,
    heads: usize,
) -> Result<FloatTensor<B>> {
    let own = x.shape()[1];
    if own == heads {
        return Ok(x);
    }
    if own == 0 || !heads.is_multiple_of(own) {
        return Err(cx.unsupported(format!("{own} heads of keys for {heads} of queries")));
    }
    let members = heads / own;
    let from = (0..heads).map(|head| (head / members) as i64).collect();
    Ok(B::float_select(x, 1, cx.indices(from)))
}

/// softmax(c(scale · Q Kᵀ + mask)) V, c an optional soft cap; written out, so that its weights
/// are a gate to the interpreter and its values pass.
pub(super) fn attention<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let flat = cx.raw(0)?.shape().len() == 3;
    let q = heads(cx, cx.float(0)?, "q_num_heads")?;
    let mut k = heads(cx, cx.float(1)?, "kv_num_heads")?;
    let mut v = heads(cx, cx.float(2)?, "kv_num_heads")?;
    let mut past = 0;
    if cx.has(4) {
        let (past_k, past_v) = (cx.float(4)?, cx.float(5)?);
        past = past_k.shape()[2];
        k = B::float_cat(vec![past_k, k], 2);
        v = B::float_cat(vec![past_v, v], 2);
    }
    let (present_k, present_v) = (k.clone(), v.clone());
    let [n, count, rows, depth] = q.shape().dims();
    let k = grouped(cx, k, count)?;
    let v = grouped(cx, v, count)?;
    let columns = k.shape()[2];
    let scale = match cx.attribute("scale") {
        Some(_) => cx.float_or("scale", 1.0)?,
        None => 1.0 / (depth as f64).sqrt(),
    };
    // The standard scales both factors by its root.
    let root = Scalar::Float(scale.abs().sqrt());
    let q = B::float_mul_scalar(q, root);
    let k = B::float_mul_scalar(k, Scalar::Float(scale.abs().sqrt() * scale.signum()));
    let mut scores = multiplied(cx, q, B::float_swap_dims(k, 2, 3))?;
    let dims = scores.shape().to_vec();
    let raw = scores.clone();
    let dtype = scores.dtype();
    let mut bias: Option<FloatTensor<B>> = None;
    let mut add = |more: FloatTensor<B>| {
        bias = Some(match bias.take() {
            Some(bias) => floats::<B>(bias, more, B::float_add),
            None => more,
        });
    };
    let closed = f64::NEG_INFINITY;
    if cx.has(3) {
        let mask = match cx.value(3)? {
            Value::Float(mask) => mask,
            Value::Bool(mask) => {
                let shape = mask.shape().to_vec();
                let zero = cx.constant(vec![0.0; shape.iter().product()], shape, dtype);
                B::float_mask_fill(zero, B::bool_not(mask), Scalar::Float(closed))
            }
            other => return Err(cx.unsupported_types(&[&other])),
        };
        let width = mask.shape().to_vec().last().copied().unwrap_or(0);
        // Keys beyond the mask are closed.
        let mask = match columns.checked_sub(width) {
            Some(0) => mask,
            Some(missing) => {
                let mut pads = vec![(0, 0); mask.shape().num_dims()];
                if let Some(last) = pads.last_mut() {
                    last.1 = missing;
                }
                let mode = burn_backend::ops::PadMode::Constant(f32::NEG_INFINITY);
                B::float_pad(mask, &pads, mode)
            }
            None => return Err(cx.unsupported(format!("a mask of {width} keys for {columns}"))),
        };
        add(mask);
    }
    if cx.flag("is_causal", false)? {
        let open = |at: usize| at % columns <= at / columns + past;
        let values = (0..rows * columns).map(|at| if open(at) { 0.0 } else { closed });
        add(cx.constant(values.collect(), vec![rows, columns], dtype));
    }
    if cx.has(6) {
        let lengths = cx.ints(6, "nonpad_kv_seqlen")?;
        let open =
            |at: usize| ((at % columns) as i64) < lengths.get(at / columns).copied().unwrap_or(0);
        let values = (0..n * columns).map(|at| if open(at) { 0.0 } else { closed });
        add(cx.constant(values.collect(), vec![n, 1, 1, columns], dtype));
    }
    let mut biased = scores.clone();
    if let Some(bias) = bias {
        let Value::Float(bias) = spread(Value::<B>::Float(bias), &dims) else {
            unreachable!("floats stay floats");
        };
        scores = B::float_add(scores, bias);
        biased = scores.clone();
    }
    let cap = cx.float_or("softcap", 0.0)?;
    if cap > 0.0 {
        let inner = B::float_div_scalar(scores, Scalar::Float(cap));
        scores = B::float_mul_scalar(B::float_tanh(inner), Scalar::Float(cap));
    }
    let capped = scores.clone();
    let weights = B::softmax(scores, 3);
    let seen = match cx.int_or("qk_matmul_output_mode", 0)? {
        0 => raw,
        1 => biased,
        2 => capped,
        3 => weights.clone(),
        mode => return Err(cx.unsupported(format!("qk_matmul_output_mode={mode}"))),
    };
    let y = B::float_matmul(weights, v);
    let y = match flat {
        false => y,
        true => {
            let [n, heads, rows, width] = y.shape().dims();
            let y = B::float_permute(y, &[0, 2, 1, 3]);
            reshaped::<B>(y, &[n, rows, heads * width])
        }
    };
    Ok(vec![
        Value::Float(y),
        Value::Float(present_k),
        Value::Float(present_v),
        Value::Float(seen),
    ])
}

/// Pairs of features turned by an angle that grows with the position.
pub(super) fn rotary_embedding<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let dims = x.shape().to_vec();
    let flat = dims.len() == 3;
    let x = heads(cx, x, "num_heads")?;
    let [n, count, length, depth] = x.shape().dims();
    let turned = match cx.int_or("rotary_embedding_dim", 0)? {
        0 => depth,
        part => usize::try_from(part).unwrap_or(0),
    };
    if turned == 0 || turned > depth || !turned.is_multiple_of(2) {
        return Err(cx.unsupported(format!("rotary_embedding_dim={turned} of {depth}")));
    }
    let half = turned / 2;
    // `[n, length, half]`, picked by position or given so.
    let table = |index: usize| -> Result<FloatTensor<B>> {
        let x = cx.value(index)?;
        let x = match cx.has(3) {
            false => x,
            true => {
                let places = cx.ints(3, "position_ids")?;
                let rows = x.shape()[0] as i64;
                if let Some(place) = places.iter().find(|&&place| !(0..rows).contains(&place)) {
                    return Err(cx.unsupported(format!("position {place} of {rows}")));
                }
                let width = x.shape()[1];
                let count = places.len();
                x.select(0, cx.indices(places))
                    .reshape(&[count / length, length, width])
            }
        };
        let shape = x.shape();
        if shape.len() != 3 || shape[2] != half {
            return Err(cx.unsupported(format!("a table of shape {shape:?} for {half} pairs")));
        }
        match x.reshape(&[shape[0], 1, shape[1], half]) {
            Value::Float(x) => Ok(x),
            x => Err(cx.unsupported_types(&[&x])),
        }
    };
    let (cos, sin) = (table(1)?, table(2)?);
    let interleaved = cx.flag("interleaved", false)?;
    // Which features are the first and the second of each pair.
    let place = |pair: usize, second: usize| match interleaved {
        true => (2 * pair + second) as i64,
        false => (pair + second * half) as i64,
    };
    let first = cx.indices((0..half).map(|pair| place(pair, 0)).collect());
    let second = cx.indices((0..half).map(|pair| place(pair, 1)).collect());
    let a = B::float_select(x.clone(), 3, first);
    let b = B::float_select(x.clone(), 3, second);
    let mul =
        |x: &FloatTensor<B>, t: &FloatTensor<B>| floats::<B>(x.clone(), t.clone(), B::float_mul);
    let real = B::float_sub(mul(&a, &cos), mul(&b, &sin));
    let imaginary = B::float_add(mul(&a, &sin), mul(&b, &cos));
    let mut parts = vec![real, imaginary];
    if turned < depth {
        let rest = Value::<B>::Float(x).narrow(3, turned, depth - turned);
        if let Value::Float(rest) = rest {
            parts.push(rest);
        }
    }
    let all = B::float_cat(parts, 3);
    // Back to where each pair stood.
    let order: Vec<i64> = (0..depth)
        .map(|at| match interleaved && at < turned {
            true => (at / 2 + at % 2 * half) as i64,
            false => at as i64,
        })
        .collect();
    let y = B::float_select(all, 3, cx.indices(order));
    if flat {
        let y = B::float_permute(y, &[0, 2, 1, 3]);
        return one(reshaped::<B>(y, &[n, length, count * depth]));
    }
    one(y)
}
