//! `verify`: the promises of a model, and another program's output.

use serde_json::Value;

use crate::folder::{Folder, ops, ops_input, picture, sr};

fn verified(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn every_promise_holds_at_noise_and_at_an_input() {
    let folder = Folder::new();
    let text = folder.ok(&["verify", &sr()]);
    assert_eq!(text.matches("holds ").count(), 6, "{text}");
    assert!(text.contains("noise of seed 1"), "{text}");
    for args in [
        &["verify", &sr(), "--shape", "1,1,20,24", "--json"][..],
        &[
            "verify",
            &sr(),
            "--input",
            &picture(),
            "--dtype",
            "f64",
            "--json",
        ],
        &["verify", &ops(), "--input", &ops_input(), "--json"],
    ] {
        let found = verified(&folder.ok(args));
        assert_eq!(
            (&found["schema"], &found["holds"]),
            (&2.into(), &true.into())
        );
        let checks = found["checks"].as_array().expect("checks");
        assert_eq!(checks.len(), 6, "{found}");
        for check in checks {
            let number = |key: &str| check[key].as_f64().expect("a number");
            assert!(
                number("error") <= number("limit") && number("limit") <= 1e-4,
                "{check}"
            );
        }
        assert_eq!(
            checks[0]["error"], 0.0,
            "the reference, bit by bit on the CPU"
        );
    }
}

/// The network's own output is a reference it agrees with; another is one it does not: 4.
#[test]
fn a_reference_is_compared() {
    let folder = Folder::new();
    folder.ok(&[
        "verify",
        &sr(),
        "--shape",
        "1,1,12,10",
        "--write-input",
        "x.npy",
    ]);
    folder.ok(&["run", &sr(), "--input", "x.npy", "--out", "o"]);
    let (y, shape) = folder.npy("o/output.npy");
    let made = folder.path("o/output.npy").display().to_string();
    let args = ["verify", &sr(), "--input", "x.npy", "--reference"];
    let found = verified(&folder.ok(&[&args[..], &[&made, "--json"]].concat()));
    assert_eq!(found["checks"][6]["error"], 0.0);

    let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    let mut other: Vec<f32> = y.iter().map(|&v| v as f32).collect();
    let largest = other.iter().fold(0f32, |a, b| a.max(b.abs()));
    other[7] += 3e-4 * largest;
    let file = folder.write_npy("other.npy", &other, &shape);
    let error = folder.fails(4, &[&args[..], &[&file]].concat());
    assert!(
        error.contains("the reference file: 3.0e-4, limit 1e-4"),
        "{error}"
    );
    assert!(error.contains("hint: "), "{error}");
    // In JSON, too, and with the same exit code.
    let output = folder.run(&[&args[..], &[&file, "--json"]].concat());
    assert_eq!(output.status.code(), Some(4));
    let found = verified(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(found["holds"], false);
    assert_eq!(found["checks"][6]["holds"], false);

    let file = folder.write_npy("short.npy", &other[..5], &[1, 5]);
    let error = folder.fails(2, &[&args[..], &[&file]].concat());
    assert!(
        error.contains("[1, 5]") && error.contains("short.npy"),
        "{error}"
    );
}

/// What another program makes of a classifier has its softmax; what is frozen has not.
#[test]
fn a_reference_holds_the_final_softmax() {
    use onnx_ir::{Message, ModelProto, NodeProto};
    let folder = Folder::new();
    let mut model = ModelProto::parse_from_bytes(&std::fs::read(ops()).unwrap()).unwrap();
    let graph = model.graph.mut_or_insert_default();
    let scores = graph.output[0].name.clone();
    let mut softmax = NodeProto::new();
    softmax.op_type = "Softmax".into();
    softmax.name = "last".into();
    softmax.input = vec![scores];
    softmax.output = vec!["probabilities".into()];
    graph.node.push(softmax);
    graph.output[0].name = "probabilities".into();
    std::fs::write(folder.path("soft.onnx"), model.write_to_bytes().unwrap()).unwrap();

    folder.ok(&["run", &ops(), "--input", &ops_input(), "--out", "o"]);
    let (y, shape) = folder.npy("o/output.npy");
    let made = folder.path("o/output.npy").display().to_string();
    let total: f64 = y.iter().map(|v| v.exp()).sum();
    let soft: Vec<f32> = y.iter().map(|v| (v.exp() / total) as f32).collect();
    let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    let file = folder.write_npy("soft.npy", &soft, &shape);
    let args = [
        "verify",
        "soft.onnx",
        "--input",
        &ops_input(),
        "--reference",
    ];
    let found = verified(&folder.ok(&[&args[..], &[&file, "--json"]].concat()));
    assert_eq!(found["final_softmax_left_out"][0], "last");
    assert!(
        found["checks"][6]["error"].as_f64().unwrap() < 1e-5,
        "{found}"
    );
    // The scores are not the probabilities.
    folder.fails(4, &[&args[..], &[&made]].concat());
}

#[test]
fn what_cannot_be_verified() {
    let folder = Folder::new();
    let error = folder.fails(2, &["verify", &sr(), "--shape", "1,3,8,8"]);
    assert!(
        error.contains("[1, 3, 8, 8]") && error.contains("hint: "),
        "{error}"
    );
    let output = folder.run(&["verify", &sr(), "--shape", "1,1,8,8", "--input", &picture()]);
    assert_eq!(output.status.code(), Some(2));
    let error = folder.fails(2, &["verify", &sr(), "--reference", "absent.npy"]);
    assert!(error.contains("absent.npy"), "{error}");
}
