//! Conv, ConvTranspose and their kin, along one, two or three axes.

use burn_backend::{
    Backend, DType, Slice, TensorMetadata,
    ops::{ConvOptions, ConvTransposeOptions, DeformConvOptions, PadMode},
    tensor::FloatTensor,
};

use crate::{
    context::{Context, Outputs, one},
    error::{Error, Result},
    value::Value,
};

/// Kernel, stride, dilation and pads of a window op, one entry an axis.
#[derive(Clone)]
pub(super) struct Window {
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub dilation: Vec<usize>,
    /// `(before, after)`.
    pub pads: Vec<(usize, usize)>,
}

impl Window {
    /// The window a node describes, for spatial sizes `sizes`. SAME pads (ONNX spec, Conv):
    /// out = ⌈in/stride⌉, the odd cell after (SAME_UPPER) or before (SAME_LOWER).
    pub(super) fn read<B: Backend>(
        cx: &Context<'_, B>,
        sizes: &[usize],
        kernel: Option<&[usize]>,
    ) -> Result<Self> {
        let axes = sizes.len();
        let list = |name: &str, default: usize| -> Result<Vec<usize>> {
            let values = cx.sizes(name)?.unwrap_or_else(|| vec![default; axes]);
            if values.len() != axes {
                return Err(cx.unsupported(format!("{name} {values:?} for {axes} spatial axes")));
            }
            Ok(values)
        };
        let kernel = match (cx.sizes("kernel_shape")?, kernel) {
            (Some(_), _) => list("kernel_shape", 1)?,
            (None, Some(kernel)) => kernel.to_vec(),
            (None, None) => return Err(cx.unsupported("no kernel_shape")),
        };
        let (stride, dilation) = (list("strides", 1)?, list("dilations", 1)?);
        if let Some((name, values)) = [
            ("kernel_shape", &kernel),
            ("strides", &stride),
            ("dilations", &dilation),
        ]
        .into_iter()
        .find(|(_, values)| values.contains(&0))
        {
            return Err(cx.unsupported(format!("{name} {values:?}")));
        }
        let explicit = cx.sizes("pads")?.unwrap_or_else(|| vec![0; 2 * axes]);
        if explicit.len() != 2 * axes || explicit.iter().any(|&pad| pad > 1 << 20) {
            return Err(cx.unsupported(format!("pads {explicit:?} for {axes} spatial axes")));
        }
        let (before, after) = explicit.split_at(axes);
        let pads = match cx.text_or("auto_pad", "NOTSET")? {
            "NOTSET" | "" => before.iter().copied().zip(after.iter().copied()).collect(),
            "VALID" => vec![(0, 0); axes],
            same @ ("SAME_UPPER" | "SAME_LOWER") => (0..axes)
                .map(|i| {
                    let reach = (kernel[i] - 1) * dilation[i] + 1;
                    let out = sizes[i].div_ceil(stride[i]).max(1);
                    let total = ((out - 1) * stride[i] + reach).saturating_sub(sizes[i]);
                    let (less, more) = (total / 2, total - total / 2);
                    match same {
                        "SAME_UPPER" => (less, more),
                        _ => (more, less),
                    }
                })
                .collect(),
            other => return Err(cx.unsupported(format!("auto_pad {other}"))),
        };
        Ok(Self {
            kernel,
            stride,
            dilation,
            pads,
        })
    }

    /// Cells from the first of a window to its last.
    pub(super) fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Every window must fit somewhere.
    pub(super) fn check<B: Backend>(&self, cx: &Context<'_, B>, sizes: &[usize]) -> Result<()> {
        for (axis, size) in sizes.iter().enumerate() {
            let padded = size + self.pads[axis].0 + self.pads[axis].1;
            if self.reach(axis) > padded {
                return Err(self.too_large(cx, axis, padded));
            }
        }
        Ok(())
    }

    /// No window fits along `axis`.
    pub(super) fn too_large<B: Backend>(
        &self,
        cx: &Context<'_, B>,
        axis: usize,
        padded: usize,
    ) -> Error {
        cx.misfit(format!(
            "a window of {} cells on {padded}, and no elements in its result",
            self.reach(axis)
        ))
    }
}

pub(super) fn array<const N: usize, T: Copy>(values: &[T]) -> [T; N] {
    std::array::from_fn(|i| values[i])
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
    Err(cx.misfit(format!(
        "weights of shape {:?}, group={groups} and kernel_shape={kernel:?} on an input of shape {:?}",
        w.to_vec(),
        x.to_vec()
    )))
}

/// The parts of a convolution that both kinds share.
struct Weighted<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    window: Window,
    groups: usize,
}

impl<B: Backend> Weighted<B> {
    fn read(cx: &Context<'_, B>, transposed: bool) -> Result<Self> {
        Self::new(
            cx,
            cx.float(0)?,
            cx.float(1)?,
            cx.optional_float(2)?,
            transposed,
        )
    }

    fn new(
        cx: &Context<'_, B>,
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: Option<FloatTensor<B>>,
        transposed: bool,
    ) -> Result<Self> {
        let (dims, taps) = (x.shape().to_vec(), weight.shape().to_vec());
        if dims.len() < 3 || dims.len() > 5 || taps.len() != dims.len() {
            return Err(cx.misfit(format!(
                "weights of shape {taps:?} on an input of shape {dims:?}"
            )));
        }
        let window = Window::read(cx, &dims[2..], Some(&taps[2..]))?;
        let groups = cx.int_or("group", 1)?;
        let groups = usize::try_from(groups).unwrap_or(0);
        check_weight(cx, [&x, &weight], transposed, groups, &window.kernel)?;
        let outputs = if transposed {
            taps[1] * groups
        } else {
            taps[0]
        };
        if let Some(bias) = &bias
            && bias.shape().to_vec() != [outputs]
        {
            return Err(cx.unsupported(format!(
                "a bias of shape {:?} for {outputs} channels",
                bias.shape().to_vec()
            )));
        }
        Ok(Self {
            x,
            weight,
            bias,
            window,
            groups,
        })
    }

    fn convolve(self, cx: &Context<'_, B>) -> Result<FloatTensor<B>> {
        let dims = self.x.shape().to_vec();
        self.window.check(cx, &dims[2..])?;
        let padded: Vec<usize> = dims[2..]
            .iter()
            .zip(&self.window.pads)
            .map(|(size, pad)| size + pad.0 + pad.1)
            .collect();
        cx.check_size(&[&[dims[0], dims[1].max(self.weight.shape()[0])], &padded[..]].concat())?;
        Ok(convolve::<B>(
            self.x,
            self.weight,
            self.bias,
            &self.window,
            self.groups,
        ))
    }
}

/// A convolution by the number of spatial axes.
pub(super) fn convolve<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    window: &Window,
    groups: usize,
) -> FloatTensor<B> {
    fn options<const N: usize>(window: &Window, groups: usize) -> ConvOptions<N> {
        ConvOptions {
            stride: array(&window.stride),
            padding: array(&window.pads),
            dilation: array(&window.dilation),
            groups,
        }
    }
    match window.kernel.len() {
        1 => B::conv1d(x, weight, bias, options(window, groups)),
        2 => B::conv2d(x, weight, bias, options(window, groups)),
        // A captured convolution of three axes has equal pads only.
        _ if window.pads.iter().any(|(before, after)| before != after) => {
            let pads = [&[(0, 0); 2], &window.pads[..]].concat();
            let x = B::float_pad(x, &pads, PadMode::Constant(0.0));
            let inside = Window {
                pads: vec![(0, 0); 3],
                ..window.clone()
            };
            B::conv3d(x, weight, bias, options(&inside, groups))
        }
        _ => B::conv3d(x, weight, bias, options(window, groups)),
    }
}

pub(super) fn conv<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    one(Weighted::read(cx, false)?.convolve(cx)?)
}

/// Unequal pads are cut off afterwards; output_shape and SAME become pads.
pub(super) fn conv_transpose<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let Weighted {
        x,
        weight,
        bias,
        window,
        groups,
    } = Weighted::read(cx, true)?;
    let dims = x.shape().to_vec();
    let sizes = &dims[2..];
    let axes = sizes.len();
    let mut extra = cx.sizes("output_padding")?.unwrap_or_else(|| vec![0; axes]);
    if extra.len() != axes {
        return Err(cx.unsupported(format!("output_padding {extra:?} for {axes} axes")));
    }
    let mut full: Vec<usize> = (0..axes)
        .map(|i| {
            let moved = window.stride[i].saturating_mul(sizes[i].saturating_sub(1));
            moved
                .saturating_add(extra[i])
                .saturating_add(window.reach(i))
        })
        .collect();
    let outputs = weight.shape()[1] * groups;
    cx.check_size(&[&[dims[0], outputs], &full[..]].concat())?;
    let same = cx.text_or("auto_pad", "NOTSET")?.to_string();
    let wanted = match cx.sizes("output_shape")? {
        Some(shape) if shape.len() >= axes => Some(shape[shape.len() - axes..].to_vec()),
        Some(shape) => return Err(cx.unsupported(format!("output_shape {shape:?}"))),
        None if same.starts_with("SAME") => {
            Some((0..axes).map(|i| sizes[i] * window.stride[i]).collect())
        }
        None => None,
    };
    if let Some(wanted) = &wanted {
        // What the windows do not reach is the bias alone.
        for i in 0..axes {
            let missing = wanted[i].saturating_sub(full[i]);
            extra[i] += missing;
            full[i] += missing;
        }
        cx.check_size(&[&[dims[0], outputs], &full[..]].concat())?;
    }
    let pads: Vec<(usize, usize)> = match wanted {
        None => window.pads.clone(),
        Some(wanted) => (0..axes)
            .map(|i| {
                let total = full[i].saturating_sub(wanted[i]);
                let (less, more) = (total / 2, total - total / 2);
                match &same[..] {
                    "SAME_UPPER" => (less, more),
                    _ => (more, less),
                }
            })
            .collect(),
    };
    for (i, (before, after)) in pads.iter().enumerate() {
        if before + after >= full[i] {
            return Err(cx.unsupported(format!("pads {pads:?} of a result of {full:?}")));
        }
    }
    let symmetric = pads.iter().all(|(before, after)| before == after);
    let padding = match symmetric {
        true => pads.iter().map(|pad| pad.0).collect(),
        false => vec![0; axes],
    };
    fn options<const N: usize>(
        window: &Window,
        padding: &[usize],
        extra: &[usize],
        groups: usize,
    ) -> ConvTransposeOptions<N> {
        ConvTransposeOptions {
            stride: array(&window.stride),
            padding: array(padding),
            padding_out: array(extra),
            dilation: array(&window.dilation),
            groups,
        }
    }
    let y = match axes {
        1 => B::conv_transpose1d(x, weight, bias, options(&window, &padding, &extra, groups)),
        2 => B::conv_transpose2d(x, weight, bias, options(&window, &padding, &extra, groups)),
        _ => B::conv_transpose3d(x, weight, bias, options(&window, &padding, &extra, groups)),
    };
    if symmetric {
        return one(y);
    }
    let mut ranges = vec![Slice::from(0..dims[0]), Slice::from(0..outputs)];
    ranges.extend((0..axes).map(|i| Slice::from(pads[i].0..full[i] - pads[i].1)));
    one(B::float_slice(y, &ranges))
}

/// A convolution of integers less their zero points; the sums are exact in f64.
pub(super) fn conv_integer<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let centred = |index: usize, zero: usize| -> Result<FloatTensor<B>> {
        super::quantisation::centred(cx, index, cx.has(zero).then_some(zero), 0, DType::F64)
    };
    let weighted = Weighted::new(cx, centred(0, 2)?, centred(1, 3)?, None, false)?;
    let y = Value::Float(weighted.convolve(cx)?);
    Ok(vec![y.cast(DType::I32)])
}

/// A convolution of quantised tensors, as the standard defines it: dequantise, convolve, quantise.
pub(super) fn qlinear_conv<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    use super::quantisation::{centred, quantised, scaled_by};
    let x = centred(cx, 0, Some(2), 1, DType::F32)?;
    let weight = centred(cx, 3, Some(5), 0, DType::F32)?;
    let x = scaled_by(cx, x, 1, 1)?;
    let weight = scaled_by(cx, weight, 4, 0)?;
    let bias = match cx.has(8) {
        false => None,
        true => {
            let bias = centred(cx, 8, None, 0, DType::F32)?;
            let both = cx.floats(1, "a scale")?[0];
            let bias = B::float_mul_scalar(bias, both.into());
            Some(scaled_by(cx, bias, 4, 0)?)
        }
    };
    let y = Weighted::new(cx, x, weight, bias, false)?.convolve(cx)?;
    Ok(vec![quantised(cx, y, 6, Some(7), 1)?])
}

/// Sampling points moved by offsets.
pub(super) fn deform_conv<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let (x, weight, offset) = (cx.float(0)?, cx.float(1)?, cx.float(2)?);
    let (dims, taps) = (x.shape().to_vec(), weight.shape().to_vec());
    if dims.len() != 4 || taps.len() != 4 {
        return Err(cx.unsupported(format!("an input of rank {}", dims.len())));
    }
    let window = Window::read(cx, &dims[2..], Some(&taps[2..]))?;
    window.check(cx, &dims[2..])?;
    if window.pads.iter().any(|(before, after)| before != after) {
        return Err(cx.unsupported(format!("unequal pads {:?}", window.pads)));
    }
    let count = |name: &str| -> Result<usize> {
        let value = cx.int_or(name, 1)?;
        usize::try_from(value)
            .ok()
            .filter(|value| *value > 0)
            .ok_or_else(|| cx.unsupported(format!("{name}={value}")))
    };
    let options = DeformConvOptions {
        stride: array(&window.stride),
        padding: [window.pads[0].0, window.pads[1].0],
        dilation: array(&window.dilation),
        weight_groups: count("group")?,
        offset_groups: count("offset_group")?,
    };
    let (bias, mask) = (cx.optional_float(3)?, cx.optional_float(4)?);
    one(B::deform_conv2d(x, offset, weight, mask, bias, options))
}

/// Columns back to a picture: each entry added where its window took it.
pub(super) fn col2im<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let sizes = |values: Vec<i64>| -> Result<Vec<usize>> {
        let sizes: Option<Vec<usize>> = values.iter().map(|&v| usize::try_from(v).ok()).collect();
        sizes.ok_or_else(|| cx.unsupported(format!("sizes {values:?}")))
    };
    let image = sizes(cx.ints(1, "the picture's shape")?)?;
    let block = sizes(cx.ints(2, "the block's shape")?)?;
    if block.len() != image.len() {
        return Err(cx.unsupported(format!("blocks {block:?} of a picture {image:?}")));
    }
    let window = Window::read(cx, &image, Some(&block))?;
    window.check(cx, &image)?;
    let dims = x.shape().to_vec();
    let taps: usize = block.iter().product();
    let steps: Vec<usize> = (0..image.len())
        .map(|i| {
            (image[i] + window.pads[i].0 + window.pads[i].1 - window.reach(i)) / window.stride[i]
                + 1
        })
        .collect();
    let windows: usize = steps.iter().product();
    if dims.len() != 3 || !dims[1].is_multiple_of(taps) || dims[2] != windows {
        return Err(cx.unsupported(format!(
            "an input of shape {dims:?} for {windows} windows of {taps} cells"
        )));
    }
    let channels = dims[1] / taps;
    let cells: usize = image.iter().product();
    cx.check_size(&[dims[0], channels, cells])?;
    // Where each (tap, window) goes; what falls on the border is dropped.
    let (mut kept, mut target) = (Vec::new(), Vec::new());
    for tap in 0..taps {
        for at in 0..windows {
            let (mut tap_left, mut at_left, mut cell, mut scale) = (tap, at, 0, 1);
            let mut inside = true;
            for i in (0..image.len()).rev() {
                let position = (at_left % steps[i]) * window.stride[i]
                    + (tap_left % block[i]) * window.dilation[i];
                at_left /= steps[i];
                tap_left /= block[i];
                match position.checked_sub(window.pads[i].0) {
                    Some(position) if position < image[i] => cell += scale * position,
                    _ => inside = false,
                }
                scale *= image[i];
            }
            if inside {
                kept.push((tap * windows + at) as i64);
                target.push(cell as i64);
            }
        }
    }
    let rows = crate::context::reshaped::<B>(x, &[dims[0] * channels, taps * windows]);
    let taken = B::float_select(rows, 1, cx.indices(kept));
    let blank = cx.constant(
        vec![0.0; dims[0] * channels * cells],
        vec![dims[0] * channels, cells],
        taken.dtype(),
    );
    let picture = B::float_select_assign(
        blank,
        1,
        cx.indices(target),
        taken,
        burn_backend::tensor::IndexingUpdateOp::Add,
    );
    let shape = [&[dims[0], channels], &image[..]].concat();
    one(crate::context::reshaped::<B>(picture, &shape))
}
