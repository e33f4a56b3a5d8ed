//! Decisions that enter as data, from the files of the bug report.

use std::path::PathBuf;

use linearscope_test_support::process::Folder;

/// x beside a comparison of x, as floats: nothing curved, no slope, and yet it flips. What is said must
/// fit the errors that are told beside it.
pub(crate) fn a_decision_that_is_data_flips(case: PathBuf) {
    let folder = Folder::of(crate::PROGRAM);
    let [model, x, d] =
        ["model.onnx", "x.npy", "d.npy"].map(|name| case.join(name).display().to_string());
    let out = folder.ok(&[
        "project", &model, "--input", &x, "--probe", &d, "--out", "o",
    ]);
    assert!(!out.contains("no unit flips"), "{out}");
    let manifest = folder.json("o/manifest.json");
    let radius = manifest["validity_towards_probe"]["radii"][0].as_f64();
    for point in manifest["error_towards_probe"].as_array().expect("a curve") {
        let (t, gap) = (
            point[0].as_f64().expect("t"),
            point[1].as_f64().expect("gap"),
        );
        assert!(
            radius.is_none_or(|radius| t >= radius) || gap < 1e-5,
            "exact to {radius:?} of the way, and {gap:e} off at {t}: {out}"
        );
    }
}
