//! One network in every version of the standard; attributes that became inputs.

use onnx_ir::{AttributeProto, AttributeType, NodeProto, TensorProto};

use crate::made::*;

/// Nodes from x to y under an opset.
fn at_opset(
    opset: i64,
    shape: &[i64],
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
) -> Vec<f32> {
    let mut model = proto(shape, nodes, weights);
    model.opset_import[0].version = opset;
    let count: i64 = shape.iter().product();
    let x = (0..count)
        .map(|i| (i * 37 % 23) as f32 / 4.0 - 2.5)
        .collect();
    run_model(&opened(&model).expect("opens"), shape, x)
}

/// A plain network means the same from 7 to 24.
#[test]
fn opsets_from_7_to_24() {
    let network = |opset| {
        let one = |name: &str, v: f32| floats(name, &[2], vec![v, v + 0.5]);
        let kernel = |size: i64| ints("kernel_shape", &[size, size]);
        let nodes = vec![
            node(
                "Conv",
                &["x", "w"],
                "a",
                vec![kernel(3), ints("pads", &[1, 1, 1, 1])],
            ),
            node(
                "BatchNormalization",
                &["a", "g", "b", "m", "v"],
                "n",
                vec![],
            ),
            node("Relu", &["n"], "r", vec![]),
            node(
                "MaxPool",
                &["r"],
                "p",
                vec![kernel(2), ints("strides", &[2, 2])],
            ),
            node("AveragePool", &["p"], "q", vec![kernel(2)]),
            node("Flatten", &["q"], "f", vec![]),
            node("Gemm", &["f", "d", "e"], "y", vec![int("transB", 1)]),
        ];
        let ramp = |count: i64| (0..count).map(|i| (i % 7) as f32 / 7.0 - 0.3).collect();
        let weights = vec![
            floats("w", &[2, 1, 3, 3], ramp(18)),
            one("g", 1.0),
            one("b", 0.1),
            one("m", 0.2),
            one("v", 0.7),
            floats("d", &[2, 2], ramp(4)),
            one("e", 0.0),
        ];
        at_opset(opset, &[1, 1, 4, 4], nodes, weights)
    };
    let newest = network(24);
    for opset in 7..24 {
        assert_eq!(network(opset), newest, "opset {opset}");
    }
}

/// Attributes that became inputs: the old form and the new are one.
#[test]
fn attributes_that_became_inputs() {
    type Form = (i64, Vec<NodeProto>, Vec<TensorProto>);
    let plain = |op: &str, attributes| vec![node(op, &["x"], "y", attributes)];
    let with = |op: &str, more: &[&str], attributes| {
        let inputs = [&["x"], more].concat();
        vec![node(op, &inputs, "y", attributes)]
    };
    let pairs: Vec<(&str, Form, Form)> = vec![
        (
            "Pad",
            (
                7,
                plain(
                    "Pad",
                    vec![ints("pads", &[0, 1, 2, 0]), float("value", 7.0)],
                ),
                vec![],
            ),
            (
                13,
                with("Pad", &["p", "v"], vec![]),
                vec![longs("p", &[0, 1, 2, 0]), floats("v", &[], vec![7.0])],
            ),
        ),
        (
            "Slice",
            (
                9,
                plain(
                    "Slice",
                    vec![ints("starts", &[1]), ints("ends", &[3]), ints("axes", &[1])],
                ),
                vec![],
            ),
            (
                13,
                with("Slice", &["s", "e", "a"], vec![]),
                vec![longs("s", &[1]), longs("e", &[3]), longs("a", &[1])],
            ),
        ),
        (
            "Clip",
            (
                7,
                plain("Clip", vec![float("min", -1.0), float("max", 1.5)]),
                vec![],
            ),
            (
                13,
                with("Clip", &["l", "h"], vec![]),
                vec![floats("l", &[], vec![-1.0]), floats("h", &[], vec![1.5])],
            ),
        ),
        (
            "Unsqueeze",
            (11, plain("Unsqueeze", vec![ints("axes", &[0, 3])]), vec![]),
            (
                13,
                with("Unsqueeze", &["a"], vec![]),
                vec![longs("a", &[0, 3])],
            ),
        ),
        (
            "ReduceSum",
            (11, plain("ReduceSum", vec![ints("axes", &[1])]), vec![]),
            (
                13,
                with("ReduceSum", &["a"], vec![]),
                vec![longs("a", &[1])],
            ),
        ),
        (
            "ReduceMax",
            (11, plain("ReduceMax", vec![ints("axes", &[0])]), vec![]),
            (
                18,
                with("ReduceMax", &["a"], vec![]),
                vec![longs("a", &[0])],
            ),
        ),
    ];
    for (name, old, new) in pairs {
        let go = |(opset, nodes, weights): Form| at_opset(opset, &[3, 4], nodes, weights);
        let old = go(old);
        assert!(!old.is_empty());
        assert_eq!(old, go(new), "{name}");
    }
    // Upsample's scales were an attribute, then an input; then it became a Resize.
    let scales = floats("scales", &[4], vec![1.0, 1.0, 2.0, 3.0]);
    let mut listed = AttributeProto::new();
    listed.name = "scales".into();
    listed.type_ = AttributeType::FLOATS.into();
    listed.floats = vec![1.0, 1.0, 2.0, 3.0];
    let shape = [1, 1, 2, 3];
    let old = at_opset(7, &shape, plain("Upsample", vec![listed]), vec![]);
    let later = with("Upsample", &["scales"], vec![]);
    assert_eq!(old, at_opset(9, &shape, later, vec![scales.clone()]));
    let modes = vec![
        text("coordinate_transformation_mode", "asymmetric"),
        text("nearest_mode", "floor"),
    ];
    let resize = with("Resize", &["", "scales"], modes);
    assert_eq!(old, at_opset(13, &shape, resize, vec![scales]));
}
