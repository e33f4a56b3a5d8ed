//! Arrays as rasters of colours.

use std::sync::Arc;

use image::{RgbImage, imageops};

use crate::colour::{Ramp, around_grey, diverging};

/// The order of three channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channels {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl Channels {
    fn in_order<T: Copy>(self, [a, b, c]: [T; 3]) -> [T; 3] {
        match self {
            Channels::Rgb => [a, b, c],
            Channels::Bgr => [c, b, a],
        }
    }
}

/// Numbers of shape `[c, h, w]`, C order.
#[derive(Clone, Copy, Debug)]
pub struct Array<'a> {
    values: &'a [f64],
    shape: [usize; 3],
    channels: Channels,
}

/// A part of an array: rows `y..y + h`, columns `x..x + w` of every channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First row.
    pub y: usize,
    /// First column.
    pub x: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

/// The number of largest magnitude, with its sign.
pub(crate) fn peak(values: &mut dyn Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |m: f64, v| if v.abs() > m.abs() { v } else { m })
}

/// A part of an array as colours, one dot per entry.
#[derive(Clone, Debug)]
pub struct Raster {
    pub(crate) picture: RgbImage,
    /// What part of the array it shows.
    pub window: Window,
    /// The array's height and width.
    pub of: [usize; 2],
    /// The magnitude of full colour; `None`: a picture in its own range.
    pub scale: Option<f64>,
    /// How its colours follow from its values, where it has a scale.
    pub(crate) ramp: Ramp,
    /// The least and the largest value shown; the latter below the former where there is none.
    pub(crate) extremes: [f64; 2],
    /// Side of the block of entries that one dot stands for.
    pub block: usize,
    /// The number that each dot shows, channel by channel: of a block its peak, or its mean.
    pub(crate) values: Option<Arc<[f64]>>,
    /// Of a map over a photograph, the photograph.
    pub(crate) beneath: Option<Arc<RgbImage>>,
}

impl<'a> Array<'a> {
    /// Make an array of `values` with shape `[c, h, w]` or `[h, w]`, or either with leading axes of
    /// size 1. `None` if the shape is another, or has no elements.
    pub fn new(values: &'a [f64], shape: &[usize]) -> Option<Self> {
        let shape = match *shape {
            [.., 1, c, h, w] if shape[..shape.len() - 3].iter().all(|&d| d == 1) => [c, h, w],
            [c, h, w] => [c, h, w],
            [h, w] => [1, h, w],
            _ => return None,
        };
        let fits = shape.iter().product::<usize>() == values.len() && !values.is_empty();
        fits.then_some(Self {
            values,
            shape,
            channels: Channels::Rgb,
        })
    }

    /// The same array with its channels in this order.
    pub fn ordered(self, channels: Channels) -> Self {
        Self { channels, ..self }
    }

    /// `[c, h, w]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Whether it can be shown directly in grey or colour: one or three channels.
    pub fn is_picture(&self) -> bool {
        matches!(self.shape, [1 | 3, _, _])
    }

    /// Channel `c` alone.
    pub fn channel(&self, c: usize) -> Self {
        let [_, h, w] = self.shape;
        Self {
            values: &self.values[c * h * w..(c + 1) * h * w],
            shape: [1, h, w],
            channels: self.channels,
        }
    }

    /// All numbers, C order.
    pub(crate) fn values(&self) -> &'a [f64] {
        self.values
    }

    fn at(&self, c: usize, y: usize, x: usize) -> f64 {
        let [_, h, w] = self.shape;
        self.values[(c * h + y) * w + x]
    }

    /// The largest magnitude.
    pub fn largest(&self) -> f64 {
        self.values.iter().fold(0.0, |m, v| m.max(v.abs()))
    }

    /// The window that shows all of it.
    pub fn whole(&self) -> Window {
        let [_, h, w] = self.shape;
        Window { y: 0, x: 0, h, w }
    }

    /// The smallest window that leaves at most `part` of the energy Σv² outside on each of its four
    /// sides, plus a border of one entry; the whole array if everything is 0.
    pub fn window(&self, part: f64) -> Window {
        let [_, h, w] = self.shape;
        let (mut rows, mut columns) = (vec![0.0; h], vec![0.0; w]);
        for (i, v) in self.values.iter().enumerate() {
            rows[i % (h * w) / w] += v * v;
            columns[i % w] += v * v;
        }
        let total: f64 = rows.iter().sum();
        if total <= 0.0 || !total.is_finite() {
            return self.whole();
        }
        let skipped = |energies: &mut dyn Iterator<Item = &f64>| {
            let mut sum = 0.0;
            energies
                .take_while(|energy| {
                    sum += **energy;
                    sum <= part * total
                })
                .count()
        };
        let span = |energies: &[f64]| {
            let first = skipped(&mut energies.iter());
            let last = energies.len() - skipped(&mut energies.iter().rev());
            (first.saturating_sub(1), (last + 1).min(energies.len()))
        };
        let ((top, bottom), (left, right)) = (span(&rows), span(&columns));
        Window {
            y: top,
            x: left,
            h: bottom - top,
            w: right - left,
        }
    }

    /// How a block of `block`² entries at `(y, x)` of a window shows.
    pub(crate) fn block_value(
        &self,
        channel: usize,
        window: Window,
        block: usize,
        (y, x): (usize, usize),
        of: impl Fn(&mut dyn Iterator<Item = f64>) -> f64,
    ) -> f64 {
        let rows = (y * block)..((y + 1) * block).min(window.h);
        of(&mut rows.flat_map(|y| {
            let columns = (x * block)..((x + 1) * block).min(window.w);
            columns.map(move |x| self.at(channel, window.y + y, window.x + x))
        }))
    }

    fn raster(
        &self,
        window: Window,
        most: usize,
        scale: Option<f64>,
        of: impl Fn(&mut dyn Iterator<Item = f64>) -> f64,
        colours: impl Fn(&dyn Fn(usize) -> f64) -> [u8; 3],
    ) -> Raster {
        let block = window.h.max(window.w).div_ceil(most).max(1);
        let (h, w) = (window.h.div_ceil(block), window.w.div_ceil(block));
        let dots = (0..h).flat_map(|y| (0..w).map(move |x| (y, x)));
        let drawn = if self.shape[0] == 3 { 3 } else { 1 };
        let values: Arc<[f64]> = (0..drawn)
            .flat_map(|channel| dots.clone().map(move |place| (channel, place)))
            .map(|(channel, place)| self.block_value(channel, window, block, place, &of))
            .collect();
        let picture = RgbImage::from_fn(w as u32, h as u32, |x, y| {
            let dot = y as usize * w + x as usize;
            image::Rgb(colours(&|channel| values[channel * h * w + dot]))
        });
        Raster {
            picture,
            window,
            of: [self.shape[1], self.shape[2]],
            scale,
            ramp: match self.shape[0] {
                3 => Ramp::AroundGrey,
                _ => Ramp::Diverging,
            },
            extremes: self.extremes(window),
            block,
            values: Some(values),
            beneath: None,
        }
    }

    /// The least and the largest value of a window, among the channels that are drawn.
    pub(crate) fn extremes(&self, window: Window) -> [f64; 2] {
        let drawn = if self.shape[0] == 3 { 3 } else { 1 };
        let mut found = [f64::INFINITY, f64::NEG_INFINITY];
        for channel in 0..drawn {
            for y in window.y..window.y + window.h {
                for x in window.x..window.x + window.w {
                    let value = self.at(channel, y, x);
                    found = [found[0].min(value), found[1].max(value)];
                }
            }
        }
        found
    }

    /// Draw it signed: zero is the middle, and `scale` (`None`: the largest magnitude) is full
    /// colour. If a side has more than `most` entries, a dot is the entry of largest magnitude of
    /// its block, so that alternating values do not average out.
    pub fn signed(&self, window: Window, scale: Option<f64>, most: usize) -> Raster {
        let scale = scale.unwrap_or_else(|| self.largest());
        let over = if scale > 0.0 { scale } else { 1.0 };
        let three = self.shape[0] == 3;
        self.raster(window, most, Some(scale), peak, |at| {
            if three {
                let colours = [at(0), at(1), at(2)].map(|v| around_grey(v / over));
                self.channels.in_order(colours)
            } else {
                diverging(at(0) / over)
            }
        })
    }

    /// Draw it as a picture: `black` is black and `white` is white, and values beyond are clipped.
    /// If a side has more than `most` entries, a dot is the mean of its block.
    pub fn picture(&self, black: f64, white: f64, most: usize) -> Raster {
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            let (sum, count) = values.fold((0.0, 0), |(sum, count), v| (sum + v, count + 1));
            sum / f64::from(count.max(1))
        };
        let level = move |v: f64| {
            (255.0 * (v - black) / (white - black))
                .round()
                .clamp(0.0, 255.0) as u8
        };
        let three = self.shape[0] == 3;
        self.raster(self.whole(), most, None, mean, |at| {
            if three {
                let colours = [at(0), at(1), at(2)].map(level);
                self.channels.in_order(colours)
            } else {
                [level(at(0)); 3]
            }
        })
    }
}

impl Raster {
    /// Whether it is signed and all values shown are 0, so that there is nothing to see.
    pub fn is_zero(&self) -> bool {
        self.scale.is_some() && self.extremes == [0.0, 0.0]
    }

    /// Number of dots along each side, `[h, w]`.
    pub(crate) fn size(&self) -> [usize; 2] {
        [
            self.picture.height() as usize,
            self.picture.width() as usize,
        ]
    }

    /// Every dot `zoom`×`zoom` pixels.
    pub(crate) fn zoomed(&self, zoom: usize) -> RgbImage {
        let [h, w] = self.size().map(|size| (size * zoom) as u32);
        imageops::resize(&self.picture, w, h, imageops::FilterType::Nearest)
    }

    /// The dots, three bytes each, red, green and blue, row by row; and how many there are, `[h, w]`.
    pub fn dots(&self) -> (Vec<u8>, [usize; 2]) {
        (self.picture.as_raw().clone(), self.size())
    }

    /// The dots as a PNG, one pixel each.
    ///
    /// # Errors
    /// [`crate::Error`] of the encoder.
    pub fn to_png(&self) -> Result<Vec<u8>, crate::Error> {
        crate::drawing::png(&self.picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(raster: &Raster, x: u32, y: u32) -> [u8; 3] {
        raster.picture.get_pixel(x, y).0
    }

    #[test]
    fn shapes_that_are_pictures() {
        let values = vec![0.0; 48];
        for (shape, expected) in [
            (&[3, 4, 4][..], Some([3, 4, 4])),
            (&[1, 3, 4, 4], Some([3, 4, 4])),
            (&[1, 1, 3, 4, 4], Some([3, 4, 4])),
            (&[6, 8], Some([1, 6, 8])),
            (&[48], None),
            (&[2, 1, 6, 4], None),
            (&[3, 4, 5], None),
        ] {
            assert_eq!(Array::new(&values, shape).map(|a| a.shape()), expected);
        }
    }

    #[test]
    fn signed_maps_zero_to_the_middle_and_the_largest_to_full() {
        let values = [0.0, 2.0, -2.0, 1.0];
        let array = Array::new(&values, &[2, 2]).unwrap();
        let raster = array.signed(array.whole(), None, 100);
        assert_eq!(raster.scale, Some(2.0));
        assert_eq!(dot(&raster, 0, 0), [255; 3]);
        assert_eq!(dot(&raster, 1, 0), diverging(1.0));
        assert_eq!(dot(&raster, 0, 1), diverging(-1.0));
        assert_eq!(dot(&raster, 1, 1), diverging(0.5));
        let zero = [0.0; 4];
        let raster = Array::new(&zero, &[2, 2]).unwrap();
        assert_eq!(dot(&raster.signed(raster.whole(), None, 9), 0, 0), [255; 3]);
    }

    #[test]
    fn zero_is_what_has_nothing_to_show() {
        let values = [0.0, -0.0, 0.0, 1e-30];
        let array = Array::new(&values, &[2, 2]).unwrap();
        let part = |y| Window {
            y,
            x: 0,
            h: 1,
            w: 2,
        };
        assert!(array.signed(part(0), None, 9).is_zero());
        let faint = array.signed(part(1), Some(1.0), 9);
        assert!(!faint.is_zero());
        assert_eq!(faint.extremes, [0.0, 1e-30]);
        // A black picture is a picture.
        assert!(!array.picture(0.0, 1.0, 9).is_zero());
    }

    #[test]
    fn channel_order_and_range() {
        let values = [1.0, 0.5, -1.0];
        let array = Array::new(&values, &[3, 1, 1]).unwrap();
        assert_eq!(dot(&array.picture(0.0, 1.0, 9), 0, 0), [255, 128, 0]);
        let array = array.ordered(Channels::Bgr);
        assert_eq!(dot(&array.picture(0.0, 1.0, 9), 0, 0), [0, 128, 255]);
        assert_eq!(
            dot(&array.signed(array.whole(), None, 9), 0, 0),
            [0, 191, 255]
        );
    }

    /// A checkerboard must not turn grey when it is reduced.
    #[test]
    fn reduction_keeps_peaks_of_signed_and_means_of_pictures() {
        let values: Vec<f64> = (0..64)
            .map(|i| if (i / 8 + i) % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        let array = Array::new(&values, &[8, 8]).unwrap();
        let raster = array.signed(array.whole(), None, 4);
        assert_eq!((raster.block, raster.size()), (2, [4, 4]));
        assert_ne!(dot(&raster, 1, 1), [255; 3]);
        assert_eq!(dot(&array.picture(-1.0, 1.0, 4), 1, 1), [128; 3]);
    }

    #[test]
    fn windows_hold_the_energy() {
        let mut values = vec![0.0; 400];
        values[5 * 20 + 7] = 1.0;
        values[9 * 20 + 11] = -1.0;
        values[19 * 20 + 19] = 1e-3;
        let array = Array::new(&values, &[20, 20]).unwrap();
        let found = array.window(1e-4);
        assert_eq!((found.y, found.x, found.h, found.w), (4, 6, 7, 7));
        // Nothing is left out when nothing may be.
        assert_eq!(array.window(0.0).h, 20 - 4);
        let flat = vec![0.0; 400];
        let flat = Array::new(&flat, &[20, 20]).unwrap();
        assert_eq!(flat.window(1e-4), flat.whole());
    }
}
