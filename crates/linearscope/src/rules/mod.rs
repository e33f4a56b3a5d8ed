//! Rules: how a non-linear op turns x₀ into linear maps and sources. No rule touches a probe.
//!
//! A rule gets its operands from [`run::open`](crate::run::open), asks the inner backend for the op's own
//! value, and hands linear maps and sources to a tracer. What it decides it reports first
//! ([`Tracer::freeze`](crate::run::Tracer::freeze)), with how the decision hangs on what it read if it is
//! constant between kinks: without the report there is no coefficient. See `docs/book/src/rules.md` for the
//! table.

pub(crate) mod arithmetic;
pub(crate) mod attention;
pub(crate) mod composite;
pub(crate) mod extremes;
pub(crate) mod gradient;
pub(crate) mod hypot;
pub(crate) mod indexing;
pub(crate) mod infinite;
pub(crate) mod max_pool;
pub(crate) mod normalisation;
pub(crate) mod order;
pub(crate) mod padding;
pub(crate) mod pointwise;
pub(crate) mod positions;
pub(crate) mod prelu;
pub(crate) mod product;
pub(crate) mod reduction;
pub(crate) mod resampling;
pub(crate) mod sampling;
pub(crate) mod selection;
pub(crate) mod slope;
pub(crate) mod softmax;
#[cfg(test)]
mod tests;
pub(crate) mod transfer;
pub(crate) mod unfold;
pub(crate) mod weighted;

use crate::rule_set::{Normalisation, Pointwise, Product};
