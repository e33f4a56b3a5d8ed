//! The description of a network's preprocessing, as in a file next to a model.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Background, Channels, Error, Interpolation, Preprocess, Profiles, Result, Size};

/// How pictures become a network's inputs, as given by a file, a command line or a program. Gaps are allowed.
///
/// In TOML each field is a key; all are optional:
///
/// ```toml
/// mean = [0.485, 0.456, 0.406]     # one number, or one per channel, in units of the range
/// std = [0.229, 0.224, 0.225]
/// resize = 256                     # shorter side, or "HxW"
/// crop = 224                       # a square, or "HxW"
/// interpolation = "bilinear"       # or "bicubic"
/// channels = "rgb"                 # or "bgr", "y", "rgba"
/// background = "white"             # behind transparent pixels; "#rrggbb", or "none" for the colours they hide
/// profiles = "ignore"              # colour profiles, as in training by torchvision; or "convert" to sRGB
/// range = 1                        # white, before mean and std
/// output_range = [-1, 1]           # black and white of an output that is a picture
/// labels = "classes.txt"           # class names, one a line
/// ```
///
/// ```
/// use linearscope_preprocess::Recipe;
///
/// let recipe = Recipe::default().with_resize(256).with_crop((224, 192)).with_mean([0.5]);
/// assert_eq!(recipe, Recipe::from_toml("resize = 256\ncrop = \"224x192\"\nmean = [0.5]")?);
///
/// let error = Recipe::from_toml("std = [0.2, 0.0, 0.2]").unwrap_err();
/// assert_eq!(error.to_string(), "std: [0.2, 0.0, 0.2] divides by zero");
/// # Ok::<(), linearscope_preprocess::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Recipe {
    /// White in the network's units, before mean and standard deviation. Default 1; some networks use 255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<f64>,
    /// What is subtracted, in units of the range: one number, or one per channel. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f64>>,
    /// The divisor, in units of the range: one number, or one per channel. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f64>>,
    /// Which numbers of a pixel the network takes. Default: `rgb` for three channels, `y` for one and `rgba` for
    /// four.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// The size before the crop. Default: the picture's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<Size>,
    /// The size of the crop from the middle. Default: no crop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<Size>,
    /// How the resize finds its pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpolation: Option<Interpolation>,
    /// The background of transparent pixels. Default: white.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
    /// How to treat colour profiles that are not sRGB. Default: ignore them, because torchvision reads no profiles, and
    /// a network expects what it was trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profiles: Option<Profiles>,
    /// Black and white of an output that is a picture, if its scale is not the input's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_range: Option<[f64; 2]>,
    /// A file of class names, see [`read_labels`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
}

impl Recipe {
    /// The recipe with which torchvision's ImageNet classifiers are tested: shorter side 256, 224×224 from the middle,
    /// ImageNet's mean and standard deviation.
    pub fn imagenet() -> Self {
        Self::default()
            .with_resize(256)
            .with_crop(224)
            .with_mean([0.485, 0.456, 0.406])
            .with_std([0.229, 0.224, 0.225])
    }

    /// The same with this [`Recipe::range`].
    pub fn with_range(self, range: f64) -> Self {
        Self {
            range: Some(range),
            ..self
        }
    }

    /// The same with this [`Recipe::mean`].
    pub fn with_mean(self, mean: impl Into<Vec<f64>>) -> Self {
        Self {
            mean: Some(mean.into()),
            ..self
        }
    }

    /// The same with this [`Recipe::std`].
    pub fn with_std(self, std: impl Into<Vec<f64>>) -> Self {
        Self {
            std: Some(std.into()),
            ..self
        }
    }

    /// The same with these [`Recipe::channels`].
    pub fn with_channels(self, channels: Channels) -> Self {
        Self {
            channels: Some(channels),
            ..self
        }
    }

    /// The same with this [`Recipe::resize`]: `256` for the shorter side, `(height, width)`.
    pub fn with_resize(self, size: impl Into<Size>) -> Self {
        Self {
            resize: Some(size.into()),
            ..self
        }
    }

    /// The same with this [`Recipe::crop`]: `224` for a square, `(height, width)`.
    pub fn with_crop(self, size: impl Into<Size>) -> Self {
        Self {
            crop: Some(size.into()),
            ..self
        }
    }

    /// The same with this [`Recipe::interpolation`].
    pub fn with_interpolation(self, interpolation: Interpolation) -> Self {
        Self {
            interpolation: Some(interpolation),
            ..self
        }
    }

    /// The same with this [`Recipe::background`].
    pub fn with_background(self, background: Background) -> Self {
        Self {
            background: Some(background),
            ..self
        }
    }

    /// The same with these [`Recipe::profiles`].
    pub fn with_profiles(self, profiles: Profiles) -> Self {
        Self {
            profiles: Some(profiles),
            ..self
        }
    }

    /// The same with this [`Recipe::output_range`].
    pub fn with_output_range(self, black: f64, white: f64) -> Self {
        Self {
            output_range: Some([black, white]),
            ..self
        }
    }

    /// The same with these [`Recipe::labels`].
    pub fn with_labels(self, labels: impl Into<PathBuf>) -> Self {
        Self {
            labels: Some(labels.into()),
            ..self
        }
    }

    /// Parse a recipe from TOML.
    ///
    /// # Errors
    /// [`Error::Syntax`]; [`Error::Value`] for an unknown key, or a value of the wrong type or without meaning (see
    /// [`Recipe::check`]).
    pub fn from_toml(text: &str) -> Result<Self> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| {
                let before = text.as_bytes().iter().take(span.start);
                1 + before.filter(|byte| **byte == b'\n').count()
            });
            let message = error.message().trim();
            Error::Syntax {
                file: None,
                message: match line {
                    Some(line) => format!("line {line}: {message}"),
                    None => message.into(),
                },
            }
        })?;
        // Each key alone, so that an error has its key, whatever type the value has.
        for (key, value) in &table {
            let alone = toml::Table::from_iter([(key.clone(), value.clone())]);
            if let Err(error) = alone.try_into::<Recipe>() {
                return Err(Error::value(
                    key,
                    error.message().trim(),
                    "the keys are range, mean, std, channels, resize, crop, interpolation, background, profiles, output_range and labels",
                ));
            }
        }
        let recipe: Recipe = table
            .try_into()
            .map_err(|error| Error::value("recipe", error.message(), "check its keys"))?;
        recipe.check()?;
        Ok(recipe)
    }

    /// Read the recipe in a TOML file. [`Recipe::labels`] is relative to the file's folder, and is returned joined
    /// with it.
    ///
    /// # Errors
    /// [`Error::Read`] if the file does not exist or cannot be read as UTF-8; those of [`Recipe::from_toml`], with
    /// the file's name.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            file: path.into(),
            source,
        })?;
        let mut recipe = Self::from_toml(&text).map_err(|error| error.of_file(path))?;
        if let (Some(labels), Some(folder)) = (&mut recipe.labels, path.parent()) {
            *labels = folder.join(&*labels);
        }
        Ok(recipe)
    }

    /// The path of a model's recipe: `net.toml` for `net.onnx`.
    pub fn path_beside(model: &Path) -> PathBuf {
        model.with_extension("toml")
    }

    /// Read the recipe next to a model, if it exists.
    ///
    /// # Errors
    /// As [`Recipe::read`], but a file that does not exist gives `Ok(None)`.
    pub fn beside(model: &Path) -> Result<Option<Self>> {
        match Self::read(&Self::path_beside(model)) {
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// Check that every value makes sense for some network: numbers are finite, the range is greater than 0, no
    /// standard deviation is 0, lists have an element, black is not white, sizes are from 1 to [`Size::MOST`], and
    /// the crop is not larger than every result of the resize.
    ///
    /// # Errors
    /// [`Error::Value`] for the first value that does not.
    pub fn check(&self) -> Result<()> {
        if let Some(range) = self.range
            && !(range > 0.0 && range.is_finite())
        {
            return Err(Error::value(
                "range",
                format!("{range} is not greater than 0 and finite"),
                "white is 1 or 255 in most networks",
            ));
        }
        for (key, values) in [("mean", &self.mean), ("std", &self.std)] {
            let Some(values) = values else { continue };
            let problem = if values.is_empty() {
                "has no numbers"
            } else if values.iter().any(|v| !v.is_finite()) {
                "is not finite"
            } else if key == "std" && values.contains(&0.0) {
                "divides by zero"
            } else {
                continue;
            };
            return Err(Error::value(
                key,
                format!("{values:?} {problem}"),
                "give one number, or one per channel",
            ));
        }
        if let Some([black, white]) = self.output_range
            && (black == white || !(white - black).is_finite())
        {
            return Err(Error::value(
                "output_range",
                format!(
                    "{:?} is not a pair of black and white values",
                    [black, white]
                ),
                "give two different numbers, such as -1 and 1",
            ));
        }
        for (key, size) in [("resize", self.resize), ("crop", self.crop)] {
            if let Some(size) = size.filter(|size| !size.is_valid()) {
                let problem = format!("{size} is not from 1 to {}", Size::MOST);
                return Err(Error::value(key, problem, "give pixels, such as 224"));
            }
        }
        if let (Some(resize), Some(crop)) = (self.resize, self.crop) {
            let (h, w) = crop.sides();
            let fits = match resize {
                // The longer side depends on the picture.
                Size::Side(side) => h.min(w) <= side,
                Size::Exact { h: of_h, w: of_w } => h <= of_h && w <= of_w,
            };
            if !fits {
                return Err(Error::value(
                    "crop",
                    format!("{crop} is larger than resize {resize}"),
                    "crop no more than the resized picture has",
                ));
            }
        }
        Ok(())
    }

    /// The preprocessing for a network with `c` input channels, according to this recipe. Defaults: range 1, mean 0,
    /// standard deviation 1, bilinear interpolation, a white background, profiles ignored, and channels according to
    /// their number.
    ///
    /// # Errors
    /// Those of [`Recipe::check`]; [`Error::Value`] if channels, mean or std are not for `c` channels.
    pub fn for_channels(&self, c: usize) -> Result<Preprocess> {
        self.check()?;
        let counted = match c {
            1 => "1 channel".to_string(),
            c => format!("{c} channels"),
        };
        let channels = match (self.channels, c) {
            (Some(channels), c) if channels.len() != c => {
                return Err(Error::value(
                    "channels",
                    format!(
                        "{channels} makes {}, but the network takes {counted}",
                        channels.len()
                    ),
                    "y is one channel, rgb and bgr are three, rgba is four",
                ));
            }
            (Some(channels), _) => channels,
            (None, 1) => Channels::Y,
            (None, 3) => Channels::Rgb,
            (None, 4) => Channels::Rgba,
            (None, _) => {
                return Err(Error::value(
                    "channels",
                    format!("the network takes {counted}, but no picture has that many"),
                    "give the input as an array of its shape",
                ));
            }
        };
        let per_channel = |key, values: &Option<Vec<f64>>, default| match values.as_deref() {
            None => Ok(vec![default; c]),
            Some(&[value]) => Ok(vec![value; c]),
            Some(values) if values.len() == c => Ok(values.to_vec()),
            Some(values) => Err(Error::value(
                key,
                format!(
                    "has {} values, but the network takes {counted}",
                    values.len()
                ),
                "give one number, or one per channel",
            )),
        };
        Ok(Preprocess {
            range: self.range.unwrap_or(1.0),
            mean: per_channel("mean", &self.mean, 0.0)?,
            std: per_channel("std", &self.std, 1.0)?,
            channels,
            resize: self.resize,
            crop: self.crop,
            interpolation: self.interpolation.unwrap_or_default(),
            background: self.background.unwrap_or_default(),
            profiles: self.profiles.unwrap_or(Profiles::Ignore),
        })
    }
}

/// Read class names from a text file, one per line, without surrounding blanks.
///
/// # Errors
/// [`Error::Read`].
pub fn read_labels(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
        file: path.into(),
        source,
    })?;
    Ok(text.lines().map(|line| line.trim().to_string()).collect())
}
