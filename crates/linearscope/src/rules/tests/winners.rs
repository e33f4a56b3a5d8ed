//! Maxima, minima, sorting and top-k against naive search.

use super::*;

const SHAPE: [usize; 3] = [2, 4, 3];

/// Positions of the lines of [`SHAPE`] along its middle axis.
fn lines() -> Vec<Vec<usize>> {
    let line = |l: usize| (0..4).map(move |j| (l / 3 * 4 + j) * 3 + l % 3).collect();
    (0..6).map(line).collect()
}

/// The first of the positions whose value no other beats.
fn best(x: &[f64], among: &[usize], beats: fn(f64, f64) -> bool) -> usize {
    *among
        .iter()
        .find(|&&i| among.iter().all(|&j| !beats(x[j], x[i])))
        .expect("a line has a winner")
}

fn above(a: f64, b: f64) -> bool {
    a > b
}

fn below(a: f64, b: f64) -> bool {
    a < b
}

/// Positions in order, by taking the best again and again.
fn in_order(x: &[f64], line: &[usize], beats: fn(f64, f64) -> bool) -> Vec<usize> {
    let mut left = line.to_vec();
    let mut order = Vec::new();
    while !left.is_empty() {
        let next = best(x, &left, beats);
        left.retain(|&i| i != next);
        order.push(next);
    }
    order
}

#[test]
fn extremes() {
    type Case = (&'static str, Op, fn(f64, f64) -> bool);
    let whole: [Case; 2] = [("max", S::float_max, above), ("min", S::float_min, below)];
    for (name, op, beats) in whole {
        let all: Vec<usize> = (0..24).collect();
        equals_twin(name, &SHAPE, rules(), op, |x0, x1| {
            vec![x1[best(x0, &all, beats)]]
        });
    }
    let along: [Case; 4] = [
        ("max_dim", |x| S::float_max_dim(x, 1), above),
        ("min_dim", |x| S::float_min_dim(x, 1), below),
        (
            "max_dim_with_indices",
            |x| S::float_max_dim_with_indices(x, 1, IntDType::I32).0,
            above,
        ),
        (
            "min_dim_with_indices",
            |x| S::float_min_dim_with_indices(x, 1, IntDType::I64).0,
            below,
        ),
    ];
    for (name, op, beats) in along {
        equals_twin(name, &SHAPE, rules(), op, |x0, x1| {
            lines()
                .iter()
                .map(|line| x1[best(x0, line, beats)])
                .collect()
        });
    }
    equals_twin("max_abs", &SHAPE, rules(), S::float_max_abs, |x0, x1| {
        let size: Vec<f64> = x0.iter().map(|v| v.abs()).collect();
        let winner = best(&size, &(0..24).collect::<Vec<_>>(), above);
        vec![x0[winner].signum() * x1[winner]]
    });
    equals_twin(
        "max_abs_dim",
        &SHAPE,
        rules(),
        |x| S::float_max_abs_dim(x, 1),
        |x0, x1| {
            let size: Vec<f64> = x0.iter().map(|v| v.abs()).collect();
            let signed = |i: usize| x0[i].signum() * x1[i];
            let winners = lines().into_iter().map(|line| best(&size, &line, above));
            winners.map(signed).collect()
        },
    );
    // Burn's maximum of two tensors is a comparison and a choice: ties keep the first.
    equals_twin(
        "max_pair",
        &SHAPE,
        rules(),
        |x| {
            let y = S::float_mul_scalar(x.clone(), scalar(-0.5));
            let lower = S::float_lower(x.clone(), y.clone(), BoolDType::Native);
            S::float_mask_where(x, lower, y)
        },
        each(|x0, x1| if x0 < -0.5 * x0 { -0.5 * x1 } else { x1 }),
    );
}

#[test]
fn running_extremes() {
    type Case = (&'static str, Op, fn(f64, f64) -> bool);
    let cases: [Case; 2] = [
        ("cummax", |x| S::float_cummax(x, 1), above),
        ("cummin", |x| S::float_cummin(x, 1), below),
    ];
    for (name, op, beats) in cases {
        equals_twin(name, &SHAPE, rules(), op, |x0, x1| {
            let mut y = vec![0.0; 24];
            for line in lines() {
                for j in 0..4 {
                    y[line[j]] = x1[best(x0, &line[..=j], beats)];
                }
            }
            y
        });
    }
    equals_twin(
        "cummax of one",
        &[3, 1],
        rules(),
        |x| S::float_cummax(x, 1),
        linear(<[f64]>::to_vec),
    );
}

#[test]
fn orders() {
    type Case = (&'static str, Op, fn(f64, f64) -> bool, usize);
    let cases: [Case; 6] = [
        ("sort", |x| S::float_sort(x, 1, false), below, 4),
        ("sort, descending", |x| S::float_sort(x, 1, true), above, 4),
        (
            "sort_with_indices",
            |x| S::float_sort_with_indices(x, 1, false, IntDType::I32).0,
            below,
            4,
        ),
        ("topk", |x| S::float_topk(x, 1, 2), above, 2),
        ("topk of all", |x| S::float_topk(x, 1, 4), above, 4),
        (
            "topk_with_indices",
            |x| S::float_topk_with_indices(x, 1, 3, IntDType::I32).0,
            above,
            3,
        ),
    ];
    for (name, op, beats, keep) in cases {
        equals_twin(name, &SHAPE, rules(), op, |x0, x1| {
            let mut y = vec![0.0; 6 * keep];
            for (l, line) in lines().iter().enumerate() {
                for (rank, from) in in_order(x0, line, beats).into_iter().take(keep).enumerate() {
                    y[(l / 3 * keep + rank) * 3 + l % 3] = x1[from];
                }
            }
            y
        });
    }
}

/// Which inputs the outputs pick, when frozen at x₀.
fn picked(x0: &[f64], op: Op) -> Vec<usize> {
    let frozen = Frozen::new(x0, &[x0.len()], rules(), op).expect("freezes");
    let positions: Vec<f64> = (0..x0.len()).map(|i| i as f64).collect();
    let picked = frozen.apply(&positions, false);
    picked.into_iter().map(|i| i as usize).collect()
}

/// Ties go to the lower index, also where Burn's unstable sorts would shuffle.
#[test]
fn ties_go_to_the_first_index() {
    assert_eq!(picked(&[2.0, 5.0, 5.0, 1.0], S::float_max), [1]);
    assert_eq!(picked(&[2.0, 1.0, 5.0, 1.0], S::float_min), [1]);
    assert_eq!(picked(&[0.0; 7], |x| S::float_max_dim(x, 0)), [0]);
    let record: Op = |x| S::float_cummax(x, 0);
    assert_eq!(picked(&[1.0, 1.0, 0.0, 2.0, 2.0], record), [0, 0, 0, 3, 3]);
    let alternate: Vec<f64> = (0..60).map(|i| (i % 2) as f64).collect();
    let (even, odd): (Vec<usize>, Vec<usize>) = (0..60).partition(|i| i % 2 == 0);
    let up: Op = |x| S::float_sort(x, 0, false);
    let down: Op = |x| S::float_sort(x, 0, true);
    assert_eq!(picked(&alternate, up), [&even[..], &odd[..]].concat());
    assert_eq!(picked(&alternate, down), [&odd[..], &even[..]].concat());
    assert_eq!(picked(&alternate, |x| S::float_topk(x, 0, 3)), [1, 3, 5]);
}

/// The sign at 0 is the left one, as for abs.
#[test]
fn the_largest_magnitude_of_zeros_is_the_first_negated() {
    let frozen = Frozen::new(&[0.0; 3], &[3], rules(), S::float_max_abs).expect("freezes");
    assert_eq!(frozen.adjoint(&[1.0]), [-1.0, 0.0, 0.0]);
}

/// With a NaN there is no meaning, but no panic either, and finite lines are what they were.
#[test]
fn a_nan_breaks_nothing_else() {
    let x0 = [f64::NAN, 1.0, 3.0, 2.0, 5.0, 4.0];
    let ops: [Op; 4] = [
        |x| S::float_max_dim(x, 1),
        |x| S::float_sort(x, 1, false),
        |x| S::float_topk(x, 1, 1),
        |x| S::float_cummax(x, 1),
    ];
    let clean = [4.0, 5.0, 4.0, 4.0];
    for (op, expected) in ops.into_iter().zip(clean) {
        let frozen = Frozen::new(&x0, &[2, 3], rules(), op).expect("freezes");
        let y = frozen.apply(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], true);
        assert_eq!(
            *y.last().unwrap(),
            if expected == 5.0 { 4.0 } else { expected }
        );
    }
}

/// The indices a user gets are the backend's own, and remember that they came from x₀.
#[test]
fn indices_are_decisions() {
    let run = Run::recording(rules());
    let x0 = tensor(&[1.0, 3.0, 2.0], &[3]);
    let tracer = run.input(0, &x0);
    let x = ScopeTensor::traced(x0, tracer);
    let (_, a) = S::float_max_dim_with_indices(x.clone(), 0, IntDType::I64);
    let (_, b) = S::float_sort_with_indices(x.clone(), 0, true, IntDType::I64);
    let (_, c) = S::float_topk_with_indices(x, 0, 2, IntDType::I64);
    for (indices, expected) in [(a, vec![1]), (b, vec![1, 2, 0]), (c, vec![1, 2])] {
        assert!(indices.origin.is_some());
        let data = burn_backend::read_sync(Flex::int_into_data(indices.into_value()));
        let data = data.expect("reads").convert_dtype(DType::I64);
        assert_eq!(data.try_to_vec::<i64>().expect("ints"), expected);
    }
}
