//! Numbers between NumPy and the engine.

use burn::tensor::{DType, TensorData};
use linearscope_picture::Array;
use numpy::{
    Element, PyArray1, PyArray3, PyArrayDyn, PyArrayMethods, PyReadonlyArray2, PyReadonlyArray3,
    PyUntypedArrayMethods,
};
use pyo3::{exceptions::PyValueError, prelude::*};

use crate::error::raised;

/// Numbers as an array of this shape. No copy.
pub(crate) fn shaped<'py, T: Element>(
    py: Python<'py>,
    values: Vec<T>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    PyArray1::from_vec(py, values).reshape(shape.to_vec())
}

/// Numbers in the precision of the run, as its files have them.
pub(crate) fn in_precision<'py>(
    py: Python<'py>,
    values: Vec<f64>,
    shape: &[usize],
    single: bool,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match single {
        true => {
            let values = values.into_iter().map(|value| value as f32).collect();
            shaped::<f32>(py, values, shape)?.into_any()
        }
        false => shaped(py, values, shape)?.into_any(),
    })
}

/// Vectors `[k, n]` of Python's, in either precision; one copy.
#[derive(FromPyObject)]
pub(crate) enum Vectors<'py> {
    Single(PyReadonlyArray2<'py, f32>),
    Double(PyReadonlyArray2<'py, f64>),
}

impl Vectors<'_> {
    /// For the engine, where each is of this length.
    pub(crate) fn data(&self, len: usize) -> PyResult<TensorData> {
        fn of<T: Element + burn::tensor::Element>(
            array: &PyReadonlyArray2<'_, T>,
        ) -> PyResult<TensorData> {
            let (k, n) = (array.shape()[0], array.shape()[1]);
            // A slice is what lies in memory, also where columns lie side by side.
            let rows = array.is_c_contiguous();
            let slice = rows.then(|| array.as_slice().ok()).flatten();
            let values =
                slice.map_or_else(|| array.as_array().iter().copied().collect(), <[T]>::to_vec);
            Ok(TensorData::new(values, [k, n]))
        }
        let data = match self {
            Self::Single(array) => of(array),
            Self::Double(array) => of(array),
        }?;
        match data.shape()[..] {
            [0, _] => Err(PyValueError::new_err("no vectors were given")),
            [_, n] if n == len => Ok(data),
            _ => Err(PyValueError::new_err(format!(
                "vectors have length {}, but need length {len}",
                data.shape()[1]
            ))),
        }
    }
}

/// What the engine gave, without a copy.
pub(crate) fn given(py: Python<'_>, data: TensorData) -> PyResult<Bound<'_, PyAny>> {
    let shape: Vec<usize> = data.shape().iter().copied().collect();
    let lost = |error| PyValueError::new_err(format!("the engine's numbers: {error:?}"));
    Ok(match data.dtype() {
        DType::F64 => shaped(py, data.try_into_vec::<f64>().map_err(lost)?, &shape)?.into_any(),
        _ => {
            let data = data.convert_dtype(DType::F32);
            shaped(py, data.try_into_vec::<f32>().map_err(lost)?, &shape)?.into_any()
        }
    })
}

/// A signed array [c, h, w] in the program's colours.
pub(crate) fn signed<'py>(
    py: Python<'py>,
    values: &PyReadonlyArray3<'_, f64>,
    scale: Option<f64>,
) -> PyResult<Bound<'py, PyArray3<u8>>> {
    let shape = values.shape().to_vec();
    let values: Vec<f64> = values.as_array().iter().copied().collect();
    let array = Array::new(&values, &shape).ok_or_else(|| {
        PyValueError::new_err(format!(
            "an array of shape {shape:?} is not a picture [c, h, w]"
        ))
    })?;
    let raster = array.signed(array.whole(), scale, usize::MAX);
    dots(py, raster.dots())
}

/// A picture's dots as [h, w, 3].
pub(crate) fn dots(
    py: Python<'_>,
    (bytes, [h, w]): (Vec<u8>, [usize; 2]),
) -> PyResult<Bound<'_, PyArray3<u8>>> {
    PyArray1::from_vec(py, bytes).reshape([h, w, 3])
}

/// What serde can write, as JSON text: the Python side makes records of it. Numbers come back bit by bit.
pub(crate) fn json(py: Python<'_>, value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| {
        raised(
            py,
            linearscope_cli::embed::Failure::internal(error.to_string()),
        )
    })
}
