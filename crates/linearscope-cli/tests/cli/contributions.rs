//! `contributions`.

use std::fs;

use serde_json::Value;

use crate::folder::{Folder, assets, ops, ops_input, text};

#[test]
fn contributions_sum_to_the_score() {
    let folder = Folder::new();
    let out = folder.ok(&[
        "contributions",
        &ops(),
        "--input",
        &ops_input(),
        "--out",
        "c",
    ]);
    assert!(out.contains("residual share"), "{out}");
    let layers = folder.json("c/contributions.json");
    let layers = layers.as_array().expect("a list");
    assert_eq!(layers[0]["name"], "input");
    assert_eq!(layers[1]["name"], "conv1");
    let manifest = folder.json("c/manifest.json");
    let score = manifest["contributions"]["score"].as_f64().unwrap();
    let sum: f64 = layers.iter().map(|l| l["value"].as_f64().unwrap()).sum();
    assert!((sum - score).abs() < 1e-4 * score.abs(), "{sum} {score}");
    for layer in layers {
        let share = layer["value"].as_f64().unwrap() / score;
        assert!((layer["share"].as_f64().unwrap() - share).abs() < 1e-12);
    }
    folder.ok(&[
        "contributions",
        &ops(),
        "--input",
        &ops_input(),
        "--target",
        "3",
    ]);
}

#[test]
fn contributions_come_as_a_chart() {
    let folder = Folder::new();
    folder.ok(&[
        "contributions",
        &ops(),
        "--input",
        &ops_input(),
        "--out",
        "o",
    ]);
    let svg = fs::read_to_string(folder.path("o/contributions.svg")).unwrap();
    assert!(svg.contains("Contributions to output") && svg.contains(">input<"));
    let png = image::open(folder.path("o/contributions.png")).unwrap();
    assert!(png.width() > 700 && png.height() > 100);
}

/// The paper asks about scores: a classifier's last softmax is left out, and the program says so.
#[test]
fn a_final_softmax_is_left_out_with_a_notice() {
    use onnx_ir::{Message, ModelProto};
    let folder = Folder::new();
    let vgg = assets().join("vgg/vgg.onnx");
    let mut model = ModelProto::parse_from_bytes(&fs::read(&vgg).unwrap()).unwrap();
    let graph = model.graph.mut_or_insert_default();
    let scores = graph.output[0].name.clone();
    let mut softmax = graph.node.last().unwrap().clone();
    softmax.op_type = "Softmax".into();
    softmax.name = "probabilities".into();
    softmax.attribute.clear();
    softmax.input = vec![scores];
    softmax.output = vec!["p".into()];
    graph.node.push(softmax);
    graph.output[0].name = "p".into();
    fs::write(folder.path("p.onnx"), model.write_to_bytes().unwrap()).unwrap();
    let shape: Vec<u64> = {
        let seen = folder.ok(&["inspect", vgg.to_str().unwrap(), "--json"]);
        let seen: Value = serde_json::from_str(&seen).unwrap();
        let shape = seen["input"]["shape"].as_array().unwrap();
        shape.iter().map(|size| size.as_u64().unwrap()).collect()
    };
    let count = shape.iter().product::<u64>();
    let values: Vec<f32> = (0..count).map(|i| (i % 17) as f32 / 17.0).collect();
    let x = folder.write_npy("x.npy", &values, &shape);
    let run = folder.run(&["run", "p.onnx", "--input", &x, "--out", "p"]);
    let said = text(&run.stderr);
    assert!(run.status.success(), "{said}");
    assert!(
        said.contains("notice: ") && said.contains("\"probabilities\" at the end is left out"),
        "{said}"
    );
    folder.ok(&[
        "run",
        vgg.to_str().unwrap(),
        "--input",
        &x,
        "--out",
        "scores",
    ]);
    assert_eq!(folder.npy("p/output.npy"), folder.npy("scores/output.npy"));
    let left_out = |name: &str| folder.json(name)["final_softmax_left_out"].clone();
    assert_eq!(
        left_out("p/manifest.json"),
        serde_json::json!(["probabilities"])
    );
    assert_eq!(left_out("scores/manifest.json"), serde_json::json!([]));
}
