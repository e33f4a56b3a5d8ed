//! The windows of a max pool.

use super::super::{Pooling, Stride};

/// The windows of a max pool, axis by axis of a plane.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub padding: Vec<usize>,
    pub dilation: Vec<usize>,
}

impl From<Pooling> for Windows {
    fn from(pooling: Pooling) -> Self {
        Self {
            kernel: pooling.kernel.to_vec(),
            stride: pooling.stride.to_vec(),
            padding: pooling.padding.to_vec(),
            dilation: pooling.dilation.to_vec(),
        }
    }
}

impl Windows {
    /// What each axis reads.
    pub(crate) fn strides(&self) -> Vec<Stride> {
        let axes = 0..self.kernel.len();
        axes.map(|axis| Stride {
            down: self.stride[axis],
            before: self.padding[axis],
            width: self.dilation[axis] * (self.kernel[axis] - 1) + 1,
        })
        .collect()
    }

    /// Over two axes, as a backend's pool takes them: a signal is a picture of one line. `None` over more.
    pub(super) fn two(&self) -> Option<Pooling> {
        let pair = |of: &[usize], none| match *of {
            [across] => Some([none, across]),
            [down, across] => Some([down, across]),
            _ => None,
        };
        Some(Pooling {
            kernel: pair(&self.kernel, 1)?,
            stride: pair(&self.stride, 1)?,
            padding: pair(&self.padding, 0)?,
            dilation: pair(&self.dilation, 1)?,
            // Where windows end is in the shape of what they made.
            ceil: false,
        })
    }

    /// For each output cell along an axis the cells of the input in its window, of `made` and `size`.
    fn along(&self, axis: usize, made: usize, size: usize) -> impl Iterator<Item = Vec<usize>> {
        (0..made).map(move |at| {
            let start = at * self.stride[axis];
            (0..self.kernel[axis])
                .filter_map(|i| (start + i * self.dilation[axis]).checked_sub(self.padding[axis]))
                .filter(|i| *i < size)
                .collect()
        })
    }

    /// Whether every window of planes `[input, output]` has a cell that is none of the padding.
    pub(super) fn all_hold_cells(&self, [input, output]: [&[usize]; 2]) -> bool {
        let mut axes = input.iter().zip(output).enumerate();
        axes.all(|(axis, (&from, &to))| self.along(axis, to, from).all(|cells| !cells.is_empty()))
    }

    /// For each output cell of a plane, the cells of the input plane in its window.
    pub(crate) fn inside(&self, made: &[usize], size: &[usize]) -> Vec<Vec<usize>> {
        // Row by row: the cells that the axes so far allow, one axis more.
        let mut windows = vec![vec![0]];
        for axis in 0..made.len() {
            let along: Vec<Vec<usize>> = self.along(axis, made[axis], size[axis]).collect();
            let next = |window: &Vec<usize>, along: &Vec<usize>| -> Vec<usize> {
                let cells = window.iter();
                cells
                    .flat_map(|cell| along.iter().map(move |i| cell * size[axis] + i))
                    .collect()
            };
            windows = windows
                .iter()
                .flat_map(|window| {
                    along
                        .iter()
                        .map(|along| next(window, along))
                        .collect::<Vec<_>>()
                })
                .collect();
        }
        windows
    }
}
