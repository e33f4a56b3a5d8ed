//! Coefficients stored small are expanded for a replay, and the expansion is kept where memory
//! allows.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

/// The expanded form of a map's coefficients: made for each replay, or kept.
#[derive(Debug)]
pub(crate) struct Expansion<T> {
    keep: AtomicBool,
    kept: Mutex<Option<T>>,
}

impl<T> Default for Expansion<T> {
    fn default() -> Self {
        Self {
            keep: AtomicBool::new(false),
            kept: Mutex::new(None),
        }
    }
}

impl<T: Clone> Expansion<T> {
    /// The kept form, or what `make` makes of the stored one.
    pub(crate) fn get(&self, make: impl FnOnce() -> T) -> T {
        if !self.keep.load(Ordering::Relaxed) {
            return make();
        }
        let mut kept = self.kept.lock().unwrap_or_else(|e| e.into_inner());
        kept.get_or_insert_with(make).clone()
    }

    /// Keep from now on, or forget.
    pub(crate) fn keep(&self, keep: bool) {
        self.keep.store(keep, Ordering::Relaxed);
        if !keep {
            *self.kept.lock().unwrap_or_else(|e| e.into_inner()) = None;
        }
    }
}
