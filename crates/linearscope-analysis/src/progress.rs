//! How far a long computation is, and whether it goes on.

use std::ops::ControlFlow;

use serde::Serialize;

/// Where a long computation is. Its observer returns [`ControlFlow::Break`] to stop it.
///
/// What [`of`](Self::of) counts is said by [`doing`](Self::doing): fields, classes, places, steps, triplets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done: `"reading rows"`, `"counting votes"` …
    pub doing: &'static str,
    /// How many are done.
    pub done: usize,
    /// Of how many.
    pub of: usize,
    /// Products with F and Fᵀ so far, where they are counted; else 0.
    pub products: usize,
    /// Of iterative solvers the largest estimated residual over σ₁ among what is wanted; infinite before
    /// there is one, and elsewhere 0.
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

/// The observer that does not care.
///
/// ```
/// use linearscope_analysis::progress::{Progress, unobserved};
/// assert!(unobserved(&Progress::new("counting", 1, 2)).is_continue());
/// ```
pub fn unobserved(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
