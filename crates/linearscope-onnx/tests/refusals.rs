//! Forms of ops that cannot be run exactly are refused by name; and some that can, are.

mod made;

use burn_backend::{TensorData, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice};
use made::*;

#[test]
fn resize_in_modes_that_are_none() {
    let resize = |attributes| {
        network_error(
            &[1, 2, 5, 7],
            vec![node("Resize", &["x", "", "s"], "y", attributes)],
            vec![floats("s", &[4], vec![1.0, 1.0, 1.5, 2.0])],
        )
    };
    let error = resize(vec![text("mode", "lanczos")]);
    assert!(
        error.contains("the_resize") && error.contains("lanczos"),
        "{error}"
    );
    let error = resize(vec![text("coordinate_transformation_mode", "somehow")]);
    assert!(error.contains("somehow"), "{error}");
    let error = resize(vec![text("nearest_mode", "round")]);
    assert!(error.contains("nearest_mode=round"), "{error}");
}

/// What decides a shape must not depend on the picture: a captured graph is fixed.
#[test]
fn sizes_computed_from_the_input_are_refused() {
    let nodes = vec![
        node("Cast", &["x"], "target", vec![int("to", 7)]),
        node("Expand", &["x", "target"], "y", vec![]),
    ];
    let error = network_error(&[2], nodes, vec![]);
    assert!(
        error.contains("the_expand") && error.contains("computed from the model's input"),
        "{error}"
    );
}

/// …but what is computed from the shapes alone folds away.
#[test]
fn sizes_computed_from_shapes_fold() {
    let nodes = vec![
        node("Shape", &["x"], "shape", vec![]),
        node("Gather", &["shape", "first"], "batch", vec![]),
        node("Concat", &["batch", "rest"], "target", vec![int("axis", 0)]),
        node("Reshape", &["x", "target"], "y", vec![]),
    ];
    let weights = vec![longs("first", &[0]), longs("rest", &[-1])];
    let network = model(&[2, 3, 4], nodes, weights)
        .network(&[vec![2, 3, 4]])
        .expect("folds");
    assert_eq!(network.outputs()[0].shape.to_vec(), [2, 12]);
}

/// The error names the types: one of an op with one operand, both of an op with two, and ONNX's own for
/// those that Burn has no dtype for.
#[test]
fn types_that_do_not_fit() {
    let nodes = vec![
        node("Cast", &["x"], "mask", vec![int("to", 9)]),
        node("Neg", &["mask"], "y", vec![]),
    ];
    let error = network_error(&[2], nodes, vec![]);
    assert!(error.contains("Neg with an input of type bool"), "{error}");
    let error = network_error(
        &[2],
        vec![node("Add", &["x", "n"], "y", vec![])],
        vec![longs("n", &[1, 2])],
    );
    assert!(
        error.contains("Add with inputs of types f32 and i"),
        "{error}"
    );
    let quantised = vec![int("output_dtype", 17)];
    let error = network_error(
        &[2],
        vec![node("QuantizeLinear", &["x", "scale"], "y", quantised)],
        vec![floats("scale", &[], vec![0.5])],
    );
    assert!(
        error.contains("float8e4m3fn numbers computed from the model's input"),
        "{error}"
    );
}

#[test]
fn convolutions_that_do_not_fit() {
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

/// The last window of ceil_mode reaches over unequal pads.
#[test]
fn max_pool_with_unequal_pads_and_ceil_mode() {
    let pool = vec![
        ints("kernel_shape", &[2, 2]),
        ints("strides", &[2, 2]),
        ints("pads", &[0, 0, 1, 0]),
        int("ceil_mode", 1),
    ];
    let x: Vec<f32> = (0..25).map(|i| ((i * 7) % 25) as f32 - 30.0).collect();
    let y = run(
        &[1, 1, 5, 5],
        vec![node("MaxPool", &["x"], "y", pool)],
        vec![],
        x.clone(),
    );
    let mut expected = Vec::new();
    for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
        let cells = (2 * i..2 * i + 2).flat_map(|r| (2 * j..2 * j + 2).map(move |c| (r, c)));
        let inside = cells
            .filter(|&(r, c)| r < 5 && c < 5)
            .map(|(r, c)| x[5 * r + c]);
        expected.push(inside.fold(f32::NEG_INFINITY, f32::max));
    }
    assert_eq!(y, expected);
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
fn pads_of_transposed_convolutions_must_be_pads() {
    for pads in [&[-1, 0, 0, 0][..], &[1, 2, 3], &[9, 9, 9, 9]] {
        let error = network_error(
            &[1, 1, 4, 4],
            vec![node(
                "ConvTranspose",
                &["x", "w"],
                "y",
                vec![ints("pads", pads)],
            )],
            vec![floats("w", &[1, 1, 3, 3], vec![0.1; 9])],
        );
        assert!(
            error.contains("the_convtranspose") && error.contains("pads"),
            "{error}"
        );
    }
}

#[test]
fn pads_in_modes_that_are_none() {
    let error = network_error(
        &[1, 1, 4, 4],
        vec![node("Pad", &["x", "p"], "y", vec![text("mode", "mirror")])],
        vec![longs("p", &[0, 0, 1, 1, 0, 0, 1, 1])],
    );
    assert!(
        error.contains("\"the_pad\"") && error.contains("mirror"),
        "{error}"
    );
}

/// Several at once: the nodes named, none of them twice.
#[test]
fn nodes_without_a_row_are_listed() {
    let nodes = vec![
        node("Relu", &["x"], "a", vec![]),
        node("GRU", &["a"], "b", vec![]),
        node("STFT", &["b"], "y", vec![]),
    ];
    let unknown = model(&[2], nodes, vec![]).unsupported(&[vec![2]]).unwrap();
    let pair = |node: &str, op: &str| (node.to_string(), op.to_string());
    assert_eq!(unknown, [pair("the_gru", "GRU"), pair("the_stft", "STFT")]);
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
    linearscope::Recorded::new(std::sync::Arc::new(loaded), vec![x0], rules).expect("freezes");
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
