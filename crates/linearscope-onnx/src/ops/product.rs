//! Gemm, MatMul, and the Linear that `onnx-ir` makes of them.

use burn_backend::{Backend, Scalar, TensorMetadata, tensor::FloatTensor};
use onnx_ir::{gemm::GemmNode, linear::LinearNode, matmul::MatMulNode};

use crate::context::{Context, Outputs, at_rank, one};

fn transposed<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let rank = x.shape().num_dims();
    B::float_swap_dims(x, rank - 2, rank - 1)
}

fn scaled<B: Backend>(x: FloatTensor<B>, by: f32) -> FloatTensor<B> {
    if by == 1.0 {
        x
    } else {
        B::float_mul_scalar(x, Scalar::Float(by.into()))
    }
}

/// x y at the higher rank of the two.
fn product<B: Backend>(x: FloatTensor<B>, y: FloatTensor<B>) -> FloatTensor<B> {
    let rank = x.shape().num_dims().max(y.shape().num_dims());
    B::float_matmul(at_rank::<B>(x, rank), at_rank::<B>(y, rank))
}

pub(super) fn gemm<B: Backend>(cx: &Context<'_, B>, node: &GemmNode) -> Outputs<B> {
    let config = &node.config;
    let turned = |x: FloatTensor<B>, turn: i64| if turn != 0 { transposed::<B>(x) } else { x };
    let a = turned(cx.float(0)?, config.trans_a);
    let b = turned(cx.float(1)?, config.trans_b);
    let y = scaled::<B>(B::float_matmul(a, b), config.alpha);
    match cx.optional_float(2)? {
        Some(c) => one(B::float_add(
            y,
            scaled::<B>(at_rank::<B>(c, 2), config.beta),
        )),
        None => one(y),
    }
}

pub(super) fn linear<B: Backend>(cx: &Context<'_, B>, node: &LinearNode) -> Outputs<B> {
    let x = cx.float(0)?;
    let rank = x.shape().num_dims();
    let weight = cx.float(1)?;
    let weight = if node.config.transpose_weight {
        transposed::<B>(weight)
    } else {
        weight
    };
    let y = product::<B>(x, weight);
    match cx.optional_float(2)? {
        Some(bias) => one(B::float_add(y, at_rank::<B>(bias, rank))),
        None => one(y),
    }
}

pub(super) fn matmul<B: Backend>(cx: &Context<'_, B>, _: &MatMulNode) -> Outputs<B> {
    let (x, y) = (cx.float(0)?, cx.float(1)?);
    let (x_rank, y_rank) = (x.shape().num_dims(), y.shape().num_dims());
    if x_rank < 2 || y_rank < 2 {
        return Err(cx.unsupported(format!("vectors (ranks {x_rank} and {y_rank})")));
    }
    one(product::<B>(x, y))
}
