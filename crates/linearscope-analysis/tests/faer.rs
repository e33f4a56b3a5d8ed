//! A matrix under faer's own solver: the same singular values.
#![cfg(feature = "faer")]

mod operators;

use burn::tensor::FloatDType;
use faer::{
    Col, Mat, Par,
    dyn_stack::{MemBuffer, MemStack},
    matrix_free::eigen::{partial_svd, partial_svd_scratch},
    prelude::default,
};
use linearscope_analysis::{
    noise,
    operator::faer::FaerOperator,
    progress::unobserved,
    svd::{SvdConfig, svd},
};
use operators::matrix;

#[test]
fn faers_singular_values_are_ours() {
    const K: usize = 3;
    // Its basis, of up to 64 vectors, is to be smaller than either side.
    let (m, n) = (160, 120);
    let f = matrix(noise(m * n, 3), m, n, FloatDType::F64);
    let expected = svd(&f, &SvdConfig::new(K).with_tolerance(1e-10), unobserved).unwrap();
    let operator = FaerOperator::new(&f);
    let (mut u, mut v) = (Mat::zeros(m, K), Mat::zeros(n, K));
    let mut sigma = [0.0; K];
    let start = Col::from_fn(n, |i| noise(n, 9)[i]);
    let start = &start / start.norm_l2();
    let scratch = partial_svd_scratch(&operator, K, Par::Seq, default());
    partial_svd(
        u.as_mut(),
        v.as_mut(),
        &mut sigma,
        &operator,
        start.as_ref(),
        1e-12,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        default(),
    );
    for (found, expected) in sigma.iter().zip(&expected.sigma) {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
    operator.finish().unwrap();
}

/// A product that fails is not lost: NaN on faer's side, the error on ours.
#[test]
fn failures_are_told_at_the_end() {
    use faer::matrix_free::LinOp;
    let f = matrix(vec![1.0; 6], 2, 3, FloatDType::F64);
    let operator = FaerOperator::new(&f);
    let mut out = Mat::<f64>::zeros(2, 1);
    let wrong = Mat::<f64>::zeros(4, 1);
    let mut memory = MemBuffer::new(operator.apply_scratch(1, Par::Seq));
    let stack = MemStack::new(&mut memory);
    operator.apply(out.as_mut(), wrong.as_ref(), Par::Seq, stack);
    assert!(out[(0, 0)].is_nan());
    let error = operator.finish().unwrap_err().to_string();
    assert!(error.contains("[1, 4]"), "{error}");
}
