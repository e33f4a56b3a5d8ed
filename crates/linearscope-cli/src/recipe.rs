//! The recipe: how a picture becomes x₀.
//!
//! A pixel p of 0..255 becomes (p/255 · range − mean)/std. The recipe comes from `MODEL.toml`
//! beside the model, flag by flag overridden by the command line; what neither says is guessed from
//! the network's input where it can be: channels from their number, the size from a fixed one. What
//! came from where is echoed on stderr and in the manifest.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use image::{DynamicImage, imageops::FilterType};
use linearscope_onnx::Signature;
use serde::{Deserialize, Serialize};

use crate::{
    args::{Channels, RecipeFlags},
    error::{Failure, Result},
    npy::is_npy,
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
    /// Where each part came from.
    pub from: BTreeMap<&'static str, Origin>,
}

/// Who said a part of the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    Flag,
    File,
    /// The network's input.
    Guess,
    /// Nobody.
    Default,
}

/// The flag's value, else the file's, noted in `from`.
fn said<T>(
    from: &mut BTreeMap<&'static str, Origin>,
    part: &'static str,
    flag: Option<T>,
    file: Option<T>,
) -> Option<T> {
    let origin = match (&flag, &file) {
        (Some(_), _) => Origin::Flag,
        (None, Some(_)) => Origin::File,
        (None, None) => return None,
    };
    from.insert(part, origin);
    flag.or(file)
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
    /// The recipe by which pictures go into an input; none for an input that takes no picture.
    pub(crate) fn of_input(
        model: &Path,
        flags: &RecipeFlags,
        input: &Path,
        signature: &Signature,
    ) -> Result<Option<Self>> {
        let recipe = match signature.dims.as_slice() {
            // Without a declared shape or number of channels: a picture in colour.
            [] => Self::new(model, flags, 3, None).map(Some),
            [_, Ok(rows), _, Ok(last @ (1 | 3))] if ![1, 3].contains(rows) => {
                Err(Failure::input(format!(
                    "the network takes pictures of shape {signature}, channels last ({last} of them)"
                ))
                .hint("give x₀ as an .npy of that shape, or export the network with channels first"))
            }
            [_, channels, h, w] => {
                let size = h.as_ref().ok().zip(w.as_ref().ok());
                let size = size.map(|(&h, &w)| (h, w));
                Self::new(model, flags, *channels.as_ref().unwrap_or(&3), size).map(Some)
            }
            _ => Ok(None),
        };
        match recipe {
            // An array goes in as it is: then a recipe that does not fit does not matter.
            Err(_) if is_npy(input) => Ok(None),
            recipe => recipe,
        }
    }

    /// The recipe of `model` for a network of `c` input channels, and of one size if it is fixed.
    fn new(
        model: &Path,
        flags: &RecipeFlags,
        c: usize,
        size: Option<(usize, usize)>,
    ) -> Result<Self> {
        let path = model.with_extension("toml");
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str::<RecipeFile>(&text)
                .map_err(|error| Failure::file(&path, error.message()))?,
            Err(_) => RecipeFile::default(),
        };
        let mut from: BTreeMap<&'static str, Origin> = BTreeMap::new();
        for part in ["range", "mean", "std"] {
            from.insert(part, Origin::Default);
        }
        from.insert("channels", Origin::Guess);
        let channels = match (
            said(&mut from, "channels", flags.channels, file.channels),
            c,
        ) {
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
        let std = said(&mut from, "std", flags.std.clone(), file.std);
        let std = per_channel("std", std, 1.0, c)?;
        if std.iter().any(|s| *s == 0.0 || !s.is_finite()) {
            return Err(Failure::input(format!("--std {std:?} divides by zero")));
        }
        let mean = said(&mut from, "mean", flags.mean.clone(), file.mean);
        let mean = per_channel("mean", mean, 0.0, c)?;
        if mean.iter().any(|m| !m.is_finite()) {
            return Err(Failure::input(format!("--mean {mean:?} is not finite")));
        }
        let range = said(&mut from, "range", flags.range, file.range).unwrap_or(1.0);
        if range <= 0.0 || !range.is_finite() {
            return Err(Failure::input(format!("--range {range} is no range"))
                .hint("white is 1 or 255 in most networks"));
        }
        let output_range = flags.output_range.clone();
        let output_range =
            match said(&mut from, "output_range", output_range, file.output_range).as_deref() {
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
        let mut resize = said(
            &mut from,
            "resize",
            flags.resize.clone(),
            file.resize.map(size_text),
        );
        let mut crop = said(
            &mut from,
            "crop",
            flags.crop.clone(),
            file.crop.map(size_text),
        );
        if let (Some((h, w)), None, None) = (size, &resize, &crop) {
            // A square is cut from the middle, as classifiers are tested; else nothing says what may
            // be lost.
            if h == w {
                resize = Some(h.to_string());
                crop = Some(h.to_string());
                from.insert("crop", Origin::Guess);
            } else {
                resize = Some(format!("{h}x{w}"));
            }
            from.insert("resize", Origin::Guess);
        }
        Ok(Self {
            output_range,
            range,
            mean,
            std,
            channels,
            resize,
            crop,
            labels: said(
                &mut from,
                "labels",
                flags.labels.clone(),
                file.labels.map(beside),
            ),
            from,
        })
    }

    /// The recipe in one line, with who said what.
    pub(crate) fn line(&self) -> String {
        let list = |values: &[f64]| {
            let same = values.iter().all(|v| *v == values[0]);
            let shown = if same { &values[..1] } else { values };
            let shown: Vec<String> = shown.iter().map(f64::to_string).collect();
            shown.join(",")
        };
        let mut parts = vec![
            ("channels", format!("{:?}", self.channels).to_lowercase()),
            ("range", self.range.to_string()),
            ("mean", list(&self.mean)),
            ("std", list(&self.std)),
        ];
        parts.extend(self.resize.clone().map(|size| ("resize", size)));
        parts.extend(self.crop.clone().map(|size| ("crop", size)));
        parts.extend(
            self.output_range
                .map(|range| ("output_range", list(&range))),
        );
        let labels = self.labels.as_ref().map(|path| path.display().to_string());
        parts.extend(labels.map(|path| ("labels", path)));
        let parts: Vec<String> = parts
            .into_iter()
            .map(|(part, value)| {
                let origin = match self.from.get(part) {
                    Some(Origin::Flag) => "flag",
                    Some(Origin::File) => "file",
                    Some(Origin::Guess) => "guessed from the network's input",
                    _ => "default",
                };
                format!("{part} {value} ({origin})")
            })
            .collect();
        format!("recipe: {}", parts.join(", "))
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
