//! Pad in every mode ONNX and Burn share.

use burn_backend::{Backend, ops::PadMode};
use onnx_ir::pad::{ConstantValueInput, PadInput, PadMode as OnnxMode, PadNode};

use crate::context::{Context, Outputs, one};

pub(super) fn pad<B: Backend>(cx: &Context<'_, B>, node: &PadNode) -> Outputs<B> {
    let PadInput::Static(pads) = &node.config.pads else {
        return Err(cx.unsupported("computed pads"));
    };
    let mode = match (&node.config.mode, &node.config.constant_value) {
        (OnnxMode::Reflect, _) => PadMode::Reflect,
        (OnnxMode::Edge, _) => PadMode::Edge,
        (OnnxMode::Constant, ConstantValueInput::Static(value)) => PadMode::Constant(*value),
        (OnnxMode::Constant, ConstantValueInput::Runtime(_)) => {
            return Err(cx.unsupported("a computed constant_value"));
        }
    };
    let x = cx.float(0)?;
    if pads.iter().all(|&amount| amount == (0, 0)) {
        return one(x);
    }
    one(B::float_pad(x, pads, mode))
}
