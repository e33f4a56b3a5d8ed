//! `attack`.

use std::fs;

use crate::folder::{Folder, ops, ops_input, picture, scene, sr, vgg};

#[test]
fn an_attack_in_pixels_stays_within_them() {
    let folder = Folder::new();
    let out = folder.ok(&[
        "attack",
        &vgg(),
        "--input",
        &scene(),
        "--out",
        "a",
        "--eps",
        "8",
        "--steps",
        "5",
    ]);
    assert!(
        out.contains("PGD, 5 steps") && out.contains("decisions flipped"),
        "{out}"
    );
    let manifest = folder.json("a/manifest.json");
    let found = &manifest["attack"];
    assert_ne!(found["class_before"], found["class_after"], "{out}");
    folder.ok(&["run", &vgg(), "--input", &scene(), "--out", "r"]);
    let (x, shape) = folder.npy("a/adversarial.npy");
    let (delta, _) = folder.npy("a/perturbation.npy");
    assert_eq!(shape, [1, 3, 48, 48]);
    // Each channel is in −1..1, so a level of 255 is 2/255.
    let largest = delta.iter().fold(0f64, |m, v| m.max(v.abs()));
    assert!((largest - 16.0 / 255.0).abs() < 1e-6, "{largest}");
    assert!(x.iter().all(|v| (-1.0 - 1e-6..=1.0 + 1e-6).contains(v)));
    // The array goes in as it is, and is read as the manifest says.
    folder.ok(&[
        "run",
        &vgg(),
        "--input",
        folder.path("a/adversarial.npy").to_str().expect("a path"),
        "--out",
        "again",
    ]);
    let (y, _) = folder.npy("again/output.npy");
    let best = (0..y.len()).max_by(|a, b| y[*a].total_cmp(&y[*b])).unwrap();
    assert_eq!(found["class_after"], best);
    let path = found["path"].as_array().unwrap();
    assert_eq!(path.len(), 6);
    assert!(path[5]["loss"].as_f64() > path[0]["loss"].as_f64());
    let flips = folder.json("a/flips.json");
    let flips = flips.as_array().unwrap();
    assert!(
        flips.iter().any(|f| f["kind"] == "switches")
            && flips.iter().any(|f| f["kind"] == "slope_mask")
    );
    assert!(flips.iter().any(|f| f["flipped"].as_u64() > Some(0)));
    for when in ["before", "after"] {
        let layers = folder.json(&format!("a/contributions_{when}.json"));
        let sum: f64 = layers
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l["value"].as_f64().unwrap())
            .sum();
        let score = found[format!("contributions_{when}")]["score"]
            .as_f64()
            .unwrap();
        assert!(
            (sum - score).abs() < 1e-4 * score.abs().max(1.0),
            "{when}: {sum} {score}"
        );
        assert!(folder.path(&format!("a/votes_{when}.npy")).exists());
    }
    for name in [
        "adversarial.png",
        "attack.png",
        "contributions.png",
        "perturbation.png",
    ] {
        assert!(
            image::open(folder.path(&format!("a/{name}"))).is_ok(),
            "{name}"
        );
    }
    let svg = fs::read_to_string(folder.path("a/attack.svg")).unwrap();
    assert!(svg.contains("votes before") && svg.contains("votes after"));
}

#[test]
fn an_attack_goes_where_it_is_sent() {
    let folder = Folder::new();
    let (model, input) = (vgg(), scene());
    let with = |more: &[&'static str]| {
        let mut args = vec!["attack", &model, "--input", &input];
        args.extend(more);
        args.into_iter().map(String::from).collect::<Vec<_>>()
    };
    let ok = |args: Vec<String>| folder.ok(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let fails =
        |args: Vec<String>| folder.fails(2, &args.iter().map(String::as_str).collect::<Vec<_>>());
    ok(with(&[
        "--eps",
        "24",
        "--steps",
        "20",
        "--target",
        "1",
        "--random-start",
        "3",
        "--loss",
        "score",
        "--out",
        "t",
    ]));
    let manifest = folder.json("t/manifest.json");
    assert_eq!(manifest["attack"]["class_after"], 1);
    let err = fails(with(&["--eps", "2", "--target", "5"]));
    assert!(err.contains("already"), "{err}");
    let err = fails(with(&["--eps", "2", "--target", "8"]));
    assert!(err.contains("0 to 7"), "{err}");
}

#[test]
fn arrays_are_attacked_in_their_own_units() {
    let folder = Folder::new();
    folder.ok(&[
        "attack",
        &ops(),
        "--input",
        &ops_input(),
        "--eps",
        "0.01",
        "--eps-unit",
        "input",
        "--out",
        "a",
    ]);
    let (delta, _) = folder.npy("a/perturbation.npy");
    let largest = delta.iter().fold(0f64, |m, v| m.max(v.abs()));
    assert!((largest - 0.01).abs() < 1e-6, "{largest}");
    assert_eq!(
        folder.json("a/manifest.json")["attack"]["valid_range"],
        false
    );
    let err = folder.fails(
        2,
        &["attack", &ops(), "--input", &ops_input(), "--eps", "2"],
    );
    assert!(err.contains("--eps-unit input"), "{err}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = Folder::new();
    let err = folder.fails(2, &["attack", &sr(), "--input", &picture(), "--eps", "2"]);
    assert!(err.contains("not a classifier"), "{err}");
    for eps in ["0", "-1", "NaN", "inf", "300"] {
        let err = folder.fails(2, &["attack", &vgg(), "--input", &scene(), "--eps", eps]);
        assert!(err.contains("--eps"), "{eps}: {err}");
    }
    let err = folder.fails(
        2,
        &[
            "attack",
            &vgg(),
            "--input",
            &scene(),
            "--eps",
            "2",
            "--steps",
            "0",
        ],
    );
    assert!(err.contains("--steps 0"), "{err}");
}
