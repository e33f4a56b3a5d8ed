//! Networks that begin and end elsewhere than their file says, and channels on the last axis.

use linearscope_onnx::{Error, Model};
use onnx_ir::ModelProto;

use crate::made::*;

fn counting(count: usize) -> Vec<f32> {
    (0..count).map(|i| i as f32 - 5.0).collect()
}

/// Another output of the graph's, by value or by node, declared or not.
fn with_outputs(model: &mut ModelProto, names: &[&str]) {
    let graph = model.graph.mut_or_insert_default();
    let declared = graph.output[0].clone();
    graph.output = names
        .iter()
        .map(|name| {
            let mut output = declared.clone();
            output.name = (*name).into();
            output
        })
        .collect();
}

fn as_integers(model: &mut ModelProto) {
    let input = &mut model.graph.mut_or_insert_default().input[0];
    let kind = input.type_.mut_or_insert_default().mut_tensor_type();
    kind.elem_type = 2;
}

/// x → Relu → Neg, and beside it a selection of boxes that nobody can differentiate.
fn forked() -> Model {
    let nodes = vec![
        node("Relu", &["x"], "kept", vec![]),
        node("Neg", &["kept"], "y", vec![]),
        node("NonMaxSuppression", &["y", "x"], "boxes", vec![]),
    ];
    let mut model = proto(&[1, 3, 2], nodes, vec![]);
    with_outputs(&mut model, &["boxes", "y", "kept"]);
    opened(&model).expect("opens")
}

#[test]
fn an_output_is_chosen_by_any_name() {
    let model = forked();
    assert_eq!(model.outputs().len(), 3);
    model
        .network(&[vec![1, 3, 2]])
        .expect_err("boxes are selected");
    let x = counting(6);
    let negative: Vec<f32> = x.iter().map(|x| -x.max(0.0)).collect();
    let kept: Vec<f32> = x.iter().map(|x| x.max(0.0)).collect();
    for (name, expected, nodes) in [
        ("y", &negative, 2),
        ("the_neg", &negative, 2),
        ("kept", &kept, 1),
        ("the_relu", &kept, 1),
    ] {
        let model = model.with_outputs(&[name]).expect("is there");
        assert_eq!(model.outputs().len(), 1);
        assert_eq!(model.nodes().count(), nodes, "{name}");
        model.network(&[vec![1, 3, 2]]).expect("captures");
        assert_eq!(
            run_model(&model, &[1, 3, 2], x.clone()),
            *expected,
            "{name}"
        );
    }
    // Both, one behind the other.
    let joined = model.with_outputs(&["y", "kept"]).expect("are there");
    let joined = joined.with_outputs_joined().expect("joins");
    let (values, shape) = output(&joined, &[1, 3, 2], x).expect("runs");
    assert_eq!((values, shape), ([negative, kept].concat(), vec![1, 12]));
    let error = model.with_outputs(&["relu"]).unwrap_err();
    assert!(error.to_string().contains("boxes, y, kept"), "{error}");
    assert!(error.hint().expect("a hint").contains("the_relu"));
    assert!(
        model
            .with_outputs(&["nothing"])
            .unwrap_err()
            .hint()
            .is_some()
    );
}

/// Indices, masks and conversions are known before anything runs, and so is what they are made of.
#[test]
fn outputs_without_floats_are_known_by_their_ops() {
    let mut best = node("TopK", &["s", "two"], "values", vec![]);
    best.output.push("indices".into());
    let nodes = vec![
        node("Relu", &["x"], "s", vec![]),
        best,
        node("Identity", &["indices"], "same", vec![]),
        node("Cast", &["same"], "floats", vec![int("to", 1)]),
        // The constant comes first, and it is not what the mask is made of.
        node("Less", &["zero", "s"], "mask", vec![]),
        node("Where", &["mask", "s", "zero"], "chosen", vec![]),
        node("Where", &["mask", "indices", "indices"], "places", vec![]),
        node("Cast", &["s"], "small", vec![int("to", 3)]),
        node("Shape", &["chosen"], "sizes", vec![]),
    ];
    let mut two = floats("two", &[1], vec![]);
    (two.data_type, two.int64_data) = (7, vec![2]);
    let weights = vec![two, floats("zero", &[1], vec![0.0])];
    let mut model = proto(&[1, 2], nodes, weights);
    let all = [
        "s", "values", "indices", "same", "floats", "mask", "chosen", "places", "small", "sizes",
    ];
    with_outputs(&mut model, &all);
    let model = opened(&model).expect("opens");
    let without = model.outputs_without_floats();
    let without: Vec<(&str, &str)> = without
        .iter()
        .map(|(name, kind)| (&name[..], &kind[..]))
        .collect();
    assert_eq!(
        without,
        [
            ("indices", "int64"),
            ("same", "int64"),
            ("mask", "bool"),
            ("places", "int64"),
            ("small", "int8"),
            ("sizes", "int64"),
        ]
    );
    for (output, behind) in [
        ("same", Some("s")),
        ("mask", Some("s")),
        ("small", Some("s")),
        ("sizes", Some("chosen")),
        ("chosen", None),
        ("floats", None),
    ] {
        assert_eq!(model.floats_behind(output).as_deref(), behind, "{output}");
    }
    // What is read is what the ops say: these run, and those are refused with what would.
    for name in all {
        let one = model.with_outputs(&[name]).expect("is there");
        let refused = without.iter().find(|(other, _)| *other == name);
        match (one.network(&[vec![1, 2]]), refused) {
            (Ok(_), None) => {}
            (Err(error @ Error::NoFloats { .. }), Some((_, kind))) => {
                let text = error.to_string();
                assert!(text.contains(&format!("\"{name}\" holds {kind}")), "{text}");
                let hint = error.hint().expect("a hint");
                assert!(hint.contains("--output"), "{hint}");
            }
            (other, _) => panic!("{name}: {:?}", other.map(|_| ())),
        }
    }
    // Of a comparison of the picture itself there are no floats but the picture.
    let nodes = vec![node("Less", &["x", "x"], "y", vec![])];
    let only = proto(&[1, 2], nodes, vec![]);
    let only = opened(&only).expect("opens");
    assert_eq!(only.floats_behind("y"), None);
    let error = only.network(&[vec![1, 2]]).unwrap_err();
    assert!(error.hint().expect("a hint").contains("inspect"), "{error}");
}

/// Boxes `[1, n, 1, 4]` lie beside scores `[1, n, k]` as boxes `[1, n, 4]` do.
#[test]
fn outputs_of_more_axes_lie_side_by_side_in_rows() {
    let shape = |name: &str, sizes: &[i64]| {
        let mut tensor = floats(name, &[sizes.len() as i64], vec![]);
        (tensor.data_type, tensor.int64_data) = (7, sizes.to_vec());
        tensor
    };
    for sizes in [&[1, 3, 1, 4][..], &[1, 3, 4], &[1, 3, 2, 2]] {
        let nodes = vec![
            node("Reshape", &["x", "sizes"], "boxes", vec![]),
            node("Neg", &["x"], "scores", vec![]),
        ];
        let mut model = proto(&[1, 3, 4], nodes, vec![shape("sizes", sizes)]);
        with_outputs(&mut model, &["boxes", "scores"]);
        let graph = model.graph.mut_or_insert_default();
        for (output, sizes) in graph.output.iter_mut().zip([sizes, &[1, 3, 4]]) {
            let kind = output.type_.mut_or_insert_default().mut_tensor_type();
            let dims = &mut kind.shape.mut_or_insert_default().dim;
            dims.clear();
            for size in sizes {
                dims.push(Default::default());
                dims.last_mut().expect("just pushed").set_dim_value(*size);
            }
        }
        let joined = opened(&model).expect("opens").with_outputs_side_by_side();
        let x = counting(12);
        let (y, got) = output(&joined.expect("joins"), &[1, 3, 4], x.clone()).expect("runs");
        assert_eq!(got, [1, 3, 8], "{sizes:?}");
        for (row, x) in y.chunks(8).zip(x.chunks(4)) {
            let negative: Vec<f32> = x.iter().map(|x| -x).collect();
            assert_eq!(row, [x, &negative[..]].concat());
        }
    }
}

/// Inputs that the chosen output does not need are no inputs.
#[test]
fn inputs_that_nothing_needs_are_gone() {
    let nodes = vec![
        node("Relu", &["x"], "a", vec![]),
        node("Add", &["x", "z"], "b", vec![]),
    ];
    let mut model = proto(&[1, 4], nodes, vec![]);
    with_outputs(&mut model, &["a", "b"]);
    let graph = model.graph.mut_or_insert_default();
    let mut other = graph.input[0].clone();
    other.name = "z".into();
    graph.input.push(other);
    let model = opened(&model).expect("opens");
    assert_eq!(model.with_outputs(&["b"]).expect("there").inputs().len(), 2);
    assert_eq!(model.with_outputs(&["a"]).expect("there").inputs().len(), 1);
}

#[test]
fn an_arg_max_at_the_end_is_left_out() {
    for (tail, left_out) in [
        (vec![node("ArgMax", &["s"], "y", vec![int("axis", 1)])], 1),
        (
            vec![
                node("ArgMax", &["s"], "at", vec![int("axis", 1)]),
                node("Cast", &["at"], "small", vec![int("to", 6)]),
                node("Identity", &["small"], "y", vec![]),
            ],
            3,
        ),
    ] {
        let nodes = [vec![node("Neg", &["x"], "s", vec![])], tail].concat();
        let model = model(&[1, 4], nodes, vec![]);
        let (scores, nodes) = model.without_final_argmax().expect("cuts");
        assert_eq!(nodes.len(), left_out, "{nodes:?}");
        let x = vec![1.0, -2.0, 3.0, 0.0];
        assert_eq!(run_model(&scores, &[1, 4], x), [-1.0, 2.0, -3.0, 0.0]);
    }
    // Of the picture itself.
    let only = vec![node("ArgMax", &["x"], "y", vec![int("axis", 1)])];
    let (scores, _) = model(&[1, 4], only, vec![])
        .without_final_argmax()
        .expect("cuts");
    scores.network(&[vec![1, 4]]).expect("captures");
    let x = vec![1.0, -2.0, 3.0, 0.0];
    assert_eq!(run_model(&scores, &[1, 4], x.clone()), x);
    // What only follows an arg-max by way of floats is no index.
    let plain = model(&[1, 4], vec![node("Neg", &["x"], "y", vec![])], vec![]);
    assert!(plain.without_final_argmax().expect("cuts").1.is_empty());
}

#[test]
fn bytes_that_are_converted_at_once_are_floats() {
    let nodes = vec![
        node("Transpose", &["x"], "t", vec![ints("perm", &[0, 2, 1])]),
        node("Cast", &["t"], "f", vec![int("to", 1)]),
        node("Neg", &["f"], "y", vec![]),
    ];
    let mut bytes = proto(&[1, 2, 3], nodes, vec![]);
    as_integers(&mut bytes);
    let model = opened(&bytes).expect("opens");
    assert!(matches!(
        model.network(&[vec![1, 2, 3]]),
        Err(Error::Input { .. })
    ));
    let floats = model.from_floats();
    assert!(floats.inputs()[0].integers);
    floats.network(&[vec![1, 2, 3]]).expect("captures");
    assert_eq!(
        run_model(&floats, &[1, 2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        [-1.0, -4.0, -2.0, -5.0, -3.0, -6.0]
    );
    // Indices are none.
    let gather = vec![node("Gather", &["table", "x"], "y", vec![])];
    let mut indices = proto(&[2], gather, vec![floats_of("table", 4)]);
    as_integers(&mut indices);
    let model = opened(&indices).expect("opens").from_floats();
    assert!(!model.inputs()[0].integers);
    assert!(matches!(
        model.network(&[vec![2]]),
        Err(Error::Input { .. })
    ));
}

fn floats_of(name: &str, count: i64) -> onnx_ir::TensorProto {
    floats(name, &[count], counting(count as usize))
}

/// A Keras-like network: channels last outside, first within.
fn keras(declared: &[i64]) -> Model {
    let nodes = vec![
        node("Relu", &["x"], "a", vec![]),
        node("Transpose", &["a"], "b", vec![ints("perm", &[0, 3, 1, 2])]),
        node("Conv", &["b", "w"], "c", vec![ints("pads", &[1, 1, 1, 1])]),
        node("Transpose", &["c"], "d", vec![ints("perm", &[0, 2, 3, 1])]),
        node("Sigmoid", &["d"], "y", vec![]),
    ];
    let weights = floats(
        "w",
        &[2, 3, 3, 3],
        counting(54).iter().map(|w| 0.01 * w).collect(),
    );
    model(declared, nodes, vec![weights])
}

/// `[h, w, c]` as `[c, h, w]`.
fn first(values: &[f32], [h, w, c]: [usize; 3]) -> Vec<f32> {
    let entries = (0..c).flat_map(|c| (0..h * w).map(move |p| (p, c)));
    entries.map(|(p, at)| values[p * c + at]).collect()
}

#[test]
fn layouts_are_read_off_the_graph() {
    let model = keras(&[1, 4, 5, 3]);
    assert!(model.inputs()[0].channels_last && model.outputs()[0].channels_last);
    let turned = model.channels_first().expect("turns");
    assert_eq!(turned.inputs()[0].to_string(), "[1, 3, 4, 5]");
    assert!(!turned.inputs()[0].channels_last && !turned.outputs()[0].channels_last);
    let x = counting(60);
    let (y, shape) = output(&model, &[1, 4, 5, 3], x.clone()).expect("runs");
    assert_eq!(shape, [1, 4, 5, 2]);
    let (turned_y, shape) = output(&turned, &[1, 3, 4, 5], first(&x, [4, 5, 3])).expect("runs");
    assert_eq!(shape, [1, 2, 4, 5]);
    assert_eq!(turned_y, first(&y, [4, 5, 2]));
    turned.network(&[vec![1, 3, 4, 5]]).expect("captures");
    // Values within have layouts of their own.
    for (name, last) in [("d", true), ("c", false), ("the_sigmoid", true)] {
        let part = model.with_outputs(&[name]).expect("is there");
        assert_eq!(part.outputs()[0].channels_last, last, "{name}");
        let turned = part.channels_first().expect("turns");
        let (_, shape) = output(&turned, &[1, 3, 4, 5], first(&x, [4, 5, 3])).expect("runs");
        assert_eq!(shape, [1, 2, 4, 5], "{name}");
    }
    // The user has the last word.
    let forced = model.with_channels_last(false);
    assert!(!forced.inputs()[0].channels_last && !forced.outputs()[0].channels_last);

    // Sizes decide only where the graph says nothing.
    let convolved = |shape: &[i64]| {
        let weights = floats("w", &[2, shape[1], 1, 1], counting(2 * shape[1] as usize));
        let conv = vec![node("Conv", &["x", "w"], "y", vec![])];
        super::made::model(shape, conv, vec![weights])
    };
    assert!(!convolved(&[1, 8, 8, 3]).inputs()[0].channels_last);
    let pointwise =
        |shape: &[i64]| super::made::model(shape, vec![node("Relu", &["x"], "y", vec![])], vec![]);
    assert!(pointwise(&[1, 8, 8, 3]).inputs()[0].channels_last);
    for shape in [
        &[1, 3, 8, 8][..],
        &[1, 3, 8, 3],
        &[1, 8, 8, 8],
        &[1, 8, 3],
        &[4, 3],
    ] {
        assert!(!pointwise(shape).inputs()[0].channels_last, "{shape:?}");
    }
}

/// Channels are turned round, a dense layer speaks at every place, parts are put together: none of it hides
/// where the channels are.
#[test]
fn layouts_are_seen_through_other_ops() {
    let turned_round = node("Gather", &["x", "bgr"], "a", vec![int("axis", 3)]);
    let first = node("Transpose", &["a"], "b", vec![ints("perm", &[0, 3, 1, 2])]);
    let conv = node("Conv", &["b", "w"], "c", vec![]);
    let last = node("Transpose", &["c"], "d", vec![ints("perm", &[0, 2, 3, 1])]);
    let start = vec![turned_round, first, conv, last];
    let dense = node("MatMul", &["d", "m"], "y", vec![]);
    let joined = node("Concat", &["d", "d"], "y", vec![int("axis", 3)]);
    let weights = vec![
        longs("bgr", &[2, 1, 0]),
        floats("w", &[2, 3, 1, 1], counting(6)),
        floats("m", &[2, 8], counting(16)),
    ];
    for (end, channels) in [(dense, 8), (joined, 4)] {
        let nodes = [start.clone(), vec![end]].concat();
        let model = model(&[1, 4, 5, 3], nodes, weights.clone());
        assert!(model.inputs()[0].channels_last && model.outputs()[0].channels_last);
        let turned = model.channels_first().expect("turns");
        let (_, shape) = output(&turned, &[1, 3, 4, 5], counting(60)).expect("runs");
        assert_eq!(shape, [1, channels, 4, 5]);
    }
    // Three axes: a convolution says so, attention's transposition does not.
    let signal = |nodes: Vec<onnx_ir::NodeProto>| {
        let weights = vec![floats("w", &[2, 3, 1], counting(6))];
        model(&[1, 6, 3], nodes, weights)
    };
    let turn = node("Transpose", &["x"], "t", vec![ints("perm", &[0, 2, 1])]);
    let convolved = signal(vec![turn.clone(), node("Conv", &["t", "w"], "y", vec![])]);
    assert!(convolved.inputs()[0].channels_last && !convolved.outputs()[0].channels_last);
    let attended = signal(vec![turn, node("MatMul", &["x", "t"], "y", vec![])]);
    assert!(!attended.inputs()[0].channels_last && !attended.outputs()[0].channels_last);
}

/// An end that is read elsewhere, too, or that is both.
#[test]
fn turned_ends_keep_their_other_readers() {
    let nodes = vec![
        node("Transpose", &["x"], "t", vec![ints("perm", &[0, 3, 1, 2])]),
        node("GlobalAveragePool", &["t"], "m", vec![]),
        node("Transpose", &["m"], "n", vec![ints("perm", &[0, 2, 3, 1])]),
        node("Sub", &["x", "n"], "y", vec![]),
    ];
    let model = model(&[1, 2, 2, 3], nodes, vec![]);
    let x = counting(12);
    let expected = run_model(&model, &[1, 2, 2, 3], x.clone());
    let turned = model.channels_first().expect("turns");
    let (y, shape) = output(&turned, &[1, 3, 2, 2], first(&x, [2, 2, 3])).expect("runs");
    assert_eq!(shape, [1, 3, 2, 2]);
    assert_eq!(y, first(&expected, [2, 2, 3]));
}

/// An input that has a value, too, varies where there is no other.
#[test]
fn a_picture_with_a_default_is_still_an_input() {
    let conv = vec![node("Conv", &["x", "w"], "y", vec![])];
    let weights = vec![
        floats("w", &[1, 1, 1, 1], vec![2.0]),
        floats("x", &[1, 1, 2, 2], vec![0.0; 4]),
    ];
    let model = model(&[1, 1, 2, 2], conv, weights);
    assert_eq!(model.inputs().len(), 1);
    let y = run_model(&model, &[1, 1, 2, 2], vec![1.0, 2.0, 3.0, 4.0]);
    assert_eq!(y, [2.0, 4.0, 6.0, 8.0]);
}
