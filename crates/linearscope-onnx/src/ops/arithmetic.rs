//! Elementwise arithmetic with ONNX's broadcasting.

use burn_backend::{Backend, TensorMetadata, tensor::FloatTensor};
use onnx_ir::node;

use crate::context::{Context, Outputs, at_rank, one};

/// Both operands at the higher rank of the two.
fn both<B: Backend>(
    cx: &Context<'_, B>,
    op: fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> Outputs<B> {
    let (x, y) = (cx.float(0)?, cx.float(1)?);
    let rank = x.shape().num_dims().max(y.shape().num_dims());
    one(op(at_rank::<B>(x, rank), at_rank::<B>(y, rank)))
}

pub(super) fn add<B: Backend>(cx: &Context<'_, B>, _: &node::arithmetic::AddNode) -> Outputs<B> {
    both(cx, B::float_add)
}

pub(super) fn sub<B: Backend>(cx: &Context<'_, B>, _: &node::arithmetic::SubNode) -> Outputs<B> {
    both(cx, B::float_sub)
}

pub(super) fn mul<B: Backend>(cx: &Context<'_, B>, _: &node::arithmetic::MulNode) -> Outputs<B> {
    both(cx, B::float_mul)
}

pub(super) fn div<B: Backend>(cx: &Context<'_, B>, _: &node::arithmetic::DivNode) -> Outputs<B> {
    both(cx, B::float_div)
}

pub(super) fn neg<B: Backend>(cx: &Context<'_, B>, _: &node::neg::NegNode) -> Outputs<B> {
    one(B::float_neg(cx.float(0)?))
}

pub(super) fn sum<B: Backend>(cx: &Context<'_, B>, _: &node::sum::SumNode) -> Outputs<B> {
    let terms = cx.floats()?;
    let rank = terms
        .iter()
        .map(|x| x.shape().num_dims())
        .max()
        .unwrap_or(0);
    let sum = terms
        .into_iter()
        .map(|x| at_rank::<B>(x, rank))
        .reduce(B::float_add);
    one(sum.ok_or_else(|| cx.unsupported("no inputs"))?)
}
