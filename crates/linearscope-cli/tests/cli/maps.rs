//! `maps`, and the numbers that `svd` gives its pictures.

use onnx_ir::NodeProto;

use crate::{
    folder::{Folder, assets, ops, ops_input, picture, sr},
    made::{self, FLOAT},
};

fn asset(name: &str) -> String {
    assets().join(name).display().to_string()
}

/// The arrays are what `row` says of the same places.
#[test]
fn maps_of_an_upscaler_agree_with_its_rows() {
    let folder = Folder::new();
    let input = picture();
    let common = ["--input", &input, "--dtype", "f64"];
    let args = [
        "--stride", "23", "--at", "0,34,57", "--radius", "2", "--out", "o",
    ];
    let out = folder.ok(&[&["maps", &sr()][..], &common, &args].concat());
    for word in [
        "rows (16",
        "columns (16",
        "row 0,34,57",
        "copied from elsewhere",
        "shift-variance",
    ] {
        assert!(out.contains(word), "{word}: {out}");
    }
    let (radius, shape) = folder.npy("o/row_radius.npy");
    assert_eq!(shape, [3, 4, 4]);
    let (share, shape) = folder.npy("o/off_diagonal.npy");
    assert_eq!(shape, [4, 4]);
    let (moves, shape) = folder.npy("o/copy_move.npy");
    assert_eq!(shape, [4, 4, 4]);
    let (feeds, shape) = folder.npy("o/feeds.npy");
    assert_eq!(shape, [48, 48]);
    for (name, shape) in [
        ("column_radius", &[3, 4, 4][..]),
        ("template_area", &[4, 4]),
        ("shift_variance", &[2, 2]),
    ] {
        assert_eq!(folder.npy(&format!("o/{name}.npy")).1, shape, "{name}");
        assert!(folder.path(&format!("o/{name}.png")).exists(), "{name}");
    }
    // Place [1, 2] of the grid: 11 + 23 down, 11 + 2·23 right, by the command `row`.
    folder.ok(&[
        &["row", &sr()][..],
        &common,
        &["--at", "0,34,57", "--out", "r"],
    ]
    .concat());
    let (row, _) = folder.npy("r/row.npy");
    let own = [34.5 / 2.0 - 0.5, 57.5 / 2.0 - 0.5];
    let far = |i: usize| ((i / 48) as f64 - own[0]).hypot((i % 48) as f64 - own[1]);
    let energy = |within: &dyn Fn(f64) -> bool| -> f64 {
        let inside = row.iter().enumerate().filter(|(i, _)| within(far(*i)));
        inside.map(|(_, v)| v * v).sum()
    };
    let all = energy(&|_| true);
    let expected = energy(&|r| r > 2.0) / all;
    assert!(
        expected > 0.0 && (share[6] - expected).abs() < 1e-9,
        "{expected} {}",
        share[6]
    );
    for (share, radius) in [0.5, 0.9, 0.99]
        .iter()
        .zip([radius[6], radius[22], radius[38]])
    {
        assert!(energy(&|r| r <= radius) >= share * all, "{share} {radius}");
        assert!(energy(&|r| r < radius) < share * all, "{share} {radius}");
    }
    let peak = [moves[6] + own[0], moves[16 + 6] + own[1]];
    let peak = (peak[0].round() * 48.0 + peak[1].round()) as usize;
    assert!(far(peak) > 2.0);
    let rivals = (0..row.len()).filter(|&i| far(i) > 2.0);
    assert!(rivals.map(|i| row[i].abs()).fold(0.0, f64::max) <= row[peak].abs());

    let report = folder.json("o/maps.json");
    assert_eq!(report["places"][0]["at"], "0,34,57");
    let told = report["places"][0]["off_diagonal"].as_f64().unwrap();
    assert!((told - share[6]).abs() < 1e-9);
    let whole = report["off_diagonal"]["whole"].as_f64().unwrap();
    assert!((feeds.iter().sum::<f64>() - whole).abs() < 1e-9);
    let manifest = folder.json("o/manifest.json");
    assert_eq!(manifest["maps"], report);
    let files = manifest["files"].as_array().unwrap();
    for name in ["templates.json", "feeds.png", "copy_move.svg", "maps.png"] {
        assert!(files.iter().any(|file| file["file"] == name), "{name}");
        assert!(folder.path(name).exists() || folder.path(&format!("o/{name}")).exists());
    }
}

/// Bicubic interpolation is a convolution for each sub-pixel; a template is what is asked for.
#[test]
fn bicubic_does_not_vary_and_templates_follow_their_threshold() {
    let folder = Folder::new();
    let (model, input) = (asset("graphs/bicubic.onnx"), asset("pictures/cat.png"));
    let args = [
        "maps", &model, "--input", &input, "--resize", "24x20", "--dtype", "f64",
    ];
    let json = folder.ok(&[
        &args[..],
        &["--json", "--out", "o", "--template-area", "12"],
    ]
    .concat());
    let manifest: serde_json::Value = serde_json::from_str(&json).expect("JSON on stdout");
    let maps = &manifest["maps"];
    assert_eq!(
        maps["shift_variance"]["steps_output_px"],
        serde_json::json!([3, 3])
    );
    let places = folder.npy("o/shift_variance.npy");
    let middle = places.0[places.1[1] * (places.1[0] / 2) + places.1[1] / 2];
    assert!(middle < 1e-12, "{middle}");
    assert_eq!(maps["off_diagonal"]["whole"], 0.0);
    let wide = maps["templates"]["wide_columns"].as_u64().unwrap();
    let listed = folder.json("o/templates.json");
    assert!(wide > 0 && !listed.as_array().unwrap().is_empty(), "{maps}");
    assert!(listed[0]["area"].as_f64().unwrap() >= 12.0);
    folder.ok(&[&args[..], &["--out", "p", "--template-area", "500"]].concat());
    assert_eq!(folder.json("p/templates.json"), serde_json::json!([]));
}

/// Behind units that are off a row is 0 everywhere: it is told, and no measure of it is a number.
#[test]
fn rows_that_hold_nothing_are_told() {
    let folder = Folder::new();
    let mut relu = NodeProto::new();
    (relu.op_type, relu.name) = ("Relu".into(), "relu".into());
    (relu.input, relu.output) = (vec!["x".into()], vec!["y".into()]);
    let end = |name| made::value(name, FLOAT, &[1, 1, 12, 12]);
    made::save(
        &folder,
        "off.onnx",
        vec![end("x")],
        vec![relu],
        vec![],
        vec![end("y")],
    );
    for (name, on) in [("half", 72), ("none", 0)] {
        let x: Vec<f32> = (0..144).map(|i| if i < on { 1.0 } else { -1.0 }).collect();
        let input = folder.write_npy(&format!("{name}.npy"), &x, &[1, 1, 12, 12]);
        let args = [
            "maps", "off.onnx", "--input", &input, "--at", "0,10,3", "--out", name,
        ];
        let said = folder.ok(&args);
        assert!(!said.contains("NaN"), "{said}");
        assert!(
            said.contains("row 0,10,3") && said.contains("all zero"),
            "{said}"
        );
        let sheet = std::fs::read_to_string(folder.path(&format!("{name}/maps.svg"))).unwrap();
        assert!(!sheet.contains("NaN"), "{name}");
        let page = folder.ok(&["analyse", "off.onnx", "--input", &input, "--out", "a"]);
        assert!(!page.contains("NaN"), "{page}");
    }
}

#[test]
fn what_makes_no_picture_is_refused_by_name() {
    let folder = Folder::new();
    let error = folder.fails(2, &["maps", &ops(), "--input", &ops_input()]);
    for word in ["[1, 5]", "[1, 3, 11, 13]", "contributions", "row"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    for (flags, word) in [
        (["--stride", "0"], "--stride"),
        (["--period", "0"], "--period"),
        (["--radius", "nan"], "--radius"),
        (["--template-area", "0"], "--template-area"),
        (["--at", "0,500,0"], "500"),
    ] {
        let (model, input) = (sr(), picture());
        let args = [&["maps", &model, "--input", &input][..], &flags].concat();
        let error = folder.fails(2, &args);
        assert!(error.contains(word), "{flags:?}: {error}");
    }
}

/// `svd` says what its pictures look like; scores are none.
#[test]
fn svd_notes_what_its_bases_look_like() {
    let folder = Folder::new();
    let args = ["svd", &sr(), "--input", &picture(), "--out", "o", "-k", "2"];
    let out = folder.ok(&args);
    assert!(
        out.contains("octaves") && out.contains("   v2") && out.contains("   u1"),
        "{out}"
    );
    let bases = &folder.json("o/manifest.json")["bases"];
    assert_eq!(bases["v"].as_array().unwrap().len(), 2);
    let (v, _) = folder.npy("o/v.npy");
    let first = &v[..48 * 48];
    let moment = |of: &dyn Fn(usize) -> f64| -> f64 {
        first.iter().enumerate().map(|(i, v)| v * v * of(i)).sum()
    };
    let total = moment(&|_| 1.0);
    let centre = [
        moment(&|i| (i / 48) as f64) / total,
        moment(&|i| (i % 48) as f64) / total,
    ];
    let spread =
        moment(&|i| ((i / 48) as f64 - centre[0]).powi(2) + ((i % 48) as f64 - centre[1]).powi(2));
    let spread = (spread / total).sqrt();
    let told = bases["v"][0]["spread"].as_f64().unwrap();
    assert!((told - spread).abs() < 1e-3 * spread, "{told} {spread}");
    for name in [
        "coverage",
        "coherence",
        "angle",
        "frequency",
        "octaves",
        "mean",
    ] {
        assert!(bases["u"][1][name].is_f64(), "{name}: {bases}");
    }

    let args = [
        "svd",
        &ops(),
        "--input",
        &ops_input(),
        "--out",
        "p",
        "-k",
        "2",
    ];
    folder.ok(&args);
    let bases = &folder.json("p/manifest.json")["bases"];
    assert!(bases["u"].is_null() && bases["v"].is_array(), "{bases}");
}
