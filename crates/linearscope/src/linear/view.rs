//! Maps by shapes alone: each output is one input, that may stand there several times or not at all.

use std::sync::Arc;

use burn_backend::{Backend, Shape, Slice as Range, TensorMetadata, tensor::FloatTensor};

use super::{
    AxisPlace, Cut, LinearMap, Locality, Multiple, Ratio, Region, Restricted, Structure, batch,
    direct::permuted, locality::everywhere,
};

/// Axes in another order; the adjoint is the inverse permutation.
#[derive(Clone, Debug)]
pub(crate) struct Permute {
    axes: Vec<usize>,
    inverse: Vec<usize>,
}

impl Permute {
    pub(crate) fn new(axes: &[usize]) -> Self {
        let axes: Vec<usize> = std::iter::once(0)
            .chain(axes.iter().map(|a| a + 1))
            .collect();
        let mut inverse = vec![0; axes.len()];
        for (to, &from) in axes.iter().enumerate() {
            inverse[from] = to;
        }
        Self { axes, inverse }
    }
}

impl<B: Backend> LinearMap<B> for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        permuted::<B>(x, &self.axes).unwrap_or_else(|x| B::float_permute(x, &self.axes))
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        permuted::<B>(y, &self.inverse).unwrap_or_else(|y| B::float_permute(y, &self.inverse))
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::View(self)
    }
}

impl<B: Backend> Locality<B> for Permute {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
        let axes = self.axes[1..].iter();
        Region(axes.map(|&axis| from.0[axis - 1].clone()).collect())
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        let axes = self.inverse[1..].iter();
        Region(axes.map(|&axis| to.0[axis - 1].clone()).collect())
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let to = Locality::<B>::reach(self, cut.input, cut.output, cut.from);
        let to = to.intersection(cut.to);
        Some(Restricted {
            from: Locality::<B>::field(self, cut.input, cut.output, &to),
            to,
            map: Arc::new(self.clone()),
        })
    }
    fn places(&self, _input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        let axes = self.axes[1..].iter();
        Some(axes.map(|axis| AxisPlace::same(axis - 1)).collect())
    }
}

/// Two axes exchanged: its own adjoint.
#[derive(Debug)]
pub(crate) struct SwapDims(pub usize, pub usize);

impl<B: Backend> LinearMap<B> for SwapDims {
    fn name(&self) -> &'static str {
        "swap_dims"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_swap_dims(x, self.0 + 1, self.1 + 1)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_swap_dims(y, self.0 + 1, self.1 + 1)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::View(self)
    }
}

impl<B: Backend> Locality<B> for SwapDims {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
        let mut to = from.clone();
        to.0.swap(self.0, self.1);
        to
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        let mut from = to.clone();
        from.0.swap(self.0, self.1);
        from
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let to = Locality::<B>::reach(self, cut.input, cut.output, cut.from);
        let to = to.intersection(cut.to);
        Some(Restricted {
            from: Locality::<B>::field(self, cut.input, cut.output, &to),
            to,
            map: Arc::new(Self(self.0, self.1)),
        })
    }
    fn places(&self, input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        let mut places = AxisPlace::entrywise(input.num_dims());
        places.swap(self.0, self.1);
        Some(places)
    }
}

/// Axes reversed: its own adjoint.
#[derive(Debug)]
pub(crate) struct Flip(Vec<usize>);

impl Flip {
    pub(crate) fn new(axes: &[usize]) -> Self {
        Self(axes.iter().map(|a| a + 1).collect())
    }
}

impl<B: Backend> LinearMap<B> for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_flip(x, &self.0)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_flip(y, &self.0)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::View(self)
    }
}

impl<B: Backend> Locality<B> for Flip {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    everywhere!();
    fn places(&self, input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        let mut places = AxisPlace::entrywise(input.num_dims());
        for axis in self.0.iter().map(|axis| axis - 1) {
            let last = input[axis] as f64 - 1.0;
            places[axis] = AxisPlace::Window {
                axis,
                step: Ratio::new(-1, 1)?,
                first: last,
                last,
            };
        }
        Some(places)
    }
}

/// Broadcast to a larger shape of equal or higher rank; the adjoint sums the copies.
#[derive(Debug)]
pub(crate) struct Expand {
    input: Shape,
    /// The input's shape with leading 1s, at the output's rank.
    aligned: Shape,
    output: Shape,
}

impl Expand {
    pub(crate) fn new(input: &Shape, output: &Shape) -> Self {
        let mut aligned = vec![1; output.num_dims() - input.num_dims()];
        aligned.extend(input.iter());
        Self {
            input: input.clone(),
            aligned: Shape::from(aligned),
            output: output.clone(),
        }
    }
}

impl<B: Backend> LinearMap<B> for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let k = x.shape()[0];
        let x = B::float_reshape(x, batch::shape_of(k, &self.aligned));
        B::float_expand(x, batch::shape_of(k, &self.output))
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let k = y.shape()[0];
        let x = batch::sum_to::<B>(y, &self.aligned);
        B::float_reshape(x, batch::shape_of(k, &self.input))
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::View(self)
    }
}

impl<B: Backend> Locality<B> for Expand {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    fn reach(&self, _input: &Shape, output: &Shape, from: &Region) -> Region {
        let new = output.num_dims() - from.0.len();
        let axes = output.iter().enumerate();
        Region(
            axes.map(|(axis, &size)| match axis.checked_sub(new) {
                Some(old) if self.aligned[axis] == size => from.0[old].clone(),
                _ => 0..size,
            })
            .collect(),
        )
    }
    fn field(&self, input: &Shape, output: &Shape, to: &Region) -> Region {
        let new = output.num_dims() - input.num_dims();
        let axes = input.iter().enumerate();
        Region(
            axes.map(|(axis, &size)| match size == output[axis + new] {
                true => to.0[axis + new].clone(),
                false => 0..size,
            })
            .collect(),
        )
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let to = Locality::<B>::reach(self, cut.input, cut.output, cut.from);
        let to = to.intersection(cut.to);
        let from = Locality::<B>::field(self, cut.input, cut.output, &to);
        Some(Restricted {
            map: Arc::new(Self::new(&from.shape(), &to.shape())),
            from,
            to,
        })
    }
    fn places(&self, input: &Shape, output: &Shape) -> Option<Vec<AxisPlace>> {
        let new = output.num_dims() - input.num_dims();
        let axes = output.iter().enumerate();
        Some(
            axes.map(|(axis, &size)| match axis.checked_sub(new) {
                Some(old) if input[old] == size => AxisPlace::same(old),
                _ => AxisPlace::Any,
            })
            .collect(),
        )
    }
}

/// One axis repeated `times` times; the adjoint sums the copies.
#[derive(Debug)]
pub(crate) struct RepeatDim {
    input: Shape,
    dim: usize,
    times: usize,
}

impl RepeatDim {
    pub(crate) fn new(input: &Shape, dim: usize, times: usize) -> Self {
        Self {
            input: input.clone(),
            dim,
            times,
        }
    }
}

impl<B: Backend> LinearMap<B> for RepeatDim {
    fn name(&self) -> &'static str {
        "repeat_dim"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_repeat_dim(x, self.dim + 1, self.times)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let k = y.shape()[0];
        let mut dims = batch::shape_of(k, &self.input).to_vec();
        dims.insert(self.dim + 1, self.times);
        let copies = B::float_reshape(y, Shape::from(dims));
        let sum = B::float_sum_dim(copies, self.dim + 1);
        B::float_reshape(sum, batch::shape_of(k, &self.input))
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::View(self)
    }
}

impl<B: Backend> Locality<B> for RepeatDim {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    everywhere!();
    /// Of several copies of an axis none is the place.
    fn places(&self, input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        if self.times > 1 && input[self.dim] > 1 {
            return None;
        }
        let mut places = AxisPlace::entrywise(input.num_dims());
        if self.times > 1 {
            places[self.dim] = AxisPlace::Any;
        }
        Some(places)
    }
}

/// A sub-range (with steps); the adjoint writes it back into zeros.
#[derive(Debug)]
pub(crate) struct Slice {
    input: Shape,
    ranges: Vec<Range>,
}

impl Slice {
    pub(crate) fn new(input: &Shape, ranges: &[Range]) -> Self {
        Self {
            input: input.clone(),
            ranges: ranges.to_vec(),
        }
    }

    /// Where each axis begins, if none has a step.
    fn starts(&self) -> Option<Vec<usize>> {
        let mut starts = vec![0; self.input.num_dims()];
        for ((start, range), &size) in starts.iter_mut().zip(&self.ranges).zip(self.input.iter()) {
            if range.step != 1 {
                return None;
            }
            *start = range.to_range(size).start;
        }
        Some(starts)
    }

    /// Where the entries lie; trailing axes that no range names are whole.
    pub(super) fn places(&self) -> Option<Vec<AxisPlace>> {
        let mut places = AxisPlace::entrywise(self.input.num_dims());
        for (axis, range) in self.ranges.iter().enumerate() {
            let within = range.to_range(self.input[axis]);
            // A negative step begins at the end.
            let first = match range.step < 0 {
                true => within.end as f64 - 1.0,
                false => within.start as f64,
            };
            places[axis] = AxisPlace::Window {
                axis,
                step: Ratio::new(range.step as i128, 1)?,
                first,
                last: first,
            };
        }
        Some(places)
    }

    /// The outputs that inputs of a box are.
    pub(super) fn reached(&self, output: &Shape, from: &Region) -> Region {
        let Some(starts) = self.starts() else {
            return Region::full(output);
        };
        let axes = from.0.iter().zip(starts).zip(output.iter());
        Region(
            axes.map(|((from, start), &size)| {
                let first = from.start.saturating_sub(start).min(size);
                first..from.end.saturating_sub(start).clamp(first, size)
            })
            .collect(),
        )
    }

    /// The inputs that outputs of a box are.
    pub(super) fn read(&self, to: &Region) -> Region {
        let Some(starts) = self.starts() else {
            return Region::full(&self.input);
        };
        let axes = to.0.iter().zip(starts);
        Region(
            axes.map(|(to, start)| to.start + start..to.end + start)
                .collect(),
        )
    }

    /// The box of the input that a box of the output is, without a step.
    pub(super) fn boxes(&self, cut: &Cut<'_>) -> Option<(Region, Region)> {
        self.starts()?;
        let to = self.reached(cut.output, cut.from).intersection(cut.to);
        Some((self.read(&to), to))
    }
}

/// `ranges` of the value, all of the probe axis and of the trailing axes not named.
fn with_probe_axis(k: usize, input: &Shape, ranges: &[Range]) -> Vec<Range> {
    let mut all = batch::full_ranges(k, input);
    all[1..=ranges.len()].copy_from_slice(ranges);
    all
}

impl<B: Backend> LinearMap<B> for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let ranges = with_probe_axis(x.shape()[0], &self.input, &self.ranges);
        B::float_slice(x, &ranges)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let k = y.shape()[0];
        let zeros = batch::zeros::<B>(&y, k, &self.input);
        B::float_slice_assign(zeros, &with_probe_axis(k, &self.input, &self.ranges), y)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::View(self)
    }
}

impl<B: Backend> Locality<B> for Slice {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    fn reach(&self, _input: &Shape, output: &Shape, from: &Region) -> Region {
        self.reached(output, from)
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        self.read(to)
    }
    /// The same entries: the box of the input that the box of the output is.
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let (from, to) = self.boxes(cut)?;
        let map = Arc::new(Multiple(1.0));
        Some(Restricted { map, from, to })
    }
    fn places(&self, _input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        self.places()
    }
}
