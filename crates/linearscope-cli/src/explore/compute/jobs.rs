//! What jobs leave behind: results in parts, of which arrays are asked for afterwards.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use linearscope_analysis::{attack::Attacked, svd::Svd, votes::Votes};

use super::Refusal;
use crate::explore::{
    asked::{Asked, Eps, Of, What},
    cache::Cache,
};

/// Bytes of results that are kept.
const KEPT: usize = 512 << 20;

/// Vectors are there in f64, and once in their own precision besides.
const TIMES: usize = 2;

/// How many triplets are kept whose two vectors have so many entries together.
pub(super) fn fitting(entries: usize) -> usize {
    // Names and so on need a little.
    (KEPT - KEPT / 64) / (TIMES * size_of::<f64>() * entries.max(1))
}

/// A finished job's result.
#[derive(Clone)]
pub(crate) enum Result {
    Triplets(Arc<Triplets>),
    Votes(Arc<Votes>),
    Attacked(Arc<Attacked>),
}

/// Singular triplets on the host.
pub(crate) struct Triplets {
    pub svd: Svd,
    /// `[k, N]` and `[k, n]`.
    pub u: Vec<f64>,
    pub v: Vec<f64>,
    /// ⟨v, x₀⟩ of each.
    pub of_x0: Vec<f64>,
    /// Why they are not all that was requested.
    pub unconverged: Option<String>,
}

impl Result {
    fn bytes(&self) -> usize {
        let numbers = match self {
            Self::Triplets(found) => TIMES * (found.u.len() + found.v.len()),
            Self::Votes(found) => 2 * found.of.len() + found.scores.len(),
            Self::Attacked(found) => 2 * found.x.len(),
        };
        numbers * size_of::<f64>()
    }
}

/// Results by the question that made them.
pub(crate) struct Kept(Mutex<Cache<Result>>);

impl Default for Kept {
    fn default() -> Self {
        Self(Mutex::new(Cache::within(KEPT)))
    }
}

impl Kept {
    pub(super) fn put(&self, asked: &Asked, result: Result) {
        let bytes = result.bytes();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(asked.key(), result, bytes);
    }

    /// Whether an answer that was given before is still good: what it left behind is there.
    pub(super) fn holds(&self, asked: &Asked) -> bool {
        match asked.what {
            What::Svd { .. } | What::Votes | What::Attack { .. } => {
                self.get(&asked.of, asked.what.clone()).is_some()
            }
            // The map may be gone from the cache.
            What::Attributing(_) => false,
            _ => true,
        }
    }

    fn get(&self, of: &Of, what: What) -> Option<Result> {
        let asked = Asked {
            of: of.clone(),
            what,
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&asked.key())
    }

    pub(super) fn triplets(
        &self,
        of: &Of,
        k: usize,
    ) -> std::result::Result<Arc<Triplets>, Refusal> {
        match self.get(of, What::Svd { k }) {
            Some(Result::Triplets(found)) => Ok(found),
            _ => Err(not_done(&format!("/api/svd?k={k}"))),
        }
    }

    pub(super) fn votes(&self, of: &Of) -> std::result::Result<Arc<Votes>, Refusal> {
        match self.get(of, What::Votes) {
            Some(Result::Votes(found)) => Ok(found),
            _ => Err(not_done("/api/votes")),
        }
    }

    pub(crate) fn attacked(
        &self,
        of: &Of,
        eps: Eps,
    ) -> std::result::Result<Arc<Attacked>, Refusal> {
        match self.get(of, What::Attack { eps }) {
            Some(Result::Attacked(found)) => Ok(found),
            _ => Err(not_done(&format!("/api/attack?eps={}", eps.get()))),
        }
    }
}

/// The job that makes it has not run, or was longer ago than results are kept.
fn not_done(job: &str) -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        "the job that computes this has not finished",
    )
    .hint(format!("request {job} first and wait for its last line"))
}
