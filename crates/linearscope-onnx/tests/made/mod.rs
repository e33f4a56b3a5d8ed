//! Models made from protobuf types.

#![allow(dead_code)]

use burn_backend::{TensorData, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice};
use linearscope_onnx::{Error, Model};
use onnx_ir::{
    AttributeProto, AttributeType, Message, ModelProto, NodeProto, TensorProto, ValueInfoProto,
};

const FLOAT: i32 = 1;
const INT64: i32 = 7;

pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    let mut attribute = AttributeProto::new();
    attribute.name = name.into();
    attribute.type_ = AttributeType::INTS.into();
    attribute.ints = values.to_vec();
    attribute
}

pub fn int(name: &str, value: i64) -> AttributeProto {
    let mut attribute = AttributeProto::new();
    attribute.name = name.into();
    attribute.type_ = AttributeType::INT.into();
    attribute.i = value;
    attribute
}

pub fn text(name: &str, value: &str) -> AttributeProto {
    let mut attribute = AttributeProto::new();
    attribute.name = name.into();
    attribute.type_ = AttributeType::STRING.into();
    attribute.s = value.as_bytes().to_vec().into();
    attribute
}

pub fn node(op: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    let mut node = NodeProto::new();
    node.op_type = op.into();
    node.name = format!("the_{}", op.to_lowercase());
    node.input = inputs.iter().map(|name| name.to_string()).collect();
    node.output = vec![output.into()];
    node.attribute = attributes;
    node
}

pub fn floats(name: &str, shape: &[i64], values: Vec<f32>) -> TensorProto {
    let mut tensor = TensorProto::new();
    tensor.name = name.into();
    tensor.data_type = FLOAT;
    tensor.dims = shape.to_vec();
    tensor.float_data = values;
    tensor
}

pub fn longs(name: &str, values: &[i64]) -> TensorProto {
    let mut tensor = TensorProto::new();
    tensor.name = name.into();
    tensor.data_type = INT64;
    tensor.dims = vec![values.len() as i64];
    tensor.int64_data = values.to_vec();
    tensor
}

/// A model of these nodes from "x" of a shape to "y".
pub fn model(shape: &[i64], nodes: Vec<NodeProto>, weights: Vec<TensorProto>) -> Model {
    let bytes = proto(shape, nodes, weights).write_to_bytes();
    Model::from_bytes(&bytes.expect("a protobuf"), "made.onnx").expect("a model")
}

/// The protobuf of one.
pub fn proto(shape: &[i64], nodes: Vec<NodeProto>, weights: Vec<TensorProto>) -> ModelProto {
    let mut model = ModelProto::new();
    model.ir_version = 8;
    model.opset_import.push(Default::default());
    model.opset_import[0].version = 20;
    let value = |name: &str, shape: Option<&[i64]>| {
        let mut value = ValueInfoProto::new();
        value.name = name.into();
        let tensor = value.type_.mut_or_insert_default().mut_tensor_type();
        tensor.elem_type = FLOAT;
        if let Some(shape) = shape {
            for size in shape {
                // The dimension's type is private in onnx-ir; its default is not.
                let dims = &mut tensor.shape.mut_or_insert_default().dim;
                dims.push(Default::default());
                dims.last_mut().expect("just pushed").set_dim_value(*size);
            }
        }
        value
    };
    let graph = model.graph.mut_or_insert_default();
    graph.input.push(value("x", Some(shape)));
    graph.output.push(value("y", None));
    graph.node = nodes;
    graph.initializer = weights;
    model
}

/// x + "weight", whose header says `dims` and which holds so many floats.
pub fn float_weight(dims: &[i64], values: usize) -> ModelProto {
    let mut weight = floats("weight", dims, vec![]);
    weight.raw_data = vec![0u8; 4 * values].into();
    proto(
        &[4],
        vec![node("Add", &["x", "weight"], "y", vec![])],
        vec![weight],
    )
}

/// x + "weight", whose data is in another file.
pub fn external(dims: &[i64], entries: &[(&str, &str)]) -> ModelProto {
    let mut model = float_weight(dims, 0);
    let weight = &mut model.graph.mut_or_insert_default().initializer[0];
    for (key, value) in entries {
        weight.external_data.push(Default::default());
        let entry = weight.external_data.last_mut().expect("just pushed");
        entry.key = (*key).into();
        entry.value = (*value).into();
    }
    model
}

pub fn network_error(shape: &[i64], nodes: Vec<NodeProto>, weights: Vec<TensorProto>) -> String {
    let shape_given = shape.iter().map(|&d| d as usize).collect();
    match model(shape, nodes, weights).network(&[shape_given]) {
        Ok(_) => panic!("not refused"),
        Err(error) => error.to_string(),
    }
}

pub fn run(
    shape: &[i64],
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
    x: Vec<f32>,
) -> Vec<f32> {
    run_model(&model(shape, nodes, weights), shape, x)
}

pub fn run_model(model: &Model, shape: &[i64], x: Vec<f32>) -> Vec<f32> {
    output(model, shape, x).expect("runs").0
}

/// The first output, numbers and shape.
pub fn output(model: &Model, shape: &[i64], x: Vec<f32>) -> Result<(Vec<f32>, Vec<usize>), Error> {
    let dims: Vec<usize> = shape.iter().map(|&d| d as usize).collect();
    let x = Flex::float_from_data(TensorData::new(x, dims), &FlexDevice);
    let y = model.run::<Flex>(vec![x], &FlexDevice)?.remove(0);
    let data = burn_backend::read_sync(Flex::float_into_data(y)).expect("reads");
    let shape = data.shape().to_vec();
    Ok((data.try_to_vec().expect("floats"), shape))
}

/// The model of a protobuf.
pub fn opened(proto: &ModelProto) -> Result<Model, Error> {
    Model::from_bytes(&proto.write_to_bytes().expect("a protobuf"), "made.onnx")
}

/// A float attribute.
pub fn float(name: &str, value: f32) -> AttributeProto {
    let mut attribute = AttributeProto::new();
    attribute.name = name.into();
    attribute.type_ = AttributeType::FLOAT.into();
    attribute.f = value;
    attribute
}
