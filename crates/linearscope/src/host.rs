//! Numbers between a device and the host.

use burn_backend::{
    Backend, DType, Shape, TensorData, read_sync,
    tensor::{BoolTensor, FloatTensor, IntTensor},
};

use crate::error::{Error, Result};

/// Why a device did not deliver, as an error of ours.
fn undelivered(error: impl std::fmt::Debug) -> Error {
    Error::Data(format!("{error:?}"))
}

/// A float tensor's numbers on the host, as f64.
///
/// # Errors
/// [`Error::Data`] when the device cannot deliver.
pub fn host<B: Backend>(x: FloatTensor<B>) -> Result<Vec<f64>> {
    let data = read_sync(B::float_into_data(x)).map_err(undelivered)?;
    let data = data.convert_dtype(DType::F64);
    data.try_to_vec::<f64>().map_err(undelivered)
}

/// An int tensor's data on the host.
///
/// # Errors
/// [`Error::Data`].
pub(crate) fn ints<B: Backend>(x: IntTensor<B>) -> Result<TensorData> {
    read_sync(B::int_into_data(x)).map_err(undelivered)
}

/// A bool tensor's data on the host.
///
/// # Errors
/// [`Error::Data`].
pub(crate) fn bools<B: Backend>(x: BoolTensor<B>) -> Result<TensorData> {
    read_sync(B::bool_into_data(x)).map_err(undelivered)
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
