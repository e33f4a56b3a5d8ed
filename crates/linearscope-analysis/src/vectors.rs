//! Vectors between the host and a device, and their sizes.
//!
//! A batch of k vectors is a tensor `[k, len]` on a device, in its dtype; on the host numbers are f64.

use burn::tensor::{DType, FloatDType, Tensor, TensorData};
use burn_backend::{Shape, TensorMetadata, ops::FloatTensorOps};
use burn_dispatch::{Dispatch, DispatchTensor};
use linearscope::delivered;

use crate::error::{Error, Result};

/// Read a tensor's numbers to the host, row by row, as f64. Cost: one transfer.
///
/// # Errors
/// [`Error::Data`]; [`Error::Engine`] if the device delivers nothing.
pub fn read(x: Tensor<2>) -> Result<Vec<f64>> {
    #[cfg(test)]
    READ.set(READ.get() + 1);
    numbers(delivered(x.try_into_data())?)
}

#[cfg(test)]
thread_local! {
    /// How often this thread waited for numbers of a device.
    pub(crate) static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Numbers of any float dtype as f64.
///
/// # Errors
/// [`Error::Data`].
pub fn numbers(data: TensorData) -> Result<Vec<f64>> {
    data.convert_dtype(DType::F64)
        .try_to_vec::<f64>()
        .map_err(|error| Error::Data(format!("{error:?}")))
}

/// Whether a batch has at least one vector, each of length `len`.
pub(crate) fn check(what: &'static str, x: &Tensor<2>, len: usize) -> Result<()> {
    match x.dims() {
        [0, _] => Err(Error::Empty { what }),
        [_, got] if got == len => Ok(()),
        got => Err(Error::Length {
            what,
            got,
            expected: len,
        }),
    }
}

/// `[k, numel]` as a batch of `shape`.
pub(crate) fn batched(x: Tensor<2>, shape: &[usize]) -> DispatchTensor {
    let mut dims = vec![x.dims()[0]];
    dims.extend(shape);
    Dispatch::float_reshape(x.into_dispatch(), Shape::from(dims))
}

/// One row as a tensor of `shape`, without a probe axis.
pub(crate) fn shaped(x: Tensor<2>, shape: &[usize]) -> DispatchTensor {
    Dispatch::float_reshape(x.into_dispatch(), Shape::from(shape.to_vec()))
}

/// A batch as `[k, numel]`.
pub(crate) fn flat(x: DispatchTensor) -> Tensor<2> {
    let shape = x.shape();
    let numel = shape.iter().skip(1).product();
    Tensor::from_dispatch(Dispatch::float_reshape(
        x,
        Shape::from(vec![shape[0], numel]),
    ))
}

/// A tensor of any shape as one row, `[1, numel]`.
pub(crate) fn row(x: DispatchTensor) -> Tensor<2> {
    let numel = x.shape().num_elements();
    Tensor::from_dispatch(Dispatch::float_reshape(x, Shape::from(vec![1, numel])))
}

/// Σ aᵢ bᵢ.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// ‖x‖, for numbers of any size: if squares would leave the range of f64, x is first divided by a power of
/// two.
pub fn norm(x: &[f64]) -> f64 {
    let plain = dot(x, x);
    if (1e-280..1e300).contains(&plain) {
        return plain.sqrt();
    }
    let largest = x.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    if plain.is_nan() || largest == 0.0 || largest.is_infinite() {
        // NaN stays, 0 is 0, and infinity infinite.
        return if plain.is_nan() { plain } else { largest };
    }
    let unit = power_of_two(largest);
    let squares: f64 = x.iter().map(|v| (v / unit).powi(2)).sum();
    squares.sqrt() * unit
}

/// ⟨a, b⟩ / (‖a‖ ‖b‖); 0 where either is 0.
pub(crate) fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let (size_a, size_b) = (norm(a), norm(b));
    let unit = |x: &[f64], size: f64| -> Vec<f64> { x.iter().map(|x| over(*x, size)).collect() };
    dot(&unit(a, size_a), &unit(b, size_b))
}

/// ‖a − b‖.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&difference)
}

/// `part` over `whole`, and nothing over nothing is nothing.
pub(crate) fn over(part: f64, whole: f64) -> f64 {
    if part == 0.0 { 0.0 } else { part / whole }
}

/// The largest power of two that is not larger than a positive finite number.
pub(crate) fn power_of_two(x: f64) -> f64 {
    2f64.powi(x.log2().floor().clamp(-1022.0, 1023.0) as i32)
}

/// The sum of squares of each row, `[rows, 1]`, on the device.
pub(crate) fn squares(x: &Tensor<2>) -> Tensor<2> {
    (x.clone() * x.clone()).sum_dim(1)
}

/// The root of a sum of squares of this dtype; `None` where they may have left its range.
pub(crate) fn root(square: f64, dtype: DType) -> Option<f64> {
    let (least, most) = match dtype {
        DType::F64 => (1e-280, 1e300),
        _ => (1e-25, 1e35),
    };
    (least..most).contains(&square).then(|| square.sqrt())
}

/// ‖row‖ of each row, `[k]`, squares summed on the device in its dtype; where they would leave its range
/// they are taken of the row over a power of two, so that any norm that the dtype holds is right.
///
/// # Errors
/// [`Error::Data`].
pub(crate) fn row_norms(x: &Tensor<2>) -> Result<Vec<f64>> {
    let plain = read(squares(x))?;
    let roots: Option<Vec<f64>> = plain
        .iter()
        .map(|&square| root(square, x.dtype()))
        .collect();
    if let Some(roots) = roots {
        return Ok(roots);
    }
    let largest = read(x.clone().abs().max_dim(1))?;
    let units: Vec<f64> = largest
        .iter()
        .map(|&largest| match largest > 0.0 && largest.is_finite() {
            true => power_of_two(largest),
            false => 1.0,
        })
        .collect();
    let scaled = x.clone() * column(units.iter().map(|unit| unit.recip()).collect(), x);
    let scaled = read(squares(&scaled))?;
    let sizes = scaled.iter().zip(&units).zip(&plain);
    Ok(sizes
        .map(|((square, unit), plain)| match plain.is_nan() {
            true => f64::NAN,
            false => square.sqrt() * unit,
        })
        .collect())
}

/// Numbers as a column `[k, 1]` alongside a tensor, in its dtype.
fn column(values: Vec<f64>, beside: &Tensor<2>) -> Tensor<2> {
    let (len, dtype) = (values.len(), beside.dtype());
    let data = TensorData::new(values, [len, 1]).convert_dtype(dtype);
    Tensor::from_data(data, (&beside.device(), dtype))
}

/// The relative rounding error of one operation.
pub(crate) fn epsilon(dtype: FloatDType) -> f64 {
    match dtype {
        FloatDType::F64 => f64::EPSILON,
        FloatDType::F32 | FloatDType::Flex32 => f64::from(f32::EPSILON),
        FloatDType::F16 => 1.0 / 1024.0,
        FloatDType::BF16 => 1.0 / 128.0,
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn norms_hold_from_tiny_to_huge() {
        for scale in [0.0, 1e-300, 1e-200, 1e-30, 1.0, 1e30, 1e200, 1e300] {
            let found = norm(&[3.0 * scale, 0.0, -4.0 * scale]);
            assert!((found - 5.0 * scale).abs() <= 1e-15 * scale, "{scale}");
        }
        assert!(norm(&[1.0, f64::NAN]).is_nan());
        assert_eq!(norm(&[1.0, f64::NEG_INFINITY]), f64::INFINITY);
        assert_eq!(norm(&[]), 0.0);
        for x in [1.0, 1.5, 0.75, 3e-310, 1e308, 8.0] {
            let unit = power_of_two(x);
            assert!(unit <= x && x < 2.0 * unit || x < f64::MIN_POSITIVE, "{x}");
        }
    }

    #[test]
    fn row_norms_hold_wherever_the_dtype_does() {
        let scales = [0.0, 1e-37, 1e-30, 1e-20, 1.0, 1e19, 1e30, 1e37];
        for dtype in [DType::F32, DType::F64] {
            let values: Vec<f64> = scales
                .iter()
                .flat_map(|s| [3.0 * s, 0.0, -4.0 * s])
                .collect();
            let data = TensorData::new(values, [scales.len(), 3]).convert_dtype(dtype);
            let x = Tensor::<2>::from_data(data, (&Device::flex(), dtype));
            for (found, scale) in row_norms(&x).unwrap().iter().zip(scales) {
                assert!(
                    (found - 5.0 * scale).abs() <= 1e-6 * scale,
                    "{found} {scale}"
                );
            }
        }
        let odd = TensorData::new(vec![f32::NAN, 1.0, f32::INFINITY, 0.0], [2, 2]);
        let odd = Tensor::<2>::from_data(odd, (&Device::flex(), DType::F32));
        let found = row_norms(&odd).unwrap();
        assert!(found[0].is_nan() && found[1].is_infinite(), "{found:?}");
    }
}
