//! What a sweep takes along of sources, and contributions in forward passes, against dense sums.

use burn_backend::Shape;

use super::{Frozen, Random, assert_close, identity, numbers, tensor};
use crate::{
    linear::batch,
    program::{Carry, Node, NodeId, Operation},
};

/// Σ over sources of F_sᵀ (q_s ⊙ b_s) and of F_sᵀ b_s, with F_s as a dense matrix; and r by layer.
pub(super) fn sources_are_carried(what: &str, frozen: &Frozen, random: &mut Random) {
    let program = &frozen.program;
    let (input, output) = (program.inputs()[0], program.outputs()[0]);
    let (in_shape, out_shape) = (program.shape(input).clone(), program.shape(output).clone());
    let (n, m) = (in_shape.num_elements(), out_shape.num_elements());
    let seed = random.vector(m);
    let batch_of = |values: &[f64], k: usize, shape: &Shape| {
        tensor(values, &batch::shape_of(k, shape).to_vec())
    };
    let (mut scored, mut plain) = (vec![0.0; n], vec![0.0; n]);
    let mut by_layer = vec![vec![0.0; m]; program.layers().len()];
    for (id, node) in program.nodes().iter().enumerate() {
        let Operation::Source { value, input: at } = &node.operation else {
            continue;
        };
        let id = NodeId(id);
        let seeds = [(output, batch_of(&seed, 1, &out_shape))];
        // A node that its output is itself is its own cotangent.
        let q = program.backward(&seeds, &[id], |_, _, _| {}).remove(0);
        let len = node.shape.num_elements();
        let q = q.map_or(vec![0.0; len], numbers);
        let b = expanded(value, &node.shape);
        let starts = [(input, batch_of(&identity(n), n, &in_shape))];
        let columns = numbers(program.forward(&starts, &[*at], false).remove(0));
        for (i, column) in columns.chunks(len).enumerate() {
            for j in 0..len {
                scored[i] += column[j] * q[j] * b[j];
                plain[i] += column[j] * b[j];
            }
        }
        if program.depends(output, id) {
            let starts = [
                (id, batch_of(&b, 1, &node.shape)),
                (input, batch_of(&vec![0.0; n], 1, &in_shape)),
            ];
            let added = numbers(program.forward(&starts, &[output], false).remove(0));
            for (sum, added) in by_layer[node.layer].iter_mut().zip(added) {
                *sum += added;
            }
        }
    }
    let seeds = [(output, batch_of(&seed, 1, &out_shape))];
    let row = program.backward(&seeds, &[input], |_, _, _| {}).remove(0);
    let row = row.map_or(vec![0.0; n], numbers);
    for (carry, expected) in [(Carry::Scored, &scored), (Carry::Plain, &plain)] {
        let Some((q, s)) = program.carry(&seeds, carry).remove(0) else {
            continue;
        };
        assert_close(&format!("{what}, {carry:?} q"), &numbers(q), &row, 1e-12);
        assert_close(
            &format!("{what}, {carry:?} s"),
            &numbers(s),
            expected,
            1e-12,
        );
    }
    // A layer at a time, they add up.
    let mut parts = vec![0.0; n];
    for layer in 0..program.layers().len() {
        let only = |node: &Node<_>| node.layer == layer;
        if let Some((_, s)) = program.carry_of(&seeds, Carry::Scored, only).remove(0) {
            let heard = numbers(s);
            parts.iter_mut().zip(heard).for_each(|(sum, s)| *sum += s);
        }
    }
    if program.depends(output, input) {
        assert_close(&format!("{what}, layers' s"), &parts, &scored, 1e-12);
    }
    let zeros = |k: usize, id: NodeId| {
        let shape = program.shape(id);
        batch_of(&vec![0.0; k * shape.num_elements()], k, shape)
    };
    for at_once in [1, 2, 100] {
        let found = numbers(program.residual_by_layer(&zeros, at_once).remove(0));
        let what = format!("{what}, r by layer, {at_once} at once");
        assert_close(&what, &found, &by_layer.concat(), 1e-12);
    }
}

fn expanded(value: &burn_flex::FlexTensor, shape: &Shape) -> Vec<f64> {
    use burn_backend::ops::FloatTensorOps;
    numbers(burn_flex::Flex::float_expand(value.clone(), shape.clone()))
}
