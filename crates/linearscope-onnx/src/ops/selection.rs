//! Ops that pick entries by indices, or put them there. Where indices are constants each is one
//! selection, which is linear.

use burn_backend::{Backend, TensorData, tensor::IndexingUpdateOp};

use crate::{
    context::{Context, Outputs, empty, one_constant},
    error::Result,
    value::Value,
};

/// Row-major strides.
fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (0..dims.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * dims[axis + 1];
    }
    strides
}

/// Indices of one axis, counted from the front.
fn counted<B: Backend>(cx: &Context<'_, B>, indices: Vec<i64>, size: usize) -> Result<Vec<i64>> {
    let size = size as i64;
    indices
        .into_iter()
        .map(|index| {
            let from_front = if index < 0 { index + size } else { index };
            match (0..size).contains(&from_front) {
                true => Ok(from_front),
                false => Err(cx.unsupported(format!("index {index} of {size} entries"))),
            }
        })
        .collect()
}

pub(super) fn gather<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let dims = x.shape();
    let axis = cx.axis(cx.int_or("axis", 0)?, dims.len())?;
    let indices = cx.data(1, "indices")?;
    let shape = indices.shape().to_vec();
    let indices = counted(cx, indices.iter::<i64>().collect(), dims[axis])?;
    let out = [&dims[..axis], &shape[..], &dims[axis + 1..]].concat();
    cx.check_size(&out)?;
    if out.contains(&0) {
        return Ok(vec![empty(&out, x.dtype())]);
    }
    Ok(vec![x.select(axis, cx.indices(indices)).reshape(&out)])
}

/// For each entry of the indices: where in the flattened data its row, column, … is, but for
/// `axis`, which it gives itself.
fn along<B: Backend>(
    cx: &Context<'_, B>,
    dims: &[usize],
    indices: &TensorData,
    axis: usize,
) -> Result<Vec<i64>> {
    let shape = indices.shape().to_vec();
    let fits =
        shape.len() == dims.len() && (0..dims.len()).all(|i| i == axis || shape[i] <= dims[i]);
    if !fits {
        return Err(cx.unsupported(format!("indices of shape {shape:?} for shape {dims:?}")));
    }
    let values = counted(cx, indices.iter::<i64>().collect(), dims[axis])?;
    let (inner, steps) = (strides(&shape), strides(dims));
    Ok(values
        .into_iter()
        .enumerate()
        .map(|(at, index)| {
            (0..dims.len())
                .map(|i| {
                    let place = match i == axis {
                        true => index as usize,
                        false => at / inner[i] % shape[i],
                    };
                    (place * steps[i]) as i64
                })
                .sum()
        })
        .collect())
}

pub(super) fn gather_elements<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let dims = x.shape();
    let axis = cx.axis(cx.int_or("axis", 0)?, dims.len())?;
    let indices = cx.data(1, "indices")?;
    let places = along(cx, &dims, &indices, axis)?;
    Ok(vec![cx.take(x, places, &indices.shape().to_vec())?])
}

/// Flat places of the slices that index tuples name, and the shape of a slice.
fn tuples<B: Backend>(
    cx: &Context<'_, B>,
    dims: &[usize],
    indices: &TensorData,
    batch: usize,
) -> Result<(Vec<i64>, Vec<usize>)> {
    let shape = indices.shape().to_vec();
    let depth = shape.last().copied().unwrap_or(0);
    if batch + depth > dims.len() || batch >= shape.len() || shape[..batch] != dims[..batch] {
        return Err(cx.unsupported(format!(
            "indices of shape {shape:?} for shape {dims:?}, batch_dims={batch}"
        )));
    }
    let steps = strides(dims);
    let slice = dims[batch + depth..].to_vec();
    let size: usize = slice.iter().product();
    let per_batch: usize = shape[batch..shape.len() - 1].iter().product();
    let whole: usize = dims[batch..].iter().product();
    let values: Vec<i64> = indices.iter::<i64>().collect();
    let mut places = Vec::new();
    cx.check_size(&[shape[..shape.len() - 1].iter().product(), size])?;
    for (tuple, entries) in values.chunks(depth.max(1)).enumerate() {
        let mut base = tuple / per_batch.max(1) * whole;
        for (i, &entry) in entries.iter().enumerate().take(depth) {
            let entry = counted(cx, vec![entry], dims[batch + i])?[0];
            base += entry as usize * steps[batch + i];
        }
        places.extend((base..base + size).map(|at| at as i64));
    }
    Ok((places, slice))
}

pub(super) fn gather_nd<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let indices = cx.data(1, "indices")?;
    let batch = usize::try_from(cx.int_or("batch_dims", 0)?).unwrap_or(usize::MAX);
    let (places, slice) = tuples(cx, &x.shape(), &indices, batch.min(64))?;
    let shape = indices.shape().to_vec();
    let out = [&shape[..shape.len() - 1], &slice[..]].concat();
    Ok(vec![cx.take(x, places, &out)?])
}

/// `updates` put into `x` at flat `places`.
fn put<B: Backend>(
    cx: &Context<'_, B>,
    x: Value<B>,
    places: Vec<i64>,
    updates: Value<B>,
) -> Outputs<B> {
    let dims = x.shape();
    let numel = x.numel();
    if updates.numel() != places.len() {
        return Err(cx.unsupported(format!(
            "updates of shape {:?} for {} places",
            updates.shape(),
            places.len()
        )));
    }
    if places.is_empty() {
        return Ok(vec![x]);
    }
    let flat = x.reshape(&[numel]);
    let updates = updates.reshape(&[places.len()]);
    match cx.text_or("reduction", "none")? {
        "none" => {
            // Each entry from the old or, where one goes there, from the last update.
            let mut sources: Vec<i64> = (0..numel as i64).collect();
            for (update, &place) in places.iter().enumerate() {
                sources[place as usize] = (numel + update) as i64;
            }
            let all = Value::cat(vec![flat, updates], 0)
                .ok_or_else(|| cx.unsupported("data and updates of different types"))?;
            Ok(vec![cx.take(all, sources, &dims)?])
        }
        "add" => {
            let (places, add) = (cx.indices(places), IndexingUpdateOp::Add);
            let y = match (flat, updates) {
                (Value::Float(x), Value::Float(u)) => {
                    Value::Float(B::float_select_assign(x, 0, places, u, add))
                }
                (Value::Int(x), Value::Int(u)) => {
                    Value::Int(B::int_select_assign(x, 0, places, u, add))
                }
                (x, u) => return Err(cx.unsupported_types(&[&x, &u])),
            };
            Ok(vec![y.reshape(&dims)])
        }
        reduction @ ("mul" | "min" | "max") => {
            if cx.env.capturing {
                return Err(cx.unsupported(format!("reduction={reduction}")));
            }
            let dtype = flat.dtype();
            let mut data: Vec<f64> = cx.read(flat)?.iter::<f64>().collect();
            let updates: Vec<f64> = cx.read(updates)?.iter::<f64>().collect();
            for (&place, update) in places.iter().zip(updates) {
                let entry = &mut data[place as usize];
                *entry = match reduction {
                    "mul" => *entry * update,
                    "min" => entry.min(update),
                    _ => entry.max(update),
                };
            }
            one_constant(TensorData::new(data, dims).convert_dtype(dtype))
        }
        other => Err(cx.unsupported(format!("reduction={other}"))),
    }
}

pub(super) fn scatter_elements<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let dims = x.shape();
    let axis = cx.axis(cx.int_or("axis", 0)?, dims.len())?;
    let places = along(cx, &dims, &cx.data(1, "indices")?, axis)?;
    put(cx, x, places, cx.value(2)?)
}

pub(super) fn scatter_nd<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let (places, _) = tuples(cx, &x.shape(), &cx.data(1, "indices")?, 0)?;
    put(cx, x, places, cx.value(2)?)
}

/// A cache with new entries written at each batch's own place.
pub(super) fn tensor_scatter<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let (x, update) = (cx.value(0)?, cx.value(1)?);
    let (dims, new) = (x.shape(), update.shape());
    let axis = cx.axis(cx.int_or("axis", -2)?, dims.len())?;
    let fits = new.len() == dims.len()
        && (0..dims.len()).all(|i| i == axis || new[i] == dims[i])
        && axis > 0;
    if !fits || new[axis] > dims[axis] {
        return Err(cx.unsupported(format!("an update of shape {new:?} for {dims:?}")));
    }
    let starts = match cx.has(2) {
        true => cx.ints(2, "write_indices")?,
        false => vec![0; dims[0]],
    };
    let circular = match cx.text_or("mode", "linear")? {
        "linear" => false,
        "circular" => true,
        mode => return Err(cx.unsupported(format!("mode {mode}"))),
    };
    let (inner, steps) = (strides(&new), strides(&dims));
    let mut places = Vec::with_capacity(update.numel());
    for at in 0..update.numel() {
        let mut place = 0;
        for i in 0..dims.len() {
            let mut index = at / inner[i] % new[i];
            if i == axis {
                let start = starts.get(at / inner[0]).copied().unwrap_or(0);
                let moved = index as i64 + start;
                let moved = if circular {
                    moved.rem_euclid(dims[axis] as i64)
                } else {
                    moved
                };
                index = counted(cx, vec![moved], dims[axis])?[0] as usize;
            }
            place += index * steps[i];
        }
        places.push(place as i64);
    }
    put(cx, x, places, update)
}

/// The upper or lower triangle of the last two axes, 0 elsewhere.
pub(super) fn trilu<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let dims = x.shape();
    let rank = dims.len();
    if rank < 2 {
        return Err(cx.unsupported(format!("an input of shape {dims:?}")));
    }
    let k = match cx.has(1) {
        true => cx.ints(1, "k")?.first().copied().unwrap_or(0),
        false => 0,
    };
    if dims.contains(&0) {
        return Ok(vec![x]);
    }
    let upper = cx.flag("upper", true)?;
    let (rows, columns) = (dims[rank - 2], dims[rank - 1]);
    let gone: Vec<bool> = (0..rows * columns)
        .map(|at| {
            let right = (at % columns) as i64 - (at / columns) as i64;
            if upper { right < k } else { right > k }
        })
        .collect();
    let mask = Value::<B>::Constant(TensorData::new(gone, [rows, columns]));
    let mask = super::arithmetic::spread(mask.upload(&cx.env.device, cx.env.capturing), &dims);
    let Value::Bool(mask) = mask else {
        unreachable!("booleans stay booleans");
    };
    let zero = burn_backend::Scalar::Int(0);
    Ok(vec![match x {
        Value::Float(x) => Value::Float(B::float_mask_fill(x, mask, 0.0.into())),
        Value::Int(x) => Value::Int(B::int_mask_fill(x, mask, zero)),
        Value::Bool(x) => Value::Bool(B::bool_mask_fill(x, mask, false.into())),
        x => return Err(cx.unsupported_types(&[&x])),
    }])
}

/// Each batch's first `sequence_lens` steps the other way round.
pub(super) fn reverse_sequence<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let dims = x.shape();
    let lengths = cx.ints(1, "sequence_lens")?;
    let batch = cx.axis(cx.int_or("batch_axis", 1)?, dims.len())?;
    let time = cx.axis(cx.int_or("time_axis", 0)?, dims.len())?;
    let fits = lengths.len() == dims[batch]
        && lengths
            .iter()
            .all(|&length| (0..=dims[time] as i64).contains(&length));
    if !fits || batch == time {
        return Err(cx.unsupported(format!("sequence_lens {lengths:?} for shape {dims:?}")));
    }
    let steps = strides(&dims);
    let places = (0..x.numel())
        .map(|at| {
            let step = at / steps[time] % dims[time];
            let length = lengths[at / steps[batch] % dims[batch]] as usize;
            let from = if step < length {
                length - 1 - step
            } else {
                step
            };
            (at + from * steps[time] - step * steps[time]) as i64
        })
        .collect();
    Ok(vec![cx.take(x, places, &dims)?])
}

/// The slices whose condition holds.
pub(super) fn compress<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let mut x = cx.value(0)?;
    let axis = match cx.attribute("axis") {
        Some(_) => cx.axis(cx.int_or("axis", 0)?, x.shape().len())?,
        None => {
            let numel = x.numel();
            x = x.reshape(&[numel]);
            0
        }
    };
    let mut dims = x.shape();
    let chosen: Vec<i64> = cx
        .ints(1, "a condition")?
        .iter()
        .enumerate()
        .filter(|(_, holds)| **holds != 0)
        .map(|(at, _)| at as i64)
        .collect();
    let chosen = counted(cx, chosen, dims[axis])?;
    dims[axis] = chosen.len();
    if chosen.is_empty() {
        return Ok(vec![empty(&dims, x.dtype())]);
    }
    Ok(vec![x.select(axis, cx.indices(chosen))])
}

/// Where entries are not 0, one column each.
pub(super) fn non_zero<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let data = cx.data(0, "entries")?;
    let dims = data.shape().to_vec();
    let steps = strides(&dims);
    let found: Vec<usize> = data
        .iter::<f64>()
        .enumerate()
        .filter(|(_, entry)| *entry != 0.0)
        .map(|(at, _)| at)
        .collect();
    let rows = (0..dims.len()).flat_map(|axis| {
        let (step, size) = (steps[axis], dims[axis]);
        found.iter().map(move |at| (at / step % size) as i64)
    });
    one_constant(TensorData::new(rows.collect(), [dims.len(), found.len()]))
}

/// `on` at each index along a new axis, else `off`.
pub(super) fn one_hot<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let indices = cx.data(0, "indices")?;
    let depth = cx
        .floats(1, "depth")?
        .first()
        .map_or(0, |&depth| depth as i64);
    let values = cx.data(2, "values")?;
    let shape = indices.shape().to_vec();
    let axis = cx.axis(cx.int_or("axis", -1)?, shape.len() + 1)?;
    let size = usize::try_from(depth).unwrap_or(0);
    if size == 0 || values.num_elements() != 2 {
        return Err(cx.unsupported(format!("depth={depth}")));
    }
    let mut out = shape.clone();
    out.insert(axis, size);
    cx.check_size(&out)?;
    let inner: usize = shape[axis..].iter().product();
    let indices: Vec<i64> = indices.iter::<f64>().map(|index| index as i64).collect();
    let mut chosen = vec![0i64; out.iter().product()];
    for (at, &index) in indices.iter().enumerate() {
        let index = if index < 0 { index + depth } else { index };
        if (0..depth).contains(&index) {
            chosen[(at / inner * size + index as usize) * inner + at % inner] = 1;
        }
    }
    let values = Value::<B>::Constant(values).upload(&cx.env.device, cx.env.capturing);
    Ok(vec![cx.take(values, chosen, &out)?])
}

/// The distinct entries or slices, sorted or in order of appearance; their first places, the
/// places of all in them, and their counts.
pub(super) fn unique<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let data = cx.data(0, "entries")?;
    let dims = data.shape().to_vec();
    let (axis, dims) = match cx.attribute("axis") {
        Some(_) => (cx.axis(cx.int_or("axis", 0)?, dims.len())?, dims),
        None => (0, vec![data.num_elements()]),
    };
    let values: Vec<f64> = data.iter::<f64>().collect();
    let inner: usize = dims[axis + 1..].iter().product();
    let outer: usize = dims[..axis].iter().product();
    let slice = |at: usize| -> Vec<f64> {
        (0..outer)
            .flat_map(|o| (0..inner).map(move |i| (o, i)))
            .map(|(o, i)| values[(o * dims[axis] + at) * inner + i])
            .collect()
    };
    let slices: Vec<Vec<f64>> = (0..dims[axis]).map(slice).collect();
    let mut first: Vec<usize> = Vec::new();
    for at in 0..slices.len() {
        if !first.iter().any(|&other| slices[other] == slices[at]) {
            first.push(at);
        }
    }
    if cx.flag("sorted", true)? {
        first.sort_by(|&a, &b| {
            slices[a]
                .partial_cmp(&slices[b])
                .unwrap_or(std::cmp::Ordering::Equal)
        });
    }
    let inverse: Vec<i64> = slices
        .iter()
        .map(|slice| {
            first
                .iter()
                .position(|&at| slices[at] == *slice)
                .unwrap_or(0) as i64
        })
        .collect();
    let mut counts = vec![0i64; first.len()];
    for &at in &inverse {
        counts[at as usize] += 1;
    }
    let places: Vec<i64> = first.iter().map(|&at| at as i64).collect();
    let (distinct, all) = (places.len(), inverse.len());
    let y = x.reshape(&dims).select(axis, cx.indices(places.clone()));
    Ok(vec![
        y,
        Value::Constant(TensorData::new(places, [distinct])),
        Value::Constant(TensorData::new(inverse, [all])),
        Value::Constant(TensorData::new(counts, [distinct])),
    ])
}
