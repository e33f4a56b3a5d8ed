//! Errors as Python's exceptions: the classes are in `linearscope/errors.py`.

use linearscope_cli::embed::Failure;
use pyo3::{prelude::*, types::PyDict};

/// The exception of a failure, with where in the network it happened.
pub(crate) fn raised(py: Python<'_>, failure: Failure) -> PyErr {
    let made = || -> PyResult<PyErr> {
        let cause = failure.cause.unwrap_or_default();
        let facts = PyDict::new(py);
        facts.set_item("hint", failure.hint)?;
        facts.set_item("node", (!cause.node.is_empty()).then_some(cause.node))?;
        facts.set_item("op", (!cause.op.is_empty()).then_some(cause.op))?;
        facts.set_item("shapes", cause.shapes)?;
        let errors = py.import("linearscope.errors")?;
        let error = errors.call_method("of_code", (failure.code, failure.message), Some(&facts))?;
        Ok(PyErr::from_value(error))
    };
    made().unwrap_or_else(|error| error)
}
