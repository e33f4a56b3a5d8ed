//! MaxPool, AveragePool, GlobalAveragePool.

use burn_backend::{Backend, TensorMetadata, ops::PadMode};
use onnx_ir::{
    avg_pool2d::AveragePool2dNode, global_avg_pool::GlobalAveragePoolNode,
    max_pool2d::MaxPool2dNode,
};

use super::convolution::{auto_pads, explicit_2d};
use crate::context::{Context, Outputs, one};

/// Padding Burn's pools can do themselves: the same before and after.
fn symmetric(pads: &[(usize, usize)]) -> Option<[usize; 2]> {
    pads.iter()
        .all(|(before, after)| before == after)
        .then(|| [pads[0].0, pads[1].0])
}

pub(super) fn max_pool2d<B: Backend>(cx: &Context<'_, B>, node: &MaxPool2dNode) -> Outputs<B> {
    if node.outputs.len() > 1 && !node.outputs[1].name.is_empty() {
        return Err(cx.unsupported("a second output (indices)"));
    }
    let config = &node.config;
    let mut x = cx.float(0)?;
    let pads = auto_pads(
        &config.auto_pad,
        explicit_2d(&config.padding),
        &x.shape()[2..],
        &config.kernel_size,
        &config.strides,
        &config.dilation,
    );
    if symmetric(&pads).is_none() && config.ceil_mode {
        return Err(cx.unsupported(format!("unequal pads {pads:?} and ceil_mode=1")));
    }
    let padding = symmetric(&pads).unwrap_or_else(|| {
        // The least finite value never wins, and unlike −∞ it never makes 0 · ∞ either.
        let all = [(0, 0), (0, 0), pads[0], pads[1]];
        x = B::float_pad(x.clone(), &all, PadMode::Constant(f32::MIN));
        [0, 0]
    });
    one(B::max_pool2d(
        x,
        config.kernel_size,
        config.strides,
        padding,
        config.dilation,
        config.ceil_mode,
    ))
}

pub(super) fn average_pool2d<B: Backend>(
    cx: &Context<'_, B>,
    node: &AveragePool2dNode,
) -> Outputs<B> {
    let config = &node.config;
    if config.dilation != [1, 1] {
        return Err(cx.unsupported(format!("dilations {:?}", config.dilation)));
    }
    let mut x = cx.float(0)?;
    let pads = auto_pads(
        &config.auto_pad,
        explicit_2d(&config.padding),
        &x.shape()[2..],
        &config.kernel_size,
        &config.strides,
        &config.dilation,
    );
    let padding = match symmetric(&pads) {
        Some(padding) => padding,
        None if config.count_include_pad && !config.ceil_mode => {
            let all = [(0, 0), (0, 0), pads[0], pads[1]];
            x = B::float_pad(x, &all, PadMode::Constant(0.0));
            [0, 0]
        }
        None => {
            return Err(cx.unsupported(format!(
                "unequal pads {pads:?} that do not count (count_include_pad=0 or ceil_mode=1)"
            )));
        }
    };
    one(B::avg_pool2d(
        x,
        config.kernel_size,
        config.strides,
        padding,
        config.count_include_pad,
        config.ceil_mode,
    ))
}

pub(super) fn global_average_pool<B: Backend>(
    cx: &Context<'_, B>,
    _: &GlobalAveragePoolNode,
) -> Outputs<B> {
    let x = cx.float(0)?;
    match x.shape().num_dims() {
        3 => one(B::adaptive_avg_pool1d(x, 1)),
        4 => one(B::adaptive_avg_pool2d(x, [1, 1])),
        rank => Err(cx.unsupported(format!("an input of rank {rank}"))),
    }
}
