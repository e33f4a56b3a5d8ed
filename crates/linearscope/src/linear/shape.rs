//! Maps that move, copy or drop entries: each row of the matrix holds at most one 1.

use burn_backend::{Backend, Shape, Slice as Range, TensorMetadata, tensor::FloatTensor};

use super::{LinearMap, batch};

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
}

/// Axes in another order; the adjoint is the inverse permutation.
#[derive(Debug)]
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
        B::float_permute(x, &self.axes)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_permute(y, &self.inverse)
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
