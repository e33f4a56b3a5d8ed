//! `Net`: a model with the flags it was opened with.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use linearscope_cli::embed::{self, From, ModelFrom};
use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use rayon::ThreadPool;

use crate::{
    arrays::json,
    point::Point,
    work::{computed, in_turn, pool},
};

/// A model, opened.
#[pyclass(frozen, module = "linearscope._linearscope")]
pub(crate) struct Net {
    net: embed::Net,
    pool: Option<Arc<ThreadPool>>,
    /// Whose turn it is to freeze, which locks the model.
    freezing: Mutex<()>,
}

#[pymethods]
impl Net {
    /// Read a model: a file's path, or bytes with a name. `flags` are words of the program's command line.
    #[new]
    #[pyo3(signature = (path, data, flags, threads=None, hear=None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        data: Option<Vec<u8>>,
        flags: Vec<String>,
        threads: Option<usize>,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let pool = pool(threads)?;
        let net = computed(py, pool.as_deref(), hear, |listener| {
            let name = path.to_string_lossy();
            let model = match &data {
                Some(bytes) => ModelFrom::Bytes(bytes, &name),
                None => ModelFrom::File(&path),
            };
            embed::Net::open(model, &flags, listener)
        })?;
        Ok(Self {
            net,
            pool,
            freezing: Mutex::new(()),
        })
    }

    /// The SHA-256 of the model's file.
    #[getter]
    fn sha256(&self, py: Python<'_>) -> String {
        py.detach(|| self.net.sha256())
    }

    /// The name of the device that everything is computed on.
    #[getter]
    fn device(&self, py: Python<'_>) -> String {
        py.detach(|| self.net.device())
    }

    /// Name and shape of the input and of the output that is read, as JSON; names for dynamic axes.
    #[getter]
    fn signatures(&self, py: Python<'_>) -> PyResult<String> {
        let signatures = py.detach(|| self.net.signatures());
        let said = signatures.map(|signature| {
            let dims = signature.dims.iter().map(|dim| match dim {
                Ok(size) => serde_json::json!(size),
                Err(name) => serde_json::json!(name),
            });
            let dims: Vec<serde_json::Value> = dims.collect();
            serde_json::json!({ "name": signature.name, "shape": dims })
        });
        json(py, &said)
    }

    /// Freeze at an array, or at the picture or array of a file.
    #[pyo3(signature = (array, path, flags, hear=None))]
    fn freeze(
        &self,
        py: Python<'_>,
        array: Option<PyReadonlyArrayDyn<'_, f64>>,
        path: Option<PathBuf>,
        flags: Vec<String>,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<Point> {
        let array = array.map(|array| {
            let shape = array.shape().to_vec();
            (
                array.as_array().iter().copied().collect::<Vec<f64>>(),
                shape,
            )
        });
        let pool = self.pool.as_deref();
        let point = in_turn(py, &self.freezing, pool, hear, |listener| {
            let x = match (&array, &path) {
                (Some((values, shape)), _) => From::Array(values, shape),
                (None, Some(path)) => From::File(path),
                (None, None) => return Err(embed::Failure::input("neither an array nor a file")),
            };
            self.net.freeze(x, &flags, listener)
        })?;
        Ok(Point::new(point, self.pool.clone()))
    }
}
