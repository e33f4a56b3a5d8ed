//! Sums, means, extremes and norms along axes; cumulative sums; the largest k.

use burn_backend::{
    Backend, DType, Scalar, TensorData, TensorMetadata,
    tensor::{FloatTensor, IntTensor},
};

use crate::{
    context::{Context, Outputs, one, reshaped},
    error::Result,
    value::Value,
};

/// The axes a reduction goes over, and the shape of its result.
struct Reduced {
    axes: Vec<usize>,
    kept: Vec<usize>,
}

impl Reduced {
    /// None where nothing is to be done.
    fn read<B: Backend>(cx: &Context<'_, B>, dims: &[usize]) -> Result<Option<Self>> {
        let axes = cx.ints_of(1, "axes")?.unwrap_or_default();
        if axes.is_empty() && cx.flag("noop_with_empty_axes", false)? {
            return Ok(None);
        }
        let axes = match axes.is_empty() {
            true => (0..dims.len()).collect(),
            false => cx.axes(&axes, dims.len())?,
        };
        let keep = cx.flag("keepdims", true)?;
        let kept = (0..dims.len())
            .filter(|axis| keep || !axes.contains(axis))
            .map(|axis| if axes.contains(&axis) { 1 } else { dims[axis] })
            .collect();
        Ok(Some(Self { axes, kept }))
    }
}

type Along<T> = fn(T, usize) -> T;

/// Axis by axis. `nothing` is the result of no terms at all.
fn reduce<B: Backend>(
    cx: &Context<'_, B>,
    nothing: f64,
    before: impl Fn(FloatTensor<B>) -> FloatTensor<B>,
    float: Along<FloatTensor<B>>,
    after: impl Fn(FloatTensor<B>) -> FloatTensor<B>,
    int: Option<Along<IntTensor<B>>>,
) -> Outputs<B> {
    let x = cx.value(0)?;
    let dims = x.shape();
    let Some(reduced) = Reduced::read(cx, &dims)? else {
        // Nothing is reduced, but each entry is still what one term makes.
        return match x {
            Value::Float(x) => one(after(before(x))),
            x => Ok(vec![x]),
        };
    };
    if dims.contains(&0) {
        let numel = reduced.kept.iter().product();
        let data = TensorData::new(vec![nothing; numel], reduced.kept);
        return Ok(vec![Value::Constant(data.convert_dtype(x.dtype()))]);
    }
    let y = match (x, int) {
        (Value::Float(x), _) => {
            let x = before(x);
            let y = reduced.axes.iter().fold(x, |x, &axis| float(x, axis));
            Value::Float(after(y))
        }
        (Value::Int(x), Some(int)) => {
            Value::Int(reduced.axes.iter().fold(x, |x, &axis| int(x, axis)))
        }
        (Value::Bool(x), Some(int)) => {
            let dtype = x.dtype();
            let x = B::bool_into_int(x, cx.int_dtype());
            let y = reduced.axes.iter().fold(x, |x, &axis| int(x, axis));
            Value::<B>::Int(y).cast(dtype)
        }
        (x, None) => {
            // Norms of integers: exact in f64, and back.
            let to = x.dtype();
            let Value::Float(x) = x.cast(DType::F64) else {
                unreachable!("a cast to floats");
            };
            let y = reduced
                .axes
                .iter()
                .fold(before(x), |x, &axis| float(x, axis));
            Value::<B>::Float(after(y)).cast(to)
        }
        (x, _) => return Err(cx.unsupported_types(&[&x])),
    };
    Ok(vec![y.reshape(&reduced.kept)])
}

fn same<T>(x: T) -> T {
    x
}

fn square<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(x.clone(), x)
}

pub(super) fn mean<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    reduce(cx, f64::NAN, same, B::float_mean_dim, same, None)
}

pub(super) fn sum<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    reduce(cx, 0.0, same, B::float_sum_dim, same, Some(B::int_sum_dim))
}

pub(super) fn max<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let int = Some(B::int_max_dim as Along<IntTensor<B>>);
    reduce(cx, f64::NEG_INFINITY, same, B::float_max_dim, same, int)
}

pub(super) fn min<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let int = Some(B::int_min_dim as Along<IntTensor<B>>);
    reduce(cx, f64::INFINITY, same, B::float_min_dim, same, int)
}

pub(super) fn product<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    reduce(
        cx,
        1.0,
        same,
        B::float_prod_dim,
        same,
        Some(B::int_prod_dim),
    )
}

pub(super) fn l1<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    reduce(cx, 0.0, B::float_abs, B::float_sum_dim, same, None)
}

pub(super) fn l2<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    reduce(cx, 0.0, square::<B>, B::float_sum_dim, B::float_sqrt, None)
}

pub(super) fn sum_square<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    reduce(cx, 0.0, square::<B>, B::float_sum_dim, same, None)
}

pub(super) fn log_sum<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let nothing = f64::NEG_INFINITY;
    reduce(cx, nothing, same, B::float_sum_dim, B::float_log, None)
}

/// log Σ eˣ = x₀ − log softmax(x)₀ for any entry x₀: it does not overflow, and has the softmax's rule. The
/// largest is taken, which is finite where the sum is.
pub(super) fn log_sum_exp<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let dims = x.shape();
    let Some(reduced) = Reduced::read(cx, &dims)? else {
        return Ok(vec![x]);
    };
    if dims.contains(&0) {
        let numel = reduced.kept.iter().product();
        let data = TensorData::new(vec![f64::NEG_INFINITY; numel], reduced.kept);
        return Ok(vec![Value::Constant(data.convert_dtype(x.dtype()))]);
    }
    let Value::Float(x) = x else {
        return Err(cx.unsupported_types(&[&x]));
    };
    let others: Vec<usize> = (0..dims.len())
        .filter(|axis| !reduced.axes.contains(axis))
        .collect();
    let rows: usize = others.iter().map(|&axis| dims[axis]).product();
    let order = [others, reduced.axes].concat();
    let x = match order.is_sorted() {
        true => x,
        false => B::float_permute(x, &order),
    };
    let terms = dims.iter().product::<usize>() / rows.max(1);
    let x = reshaped::<B>(x, &[rows, terms]);
    let log = B::float_max_dim(B::log_softmax(x.clone(), 1), 1);
    let sum = B::float_sub(B::float_max_dim(x, 1), log);
    one(reshaped::<B>(sum, &reduced.kept))
}

fn extreme<B: Backend>(cx: &Context<'_, B>, largest: bool) -> Outputs<B> {
    let x = cx.value(0)?;
    let mut dims = x.shape();
    let axis = cx.axis(cx.int_or("axis", 0)?, dims.len())?;
    // The last of several equal ones is the first of the reversed.
    let last = cx.flag("select_last_index", false)?;
    let x = if last { x.flip(&[axis]) } else { x };
    let mut found = match (x, largest) {
        (Value::Float(x), true) => B::float_argmax(x, axis, cx.int_dtype()),
        (Value::Float(x), false) => B::float_argmin(x, axis, cx.int_dtype()),
        (Value::Int(x), true) => B::int_cast(B::int_argmax(x, axis), cx.int_dtype()),
        (Value::Int(x), false) => B::int_cast(B::int_argmin(x, axis), cx.int_dtype()),
        (x, _) => return Err(cx.unsupported_types(&[&x])),
    };
    if last {
        let end = Scalar::Int(dims[axis] as i64 - 1);
        found = B::int_add_scalar(B::int_neg(found), end);
    }
    if cx.flag("keepdims", true)? {
        dims[axis] = 1;
    } else {
        dims.remove(axis);
    }
    Ok(vec![Value::Int(found).reshape(&dims)])
}

pub(super) fn arg_max<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    extreme(cx, true)
}

pub(super) fn arg_min<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    extreme(cx, false)
}

/// Sums of all before: with `exclusive` without the entry itself, with `reverse` from the end.
pub(super) fn cumulative_sum<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let dims = x.shape();
    let axis = cx.ints(1, "axis")?.first().copied().unwrap_or(0);
    let axis = cx.axis(axis, dims.len())?;
    let (exclusive, reverse) = (cx.flag("exclusive", false)?, cx.flag("reverse", false)?);
    let x = if reverse { x.flip(&[axis]) } else { x };
    let y = match x {
        Value::Float(x) => {
            let sums = B::float_cumsum(x.clone(), axis);
            Value::Float(match exclusive {
                true => B::float_sub(sums, x),
                false => sums,
            })
        }
        Value::Int(x) => {
            let sums = B::int_cumsum(x.clone(), axis);
            Value::Int(match exclusive {
                true => B::int_sub(sums, x),
                false => sums,
            })
        }
        x => return Err(cx.unsupported_types(&[&x])),
    };
    Ok(vec![if reverse { y.flip(&[axis]) } else { y }])
}

/// The k largest (or smallest) along an axis and their places; the first of equal ones first.
pub(super) fn top_k<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let dims = x.shape();
    let axis = cx.axis(cx.int_or("axis", -1)?, dims.len())?;
    let k = match cx.has(1) {
        true => cx.ints(1, "k")?.first().copied().unwrap_or(0),
        false => cx.int_or("k", 0)?,
    };
    let k = usize::try_from(k)
        .ok()
        .filter(|k| *k <= dims[axis])
        .ok_or_else(|| cx.unsupported(format!("k={k} of {} entries", dims[axis])))?;
    let largest = cx.flag("largest", true)?;
    if cx.env.capturing {
        let Value::Float(x) = x else {
            return Err(cx.unsupported_types(&[&x]));
        };
        let x = if largest { x } else { B::float_neg(x) };
        let (y, places) = B::float_topk_with_indices(x, axis, k, cx.int_dtype());
        let y = if largest { y } else { B::float_neg(y) };
        return Ok(vec![Value::Float(y), Value::Int(places)]);
    }
    let data = cx.read(x.clone())?;
    let inner: usize = dims[axis + 1..].iter().product();
    let outer: usize = dims[..axis].iter().product();
    let size = dims[axis];
    // Unsigned 64-bit numbers do not fit i64, nor i64 f64: compare what each can hold.
    let order: Box<dyn Fn(usize, usize) -> std::cmp::Ordering> = match data.dtype() {
        DType::U64 => {
            let v: Vec<u64> = data.iter::<u64>().collect();
            Box::new(move |a, b| v[a].cmp(&v[b]))
        }
        dtype if dtype.is_float() => {
            let v: Vec<f64> = data.iter::<f64>().collect();
            Box::new(move |a, b| v[a].partial_cmp(&v[b]).unwrap_or(std::cmp::Ordering::Equal))
        }
        _ => {
            let v: Vec<i64> = data.iter::<i64>().collect();
            Box::new(move |a, b| v[a].cmp(&v[b]))
        }
    };
    let mut shape = dims.clone();
    shape[axis] = k;
    let numel: usize = shape.iter().product();
    let (mut taken, mut places) = (vec![0; numel], vec![0i64; numel]);
    for o in 0..outer {
        for i in 0..inner {
            let at = |place: usize| (o * size + place) * inner + i;
            let mut ranked: Vec<usize> = (0..size).collect();
            ranked.sort_by(|&a, &b| {
                let order = order(at(a), at(b));
                if largest { order.reverse() } else { order }
            });
            for (rank, &place) in ranked[..k].iter().enumerate() {
                taken[(o * k + rank) * inner + i] = at(place) as i64;
                places[(o * k + rank) * inner + i] = place as i64;
            }
        }
    }
    let y = cx.take(x, taken, &shape)?;
    Ok(vec![y, Value::Constant(TensorData::new(places, shape))])
}
