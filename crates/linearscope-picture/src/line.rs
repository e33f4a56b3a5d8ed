//! Signals as lines: what a panel shows of an array with one axis.

use std::ops::Range;

use image::{Rgb, RgbImage};

use crate::{Raster, Window, colour::Ramp};

/// A line over the entries of a signal, from the least to the largest value that it spans.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// Values from bottom to top.
    low: f64,
    high: f64,
    /// Broken where a value is not finite: points in shares of the width and, from the top, of the height.
    strokes: Vec<Vec<(f64, f64)>>,
    /// Where 0 lies, from the top, where it lies in the span.
    zero: Option<f64>,
}

/// Width and height that lines are drawn at, in dots.
const SIZE: [u32; 2] = [200, 100];
/// More entries than this and a point stands for several: their least and their largest, one after the other.
const POINTS: usize = 1000;

impl Line {
    fn new(values: &[f64], low: f64, high: f64) -> Self {
        let span = if high > low { high - low } else { 1.0 };
        let (count, each) = (values.len(), values.len().div_ceil(POINTS).max(1));
        let place = |at: usize, value: f64| {
            let x = (at as f64 + 0.5) / count as f64;
            (x, ((high - value) / span).clamp(0.0, 1.0))
        };
        let mut strokes = vec![Vec::new()];
        for (number, some) in values.chunks(each).enumerate() {
            let mut shown: Vec<(usize, f64)> = some.iter().copied().enumerate().collect();
            if each > 1 {
                let by_value = |a: &&(usize, f64), b: &&(usize, f64)| a.1.total_cmp(&b.1);
                let ends = [shown.iter().min_by(by_value), shown.iter().max_by(by_value)];
                let mut ends: Vec<_> = ends.into_iter().flatten().copied().collect();
                ends.sort_by_key(|end| end.0);
                shown = ends;
            }
            for (at, value) in shown {
                match value.is_finite() {
                    true => {
                        let stroke = strokes.last_mut().expect("there is one");
                        stroke.push(place(number * each + at, value));
                    }
                    false => strokes.push(Vec::new()),
                }
            }
        }
        strokes.retain(|stroke| !stroke.is_empty());
        // A single entry has a length, too.
        for stroke in &mut strokes {
            if let [(x, y)] = stroke[..] {
                let half = 0.5 / count as f64;
                *stroke = vec![(x - half, y), (x + half, y)];
            }
        }
        let zero = (low <= 0.0 && 0.0 <= high).then(|| high / span);
        Self {
            low,
            high,
            strokes,
            zero,
        }
    }

    /// Its strokes, in a box of a size.
    pub(crate) fn strokes(&self, [w, h]: [f64; 2]) -> impl Iterator<Item = Vec<(f64, f64)>> + '_ {
        let scaled = move |&(x, y): &(f64, f64)| (x * w, y * h);
        let strokes = self.strokes.iter();
        strokes.map(move |stroke| stroke.iter().map(scaled).collect())
    }

    /// Where 0 lies in a box of a height.
    pub(crate) fn zero(&self, h: f64) -> Option<f64> {
        self.zero.map(|zero| zero * h)
    }

    /// What it spans, from bottom to top.
    pub(crate) fn span(&self) -> [f64; 2] {
        [self.low, self.high]
    }
}

/// Entries of a signal as a line, and the raster that stands for it: white, with the window `part` of the signal. With
/// a scale it spans ± that much; without one, the values it shows.
pub(crate) fn line(values: &[f64], part: Range<usize>, scale: Option<f64>) -> (Line, Raster) {
    let shown = &values[part.clone()];
    let finite = || shown.iter().copied().filter(|value| value.is_finite());
    let extremes = [
        finite().fold(f64::INFINITY, f64::min),
        finite().fold(f64::NEG_INFINITY, f64::max),
    ];
    let [low, high] = match scale {
        Some(scale) => [-scale, scale],
        None if extremes[0] < extremes[1] => extremes,
        None if extremes[0].is_finite() => [extremes[0] - 0.5, extremes[0] + 0.5],
        None => [0.0, 1.0],
    };
    let raster = Raster {
        picture: RgbImage::from_pixel(SIZE[0], SIZE[1], Rgb([255; 3])),
        window: Window {
            y: 0,
            x: part.start,
            h: 1,
            w: part.len(),
        },
        of: [1, values.len()],
        scale,
        ramp: Ramp::Diverging,
        extremes,
        block: 1,
        values: None,
        beneath: None,
    };
    (Line::new(shown, low, high), raster)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_its_values() {
        let (found, raster) = line(&[0.0, 2.0, -2.0, 1.0], 0..4, Some(2.0));
        let strokes: Vec<_> = found.strokes([80.0, 40.0]).collect();
        assert_eq!(
            strokes,
            [vec![(10.0, 20.0), (30.0, 0.0), (50.0, 40.0), (70.0, 10.0)]]
        );
        assert_eq!((found.zero(40.0), found.span()), (Some(20.0), [-2.0, 2.0]));
        assert_eq!((raster.of, raster.window.w), ([1, 4], 4));
    }

    #[test]
    fn without_a_scale_it_spans_its_values() {
        let (found, _) = line(&[3.0, 5.0, 9.0, 4.0], 1..3, None);
        assert_eq!((found.span(), found.zero(10.0)), ([5.0, 9.0], None));
        let (flat, _) = line(&[3.0; 4], 0..4, None);
        assert_eq!(flat.span(), [2.5, 3.5]);
    }

    /// No peak is lost, and none invented, where there are more entries than points.
    #[test]
    fn long_signals_keep_their_peaks() {
        let mut values = vec![0.0; 12_345];
        (values[777], values[9000]) = (1.0, -1.0);
        let (found, _) = line(&values, 0..values.len(), Some(1.0));
        let strokes: Vec<_> = found.strokes([1.0, 1.0]).collect();
        let points: Vec<f64> = strokes.concat().iter().map(|point| point.1).collect();
        assert!(points.len() <= 2 * POINTS && points.contains(&0.0) && points.contains(&1.0));
    }

    #[test]
    fn what_is_not_finite_is_a_gap() {
        let (found, _) = line(&[1.0, f64::NAN, 2.0, 3.0, f64::INFINITY], 0..5, None);
        let lengths: Vec<usize> = found.strokes([1.0; 2]).map(|stroke| stroke.len()).collect();
        assert_eq!(lengths, [2, 2]);
        let (none, _) = line(&[f64::NAN; 3], 0..3, None);
        assert_eq!(none.strokes([1.0; 2]).count(), 0);
    }
}
