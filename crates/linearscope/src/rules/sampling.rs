//! Sampling a picture at points that are frozen: grid sampling and deformable convolution.
//!
//! grid_sample_2d: y₁[n, c, i, j] = x₁[n, c] at the point grid₀[n, i, j]. deform_conv2d: y₁ = W ·
//! columns + b, a column holding x₁ at the kernel's points, each moved by its offset₀ and weighed
//! by its mask₀.
//!
//! Points and masks read from x₀ (a spatial transformer, learned offsets) are decisions. Where they
//! alone depend on the input, freezing them would leave a silent constant: refused. Exact at x₀ to
//! rounding, in every mode and padding the backend has: a grid's pixels and weights are read off
//! the backend's own kernel. A point on a pixel takes that pixel alone; which pixel is the nearest
//! to a point halfway is the backend's choice (flex: the even one). Cost of freezing: up to 3
//! pixels² as many planes sampled; of a probe: a select for each of the 1, 4 or 16 pixels a point
//! reaches.

use burn_backend::{
    Backend, Scalar, Shape, Slice, TensorData, TensorMetadata, get_or_init_device_settings,
    ops::{DeformConvOptions, GridSampleOptions, InterpolateMode},
    tensor::{FloatTensor, IntTensor},
};

use super::{positions, weighted::per_channel};
use crate::{
    coefficient::Coefficient,
    linear::{Corner, MatmulLeft, Reshape, Sample},
    report::Decided,
    run::{
        ScopeTensor,
        open::{Opened, Operand, Traced},
    },
};

/// Points in pictures of `h × w` pixels: tensors of `[planes, points]`.
struct Pixels {
    size: [usize; 2],
    planes: usize,
    points: usize,
    /// Where the points came from.
    origin: Coefficient<()>,
}

impl Pixels {
    fn shape(&self) -> Shape {
        Shape::from(vec![self.planes, self.points])
    }

    /// What is made of the points.
    fn of<T>(&self, value: T) -> Coefficient<T> {
        self.origin.clone().map(|()| value)
    }

    /// The pixels (row, column), all inside the picture, and their weights.
    fn corner<B: Backend>(
        &self,
        [row, column]: [IntTensor<B>; 2],
        weights: FloatTensor<B>,
    ) -> Corner<B> {
        let [h, w] = self.size;
        let plane = positions::counting::<B>(&self.shape(), 0, &weights.device());
        let plane = B::int_mul_scalar(plane, Scalar::Int((h * w) as i64));
        let row = B::int_mul_scalar(row, Scalar::Int(w as i64));
        let indices = B::int_add(B::int_add(plane, row), column);
        let all = self.planes * self.points;
        Corner {
            indices: self.of(B::int_reshape(indices, Shape::from(vec![all]))),
            weights: self.of(B::float_reshape(weights, Shape::from(vec![1, all]))),
        }
    }

    /// One coordinate as the pixel before it and the one after, the nearer the heavier, one outside
    /// with weight 0.
    fn between<B: Backend>(
        &self,
        at: FloatTensor<B>,
        axis: usize,
    ) -> [(IntTensor<B>, FloatTensor<B>); 2] {
        let size = self.size[axis];
        let settings = get_or_init_device_settings::<B>(&at.device());
        // Farther out is no different, and fits an int.
        let at = B::float_clamp(at, Scalar::Float(-1.0), Scalar::Float(size as f64));
        let floor = B::float_floor(at.clone());
        let far = B::float_sub(at, floor.clone());
        let near = B::float_add_scalar(B::float_neg(far.clone()), Scalar::Float(1.0));
        let low = B::float_into_int(floor, settings.int_dtype);
        let high = B::int_add_scalar(low.clone(), Scalar::Int(1));
        let last = Scalar::Int(size as i64 - 1);
        [(low, near), (high, far)].map(|(pixel, weight)| {
            let outside = B::bool_or(
                B::int_lower_elem(pixel.clone(), Scalar::Int(0), settings.bool_dtype),
                B::int_greater_elem(pixel.clone(), last, settings.bool_dtype),
            );
            let weight = B::float_mask_fill(weight, outside, Scalar::Float(0.0));
            (B::int_clamp(pixel, Scalar::Int(0), last), weight)
        })
    }

    /// The four pixels around points (y, x); `share` weighs whole points.
    fn around<B: Backend>(
        &self,
        [y, x]: [FloatTensor<B>; 2],
        share: Option<FloatTensor<B>>,
    ) -> Vec<Corner<B>> {
        let rows = self.between::<B>(B::float_reshape(y, self.shape()), 0);
        let columns = self.between::<B>(B::float_reshape(x, self.shape()), 1);
        let share = share.map(|share| B::float_reshape(share, self.shape()));
        let mut corners = Vec::new();
        for (row, by_row) in &rows {
            for (column, by_column) in &columns {
                let weights = B::float_mul(by_row.clone(), by_column.clone());
                let weights = match &share {
                    Some(share) => B::float_mul(weights, share.clone()),
                    None => weights,
                };
                corners.push(self.corner([row.clone(), column.clone()], weights));
            }
        }
        corners
    }
}

/// The pixels and weights that the backend's kernel gives each point of a grid
/// `[n, h_out, w_out, 2]` (column, row) on `[n, c, h, w]`.
///
/// A point reaches `taps` neighbouring rows and columns, so no two of its pixels agree in (row mod
/// taps, column mod taps). A picture that is 1 on one such class of pixels and 0 elsewhere
/// therefore shows the weight w of the point's one pixel of that class, and pictures of their row
/// and column numbers show w · row and w · column.
fn grid_corners<B: Backend>(
    input: &Shape,
    grid: FloatTensor<B>,
    options: &GridSampleOptions,
    origin: Coefficient<()>,
) -> Vec<Corner<B>> {
    let (n, h, w) = (input[0], input[2], input[3]);
    let (shape, device) = (grid.shape(), grid.device());
    let pixels = Pixels {
        size: [h, w],
        planes: n,
        points: shape[1] * shape[2],
        origin,
    };
    let taps = match options.mode {
        InterpolateMode::Nearest | InterpolateMode::NearestExact => 1,
        InterpolateMode::Bilinear => 2,
        InterpolateMode::Bicubic => 4,
        InterpolateMode::Lanczos3 => 6,
    };
    let settings = get_or_init_device_settings::<B>(&device);
    let mut corners = Vec::new();
    for class in 0..taps * taps {
        let pictures: Vec<f32> = (0..3 * h * w)
            .map(|i| {
                let (row, column) = (i / w % h, i % w);
                match (row % taps) * taps + column % taps == class {
                    true => [1.0, row as f32, column as f32][i / (h * w)],
                    false => 0.0,
                }
            })
            .collect();
        let pictures = TensorData::new(pictures, [1, 3, h, w]).convert_dtype(grid.dtype());
        let pictures = B::float_repeat_dim(B::float_from_data(pictures, &device), 0, n);
        let seen = B::float_grid_sample_2d(pictures, grid.clone(), options.clone());
        let [weights, rows, columns] = [0, 1, 2].map(|i| {
            let mut ranges: Vec<Slice> =
                seen.shape().iter().map(|&size| (0..size).into()).collect();
            ranges[1] = Slice::from(i..i + 1);
            B::float_reshape(B::float_slice(seen.clone(), &ranges), pixels.shape())
        });
        let none = B::float_equal_elem(weights.clone(), Scalar::Float(0.0), settings.bool_dtype);
        let divisor = B::float_mask_fill(weights.clone(), none, Scalar::Float(1.0));
        let mut axis = 0;
        let at = [rows, columns].map(|weighed| {
            let number = B::float_div(weighed, divisor.clone());
            let number = B::float_add_scalar(number, Scalar::Float(0.5));
            let last = pixels.size[axis] as f64 - 0.5;
            axis += 1;
            let number = B::float_clamp(number, Scalar::Float(0.0), Scalar::Float(last));
            B::float_into_int(B::float_floor(number), settings.int_dtype)
        });
        corners.push(pixels.corner(at, weights));
    }
    corners
}

/// What the points are made of: decisions of this op, or what their operands were.
fn points<B: Backend>(
    what: &'static str,
    x: &Traced<B>,
    operands: Vec<Operand<B>>,
) -> Coefficient<()> {
    let decided: &dyn Fn() -> Decided = &|| x.tracer.freeze(what, None);
    let fixed: Option<Vec<_>> = operands.into_iter().map(Operand::fixed).collect();
    match fixed {
        None => Coefficient::decided((), &decided()),
        Some(fixed) => fixed
            .into_iter()
            .fold(Coefficient::weight(()), |origin, operand| {
                origin.join(operand, |(), _| ())
            }),
    }
}

/// `[n, c, h, w]` sampled at a grid `[n, h_out, w_out, 2]`.
pub(crate) fn grid_sample<B: Backend>(
    x: ScopeTensor<B>,
    grid: ScopeTensor<B>,
    options: GridSampleOptions,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let (x, grid) = (op.float(x), op.float(grid));
    let at = grid.value().clone();
    let y = B::float_grid_sample_2d(x.value().clone(), at.clone(), options.clone());
    let x = match x {
        Operand::Traced(x) => x,
        Operand::Fixed(_) => {
            let because = ": its grid would be frozen at x₀, and nothing else depends on the input";
            return op.refused(y, "float_grid_sample_2d", because);
        }
    };
    let (input, shape) = (x.value.shape(), y.shape());
    let origin = points("grid", &x, vec![grid]);
    let corners = grid_corners::<B>(&input, at, &options, origin);
    let tracer = x
        .tracer
        .map(Sample::new(&input, &shape, 1, corners), &shape);
    op.traced(y, tracer)
}

/// Points `[n, offset groups, kernel cells, output cells]` as rows and columns.
fn kernel_points<B: Backend>(
    offset: FloatTensor<B>,
    kernel: [usize; 2],
    options: &DeformConvOptions<2>,
) -> [FloatTensor<B>; 2] {
    let shape = offset.shape();
    let (n, groups, out) = (shape[0], options.offset_groups, [shape[2], shape[3]]);
    let (cells, outputs) = (kernel[0] * kernel[1], out[0] * out[1]);
    let by_axis = Shape::from(vec![n, groups, cells, 2, outputs]);
    [0, 1].map(|axis| {
        let undisturbed: Vec<f64> = (0..cells * outputs)
            .map(|i| {
                let (cell, output) = (i / outputs, i % outputs);
                let (u, o) = match axis {
                    0 => (cell / kernel[1], output / out[1]),
                    _ => (cell % kernel[1], output % out[1]),
                };
                (o * options.stride[axis] + u * options.dilation[axis]) as f64
                    - options.padding[axis] as f64
            })
            .collect();
        let undisturbed = TensorData::new(undisturbed, [1, 1, cells, outputs]);
        let undisturbed =
            B::float_from_data(undisturbed.convert_dtype(offset.dtype()), &offset.device());
        let mut ranges: Vec<Slice> = by_axis.iter().map(|&size| Slice::from(0..size)).collect();
        ranges[3] = Slice::from(axis..axis + 1);
        let moved = B::float_slice(B::float_reshape(offset.clone(), by_axis.clone()), &ranges);
        let moved = B::float_reshape(moved, Shape::from(vec![n, groups, cells, outputs]));
        B::float_add(moved, undisturbed)
    })
}

/// Deformable convolution of `[n, c, h, w]` with offsets `[n, groups·cells·2, h_out, w_out]` and a
/// mask `[n, groups·cells, h_out, w_out]`.
pub(crate) fn deform_conv2d<B: Backend>(
    x: ScopeTensor<B>,
    offset: ScopeTensor<B>,
    weight: ScopeTensor<B>,
    mask: Option<ScopeTensor<B>>,
    bias: Option<ScopeTensor<B>>,
    options: DeformConvOptions<2>,
) -> ScopeTensor<B> {
    const OP: &str = "deform_conv2d";
    let mut op = Opened::default();
    let [x, offset, weight] = [x, offset, weight].map(|operand| op.float(operand));
    let [mask, bias] = [mask, bias].map(|operand| operand.map(|operand| op.float(operand)));
    let plain = |operand: &Option<Operand<B>>| operand.as_ref().map(|x| x.value().clone());
    let (offset0, mask0) = (offset.value().clone(), plain(&mask));
    let y = B::deform_conv2d(
        x.value().clone(),
        offset0.clone(),
        weight.value().clone(),
        mask0.clone(),
        plain(&bias),
        options.clone(),
    );
    let (Some(weight), Ok(bias)) = (
        weight.fixed(),
        bias.map(|bias| bias.fixed().ok_or(())).transpose(),
    ) else {
        return op.refused(y, OP, ": its weight or bias depends on the input");
    };
    let x = match x {
        Operand::Traced(x) => x,
        Operand::Fixed(_) => {
            let because = ": its offsets and mask would be frozen at x₀, and nothing else depends \
                           on the input";
            return op.refused(y, OP, because);
        }
    };
    let origin = points(
        "offsets",
        &x,
        [Some(offset), mask].into_iter().flatten().collect(),
    );
    let (input, shape) = (x.value.shape(), y.shape());
    let (n, c, o) = (input[0], input[1], shape[1]);
    let size = weight.value().shape();
    let kernel = [size[2], size[3]];
    let (cells, outputs) = (kernel[0] * kernel[1], shape[2] * shape[3]);
    let (groups, share) = (options.weight_groups, size[1] * cells);
    let pixels = Pixels {
        size: [input[2], input[3]],
        planes: n * options.offset_groups,
        points: cells * outputs,
        origin,
    };
    let corners = pixels.around(kernel_points::<B>(offset0, kernel, &options), mask0);
    let columns = Shape::from(vec![n, c, cells, outputs]);
    let grouped = Shape::from(vec![n, groups, share, outputs]);
    let product = Shape::from(vec![n, groups, o / groups, outputs]);
    let rows = Shape::from(vec![1, groups, o / groups, share]);
    let weight = weight.map(|weight| B::float_reshape(weight, rows));
    let sample = Sample::new(&input, &columns, options.offset_groups, corners);
    let tracer = x
        .tracer
        .map(sample, &columns)
        .map(Reshape::new(&columns, &grouped), &grouped)
        .weighted(MatmulLeft::new(&grouped, weight), &product)
        .map(Reshape::new(&product, &shape), &shape);
    let tracer = match bias {
        Some(bias) => {
            let bias = bias.map(|bias| per_channel::<B>(bias, shape.num_dims()));
            tracer.source(bias, &shape)
        }
        None => tracer,
    };
    op.traced(y, tracer)
}
