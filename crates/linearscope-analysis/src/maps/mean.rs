//! The mean operator: what of a network is one fixed filter, and what adapts to the picture.
//!
//! A convolution has the same row everywhere, moved along; an upscaler by r has r² of them, one for each sub-pixel.
//! Rows are laid onto one another at their own place ([`Pictures::step`]), and those of all places with the same
//! sub-pixel, over any number of pictures, have a mean m: the best fixed filter, in the sense of least squares. With
//! F(p) a row seen through a window around its place,
//!
//! Σ ‖F(p)‖² = Σ ‖m‖² + Σ ‖F(p) − m‖²,
//!
//! and the second part comes apart again into how rows of one picture differ from that picture's mean, and how
//! pictures' means differ from m. What lies outside the window is a fourth part. As shares of the whole they are
//! [`Shares`], and sum to 1.
//!
//! The mean of n rows that have nothing in common still holds 1/n of their energy, so a fixed share means little below
//! some multiples of 1/[`least_rows`](MeanOperator::least_rows). A filter that is fixed up to its strength, stronger
//! on edges say, counts as adaptive for what its strength varies.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Grid, Pictures, blocks};
use crate::{
    error::{Error, Result},
    operator::{Field, LinearOperator},
    progress::Progress,
};

/// The parts of Σ ‖row‖², which sum to 1; NaN where all rows are zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// What the fixed filters explain.
    pub fixed: f64,
    /// How rows of a picture differ from the mean of that picture.
    pub within_pictures: f64,
    /// How the means of pictures differ from the mean of all.
    pub between_pictures: f64,
    /// What lies outside the window.
    pub outside: f64,
}

impl Shares {
    /// What adapts, within the window.
    pub fn adaptive(&self) -> f64 {
        self.within_pictures + self.between_pictures
    }
}

/// The mean operator of some pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanOperator {
    /// `[phases down, phases right, channels out, channels in, size, size]`: one filter for each sub-pixel. Its middle
    /// lies on the input pixel nearest to the sub-pixel's place.
    pub shape: [usize; 6],
    /// The filters, in that order.
    pub filters: Vec<f64>,
    /// Parts of the energy of all rows.
    pub shares: Shares,
    /// Pictures that were added.
    pub pictures: usize,
    /// Places that were added.
    pub places: usize,
    /// The fewest places of one sub-pixel.
    pub least_rows: usize,
    /// Whether rows of some picture meet its border, because none that do not have their window in the picture.
    pub with_border: bool,
}

/// Rows of one sub-pixel: their number, mean, and Σ ‖row − mean‖².
#[derive(Clone, Debug)]
struct Rows {
    count: usize,
    mean: Vec<f64>,
    squares: f64,
}

impl Rows {
    fn none(len: usize) -> Self {
        Self {
            count: 0,
            mean: vec![0.0; len],
            squares: 0.0,
        }
    }

    /// One more row, by Welford's recurrence.
    fn add(&mut self, row: &[f64]) {
        self.count += 1;
        let n = self.count as f64;
        for (mean, value) in self.mean.iter_mut().zip(row) {
            let off = value - *mean;
            *mean += off / n;
            self.squares += off * (value - *mean);
        }
    }

    /// All of `other`, too. What their means are apart, as part of Σ ‖row − mean‖².
    fn merge(&mut self, other: &Self) -> f64 {
        if other.count == 0 {
            return 0.0;
        }
        let (n, more) = (self.count as f64, other.count as f64);
        let all = n + more;
        let mut apart = 0.0;
        for (mean, there) in self.mean.iter_mut().zip(&other.mean) {
            let off = there - *mean;
            *mean += off * more / all;
            apart += off * off;
        }
        apart *= n * more / all;
        self.count += other.count;
        self.squares += other.squares + apart;
        apart
    }
}

/// Along one axis: how places of the output are laid onto one another.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Aligned {
    /// Input and output pixels of a step.
    step: [usize; 2],
    /// The place of output pixel 0, in input pixels.
    offset: f64,
    /// Input pixels for one of the output.
    ratio: f64,
}

impl Aligned {
    /// Which sub-pixel a place is.
    fn phase(&self, at: usize) -> usize {
        at % self.step[1]
    }

    /// The first pixel of the window of a place, `radius` pixels from the pixel nearest to it. Moved by whole steps, so
    /// that rounding is the same for all places of a sub-pixel.
    fn first(&self, at: usize, radius: usize) -> i64 {
        let moved = (at / self.step[1] * self.step[0]) as i64;
        let middle = (self.offset + self.ratio * self.phase(at) as f64).round() as i64;
        middle + moved - radius as i64
    }
}

/// The mean operator of pictures that come one by one: memory does not grow with their number.
#[derive(Clone, Debug)]
pub struct MeanOperatorTotals {
    radius: usize,
    /// What all pictures must have in common, known with the first.
    common: Option<Common>,
    rows: Vec<Rows>,
    energy: f64,
    outside: f64,
    between: f64,
    pictures: usize,
    with_border: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Common {
    along: [Aligned; 2],
    /// Of the output and the input.
    channels: [usize; 2],
}

impl MeanOperatorTotals {
    /// None yet. Windows reach `radius` input pixels from the pixel nearest to a place: (2 radius + 1)².
    pub fn new(radius: usize) -> Self {
        Self {
            radius,
            common: None,
            rows: Vec::new(),
            energy: 0.0,
            outside: 0.0,
            between: 0.0,
            pictures: 0,
            with_border: false,
        }
    }

    /// The rows of one more picture at places of `grid` whose window lies in the picture: where there are such places,
    /// only those whose field meets no border.
    ///
    /// Stopped, it is an error, and nothing of this picture is added. Cost: an adjoint product for each place and
    /// output channel, or less ([`LinearOperator::fields`]).
    ///
    /// # Errors
    /// As [`row_maps`](super::row_maps); [`Error::OutOfRange`] where no place has its window in the picture;
    /// [`Error::Different`] for a network whose pictures relate in another way than those before.
    pub fn add(
        &mut self,
        f: &(impl LinearOperator + ?Sized),
        grid: &Grid,
        mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let pictures = Pictures::of(f)?;
        let placed = pictures.placed()?;
        let aligned = |axis: usize| -> Result<Aligned> {
            let [over, under] = placed[axis].step.map(|term| term as f64);
            Ok(Aligned {
                step: pictures.step(axis)?,
                offset: placed[axis].offset,
                ratio: over / under,
            })
        };
        let along = [aligned(0)?, aligned(1)?];
        let [d, rows, columns] = pictures.output;
        let [c, h, w] = pictures.input;
        let common = Common {
            along,
            channels: [d, c],
        };
        if let Some(before) = self.common
            && before != common
        {
            return Err(Error::Different {
                what: "the pictures of a mean operator",
                because: format!("{common:?} after {before:?}"),
            });
        }
        let size = 2 * self.radius + 1;
        let fits = |axis: usize, at: usize, len: usize| {
            let first = along[axis].first(at, self.radius);
            first >= 0 && first + size as i64 <= len as i64
        };
        let whole: Vec<[usize; 2]> = grid
            .places()
            .filter(|&[y, x]| y < rows && x < columns && fits(0, y, h) && fits(1, x, w))
            .collect();
        if whole.is_empty() {
            return Err(Error::OutOfRange {
                what: "the window of a mean operator",
                index: vec![size, size],
                shape: vec![h, w],
            });
        }
        let clear = |&[y, x]: &[usize; 2]| {
            let inside = |axis: usize, at: usize| {
                let [first, end] = placed[axis].inside;
                (first..end).contains(&at)
            };
            inside(0, y) && inside(1, x)
        };
        let cleared: Vec<[usize; 2]> = whole.iter().copied().filter(clear).collect();
        let with_border = cleared.is_empty();
        let places = if with_border { whole } else { cleared };

        let windowed = |i: usize, block: &[f64]| -> (Vec<f64>, f64) {
            let [y, x] = places[i];
            let first = |axis: usize, at: usize| along[axis].first(at, self.radius) as usize;
            let (top, left) = (first(0, y), first(1, x));
            let mut seen = Vec::with_capacity(d * c * size * size);
            for plane in block.chunks(h * w) {
                for line in top..top + size {
                    seen.extend_from_slice(&plane[line * w + left..line * w + left + size]);
                }
            }
            (seen, block.iter().map(|v| v * v).sum())
        };
        let phases = along.map(|along| along.step[1]);
        let len = d * c * size * size;
        let mut own = vec![Rows::none(len); phases[0] * phases[1]];
        let (mut energy, mut outside) = (0.0, 0.0);
        let mut whole = Progress::new(Field::Row.reading(), 0, places.len());
        let stopped = blocks(
            f,
            Field::Row,
            &places,
            &mut |progress| {
                whole = *progress;
                observer(progress)
            },
            windowed,
            |i, (seen, all)| {
                let [y, x] = places[i];
                let phase = along[0].phase(y) * phases[1] + along[1].phase(x);
                own[phase].add(&seen);
                let within: f64 = seen.iter().map(|v| v * v).sum();
                energy += all;
                // Of a row that lies within, the two sums differ by rounding.
                outside += (all - within).max(0.0);
            },
        )?;
        if stopped.is_some() {
            return Err(Error::Stopped(whole));
        }
        if self.rows.is_empty() {
            self.rows = vec![Rows::none(len); own.len()];
        }
        for (rows, own) in self.rows.iter_mut().zip(&own) {
            self.between += rows.merge(own);
        }
        self.common = Some(common);
        self.energy += energy;
        self.outside += outside;
        self.pictures += 1;
        self.with_border |= with_border;
        Ok(())
    }

    /// Of the pictures so far; `None` without any.
    pub fn finish(&self) -> Option<MeanOperator> {
        let Common { along, channels } = self.common?;
        let size = 2 * self.radius + 1;
        let apart: f64 = self.rows.iter().map(|rows| rows.squares).sum();
        let fixed: f64 = self
            .rows
            .iter()
            .map(|rows| rows.count as f64 * rows.mean.iter().map(|v| v * v).sum::<f64>())
            .sum();
        let share = |part: f64| part / self.energy;
        Some(MeanOperator {
            shape: [
                along[0].step[1],
                along[1].step[1],
                channels[0],
                channels[1],
                size,
                size,
            ],
            filters: self
                .rows
                .iter()
                .flat_map(|rows| &rows.mean)
                .copied()
                .collect(),
            shares: Shares {
                fixed: share(fixed),
                // Rounding must not make a share negative.
                within_pictures: share((apart - self.between).max(0.0)),
                between_pictures: share(self.between),
                outside: share(self.outside),
            },
            pictures: self.pictures,
            places: self.rows.iter().map(|rows| rows.count).sum(),
            least_rows: self.rows.iter().map(|rows| rows.count).min().unwrap_or(0),
            with_border: self.with_border,
        })
    }
}
