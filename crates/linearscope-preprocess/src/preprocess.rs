//! From pictures to numbers, and back.

use std::path::Path;

use image::{DynamicImage, GrayImage, RgbImage};
use serde::Serialize;

use crate::{Channels, Error, Interpolation, Result, Size, resample::Pixels};

/// A network's preprocessing, without gaps and checked. Made by [`Recipe::for_channels`](crate::Recipe::for_channels).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preprocess {
    pub(crate) range: f64,
    pub(crate) mean: Vec<f64>,
    pub(crate) std: Vec<f64>,
    pub(crate) channels: Channels,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resize: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crop: Option<Size>,
    pub(crate) interpolation: Interpolation,
}

/// A network's input, made of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// `[c, h, w]` in C order.
    pub values: Vec<f64>,
    /// Channels, height, width.
    pub shape: [usize; 3],
}

impl Input {
    /// The numbers, rounded to f32.
    pub fn to_f32(&self) -> Vec<f32> {
        self.values.iter().map(|&v| v as f32).collect()
    }
}

/// Decode a PNG, JPEG, BMP or WebP file, whatever its name. Orientation tags are not applied (as by `PIL.Image.open`).
///
/// # Errors
/// [`Error::Read`], [`Error::Picture`].
pub fn open(path: &Path) -> Result<DynamicImage> {
    image::ImageReader::open(path)
        .and_then(|reader| reader.with_guessed_format())
        .map_err(|source| Error::Read {
            file: path.into(),
            source,
        })?
        .decode()
        .map_err(|source| Error::Picture {
            file: path.into(),
            source,
        })
}

/// The most a resize may make on its way. A picture larger than any network takes is a slip of the hand, not a wish.
const MEGAPIXELS: u64 = 100;

/// A grey picture has one channel, any other three; 8 bits each, without transparency.
fn pixels(picture: &DynamicImage) -> Pixels {
    let (h, w) = (picture.height() as usize, picture.width() as usize);
    let (values, channels) = match picture.color().has_color() {
        true => (picture.to_rgb8().into_raw(), 3),
        false => (picture.to_luma8().into_raw(), 1),
    };
    Pixels {
        values,
        channels,
        h,
        w,
    }
}

impl Preprocess {
    /// White in the network's units, before mean and standard deviation.
    pub fn range(&self) -> f64 {
        self.range
    }

    /// Subtracted, one number per channel.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Divided by, one number per channel.
    pub fn std(&self) -> &[f64] {
        &self.std
    }

    /// Which numbers of a pixel.
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// The size before the crop.
    pub fn resize(&self) -> Option<Size> {
        self.resize
    }

    /// What is cut from the middle.
    pub fn crop(&self) -> Option<Size> {
        self.crop
    }

    /// How the resize finds its pixels.
    pub fn interpolation(&self) -> Interpolation {
        self.interpolation
    }

    /// A picture file as the network's input.
    ///
    /// # Errors
    /// Those of [`open`] and [`Preprocess::apply`].
    pub fn read(&self, path: &Path) -> Result<Input> {
        self.apply(&open(path)?)
    }

    /// A picture as the network's input. Transparency is dropped, deeper pictures are rounded to 8 bits first.
    ///
    /// Cost: a reduction multiplies each pixel twice along a row and each pixel of the narrowed picture twice along a column
    /// (four times for bicubic); an enlargement, each pixel it makes.
    ///
    /// # Errors
    /// [`Error::NoPixels`], [`Error::TooLarge`], [`Error::CropTooLarge`].
    pub fn apply(&self, picture: &DynamicImage) -> Result<Input> {
        let Pixels {
            values: levels,
            channels: n,
            h,
            w,
        } = self.cut_pixels(picture)?;
        let mut values = Vec::with_capacity(self.mean.len() * h * w);
        for c in 0..self.mean.len() {
            let plane = levels.chunks_exact(n).map(|pixel| {
                let level = match (pixel, self.channels) {
                    (&[grey], _) => f64::from(grey),
                    (pixel, Channels::Rgb) => f64::from(pixel[c]),
                    (pixel, Channels::Bgr) => f64::from(pixel[2 - c]),
                    (pixel, Channels::Y) => {
                        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(f64::from);
                        0.299 * r + 0.587 * g + 0.114 * b
                    }
                };
                self.normalised(c, level / 255.0 * self.range)
            });
            values.extend(plane);
        }
        Ok(Input {
            values,
            shape: [self.mean.len(), h, w],
        })
    }

    /// A picture resized and cropped, 8 bits a channel: grey (`ImageLuma8`) if it was, else `ImageRgb8`.
    ///
    /// # Errors
    /// As [`Preprocess::apply`].
    pub fn cut(&self, picture: &DynamicImage) -> Result<DynamicImage> {
        let Pixels {
            values,
            channels,
            h,
            w,
        } = self.cut_pixels(picture)?;
        let (w, h) = (w as u32, h as u32);
        let made = match channels {
            1 => GrayImage::from_raw(w, h, values).map(DynamicImage::ImageLuma8),
            _ => RgbImage::from_raw(w, h, values).map(DynamicImage::ImageRgb8),
        };
        Ok(made.expect("as many numbers as the size says"))
    }

    fn cut_pixels(&self, picture: &DynamicImage) -> Result<Pixels> {
        let (h, w) = (picture.height(), picture.width());
        if h == 0 || w == 0 {
            return Err(Error::NoPixels { h, w });
        }
        // Sizes first: what does not fit costs nothing.
        let to = self.resize.map(|size| (size, size.of_picture((h, w))));
        if let Some((resize, (to_h, to_w))) = to {
            let on_the_way = u64::from(h.max(to_h)) * u64::from(to_w);
            if on_the_way > MEGAPIXELS * 1_000_000 {
                return Err(Error::TooLarge {
                    resize,
                    h: to_h,
                    w: to_w,
                    from_h: h,
                    from_w: w,
                    megapixels: MEGAPIXELS,
                });
            }
        }
        let (from_h, from_w) = to.map_or((h, w), |(_, to)| to);
        let crop = self.crop.map(Size::sides);
        if let Some((h, w)) = crop.filter(|&(h, w)| h > from_h || w > from_w) {
            return Err(Error::CropTooLarge {
                h,
                w,
                from_h,
                from_w,
            });
        }
        let mut made = pixels(picture);
        if to.is_some() {
            made = made.resized(self.interpolation, (from_h as usize, from_w as usize));
        }
        match crop {
            None => Ok(made),
            Some((h, w)) => Ok(from_the_middle(&made, h as usize, w as usize)),
        }
    }

    /// The network's number for a level in units of the range, from black (0) to white ([`Preprocess::range`]):
    /// (level − mean)/std of channel `c`.
    ///
    /// # Panics
    /// For a channel that the network does not take.
    pub fn normalised(&self, c: usize, level: f64) -> f64 {
        (level - self.mean[c]) / self.std[c]
    }

    /// Numbers of the network, `[c, h, w]`, as they were before mean and standard deviation: black is 0 and white the
    /// range.
    pub fn undone(&self, values: &[f64]) -> Vec<f64> {
        let channel = self.channel_of(values.len());
        let back = |(i, v): (usize, &f64)| v * self.std[channel(i)] + self.mean[channel(i)];
        values.iter().enumerate().map(back).collect()
    }

    /// Numbers of the network, `[c, h, w]`, at the nearest levels of a picture of 8 bits a channel.
    pub fn in_eight_bits(&self, values: &[f64]) -> Vec<f64> {
        let channel = self.channel_of(values.len());
        let rounded = |(i, v): (usize, f64)| {
            let level = (v / self.range * 255.0).round().clamp(0.0, 255.0);
            self.normalised(channel(i), level / 255.0 * self.range)
        };
        self.undone(values)
            .into_iter()
            .enumerate()
            .map(rounded)
            .collect()
    }

    /// The channel of each of so many numbers, planes after each other.
    fn channel_of(&self, len: usize) -> impl Fn(usize) -> usize {
        let c = self.mean.len();
        let plane = (len / c).max(1);
        move |i| (i / plane).min(c - 1)
    }
}

/// `h × w` from the middle, placed as torchvision's `center_crop` does: halves are rounded to even.
fn from_the_middle(picture: &Pixels, h: usize, w: usize) -> Pixels {
    let offset = |of: usize, part: usize| ((of - part) as f64 / 2.0).round_ties_even() as usize;
    let (top, left) = (offset(picture.h, h), offset(picture.w, w));
    let n = picture.channels;
    let rows = picture.values.chunks_exact(picture.w * n).skip(top).take(h);
    Pixels {
        values: rows
            .flat_map(|row| &row[left * n..(left + w) * n])
            .copied()
            .collect(),
        channels: n,
        h,
        w,
    }
}
