//! Reading and writing by indices against index arithmetic.

use burn_backend::tensor::IndexingUpdateOp::{self, Add, Assign};

use super::*;

type Ints = crate::Tracked<Flex, FlexTensor>;

fn indices(values: &[i64], shape: &[usize]) -> Ints {
    S::int_from_data(
        TensorData::new(values.to_vec(), shape.to_vec()),
        &FlexDevice,
    )
}

#[test]
fn gathers() {
    // Along the middle axis of [2, 3, 2], more entries than there are, with repeats.
    let at = [2, 0, 1, 1, 0, 2, 2, 1, 0, 0, 1, 2, 2, 2, 1, 0];
    equals_twin(
        "gather",
        &[2, 3, 2],
        rules(),
        |x| S::float_gather(1, x, indices(&at, &[2, 4, 2])),
        linear(|x| {
            (0..16)
                .map(|o| x[(o / 8 * 3 + at[o] as usize) * 2 + o % 2])
                .collect()
        }),
    );
    equals_twin(
        "gather along the first axis",
        &[3, 2],
        rules(),
        |x| S::float_gather(0, x, indices(&[2, 2, 0, 1], &[2, 2])),
        linear(|x| vec![x[4], x[5], x[0], x[3]]),
    );
    // Indices read from x₀ are decisions: the largest of each line.
    equals_twin(
        "gather at the arg-max",
        &[2, 3],
        rules(),
        |x| {
            let at = S::float_argmax(x.clone(), 1, IntDType::I32);
            S::float_gather(1, x, at)
        },
        |x0, x1| {
            let winner = |row: usize| {
                let best = (0..3).max_by(|&a, &b| x0[row * 3 + a].total_cmp(&x0[row * 3 + b]));
                x1[row * 3 + best.unwrap()]
            };
            vec![winner(0), winner(1)]
        },
    );
    equals_twin(
        "embedding",
        &[5, 3],
        rules(),
        |x| S::embedding(x, indices(&[4, 0, 0, 2], &[2, 2])),
        linear(|x| {
            [4, 0, 0, 2]
                .iter()
                .flat_map(|&row| x[row * 3..row * 3 + 3].to_vec())
                .collect()
        }),
    );
}

#[test]
fn gathers_by_tuples() {
    let xs = [3, 2, 2];
    equals_twin(
        "gather_nd of slices",
        &xs,
        rules(),
        |x| S::float_gather_nd(x, indices(&[2, 1, 0, 0, 2, 1], &[3, 2])),
        linear(|x| vec![x[10], x[11], x[0], x[1], x[10], x[11]]),
    );
    equals_twin(
        "gather_nd of entries",
        &xs,
        rules(),
        |x| {
            S::float_gather_nd(
                x,
                indices(&[1, 0, 1, 2, 1, 0, 0, 0, 0, 1, 1, 1], &[2, 2, 3]),
            )
        },
        linear(|x| vec![x[5], x[10], x[0], x[7]]),
    );
    equals_twin(
        "gather_nd of rows",
        &xs,
        rules(),
        |x| S::float_gather_nd(x, indices(&[1, 1], &[2, 1])),
        linear(|x| [&x[4..8], &x[4..8]].concat()),
    );
}

/// Write `v[j]` at `to[j]` of x, in order.
fn written(x: &[f64], to: &[usize], v: &[f64], update: IndexingUpdateOp) -> Vec<f64> {
    let mut y = x.to_vec();
    for (&to, v) in to.iter().zip(v) {
        match update {
            Add => y[to] += v,
            _ => y[to] = *v,
        }
    }
    y
}

/// An update op on x and v, both or either probed; `to` are the flat positions it writes to.
fn updates(
    what: &str,
    xs: &[usize],
    vs: &[usize],
    to: &[usize],
    op: impl Fn(ScopeTensor<Flex>, ScopeTensor<Flex>, IndexingUpdateOp) -> ScopeTensor<Flex>,
) {
    let (n, m): (usize, usize) = (xs.iter().product(), vs.iter().product());
    let c = Random(11).vector(n.max(m));
    for update in [Add, Assign] {
        equals_twin(
            &format!("{what}, {update:?}, constants written"),
            xs,
            rules(),
            |x| op(x, constant(&c[..m], vs), update),
            linear(|x| written(x, to, &c[..m], update)),
        );
        equals_twin(
            &format!("{what}, {update:?}, into a constant"),
            vs,
            rules(),
            |v| op(constant(&c[..n], xs), v, update),
            linear(|v| written(&c[..n], to, v, update)),
        );
        equals_twin(
            &format!("{what}, {update:?}, both"),
            &[n + m],
            rules(),
            |z| {
                let x = S::float_slice(z.clone(), &[Slice::from(0..n)]);
                let v = S::float_slice(z, &[Slice::from(n..n + m)]);
                let x = S::float_reshape(x, xs.to_vec().into());
                op(x, S::float_reshape(v, vs.to_vec().into()), update)
            },
            linear(|z| written(&z[..n], to, &z[n..], update)),
        );
    }
}

#[test]
fn scatters() {
    updates(
        "scatter along the last axis, with repeats",
        &[2, 3],
        &[2, 4],
        &[2, 0, 2, 1, 4, 4, 4, 3],
        |x, v, update| {
            let at = indices(&[2, 0, 2, 1, 1, 1, 1, 0], &[2, 4]);
            S::float_scatter(1, x, at, v, update)
        },
    );
    updates(
        "select_assign along the middle axis, with repeats",
        &[2, 3, 2],
        &[2, 2, 2],
        &[4, 5, 4, 5, 10, 11, 10, 11],
        |x, v, update| S::float_select_assign(x, 1, indices(&[2, 2], &[2]), v, update),
    );
    updates(
        "scatter_nd of rows, with repeats",
        &[3, 2],
        &[3, 2],
        &[4, 5, 0, 1, 4, 5],
        |x, v, update| S::float_scatter_nd(x, indices(&[2, 0, 2], &[3, 1]), v, update),
    );
    updates(
        "scatter_nd of entries",
        &[3, 2],
        &[2],
        &[5, 2],
        |x, v, update| S::float_scatter_nd(x, indices(&[2, 1, 1, 0], &[2, 2]), v, update),
    );
}

/// Products and extremes of what is there and what is written are no rule's: refused, with the
/// reason.
#[test]
fn other_updates_are_refused() {
    for update in [IndexingUpdateOp::Mul, IndexingUpdateOp::Max] {
        let frozen = Frozen::new(&[1.0, 2.0], &[2], rules(), |x| {
            let at = indices(&[0], &[1]);
            S::float_select_assign(x, 0, at, constant(&[3.0], &[1]), update)
        });
        let error = frozen.err().expect("refused").to_string();
        assert!(error.contains("float_select_assign"), "{error}");
        assert!(error.contains(&format!("not {update:?}")), "{error}");
    }
}

/// How many entries a mask leaves is itself a decision: refused, with the way round it.
#[test]
fn entries_chosen_by_a_mask_are_refused() {
    let frozen = Frozen::new(&[1.0, 2.0], &[2], rules(), |x| {
        let above = S::float_greater_elem(x.clone(), scalar(1.5), BoolDType::Native);
        burn_backend::read_sync(S::float_mask_select(x, above))
    });
    let error = frozen.err().expect("refused").to_string();
    assert!(error.contains("mask_where"), "{error}");
}
