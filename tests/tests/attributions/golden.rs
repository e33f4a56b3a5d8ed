//! Maps of Captum and zennit.

use burn::tensor::FloatDType;
use serde_json::Value;

use super::{frozen, one};

fn golden() -> Value {
    let text = include_str!("../../reference/attribution/golden.json");
    serde_json::from_str(text).expect("JSON")
}

fn floats(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list").iter();
    list.map(|v| v.as_f64().expect("a number")).collect()
}

/// The layer of Grad-CAM that `make.py` chose.
fn named(network: &str, method: &str) -> String {
    match (network, method) {
        ("lenet", "grad-cam") => "grad-cam:4".into(),
        ("vgg", "grad-cam") => "grad-cam:12".into(),
        ("resnet", "grad-cam") => "grad-cam:/second/relu_1/Relu".into(),
        ("mobilenet", "grad-cam") => "grad-cam:4.add".into(),
        (_, method) => method.into(),
    }
}

/// How far each map is from its golden one, over the golden norm.
fn distances(dtype: FloatDType) -> Vec<(String, f64)> {
    let golden = golden();
    let mut found = Vec::new();
    for network in ["lenet", "vgg", "resnet", "mobilenet"] {
        let f = frozen(network, dtype);
        let golden = &golden[network];
        let target = golden["target"].as_u64().expect("a class") as usize;
        for (method, golden) in golden["maps"].as_object().expect("maps") {
            let one = one(&f, target, &named(network, method));
            let norm = golden["norm"].as_f64().expect("a norm");
            let at = golden["at"].as_array().expect("places").iter();
            let at = at.map(|at| at.as_u64().expect("a place") as usize);
            let values = floats(&golden["values"]);
            let entries = at.zip(values).map(|(at, v)| (one.map[at] - v).abs());
            let norm_off = (one.map.iter().map(|v| v * v).sum::<f64>().sqrt() - norm).abs();
            let worst = entries.fold(norm_off, f64::max) / norm;
            found.push((format!("{network} {method}"), worst));
        }
    }
    found
}

#[test]
fn maps_are_those_of_captum_and_zennit() {
    let found = distances(FloatDType::F64);
    assert_eq!(found.len(), 4 * 15 - 2);
    // Captum rounds occlusions to f32.
    let limit = |name: &str| {
        if name.contains("occlusion") {
            1e-6
        } else {
            1e-8
        }
    };
    let off: Vec<_> = (found.iter())
        .filter(|(name, off)| off.is_nan() || *off > limit(name))
        .collect();
    assert!(off.is_empty(), "{off:#?}");
}

/// In f32 the same to its rounding; an occlusion is a difference of scores, of which most may cancel.
#[test]
fn maps_in_f32_are_the_same_to_rounding() {
    let limit = |name: &str| {
        if name.contains("occlusion") {
            1e-3
        } else {
            1e-5
        }
    };
    let found = distances(FloatDType::F32);
    let off: Vec<_> = (found.iter())
        .filter(|(name, off)| off.is_nan() || *off > limit(name))
        .collect();
    assert!(off.is_empty(), "{off:#?}");
}

/// FullGrad as its authors' code has it: of places, shared out evenly among the channels.
#[test]
fn full_gradients_are_those_of_the_reference() {
    let golden = golden();
    for network in ["lenet", "vgg", "resnet", "mobilenet"] {
        let f = frozen(network, FloatDType::F64);
        let target = golden[network]["target"].as_u64().expect("a class") as usize;
        let golden = &golden[network]["full-grad"];
        let found = one(&f, target, "full-grad");
        let places = found.map.len() / 3;
        let sum = |at: usize| (0..3).map(|c| found.map[c * places + at]).sum::<f64>();
        let at = golden["at"].as_array().expect("places").iter();
        let at = at.map(|at| at.as_u64().expect("a place") as usize);
        let values = floats(&golden["values"]);
        let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (at, value) in at.zip(values) {
            let found = sum(at);
            assert!(
                (found - value).abs() <= 1e-8 * largest,
                "{network} {at}: {found} {value}"
            );
        }
    }
}
