//! BatchNormalization (inference) and InstanceNormalization.

use burn_backend::{Backend, Scalar, Shape, TensorMetadata};
use onnx_ir::{
    batch_norm::{BatchNormConfig, BatchNormalizationNode},
    instance_norm::InstanceNormalizationNode,
};

use crate::context::{Context, Outputs, one};

pub(super) fn batch_norm<B: Backend>(
    cx: &Context<'_, B>,
    node: &BatchNormalizationNode,
) -> Outputs<B> {
    let epsilon = match &node.config {
        BatchNormConfig::Static(config) => config.epsilon,
        BatchNormConfig::Runtime(config) => config.epsilon,
    };
    one(B::batch_norm(
        cx.float(0)?,
        cx.float(1)?,
        cx.float(2)?,
        cx.float(3)?,
        cx.float(4)?,
        epsilon,
    ))
}

/// The ops of Burn's own `GroupNorm` with one group per channel, so that one recogniser serves
/// both.
pub(super) fn instance_norm<B: Backend>(
    cx: &Context<'_, B>,
    node: &InstanceNormalizationNode,
) -> Outputs<B> {
    let x = cx.float(0)?;
    let shape = x.shape();
    let (n, c) = (shape[0], shape[1]);
    let plane: usize = shape[2..].iter().product();
    let x = B::float_reshape(x, Shape::from(vec![n, c, plane]));
    let centred = B::float_sub(x.clone(), B::float_mean_dim(x, 2));
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 2);
    let spread = B::float_sqrt(B::float_add_scalar(
        variance,
        Scalar::Float(node.config.epsilon),
    ));
    let normalised = B::float_reshape(B::float_div(centred, spread), shape.clone());
    let mut per_channel = vec![1; shape.num_dims()];
    per_channel[1] = c;
    let per_channel = Shape::from(per_channel);
    let gamma = B::float_reshape(cx.float(1)?, per_channel.clone());
    let beta = B::float_reshape(cx.float(2)?, per_channel);
    one(B::float_add(B::float_mul(normalised, gamma), beta))
}
