//! Networks of the ONNX model zoo with seeded random weights: they agree with onnxruntime, and the
//! interpreter keeps its promises on them. `light_models/make.py` made the numbers.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use burn_backend::{DType, TensorData, TensorMetadata, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use linearscope::{Loaded, Recorded, RuleSet, host};
use linearscope_onnx::Model;
use onnx_ir::{GraphProto, Message, ModelProto, TensorProto};

/// The folder of real networks: `LINEARSCOPE_DATA`, else `../shared/data` beside the checkout.
fn light() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("LINEARSCOPE_DATA").map_or_else(beside, PathBuf::from);
    let path = path.join("models/light");
    path.is_dir().then_some(path)
}

/// Numbers in [-1, 1): splitmix64 from `stream << 32` on.
fn uniform(stream: u64, count: usize) -> impl Iterator<Item = f64> {
    (0..count as u64).map(move |i| {
        let mut z = ((stream << 32) + i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
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

/// `[..shape] → [1, ..shape]`.
fn batch(x: FlexTensor) -> FlexTensor {
    let dims = [&[1], &x.shape().to_vec()[..]].concat();
    Flex::float_reshape(x, dims.into())
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Agreement with onnxruntime, then exact, adjoint and affine, in f32.
fn check(name: &str) {
    let Some(folder) = light() else {
        eprintln!("SKIPPED {name}: no shared data (set LINEARSCOPE_DATA to the folder)");
        return;
    };
    let reference: serde_json::Value =
        serde_json::from_str(include_str!("light_models/onnxruntime.json")).expect("numbers");
    let expected = &reference["networks"][name];
    let model = filled(&folder.join(format!("light_{name}.onnx")));
    let network = model.network(&[SHAPE.to_vec()]).expect("captures");
    let loaded = Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F32).expect("loads");
    let x0 = tensor(1 << 20, &SHAPE);
    let frozen =
        Recorded::new(Arc::new(loaded), vec![x0.clone()], RuleSet::default()).expect("freezes");
    let reference = frozen.reference()[0].clone();
    let out = reference.shape().to_vec();
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

    let apply = |x: FlexTensor| values(frozen.apply(&[x]).expect("applies").remove(0));
    let fx0 = apply(batch(x0.clone()));
    let r = values(frozen.residual().expect("residual").remove(0));
    let gap: Vec<f64> = (0..y0.len()).map(|i| fx0[i] + r[i] - y0[i]).collect();
    let exact = norm(&gap) / norm(&y0).max(norm(&fx0) + norm(&r));

    let (v, u) = (batch(tensor(1 << 21, &SHAPE)), batch(tensor(1 << 22, &out)));
    let fv = apply(v.clone());
    let fu = frozen.adjoint(std::slice::from_ref(&u)).expect("adjoint");
    let fu = values(fu.into_iter().next().expect("one input"));
    let (hv, hu) = (values(v.clone()), values(u));
    let adjoint = (dot(&fv, &hu) - dot(&hv, &fu)).abs() / (norm(&fv) * norm(&hu));

    // y₁(½(x₀ + v)) is ½(y₁(x₀) + y₁(v)).
    let affine = |x: FlexTensor| values(frozen.affine(&[x]).expect("applies").remove(0));
    let middle = Flex::float_mul_scalar(Flex::float_add(batch(x0.clone()), v.clone()), 0.5.into());
    let (a, b, m) = (affine(batch(x0)), affine(v), affine(middle));
    let gap: Vec<f64> = (0..m.len()).map(|i| 2.0 * m[i] - a[i] - b[i]).collect();
    let straight = norm(&gap) / (norm(&a) + norm(&b));
    println!(
        "{name}: {worst:.1e} from onnxruntime, exactness {exact:.1e}, adjoint {adjoint:.1e}, \
         affine {straight:.1e}"
    );
    for (promise, error) in [("exact", exact), ("adjoint", adjoint), ("affine", straight)] {
        assert!(error <= 1e-4, "{name}: {promise} to {error:.1e}");
    }
}

macro_rules! networks {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            check(stringify!($name));
        }
    )*};
}

networks! {
    bvlc_alexnet densenet121 inception_v1 inception_v2 resnet50 shufflenet squeezenet vgg19 zfnet512
}
