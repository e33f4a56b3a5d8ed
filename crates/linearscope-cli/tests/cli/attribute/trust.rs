//! What `attribute` says of how much a reading hangs on the rule for smooth units.

use onnx_ir::NodeProto;
use serde_json::Value;

use crate::{
    folder::{Folder, ops, ops_input, scene, vgg},
    made::{self, FLOAT},
};

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// What other rules make of a row is what `row` makes of it under them.
#[test]
fn a_smooth_network_says_by_how_much_rules_differ() {
    let folder = Folder::new();
    let (ops, input) = (ops(), ops_input());
    let on = |command: &str, out: &str, more: &[&str]| {
        let common = [
            command, &ops, "--input", &input, "--dtype", "f64", "--target", "1",
        ];
        folder.ok(&[&common[..], &["--out", out], more].concat())
    };
    let out = on("attribute", "a", &[]);
    assert!(
        out.contains("F is not the gradient here") && out.contains("--rules taylor (the gradient"),
        "{out}"
    );
    let compared = &folder.json("a/manifest.json")["rules_compared"][0];
    assert_eq!(compared["target"], "1");
    on("row", "own", &[]);
    let row = folder.npy("own/row.npy").0;
    let x0 = folder.npy("own/x0.npy").0;
    let others = compared["others"].as_array().expect("a list");
    assert_eq!(others.len(), 2);
    for (other, rules) in others.iter().zip(["taylor", "mask"]) {
        assert_eq!(other["rules"], rules);
        on("row", rules, &["--rules", rules]);
        let under = folder.npy(&format!("{rules}/row.npy")).0;
        for (part, times) in [("row", false), ("row_input", true)] {
            let weighted = |row: &[f64]| -> Vec<f64> {
                let weight = |x: f64| if times { x } else { 1.0 };
                row.iter().zip(&x0).map(|(a, x)| a * weight(*x)).collect()
            };
            let (a, b) = (weighted(&under), weighted(&row));
            let gap: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
            let dot: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            let number = |name: &str| other[part][name].as_f64().expect(name);
            assert!(
                (number("distance") - norm(&gap) / norm(&b)).abs() < 1e-9,
                "{other}"
            );
            assert!(
                (number("cosine") - dot / norm(&a) / norm(&b)).abs() < 1e-9,
                "{other}"
            );
        }
    }
    let distance = |at: usize| others[at]["row"]["distance"].as_f64().expect("a number");
    assert!(distance(0) > 1e-3, "{compared}");

    // Under the gradient's rules it is the gradient, and the secant is what differs.
    let out = on("attribute", "t", &["--rules", "taylor"]);
    assert!(
        out.contains("F is the gradient here") && out.contains("under --rules secant"),
        "{out}"
    );
    let others = &folder.json("t/manifest.json")["rules_compared"][0]["others"];
    assert_eq!(others[1]["rules"], "taylor");
    assert_eq!(others[1]["row"]["distance"], 0.0);
}

#[test]
fn a_piecewise_linear_network_has_nothing_to_choose() {
    let folder = Folder::new();
    let out = folder.ok(&["attribute", &vgg(), "--input", &scene(), "--out", "a"]);
    assert!(!out.contains("the gradient"), "{out}");
    assert_eq!(
        folder.json("a/manifest.json")["rules_compared"],
        Value::Null
    );
}

/// A rule that refuses is told by name, and loses nothing else.
#[test]
fn a_rule_that_refuses_here_loses_the_others_nothing() {
    let folder = Folder::new();
    let mut node = NodeProto::new();
    (node.op_type, node.name) = ("Sigmoid".into(), "unit".into());
    (node.input, node.output) = (vec!["x".into()], vec!["y".into()]);
    let ends = |name| vec![made::value(name, FLOAT, &[1, 4])];
    made::save(
        &folder,
        "net.onnx",
        ends("x"),
        vec![node],
        Vec::new(),
        ends("y"),
    );
    folder.write_npy("x.npy", &[0.0, 1.0, -2.0, 3.0], &[1, 4]);
    let out = folder.ok(&["attribute", "net.onnx", "--input", "x.npy", "--out", "a"]);
    assert!(
        out.contains("under --rules taylor (the gradient")
            && out.contains("unknown under --rules mask, which do not apply"),
        "{out}"
    );
    let others = &folder.json("a/manifest.json")["rules_compared"][0]["others"];
    assert!(
        others[0]["row"]["distance"]
            .as_f64()
            .is_some_and(|apart| apart > 0.0)
    );
    let why = others[1]["refused"].as_str().unwrap_or_default();
    assert!(why.contains("unit"), "{others}");
    assert_eq!(folder.npy("a/attribution.npy").1, [1, 4]);
}
