//! Resize and Upsample: by Burn's interpolation where that is exactly the same, else axis by axis,
//! by a selection (nearest) or a product with the matrix of weights (linear, cubic).
//!
//! Lengths and coordinates are onnxruntime's, which PyTorch's exporter is tested against: a result has
//! ⌊scale · length⌋ cells, and wherever a formula of the standard asks for its length, it is that whole
//! number. (The standard's reference evaluator takes scale · length there, see docs/book/src/onnx.md.) What a rounding
//! decides, lengths and nearest cells, is computed in f32 as there; weights are computed in f64.

use burn_backend::{
    Backend, TensorMetadata,
    ops::{InterpolateMode, InterpolateOptions},
    tensor::FloatTensor,
};

use crate::{
    context::{Context, Outputs, one, reshaped},
    error::Result,
    value::Value,
};

/// One operation in f32: f64 holds enough digits that rounding its result to f32 is exact.
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

/// What is asked of each axis.
struct Resized {
    /// Numbers of f32.
    scales: Vec<f64>,
    sizes: Vec<usize>,
    /// `(start, end)` for tf_crop_and_resize.
    regions: Vec<(f64, f64)>,
}

impl Resized {
    fn read<B: Backend>(cx: &Context<'_, B>, dims: &[usize]) -> Result<Self> {
        let rank = dims.len();
        let old = cx.node.op == "Upsample" || cx.opset() < 11;
        let axes = match cx.attribute_ints("axes")? {
            Some(axes) => cx.axes(&axes, rank)?,
            None => (0..rank).collect(),
        };
        let mut resized = Self {
            scales: vec![1.0; rank],
            sizes: dims.to_vec(),
            regions: vec![(0.0, 1.0); rank],
        };
        let given = |index: usize| -> Result<Option<Vec<f64>>> {
            let values = match cx.has(index) {
                true => cx.floats(index, "scales or sizes")?,
                false => vec![],
            };
            Ok((!values.is_empty()).then_some(values))
        };
        let fits = |values: &[f64], each: usize| match values.len() == each * axes.len() {
            true => Ok(()),
            false => Err(cx.unsupported(format!("{values:?} for {} axes", axes.len()))),
        };
        let scales = match cx.attribute("scales") {
            Some(crate::graph::Attribute::Floats(scales)) => {
                Some(scales.iter().map(|&scale| f64::from(scale)).collect())
            }
            _ => given(if old { 1 } else { 2 })?,
        };
        let sizes = if old { None } else { given(3)? };
        match (scales, sizes) {
            (_, Some(sizes)) => {
                fits(&sizes, 1)?;
                let ratio = |i: usize| single(sizes[i] / dims[axes[i]] as f64);
                let ratios = (0..axes.len()).map(ratio);
                let common = match cx.text_or("keep_aspect_ratio_policy", "stretch")? {
                    "stretch" => None,
                    "not_larger" => Some(ratios.fold(f64::INFINITY, f64::min)),
                    "not_smaller" => Some(ratios.fold(0.0, f64::max)),
                    other => {
                        return Err(cx.unsupported(format!("keep_aspect_ratio_policy={other}")));
                    }
                };
                for (i, &axis) in axes.iter().enumerate() {
                    resized.scales[axis] = common.unwrap_or_else(|| ratio(i));
                    resized.sizes[axis] = match common {
                        Some(scale) => single(scale * dims[axis] as f64).round() as usize,
                        None => sizes[i] as usize,
                    };
                }
            }
            (Some(scales), None) => {
                fits(&scales, 1)?;
                for (i, &axis) in axes.iter().enumerate() {
                    resized.scales[axis] = scales[i];
                    resized.sizes[axis] = single(dims[axis] as f64 * scales[i]).floor() as usize;
                }
            }
            (None, None) => return Err(cx.unsupported("neither scales nor sizes")),
        }
        if cx.text_or("coordinate_transformation_mode", "")? == "tf_crop_and_resize" {
            let Some(regions) = given(1)? else {
                return Err(cx.unsupported("no region of interest"));
            };
            fits(&regions, 2)?;
            for (i, &axis) in axes.iter().enumerate() {
                resized.regions[axis] = (regions[i], regions[axes.len() + i]);
            }
        }
        if resized.scales.iter().any(|s| !(*s > 0.0 && s.is_finite())) {
            return Err(cx.unsupported(format!("scales {:?}", resized.scales)));
        }
        cx.check_size(&resized.sizes)?;
        Ok(resized)
    }

    /// Where cell `at` of the result lies on the axis of the input; each operation is rounded by `round`.
    fn source<B: Backend>(
        &self,
        cx: &Context<'_, B>,
        mode: &str,
        (axis, size): (usize, usize),
        at: usize,
        round: fn(f64) -> f64,
    ) -> Result<f64> {
        let (scale, out) = (self.scales[axis], self.sizes[axis] as f64);
        let (x, last) = (at as f64, size as f64 - 1.0);
        let half_pixel = || round(round(round(x + 0.5) / scale) - 0.5);
        Ok(match mode {
            "half_pixel" => half_pixel(),
            "pytorch_half_pixel" if out > 1.0 => half_pixel(),
            "pytorch_half_pixel" => 0.0,
            "half_pixel_symmetric" => {
                let adjustment = round(out / round(scale * size as f64));
                let offset = round(size as f64 / 2.0 * round(1.0 - adjustment));
                round(round(offset + round(round(x + 0.5) / scale)) - 0.5)
            }
            "align_corners" if out == 1.0 => 0.0,
            "align_corners" => round(round(x * last) / (out - 1.0)),
            "asymmetric" => round(x / scale),
            "tf_crop_and_resize" => {
                let (start, end) = self.regions[axis];
                match out > 1.0 {
                    true => {
                        let step = round(round(round(x * round(end - start)) * last) / (out - 1.0));
                        round(round(start * last) + step)
                    }
                    false => round(round(0.5 * round(start + end)) * last),
                }
            }
            other => {
                return Err(cx.unsupported(format!("coordinate_transformation_mode={other}")));
            }
        })
    }
}

/// Burn's interpolation does exactly this: mode and align_corners.
fn as_burn<B: Backend>(
    cx: &Context<'_, B>,
    resized: &Resized,
    dims: &[usize],
    (mode, coordinates, nearest): (&str, &str, &str),
) -> Result<Option<InterpolateOptions>> {
    let outer = dims.len() == 4 && resized.sizes[..2] == dims[..2];
    let spatial = || (2..4).map(|axis| (resized.sizes[axis], dims[axis]));
    if !outer || resized.scales[..2] != [1.0, 1.0] || cx.flag("antialias", false)? {
        return Ok(None);
    }
    // ONNX maps coordinates by the scale, Burn by the sizes: the same only here, and between corners.
    let by_sizes = (2..4).all(|axis| {
        (resized.scales[axis] * dims[axis] as f64 - resized.sizes[axis] as f64).abs() < 1e-4
    });
    let whole = spatial().all(|(out, size)| out % size == 0);
    let to_one = spatial().any(|(out, size)| out == 1 && size != 1);
    let half = matches!(coordinates, "half_pixel" | "pytorch_half_pixel")
        && !(to_one && coordinates == "pytorch_half_pixel");
    let cubic =
        cx.float_or("cubic_coeff_a", -0.75)? == -0.75 && !cx.flag("exclude_outside", false)?;
    let plain = !cx.flag("exclude_outside", false)?;
    let (mode, align) = match mode {
        "linear" if coordinates == "align_corners" && plain => (InterpolateMode::Bilinear, true),
        _ if !by_sizes => return Ok(None),
        // For whole factors rounding half-pixel coordinates gives ⌊i/factor⌋, without ties.
        "nearest" if whole && half && nearest.starts_with("round") => {
            (InterpolateMode::Nearest, false)
        }
        "nearest" if whole && coordinates == "asymmetric" && nearest == "floor" => {
            (InterpolateMode::Nearest, false)
        }
        "linear" if half && plain => (InterpolateMode::Bilinear, false),
        "cubic" if half && cubic => (InterpolateMode::Bicubic, false),
        _ => return Ok(None),
    };
    Ok(Some(
        InterpolateOptions::new(mode).with_align_corners(align),
    ))
}

pub(super) fn resize<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let mut x = cx.value(0)?;
    let dims = x.shape();
    let resized = Resized::read(cx, &dims)?;
    let old = cx.node.op == "Upsample" || cx.opset() < 11;
    let mode = match cx.text_or("mode", "nearest")? {
        "bilinear" => "linear",
        mode => mode,
    };
    let coordinates = match old {
        true => "asymmetric",
        false => cx.text_or("coordinate_transformation_mode", "half_pixel")?,
    };
    let nearest = match old {
        true => "floor",
        false => cx.text_or("nearest_mode", "round_prefer_floor")?,
    };
    if resized.sizes.contains(&0) || dims.contains(&0) {
        return Err(cx.unsupported(format!("sizes {:?} from {dims:?}", resized.sizes)));
    }
    if let Value::Float(x) = &x
        && let Some(options) = as_burn(cx, &resized, &dims, (mode, coordinates, nearest))?
    {
        let size = [resized.sizes[2], resized.sizes[3]];
        return one(B::interpolate(x.clone(), size, options));
    }
    let cropping = coordinates == "tf_crop_and_resize";
    for (axis, &size) in dims.iter().enumerate() {
        let identical = resized.sizes[axis] == size && resized.scales[axis] == 1.0;
        if identical && !cropping {
            continue;
        }
        let sources = |round| {
            (0..resized.sizes[axis])
                .map(|at| resized.source(cx, coordinates, (axis, size), at, round))
                .collect::<Result<Vec<f64>>>()
        };
        let decided = sources(single)?;
        x = match (mode, x) {
            ("nearest", x) => {
                // Before opset 11 the standard did not say; onnxruntime rounds up where it shrinks.
                let nearest = match old && resized.scales[axis] < 1.0 {
                    true => "ceil",
                    false => nearest,
                };
                let from = nearest_cells(cx, &decided, size, nearest)?;
                x.select(axis, cx.indices(from))
            }
            ("linear" | "cubic", Value::Float(x)) => {
                let sources = sources(|value| value)?;
                let weights = weights(cx, mode, &sources, size, resized.scales[axis])?;
                Value::Float(apply(cx, x, axis, weights, resized.sizes[axis])?)
            }
            (mode, x) => {
                return Err(cx.unsupported(format!("mode {mode} of {}", x.dtype().name())));
            }
        };
        if cropping {
            x = outside(cx, x, axis, &decided, size)?;
        }
    }
    Ok(vec![x])
}

/// What lies outside the input is `extrapolation_value`.
fn outside<B: Backend>(
    cx: &Context<'_, B>,
    x: Value<B>,
    axis: usize,
    sources: &[f64],
    size: usize,
) -> Result<Value<B>> {
    let outside = |at: &f64| *at < 0.0 || *at > size as f64 - 1.0;
    let mask: Vec<bool> = sources.iter().map(outside).collect();
    if !mask.contains(&true) {
        return Ok(x);
    }
    let dims = x.shape();
    let mut line = vec![1; dims.len()];
    line[axis] = mask.len();
    let mask = Value::<B>::Constant(burn_backend::TensorData::new(mask, line));
    let mask = mask.upload(&cx.env.device, cx.env.capturing).expand(&dims);
    let value = cx.float_or("extrapolation_value", 0.0)?;
    match (x, mask) {
        (Value::Float(x), Value::Bool(mask)) => {
            Ok(Value::Float(B::float_mask_fill(x, mask, value.into())))
        }
        (x, _) => Err(cx.unsupported_types(&[&x])),
    }
}

fn nearest_cells<B: Backend>(
    cx: &Context<'_, B>,
    sources: &[f64],
    size: usize,
    mode: &str,
) -> Result<Vec<i64>> {
    let round = match mode {
        "round_prefer_floor" => |at: f64| (at - 0.5).ceil(),
        "round_prefer_ceil" => |at: f64| (at + 0.5).floor(),
        "floor" => f64::floor,
        "ceil" => f64::ceil,
        other => return Err(cx.unsupported(format!("nearest_mode={other}"))),
    };
    let last = size as f64 - 1.0;
    // What is a hair from the middle between two cells lies there; onnxruntime sees to that, too.
    let middle = |at: f64| match at.floor() + 0.5 {
        half if (at - half).abs() < 1e-5 => half,
        _ => at,
    };
    let cell = |at: &f64| round(middle(*at)).clamp(0.0, last) as i64;
    Ok(sources.iter().map(cell).collect())
}

/// Rows of weights: `[out, size]`, by the standard's reference implementation.
fn weights<B: Backend>(
    cx: &Context<'_, B>,
    mode: &str,
    sources: &[f64],
    size: usize,
    scale: f64,
) -> Result<Vec<f64>> {
    let antialias = cx.flag("antialias", false)?;
    let exclude = cx.flag("exclude_outside", false)?;
    let a = cx.float_or("cubic_coeff_a", -0.75)?;
    cx.check_size(&[sources.len(), size])?;
    let stretch = if antialias { scale.min(1.0) } else { 1.0 };
    // Distance at which a kernel ends, in cells of the input.
    let reach = if mode == "linear" { 1.0 } else { 2.0 } / stretch;
    let kernel = |distance: f64| {
        let d = (distance * stretch).abs();
        match mode {
            "linear" => (1.0 - d).max(0.0),
            _ if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
            _ if d < 2.0 => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
            _ => 0.0,
        }
    };
    let mut rows = vec![0.0; sources.len() * size];
    for (row, &source) in rows.chunks_mut(size).zip(sources) {
        let (first, last) = (
            (source - reach).floor() as i64,
            (source + reach).ceil() as i64,
        );
        let mut total = 0.0;
        for cell in first..=last {
            let weight = kernel(cell as f64 - source);
            if exclude && !(0..size as i64).contains(&cell) {
                continue;
            }
            total += weight;
            row[cell.clamp(0, size as i64 - 1) as usize] += weight;
        }
        if (antialias || exclude) && total != 0.0 {
            row.iter_mut().for_each(|weight| *weight /= total);
        }
    }
    Ok(rows)
}

/// A matrix `[out, size]` applied along an axis.
fn apply<B: Backend>(
    cx: &Context<'_, B>,
    x: FloatTensor<B>,
    axis: usize,
    weights: Vec<f64>,
    out: usize,
) -> Result<FloatTensor<B>> {
    let dims = x.shape().to_vec();
    let last = dims.len() - 1;
    let size = dims[axis];
    let weights = B::float_swap_dims(cx.constant(weights, vec![out, size], x.dtype()), 0, 1);
    let turn = |x| match axis == last {
        true => x,
        false => B::float_swap_dims(x, axis, last),
    };
    let x = turn(x);
    let mut turned = x.shape().to_vec();
    let rows = turned[..last].iter().product();
    let y = B::float_matmul(reshaped::<B>(x, &[rows, size]), weights);
    turned[last] = out;
    Ok(turn(reshaped::<B>(y, &turned)))
}
