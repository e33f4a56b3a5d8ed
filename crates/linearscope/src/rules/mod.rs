//! Rules: how a non-linear op turns x₀ into linear maps and sources. No rule touches a probe.
//!
//! A rule gets the values of an op's operands at x₀, asks the inner backend for the op's own
//! value, and hands linear maps and sources to the probe's run. See `docs/rules.md` for the table.

pub(crate) mod arithmetic;
pub(crate) mod attention;
pub(crate) mod composite;
pub(crate) mod cross;
pub(crate) mod extremes;
pub(crate) mod gradient;
pub(crate) mod indexing;
pub(crate) mod kink;
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
pub(crate) mod set;
pub(crate) mod slope;
pub(crate) mod softmax;
#[cfg(test)]
mod tests;
pub(crate) mod transfer;
pub(crate) mod unfold;
pub(crate) mod weighted;

pub use kink::Kinks;
pub use set::{
    Choices, Entry, Normalisation, Own, PRESETS, Pointwise, Product, Reference, Rule, RuleSet,
};
