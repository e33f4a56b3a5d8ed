//! What has to be said of a picture that was read.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Background, Format};

/// What has to be said of a picture that was read, because others might read it differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Notice {
    /// Its name says another format than its bytes. The bytes count.
    Misnamed {
        /// The ending of its name.
        extension: String,
        /// What it is.
        format: Format,
    },
    /// Some pixels were not opaque, and are on a background now.
    Transparent {
        /// How many.
        pixels: u64,
        /// Of how many.
        of: u64,
        /// On what.
        background: Background,
    },
    /// Only the first frame of an animation was read.
    FirstFrame {
        /// How many there are.
        frames: u32,
    },
    /// Only the first page of a document was read.
    FirstPage {
        /// How many there are.
        pages: u32,
    },
    /// Colours were converted to sRGB from the space that the file's profile describes.
    Converted {
        /// The profile's name.
        profile: String,
    },
    /// The file has a colour profile that was not applied.
    ProfileIgnored {
        /// The profile's name, where it has one.
        profile: String,
        /// Why.
        reason: String,
    },
    /// Inks were converted to RGB by the plain formula, as Pillow does it.
    Cmyk,
    /// The file has 16 bits a channel and no level above what fewer bits hold: it is dark, since white is 65535.
    FewBits {
        /// So many would do.
        bits: u8,
    },
    /// The file holds floats; 1 was taken as white.
    Floats,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Misnamed { extension, format } => {
                write!(f, "the name ends with .{extension}, but it is a {format}")
            }
            Notice::Transparent {
                pixels,
                of,
                background: Background::None,
            } => write!(
                f,
                "{} of its pixels are transparent; their hidden colours are used",
                percent(*pixels, *of)
            ),
            Notice::Transparent {
                pixels,
                of,
                background,
            } => write!(
                f,
                "{} of its pixels are transparent; they are drawn on {background}",
                percent(*pixels, *of)
            ),
            Notice::FirstFrame { frames } => {
                write!(f, "an animation of {frames} frames; the first is used")
            }
            Notice::FirstPage { pages } => write!(f, "{pages} pages; the first is used"),
            Notice::Converted { profile } => {
                write!(f, "colours are converted to sRGB from \"{profile}\"")
            }
            Notice::ProfileIgnored { profile, reason } => {
                write!(f, "its colour profile \"{profile}\" is ignored: {reason}")
            }
            Notice::Cmyk => f.write_str("inks (CMYK) are converted to RGB without a profile"),
            Notice::FewBits { bits } => write!(
                f,
                "{bits}-bit levels in a 16-bit file: white is 65535, so the picture is dark; multiply by {} if \
                 {} is meant to be white",
                65535 / ((1u32 << bits) - 1),
                (1u32 << bits) - 1
            ),
            Notice::Floats => f.write_str("it contains floats; 1 is read as white"),
        }
    }
}

fn percent(part: u64, of: u64) -> String {
    let percent = 100.0 * part as f64 / of.max(1) as f64;
    match percent {
        p if p >= 99.95 && part < of => "more than 99.9 %".into(),
        p if p < 0.1 => "less than 0.1 %".into(),
        p if p >= 10.0 => format!("{p:.0} %"),
        p => format!("{p:.1} %"),
    }
}
