//! Model files made from protobuf types, for what no bundled network has.

use std::fs;

use onnx_ir::{Message as _, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use crate::folder::Folder;

/// f32 as ONNX counts types.
pub(crate) const FLOAT: i32 = 1;

/// An input or output: its name, type and shape; none is declared where there are no sizes.
pub(crate) fn value(name: &str, kind: i32, shape: &[i64]) -> ValueInfoProto {
    let mut value = ValueInfoProto::new();
    value.name = name.into();
    let tensor = value.type_.mut_or_insert_default().mut_tensor_type();
    tensor.elem_type = kind;
    for size in shape {
        // The dimension's type is private in onnx-ir; its default is not.
        let dims = &mut tensor.shape.mut_or_insert_default().dim;
        dims.push(Default::default());
        dims.last_mut().expect("just pushed").set_dim_value(*size);
    }
    value
}

/// Write a model of opset 17 into a folder.
pub(crate) fn save(
    folder: &Folder,
    name: &str,
    inputs: Vec<ValueInfoProto>,
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
    outputs: Vec<ValueInfoProto>,
) {
    let mut model = ModelProto::new();
    model.ir_version = 8;
    model.opset_import.push(Default::default());
    model.opset_import[0].version = 17;
    let graph = model.graph.mut_or_insert_default();
    (graph.input, graph.output) = (inputs, outputs);
    (graph.node, graph.initializer) = (nodes, weights);
    fs::write(folder.path(name), model.write_to_bytes().expect("bytes")).expect("written");
}
