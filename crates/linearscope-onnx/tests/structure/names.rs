//! Nodes are called after the modules they came from, and are found by the file's own names as well.

use onnx_ir::{NodeProto, TensorProto};

use crate::made::*;

fn named(name: &str, op: &str, inputs: &[&str], output: &str) -> NodeProto {
    let mut node = node(op, inputs, output, vec![]);
    node.name = name.into();
    node
}

/// The same with the scopes that torch writes beside it.
fn scoped(name: &str, op: &str, inputs: &[&str], output: &str, scopes: &str) -> NodeProto {
    let mut node = named(name, op, inputs, output);
    for (key, value) in [
        ("pkg.torch.onnx.fx_node", "%conv2d : call_function"),
        ("pkg.torch.onnx.name_scopes", scopes),
    ] {
        node.metadata_props.push(Default::default());
        let note = node.metadata_props.last_mut().expect("just pushed");
        (note.key, note.value) = (key.into(), value.into());
    }
    node
}

/// Weights and biases of one channel.
fn parameters(names: &[&str]) -> Vec<TensorProto> {
    let of = |name: &&str| match name.contains("weight") || name.contains("Conv") {
        true => floats(name, &[1, 1, 1, 1], vec![0.5]),
        false => floats(name, &[1], vec![0.25]),
    };
    names.iter().map(of).collect()
}

const SHAPE: [i64; 4] = [1, 1, 2, 2];

/// Names of the nodes; those of the captured network are among them.
fn names(nodes: Vec<NodeProto>, weights: Vec<TensorProto>) -> Vec<String> {
    let own: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
    let model = model(&SHAPE, nodes, weights);
    let listed: Vec<_> = model.nodes().collect();
    assert!(listed.iter().map(|node| &node.file_name).eq(&own));
    let network = model.network(&[vec![1, 1, 2, 2]]).expect("captures");
    for (name, _) in network.nodes() {
        let node = listed.iter().find(|node| *node.name == *name);
        let node = node.unwrap_or_else(|| panic!("{name} of the network is not listed"));
        assert_eq!(network.node_called(&node.file_name), Some(&*name));
        assert_eq!(network.node_called(&name), Some(&*name));
        let alias = network.alias(&name).map(|alias| &**alias);
        assert_eq!(
            alias,
            (node.name != node.file_name).then_some(&*node.file_name)
        );
    }
    assert_eq!(network.node_called("no such node"), None);
    listed.into_iter().map(|node| node.name).collect()
}

#[test]
fn scopes_name_nodes() {
    let nodes = vec![
        scoped(
            "node_conv2d",
            "Conv",
            &["x", "stem.weight", "stem.bias"],
            "a",
            "['', 'stem', 'conv2d']",
        ),
        scoped("node_relu", "Relu", &["a"], "b", "['', 'relu']"),
        // The norm behind it was folded into this one: the scopes are the norm's.
        scoped(
            "node_Conv_291",
            "Conv",
            &["b", "layer1.0.conv1.weight", "val_3"],
            "c",
            "['', 'layer1', 'layer1.0', 'layer1.0.bn1', 'batch_norm']",
        ),
        scoped(
            "node_relu_1",
            "Relu",
            &["c"],
            "d",
            "['', 'layer1', 'layer1.0', 'layer1.0.relu', 'relu_1']",
        ),
        // A function called in a block, of two nodes.
        scoped(
            "node_Sigmoid_9",
            "Sigmoid",
            &["d"],
            "e",
            "['', 'layer1', 'layer1.0', 'silu']",
        ),
        scoped(
            "node_silu",
            "Mul",
            &["d", "e"],
            "f",
            "['', 'layer1', 'layer1.0', 'silu']",
        ),
        scoped(
            "node_add",
            "Add",
            &["b", "f"],
            "g",
            "['', 'layer1', 'layer1.0', 'add']",
        ),
        // The same module again.
        scoped(
            "n0",
            "Relu",
            &["g"],
            "h",
            "['', 'layer1', 'layer1.0', 'layer1.0.relu', 'relu_2']",
        ),
        // Its weight was merged with an equal one, whose module has a node of its own.
        scoped(
            "node_conv2d_2",
            "Conv",
            &["h", "stem.weight", "stem.bias"],
            "y",
            "['', 'head', 'conv2d_2']",
        ),
    ];
    let weights = parameters(&["stem.weight", "stem.bias", "layer1.0.conv1.weight", "val_3"]);
    assert_eq!(
        names(nodes, weights),
        [
            "stem",
            "relu",
            "layer1.0.conv1",
            "layer1.0.relu",
            "layer1.0.sigmoid",
            "layer1.0.mul",
            "layer1.0.add",
            "layer1.0.relu_1",
            "head",
        ]
    );
}

#[test]
fn paths_name_nodes() {
    let weight = "onnx::Conv_62";
    let nodes = vec![
        named(
            "/stem/Conv",
            "Conv",
            &["x", "stem.weight", "stem.bias"],
            "a",
        ),
        named("/Relu", "Relu", &["a"], "b"),
        named("/layer1/layer1.0/conv1/Conv", "Conv", &["b", weight], "c"),
        named("/layer1/layer1.0/relu/Relu", "Relu", &["c"], "d"),
        // A leaf of several nodes: the last one's result is the module's.
        named("/layer1/layer1.0/act/Sigmoid", "Sigmoid", &["d"], "e"),
        named("/layer1/layer1.0/act/Mul", "Mul", &["d", "e"], "f"),
        named("/layer1/layer1.0/Add", "Add", &["b", "f"], "g"),
        named("/layer1/layer1.0/relu_1/Relu", "Relu", &["g"], "h"),
        named(
            "/stem_1/Conv",
            "Conv",
            &["h", "stem.weight", "stem.bias"],
            "y",
        ),
    ];
    let weights = parameters(&["stem.weight", "stem.bias", weight]);
    assert_eq!(
        names(nodes, weights),
        [
            "stem",
            "relu",
            "layer1.0.conv1",
            "layer1.0.relu",
            "layer1.0.act.sigmoid",
            "layer1.0.act",
            "layer1.0.add",
            "layer1.0.relu_1",
            "stem_1",
        ]
    );
}

/// Files without scopes and paths: the weight tells, also from behind a transposition; a name that
/// somebody chose stays.
#[test]
fn weights_name_nodes() {
    let mut turned = named("Transpose_0", "Transpose", &["net.0.weight"], "t");
    turned.attribute = vec![ints("perm", &[1, 0, 2, 3])];
    let nodes = vec![
        turned,
        named("Conv_1", "Conv", &["x", "t"], "a"),
        named("Relu_2", "Relu", &["a"], "b"),
        // By its bias alone.
        named("Conv_3", "Conv", &["b", "onnx::Conv_9", "net.2.bias"], "c"),
        // Shared.
        named("Conv_4", "Conv", &["c", "net.0.weight"], "d"),
        named("", "Conv", &["d", "12.weight"], "e"),
        named("chosen", "Conv", &["e", "net.3.weight"], "f"),
        named("net.4", "Relu", &["f"], "g"),
        // A chosen name has its place before one that is made.
        named("Conv_8", "Conv", &["g", "net.4.weight"], "y"),
    ];
    let weights = parameters(&[
        "net.0.weight",
        "onnx::Conv_9",
        "net.2.bias",
        "12.weight",
        "net.3.weight",
        "net.4.weight",
    ]);
    let model = model(&SHAPE, nodes, weights);
    let names: Vec<String> = model.nodes().map(|node| node.name).collect();
    assert_eq!(
        names,
        [
            "Transpose_0",
            "net.0",
            "Relu_2",
            "net.2",
            "net.0_1",
            "e",
            "chosen",
            "net.4",
            "net.4_1",
        ]
    );
}

/// No two nodes share a name, whatever the file says.
#[test]
fn names_are_unique() {
    let nodes = vec![
        named("same", "Relu", &["x"], "a"),
        named("same", "Neg", &["a"], "b"),
        named("same_1", "Relu", &["b"], "y"),
    ];
    let model = model(&[3], nodes, vec![]);
    let names: Vec<String> = model.nodes().map(|node| node.name).collect();
    assert_eq!(names, ["same", "same_1", "same_1_1"]);
    let network = model.network(&[vec![3]]).expect("captures");
    assert_eq!(network.nodes().len(), 3);
}

/// Nodes of a function have the scopes of its call.
#[test]
fn calls_hand_their_scopes_on() {
    let scopes = "['', 'block', 'block.act', 'act']";
    let mut call = scoped("node_act", "Act", &["x"], "y", scopes);
    call.domain = "mine".into();
    let mut file = proto(&[2], vec![call], vec![]);
    file.functions.push(Default::default());
    let function = file.functions.last_mut().expect("just pushed");
    (function.name, function.domain) = ("Act".into(), "mine".into());
    (function.input, function.output) = (vec!["in".into()], vec!["out".into()]);
    function.node = vec![
        named("n0", "Sigmoid", &["in"], "gate"),
        named("n1", "Mul", &["in", "gate"], "out"),
    ];
    let model = opened(&file).expect("opens");
    let names: Vec<(String, String)> = model
        .nodes()
        .map(|node| (node.name, node.file_name))
        .collect();
    let pair = |name: &str, file: &str| (name.to_string(), file.to_string());
    assert_eq!(
        names,
        [
            pair("block.act.sigmoid", "node_act/n0"),
            pair("block.act", "node_act/n1"),
        ]
    );
}
