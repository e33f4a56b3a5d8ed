//! From pictures to numbers, and back.

use std::{borrow::Cow, path::Path};

use image::{DynamicImage, ImageBuffer};
use serde::Serialize;

use crate::{
    Background, Channels, Error, Interpolation, Picture, Profiles, ReadOptions, Result, Size,
    picture::transparency,
    resample::{Level, Pixels},
};

/// A network's preprocessing, complete and checked. Made by [`Recipe::for_channels`](crate::Recipe::for_channels).
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
    pub(crate) background: Background,
    pub(crate) profiles: Profiles,
}

/// A network's input, made from a picture.
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

/// The most a resize may make on its way. A picture larger than any network takes is a slip of the hand, not a wish.
const MEGAPIXELS: u64 = 100;

/// Pixels of a network's channels, before they become its numbers.
enum Levels {
    /// 8 bits a channel.
    Eight(Pixels<u8>),
    /// 16 bits: white is 65535.
    Sixteen(Pixels<f32>),
    /// Numbers: white is 1.
    Real(Pixels<f32>),
}

/// The numbers of a picture with these channels, as they come out of the decoder: grey has one channel.
fn levels(picture: &DynamicImage, rgba: bool) -> Levels {
    fn of<T: Level, S: Copy>(
        picture: &DynamicImage,
        values: Vec<S>,
        convert: impl Fn(S) -> T,
        n: usize,
    ) -> Pixels<T> {
        Pixels {
            values: values.into_iter().map(convert).collect(),
            channels: n,
            h: picture.height() as usize,
            w: picture.width() as usize,
        }
    }
    let color = picture.color();
    let depth = color.bytes_per_pixel() / color.channel_count();
    let same = |v: u8| v;
    let wide = |v: u16| f32::from(v);
    match (depth, rgba, color.has_color()) {
        (1, true, _) => Levels::Eight(of(picture, picture.to_rgba8().into_raw(), same, 4)),
        (1, _, true) => Levels::Eight(of(picture, picture.to_rgb8().into_raw(), same, 3)),
        (1, _, false) => Levels::Eight(of(picture, picture.to_luma8().into_raw(), same, 1)),
        (2, true, _) => Levels::Sixteen(of(picture, picture.to_rgba16().into_raw(), wide, 4)),
        (2, _, true) => Levels::Sixteen(of(picture, picture.to_rgb16().into_raw(), wide, 3)),
        (2, _, false) => Levels::Sixteen(of(picture, picture.to_luma16().into_raw(), wide, 1)),
        (_, true, _) => Levels::Real(of(picture, picture.to_rgba32f().into_raw(), |v| v, 4)),
        (_, false, _) => Levels::Real(of(picture, picture.to_rgb32f().into_raw(), |v| v, 3)),
    }
}

impl Preprocess {
    /// White in the network's units, before mean and standard deviation.
    pub fn range(&self) -> f64 {
        self.range
    }

    /// What is subtracted, one number per channel.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The divisor, one number per channel.
    pub fn std(&self) -> &[f64] {
        &self.std
    }

    /// Which numbers of a pixel the network takes.
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// The size before the crop.
    pub fn resize(&self) -> Option<Size> {
        self.resize
    }

    /// The size of the crop from the middle.
    pub fn crop(&self) -> Option<Size> {
        self.crop
    }

    /// How the resize finds its pixels.
    pub fn interpolation(&self) -> Interpolation {
        self.interpolation
    }

    /// The background of transparent pixels.
    pub fn background(&self) -> Background {
        self.background
    }

    /// How colour profiles are treated.
    pub fn profiles(&self) -> Profiles {
        self.profiles
    }

    /// How picture files are read for this network: on its background, or with their transparency if the network
    /// takes it as a channel.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions::default()
            .with_background(self.background)
            .with_transparency_kept(self.channels == Channels::Rgba)
            .with_profiles(self.profiles)
    }

    /// Read a picture file as the network's input. This drops the notices about the file ([`Picture::notices`]). To
    /// keep them, call [`Picture::open`] with [`Preprocess::read_options`], then [`Preprocess::apply`].
    ///
    /// # Errors
    /// Those of [`Picture::open`] and [`Preprocess::apply`].
    pub fn read(&self, path: &Path) -> Result<Input> {
        self.apply(&Picture::open(path, &self.read_options())?.image)
    }

    /// Turn a picture into the network's input. Transparent pixels are put on the background, unless opacity is a
    /// channel of the network. 8-bit pictures are resized in 8 bits. 16-bit pictures are resized in f32, where white
    /// stays 65535 and overshoot is clipped. Pictures of floats are resized in f32, where white is 1 and nothing is
    /// clipped.
    ///
    /// Cost: a reduction multiplies each pixel twice along a row, and each pixel of the narrowed picture twice along a
    /// column (four times for bicubic). An enlargement does so for each pixel it makes.
    ///
    /// # Errors
    /// [`Error::NoPixels`], [`Error::TooLarge`], [`Error::CropTooLarge`].
    pub fn apply(&self, picture: &DynamicImage) -> Result<Input> {
        Ok(match self.cut_levels(picture)? {
            Levels::Eight(pixels) => self.numbers(&pixels, 255.0),
            Levels::Sixteen(pixels) => self.numbers(&pixels, 65535.0),
            Levels::Real(pixels) => self.numbers(&pixels, 1.0),
        })
    }

    fn numbers<T: Level>(&self, pixels: &Pixels<T>, white: f64) -> Input {
        let Pixels { h, w, .. } = *pixels;
        let mut values = Vec::with_capacity(self.mean.len() * h * w);
        for c in 0..self.mean.len() {
            let plane = pixels.values.chunks_exact(pixels.channels).map(|pixel| {
                let level = match (pixel, self.channels) {
                    (&[grey], _) => grey.into(),
                    (pixel, Channels::Rgb | Channels::Rgba) => pixel[c].into(),
                    (pixel, Channels::Bgr) => pixel[2 - c].into(),
                    (pixel, Channels::Y) => {
                        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(Into::into);
                        0.299 * r + 0.587 * g + 0.114 * b
                    }
                };
                self.normalised(c, level / white * self.range)
            });
            values.extend(plane);
        }
        Input {
            values,
            shape: [self.mean.len(), h, w],
        }
    }

    /// Resize and crop a picture, keeping its depth. The result is grey if the picture was, RGBA if the network takes
    /// opacity, and otherwise RGB.
    ///
    /// # Errors
    /// As [`Preprocess::apply`].
    pub fn cut(&self, picture: &DynamicImage) -> Result<DynamicImage> {
        const WHOLE: &str = "as many numbers as the size says";
        Ok(match self.cut_levels(picture)? {
            Levels::Eight(Pixels {
                values,
                channels,
                h,
                w,
            }) => {
                let (w, h) = (w as u32, h as u32);
                match channels {
                    1 => {
                        DynamicImage::ImageLuma8(ImageBuffer::from_raw(w, h, values).expect(WHOLE))
                    }
                    3 => DynamicImage::ImageRgb8(ImageBuffer::from_raw(w, h, values).expect(WHOLE)),
                    _ => {
                        DynamicImage::ImageRgba8(ImageBuffer::from_raw(w, h, values).expect(WHOLE))
                    }
                }
            }
            Levels::Sixteen(Pixels {
                values,
                channels,
                h,
                w,
            }) => {
                let (w, h) = (w as u32, h as u32);
                let values: Vec<u16> = values.into_iter().map(|v| v.round() as u16).collect();
                match channels {
                    1 => {
                        DynamicImage::ImageLuma16(ImageBuffer::from_raw(w, h, values).expect(WHOLE))
                    }
                    3 => {
                        DynamicImage::ImageRgb16(ImageBuffer::from_raw(w, h, values).expect(WHOLE))
                    }
                    _ => {
                        DynamicImage::ImageRgba16(ImageBuffer::from_raw(w, h, values).expect(WHOLE))
                    }
                }
            }
            Levels::Real(Pixels {
                values,
                channels,
                h,
                w,
            }) => {
                let (w, h) = (w as u32, h as u32);
                match channels {
                    3 => {
                        DynamicImage::ImageRgb32F(ImageBuffer::from_raw(w, h, values).expect(WHOLE))
                    }
                    _ => DynamicImage::ImageRgba32F(
                        ImageBuffer::from_raw(w, h, values).expect(WHOLE),
                    ),
                }
            }
        })
    }

    fn cut_levels(&self, picture: &DynamicImage) -> Result<Levels> {
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
        let rgba = self.channels == Channels::Rgba;
        let has_alpha = picture.color().has_alpha();
        if rgba && !has_alpha {
            return Err(Error::NoTransparency {
                channels: picture.color().channel_count().into(),
            });
        }
        let picture = match has_alpha && !rgba {
            true => Cow::Owned(transparency::on(picture.clone(), self.background)),
            false => Cow::Borrowed(picture),
        };
        let resize = to.map(|_| (from_h as usize, from_w as usize));
        let crop = crop.map(|(h, w)| (h as usize, w as usize));
        Ok(match levels(&picture, rgba) {
            Levels::Eight(pixels) => {
                let (opaque, back) = (transparency::premultiply, transparency::divide);
                Levels::Eight(self.resized_and_cropped(pixels, resize, crop, opaque, back))
            }
            Levels::Sixteen(pixels) => {
                let product = |c: f32, a| c * (a / 65535.0);
                let quotient = |c: f32, a: f32| (c / (a / 65535.0)).min(65535.0);
                let mut made = self.resized_and_cropped(pixels, resize, crop, product, quotient);
                for v in &mut made.values {
                    *v = v.clamp(0.0, 65535.0);
                }
                Levels::Sixteen(made)
            }
            Levels::Real(pixels) => {
                let (product, quotient) = (|c: f32, a: f32| c * a, |c: f32, a: f32| c / a);
                Levels::Real(self.resized_and_cropped(pixels, resize, crop, product, quotient))
            }
        })
    }

    /// RGBA is resized with colours multiplied by the opacity, as Pillow does it.
    fn resized_and_cropped<T: Level>(
        &self,
        mut pixels: Pixels<T>,
        resize: Option<(usize, usize)>,
        crop: Option<(usize, usize)>,
        product: impl Fn(T, T) -> T,
        quotient: impl Fn(T, T) -> T,
    ) -> Pixels<T> {
        let colours = |pixels: &mut Pixels<T>, with: &dyn Fn(T, T) -> T| {
            if pixels.channels == 4 {
                for pixel in pixels.values.chunks_exact_mut(4) {
                    for c in 0..3 {
                        pixel[c] = with(pixel[c], pixel[3]);
                    }
                }
            }
        };
        if let Some(size) = resize.filter(|&size| size != (pixels.h, pixels.w)) {
            colours(&mut pixels, &product);
            pixels = pixels.resized(self.interpolation, size);
            colours(&mut pixels, &|c, a| match a.into() {
                0.0 => c,
                _ => quotient(c, a),
            });
        }
        match crop {
            None => pixels,
            Some((h, w)) => pixels.middle(h, w),
        }
    }

    /// The network's number for a level, which is given in units of the range, from black (0) to white
    /// ([`Preprocess::range`]): (level − mean)/std of channel `c`.
    ///
    /// # Panics
    /// If the network does not take this channel.
    pub fn normalised(&self, c: usize, level: f64) -> f64 {
        (level - self.mean[c]) / self.std[c]
    }

    /// Undo mean and standard deviation for numbers of the network, `[c, h, w]`: black becomes 0 and white the range.
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
