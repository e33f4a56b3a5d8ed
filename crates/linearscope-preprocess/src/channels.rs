//! Which numbers of a pixel a network takes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a network's input channels are. In TOML and on the command line `rgb`, `bgr`, `y` or `rgba`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red, as OpenCV reads files.
    Bgr,
    /// Luminance of ITU-R BT.601, full range: 0.299 R + 0.587 G + 0.114 B of the resized picture, in f64. (torchvision's
    /// `Grayscale` also rounds it to 8 bits.) A grey picture's own level.
    Y,
    /// Red, green, blue and opacity, as they are: nothing is put behind the picture. Resized as Pillow does it, colours
    /// multiplied by the opacity in between.
    Rgba,
}

impl Channels {
    /// All of them.
    pub const ALL: [Channels; 4] = [Channels::Rgb, Channels::Bgr, Channels::Y, Channels::Rgba];

    /// How many channels.
    #[expect(clippy::len_without_is_empty, reason = "none has no channels")]
    pub fn len(self) -> usize {
        match self {
            Channels::Rgb | Channels::Bgr => 3,
            Channels::Y => 1,
            Channels::Rgba => 4,
        }
    }

    /// As files and flags write it.
    pub fn name(self) -> &'static str {
        match self {
            Channels::Rgb => "rgb",
            Channels::Bgr => "bgr",
            Channels::Y => "y",
            Channels::Rgba => "rgba",
        }
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Channels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|c| c.name() == text);
        found.ok_or_else(|| format!("{text:?} is not rgb, bgr, y or rgba"))
    }
}
