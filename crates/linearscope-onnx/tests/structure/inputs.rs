//! Inputs that are no pictures.

use burn_backend::TensorData;

use crate::made::*;

/// x + at, the latter two numbers of this type, converted.
fn opened_with(kind: i32) -> linearscope_onnx::Model {
    let nodes = vec![
        node("Cast", &["at"], "f", vec![int("to", 1)]),
        node("Add", &["x", "f"], "y", vec![]),
    ];
    let mut model = proto(&[2], nodes, vec![]);
    let graph = model.graph.mut_or_insert_default();
    let mut at = graph.input[0].clone();
    at.name = "at".into();
    at.type_.mut_or_insert_default().mut_tensor_type().elem_type = kind;
    graph.input.push(at);
    opened(&model).expect("opens")
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
    let bytes = {
        let mut bytes = opened_with(2);
        let at = bytes.with_constant("at", TensorData::new(vec![300i64, 1], [2]));
        let error = at.expect_err("a byte holds no 300").to_string();
        bytes = bytes
            .with_constant("at", TensorData::new(vec![255i64, 0], [2]))
            .expect("fits");
        assert_eq!(bytes.inputs().len(), 1);
        error
    };
    assert!(
        bytes.contains("0 to 255") && bytes.contains("300"),
        "{bytes}"
    );
    let error = wrong("of", TensorData::new(vec![1i64; 2], [2]));
    assert!(error.contains("x, at"), "{error}");
}
