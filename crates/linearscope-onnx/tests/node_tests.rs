//! The ONNX backend node tests: models of one op, with inputs and the outputs the standard's own
//! reference gives. They come in the Python package `onnx`; `cargo xtask node-tests` fetches them.
//!
//! `node_tests/passing.txt` lists the cases that pass, and may only grow; `node_tests/not_passing.txt`
//! gives a reason for each of the others. `LINEARSCOPE_ONNX_NODE_TESTS_WRITE=1` adds what passes to
//! the list.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use burn_backend::TensorData;
use burn_flex::{Flex, FlexDevice};
use linearscope_onnx::{Model, SUPPORTED_OPS, Value, tensor_from_bytes};
use onnx_ir::{GraphProto, Message, ModelProto};

fn lists() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node_tests")
}

fn folder() -> Option<PathBuf> {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/onnx-node-tests");
    let path = std::env::var_os("LINEARSCOPE_ONNX_NODE_TESTS").map_or_else(built, PathBuf::from);
    path.is_dir().then_some(path)
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
    for set in sets.take_while(|set| set.is_dir()) {
        let inputs = (0..model.inputs().len())
            .map(|i| read(&set.join(format!("input_{i}.pb"))).map(Value::<Flex>::Known))
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
    let Value::Known(data) = value else {
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

#[test]
fn node_tests() {
    let Some(folder) = folder() else {
        eprintln!(
            "SKIPPED the ONNX node tests: no folder of them (cargo xtask node-tests fetches it)"
        );
        return;
    };
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

#[test]
fn patterns() {
    assert!(matches("test_gru_*", "test_gru_defaults"));
    assert!(matches("*_int4*", "test_cast_int4_to_float"));
    assert!(matches("test_a", "test_a"));
    assert!(!matches("test_a", "test_ab"));
    assert!(!matches("test_*_b", "test_a_c"));
}
