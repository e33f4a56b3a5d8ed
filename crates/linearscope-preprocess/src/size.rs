//! Sizes of pictures, for a resize or a crop.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A size in pixels: one number, or height and width.
///
/// As text, `224` or `224x320` (height first). TOML also accepts the first as a number. Numbers are from 1 to
/// 65536.
///
/// ```
/// use linearscope_preprocess::Size;
///
/// assert_eq!("224x320".parse(), Ok(Size::Exact { h: 224, w: 320 }));
/// assert_eq!(Size::from(224).to_string(), "224");
/// assert!("-1".parse::<Size>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// The shorter side of a resize, the longer in proportion; both sides of a crop.
    Side(u32),
    /// Exactly this height and width.
    Exact {
        /// Height.
        h: u32,
        /// Width.
        w: u32,
    },
}

/// A text that is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not a size; give a number such as 224, or height x width such as 224x320, from 1 to {MOST}",
    MOST = Size::MOST
)]
pub struct ParseSizeError(String);

impl Size {
    /// The largest side.
    pub const MOST: u32 = 65_536;

    /// Whether both sides are from 1 to [`Size::MOST`], as in every parsed [`Size`].
    pub fn is_valid(self) -> bool {
        let (h, w) = self.sides();
        [h, w].iter().all(|side| (1..=Self::MOST).contains(side))
    }

    /// Height and width of a crop: a single number is both.
    pub fn sides(self) -> (u32, u32) {
        match self {
            Size::Side(side) => (side, side),
            Size::Exact { h, w } => (h, w),
        }
    }

    /// Height and width that a picture of `h × w` is resized to, by torchvision's rule: the longer side is rounded
    /// down. The result saturates at `u32::MAX`.
    pub fn of_picture(self, (h, w): (u32, u32)) -> (u32, u32) {
        match self {
            Size::Exact { h, w } => (h, w),
            Size::Side(side) => {
                // Python divides integers with one rounding, as f64 does here: the product is below 2⁵³.
                let long = f64::from(side) * f64::from(h.max(w)) / f64::from(h.min(w).max(1));
                let long = long as u32;
                if h <= w { (side, long) } else { (long, side) }
            }
        }
    }
}

impl From<u32> for Size {
    fn from(side: u32) -> Self {
        Size::Side(side)
    }
}

impl From<(u32, u32)> for Size {
    /// Height, width.
    fn from((h, w): (u32, u32)) -> Self {
        Size::Exact { h, w }
    }
}

impl FromStr for Size {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let number = |text: &str| text.trim().parse::<u32>().ok();
        let size = match text.split_once('x') {
            None => number(text).map(Size::Side),
            Some((h, w)) => number(h).zip(number(w)).map(Size::from),
        };
        size.filter(|size| size.is_valid())
            .ok_or_else(|| ParseSizeError(text.into()))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Side(side) => write!(f, "{side}"),
            Size::Exact { h, w } => write!(f, "{h}x{w}"),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as 224 or \"224x320\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, side: i64) -> Result<Size, E> {
                side.to_string().parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, side: u64) -> Result<Size, E> {
                side.to_string().parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_side_is_rounded_down() {
        // 32 · 61 / 47 = 41.53, 30 · 83 / 45 = 55.33.
        assert_eq!(Size::Side(32).of_picture((47, 61)), (32, 41));
        assert_eq!(Size::Side(30).of_picture((83, 45)), (55, 30));
        assert_eq!(Size::Side(30).of_picture((7, 7)), (30, 30));
        assert_eq!(Size::Side(65_536).of_picture((1, u32::MAX)).1, u32::MAX);
    }

    #[test]
    fn text_and_back() {
        for text in ["1", "224", "65536", "224x320"] {
            assert_eq!(text.parse::<Size>().expect(text).to_string(), text);
        }
        for text in ["", "0", "-3", "65537", "2.5", "x", "3x", "3x0", "3x4x5"] {
            let error = text.parse::<Size>().expect_err(text).to_string();
            assert!(
                error.starts_with(&format!("{text} is not a size")),
                "{error}"
            );
        }
    }
}
