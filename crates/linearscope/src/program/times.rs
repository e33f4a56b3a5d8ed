//! Where the time of a replay goes, node by node.

use std::{sync::Arc, time::Instant};

use burn_backend::{Backend, Distribution, tensor::Device};

use super::{Operation, Program};
use crate::{
    error::{Error, Place, Result, guarded},
    linear::batch,
};

/// What one map costs.
#[derive(Clone, Debug)]
pub struct NodeTime {
    /// The network node it came from.
    pub name: Arc<str>,
    /// The kind of map.
    pub kind: &'static str,
    /// Shape of its result, without the probe axis.
    pub shape: Vec<usize>,
    /// Milliseconds of `apply`: the median of the runs.
    pub apply_ms: f64,
    /// Milliseconds of `adjoint`.
    pub adjoint_ms: f64,
}

impl<B: Backend> Program<B> {
    /// Time every map alone, on k random probes, `runs` times. Sums, concatenations and sources are
    /// not timed.
    ///
    /// # Errors
    /// [`Error::NoProbes`] for k = 0; [`Error::Data`] where the device does not answer;
    /// [`Error::Panicked`].
    pub fn times(&self, k: usize, runs: usize, device: &Device<B>) -> Result<Vec<NodeTime>> {
        if k == 0 {
            return Err(Error::NoProbes {
                what: "what is to be timed".into(),
            });
        }
        let mut times = Vec::new();
        for node in &self.nodes {
            let Operation::Map { map, input } = &node.operation else {
                continue;
            };
            self.interrupt.check()?;
            let place = || Place {
                node: node.name.to_string(),
                op: map.name().into(),
            };
            let random = |shape| {
                let shape = batch::shape_of(k, shape);
                B::float_random(shape, Distribution::Default, device, self.dtype.into())
            };
            let done = || B::sync(device).map_err(|error| Error::Data(format!("{error:?}")));
            let median = |work: &dyn Fn()| -> Result<f64> {
                let mut all = Vec::with_capacity(runs);
                for run in 0..=runs {
                    let start = Instant::now();
                    guarded(place, work)?;
                    done()?;
                    if run > 0 {
                        all.push(1e3 * start.elapsed().as_secs_f64());
                    }
                }
                all.sort_by(f64::total_cmp);
                Ok(all.get(all.len() / 2).copied().unwrap_or(0.0))
            };
            let (x, y) = (random(&self.at(*input).shape), random(&node.shape));
            times.push(NodeTime {
                name: node.name.clone(),
                kind: map.name(),
                shape: node.shape.to_vec(),
                apply_ms: median(&|| drop(map.apply(x.clone())))?,
                adjoint_ms: median(&|| drop(map.adjoint(y.clone())))?,
            });
        }
        Ok(times)
    }
}
