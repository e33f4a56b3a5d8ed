//! Programs of whole networks: memory budgets, windows and colours, the matrix, discussions.

use std::sync::Arc;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use burn_backend::{DType, TensorMetadata};
use burn_flex::{Flex, FlexDevice};
use linearscope::{Error, Interpreter, RuleSet, host, one_hot};
use linearscope_analysis::{
    FrozenNetwork, LinearOperator,
    contribution::contributions,
    discussion::{Reading, contributions_of_all, discussions},
    locality,
    matrix::{MatrixPlan, Way},
    projection::{self, Field},
};
use linearscope_tests::*;

/// Bundled networks, small: name, input shape, scale.
const NETWORKS: &[(&str, [usize; 4], f64)] = &[
    ("tiny_ops/tiny_ops", [1, 3, 11, 13], 1.0),
    ("tiny_sr/tiny_sr", [1, 1, 9, 8], 1.0),
    ("pixelshuffle/pixelshuffle", [1, 1, 12, 14], 1.0),
    ("facade/facade", [1, 3, 16, 16], 1.0),
    ("graphs/cyclegan", [1, 3, 32, 32], 1.0),
    ("graphs/bicubic", [1, 1, 7, 6], 1.0),
];

fn frozen_within(name: &str, shape: &[usize], scale: f64, budget: usize) -> FrozenNetwork {
    let path = assets().join(format!("{name}.onnx"));
    let network = network(&path, shape);
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).expect("loads");
    let x0 = pseudo_input(shape, scale, 5);
    FrozenNetwork::within(loaded, x0, RuleSet::default(), budget).expect("freezes")
}

fn frozen(name: &str, shape: &[usize], scale: f64) -> FrozenNetwork {
    frozen_within(name, shape, scale, 1 << 30)
}

fn numbers(x: Tensor<2>) -> Vec<f64> {
    linearscope_analysis::host(x).expect("reads")
}

fn assert_equal(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    let scale = expected.iter().fold(1e-300f64, |m, v| m.max(v.abs()));
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= 1e-11 * scale,
            "{what}: entry {i} is {a}, expected {b}"
        );
    }
}

/// However probes are cut into batches, the same comes out, to rounding: products of matrices add up
/// in another order for another number of rows.
#[test]
fn a_budget_cuts_batches_and_changes_nothing() {
    for &(name, shape, scale) in NETWORKS {
        let path = assets().join(format!("{name}.onnx"));
        let loaded = load::<Flex>(&path, &shape, &FlexDevice, DType::F64);
        let x0 = upload::<Flex>(&pseudo_input(&shape, scale, 5), &FlexDevice, DType::F64);
        let freeze = |budget| {
            let (loaded, x0) = (Arc::clone(&loaded), vec![x0.clone()]);
            Interpreter::within(loaded, x0, RuleSet::default(), budget).expect("freezes")
        };
        let wide = freeze(1 << 32);
        let narrow = 4 * wide.program().probe_bytes();
        let narrow = freeze(narrow.max(wide.program().account().decision_bytes));
        assert!(narrow.is_recorded());
        assert!((1..7).contains(&narrow.probes_at_once()), "{name}");
        let k = 7;
        let batch: Vec<usize> = [&[k], &shape[..]].concat();
        let x = upload::<Flex>(&pseudo_input(&batch, scale, 9), &FlexDevice, DType::F64);
        let output = wide.reference()[0].shape().to_vec();
        let y = [&[k], &output[..]].concat();
        let y = upload::<Flex>(&pseudo_input(&y, 1.0, 3), &FlexDevice, DType::F64);
        let read = |x| host::<Flex>(x).expect("reads");
        for (what, one, other) in [
            (
                "F x",
                wide.apply(std::slice::from_ref(&x)),
                narrow.apply(std::slice::from_ref(&x)),
            ),
            (
                "F x + r",
                wide.affine(std::slice::from_ref(&x)),
                narrow.affine(std::slice::from_ref(&x)),
            ),
            (
                "Fᵀ y",
                wide.adjoint(std::slice::from_ref(&y)),
                narrow.adjoint(std::slice::from_ref(&y)),
            ),
        ] {
            let (one, other) = (one.unwrap().remove(0), other.unwrap().remove(0));
            assert_equal(&format!("{name}, {what}"), &read(other), &read(one));
        }
    }
}

/// Decisions that do not fit: the same products without a program, and words about the rest.
#[test]
fn without_room_for_decisions_products_are_the_same() {
    for name in ["tiny_ops/tiny_ops", "tiny_sr/tiny_sr"] {
        let (_, shape, scale) = *NETWORKS.iter().find(|n| n.0 == name).expect("listed");
        let (wide, none) = (
            frozen(name, &shape, scale),
            frozen_within(name, &shape, scale, 16),
        );
        assert!(wide.interpreter().is_recorded() && !none.interpreter().is_recorded());
        let k = 3;
        let x = pseudo_input(&[k, wide.input_len()], 1.0, 1);
        let y = pseudo_input(&[k, wide.output_len()], 1.0, 2);
        let up = |data: &TensorData| -> Tensor<2> {
            let data = data.clone().convert_dtype(DType::F64);
            Tensor::from_data(data, (wide.device(), DType::F64))
        };
        let same = |what: &str, a: Tensor<2>, b: Tensor<2>| {
            assert_equal(&format!("{name}, {what}"), &numbers(a), &numbers(b));
        };
        same("y₀", none.reference(), wide.reference());
        same("r", none.residual().unwrap(), wide.residual().unwrap());
        same(
            "F x",
            none.apply(up(&x)).unwrap(),
            wide.apply(up(&x)).unwrap(),
        );
        same(
            "F x + r",
            none.affine(up(&x)).unwrap(),
            wide.affine(up(&x)).unwrap(),
        );
        let (a, b) = (none.apply_adjoint(up(&y)), wide.apply_adjoint(up(&y)));
        same("Fᵀ y", a.unwrap(), b.unwrap());
        let places = [vec![0], vec![7, 8]];
        let at = |f| locality::fields(f, Field::Column, &places, |_| {}).unwrap();
        same("columns", at(&none), at(&wide));
        let refused = contributions(&none, 0).expect_err("contributions need a program");
        assert!(
            matches!(refused, Error::Memory { budget: 16, .. }),
            "{refused}"
        );
        assert!(none.between(None, None).is_ok());
        assert!(matches!(MatrixPlan::new(&none), Err(Error::Memory { .. })));
    }
}

#[test]
fn windows_and_colours_give_the_plain_fields() {
    for &(name, shape, scale) in NETWORKS {
        let f = frozen(name, &shape, scale);
        for (field, len) in [(Field::Column, f.input_len()), (Field::Row, f.output_len())] {
            let some: Vec<Vec<usize>> = [0, 1, len / 2, len / 3, len - 1]
                .map(|p| vec![p])
                .into_iter()
                .chain([vec![0, len / 2], vec![len - 1, len / 3, 1]])
                .collect();
            let many: Vec<Vec<usize>> = (0..len.min(120)).map(|p| vec![p]).collect();
            for places in [&some, &many] {
                let found = locality::fields(&f, field, places, |_| {}).unwrap();
                let plain = projection::fields(&f, field, places, |_| {}).unwrap();
                let what = format!("{name}, {field:?} of {} places", places.len());
                assert_equal(&what, &numbers(found), &numbers(plain));
            }
        }
        assert!(locality::fields(&f, Field::Row, &[vec![f.output_len()]], |_| {}).is_err());
    }
}

#[test]
fn the_matrix_is_f_whatever_the_parts() {
    for &(name, shape, scale) in NETWORKS {
        let f = frozen(name, &shape, scale);
        let (m, n) = (f.output_len(), f.input_len());
        if n > 1000 {
            // Every stripe would compute all of them.
            continue;
        }
        let all: Vec<usize> = (0..n).collect();
        let columns = numbers(projection::columns(&f, &all).unwrap());
        let expected: Vec<f64> = (0..m * n).map(|i| columns[(i % n) * m + i / n]).collect();
        for way in [Way::Columns, Way::Rows] {
            let plan = MatrixPlan::new(&f).unwrap().by(way);
            let lengths: Vec<usize> = plan.row_lengths().collect();
            assert_eq!(lengths.len(), m);
            assert_eq!(lengths.iter().sum::<usize>(), plan.entries());
            let all = plan.stripes();
            let chunks = if n > 500 {
                vec![all.div_ceil(2), all]
            } else {
                vec![1, 3, all]
            };
            for chunk in chunks {
                let (mut values, mut at) = (vec![0.0; plan.entries()], vec![0; plan.entries()]);
                for start in (0..plan.stripes()).step_by(chunk) {
                    let stripe = start..(start + chunk).min(plan.stripes());
                    let part = plan.part(stripe, 1 << 20).unwrap();
                    for segment in part.segments {
                        let found = segment.values.try_to_vec::<f64>().unwrap();
                        assert_eq!(found.len(), part.columns.len());
                        let range = segment.first..segment.first + found.len();
                        values[range.clone()].copy_from_slice(&found);
                        at[range].copy_from_slice(&part.columns);
                    }
                }
                let mut dense = vec![0.0; m * n];
                let mut entry = 0;
                for (row, length) in lengths.iter().enumerate() {
                    let columns = &at[entry..entry + length];
                    assert!(columns.windows(2).all(|pair| pair[0] < pair[1]), "sorted");
                    for (column, value) in columns.iter().zip(&values[entry..entry + length]) {
                        dense[row * n + column] = *value;
                    }
                    entry += length;
                }
                let what = format!("{name}, {way:?}, chunks of {chunk}");
                assert_equal(&what, &dense, &expected);
            }
        }
    }
}

/// Every score's contributions in forward passes, against one adjoint sweep for each score.
#[test]
fn contributions_of_all_scores_equal_those_of_each() {
    for (name, shape, scale) in [NETWORKS[0], NETWORKS[1], NETWORKS[4]] {
        let f = frozen(name, &shape, scale);
        let (all, m) = (numbers(contributions_of_all(&f).unwrap()), f.output_len());
        for target in [0, m / 2, m - 1] {
            let mut seed = vec![0.0; m];
            seed[target] = 1.0;
            let (_, shares) = f.contributions(f.upload(seed, m)).unwrap();
            let mut layers = vec![0.0; f.layers().len()];
            for share in shares {
                layers[share.layer] += share.values[0];
            }
            let column: Vec<f64> = (0..layers.len()).map(|l| all[l * m + target]).collect();
            assert_equal(&format!("{name}, output {target}"), &column, &layers);
        }
    }
}

#[test]
fn discussions_sum_as_they_say() {
    let (name, shape, scale) = NETWORKS[0];
    let f = frozen(name, &shape, scale);
    let targets: Vec<usize> = (0..f.output_len()).collect();
    let n = f.input_len();
    for reading in [Reading::Scored, Reading::Conserving, Reading::Paper] {
        let found = discussions(&f, &targets, reading).unwrap();
        let pixels = numbers(found.pixels);
        for (i, score) in found.scores.iter().enumerate() {
            let sum: f64 = pixels[i * n..][..n].iter().sum();
            assert_equal("gap", &[found.gaps[i]], &[(sum - score) / score.abs()]);
            if reading == Reading::Paper {
                assert!(
                    (sum - score).abs() < 1e-9 * score.abs().max(1.0),
                    "{reading:?}"
                );
                assert!(found.factors[i].is_finite());
            } else {
                assert_eq!(found.factors[i], 1.0);
            }
        }
    }
    assert!(discussions(&f, &[f.output_len()], Reading::Scored).is_err());
    // Without zero padding nothing is lost: an upscaler's conserving discussion is its score.
    let (name, shape, scale) = NETWORKS[4];
    let f = frozen(name, &shape, scale);
    let found = discussions(&f, &[0, 100], Reading::Conserving).unwrap();
    for gap in found.gaps {
        assert!(gap.abs() < 1e-9, "{gap:e}");
    }
}

/// At rest a ReLU unit takes one bit; whether its gain is kept between replays changes nothing.
#[test]
fn a_relu_takes_one_bit() {
    let path = assets().join("pixelshuffle/pixelshuffle.onnx");
    let shape = [1, 1, 40, 40];
    let loaded = load::<Flex>(&path, &shape, &FlexDevice, DType::F32);
    let x0 = upload::<Flex>(&pseudo_input(&shape, 1.0, 5), &FlexDevice, DType::F32);
    let frozen = Interpreter::new(loaded, vec![x0], RuleSet::default()).expect("freezes");
    let account = frozen.program().account();
    assert!(account.decisions > 100_000, "{account:?}");
    // A few numbers a unit besides the bits.
    let bits = account.decisions.div_ceil(8);
    assert!(account.decision_bytes <= bits + 100, "{account:?}");
    assert_eq!(account.decision_floats, 4 * account.decisions);
    let column = one_hot::<Flex>(&[820], &shape.to_vec().into(), &FlexDevice, DType::F32);
    frozen.program().keep_expanded(0);
    let fresh = host::<Flex>(frozen.apply(&[column.clone().unwrap()]).unwrap().remove(0));
    frozen.program().keep_expanded(usize::MAX);
    let kept = host::<Flex>(frozen.apply(&[column.unwrap()]).unwrap().remove(0));
    assert_eq!(fresh.unwrap(), kept.unwrap());
}
