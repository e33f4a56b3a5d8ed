//! Pad in every mode.

use burn_backend::{Backend, Slice, TensorMetadata, ops::PadMode};

use crate::{
    context::{Context, Outputs, one},
    error::Result,
    value::Value,
};

/// Where cell `at` of a padded axis comes from.
fn source(mode: &str, at: i64, size: i64) -> i64 {
    match mode {
        "edge" => at.clamp(0, size - 1),
        "wrap" => at.rem_euclid(size),
        _ if size == 1 => 0,
        _ => {
            let folded = at.rem_euclid(2 * (size - 1));
            folded.min(2 * (size - 1) - folded)
        }
    }
}

pub(super) fn pad<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let mut x = cx.value(0)?;
    let rank = x.shape().len();
    let Some(given) = cx.ints_of(1, "pads")?.or(cx.attribute_ints("paddings")?) else {
        return Err(cx.unsupported("no pads"));
    };
    let axes = match cx.has(3) {
        true => cx.axes(&cx.ints(3, "axes")?, rank)?,
        false => (0..rank).collect(),
    };
    if given.len() != 2 * axes.len() {
        return Err(cx.unsupported(format!("pads {given:?} for {} axes", axes.len())));
    }
    let mut pads = vec![(0i64, 0i64); rank];
    for (i, &axis) in axes.iter().enumerate() {
        pads[axis] = (given[i], given[axes.len() + i]);
    }
    let dims = x.shape();
    let mut padded = Vec::with_capacity(rank);
    for (&size, &(before, after)) in dims.iter().zip(&pads) {
        let all = [before, after]
            .iter()
            .try_fold(size as i64, |sum, pad| sum.checked_add(*pad));
        let kept = size as i64 + before.min(0) + after.min(0);
        match all.filter(|all| *all > 0 && kept >= 0) {
            Some(all) => padded.push(all as usize),
            None => return Err(cx.unsupported(format!("pads {given:?} of shape {dims:?}"))),
        }
    }
    cx.check_size(&padded)?;
    // Negative pads cut off.
    if pads.iter().any(|pad| pad.0 < 0 || pad.1 < 0) {
        let cut = |pad: i64| pad.min(0).unsigned_abs() as usize;
        let ranges: Vec<Slice> = dims
            .iter()
            .zip(&pads)
            .map(|(&size, &(before, after))| Slice::from(cut(before)..size - cut(after)))
            .collect();
        x = x.slice(&ranges);
    }
    let pads: Vec<(usize, usize)> = pads
        .iter()
        .map(|&(before, after)| (before.max(0) as usize, after.max(0) as usize))
        .collect();
    if pads.iter().all(|&amount| amount == (0, 0)) {
        return Ok(vec![x]);
    }
    let mode = cx.text_or("mode", "constant")?.to_string();
    if mode == "constant" {
        return constant(cx, x, &pads);
    }
    if !matches!(&mode[..], "reflect" | "edge" | "wrap") {
        return Err(cx.unsupported(format!("mode {mode}")));
    }
    let dims = x.shape();
    if dims.contains(&0) {
        return Err(cx.unsupported(format!("mode {mode} of shape {dims:?}")));
    }
    let single_fold = pads
        .iter()
        .zip(&dims)
        .all(|(pad, &size)| pad.0 < size && pad.1 < size);
    if let Value::Float(x) = &x
        && mode != "wrap"
        && (single_fold || mode == "edge")
    {
        let mode = match &mode[..] {
            "edge" => PadMode::Edge,
            _ => PadMode::Reflect,
        };
        return one(B::float_pad(x.clone(), &pads, mode));
    }
    for (axis, &(before, after)) in pads.iter().enumerate() {
        if (before, after) != (0, 0) {
            let size = dims[axis] as i64;
            let cells = -(before as i64)..size + after as i64;
            let from = cells.map(|at| source(&mode, at, size)).collect();
            x = x.select(axis, cx.indices(from));
        }
    }
    Ok(vec![x])
}

fn constant<B: Backend>(cx: &Context<'_, B>, x: Value<B>, pads: &[(usize, usize)]) -> Outputs<B> {
    let value = || -> Result<f64> {
        match cx.has(2) {
            true => Ok(cx
                .floats(2, "constant_value")?
                .first()
                .copied()
                .unwrap_or(0.0)),
            false => cx.float_or("value", 0.0),
        }
    };
    let mode = PadMode::Constant(value()? as f32);
    match x {
        Value::Float(x) => one(B::float_pad(x, pads, mode)),
        Value::Int(x) => Ok(vec![Value::Int(B::int_pad(x, pads, mode))]),
        Value::Bool(x) => {
            let dtype = x.dtype();
            let ints = B::bool_into_int(x, cx.int_dtype());
            Ok(vec![
                Value::<B>::Int(B::int_pad(ints, pads, mode)).cast(dtype),
            ])
        }
        x => Err(cx.unsupported_types(&[&x])),
    }
}
