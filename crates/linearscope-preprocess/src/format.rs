//! Kinds of picture files.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

/// A kind of picture file that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG, grey, colour or CMYK.
    Jpeg,
    /// Windows bitmaps.
    Bmp,
    /// WebP, lossy or not.
    WebP,
    /// GIF; the first picture of it.
    Gif,
    /// TIFF; the first page of it.
    Tiff,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 6] = [
        Format::Png,
        Format::Jpeg,
        Format::Bmp,
        Format::WebP,
        Format::Gif,
        Format::Tiff,
    ];

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::Bmp => "BMP",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            Format::Tiff => "TIFF",
        }
    }

    /// Endings of file names, in lower case.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Format::Png => &["png", "apng"],
            Format::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Format::Bmp => &["bmp", "dib"],
            Format::WebP => &["webp"],
            Format::Gif => &["gif"],
            Format::Tiff => &["tif", "tiff"],
        }
    }

    /// By the ending of a file's name.
    pub fn of_name(path: &Path) -> Option<Self> {
        let extension = extension(path)?;
        let found = |format: &Format| format.extensions().contains(&extension.as_str());
        Self::ALL.into_iter().find(found)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The ending of a file's name, in lower case.
pub(crate) fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}
