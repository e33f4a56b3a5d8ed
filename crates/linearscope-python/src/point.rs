//! `Point`: a network frozen at x₀, and what is asked of it.

use std::{path::PathBuf, sync::Arc};

use linearscope_analysis::operator::Field;
use linearscope_cli::embed::{self, Failure, Product, Question, Result};
use numpy::{PyArray1, PyArray3, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::{exceptions::PyValueError, prelude::*};
use rayon::ThreadPool;
use serde_json::json;

use crate::{
    arrays::{Vectors, dots, given, in_precision, json},
    error::raised,
    work::{computed, looked},
};

/// A network frozen at x₀.
#[pyclass(frozen, module = "linearscope._linearscope")]
pub(crate) struct Point {
    point: embed::Point,
    pool: Option<Arc<ThreadPool>>,
}

/// σ, u, v, and facts as JSON.
type Triplets<'py> = (
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    String,
);

/// Values, columns, pointers, [rows, columns].
type Csr<'py> = (
    Bound<'py, PyAny>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    [usize; 2],
);

/// A place: its text, flat positions, and label.
type Named = (String, Vec<usize>, Option<String>);

fn field(name: &str) -> PyResult<Field> {
    match name {
        "row" => Ok(Field::Row),
        "column" => Ok(Field::Column),
        other => Err(PyValueError::new_err(format!(
            "{other} is neither row nor column"
        ))),
    }
}

/// What a failure is, where results come with it.
fn said(failure: &Option<Failure>) -> serde_json::Value {
    match failure {
        None => serde_json::Value::Null,
        Some(failure) => json!({
            "message": failure.message, "hint": failure.hint, "code": failure.code,
        }),
    }
}

impl Point {
    pub(crate) fn new(point: embed::Point, pool: Option<Arc<ThreadPool>>) -> Self {
        Self { point, pool }
    }

    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        hear: Option<Py<PyAny>>,
        question: impl FnOnce(&Question<'_>) -> Result<T> + Send,
    ) -> PyResult<T> {
        computed(py, self.pool.as_deref(), hear, |listener| {
            self.point.ask(listener, question)
        })
    }

    /// Ask what needs no computation.
    fn look<T: Send>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&Question<'_>) -> Result<T> + Send,
    ) -> PyResult<T> {
        looked(py, |listener| self.point.ask(listener, question))
    }

    fn single(&self) -> bool {
        self.point.is_single()
    }

    fn array<'py>(
        &self,
        py: Python<'py>,
        values: Vec<f64>,
        shape: &[usize],
    ) -> PyResult<Bound<'py, PyAny>> {
        in_precision(py, values, shape, self.single())
    }
}

#[pymethods]
impl Point {
    #[getter]
    fn input_shape(&self) -> Vec<usize> {
        self.point.input_shape()
    }

    #[getter]
    fn output_shape(&self) -> Vec<usize> {
        self.point.output_shape()
    }

    #[getter]
    fn labels(&self) -> Option<Vec<String>> {
        self.point.labels().map(<[String]>::to_vec)
    }

    #[getter]
    fn task(&self) -> Option<String> {
        self.point.task()
    }

    /// What a manifest says, as JSON.
    #[getter]
    fn facts(&self, py: Python<'_>) -> PyResult<String> {
        json(py, &self.point.facts())
    }

    fn x0<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let values = self.look(py, |question| Ok(question.x0()))?;
        self.array(py, values, &self.point.input_shape())
    }

    fn y0<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let values = self.look(py, |question| question.reference())?;
        self.array(py, values, &self.point.output_shape())
    }

    #[pyo3(signature = (hear=None))]
    fn residual<'py>(
        &self,
        py: Python<'py>,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let values = self.ask(py, hear, |question| question.residual())?;
        self.array(py, values, &self.point.output_shape())
    }

    /// The certificate, as JSON.
    #[pyo3(signature = (hear=None))]
    fn certificate(&self, py: Python<'_>, hear: Option<Py<PyAny>>) -> PyResult<String> {
        let found = self.ask(py, hear, |question| question.certificate())?;
        json(py, &json!({ "holds": found.holds(), "found": found }))
    }

    /// `apply` F x, `affine` F x + r, or `adjoint` Fᵀ y, for vectors [k, n].
    #[pyo3(signature = (kind, x, hear=None))]
    fn product<'py>(
        &self,
        py: Python<'py>,
        kind: &str,
        x: Vectors<'_>,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (kind, shape) = match kind {
            "apply" => (Product::Apply, self.point.input_shape()),
            "affine" => (Product::Affine, self.point.input_shape()),
            "adjoint" => (Product::Adjoint, self.point.output_shape()),
            other => {
                return Err(PyValueError::new_err(format!("no such product: {other}")));
            }
        };
        let x = x.data(shape.iter().product())?;
        given(
            py,
            self.ask(py, hear, |question| question.product(kind, x))?,
        )
    }

    /// Places by the words of the command line: (text, flat positions, label) each.
    fn places(&self, py: Python<'_>, kind: &str, texts: Vec<String>) -> PyResult<Vec<Named>> {
        let kind = field(kind)?;
        let found = self.look(py, |question| question.places(kind, &texts))?;
        Ok(found
            .into_iter()
            .map(|one| (one.text, one.positions, one.label))
            .collect())
    }

    /// The rows or columns of places, behind a leading axis.
    #[pyo3(signature = (kind, places, hear=None))]
    fn fields<'py>(
        &self,
        py: Python<'py>,
        kind: &str,
        places: Vec<Vec<usize>>,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let kind = field(kind)?;
        let shape = match kind {
            Field::Row => self.point.input_shape(),
            Field::Column => self.point.output_shape(),
        };
        let found = self.ask(py, hear, |question| question.fields(kind, &places))?;
        self.array(py, found, &[&[places.len()], &shape[..]].concat())
    }

    /// (σ, u, v, facts as JSON) by the flags of the command `svd`.
    #[pyo3(signature = (flags, hear=None))]
    fn svd<'py>(
        &self,
        py: Python<'py>,
        flags: Vec<String>,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<Triplets<'py>> {
        let solved = self.ask(py, hear, |question| question.svd(&flags))?;
        let found = &solved.found;
        let facts = json!({
            "residuals": found.residuals, "products": found.products, "passes": found.passes,
            "estimated": found.estimated, "failure": said(&solved.failure),
        });
        let sigma = PyArray1::from_slice(py, &found.sigma);
        let k = found.sigma.len();
        let side = |(values, shape): (Vec<f64>, Vec<usize>)| {
            self.array(py, values, &[&[k], &shape[..]].concat())
        };
        let facts = json(py, &facts)?;
        Ok((sigma, side(solved.u)?, side(solved.v)?, facts))
    }

    /// A score taken apart, as JSON.
    #[pyo3(signature = (target, hear=None))]
    fn contributions(
        &self,
        py: Python<'_>,
        target: &str,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let found = self.ask(py, hear, |question| question.contributions(target))?;
        json(py, &found)
    }

    /// (map, facts as JSON) for each target and method, by the flags of the command `attribute`.
    #[pyo3(signature = (flags, hear=None))]
    fn attribute<'py>(
        &self,
        py: Python<'py>,
        flags: Vec<String>,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, String)>> {
        let found = self.ask(py, hear, |question| question.attribute(&flags))?;
        let shape = self.point.input_shape();
        let one = |one: embed::Attributed| {
            let facts = json!({
                "target": one.target.text, "label": one.target.label,
                "positions": one.target.positions, "method": one.found.method,
                "score": one.found.score, "sum": one.found.sum, "promised": one.found.promised,
                "gap": one.found.gap, "note": one.found.note,
            });
            Ok((self.array(py, one.map, &shape)?, json(py, &facts)?))
        };
        found.into_iter().map(one).collect()
    }

    /// (radii, what flips first, decisions as JSON) along directions [k, n].
    #[pyo3(signature = (directions, hear=None))]
    fn validity<'py>(
        &self,
        py: Python<'py>,
        directions: PyReadonlyArray2<'_, f64>,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<(Bound<'py, PyArray1<f64>>, Vec<String>, String)> {
        self.fits(directions.shape()[1])?;
        let directions: Vec<f64> = directions.as_array().iter().copied().collect();
        let found = self.ask(py, hear, |question| question.validity(directions))?;
        let facts = json!({ "at_kink": found.at_kink, "decisions": found.decisions });
        let facts = json(py, &facts)?;
        Ok((PyArray1::from_vec(py, found.radii), found.by, facts))
    }

    /// The relative error of the linear reading along a direction, for each step.
    #[pyo3(signature = (direction, steps, hear=None))]
    fn growth<'py>(
        &self,
        py: Python<'py>,
        direction: PyReadonlyArray1<'_, f64>,
        steps: Vec<f64>,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        self.fits(direction.shape()[0])?;
        let direction: Vec<f64> = direction.as_array().iter().copied().collect();
        let found = self.ask(py, hear, |question| question.growth(direction, &steps))?;
        Ok(PyArray1::from_vec(py, found))
    }

    /// A picture that says nothing, by its name.
    fn baseline<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let values = self.look(py, |question| question.baseline(name))?;
        self.array(py, values, &self.point.input_shape())
    }

    /// F by rows: (values, columns, pointers, [rows, columns]).
    #[pyo3(signature = (most, hear=None))]
    fn matrix<'py>(
        &self,
        py: Python<'py>,
        most: usize,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<Csr<'py>> {
        let found = self.ask(py, hear, |question| question.matrix(most))?;
        let entries = found.values.len();
        Ok((
            self.array(py, found.values, &[entries])?,
            PyArray1::from_vec(py, found.columns),
            PyArray1::from_vec(py, found.pointers),
            found.shape,
        ))
    }

    /// x₀ as a picture [h, w, 3], if it is one.
    fn picture<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArray3<u8>>>> {
        let found = self.look(py, |question| Ok(question.picture()))?;
        found.map(|picture| dots(py, picture)).transpose()
    }

    /// A flat map over x₀ as a picture [h, w, 3], if x₀ is one.
    fn overlay<'py>(
        &self,
        py: Python<'py>,
        map: PyReadonlyArray1<'_, f64>,
        sign: &str,
        percentile: f64,
    ) -> PyResult<Option<Bound<'py, PyArray3<u8>>>> {
        self.fits(map.shape()[0])?;
        let map: Vec<f64> = map.as_array().iter().copied().collect();
        let found = self.look(py, |question| question.overlay(&map, sign, percentile))?;
        found.map(|picture| dots(py, picture)).transpose()
    }

    /// Let a command of the program write into out/name; what it said, as JSON.
    #[pyo3(signature = (name, flags, out, hear=None))]
    fn command(
        &self,
        py: Python<'_>,
        name: &str,
        flags: Vec<String>,
        out: PathBuf,
        hear: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let report = self.ask(py, hear, |question| question.command(name, &flags, &out))?;
        if let Some(failure) = report
            .failure
            .as_ref()
            .filter(|failure| failure.code == 130)
        {
            let (message, hint) = (failure.message.clone(), failure.hint.clone());
            let failure = Failure::interrupted(message);
            return Err(raised(py, Failure { hint, ..failure }));
        }
        let certificate = report.certificate.as_ref();
        json(
            py,
            &json!({
                "folder": report.folder, "summary": report.summary, "found": report.found,
                "failure": said(&report.failure), "certificate": certificate,
                "holds": certificate.map(|certificate| certificate.holds()),
            }),
        )
    }
}

impl Point {
    /// Whether vectors of the input have this length.
    fn fits(&self, len: usize) -> PyResult<()> {
        let needed: usize = self.point.input_shape().iter().product();
        match len == needed {
            true => Ok(()),
            false => Err(PyValueError::new_err(format!(
                "vectors have length {len}, but need length {needed}"
            ))),
        }
    }
}
