//! `spectrum`.

use crate::folder::{Folder, ops, ops_input, picture, sr};

/// Against all singular values of a small network, by `svd`.
#[test]
fn error_bars_cover_what_svd_finds() {
    let folder = Folder::new();
    let (model, input) = (ops(), ops_input());
    let common = ["--input", &input, "--dtype", "f64"];
    let out = folder.ok(&[&["spectrum", &model][..], &common, &["--out", "o"]].concat());
    assert!(
        out.contains("effective rank") && out.contains("95 %"),
        "{out}"
    );
    folder.ok(&[&["svd", &model][..], &common, &["-k", "5", "--out", "s"]].concat());
    let (sigma, _) = folder.npy("s/sigma.npy");
    let report = folder.json("o/spectrum.json");
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    let check = |name: &str, truth: f64| {
        let found = &report["moments"][name];
        let gap = (number(&found["value"]) - truth).abs();
        assert!(
            gap <= 1.5 * number(&found["error"]),
            "{name}: {found}, not {truth}"
        );
    };
    let second: f64 = sigma.iter().map(|s| s * s).sum();
    let fourth: f64 = sigma.iter().map(|s| s.powi(4)).sum();
    check("squares", second);
    check("fourths", fourth);
    check("frobenius", second.sqrt());
    check("effective_rank", second * second / fourth);
    assert_eq!(report["singular_values"], 5);
    let largest = number(&report["density"]["largest"]);
    assert!(
        (largest / sigma[0] - 1.0).abs() < 1e-6,
        "{largest} {sigma:?}"
    );
    for file in ["o/spectrum.png", "o/spectrum.svg", "o/manifest.json"] {
        assert!(folder.path(file).exists(), "{file}");
    }
}

#[test]
fn too_little_to_tell_is_refused() {
    let folder = Folder::new();
    let (model, input) = (sr(), picture());
    for (flags, word) in [
        (["--probes", "3"], "--probes 3"),
        (["--steps", "0"], "--steps 0"),
        (["--width", "0"], "--width 0"),
        (["--from", "nowhere"], "nowhere"),
    ] {
        let args = [&["spectrum", &model, "--input", &input][..], &flags].concat();
        let error = folder.fails(2, &args);
        assert!(error.contains(word), "{flags:?}: {error}");
    }
}
