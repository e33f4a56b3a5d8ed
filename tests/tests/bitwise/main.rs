//! No bit of a result depends on how it was computed: on the CPU, what a probe becomes does not depend on
//! its batch mates, on how many run side by side, on the memory budget, on the number of threads, or on
//! whether it was computed on a window, by a whole replay, or in a probe shared with others.
//!
//! Every comparison here is of bits. What the promise leaves out stands in `ARCHITECTURE.md`.

mod cases;

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
    process::{Command, ExitCode},
};

use burn::tensor::{Tensor, TensorData};
use burn_backend::{DType, Shape, Slice, TensorMetadata, ops::FloatTensorOps};
use burn_flex::{Flex, FlexTensor};
use linearscope::{
    Paired, Recorded, RuleSet, host,
    linear::{Cut, Region},
    program::Operation,
};
use linearscope_analysis::{
    LinearOperator,
    contribution::contributions,
    discussion::{Propagation, discussions},
    matrix::MatrixPlan,
    operator::{ByProducts, Field},
    progress::unobserved,
    svd::{SvdConfig, svd},
    vectors,
    votes::{VoteConfig, votes},
};
use linearscope_test_support::{
    machine::Found,
    needing,
    needs::{self, Trial, trial},
};
use linearscope_tests::*;
use rayon::ThreadPool;

use cases::{Case, DEVICE, bundled, real};

/// Numbers as bits: f64 holds every f32.
fn bits(x: &FlexTensor) -> Vec<u64> {
    let numbers = host::<Flex>(x.clone()).expect("reads");
    numbers.into_iter().map(f64::to_bits).collect()
}

fn bits_of(x: Tensor<2>) -> Vec<u64> {
    let numbers = vectors::read(x).expect("reads");
    numbers.into_iter().map(f64::to_bits).collect()
}

fn data_bits(x: TensorData) -> Vec<u64> {
    let values = vectors::numbers(x).expect("numbers").into_iter();
    values.map(f64::to_bits).collect()
}

/// k rows of a fixed sequence of both signs, `[k, ..shape]`.
fn probes(k: usize, shape: &Shape, dtype: DType, seed: usize) -> FlexTensor {
    let len = shape.num_elements();
    let values: Vec<f32> = (0..k * len)
        .map(|i| (pseudo(i + 7919 * seed) - 0.5) as f32)
        .collect();
    let dims: Vec<usize> = std::iter::once(k).chain(shape.iter().copied()).collect();
    upload::<Flex>(&TensorData::new(values, dims), &DEVICE, dtype)
}

/// Rows of a batch.
fn rows(x: &FlexTensor, range: std::ops::Range<usize>) -> FlexTensor {
    let mut ranges: Vec<Slice> = x.shape().iter().map(|&n| Slice::from(0..n)).collect();
    ranges[0] = Slice::from(range);
    Flex::float_slice(x.clone(), &ranges)
}

/// How two lists of bits differ; `None`: not at all.
fn differ(a: &[u64], b: &[u64]) -> Option<String> {
    assert_eq!(a.len(), b.len(), "lists of different length");
    let other: Vec<usize> = (0..a.len()).filter(|&i| a[i] != b[i]).collect();
    let &first = other.first()?;
    let value = |x: u64| f64::from_bits(x);
    let largest = a.iter().map(|&x| value(x).abs()).fold(0.0, f64::max);
    let most = other
        .iter()
        .map(|&i| (value(a[i]) - value(b[i])).abs())
        .fold(0.0, f64::max);
    Some(format!(
        "{} of {} entries, by up to {:.1e} of the largest, first at {first}: {:e} and {:e}",
        other.len(),
        a.len(),
        most / largest,
        value(a[first]),
        value(b[first]),
    ))
}

fn pool(threads: usize) -> ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().expect("threads start")
}

/// Work on a batch of probes.
type Work<'a> = &'a (dyn Fn(FlexTensor) -> FlexTensor + Sync);

/// A test by its name.
type Test = (&'static str, fn(Vec<Case>));

/// Cuts of 17 probes into batches.
#[allow(clippy::single_range_in_vec_init)]
const CUTS: [&[std::ops::Range<usize>]; 3] = [&[0..1, 8..9, 16..17], &[0..3, 14..17], &[0..8]];

/// `work` on 17 probes against `work` on parts of them, and by one and three threads.
fn independent(x: &FlexTensor, work: Work) -> Result<(), String> {
    let whole = work(x.clone());
    let row = whole.shape().num_elements() / whole.shape()[0];
    let whole = bits(&whole);
    for cut in CUTS {
        for range in cut {
            let part = bits(&work(rows(x, range.clone())));
            if let Some(how) = differ(&whole[range.start * row..range.end * row], &part) {
                return Err(format!("{} probes beside 17: {how}", range.len()));
            }
        }
    }
    for threads in [1, 3] {
        let again = pool(threads).install(|| bits(&work(x.clone())));
        if let Some(how) = differ(&whole, &again) {
            return Err(format!("{threads} threads: {how}"));
        }
    }
    Ok(())
}

fn report(failures: Vec<String>) {
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "{count} differences\n{}",
        failures.join("\n")
    );
}

/// The first thing to look at where another test fails: it names the node and its map.
fn every_map_gives_each_probe_the_same_bits_in_any_batch(cases: Vec<Case>) {
    let mut failures = Vec::new();
    for case in cases {
        let recorded = case.recorded();
        let program = recorded.homogeneous();
        // One of each kind is enough.
        let mut seen = BTreeSet::new();
        for id in program.ids() {
            let node = program.node(id).expect("its own");
            let Operation::Map { map, .. } = &node.operation else {
                continue;
            };
            let from = program.operands(id).expect("its own")[0];
            let from = program.shape(from).expect("its own").clone();
            let to = node.shape.clone();
            let key = (map.name(), from.to_vec(), to.to_vec());
            if !seen.insert(key) || from.num_elements().max(to.num_elements()) > 1 << 19 {
                continue;
            }
            let ways: [(&str, &Shape, Work); 2] = [
                ("apply", &from, &|x| map.apply(x)),
                ("adjoint", &to, &|y| map.adjoint(y)),
            ];
            for (way, shape, work) in ways {
                let x = probes(17, shape, case.dtype, 1);
                if let Err(how) = independent(&x, work) {
                    failures.push(format!(
                        "{}: {way} of {} {:?} to {:?}, node {}: {how}",
                        case.what(),
                        map.name(),
                        from.to_vec(),
                        to.to_vec(),
                        node.name,
                    ));
                }
            }
        }
    }
    report(failures);
}

/// `x` cut to a box, the probe axis kept.
fn cut(x: &FlexTensor, region: &Region) -> FlexTensor {
    let mut ranges = vec![Slice::from(0..x.shape()[0])];
    ranges.extend(region.0.iter().map(|range| Slice::from(range.clone())));
    Flex::float_slice(x.clone(), &ranges)
}

/// `x` with zeros outside a box.
fn only(x: &FlexTensor, region: &Region) -> FlexTensor {
    let mut ranges = vec![Slice::from(0..x.shape()[0])];
    ranges.extend(region.0.iter().map(|range| Slice::from(range.clone())));
    let zeros = Flex::float_zeros(x.shape(), &DEVICE, x.dtype().into());
    Flex::float_slice_assign(zeros, &ranges, cut(x, region))
}

/// Boxes of a tensor: one entry in a corner, one inside, and a few together.
fn boxes(shape: &Shape) -> Vec<Region> {
    let at = |place: &dyn Fn(usize) -> std::ops::Range<usize>| {
        Region(shape.iter().map(|&size| place(size)).collect())
    };
    vec![
        at(&|_| 0..1),
        at(&|size| size / 2..size / 2 + 1),
        at(&|size| size / 3..(size / 3 + 3).min(size)),
    ]
}

/// The same for windows: each map, restricted to the boxes that a field or a reach gives it.
fn every_map_gives_the_same_bits_on_a_window(cases: Vec<Case>) {
    let mut failures = Vec::new();
    for case in cases {
        let recorded = case.recorded();
        let program = recorded.homogeneous();
        let (input, output) = (program.inputs()[0], program.outputs()[0]);
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for region in boxes(program.shape(input).expect("its own")) {
            all.push(program.reaches(&[(input, region)]).expect("its own"));
        }
        for region in boxes(program.shape(output).expect("its own")) {
            all.push(program.fields(&[(output, region)]).expect("its own"));
        }
        for (number, regions) in all.iter().enumerate() {
            for id in program.ids() {
                let node = program.node(id).expect("its own");
                let Operation::Map { map, .. } = &node.operation else {
                    continue;
                };
                let from = program.operands(id).expect("its own")[0];
                let given = regions.of(from).expect("its own");
                let (Some(given), Some(asked)) = (given, regions.of(id).expect("its own")) else {
                    continue;
                };
                let (from, to) = (program.shape(from).expect("its own"), &node.shape);
                let key = (map.name(), from.to_vec(), to.to_vec(), number);
                if !seen.insert(key) || from.num_elements().max(to.num_elements()) > 1 << 18 {
                    continue;
                }
                let place = Cut {
                    input: from,
                    output: to,
                    from: given,
                    to: asked,
                };
                let locality = map.structure().locality();
                let Some(part) = locality.and_then(|map| map.restrict(&place)) else {
                    continue;
                };
                let mut hold = |way: &str, whole: FlexTensor, part: FlexTensor| {
                    if let Some(how) = differ(&bits(&whole), &bits(&part)) {
                        failures.push(format!(
                            "{}: {way} of {} {given:?} of {:?} to {asked:?} of {:?}, node {}: {how}",
                            case.what(),
                            map.name(),
                            from.to_vec(),
                            to.to_vec(),
                            node.name,
                        ));
                    }
                };
                let common = part.to.intersection(asked);
                let within = |region: &Region, of: &Region| {
                    let ranges = region.0.iter().zip(&of.0);
                    Region(
                        ranges
                            .map(|(r, of)| r.start - of.start..r.end - of.start)
                            .collect(),
                    )
                };
                let x = only(&probes(2, from, case.dtype, 5), given);
                let made = part.map.apply(cut(&x, &part.from));
                hold(
                    "apply",
                    cut(&map.apply(x), &common),
                    cut(&made, &within(&common, &part.to)),
                );
                let common = part.from.intersection(given);
                let y = only(&probes(2, to, case.dtype, 6), asked);
                let made = part.map.adjoint(cut(&y, &part.to));
                hold(
                    "adjoint",
                    cut(&map.adjoint(y), &common),
                    cut(&made, &within(&common, &part.from)),
                );
            }
        }
    }
    report(failures);
}

/// What a recorded network is asked with k probes of some shape.
type Question<'a> = (
    &'static str,
    Shape,
    Box<dyn Fn(FlexTensor) -> FlexTensor + Sync + 'a>,
);

fn question<'a>(
    what: &'static str,
    shape: &Shape,
    work: impl Fn(FlexTensor) -> FlexTensor + Sync + 'a,
) -> Question<'a> {
    (what, shape.clone(), Box::new(work))
}

fn questions(recorded: &Recorded<Flex>) -> Vec<Question<'_>> {
    let input = recorded.loaded().network().inputs()[0].shape.clone();
    let output = recorded.reference()[0].shape();
    let mut all = vec![
        question("apply", &input, |x| {
            recorded.apply(&[x]).expect("applies").remove(0)
        }),
        question("affine", &input, |x| {
            recorded.affine(&[x]).expect("applies").remove(0)
        }),
        question("adjoint", &output, |y| {
            recorded.adjoint(&[y]).expect("applies").remove(0)
        }),
    ];
    let mut operations = recorded
        .program()
        .nodes()
        .iter()
        .map(|node| &node.operation);
    if operations.any(|operation| matches!(operation, Operation::Source { .. })) {
        all.push(question("contributions", &output, |y| {
            let (_, shares) = recorded.contributions(&[y]).expect("sums");
            let k = shares[0].values.len();
            let by_probe = (0..k).flat_map(|i| shares.iter().map(move |s| s.values[i]));
            let data = TensorData::new(by_probe.collect::<Vec<f64>>(), [k, shares.len()]);
            Flex::float_from_data(data, &DEVICE)
        }));
    }
    all
}

fn probes_depend_neither_on_batch_mates_nor_on_the_memory_budget_nor_on_threads(cases: Vec<Case>) {
    let mut failures = Vec::new();
    // Whole replays of 17 probes take long: every kind of network once.
    let long = [
        "carn",
        "cunet",
        "srgan",
        "efficientnet",
        "shufflenet",
        "upconv7",
    ];
    let quick = |case: &Case| {
        let real = !case.name.ends_with(".onnx");
        let heavy = long.iter().any(|name| case.name.contains(name));
        !heavy && (case.dtype == DType::F32 || !real)
    };
    for case in cases.into_iter().filter(quick) {
        let recorded = case.recorded();
        let bytes = recorded.program().probe_bytes();
        let account = recorded.program().account();
        // Decisions and one or three probes, with what replays keep.
        let fitting =
            |probes: usize| account.decision_bytes + account.expanded_bytes + probes * bytes;
        let budgets = [fitting(1), fitting(3)];
        let small: Vec<Recorded<Flex>> = budgets
            .into_iter()
            .filter_map(|budget| {
                let x0 = upload::<Flex>(&case.x0(), &DEVICE, case.dtype);
                Recorded::within(case.loaded(), vec![x0], RuleSet::default(), budget).ok()
            })
            .collect();
        assert!(!small.is_empty(), "{}: no budget was small", case.what());
        for (what, shape, work) in questions(&recorded) {
            let x = probes(17, &shape, case.dtype, 2);
            if let Err(how) = independent(&x, &*work) {
                failures.push(format!("{}: {what}: {how}", case.what()));
            }
            let whole = bits(&work(x.clone()));
            for other in &small {
                let at_once = other.probes_at_once();
                assert!(at_once < recorded.probes_at_once(), "{}", case.what());
                let asked = questions(other);
                let (_, _, work) = asked
                    .iter()
                    .find(|(name, ..)| *name == what)
                    .expect("asked");
                if let Some(how) = differ(&whole, &bits(&work(x.clone()))) {
                    failures.push(format!("{}: {what}, {at_once} at once: {how}", case.what()));
                }
            }
        }
    }
    report(failures);
}

/// Some flat positions of a shape, over all of it.
fn positions(count: usize, shape: &[usize]) -> Vec<Vec<usize>> {
    let len: usize = shape.iter().product();
    let count = count.min(len);
    (0..count).map(|i| vec![(i * 7919 + 11) % len]).collect()
}

fn fields_do_not_depend_on_who_is_asked_for_beside_them(cases: Vec<Case>) {
    let mut failures = Vec::new();
    for case in cases {
        let f = case.frozen();
        let large = case.shape[2] > 100;
        for field in [Field::Row, Field::Column] {
            let shape = match field {
                Field::Row => f.output_shape(),
                Field::Column => f.input_shape(),
            };
            let places = positions(if large { 3 } else { 17 }, shape);
            let ask = |places: &[Vec<usize>]| -> Vec<Vec<u64>> {
                let found = f.fields(field, places, &mut unobserved).expect("fields");
                let len = found.dims()[1];
                bits_of(found).chunks(len).map(<[u64]>::to_vec).collect()
            };
            let all = ask(&places);
            let mut hold = |what: &str, number: usize, found: &[u64]| {
                if let Some(how) = differ(&all[number], found) {
                    failures.push(format!("{}: {field:?} {number} {what}: {how}", case.what()));
                }
            };
            for size in [1, 2, 8] {
                for (chunk, some) in places.chunks(size).enumerate() {
                    for (i, found) in ask(some).iter().enumerate() {
                        hold(&format!("of {size}"), chunk * size + i, found);
                    }
                }
            }
            let turned: Vec<Vec<usize>> = places.iter().rev().cloned().collect();
            for (i, found) in ask(&turned).iter().enumerate() {
                hold("in another order", places.len() - 1 - i, found);
            }
            let whole = ByProducts(&f)
                .fields(field, &places, &mut unobserved)
                .expect("fields");
            let len = whole.dims()[1];
            for (i, found) in bits_of(whole).chunks(len).enumerate() {
                hold("by a whole replay", i, found);
            }
            for threads in [1, 3] {
                let again = pool(threads).install(|| ask(&places));
                for (i, found) in again.iter().enumerate() {
                    hold(&format!("by {threads} threads"), i, found);
                }
            }
        }
    }
    report(failures);
}

fn discussions_and_votes_do_not_depend_on_the_chunk(cases: Vec<Case>) {
    let mut failures = Vec::new();
    let classifies = |case: &Case| {
        ["vgg_bn", "tiny_ops", "mnist", "resnet20"]
            .iter()
            .any(|name| case.name.contains(name))
    };
    for case in cases.into_iter().filter(classifies) {
        let f = case.frozen();
        let classes = f.output_len().min(16);
        let all: Vec<usize> = (0..classes).collect();
        for reading in [
            Propagation::Scored,
            Propagation::Conserving,
            Propagation::Paper,
        ] {
            // Where no source reaches the pixels, the paper's reading has no factor.
            let Ok(whole) = discussions(&f, &all, reading) else {
                assert_eq!(reading, Propagation::Paper, "{}", case.what());
                continue;
            };
            let whole = data_bits(whole.pixels);
            for chunk in [1, 5] {
                let parts = all.chunks(chunk).flat_map(|some| {
                    let found = discussions(&f, some, reading).expect("discussions");
                    data_bits(found.pixels)
                });
                if let Some(how) = differ(&whole, &parts.collect::<Vec<_>>()) {
                    failures.push(format!("{}: {reading:?} by {chunk}: {how}", case.what()));
                }
            }
            let vote = |chunk| {
                let config = VoteConfig::default()
                    .with_propagation(reading)
                    .with_chunk(chunk);
                votes(&f, &config, unobserved).expect("votes")
            };
            let [one, more] = [vote(1), vote(16)];
            assert_eq!(one.of, more.of, "{}: {reading:?}", case.what());
            let margin = |votes: &linearscope_analysis::votes::Votes| {
                votes.margin.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            };
            if let Some(how) = differ(&margin(&one), &margin(&more)) {
                failures.push(format!("{}: {reading:?}, margins: {how}", case.what()));
            }
        }
    }
    report(failures);
}

fn a_matrix_does_not_depend_on_its_stripes_or_the_budget(cases: Vec<Case>) {
    let mut failures = Vec::new();
    let small = |case: &Case| {
        ["tiny_ops", "pixelshuffle", "bicubic", "mnist", "facade"]
            .iter()
            .any(|name| case.name.contains(name))
    };
    for case in cases.into_iter().filter(small) {
        let f = case.frozen();
        let plan = MatrixPlan::new(&f).expect("a plan");
        // With a budget of a byte nothing is regrouped.
        if case.name.contains("pixelshuffle") {
            assert_eq!(
                plan.products().expect("known"),
                [49, 121],
                "{}",
                case.what()
            );
        }
        let entries = |rows: usize, budget: usize| {
            let mut all = vec![0u64; plan.entries()];
            for start in (0..plan.stripes()).step_by(rows) {
                let end = plan.stripes().min(start + rows);
                for segment in plan.part(start..end, budget).expect("a part").segments {
                    let values = segment.values.convert_dtype(DType::F64);
                    let values = values.try_into_vec::<f64>().expect("numbers");
                    for (into, value) in all[segment.first..].iter_mut().zip(values) {
                        *into = value.to_bits();
                    }
                }
            }
            all
        };
        let whole = entries(plan.stripes(), usize::MAX);
        let few = plan.stripes().div_ceil(3).min(40);
        for (rows, budget) in [(few, usize::MAX), (plan.stripes(), 1 << 20), (few + 1, 1)] {
            if let Some(how) = differ(&whole, &entries(rows, budget)) {
                failures.push(format!("{}: {rows} rows in {budget}: {how}", case.what()));
            }
        }
    }
    report(failures);
}

/// Bits of everything, freezing included, of networks whose layers are large enough to be shared among
/// threads.
fn digest(case: &Case) -> u64 {
    let mut hash = std::hash::DefaultHasher::new();
    let recorded = case.recorded();
    bits(&recorded.reference()[0]).hash(&mut hash);
    bits(&recorded.residual().expect("replays")[0]).hash(&mut hash);
    for (_, shape, work) in questions(&recorded) {
        bits(&work(probes(2, &shape, case.dtype, 4))).hash(&mut hash);
    }
    let f = case.frozen();
    let found = contributions(&f, 0).expect("contributions");
    for layer in &found.layers {
        layer.value.to_bits().hash(&mut hash);
    }
    if case.shape[2] < 40
        && let Ok(found) = svd(&f, &SvdConfig::new(2), unobserved)
    {
        data_bits(found.u).hash(&mut hash);
        data_bits(found.v).hash(&mut hash);
    }
    hash.finish()
}

/// Which set of cases a process of its own prints the digests of: a process has one pool.
const DIGESTS: &str = "LINEARSCOPE_TEST_DIGESTS";

fn print_digests(set: &str) {
    let cases = match set {
        "bundled" => bundled(),
        _ => real(),
    };
    for case in cases.expect("the asking process has them") {
        println!("DIGEST {}: {:x}", case.what(), digest(&case));
    }
}

fn do_not_depend_on_threads(set: &str, cases: usize) {
    let run = |threads: usize| -> Vec<String> {
        let out = Command::new(std::env::current_exe().expect("this program"))
            .env(DIGESTS, set)
            .env("RAYON_NUM_THREADS", threads.to_string())
            .output()
            .expect("runs");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        text.lines()
            .filter(|line| line.contains("DIGEST"))
            .map(String::from)
            .collect()
    };
    let [one, two, three] = [run(1), run(2), run(3)];
    assert_eq!(one.len(), cases);
    let differing = one.iter().zip(&two).zip(&three);
    report(
        differing
            .filter(|((a, b), c)| a != b || b != c)
            .map(|((a, b), c)| format!("{a}, {b}, {c}"))
            .collect(),
    );
}

/// A named exception: without a program, the backend's own kernels sum, and scales stay apart.
fn paired_answers_are_those_of_a_program_to_rounding_only(cases: Vec<Case>) {
    let mut differing = 0;
    let few = |case: &Case| {
        ["vgg_bn", "facade", "tiny_ops"]
            .iter()
            .any(|n| case.name.contains(n))
    };
    for case in cases.into_iter().filter(few) {
        let recorded = case.recorded();
        let x0 = upload::<Flex>(&case.x0(), &DEVICE, case.dtype);
        let paired = Paired::new(case.loaded(), vec![x0], RuleSet::default()).expect("freezes");
        let input = recorded.loaded().network().inputs()[0].shape.clone();
        let x = probes(3, &input, case.dtype, 8);
        let a = recorded
            .apply(std::slice::from_ref(&x))
            .expect("applies")
            .remove(0);
        let b = paired.apply(&[x]).expect("applies").remove(0);
        differing += usize::from(differ(&bits(&a), &bits(&b)).is_some());
        let read = |x: FlexTensor| host::<Flex>(x).expect("reads");
        let limit = if case.dtype == DType::F64 {
            1e-13
        } else {
            1e-5
        };
        let found = relative(&read(a), &read(b));
        assert!(found < limit, "{}: {found:e}", case.what());
    }
    assert!(
        differing > 0,
        "the exception is none: take it out of ARCHITECTURE.md"
    );
}

/// A named exception: Flex adds up all of an f32 tensor by threads from 4 Mi entries on, and not below.
fn only_full_sums_of_four_mebi_entries_depend_on_threads() {
    let sums = |len: usize| -> BTreeSet<u64> {
        let x = probes(1, &Shape::from(vec![len]), DType::F32, 9);
        let by = |threads| pool(threads).install(|| bits(&Flex::float_sum(x.clone()))[0]);
        (1..=8).map(by).collect()
    };
    assert_eq!(sums((4 << 20) - 1).len(), 1);
    let many = sums(4 << 20).len();
    assert!(
        many > 1,
        "the exception is none: take it out of ARCHITECTURE.md"
    );
}

/// Every test on a set of cases.
fn trials(set: &'static str, find: fn() -> Found<Vec<Case>>) -> Vec<Trial> {
    let tests: [Test; 7] = [
        (
            "every_map_gives_each_probe_the_same_bits_in_any_batch",
            every_map_gives_each_probe_the_same_bits_in_any_batch,
        ),
        (
            "every_map_gives_the_same_bits_on_a_window",
            every_map_gives_the_same_bits_on_a_window,
        ),
        (
            "probes_depend_neither_on_batch_mates_nor_on_the_memory_budget_nor_on_threads",
            probes_depend_neither_on_batch_mates_nor_on_the_memory_budget_nor_on_threads,
        ),
        (
            "fields_do_not_depend_on_who_is_asked_for_beside_them",
            fields_do_not_depend_on_who_is_asked_for_beside_them,
        ),
        (
            "discussions_and_votes_do_not_depend_on_the_chunk",
            discussions_and_votes_do_not_depend_on_the_chunk,
        ),
        (
            "a_matrix_does_not_depend_on_its_stripes_or_the_budget",
            a_matrix_does_not_depend_on_its_stripes_or_the_budget,
        ),
        (
            "freezing_and_singular_vectors_do_not_depend_on_threads",
            match set {
                "bundled" => |cases| do_not_depend_on_threads("bundled", cases.len()),
                _ => |cases| do_not_depend_on_threads("real", cases.len()),
            },
        ),
    ];
    tests
        .into_iter()
        .map(|(name, test)| trial(format!("{set}::{name}"), find, test))
        .collect()
}

fn main() -> ExitCode {
    if let Ok(set) = std::env::var(DIGESTS) {
        print_digests(&set);
        return ExitCode::SUCCESS;
    }
    let mut all = trials("bundled", bundled);
    all.extend(trials("real", real));
    all.extend(needing!(bundled => paired_answers_are_those_of_a_program_to_rounding_only));
    all.extend(needing!(nothing => only_full_sums_of_four_mebi_entries_depend_on_threads));
    needs::run(all)
}
