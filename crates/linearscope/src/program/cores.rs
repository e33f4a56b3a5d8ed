//! A batch of probes on all cores of the CPU: each core takes a few at a time through the whole program.

use std::ops::Range;

use burn_backend::{Backend, Slice, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{NodeId, Program};
use crate::{
    error::{Place, Result, guarded},
    host,
};

/// Where a replay begins, and the probes there, `[k, ..shape]`.
type Ends<B> = [(NodeId, FloatTensor<B>)];

/// Bytes of values that stay in a core's cache from one node to the next.
const CACHED: usize = 1 << 19;

impl<B: Backend> Program<B> {
    /// `work` on all probes, a few at a time on each core of the CPU, through the whole of it; `join` puts what
    /// they give for one end of the replay one after the other.
    ///
    /// What a probe passes then stays in the cache of one core, and ops that a backend runs on one core run on
    /// all of them. Elsewhere than in this process's memory all probes go together: a graphics card has one
    /// queue, and a tape is for one.
    ///
    /// Within the program no more is alive than if they went together; what comes out is there twice while it is put
    /// together. No bit changes: what a probe becomes does not depend
    /// on its batch mates. Kernels still divide their work, so that a core that is done helps the others.
    ///
    /// # Errors
    /// Those of `work`, of the first share that has one.
    pub(super) fn on_all_cores<R: Send>(
        &self,
        ends: &Ends<B>,
        work: impl Fn(&Ends<B>) -> Result<Vec<R>> + Sync,
        join: impl Fn(Vec<R>) -> R,
    ) -> Result<Vec<R>> {
        let shares = self.cut_for_cores(ends);
        if shares.len() <= 1 {
            return work(ends);
        }
        let place = || Place {
            node: String::new(),
            op: "a replay on all cores".into(),
        };
        let parts: Vec<Result<Vec<R>>> = guarded(place, || {
            (shares.into_par_iter().with_max_len(1))
                .map(|probes| work(&part::<B>(ends, &probes)))
                .collect()
        })?;
        let parts: Vec<Vec<R>> = parts.into_iter().collect::<Result<_>>()?;
        let mut parts: Vec<_> = parts.into_iter().map(Vec::into_iter).collect();
        guarded(place, || {
            let mut found = Vec::new();
            loop {
                let one: Vec<R> = parts.iter_mut().filter_map(Iterator::next).collect();
                if one.is_empty() {
                    return found;
                }
                found.push(join(one));
            }
        })
    }

    /// Which probes go together: as many as a cache holds of the program's values on average, so that the
    /// weights of layers with small ones, dense layers above all, are read for several; no more than leave
    /// each core some. One share where there is nothing to divide. Ends that do not have one k are left to
    /// whoever says what is wrong with them.
    fn cut_for_cores(&self, ends: &Ends<B>) -> Vec<Range<usize>> {
        let count = |x: &FloatTensor<B>| x.shape().first().copied().unwrap_or(0);
        let k = ends.first().map_or(0, |(_, x)| count(x));
        let alike = ends.iter().all(|(_, x)| count(x) == k);
        let in_memory = || ends.iter().all(|(_, x)| host::in_memory::<B>(x).is_some());
        let cores = rayon::current_num_threads();
        if k <= 1 || cores == 1 || !alike || !in_memory() {
            return std::iter::once(0..k).collect();
        }
        let entries: usize = self.nodes.iter().map(|n| n.shape.num_elements()).sum();
        let bytes = entries * self.dtype.size() / self.nodes.len().max(1);
        let together = (CACHED / bytes.max(1)).clamp(1, k.div_ceil(cores));
        let shares = k.div_ceil(together);
        let share = |number: usize| k * number / shares..k * (number + 1) / shares;
        (0..shares).map(share).collect()
    }
}

/// Some of the probes.
fn part<B: Backend>(ends: &Ends<B>, probes: &Range<usize>) -> Vec<(NodeId, FloatTensor<B>)> {
    let of = |(id, x): &(NodeId, FloatTensor<B>)| {
        let all = x.shape();
        let mut ranges: Vec<Slice> = all.iter().map(|&size| Slice::from(0..size)).collect();
        ranges[0] = Slice::from(probes.clone());
        (*id, B::float_slice(x.clone(), &ranges))
    };
    ends.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    use burn_backend::{DType, Shape, TensorData, ops::FloatTensorOps};
    use burn_flex::{Flex, FlexDevice, FlexTensor};

    use super::{super::NodeIndex, *};
    use crate::{
        error::Error,
        host::host,
        linear::Multiple,
        program::{Carry, Node, Operation},
    };

    /// Two inputs of `len` numbers, and twice each.
    fn program(len: usize) -> Program<Flex> {
        let node = |operation, at: usize| Node {
            operation,
            name: format!("node {at}").into(),
            shape: Shape::from(vec![len]),
            layer: 0,
        };
        let twice = |input| Operation::Map {
            map: Arc::new(Multiple(2.0)),
            input: NodeIndex(input),
        };
        let nodes = vec![
            node(Operation::Input(0), 0),
            node(Operation::Input(1), 1),
            node(twice(0), 2),
            node(twice(1), 3),
        ];
        let outputs = vec![NodeIndex(2), NodeIndex(3)];
        Program::new(nodes, outputs, vec![], DType::F64, BTreeMap::new())
    }

    fn probes(k: usize, len: usize) -> FlexTensor {
        let values: Vec<f64> = (0..k * len).map(|i| i as f64).collect();
        Flex::float_from_data(TensorData::new(values, [k, len]), &FlexDevice)
    }

    fn on<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().expect("threads").install(work)
    }

    /// How many probes go together.
    fn sizes(threads: usize, k: usize, len: usize) -> Vec<usize> {
        let program = program(len);
        let sizes = Mutex::new(Vec::new());
        let ends = [(program.inputs()[0], probes(k, len))];
        let made = on(threads, || {
            program.on_all_cores(
                &ends,
                |ends| {
                    let k = ends[0].1.shape()[0];
                    sizes.lock().expect("no panic").push(k);
                    Ok(vec![ends[0].1.clone()])
                },
                |parts| Flex::float_cat(parts, 0),
            )
        });
        let made = host::<Flex>(made.expect("works").remove(0)).expect("reads");
        let whole: Vec<f64> = (0..k * len).map(|i| i as f64).collect();
        assert_eq!(made, whole, "in their order");
        let mut sizes = sizes.into_inner().expect("no panic");
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn each_core_takes_its_share_and_large_values_go_one_by_one() {
        // Small values: no more shares than cores, so that weights are read for several probes.
        assert_eq!(sizes(2, 8, 10), [4, 4]);
        assert_eq!(sizes(3, 8, 10), [2, 3, 3]);
        assert_eq!(sizes(3, 2, 10), [1, 1]);
        assert_eq!(sizes(2, 1, 10), [1]);
        assert_eq!(sizes(1, 8, 10), [8]);
        // A third of the cache, and more than it.
        assert_eq!(sizes(2, 8, CACHED / 8 / 3), [2, 3, 3]);
        assert_eq!(sizes(2, 3, CACHED / 8 + 1), [1, 1, 1]);
    }

    #[test]
    fn every_end_gets_its_own_probes_and_wrong_ends_are_named() {
        let program = program(3);
        let [a, b] = [program.inputs()[0], program.inputs()[1]];
        let outputs = program.outputs();
        let starts = [(a, probes(5, 3)), (b, probes(5, 3))];
        let made = on(2, || program.forward(&starts, outputs, true)).expect("replays");
        for y in made {
            let twice: Vec<f64> = (0..15).map(|i| 2.0 * f64::from(i)).collect();
            assert_eq!(host::<Flex>(y).expect("reads"), twice);
        }
        // Nothing comes from the second output to the first input, in any share.
        let seeds = [(outputs[1], probes(5, 3))];
        let back = on(2, || program.backward(&seeds, &[a, b])).expect("replays");
        assert!(back[0].is_none() && back[1].is_some());
        let carried = on(2, || program.carry(&seeds, Carry::Scored)).expect("carries");
        let [None, Some((q, s))] = &carried[..] else {
            panic!("{carried:?}");
        };
        let twice: Vec<f64> = (0..15).map(|i| 2.0 * f64::from(i)).collect();
        assert_eq!(host::<Flex>(q.clone()).expect("reads"), twice);
        assert_eq!(host::<Flex>(s.clone()).expect("reads"), [0.0; 15]);
        let uneven = [(a, probes(5, 3)), (b, probes(4, 3))];
        let error = on(2, || program.forward(&uneven, outputs, true)).expect_err("uneven");
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }

    #[test]
    fn the_first_share_that_fails_says_why() {
        let program = program(3);
        let ends = [(program.inputs()[0], probes(6, 3))];
        let failing = |ends: &Ends<Flex>| -> Result<Vec<FlexTensor>> {
            let first = host::<Flex>(ends[0].1.clone())?[0];
            Err(Error::Data(format!("from {first}")))
        };
        let found = on(3, || {
            program.on_all_cores(&ends, failing, |parts| Flex::float_cat(parts, 0))
        });
        assert_eq!(found.expect_err("fails"), Error::Data("from 0".into()));
    }
}
