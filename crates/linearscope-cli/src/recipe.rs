//! The recipe: how a picture becomes x₀.
//!
//! A pixel p of 0..255 becomes (p/255 · range − mean)/std. The recipe comes from `MODEL.toml`
//! beside the model, flag by flag overridden by the command line, and is echoed in the manifest.

use std::path::{Path, PathBuf};

use image::{DynamicImage, imageops::FilterType};
use serde::{Deserialize, Serialize};

use crate::{
    args::{Channels, RecipeFlags},
    error::{Failure, Result},
};

/// A recipe with every gap filled in.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Recipe {
    pub range: f64,
    pub mean: Vec<f64>,
    pub std: Vec<f64>,
    pub channels: Channels,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<String>,
    /// What is black and white in the output, where it is not the input's scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_range: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
}

/// The file beside the model.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipeFile {
    range: Option<f64>,
    mean: Option<Vec<f64>>,
    std: Option<Vec<f64>>,
    channels: Option<Channels>,
    resize: Option<FileSize>,
    crop: Option<FileSize>,
    output_range: Option<Vec<f64>>,
    labels: Option<PathBuf>,
}

/// `224` and `"224x224"` are both sizes.
fn size_text(size: FileSize) -> String {
    match size {
        FileSize::Side(side) => side.to_string(),
        FileSize::Text(text) => text,
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum FileSize {
    Side(u32),
    Text(String),
}

/// One value per channel.
fn per_channel(what: &str, values: Option<Vec<f64>>, default: f64, c: usize) -> Result<Vec<f64>> {
    match values {
        None => Ok(vec![default; c]),
        Some(values) if values.len() == c => Ok(values),
        Some(values) if values.len() == 1 => Ok(vec![values[0]; c]),
        Some(values) => Err(Failure::input(format!(
            "--{what} has {} values, but the network takes {c} channels",
            values.len()
        ))),
    }
}

impl Recipe {
    /// The recipe of `model` for a network of `c` input channels.
    pub(crate) fn new(model: &Path, flags: &RecipeFlags, c: usize) -> Result<Self> {
        let path = model.with_extension("toml");
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str::<RecipeFile>(&text)
                .map_err(|error| Failure::file(&path, error.message()))?,
            Err(_) => RecipeFile::default(),
        };
        let channels = match (flags.channels.or(file.channels), c) {
            (Some(channels), _) => channels,
            (None, 1) => Channels::Y,
            (None, 3) => Channels::Rgb,
            (None, c) => {
                return Err(Failure::input(format!(
                    "the network takes {c} channels, which no picture has"
                ))
                .hint("give x₀ as an .npy of the input's shape"));
            }
        };
        let made = if channels == Channels::Y { 1 } else { 3 };
        if made != c {
            return Err(Failure::input(format!(
                "--channels {} makes {made} channels, but the network takes {c}",
                format!("{channels:?}").to_lowercase(),
            )));
        }
        let beside = |labels: PathBuf| match path.parent() {
            Some(folder) => folder.join(labels),
            None => labels,
        };
        let std = per_channel("std", flags.std.clone().or(file.std), 1.0, c)?;
        if std.iter().any(|s| *s == 0.0 || !s.is_finite()) {
            return Err(Failure::input(format!("--std {std:?} divides by zero")));
        }
        let mean = per_channel("mean", flags.mean.clone().or(file.mean), 0.0, c)?;
        if mean.iter().any(|m| !m.is_finite()) {
            return Err(Failure::input(format!("--mean {mean:?} is not finite")));
        }
        let range = flags.range.or(file.range).unwrap_or(1.0);
        if range <= 0.0 || !range.is_finite() {
            return Err(Failure::input(format!("--range {range} is no range"))
                .hint("white is 1 or 255 in most networks"));
        }
        let output_range = match flags.output_range.clone().or(file.output_range).as_deref() {
            None => None,
            Some(&[black, white]) if black != white && (white - black).is_finite() => {
                Some([black, white])
            }
            Some(other) => {
                return Err(Failure::input(format!(
                    "--output-range {other:?} is no black and white"
                ))
                .hint("give two different numbers, such as -1,1"));
            }
        };
        Ok(Self {
            output_range,
            range,
            mean,
            std,
            channels,
            resize: flags.resize.clone().or(file.resize.map(size_text)),
            crop: flags.crop.clone().or(file.crop.map(size_text)),
            labels: flags.labels.clone().or(file.labels.map(beside)),
        })
    }

    /// A picture as `[c, h, w]` numbers in C order.
    pub(crate) fn apply(&self, picture: DynamicImage) -> Result<(Vec<f64>, [usize; 3])> {
        let mut picture = picture;
        if let Some(text) = &self.resize {
            let (w, h) = (picture.width(), picture.height());
            picture = match parse_size("resize", text)? {
                Size::Side(side) => {
                    let scale = f64::from(side) / f64::from(w.min(h));
                    let to = |size: u32| ((f64::from(size) * scale).round() as u32).max(1);
                    within_reason(text, to(h), to(w))?;
                    picture.resize_exact(to(w), to(h), FilterType::Triangle)
                }
                Size::Exact { h, w } => {
                    within_reason(text, h, w)?;
                    picture.resize_exact(w, h, FilterType::Triangle)
                }
            };
        }
        if let Some(text) = &self.crop {
            let (w, h) = match parse_size("crop", text)? {
                Size::Side(side) => (side, side),
                Size::Exact { h, w } => (w, h),
            };
            let (have_w, have_h) = (picture.width(), picture.height());
            if w > have_w || h > have_h {
                return Err(Failure::input(format!(
                    "--crop {h}x{w} does not fit into a picture of {have_h}x{have_w}"
                ))
                .hint("resize it first, with --resize"));
            }
            picture = picture.crop_imm((have_w - w) / 2, (have_h - h) / 2, w, h);
        }
        let rgb = picture.to_rgb8();
        let (w, h) = (rgb.width() as usize, rgb.height() as usize);
        let c = self.mean.len();
        let mut values = vec![0f64; c * h * w];
        for (i, pixel) in rgb.pixels().enumerate() {
            let [r, g, b] = pixel.0.map(f64::from);
            let channels: [f64; 3] = match self.channels {
                Channels::Rgb => [r, g, b],
                Channels::Bgr => [b, g, r],
                // ITU-R BT.601 luma, full range.
                Channels::Y => [0.299 * r + 0.587 * g + 0.114 * b, 0.0, 0.0],
            };
            for ch in 0..c {
                let x = channels[ch] / 255.0 * self.range;
                values[ch * h * w + i] = (x - self.mean[ch]) / self.std[ch];
            }
        }
        Ok((values, [c, h, w]))
    }

    /// Numbers of the network as they were before mean and std: black is 0 and white the range.
    pub(crate) fn undone(&self, values: &[f64]) -> Vec<f64> {
        let each = (values.len() / self.mean.len()).max(1);
        let channel = |i: usize| (i / each).min(self.mean.len() - 1);
        let back = |(i, v): (usize, &f64)| v * self.std[channel(i)] + self.mean[channel(i)];
        values.iter().enumerate().map(back).collect()
    }

    /// Class names, if the recipe has them.
    pub(crate) fn labels(&self) -> Result<Option<Vec<String>>> {
        let Some(path) = &self.labels else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
        Ok(Some(
            text.lines().map(|line| line.trim().to_string()).collect(),
        ))
    }
}

/// A picture larger than any network takes is a slip of the hand, not a wish.
fn within_reason(text: &str, h: u32, w: u32) -> Result<()> {
    const MEGAPIXELS: u64 = 100;
    if u64::from(h) * u64::from(w) <= MEGAPIXELS * 1_000_000 {
        return Ok(());
    }
    Err(Failure::input(format!(
        "--resize {text} makes a picture of {h}x{w}, more than {MEGAPIXELS} megapixels"
    )))
}

enum Size {
    Side(u32),
    Exact { h: u32, w: u32 },
}

fn parse_size(what: &str, text: &str) -> Result<Size> {
    let number = |text: &str| {
        text.trim()
            .parse::<u32>()
            .ok()
            .filter(|n| (1..=65536).contains(n))
    };
    let size = match text.split_once('x') {
        None => number(text).map(Size::Side),
        Some((h, w)) => number(h).zip(number(w)).map(|(h, w)| Size::Exact { h, w }),
    };
    size.ok_or_else(|| {
        Failure::input(format!("--{what} {text} is no size"))
            .hint("give a number such as 224, or height x width such as 224x320")
    })
}
