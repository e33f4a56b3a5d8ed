//! Numbers between a device and the host.

use std::{any::Any, borrow::Cow};

use burn_backend::{
    Backend, BoolStore, DType, ExecutionError, Shape, TensorData, read_sync,
    tensor::{BoolTensor, FloatTensor, IntTensor},
};
use burn_dispatch::{BackendTensor, DispatchTensor, DispatchTensorKind};
use burn_flex::FlexTensor;

use crate::error::{Error, Result};

/// Why a device did not deliver, as an error of ours.
fn undelivered(error: impl std::fmt::Debug) -> Error {
    Error::Data(format!("{error:?}"))
}

/// Why a device did not deliver, in one line. Burn's remote backend has no error of its own for a server that is gone: what
/// waits for an answer loses its channel.
fn unread(error: ExecutionError) -> Error {
    let said = error.to_string();
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let said = lines.join(" ");
    Error::Data(match said.contains("Failed to read tensor") {
        true => format!(
            "the device did not answer, and its server has stopped or cannot be reached: start it, and this program again ({said})"
        ),
        false => format!("the device did not deliver: {said}"),
    })
}

/// What a device delivered; if nothing, why not, in one line.
///
/// # Errors
/// [`Error::Data`].
pub fn delivered(found: std::result::Result<TensorData, ExecutionError>) -> Result<TensorData> {
    found.map_err(unread)
}

/// A float tensor's numbers on the host, as f64.
///
/// # Errors
/// [`Error::Data`] when the device cannot deliver.
pub fn host<B: Backend>(x: FloatTensor<B>) -> Result<Vec<f64>> {
    let data = floats::<B>(x)?.convert_dtype(DType::F64);
    data.try_into_vec::<f64>().map_err(undelivered)
}

/// A float tensor's data on the host, in its own dtype.
fn floats<B: Backend>(x: FloatTensor<B>) -> Result<TensorData> {
    read_sync(B::float_into_data(x)).map_err(unread)
}

/// The tensor itself, where its numbers are this process's memory.
fn of_flex<P: Any>(x: &P) -> Option<&FlexTensor> {
    let x: &dyn Any = x;
    let dispatched = || match &x.downcast_ref::<DispatchTensor>()?.kind {
        DispatchTensorKind::Flex(
            BackendTensor::Float(x) | BackendTensor::Int(x) | BackendTensor::Bool(x),
        ) => Some(x),
        _ => None,
    };
    x.downcast_ref::<FlexTensor>().or_else(dispatched)
}

/// Floats in their own precision; of 16 bits, as f32.
#[derive(Clone, Debug)]
pub(crate) enum Floats<'a> {
    F32(Cow<'a, [f32]>),
    F64(Cow<'a, [f64]>),
}

/// The same for either precision: `$x` is a slice of f32 or of f64.
macro_rules! in_own_precision {
    ($floats:expr, |$x:ident| $body:expr) => {
        match &$floats {
            $crate::host::Floats::F32($x) => $body,
            $crate::host::Floats::F64($x) => $body,
        }
    };
}
pub(crate) use in_own_precision;

/// A float tensor's numbers on the host, borrowed where they lie there.
///
/// # Errors
/// [`Error::Data`].
pub(crate) fn look<B: Backend>(x: &FloatTensor<B>) -> Result<Floats<'_>> {
    if let Some(x) = of_flex(x) {
        if let Some(x) = x.as_slice() {
            return Ok(Floats::F32(Cow::Borrowed(x)));
        }
        if let Some(x) = x.as_slice() {
            return Ok(Floats::F64(Cow::Borrowed(x)));
        }
    }
    let data = floats::<B>(B::float_detach(x.clone()))?;
    Ok(match data.dtype() {
        DType::F64 => Floats::F64(data.try_into_vec().map_err(undelivered)?.into()),
        _ => {
            let data = data.convert_dtype(DType::F32);
            Floats::F32(data.try_into_vec().map_err(undelivered)?.into())
        }
    })
}

/// The tensor itself where it lies in this process's memory, as the backend of the CPU has it, no axis
/// running backwards.
pub(crate) fn in_memory<B: Backend>(x: &FloatTensor<B>) -> Option<FlexTensor> {
    let x = of_flex(x)?;
    Some(match x.layout().has_positive_strides() {
        true => x.clone(),
        false => x.to_contiguous(),
    })
}

/// An int tensor's numbers on the host, borrowed where they lie there.
///
/// # Errors
/// [`Error::Data`].
pub(crate) fn ints<B: Backend>(x: &IntTensor<B>) -> Result<Cow<'_, [i64]>> {
    if let Some(x) = of_flex(x) {
        if let Some(x) = x.as_slice() {
            return Ok(Cow::Borrowed(x));
        }
        if let Some(x) = x.as_slice::<i32>() {
            return Ok(x.iter().map(|i| i64::from(*i)).collect());
        }
    }
    let data = read_sync(B::int_into_data(x.clone())).map_err(unread)?;
    let data = data.convert_dtype(DType::I64);
    Ok(data.try_into_vec().map_err(undelivered)?.into())
}

/// A bool tensor's entries on the host, 0 where false, borrowed where they lie there.
///
/// # Errors
/// [`Error::Data`].
pub(crate) fn bools<B: Backend>(x: &BoolTensor<B>) -> Result<Cow<'_, [u8]>> {
    if let Some(x) = of_flex(x)
        && let Some((start, end)) = x.layout().contiguous_offsets()
        && matches!(x.dtype(), DType::Bool(BoolStore::Native | BoolStore::U8))
    {
        return Ok(Cow::Borrowed(&x.storage()[start..end]));
    }
    let data = read_sync(B::bool_into_data(x.clone())).map_err(unread)?;
    Ok(data.iter::<bool>().map(u8::from).collect())
}

/// A one-hot batch: row j is 1 at flat position `positions[j]` of `shape`, `[k, ..shape]`.
///
/// # Errors
/// [`Error::OutOfRange`].
pub fn one_hot<B: Backend>(
    positions: &[usize],
    shape: &Shape,
    device: &B::Device,
    dtype: DType,
) -> Result<FloatTensor<B>> {
    let numel = shape.num_elements();
    let mut values = vec![0f32; positions.len() * numel];
    for (row, &position) in positions.iter().enumerate() {
        if position >= numel {
            return Err(Error::OutOfRange {
                what: "the flat position".into(),
                index: vec![position],
                shape: shape.to_vec(),
            });
        }
        values[row * numel + position] = 1.0;
    }
    let dims: Vec<usize> = std::iter::once(positions.len())
        .chain(shape.iter().copied())
        .collect();
    let data = TensorData::new(values, dims).convert_dtype(dtype);
    Ok(B::float_from_data(data, device))
}
