//! Branches, loops and recurrence: what folds away, and what is refused.

use onnx_ir::{AttributeProto, AttributeType, NodeProto};

use crate::made::*;

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
        ("STFT", "supported ops (crates"),
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
