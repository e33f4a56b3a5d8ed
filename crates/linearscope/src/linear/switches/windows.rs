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

    /// Whether every window of planes `[input, output]` has a cell that is none of the padding.
    pub(super) fn all_hold_cells(&self, [input, output]: [&[usize]; 2]) -> bool {
        let axes = input.iter().zip(output).enumerate();
        axes.into_iter().all(|(axis, (&from, &to))| {
            (0..to).all(|cell| {
                (0..self.kernel[axis]).any(|tap| {
                    let at = cell * self.stride[axis] + tap * self.dilation[axis];
                    (self.padding[axis]..from + self.padding[axis]).contains(&at)
                })
            })
        })
    }
}
