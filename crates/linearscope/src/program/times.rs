//! Where the time of a replay goes, node by node.

use std::{sync::Arc, time::Instant};

use burn_backend::{Backend, Distribution, tensor::Device};

use super::{Operation, Program};
use crate::linear::batch;

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
    pub fn times(&self, k: usize, runs: usize, device: &Device<B>) -> Vec<NodeTime> {
        let mut times = Vec::new();
        for node in &self.nodes {
            let Operation::Map { map, input } = &node.operation else {
                continue;
            };
            let random = |shape| {
                let shape = batch::shape_of(k, shape);
                B::float_random(shape, Distribution::Default, device, self.dtype.into())
            };
            let (x, y) = (random(self.shape(*input)), random(&node.shape));
            let median = |work: &dyn Fn()| {
                let mut all: Vec<f64> = (0..=runs)
                    .map(|_| {
                        let start = Instant::now();
                        work();
                        1e3 * start.elapsed().as_secs_f64()
                    })
                    .skip(1)
                    .collect();
                all.sort_by(f64::total_cmp);
                all.get(all.len() / 2).copied().unwrap_or(0.0)
            };
            let done = || B::sync(device).expect("the device answers");
            times.push(NodeTime {
                name: node.name.clone(),
                kind: map.name(),
                shape: node.shape.to_vec(),
                apply_ms: median(&|| {
                    drop(map.apply(x.clone()));
                    done();
                }),
                adjoint_ms: median(&|| {
                    drop(map.adjoint(y.clone()));
                    done();
                }),
            });
        }
        times
    }
}
