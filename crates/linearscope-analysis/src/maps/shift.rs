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
    /// V of each place, its neighbours below and to the right together; NaN where there is none, rows are
    /// zero, or they were not read.
    pub values: Vec<f64>,
    /// The sum of all numerators over the sum of all denominators; NaN where that is 0.
    pub whole: f64,
    /// The steps compared, `[down, right]` each: in the input and in the output.
    pub steps: [[usize; 2]; 2],
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

/// V at the places of `grid`, each compared with those `period` whole steps below and to the right
/// ([`Pictures::step`]: an input pixel of an upscaler). A network that strides by s inside is a
/// convolution at most for periods that s divides.
///
/// Stopped, it gives what was compared by then, in parts as [`row_maps`](super::row_maps).
///
/// Cost: three adjoint products for each place and output channel, or less
/// ([`LinearOperator::fields`]).
///
/// # Errors
/// As [`row_maps`](super::row_maps); [`Error::NoStep`] where the picture holds no two places a
/// step apart.
pub fn variance(
    f: &(impl LinearOperator + ?Sized),
    grid: &Grid,
    period: usize,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<ShiftMap> {
    let pictures = Pictures::of(f)?;
    let [_, h, w] = pictures.input;
    let [d, rows, columns] = pictures.output;
    let steps = [0, 1].map(|axis| pictures.step(axis).map(|step| step * period.max(1)));
    let input = [steps[0][0], steps[1][0]];
    let output = [steps[0][1], steps[1][1]];
    if output[0] >= rows && output[1] >= columns {
        return Err(Error::NoStep {
            step: output,
            size: [rows, columns],
        });
    }
    let mut values = vec![f64::NAN; grid.len()];
    let mut whole = (0.0, 0.0);
    // Three rows a place: few at a time, since all of them are kept.
    let each = 3 * d * f.input_len();
    let places: Vec<[usize; 2]> = grid.places().collect();
    let parts = places.len().div_ceil((super::HELD / each).max(1));
    let mut done = 0;
    for part in 0..parts {
        let some: Vec<usize> = (part..places.len()).step_by(parts).collect();
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
                    of: places.len(),
                    ..*progress
                })
            },
            |k, block| found[k] = block.to_vec(),
        );
        match unless_stopped(walked, done > 0)? {
            Some(None) => {}
            Some(Some(_)) if done == 0 => {
                let progress = Progress::new(Field::Row.reading(), done, places.len());
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
        finished: (done < places.len()).then_some(done),
    })
}
