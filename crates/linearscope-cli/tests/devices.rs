//! `--device`: what is not there is an error that names what is, never a panic.

use std::{path::PathBuf, process::Command};

fn run(device: &str, dtype: &str) -> (Option<i32>, String) {
    let assets = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../assets/tiny_ops");
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_linearscope"))
        .arg("run")
        .arg(assets.join("tiny_ops.onnx"))
        .arg("--input")
        .arg(assets.join("input.npy"))
        .args(["--device", device, "--dtype", dtype, "--json"])
        .arg("--out")
        .arg(folder.path())
        .output()
        .expect("the program starts");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
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
