//! DeepLift: (x₀ − x′) ⊙ the multipliers of the rescale rule.
//!
//! As `captum.attr.DeepLift` computes it but for two things of Captum 0.9 by which it misses the sum: where a pool reads a
//! unit's very output, its rule comes too late and it passes its gradient; and of overlapping windows that one entry wins,
//! its unpooling keeps one. Here the pool's rule always holds, and windows add up.

use burn::tensor::TensorData;
use linearscope::RuleSet;

use super::map::{Surroundings, inputs};
use crate::{
    error::Result,
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    vectors::{batched, flat, read, shaped},
};

/// A map a target, and what each promises to sum to: f(x₀) − f(x′).
///
/// The sum is kept but for softmax, quotients of two inputs and what else [`linearscope::program::Secant`] does not
/// know. Cost: two freezings, two replays and an adjoint a target.
///
/// # Errors
/// As [`linearscope::Recorded::secant`]; [`Error::Length`](crate::error::Error::Length) for a baseline that is not an input.
pub(super) fn maps(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    around: &Surroundings,
) -> Result<(Vec<Vec<f64>>, Vec<f64>)> {
    let (x0, baseline) = (read(f.x0())?, around.baseline_of(f)?);
    let way: Vec<f64> = x0.iter().zip(&baseline).map(|(x, from)| x - from).collect();
    let (here, there) = (frozen_at(f, x0)?, frozen_at(f, baseline)?);
    let (y0, y1) = (read(here.reference())?, read(there.reference())?);
    let len = f.output_len();
    let seeds = batched(f.upload(indicators(targets, len), len), f.output_shape());
    let ends = [&here, &there].map(|end| shaped(end.x0(), f.input_shape()));
    let recorded = here.recorded_for("DeepLift")?;
    let other = there.recorded_for("DeepLift")?;
    let found = recorded.secant(&ends[0], other, &ends[1], &seeds)?;
    let maps = inputs(f, &read(flat(found))?);
    let times_way = |m: Vec<f64>| m.iter().zip(&way).map(|(m, way)| m * way).collect();
    let promised = |target: &Vec<usize>| target.iter().map(|&at| y0[at] - y1[at]).sum();
    Ok((
        maps.into_iter().map(times_way).collect(),
        targets.iter().map(promised).collect(),
    ))
}

/// The same network at x by tangents, but norms by their std alone: then what norms pass is a slope an entry, which keeps
/// the sum.
fn frozen_at(f: &FrozenNetwork, x: Vec<f64>) -> Result<FrozenNetwork> {
    let frozen = f.frozen();
    let more = RuleSet::preset("taylor")?;
    let more = more.entries().iter().chain(frozen.rules().entries());
    let rules = more
        .cloned()
        .fold(RuleSet::preset("std-only")?, RuleSet::with);
    let x = TensorData::new(x, f.input_shape().to_vec());
    FrozenNetwork::within(frozen.loaded().clone(), x, rules, frozen.budget())
}
