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

use serde::{Deserialize, Deserializer, Serialize};

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
    #[serde(deserialize_with = "number")]
    pub fixed: f64,
    /// How rows of a picture differ from the mean of that picture.
    #[serde(deserialize_with = "number")]
    pub within_pictures: f64,
    /// How the means of pictures differ from the mean of all.
    #[serde(deserialize_with = "number")]
    pub between_pictures: f64,
    /// What lies outside the window.
    #[serde(deserialize_with = "number")]
    pub outside: f64,
}

/// A number as JSON has it, which writes null for NaN.
fn number<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

impl Shares {
    /// What adapts, within the window.
    pub fn adaptive(&self) -> f64 {
        self.within_pictures + self.between_pictures
    }
}

/// Along one axis: how places of the output are laid onto one another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aligned {
    /// Input and output pixels of a step: the least by which everything moves by whole pixels.
    pub step: [usize; 2],
    /// The place of output pixel 0, in input pixels.
    pub offset: f64,
    /// Input pixels for one of the output.
    pub ratio: f64,
}

/// The mean operator of some pictures: everything that [`MeanOperatorTotals::merge`] needs to put it together with
/// that of others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanOperator {
    /// `[phases down, phases right, channels out, channels in, size, size]`: one filter for each sub-pixel. Its middle
    /// lies on the input pixel nearest to the sub-pixel's place.
    pub shape: [usize; 6],
    /// The filters, in that order.
    pub filters: Vec<f64>,
    /// Parts of the energy of all rows.
    pub shares: Shares,
    /// Σ ‖row‖² over all places that were added, in and outside the window.
    pub energy: f64,
    /// Places of each sub-pixel, row by row.
    pub rows: Vec<usize>,
    /// How places are laid onto one another, down and right.
    pub along: [Aligned; 2],
    /// Pictures that were added.
    pub pictures: usize,
    /// Places that were added.
    pub places: usize,
    /// The fewest places of one sub-pixel.
    pub least_rows: usize,
    /// Whether rows of some picture meet its border, because none that do not have their window in the picture.
    pub with_border: bool,
}

/// Rows of one sub-pixel: their number and mean.
#[derive(Clone, Debug)]
struct Rows {
    count: usize,
    mean: Vec<f64>,
}

impl Rows {
    fn none(len: usize) -> Self {
        Self {
            count: 0,
            mean: vec![0.0; len],
        }
    }

    /// One more row, by Welford's recurrence: what it adds to Σ ‖row − mean‖².
    fn add(&mut self, row: &[f64]) -> f64 {
        self.count += 1;
        let n = self.count as f64;
        let mut squares = 0.0;
        for (mean, value) in self.mean.iter_mut().zip(row) {
            let off = value - *mean;
            *mean += off / n;
            squares += off * (value - *mean);
        }
        squares
    }

    /// `count` more rows of this mean, too. What their means are apart, as part of Σ ‖row − mean‖².
    fn merge(&mut self, count: usize, other: &[f64]) -> f64 {
        if count == 0 {
            return 0.0;
        }
        let (n, more) = (self.count as f64, count as f64);
        let all = n + more;
        let mut apart = 0.0;
        for (mean, there) in self.mean.iter_mut().zip(other) {
            let off = there - *mean;
            *mean += off * more / all;
            apart += off * off;
        }
        self.count += count;
        apart * n * more / all
    }

    /// Σ ‖mean‖² over its rows.
    fn energy(&self) -> f64 {
        self.count as f64 * self.mean.iter().map(|v| v * v).sum::<f64>()
    }
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

impl MeanOperator {
    /// The mean operator of one picture: its rows at places of `grid` whose window lies in the picture. Where there are
    /// such places, only those whose field meets no border. Windows reach `radius` input pixels from the pixel nearest
    /// to a place: (2 radius + 1)².
    ///
    /// Cost: an adjoint product for each place and output channel, or less ([`LinearOperator::fields`]).
    ///
    /// # Errors
    /// As [`row_maps`](super::row_maps); [`Error::OutOfRange`] where no place has its window in the picture. Stopped, it
    /// is an error: the mean of some places is not what was asked for.
    pub fn of_picture(
        f: &(impl LinearOperator + ?Sized),
        grid: &Grid,
        radius: usize,
        observer: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Self> {
        let pictures = Pictures::of(f)?;
        let common = Common::of(&pictures, radius)?;
        measured(f, &pictures, common, grid, observer)
    }

    /// What pictures must have in common with these.
    fn common(&self) -> Common {
        let [_, _, d, c, size, _] = self.shape;
        Common {
            along: self.along,
            channels: [d, c],
            radius: size / 2,
        }
    }
}

/// What all pictures must have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Common {
    along: [Aligned; 2],
    /// Of the output and the input.
    channels: [usize; 2],
    radius: usize,
}

impl Common {
    fn of(pictures: &Pictures, radius: usize) -> Result<Self> {
        let placed = pictures.placed()?;
        let aligned = |axis: usize| -> Result<Aligned> {
            let [over, under] = placed[axis].step.map(|term| term as f64);
            Ok(Aligned {
                step: pictures.step(axis)?,
                offset: placed[axis].offset,
                ratio: over / under,
            })
        };
        Ok(Self {
            along: [aligned(0)?, aligned(1)?],
            channels: [pictures.output[0], pictures.input[0]],
            radius,
        })
    }

    fn size(&self) -> usize {
        2 * self.radius + 1
    }

    fn phases(&self) -> [usize; 2] {
        self.along.map(|along| along.step[1])
    }

    /// Whether the window of an output place lies in the input's `len` pixels along an axis.
    fn fits(&self, axis: usize, at: usize, len: usize) -> bool {
        let first = self.along[axis].first(at, self.radius);
        first >= 0 && first + self.size() as i64 <= len as i64
    }

    /// Numbers of one filter.
    fn len(&self) -> usize {
        self.channels.iter().product::<usize>() * self.size().pow(2)
    }

    /// How the pictures of another relate in another way.
    fn unlike(&self, other: &Self) -> String {
        let words = |common: &Self| {
            let [down, right] = common.along.map(|along| {
                let [input, output] = along.step;
                format!(
                    "{output} output pixels for {input} of the input, the first at {}",
                    along.offset
                )
            });
            let [d, c] = common.channels;
            format!(
                "{c} to {d} channels, windows of {0}×{0}, down {down}, right {right}",
                common.size()
            )
        };
        format!("{}, after {}", words(other), words(self))
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
    within: f64,
    between: f64,
    outside: f64,
    pictures: usize,
    with_border: bool,
}

impl MeanOperatorTotals {
    /// None yet. Windows reach `radius` input pixels from the pixel nearest to a place: (2 radius + 1)².
    pub fn new(radius: usize) -> Self {
        Self {
            radius,
            common: None,
            rows: Vec::new(),
            energy: 0.0,
            within: 0.0,
            between: 0.0,
            outside: 0.0,
            pictures: 0,
            with_border: false,
        }
    }

    /// The rows of one more picture, as [`MeanOperator::of_picture`] takes them.
    ///
    /// Stopped, it is an error, and nothing of this picture is added. Cost: that of the picture.
    ///
    /// # Errors
    /// As [`MeanOperator::of_picture`]; [`Error::Different`] for a network whose pictures relate in another way than
    /// those before, found before anything is computed.
    pub fn add(
        &mut self,
        f: &(impl LinearOperator + ?Sized),
        grid: &Grid,
        observer: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let pictures = Pictures::of(f)?;
        let common = Common::of(&pictures, self.radius)?;
        self.check(&common)?;
        self.merge(&measured(f, &pictures, common, grid, observer)?)
    }

    /// The pictures of `other`, too: one process may measure a picture and another put all of them together. The
    /// result is that of one that adds them in the same order, up to rounding.
    ///
    /// Cost: a pass over its filters.
    ///
    /// # Errors
    /// [`Error::Different`] for other channels, another window, or pictures that relate in another way than those
    /// before; [`Error::Setting`] where its numbers are not as many as its shape says. Nothing of `other` is added then.
    pub fn merge(&mut self, other: &MeanOperator) -> Result<()> {
        let common = other.common();
        self.check(&common)?;
        let [down, right] = common.phases();
        let (phases, len) = (down * right, common.len());
        if other.rows.len() != phases || other.filters.len() != phases * len {
            return Err(Error::Setting {
                what: "the number of values of a mean operator",
                got: format!(
                    "{} for {} sub-pixels",
                    other.filters.len(),
                    other.rows.len()
                ),
                allowed: format!(
                    "its shape {:?} has {} for {phases}",
                    other.shape,
                    phases * len
                ),
            });
        }
        if self.rows.is_empty() {
            self.rows = vec![Rows::none(len); phases];
        }
        let filters = other.filters.chunks(len);
        for ((rows, &count), filter) in self.rows.iter_mut().zip(&other.rows).zip(filters) {
            self.between += rows.merge(count, filter);
        }
        // Of rows that are all zero there are no shares.
        let part = |share: f64| match other.energy > 0.0 {
            true => share * other.energy,
            false => 0.0,
        };
        self.within += part(other.shares.within_pictures);
        self.between += part(other.shares.between_pictures);
        self.outside += part(other.shares.outside);
        self.energy += other.energy;
        self.common = Some(common);
        self.pictures += other.pictures;
        self.with_border |= other.with_border;
        Ok(())
    }

    /// Whether pictures of this kind go with those before.
    fn check(&self, common: &Common) -> Result<()> {
        let before = match self.common {
            Some(before) => before,
            None => Common {
                radius: self.radius,
                ..*common
            },
        };
        match before == *common {
            true => Ok(()),
            false => Err(Error::Different {
                what: "the pictures of a mean operator",
                because: before.unlike(common),
            }),
        }
    }

    /// Of the pictures so far; `None` without any.
    pub fn finish(&self) -> Option<MeanOperator> {
        let common = self.common?;
        let fixed: f64 = self.rows.iter().map(Rows::energy).sum();
        Some(common.told(
            &self.rows,
            [fixed, self.within, self.between, self.outside],
            self.energy,
            self.pictures,
            self.with_border,
        ))
    }
}

impl Common {
    /// Rows and parts of the energy, fixed, within and between pictures and outside, as a result.
    fn told(
        self,
        rows: &[Rows],
        parts: [f64; 4],
        energy: f64,
        pictures: usize,
        with_border: bool,
    ) -> MeanOperator {
        let [down, right] = self.phases();
        let [d, c] = self.channels;
        let [fixed, within_pictures, between_pictures, outside] = parts.map(|part| part / energy);
        let counts: Vec<usize> = rows.iter().map(|rows| rows.count).collect();
        MeanOperator {
            shape: [down, right, d, c, self.size(), self.size()],
            filters: rows.iter().flat_map(|rows| &rows.mean).copied().collect(),
            shares: Shares {
                fixed,
                within_pictures,
                between_pictures,
                outside,
            },
            energy,
            along: self.along,
            pictures,
            places: counts.iter().sum(),
            least_rows: counts.iter().copied().min().unwrap_or(0),
            rows: counts,
            with_border,
        }
    }
}

/// The output pixels that a mean operator takes rows of: those whose window lies in the picture and, where there are such,
/// whose field meets no border. First and one past the last, down and right; none where no window fits.
///
/// # Errors
/// [`Error::NoPlace`].
pub fn usable(pictures: &Pictures, radius: usize) -> Result<[[usize; 2]; 2]> {
    let common = Common::of(pictures, radius)?;
    let placed = pictures.placed()?;
    let whole: [[usize; 2]; 2] = std::array::from_fn(|axis| {
        let (input, output) = (pictures.input[1 + axis], pictures.output[1 + axis]);
        let fits = |at: &usize| common.fits(axis, *at, input);
        let first = (0..output).find(fits).unwrap_or(0);
        let end = (0..output).rfind(fits).map_or(first, |last| last + 1);
        [first, end]
    });
    let clear: [[usize; 2]; 2] = std::array::from_fn(|axis| {
        let ([first, end], inside) = (whole[axis], placed[axis].inside);
        [first.max(inside[0]), end.min(inside[1])]
    });
    match clear.iter().all(|[first, end]| first < end) {
        true => Ok(clear),
        false => Ok(whole),
    }
}

/// The rows of one picture.
fn measured(
    f: &(impl LinearOperator + ?Sized),
    pictures: &Pictures,
    common: Common,
    grid: &Grid,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<MeanOperator> {
    let placed = pictures.placed()?;
    let Common { along, radius, .. } = common;
    let [_, rows, columns] = pictures.output;
    let [_, h, w] = pictures.input;
    let size = common.size();
    let whole: Vec<[usize; 2]> = grid
        .places()
        .filter(|&[y, x]| y < rows && x < columns && common.fits(0, y, h) && common.fits(1, x, w))
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
        let first = |axis: usize, at: usize| along[axis].first(at, radius) as usize;
        let (top, left) = (first(0, y), first(1, x));
        let mut seen = Vec::with_capacity(common.len());
        for plane in block.chunks(h * w) {
            for line in top..top + size {
                seen.extend_from_slice(&plane[line * w + left..line * w + left + size]);
            }
        }
        (seen, block.iter().map(|v| v * v).sum())
    };
    let [down, right] = common.phases();
    let mut own = vec![Rows::none(common.len()); down * right];
    let (mut energy, mut apart, mut outside) = (0.0, 0.0, 0.0);
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
            apart += own[along[0].phase(y) * right + along[1].phase(x)].add(&seen);
            let within: f64 = seen.iter().map(|v| v * v).sum();
            energy += all;
            // Of a row that lies within, the two sums differ by rounding.
            outside += (all - within).max(0.0);
        },
    )?;
    if stopped.is_some() {
        return Err(Error::Stopped(whole));
    }
    if !energy.is_finite() {
        return Err(Error::overflow("a row of F"));
    }
    let fixed: f64 = own.iter().map(Rows::energy).sum();
    Ok(common.told(&own, [fixed, apart, 0.0, outside], energy, 1, with_border))
}
