//! One honest mapping from arrays to pictures.
//!
//! Network pictures (outputs) show as the recipe says, clipped at black and white. Everything
//! signed (residuals, columns, rows) is *diverging*: zero is the middle, the scale is the largest
//! magnitude, and it is written beside. One channel: blue–white–red; three: colours around grey.

use std::path::Path;

use image::{ImageFormat, RgbImage, imageops};
use serde::Serialize;

use crate::{
    args::Channels,
    error::{Failure, Result},
    output,
    recipe::Recipe,
};

/// How a picture was drawn from its array.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Drawn {
    pub file: String,
    /// "as the recipe says" or "diverging".
    pub mapping: &'static str,
    /// The value that full colour stands for (diverging), or white (recipe).
    pub scale: f64,
    /// `[y, x, height, width]` of the part shown.
    pub window: [usize; 4],
    /// Output pixels per array entry.
    pub zoom: usize,
}

/// `[c, h, w]` of an array that is a picture: one or three channels, at least 4×4.
pub(crate) fn as_picture(shape: &[usize]) -> Option<[usize; 3]> {
    match *shape {
        [c, h, w] | [1, c, h, w] if (c == 1 || c == 3) && h >= 4 && w >= 4 => Some([c, h, w]),
        _ => None,
    }
}

/// Diverging blue–white–red for t in [−1, 1] (ColorBrewer RdBu, colour-blind safe).
fn diverging(t: f64) -> [u8; 3] {
    const STOPS: [[f64; 3]; 5] = [
        [5.0, 48.0, 97.0],
        [67.0, 147.0, 195.0],
        [255.0, 255.0, 255.0],
        [214.0, 96.0, 77.0],
        [103.0, 0.0, 31.0],
    ];
    let position = (t.clamp(-1.0, 1.0) + 1.0) * 2.0;
    let below = (position.floor() as usize).min(3);
    let part = position - below as f64;
    std::array::from_fn(|i| {
        (STOPS[below][i] + part * (STOPS[below + 1][i] - STOPS[below][i])).round() as u8
    })
}

/// The smallest window holding every entry above a thousandth of the largest, with a border.
fn support(values: &[f64], [c, h, w]: [usize; 3], largest: f64) -> [usize; 4] {
    let (mut top, mut left, mut bottom, mut right) = (h, w, 0, 0);
    for ch in 0..c {
        for y in 0..h {
            for x in 0..w {
                if values[(ch * h + y) * w + x].abs() > 1e-3 * largest {
                    (top, left) = (top.min(y), left.min(x));
                    (bottom, right) = (bottom.max(y + 1), right.max(x + 1));
                }
            }
        }
    }
    if bottom == 0 {
        return [0, 0, h, w];
    }
    let (top, left) = (top.saturating_sub(2), left.saturating_sub(2));
    let (bottom, right) = ((bottom + 2).min(h), (right + 2).min(w));
    [top, left, bottom - top, right - left]
}

/// Draw a signed array, zoomed to where it is not zero.
pub(crate) fn draw_signed(
    path: &Path,
    values: &[f64],
    shape: [usize; 3],
    channels: Channels,
) -> Result<Drawn> {
    let [c, h, w] = shape;
    let largest = values.iter().fold(0f64, |m, v| m.max(v.abs()));
    let scale = if largest > 0.0 { largest } else { 1.0 };
    let window = support(values, shape, scale);
    let [top, left, rows, columns] = window;
    let picture = RgbImage::from_fn(columns as u32, rows as u32, |x, y| {
        let at = |ch: usize| values[(ch * h + top + y as usize) * w + left + x as usize] / scale;
        image::Rgb(if c == 1 {
            diverging(at(0))
        } else {
            in_order(channels, [at(0), at(1), at(2)])
                .map(|t| (127.5 + 127.5 * t).round().clamp(0.0, 255.0) as u8)
        })
    });
    let zoom = (384 / rows.max(columns)).clamp(1, 24);
    save(path, picture, zoom)?;
    Ok(Drawn {
        file: name_of(path),
        mapping: "diverging",
        scale,
        window,
        zoom,
    })
}

/// Draw a network picture in the recipe's range.
pub(crate) fn draw_picture(
    path: &Path,
    values: &[f64],
    shape: [usize; 3],
    recipe: &Recipe,
) -> Result<Drawn> {
    let [c, h, w] = shape;
    let picture = RgbImage::from_fn(w as u32, h as u32, |x, y| {
        let at = |ch: usize| {
            let v = values[(ch * h + y as usize) * w + x as usize];
            (v / recipe.range * 255.0).round().clamp(0.0, 255.0) as u8
        };
        image::Rgb(if c == 1 {
            [at(0); 3]
        } else {
            in_order(recipe.channels, [at(0), at(1), at(2)])
        })
    });
    save(path, picture, 1)?;
    Ok(Drawn {
        file: name_of(path),
        mapping: "as the recipe says, clipped",
        scale: recipe.range,
        window: [0, 0, h, w],
        zoom: 1,
    })
}

/// The network's channel order to red, green, blue.
fn in_order<T: Copy>(channels: Channels, [a, b, c]: [T; 3]) -> [T; 3] {
    match channels {
        Channels::Bgr => [c, b, a],
        _ => [a, b, c],
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn save(path: &Path, picture: RgbImage, zoom: usize) -> Result<()> {
    let (w, h) = (
        picture.width() * zoom as u32,
        picture.height() * zoom as u32,
    );
    let picture = imageops::resize(&picture, w, h, imageops::FilterType::Nearest);
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|error| Failure::file(path, error))?;
    output::write_whole(path, bytes.get_ref())
}
