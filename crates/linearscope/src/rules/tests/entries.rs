//! Ops that move, choose or sum entries, against index arithmetic.

use super::*;

#[test]
fn shapes() {
    let xs = [2, 3, 4];
    let index = |i: usize, j: usize, k: usize| (i * 3 + j) * 4 + k;
    equals_twin(
        "reshape",
        &xs,
        rules(),
        |x| S::float_reshape(x, [6, 4].into()),
        linear(<[f64]>::to_vec),
    );
    equals_twin(
        "permute",
        &xs,
        rules(),
        |x| S::float_permute(x, &[2, 0, 1]),
        linear(|x| (0..24).map(|o| x[index(o / 3 % 2, o % 3, o / 6)]).collect()),
    );
    equals_twin(
        "swap_dims",
        &xs,
        rules(),
        |x| S::float_swap_dims(x, 0, 2),
        linear(|x| (0..24).map(|o| x[index(o % 2, o / 2 % 3, o / 6)]).collect()),
    );
    equals_twin(
        "flip",
        &xs,
        rules(),
        |x| S::float_flip(x, &[0, 2]),
        linear(|x| {
            (0..24)
                .map(|o| x[index(1 - o / 12, o / 4 % 3, 3 - o % 4)])
                .collect()
        }),
    );
    equals_twin(
        "slice with a step",
        &xs,
        rules(),
        |x| {
            S::float_slice(
                x,
                &[
                    Slice::from(0..2),
                    Slice::from(1..3),
                    Slice::new(0, Some(4), 2),
                ],
            )
        },
        linear(|x| {
            (0..8)
                .map(|o| x[index(o / 4, 1 + o / 2 % 2, o % 2 * 2)])
                .collect()
        }),
    );
    equals_twin(
        "expand to a higher rank",
        &[3, 1],
        rules(),
        |x| S::float_expand(x, [2, 3, 4].into()),
        linear(|x| (0..24).map(|o| x[o / 4 % 3]).collect()),
    );
    equals_twin(
        "repeat_dim",
        &[2, 3],
        rules(),
        |x| S::float_repeat_dim(x, 1, 2),
        linear(|x| (0..12).map(|o| x[o / 6 * 3 + o % 3]).collect()),
    );
    equals_twin(
        "cat",
        &[2, 2],
        rules(),
        |x| {
            let c = constant(&[7.0, 8.0], &[2, 1]);
            S::float_cat(vec![c, x.clone(), S::float_neg(x)], 1)
        },
        linear(|x| vec![7.0, x[0], x[1], -x[0], -x[1], 8.0, x[2], x[3], -x[2], -x[3]]),
    );
    equals_twin(
        "slice_assign a constant",
        &[2, 3],
        rules(),
        |x| {
            S::float_slice_assign(
                x,
                &[Slice::from(0..1), Slice::from(1..3)],
                constant(&[7.0, 8.0], &[1, 2]),
            )
        },
        linear(|x| vec![x[0], 7.0, 8.0, x[3], x[4], x[5]]),
    );
    equals_twin(
        "slice_assign into a constant",
        &[1, 2],
        rules(),
        |x| {
            let c = constant(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
            S::float_slice_assign(c, &[Slice::from(1..2), Slice::from(0..2)], x)
        },
        linear(|x| vec![1.0, 2.0, x[0], x[1]]),
    );
    equals_twin(
        "slice_assign both",
        &[2, 2],
        rules(),
        |x| {
            let top = S::float_slice(x.clone(), &[Slice::from(0..1), Slice::from(0..2)]);
            S::float_slice_assign(x, &[Slice::from(1..2), Slice::from(0..2)], top)
        },
        linear(|x| vec![x[0], x[1], x[0], x[1]]),
    );
}

#[test]
fn paddings() {
    let input = [1, 1, 3, 4];
    let amount = [(0, 0), (0, 0), (2, 1), (1, 2)];
    let padded = |fill: Option<f64>, reflect: bool| {
        move |x: &[f64]| -> Vec<f64> {
            let cell = |i: i64, size: i64| match (reflect, i) {
                _ if (0..size).contains(&i) => Some(i),
                _ if fill.is_some() => None,
                (true, i) if i < 0 => Some(-i),
                (true, i) => Some(2 * (size - 1) - i),
                (false, i) => Some(i.clamp(0, size - 1)),
            };
            let mut y = Vec::new();
            for i in -2..4 {
                for j in -1..6 {
                    y.push(match (cell(i, 3), cell(j, 4)) {
                        (Some(i), Some(j)) => x[(i * 4 + j) as usize],
                        _ => fill.unwrap(),
                    });
                }
            }
            y
        }
    };
    let pad = |mode: fn() -> PadMode| move |x| S::float_pad(x, &amount, mode());
    equals_twin(
        "pad 0",
        &input,
        rules(),
        pad(|| PadMode::Constant(0.0)),
        linear(padded(Some(0.0), false)),
    );
    equals_twin(
        "pad 2",
        &input,
        rules(),
        pad(|| PadMode::Constant(2.0)),
        linear(padded(Some(2.0), false)),
    );
    equals_twin(
        "pad reflect",
        &input,
        rules(),
        pad(|| PadMode::Reflect),
        linear(padded(None, true)),
    );
    equals_twin(
        "pad edge",
        &input,
        rules(),
        pad(|| PadMode::Edge),
        linear(padded(None, false)),
    );
}

#[test]
fn selections() {
    let indices = |values: &[i64]| {
        S::int_cast(
            S::int_from_data(
                TensorData::new(values.to_vec(), [values.len()]),
                &FlexDevice,
            ),
            IntDType::I32,
        )
    };
    equals_twin(
        "select with repeats",
        &[2, 3],
        rules(),
        move |x| S::float_select(x, 1, indices(&[2, 0, 2])),
        linear(|x| vec![x[2], x[0], x[2], x[5], x[3], x[5]]),
    );
    let mask = || {
        let data = TensorData::new(vec![true, false, false, true], [4]);
        S::bool_from_data(data, &FlexDevice)
    };
    equals_twin(
        "mask_fill",
        &[4],
        rules(),
        move |x| S::float_mask_fill(x, mask(), scalar(9.0)),
        linear(|x| vec![9.0, x[1], x[2], 9.0]),
    );
    equals_twin(
        "mask_where",
        &[4],
        rules(),
        move |x| S::float_mask_where(S::float_neg(x.clone()), mask(), x),
        linear(|x| vec![x[0], -x[1], -x[2], x[3]]),
    );
    equals_twin(
        "mask_where with a constant",
        &[4],
        rules(),
        move |x| S::float_mask_where(x, mask(), constant(&[1.0, 2.0, 3.0, 4.0], &[4])),
        linear(|x| vec![1.0, x[1], x[2], 4.0]),
    );
    // A mask read from x₀ is a decision: max(x, c) written out.
    equals_twin(
        "a mask from x₀",
        &[4],
        rules(),
        |x| {
            let below = S::float_lower_elem(x.clone(), scalar(0.5), BoolDType::Native);
            S::float_mask_fill(x, below, scalar(0.5))
        },
        each(|x0, x1| if x0 < 0.5 { 0.5 } else { x1 }),
    );
}

#[test]
fn reductions() {
    let xs = [2, 3, 2];
    equals_twin(
        "sum",
        &xs,
        rules(),
        S::float_sum,
        linear(|x| vec![x.iter().sum()]),
    );
    equals_twin(
        "mean",
        &xs,
        rules(),
        S::float_mean,
        linear(|x| vec![x.iter().sum::<f64>() / 12.0]),
    );
    let over_middle = |x: &[f64]| -> Vec<f64> {
        (0..4)
            .map(|o| (0..3).map(|j| x[o / 2 * 6 + j * 2 + o % 2]).sum())
            .collect()
    };
    equals_twin(
        "sum_dim",
        &xs,
        rules(),
        |x| S::float_sum_dim(x, 1),
        linear(over_middle),
    );
    equals_twin(
        "mean_dim",
        &xs,
        rules(),
        |x| S::float_mean_dim(x, 1),
        linear(move |x| over_middle(x).iter().map(|v| v / 3.0).collect()),
    );
    equals_twin(
        "sum_dims",
        &xs,
        rules(),
        |x| S::float_sum_dims(x, &[0, 2]),
        linear(|x| {
            (0..3)
                .map(|j| [0, 1, 6, 7].iter().map(|o| x[o + 2 * j]).sum())
                .collect()
        }),
    );
    equals_twin(
        "cumsum",
        &[2, 3],
        rules(),
        |x| S::float_cumsum(x, 1),
        linear(|x| {
            vec![
                x[0],
                x[0] + x[1],
                x[0] + x[1] + x[2],
                x[3],
                x[3] + x[4],
                x[3] + x[4] + x[5],
            ]
        }),
    );
}

/// What changes where a tensor lies or what is remembered of it, and no entry.
#[test]
fn entries_pass_unchanged() {
    let ops: [(&str, Op); 3] = [
        ("detach", S::float_detach),
        ("to_device", |x| S::float_to_device(x, &FlexDevice)),
        ("set_require_grad", |x| S::float_set_require_grad(x, false)),
    ];
    for (name, op) in ops {
        equals_twin(name, &[2, 3], rules(), op, linear(|x| x.to_vec()));
    }
}
