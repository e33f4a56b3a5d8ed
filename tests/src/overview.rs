//! What is said of a network without running it is what running it shows.

use std::sync::Arc;

use burn::tensor::{Device, FloatDType, TensorData};
use linearscope::{Interrupt, Network, RuleSet, linear::Region, survey::Overview};
use linearscope_analysis::{FrozenNetwork, LinearOperator, vectors};

use crate::pseudo;

/// A sketch of a network agrees with a run of it, op for op and number for number, and each field that it states
/// holds what an adjoint from there finds. Gives how many fields there are, and how many the adjoint fills.
pub fn sketch_is_the_run(what: &str, network: Network, x0: TensorData) -> (usize, usize) {
    let network = Arc::new(network);
    let shape = network.inputs()[0].shape.to_vec();
    let (rules, interrupt) = (RuleSet::default(), Interrupt::new());
    let sketched = Overview::sketched(&network, &rules, &interrupt);
    let sketched = sketched.unwrap_or_else(|| panic!("{what} is not sketched"));
    let run = Overview::by_running(&network, &rules, &interrupt).expect("it runs");
    for (sketched, run) in sketched.ops.iter().zip(&run.ops) {
        assert_eq!(sketched, run, "{what}");
    }
    assert_eq!(sketched.ops.len(), run.ops.len(), "{what}");
    let [sketched, run] = [sketched, run].map(|found| found.recording.expect("nothing is refused"));
    assert_eq!(sketched.program, run.program, "{what}");
    let counted =
        |found: &linearscope::program::Account| (found.nodes, found.flops, found.decisions);
    assert_eq!(
        counted(&sketched.homogeneous),
        counted(&run.homogeneous),
        "{what}"
    );
    assert_eq!(sketched.fields, run.fields, "{what}");

    let loaded = FrozenNetwork::load(
        Arc::unwrap_or_clone(network),
        &Device::flex(),
        FloatDType::F64,
    );
    let frozen = FrozenNetwork::new(loaded.expect("loads"), x0, rules).expect("freezes");
    let mut filled = 0;
    for (name, size) in &sketched.fields {
        let part = frozen.between(None, Some(name)).expect("a node");
        let to = part.output_shape().to_vec();
        let middle = Region(
            to.iter()
                .enumerate()
                .map(|(axis, &size)| match axis {
                    0 => 0..1,
                    1 => 0..size,
                    _ => size / 2..size / 2 + 1,
                })
                .collect(),
        );
        let probe: Vec<f64> = (0..part.output_len())
            .map(
                |at| match place(at, &to).zip(&middle.0).all(|(i, r)| r.contains(&i)) {
                    true => pseudo(at) + 1.5,
                    false => 0.0,
                },
            )
            .collect();
        let len = probe.len();
        let row = part.apply_adjoint(part.upload(probe, len)).expect("a row");
        let row = vectors::read(row).expect("reads");
        let mut bounds: Vec<Option<(usize, usize)>> = vec![None; shape.len()];
        for at in (0..row.len()).filter(|&at| row[at] != 0.0) {
            for (i, bound) in place(at, &shape).zip(&mut bounds) {
                let (low, high) = bound.unwrap_or((i, i));
                *bound = Some((low.min(i), high.max(i)));
            }
        }
        let found: Vec<usize> = bounds[2..]
            .iter()
            .map(|bound| bound.map_or(0, |(low, high)| high + 1 - low))
            .collect();
        let within = found
            .iter()
            .zip(&size.cells)
            .all(|(found, said)| found <= said);
        assert!(within, "{what}, {name}: {found:?} is more than {size:?}");
        filled += usize::from(found == size.cells);
    }
    (sketched.fields.len(), filled)
}

/// The indices of a flat position.
fn place(at: usize, shape: &[usize]) -> impl Iterator<Item = usize> {
    let strides = shape
        .iter()
        .scan(shape.iter().product::<usize>(), |stride, &size| {
            *stride /= size;
            Some((*stride, size))
        });
    let indices: Vec<usize> = strides.map(|(stride, size)| at / stride % size).collect();
    indices.into_iter()
}
