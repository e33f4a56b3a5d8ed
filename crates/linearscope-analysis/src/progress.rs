//! How far a long computation is, and whether it continues.

use std::ops::ControlFlow;

use serde::Serialize;

/// Where a long computation is. Its observer returns [`ControlFlow::Break`] to stop it.
///
/// [`doing`](Self::doing) says what [`of`](Self::of) counts: fields, classes, places, steps, triplets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done: `"reading rows"`, `"counting votes"` …
    pub doing: &'static str,
    /// How many are done.
    pub done: usize,
    /// How many there are in total.
    pub of: usize,
    /// Products with F and Fᵀ so far, if they are counted; otherwise 0.
    pub products: usize,
    /// For iterative solvers, the largest estimated residual, relative to σ₁, among the requested
    /// triplets; infinite before there is one. Otherwise 0.
    pub residual: f64,
}

impl Progress {
    /// `done` of `of`, without products or residual.
    pub fn new(doing: &'static str, done: usize, of: usize) -> Self {
        Self {
            doing,
            done,
            of,
            products: 0,
            residual: 0.0,
        }
    }
}

/// Who hears of progress, where a trait object is needed.
pub type Observer<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;

/// An observer that ignores progress.
///
/// ```
/// use linearscope_analysis::progress::{Progress, unobserved};
/// assert!(unobserved(&Progress::new("counting", 1, 2)).is_continue());
/// ```
pub fn unobserved(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
