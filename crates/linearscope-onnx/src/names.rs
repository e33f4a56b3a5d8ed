//! The file's own node names. `onnx-ir` renames nodes by type and ordinal ("conv2d1"); here they
//! are mapped back through the protobuf's types and order.

use std::collections::{HashMap, VecDeque};

use onnx_ir::{ModelProto, Node, NodeProto};

/// From `onnx-ir`'s names to the file's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    of: HashMap<String, String>,
}

/// The number of spatial axes of a node that `onnx-ir` splits by them.
fn spatial_axes(node: &NodeProto, model: &ModelProto) -> Option<usize> {
    let attribute = node.attribute.iter().find(|a| a.name == "kernel_shape");
    attribute.map(|a| a.ints.len()).or_else(|| {
        let weight = node.input.get(1)?;
        let tensor = model.graph.initializer.iter().find(|t| t.name == *weight)?;
        tensor.dims.len().checked_sub(2)
    })
}

/// The name a node is known by: its own, else that of its first output.
fn own_name(node: &NodeProto) -> String {
    if node.name.is_empty() {
        node.output.first().cloned().unwrap_or_default()
    } else {
        node.name.clone()
    }
}

impl Names {
    /// Pair parsed `nodes` with those of the protobuf they were made from.
    pub(crate) fn new(model: &ModelProto, nodes: &[Node]) -> Self {
        let mut of = HashMap::new();
        let mut counters: HashMap<String, usize> = HashMap::new();
        // Gemm and MatMul may have become "linear", counted by themselves, in order.
        let mut products = VecDeque::new();
        for node in &model.graph.node {
            let kind = match node.op_type.as_str() {
                "Conv" | "ConvTranspose" | "MaxPool" | "AveragePool" | "LpPool" => {
                    let axes = spatial_axes(node, model).unwrap_or(2);
                    format!("{}{axes}d", node.op_type.to_lowercase())
                }
                op => op.to_lowercase(),
            };
            let count = counters.entry(kind.clone()).or_default();
            *count += 1;
            let key = format!("{kind}{count}");
            if matches!(node.op_type.as_str(), "Gemm" | "MatMul") {
                products.push_back((key.clone(), own_name(node)));
            }
            of.insert(key, own_name(node));
        }
        // Ops onnx-ir does not know count together, as "custom".
        let mut unknown: Vec<&NodeProto> = model.graph.node.iter().collect();
        for node in nodes {
            if let Node::Custom(custom) = node
                && let Some(at) = unknown.iter().position(|n| n.op_type == custom.op_type)
            {
                of.insert(custom.name.clone(), own_name(unknown.remove(at)));
            }
        }
        let present = |name: &str| nodes.iter().any(|node| node.name() == name);
        let mut coalesced = products.into_iter().filter(|(key, _)| !present(key));
        for node in nodes {
            if node.name().starts_with("linear")
                && let Some((_, name)) = coalesced.next()
            {
                of.insert(node.name().to_string(), name);
            }
        }
        Self { of }
    }

    /// A message of `onnx-ir`'s with the file's node names in it.
    pub(crate) fn in_message(&self, message: &str) -> String {
        let parts = message
            .split('\'')
            .enumerate()
            .map(|(i, part)| match i % 2 {
                1 => format!("\"{}\"", self.get(part)),
                _ => part.to_string(),
            });
        // An odd quote is an apostrophe: leave such a message as it is.
        if message.matches('\'').count().is_multiple_of(2) {
            parts.collect()
        } else {
            message.to_string()
        }
    }

    /// The file's name of an `onnx-ir` node; its own name where the file has none.
    pub(crate) fn get(&self, node: &str) -> String {
        self.of.get(node).cloned().unwrap_or_else(|| node.into())
    }
}
