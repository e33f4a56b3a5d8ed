//! Networks of signals and of volumes: what is shown is of their dimension, and what is not is said.

use std::fs;

use onnx_ir::{AttributeProto, AttributeType, NodeProto, TensorProto};

use crate::{
    folder::{Folder, noise},
    made::{self, FLOAT},
};

fn node(op: &str, name: &str, inputs: &[&str], attributes: &[(&str, Vec<i64>)]) -> NodeProto {
    let mut node = NodeProto::new();
    (node.op_type, node.name) = (op.into(), name.into());
    node.input = inputs.iter().map(|name| (*name).into()).collect();
    node.output = vec![name.into()];
    for (key, ints) in attributes {
        let mut attribute = AttributeProto::new();
        attribute.name = (*key).into();
        attribute.type_ = AttributeType::INTS.into();
        attribute.ints = ints.clone();
        node.attribute.push(attribute);
    }
    node
}

fn weight(name: &str, shape: &[i64]) -> TensorProto {
    let mut tensor = TensorProto::new();
    (tensor.name, tensor.data_type, tensor.dims) = (name.into(), 1, shape.to_vec());
    let values = noise(shape.iter().product::<i64>() as usize);
    tensor.float_data = values.iter().map(|v| v - 0.5).collect();
    tensor
}

/// Two convolutions of 3 cells a side with a ReLU between, `padding` cells each, from `channels` to 4 to `channels`;
/// x as an array beside it.
fn network(folder: &Folder, name: &str, channels: i64, space: &[i64], padding: i64) -> [String; 2] {
    let axes = space.len();
    let kernel = vec![3; axes];
    let conv = |name: &str, x: &str, w: &str| {
        let pads = vec![padding; 2 * axes];
        node(
            "Conv",
            name,
            &[x, w],
            &[("kernel_shape", kernel.clone()), ("pads", pads)],
        )
    };
    let of = |out: i64, within: i64| [vec![out, within], kernel.clone()].concat();
    let nodes = vec![
        conv("first", "x", "w1"),
        node("Relu", "relu", &["first"], &[]),
        conv("y", "relu", "w2"),
    ];
    let weights = vec![
        weight("w1", &of(4, channels)),
        weight("w2", &of(channels, 4)),
    ];
    let less = |size: &i64| size - 4 + 4 * padding;
    let output: Vec<i64> = space.iter().map(less).collect();
    let shape = |space: &[i64]| [&[1, channels][..], space].concat();
    let input = vec![made::value("x", FLOAT, &shape(space))];
    let output = vec![made::value("y", FLOAT, &shape(&output))];
    let file = format!("{name}.onnx");
    made::save(folder, &file, input, nodes, weights, output);
    let file = folder.path(&file);
    let input: Vec<u64> = shape(space).iter().map(|&size| size as u64).collect();
    let x = noise(input.iter().product::<u64>() as usize);
    let x = folder.write_npy(&format!("{name}.npy"), &x, &input);
    [file.display().to_string(), x]
}

/// Every command that draws draws lines or planes, and none speaks of pixels.
fn draws(folder: &Folder, model: &str, x: &str, at: &str, titles: [&str; 2]) {
    let commands: [(&str, Vec<&str>, &[&str]); 6] = [
        ("run", vec![], &["output.png", "residual.svg"]),
        ("row", vec!["--target", at], &["row.svg", "row.png"]),
        ("column", vec!["--at", at], &["column.svg"]),
        ("svd", vec!["-k", "2"], &["svd.svg"]),
        (
            "project",
            vec!["--probe", x],
            &["projected.svg", "affine.png"],
        ),
        (
            "backproject",
            vec!["--output", "y.npy"],
            &["backprojected.svg"],
        ),
    ];
    for (command, flags, files) in commands {
        if command == "backproject" {
            let from = folder.path("run/output.npy");
            fs::copy(from, folder.path("y.npy")).expect("run wrote it");
        }
        let args = [
            command, model, "--input", x, "--dtype", "f64", "--out", command,
        ];
        let out = folder.ok(&[&args[..], &flags].concat());
        for word in [" px", "pixel", "class "] {
            assert!(!out.contains(word), "{command}: {word}: {out}");
        }
        for file in files {
            let file = folder.path(&format!("{command}/{file}"));
            assert!(file.exists(), "{}", file.display());
            if file.extension().is_some_and(|ending| ending == "svg") {
                let svg = fs::read_to_string(&file).expect("text");
                for title in titles {
                    assert!(svg.contains(title), "{title} in {}", file.display());
                }
            }
        }
    }
    let bases = &folder.json("svd/manifest.json")["bases"];
    assert!(bases["v"].is_null() && bases["u"].is_null(), "{bases}");
    let reason = bases["left_out"].as_str().expect("a reason");
    assert!(reason.contains("measures of pictures"), "{reason}");
}

#[test]
fn signals_are_lines() {
    let folder = Folder::new();
    let [model, x] = network(&folder, "signal", 2, &[61], 1);
    draws(&folder, &model, &x, "0,30", ["channel 1 of 2", "entries"]);
    // One channel is a signal, too, and no list of scores.
    let [model, x] = network(&folder, "one", 1, &[40], 0);
    let out = folder.ok(&["run", &model, "--input", &x, "--out", "one"]);
    assert!(!out.contains("score"), "{out}");
    assert!(folder.path("one/output.png").exists());
    let error = folder.fails(2, &["maps", &model, "--input", &x]);
    for word in ["a signal", "[1, 1, 36]", "row", "column", "svd"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    assert!(!error.contains("scores"), "{error}");
}

#[test]
fn volumes_are_slices_and_projections() {
    let folder = Folder::new();
    // A depth of one channel must not count as channels.
    let [model, x] = network(&folder, "volume", 1, &[8, 9, 10], 1);
    draws(&folder, &model, &x, "0,4,4,4", ["z = ", "max along x"]);
    let error = folder.fails(2, &["maps", &model, "--input", &x]);
    for word in ["a volume", "[1, 1, 8, 9, 10]", "row", "column", "svd"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    assert!(!error.contains("scores"), "{error}");
}

/// Fields have the network's own axes.
#[test]
fn inspect_states_fields_of_every_dimension() {
    let space: [&[i64]; 3] = [&[61], &[21, 23], &[9, 10, 11]];
    for (space, axes) in space
        .into_iter()
        .zip([&["w"][..], &["h", "w"], &["d", "h", "w"]])
    {
        let folder = Folder::new();
        let [model, _] = network(&folder, "net", 2, space, 1);
        let text = folder.ok(&["inspect", &model, "--json"]);
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for (node, cells) in [("first", 3), ("relu", 3), ("y", 5)] {
            let ops = json["ops"].as_array().expect("ops");
            let op = ops.iter().find(|op| op["node"] == node).expect("an op");
            let mut expected = serde_json::json!({ "reaches_the_border": false });
            for axis in axes {
                expected[*axis] = cells.into();
            }
            assert_eq!(op["node_field"], expected, "{node} of {space:?}");
        }
        let text = folder.ok(&["inspect", &model]);
        let field = vec!["5"; axes.len()].join("×");
        let last = text.lines().filter(|line| line.contains(" y "));
        assert!(
            last.clone()
                .any(|line| line.ends_with(&format!(" {field}"))),
            "{text}"
        );
    }
}

/// A report is made of what applies.
#[test]
fn reports_of_signals_and_volumes_are_made() {
    for (name, space) in [("signal", &[40][..]), ("volume", &[6, 7, 8])] {
        let folder = Folder::new();
        let [model, x] = network(&folder, name, 1, space, 1);
        let args = ["analyse", &model, "--input", &x, "--out", "o", "-k", "2"];
        folder.ok(&args);
        let report = fs::read_to_string(folder.path("o/report.html")).expect("a report");
        assert!(
            report.contains("Singular") || report.contains("singular"),
            "{name}"
        );
    }
}

/// A network without padding, of sizes without a common divisor: every measure is there, and it is a convolution.
#[test]
fn maps_of_sizes_that_share_nothing() {
    let folder = Folder::new();
    let [model, x] = network(&folder, "crop", 1, &[23, 25], 0);
    let args = [
        "maps", &model, "--input", &x, "--dtype", "f64", "--out", "o",
    ];
    let out = folder.ok(&args);
    assert!(!out.contains("left out"), "{out}");
    let maps = folder.json("o/maps.json");
    let place = &maps["pictures"]["place"][0];
    assert_eq!(place["step"], serde_json::json!([1, 1]));
    assert_eq!(place["offset"], 2.0);
    // The place of an output pixel is the middle of its field.
    let row = folder.json("o/maps.json")["places"][0].clone();
    let at = row["place"][0].as_f64().unwrap();
    assert_eq!(row["own"][0].as_f64().unwrap(), at + 2.0);
    assert_eq!(maps["left_out"], serde_json::json!({}));
    // What does not apply is left out, and takes nothing with it.
    let out = folder.ok(&[&args[..], &["--period", "100"]].concat());
    assert!(out.contains("left out: shift-variance: "), "{out}");
    assert!(
        out.contains("rows (") && out.contains("templates:"),
        "{out}"
    );
    let maps = folder.json("o/maps.json");
    assert!(maps["shift_variance"].is_null() && maps["rows"].is_object());
    let reason = maps["left_out"]["shift-variance"].as_str().unwrap();
    assert!(reason.contains("[100, 100]"), "{reason}");
    assert!(!folder.path("o/shift_variance.npy").exists());
    let svg = fs::read_to_string(folder.path("o/maps.svg")).unwrap();
    assert!(
        svg.contains("left out: shift-variance"),
        "no word on the sheet"
    );
}
