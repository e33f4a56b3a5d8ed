//! Forms of ops that cannot be run exactly are refused by name; and some that can, are.

mod made;

use burn_backend::{TensorData, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice};
use linearscope_onnx::Model;
use made::*;
use onnx_ir::{Message, ModelProto};

fn resize(scales: [f32; 4], mode: &str, coordinates: &str, nearest: &str) -> String {
    network_error(
        &[1, 2, 5, 7],
        vec![node(
            "Resize",
            &["x", "", "s"],
            "y",
            vec![
                text("mode", mode),
                text("coordinate_transformation_mode", coordinates),
                text("nearest_mode", nearest),
            ],
        )],
        vec![floats("s", &[4], scales.to_vec())],
    )
}

#[test]
fn resize_by_other_coordinates_than_burns() {
    let error = resize([1.0, 1.0, 1.5, 1.5], "linear", "half_pixel", "floor");
    assert!(
        error.contains("the_resize") && error.contains("scale 1.5 of 5"),
        "{error}"
    );
    let error = resize([1.0, 1.0, 2.0, 2.0], "nearest", "half_pixel", "floor");
    assert!(error.contains("nearest_mode Floor"), "{error}");
    let error = resize([1.0, 2.0, 2.0, 2.0], "nearest", "asymmetric", "floor");
    assert!(error.contains("channels resized"), "{error}");
    let one = vec![
        text("mode", "linear"),
        text("coordinate_transformation_mode", "pytorch_half_pixel"),
    ];
    let error = network_error(
        &[1, 2, 5, 7],
        vec![node("Resize", &["x", "", "", "s"], "y", one)],
        vec![longs("s", &[1, 2, 1, 7])],
    );
    assert!(error.contains("single cell"), "{error}");
}

#[test]
fn pools_and_convolutions_that_do_not_fit() {
    let pool = vec![
        ints("kernel_shape", &[2, 2]),
        ints("strides", &[2, 2]),
        ints("pads", &[0, 0, 1, 1]),
        int("ceil_mode", 1),
    ];
    let error = network_error(
        &[1, 1, 6, 6],
        vec![node("MaxPool", &["x"], "y", pool)],
        vec![],
    );
    assert!(
        error.contains("the_maxpool") && error.contains("ceil_mode=1"),
        "{error}"
    );
    for (op, shape) in [("Conv", [4, 4, 3, 3]), ("ConvTranspose", [4, 4, 3, 3])] {
        let error = network_error(
            &[1, 3, 8, 8],
            vec![node(
                op,
                &["x", "w"],
                "y",
                vec![ints("kernel_shape", &[3, 3])],
            )],
            vec![floats("w", &shape, vec![0.1; 144])],
        );
        assert!(
            error.contains("[4, 4, 3, 3]") && error.contains("[1, 3, 8, 8]"),
            "{error}"
        );
    }
}

#[test]
fn empty_and_absurd_results_are_refused_before_anything_is_allocated() {
    let pool = vec![ints("kernel_shape", &[9, 9])];
    let error = network_error(
        &[1, 1, 8, 8],
        vec![node("MaxPool", &["x"], "y", pool)],
        vec![],
    );
    assert!(error.contains("the_maxpool"), "{error}");
    let huge = 1_000_000;
    let error = network_error(
        &[1, 1, 4, 4],
        vec![node("Pad", &["x", "p"], "y", vec![])],
        vec![longs("p", &[0, 0, huge, huge, 0, 0, huge, huge])],
    );
    assert!(
        error.contains("the_pad") && error.contains("2³⁰"),
        "{error}"
    );
}

#[test]
fn unequal_pads_of_transposed_convolutions_must_be_pads() {
    for pads in [&[-1, 0, 0, 0][..], &[1, 2, 3]] {
        let mut made = ModelProto::new();
        let attributes = vec![ints("pads", pads)];
        let graph = made.graph.mut_or_insert_default();
        graph
            .node
            .push(node("ConvTranspose", &["x", "w"], "y", attributes));
        let bytes = made.write_to_bytes().unwrap();
        let error = Model::from_bytes(&bytes, "made.onnx")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("the_convtranspose") && error.contains("pads"),
            "{error}"
        );
    }
}

/// What the parser refuses goes by the file's own node names too.
#[test]
fn the_parsers_errors_name_the_files_nodes() {
    let error = network_error(
        &[1, 1, 4, 4],
        vec![node("Pad", &["x", "p"], "y", vec![text("mode", "wrap")])],
        vec![longs("p", &[0, 0, 1, 1, 0, 0, 1, 1])],
    );
    assert!(
        error.contains("\"the_pad\"") && error.contains("wrap"),
        "{error}"
    );
}

#[test]
fn clip_with_min_above_max_gives_max() {
    let y = run(
        &[3],
        vec![node("Clip", &["x", "lo", "hi"], "y", vec![])],
        vec![floats("lo", &[], vec![2.0]), floats("hi", &[], vec![1.0])],
        vec![0.0, 1.5, 3.0],
    );
    assert_eq!(y, [1.0, 1.0, 1.0]);
}

/// A branch no output needs may hold anything.
#[test]
fn dead_branches_need_no_rule() {
    let nodes = vec![
        node("Relu", &["x"], "y", vec![]),
        node("Mul", &["x", "x"], "unused", vec![]),
    ];
    let network = model(&[2, 3], nodes, vec![])
        .network(&[vec![2, 3]])
        .expect("captures");
    let loaded = linearscope::Loaded::<Flex>::new(
        std::sync::Arc::new(network),
        FlexDevice,
        burn_backend::DType::F32,
    )
    .expect("loads");
    let x0 = Flex::float_from_data(TensorData::new(vec![0.5f32; 6], [2, 3]), &FlexDevice);
    let rules = linearscope::RuleSet::default();
    linearscope::Interpreter::new(std::sync::Arc::new(loaded), vec![x0], rules).expect("freezes");
}

/// A batch norm that names no epsilon has the standard's 1e-5: with a variance of 0 that is all
/// there is under the root.
#[test]
fn batch_norm_without_epsilon_has_the_standards() {
    let one = |name| floats(name, &[1], vec![1.0]);
    let zero = |name| floats(name, &[1], vec![0.0]);
    let inputs = ["x", "scale", "shift", "mean", "variance"];
    let norm = node("BatchNormalization", &inputs, "y", vec![]);
    let weights = vec![one("scale"), zero("shift"), zero("mean"), zero("variance")];
    let y = run(&[1, 1, 1, 1], vec![norm], weights, vec![1.0]);
    assert!((y[0] - 1e-5f32.sqrt().recip()).abs() < 1e-2, "{y:?}");
}
