//! Pointwise units, and Softmax.

use burn_backend::{Backend, Scalar, TensorMetadata};
use onnx_ir::node;

use crate::context::{Context, Outputs, one};

pub(super) fn abs<B: Backend>(cx: &Context<'_, B>, _: &node::abs::AbsNode) -> Outputs<B> {
    one(B::float_abs(cx.float(0)?))
}

pub(super) fn relu<B: Backend>(cx: &Context<'_, B>, _: &node::relu::ReluNode) -> Outputs<B> {
    one(B::relu(cx.float(0)?))
}

pub(super) fn sigmoid<B: Backend>(
    cx: &Context<'_, B>,
    _: &node::sigmoid::SigmoidNode,
) -> Outputs<B> {
    one(B::sigmoid(cx.float(0)?))
}

pub(super) fn tanh<B: Backend>(cx: &Context<'_, B>, _: &node::tanh::TanhNode) -> Outputs<B> {
    one(B::float_tanh(cx.float(0)?))
}

pub(super) fn softmax<B: Backend>(
    cx: &Context<'_, B>,
    node: &node::softmax::SoftmaxNode,
) -> Outputs<B> {
    one(B::softmax(cx.float(0)?, node.config.axis))
}

pub(super) fn leaky_relu<B: Backend>(
    cx: &Context<'_, B>,
    node: &node::leaky_relu::LeakyReluNode,
) -> Outputs<B> {
    one(B::leaky_relu(
        cx.float(0)?,
        Scalar::Float(node.config.alpha),
    ))
}

pub(super) fn prelu<B: Backend>(cx: &Context<'_, B>, _: &node::prelu::PReluNode) -> Outputs<B> {
    let x = cx.float(0)?;
    let rank = x.shape().num_dims();
    one(B::prelu(x, cx.float_at_rank(1, rank)?))
}

pub(super) fn clip<B: Backend>(cx: &Context<'_, B>, node: &node::clip::ClipNode) -> Outputs<B> {
    use onnx_ir::clip::ClipInput;
    let bound = |input: &Option<ClipInput>| match input {
        None => Ok(None),
        Some(ClipInput::Static(value)) => Ok(Some(Scalar::Float(*value))),
        Some(ClipInput::Runtime(_)) => Err(cx.unsupported("a computed bound")),
    };
    let x = cx.float(0)?;
    one(match (bound(&node.config.min)?, bound(&node.config.max)?) {
        // ONNX: min above max gives max everywhere.
        (Some(min), Some(max)) if min.elem::<f64>() > max.elem::<f64>() => {
            B::float_clamp_max(B::float_clamp_min(x, min), max)
        }
        (Some(min), Some(max)) => B::float_clamp(x, min, max),
        (Some(min), None) => B::float_clamp_min(x, min),
        (None, Some(max)) => B::float_clamp_max(x, max),
        (None, None) => x,
    })
}
