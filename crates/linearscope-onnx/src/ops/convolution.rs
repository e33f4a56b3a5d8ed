//! Conv and ConvTranspose.

use burn_backend::{
    Backend, TensorMetadata,
    ops::{ConvOptions, ConvTransposeOptions},
    tensor::FloatTensor,
};
use onnx_ir::{
    conv_transpose2d::ConvTranspose2dNode,
    conv1d::Conv1dNode,
    conv2d::Conv2dNode,
    padding::{AutoPad, PaddingConfig1d, PaddingConfig2d},
};

use crate::{
    context::{Context, Outputs, one},
    error::Result,
};

/// `(before, after)` per axis for ONNX's auto_pad, from the sizes (ONNX spec, Conv):
/// out = ⌈in/stride⌉, the odd cell after (SAME_UPPER) or before (SAME_LOWER).
pub(super) fn auto_pads(
    auto_pad: &AutoPad,
    explicit: Vec<(usize, usize)>,
    sizes: &[usize],
    kernel: &[usize],
    stride: &[usize],
    dilation: &[usize],
) -> Vec<(usize, usize)> {
    match auto_pad {
        AutoPad::NotSet => explicit,
        AutoPad::Valid => vec![(0, 0); sizes.len()],
        AutoPad::SameUpper | AutoPad::SameLower => (0..sizes.len())
            .map(|i| {
                let reach = (kernel[i] - 1) * dilation[i] + 1;
                let out = sizes[i].div_ceil(stride[i]);
                let total = ((out - 1) * stride[i] + reach).saturating_sub(sizes[i]);
                let (less, more) = (total / 2, total - total / 2);
                match auto_pad {
                    AutoPad::SameUpper => (less, more),
                    _ => (more, less),
                }
            })
            .collect(),
    }
}

pub(super) fn explicit_2d(padding: &PaddingConfig2d) -> Vec<(usize, usize)> {
    match *padding {
        PaddingConfig2d::Valid => vec![(0, 0); 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => vec![(top, bottom), (left, right)],
    }
}

/// The weight must fit the input: `[o, c/groups, ..kernel]`, and `[c, o/groups, ..kernel]` for a
/// transposed convolution. Backends do not all check.
fn check_weight<B: Backend>(
    cx: &Context<'_, B>,
    [x, weight]: [&FloatTensor<B>; 2],
    transposed: bool,
    groups: usize,
    kernel: &[usize],
) -> Result<()> {
    let (x, w) = (x.shape(), weight.shape());
    let (channels, taken) = match (transposed, w.num_dims() == kernel.len() + 2) {
        (_, false) => (0, 1),
        (false, true) => (x[1], w[1] * groups),
        (true, true) => (x[1], w[0]),
    };
    let divides = groups > 0 && w[0].is_multiple_of(groups);
    if x.num_dims() == w.num_dims() && channels == taken && divides && w[2..] == *kernel {
        return Ok(());
    }
    Err(cx.unsupported(format!(
        "weights of shape {:?}, group={groups} and kernel_shape={kernel:?} on an input of shape {:?}",
        w.to_vec(),
        x.to_vec()
    )))
}

pub(super) fn conv1d<B: Backend>(cx: &Context<'_, B>, node: &Conv1dNode) -> Outputs<B> {
    let config = &node.config;
    let (x, weight) = (cx.float(0)?, cx.float(1)?);
    check_weight(
        cx,
        [&x, &weight],
        false,
        config.groups,
        &[config.kernel_size],
    )?;
    let explicit = match config.padding {
        PaddingConfig1d::Valid => (0, 0),
        PaddingConfig1d::Explicit(before, after) => (before, after),
    };
    let pads = auto_pads(
        &config.auto_pad,
        vec![explicit],
        &x.shape()[2..],
        &[config.kernel_size],
        &[config.stride],
        &[config.dilation],
    );
    let options = ConvOptions {
        stride: [config.stride],
        padding: [pads[0]],
        dilation: [config.dilation],
        groups: config.groups,
    };
    one(B::conv1d(x, weight, cx.optional_float(2)?, options))
}

pub(super) fn conv2d<B: Backend>(cx: &Context<'_, B>, node: &Conv2dNode) -> Outputs<B> {
    let config = &node.config;
    let (x, weight) = (cx.float(0)?, cx.float(1)?);
    check_weight(cx, [&x, &weight], false, config.groups, &config.kernel_size)?;
    let pads = auto_pads(
        &config.auto_pad,
        explicit_2d(&config.padding),
        &x.shape()[2..],
        &config.kernel_size,
        &config.stride,
        &config.dilation,
    );
    let options = ConvOptions {
        stride: config.stride,
        padding: [pads[0], pads[1]],
        dilation: config.dilation,
        groups: config.groups,
    };
    one(B::conv2d(x, weight, cx.optional_float(2)?, options))
}

pub(super) fn conv_transpose2d<B: Backend>(
    cx: &Context<'_, B>,
    node: &ConvTranspose2dNode,
) -> Outputs<B> {
    let config = &node.config;
    let (x, weight) = (cx.float(0)?, cx.float(1)?);
    check_weight(cx, [&x, &weight], true, config.groups, &config.kernel_size)?;
    if matches!(config.auto_pad, AutoPad::SameUpper | AutoPad::SameLower) {
        return Err(cx.unsupported(format!("auto_pad {:?}", config.auto_pad)));
    }
    if let Some(size) = config.output_shape {
        return Err(cx.unsupported(format!("output_shape {size:?}")));
    }
    let options = ConvTransposeOptions {
        stride: config.stride,
        padding: config.padding,
        padding_out: config.padding_out,
        dilation: config.dilation,
        groups: config.groups,
    };
    one(B::conv_transpose2d(
        x,
        weight,
        cx.optional_float(2)?,
        options,
    ))
}
