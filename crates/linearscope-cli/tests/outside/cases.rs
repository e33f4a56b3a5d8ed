//! Small models and files that once failed: each is computed as onnxruntime computes it, or refused in words one can act
//! on.

use std::{fs, path::PathBuf};

use linearscope_test_support::process::{Folder, text};

/// Refused, whatever is asked.
const REFUSED: [&str; 4] = [
    "empty-output",
    "truncated.jpg",
    "huge-header.png",
    "arr-empty.npy",
];
/// The network for pictures of three channels, and for those of one.
const PICTURES: [&str; 2] = ["id3.onnx", "id1.onnx"];

fn is_refused(name: &str) -> bool {
    REFUSED.contains(&name)
}

pub(crate) fn every_case_is_computed_or_refused(cases: PathBuf) {
    let folder = Folder::of(super::PROGRAM);
    let mut names: Vec<String> = fs::read_dir(&cases)
        .expect("cases")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| cases.join(name).join("x.npy").is_file())
        .collect();
    names.sort();
    assert!(names.len() >= 15, "{names:?}");
    for name in &names {
        let file = |file: &str| cases.join(name).join(file).display().to_string();
        let (model, input) = (file("model.onnx"), file("x.npy"));
        for command in ["run", "analyse", "attribute"] {
            let out = format!("{name}-{command}");
            let found = folder.run(&[command, &model, "--input", &input, "--out", &out]);
            let said = text(&found.stdout) + &text(&found.stderr);
            let code = found.status.code();
            match (is_refused(name), command) {
                (true, _) => assert!(code == Some(2) && said.contains("hint:"), "{name}: {said}"),
                (false, "run") => assert_eq!(code, Some(0), "{name}: {said}"),
                // What does not apply is refused by name; nothing is a bug, and nothing NaN.
                _ => assert!(matches!(code, Some(0 | 2 | 4)), "{command} {name}: {said}"),
            }
            let report = fs::read_to_string(folder.path(&format!("{out}/report.html")));
            let said = said + &report.unwrap_or_default().replace("isNaN", "");
            assert!(
                code != Some(0) || !said.contains("NaN"),
                "{command} {name}: {said}"
            );
        }
        let golden = cases.join(name).join("y.npy");
        if is_refused(name) || !golden.is_file() {
            continue;
        }
        let (y, shape) = folder.npy(&format!("{name}-run/output.npy"));
        if name == "argmax" {
            // Outputs are what the index of the best compares; indices are the file's last numbers of eight bytes.
            let bytes = fs::read(&golden).expect("an array");
            let plane: usize = shape[2..].iter().product();
            let indices = bytes[bytes.len() - 8 * plane..].chunks(8);
            let expected =
                indices.map(|index| i64::from_le_bytes(index.try_into().expect("eight")));
            for (place, best) in expected.enumerate() {
                let score = |class: usize| y[class * plane + place];
                assert!((0..y.len() / plane).all(|class| score(class) <= score(best as usize)));
            }
            continue;
        }
        let (expected, of) = folder.npy(&golden.display().to_string());
        assert_eq!(shape, of, "{name}");
        // Rounding of f32, of sums whose terms may be larger than they are.
        for (a, b) in y.iter().zip(&expected) {
            assert!(
                (a - b).abs() <= 1e-6 * (1.0 + b.abs()),
                "{name}: {a} for {b}"
            );
        }
    }
}

pub(crate) fn every_picture_is_read_or_refused(pictures: PathBuf) {
    let folder = Folder::of(super::PROGRAM);
    let mut files: Vec<PathBuf> = fs::read_dir(&pictures)
        .expect("pictures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|kind| kind != "onnx"))
        .collect();
    files.sort();
    assert!(files.len() >= 12, "{files:?}");
    for path in &files {
        let name = path.file_name().expect("a name").to_string_lossy();
        let input = path.display().to_string();
        let codes = PICTURES.map(|model| {
            let model = pictures.join(model).display().to_string();
            let found = folder.run(&["run", &model, "--input", &input, "--out", "o"]);
            let said = text(&found.stdout) + &text(&found.stderr);
            let code = found.status.code();
            assert!(matches!(code, Some(0 | 2)), "{name}: {said}");
            assert!(
                code != Some(2) || said.contains(&*name) || said.contains("input \"x\" takes"),
                "{name}: {said}"
            );
            code
        });
        match is_refused(&name) {
            true => assert_eq!(codes, [Some(2); 2], "{name}"),
            // An array has the channels of one of the two.
            false => assert!(codes.contains(&Some(0)), "{name}"),
        }
    }
}
