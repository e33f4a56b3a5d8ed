//! Coefficients stored small are expanded for a replay, and the expansion is kept where memory
//! allows.

use std::sync::{
    Mutex, OnceLock,
    atomic::{AtomicBool, Ordering},
};

/// The expanded form of a map's coefficients: made for each replay, or kept.
#[derive(Debug)]
pub(crate) struct Expansion<T> {
    keep: AtomicBool,
    kept: Mutex<Option<T>>,
}

/// What is in `place`, or what `make` makes, which then stays there. Not made while others wait, for the reason that
/// [`Expansion::get`] gives; two cores may make it at once.
pub(crate) fn made_once<T>(place: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    match place.get() {
        Some(made) => made,
        None => {
            let made = make();
            place.get_or_init(|| made)
        }
    }
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
        let kept = || self.kept.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(kept) = &*kept() {
            return kept.clone();
        }
        // Without the lock: while `make` waits for work on other cores, this one may take up another share of the same
        // replay, which comes here, too.
        let made = make();
        kept().get_or_insert(made).clone()
    }

    /// Keep from now on, or forget.
    pub(crate) fn keep(&self, keep: bool) {
        self.keep.store(keep, Ordering::Relaxed);
        if !keep {
            *self.kept.lock().unwrap_or_else(|e| e.into_inner()) = None;
        }
    }
}
