//! Shift-variance: how far F is from a convolution.
//!
//! A convolution has the same row everywhere, moved along. An upscaler by r is one at every r-th
//! output: the rows of sub-pixels differ, and are compared a whole input pixel apart. Of a place p
//! and one a step away, p + a in the output and b in the input,
//!
//! V = Σ (F(p + a, q + b) − F(p, q))² / Σ (F(p + a, q + b)² + F(p, q)²)
//!
//! over channels and over all q for which q + b lies in the picture too: 0 for a convolution, 1 for
//! rows that have nothing in common, 2 for opposite ones.
//!
//! The steps a and b are those by which all strides on the way move whole ([`Pictures::step`]). A padded convolution
//! after another is none at the border: paths that would leave the picture between the two are missing. So rows are
//! compared where no field meets a border ([`AlongAxis::inside`](super::AlongAxis)). Where fields are so large that no
//! two such rows are a step apart, all are compared, and [`ShiftMap::with_border`] says so.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Grid, Pictures, blocks};
use crate::{
    error::{Error, Result, unless_stopped},
    operator::{Field, LinearOperator},
    progress::Progress,
};

/// Shift-variance at places, and of all of them together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShiftMap {
    /// The places, in the output.
    pub grid: Grid,
    /// V of each place, its neighbours below and to the right together; NaN where there is none, a field meets a
    /// border (see `with_border`), rows are zero, or they were not read.
    pub values: Vec<f64>,
    /// The sum of all numerators over the sum of all denominators; NaN where that is 0.
    pub whole: f64,
    /// The steps compared, `[down, right]` each: in the input and in the output.
    pub steps: [[usize; 2]; 2],
    /// Whether fields of rows compared meet a border, so that V holds its effect as well; else there is none.
    pub with_border: bool,
    /// How many places were compared, where it was stopped before all were; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<usize>,
}

impl ShiftMap {
    /// Whether it was stopped before all places were compared, see [`finished`](Self::finished).
    pub fn is_partial(&self) -> bool {
        self.finished.is_some()
    }
}

/// Σ (later(q + b) − earlier(q))² and Σ (later(q + b)² + earlier(q)²) over `[.., h, w]` numbers.
fn compared(
    earlier: &[f64],
    later: &[f64],
    [h, w]: [usize; 2],
    [down, right]: [usize; 2],
) -> (f64, f64) {
    let (mut apart, mut all) = (0.0, 0.0);
    if down >= h || right >= w {
        return (apart, all);
    }
    for (earlier, later) in earlier.chunks(h * w).zip(later.chunks(h * w)) {
        for y in 0..h - down {
            let earlier = &earlier[y * w..y * w + w - right];
            let later = &later[(y + down) * w + right..(y + down + 1) * w];
            for (a, b) in earlier.iter().zip(later) {
                apart += (b - a) * (b - a);
                all += b * b + a * a;
            }
        }
    }
    (apart, all)
}

/// The steps of a comparison, `[down, right]` each in the input and in the output.
fn steps(pictures: &Pictures, period: usize) -> Result<[[usize; 2]; 2]> {
    let step = |axis| -> Result<[usize; 2]> {
        Ok(pictures
            .step(axis)?
            .map(|step| step.saturating_mul(period.max(1))))
    };
    let steps = [step(0)?, step(1)?];
    let [input, output] = [0, 1].map(|end| [steps[0][end], steps[1][end]]);
    let [_, rows, columns] = pictures.output;
    if output[0] >= rows && output[1] >= columns {
        return Err(Error::NoStep {
            step: output,
            size: [rows, columns],
        });
    }
    Ok([input, output])
}

/// Whether a place and those a step below and to the right of it meet no border, as far as they exist.
fn is_clear(pictures: &Pictures, [y, x]: [usize; 2], output: [usize; 2]) -> bool {
    let [_, rows, columns] = pictures.output;
    let clear = |axis: usize, at: usize, size: usize| {
        let [first, end] = pictures.place.map_or([0, size], |along| along[axis].inside);
        let later = at + output[axis];
        (first..end).contains(&at) && (later >= size || later < end)
    };
    clear(0, y, rows) && clear(1, x, columns)
}

/// The places to compare: `stride` apart, where no field meets a border; of a picture without such places, all.
///
/// # Errors
/// As [`variance`].
pub fn grid(f: &(impl LinearOperator + ?Sized), stride: usize, period: usize) -> Result<Grid> {
    let pictures = Pictures::of(f)?;
    let [_, output] = steps(&pictures, period)?;
    let [_, rows, columns] = pictures.output;
    let every = Grid::every(stride, [rows, columns]);
    let along = pictures.placed()?;
    let clear = |axis: usize, size: usize| -> Vec<usize> {
        let [first, end] = along[axis].inside;
        let end = match output[axis] < size {
            true => end.saturating_sub(output[axis]),
            false => end,
        };
        match end.checked_sub(first) {
            None | Some(0) => Vec::new(),
            // In the middle of what there is.
            Some(count) => {
                let begin = first + (count - 1) % stride.max(1) / 2;
                (begin..end).step_by(stride.max(1)).collect()
            }
        }
    };
    let (y, x) = (clear(0, rows), clear(1, columns));
    Ok(match y.is_empty() || x.is_empty() {
        true => every,
        false => Grid { y, x },
    })
}

/// V at the places of `grid`, each compared with those `period` whole steps below and to the right
/// ([`Pictures::step`]: an input pixel of an upscaler). Of a grid that holds places whose fields meet no border only
/// those are compared; [`grid()`] chooses them.
///
/// Stopped, it gives what was compared by then, in parts as [`row_maps`](super::row_maps).
///
/// Cost: three adjoint products for each place and output channel, or less
/// ([`LinearOperator::fields`]).
///
/// # Errors
/// As [`row_maps`](super::row_maps); [`Error::NoPlace`] also for a mirrored output; [`Error::NoStep`] where the
/// picture holds no two places a step apart.
pub fn variance(
    f: &(impl LinearOperator + ?Sized),
    grid: &Grid,
    period: usize,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<ShiftMap> {
    let pictures = Pictures::of(f)?;
    let [_, h, w] = pictures.input;
    let [d, rows, columns] = pictures.output;
    let [input, output] = steps(&pictures, period)?;
    let mut values = vec![f64::NAN; grid.len()];
    let mut whole = (0.0, 0.0);
    // Three rows a place: few at a time, since all of them are kept.
    let each = 3 * d * f.input_len();
    let places: Vec<[usize; 2]> = grid.places().collect();
    let all = 0..places.len();
    let clear: Vec<usize> = all
        .clone()
        .filter(|&i| is_clear(&pictures, places[i], output))
        .collect();
    let with_border = clear.is_empty();
    let chosen: Vec<usize> = match with_border {
        true => all.collect(),
        false => clear,
    };
    let parts = chosen.len().div_ceil((super::HELD / each).max(1));
    let mut done = 0;
    for part in 0..parts {
        let some: Vec<usize> = chosen.iter().copied().skip(part).step_by(parts).collect();
        let mut asked = Vec::new();
        let mut pairs = Vec::new();
        for &i in &some {
            let [y, x] = places[i];
            let first = asked.len();
            asked.push([y, x]);
            if y + output[0] < rows {
                pairs.push((i, first, asked.len(), [input[0], 0]));
                asked.push([y + output[0], x]);
            }
            if x + output[1] < columns {
                pairs.push((i, first, asked.len(), [0, input[1]]));
                asked.push([y, x + output[1]]);
            }
        }
        let mut found = vec![Vec::new(); asked.len()];
        let share = some.len() as f64 / asked.len() as f64;
        let walked = blocks(
            f,
            Field::Row,
            &asked,
            &mut |progress| {
                observer(&Progress {
                    done: done + (progress.done as f64 * share) as usize,
                    of: chosen.len(),
                    ..*progress
                })
            },
            |_, block| block.to_vec(),
            |k, block| found[k] = block,
        );
        match unless_stopped(walked, done > 0)? {
            Some(None) => {}
            Some(Some(_)) if done == 0 => {
                let progress = Progress::new(Field::Row.reading(), done, chosen.len());
                return Err(Error::Stopped(progress));
            }
            None | Some(Some(_)) => break,
        }
        done += some.len();
        let mut sums = vec![(0.0, 0.0); grid.len()];
        for (i, earlier, later, shift) in pairs {
            let (apart, all) = compared(&found[earlier], &found[later], [h, w], shift);
            sums[i] = (sums[i].0 + apart, sums[i].1 + all);
        }
        for i in some {
            values[i] = sums[i].0 / sums[i].1;
            whole = (whole.0 + sums[i].0, whole.1 + sums[i].1);
        }
    }
    Ok(ShiftMap {
        grid: grid.clone(),
        values,
        whole: whole.0 / whole.1,
        steps: [input, output],
        with_border,
        finished: (done < chosen.len()).then_some(done),
    })
}
