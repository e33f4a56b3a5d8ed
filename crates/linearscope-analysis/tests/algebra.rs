//! Operators made of others, against the matrices they stand for.

mod operators;

use std::{cell::Cell, ops::ControlFlow, sync::Arc};

use burn::tensor::{Device, FloatDType, Tensor};
use linearscope_analysis::{
    Dense, Error, LinearOperator, Result, noise,
    operator::{Composed, Field, Scaled, Sum, Transposed},
    progress::{Observer, unobserved},
    projection::{columns, rows},
    svd::{SvdConfig, svd},
    vectors::read,
};
use operators::matrix;

fn random(rows: usize, columns: usize, seed: u64) -> Dense {
    matrix(noise(rows * columns, seed), rows, columns, FloatDType::F64)
}

fn entries(f: &(impl LinearOperator + ?Sized)) -> Vec<f64> {
    let all: Vec<usize> = (0..f.output_len()).collect();
    read(rows(f, &all).unwrap()).unwrap()
}

fn transposed(a: &[f64], columns: usize) -> Vec<f64> {
    let rows = a.len() / columns;
    (0..a.len())
        .map(|i| a[(i % rows) * columns + i / rows])
        .collect()
}

fn assert_close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f64::max) < 1e-13, "{a:?}\n{b:?}");
}

/// Products, rows and columns are those of the matrix, forwards and back.
fn assert_is(f: &(impl LinearOperator + ?Sized), expected: &[f64]) {
    let (n, m) = (f.input_len(), f.output_len());
    assert_eq!(expected.len(), n * m);
    assert_close(&entries(f), expected);
    let all: Vec<usize> = (0..n).collect();
    let across = read(columns(f, &all).unwrap()).unwrap();
    assert_close(&across, &transposed(expected, n));
    let (x, y) = (noise(n, 7), noise(m, 8));
    let fx = read(f.apply(f.upload(x.clone(), n)).unwrap()).unwrap();
    let fy = read(f.apply_adjoint(f.upload(y.clone(), m)).unwrap()).unwrap();
    let by_hand: Vec<f64> = expected
        .chunks(n)
        .map(|row| row.iter().zip(&x).map(|(a, b)| a * b).sum())
        .collect();
    assert_close(&fx, &by_hand);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    assert!((dot(&fx, &y) - dot(&x, &fy)).abs() < 1e-13);
}

#[test]
fn algebra_is_that_of_matrices() {
    let (f, g, h) = (random(4, 5, 1), random(4, 5, 2), random(5, 3, 3));
    let (a, b, c) = (entries(&f), entries(&g), entries(&h));
    assert_is(&Transposed(&f), &transposed(&a, 5));
    let scaled = Scaled {
        operator: &f,
        by: -2.5,
    };
    let expected: Vec<f64> = a.iter().map(|a| -2.5 * a).collect();
    assert_is(&scaled, &expected);
    let expected: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    assert_is(&Sum::new(&f, &g).unwrap(), &expected);
    let expected: Vec<f64> = (0..4 * 3)
        .map(|i| (0..5).map(|j| a[i / 3 * 5 + j] * c[j * 3 + i % 3]).sum())
        .collect();
    assert_is(&Composed::new(&f, &h).unwrap(), &expected);
    assert_is(
        &Transposed(Composed::new(&f, &h).unwrap()),
        &transposed(&expected, 3),
    );
    // As objects, too.
    let objects: [Box<dyn LinearOperator>; 2] = [Box::new(f.clone()), Box::new(g)];
    assert_is(&objects[0], &a);
    let object: &dyn LinearOperator = &f;
    assert_is(object, &a);
    assert_is(&Arc::new(f.clone()), &a);
    let found = svd(object, &SvdConfig::new(2), unobserved).unwrap();
    assert_eq!(found, svd(&f, &SvdConfig::new(2), unobserved).unwrap());
}

#[test]
fn what_does_not_fit_is_refused_with_both_sizes() {
    let (f, g) = (random(4, 5, 1), random(4, 6, 2));
    let said = |error: Error| error.to_string();
    let error = said(Sum::new(&f, &g).map(drop).unwrap_err());
    assert!(
        error.contains("4 × 5") && error.contains("4 × 6"),
        "{error}"
    );
    let error = said(Composed::new(&f, &g).map(drop).unwrap_err());
    assert!(error.contains("5 for one and 4"), "{error}");
    let single = matrix(vec![1.0; 20], 4, 5, FloatDType::F32);
    let error = said(Sum::new(&f, &single).map(drop).unwrap_err());
    assert!(error.contains("dtype"), "{error}");
    let error = said(f.apply(f.upload(vec![0.0; 8], 4)).map(drop).unwrap_err());
    assert!(
        error.contains("[2, 4]") && error.contains("[k, 5]"),
        "{error}"
    );
    let error = said(rows(&f, &[4]).map(drop).unwrap_err());
    assert!(error.contains("the row [4] is outside [4]"), "{error}");
    let error = said(columns(&f, &[]).map(drop).unwrap_err());
    assert!(error.contains("the list of columns is empty"), "{error}");
    let error = Dense::new(vec![1.0], [2], [3], &Device::flex(), FloatDType::F64);
    assert!(said(error.map(drop).unwrap_err()).contains("2 × 3"));
}

/// An operator that knows its rows and columns, and never multiplies.
struct Knowing {
    f: Dense,
    asked: Cell<usize>,
}

impl LinearOperator for Knowing {
    fn input_shape(&self) -> &[usize] {
        self.f.input_shape()
    }

    fn output_shape(&self) -> &[usize] {
        self.f.output_shape()
    }

    fn device(&self) -> &Device {
        self.f.device()
    }

    fn dtype(&self) -> FloatDType {
        self.f.dtype()
    }

    fn apply(&self, _: Tensor<2>) -> Result<Tensor<2>> {
        unreachable!("its fields are known")
    }

    fn apply_adjoint(&self, _: Tensor<2>) -> Result<Tensor<2>> {
        unreachable!("its fields are known")
    }

    fn fields(
        &self,
        field: Field,
        places: &[Vec<usize>],
        observer: &mut Observer<'_>,
    ) -> Result<Tensor<2>> {
        self.asked.set(self.asked.get() + 1);
        self.f.fields(field, places, observer)
    }
}

/// ◆ What an operator knows of where its fields lie is used through every door.
#[test]
fn fields_are_never_bypassed() {
    let f = Knowing {
        f: random(4, 4, 5),
        asked: Cell::new(0),
    };
    let mut asked = 0;
    let mut used = |what: &str| {
        asked += 1;
        assert_eq!(f.asked.get(), asked, "{what}");
    };
    rows(&f, &[1]).unwrap();
    used("rows");
    columns(&&f, &[1]).unwrap();
    used("columns of a reference");
    rows(&Transposed(&f), &[1]).unwrap();
    used("rows of the transpose");
    let scaled = Scaled {
        operator: &f,
        by: 2.0,
    };
    rows(&scaled, &[1]).unwrap();
    used("rows of a multiple");
    rows(&Sum::new(&f, random(4, 4, 6)).unwrap(), &[1]).unwrap();
    used("rows of a sum");
    columns(&Composed::new(random(4, 4, 6), &f).unwrap(), &[1]).unwrap();
    used("columns of a composition");
    rows(&Composed::new(&f, random(4, 4, 6)).unwrap(), &[1]).unwrap();
    used("rows of a composition");
    let object: &dyn LinearOperator = &f;
    rows(object, &[1]).unwrap();
    used("rows of an object");
}

#[test]
fn an_observer_can_stop() {
    let f = random(20, 20, 1);
    let places: Vec<Vec<usize>> = (0..20).map(|i| vec![i]).collect();
    let mut seen = Vec::new();
    let stopped = f.fields(Field::Row, &places, &mut |progress| {
        seen.push(progress.done);
        match progress.done >= 8 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    assert_eq!(seen, [0, 8]);
    let error = stopped.map(drop).unwrap_err();
    assert!(
        matches!(error, Error::Stopped(at) if (at.done, at.of) == (8, 20)),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "stopped while reading rows: 8 of 20 done"
    );
}
