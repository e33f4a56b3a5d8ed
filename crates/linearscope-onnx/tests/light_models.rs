//! Networks of the ONNX model zoo with seeded random weights: they agree with onnxruntime, and the
//! interpreter keeps its promises on them. `light_models/make.py` made the numbers.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use burn_backend::{DType, TensorData, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use linearscope::{
    Loaded, Recorded, RuleSet,
    conformance::{Allowed, Floor, OneToOne, all_hold, promises},
    host,
};
use linearscope_onnx::Model;
use linearscope_test_support::{
    machine,
    needs::{self, trial},
    numbers::{Random, norm},
};
use onnx_ir::{GraphProto, Message, ModelProto, TensorProto};

/// Numbers in [-1, 1): splitmix64 from `stream << 32` on.
fn uniform(stream: u64, count: usize) -> impl Iterator<Item = f64> {
    // The generator adds its increment first: number i is that of state (stream << 32) + i, mixed.
    const INCREMENT: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = Random((stream << 32).wrapping_mul(INCREMENT));
    (0..count).map(move |_| random.unit())
}

/// What the first reader takes a weight for.
fn role(graph: &GraphProto, name: &str) -> &'static str {
    for node in &graph.node {
        let Some(index) = node.input.iter().position(|read| read == name) else {
            continue;
        };
        return match (&node.op_type[..], index) {
            ("Unsqueeze", _) => role(graph, &node.output[0]),
            ("BatchNormalization", 1) | ("Mul", _) => "scale",
            ("BatchNormalization", 4) => "variance",
            _ => "bias",
        };
    }
    "bias"
}

/// The file with He-scaled weights in place of constants, and without a softmax at the end.
fn filled(path: &Path) -> Model {
    let bytes = std::fs::read(path).expect("reads");
    let mut model = ModelProto::parse_from_bytes(&bytes).expect("parses");
    let graph = model.graph.mut_or_insert_default();
    let mut weights = Vec::new();
    let filled = graph.node.iter().filter(|n| n.op_type == "ConstantOfShape");
    for (stream, node) in (0..).zip(filled) {
        let shape = graph.initializer.iter().find(|t| t.name == node.input[0]);
        let shape = shape.expect("a constant shape");
        let dims = match shape.int64_data.is_empty() {
            false => shape.int64_data.clone(),
            true => {
                let chunks = shape.raw_data.chunks(8);
                chunks
                    .map(|b| i64::from_le_bytes(b.try_into().expect("eight bytes")))
                    .collect()
            }
        };
        let count: i64 = dims.iter().product();
        let fan: i64 = dims[1..].iter().product();
        let numbers = uniform(stream, count as usize);
        let role = role(graph, &node.output[0]);
        let value = |u: f64| match (dims.len(), role) {
            (2.., _) => u * (6.0 / fan as f64).sqrt(),
            (_, "scale") => 1.0 + 0.2 * u,
            (_, "variance") => 1.0 + 0.25 * u,
            _ => 0.1 * u,
        };
        let mut tensor = TensorProto::new();
        tensor.name = node.output[0].clone();
        tensor.data_type = 1;
        tensor.float_data = numbers.map(|u| value(u) as f32).collect();
        tensor.dims = dims;
        weights.push(tensor);
    }
    graph.initializer.extend(weights);
    graph.node.retain(|node| node.op_type != "ConstantOfShape");
    let last = graph.node.last().expect("nodes");
    if last.op_type == "Softmax" {
        graph.output[0].name = last.input[0].clone();
        graph.node.pop();
    }
    let bytes = model.write_to_bytes().expect("writes");
    Model::from_bytes(&bytes, "light.onnx").expect("a model")
}

const SHAPE: [usize; 4] = [1, 3, 224, 224];

fn tensor(stream: u64, shape: &[usize]) -> FlexTensor {
    let numbers = uniform(stream, shape.iter().product());
    let data = TensorData::new(numbers.map(|v| v as f32).collect(), shape.to_vec());
    Flex::float_from_data(data, &FlexDevice)
}

/// Agreement with onnxruntime, then exact, adjoint and affine, in f32.
fn check(name: &str, file: &Path) {
    let reference: serde_json::Value =
        serde_json::from_str(include_str!("light_models/onnxruntime.json")).expect("numbers");
    let expected = &reference["networks"][name];
    let model = filled(file);
    let network = model.network(&[SHAPE.to_vec()]).expect("captures");
    let loaded = Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F32).expect("loads");
    let x0 = tensor(1 << 20, &SHAPE);
    let frozen =
        Recorded::new(Arc::new(loaded), vec![x0.clone()], RuleSet::default()).expect("freezes");
    let reference = frozen.reference()[0].clone();
    let values = |x: FlexTensor| host::<Flex>(x).expect("reads");
    let y0 = values(reference);

    assert_eq!(y0.len() as u64, expected["size"].as_u64().expect("a size"));
    let wanted = expected["norm"].as_f64().expect("a norm");
    assert!(
        (norm(&y0) - wanted).abs() <= 1e-4 * wanted,
        "{name}: norm {} for {wanted}",
        norm(&y0)
    );
    let pairs = expected["at"].as_array().expect("places").iter();
    let pairs = pairs.zip(expected["values"].as_array().expect("values"));
    let typical = wanted / (y0.len() as f64).sqrt();
    let mut worst = 0.0f64;
    for (at, value) in pairs {
        let gap = y0[at.as_u64().expect("a place") as usize] - value.as_f64().expect("a value");
        worst = worst.max(gap.abs() / typical);
    }
    assert!(worst <= 1e-4, "{name}: {worst:.1e} from onnxruntime");

    // As the certificate measures.
    let allowed = Allowed {
        floor: Floor::Terms,
        ..Allowed::bitwise(1e-4)
    };
    let checks = OneToOne::new(&frozen, x0).and_then(|asked| promises(&asked, &allowed));
    let checks = checks.expect("is asked");
    let errors: Vec<String> = checks
        .iter()
        .map(|check| format!("{:.1e}", check.error))
        .collect();
    println!(
        "{name}: {worst:.1e} from onnxruntime; promises to {}",
        errors.join(", ")
    );
    all_hold(&checks).unwrap_or_else(|broken| panic!("{name}: {broken}"));
}

const NETWORKS: [&str; 9] = [
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
];

fn main() -> std::process::ExitCode {
    let test = |name: &'static str| {
        let find = move || machine::shared(&format!("models/light/light_{name}.onnx"));
        trial(name, find, move |file: PathBuf| check(name, &file))
    };
    needs::run(NETWORKS.map(test).into())
}
