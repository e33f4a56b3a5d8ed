//! Padding: `apply` is the backend's own; the adjoint folds the border back.

use burn_backend::{Backend, Shape, Slice, TensorMetadata, ops::PadMode, tensor::FloatTensor};

use super::{LinearMap, batch};

/// What a border cell shows; the linear part of [`PadMode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Border {
    Zero,
    /// 2 1 | 0 1 2 3 | 2 1: the outermost cell is not repeated.
    Reflect,
    /// 0 0 | 0 1 2 3 | 3 3.
    Edge,
}

/// Padding of `input` by `(before, after)` cells an axis; constant padding with zeros.
#[derive(Debug)]
pub(crate) struct Pad {
    input: Shape,
    padding: Vec<(usize, usize)>,
    border: Border,
}

impl Pad {
    pub(crate) fn new(input: &Shape, padding: &[(usize, usize)], mode: &PadMode) -> Self {
        Self {
            input: input.clone(),
            padding: padding.to_vec(),
            border: match mode {
                PadMode::Constant(_) => Border::Zero,
                PadMode::Reflect => Border::Reflect,
                PadMode::Edge => Border::Edge,
            },
        }
    }
}

/// `x` restricted to `start..start + len` along tensor axis `axis`.
fn part<B: Backend>(x: &FloatTensor<B>, axis: usize, start: usize, len: usize) -> FloatTensor<B> {
    B::float_slice(x.clone(), &range(&x.shape(), axis, start, len))
}

fn range(shape: &Shape, axis: usize, start: usize, len: usize) -> Vec<Slice> {
    let mut ranges: Vec<Slice> = shape.iter().map(|&size| Slice::from(0..size)).collect();
    ranges[axis] = Slice::from(start..start + len);
    ranges
}

impl<B: Backend> LinearMap<B> for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let mode = match self.border {
            Border::Zero => PadMode::Constant(0.0),
            Border::Reflect => PadMode::Reflect,
            Border::Edge => PadMode::Edge,
        };
        let padding: Vec<_> = std::iter::once((0, 0))
            .chain(self.padding.iter().copied())
            .collect();
        B::float_pad(x, &padding, mode)
    }

    /// Axis by axis, last first: the middle, plus what each border cell showed of it.
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let mut y = y;
        for (dim, &(before, after)) in self.padding.iter().enumerate().rev() {
            let (axis, size) = (dim + 1, self.input[dim]);
            if (before, after) == (0, 0) {
                continue;
            }
            let mut middle = part::<B>(&y, axis, before, size);
            let borders = [(0, before, true), (before + size, after, false)];
            for (start, cells, first) in borders {
                if cells == 0 || self.border == Border::Zero {
                    continue;
                }
                let border = part::<B>(&y, axis, start, cells);
                let (border, at) = match (self.border, first) {
                    (Border::Reflect, true) => (B::float_flip(border, &[axis]), 1),
                    (Border::Reflect, false) => (B::float_flip(border, &[axis]), size - 1 - cells),
                    (_, true) => (B::float_sum_dim(border, axis), 0),
                    (_, false) => (B::float_sum_dim(border, axis), size - 1),
                };
                let len = border.shape()[axis];
                let sum = B::float_add(part::<B>(&middle, axis, at, len), border);
                let place = range(&middle.shape(), axis, at, len);
                middle = B::float_slice_assign(middle, &place, sum);
            }
            y = middle;
        }
        debug_assert_eq!(y.shape(), batch::shape_of(y.shape()[0], &self.input));
        y
    }
}
