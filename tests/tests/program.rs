//! Programs of whole networks: memory budgets, windows and colours, the matrix, discussions.

use std::sync::Arc;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use burn_backend::{DType, TensorMetadata};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use linearscope::{
    Error, Frozen, Paired, Recorded, RuleSet, host,
    linear::Region,
    one_hot,
    program::Clip,
    program::{Carry, Node, NodeId},
};
use linearscope_analysis::{
    Error as AnalysisError, FrozenNetwork, LinearOperator,
    contribution::{contributions, contributions_of_all},
    discussion::{Propagation, discussions},
    matrix::{Direction, MatrixPlan},
    operator::{ByProducts, Field},
    progress::unobserved,
    projection, vectors,
};
use linearscope_tests::*;

/// Bundled networks, small: name, input shape, scale.
const NETWORKS: &[(&str, [usize; 4], f64)] = &[
    ("tiny_ops/tiny_ops", [1, 3, 11, 13], 1.0),
    ("tiny_sr/tiny_sr", [1, 1, 9, 8], 1.0),
    ("pixelshuffle/pixelshuffle", [1, 1, 12, 14], 1.0),
    ("pixelshuffle/pixelshuffle", [2, 1, 12, 13], 1.0),
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
    linearscope_analysis::vectors::read(x).expect("reads")
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
            Recorded::within(loaded, x0, RuleSet::default(), budget).expect("freezes")
        };
        let wide = freeze(1 << 32);
        let narrow = 4 * wide.program().probe_bytes();
        let narrow = freeze(narrow.max(wide.program().account().decision_bytes));
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
        assert!(wide.recorded().is_some() && none.recorded().is_none());
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
        let at = |f: &FrozenNetwork| f.fields(Field::Column, &places, &mut unobserved).unwrap();
        same("columns", at(&none), at(&wide));
        let refused = contributions(&none, 0).expect_err("contributions need a program");
        assert!(
            matches!(
                refused,
                AnalysisError::Engine(Error::Memory { budget: 16, .. })
            ),
            "{refused}"
        );
        assert!(none.between(None, None).is_ok());
        assert!(matches!(
            MatrixPlan::new(&none),
            Err(AnalysisError::Engine(Error::Memory { .. }))
        ));
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
                let found = f.fields(field, places, &mut unobserved).unwrap();
                let plain = ByProducts(&f)
                    .fields(field, places, &mut unobserved)
                    .unwrap();
                let what = format!("{name}, {field:?} of {} places", places.len());
                assert_equal(&what, &numbers(found), &numbers(plain));
            }
        }
        assert!(
            f.fields(Field::Row, &[vec![f.output_len()]], &mut unobserved)
                .is_err()
        );
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
        for way in [Direction::Forward, Direction::Adjoint] {
            let plan = MatrixPlan::new(&f).unwrap().with_direction(way);
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
    for reading in [
        Propagation::Scored,
        Propagation::Conserving,
        Propagation::Paper,
    ] {
        let found = discussions(&f, &targets, reading).unwrap();
        let pixels = vectors::numbers(found.pixels).unwrap();
        for (i, score) in found.scores.iter().enumerate() {
            let sum: f64 = pixels[i * n..][..n].iter().sum();
            assert_equal("gap", &[found.gaps[i]], &[(sum - score) / score.abs()]);
            if reading == Propagation::Paper {
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
    assert!(discussions(&f, &[f.output_len()], Propagation::Scored).is_err());
    // Without zero padding nothing is lost: an upscaler's conserving discussion is its score.
    let (name, shape, scale) = NETWORKS[4];
    let f = frozen(name, &shape, scale);
    let found = discussions(&f, &[0, 100], Propagation::Conserving).unwrap();
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
    let frozen = Recorded::new(loaded, vec![x0], RuleSet::default()).expect("freezes");
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

/// A network frozen on flex, within a budget.
fn within(
    (name, shape, scale): (&str, [usize; 4], f64),
    dtype: DType,
    budget: usize,
) -> Frozen<Flex> {
    let path = assets().join(format!("{name}.onnx"));
    let loaded = load::<Flex>(&path, &shape, &FlexDevice, dtype);
    let x0 = upload::<Flex>(&pseudo_input(&shape, scale, 5), &FlexDevice, dtype);
    Frozen::within(loaded, vec![x0], RuleSet::default(), budget).expect("freezes")
}

/// The same with its program, which the budget has room for.
fn recorded(network: (&str, [usize; 4], f64), dtype: DType, budget: usize) -> Recorded<Flex> {
    match within(network, dtype, budget) {
        Frozen::Recorded(recorded) => recorded,
        Frozen::Paired(_) => panic!("the decisions of {network:?} do not fit {budget} bytes"),
    }
}

/// The least budget, or nearly, within which it is recorded.
fn narrowest(network: (&str, [usize; 4], f64), dtype: DType) -> Recorded<Flex> {
    let account = recorded(network, dtype, 1 << 32).program().account();
    let mut budget = account.decision_bytes.max(1 << 10);
    loop {
        if let Frozen::Recorded(narrow) = within(network, dtype, budget) {
            return narrow;
        }
        budget += budget / 8;
    }
}

/// Batches of k probes of any shape.
fn probes(k: usize, shape: &[usize], offset: usize, dtype: DType) -> FlexTensor {
    let data = pseudo_input(&[&[k], shape].concat(), 1.0, offset);
    upload::<Flex>(&data, &FlexDevice, dtype)
}

fn bits(x: FlexTensor) -> Vec<u64> {
    let numbers = host::<Flex>(x).expect("reads");
    numbers.into_iter().map(f64::to_bits).collect()
}

/// Some pairs of places, the second after the first.
fn pairs(f: &Recorded<Flex>) -> Vec<[Option<NodeId>; 2]> {
    let program = f.program();
    let mut places: Vec<NodeId> = program
        .place_names()
        .map(|name| f.node(name).expect("a place"))
        .collect();
    places.sort();
    let n = places.len();
    let some = [0, n / 4, n / 2, 3 * n / 4, n - 1].map(|at| places[at]);
    let mut pairs = vec![[None, Some(some[2])], [Some(some[2]), None]];
    for (from, to) in [(0, 2), (1, 3), (2, 4), (1, 4)] {
        let (from, to) = (some[from], some[to]);
        if program.depends(to, from).expect("its own nodes") {
            pairs.push([Some(from), Some(to)]);
        }
    }
    pairs
}

/// Whatever sweeps along sources or between two nodes is cut by the budget too, down to single probes,
/// and gives the same bits. (Forwards through wide dense layers flex's product adds up in another order
/// for another number of rows; none of these networks has one.)
#[test]
fn every_sweep_is_cut_and_gives_the_same_bits() {
    let k = 3;
    for &network in NETWORKS {
        for dtype in [DType::F32, DType::F64] {
            let (name, shape, scale) = network;
            let (wide, narrow) = (recorded(network, dtype, 1 << 32), narrowest(network, dtype));
            assert_eq!(narrow.probes_at_once(), 1, "{name}");
            assert!(wide.probes_at_once() > k, "{name}");
            let output = wide.reference()[0].shape().to_vec();
            let y = probes(k, &output, 3, dtype);
            let both = |what: &str, ask: &dyn Fn(&Recorded<Flex>) -> Vec<FlexTensor>| {
                for (one, other) in ask(&wide).into_iter().zip(ask(&narrow)) {
                    assert_eq!(bits(one), bits(other), "{name} {dtype:?}, {what}");
                }
            };
            let shares = |f: &Recorded<Flex>| f.contributions(std::slice::from_ref(&y)).unwrap().1;
            both("contributions", &|f| {
                f.contributions(std::slice::from_ref(&y)).unwrap().0
            });
            assert_eq!(shares(&wide), shares(&narrow), "{name}");
            assert!(shares(&narrow).iter().all(|share| share.values.len() == k));
            both("contributions of all", &|f| {
                f.contributions_of_all().unwrap()
            });
            for carry in [Carry::Scored, Carry::Conserving, Carry::Plain] {
                both(&format!("{carry:?}"), &|f| {
                    let (q, s, elsewhere) = f.carried(&y, carry, None).unwrap();
                    vec![q, s, elsewhere]
                });
            }
            let x0 = upload::<Flex>(&pseudo_input(&shape, scale, 5), &FlexDevice, dtype);
            let mut singly = 0;
            for (at, [from, to]) in pairs(&wide).into_iter().enumerate() {
                // The same places of either.
                let ends = |f: &Recorded<Flex>| pairs(f)[at];
                let most = narrow.probes_at_once_between(ends(&narrow)[0], ends(&narrow)[1]);
                singly += usize::from(most.unwrap() == 1);
                let shape_of = |id: Option<NodeId>, else_: &[usize]| match id {
                    Some(id) => wide.program().shape(id).unwrap().to_vec(),
                    None => else_.to_vec(),
                };
                let x = probes(k, &shape_of(from, &shape), 2, dtype);
                let y = probes(k, &shape_of(to, &output), 4, dtype);
                both(&format!("apply between {from:?} and {to:?}"), &|f| {
                    let [from, to] = ends(f);
                    vec![f.apply_between(x.clone(), from, to).unwrap()]
                });
                both("affine between", &|f| {
                    let [from, to] = ends(f);
                    let x0 = std::slice::from_ref(&x0);
                    vec![f.affine_between(x.clone(), from, to, x0).unwrap()]
                });
                both("adjoint between", &|f| {
                    let [from, to] = ends(f);
                    vec![f.adjoint_between(y.clone(), from, to).unwrap()]
                });
                both("deconvolution between", &|f| {
                    let [from, to] = ends(f);
                    vec![
                        f.clipped_between(y.clone(), from, to, Clip::Deconvolution)
                            .unwrap(),
                    ]
                });
            }
            assert!(
                singly > 0,
                "{name}: no sub-network was cut into single probes"
            );
        }
    }
}

/// Parts of a network need less than all of it.
#[test]
fn sub_networks_count_with_their_own_bytes() {
    let f = recorded(NETWORKS[3], DType::F32, 1 << 32);
    let program = f.program();
    let whole = program.probe_bytes();
    let all = program.probe_bytes_between(program.inputs(), program.outputs());
    assert_eq!(all.unwrap(), whole);
    for [from, to] in pairs(&f) {
        let part = f.probes_at_once_between(from, to).unwrap();
        assert!(part >= f.probes_at_once());
    }
    let last = f.node(program.place_names().last().unwrap()).unwrap();
    let alone = program.probe_bytes_between(&[last], &[last]).unwrap();
    assert_eq!(alone, 2 * 4 * program.shape(last).unwrap().num_elements());
}

fn is_foreign<T: std::fmt::Debug>(what: &str, found: Result<T, Error>) {
    let error = found.map(|_| ()).expect_err(what);
    assert!(
        matches!(error, Error::ForeignNode { .. }),
        "{what}: {error}"
    );
    let says = "get them from its `inputs`";
    assert!(error.to_string().contains(says), "{error}");
}

/// Node ids of another program of the same network, of the homogeneous form or of a window: an error
/// wherever an id is taken.
#[test]
fn an_id_of_another_program_is_refused() {
    let (f, other) = (
        recorded(NETWORKS[0], DType::F64, 1 << 30),
        recorded(NETWORKS[0], DType::F64, 1 << 30),
    );
    let program = f.program();
    let (input, output) = (program.inputs()[0], program.outputs()[0]);
    let (shape, out) = (
        program.shape(input).unwrap().to_vec(),
        program.shape(output).unwrap().to_vec(),
    );
    let (x, y) = (
        || probes(2, &shape, 1, DType::F64),
        || probes(2, &out, 1, DType::F64),
    );
    let region = || Region::full(&shape.clone().into());
    let regions = program.fields(&[(output, Region::full(&out.clone().into()))]);
    let regions = regions.unwrap();
    let window = program.window(&regions, &[output]).unwrap();
    for (whose, foreign) in [
        ("another interpreter's", other.program()),
        ("the homogeneous form's", f.homogeneous()),
        ("a window's", &window.program),
    ] {
        let (from, to) = (foreign.inputs()[0], foreign.outputs()[0]);
        let check = |what: &str| format!("{what} with {whose} id");
        let hear = |_: &Node<Flex>, _: &FlexTensor, _: &FlexTensor| Ok(());
        is_foreign(&check("node"), program.node(to).map(|_| ()));
        is_foreign(&check("shape"), program.shape(to));
        is_foreign(&check("operands"), program.operands(to));
        is_foreign(&check("depends"), program.depends(to, input));
        is_foreign(&check("depends"), program.depends(output, from));
        is_foreign(
            &check("forward"),
            program.forward(&[(from, x())], &[output], true),
        );
        is_foreign(
            &check("forward"),
            program.forward(&[(input, x())], &[to], true),
        );
        is_foreign(&check("backward"), program.backward(&[(to, y())], &[input]));
        is_foreign(
            &check("backward"),
            program.backward(&[(output, y())], &[from]),
        );
        is_foreign(
            &check("contributions"),
            program.contributions(&[(to, y())], &[input], hear),
        );
        is_foreign(
            &check("contributions"),
            program.contributions(&[(output, y())], &[from], hear),
        );
        is_foreign(
            &check("deconvolution"),
            program.clipped(&[(to, y())], &[input], Clip::Deconvolution),
        );
        is_foreign(
            &check("deconvolution"),
            program.clipped(&[(output, y())], &[from], Clip::Deconvolution),
        );
        is_foreign(&check("carry"), program.carry(&[(to, y())], Carry::Plain));
        is_foreign(
            &check("carry_of"),
            program.carry_of(&[(to, y())], Carry::Plain, |_| true),
        );
        is_foreign(
            &check("fields"),
            program.fields(&[(to, Region::full(&out.clone().into()))]),
        );
        is_foreign(&check("reaches"), program.reaches(&[(from, region())]));
        is_foreign(&check("window"), program.window(&regions, &[to]));
        let all = Region::full(foreign.shape(from).unwrap());
        let own = foreign.reaches(&[(from, all)]).unwrap();
        is_foreign(&check("window of boxes"), program.window(&own, &[output]));
        is_foreign(&check("a box"), own.of(output));
        is_foreign(
            &check("bytes"),
            program.probe_bytes_between(&[from], &[output]),
        );
        is_foreign(
            &check("bytes"),
            program.probe_bytes_between(&[input], &[to]),
        );
        let x0 = upload::<Flex>(&pseudo_input(&shape, 1.0, 5), &FlexDevice, DType::F64);
        for (from, to) in [(Some(from), None), (None, Some(to))] {
            is_foreign(&check("probes at once"), f.probes_at_once_between(from, to));
            is_foreign(&check("apply_between"), f.apply_between(x(), from, to));
            is_foreign(
                &check("affine_between"),
                f.affine_between(x(), from, to, std::slice::from_ref(&x0)),
            );
            is_foreign(&check("adjoint_between"), f.adjoint_between(y(), from, to));
            is_foreign(
                &check("deconvolution_between"),
                f.clipped_between(y(), from, to, Clip::Deconvolution),
            );
        }
    }
    // A stop that depends on an input which is no start is an error too, and so are starts of other
    // shapes than their nodes', or of another k than the others.
    let found = program.forward(&[], &[output], true);
    assert!(
        matches!(found, Err(Error::NoStart { input: 0 })),
        "{found:?}"
    );
    let found = program.forward(&[(output, x())], &[output], true);
    assert!(matches!(found, Err(Error::Shape { .. })), "{found:?}");
    let starts = [(input, x()), (output, probes(3, &out, 1, DType::F64))];
    let found = program.forward(&starts, &[output], true);
    assert!(matches!(found, Err(Error::Shape { .. })), "{found:?}");
    let found = f.affine_between(x(), None, None, &[]);
    assert!(matches!(found, Err(Error::Shape { .. })), "{found:?}");
    let found = f.affine_between(x(), None, None, &[x()]);
    assert!(matches!(found, Err(Error::Shape { .. })), "{found:?}");
    let found = f.carried(&y(), Carry::Plain, Some(program.layers().len()));
    assert!(matches!(found, Err(Error::OutOfRange { .. })), "{found:?}");
}

fn is_empty<T: std::fmt::Debug>(what: &str, found: Result<T, Error>) {
    let error = found.map(|_| ()).expect_err(what);
    assert!(matches!(error, Error::NoProbes { .. }), "{what}: {error}");
    let says = "has no probes: the first axis, which counts them, is 0";
    assert!(error.to_string().contains(says), "{error}");
}

/// The same of an analysis.
fn none_asked<T: std::fmt::Debug>(what: &str, found: linearscope_analysis::Result<T>) {
    let error = found.map(|_| ()).expect_err(what);
    assert!(
        matches!(error, AnalysisError::Empty { .. }),
        "{what}: {error}"
    );
}

/// No vectors of a length.
fn nothing(f: &FrozenNetwork, len: usize) -> Tensor<2> {
    let data = TensorData::new(Vec::<f64>::new(), [0, len]);
    Tensor::from_data(data, (f.device(), DType::F64))
}

/// k = 0, recorded or not: an error in every method that takes a batch, never a division or a panic.
#[test]
fn a_batch_without_probes_is_refused() {
    let (name, shape, scale) = NETWORKS[0];
    let recorded = recorded(NETWORKS[0], DType::F64, 1 << 30);
    let (roomy, tight) = (
        within(NETWORKS[0], DType::F64, 1 << 30),
        within(NETWORKS[0], DType::F64, 16),
    );
    assert!(roomy.recorded().is_some() && tight.recorded().is_none());
    let out = recorded.reference()[0].shape().to_vec();
    let (x, y) = (
        || probes(0, &shape, 1, DType::F64),
        || probes(0, &out, 1, DType::F64),
    );
    let x0 = || upload::<Flex>(&pseudo_input(&shape, scale, 5), &FlexDevice, DType::F64);
    for f in [&roomy, &tight] {
        is_empty("apply", f.apply(&[x()]));
        is_empty("affine", f.affine(&[x()]));
        let (loaded, rules) = (f.loaded(), RuleSet::default);
        for sources in [true, false] {
            let found = Paired::beside(loaded, vec![x0()], vec![x()], rules(), sources);
            is_empty("paired", found);
        }
        let found = Paired::first_flips(loaded, vec![x0()], vec![x()], rules());
        is_empty("first_flips", found);
    }
    let f = &recorded;
    is_empty("adjoint", f.adjoint(&[y()]));
    is_empty("contributions", f.contributions(&[y()]));
    is_empty("apply_between", f.apply_between(x(), None, None));
    is_empty("affine_between", f.affine_between(x(), None, None, &[x0()]));
    is_empty("adjoint_between", f.adjoint_between(y(), None, None));
    is_empty(
        "deconvolution_between",
        f.clipped_between(y(), None, None, Clip::Deconvolution),
    );
    let program = f.program();
    let (inputs, outputs) = (program.inputs(), program.outputs());
    let (start, seed) = (|| [(inputs[0], x())], || [(outputs[0], y())]);
    for carry in [Carry::Scored, Carry::Conserving, Carry::Plain] {
        is_empty("carried", f.carried(&y(), carry, None));
        is_empty("carry", program.carry(&seed(), carry));
        is_empty("carry_of", program.carry_of(&seed(), carry, |_| true));
    }
    is_empty("forward", program.forward(&start(), outputs, true));
    is_empty("backward", program.backward(&seed(), inputs));
    is_empty(
        "deconvolution",
        program.clipped(&seed(), inputs, Clip::Deconvolution),
    );
    let hear = |_: &Node<Flex>, _: &FlexTensor, _: &FlexTensor| Ok(());
    is_empty(
        "contributions",
        program.contributions(&seed(), inputs, hear),
    );
    is_empty("times", program.times(0, 1, &FlexDevice));

    // The analyses, recorded or not.
    for f in [
        frozen(name, &shape, scale),
        frozen_within(name, &shape, scale, 16),
    ] {
        let empty = |len| nothing(&f, len);
        let (x, y) = (|| empty(f.input_len()), || empty(f.output_len()));
        none_asked("apply", f.apply(x()));
        none_asked("affine", f.affine(x()));
        none_asked("apply_adjoint", f.apply_adjoint(y()));
        none_asked("contributions", f.contributions(y()));
        for field in [Field::Column, Field::Row] {
            none_asked("fields", ByProducts(&f).fields(field, &[], &mut unobserved));
            none_asked("fields by locality", f.fields(field, &[], &mut unobserved));
        }
        none_asked("columns", projection::columns(&f, &[]));
        none_asked("rows", projection::rows(&f, &[]));
    }
    let f = frozen(name, &shape, scale);
    let (x, y) = (
        || nothing(&f, f.input_len()),
        || nothing(&f, f.output_len()),
    );
    let part = f.between(None, None).unwrap();
    none_asked("a part's apply", part.apply(x()));
    none_asked("a part's affine", part.affine(x()));
    none_asked("a part's adjoint", part.apply_adjoint(y()));
    none_asked(
        "a part's deconvolution",
        part.clipped(y(), Clip::Deconvolution),
    );
    for reading in [
        Propagation::Scored,
        Propagation::Conserving,
        Propagation::Paper,
    ] {
        none_asked("discussions", discussions(&f, &[], reading));
    }
}
