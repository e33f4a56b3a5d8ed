//! The same from ONNX files, where nodes are several ops, and constants are computed while a file is
//! read: what depends on x₀ must not be.

#[path = "../../../crates/linearscope-onnx/tests/made/mod.rs"]
mod made;

use linearscope::RuleSet;
use linearscope_tests::certified::Answer;
use made::{float, floats, int, ints, longs, model, node, text};
use onnx_ir::{NodeProto, TensorProto};

use crate::data::holds;

const SHAPE: [i64; 2] = [3, 4];

/// A node of a name of its own.
fn named(name: &str, op: &str, inputs: &[&str], output: &str) -> NodeProto {
    let mut node = node(op, inputs, output, vec![]);
    node.name = name.into();
    node
}

fn with(mut node: NodeProto, attribute: onnx_ir::AttributeProto) -> NodeProto {
    node.attribute.push(attribute);
    node
}

/// x > 0.1 as "bits", floats, by the node "decide" (and "cast").
fn decided() -> (Vec<NodeProto>, Vec<TensorProto>) {
    let nodes = vec![
        named("decide", "Greater", &["x", "level"], "lit"),
        with(named("cast", "Cast", &["lit"], "bits"), int("to", 1)),
    ];
    (nodes, vec![floats("level", &[1], vec![0.125])])
}

/// A decision, then these nodes.
fn after(nodes: Vec<NodeProto>, weights: Vec<TensorProto>) -> linearscope::Network {
    let (mut all, mut constants) = decided();
    all.extend(nodes);
    constants.extend(weights);
    let shape = SHAPE.map(|d| d as usize).to_vec();
    model(&SHAPE, all, constants)
        .network(&[shape])
        .expect("is captured")
}

fn exact(name: &str, nodes: Vec<NodeProto>, weights: Vec<TensorProto>, deciders: &[&str]) {
    holds(
        name,
        after(nodes, weights),
        RuleSet::default(),
        Answer::Exact,
        deciders,
    );
}

const DECIDE: [&str; 2] = ["decide", "cast"];

#[test]
fn concat() {
    let nodes = vec![with(
        named("join", "Concat", &["x", "bits"], "y"),
        int("axis", 1),
    )];
    exact("Concat", nodes, vec![], &DECIDE);
}

#[test]
fn where_with_a_fixed_condition() {
    let mut condition = longs("choice", &[1, 0, 1, 0]);
    condition.dims = vec![1, 4];
    let nodes = vec![
        with(named("bool", "Cast", &["choice"], "which"), int("to", 9)),
        named("choose", "Where", &["which", "x", "bits"], "y"),
    ];
    let network = after(nodes, vec![condition]);
    // Nobody reads every bit.
    holds("Where", network, RuleSet::default(), Answer::Radii, &DECIDE);
}

#[test]
fn where_with_a_decided_condition() {
    let nodes = vec![
        named("half", "Mul", &["x", "factor"], "other"),
        named("choose", "Where", &["lit", "x", "other"], "y"),
    ];
    exact(
        "Where",
        nodes,
        vec![floats("factor", &[1], vec![-0.5])],
        &["decide", "choose"],
    );
}

#[test]
fn scatter() {
    for reduction in ["none", "add"] {
        let at = {
            let mut at = longs("at", &[2, 0, 1]);
            at.dims = vec![3, 1];
            at
        };
        let update = named("part", "Slice", &["bits", "from", "to", "axes"], "value");
        let scatter = named("put", "ScatterElements", &["x", "at", "value"], "y");
        let scatter = with(with(scatter, int("axis", 1)), text("reduction", reduction));
        let weights = vec![
            at,
            longs("from", &[0]),
            longs("to", &[1]),
            longs("axes", &[1]),
        ];
        let name = format!("ScatterElements, {reduction}");
        let network = after(vec![update, scatter], weights);
        // Where an update writes over the entry that decides it, or nobody reads a bit, nothing is
        // heard.
        holds(&name, network, RuleSet::default(), Answer::Radii, &DECIDE);
    }
}

#[test]
fn gemm_weight_and_bias() {
    let nodes = vec![
        with(
            named("turn", "Transpose", &["bits"], "weight"),
            ints("perm", &[1, 0]),
        ),
        named("dense", "Gemm", &["x", "weight", "bias"], "y"),
    ];
    exact(
        "Gemm, weight",
        nodes,
        vec![floats("bias", &[3], vec![0.1, 0.2, 0.3])],
        &DECIDE,
    );
    let nodes = vec![
        with(
            named("some", "ReduceMax", &["bits", "over"], "bias"),
            int("keepdims", 0),
        ),
        named("dense", "Gemm", &["x", "weight", "bias"], "y"),
    ];
    let weight = floats(
        "weight",
        &[4, 4],
        (0..16).map(|i| (i as f32 * 0.7).sin()).collect(),
    );
    let network = after(nodes, vec![longs("over", &[0]), weight]);
    holds(
        "Gemm, bias",
        network,
        RuleSet::default(),
        Answer::Radii,
        &["decide", "cast", "some"],
    );
}

#[test]
fn conv_bias() {
    let nodes = vec![
        named("picture", "Reshape", &["x", "as"], "p"),
        with(
            named("some", "ReduceMean", &["bits", "over"], "bias"),
            int("keepdims", 0),
        ),
        named("conv", "Conv", &["p", "weight", "bias"], "y"),
    ];
    let weight = floats(
        "weight",
        &[4, 3, 2, 2],
        (0..48).map(|i| (i as f32 * 0.7).sin()).collect(),
    );
    exact(
        "Conv, bias",
        nodes,
        vec![longs("as", &[1, 3, 2, 2]), longs("over", &[0]), weight],
        &DECIDE,
    );
}

#[test]
fn batch_normalization() {
    let nodes = vec![
        with(
            named("some", "ReduceMean", &["bits", "over"], "beta"),
            int("keepdims", 0),
        ),
        with(
            named(
                "norm",
                "BatchNormalization",
                &["x", "gamma", "beta", "mean", "variance"],
                "y",
            ),
            float("epsilon", 1e-5),
        ),
    ];
    let weights = vec![
        longs("over", &[0]),
        floats("gamma", &[4], vec![1.0, -0.5, 2.0, 0.7]),
        floats("mean", &[4], vec![0.1, 0.2, 0.3, 0.4]),
        floats("variance", &[4], vec![1.0, 0.5, 2.0, 0.7]),
    ];
    exact("BatchNormalization, bias", nodes, weights, &DECIDE);
}

#[test]
fn prelu_slope() {
    let nodes = vec![
        named("far", "Sub", &["x", "thousand"], "left"),
        // Slopes 0 and ½: of a slope 1 nobody would hear that the unit has flipped.
        named("half", "Mul", &["bits", "one_half"], "slopes"),
        named("unit", "PRelu", &["left", "slopes"], "y"),
    ];
    exact(
        "PRelu, slope",
        nodes,
        vec![
            floats("thousand", &[1], vec![1000.0]),
            floats("one_half", &[1], vec![0.5]),
        ],
        &["decide", "cast", "unit"],
    );
}

#[test]
fn hardmax() {
    let nodes = vec![
        with(named("best", "Hardmax", &["x"], "hot"), int("axis", 1)),
        with(named("join", "Concat", &["x", "hot"], "y"), int("axis", 1)),
    ];
    exact("Hardmax", nodes, vec![], &["best"]);
}

#[test]
fn argmax() {
    let nodes = vec![
        with(
            with(named("best", "ArgMax", &["x"], "at"), int("axis", 1)),
            int("keepdims", 1),
        ),
        with(named("number", "Cast", &["at"], "float"), int("to", 1)),
        with(
            named("join", "Concat", &["x", "float"], "y"),
            int("axis", 1),
        ),
    ];
    exact("ArgMax", nodes, vec![], &["best"]);
}

#[test]
fn truncation() {
    let nodes = vec![
        with(named("whole", "Cast", &["x"], "at"), int("to", 7)),
        with(named("number", "Cast", &["at"], "float"), int("to", 1)),
        with(
            named("join", "Concat", &["x", "float"], "y"),
            int("axis", 1),
        ),
    ];
    exact("Cast to integers", nodes, vec![], &["whole"]);
}

#[test]
fn maximum_of_several() {
    let nodes = vec![
        named("half", "Mul", &["x", "factor"], "other"),
        named("most", "Max", &["x", "other", "level"], "y"),
    ];
    let network = after(nodes, vec![floats("factor", &[1], vec![-0.5])]);
    // Which of the first two is larger is not heard where the third is.
    holds("Max", network, RuleSet::default(), Answer::Radii, &["most"]);
}

/// A node of several ops, of which one is curved and others have kinks.
#[test]
fn nodes_of_several_ops() {
    for (op, answer) in [
        ("HardSwish", Answer::Refusal),
        ("Softsign", Answer::Refusal),
        ("Mish", Answer::Refusal),
        ("Elu", Answer::Refusal),
        ("Selu", Answer::Refusal),
        ("Celu", Answer::Refusal),
        ("Softplus", Answer::Refusal),
        ("Shrink", Answer::Radii),
        ("ThresholdedRelu", Answer::Exact),
        ("HardSigmoid", Answer::Exact),
        ("LeakyRelu", Answer::Exact),
        ("Abs", Answer::Exact),
    ] {
        let network = {
            let shape = SHAPE.map(|d| d as usize).to_vec();
            let nodes = vec![named("unit", op, &["x"], "y")];
            model(&SHAPE, nodes, vec![])
                .network(&[shape])
                .expect("is captured")
        };
        holds(op, network, RuleSet::default(), answer, &["unit"]);
    }
}

/// Quantisers are straight-through where nobody says otherwise: no radius. As constants they are steps.
#[test]
fn quantisers() {
    let network = || {
        let mut zero = longs("zero", &[]);
        zero.data_type = 3;
        zero.dims = vec![];
        zero.int64_data.clear();
        zero.int32_data = vec![0];
        let nodes = vec![
            named("to_ints", "QuantizeLinear", &["x", "scale", "zero"], "q"),
            named(
                "to_floats",
                "DequantizeLinear",
                &["q", "scale", "zero"],
                "z",
            ),
            with(named("join", "Concat", &["x", "z"], "y"), int("axis", 1)),
        ];
        after(nodes, vec![floats("scale", &[], vec![0.25]), zero])
    };
    holds(
        "quantisers",
        network(),
        RuleSet::default(),
        Answer::Refusal,
        &["to_ints"],
    );
    let steps: RuleSet = "round=constant".parse().expect("a rule set");
    holds(
        "quantisers as steps",
        network(),
        steps,
        Answer::Exact,
        &["to_ints"],
    );
}

/// A body of one node, from values of the graph around it to "out".
fn body(
    name: &str,
    inputs: &[&str],
    nodes: Vec<NodeProto>,
    outputs: &[&str],
) -> onnx_ir::AttributeProto {
    let mut model = made::proto(&SHAPE, nodes, vec![]);
    let graph = model.graph.mut_or_insert_default();
    let (port, made) = (graph.input[0].clone(), graph.output[0].clone());
    let renamed = |port: &onnx_ir::ValueInfoProto, name: &&str| {
        let mut port = port.clone();
        port.name = (*name).into();
        port
    };
    graph.input = inputs.iter().map(|name| renamed(&port, name)).collect();
    graph.output = outputs.iter().map(|name| renamed(&made, name)).collect();
    let mut attribute = onnx_ir::AttributeProto::new();
    attribute.name = name.into();
    attribute.type_ = onnx_ir::AttributeType::GRAPH.into();
    attribute.g = model.graph;
    attribute
}

fn branches(condition: &str) -> NodeProto {
    let double = vec![named("double", "Mul", &["x", "two"], "a")];
    let decided = vec![named("both", "Mul", &["x", "bits"], "b")];
    let mut node = named("either", "If", &[condition], "y");
    node.attribute = vec![
        body("then_branch", &[], double, &["a"]),
        body("else_branch", &[], decided, &["b"]),
    ];
    node
}

fn refused(nodes: Vec<NodeProto>, weights: Vec<TensorProto>) -> String {
    let (mut all, mut constants) = decided();
    all.extend(nodes);
    constants.extend(weights);
    made::network_error(&SHAPE, all, constants)
}

/// Which branch, and how many passes, must not be read from x while a file is captured: the other
/// branch would be gone, and nothing would be said to flip.
#[test]
fn no_branch_is_chosen_by_the_input() {
    let two = || floats("two", &[1], vec![2.0]);
    let some = |nodes: &mut Vec<NodeProto>| {
        nodes.push(with(
            named("some", "ReduceMax", &["bits"], "any"),
            int("keepdims", 0),
        ));
        nodes.push(with(
            named("as_bool", "Cast", &["any"], "condition"),
            int("to", 9),
        ));
        nodes.push(with(
            named("as_int", "Cast", &["any"], "count"),
            int("to", 7),
        ));
    };
    let mut nodes = vec![];
    some(&mut nodes);
    nodes.push(branches("condition"));
    let said = refused(nodes, vec![two()]);
    assert!(
        said.contains("either") && said.contains("model's input"),
        "{said}"
    );

    let repeated = |trips: &str, goes_on: &str, condition: &str| {
        let step = vec![
            named("step", "Add", &["v", "v"], "w"),
            named("same", "Identity", &[condition], "more"),
        ];
        let mut node = named("again", "Loop", &[trips, goes_on, "x"], "y");
        node.attribute = vec![body("body", &["trip", "before", "v"], step, &["more", "w"])];
        node
    };
    for (what, trips, goes_on, condition) in [
        ("trips", "count", "", "before"),
        ("a first condition", "three", "condition", "before"),
        ("a condition", "three", "", "condition"),
    ] {
        let mut nodes = vec![];
        some(&mut nodes);
        nodes.push(repeated(trips, goes_on, condition));
        let mut three = longs("three", &[3]);
        three.dims = vec![];
        let said = refused(nodes, vec![three]);
        assert!(
            said.contains("again") && said.contains("model's input"),
            "{what}: {said}"
        );
    }
}

/// A branch that a constant chooses is as if it stood there, its decisions included.
#[test]
fn a_branch_chosen_by_a_constant() {
    let mut never = longs("never", &[0]);
    never.dims = vec![];
    let nodes = vec![
        with(
            named("as_bool", "Cast", &["never"], "condition"),
            int("to", 9),
        ),
        branches("condition"),
    ];
    exact(
        "If",
        nodes,
        vec![never, floats("two", &[1], vec![2.0])],
        &DECIDE,
    );
}

/// Indices, sizes and shapes made of decisions are refused: a graph's shapes are fixed.
#[test]
fn nothing_is_folded_that_depends_on_the_input() {
    let ints = |nodes: &mut Vec<NodeProto>| {
        nodes.push(with(
            named("whole", "Cast", &["lit"], "whole_bits"),
            int("to", 7),
        ));
    };
    for (op, inputs) in [
        ("GatherElements", vec!["x", "whole_bits"]),
        ("OneHot", vec!["whole_bits", "depth", "off_on"]),
        ("Expand", vec!["x", "sizes"]),
        ("Tile", vec!["x", "sizes"]),
        ("NonZero", vec!["bits"]),
        ("Compress", vec!["x", "row_of_bits"]),
        ("DynamicQuantizeLinear", vec!["x"]),
    ] {
        let mut nodes = vec![];
        ints(&mut nodes);
        let rows = named("rows", "ReduceMax", &["whole_bits", "over"], "sizes");
        nodes.push(with(rows, int("keepdims", 0)));
        nodes.push(named("flat_bits", "Identity", &["lit"], "row_of_bits"));
        nodes.push(named("asked", op, &inputs, "y"));
        let weights = vec![
            longs("depth", &[2]),
            longs("over", &[0]),
            floats("off_on", &[2], vec![0.0, 1.0]),
        ];
        let said = refused(nodes, weights);
        assert!(said.contains("asked"), "{op}: {said}");
    }
}
