//! Single nodes whose results hang on how sizes are rounded, held against onnxruntime: `Resize` at
//! scales that do not divide, pools with ceil_mode. `onnxruntime/make.py` made `cases.json`;
//! `LINEARSCOPE_ONNXRUNTIME_CASES` names another file of its form, many random cases of it for one.

mod made;

use linearscope_test_support::numbers::pseudo;
use made::*;
use onnx_ir::{AttributeProto, NodeProto, TensorProto};
use serde_json::Value;

fn attribute(name: &str, value: &Value) -> AttributeProto {
    match value {
        Value::String(value) => text(name, value),
        Value::Array(values) => ints(name, &integers(values)),
        Value::Number(value) => match value.as_i64() {
            Some(value) => int(name, value),
            None => float(name, value.as_f64().expect("a number") as f32),
        },
        other => panic!("{name}: {other}"),
    }
}

fn integers(values: &[Value]) -> Vec<i64> {
    let integer = |value: &Value| value.as_i64().expect("an integer");
    values.iter().map(integer).collect()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no {key}"))
}

/// The node, its constants, and the model's opset.
fn read(case: &Value) -> (NodeProto, Vec<TensorProto>, i64) {
    let mut names = vec!["x"];
    let mut weights = Vec::new();
    for constant in list(case, "constants") {
        let (name, kind) = (constant[0].as_str().expect("a name"), &constant[1][0]);
        names.push(name);
        let values = constant[1][1].as_array().expect("numbers");
        if !name.is_empty() && kind == "i" {
            weights.push(longs(name, &integers(values)));
        } else if !name.is_empty() {
            let numbers = values.iter().map(|v| v.as_f64().expect("a number") as f32);
            weights.push(floats(name, &[values.len() as i64], numbers.collect()));
        }
    }
    let attributes = case["attributes"].as_object().expect("attributes").iter();
    let attributes = attributes.map(|(name, value)| attribute(name, value));
    let op = case["op"].as_str().expect("an op");
    let node = node(op, &names, "y", attributes.collect());
    (node, weights, case["opset"].as_i64().expect("a number"))
}

/// What differs from onnxruntime: shape or the worst entry, relative to the largest.
fn outcome(case: &Value) -> Result<(), String> {
    let (node, weights, opset) = read(case);
    let shape = integers(list(case, "shape"));
    let mut proto = proto(&shape, vec![node], weights);
    proto.opset_import[0].version = opset;
    let model = opened(&proto).map_err(|error| error.to_string())?;
    let count = shape.iter().product::<i64>() as usize;
    let x = (0..count).map(|i| pseudo(i) as f32).collect();
    let (got, y_shape) = output(&model, &shape, x).map_err(|error| error.to_string())?;
    let expected = integers(list(case, "y_shape"));
    let expected: Vec<usize> = expected.iter().map(|&size| size as usize).collect();
    if y_shape != expected {
        return Err(format!("shape {y_shape:?} for {expected:?}"));
    }
    let numbers = list(case, "y").iter();
    let numbers: Vec<f64> = numbers.map(|v| v.as_f64().expect("a number")).collect();
    let largest = numbers.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    let gap = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() / largest;
    let worst = got.iter().zip(&numbers).map(gap).fold(0.0, f64::max);
    // These hold it, and so do 431 random cases: f32 on both sides.
    match worst <= 1e-5 {
        true => Ok(()),
        false => Err(format!("{worst:.1e} of the largest entry")),
    }
}

#[test]
fn sizes_are_rounded_as_by_onnxruntime() {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/onnxruntime/cases.json");
    let path = std::env::var("LINEARSCOPE_ONNXRUNTIME_CASES").unwrap_or_else(|_| own.into());
    let text = std::fs::read_to_string(path).expect("reads");
    let found: Value = serde_json::from_str(&text).expect("is JSON");
    let cases = list(&found, "cases");
    assert!(cases.len() > 150, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        if let Err(because) = outcome(case) {
            let shown = [&case["op"], &case["attributes"], &case["shape"]];
            wrong.push(format!("{shown:?} {}: {because}", case["constants"]));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
