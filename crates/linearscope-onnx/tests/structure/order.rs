//! The order of nodes, outputs without elements, and sizes that do not fit.

use linearscope_onnx::Error;

use crate::made::*;

fn named(name: &str, op: &str, inputs: &[&str], output: &str) -> onnx_ir::NodeProto {
    let mut node = node(op, inputs, output, vec![]);
    node.name = name.into();
    node
}

/// Nodes may stand anywhere; they keep their names, and those that stand right keep their places.
#[test]
fn nodes_are_sorted() {
    let nodes = vec![
        named("last", "Add", &["b", "a"], "y"),
        named("second", "Relu", &["a"], "b"),
        named("first", "Neg", &["x"], "a"),
    ];
    let model = model(&[3], nodes, vec![]);
    let names: Vec<String> = model.nodes().map(|node| node.name).collect();
    assert_eq!(names, ["first", "second", "last"]);
    let y = run_model(&model, &[3], vec![1.0, -2.0, 0.5]);
    assert_eq!(y, [-1.0, 4.0, -0.5]);
    let network = model.network(&[vec![3]]).expect("captures");
    assert!(network.nodes().iter().any(|(name, _)| &**name == "second"));
}

/// What a body reads of the graph around it is waited for; what it makes itself is not, under whatever name.
#[test]
fn bodies_wait_for_what_they_read() {
    let mut body = onnx_ir::GraphProto::new();
    body.node = vec![named("inner", "Neg", &["a"], "y")];
    body.output.push(Default::default());
    body.output[0].name = "y".into();
    let branch = |name: &str| {
        let mut attribute = int(name, 0);
        attribute.type_ = onnx_ir::AttributeType::GRAPH.into();
        attribute.g = Some(body.clone()).into();
        attribute
    };
    let branches = vec![branch("then_branch"), branch("else_branch")];
    let nodes = vec![
        node("If", &["yes"], "y", branches),
        named("before", "Relu", &["x"], "a"),
        named("condition", "Cast", &["one"], "yes"),
    ];
    let mut nodes = nodes;
    nodes[2].attribute = vec![int("to", 9)];
    let model = model(&[2], nodes, vec![floats("one", &[], vec![1.0])]);
    assert_eq!(run_model(&model, &[2], vec![3.0, -1.0]), [-3.0, 0.0]);
}

#[test]
fn circles_are_named() {
    let nodes = vec![
        named("before", "Neg", &["x"], "w"),
        named("left", "Add", &["w", "b"], "a"),
        named("right", "Relu", &["a"], "b"),
        named("after", "Neg", &["a"], "y"),
    ];
    let error = opened(&proto(&[2], nodes, vec![])).unwrap_err();
    assert!(matches!(error, Error::Parse(_)), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("cycle") && text.contains("\"left\", \"right\""),
        "{text}"
    );
    assert!(
        !text.contains("before") && !text.contains("after"),
        "{text}"
    );
}

#[test]
fn an_output_without_elements_is_bad_input() {
    let nodes = vec![
        node("Slice", &["x", "start", "end"], "none", vec![]),
        named("same", "Identity", &["none"], "y"),
    ];
    let weights = vec![longs("start", &[3]), longs("end", &[3])];
    let error = model(&[4], nodes, weights).network(&[vec![4]]).unwrap_err();
    assert!(matches!(error, Error::Empty { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the output \"y\" has no elements: its shape is [0]"
    );
}

/// x halved twice, enlarged again and added to itself: the shape of a U-net, with every axis open.
fn u_net() -> linearscope_onnx::Model {
    let pool = |name: &str, from: &str, to: &str| {
        let mut pool = named(name, "MaxPool", &[from], to);
        pool.attribute = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
        pool
    };
    let mut enlarged = named("enlarged", "Resize", &["small", "", "scales"], "back");
    enlarged.attribute = vec![text("mode", "nearest")];
    let nodes = vec![
        pool("half", "x", "middle"),
        pool("quarter", "middle", "small"),
        enlarged,
        named("skip", "Add", &["x", "back"], "y"),
    ];
    let mut proto = proto(
        &[1, 1, 8, 8],
        nodes,
        vec![floats("scales", &[4], vec![1.0, 1.0, 4.0, 4.0])],
    );
    let graph = proto.graph.mut_or_insert_default();
    let shape = &mut graph.input[0]
        .type_
        .mut_or_insert_default()
        .mut_tensor_type()
        .shape;
    for (axis, name) in [(0, "N"), (2, "H"), (3, "W")] {
        shape.mut_or_insert_default().dim[axis].set_dim_param(name.into());
    }
    opened(&proto).expect("opens")
}

/// The node, the numbers, and the nearest sizes that do.
#[test]
fn sizes_that_do_not_fit_are_bad_input() {
    let model = u_net();
    model.network(&[vec![1, 1, 64, 68]]).expect("fits");
    let error = model.network(&[vec![1, 1, 66, 66]]).unwrap_err();
    assert!(matches!(error, Error::Misfit { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "this network does not take 1×1×66×66: in node \"skip\", Add has inputs of shapes \
         [1, 1, 66, 66] and [1, 1, 64, 64], which do not broadcast"
    );
    assert_eq!(
        error.hint().expect("a hint"),
        "try sizes divisible by 4, such as 64×64 or 68×68"
    );
    let error = model.network(&[vec![1, 1, 3, 2]]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("MaxPool has a window of 2 cells on 1"),
        "{error}"
    );
    assert!(
        error.hint().expect("a hint").contains("larger size"),
        "{error:?}"
    );
}

/// A fixed batch: where the file declares it, and where a constant shape decides it.
#[test]
fn a_fixed_batch_is_told() {
    let hint = |model: &linearscope_onnx::Model, shape: &[usize]| {
        let error = model.network(&[shape.to_vec()]).unwrap_err();
        error.hint().expect("a hint")
    };
    let same = |shape: &[i64]| model(shape, vec![named("same", "Relu", &["x"], "y")], vec![]);
    assert!(hint(&same(&[4, 3, 5, 5]), &[1, 3, 5, 5]).contains("the batch is 4"));
    assert_eq!(
        hint(&same(&[1, 3, 5, 5]), &[1, 4, 5, 5]),
        "it takes 3 channels, but got 4"
    );
    assert!(hint(&same(&[1, 3, 5, 5]), &[3, 5, 5]).contains("4 axes"));
    let flat = named("flat", "Reshape", &["x", "shape"], "y");
    let mut proto = proto(&[1, 3, 2, 2], vec![flat], vec![longs("shape", &[1, 12])]);
    let graph = proto.graph.mut_or_insert_default();
    let shape = &mut graph.input[0]
        .type_
        .mut_or_insert_default()
        .mut_tensor_type()
        .shape;
    shape.mut_or_insert_default().dim[0].set_dim_param("N".into());
    let model = opened(&proto).expect("opens");
    assert!(hint(&model, &[2, 3, 2, 2]).contains("batch size is 1"));
}
