//! Colour pictures as numbers, and drawing on them without jaggies.

use image::{DynamicImage, Rgb32FImage, imageops::FilterType};

/// `[3, h, w]` numbers in 0..1.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub h: usize,
    pub w: usize,
    pub values: Vec<f32>,
}

impl Picture {
    /// One colour.
    pub fn plain(h: usize, w: usize, colour: [f64; 3]) -> Self {
        let values = (0..3 * h * w).map(|i| colour[i / (h * w)] as f32);
        Self {
            h,
            w,
            values: values.collect(),
        }
    }

    /// The colour at a place.
    pub fn at(&self, y: usize, x: usize) -> [f64; 3] {
        let plane = self.h * self.w;
        std::array::from_fn(|c| f64::from(self.values[c * plane + y * self.w + x]))
    }

    /// Set the colour at a place.
    pub fn set(&mut self, y: usize, x: usize, colour: [f64; 3]) {
        let plane = self.h * self.w;
        for (c, value) in colour.into_iter().enumerate() {
            self.values[c * plane + y * self.w + x] = value as f32;
        }
    }

    /// Paint where `inside(x, y)` holds, by the share of nine points of each pixel; gives the
    /// shares, `[h, w]`.
    pub fn paint(&mut self, colour: [f64; 3], inside: impl Fn(f64, f64) -> bool) -> Vec<f64> {
        let mut shares = vec![0.0; self.h * self.w];
        for y in 0..self.h {
            for x in 0..self.w {
                let mut hits = 0;
                for sub in 0..9 {
                    let (dx, dy) = ((sub % 3) as f64, (sub / 3) as f64);
                    let at = (x as f64 + (dx + 0.5) / 3.0, y as f64 + (dy + 0.5) / 3.0);
                    hits += usize::from(inside(at.0, at.1));
                }
                if hits > 0 {
                    let share = hits as f64 / 9.0;
                    let below = self.at(y, x);
                    let mixed = |c: usize| below[c] + share * (colour[c] - below[c]);
                    self.set(y, x, std::array::from_fn(mixed));
                    shares[y * self.w + x] = share;
                }
            }
        }
        shares
    }

    /// A part of it.
    pub fn cut(&self, top: usize, left: usize, h: usize, w: usize) -> Self {
        let mut part = Self::plain(h, w, [0.0; 3]);
        for y in 0..h {
            for x in 0..w {
                part.set(y, x, self.at(top + y, left + x));
            }
        }
        part
    }

    /// One of its eight reflections and quarter turns; square pictures only keep their shape.
    pub fn turned(&self, which: usize) -> Self {
        let (h, w) = if which & 1 == 1 {
            (self.w, self.h)
        } else {
            (self.h, self.w)
        };
        let mut turned = Self::plain(h, w, [0.0; 3]);
        for y in 0..h {
            for x in 0..w {
                let (mut v, mut u) = if which & 1 == 1 { (x, y) } else { (y, x) };
                if which & 2 == 2 {
                    v = self.h - 1 - v;
                }
                if which & 4 == 4 {
                    u = self.w - 1 - u;
                }
                turned.set(y, x, self.at(v, u));
            }
        }
        turned
    }

    /// Luminance (ITU-R BT.601), `[h, w]`.
    pub fn luminance(&self) -> Vec<f32> {
        let plane = self.h * self.w;
        let at = |c: usize, i: usize| self.values[c * plane + i];
        (0..plane)
            .map(|i| 0.299 * at(0, i) + 0.587 * at(1, i) + 0.114 * at(2, i))
            .collect()
    }

    /// Resized by the cubic kernel (Catmull–Rom), with antialiasing where it shrinks.
    pub fn resized(&self, h: usize, w: usize) -> Self {
        let mut rgb = Rgb32FImage::new(self.w as u32, self.h as u32);
        for (x, y, pixel) in rgb.enumerate_pixels_mut() {
            pixel.0 = self.at(y as usize, x as usize).map(|v| v as f32);
        }
        let small = DynamicImage::ImageRgb32F(rgb)
            .resize_exact(w as u32, h as u32, FilterType::CatmullRom)
            .into_rgb32f();
        let mut resized = Self::plain(h, w, [0.0; 3]);
        for (x, y, pixel) in small.enumerate_pixels() {
            resized.set(y as usize, x as usize, pixel.0.map(f64::from));
        }
        resized
    }

    /// From a file's picture.
    pub fn from_image(picture: &DynamicImage) -> Self {
        let rgb = picture.to_rgb8();
        let mut values = Self::plain(rgb.height() as usize, rgb.width() as usize, [0.0; 3]);
        for (x, y, pixel) in rgb.enumerate_pixels() {
            values.set(
                y as usize,
                x as usize,
                pixel.0.map(|v| f64::from(v) / 255.0),
            );
        }
        values
    }

    /// 8 bits a channel, for files.
    pub fn to_image(&self) -> image::RgbImage {
        image::RgbImage::from_fn(self.w as u32, self.h as u32, |x, y| {
            let level = |v: f64| (255.0 * v).round().clamp(0.0, 255.0) as u8;
            image::Rgb(self.at(y as usize, x as usize).map(level))
        })
    }
}
