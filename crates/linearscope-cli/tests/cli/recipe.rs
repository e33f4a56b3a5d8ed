//! How a picture becomes x₀.

use std::fs;

use serde_json::Value;

use crate::{
    folder::{Folder, picture, sr},
    report::commands,
};

#[test]
fn the_recipe_comes_from_the_file_and_flags_override_it() {
    let folder = Folder::new();
    fs::copy(sr(), folder.path("net.onnx")).unwrap();
    fs::write(
        folder.path("net.toml"),
        "range = 1\nmean = [0.25]\nresize = 20\ncrop = \"16x12\"\n",
    )
    .unwrap();
    let out = folder.ok(&["run", "net.onnx", "--input", &picture(), "--json"]);
    let manifest: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        manifest["input"]["shape"],
        serde_json::json!([1, 1, 16, 12])
    );
    assert_eq!(manifest["recipe"]["mean"], serde_json::json!([0.25]));
    let out = folder.ok(&[
        "run",
        "net.onnx",
        "--input",
        &picture(),
        "--json",
        "--mean",
        "0",
        "--crop",
        "8",
    ]);
    let manifest: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(manifest["input"]["shape"], serde_json::json!([1, 1, 8, 8]));
    assert_eq!(manifest["recipe"]["mean"], serde_json::json!([0.0]));
    fs::write(folder.path("net.toml"), "colour = 3\n").unwrap();
    let error = folder.fails(2, &["run", "net.onnx", "--input", &picture()]);
    assert!(
        error.contains("net.toml") && error.contains("colour"),
        "{error}"
    );
}

/// Lists with negative numbers, as the README writes them; and recipes that mean nothing.
#[test]
fn recipe_flags_take_negative_numbers_and_refuse_nonsense() {
    let folder = Folder::new();
    let input = picture();
    let base = ["run", &sr(), "--input", &input, "--out", "o"];
    folder.ok(&[&base[..], &["--output-range", "-1,1", "--mean", "-0.5"]].concat());
    let manifest = folder.json("o/manifest.json");
    assert_eq!(
        manifest["recipe"]["output_range"],
        serde_json::json!([-1.0, 1.0])
    );
    assert_eq!(manifest["recipe"]["mean"], serde_json::json!([-0.5]));
    // What a report shows with such flags runs again.
    let args = ["analyse", &sr(), "--input", &input, "--out", "a", "-k", "1"];
    folder.ok(&[&args[..], &["--output-range", "-1,1", "--mean", "-0.5"]].concat());
    let html = fs::read_to_string(folder.path("a/report.html")).unwrap();
    for command in commands(&html) {
        let args: Vec<&str> = command.iter().map(String::as_str).collect();
        folder.ok(&[&args[..], &["--out", "again"]].concat());
    }
    for (flag, value) in [
        ("--range", "0"),
        ("--range", "nan"),
        ("--mean", "nan"),
        ("--std", "0"),
        ("--output-range", "1,1"),
        ("--output-range", "1"),
    ] {
        let error = folder.fails(2, &[&base[..], &[flag, value]].concat());
        assert!(error.contains(flag), "{flag} {value}: {error}");
    }
}
