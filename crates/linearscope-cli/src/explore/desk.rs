//! What questions are answered from, whoever asks: the frozen networks, what jobs have left behind, and answers of late.

use std::sync::{Mutex, PoisonError};

use super::{answer::Answer, cache::Cache, compute::jobs::Kept, points::Points};

/// Bytes of finished answers that are kept.
const CACHED: usize = 128 << 20;

pub(crate) struct Desk {
    pub points: Points,
    pub jobs: Kept,
    cache: Mutex<Cache<Answer>>,
}

impl Desk {
    pub(crate) fn new(points: Points) -> Self {
        Self {
            points,
            jobs: Kept::default(),
            cache: Mutex::new(Cache::within(CACHED)),
        }
    }

    pub(crate) fn cached(&self, key: &str) -> Option<Answer> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(key)
    }

    pub(crate) fn keep(&self, key: String, answer: Answer) {
        let bytes = answer.bytes();
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.put(key, answer, bytes);
    }
}
