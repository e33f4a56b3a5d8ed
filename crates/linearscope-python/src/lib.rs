//! `linearscope._linearscope`: what the Python package `linearscope` is made of.
//!
//! Networks and numbers go through `linearscope_cli::embed`, the program's own machinery, so that a notebook and a command line
//! give the same bits. The classes here are bare; the package's Python files give them their names, defaults and documentation.

mod arrays;
mod error;
mod net;
mod point;
mod work;

use pyo3::prelude::*;

/// The compiled part of linearscope.
#[pymodule]
mod _linearscope {
    use numpy::{PyArray3, PyReadonlyArray3};
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::{net::Net, point::Point};

    /// The version of the package and of the program.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// The program `linearscope`: its name and arguments in, its exit code out.
    #[pyfunction]
    fn run(py: Python<'_>, words: Vec<std::ffi::OsString>) -> u8 {
        py.detach(|| linearscope_cli::run(words))
    }

    /// A signed array [c, h, w] in the program's colours, [h, w, 3]; `scale` is full colour.
    #[pyfunction]
    #[pyo3(signature = (values, scale=None))]
    fn signed<'py>(
        py: Python<'py>,
        values: PyReadonlyArray3<'_, f64>,
        scale: Option<f64>,
    ) -> PyResult<Bound<'py, PyArray3<u8>>> {
        super::arrays::signed(py, &values, scale)
    }

    #[pymodule_init]
    fn init(_: &Bound<'_, PyModule>) -> PyResult<()> {
        linearscope_cli::embed::prepare();
        Ok(())
    }
}
