//! What cannot be done ends with its exit code and a clear word.

use std::fs;

use crate::folder::{Folder, ops, ops_input, picture, sr, text};

#[test]
fn bad_models_end_with_2() {
    let folder = Folder::new();
    fs::write(folder.path("text.onnx"), "this is a text file\n").unwrap();
    let error = folder.fails(2, &["run", "text.onnx", "--input", &picture()]);
    assert!(
        error.contains("text.onnx") && error.contains("ONNX"),
        "{error}"
    );
    let whole = fs::read(ops()).unwrap();
    fs::write(folder.path("cut.onnx"), &whole[..whole.len() / 2]).unwrap();
    let error = folder.fails(2, &["run", "cut.onnx", "--input", &ops_input()]);
    assert!(error.contains("cut.onnx"), "{error}");
    fs::write(folder.path("empty.onnx"), "").unwrap();
    folder.fails(2, &["run", "empty.onnx", "--input", &picture()]);
    let error = folder.fails(2, &["run", "absent.onnx", "--input", &picture()]);
    assert!(error.contains("absent.onnx"), "{error}");
}

#[test]
fn bad_inputs_end_with_2_and_name_the_numbers() {
    let folder = Folder::new();
    // A picture for a network of fixed size, which a flag gives another.
    let error = folder.fails(2, &["run", &ops(), "--input", &picture(), "--crop", "48"]);
    assert!(
        error.contains("[1, 3, 48, 48]") && error.contains("[N, 3, 11, 13]"),
        "{error}"
    );
    let mut values = vec![0.5f32; 429];
    values[100] = f32::NAN;
    let nan = folder.write_npy("nan.npy", &values, &[1, 3, 11, 13]);
    let error = folder.fails(2, &["run", &ops(), "--input", &nan]);
    assert!(
        error.contains("nan.npy") && error.contains("100"),
        "{error}"
    );
    let short = folder.write_npy("short.npy", &[0.0; 6], &[1, 6]);
    let error = folder.fails(2, &["run", &ops(), "--input", &short]);
    assert!(error.contains("[1, 6]"), "{error}");
    let error = folder.fails(2, &["run", &ops(), "--input", "absent.npy"]);
    assert!(error.contains("absent.npy"), "{error}");
    fs::write(folder.path("lies.npy"), b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,)}  \n").unwrap();
    let error = folder.fails(2, &["run", &ops(), "--input", "lies.npy"]);
    assert!(error.contains("lies.npy"), "{error}");
    fs::write(folder.path("broken.png"), b"\x89PNG\r\n\x1a\nrubbish").unwrap();
    let error = folder.fails(2, &["run", &sr(), "--input", "broken.png"]);
    assert!(error.contains("broken.png"), "{error}");
    let error = folder.fails(
        2,
        &["run", &sr(), "--input", &picture(), "--resize", "60000"],
    );
    assert!(error.contains("60000x60000"), "{error}");
    for at in ["5", "-1", "x", "1,2,3"] {
        let at = format!("--at={at}");
        let error = folder.fails(2, &["row", &ops(), "--input", &ops_input(), &at]);
        assert!(
            error.contains("hint: for a tensor of shape [1, 5] give k"),
            "{error}"
        );
    }
    let error = folder.fails(
        2,
        &["column", &ops(), "--input", &ops_input(), "--at", "0,11,0"],
    );
    assert!(
        error.contains("index 11 is outside axis 1, which has 11 entries"),
        "{error}"
    );
}

#[test]
fn an_unwritable_out_ends_with_2_before_anything_is_computed() {
    let folder = Folder::new();
    fs::write(folder.path("file"), "not a folder").unwrap();
    let error = folder.fails(
        2,
        &[
            "run",
            &ops(),
            "--input",
            &ops_input(),
            "--out",
            "file/inside",
        ],
    );
    assert!(
        error.contains("file/inside") && error.contains("nothing has been computed"),
        "{error}"
    );
}

/// An op the loader knows but no rule freezes, and one it does not know: 3, with the node's name.
#[test]
fn unsupported_ops_end_with_3() {
    let folder = Folder::new();
    use onnx_ir::{Message, ModelProto};
    let whole = fs::read(ops()).unwrap();
    for (file, op) in [("round.onnx", "Round"), ("unknown.onnx", "Sigmoin")] {
        let mut model = ModelProto::parse_from_bytes(&whole).unwrap();
        for node in &mut model.graph.mut_or_insert_default().node {
            if node.op_type == "Sigmoid" {
                node.op_type = op.into();
            }
        }
        fs::write(folder.path(file), model.write_to_bytes().unwrap()).unwrap();
    }
    let error = folder.fails(3, &["run", "round.onnx", "--input", &ops_input()]);
    assert!(
        error.contains("in node \"sigmoid\" (op float_round)"),
        "{error}"
    );
    let error = folder.fails(3, &["run", "unknown.onnx", "--input", &ops_input()]);
    assert!(error.contains("Sigmoin"), "{error}");
    // A survey lists what is refused, and goes on.
    let seen = folder.ok(&["inspect", "round.onnx"]);
    assert!(
        seen.contains("1 refused") && seen.contains("node \"sigmoid\", Round: no rule yet"),
        "{seen}"
    );
    assert!(seen.contains("cannot be frozen yet"), "{seen}");
    // So does a look at a file that cannot be run at all.
    let error = folder.fails(3, &["inspect", "unknown.onnx"]);
    assert!(error.contains("Sigmoin (node \"sigmoid\")"), "{error}");
    assert!(
        error.contains("hint: ") && error.contains("README.md"),
        "{error}"
    );
    let output = folder.run(&["inspect", "unknown.onnx"]);
    let seen = text(&output.stdout);
    assert!(seen.contains("cannot be run: 1 of"), "{seen}");
    let row = seen
        .lines()
        .find(|line| line.contains("Sigmoin"))
        .expect("its row");
    assert!(row.contains("sigmoid") && row.ends_with("refused"), "{row}");
    let output = folder.run(&["inspect", "unknown.onnx", "--json"]);
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(seen["can_be_run"], false);
    let nodes = seen["nodes"].as_array().expect("nodes");
    assert!(nodes.len() > 5, "{seen}");
    let refused: Vec<_> = nodes
        .iter()
        .filter(|node| node["refused"] == true)
        .collect();
    assert_eq!(refused.len(), 1, "{seen}");
    assert_eq!(
        (&refused[0]["node"], &refused[0]["op"]),
        (&"sigmoid".into(), &"Sigmoin".into())
    );
}

/// What happened, where, in which numbers; and what to do about it: a line each.
#[test]
fn errors_of_files_are_two_lines() {
    use onnx_ir::{Message, ModelProto};
    let folder = Folder::new();
    let whole = ModelProto::parse_from_bytes(&fs::read(ops()).unwrap()).unwrap();
    let save = |name: &str, change: &dyn Fn(&mut onnx_ir::GraphProto)| {
        let mut model = whole.clone();
        change(model.graph.mut_or_insert_default());
        fs::write(folder.path(name), model.write_to_bytes().unwrap()).unwrap();
    };
    save("gru.onnx", &|graph| {
        let mut nodes = graph.node.iter_mut();
        nodes
            .find(|node| node.op_type == "Sigmoid")
            .unwrap()
            .op_type = "GRU".into();
    });
    save("attribute.onnx", &|graph| {
        let mut nodes = graph.node.iter_mut();
        let pool = nodes.find(|node| node.op_type == "MaxPool").unwrap();
        let mut pads = onnx_ir::AttributeProto::new();
        pads.name = "auto_pad".into();
        pads.type_ = onnx_ir::AttributeType::STRING.into();
        pads.s = b"SAME_SIDEWAYS".to_vec().into();
        pool.attribute.push(pads);
    });
    save("beside.onnx", &|graph| {
        let weight = &mut graph.initializer[0];
        weight.raw_data = Vec::new().into();
        weight.float_data = Vec::new();
        weight.external_data.push(Default::default());
        weight.external_data[0].key = "location".into();
        weight.external_data[0].value = "weights.bin".into();
    });
    let bytes = fs::read(ops()).unwrap();
    fs::write(folder.path("cut.onnx"), &bytes[..bytes.len() - 100]).unwrap();
    let wide = folder.write_npy("wide.npy", &[0.5; 3 * 11 * 14], &[1, 3, 11, 14]);
    let cases = [
        (
            3,
            "gru.onnx",
            "error: in node \"sigmoid\": ONNX op GRU",
            "unrolled",
        ),
        (
            3,
            "attribute.onnx",
            "MaxPool with auto_pad SAME_SIDEWAYS",
            "docs/book/src/onnx.md",
        ),
        (2, "beside.onnx", "\"weights.bin\"", "next to the model"),
        (2, "cut.onnx", "bytes, ", "complete"),
    ];
    let fails = |code, model: &str, input: &str, what: &str, hint: &str| {
        let error = folder.fails(code, &["run", model, "--input", input]);
        let lines: Vec<&str> = error.trim_end().lines().collect();
        assert_eq!(lines.len(), 2, "{error}");
        assert!(lines[0].contains(what), "{error}");
        assert!(
            lines[1].starts_with("hint: ") && lines[1].contains(hint),
            "{error}"
        );
    };
    for (code, model, what, hint) in cases {
        fails(code, model, &ops_input(), what, hint);
    }
    fails(
        2,
        &ops(),
        &wide,
        "takes shape [N, 3, 11, 13], but got [1, 3, 11, 14]",
        "resize",
    );
}

#[test]
fn usage_errors_end_with_2() {
    let folder = Folder::new();
    let output = folder.run(&["run"]);
    assert_eq!(output.status.code(), Some(2));
    let output = folder.run(&["project", &ops(), "--input", &ops_input()]);
    assert_eq!(output.status.code(), Some(2));
}

/// Absurd shapes are refused before anything is allocated.
#[test]
fn absurd_shapes_are_refused() {
    let folder = Folder::new();
    for shape in [
        "1,1,100000,100000",
        "1000000,1,64,64",
        "1,1,0,8",
        "9999999999999,9999999999999,2,2",
    ] {
        let error = folder.fails(2, &["inspect", &sr(), "--shape", shape]);
        assert!(error.contains("2³⁰"), "{shape}: {error}");
    }
}
