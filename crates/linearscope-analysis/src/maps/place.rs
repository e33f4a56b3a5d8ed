//! Places in the two pictures of a network, and which lies where in the other.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    operator::{Field, LinearOperator},
};

/// The pictures that a network goes between, `[channels, height, width]` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pictures {
    /// x.
    pub input: [usize; 3],
    /// F x.
    pub output: [usize; 3],
}

/// `[c, h, w]` of one picture, with leading axes of size 1 or none.
fn picture(what: &'static str, shape: &[usize]) -> Result<[usize; 3]> {
    if let [outer @ .., c, h, w] = shape
        && outer.iter().all(|&size| size == 1)
        && *h >= 2
        && *w >= 2
    {
        return Ok([*c, *h, *w]);
    }
    Err(Error::NotPictures {
        end: what,
        shape: shape.to_vec(),
    })
}

fn common_divisor(a: usize, b: usize) -> usize {
    match b {
        0 => a,
        b => common_divisor(b, a % b),
    }
}

impl Pictures {
    /// # Errors
    /// [`Error::NotPictures`] where either end is no single picture of at least 2×2 pixels.
    pub fn of(f: &(impl LinearOperator + ?Sized)) -> Result<Self> {
        Ok(Self {
            input: picture("input", f.input_shape())?,
            output: picture("output", f.output_shape())?,
        })
    }

    /// Where places of a field lie, and where the field itself does.
    pub fn ends(&self, field: Field) -> [[usize; 3]; 2] {
        match field {
            Field::Column => [self.input, self.output],
            Field::Row => [self.output, self.input],
        }
    }

    /// The position of a place `[y, x]` in the other picture, both taken to cover the same scene:
    /// (i + ½) · size there / size here − ½ along each axis, in pixels there. A fraction between the
    /// sub-pixels of an upscaler.
    pub fn corresponding(&self, field: Field, place: [usize; 2]) -> [f64; 2] {
        let [from, to] = self.ends(field);
        std::array::from_fn(|axis| {
            let ratio = to[axis + 1] as f64 / from[axis + 1] as f64;
            (place[axis] as f64 + 0.5) * ratio - 0.5
        })
    }

    /// The smallest steps along an axis (0 down, 1 right) that are whole pixels in both pictures:
    /// in the input and in the output. 1 and r for an upscaler by r.
    pub fn step(&self, axis: usize) -> [usize; 2] {
        let (input, output) = (self.input[axis + 1], self.output[axis + 1]);
        let common = common_divisor(input, output);
        [input / common, output / common]
    }
}

/// Rows × columns of places in a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Their rows.
    pub y: Vec<usize>,
    /// Their columns.
    pub x: Vec<usize>,
}

impl Grid {
    /// Places `stride` apart both ways, the first half a stride from the corner.
    pub fn every(stride: usize, [h, w]: [usize; 2]) -> Self {
        let stride = stride.max(1);
        let along = |size: usize| {
            let first = (stride - 1) / 2;
            match first < size {
                true => (first..size).step_by(stride).collect(),
                false => vec![size / 2],
            }
        };
        Self {
            y: along(h),
            x: along(w),
        }
    }

    /// A stride for about `count` places along the longer side: odd, and without a common divisor
    /// with `period`, so that the places meet every sub-pixel of an upscaler and every phase of a
    /// stride.
    pub fn stride(count: usize, [h, w]: [usize; 2], period: usize) -> usize {
        let least = h.max(w).div_ceil(count.max(1));
        if least <= 1 {
            return 1;
        }
        let meets_all = |&stride: &usize| stride % 2 == 1 && common_divisor(stride, period) == 1;
        (least..2 * least + 2).find(meets_all).unwrap_or(least)
    }

    /// How many rows and columns of places.
    pub fn shape(&self) -> [usize; 2] {
        [self.y.len(), self.x.len()]
    }

    /// How many places.
    pub fn len(&self) -> usize {
        self.y.len() * self.x.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The places `[y, x]`, row by row.
    pub fn places(&self) -> impl Iterator<Item = [usize; 2]> + '_ {
        let row = |&y: &usize| self.x.iter().map(move |&x| [y, x]);
        self.y.iter().flat_map(row)
    }
}
