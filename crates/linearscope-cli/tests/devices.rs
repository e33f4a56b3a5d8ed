//! `--device`: what is not there is an error that names what is, never a panic.

use linearscope_test_support::{
    assets,
    process::{Folder, text},
};

fn run(device: &str, dtype: &str) -> (Option<i32>, String) {
    let asset = |name: &str| assets().join("tiny_ops").join(name).display().to_string();
    let folder = Folder::of(env!("CARGO_BIN_EXE_linearscope"));
    let (model, input) = (asset("tiny_ops.onnx"), asset("input.npy"));
    let output = folder.run(&[
        "run", &model, "--input", &input, "--device", device, "--dtype", dtype, "--json", "--out",
        ".",
    ]);
    (
        output.status.code(),
        text(&[output.stdout, output.stderr].concat()),
    )
}

#[test]
fn devices_that_are_not_there_end_with_2_and_name_those_that_are() {
    for device in ["abacus", "cpu:7", "cpu:first", "wgpu:99", "cuda:99"] {
        let (code, text) = run(device, "f32");
        assert_eq!(code, Some(2), "{device}: {text}");
        let line = format!("error: device \"{device}\" ");
        assert!(text.contains(&line), "{device}: {text}");
        assert!(text.contains("; there are: cpu"), "{device}: {text}");
    }
}

#[test]
fn the_manifest_names_the_device() {
    for dtype in ["f32", "f64"] {
        let (code, text) = run("cpu", dtype);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("\"device\": \"cpu\""), "{text}");
        assert!(text.contains("\"backend\": \"dispatch<flex>\""), "{text}");
    }
}
