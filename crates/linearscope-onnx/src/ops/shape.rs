//! Ops that change the shape, and ops that read it.

use burn_backend::{Backend, Slice, TensorData};

use super::arithmetic::broadcast;
use crate::{
    context::{Context, Outputs, empty, one_constant},
    error::Result,
    value::Value,
};

/// At inference dropout does nothing; its mask keeps everything.
pub(super) fn dropout<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    if cx.has(2)
        && cx
            .ints(2, "training_mode")?
            .first()
            .is_some_and(|&t| t != 0)
    {
        let ratio = match cx.has(1) {
            true => cx.floats(1, "ratio")?.first().copied().unwrap_or(0.5),
            false => 0.5,
        };
        if ratio != 0.0 {
            return Err(cx.unsupported("training_mode=true"));
        }
    }
    let x = cx.raw(0)?;
    if !cx.wants(1) {
        return Ok(vec![x]);
    }
    let dims = x.shape();
    let mask = TensorData::new(vec![true; x.numel()], dims);
    Ok(vec![x, Value::Constant(mask)])
}

pub(super) fn identity<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    Ok(vec![cx.raw(0)?])
}

pub(super) fn concat<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let parts = cx.all()?;
    let first = parts.first().map(Value::shape).unwrap_or_default();
    let default = if cx.opset() < 4 { 1 } else { 0 };
    let axis = cx.axis(cx.int_or("axis", default)?, first.len())?;
    let mut dims = first.clone();
    dims[axis] = 0;
    for part in &parts {
        let shape = part.shape();
        let fits =
            shape.len() == dims.len() && (0..dims.len()).all(|i| i == axis || shape[i] == dims[i]);
        if !fits {
            return Err(cx.misfit(format!(
                "inputs of shapes {first:?} and {shape:?} along axis {axis}"
            )));
        }
        dims[axis] += shape[axis];
    }
    cx.check_size(&dims)?;
    let dtype = parts[0].dtype();
    let full: Vec<Value<B>> = parts.into_iter().filter(|part| part.numel() > 0).collect();
    match full.len() {
        0 => Ok(vec![empty(&dims, dtype)]),
        1 => Ok(full),
        _ => match Value::cat(full, axis) {
            Some(all) => Ok(vec![all]),
            None => Err(cx.unsupported("inputs of different types")),
        },
    }
}

pub(super) fn flatten<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let shape = x.shape();
    let axis = match cx.int_or("axis", 1)? {
        axis if axis == shape.len() as i64 => shape.len(),
        axis => cx.axis(axis, shape.len())?,
    };
    let (head, tail) = shape.split_at(axis);
    Ok(vec![
        x.reshape(&[head.iter().product(), tail.iter().product()]),
    ])
}

pub(super) fn reshape<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let shape = x.shape();
    let Some(target) = cx.ints_of(1, "shape")? else {
        return Err(cx.unsupported("no shape"));
    };
    let wrong = || cx.misfit(format!("shape {target:?} for an input of shape {shape:?}"));
    // 0 copies the input's size, -1 takes what is left.
    let keep_zero = cx.flag("allowzero", false)?;
    let mut dims = Vec::with_capacity(target.len());
    let mut open = None;
    for (axis, &size) in target.iter().enumerate() {
        match size {
            0 if !keep_zero => dims.push(*shape.get(axis).ok_or_else(wrong)?),
            -1 if open.is_none() => {
                open = Some(axis);
                dims.push(1);
            }
            size => dims.push(usize::try_from(size).map_err(|_| wrong())?),
        }
    }
    let fixed = dims.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
    let fixed = fixed.ok_or_else(wrong)?;
    if let Some(open) = open {
        if fixed == 0 || !x.numel().is_multiple_of(fixed) {
            return Err(wrong());
        }
        dims[open] = x.numel() / fixed;
    } else if fixed != x.numel() {
        return Err(wrong());
    }
    if x.numel() == 0 {
        return Ok(vec![empty(&dims, x.dtype())]);
    }
    Ok(vec![x.reshape(&dims)])
}

pub(super) fn slice<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let shape = x.shape();
    let (Some(starts), Some(ends)) = (cx.ints_of(1, "starts")?, cx.ints_of(2, "ends")?) else {
        return Err(cx.unsupported("no starts or ends"));
    };
    let axes = match cx.ints_of(3, "axes")? {
        Some(axes) => axes,
        None => (0..starts.len() as i64).collect(),
    };
    let axes = cx.axes(&axes, shape.len())?;
    let steps = match cx.has(4) {
        true => cx.ints(4, "steps")?,
        false => vec![1; starts.len()],
    };
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(cx.unsupported(format!(
            "{} starts, {} ends, {} axes and {} steps",
            starts.len(),
            ends.len(),
            axes.len(),
            steps.len()
        )));
    }
    let mut dims = shape.clone();
    let mut ranges: Vec<Slice> = shape.iter().map(|&size| Slice::from(0..size)).collect();
    let mut reversed = Vec::new();
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let size = shape[axis] as i64;
        if step == 0 {
            return Err(cx.unsupported("step 0"));
        }
        // Negative bounds count from the end; bounds outside are clamped.
        let from_front = |b: i64| if b < 0 { b.saturating_add(size) } else { b };
        // Backwards: the same cells forwards, in steps of the same size, then turned about.
        let (first, last) = match step > 0 {
            true => (
                from_front(start).clamp(0, size),
                from_front(end).clamp(0, size),
            ),
            false => (
                from_front(start).clamp(-1, size - 1),
                from_front(end).clamp(-1, size - 1),
            ),
        };
        let stride = step.unsigned_abs();
        let span = if step > 0 { last - first } else { first - last };
        let count = (span.max(0) as u64).div_ceil(stride) as usize;
        dims[axis] = count;
        if count == 0 {
            continue;
        }
        let reach = (count as u64 - 1) * stride;
        let low = if step > 0 {
            first
        } else {
            first - reach as i64
        };
        if step < 0 {
            reversed.push(axis);
        }
        let end = low + reach as i64 + 1;
        ranges[axis] = Slice::new(low as isize, Some(end as isize), stride as isize);
    }
    if dims.contains(&0) {
        return Ok(vec![empty(&dims, x.dtype())]);
    }
    let y = x.slice(&ranges);
    Ok(vec![match reversed.is_empty() {
        true => y,
        false => y.flip(&reversed),
    }])
}

pub(super) fn split<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let shape = x.shape();
    let axis = cx.axis(cx.int_or("axis", 0)?, shape.len())?;
    let parts = match cx.int_or("num_outputs", 0)? {
        0 => cx.node.outputs.len(),
        parts => usize::try_from(parts).unwrap_or(0),
    };
    if parts == 0 || parts > cx.node.outputs.len().max(1) {
        return Err(cx.unsupported(format!("num_outputs={parts}")));
    }
    let sizes: Vec<usize> = match cx.ints_of(1, "split")? {
        Some(sizes) => sizes
            .iter()
            .map(|&size| usize::try_from(size).unwrap_or(usize::MAX))
            .collect(),
        None => {
            // The last one may be smaller.
            let each = shape[axis].div_ceil(parts);
            (0..parts)
                .map(|i| each.min(shape[axis].saturating_sub(i * each)))
                .collect()
        }
    };
    let total = sizes
        .iter()
        .try_fold(0usize, |sum, &size| sum.checked_add(size));
    if total != Some(shape[axis]) {
        return Err(cx.misfit(format!("parts {sizes:?} of {} entries", shape[axis])));
    }
    let mut start = 0;
    Ok(sizes
        .into_iter()
        .map(|size| {
            let mut dims = shape.clone();
            dims[axis] = size;
            let part = match dims.contains(&0) {
                true => empty(&dims, x.dtype()),
                false => x.clone().narrow(axis, start, size),
            };
            start += size;
            part
        })
        .collect())
}

pub(super) fn transpose<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let rank = x.shape().len();
    let axes = match cx.attribute_ints("perm")? {
        Some(perm) => cx.axes(&perm, rank)?,
        None => (0..rank).rev().collect(),
    };
    if axes.len() != rank {
        return Err(cx.unsupported(format!("perm {axes:?} of a tensor of rank {rank}")));
    }
    if rank < 2 {
        return Ok(vec![x]);
    }
    Ok(vec![x.permute(&axes)])
}

pub(super) fn squeeze<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let shape = x.shape();
    let gone = match cx.ints_of(1, "axes")? {
        Some(axes) => cx.axes(&axes, shape.len())?,
        None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
    };
    if let Some(axis) = gone.iter().find(|&&axis| shape[axis] != 1) {
        return Err(cx.unsupported(format!("axis {axis} of size {}", shape[*axis])));
    }
    let dims: Vec<usize> = (0..shape.len())
        .filter(|axis| !gone.contains(axis))
        .map(|axis| shape[axis])
        .collect();
    Ok(vec![x.reshape(&dims)])
}

pub(super) fn unsqueeze<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let Some(axes) = cx.ints_of(1, "axes")? else {
        return Err(cx.unsupported("no axes"));
    };
    let mut dims = x.shape();
    let mut axes = cx.axes(&axes, dims.len() + axes.len())?;
    axes.sort_unstable();
    for axis in axes {
        dims.insert(axis, 1);
    }
    Ok(vec![x.reshape(&dims)])
}

pub(super) fn expand<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let target = cx.ints(1, "a shape")?;
    let target: Option<Vec<usize>> = target.iter().map(|&s| usize::try_from(s).ok()).collect();
    let target = target.ok_or_else(|| cx.unsupported("a negative size"))?;
    let dims = broadcast(cx, &x.shape(), &target)?;
    if dims.contains(&0) {
        return Ok(vec![empty(&dims, x.dtype())]);
    }
    Ok(vec![super::arithmetic::spread(x, &dims)])
}

pub(super) fn tile<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let mut x = cx.value(0)?;
    let dims = x.shape();
    let repeats = cx.ints(1, "repeats")?;
    let repeats: Vec<usize> = repeats
        .iter()
        .map(|&times| usize::try_from(times).unwrap_or(usize::MAX))
        .collect();
    if repeats.len() != dims.len() {
        return Err(cx.unsupported(format!("repeats {repeats:?} for shape {dims:?}")));
    }
    let full: Vec<usize> = dims
        .iter()
        .zip(&repeats)
        .map(|(d, r)| d.saturating_mul(*r))
        .collect();
    cx.check_size(&full)?;
    if full.contains(&0) {
        return Ok(vec![empty(&full, x.dtype())]);
    }
    for (axis, &times) in repeats.iter().enumerate() {
        if times > 1 {
            x = Value::cat(vec![x; times], axis).ok_or_else(|| cx.unsupported("no entries"))?;
        }
    }
    Ok(vec![x])
}

/// `[n, c·b², h, w] → [n, c, h·b, w·b]` (pixel shuffle); DCR and CRD order the channels.
pub(super) fn depth_to_space<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let ([n, c, h, w], b) = blocks(cx, &x.shape())?;
    if !c.is_multiple_of(b * b) {
        return Err(cx.misfit(format!("blocksize={b} for {c} channels")));
    }
    let inner = c / (b * b);
    let (split, axes) = match cx.text_or("mode", "DCR")? {
        "DCR" => ([n, b, b, inner, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([n, inner, b, b, h, w], [0, 1, 4, 2, 5, 3]),
        mode => return Err(cx.unsupported(format!("mode {mode}"))),
    };
    let y = x.reshape(&split).permute(&axes);
    Ok(vec![y.reshape(&[n, inner, h * b, w * b])])
}

/// `[n, c, h·b, w·b] → [n, c·b², h, w]`.
pub(super) fn space_to_depth<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let ([n, c, h, w], b) = blocks(cx, &x.shape())?;
    if !h.is_multiple_of(b) || !w.is_multiple_of(b) {
        return Err(cx.misfit(format!("blocksize={b} for {h}×{w} cells")));
    }
    let y = x
        .reshape(&[n, c, h / b, b, w / b, b])
        .permute(&[0, 3, 5, 1, 2, 4]);
    Ok(vec![y.reshape(&[n, c * b * b, h / b, w / b])])
}

fn blocks<B: Backend>(cx: &Context<'_, B>, dims: &[usize]) -> Result<([usize; 4], usize)> {
    let b = cx.int_or("blocksize", 0)?;
    let b = usize::try_from(b).ok().filter(|b| (1..1 << 16).contains(b));
    match (dims, b) {
        (&[n, c, h, w], Some(b)) => Ok(([n, c, h, w], b)),
        _ => Err(cx.unsupported(format!("blocksize {b:?} for shape {dims:?}"))),
    }
}

/// Cut or pad with zeros about the middle.
pub(super) fn center_crop_pad<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let mut x = cx.value(0)?;
    let dims = x.shape();
    let target = cx.ints(1, "a shape")?;
    let axes = match cx.attribute_ints("axes")? {
        Some(axes) => cx.axes(&axes, dims.len())?,
        None => (0..dims.len()).collect(),
    };
    if target.len() != axes.len() || target.iter().any(|&size| size <= 0) {
        return Err(cx.unsupported(format!("shape {target:?} along axes {axes:?}")));
    }
    let mut pads = vec![(0, 0); dims.len()];
    let mut full = dims.clone();
    for (&axis, &size) in axes.iter().zip(&target) {
        let (from, to) = (dims[axis], size as usize);
        full[axis] = to;
        if to < from {
            x = x.narrow(axis, (from - to) / 2, to);
        } else {
            pads[axis] = ((to - from) / 2, (to - from) - (to - from) / 2);
        }
    }
    cx.check_size(&full)?;
    if pads.iter().all(|pad| *pad == (0, 0)) {
        return Ok(vec![x]);
    }
    let mode = burn_backend::ops::PadMode::Constant(0.0);
    match x {
        Value::Float(x) => Ok(vec![Value::Float(B::float_pad(x, &pads, mode))]),
        Value::Int(x) => Ok(vec![Value::Int(B::int_pad(x, &pads, mode))]),
        x => Err(cx.unsupported_types(&[&x])),
    }
}

/// The shape as numbers, from `start` to `end`.
pub(super) fn shape<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let dims = cx.raw(0)?.shape();
    let rank = dims.len() as i64;
    let bound = |at: i64| (if at < 0 { at + rank } else { at }).clamp(0, rank) as usize;
    let start = bound(cx.int_or("start", 0)?);
    let end = bound(cx.int_or("end", rank)?).max(start);
    let part: Vec<i64> = dims[start..end].iter().map(|&size| size as i64).collect();
    let count = part.len();
    one_constant(TensorData::new(part, [count]))
}

/// The number of entries.
pub(super) fn size<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let count = cx.raw(0)?.numel() as i64;
    one_constant(TensorData::new(vec![count], [0usize; 0]))
}
