//! Maps that move, copy or drop entries: each row of the matrix holds at most one 1.

use std::sync::Arc;

use burn_backend::{Backend, Shape, Slice as Range, TensorMetadata, tensor::FloatTensor};

use super::{Cut, LinearMap, Region, Restricted, Scalar, batch, direct::permuted};

/// y = 0: what a constant operand passes of the input.
#[derive(Debug)]
pub(crate) struct Zero {
    input: Shape,
    output: Shape,
}

impl Zero {
    pub(crate) fn new(input: &Shape, output: &Shape) -> Self {
        Self {
            input: input.clone(),
            output: output.clone(),
        }
    }
}

impl<B: Backend> LinearMap<B> for Zero {
    fn name(&self) -> &'static str {
        "zero"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        batch::zeros::<B>(&x, x.shape()[0], &self.output)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        batch::zeros::<B>(&y, y.shape()[0], &self.input)
    }
    fn reach(&self, _input: &Shape, output: &Shape, _from: &Region) -> Region {
        Region(output.iter().map(|_| 0..0).collect())
    }
    fn field(&self, input: &Shape, _output: &Shape, _to: &Region) -> Region {
        Region(input.iter().map(|_| 0..0).collect())
    }
}

/// Another shape, the same entries in the same order.
#[derive(Debug)]
pub(crate) struct Reshape {
    input: Shape,
    output: Shape,
}

impl Reshape {
    pub(crate) fn new(input: &Shape, output: &Shape) -> Self {
        Self {
            input: input.clone(),
            output: output.clone(),
        }
    }
}

impl<B: Backend> LinearMap<B> for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }
    fn reshapes(&self) -> bool {
        true
    }
    fn moves(&self) -> bool {
        true
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let k = x.shape()[0];
        B::float_reshape(x, batch::shape_of(k, &self.output))
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let k = y.shape()[0];
        B::float_reshape(y, batch::shape_of(k, &self.input))
    }
    fn reach(&self, input: &Shape, output: &Shape, from: &Region) -> Region {
        rearranged(input, output, from)
    }
    fn field(&self, input: &Shape, output: &Shape, to: &Region) -> Region {
        rearranged(output, input, to)
    }
    /// The smallest pair of boxes around both that hold the same entries in the same order.
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let mut to = rearranged(cut.input, cut.output, cut.from).intersection(cut.to);
        if to.is_empty() {
            return None;
        }
        let mut from = rearranged(cut.output, cut.input, &to);
        while from.num_elements() != to.num_elements() {
            to = rearranged(cut.input, cut.output, &from);
            from = rearranged(cut.output, cut.input, &to);
        }
        Some(Restricted {
            map: Arc::new(Self::new(&from.shape(), &to.shape())),
            from,
            to,
        })
    }
}

/// Axes of two shapes with as many entries each, in groups that hold the same entries.
fn groups(a: &Shape, b: &Shape) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let (mut groups, mut i, mut j) = (Vec::new(), 0, 0);
    while i < a.num_dims() || j < b.num_dims() {
        let (start, mut m, mut n) = ((i, j), 1, 1);
        loop {
            // The side that holds less takes the next axis; both take one to begin with.
            if i < a.num_dims() && (m < n || i == start.0 || j == b.num_dims()) {
                m *= a[i];
                i += 1;
            } else if j < b.num_dims() && (n < m || j == start.1 || i == a.num_dims()) {
                n *= b[j];
                j += 1;
            }
            if m == n && (i > start.0 || i == a.num_dims()) && (j > start.1 || j == b.num_dims()) {
                break;
            }
        }
        groups.push((start.0..i, start.1..j));
    }
    groups
}

/// The shape, broadcasting against `b`, of a tensor of shape `of` that broadcasts against `a`, where
/// `b` has the entries of `a` in the same order; `None` where there is none.
pub(crate) fn regrouped(a: &Shape, b: &Shape, of: &Shape) -> Option<Shape> {
    let mut dims = vec![1; b.num_dims()];
    for (ours, theirs) in groups(a, b) {
        let all = |test: fn(usize, usize) -> bool| ours.clone().all(|axis| test(of[axis], a[axis]));
        if all(|of, _| of == 1) {
            continue;
        }
        if !all(|of, a| of == a) {
            return None;
        }
        for axis in theirs {
            dims[axis] = b[axis];
        }
    }
    Some(Shape::from(dims))
}

/// The smallest box of shape `b` that holds what is the box `from` in shape `a`, entries in the
/// same order.
fn rearranged(a: &Shape, b: &Shape, from: &Region) -> Region {
    if from.is_empty() {
        return Region(b.iter().map(|_| 0..0).collect());
    }
    let mut to = Vec::with_capacity(b.num_dims());
    for (ours, theirs) in groups(a, b) {
        // First and last entry of the group in C order.
        let flat = |at: fn(&std::ops::Range<usize>) -> usize| {
            ours.clone()
                .fold(0, |flat, axis| flat * a[axis] + at(&from.0[axis]))
        };
        let (mut first, mut last) = (flat(|r| r.start), flat(|r| r.end - 1));
        let mut inner: usize = theirs.clone().map(|axis| b[axis]).product();
        for axis in theirs {
            inner /= b[axis];
            let (x, y) = (first / inner, last / inner);
            to.push(x..y + 1);
            (first, last) = match x == y {
                true => (first % inner, last % inner),
                false => (0, inner - 1),
            };
        }
    }
    Region(to)
}

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
    fn moves(&self) -> bool {
        true
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        permuted::<B>(x, &self.axes).unwrap_or_else(|x| B::float_permute(x, &self.axes))
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        permuted::<B>(y, &self.inverse).unwrap_or_else(|y| B::float_permute(y, &self.inverse))
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
        let to = LinearMap::<B>::reach(self, cut.input, cut.output, cut.from);
        let to = to.intersection(cut.to);
        Some(Restricted {
            from: LinearMap::<B>::field(self, cut.input, cut.output, &to),
            to,
            map: Arc::new(self.clone()),
        })
    }
}

/// Two axes exchanged: its own adjoint.
#[derive(Debug)]
pub(crate) struct SwapDims(pub usize, pub usize);

impl<B: Backend> LinearMap<B> for SwapDims {
    fn name(&self) -> &'static str {
        "swap_dims"
    }
    fn moves(&self) -> bool {
        true
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_swap_dims(x, self.0 + 1, self.1 + 1)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_swap_dims(y, self.0 + 1, self.1 + 1)
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
        let to = LinearMap::<B>::reach(self, cut.input, cut.output, cut.from);
        let to = to.intersection(cut.to);
        Some(Restricted {
            from: LinearMap::<B>::field(self, cut.input, cut.output, &to),
            to,
            map: Arc::new(Self(self.0, self.1)),
        })
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
    fn moves(&self) -> bool {
        true
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_flip(x, &self.0)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_flip(y, &self.0)
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
    fn moves(&self) -> bool {
        true
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
        let to = LinearMap::<B>::reach(self, cut.input, cut.output, cut.from);
        let to = to.intersection(cut.to);
        let from = LinearMap::<B>::field(self, cut.input, cut.output, &to);
        Some(Restricted {
            map: Arc::new(Self::new(&from.shape(), &to.shape())),
            from,
            to,
        })
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
    fn moves(&self) -> bool {
        true
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
}

impl Slice {
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
    fn moves(&self) -> bool {
        true
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
    fn reach(&self, _input: &Shape, output: &Shape, from: &Region) -> Region {
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
    fn field(&self, input: &Shape, _output: &Shape, to: &Region) -> Region {
        let Some(starts) = self.starts() else {
            return Region::full(input);
        };
        let axes = to.0.iter().zip(starts);
        Region(
            axes.map(|(to, start)| to.start + start..to.end + start)
                .collect(),
        )
    }
    /// The same entries: the box of the input that the box of the output is.
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        self.starts()?;
        let to = LinearMap::<B>::reach(self, cut.input, cut.output, cut.from);
        let to = to.intersection(cut.to);
        Some(Restricted {
            from: LinearMap::<B>::field(self, cut.input, cut.output, &to),
            to,
            map: Arc::new(Scalar(1.0)),
        })
    }
}

/// A small tensor written into zeros of shape `output`: the transpose of [`Slice`].
#[derive(Debug)]
pub(crate) struct Embed {
    slice: Slice,
}

impl Embed {
    pub(crate) fn new(output: &Shape, ranges: &[Range]) -> Self {
        Self {
            slice: Slice::new(output, ranges),
        }
    }
}

impl<B: Backend> LinearMap<B> for Embed {
    fn name(&self) -> &'static str {
        "embed"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        LinearMap::<B>::adjoint(&self.slice, x)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        LinearMap::<B>::apply(&self.slice, y)
    }
}
