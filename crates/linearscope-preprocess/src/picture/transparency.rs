//! What becomes of pixels that are not opaque.

use std::{fmt, str::FromStr};

use image::{DynamicImage, ImageBuffer, Pixel};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What is behind transparent pixels. In TOML and in text `white`, `black`, `#rrggbb` or `none`.
///
/// A file has colours under its fully transparent pixels, too, and nobody has ever seen them. They are therefore put on a
/// colour, white if nobody says otherwise, as `picture.paste(image, mask=alpha)` of Pillow does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Background {
    /// This colour: red, green, blue.
    Colour([u8; 3]),
    /// Opacity is ignored and the hidden colours count, as in `image.convert("RGB")` of Pillow.
    None,
}

impl Background {
    /// White, the default.
    pub const WHITE: Background = Background::Colour([255; 3]);
    /// Black.
    pub const BLACK: Background = Background::Colour([0; 3]);
}

impl Default for Background {
    fn default() -> Self {
        Self::WHITE
    }
}

impl fmt::Display for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::WHITE => f.write_str("white"),
            Self::BLACK => f.write_str("black"),
            Self::Colour([r, g, b]) => write!(f, "#{r:02x}{g:02x}{b:02x}"),
            Self::None => f.write_str("none"),
        }
    }
}

impl FromStr for Background {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = |text: &str| {
            let digits = text.strip_prefix('#')?;
            let six = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            let number = six.then(|| u32::from_str_radix(digits, 16).ok())??;
            let [_, r, g, b] = number.to_be_bytes();
            Some(Self::Colour([r, g, b]))
        };
        match text {
            "white" => Ok(Self::WHITE),
            "black" => Ok(Self::BLACK),
            "none" => Ok(Self::None),
            _ => hex(text).ok_or_else(|| format!("{text:?} is not white, black, none or #rrggbb")),
        }
    }
}

impl Serialize for Background {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Background {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// a · b / 255, rounded, for levels of 8 bits.
fn product(a: u8, b: u8) -> u32 {
    let t = u32::from(a) * u32::from(b) + 128;
    ((t >> 8) + t) >> 8
}

/// A colour times its opacity.
pub(crate) fn premultiply(colour: u8, alpha: u8) -> u8 {
    product(colour, alpha) as u8
}

/// A colour that was multiplied by its opacity, an opacity above 0.
pub(crate) fn divide(colour: u8, alpha: u8) -> u8 {
    (255 * u32::from(colour) / u32::from(alpha.max(1))).min(255) as u8
}

/// A level of 8 bits on another one.
fn blend(colour: u8, behind: u8, alpha: u8) -> u8 {
    let t = u32::from(colour) * u32::from(alpha) + u32::from(behind) * u32::from(255 - alpha) + 128;
    (((t >> 8) + t) >> 8) as u8
}

/// How many pixels are not opaque; 0 of a picture without opacity.
pub(crate) fn count(picture: &DynamicImage) -> u64 {
    fn below<P: Pixel>(pixels: &ImageBuffer<P, Vec<P::Subpixel>>, white: P::Subpixel) -> u64 {
        let see_through = |p: &&P| p.channels().last().is_some_and(|&a| a < white);
        pixels.pixels().filter(see_through).count() as u64
    }
    match picture {
        DynamicImage::ImageLumaA8(p) => below(p, u8::MAX),
        DynamicImage::ImageRgba8(p) => below(p, u8::MAX),
        DynamicImage::ImageLumaA16(p) => below(p, u16::MAX),
        DynamicImage::ImageRgba16(p) => below(p, u16::MAX),
        DynamicImage::ImageRgba32F(p) => below(p, 1.0),
        _ => 0,
    }
}

/// The picture without its opacity. A grey one stays grey on a grey background.
pub(crate) fn on(picture: DynamicImage, background: Background) -> DynamicImage {
    if !picture.color().has_alpha() {
        return picture;
    }
    let behind = match background {
        Background::Colour(colour) => colour,
        Background::None => {
            return match picture {
                DynamicImage::ImageLumaA8(_) => picture.into_luma8().into(),
                DynamicImage::ImageLumaA16(_) => picture.into_luma16().into(),
                DynamicImage::ImageRgba8(_) => picture.into_rgb8().into(),
                DynamicImage::ImageRgba16(_) => picture.into_rgb16().into(),
                _ => picture.into_rgb32f().into(),
            };
        }
    };
    let is_grey = behind == [behind[0]; 3];
    let picture = match picture {
        DynamicImage::ImageLumaA8(_) if !is_grey => picture.into_rgba8().into(),
        DynamicImage::ImageLumaA16(_) if !is_grey => picture.into_rgba16().into(),
        picture => picture,
    };
    let (w, h) = (picture.width(), picture.height());
    let sixteen = |colour: u16, behind: u8, alpha: u16| {
        let (c, b, a) = (u64::from(colour), 257 * u64::from(behind), u64::from(alpha));
        ((c * a + b * (65535 - a) + 32767) / 65535) as u16
    };
    match picture {
        DynamicImage::ImageLumaA8(p) => ImageBuffer::from_fn(w, h, |x, y| {
            let [v, a] = p.get_pixel(x, y).0;
            image::Luma([blend(v, behind[0], a)])
        })
        .into(),
        DynamicImage::ImageLumaA16(p) => ImageBuffer::from_fn(w, h, |x, y| {
            let [v, a] = p.get_pixel(x, y).0;
            image::Luma([sixteen(v, behind[0], a)])
        })
        .into(),
        DynamicImage::ImageRgba8(p) => ImageBuffer::from_fn(w, h, |x, y| {
            let [r, g, b, a] = p.get_pixel(x, y).0;
            let [to_r, to_g, to_b] = behind;
            image::Rgb([blend(r, to_r, a), blend(g, to_g, a), blend(b, to_b, a)])
        })
        .into(),
        DynamicImage::ImageRgba16(p) => ImageBuffer::from_fn(w, h, |x, y| {
            let [r, g, b, a] = p.get_pixel(x, y).0;
            let [to_r, to_g, to_b] = behind;
            image::Rgb([
                sixteen(r, to_r, a),
                sixteen(g, to_g, a),
                sixteen(b, to_b, a),
            ])
        })
        .into(),
        DynamicImage::ImageRgba32F(p) => ImageBuffer::from_fn(w, h, |x, y| {
            let [r, g, b, a] = p.get_pixel(x, y).0;
            let [to_r, to_g, to_b] = behind.map(|v| f32::from(v) / 255.0);
            let over = |c: f32, b: f32| c * a + b * (1.0 - a);
            image::Rgb([over(r, to_r), over(g, to_g), over(b, to_b)])
        })
        .into(),
        opaque => opaque,
    }
}

/// Colours that were stored multiplied by their opacity, as files with *associated* alpha have them.
pub(crate) fn divided(picture: DynamicImage) -> DynamicImage {
    match picture {
        DynamicImage::ImageLumaA8(mut p) => {
            for image::LumaA([v, a]) in p.pixels_mut() {
                if *a > 0 {
                    *v = divide(*v, *a);
                }
            }
            p.into()
        }
        DynamicImage::ImageRgba8(mut p) => {
            for image::Rgba([r, g, b, a]) in p.pixels_mut() {
                if *a > 0 {
                    [*r, *g, *b] = [*r, *g, *b].map(|c| divide(c, *a));
                }
            }
            p.into()
        }
        DynamicImage::ImageRgba16(mut p) => {
            for image::Rgba([r, g, b, a]) in p.pixels_mut() {
                if *a > 0 {
                    let by = |c: u16| (65535 * u64::from(c) / u64::from(*a)).min(65535) as u16;
                    [*r, *g, *b] = [*r, *g, *b].map(by);
                }
            }
            p.into()
        }
        other => other,
    }
}
