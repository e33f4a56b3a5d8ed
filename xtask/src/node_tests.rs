//! The ONNX backend node tests: fetched from the Python package `onnx` into
//! `target/onnx-node-tests`, where `crates/linearscope-onnx/tests/node_tests.rs` finds them.

use std::{path::Path, process::Command};

/// The last release whose wheel holds the cases as files.
const PACKAGE: &str = "onnx==1.20.1";

/// Unpacks the cases of a wheel: (wheel's folder, target).
const UNPACK: &str = "
import glob, os, sys, zipfile
inside = 'onnx/backend/test/data/node/'
with zipfile.ZipFile(glob.glob(os.path.join(sys.argv[1], 'onnx-*.whl'))[0]) as wheel:
    for entry in wheel.infolist():
        name = entry.filename
        if name.startswith(inside) and not entry.is_dir() and '..' not in name:
            path = os.path.join(sys.argv[2], name[len(inside):])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'wb') as file:
                file.write(wheel.read(entry))
";

/// Fetch the cases unless they are there. Returns whether they are.
pub fn fetch() -> bool {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let cases = target.join("onnx-node-tests");
    if cases.join("test_relu").is_dir() {
        return true;
    }
    let wheels = target.join("onnx-wheel");
    let python = |arguments: &mut dyn FnMut(&mut Command)| {
        let mut command = Command::new("python3");
        arguments(&mut command);
        command.status().is_ok_and(|status| status.success())
    };
    println!("fetching the ONNX node tests ({PACKAGE}, 17 MB) into target/onnx-node-tests");
    // The wheel is only unpacked, so that its platform does not matter.
    let fetched = python(&mut |command| {
        command
            .args(["-m", "pip", "download", "--quiet", "--no-deps"])
            .args(["--only-binary", ":all:", "--python-version", "3.12"])
            .args(["--platform", "manylinux_2_28_x86_64", "--dest"])
            .arg(&wheels)
            .arg(PACKAGE);
    });
    // Unpacked beside, then moved: an interrupted run leaves no half of them.
    let part = target.join("onnx-node-tests.part");
    let unpacked = fetched
        && python(&mut |command| {
            command.args(["-c", UNPACK]).arg(&wheels).arg(&part);
        });
    if unpacked && std::fs::rename(&part, &cases).is_ok() {
        return true;
    }
    println!(
        "the ONNX node tests could not be fetched (they take python3 with pip, and a network)"
    );
    false
}
