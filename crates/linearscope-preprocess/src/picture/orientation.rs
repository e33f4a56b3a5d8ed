//! How a camera was held.

use std::fmt;

use image::metadata;
use serde::{Deserialize, Serialize};

/// What was done to the stored pixels so that they stand upright, by EXIF's orientation tag (1 to 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    /// Nothing: tag 1, or none.
    #[default]
    AsStored,
    /// Left and right exchanged: tag 2.
    MirroredLeftRight,
    /// Turned by 180°: tag 3.
    Turned180,
    /// Top and bottom exchanged: tag 4.
    MirroredTopBottom,
    /// Rows and columns exchanged: tag 5.
    Transposed,
    /// Turned by 90° clockwise: tag 6.
    TurnedRight,
    /// Rows and columns exchanged about the other diagonal: tag 7.
    Transversed,
    /// Turned by 90° counter-clockwise: tag 8.
    TurnedLeft,
}

impl Orientation {
    /// All of them, by their tags from 1 on.
    pub const ALL: [Orientation; 8] = [
        Orientation::AsStored,
        Orientation::MirroredLeftRight,
        Orientation::Turned180,
        Orientation::MirroredTopBottom,
        Orientation::Transposed,
        Orientation::TurnedRight,
        Orientation::Transversed,
        Orientation::TurnedLeft,
    ];

    /// EXIF's number.
    pub fn exif(self) -> u8 {
        self as u8 + 1
    }

    /// By EXIF's number.
    pub fn of_exif(tag: u8) -> Option<Self> {
        let index = usize::from(tag).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }

    /// Whether rows have become columns.
    pub fn swaps_sides(self) -> bool {
        self.exif() > 4
    }

    pub(crate) fn of_image(orientation: metadata::Orientation) -> Self {
        Self::of_exif(orientation.to_exif()).unwrap_or_default()
    }

    /// From an XMP packet, as Pillow looks for it where EXIF says nothing.
    pub(crate) fn of_xmp(packet: &[u8]) -> Option<Self> {
        const KEY: &[u8] = b"tiff:Orientation";
        let at = packet.windows(KEY.len()).position(|part| part == KEY)?;
        match packet.get(at + KEY.len()..)? {
            [b'=', b'"', digit, ..] | [b'>', digit, ..] => Self::of_exif(digit.wrapping_sub(b'0')),
            _ => None,
        }
    }

    pub(crate) fn apply(self, picture: &mut image::DynamicImage) {
        if let Some(orientation) = metadata::Orientation::from_exif(self.exif()) {
            picture.apply_orientation(orientation);
        }
    }
}

impl fmt::Display for Orientation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Orientation::AsStored => "as stored",
            Orientation::MirroredLeftRight => "mirrored left to right",
            Orientation::Turned180 => "turned by 180°",
            Orientation::MirroredTopBottom => "mirrored top to bottom",
            Orientation::Transposed => "transposed",
            Orientation::TurnedRight => "turned by 90° clockwise",
            Orientation::Transversed => "transposed about the other diagonal",
            Orientation::TurnedLeft => "turned by 90° counter-clockwise",
        })
    }
}
