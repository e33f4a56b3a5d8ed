//! Pools: the largest, the mean or the norm of each window, or of everything.

use burn_backend::{Backend, DType, TensorData, TensorMetadata, ops::PadMode, tensor::FloatTensor};

use super::convolution::{Window, array, convolve};
use crate::{
    context::{Context, Outputs, one, reshaped},
    error::Result,
    value::Value,
};

/// The window, with the cells that ceil_mode adds behind: a last window that begins inside the
/// input or the pads before it counts. So does the first, and it may be larger than the input.
fn window<B: Backend>(cx: &Context<'_, B>, dims: &[usize]) -> Result<(Window, Vec<usize>)> {
    if dims.len() < 3 || dims.len() > 5 {
        return Err(cx.unsupported(format!("an input of rank {}", dims.len())));
    }
    let sizes = &dims[2..];
    let window = Window::read(cx, sizes, None)?;
    let ceil = cx.flag("ceil_mode", false)?;
    if !ceil {
        window.check(cx, sizes)?;
    }
    let padded: Vec<usize> = (0..sizes.len())
        .map(|i| sizes[i] + window.pads[i].0 + window.pads[i].1)
        .collect();
    cx.check_size(&[&dims[..2], &padded[..]].concat())?;
    let mut added = vec![0; sizes.len()];
    for i in (0..sizes.len()).filter(|_| ceil) {
        let (stride, reach) = (window.stride[i], window.reach(i));
        // ⌈(padded − reach)/stride⌉ + 1, which is above 0 only here.
        if reach >= padded[i] + stride {
            return Err(window.too_large(cx, i, padded[i]));
        }
        let mut out = (padded[i] + stride - reach).div_ceil(stride);
        if (out - 1) * stride >= sizes[i] + window.pads[i].0 {
            out -= 1;
        }
        if out == 0 {
            return Err(window.too_large(cx, i, padded[i]));
        }
        let needed = (out - 1) * stride + reach;
        added[i] = needed.saturating_sub(padded[i]);
    }
    Ok((window, added))
}

/// Padding Burn's pools can do themselves: the same before and after, at most half the window.
fn symmetric(window: &Window) -> bool {
    let fits =
        |(axis, pad): (usize, &(usize, usize))| pad.0 == pad.1 && 2 * pad.0 <= window.kernel[axis];
    window.pads.iter().enumerate().all(fits)
}

fn pad_spatial<B: Backend>(
    x: FloatTensor<B>,
    pads: &[(usize, usize)],
    value: f32,
) -> FloatTensor<B> {
    if pads.iter().all(|pad| *pad == (0, 0)) {
        return x;
    }
    let mut all = vec![(0, 0); 2];
    all.extend(pads);
    B::float_pad(x, &all, PadMode::Constant(value))
}

pub(super) fn max_pool<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.value(0)?;
    let dtype = x.dtype();
    let x = match x {
        Value::Float(x) => x,
        // Small integers are exact in f32.
        other => match other.cast(DType::F32) {
            Value::Float(x) => x,
            _ => unreachable!("a cast to floats"),
        },
    };
    let dims = x.shape().to_vec();
    let (window, added) = window(cx, &dims)?;
    if cx.wants(1) {
        return max_pool_with_indices(cx, x, &window, &added, dtype);
    }
    let y = largest::<B>(x, window, &added);
    Ok(vec![match dtype.is_float() {
        true => Value::Float(y),
        false => Value::<B>::Float(y).cast(dtype),
    }])
}

/// The largest of each window. Along three axes: of planes first, then along depth.
fn largest<B: Backend>(x: FloatTensor<B>, mut window: Window, added: &[usize]) -> FloatTensor<B> {
    let mut x = x;
    let mut ceil = added.iter().any(|cells| *cells > 0);
    let sizes = x.shape();
    let larger = (0..added.len())
        .any(|i| window.reach(i) > sizes[2 + i] + window.pads[i].0 + window.pads[i].1);
    if !symmetric(&window) || larger || (ceil && window.kernel.len() == 3) {
        // The least finite value never wins, and unlike −∞ it never makes 0 · ∞ either.
        let pads: Vec<(usize, usize)> = window
            .pads
            .iter()
            .zip(added)
            .map(|((before, after), added)| (*before, after + added))
            .collect();
        x = pad_spatial::<B>(x, &pads, f32::MIN);
        window.pads = vec![(0, 0); pads.len()];
        ceil = false;
    }
    let Window {
        kernel,
        stride,
        dilation,
        pads,
    } = window;
    let padding: Vec<usize> = pads.iter().map(|pad| pad.0).collect();
    match kernel.len() {
        1 => B::max_pool1d(x, kernel[0], stride[0], padding[0], dilation[0], ceil),
        2 => B::max_pool2d(
            x,
            array(&kernel),
            array(&stride),
            array(&padding),
            array(&dilation),
            ceil,
        ),
        _ => {
            let dims = x.shape().to_vec();
            let planes = reshaped::<B>(x, &[dims[0], dims[1] * dims[2], dims[3], dims[4]]);
            let y = B::max_pool2d(
                planes,
                array(&kernel[1..]),
                array(&stride[1..]),
                array(&padding[1..]),
                array(&dilation[1..]),
                false,
            );
            let (h, w) = (y.shape()[2], y.shape()[3]);
            let y = reshaped::<B>(y, &[dims[0], dims[1], dims[2], h * w]);
            let y = B::max_pool2d(
                y,
                [kernel[0], 1],
                [stride[0], 1],
                [padding[0], 0],
                [dilation[0], 1],
                false,
            );
            let depth = y.shape()[2];
            reshaped::<B>(y, &[dims[0], dims[1], depth, h, w])
        }
    }
}

/// With the place of each winner in the flattened input: found on the host, the first where
/// several are equal.
fn max_pool_with_indices<B: Backend>(
    cx: &Context<'_, B>,
    x: FloatTensor<B>,
    window: &Window,
    added: &[usize],
    dtype: DType,
) -> Outputs<B> {
    if cx.env.capturing {
        return Err(cx.unsupported("a second output (indices)"));
    }
    let dims = x.shape().to_vec();
    let sizes = &dims[2..];
    let axes = sizes.len();
    let data: Vec<f64> = cx.read(Value::Float(x.clone()))?.iter::<f64>().collect();
    let out: Vec<usize> = (0..axes)
        .map(|i| {
            let padded = sizes[i] + window.pads[i].0 + window.pads[i].1 + added[i];
            (padded - window.reach(i)) / window.stride[i] + 1
        })
        .collect();
    let (plane, windows): (usize, usize) = (sizes.iter().product(), out.iter().product());
    let taps: usize = window.kernel.iter().product();
    let column_major = cx.flag("storage_order", false)?;
    let (mut winners, mut places) = (Vec::new(), Vec::new());
    for image in 0..dims[0] * dims[1] {
        for at in 0..windows {
            let mut best: Option<(f64, usize, usize)> = None;
            'taps: for tap in 0..taps {
                let (mut tap_left, mut at_left) = (tap, at);
                let mut position = vec![0; axes];
                for i in (0..axes).rev() {
                    let cell = (at_left % out[i]) * window.stride[i]
                        + (tap_left % window.kernel[i]) * window.dilation[i];
                    at_left /= out[i];
                    tap_left /= window.kernel[i];
                    match cell.checked_sub(window.pads[i].0) {
                        Some(cell) if cell < sizes[i] => position[i] = cell,
                        _ => continue 'taps,
                    }
                }
                let row = position.iter().zip(sizes).fold(0, |n, (p, s)| n * s + p);
                let column = position
                    .iter()
                    .zip(sizes)
                    .rev()
                    .fold(0, |n, (p, s)| n * s + p);
                let value = data[image * plane + row];
                if best.is_none_or(|(found, ..)| value > found) {
                    best = Some((value, row, if column_major { column } else { row }));
                }
            }
            let (_, row, place) = best.unwrap_or_default();
            winners.push((image * plane + row) as i64);
            places.push((image * plane + place) as i64);
        }
    }
    let shape = [&dims[..2], &out[..]].concat();
    let y = cx.take(Value::Float(x), winners, &shape)?;
    let y = if dtype.is_float() { y } else { y.cast(dtype) };
    Ok(vec![y, Value::Constant(TensorData::new(places, shape))])
}

/// The sum of every window times `scale`, as a convolution of single planes: any pads, any
/// dilation, one to three axes.
fn sums<B: Backend>(
    cx: &Context<'_, B>,
    x: FloatTensor<B>,
    window: &Window,
    added: &[usize],
    scale: f64,
) -> FloatTensor<B> {
    let dims = x.shape().to_vec();
    let dtype = x.dtype();
    let planes = reshaped::<B>(x, &[&[dims[0] * dims[1], 1], &dims[2..]].concat());
    let taps: usize = window.kernel.iter().product();
    let weight = cx.constant(
        vec![scale; taps],
        [&[1, 1], &window.kernel[..]].concat(),
        dtype,
    );
    let extended = Window {
        kernel: window.kernel.clone(),
        stride: window.stride.clone(),
        dilation: window.dilation.clone(),
        pads: window
            .pads
            .iter()
            .zip(added)
            .map(|((before, after), added)| (*before, after + added))
            .collect(),
    };
    let y = convolve::<B>(planes, weight, None, &extended, 1);
    let out = y.shape().to_vec();
    reshaped::<B>(y, &[&dims[..2], &out[2..]].concat())
}

pub(super) fn average_pool<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let dims = x.shape().to_vec();
    let (window, added) = window(cx, &dims)?;
    let pads_count = cx.flag("count_include_pad", false)?;
    let plain = window.dilation.iter().all(|&d| d == 1) && symmetric(&window);
    let ceil = added.iter().any(|cells| *cells > 0);
    if plain && !ceil && window.kernel.len() < 3 {
        let padding: Vec<usize> = window.pads.iter().map(|pad| pad.0).collect();
        return one(match window.kernel.len() {
            1 => B::avg_pool1d(
                x,
                window.kernel[0],
                window.stride[0],
                padding[0],
                pads_count,
                false,
            ),
            _ => B::avg_pool2d(
                x,
                array(&window.kernel),
                array(&window.stride),
                array(&padding),
                pads_count,
                false,
            ),
        });
    }
    let taps: usize = window.kernel.iter().product();
    let y = sums(cx, x, &window, &added, 1.0 / taps as f64);
    // Cells that count, axis by axis: all windows are boxes.
    let out = y.shape().to_vec();
    let mut factors = vec![1.0];
    for (axis, &count) in out[2..].iter().enumerate() {
        let (before, after) = window.pads[axis];
        let size = dims[2 + axis];
        let counted = |cell: usize| match pads_count {
            true => cell < size + before + after,
            false => cell >= before && cell < before + size,
        };
        let line: Vec<f64> = (0..count)
            .map(|at| {
                let cells = (0..window.kernel[axis])
                    .map(|tap| at * window.stride[axis] + tap * window.dilation[axis]);
                let counted = cells.filter(|cell| counted(*cell)).count();
                window.kernel[axis] as f64 / counted.max(1) as f64
            })
            .collect();
        factors = factors
            .iter()
            .flat_map(|factor| line.iter().map(move |next| factor * next))
            .collect();
    }
    if factors.iter().all(|factor| *factor == 1.0) {
        return one(y);
    }
    let factors = cx.constant(factors, [&[1, 1], &out[2..]].concat(), y.dtype());
    one(B::float_mul(y, factors))
}

/// |x|ᵖ.
fn power<B: Backend>(x: FloatTensor<B>, p: f64) -> FloatTensor<B> {
    match p {
        1.0 => B::float_abs(x),
        2.0 => B::float_mul(x.clone(), x),
        p => B::float_powf_scalar(B::float_abs(x), p.into()),
    }
}

/// x^(1/p).
fn root<B: Backend>(x: FloatTensor<B>, p: f64) -> FloatTensor<B> {
    match p {
        1.0 => x,
        2.0 => B::float_sqrt(x),
        p => B::float_powf_scalar(x, (1.0 / p).into()),
    }
}

/// The exponent: an integer, a float before opset 2.
fn exponent<B: Backend>(cx: &Context<'_, B>) -> Result<f64> {
    let p = match cx.attribute("p") {
        Some(crate::graph::Attribute::Float(p)) => f64::from(*p),
        _ => cx.int_or("p", 2)? as f64,
    };
    if p > 0.0 {
        return Ok(p);
    }
    Err(cx.unsupported(format!("p={p}")))
}

/// (Σ |x|ᵖ)^(1/p) of each window.
pub(super) fn lp_pool<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let p = exponent(cx)?;
    let (window, added) = window(cx, &x.shape().to_vec())?;
    let sum = sums(cx, power::<B>(x, p), &window, &added, 1.0);
    one(root::<B>(sum, p))
}

/// `[n, c, ...] → [n, c, all]`, and the shape of the pooled.
fn flat<B: Backend>(cx: &Context<'_, B>) -> Result<(FloatTensor<B>, Vec<usize>)> {
    let x = cx.float(0)?;
    let dims = x.shape().to_vec();
    if dims.len() < 3 {
        return Err(cx.unsupported(format!("an input of rank {}", dims.len())));
    }
    let mut pooled = vec![1; dims.len()];
    pooled[..2].copy_from_slice(&dims[..2]);
    let plane = dims[2..].iter().product();
    Ok((reshaped::<B>(x, &[dims[0], dims[1], plane]), pooled))
}

pub(super) fn global_average_pool<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    match x.shape().num_dims() {
        3 => one(B::adaptive_avg_pool1d(x, 1)),
        4 => one(B::adaptive_avg_pool2d(x, [1, 1])),
        _ => {
            let (x, pooled) = flat(cx)?;
            one(reshaped::<B>(B::float_mean_dim(x, 2), &pooled))
        }
    }
}

pub(super) fn global_max_pool<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let (x, pooled) = flat(cx)?;
    let all = x.shape()[2];
    one(reshaped::<B>(
        B::max_pool1d(x, all, 1, 0, 1, false),
        &pooled,
    ))
}

pub(super) fn global_lp_pool<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let (x, pooled) = flat(cx)?;
    let p = exponent(cx)?;
    let sum = B::float_sum_dim(power::<B>(x, p), 2);
    one(reshaped::<B>(root::<B>(sum, p), &pooled))
}

/// Winners back to their places, 0 elsewhere.
pub(super) fn max_unpool<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let places = cx.ints(1, "indices")?;
    let dims = x.shape().to_vec();
    if dims.len() < 3 || places.len() != dims.iter().product::<usize>() {
        return Err(cx.unsupported(format!("an input of shape {dims:?}")));
    }
    let window = Window::read(cx, &dims[2..], None)?;
    let natural: Vec<usize> = (0..dims.len() - 2)
        .map(|i| {
            let full = (dims[2 + i] - 1) * window.stride[i] + window.kernel[i];
            full.saturating_sub(window.pads[i].0 + window.pads[i].1)
        })
        .collect();
    let natural = [&dims[..2], &natural[..]].concat();
    let shape: Vec<usize> = match cx.has(2) {
        true => cx
            .ints(2, "the output's shape")?
            .iter()
            .map(|&size| usize::try_from(size).unwrap_or(0))
            .collect(),
        false => natural.clone(),
    };
    cx.check_size(&shape)?;
    let numel: usize = shape.iter().product();
    if shape.len() != dims.len() || natural.iter().zip(&shape).any(|(a, b)| a > b) {
        return Err(cx.unsupported(format!("an output of shape {shape:?}")));
    }
    // Indices count in the natural shape; a larger output keeps the cells' coordinates.
    let mut sources = vec![x.shape().num_elements() as i64; numel];
    for (from, &place) in places.iter().enumerate() {
        let mut left = usize::try_from(place)
            .ok()
            .filter(|place| *place < natural.iter().product())
            .ok_or_else(|| cx.unsupported(format!("index {place}")))?;
        let (mut at, mut scale) = (0, 1);
        for i in (0..shape.len()).rev() {
            at += scale * (left % natural[i]);
            left /= natural[i];
            scale *= shape[i];
        }
        sources[at] = from as i64;
    }
    let zero = cx.constant(vec![0.0], vec![1], x.dtype());
    let all = B::float_cat(vec![reshaped::<B>(x, &[places.len()]), zero], 0);
    Ok(vec![cx.take(Value::Float(all), sources, &shape)?])
}
