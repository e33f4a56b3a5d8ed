//! Sampling at computed places: GridSample, RoiAlign, AffineGrid, NonMaxSuppression. The places are
//! numbers on the host; what is sampled is selected and weighted, which is linear.

use burn_backend::{Backend, TensorData, TensorMetadata};

use crate::{
    context::{Context, Outputs, one_constant, reshaped},
    error::Result,
    value::Value,
};

/// Points of a grid from -1 to 1 in each axis, moved by matrices `theta`.
pub(super) fn affine_grid<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let theta = cx.data(0, "a matrix")?;
    let size = cx.ints(1, "a size")?;
    let sizes: Option<Vec<usize>> = size.iter().map(|&s| usize::try_from(s).ok()).collect();
    let sizes = sizes.filter(|sizes| matches!(sizes.len(), 4 | 5) && !sizes.contains(&0));
    let sizes = sizes.ok_or_else(|| cx.unsupported(format!("size {size:?}")))?;
    let spatial = &sizes[2..];
    let axes = spatial.len();
    cx.check_size(&[&sizes[..1], spatial, &[axes]].concat())?;
    let shape = theta.shape().to_vec();
    if shape != [sizes[0], axes, axes + 1] {
        return Err(cx.unsupported(format!("matrices of shape {shape:?} for size {sizes:?}")));
    }
    let corners = cx.flag("align_corners", false)?;
    let place = |at: usize, size: usize| match corners {
        true if size == 1 => -1.0,
        true => -1.0 + 2.0 * at as f64 / (size - 1) as f64,
        false => -1.0 + (2.0 * at as f64 + 1.0) / size as f64,
    };
    let matrix: Vec<f64> = theta.iter::<f64>().collect();
    let points: usize = spatial.iter().product();
    let mut grid = Vec::with_capacity(sizes[0] * points * axes);
    for matrix in matrix.chunks(axes * (axes + 1)) {
        for point in 0..points {
            let (mut left, mut position) = (point, Vec::new());
            // The last axis (x) first.
            for &size in spatial.iter().rev() {
                position.push(place(left % size, size));
                left /= size;
            }
            position.push(1.0);
            for row in matrix.chunks(axes + 1) {
                grid.push(row.iter().zip(&position).map(|(m, p)| m * p).sum::<f64>());
            }
        }
    }
    let shape = [&sizes[..1], spatial, &[axes]].concat();
    one_constant(TensorData::new(grid, shape).convert_dtype(theta.dtype()))
}

/// A cell of an axis by padding mode, if any.
fn inside(cell: i64, size: usize, padding: &str, corners: bool) -> Option<usize> {
    let last = size as i64 - 1;
    let found = match padding {
        "zeros" => return (0..=last).contains(&cell).then_some(cell as usize),
        "border" => cell.clamp(0, last),
        _ if corners => {
            let period = (2 * last).max(1);
            let folded = cell.rem_euclid(period);
            if last == 0 {
                0
            } else {
                folded.min(period - folded)
            }
        }
        _ => {
            let folded = cell.rem_euclid(2 * (last + 1));
            folded.min(2 * last + 1 - folded)
        }
    };
    Some(found as usize)
}

/// Weights of an axis: (cell, weight).
fn taps(at: f64, mode: &str) -> Vec<(i64, f64)> {
    let floor = at.floor();
    let (base, t) = (floor as i64, at - floor);
    match mode {
        "nearest" => vec![(at.round_ties_even() as i64, 1.0)],
        "linear" => vec![(base, 1.0 - t), (base + 1, t)],
        _ => {
            let a = -0.75;
            let near = |d: f64| ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
            let far = |d: f64| ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a;
            vec![
                (base - 1, far(t + 1.0)),
                (base, near(t)),
                (base + 1, near(1.0 - t)),
                (base + 2, far(2.0 - t)),
            ]
        }
    }
}

/// `x: [n, c, ...]` at a grid of places from -1 to 1: for each tap one selection times its weights.
pub(super) fn grid_sample<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let x = cx.float(0)?;
    let grid = cx.data(1, "a grid")?;
    let (dims, shape) = (x.shape().to_vec(), grid.shape().to_vec());
    let axes = dims.len().saturating_sub(2);
    let fits = shape.len() == dims.len()
        && axes > 0
        && shape[0] == dims[0]
        && shape.last() == Some(&axes)
        && !dims.contains(&0);
    if !fits {
        return Err(cx.unsupported(format!("a grid of shape {shape:?} for shape {dims:?}")));
    }
    let mode = match cx.text_or("mode", "linear")? {
        "bilinear" | "linear" => "linear",
        "bicubic" | "cubic" => "cubic",
        "nearest" => "nearest",
        other => return Err(cx.unsupported(format!("mode {other}"))),
    };
    let padding = cx.text_or("padding_mode", "zeros")?.to_string();
    if !matches!(&padding[..], "zeros" | "border" | "reflection") {
        return Err(cx.unsupported(format!("padding_mode {padding}")));
    }
    let corners = cx.flag("align_corners", false)?;
    let sizes = &dims[2..];
    let points: usize = shape[1..shape.len() - 1].iter().product();
    let values: Vec<f64> = grid.iter::<f64>().collect();
    let each = match mode {
        "nearest" => 1usize,
        "linear" => 2,
        _ => 4,
    };
    let count = each.pow(axes as u32);
    let numel = dims[0] * points;
    cx.check_size(&[numel, dims[1], count])?;
    // One list of cells and one of weights a tap.
    let mut cells = vec![vec![0i64; numel]; count];
    let mut weights = vec![vec![0.0; numel]; count];
    let plane: usize = sizes.iter().product();
    for point in 0..numel {
        let lists: Vec<Vec<(i64, f64)>> = (0..axes)
            .map(|axis| {
                // The grid's last entry is the first axis.
                let place = values[point * axes + (axes - 1 - axis)];
                let size = sizes[axis] as f64;
                let mut at = match corners {
                    true => (place + 1.0) / 2.0 * (size - 1.0),
                    false => ((place + 1.0) * size - 1.0) / 2.0,
                };
                at = at.clamp(-1e9, 1e9);
                if padding == "reflection" {
                    let (low, high) = if corners {
                        (0.0, size - 1.0)
                    } else {
                        (-0.5, size - 0.5)
                    };
                    at = reflected(at, low, high);
                } else if padding == "border" && mode != "cubic" {
                    at = at.clamp(0.0, size - 1.0);
                }
                taps(at, mode)
            })
            .collect();
        for tap in 0..count {
            let (mut left, mut cell, mut weight, mut found) = (tap, 0usize, 1.0, true);
            for axis in 0..axes {
                let (at, w) = lists[axis][left % each];
                left /= each;
                weight *= w;
                match inside(at, sizes[axis], &padding, corners) {
                    Some(at) => cell = cell * sizes[axis] + at,
                    None => {
                        found = false;
                        cell *= sizes[axis];
                    }
                }
            }
            cells[tap][point] = (point / points * plane + cell) as i64;
            weights[tap][point] = if found { weight } else { 0.0 };
        }
    }
    // Pictures beside each other, channels last: `[n · plane, c]`.
    let mut order: Vec<usize> = vec![0];
    order.extend(2..dims.len());
    order.push(1);
    let rows = reshaped::<B>(B::float_permute(x, &order), &[dims[0] * plane, dims[1]]);
    let sum = cells
        .into_iter()
        .zip(weights)
        .map(|(cells, weights)| {
            let picked = B::float_select(rows.clone(), 0, cx.indices(cells));
            let weights = cx.constant(weights, vec![numel, 1], picked.dtype());
            B::float_mul(picked, weights)
        })
        .reduce(B::float_add);
    let sum = sum.ok_or_else(|| cx.unsupported("no taps"))?;
    let y = reshaped::<B>(sum, &[dims[0], points, dims[1]]);
    let y = B::float_permute(y, &[0, 2, 1]);
    let out = [&dims[..2], &shape[1..shape.len() - 1]].concat();
    Ok(vec![Value::Float(reshaped::<B>(y, &out))])
}

/// A place mirrored at both ends until it lies between them.
fn reflected(at: f64, low: f64, high: f64) -> f64 {
    let span = high - low;
    if span <= 0.0 {
        return low;
    }
    let folded = (at - low).rem_euclid(2.0 * span);
    low + folded.min(2.0 * span - folded)
}

/// Means (or maxima) of bilinear samples in each cell of each region.
pub(super) fn roi_align<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    if cx.text_or("mode", "avg")? != "avg" {
        return roi_align_max(cx);
    }
    let x = cx.float(0)?;
    let dims = x.shape().to_vec();
    let (regions, counts) = roi_samples(cx, &dims)?;
    let [oh, ow] = roi_size(cx)?;
    let plane = dims[2] * dims[3];
    let rows = reshaped::<B>(
        B::float_permute(x, &[0, 2, 3, 1]),
        &[dims[0] * plane, dims[1]],
    );
    let most = regions.iter().map(Vec::len).max().unwrap_or(0);
    let numel = regions.len();
    cx.check_size(&[numel, dims[1], most.max(1)])?;
    let mut sum = None;
    for tap in 0..most {
        let at = |cell: &Vec<(i64, f64)>| cell.get(tap).copied().unwrap_or((0, 0.0));
        let cells = regions.iter().map(|cell| at(cell).0).collect();
        let weights: Vec<f64> = regions
            .iter()
            .zip(&counts)
            .map(|(cell, count)| at(cell).1 / count)
            .collect();
        let picked = B::float_select(rows.clone(), 0, cx.indices(cells));
        let weights = cx.constant(weights, vec![numel, 1], picked.dtype());
        let term = B::float_mul(picked, weights);
        sum = Some(match sum.take() {
            Some(sum) => B::float_add(sum, term),
            None => term,
        });
    }
    let sum = sum.ok_or_else(|| cx.unsupported("no regions"))?;
    let y = reshaped::<B>(sum, &[numel / (oh * ow), oh * ow, dims[1]]);
    let y = B::float_permute(y, &[0, 2, 1]);
    let shape = [numel / (oh * ow), dims[1], oh, ow];
    Ok(vec![Value::Float(reshaped::<B>(y, &shape))])
}

fn roi_align_max<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let data = cx.data(0, "a picture")?;
    let dims = data.shape().to_vec();
    let (regions, _) = roi_samples(cx, &dims)?;
    let [oh, ow] = roi_size(cx)?;
    let values: Vec<f64> = data.iter::<f64>().collect();
    let plane = dims[2] * dims[3];
    let cells = oh * ow;
    let mut out = vec![0.0; regions.len() * dims[1]];
    for (at, taps) in regions.iter().enumerate() {
        for channel in 0..dims[1] {
            let value = |&(row, weight): &(i64, f64)| {
                let (image, cell) = (row as usize / plane, row as usize % plane);
                weight * values[(image * dims[1] + channel) * plane + cell]
            };
            // The reference takes the largest weighted corner, not the largest sample.
            let best = taps.iter().map(value).fold(f64::NEG_INFINITY, f64::max);
            out[(at / cells * dims[1] + channel) * cells + at % cells] = best;
        }
    }
    let shape = [regions.len() / cells, dims[1], oh, ow];
    one_constant(TensorData::new(out, shape).convert_dtype(data.dtype()))
}

fn roi_size<B: Backend>(cx: &Context<'_, B>) -> Result<[usize; 2]> {
    let size = |name: &str| -> Result<usize> {
        let value = cx.int_or(name, 1)?;
        usize::try_from(value)
            .ok()
            .filter(|size| (1..1 << 12).contains(size))
            .ok_or_else(|| cx.unsupported(format!("{name}={value}")))
    };
    Ok([size("output_height")?, size("output_width")?])
}

/// For each cell of each region: rows of `[n · h · w]` with bilinear weights, and how many samples
/// they are.
type Samples = (Vec<Vec<(i64, f64)>>, Vec<f64>);

fn roi_samples<B: Backend>(cx: &Context<'_, B>, dims: &[usize]) -> Result<Samples> {
    let &[n, _, h, w] = dims else {
        return Err(cx.unsupported(format!("an input of shape {dims:?}")));
    };
    let regions = cx.floats(1, "regions")?;
    let batches = cx.ints(2, "batch indices")?;
    let [oh, ow] = roi_size(cx)?;
    let scale = cx.float_or("spatial_scale", 1.0)?;
    let half = match cx.text_or(
        "coordinate_transformation_mode",
        match cx.opset() < 16 {
            true => "output_half_pixel",
            false => "half_pixel",
        },
    )? {
        "half_pixel" => 0.5,
        _ => 0.0,
    };
    let ratio = cx.int_or("sampling_ratio", 0)?;
    let (mut cells, mut counts) = (Vec::new(), Vec::new());
    for (region, &batch) in regions.chunks(4).zip(&batches) {
        let batch = usize::try_from(batch).ok().filter(|batch| *batch < n);
        let (Some(batch), &[x1, y1, x2, y2]) = (batch, region) else {
            return Err(cx.unsupported(format!("region {region:?} of picture {batch:?}")));
        };
        let (left, top) = (x1 * scale - half, y1 * scale - half);
        let (mut width, mut height) = (x2 * scale - half - left, y2 * scale - half - top);
        if half == 0.0 {
            (width, height) = (width.max(1.0), height.max(1.0));
        }
        let (bin_h, bin_w) = (height / oh as f64, width / ow as f64);
        let samples = |bin: f64| match ratio > 0 {
            true => ratio,
            false => bin.ceil().max(1.0) as i64,
        };
        let (rows, columns) = (samples(bin_h), samples(bin_w));
        if rows.saturating_mul(columns) > 1 << 16 {
            return Err(cx.unsupported(format!("{rows}×{columns} samples a cell")));
        }
        for cell in 0..oh * ow {
            let mut taps = Vec::new();
            for sample in 0..rows * columns {
                let (iy, ix) = ((sample / columns) as f64, (sample % columns) as f64);
                let y = top + bin_h * ((cell / ow) as f64 + (iy + 0.5) / rows as f64);
                let x = left + bin_w * ((cell % ow) as f64 + (ix + 0.5) / columns as f64);
                if y < -1.0 || y > h as f64 || x < -1.0 || x > w as f64 {
                    continue;
                }
                let axis = |at: f64, size: usize| {
                    let at = at.clamp(0.0, size as f64 - 1.0);
                    let low = at.floor();
                    let high = (low + 1.0).min(size as f64 - 1.0);
                    [(low as usize, 1.0 - (at - low)), (high as usize, at - low)]
                };
                for (row, wy) in axis(y, h) {
                    for (column, wx) in axis(x, w) {
                        taps.push((((batch * h + row) * w + column) as i64, wy * wx));
                    }
                }
            }
            cells.push(taps);
            counts.push((rows * columns) as f64);
        }
    }
    Ok((cells, counts))
}

/// Boxes that overlap no better one by more than a threshold, best first: rows of
/// [batch, class, box].
pub(super) fn non_max_suppression<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let boxes = cx.data(0, "boxes")?;
    let scores = cx.data(1, "scores")?;
    let number = |index: usize, default: f64| -> Result<f64> {
        Ok(match cx.has(index) {
            true => cx
                .floats(index, "a bound")?
                .first()
                .copied()
                .unwrap_or(default),
            false => default,
        })
    };
    let most = number(2, 0.0)?.max(0.0) as usize;
    let (overlap, lowest) = (number(3, 0.0)?, number(4, f64::NEG_INFINITY)?);
    let (shape, ranks) = (boxes.shape().to_vec(), scores.shape().to_vec());
    let (&[n, count, 4], &[m, classes, others]) = (&shape[..], &ranks[..]) else {
        return Err(cx.unsupported(format!("boxes {shape:?} and scores {ranks:?}")));
    };
    if n != m || count != others {
        return Err(cx.unsupported(format!("boxes {shape:?} and scores {ranks:?}")));
    }
    let centred = cx.flag("center_point_box", false)?;
    let corners: Vec<[f64; 4]> = boxes
        .iter::<f64>()
        .collect::<Vec<_>>()
        .chunks(4)
        .map(|b| match centred {
            true => [
                b[1] - b[3] / 2.0,
                b[0] - b[2] / 2.0,
                b[1] + b[3] / 2.0,
                b[0] + b[2] / 2.0,
            ],
            false => [
                b[0].min(b[2]),
                b[1].min(b[3]),
                b[0].max(b[2]),
                b[1].max(b[3]),
            ],
        })
        .collect();
    let shared = |a: &[f64; 4], b: &[f64; 4]| {
        let side = |i: usize| (a[i + 2].min(b[i + 2]) - a[i].max(b[i])).max(0.0);
        let area = |b: &[f64; 4]| (b[2] - b[0]) * (b[3] - b[1]);
        let both = side(0) * side(1);
        let all = area(a) + area(b) - both;
        if all > 0.0 { both / all } else { 0.0 }
    };
    let scores: Vec<f64> = scores.iter::<f64>().collect();
    let mut kept = Vec::new();
    for batch in 0..n {
        for class in 0..classes {
            let of = |at: usize| scores[(batch * classes + class) * count + at];
            let mut ranked: Vec<usize> = (0..count).filter(|&at| of(at) > lowest).collect();
            ranked.sort_by(|&a, &b| of(b).total_cmp(&of(a)));
            let mut chosen: Vec<usize> = Vec::new();
            for at in ranked {
                if chosen.len() == most {
                    break;
                }
                let corner = &corners[batch * count + at];
                let covered =
                    |&other: &usize| shared(corner, &corners[batch * count + other]) > overlap;
                if !chosen.iter().any(covered) {
                    chosen.push(at);
                    kept.extend([batch as i64, class as i64, at as i64]);
                }
            }
        }
    }
    let rows = kept.len() / 3;
    one_constant(TensorData::new(kept, [rows, 3]))
}
