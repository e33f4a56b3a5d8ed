//! Boxes of tensors, and the windows that strided ops read them by.

use std::ops::Range;

use burn_backend::{Backend, Shape, Slice, TensorMetadata, tensor::FloatTensor};

use super::{AxisPlace, Ratio};

/// A box of a tensor: one half-open range an axis, the probe axis not counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Region(pub Vec<Range<usize>>);

impl Region {
    /// All of a tensor.
    pub fn full(shape: &Shape) -> Self {
        Self(shape.iter().map(|&size| 0..size).collect())
    }

    /// The shape of a tensor cut to the box.
    pub fn shape(&self) -> Shape {
        Shape::from(self.0.iter().map(Range::len).collect::<Vec<_>>())
    }

    /// How many entries it has.
    pub fn num_elements(&self) -> usize {
        self.0.iter().map(Range::len).product()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().any(Range::is_empty)
    }

    /// The smallest box that holds both.
    pub fn hull(&self, other: &Self) -> Self {
        if self.is_empty() {
            return other.clone();
        }
        if other.is_empty() {
            return self.clone();
        }
        let both = self.0.iter().zip(&other.0);
        Self(
            both.map(|(a, b)| a.start.min(b.start)..a.end.max(b.end))
                .collect(),
        )
    }

    /// What both hold.
    pub fn intersection(&self, other: &Self) -> Self {
        let both = self.0.iter().zip(&other.0);
        Self(
            both.map(|(a, b)| {
                let start = a.start.max(b.start);
                start..a.end.min(b.end).max(start)
            })
            .collect(),
        )
    }

    /// A coefficient tensor that broadcasts against the whole, cut to the box; both of one rank,
    /// without a probe axis.
    pub(crate) fn of_broadcast<B: Backend>(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let ranges: Vec<Slice> = x
            .shape()
            .iter()
            .zip(&self.0)
            .map(|(&size, range)| match size {
                1 => Slice::from(0..1),
                _ => Slice::from(range.clone()),
            })
            .collect();
        B::float_slice(x, &ranges)
    }

    /// The same for a tensor with a leading axis of size 1.
    pub(crate) fn of_batched<B: Backend>(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let with_probe_axis = std::iter::once(0..1).chain(self.0.iter().cloned());
        Region(with_probe_axis.collect()).of_broadcast::<B>(x)
    }
}

/// One axis of a strided window: output o reads the inputs o·down − before + [0, width). Read the
/// other way it is a transposed convolution's, whose input i reaches those outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stride {
    pub down: usize,
    pub before: usize,
    /// Cells a window spans, dilation included.
    pub width: usize,
}

impl Stride {
    /// The inputs that a range of outputs reads, before they are cut to the input: first and one
    /// past the last, possibly outside.
    pub(crate) fn reads(&self, to: &Range<usize>) -> (isize, isize) {
        let first = (to.start * self.down) as isize - self.before as isize;
        let last = ((to.end - 1) * self.down + self.width) as isize - self.before as isize;
        (first, last)
    }

    /// The same as a rule along an axis.
    pub(crate) fn place(&self, axis: usize) -> AxisPlace {
        let first = -(self.before as f64);
        AxisPlace::Window {
            axis,
            step: Ratio::of(self.down, 1).expect("a stride"),
            first,
            last: first + self.width as f64 - 1.0,
        }
    }

    /// The rule of the transposed window.
    pub(crate) fn place_back(&self, axis: usize) -> AxisPlace {
        let (down, last) = (self.down as f64, self.before as f64);
        AxisPlace::Window {
            axis,
            step: Ratio::of(1, self.down).expect("a stride above 0"),
            first: (last + 1.0 - self.width as f64) / down,
            last: last / down,
        }
    }

    /// [`reads`](Self::reads), cut to an input of `size` cells.
    pub(crate) fn field(&self, to: &Range<usize>, size: usize) -> Range<usize> {
        if to.is_empty() {
            return 0..0;
        }
        let (first, last) = self.reads(to);
        let start = first.clamp(0, size as isize) as usize;
        start..last.clamp(start as isize, size as isize) as usize
    }

    /// The outputs, of `size`, that read any of a range of inputs.
    pub(crate) fn reach(&self, from: &Range<usize>, size: usize) -> Range<usize> {
        if from.is_empty() {
            return 0..0;
        }
        // o·down − before + width − 1 ≥ start, and o·down − before ≤ end − 1.
        let start = (from.start + self.before + 1)
            .saturating_sub(self.width)
            .div_ceil(self.down);
        let end = (from.end - 1 + self.before) / self.down + 1;
        let start = start.min(size);
        start..end.clamp(start, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_windows_reach_what_reads_them() {
        for (down, before, width, input) in
            [(1, 1, 3, 9), (2, 1, 3, 11), (3, 0, 2, 10), (2, 4, 9, 7)]
        {
            let stride = Stride {
                down,
                before,
                width,
            };
            let output = (input + 2 * before - width) / down + 1;
            let reads = |o: usize, i: usize| {
                let first = (o * down) as isize - before as isize;
                (first..first + width as isize).contains(&(i as isize))
            };
            for start in 0..input {
                for end in start + 1..=input {
                    let reached: Vec<usize> = (0..output)
                        .filter(|&o| (start..end).any(|i| reads(o, i)))
                        .collect();
                    let found = stride.reach(&(start..end), output);
                    assert!(reached.iter().all(|o| found.contains(o)));
                    // Nothing more, unless the stride jumps over the inputs.
                    if width >= down {
                        assert_eq!(found.collect::<Vec<_>>(), reached);
                    }
                }
            }
            for start in 0..output {
                for end in start + 1..=output {
                    let needed: Vec<usize> = (0..input)
                        .filter(|&i| (start..end).any(|o| reads(o, i)))
                        .collect();
                    let found = stride.field(&(start..end), input);
                    assert!(needed.iter().all(|i| found.contains(i)));
                }
            }
        }
    }
}
