//! Weights and pictures that any language can make up, and what PyTorch made of them.

use std::{collections::BTreeMap, path::PathBuf, sync::OnceLock};

use burn::tensor::{Device, Tensor, TensorData};
use linearscope_test_support::numbers::{Random, relative};
use linearscope_zoo::{Model, Parameter};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Expected {
    pub networks: BTreeMap<String, Case>,
    pub files: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
pub struct Case {
    pub shape: [usize; 4],
    pub parameters: Option<Names>,
    pub output: Sampled,
}

#[derive(Deserialize)]
pub struct Names {
    pub count: usize,
    pub hash: String,
}

#[derive(Deserialize)]
pub struct Sampled {
    pub size: usize,
    pub norm: f64,
    pub at: Vec<usize>,
    pub values: Vec<f64>,
}

pub fn here(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

pub fn expected() -> &'static Expected {
    static EXPECTED: OnceLock<Expected> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let text = std::fs::read_to_string(here("expected.json")).expect("expected.json");
        serde_json::from_str(&text).expect("expected.json is what make.py writes")
    })
}

/// FNV-1a, 64 bits.
pub fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn data(name: &str, shape: &[usize], value: impl Fn(f64) -> f64) -> TensorData {
    let mut random = Random(fnv(name));
    let values = (0..shape.iter().product()).map(|_| value(random.unit()) as f32);
    TensorData::new(values.collect::<Vec<f32>>(), shape.to_vec())
}

/// A parameter from its name and shape.
pub fn parameter(Parameter { name, shape }: &Parameter) -> TensorData {
    let ends = |end: &str| name.ends_with(end);
    let bound = || (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
    match shape.len() {
        _ if ends("running_var") => data(name, shape, |u| 1.25 + 0.75 * u),
        _ if ends("running_mean") => data(name, shape, |u| 0.2 * u),
        _ if ends("bias") => data(name, shape, |u| 0.1 * u),
        2.. => {
            let bound = bound();
            data(name, shape, |u| u * bound)
        }
        // A slope.
        _ if shape[0] == 1 => data(name, shape, |u| 0.25 + 0.1 * u),
        // A norm.
        _ => data(name, shape, |u| 1.0 + 0.2 * u),
    }
}

/// Load made-up weights.
pub fn fill(model: &mut Model) {
    let made = model.parameters().into_iter();
    let made: Vec<_> = made
        .map(|wanted| (wanted.name.clone(), parameter(&wanted)))
        .collect();
    let unused = model.load_tensors(made).expect("weights by name and shape");
    assert_eq!(unused, Vec::<String>::new());
}

pub fn picture(name: &str, shape: [usize; 4]) -> TensorData {
    data(&format!("picture of {name}"), &shape, |u| u)
}

/// ‖y − PyTorch's y‖ / ‖PyTorch's y‖ on the sampled numbers; the norms of all must agree as well.
pub fn error(model: &Model, name: &str, case: &Case) -> f64 {
    let x = Tensor::<4>::from_data(picture(name, case.shape), &Device::flex());
    let y = model.forward(x).into_data();
    let y: Vec<f64> = y.iter::<f32>().map(f64::from).collect();
    assert_eq!(y.len(), case.output.size, "{name}: size of the output");
    let norm = y.iter().map(|v| v * v).sum::<f64>().sqrt();
    let sampled: Vec<f64> = case.output.at.iter().map(|&at| y[at]).collect();
    relative(&sampled, &case.output.values).max((norm / case.output.norm - 1.0).abs())
}
