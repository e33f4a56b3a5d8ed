//! Padding: `apply` is the backend's own; the adjoint folds the border back.

use std::{ops::Range, sync::Arc};

use burn_backend::{Backend, Shape, Slice, TensorMetadata, ops::PadMode, tensor::FloatTensor};

use super::{AxisPlace, Cut, LinearMap, Locality, Region, Restricted, Structure, batch};

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

impl Pad {
    /// The input cell that an output cell shows along an axis; `None`: zero.
    fn shown(&self, dim: usize, o: usize) -> Option<usize> {
        let (before, size) = (self.padding[dim].0, self.input[dim]);
        match (o.checked_sub(before), self.border) {
            (Some(i), _) if i < size => Some(i),
            (_, Border::Zero) => None,
            (None, Border::Reflect) => Some(before - o),
            (Some(i), Border::Reflect) => Some(2 * size - 2 - i),
            (None, Border::Edge) => Some(0),
            (Some(_), Border::Edge) => Some(size - 1),
        }
    }
}

/// The smallest range that holds all of some cells.
fn hull(cells: impl Iterator<Item = usize>) -> Range<usize> {
    cells.fold(0..0, |range, cell| match range.is_empty() {
        true => cell..cell + 1,
        false => range.start.min(cell)..range.end.max(cell + 1),
    })
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

    fn structure(&self) -> Structure<'_, B> {
        match self.border {
            Border::Zero => Structure::Placement(self),
            Border::Reflect | Border::Edge => Structure::View(self),
        }
    }
}

impl<B: Backend> Locality<B> for Pad {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }

    fn reach(&self, _input: &Shape, output: &Shape, from: &Region) -> Region {
        let axes = from.0.iter().enumerate();
        Region(
            axes.map(|(dim, from)| {
                hull(
                    (0..output[dim])
                        .filter(|&o| self.shown(dim, o).is_some_and(|i| from.contains(&i))),
                )
            })
            .collect(),
        )
    }

    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        let axes = to.0.iter().enumerate();
        Region(
            axes.map(|(dim, to)| hull(to.clone().filter_map(|o| self.shown(dim, o))))
                .collect(),
        )
    }

    fn places(&self, _input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        let axes = self.padding.iter().enumerate();
        Some(
            axes.map(|(axis, (before, _))| AxisPlace::moved(axis, -(*before as f64)))
                .collect(),
        )
    }

    fn mirrors(&self) -> bool {
        self.border != Border::Zero
    }

    /// Along an axis whose border the box meets, the whole axis; along all others no padding.
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let (mut from, mut to, mut padding) = (Vec::new(), Vec::new(), Vec::new());
        for (dim, range) in cut.to.0.iter().enumerate() {
            let (before, size) = (self.padding[dim].0, cut.input[dim]);
            let inside = before..before + size;
            let meets = range.start < inside.start || range.end > inside.end;
            if meets && self.border != Border::Zero {
                from.push(0..size);
                to.push(0..cut.output[dim]);
                padding.push(self.padding[dim]);
                continue;
            }
            let start = range.start.clamp(inside.start, inside.end);
            let end = range.end.clamp(start, inside.end);
            from.push(start - before..end - before);
            to.push(start..end);
            padding.push((0, 0));
        }
        let (from, to) = (Region(from), Region(to));
        if from.is_empty() {
            return None;
        }
        Some(Restricted {
            map: Arc::new(Self {
                input: from.shape(),
                padding,
                border: self.border,
            }),
            from,
            to,
        })
    }
}
