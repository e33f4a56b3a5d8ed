//! How much a file may ask for.

use serde::{Deserialize, Serialize};

/// How much a file may ask for. Its header is checked against these limits before anything is decoded, so that a file
/// of 68 bytes that claims 60000 × 60000 pixels costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Limits {
    /// Pixels of a picture. Default 200 million, as the largest phone cameras make.
    pub pixels: u64,
    /// Bytes of a file, of a picture's decoded pixels, and of an array's numbers in f64. Default
    /// 2 · 10⁹.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pixels: 200_000_000,
            bytes: 2_000_000_000,
        }
    }
}

impl Limits {
    /// No limits except those of the formats.
    pub const NONE: Limits = Limits {
        pixels: u64::MAX,
        bytes: u64::MAX,
    };

    /// The same with this [`Limits::pixels`].
    pub fn with_pixels(self, pixels: u64) -> Self {
        Self { pixels, ..self }
    }

    /// The same with this [`Limits::bytes`].
    pub fn with_bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }
}
