//! The ONNX backend node tests: models of one op, with inputs and the outputs the standard's own
//! reference gives. They come in the Python package `onnx`; `cargo xtask node-tests` fetches them.
//!
//! `node_tests/passing.txt` lists the cases that pass, and may only grow; `node_tests/not_passing.txt`
//! gives a reason for each of the others. `LINEARSCOPE_ONNX_NODE_TESTS_WRITE=1` adds what passes to
//! the list.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use burn_backend::{DType, TensorData, TensorMetadata, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use linearscope::{Loaded, Recorded, RuleSet, host};
use linearscope_onnx::{Model, SUPPORTED_OPS, Value, tensor_from_bytes};
use linearscope_test_support::{
    machine, needing, needs,
    numbers::{gap, norm},
};
use onnx_ir::{GraphProto, Message, ModelProto};

fn lists() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node_tests")
}

/// Lines without comments.
fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(String::from)
        .collect()
}

/// A pattern of names, `*` for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(tail, &rest[at..]))
        }),
    }
}

/// Ops of a graph and of the bodies in it that have no row in the table.
fn unclaimed(graph: &GraphProto, found: &mut BTreeSet<String>) {
    for node in &graph.node {
        if !node.domain.is_empty() || !SUPPORTED_OPS.contains(&&node.op_type[..]) {
            found.insert(node.op_type.clone());
        }
        for attribute in &node.attribute {
            if let Some(body) = attribute.g.as_ref() {
                unclaimed(body, found);
            }
        }
    }
}

fn read(path: &Path) -> Result<TensorData, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    tensor_from_bytes(&bytes).map_err(|error| error.to_string())
}

/// As ONNX's own runner compares: same dtype and shape, |a − b| ≤ 1e-7 + 1e-3 |b|.
fn compare(got: &TensorData, expected: &TensorData) -> Result<(), String> {
    let kind = |data: &TensorData| match data.dtype().is_bool() {
        true => "bool",
        false => data.dtype().name(),
    };
    if kind(got) != kind(expected) {
        return Err(format!("{} for {}", kind(got), kind(expected)));
    }
    if got.shape() != expected.shape() {
        return Err(format!(
            "shape {:?} for {:?}",
            got.shape(),
            expected.shape()
        ));
    }
    let near = |(a, b): (f64, f64)| {
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-7 + 1e-3 * b.abs()
    };
    let pairs = || got.iter::<f64>().zip(expected.iter::<f64>());
    match pairs().enumerate().find(|(_, pair)| !near(*pair)) {
        None => Ok(()),
        Some((at, (a, b))) => Err(format!("entry {at} is {a}, not {b}")),
    }
}

fn run(case: &Path) -> Result<(), String> {
    let model = Model::load(case.join("model.onnx")).map_err(|error| error.to_string())?;
    let sets = (0..).map(|set| case.join(format!("test_data_set_{set}")));
    if !case.join("test_data_set_0").is_dir() {
        return Err("it has no data to be tried with".into());
    }
    for set in sets.take_while(|set| set.is_dir()) {
        let inputs = (0..model.inputs().len())
            .map(|i| read(&set.join(format!("input_{i}.pb"))).map(Value::<Flex>::Constant))
            // As from outside: on the device, so that nothing is folded.
            .collect::<Result<Vec<_>, _>>()?;
        let outputs = model
            .run_values(inputs.clone(), &FlexDevice)
            .map_err(|error| error.to_string())?;
        let uploaded = inputs.into_iter().map(on_device).collect();
        let again = model
            .run_values(uploaded, &FlexDevice)
            .map_err(|error| format!("on the device: {error}"))?;
        for (i, (output, again)) in outputs.into_iter().zip(again).enumerate() {
            let expected = read(&set.join(format!("output_{i}.pb")))?;
            for output in [output, again] {
                let got = output.into_data().map_err(|error| error.to_string())?;
                compare(&got, &expected).map_err(|because| format!("output {i}: {because}"))?;
            }
        }
    }
    Ok(())
}

fn on_device(value: Value<Flex>) -> Value<Flex> {
    use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
    let Value::Constant(data) = value else {
        return value;
    };
    if data.dtype().is_float() {
        Value::Float(Flex::float_from_data(data, &FlexDevice))
    } else if data.dtype().is_bool() {
        Value::Bool(Flex::bool_from_data(data, &FlexDevice))
    } else {
        Value::Int(Flex::int_from_data(data, &FlexDevice))
    }
}

fn node_tests(folder: PathBuf) {
    let listed = lists().join("passing.txt");
    let passing: BTreeSet<String> = lines(&listed).into_iter().collect();
    let reasons: Vec<(String, String)> = lines(&lists().join("not_passing.txt"))
        .into_iter()
        .map(|line| {
            let (pattern, reason) = line.split_once(' ').expect("a pattern and a reason");
            (pattern.to_string(), reason.trim().to_string())
        })
        .collect();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder opens")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("test_"))
        .collect();
    names.sort();
    assert!(names.len() > 1000, "only {} cases", names.len());
    // Panics are caught and reported by name.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut found = BTreeSet::new();
    let (mut applicable, mut wrong, mut used) = (0, Vec::new(), BTreeSet::new());
    for name in &names {
        let case = folder.join(name);
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&case)))
            .unwrap_or_else(|_| Err("panicked".into()));
        let bytes = std::fs::read(case.join("model.onnx")).unwrap_or_default();
        let mut without = BTreeSet::new();
        if let Ok(model) = ModelProto::parse_from_bytes(&bytes) {
            unclaimed(&model.graph, &mut without);
        }
        applicable += usize::from(without.is_empty());
        let reason = reasons.iter().find(|(pattern, _)| matches(pattern, name));
        match outcome {
            Ok(()) => {
                found.insert(name.clone());
                if !passing.contains(name) {
                    wrong.push(format!("{name} passes: add it to passing.txt"));
                }
            }
            Err(because) if passing.contains(name) => wrong.push(format!("{name}: {because}")),
            Err(because) => match reason {
                Some((pattern, _)) => {
                    used.insert(pattern.clone());
                }
                None => wrong.push(format!("{name} needs a reason: {because}")),
            },
        }
    }
    std::panic::set_hook(hook);
    for (pattern, _) in &reasons {
        if !used.contains(pattern) {
            wrong.push(format!("the reason for {pattern} is for no case"));
        }
    }
    for name in passing.iter().filter(|name| !names.contains(name)) {
        wrong.push(format!("{name} is listed but not there"));
    }
    println!(
        "ONNX node tests: {} passed of {applicable} applicable, {} cases in all",
        found.len(),
        names.len()
    );
    if std::env::var_os("LINEARSCOPE_ONNX_NODE_TESTS_WRITE").is_some() {
        let all: Vec<String> = passing.union(&found).cloned().collect();
        std::fs::write(&listed, all.join("\n") + "\n").expect("the list is written");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Least number of cases that freeze.
const FROZEN: usize = 882;

/// What came of freezing a case.
enum Frozen {
    /// Nothing in it depends on floats.
    NoFloats,
    /// Refused by name: the op, and why.
    Refused(String, String),
    /// How far F x₀ + r is from y₀, and y₀ from the case's output, both relative.
    At(f64, f64),
}

/// Freeze a case at its inputs: floats vary, other inputs are constants; where that is refused the
/// first float varies alone, a picture among weights.
fn freeze(case: &Path) -> Result<Frozen, String> {
    match freeze_at(case, usize::MAX)? {
        Frozen::Refused(..) => freeze_at(case, 1),
        frozen => Ok(frozen),
    }
}

/// The first `most` floats vary.
fn freeze_at(case: &Path, most: usize) -> Result<Frozen, String> {
    let set = case.join("test_data_set_0");
    let mut model = Model::load(case.join("model.onnx")).map_err(|error| error.to_string())?;
    let op = model.nodes().map(|node| node.op).collect::<BTreeSet<_>>();
    let op = op.into_iter().collect::<Vec<_>>().join(" ");
    let names: Vec<String> = model.inputs().iter().map(|i| i.name.clone()).collect();
    let mut x0 = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let data = read(&set.join(format!("input_{i}.pb")))?;
        if !data.dtype().is_float() || data.num_elements() == 0 || x0.len() == most {
            model = match model.with_constant(name, data) {
                Ok(model) => model,
                Err(error) => return Ok(Frozen::Refused(op, error.to_string())),
            };
            continue;
        }
        x0.push(Flex::float_from_data(
            data.convert_dtype(DType::F32),
            &FlexDevice,
        ));
    }
    if x0.is_empty() {
        return Ok(Frozen::NoFloats);
    }
    let shapes: Vec<Vec<usize>> = x0.iter().map(|x| x.shape().to_vec()).collect();
    let network = match model.network(&shapes) {
        Ok(network) => network,
        Err(error) => return Ok(Frozen::Refused(op, error.to_string())),
    };
    let loaded = Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F32);
    let frozen =
        loaded.and_then(|loaded| Recorded::new(Arc::new(loaded), x0.clone(), RuleSet::default()));
    let frozen = match frozen {
        Ok(frozen) => frozen,
        Err(error) => return Ok(Frozen::Refused(op, error.to_string())),
    };
    let batches: Vec<FlexTensor> = x0
        .into_iter()
        .map(|x| {
            let dims = [&[1], &x.shape().to_vec()[..]].concat();
            Flex::float_reshape(x, dims.into())
        })
        .collect();
    let numbers = |x: FlexTensor| host::<Flex>(x).map_err(|error| error.to_string());
    let text = |error: linearscope::Error| error.to_string();
    let all = frozen.affine(&batches).map_err(text)?;
    let linear = frozen.apply(&batches).map_err(text)?;
    let (mut inexact, mut wrong) = (0.0f64, 0.0f64);
    for (i, (y1, fx0)) in all.into_iter().zip(linear).enumerate() {
        let (y0, y1, fx0) = (
            numbers(frozen.reference()[i].clone())?,
            numbers(y1)?,
            numbers(fx0)?,
        );
        let size = norm(&y0).max(norm(&fx0)).max(f64::MIN_POSITIVE);
        inexact = inexact.max(gap(&y1, &y0) / size);
        let expected = read(&set.join(format!("output_{i}.pb")))?;
        let expected: Vec<f64> = expected.iter::<f64>().collect();
        let size = norm(&expected).max(f64::MIN_POSITIVE);
        wrong = wrong.max(gap(&y0, &expected) / size);
    }
    Ok(Frozen::At(inexact, wrong))
}

/// Every case that passes, frozen at its own inputs: exact there, or refused by name.
fn frozen_cases_are_exact(folder: PathBuf) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut count, mut without, mut wrong) = (0, 0, Vec::new());
    let mut refused: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in lines(&lists().join("passing.txt")) {
        let outcome = catch_unwind(AssertUnwindSafe(|| freeze(&folder.join(&name))));
        match outcome.unwrap_or_else(|_| Err("panicked".into())) {
            Ok(Frozen::NoFloats) => without += 1,
            Ok(Frozen::Refused(op, because)) => {
                refused
                    .entry(op)
                    .or_default()
                    .insert(format!("{because} ({name})"));
            }
            Ok(Frozen::At(inexact, off)) => {
                count += 1;
                if !(inexact <= 1e-5 && off <= 1e-3) {
                    wrong.push(format!(
                        "{name}: exact to {inexact:.1e}, {off:.1e} from the output"
                    ));
                }
            }
            Err(because) => wrong.push(format!("{name}: {because}")),
        }
    }
    std::panic::set_hook(hook);
    println!("{count} cases freeze, {without} take no floats; refused:");
    for (op, because) in &refused {
        println!("  {op}: {}", because.iter().next().expect("a reason"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= FROZEN, "{count} cases freeze, {FROZEN} did");
}

fn patterns() {
    assert!(matches("test_gru_*", "test_gru_defaults"));
    assert!(matches("*_int4*", "test_cast_int4_to_float"));
    assert!(matches("test_a", "test_a"));
    assert!(!matches("test_a", "test_ab"));
    assert!(!matches("test_*_b", "test_a_c"));
}

fn main() -> std::process::ExitCode {
    let mut trials = needing!(machine::node_tests => node_tests, frozen_cases_are_exact);
    trials.extend(needing!(nothing => patterns));
    needs::run(trials)
}
