//! Tensors made of nothing but numbers: constants, ranges, diagonals, windows.

use burn_backend::{Backend, DType, TensorData};

use crate::{
    context::{Context, Outputs, one_constant},
    error::Result,
    graph::Attribute,
    initialiser::dtype,
};

pub(super) fn constant<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let Some((name, value)) = cx.node.attributes.iter().next() else {
        return Err(cx.unsupported("no value"));
    };
    one_constant(match value {
        Attribute::Tensor(data, _) => data.clone(),
        Attribute::Float(value) => TensorData::new(vec![*value], [0usize; 0]),
        Attribute::Int(value) => TensorData::new(vec![*value], [0usize; 0]),
        Attribute::Floats(values) => TensorData::new(values.clone(), [values.len()]),
        Attribute::Ints(values) => TensorData::new(values.clone(), [values.len()]),
        Attribute::Other(kind) => return Err(cx.unsupported(format!("{name} = {kind}"))),
        other => return Err(cx.unsupported(format!("{name} = {other:?}"))),
    })
}

pub(super) fn constant_of_shape<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let dims = cx.ints(0, "a shape")?;
    let sizes: Option<Vec<usize>> = dims.iter().map(|&d| usize::try_from(d).ok()).collect();
    let sizes = sizes.ok_or_else(|| cx.unsupported(format!("shape {dims:?}")))?;
    cx.check_size(&sizes)?;
    let (value, dtype) = match cx.attribute("value") {
        None => (0.0, DType::F32),
        Some(Attribute::Tensor(data, _)) if data.num_elements() == 1 => {
            (data.iter::<f64>().next().unwrap_or(0.0), data.dtype())
        }
        Some(_) => return Err(cx.unsupported("a value that is not one number")),
    };
    let numel = sizes.iter().product();
    one_constant(match dtype {
        DType::F32 => TensorData::new(vec![value as f32; numel], sizes),
        DType::I64 => TensorData::new(vec![value as i64; numel], sizes),
        dtype => TensorData::new(vec![value; numel], sizes).convert_dtype(dtype),
    })
}

/// start, start + step, … below the limit.
pub(super) fn range<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let dtype = cx.raw(0)?.dtype();
    let number = |index: usize| -> Result<f64> {
        let found = cx.floats(index, "a bound")?.first().copied();
        found.ok_or_else(|| cx.unsupported("an empty bound"))
    };
    let (start, limit, step) = (number(0)?, number(1)?, number(2)?);
    let count = ((limit - start) / step).ceil().max(0.0);
    if !count.is_finite() || count > cx.env.largest as f64 {
        return Err(cx.unsupported(format!("{start} to {limit} in steps of {step}")));
    }
    let count = count as usize;
    let values: Vec<f64> = (0..count).map(|i| start + i as f64 * step).collect();
    one_constant(TensorData::new(values, [count]).convert_dtype(dtype))
}

/// 1 on the k-th diagonal of a matrix of the input's shape.
pub(super) fn eye_like<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.raw(0)?;
    let &[rows, columns] = &x.shape()[..] else {
        return Err(cx.unsupported(format!("an input of shape {:?}", x.shape())));
    };
    let k = cx.int_or("k", 0)?;
    let to = match cx.attribute("dtype") {
        Some(_) => chosen(cx, "dtype", 1)?,
        None => x.dtype(),
    };
    cx.check_size(&[rows, columns])?;
    let values: Vec<f32> = (0..rows * columns)
        .map(|at| f32::from((at % columns) as i64 - (at / columns) as i64 == k))
        .collect();
    one_constant(TensorData::new(values, [rows, columns]).convert_dtype(to))
}

fn chosen<B: Backend>(cx: &Context<'_, B>, name: &str, default: i64) -> Result<DType> {
    let code = cx.int_or(name, default)?;
    let found = i32::try_from(code).ok().and_then(dtype);
    found.ok_or_else(|| cx.unsupported(format!("{name} = {code}")))
}

/// Σ aₖ cos(2πki/N), N the size of a periodic window, one less of a symmetric one.
fn window<B: Backend>(cx: &Context<'_, B>, coefficients: &[f64]) -> Outputs<B> {
    let size = cx.ints(0, "a size")?.first().copied().unwrap_or(0);
    let size = usize::try_from(size).map_err(|_| cx.unsupported(format!("size {size}")))?;
    cx.check_size(&[size])?;
    let period = match cx.flag("periodic", true)? {
        true => size,
        false => size.saturating_sub(1),
    }
    .max(1) as f64;
    let values: Vec<f64> = (0..size)
        .map(|i| {
            let angle = std::f64::consts::TAU * i as f64 / period;
            let terms = coefficients.iter().enumerate();
            terms.map(|(k, a)| a * (k as f64 * angle).cos()).sum()
        })
        .collect();
    let to = chosen(cx, "output_datatype", 1)?;
    one_constant(TensorData::new(values, [size]).convert_dtype(to))
}

pub(super) fn hann_window<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    window(cx, &[0.5, -0.5])
}

pub(super) fn hamming_window<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    window(cx, &[25.0 / 46.0, -21.0 / 46.0])
}

pub(super) fn blackman_window<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    window(cx, &[0.42, -0.5, 0.08])
}
