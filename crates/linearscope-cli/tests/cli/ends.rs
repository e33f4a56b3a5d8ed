//! Networks of several ends, of bytes, of an index, and with their channels last.

use onnx_ir::{AttributeProto, AttributeType, NodeProto, TensorProto};

use crate::{
    folder::{Folder, picture},
    made::{self, FLOAT},
};

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    let mut attribute = AttributeProto::new();
    attribute.name = name.into();
    attribute.type_ = AttributeType::INTS.into();
    attribute.ints = values.to_vec();
    attribute
}

fn int(name: &str, value: i64) -> AttributeProto {
    let mut attribute = AttributeProto::new();
    attribute.name = name.into();
    attribute.type_ = AttributeType::INT.into();
    attribute.i = value;
    attribute
}

fn node(op: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    let mut node = NodeProto::new();
    node.op_type = op.into();
    node.name = format!("the_{output}");
    node.input = inputs.iter().map(|name| name.to_string()).collect();
    node.output = vec![output.into()];
    node.attribute = attributes;
    node
}

fn weights(name: &str, dims: &[i64], values: Vec<f32>) -> TensorProto {
    let mut tensor = TensorProto::new();
    tensor.name = name.into();
    tensor.data_type = 1;
    tensor.dims = dims.to_vec();
    tensor.float_data = values;
    tensor
}

/// Inputs with their types and shapes, nodes, weights, outputs.
fn save(
    folder: &Folder,
    name: &str,
    inputs: &[(&str, i32, &[i64])],
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
    outputs: &[&str],
) {
    let inputs = inputs.iter();
    let inputs = inputs.map(|(name, kind, shape)| made::value(name, *kind, shape));
    let outputs = outputs.iter().map(|name| made::value(name, FLOAT, &[]));
    made::save(
        folder,
        name,
        inputs.collect(),
        nodes,
        weights,
        outputs.collect(),
    );
}

/// As Keras exports: channels last outside, transposed for a convolution and back.
fn keras(folder: &Folder) {
    let nodes = vec![
        node("Transpose", &["x"], "b", vec![ints("perm", &[0, 3, 1, 2])]),
        node("Conv", &["b", "w"], "c", vec![ints("pads", &[1, 1, 1, 1])]),
        node("Relu", &["c"], "d", vec![]),
        node("Transpose", &["d"], "y", vec![ints("perm", &[0, 2, 3, 1])]),
    ];
    let values = (0..81)
        .map(|i| ((i * 7 % 11) as f32 - 4.0) / 20.0)
        .collect();
    let weights = vec![weights("w", &[3, 3, 3, 3], values)];
    save(
        folder,
        "keras.onnx",
        &[("x", 1, &[1, 8, 6, 3])],
        nodes,
        weights,
        &["y"],
    );
}

/// Arrays go in and come out as the file has them; pictures and places are what they are everywhere.
#[test]
fn networks_with_channels_last_take_pictures_and_their_own_arrays() {
    let folder = Folder::new();
    keras(&folder);
    let x: Vec<f32> = (0..144).map(|i| (i * 5 % 13) as f32 / 13.0).collect();
    let array = folder.write_npy("x.npy", &x, &[1, 8, 6, 3]);
    let out = folder.run(&["run", "keras.onnx", "--input", &array, "--out", "o"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && said.contains("channels last"),
        "{said}"
    );
    let (y, shape) = folder.npy("o/output.npy");
    assert_eq!(shape, [1, 8, 6, 3]);
    let (x0, shape) = folder.npy("o/x0.npy");
    assert_eq!(shape, [1, 8, 6, 3]);
    assert!(
        x0.iter()
            .zip(&x)
            .all(|(a, b)| (a - f64::from(*b)).abs() < 1e-7)
    );
    // The row of channel 2 at y 3, x 4, times x₀, with r, is that output.
    folder.ok(&[
        "row",
        "keras.onnx",
        "--input",
        &array,
        "--target",
        "2,3,4",
        "--out",
        "o",
    ]);
    let (row, shape) = folder.npy("o/row.npy");
    assert_eq!(shape, [1, 8, 6, 3]);
    let (residual, _) = folder.npy("o/residual.npy");
    let at = (3 * 6 + 4) * 3 + 2;
    let sum: f64 = row.iter().zip(&x0).map(|(a, b)| a * b).sum();
    assert!(
        (sum + residual[at] - y[at]).abs() < 1e-5,
        "{sum} for {}",
        y[at]
    );
    // A picture: resized to 8×6 pixels of three channels.
    folder.ok(&["run", "keras.onnx", "--input", &picture(), "--out", "p"]);
    assert_eq!(folder.npy("p/x0.npy").1, [1, 8, 6, 3]);
    assert!(folder.path("p/output.png").exists());
    // Its own output is the reference of another program.
    folder.ok(&[
        "svd",
        "keras.onnx",
        "--input",
        &array,
        "-k",
        "2",
        "--out",
        "o",
    ]);
    assert_eq!(folder.npy("o/u.npy").1, [2, 1, 8, 6, 3]);
    let y0 = folder.path("o/output.npy").display().to_string();
    folder.ok(&[
        "verify",
        "keras.onnx",
        "--input",
        &array,
        "--reference",
        &y0,
    ]);
    // All of F counts channels first, and says so.
    let out = folder.run(&["matrix", "keras.onnx", "--input", &array, "--out", "m"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && said.contains("count channels first"),
        "{said}"
    );
    assert_eq!(folder.npy("m/x0.npy").1, [1, 3, 8, 6]);
    // What does not fit is refused, not misread.
    let turned = folder.write_npy("turned.npy", &x, &[1, 3, 8, 6]);
    let error = folder.fails(2, &["run", "keras.onnx", "--input", &turned]);
    assert!(
        error.contains("channels last") && error.contains("--layout"),
        "{error}"
    );
}

#[test]
fn one_of_several_outputs_is_read() {
    let folder = Folder::new();
    let nodes = vec![
        node("Relu", &["x"], "a", vec![]),
        node("Neg", &["a"], "b", vec![]),
        node("NonZero", &["b"], "c", vec![]),
    ];
    save(
        &folder,
        "two.onnx",
        &[("x", 1, &[1, 1, 2, 2])],
        nodes,
        vec![],
        &["b", "a", "c"],
    );
    let x = folder.write_npy("x.npy", &[1.0, -2.0, 3.0, 4.0], &[1, 1, 2, 2]);
    let base = ["run", "two.onnx", "--input", &x, "--out", "o"];
    let out = folder.run(&base);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        said.contains("3 outputs, b, a, c") && said.contains("using b"),
        "{said}"
    );
    assert_eq!(folder.npy("o/output.npy").0, [-1.0, 0.0, -3.0, -4.0]);
    folder.ok(&[&base[..], &["--output", "the_a"]].concat());
    assert_eq!(folder.npy("o/output.npy").0, [1.0, 0.0, 3.0, 4.0]);
    let error = folder.fails(2, &[&base[..], &["--output", "d"]].concat());
    assert!(error.contains("b, a, c"), "{error}");
    // A command with an --output of its own chooses by another word.
    folder.write_npy("y.npy", &[1.0; 4], &[1, 1, 2, 2]);
    let y2 = folder.path("y.npy").display().to_string();
    folder.ok(&[
        "backproject",
        "two.onnx",
        "--input",
        &x,
        "--output",
        &y2,
        "--read",
        "a",
        "--out",
        "o",
    ]);
    assert_eq!(folder.npy("o/backprojected.npy").0, [1.0, 0.0, 1.0, 1.0]);
    // All that can be read, in one.
    let nodes = vec![
        node("Relu", &["x"], "a", vec![]),
        node("Neg", &["x"], "b", vec![]),
    ];
    save(
        &folder,
        "both.onnx",
        &[("x", 1, &[1, 3])],
        nodes,
        vec![],
        &["a", "b"],
    );
    let x = folder.write_npy("x3.npy", &[1.0, -2.0, 3.0], &[1, 3]);
    folder.ok(&[
        "run",
        "both.onnx",
        "--input",
        &x,
        "--output",
        "all",
        "--out",
        "q",
    ]);
    assert_eq!(
        folder.npy("q/output.npy").0,
        [1.0, 0.0, 3.0, -1.0, 2.0, -3.0]
    );
    let out = folder.ok(&["inspect", "two.onnx", "--json"]);
    assert!(out.contains("\"outputs\""), "{out}");
}

/// Whole numbers and truth values have no derivative: they are left out by name, or refused with what would do.
#[test]
fn outputs_without_floats_are_left_out_by_name() {
    let folder = Folder::new();
    let mut best_two = node("TopK", &["s", "two"], "values", vec![]);
    best_two.output.push("indices".into());
    let nodes = vec![
        node("Relu", &["x"], "s", vec![]),
        node("Greater", &["s", "zero"], "mask", vec![]),
        node("Not", &["mask"], "outside", vec![]),
        best_two,
        node("ArgMax", &["s"], "class", vec![int("axis", 1)]),
        node("Add", &["indices", "indices"], "twice", vec![]),
    ];
    let whole = |name: &str, dims: &[i64], values: &[i64]| {
        let mut tensor = weights(name, dims, vec![]);
        (tensor.data_type, tensor.int64_data) = (7, values.to_vec());
        tensor
    };
    let constants = || vec![weights("zero", &[], vec![0.0]), whole("two", &[1], &[2])];
    let x = folder.write_npy("x.npy", &[1.0, -2.0, 3.0], &[1, 3]);
    let run = |outputs: &[&str], more: &[&str]| {
        let input: [(&str, i32, &[i64]); 1] = [("x", 1, &[1, 3])];
        save(
            &folder,
            "net.onnx",
            &input,
            nodes.clone(),
            constants(),
            outputs,
        );
        let base = ["run", "net.onnx", "--input", &x, "--out", "o"];
        let run = folder.run(&[&base[..], more].concat());
        let said = crate::folder::text(&run.stderr);
        assert!(!said.contains("panicked"), "{said}");
        (run.status.code(), said)
    };
    let scores = [1.0, 0.0, 3.0];
    let all = ["--output", "all"];
    let (code, said) = run(&["mask", "s", "indices", "values", "class", "twice"], &all);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("mask (bool), indices (int64), twice (int64) are left out"),
        "{said}"
    );
    assert_eq!(folder.npy("o/output.npy").0, [1.0, 0.0, 3.0, 3.0, 1.0]);
    let facts = &folder.json("o/manifest.json")["ends"]["outputs_without_floats"];
    assert_eq!(facts[0], "mask (bool)");
    // One that is left keeps its shape.
    let (code, said) = run(&["mask", "s"], &all);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("the output mask (bool) is left out"),
        "{said}"
    );
    assert_eq!(folder.npy("o/output.npy"), (scores.to_vec(), vec![1, 3]));
    // Where none is named it is the first of floats, not the first.
    let (code, said) = run(&["mask", "s"], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("using s"), "{said}");
    assert_eq!(folder.npy("o/output.npy").0, scores);
    // An index of the best stands for scores, also here.
    let (code, said) = run(&["mask", "class"], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(folder.npy("o/output.npy").0, scores);
    // Where there are no floats it is about what they are made of.
    let (code, said) = run(&["outside"], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("outside holds bool") && said.contains("using s"),
        "{said}"
    );
    assert_eq!(folder.npy("o/output.npy").0, scores);
    // What is named is not replaced.
    for (outputs, name, holds, behind) in [
        (&["s", "outside"][..], "outside", "bool", "s"),
        (&["s", "twice"], "twice", "int64", "s"),
        (&["s", "values"], "indices", "int64", "s"),
        (&["outside"], "all", "bool", "s"),
        (&["outside", "mask"], "all", "bool", "s"),
    ] {
        let (code, said) = run(outputs, &["--output", name]);
        assert_eq!(code, Some(2), "{name}: {said}");
        let next = format!("--output {behind}");
        assert!(
            said.contains(&format!("holds {holds}")) && said.contains(&next),
            "{name}: {said}"
        );
    }
    folder.ok(&["inspect", "net.onnx"]);
}

#[test]
fn other_inputs_are_fixed() {
    let folder = Folder::new();
    let nodes = vec![
        node("Mul", &["x", "s"], "m", vec![]),
        node("Add", &["m", "z"], "y", vec![]),
    ];
    let inputs: [(&str, i32, &[i64]); 3] = [
        ("x", 1, &[1, 1, 2, 2]),
        ("s", 1, &[1]),
        ("z", 1, &[1, 1, 2, 2]),
    ];
    save(&folder, "three.onnx", &inputs, nodes, vec![], &["y"]);
    let x = folder.write_npy("x.npy", &[1.0, 2.0, 3.0, 4.0], &[1, 1, 2, 2]);
    let z = folder.write_npy("z.npy", &[0.5; 4], &[1, 1, 2, 2]);
    let base = ["run", "three.onnx", "--input", &x, "--out", "o"];
    let error = folder.fails(2, &base);
    assert!(
        error.contains("3 inputs") && error.contains("--set s="),
        "{error}"
    );
    let fixed = format!("z={z}");
    folder.ok(&[&base[..], &["--set", "s=2", "--set", &fixed]].concat());
    assert_eq!(folder.npy("o/output.npy").0, [2.5, 4.5, 6.5, 8.5]);
    let error = folder.fails(2, &[&base[..], &["--set", "s"]].concat());
    assert!(error.contains("NAME="), "{error}");
    let error = folder.fails(2, &[&base[..], &["--set", "q=1"]].concat());
    assert!(error.contains("x, s, z"), "{error}");
    folder.ok(&["inspect", "three.onnx"]);
}

#[test]
fn bytes_in_and_an_index_out_are_read_as_numbers() {
    let folder = Folder::new();
    let nodes = vec![
        node("Cast", &["x"], "f", vec![int("to", 1)]),
        node(
            "ReduceMean",
            &["f"],
            "m",
            vec![ints("axes", &[2, 3]), int("keepdims", 0)],
        ),
        node("ArgMax", &["m"], "y", vec![int("axis", 1)]),
    ];
    save(
        &folder,
        "bytes.onnx",
        &[("x", 2, &[1, 3, 4, 4])],
        nodes,
        vec![],
        &["y"],
    );
    let out = folder.run(&["run", "bytes.onnx", "--input", &picture(), "--out", "o"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    assert!(
        said.contains("index of the best") && said.contains("range 255"),
        "{said}"
    );
    let (scores, shape) = folder.npy("o/output.npy");
    assert_eq!(shape, [1, 3]);
    let (x0, _) = folder.npy("o/x0.npy");
    for (channel, score) in scores.iter().enumerate() {
        let mean = x0[16 * channel..16 * (channel + 1)].iter().sum::<f64>() / 16.0;
        assert!(
            mean > 1.0 && (mean - score).abs() < 1e-3,
            "{mean} for {score}"
        );
    }
    let nodes = vec![node("ArgMax", &["x"], "y", vec![int("axis", 1)])];
    save(
        &folder,
        "only.onnx",
        &[("x", 1, &[1, 3, 2, 2])],
        nodes,
        vec![],
        &["y"],
    );
    folder.ok(&["inspect", "only.onnx"]);
}

/// A segmenter of five classes, `seg.onnx`.
fn segmenter(folder: &Folder) {
    let values = (0..5 * 27)
        .map(|i| ((i * 7 % 13) as f32 - 6.0) / 20.0)
        .collect();
    let nodes = vec![
        node("Conv", &["x", "w"], "c", vec![ints("pads", &[1, 1, 1, 1])]),
        node("Relu", &["c"], "y", vec![]),
    ];
    let weights = vec![weights("w", &[5, 3, 3, 3], values)];
    let inputs: [(&str, i32, &[i64]); 1] = [("x", 1, &[1, 3, 24, 24])];
    save(folder, "seg.onnx", &inputs, nodes, weights, &["y"]);
}

/// Five classes at every place of a picture: labels, the winning class's row, a report.
#[test]
fn segmenters_say_which_class_wins_where() {
    let folder = Folder::new();
    segmenter(&folder);
    folder.ok(&["run", "seg.onnx", "--input", &picture(), "--out", "o"]);
    let (y, shape) = folder.npy("o/output.npy");
    assert_eq!(shape, [1, 5, 24, 24]);
    let segments = folder.json("o/segments.json");
    let counted: u64 = (segments.as_array().expect("lines").iter())
        .map(|line| line["pixels"].as_u64().expect("a count"))
        .sum();
    assert_eq!(counted, 24 * 24);
    assert!(folder.path("o/classes.png").exists());
    // Rows are of the class that wins at each place.
    folder.ok(&["row", "seg.onnx", "--input", &picture(), "--out", "o"]);
    let rows = folder.json("o/rows.json");
    for row in rows.as_array().expect("lines") {
        let at = row["at"].as_str().expect("a place");
        let parts: Vec<usize> = at
            .split(',')
            .map(|part| part.parse().expect("a number"))
            .collect();
        let score = |class: usize| y[(class * 24 + parts[1]) * 24 + parts[2]];
        let most = (0..5).map(score).fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(score(parts[0]), most, "{at}");
    }
    folder.ok(&[
        "analyse",
        "seg.onnx",
        "--input",
        &picture(),
        "-k",
        "1",
        "--out",
        "a",
    ]);
    let html = std::fs::read_to_string(folder.path("a/report.html")).expect("a report");
    assert!(html.contains("the class that wins"));
}

/// 36 boxes of six numbers, one behind the other or side by side: the best box, its row, its attribution, a report.
#[test]
fn detectors_say_which_box_is_best() {
    let folder = Folder::new();
    let values: Vec<f32> = (0..6 * 48)
        .map(|i| ((i * 7 % 13) as f32 - 6.0) / 20.0)
        .collect();
    let strides = || vec![ints("strides", &[4, 4])];
    let mut shape = weights("shape", &[3], vec![]);
    shape.data_type = 7;
    shape.int64_data = vec![1, 6, 36];
    let nodes = |last: bool| {
        let mut nodes = vec![
            node("Conv", &["x", "w"], "c", strides()),
            node("Relu", &["c"], "d", vec![]),
            node("Reshape", &["d", "shape"], "e", vec![]),
        ];
        let permute = if last { [0, 2, 1] } else { [0, 1, 2] };
        nodes.push(node("Transpose", &["e"], "y", vec![ints("perm", &permute)]));
        nodes
    };
    let all = || vec![weights("w", &[6, 3, 4, 4], values.clone()), shape.clone()];
    let inputs: [(&str, i32, &[i64]); 1] = [("x", 1, &[1, 3, 24, 24])];
    save(&folder, "behind.onnx", &inputs, nodes(true), all(), &["y"]);
    save(&folder, "beside.onnx", &inputs, nodes(false), all(), &["y"]);
    for (model, numbers, first) in [("behind.onnx", 6, 5), ("beside.onnx", 5, 4)] {
        let told = folder.ok(&["run", model, "--input", &picture(), "--out", "o"]);
        assert!(told.contains("box "), "{told}");
        let (y, shape) = folder.npy("o/output.npy");
        let at = |number: usize, of: usize| match shape[2] {
            6 => y[number * 6 + of],
            _ => y[of * 36 + number],
        };
        let score = |number: usize, of: usize| match first {
            5 => at(number, 4) * at(number, of),
            _ => at(number, of),
        };
        let scores = (0..36).flat_map(|number| (first..6).map(move |of| (number, of)));
        let best = scores.reduce(|a, b| match score(b.0, b.1) > score(a.0, a.1) {
            true => b,
            false => a,
        });
        let (number, of) = best.expect("boxes");
        let line = &folder.json("o/boxes.json")[0];
        assert_eq!(line["box"], number, "{model}");
        assert!((line["score"].as_f64().expect("a score") - score(number, of)).abs() < 1e-6);
        folder.ok(&["row", model, "--input", &picture(), "--out", "o"]);
        let rows = folder.json("o/rows.json");
        assert_eq!(rows.as_array().map(Vec::len), Some(numbers), "{model}");
        folder.ok(&["attribute", model, "--input", &picture(), "--out", "o"]);
        let line = &folder.json("o/attributions.json")[0];
        assert!(
            line["label"]
                .as_str()
                .expect("a name")
                .ends_with(&format!("of box {number}"))
        );
        assert!((line["score"].as_f64().expect("a score") - at(number, of)).abs() < 1e-6);
        folder.ok(&[
            "analyse",
            model,
            "--input",
            &picture(),
            "-k",
            "1",
            "--out",
            "a",
        ]);
        let html = std::fs::read_to_string(folder.path("a/report.html")).expect("a report");
        assert!(html.contains("best box") && !html.contains("Where a pixel goes"));
    }
    let told = folder.fails(
        2,
        &[
            "run",
            "behind.onnx",
            "--input",
            &picture(),
            "--task",
            "classifier",
        ],
    );
    assert!(told.contains("--task classifier"), "{told}");
    folder.ok(&[
        "analyse",
        "behind.onnx",
        "--input",
        &picture(),
        "--task",
        "i2i",
        "-k",
        "1",
        "--out",
        "b",
    ]);
}

/// Coordinates and scores as two outputs are read as one, unless one is named.
#[test]
fn boxes_and_scores_are_read_together() {
    let folder = Folder::new();
    let values = |count: usize| -> Vec<f32> {
        (0..count)
            .map(|i| ((i * 11 % 17) as f32 - 8.0) / 20.0)
            .collect()
    };
    let mut nodes = Vec::new();
    let mut constants = Vec::new();
    for (name, numbers) in [("boxes", 4usize), ("scores", 3)] {
        let conv = format!("{name}_c");
        let flat = format!("{name}_f");
        let (weight, shape) = (format!("{name}_w"), format!("{name}_s"));
        nodes.push(node(
            "Conv",
            &["x", &weight],
            &conv,
            vec![ints("strides", &[4, 4])],
        ));
        nodes.push(node("Reshape", &[&conv, &shape], &flat, vec![]));
        nodes.push(node(
            "Transpose",
            &[&flat],
            name,
            vec![ints("perm", &[0, 2, 1])],
        ));
        constants.push(weights(
            &weight,
            &[numbers as i64, 3, 4, 4],
            values(numbers * 48),
        ));
        let mut to = weights(&shape, &[3], vec![]);
        to.data_type = 7;
        to.int64_data = vec![1, numbers as i64, 36];
        constants.push(to);
    }
    made::save(
        &folder,
        "pair.onnx",
        vec![made::value("x", FLOAT, &[1, 3, 24, 24])],
        nodes,
        constants,
        // Scores first: whichever has four numbers has the coordinates.
        vec![
            made::value("scores", FLOAT, &[1, 36, 3]),
            made::value("boxes", FLOAT, &[1, 36, 4]),
        ],
    );
    let run = |more: &[&str], out: &str| {
        let args = ["run", "pair.onnx", "--input", &picture(), "--out", out];
        folder.ok(&[&args[..], more].concat());
        folder.npy(&format!("{out}/output.npy"))
    };
    let (y, shape) = run(&[], "o");
    assert_eq!(shape, [1, 36, 7]);
    let (boxes, _) = run(&["--output", "boxes"], "b");
    let (scores, _) = run(&["--output", "scores"], "s");
    for number in 0..36 {
        assert_eq!(
            y[number * 7..number * 7 + 4],
            boxes[number * 4..number * 4 + 4]
        );
        assert_eq!(
            y[number * 7 + 4..number * 7 + 7],
            scores[number * 3..number * 3 + 3]
        );
    }
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let best = folder.json("o/boxes.json")[0]["score"]
        .as_f64()
        .expect("a score");
    assert!((best - most).abs() < 1e-6);
}

/// The map of a segmenter's class is of its score where it wins.
#[test]
fn a_class_is_attributed_where_it_wins() {
    let folder = Folder::new();
    segmenter(&folder);
    folder.ok(&["attribute", "seg.onnx", "--input", &picture(), "--out", "o"]);
    folder.ok(&["run", "seg.onnx", "--input", &picture(), "--out", "r"]);
    let (y, _) = folder.npy("r/output.npy");
    let line = &folder.json("o/attributions.json")[0];
    let class: usize = line["target"]
        .as_str()
        .expect("a class")
        .parse()
        .expect("a number");
    let wins = |at: usize| {
        (0..5).all(|c| {
            y[class * 576 + at] >= y[c * 576 + at]
                && (c >= class || y[class * 576 + at] > y[c * 576 + at])
        })
    };
    let sum: f64 = (0..576)
        .filter(|&at| wins(at))
        .map(|at| y[class * 576 + at])
        .sum();
    assert!((line["score"].as_f64().expect("a score") - sum).abs() < 1e-4 * sum.abs());
    assert!(line["gap"].as_f64().expect("a gap").abs() < 1e-5);
    let segments = folder.json("r/segments.json");
    assert_eq!(segments[0]["class"], class);
}

/// An attack on one score goes for the other sign.
#[test]
fn one_score_is_attacked_by_its_sign() {
    let folder = Folder::new();
    for (name, sign) in [("up.onnx", 1.0f32), ("down.onnx", -1.0)] {
        let values = (0..27).map(|i| sign * (i % 5 + 1) as f32 / 100.0).collect();
        let nodes = vec![
            node("Conv", &["x", "w"], "c", vec![]),
            node("GlobalAveragePool", &["c"], "p", vec![]),
            node("Flatten", &["p"], "y", vec![]),
        ];
        let inputs: [(&str, i32, &[i64]); 1] = [("x", 1, &[1, 3, 24, 24])];
        save(
            &folder,
            name,
            &inputs,
            nodes,
            vec![weights("w", &[1, 3, 3, 3], values)],
            &["y"],
        );
        let told = folder.ok(&[
            "attack",
            name,
            "--input",
            &picture(),
            "--eps",
            "4",
            "--out",
            name.trim_end_matches(".onnx"),
        ]);
        assert!(
            told.contains("the same sign") || told.contains("the other sign"),
            "{told}"
        );
        let found = folder.json(&format!("{}/manifest.json", name.trim_end_matches(".onnx")));
        let path = &found["attack"]["path"];
        let score = |at: usize| path[at]["score"].as_f64().expect("a score");
        // Towards 0 from either side.
        assert!(
            score(1) * f64::from(sign) < score(0) * f64::from(sign),
            "{path}"
        );
        for more in [&["--loss", "cross-entropy"][..], &["--target", "0"]] {
            let args = [
                "attack",
                name,
                "--input",
                &picture(),
                "--eps",
                "4",
                "--out",
                "x",
            ];
            let told = folder.fails(2, &[&args[..], more].concat());
            assert!(told.contains(more[0]), "{told}");
        }
    }
}
