//! ReduceMean and ReduceSum.

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};
use onnx_ir::reduce::{ReduceAxes, ReduceConfig, ReduceMeanNode, ReduceSumNode};

use crate::context::{Context, Outputs, one};

fn reduce<B: Backend>(
    cx: &Context<'_, B>,
    config: &ReduceConfig,
    op: fn(FloatTensor<B>, usize) -> FloatTensor<B>,
) -> Outputs<B> {
    let ReduceAxes::Static(axes) = &config.axes else {
        return Err(cx.unsupported("computed axes"));
    };
    let mut x = cx.float(0)?;
    let rank = x.shape().num_dims();
    if axes.is_empty() && config.noop_with_empty_axes {
        return one(x);
    }
    let axes: Vec<usize> = if axes.is_empty() {
        (0..rank).collect()
    } else {
        axes.clone()
    };
    for &axis in &axes {
        x = op(x, axis);
    }
    if !config.keepdims {
        let kept: Vec<usize> = (0..rank)
            .filter(|axis| !axes.contains(axis))
            .map(|axis| x.shape()[axis])
            .collect();
        // A scalar is a tensor of one element here.
        let kept = if kept.is_empty() { vec![1] } else { kept };
        x = B::float_reshape(x, Shape::from(kept));
    }
    one(x)
}

pub(super) fn mean<B: Backend>(cx: &Context<'_, B>, node: &ReduceMeanNode) -> Outputs<B> {
    reduce(cx, &node.config, B::float_mean_dim)
}

pub(super) fn sum<B: Backend>(cx: &Context<'_, B>, node: &ReduceSumNode) -> Outputs<B> {
    reduce(cx, &node.config, B::float_sum_dim)
}
