//! `--device`: what is not there is an error that names what is, never a panic.

use linearscope_test_support::{
    assets,
    process::{Folder, text},
};
use serde_json::{Value, json};

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

/// The program with these words: exit code, stdout, stderr.
fn program(words: &[&str]) -> (Option<i32>, String, String) {
    let output = Folder::of(env!("CARGO_BIN_EXE_linearscope")).run(words);
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn json(words: &[&str]) -> Value {
    let (code, out, error) = program(words);
    assert_eq!(code, Some(0), "{error}");
    serde_json::from_str(&out).unwrap_or_else(|problem| panic!("{problem}: {out}"))
}

/// `auto` is said aloud and has a name in results: those of the device that it became.
#[test]
fn auto_becomes_the_device_that_it_names() {
    let asset = |name: &str| assets().join("tiny_ops").join(name).display().to_string();
    let (model, input) = (asset("tiny_ops.onnx"), asset("input.npy"));
    for dtype in ["f32", "f64"] {
        let expected = json(&["devices", "--no-rates", "--json"])["auto"][dtype].clone();
        let expected = expected.as_str().expect("the cpu at least").to_string();
        let run = |device: &str| {
            let words = [
                "run", &model, "--input", &input, "--device", device, "--dtype", dtype, "--json",
                "--out", ".",
            ];
            let (code, out, error) = program(&words);
            assert_eq!(code, Some(0), "{error}");
            let manifest: Value = serde_json::from_str(&out).expect("a manifest");
            (manifest, error)
        };
        let (auto, said) = run("auto");
        assert_eq!(auto["device"], *expected);
        let notice = format!("notice: --device auto: {expected} for {dtype}");
        assert!(said.contains(&notice), "{said}");
        // The key of results is that of the device by its name.
        let (named, said) = run(&expected);
        assert_eq!(auto["key"], named["key"]);
        assert_eq!(auto["kernels"], named["kernels"]);
        assert!(!said.contains("--device auto"), "{said}");
    }
}

#[test]
fn devices_are_listed_with_what_they_can_do() {
    let found = json(&["devices", "--no-rates", "--json"]);
    assert_eq!(found["command"], "devices");
    let kinds = found["kinds"].as_array().expect("a list");
    let names: Vec<&str> = kinds
        .iter()
        .filter_map(|kind| kind["kind"].as_str())
        .collect();
    assert!(
        names.starts_with(&["cpu"]) && names.contains(&"vulkan"),
        "{names:?}"
    );
    let compiled = |name: &str| {
        let kind = kinds.iter().find(|kind| kind["kind"] == name);
        kind.expect("listed")["compiled_in"] == true
    };
    assert!(compiled("cpu"));
    assert_eq!(compiled("wgpu"), cfg!(feature = "wgpu"));
    assert_eq!(compiled("cuda"), cfg!(feature = "cuda"));
    let cpu = &found["devices"][0];
    for (key, value) in [
        ("name", json!("cpu")),
        ("opens", json!(true)),
        ("class", json!("cpu")),
        ("dtypes", json!(["f32", "f64"])),
        ("rates", json!([])),
    ] {
        assert_eq!(cpu[key], value, "{cpu}");
    }
    assert!(
        cpu["memory_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 1 << 20),
        "{cpu}"
    );
    assert_eq!(cpu["largest_tensor_bytes"], Value::Null);
}

#[test]
fn rates_are_measured_of_the_device_that_is_named() {
    let found = json(&["devices", "--device", "cpu", "--json"]);
    let devices = found["devices"].as_array().expect("a list");
    let [cpu] = &devices[..] else {
        panic!("{found}")
    };
    let rates = cpu["rates"].as_array().expect("a list");
    let names: Vec<&Value> = rates.iter().map(|row| &row["row"]).collect();
    assert_eq!(names, ["peak", "convolution"]);
    for row in rates {
        assert_eq!(row["status"], "ok", "{row}");
        assert!(
            row["gflops"].as_f64().is_some_and(|rate| rate > 0.0),
            "{row}"
        );
    }
    // For people the same in a line each; a row without time says so, and is no failure.
    let (code, out, error) = program(&["devices", "--device", "cpu", "--row-limit", "0"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.starts_with("cpu      cpu · "), "{out}");
    assert!(out.contains(" · f32, f64\n"), "{out}");
    for row in ["peak", "convolution"] {
        assert!(out.contains(&format!("{row}: out of time: ")), "{out}");
    }
    // One device is asked for, and no other is opened.
    assert!(!out.contains("--device auto"), "{out}");
    let (_, all, _) = program(&["devices", "--no-rates"]);
    assert!(all.contains("--device auto --dtype f64: cpu"), "{all}");
    if cfg!(not(feature = "cuda")) {
        let line = out.lines().find(|line| line.starts_with("not built in: "));
        assert!(line.is_some_and(|line| line.contains("cuda")), "{out}");
    }
}

#[test]
fn a_device_that_is_not_there_is_not_listed() {
    for (words, says) in [
        (["--device", "abacus"], "device \"abacus\" is not known"),
        (["--device", "cpu:3"], "there is one of its kind"),
        (
            ["--row-limit", "NaN"],
            "--row-limit NaN is not a valid time",
        ),
    ] {
        let (code, out, error) = program(&[&["devices"][..], &words].concat());
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(says) && out.is_empty(), "{error}{out}");
    }
}

/// Without its feature the command says what to do.
#[cfg(not(feature = "remote-server"))]
#[test]
fn a_program_without_a_server_says_how_to_build_one() {
    let (code, out, error) = program(&["serve-device", "--device", "cpu"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(
        error.contains("without the feature remote-server"),
        "{error}"
    );
    assert!(
        error.contains("--features remote-server") && out.is_empty(),
        "{error}"
    );
}
