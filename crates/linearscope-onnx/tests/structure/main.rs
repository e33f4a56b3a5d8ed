//! What a file may hold beside plain nodes: functions of its own, bodies, inputs that are no
//! pictures, weights of few bits, quantisers, and the forms ops had in other versions of the standard.

mod control;
mod functions;
mod inputs;
#[path = "../made/mod.rs"]
mod made;
mod opsets;
mod quantised;

use linearscope_onnx::{Error, Model};
use onnx_ir::{Message, ModelProto};

fn opened(proto: &ModelProto) -> Result<Model, Error> {
    Model::from_bytes(&proto.write_to_bytes().expect("a protobuf"), "made.onnx")
}
