//! Functions that a file brings along.

use onnx_ir::{AttributeProto, AttributeType, ModelProto, NodeProto, TensorProto};

use crate::made::*;

/// Nodes of a domain, and an attribute that is the call's.
fn call(name: &str, op: &str, inputs: &[&str], output: &str) -> NodeProto {
    let mut call = node(op, inputs, output, vec![]);
    call.name = name.into();
    call.domain = "mine".into();
    call
}

fn of_call(name: &str, of: &str) -> AttributeProto {
    let mut attribute = float(name, 0.0);
    attribute.ref_attr_name = of.into();
    attribute
}

/// mine::`name`, from `inputs` to "out".
fn add_function(model: &mut ModelProto, name: &str, inputs: &[&str], nodes: Vec<NodeProto>) {
    model.functions.push(Default::default());
    let function = model.functions.last_mut().expect("just pushed");
    function.name = name.into();
    function.domain = "mine".into();
    function.input = inputs.iter().map(|name| name.to_string()).collect();
    function.output = vec!["out".into()];
    function.node = nodes;
}

/// out = k a + b with k the call's attribute, 3 if it has none.
fn add_scaled(model: &mut ModelProto) {
    let constant = node("Constant", &[], "k", vec![of_call("value_float", "factor")]);
    let nodes = vec![
        constant,
        node("Mul", &["a", "k"], "t", vec![]),
        node("Add", &["t", "b"], "out", vec![]),
    ];
    add_function(model, "Scaled", &["a", "b"], nodes);
    let function = model.functions.last_mut().expect("just pushed");
    function.attribute_proto = vec![float("factor", 3.0)];
}

#[test]
fn functions_are_inlined_under_names_of_their_own() {
    let mut first = call("first", "Scaled", &["x", "w"], "h");
    first.attribute = vec![float("factor", 2.0)];
    let nodes = vec![
        first,
        call("second", "Twice", &["h"], "g"),
        call("third", "Scaled", &["g", "x"], "y"),
    ];
    let weights = vec![floats("w", &[2], vec![10.0, 20.0])];
    let mut model = proto(&[2], nodes, weights);
    add_scaled(&mut model);
    // A function that calls another, the same names inside.
    let mut inner = call("k", "Scaled", &["a", "a"], "out");
    inner.attribute = vec![float("factor", 1.0)];
    add_function(&mut model, "Twice", &["a"], vec![inner]);
    let model = opened(&model).expect("opens");
    // 3 · 2 · (2 x + w) + x.
    assert_eq!(run_model(&model, &[2], vec![1.0, -1.0]), [73.0, 107.0]);
    let names: Vec<String> = model.nodes().map(|node| node.name).collect();
    assert!(names.contains(&"second/k/the_mul".to_string()), "{names:?}");
    let network = model.network(&[vec![2]]).expect("captures");
    assert!(
        network
            .nodes()
            .iter()
            .any(|(name, _)| &**name == "third/the_add")
    );
}

/// An output that is an input, one left out, and a body that reads the function's values.
#[test]
fn functions_with_bodies_and_passed_values() {
    let mut then = onnx_ir::GraphProto::new();
    then.node = vec![node("Add", &["a", "one"], "made", vec![])];
    then.initializer = vec![floats("one", &[], vec![1.0])];
    then.output.push(Default::default());
    then.output[0].name = "made".into();
    let body = |name: &str| {
        let mut attribute = AttributeProto::new();
        attribute.name = name.into();
        attribute.type_ = AttributeType::GRAPH.into();
        attribute.g = Some(then.clone()).into();
        attribute
    };
    let mut yes = TensorProto::new();
    yes.data_type = 9;
    yes.raw_data = vec![1].into();
    let mut value = AttributeProto::new();
    value.name = "value".into();
    value.type_ = AttributeType::TENSOR.into();
    value.t = Some(yes).into();
    let nodes = vec![
        node("Constant", &[], "yes", vec![value]),
        node(
            "If",
            &["yes"],
            "out",
            vec![body("then_branch"), body("else_branch")],
        ),
    ];
    let mut one = call("one", "Branch", &["x"], "h");
    one.output.push("same".into());
    let mut model = proto(
        &[2],
        vec![one, node("Add", &["h", "same"], "y", vec![])],
        vec![],
    );
    add_function(&mut model, "Branch", &["a"], nodes);
    model.functions[0].output.push("a".into());
    let model = opened(&model).expect("opens");
    // (x + 1) + x.
    assert_eq!(run_model(&model, &[2], vec![5.0, 0.0]), [11.0, 1.0]);
}

/// Softmax before opset 13 takes every axis from its own on: the function's opset counts.
#[test]
fn functions_have_an_opset_of_their_own() {
    let mut model = proto(&[1, 2, 2], vec![call("s", "Soft", &["x"], "y")], vec![]);
    let softmax = node("Softmax", &["a"], "out", vec![int("axis", 1)]);
    add_function(&mut model, "Soft", &["a"], vec![softmax]);
    for (opset, expected) in [(11, 0.25), (13, 0.5)] {
        model.functions[0].opset_import = vec![Default::default()];
        model.functions[0].opset_import[0].version = opset;
        let y = run_model(&opened(&model).expect("opens"), &[1, 2, 2], vec![0.0; 4]);
        assert!(
            y.iter().all(|v| (v - expected).abs() < 1e-6),
            "{opset}: {y:?}"
        );
    }
}

#[test]
fn functions_without_end_are_refused() {
    let mut model = proto(&[2], vec![call("c", "F0", &["x"], "y")], vec![]);
    add_function(
        &mut model,
        "F0",
        &["a"],
        vec![call("again", "F0", &["a"], "out")],
    );
    let error = opened(&model).unwrap_err().to_string();
    assert!(error.contains("calls itself"), "{error}");
    // Each calls the next twice: 2⁴⁰ nodes.
    let mut model = proto(&[2], vec![call("c", "F0", &["x"], "y")], vec![]);
    for level in 0..40 {
        let next = format!("F{}", level + 1);
        let nodes = vec![
            call("l", &next, &["a"], "m"),
            call("r", &next, &["m"], "out"),
        ];
        add_function(&mut model, &format!("F{level}"), &["a"], nodes);
    }
    add_function(
        &mut model,
        "F40",
        &["a"],
        vec![node("Relu", &["a"], "out", vec![])],
    );
    let error = opened(&model).unwrap_err().to_string();
    assert!(error.contains("more than 65536 nodes"), "{error}");
}

/// An op of another domain that the file does not define.
#[test]
fn ops_of_other_domains_are_refused_by_name() {
    let model = proto(&[2], vec![call("c", "Secret", &["x"], "y")], vec![]);
    let error = opened(&model)
        .expect("opens")
        .network(&[vec![2]])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "in node \"c\": ONNX op mine::Secret is not supported"
    );
    assert!(
        error.hint().expect("a hint").contains("function"),
        "{error:?}"
    );
}
