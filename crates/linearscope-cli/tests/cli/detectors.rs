//! Detectors: raw scores, numbers that are no scores, classes as targets, layouts, and what is said to be one.

use onnx_ir::{AttributeProto, AttributeType, NodeProto, TensorProto, ValueInfoProto};

use crate::{
    folder::{Folder, text},
    made::{self, FLOAT},
};

/// Nodes and weights, one behind the other; `ints` of an attribute are its whole numbers.
#[derive(Default)]
pub(crate) struct Graph {
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
}

impl Graph {
    pub(crate) fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attribute: Option<(&str, &[i64])>,
    ) {
        let mut node = NodeProto::new();
        node.op_type = op.into();
        node.name = format!("the_{output}");
        node.input = inputs.iter().map(|name| name.to_string()).collect();
        node.output = vec![output.into()];
        if let Some((name, ints)) = attribute {
            let mut attribute = AttributeProto::new();
            attribute.name = name.into();
            attribute.type_ = AttributeType::INTS.into();
            attribute.ints = ints.to_vec();
            node.attribute = vec![attribute];
        }
        self.nodes.push(node);
    }

    pub(crate) fn weights(&mut self, name: &str, dims: &[i64], values: Vec<f32>) {
        let mut tensor = TensorProto::new();
        tensor.name = name.into();
        tensor.data_type = FLOAT;
        tensor.dims = dims.to_vec();
        tensor.float_data = values;
        self.weights.push(tensor);
    }

    pub(crate) fn whole_numbers(&mut self, name: &str, values: &[i64]) {
        let mut tensor = TensorProto::new();
        tensor.name = name.into();
        tensor.data_type = 7;
        tensor.dims = vec![values.len() as i64];
        tensor.int64_data = values.to_vec();
        self.weights.push(tensor);
    }

    pub(crate) fn reshape(&mut self, input: &str, output: &str, shape: &[i64]) {
        let name = format!("{output}_shape");
        self.whole_numbers(&name, shape);
        self.node("Reshape", &[input, &name], output, None);
    }

    pub(crate) fn save(
        self,
        folder: &Folder,
        name: &str,
        input: &[i64],
        outputs: Vec<ValueInfoProto>,
    ) {
        let inputs = vec![made::value("x", FLOAT, input)];
        made::save(folder, name, inputs, self.nodes, self.weights, outputs);
    }
}

/// A detector whose output `[1, a, b]` is its picture `[1, 1, a, b]`, `net.onnx`; and that picture.
pub(crate) fn detector(folder: &Folder, values: &[f32], [a, b]: [usize; 2]) -> String {
    let mut graph = Graph::default();
    graph.weights("w", &[1, 1, 1, 1], vec![1.0]);
    graph.node("Conv", &["x", "w"], "c", None);
    graph.reshape("c", "y", &[1, a as i64, b as i64]);
    let outputs = vec![made::value("y", FLOAT, &[])];
    graph.save(folder, "net.onnx", &[1, 1, a as i64, b as i64], outputs);
    folder.write_npy("x.npy", values, &[1, 1, a as u64, b as u64])
}

/// Standard output and error of a run that goes well.
pub(crate) fn said(folder: &Folder, args: &[&str]) -> (String, String) {
    let output = folder.run(args);
    let err = text(&output.stderr);
    assert!(output.status.success(), "{args:?}: {err}");
    (text(&output.stdout), err)
}

/// Before the sigmoid two numbers below 0 are no box, though their product is the largest.
#[test]
fn raw_scores_are_ranked_by_their_logistic() {
    let folder = Folder::new();
    let mut values = vec![0.5; 24 * 6];
    for number in 0..24 {
        (values[number * 6 + 4], values[number * 6 + 5]) = (-20.0, -20.0);
    }
    (values[7 * 6 + 4], values[7 * 6 + 5]) = (2.0, 1.0);
    let x = detector(&folder, &values, [24, 6]);
    let base = ["run", "net.onnx", "--input", &x, "--out", "o"];
    let (out, err) = said(&folder, &base);
    let words = "raw scores: ranked by their sigmoid";
    assert!(out.contains(words) && err.contains(words), "{out}{err}");
    let best = &folder.json("o/boxes.json")[0];
    assert_eq!(best["box"], 7);
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    let score = best["score"].as_f64().expect("a score");
    assert!(
        (score - logistic(2.0) * logistic(1.0)).abs() < 1e-6,
        "{score}"
    );
    folder.ok(&["row", "net.onnx", "--input", &x, "--out", "r"]);
    assert_eq!(folder.json("r/rows.json")[0]["at"], "7,5");
    // Within 0..1 scores are what they are.
    let within: Vec<f32> = values
        .iter()
        .map(|x| logistic(f64::from(*x)) as f32)
        .collect();
    folder.write_npy("x.npy", &within, &[1, 1, 24, 6]);
    let (out, err) = said(&folder, &base);
    assert!(
        !out.contains("raw scores") && !err.contains("raw scores"),
        "{out}{err}"
    );
    let best = &folder.json("o/boxes.json")[0];
    assert_eq!(best["box"], 7);
    assert!((best["score"].as_f64().expect("a score") - score).abs() < 1e-6);
}

/// 32 boxes of 4 coordinates, two classes and two coefficients, one of which is the largest number of all.
fn segmenting(folder: &Folder) -> String {
    let mut values = vec![0.5; 8 * 32];
    values[5 * 32 + 3] = 0.75;
    values[7 * 32 + 4] = 9.0;
    let few = folder.path("two.txt");
    std::fs::write(few, "cat\ndog\n").expect("written");
    detector(folder, &values, [8, 32])
}

#[test]
fn classes_are_no_more_than_labels() {
    let folder = Folder::new();
    let x = segmenting(&folder);
    let base = ["run", "net.onnx", "--input", &x, "--out", "o"];
    let labelled = ["--labels", "two.txt"];
    let (_, err) = said(&folder, &[&base[..], &labelled].concat());
    assert!(
        err.contains("2 classes")
            && err.contains("2 other numbers of each box are not read as scores"),
        "{err}"
    );
    assert!(
        !err.contains("raw scores") && !err.contains("names may be"),
        "{err}"
    );
    let boxes = folder.json("o/boxes.json");
    assert_eq!(boxes.as_array().map(Vec::len), Some(2));
    let best = &boxes[0];
    assert_eq!((&best["box"], &best["label"]), (&3.into(), &"dog".into()));
    // Without labels nothing says so.
    let (_, err) = said(&folder, &base);
    assert!(
        err.contains("4 classes") && !err.contains("other number"),
        "{err}"
    );
    // So many fit in no way.
    std::fs::write(folder.path("seven.txt"), "a\nb\nc\nd\ne\nf\ng\n").expect("written");
    let (_, err) = said(&folder, &[&base[..], &["--labels", "seven.txt"]].concat());
    assert!(err.contains("7 labels for 4 classes"), "{err}");
}

/// A class is the score of its best box; what a detector takes is said where something else was given.
#[test]
fn a_class_is_a_target() {
    let folder = Folder::new();
    let x = segmenting(&folder);
    let common = [
        "net.onnx", "--input", &x, "--labels", "two.txt", "--out", "o",
    ];
    let targets = ["--target", "1", "--target", "7,4"];
    folder.ok(&[&["attribute"], &common[..], &targets].concat());
    let lines = folder.json("o/attributions.json");
    for (line, (target, label, score)) in [
        ("5,3", "1 dog of box 3", 0.75),
        ("7,4", "number 7 of box 4", 9.0),
    ]
    .into_iter()
    .enumerate()
    {
        let line = &lines[line];
        assert_eq!(
            (&line["target"], &line["label"]),
            (&target.into(), &label.into())
        );
        assert!((line["score"].as_f64().expect("a score") - score).abs() < 1e-6);
    }
    folder.ok(&[&["row"], &common[..], &["--target", "1"]].concat());
    assert_eq!(folder.json("o/rows.json")[0]["at"], "5,3");
    for (target, why) in [
        ("cat", "a class or one number of a box"),
        ("9", "there are 2 classes"),
        ("8,0", "outside axis 0"),
    ] {
        let error = folder.fails(2, &[&["row"], &common[..], &["--target", target]].concat());
        for part in [why, "NUMBER,BOX", "a class"] {
            assert!(error.contains(part), "{target}: {error}");
        }
    }
}

/// A picture `[1, 24, 28, 3]` is turned for a convolution, 42 places of which become rows of an output each.
fn channels_last(
    folder: &Folder,
    name: &str,
    heads: &[(&str, i64)],
    by_convolution: bool,
    declared: bool,
) {
    let mut graph = Graph::default();
    graph.node("Transpose", &["x"], "first", Some(("perm", &[0, 3, 1, 2])));
    let some = |count: i64| -> Vec<f32> {
        let one = |i| ((i * 11 % 17) as f32 - 8.0) / 20.0;
        (0..count).map(one).collect()
    };
    for &(head, numbers) in heads {
        let of = |part: &str| format!("{head}_{part}");
        let (w, c) = (of("w"), of("c"));
        graph.weights(&w, &[numbers, 3, 4, 4], some(numbers * 48));
        graph.node("Conv", &["first", &w], &c, Some(("strides", &[4, 4])));
        if by_convolution {
            // Along one axis, and a transposition of three: the graph says that this output has channels.
            let (flat, v, d) = (of("flat"), of("v"), of("d"));
            graph.reshape(&c, &flat, &[1, numbers, 42]);
            graph.weights(&v, &[numbers, numbers, 1], some(numbers * numbers));
            graph.node("Conv", &[&flat, &v], &d, None);
            graph.node("Transpose", &[&d], head, Some(("perm", &[0, 2, 1])));
        } else {
            let last = of("last");
            graph.node("Transpose", &[&c], &last, Some(("perm", &[0, 2, 3, 1])));
            graph.reshape(&last, head, &[1, 42, numbers]);
        }
    }
    let output = |&(head, numbers): &(&str, i64)| match declared {
        true => made::value(head, FLOAT, &[1, 42, numbers]),
        false => made::value(head, FLOAT, &[]),
    };
    let outputs = heads.iter().map(output).collect();
    graph.save(folder, name, &[1, 24, 28, 3], outputs);
}

/// Boxes stay `[1, boxes, numbers]` where the picture is turned.
#[test]
fn the_layout_of_pictures_is_not_that_of_boxes() {
    let folder = Folder::new();
    let x: Vec<f32> = (0..24 * 28 * 3)
        .map(|i| (i * 5 % 13) as f32 / 13.0)
        .collect();
    let x = folder.write_npy("x.npy", &x, &[1, 24, 28, 3]);
    for by_convolution in [false, true] {
        let heads = [("scores", 3), ("boxes", 4)];
        channels_last(&folder, "pair.onnx", &heads, by_convolution, true);
        for layout in [&[][..], &["--layout", "channels-last"]] {
            let run = |more: &[&str]| {
                let base = ["run", "pair.onnx", "--input", &x, "--out", "o"];
                let (_, err) = said(&folder, &[&base[..], layout, more].concat());
                assert!(err.contains("the input has channels last"), "{err}");
                let (values, shape) = folder.npy("o/output.npy");
                (values, shape, err)
            };
            let (scores, shape, _) = run(&["--output", "scores"]);
            assert_eq!(shape, [1, 42, 3]);
            let (boxes, shape, _) = run(&["--output", "boxes"]);
            assert_eq!(shape, [1, 42, 4]);
            let (y, shape, err) = run(&[]);
            assert_eq!(shape, [1, 42, 7]);
            assert!(
                err.contains("42 boxes of 4 coordinates, and 3 classes"),
                "{err}"
            );
            for number in 0..42 {
                let row = [
                    &boxes[number * 4..number * 4 + 4],
                    &scores[number * 3..number * 3 + 3],
                ];
                assert_eq!(y[number * 7..number * 7 + 7], row.concat());
            }
            let best = folder.json("o/boxes.json")[0]["box"]
                .as_u64()
                .expect("a box") as usize;
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!(scores[best * 3..best * 3 + 3].contains(&most));
        }
        // One output of all numbers, whether its shape is declared or not.
        for declared in [false, true] {
            channels_last(&folder, "one.onnx", &[("y", 7)], by_convolution, declared);
            let (_, err) = said(&folder, &["run", "one.onnx", "--input", &x, "--out", "o"]);
            assert!(
                err.contains("the input has channels last")
                    && err
                        .contains("42 boxes of 4 coordinates, an objectness score, and 2 classes"),
                "{err}"
            );
        }
    }
}

/// Few boxes of many numbers are a detector's where that is said, and not otherwise.
#[test]
fn a_task_is_taken_at_its_word() {
    let folder = Folder::new();
    let x = detector(&folder, &[0.5; 9 * 12], [9, 12]);
    let run = |more: &[&str]| {
        let base = ["run", "net.onnx", "--input", &x, "--out", "o"];
        said(&folder, &[&base[..], more].concat()).1
    };
    assert!(!run(&[]).contains("boxes"));
    let task = ["--task", "detector"];
    let err = run(&task);
    assert!(
        err.contains("12 boxes of 4 coordinates, and 5 classes"),
        "{err}"
    );
    // 12 is 5 + 7, and 9 is neither 4 + 7 nor 5 + 7.
    std::fs::write(folder.path("seven.txt"), "a\nb\nc\nd\ne\nf\ng\n").expect("written");
    let err = run(&[&task[..], &["--labels", "seven.txt"]].concat());
    assert!(
        err.contains("9 boxes of 4 coordinates, an objectness score, and 7 classes"),
        "{err}"
    );
}

#[test]
fn a_task_that_does_not_fit_says_which_would() {
    let folder = Folder::new();
    for (shape, task, needs, without) in [
        (
            [9, 12],
            "segmenter",
            "[1, classes, h, w]",
            "the task is unknown",
        ),
        (
            [24, 6],
            "classifier",
            "[1, classes]",
            "treated as `detector`",
        ),
    ] {
        let [a, b] = shape;
        let x = detector(&folder, &vec![0.5; a * b], shape);
        let error = folder.fails(2, &["run", "net.onnx", "--input", &x, "--task", task]);
        let has = format!("has shape [1, {a}, {b}]");
        for part in [
            &format!("--task {task}"),
            needs,
            &has,
            without,
            "--task detector",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
