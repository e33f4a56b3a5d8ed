//! What a file may hold beside plain nodes: functions of its own, bodies, inputs that are no
//! pictures, weights of few bits, quantisers, and the forms ops had in other versions of the standard.

mod made;

use std::sync::Arc;

use burn_backend::{DType, TensorData, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice};
use linearscope::{Interpreter, Loaded, RuleSet, host};
use linearscope_onnx::{Error, Model};
use made::*;
use onnx_ir::{AttributeProto, AttributeType, Message, ModelProto, NodeProto, TensorProto};

fn opened(proto: &ModelProto) -> Result<Model, Error> {
    Model::from_bytes(&proto.write_to_bytes().expect("a protobuf"), "made.onnx")
}

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

/// Recurrent ops and scans: by name, and what to do.
#[test]
fn recurrence_is_refused_by_name() {
    for (op, word) in [
        ("LSTM", "unrolled"),
        ("GRU", "unrolled"),
        ("RNN", "unrolled"),
        ("Scan", "unrolled"),
        ("RandomNormal", "inference mode"),
        ("SequenceEmpty", "tensors"),
        ("STFT", "table of supported ops"),
    ] {
        let model = model(&[2], vec![node(op, &["x"], "y", vec![])], vec![]);
        let error = model.network(&[vec![2]]).unwrap_err();
        assert!(
            error.to_string().contains(&format!("ONNX op {op} is")),
            "{error}"
        );
        let hint = error.hint().expect("a hint");
        assert!(hint.contains(word) && !hint.contains('\n'), "{op}: {hint}");
    }
}

/// x ↦ x + x, `trips` times.
fn doubling(trips: &str) -> NodeProto {
    let mut body = onnx_ir::GraphProto::new();
    for (list, names) in [
        (&mut body.input, &["i", "c", "v"][..]),
        (&mut body.output, &["c2", "v2"]),
    ] {
        for name in names {
            list.push(Default::default());
            list.last_mut().expect("just pushed").name = name.to_string();
        }
    }
    body.node = vec![
        node("Identity", &["c"], "c2", vec![]),
        node("Add", &["v", "v"], "v2", vec![]),
    ];
    let mut attribute = AttributeProto::new();
    attribute.name = "body".into();
    attribute.type_ = AttributeType::GRAPH.into();
    attribute.g = Some(body).into();
    node("Loop", &[trips, "", "x"], "y", vec![attribute])
}

#[test]
fn loops_fold_away_where_their_trips_are_constant() {
    let three = longs("n", &[3]);
    let folded = model(&[2], vec![doubling("n")], vec![three]);
    assert_eq!(run_model(&folded, &[2], vec![1.0, -2.0]), [8.0, -16.0]);
    let network = folded.network(&[vec![2]]).expect("captures");
    assert_eq!(
        network
            .nodes()
            .iter()
            .map(|(_, count)| count)
            .sum::<usize>(),
        3
    );
    // A count that the picture decides.
    let nodes = vec![
        node("ReduceSum", &["x"], "sum", vec![int("keepdims", 0)]),
        node("Cast", &["sum"], "n", vec![int("to", 7)]),
        doubling("n"),
    ];
    let error = model(&[2], nodes, vec![]).network(&[vec![2]]).unwrap_err();
    assert!(error.to_string().contains("the_loop"), "{error}");
    assert!(
        error.to_string().contains("a trip count computed from"),
        "{error}"
    );
    assert!(
        error.hint().expect("a hint").contains("export the model"),
        "{error:?}"
    );
}

/// A branch the picture chooses.
#[test]
fn branches_that_depend_on_the_picture_are_refused() {
    let mut body = onnx_ir::GraphProto::new();
    body.node = vec![node("Neg", &["x"], "made", vec![])];
    body.output.push(Default::default());
    body.output[0].name = "made".into();
    let branch = |name: &str| {
        let mut attribute = AttributeProto::new();
        attribute.name = name.into();
        attribute.type_ = AttributeType::GRAPH.into();
        attribute.g = Some(body.clone()).into();
        attribute
    };
    let nodes = vec![
        node("ReduceMax", &["x"], "top", vec![int("keepdims", 0)]),
        node("Greater", &["top", "zero"], "some", vec![]),
        node(
            "If",
            &["some"],
            "y",
            vec![branch("then_branch"), branch("else_branch")],
        ),
    ];
    let model = model(&[2], nodes, vec![floats("zero", &[], vec![0.0])]);
    // A plain run reads the condition.
    assert_eq!(run_model(&model, &[2], vec![1.0, -3.0]), [-1.0, 3.0]);
    let error = model.network(&[vec![2]]).unwrap_err();
    assert!(
        error.to_string().contains("the_if\": If with a condition"),
        "{error}"
    );
    assert!(error.hint().expect("a hint").contains("export the model"));
}

/// An input of indices is fixed to numbers; until then it is refused by name.
#[test]
fn inputs_of_integers_become_constants() {
    let gather = node("Gather", &["x", "at"], "y", vec![]);
    let mut model = proto(&[4], vec![gather], vec![]);
    let graph = model.graph.mut_or_insert_default();
    let mut at = graph.input[0].clone();
    at.name = "at".into();
    at.type_.mut_or_insert_default().mut_tensor_type().elem_type = 7;
    let dims = &mut at.type_.mut_or_insert_default().mut_tensor_type().shape;
    dims.mut_or_insert_default().dim[0].set_dim_value(2);
    graph.input.push(at);
    let model = opened(&model).expect("opens");
    let error = model.network(&[vec![4], vec![2]]).unwrap_err();
    assert!(error.to_string().contains("\"at\" holds"), "{error}");
    assert!(error.hint().expect("a hint").contains("with_constant"));

    let fixed = model
        .with_constant("at", TensorData::new(vec![3i64, 1], [2]))
        .expect("fits");
    assert_eq!(fixed.inputs().len(), 1);
    assert_eq!(
        run_model(&fixed, &[4], vec![0.0, 1.0, 2.0, 3.0]),
        [3.0, 1.0]
    );
    fixed.network(&[vec![4]]).expect("captures");
    // The model itself is as it was.
    assert_eq!(model.inputs().len(), 2);
    let wrong = |name: &str, numbers| model.with_constant(name, numbers).unwrap_err().to_string();
    let error = wrong("at", TensorData::new(vec![1i64; 3], [3]));
    assert!(error.contains("[2]") && error.contains("[3]"), "{error}");
    let error = wrong("at", TensorData::new(vec![1.0f32; 2], [2]));
    assert!(error.contains("not f32"), "{error}");
    let error = wrong("of", TensorData::new(vec![1i64; 2], [2]));
    assert!(error.contains("x, at"), "{error}");
}

fn frozen(model: &Model, x0: &[f32], rules: &str) -> linearscope::Result<Interpreter<Flex>> {
    let network = model.network(&[vec![x0.len()]]).expect("captures");
    let loaded = Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F32)?;
    let x0 = Flex::float_from_data(TensorData::new(x0.to_vec(), [x0.len()]), &FlexDevice);
    let rules: RuleSet = rules.parse()?;
    Interpreter::new(Arc::new(loaded), vec![x0], rules)
}

/// A quantiser's rounding is straight-through: y₁ = x₁ + (y₀ − x₀) inside the range, the plateau
/// beyond it. Round by itself stays refused, and a rule set's word counts for more.
#[test]
fn quantisers_round_straight_through() {
    let nodes = vec![
        node("QuantizeLinear", &["x", "scale", "zero"], "q", vec![]),
        node("DequantizeLinear", &["q", "scale", "zero"], "d", vec![]),
        node("Sub", &["d", "x"], "y", vec![]),
    ];
    let mut zero = TensorProto::new();
    zero.name = "zero".into();
    zero.data_type = 3;
    zero.raw_data = vec![2].into();
    let weights = vec![floats("scale", &[], vec![0.5]), zero];
    let quantised = model(&[4], nodes, weights);
    // In steps of a half from −65 to 62.5, the last beyond.
    let x0 = [0.6, -1.3, 30.26, 90.0];
    let x1 = [1.0f32; 4];
    let probe = || Flex::float_from_data(TensorData::new(x1.to_vec(), [1, 4]), &FlexDevice);
    let affine = |rules: &str| {
        let frozen = frozen(&quantised, &x0, rules).expect("freezes");
        assert!(frozen.unused_rules().is_empty(), "{rules}");
        host::<Flex>(frozen.affine(&[probe()]).expect("applies").remove(0)).expect("reads")
    };
    // What is dequantised at x₀; y is that less x.
    let d0 = [0.5f64, -1.5, 30.5, 62.5];
    let straight: Vec<f64> = (0..3).map(|i| d0[i] - f64::from(x0[i])).collect();
    let straight = [&straight[..], &[61.5]].concat();
    for (got, wanted) in affine("").iter().zip(&straight) {
        assert!((got - wanted).abs() < 1e-5, "{got} for {wanted}");
    }
    for (got, d0) in affine("round=constant").iter().zip(&d0) {
        assert!((got - (d0 - 1.0)).abs() < 1e-5, "{got} for {d0} - 1");
    }
    let said = frozen(&quantised, &x0, "")
        .expect("freezes")
        .rules()
        .to_string();
    assert!(
        said.contains("op:round&node:the_quantizelinear=straight-through"),
        "{said}"
    );

    let plain = model(&[4], vec![node("Round", &["x"], "y", vec![])], vec![]);
    let error = frozen(&plain, &x0, "").expect_err("refused").to_string();
    assert!(error.contains("the_round"), "{error}");
}

/// Four-bit weights, two in a byte, at a scale.
#[test]
fn weights_of_four_bits() {
    let mut packed = TensorProto::new();
    packed.name = "w".into();
    packed.data_type = 22;
    packed.dims = vec![3];
    packed.raw_data = vec![0xe1, 0x08].into();
    let nodes = vec![
        node("DequantizeLinear", &["w", "scale"], "d", vec![]),
        node("Mul", &["x", "d"], "y", vec![]),
    ];
    let weights = vec![packed, floats("scale", &[], vec![0.5])];
    let y = run(&[3], nodes, weights, vec![1.0, 1.0, 1.0]);
    assert_eq!(y, [0.5, -1.0, -4.0]);
}

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
