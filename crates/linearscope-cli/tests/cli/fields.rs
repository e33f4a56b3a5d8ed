//! `run`, `row`, `column`, `project`, `backproject`.

use std::fs;

use serde_json::Value;

use crate::folder::{Folder, close, ops, ops_input, picture, sr, text};

/// row · x₀ + r = y, column k of F is what projecting δₖ gives, and backprojecting δ is the row.
#[test]
fn rows_columns_and_projections_agree() {
    let folder = Folder::new();
    let (model, input) = (ops(), ops_input());
    let common = |command: &'static str| vec![command, &model, "--input", &input, "--dtype", "f64"];
    let run = |command: &'static str, more: &[&str]| {
        folder.ok(&[common(command), more.to_vec()].concat())
    };
    run("run", &["--out", "run"]);
    run("row", &["--at", "3", "--out", "row"]);
    run("column", &["--at", "1,4,5", "--out", "column"]);
    let mut delta = vec![0f32; 429];
    delta[143 + 4 * 13 + 5] = 1.0;
    let delta = folder.write_npy("delta.npy", &delta, &[1, 3, 11, 13]);
    run("project", &["--probe", &delta, "--out", "project"]);
    let picked = folder.write_npy("picked.npy", &[0.0, 0.0, 0.0, 1.0, 0.0], &[1, 5]);
    run("backproject", &["--output", &picked, "--out", "back"]);
    run("project", &["--probe", &input, "--out", "self"]);

    let (output, _) = folder.npy("run/output.npy");
    let (residual, _) = folder.npy("run/residual.npy");
    let (row, row_shape) = folder.npy("row/row.npy");
    let (column, column_shape) = folder.npy("column/column.npy");
    assert_eq!((row_shape, column_shape), (vec![1, 3, 11, 13], vec![1, 5]));
    let x0: Vec<f64> = {
        let bytes = fs::read(&input).unwrap();
        let file = npyz::NpyFile::new(&bytes[..]).unwrap();
        file.into_vec::<f32>()
            .unwrap()
            .into_iter()
            .map(f64::from)
            .collect()
    };
    let dot: f64 = row.iter().zip(&x0).map(|(r, x)| r * x).sum();
    assert!((dot + residual[3] - output[3]).abs() < 1e-10);
    assert!(close(
        &folder.npy("project/projected.npy").0,
        &column,
        1e-12
    ));
    let affine: Vec<f64> = column.iter().zip(&residual).map(|(c, r)| c + r).collect();
    assert!(close(&folder.npy("project/affine.npy").0, &affine, 1e-12));
    assert!(close(&folder.npy("back/backprojected.npy").0, &row, 1e-12));
    assert!(close(&folder.npy("self/affine.npy").0, &output, 1e-12));
}

#[test]
fn several_places_get_a_leading_axis_and_all_channels_add_up() {
    let folder = Folder::new();
    let (model, input) = (ops(), ops_input());
    let column = |at: &[&str], out: &str| {
        let mut args = vec![
            "column", &model, "--input", &input, "--dtype", "f64", "--out", out,
        ];
        for at in at {
            args.extend(["--at", at]);
        }
        folder.ok(&args);
        folder.npy(&format!("{out}/column.npy"))
    };
    let (three, shape) = column(&["0,2,3", "1,2,3", "2,2,3"], "three");
    assert_eq!(shape, [3, 1, 5]);
    let (all, shape) = column(&["all,2,3"], "all");
    assert_eq!(shape, [1, 5]);
    let sum: Vec<f64> = (0..5)
        .map(|i| three[i] + three[5 + i] + three[10 + i])
        .collect();
    assert!(close(&all, &sum, 1e-12));
}

#[test]
fn sub_networks_go_by_the_files_own_names() {
    let folder = Folder::new();
    let (model, input) = (ops(), ops_input());
    folder.ok(&[
        "project", &model, "--input", &input, "--probe", &input, "--to", "maxpool", "--out",
        "head", "--dtype", "f64",
    ]);
    let (_, shape) = folder.npy("head/projected.npy");
    assert_eq!(shape, [1, 8, 6, 7]);
    let affine = folder.path("head/affine.npy").display().to_string();
    folder.ok(&[
        "project", &model, "--input", &input, "--probe", &affine, "--from", "maxpool", "--out",
        "tail", "--dtype", "f64",
    ]);
    folder.ok(&[
        "run", &model, "--input", &input, "--out", "run", "--dtype", "f64",
    ]);
    assert!(close(
        &folder.npy("tail/affine.npy").0,
        &folder.npy("run/output.npy").0,
        1e-12
    ));
    let error = folder.fails(
        2,
        &[
            "project", &model, "--input", &input, "--probe", &input, "--to", "layer7",
        ],
    );
    assert!(
        error.contains("\"layer7\"") && error.contains("maxpool"),
        "{error}"
    );
}

/// Without --at, rows are chosen: from the strongest edge to the plain; all on one sheet.
#[test]
fn rows_come_as_a_sheet() {
    let folder = Folder::new();
    folder.ok(&["row", &sr(), "--input", &picture(), "--out", "o"]);
    assert_eq!(folder.npy("o/row.npy").1, [6, 1, 1, 48, 48]);
    let manifest = folder.json("o/manifest.json");
    let at = manifest["row_at"].as_array().unwrap();
    assert_eq!(at.len(), 6);
    let files = manifest["files"].as_array().unwrap();
    let sheet = files.iter().find(|file| file["file"] == "row.svg").unwrap();
    // x₀, f(x₀) and six rows; every signed one has its scale, and a window where it is small.
    let panels = sheet["panels"].as_array().unwrap();
    assert_eq!(panels.len(), 8);
    assert!(
        panels[2..]
            .iter()
            .all(|panel| panel["scale"].as_f64().unwrap() > 0.0)
    );
    assert!(
        panels[2..]
            .iter()
            .all(|panel| panel["window"]["h"].as_u64().unwrap() < 20)
    );
    let svg = fs::read_to_string(folder.path("o/row.svg")).unwrap();
    assert_eq!(svg.matches("<image").count(), 8);
    assert!(svg.contains("Rows of F, tiny_sr.onnx"));
    // A second look at the third place gives the third row.
    let third = at[2].as_str().unwrap();
    folder.ok(&[
        "row",
        &sr(),
        "--input",
        &picture(),
        "--out",
        "p",
        "--at",
        third,
    ]);
    let ((six, _), (one, shape)) = (folder.npy("o/row.npy"), folder.npy("p/row.npy"));
    assert_eq!(shape, [1, 1, 48, 48]);
    assert!(close(&one, &six[2 * 48 * 48..3 * 48 * 48], 1e-6));
}

/// Batches of two have places too.
#[test]
fn places_are_chosen_in_a_batch() {
    let folder = Folder::new();
    let values: Vec<f32> = (0..288).map(|i| (i * 7 % 11) as f32 / 11.0).collect();
    let input = folder.write_npy("two.npy", &values, &[2, 1, 12, 12]);
    folder.ok(&["row", &sr(), "--input", &input, "--out", "o"]);
    assert_eq!(folder.npy("o/row.npy").1, [6, 2, 1, 12, 12]);
    let at = folder.json("o/manifest.json")["row_at"][0].clone();
    folder.ok(&[
        "row",
        &sr(),
        "--input",
        &input,
        "--out",
        "p",
        "--at",
        at.as_str().unwrap(),
    ]);
}

#[test]
fn run_writes_output_residual_pictures_and_manifest() {
    let folder = Folder::new();
    let out = folder.ok(&["run", &sr(), "--input", &picture(), "--out", "o"]);
    assert!(out.contains("certificate (f32)"), "{out}");
    let (_, shape) = folder.npy("o/output.npy");
    assert_eq!(shape, [1, 1, 96, 96]);
    assert_eq!(folder.npy("o/residual.npy").1, [1, 1, 96, 96]);
    for name in ["output.png", "residual.png"] {
        assert!(
            fs::read(folder.path(&format!("o/{name}")))
                .expect(name)
                .starts_with(b"\x89PNG")
        );
    }
    let manifest = folder.json("o/manifest.json");
    assert_eq!(manifest["schema"], 2);
    assert_eq!(manifest["command"], "run");
    // 16·(25 + 1) + 16·(16·9 + 1) + 4·(16·9 + 1): every weight once.
    assert_eq!(manifest["model"]["parameters"], 3316);
    assert_eq!(manifest["recipe"]["channels"], "y");
    assert_eq!(manifest["model"]["sha256"].as_str().map(str::len), Some(64));
    assert!(manifest["certificate"]["exactness"].as_f64().unwrap() < 1e-4);
    for key in ["backend", "device", "dtype", "rules"] {
        assert!(manifest[key].is_string(), "{key}");
    }
}

#[test]
fn json_goes_to_stdout_alone() {
    let folder = Folder::new();
    let out = folder.ok(&[
        "run",
        &ops(),
        "--input",
        &ops_input(),
        "--json",
        "--dtype",
        "f64",
    ]);
    let printed: Value = serde_json::from_str(&out).expect("stdout is JSON");
    // The manifest, and what differs from run to run.
    let mut whole = folder.json("out/manifest.json");
    whole["run"] = folder.json("out/run.json");
    assert_eq!(printed, whole);
    assert_eq!(printed["dtype"], "f64");
    assert!(printed["certificate"]["adjoint"].as_f64().unwrap() < 1e-10);
    assert_eq!(folder.json("out/scores.json")[0]["class"], 0);
}

/// Decisions that do not fit: said, and the results are the same.
#[test]
fn little_memory_is_said_and_works() {
    let folder = Folder::new();
    let args = ["run", &sr(), "--input", &picture(), "--dtype", "f64"];
    folder.ok(&[&args[..], &["--out", "wide"]].concat());
    let little = [&args[..], &["--out", "little", "--max-memory", "0.0000001"]].concat();
    let output = folder.run(&little);
    let err = text(&output.stderr);
    assert!(output.status.success(), "{err}");
    assert!(err.contains("paired mode"), "{err}");
    let (wide, little) = (
        folder.npy("wide/residual.npy"),
        folder.npy("little/residual.npy"),
    );
    assert_eq!(wide.1, little.1);
    for (a, b) in wide.0.iter().zip(&little.0) {
        assert!((a - b).abs() < 1e-11, "{a} and {b}");
    }
    let refused = [&args[..], &["--max-memory", "-1"]].concat();
    assert_eq!(folder.run(&refused).status.code(), Some(2));
}

/// Ours on the CPU unless Burn's are asked for; the manifest says which, and paired runs say that they take Burn's.
#[test]
fn whose_kernels_is_said() {
    let folder = Folder::new();
    let args = ["run", &sr(), "--input", &picture(), "--dtype", "f64"];
    let by = |out: &str, more: &[&str]| {
        folder.ok(&[&args[..], &["--out", out], more].concat());
        let kernels = folder.json(&format!("{out}/manifest.json"))["kernels"].clone();
        (kernels, folder.npy(&format!("{out}/output.npy")).0)
    };
    let (own, y) = by("own", &[]);
    assert_eq!(own, "own");
    assert_eq!(by("first", &["--device", "cpu:0"]), (own, y.clone()));
    let (burn, plain) = by("burn", &["--kernels", "burn"]);
    assert_eq!(burn, "burn");
    assert!(close(&y, &plain, 1e-12));
    let asked = ["--kernels", "own", "--max-memory", "0.0000001"];
    let output = folder.run(&[&args[..], &["--out", "paired"], &asked].concat());
    let err = text(&output.stderr);
    assert!(err.contains("with Burn's kernels"), "{err}");
    assert_eq!(folder.json("paired/manifest.json")["kernels"], "burn");
}
