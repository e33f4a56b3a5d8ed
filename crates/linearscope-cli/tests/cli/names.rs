//! A model as torch's exporter writes it: its layers by the names of its modules, and by the file's.

use std::fs;

use onnx_ir::{NodeProto, TensorProto};

use crate::{
    folder::Folder,
    made::{self, FLOAT},
};

fn node(name: &str, op: &str, inputs: &[&str], output: &str, scopes: &str) -> NodeProto {
    let mut node = NodeProto::new();
    (node.name, node.op_type) = (name.into(), op.into());
    node.input = inputs.iter().map(|name| name.to_string()).collect();
    node.output = vec![output.into()];
    node.metadata_props.push(Default::default());
    let note = &mut node.metadata_props[0];
    note.key = "pkg.torch.onnx.name_scopes".into();
    note.value = scopes.into();
    node
}

fn floats(name: &str, shape: &[i64], values: &[f32]) -> TensorProto {
    let mut tensor = TensorProto::new();
    (tensor.name, tensor.data_type) = (name.into(), 1);
    (tensor.dims, tensor.float_data) = (shape.to_vec(), values.to_vec());
    tensor
}

/// The weight and bias of the head: its sigmoid's score is σ(weight · relu(x) + bias).
const HEAD: (f32, f32) = (0.5, -0.1);

/// A convolution, relu, a convolution, sigmoid; 1×1 windows, one channel. Written to `name`, with an x₀.
fn detector(folder: &Folder, name: &str) -> String {
    let value = |name| vec![made::value(name, FLOAT, &[1, 1, 2, 2])];
    let nodes = vec![
        node(
            "node_Conv_291",
            "Conv",
            &["x", "layer1.0.conv1.weight"],
            "a",
            "['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d']",
        ),
        node(
            "node_relu",
            "Relu",
            &["a"],
            "b",
            "['', 'layer1', 'layer1.0', 'relu']",
        ),
        node(
            "node_conv2d_1",
            "Conv",
            &["b", "head.weight", "head.bias"],
            "c",
            "['', 'head', 'conv2d_1']",
        ),
        node("node_sigmoid", "Sigmoid", &["c"], "y", "['', 'sigmoid']"),
    ];
    let weights = vec![
        floats("layer1.0.conv1.weight", &[1, 1, 1, 1], &[1.0]),
        floats("head.weight", &[1, 1, 1, 1], &[HEAD.0]),
        floats("head.bias", &[1], &[HEAD.1]),
    ];
    made::save(folder, name, value("x"), nodes, weights, value("y"));
    folder.write_npy("x.npy", &[1.0, 0.75, -0.5, 0.25], &[1, 1, 2, 2])
}

#[test]
fn inspect_shows_both_names() {
    let folder = Folder::new();
    detector(&folder, "net.onnx");
    let text = folder.ok(&["inspect", "net.onnx"]);
    for (name, file) in [
        ("layer1.0.conv1", "node_Conv_291"),
        ("layer1.0.relu", "node_relu"),
        ("head", "node_conv2d_1"),
        ("sigmoid", "node_sigmoid"),
    ] {
        let both = |line: &&str| line.contains(&format!(" {name} ")) && line.ends_with(file);
        assert_eq!(text.lines().filter(both).count(), 1, "{name}: {text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&folder.ok(&["inspect", "net.onnx", "--json"])).unwrap();
    let ops = json["ops"].as_array().unwrap();
    let relu = ops.iter().find(|op| op["node"] == "layer1.0.relu").unwrap();
    assert_eq!(relu["file_node"], "node_relu");
}

#[test]
fn nodes_are_found_by_both_names() {
    let folder = Folder::new();
    let x = detector(&folder, "net.onnx");
    let sigma = |from: &str, to: &str| {
        let ends = ["--from", from, "--to", to, "-k", "2", "--out", "s"];
        folder.ok(&[&["svd", "net.onnx", "--input", &x], &ends[..]].concat());
        folder.npy("s/sigma.npy").0
    };
    let by_module = sigma("layer1.0.conv1", "head");
    assert_eq!(by_module, sigma("node_Conv_291", "node_conv2d_1"));
    assert!(
        (by_module[0] - f64::from(HEAD.0)).abs() < 1e-6,
        "{by_module:?}"
    );

    // A rule that matches nothing is a notice.
    let rule = |rule: &str| {
        let run = folder.run(&[
            "run", "net.onnx", "--input", &x, "--rules", rule, "--out", "r",
        ]);
        assert!(run.status.success(), "{}", crate::folder::text(&run.stderr));
        crate::folder::text(&run.stderr).contains("matches no op")
    };
    assert!(!rule("node:sigmoid=taylor") && !rule("node:node_sigmoid=taylor"));
    assert!(rule("node:node_tanh=taylor"));

    let error = folder.fails(2, &["svd", "net.onnx", "--input", &x, "--to", "node_tanh"]);
    assert!(error.contains("layer1.0.relu"), "{error}");
}

/// `--terms` takes a layer by its module, by the file's name of its node, and by number.
#[test]
fn terms_are_chosen_by_both_names() {
    let folder = Folder::new();
    let value = |name, shape: &[i64]| vec![made::value(name, FLOAT, shape)];
    let nodes = vec![
        node(
            "node_Conv_291",
            "Conv",
            &["x", "layer1.0.conv1.weight", "layer1.0.conv1.bias"],
            "a",
            "['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d']",
        ),
        node("node_relu", "Relu", &["a"], "b", "['', 'relu']"),
        node(
            "node_conv2d_1",
            "Conv",
            &["b", "head.weight", "head.bias"],
            "c",
            "['', 'head', 'conv2d_1']",
        ),
        node(
            "node_pool",
            "GlobalAveragePool",
            &["c"],
            "p",
            "['', 'pool']",
        ),
        node("node_flatten", "Flatten", &["p"], "y", "['', 'flatten']"),
    ];
    let weights = vec![
        floats("layer1.0.conv1.weight", &[1, 1, 1, 1], &[1.0]),
        floats("layer1.0.conv1.bias", &[1], &[0.25]),
        floats("head.weight", &[2, 1, 1, 1], &[0.5, -0.5]),
        floats("head.bias", &[2], &[-0.1, 0.3]),
    ];
    let input = value("x", &[1, 1, 2, 2]);
    made::save(
        &folder,
        "net.onnx",
        input,
        nodes,
        weights,
        value("y", &[1, 2]),
    );
    let x = folder.write_npy("x.npy", &[1.0, 0.75, -0.5, 0.25], &[1, 1, 2, 2]);
    let heard = |terms: &str| {
        let votes = ["votes", "net.onnx", "--input", &x, "--out", "v"];
        folder.ok(&[&votes[..], &["--terms", terms]].concat());
        let manifest = folder.json("v/manifest.json");
        (
            folder.npy("v/discussion.npy").0,
            manifest["votes"]["heard"].clone(),
        )
    };
    let first = heard("layer1.0.conv1");
    let head = heard("head");
    assert_ne!(first.0, head.0);
    for other in ["node_Conv_291", "1"] {
        assert_eq!(first, heard(other), "{other}");
    }
    for other in ["node_conv2d_1", "2"] {
        assert_eq!(head, heard(other), "{other}");
    }
    // What is heard of the head are its biases, which no pixel decided.
    let sums: Vec<f64> = head.0.chunks(4).map(|class| class.iter().sum()).collect();
    let most = sums.iter().fold(0.0f64, |most, sum| most.max(sum.abs()));
    assert!((most - 0.3).abs() < 1e-6, "{sums:?}");
    // A node that is no layer is none, by either name.
    for wrong in ["node_relu", "relu", "node_Conv_2"] {
        let votes = ["votes", "net.onnx", "--input", &x, "--out", "v"];
        let error = folder.fails(2, &[&votes[..], &["--terms", wrong]].concat());
        assert!(
            error.contains("no such layer") && error.contains("layer1.0.conv1, head"),
            "{error}"
        );
    }
}

/// The ½ of a sigmoid is no bias of the convolution before it.
#[test]
fn the_constant_of_a_unit_is_no_bias() {
    let folder = Folder::new();
    let x = detector(&folder, "net.onnx");
    let target = ["--target", "0,0,0", "--dtype", "f64", "--out", "c"];
    let text = folder.ok(&[&["contributions", "net.onnx", "--input", &x], &target[..]].concat());
    let parts = folder.json("c/contributions.json");
    let rows: Vec<(&str, &str, u64, f64)> = parts
        .as_array()
        .expect("a list")
        .iter()
        .map(|part| {
            let of = |key: &str| part[key].as_str().unwrap();
            let layer = part["layer"].as_u64().unwrap();
            (
                of("name"),
                of("kind"),
                layer,
                part["value"].as_f64().unwrap(),
            )
        })
        .collect();
    // σ(z) at z = 0.5 · 1 − 0.1: by the secant (σ(z) − ½)/z · z + ½.
    let (weight, bias) = (f64::from(HEAD.0), f64::from(HEAD.1));
    let z = weight + bias;
    let score = 1.0 / (1.0 + (-z).exp());
    let gain = (score - 0.5) / z;
    let expected = [
        ("input", "input", 0, gain * weight),
        ("head", "bias", 2, gain * bias),
        ("sigmoid", "unit", 2, 0.5),
    ];
    assert_eq!(rows.len(), expected.len(), "{rows:?}");
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!((row.0, row.1, row.2), (expected.0, expected.1, expected.2));
        assert!((row.3 - expected.3).abs() < 1e-7, "{row:?} {expected:?}");
    }
    let found = &folder.json("c/manifest.json")["contributions"];
    let of = |key: &str| found[key].as_f64().unwrap();
    assert!((of("biases") + of("units") - of("residual")).abs() < 1e-12);
    assert!((of("input") + of("residual") - of("score")).abs() < 1e-12);
    assert!((of("units") - 0.5).abs() < 1e-12);
    assert!(text.contains("constants of units 0.5000"), "{text}");
    let svg = fs::read_to_string(folder.path("c/contributions.svg")).unwrap();
    assert!(
        svg.contains("sigmoid (unit)") && svg.contains(">head<"),
        "{svg}"
    );
    let csv = fs::read_to_string(folder.path("c/contributions.csv")).unwrap();
    assert!(csv.starts_with("layer,name,kind,value,share\n"), "{csv}");
    assert!(csv.contains("\n2,sigmoid,unit,"), "{csv}");
}
