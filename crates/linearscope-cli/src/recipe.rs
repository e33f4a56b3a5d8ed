//! The recipe of a session: how a picture becomes x₀, and who said so.
//!
//! What a recipe means, how its file is read and what becomes of pixels is decided in `linearscope-preprocess`. Here the
//! file `MODEL.toml` alongside the model is overridden flag by flag; anything unspecified is inferred from the
//! network's input
//! where it can be: channels from their number, the size from a fixed one. What came from where is echoed on stderr and
//! in the manifest.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use linearscope_onnx::Signature;
use linearscope_preprocess::{self as pre, Interpolation, Preprocess, Size, read_labels};
use serde::Serialize;

use crate::{
    args::RecipeFlags,
    error::{Failure, Result},
    model,
};

/// A recipe with every gap filled in.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Recipe {
    #[serde(flatten)]
    pub preprocess: Preprocess,
    /// What is black and white in the output, where it is not the input's scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_range: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// Where each part came from.
    pub from: Origins,
}

/// Who said a part of the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    Flag,
    File,
    /// The network of the zoo, in place of a file.
    Zoo,
    /// The network's input.
    Guess,
    /// Nobody.
    Default,
}

type Origins = BTreeMap<&'static str, Origin>;

/// The flag's value, else the file's, noted in `from`.
fn said<T>(from: &mut Origins, part: &'static str, flag: Option<T>, file: Option<T>) -> Option<T> {
    let origin = match (&flag, &file) {
        (Some(_), _) => Origin::Flag,
        (None, Some(_)) => Origin::File,
        (None, None) => return None,
    };
    from.insert(part, origin);
    flag.or(file)
}

/// What flags and file say together, and who said it.
fn merged(flags: &RecipeFlags, file: pre::Recipe) -> Result<(pre::Recipe, Origins)> {
    let output_range = match flags.output_range.as_deref() {
        None => None,
        Some(&[black, white]) => Some([black, white]),
        Some(other) => {
            return Err(Failure::input(format!(
                "--output-range: {other:?} is not a pair of black and white values"
            ))
            .hint("give two different numbers, such as -1,1"));
        }
    };
    let parts = ["range", "mean", "std"];
    let mut from: Origins = parts.map(|part| (part, Origin::Default)).into();
    from.insert("channels", Origin::Guess);
    let mut recipe = pre::Recipe::default();
    let at = &mut from;
    recipe.range = said(at, "range", flags.range, file.range);
    recipe.mean = said(at, "mean", flags.mean.clone(), file.mean);
    recipe.std = said(at, "std", flags.std.clone(), file.std);
    recipe.channels = said(at, "channels", flags.channels, file.channels);
    recipe.resize = said(at, "resize", flags.resize, file.resize);
    recipe.crop = said(at, "crop", flags.crop, file.crop);
    recipe.interpolation = said(at, "interpolation", flags.interpolation, file.interpolation);
    recipe.output_range = said(at, "output_range", output_range, file.output_range);
    recipe.background = said(at, "background", flags.background, file.background);
    recipe.profiles = said(at, "profiles", flags.profiles, file.profiles);
    recipe.labels = said(at, "labels", flags.labels.clone(), file.labels);
    Ok((recipe, from))
}

/// A part of the recipe that means nothing, by the name it was said with.
fn named(error: pre::Error, from: &Origins, file: &Path) -> Failure {
    let pre::Error::Value {
        file: None,
        key,
        problem,
        hint,
    } = error
    else {
        return error.into();
    };
    let place = match from.get(key.as_str()) {
        Some(Origin::Flag) => format!("--{}", key.replace('_', "-")),
        Some(Origin::File) => format!("{}: {key}", file.display()),
        _ => key,
    };
    Failure {
        hint,
        ..Failure::input(format!("{place}: {problem}"))
    }
}

impl Recipe {
    /// The recipe by which pictures go into an input, of flags and, where there may be one `beside` the model, of its file; none for an input that takes no picture.
    pub(crate) fn of_input(
        model: &Path,
        flags: &RecipeFlags,
        beside: bool,
        array: bool,
        signature: &Signature,
    ) -> Result<Option<Self>> {
        let (c, size) = match signature.dims.as_slice() {
            // Without a declared shape or number of channels: a picture in colour.
            [] => (3, None),
            [_, channels, h, w] => {
                let size = h.as_ref().ok().zip(w.as_ref().ok());
                let size = size.map(|(&h, &w)| (h, w));
                (*channels.as_ref().unwrap_or(&3), size)
            }
            _ => return Ok(None),
        };
        let of_zoo = model::recipe(model).filter(|_| beside);
        let by = match of_zoo {
            Some(_) => Origin::Zoo,
            None => Origin::File,
        };
        let file = match of_zoo {
            Some(of_zoo) => of_zoo,
            None if beside => pre::Recipe::beside(model)?.unwrap_or_default(),
            None => pre::Recipe::default(),
        };
        match Self::new(model, flags, (file, by), (c, signature.integers), size) {
            // A recipe that does not fit an array does not matter; one that cannot be read does.
            Err(_) if array => Ok(None),
            recipe => recipe.map(Some),
        }
    }

    /// The recipe of `model` for a network of `c` input channels, of whole numbers or not, and of one size if it is
    /// fixed.
    fn new(
        model: &Path,
        flags: &RecipeFlags,
        (file, by): (pre::Recipe, Origin),
        (c, bytes): (usize, bool),
        size: Option<(usize, usize)>,
    ) -> Result<Self> {
        let (mut recipe, mut from) = merged(flags, file)?;
        for origin in from.values_mut().filter(|origin| **origin == Origin::File) {
            *origin = by;
        }
        // An input of whole numbers takes a picture's own.
        if bytes && recipe.range.is_none() {
            recipe.range = Some(255.0);
            from.insert("range", Origin::Guess);
        }
        if let (Some((h, w)), None, None) = (size, recipe.resize, recipe.crop) {
            let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
            let (h, w) = (side(h), side(w));
            // A square is cut from the middle, as classifiers are tested; else nothing says what may
            // be lost.
            if h == w {
                recipe.resize = Some(Size::Side(h));
                recipe.crop = Some(Size::Side(h));
                from.insert("crop", Origin::Guess);
            } else {
                recipe.resize = Some(Size::Exact { h, w });
            }
            from.insert("resize", Origin::Guess);
        }
        let preprocess = recipe
            .for_channels(c)
            .map_err(|error| named(error, &from, &pre::Recipe::path_beside(model)))?;
        Ok(Self {
            preprocess,
            output_range: recipe.output_range,
            labels: recipe.labels,
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
        let preprocess = &self.preprocess;
        let mut parts = vec![
            ("channels", preprocess.channels().to_string()),
            ("range", preprocess.range().to_string()),
            ("mean", list(preprocess.mean())),
            ("std", list(preprocess.std())),
        ];
        let size = |part, size: Option<Size>| size.map(|size| (part, size.to_string()));
        parts.extend(size("resize", preprocess.resize()));
        parts.extend(size("crop", preprocess.crop()));
        let interpolation = preprocess.interpolation();
        if interpolation != Interpolation::default() {
            parts.push(("interpolation", interpolation.to_string()));
        }
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
                    Some(Origin::Zoo) => "zoo",
                    Some(Origin::Guess) => "inferred from the network's input",
                    _ => "default",
                };
                format!("{part} {value} ({origin})")
            })
            .collect();
        format!("recipe: {}", parts.join(", "))
    }

    /// The least and the largest value of each channel in the network's units: black and white, whichever is which.
    pub(crate) fn bounds(&self) -> [Vec<f64>; 2] {
        let preprocess = &self.preprocess;
        let ends = (0..preprocess.mean().len()).map(|c| {
            let black = preprocess.normalised(c, 0.0);
            let white = preprocess.normalised(c, preprocess.range());
            (black.min(white), black.max(white))
        });
        let (low, high) = ends.unzip();
        [low, high]
    }

    /// What looks like a mistake in it.
    pub(crate) fn doubts(&self) -> Vec<String> {
        let preprocess = &self.preprocess;
        let (range, mean, std) = (preprocess.range(), preprocess.mean(), preprocess.std());
        let mut doubts = Vec::new();
        // A mean is one of pixels, which lie between 0 and the range; −1..1 and the like are made with one within.
        if let Some(far) = mean.iter().find(|mean| mean.abs() > 2.0 * range) {
            doubts.push(format!(
                "the mean {far} is far outside 0 to {range}, the range of a picture here; it is usually used with --range 255"
            ));
        }
        if let Some(far) = std.iter().find(|std| range / **std < 0.1) {
            doubts.push(format!(
                "divided by {far}, a picture of range {range} is nearly flat; this std is usually used with --range 255"
            ));
        }
        let small = |values: &[f64]| values.iter().any(|v| *v != 0.0 && v.abs() < 1.0);
        if range > 1.0 && small(mean) && mean.iter().all(|mean| *mean < 1.0) {
            doubts.push(format!(
                "the mean {} is negligible in a range of {range}; it is usually used with --range 1",
                mean[0]
            ));
        }
        doubts
    }

    /// Class names, if the recipe has them.
    pub(crate) fn labels(&self) -> Result<Option<Vec<String>>> {
        let labels = self.labels.as_deref().map(read_labels);
        Ok(labels.transpose()?)
    }
}
