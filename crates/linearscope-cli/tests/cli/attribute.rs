//! `attribute`.

mod composites;
mod trust;

use std::fs;

use crate::folder::{Folder, close, ops, ops_input, picture, scene, sr, vgg};

#[test]
fn the_default_map_sums_to_the_score_and_lies_over_the_photograph() {
    let folder = Folder::new();
    let out = folder.ok(&["attribute", &vgg(), "--input", &scene(), "--out", "a"]);
    assert!(
        out.contains("conserving") && out.contains("towards black"),
        "{out}"
    );
    folder.ok(&["run", &vgg(), "--input", &scene(), "--out", "r"]);
    let (scores, _) = folder.npy("r/output.npy");
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (map, shape) = folder.npy("a/attribution.npy");
    assert_eq!(shape, [1, 3, 48, 48]);
    let sum: f64 = map.iter().sum();
    assert!((sum - best).abs() < 1e-4 * best.abs(), "{sum} {best}");
    let line = &folder.json("a/attributions.json")[0];
    let number = |name: &str| line[name].as_f64().expect(name);
    assert!((number("positive") + number("negative") - sum).abs() < 1e-9 * best.abs());
    assert_eq!(number("promised"), number("score"));
    let svg = fs::read_to_string(folder.path("a/attribution.svg")).expect("drawn");
    assert!(svg.contains("vermilion above 0") && svg.contains("sums to"));
    let trust = &folder.json("a/manifest.json")["trust"];
    assert_eq!(trust.as_array().map(Vec::len), Some(3));
    assert!(trust[0]["exact"].as_f64().expect("piecewise linear") > 0.0);
}

#[test]
fn several_targets_and_methods_stand_side_by_side() {
    let folder = Folder::new();
    let methods = ["row", "lrp-epsilon-plus", "grad-cam", "occlusion:12"];
    let mut args = vec!["attribute".to_string(), vgg(), "--input".into(), scene()];
    for method in methods {
        args.extend(["--method".into(), method.into()]);
    }
    args.extend(["--target", "2", "--target", "0", "--out", "a"].map(String::from));
    let args: Vec<&str> = args.iter().map(|arg| &**arg).collect();
    folder.ok(&args);
    let (maps, shape) = folder.npy("a/attribution.npy");
    assert_eq!(shape, [8, 1, 3, 48, 48]);
    let lines = folder.json("a/attributions.json");
    let lines = lines.as_array().expect("lines");
    assert_eq!(lines.len(), 8);
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(line["target"], ["2", "0"][i / 4]);
        assert_eq!(line["method"], methods[i % 4]);
        let sum: f64 = maps[i * 6912..(i + 1) * 6912].iter().sum();
        assert!((line["sum"].as_f64().expect("a sum") - sum).abs() < 1e-6 * sum.abs().max(1.0));
    }
    // A row is what `row` says, times x₀.
    folder.ok(&[
        "row",
        &vgg(),
        "--input",
        &scene(),
        "--target",
        "2",
        "--out",
        "r",
    ]);
    let (row, _) = folder.npy("r/row.npy");
    let (x0, _) = folder.npy("r/x0.npy");
    let times: Vec<f64> = row.iter().zip(&x0).map(|(a, b)| a * b).collect();
    assert!(close(&maps[..6912], &times, 1e-6));
}

#[test]
fn classes_are_named_and_parts_of_pictures_are_targets() {
    let folder = Folder::new();
    folder.ok(&["run", &vgg(), "--input", &scene(), "--out", "r"]);
    let classes = folder.npy("r/output.npy").0.len();
    let names: String = (0..classes)
        .map(|i| format!("thing {i}, kind {}\n", i / 2))
        .collect();
    fs::write(folder.path("names.txt"), names).expect("written");
    let (vgg, scene) = (vgg(), scene());
    let common = ["attribute", &vgg, "--input", &scene, "--labels"];
    let with = |more: &[&'static str]| [&common[..], &["names.txt", "--out", "a"], more].concat();
    folder.ok(&with(&["--target", "THING 1, kind 0"]));
    assert_eq!(folder.json("a/attributions.json")[0]["target"], "1");
    let told = folder.fails(2, &with(&["--target", "kind 0"]));
    assert!(told.contains("2 labels contain it"), "{told}");
    let told = folder.fails(2, &with(&["--target", "nothing"]));
    assert!(told.contains("no such class"), "{told}");
    // Of a picture, one output, and a part whose map is the sum of its pixels'.
    let sr = sr();
    let of = |target: &str, out: &str| {
        folder.ok(&[
            "attribute",
            &sr,
            "--input",
            &picture(),
            "--target",
            target,
            "--out",
            out,
            "--dtype",
            "f64",
        ]);
        folder.npy(&format!("{out}/attribution.npy")).0
    };
    let whole = of("0,10..12,7", "part");
    let both: Vec<f64> = (of("0,10,7", "one").iter())
        .zip(&of("0,11,7", "two"))
        .map(|(a, b)| a + b)
        .collect();
    assert!(close(&whole, &both, 1e-10));
}

#[test]
fn a_folder_has_a_map_a_picture() {
    let folder = Folder::new();
    fs::create_dir(folder.path("in")).expect("made");
    for name in ["one.png", "two.png"] {
        fs::copy(scene(), folder.path("in").join(name)).expect("copied");
    }
    let out = folder.ok(&["attribute", &vgg(), "--input", "in", "--out", "o"]);
    assert!(out.contains("one.png") && out.contains("sums to"), "{out}");
    for name in ["one.png", "two.png"] {
        let map = folder.path(&format!("o/in/attribute/{name}/attribution.npy"));
        assert!(map.exists(), "{out}");
    }
}

/// An array has no black, and a vector no places.
#[test]
fn what_means_nothing_here_is_refused() {
    let folder = Folder::new();
    let (ops, input) = (ops(), ops_input());
    let common = ["attribute", &ops, "--input", &input];
    for (more, why) in [
        (&["--method", "magic"][..], "no such method"),
        (&["--method", "lrp-conv=magic"], "is not a rule"),
        (&["--composite", "fist=box"], "first, last, conv"),
        (&["--composite", "nowhere.toml"], "nowhere.toml"),
        (&["--baseline", "black"], "black and white are not defined"),
        (&["--baseline", "nowhere.png"], "nowhere.png"),
        (&["--percentile", "0"], "--percentile"),
        (&["--target", "cat"], "no labels were given"),
        (&["--method", "lrp-epsilon-gamma-box"], "box"),
    ] {
        let told = folder.fails(2, &[&common[..], more].concat());
        assert!(told.contains(why), "{more:?}: {told}");
    }
}
