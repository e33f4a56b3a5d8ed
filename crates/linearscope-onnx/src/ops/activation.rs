//! Non-linear units, and the softmax family.

use burn_backend::{
    Backend, Scalar, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};
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

pub(super) fn log_softmax<B: Backend>(
    cx: &Context<'_, B>,
    node: &node::log_softmax::LogSoftmaxNode,
) -> Outputs<B> {
    one(B::log_softmax(cx.float(0)?, node.config.axis))
}

pub(super) fn gelu<B: Backend>(cx: &Context<'_, B>, node: &node::gelu::GeluNode) -> Outputs<B> {
    match node.config.approximate {
        node::gelu::GeluApproximate::Exact => one(B::gelu(cx.float(0)?)),
        _ => Err(cx.unsupported("approximate=tanh")),
    }
}

fn hard<B: Backend>(x: FloatTensor<B>, alpha: f64, beta: f64) -> FloatTensor<B> {
    B::hard_sigmoid(x, Scalar::Float(alpha), Scalar::Float(beta))
}

pub(super) fn hard_sigmoid<B: Backend>(
    cx: &Context<'_, B>,
    node: &node::hard_sigmoid::HardSigmoidNode,
) -> Outputs<B> {
    one(hard::<B>(cx.float(0)?, node.config.alpha, node.config.beta))
}

/// x · clip(x/6 + ½, 0, 1): the clip is a gate.
pub(super) fn hard_swish<B: Backend>(
    cx: &Context<'_, B>,
    _: &node::hard_swish::HardSwishNode,
) -> Outputs<B> {
    let x = cx.float(0)?;
    one(B::float_mul(x.clone(), hard::<B>(x, 1.0 / 6.0, 0.5)))
}

/// x where x > 0, else α(exp(x/c) − 1).
fn exponential<B: Backend>(x: FloatTensor<B>, alpha: f64, c: f64) -> FloatTensor<B> {
    let bool_dtype = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
    let left = B::float_lower_equal_elem(x.clone(), Scalar::Float(0.0), bool_dtype);
    let scaled = match c {
        1.0 => x.clone(),
        c => B::float_div_scalar(x.clone(), Scalar::Float(c)),
    };
    let below = B::float_add_scalar(B::float_exp(scaled), Scalar::Float(-1.0));
    B::float_mask_where(x, left, B::float_mul_scalar(below, Scalar::Float(alpha)))
}

pub(super) fn elu<B: Backend>(cx: &Context<'_, B>, node: &node::elu::EluNode) -> Outputs<B> {
    one(exponential::<B>(cx.float(0)?, node.config.alpha, 1.0))
}

pub(super) fn celu<B: Backend>(cx: &Context<'_, B>, node: &node::celu::CeluNode) -> Outputs<B> {
    let alpha = node.config.alpha;
    one(exponential::<B>(cx.float(0)?, alpha, alpha))
}

pub(super) fn selu<B: Backend>(cx: &Context<'_, B>, node: &node::selu::SeluNode) -> Outputs<B> {
    let y = exponential::<B>(cx.float(0)?, node.config.alpha, 1.0);
    one(B::float_mul_scalar(y, Scalar::Float(node.config.gamma)))
}

/// log(1 + eˣ) = −log σ(−x), which does not overflow.
pub(super) fn softplus<B: Backend>(
    cx: &Context<'_, B>,
    _: &node::softplus::SoftplusNode,
) -> Outputs<B> {
    one(B::float_neg(B::log_sigmoid(B::float_neg(cx.float(0)?))))
}

/// x/(1 + |x|): as a quotient its divisor is frozen, which is the secant.
pub(super) fn softsign<B: Backend>(
    cx: &Context<'_, B>,
    _: &node::softsign::SoftsignNode,
) -> Outputs<B> {
    let x = cx.float(0)?;
    let size = B::float_add_scalar(B::float_abs(x.clone()), Scalar::Float(1.0));
    one(B::float_div(x, size))
}

pub(super) fn thresholded_relu<B: Backend>(
    cx: &Context<'_, B>,
    node: &node::thresholded_relu::ThresholdedReluNode,
) -> Outputs<B> {
    let x = cx.float(0)?;
    let bool_dtype = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
    let alpha = Scalar::Float(node.config.alpha);
    let below = B::float_lower_equal_elem(x.clone(), alpha, bool_dtype);
    one(B::float_mask_fill(x, below, Scalar::Float(0.0)))
}
