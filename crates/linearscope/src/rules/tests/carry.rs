//! What a sweep takes along of sources, and contributions in forward passes, against dense sums.

use burn_backend::Shape;

use super::{Frozen, Random, assert_close, identity, numbers, tensor};
use crate::{
    linear::{LinearMap, Structure, batch},
    program::{Carry, Node, NodeId, Operation},
};

/// Σ over sources of F_sᵀ (q_s ⊙ b_s) and of F_sᵀ b_s, with F_s as a dense matrix; and r by layer.
pub(super) fn sources_are_carried(what: &str, frozen: &Frozen, random: &mut Random) {
    let program = &frozen.program;
    let (input, output) = (program.inputs()[0], program.outputs()[0]);
    let shape = |id| program.shape(id).unwrap().clone();
    let (in_shape, out_shape) = (shape(input), shape(output));
    let (n, m) = (in_shape.num_elements(), out_shape.num_elements());
    let seed = random.vector(m);
    let batch_of = |values: &[f64], k: usize, shape: &Shape| {
        tensor(values, &batch::shape_of(k, shape).to_vec())
    };
    let (mut scored, mut plain) = (vec![0.0; n], vec![0.0; n]);
    let mut said = 0.0;
    let mut by_layer = vec![vec![0.0; m]; program.layers().len()];
    for (id, node) in program.ids().zip(program.nodes()) {
        let Operation::Source { value, .. } = &node.operation else {
            continue;
        };
        let at = program.operands(id).unwrap();
        let seeds = [(output, batch_of(&seed, 1, &out_shape))];
        // A node that its output is itself is its own cotangent.
        let q = program.backward(&seeds, &[id]).unwrap().remove(0);
        let len = node.shape.num_elements();
        let q = q.map_or(vec![0.0; len], numbers);
        let b = expanded(value.value(), &node.shape);
        said += q.iter().zip(&b).map(|(q, b)| q * b).sum::<f64>();
        let starts = [(input, batch_of(&identity(n), n, &in_shape))];
        let columns = numbers(program.forward(&starts, &at, false).unwrap().remove(0));
        for (i, column) in columns.chunks(len).enumerate() {
            for j in 0..len {
                scored[i] += column[j] * q[j] * b[j];
                plain[i] += column[j] * b[j];
            }
        }
        if program.depends(output, id).unwrap() {
            let starts = [
                (id, batch_of(&b, 1, &node.shape)),
                (input, batch_of(&vec![0.0; n], 1, &in_shape)),
            ];
            let added = numbers(
                program
                    .forward(&starts, &[output], false)
                    .unwrap()
                    .remove(0),
            );
            for (sum, added) in by_layer[node.layer].iter_mut().zip(added) {
                *sum += added;
            }
        }
    }
    let seeds = [(output, batch_of(&seed, 1, &out_shape))];
    let row = program.backward(&seeds, &[input]).unwrap().remove(0);
    let row = row.map_or(vec![0.0; n], numbers);
    for (carry, expected) in [(Carry::Scored, &scored), (Carry::Plain, &plain)] {
        let found = program.carry(&seeds, carry).expect("known maps").remove(0);
        let Some((q, s)) = found else {
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
    if let Some((q, s)) = program
        .carry(&seeds, Carry::Conserving)
        .expect("known maps")
        .remove(0)
    {
        let what = format!("{what}, conserving");
        assert_close(&format!("{what} q"), &numbers(q), &row, 1e-12);
        assert_close(&what, &numbers(s), &conserved(frozen, &seed), 1e-11);
    }
    // Nothing is lost: what no input can be given is told.
    let found = program.carry_of(&seeds, Carry::Conserving, |_| true);
    let found = found.expect("known maps");
    let heard: f64 = (found.inputs.into_iter().flatten())
        .map(|(_, s)| numbers(s).iter().sum::<f64>())
        .sum();
    let elsewhere: f64 = found
        .elsewhere
        .map_or(0.0, |lost| numbers(lost).iter().sum());
    let (heard, what) = (heard + elsewhere, format!("{what}, all that sources say"));
    assert_close(&what, &[heard], &[said], 1e-10);
    // A layer at a time, they add up.
    let mut parts = vec![0.0; n];
    for layer in 0..program.layers().len() {
        let only = |node: &Node<_>| node.layer == layer;
        let found = program.carry_of(&seeds, Carry::Scored, only);
        if let Some((_, s)) = found.expect("known maps").inputs.remove(0) {
            let heard = numbers(s);
            parts.iter_mut().zip(heard).for_each(|(sum, s)| *sum += s);
        }
    }
    if program.depends(output, input).unwrap() {
        assert_close(&format!("{what}, layers' s"), &parts, &scored, 1e-12);
    }
    let zeros = |k: usize, id: NodeId| {
        let shape = program.shape(id).unwrap();
        batch_of(&vec![0.0; k * shape.num_elements()], k, shape)
    };
    for at_once in [1, 2, 100] {
        let found = numbers(
            program
                .residual_by_layer(&zeros, at_once)
                .unwrap()
                .remove(0),
        );
        let what = format!("{what}, r by layer, {at_once} at once");
        assert_close(&what, &found, &by_layer.concat(), 1e-12);
    }
}

/// What [`Carry::Conserving`] makes of a seed, by a dense matrix for every map: an output's s goes to its
/// inputs in the proportions of the sizes of their weights, as far as they depend on the network's input.
fn conserved(frozen: &Frozen, seed: &[f64]) -> Vec<f64> {
    let program = &frozen.program;
    let nodes = program.nodes();
    let mut pending: Vec<[Vec<f64>; 2]> = nodes
        .iter()
        .map(|node| [(); 2].map(|()| vec![0.0; node.shape.num_elements()]))
        .collect();
    let at = |id| program.ids().position(|own| own == id).expect("its own");
    pending[at(program.outputs()[0])][0] = seed.to_vec();
    let add = |slot: &mut [f64], x: &[f64], c: f64| {
        slot.iter_mut().zip(x).for_each(|(sum, x)| *sum += c * x);
    };
    let lives = lives(program.nodes());
    for (id, node) in nodes.iter().enumerate().rev() {
        let [q, mut s] = pending[id].clone();
        match &node.operation {
            Operation::Input(_) => {}
            Operation::Map { map, input } => {
                let from = &program.nodes()[input.0].shape;
                let [q, s] = back(&**map, from, &lives[input.0], &q, &s);
                add(&mut pending[input.0][0], &q, 1.0);
                add(&mut pending[input.0][1], &s, 1.0);
            }
            Operation::Source { value, input, .. } => {
                let b = expanded(value.value(), &node.shape);
                s.iter_mut()
                    .zip(q.iter().zip(b))
                    .for_each(|(s, (q, b))| *s += q * b);
                add(&mut pending[input.0][0], &q, 1.0);
                add(&mut pending[input.0][1], &s, 1.0);
            }
            Operation::Sum(terms) => {
                for (c, of) in terms {
                    add(&mut pending[of.0][0], &q, *c);
                    for (i, s) in s.iter().enumerate() {
                        let all: f64 = terms.iter().map(|(c, of)| c.abs() * lives[of.0][i]).sum();
                        if all != 0.0 {
                            pending[of.0][1][i] += c.abs() * lives[of.0][i] / all * s;
                        }
                    }
                }
            }
            Operation::Concat {
                parts,
                dim,
                extents,
            } => {
                let inner: usize = node.shape[dim + 1..].iter().product();
                let along = node.shape[*dim];
                let mut start = 0;
                for (of, extent) in parts.iter().zip(extents) {
                    for j in 0..pending[of.0][0].len() {
                        let (outer, rest) = (j / (extent * inner), j % (extent * inner));
                        let from = (outer * along + start) * inner + rest;
                        pending[of.0][0][j] += q[from];
                        pending[of.0][1][j] += s[from];
                    }
                    start += extent;
                }
            }
        }
    }
    pending[at(program.inputs()[0])][1].clone()
}

/// 1 for the entries of each node that depend on the network's input, 0 for padding and the like.
fn lives(nodes: &[Node<burn_flex::Flex>]) -> Vec<Vec<f64>> {
    let mut lives: Vec<Vec<f64>> = Vec::new();
    for node in nodes {
        let live = match &node.operation {
            Operation::Input(_) => vec![1.0; node.shape.num_elements()],
            Operation::Map { map, input } => {
                let matrix = Matrix::new(&**map, &nodes[input.0].shape, node.shape.num_elements());
                matrix.live(&lives[input.0])
            }
            Operation::Source { input, .. } => lives[input.0].clone(),
            Operation::Sum(terms) => (0..node.shape.num_elements())
                .map(|i| f64::from(terms.iter().any(|(_, of)| lives[of.0][i] != 0.0)))
                .collect(),
            Operation::Concat {
                parts,
                dim,
                extents,
            } => {
                let inner: usize = node.shape[dim + 1..].iter().product();
                let outer: usize = node.shape[..*dim].iter().product();
                let mut live = Vec::new();
                for o in 0..outer {
                    for (of, extent) in parts.iter().zip(extents) {
                        let each = extent * inner;
                        live.extend_from_slice(&lives[of.0][o * each..(o + 1) * each]);
                    }
                }
                live
            }
        };
        lives.push(live);
    }
    lives
}

/// A map as a dense matrix, with the sizes of its weights.
struct Matrix {
    columns: Vec<f64>,
    n: usize,
    m: usize,
    stays: bool,
    signed: bool,
}

impl Matrix {
    fn new(map: &dyn LinearMap<burn_flex::Flex>, input: &Shape, m: usize) -> Self {
        let n = input.num_elements();
        let columns = map.apply(tensor(&identity(n), &batch::shape_of(n, input).to_vec()));
        let columns = numbers(columns);
        let off = |o: usize, i: usize| i != o && columns[i * m + o] != 0.0;
        let diagonal = n == m && !(0..m).any(|o| (0..n).any(|i| off(o, i)));
        Self {
            n,
            m,
            // A unit that x₀ shut keeps what is said behind it; nothing is behind a constant.
            stays: diagonal && !matches!(map.structure(), Structure::Zero(_)),
            // The weights of an interpolation sum to 1 with their signs.
            signed: matches!(map.structure(), Structure::Interpolation(_)),
            columns,
        }
    }

    fn w(&self, o: usize, i: usize) -> f64 {
        self.columns[i * self.m + o]
    }

    fn share(&self, o: usize, i: usize) -> f64 {
        match self.signed {
            true => self.w(o, i),
            false => self.w(o, i).abs(),
        }
    }

    /// What its outputs sum of the entries that live.
    fn total(&self, o: usize, live: &[f64]) -> f64 {
        (0..self.n).map(|i| self.share(o, i) * live[i]).sum()
    }

    fn live(&self, live: &[f64]) -> Vec<f64> {
        match self.stays {
            true => live.to_vec(),
            false => (0..self.m)
                .map(|o| f64::from(self.total(o, live) != 0.0))
                .collect(),
        }
    }
}

/// (Wᵀ q, s shared out) through one map.
fn back(
    map: &dyn LinearMap<burn_flex::Flex>,
    input: &Shape,
    live: &[f64],
    q: &[f64],
    s: &[f64],
) -> [Vec<f64>; 2] {
    let matrix = Matrix::new(map, input, q.len());
    let (mut values, mut shares) = (vec![0.0; matrix.n], vec![0.0; matrix.n]);
    for o in 0..matrix.m {
        let total = matrix.total(o, live);
        for i in 0..matrix.n {
            values[i] += matrix.w(o, i) * q[o];
            if !matrix.stays && total != 0.0 {
                shares[i] += matrix.share(o, i) * live[i] / total * s[o];
            }
        }
    }
    if matrix.stays {
        shares = s.to_vec();
    }
    [values, shares]
}

fn expanded(value: &burn_flex::FlexTensor, shape: &Shape) -> Vec<f64> {
    use burn_backend::ops::FloatTensorOps;
    numbers(burn_flex::Flex::float_expand(value.clone(), shape.clone()))
}
