//! Pillow's resampling, to the bit.
//!
//! Each output pixel is a weighted mean of the input pixels under a kernel that is widened by the reduction (antialias),
//! along rows and along columns. Weights are normalised in f64. For 8-bit pictures they are rounded to 22 fractional bits;
//! sums are exact integers, rounded and clipped to 8 bits after each pass. Deeper pictures are resized as Pillow resizes its
//! mode `F`: sums in f64, rounded to f32 after each pass. Source: `src/libImaging/Resample.c` of Pillow 13.

use serde::{Deserialize, Serialize};

/// How pixels between pixels are found. Always antialiased, as on `PIL.Image`s. In TOML and on the command line
/// `bilinear` or `bicubic`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Interpolation {
    /// A triangle, torchvision's default.
    #[default]
    Bilinear,
    /// Keys' cubic with a = −0.5.
    Bicubic,
}

impl Interpolation {
    /// All of them.
    pub const ALL: [Interpolation; 2] = [Interpolation::Bilinear, Interpolation::Bicubic];

    /// As files and flags write it.
    pub fn name(self) -> &'static str {
        match self {
            Interpolation::Bilinear => "bilinear",
            Interpolation::Bicubic => "bicubic",
        }
    }

    /// The kernel is zero from here on.
    fn support(self) -> f64 {
        match self {
            Interpolation::Bilinear => 1.0,
            Interpolation::Bicubic => 2.0,
        }
    }

    /// The kernel. Terms in Pillow's order: another order rounds other weights.
    fn kernel(self, x: f64) -> f64 {
        let x = x.abs();
        match self {
            Interpolation::Bilinear if x < 1.0 => 1.0 - x,
            Interpolation::Bilinear => 0.0,
            Interpolation::Bicubic => {
                const A: f64 = -0.5;
                if x < 1.0 {
                    ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
                } else if x < 2.0 {
                    (((x - 5.0) * x + 8.0) * x - 4.0) * A
                } else {
                    0.0
                }
            }
        }
    }
}

impl std::fmt::Display for Interpolation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Interpolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|i| i.name() == text);
        found.ok_or_else(|| format!("{text:?} is not bilinear or bicubic"))
    }
}

/// 8 bits for the result, two for weights that are negative or sum to more than one on the way.
const PRECISION: u32 = 32 - 8 - 2;

/// A number of a pixel, and how Pillow sums it.
pub(crate) trait Level: Copy + Into<f64> {
    type Sum: Copy;
    const NOTHING: Self::Sum;

    /// A weight, as it is used.
    fn weight(exact: f64) -> Self::Sum;

    /// One more term of a sum.
    fn with(sum: Self::Sum, weight: Self::Sum, level: Self) -> Self::Sum;

    fn rounded(sum: Self::Sum) -> Self;
}

/// In units of 2⁻²².
impl Level for u8 {
    type Sum = i32;
    const NOTHING: i32 = 0;

    fn weight(exact: f64) -> i32 {
        let w = exact * f64::from(1 << PRECISION);
        (if w < 0.0 { w - 0.5 } else { w + 0.5 }) as i32
    }

    fn with(sum: i32, weight: i32, level: u8) -> i32 {
        sum + weight * i32::from(level)
    }

    fn rounded(sum: i32) -> u8 {
        ((sum + (1 << (PRECISION - 1))) >> PRECISION).clamp(0, 255) as u8
    }
}

impl Level for f32 {
    type Sum = f64;
    const NOTHING: f64 = 0.0;

    fn weight(exact: f64) -> f64 {
        exact
    }

    fn with(sum: f64, weight: f64, level: f32) -> f64 {
        sum + weight * f64::from(level)
    }

    fn rounded(sum: f64) -> f32 {
        sum as f32
    }
}

/// The weights of one output pixel, for input pixels from `start` on.
struct Window<W> {
    start: usize,
    weights: Vec<W>,
}

/// One window for each of `to` pixels that are made of `from`.
fn windows<T: Level>(interpolation: Interpolation, from: usize, to: usize) -> Vec<Window<T::Sum>> {
    let scale = from as f64 / to as f64;
    let widened = scale.max(1.0);
    let support = interpolation.support() * widened;
    let window = |i: usize| {
        let centre = (i as f64 + 0.5) * scale;
        // `as` truncates and stops at 0, as C's cast and Pillow's comparison with 0 do together.
        let start = (centre - support + 0.5) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let at = |x: usize| (x as f64 - centre + 0.5) * (1.0 / widened);
        let exact: Vec<f64> = (start..end).map(|x| interpolation.kernel(at(x))).collect();
        let sum: f64 = exact.iter().sum();
        let normalised = |w: f64| T::weight(if sum == 0.0 { w } else { w / sum });
        Window {
            start,
            weights: exact.into_iter().map(normalised).collect(),
        }
    };
    (0..to).map(window).collect()
}

/// Which pass comes first, which the rounding between them shows: along rows, unless the height loses more than twice
/// what the width does. (Pillow before 13 differs here, for pictures twice as high as wide.)
fn columns_first((from_h, from_w): (usize, usize), (h, w): (usize, usize)) -> bool {
    let lost = |from: usize, to: usize| from as i64 - to as i64;
    lost(from_h, h) > 0 && lost(from_h, h) > 2 * lost(from_w, w)
}

/// Pixels row by row, `channels` numbers a pixel.
#[derive(Clone)]
pub(crate) struct Pixels<T> {
    pub values: Vec<T>,
    pub channels: usize,
    pub h: usize,
    pub w: usize,
}

impl<T: Level> Pixels<T> {
    /// The same picture in another size. An axis whose size stays is left alone.
    pub(crate) fn resized(self, interpolation: Interpolation, (h, w): (usize, usize)) -> Self {
        let wide = |picture: Self| match picture.w == w {
            true => picture,
            false => picture.wide(interpolation, w),
        };
        let high = |picture: Self| match picture.h == h {
            true => picture,
            false => picture.high(interpolation, h),
        };
        match columns_first((self.h, self.w), (h, w)) {
            true => wide(high(self)),
            false => high(wide(self)),
        }
    }

    fn wide(&self, interpolation: Interpolation, w: usize) -> Self {
        let (n, windows) = (self.channels, windows::<T>(interpolation, self.w, w));
        let mut values = Vec::with_capacity(self.h * w * n);
        for row in self.values.chunks_exact(self.w * n) {
            for window in &windows {
                for c in 0..n {
                    let pixels = row[window.start * n + c..].iter().step_by(n);
                    let terms = window.weights.iter().zip(pixels);
                    values.push(T::rounded(
                        terms.fold(T::NOTHING, |sum, (&k, &v)| T::with(sum, k, v)),
                    ));
                }
            }
        }
        Self { values, w, ..*self }
    }

    fn high(&self, interpolation: Interpolation, h: usize) -> Self {
        let line = self.w * self.channels;
        let mut values = Vec::with_capacity(h * line);
        let mut sums = vec![T::NOTHING; line];
        for window in windows::<T>(interpolation, self.h, h) {
            sums.fill(T::NOTHING);
            let rows = self.values[window.start * line..].chunks_exact(line);
            for (&k, row) in window.weights.iter().zip(rows) {
                for (sum, &v) in sums.iter_mut().zip(row) {
                    *sum = T::with(*sum, k, v);
                }
            }
            values.extend(sums.iter().map(|&sum| T::rounded(sum)));
        }
        Self { values, h, ..*self }
    }

    /// `h × w` from the middle, placed as torchvision's `center_crop` does: halves are rounded to even.
    pub(crate) fn middle(&self, h: usize, w: usize) -> Self {
        let offset = |of: usize, part: usize| ((of - part) as f64 / 2.0).round_ties_even() as usize;
        let (top, left) = (offset(self.h, h), offset(self.w, w));
        let n = self.channels;
        let rows = self.values.chunks_exact(self.w * n).skip(top).take(h);
        Self {
            values: rows
                .flat_map(|row| &row[left * n..(left + w) * n])
                .copied()
                .collect(),
            channels: n,
            h,
            w,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flat picture stays flat, and weights sum to one up to their rounding: 2⁻²³ each.
    #[test]
    fn weights_sum_to_one() {
        for interpolation in Interpolation::ALL {
            for (from, to) in [(1, 9), (2, 7), (500, 3), (47, 41), (3, 500)] {
                for window in windows::<u8>(interpolation, from, to) {
                    let sum: i32 = window.weights.iter().sum();
                    let off = (sum - (1 << PRECISION)).unsigned_abs() as usize;
                    assert!(
                        2 * off <= window.weights.len(),
                        "{interpolation} {from} → {to}: {sum}"
                    );
                    assert!(window.start + window.weights.len() <= from);
                }
            }
        }
    }

    /// The definition, slowly: in real numbers, both axes at once. Each pass rounds by half a level, and the second
    /// weighs the first's by at most 1.3, the sum of a cubic's weights in magnitude. Levels far from 0 and 255, so that
    /// no pass clips.
    #[test]
    fn close_to_the_definition() {
        let (h, w) = (13, 17);
        let values: Vec<u8> = (0..h * w).map(|i| 64 + (i * i % 128) as u8).collect();
        let picture = Pixels {
            values,
            channels: 1,
            h,
            w,
        };
        for interpolation in Interpolation::ALL {
            for (to_h, to_w) in [(5, 40), (29, 6), (13, 8)] {
                let made = picture.clone().resized(interpolation, (to_h, to_w));
                let weight = |i: usize, x: usize, from: usize, to: usize| {
                    let scale = from as f64 / to as f64;
                    let centre = (i as f64 + 0.5) * scale;
                    let k =
                        |x: usize| interpolation.kernel((x as f64 + 0.5 - centre) / scale.max(1.0));
                    k(x) / (0..from).map(k).sum::<f64>()
                };
                for y in 0..to_h {
                    for x in 0..to_w {
                        let mut sum = 0.0;
                        for (i, &v) in picture.values.iter().enumerate() {
                            let along_y = weight(y, i / w, h, to_h);
                            sum += along_y * weight(x, i % w, w, to_w) * f64::from(v);
                        }
                        let got = f64::from(made.values[y * to_w + x]);
                        assert!(
                            (got - sum).abs() < 0.5 + 1.3 * 0.5,
                            "{y}, {x}: {got} and {sum}"
                        );
                    }
                }
            }
        }
    }
}
