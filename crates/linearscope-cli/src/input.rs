//! x₀ as it comes in: a picture or an array, from a file or from memory, as the numbers that the network takes.

use std::path::{Path, PathBuf};

use linearscope_onnx::Signature;
use linearscope_preprocess::{Layout, Limits, Picture};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    console,
    ends::to_first,
    error::{Failure, Result},
    limits::refused,
    npy::{self, is_npy},
    recipe::Recipe,
    results::{hex, sha256_of},
};

/// `[1, c, h, w]` for data of `[c, h, w]` where the network takes rank 4.
fn with_batch_axis(shape: Vec<usize>, signature: &Signature) -> Vec<usize> {
    if shape.len() + 1 == signature.dims.len() || (signature.dims.is_empty() && shape.len() == 3) {
        [vec![1], shape].concat()
    } else {
        shape
    }
}

/// Where x₀ comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// A picture's or an array's file.
    File(&'a Path),
    /// An array in memory, flat in C order, with its shape.
    Array(&'a [f64], &'a [usize]),
}

impl<'a> From<&'a Path> for Input<'a> {
    fn from(path: &'a Path) -> Self {
        Self::File(path)
    }
}

impl<'a> From<&'a PathBuf> for Input<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::File(path)
    }
}

impl<'a> Input<'a> {
    /// Its file, or what an array in memory is called.
    pub(crate) fn name(self) -> &'a Path {
        match self {
            Self::File(path) => path,
            Self::Array(..) => Path::new("array"),
        }
    }

    /// Whether it is used as it is, without a recipe.
    pub(crate) fn is_array(self) -> bool {
        match self {
            Self::File(path) => is_npy(path),
            Self::Array(..) => true,
        }
    }

    /// The SHA-256 of the file; of an array in memory that of its shape and numbers.
    pub(crate) fn sha256(self) -> Result<String> {
        match self {
            Self::File(path) => sha256_of(path).map_err(|error| Failure::file(path, error)),
            Self::Array(values, shape) => {
                let mut hasher = Sha256::new();
                shape
                    .iter()
                    .for_each(|size| hasher.update((*size as u64).to_le_bytes()));
                values
                    .iter()
                    .for_each(|value| hasher.update(value.to_le_bytes()));
                Ok(hex(hasher.finalize()))
            }
        }
    }
}

/// Numbers for an input, and what there is to say of the file they came from.
pub(crate) struct Read {
    pub values: Vec<f64>,
    pub shape: Vec<usize>,
    /// Format, bit depth, orientation and notices of a picture file; `null` for an array.
    pub file: Value,
}

/// An array as a network with its channels first takes it: one that can only have them last is turned, and a plane alone
/// is the one channel that there is. Both are said.
fn as_first(
    path: &Path,
    values: Vec<f64>,
    shape: Vec<usize>,
    signature: &Signature,
) -> Result<(Vec<f64>, Vec<usize>)> {
    let takes: Vec<Option<usize>> = signature
        .dims
        .iter()
        .map(|dim| dim.as_ref().ok().copied())
        .collect();
    let pixel = match &takes[..] {
        [_, pixel @ ..] if pixel.len() == 3 => pixel,
        // Without a batch nothing is turned.
        pixel if pixel.len() == 3 => {
            let fits = Layout::expect_channels_first(&shape, pixel);
            fits.map_err(|error| Failure::from(error).at(path))?;
            return Ok((values, shape));
        }
        _ => return Ok((values, shape)),
    };
    if let (Some(1), &[h, w]) = (pixel[0], &shape[..]) {
        console::notice(&format!(
            "{}: shape [{h}, {w}] is read as a single channel",
            path.display()
        ));
        return Ok((values, vec![1, h, w]));
    }
    let lead = shape.len().saturating_sub(3);
    if lead <= 1 && matches!(Layout::of(&shape, pixel), Ok(Some(Layout::ChannelsLast))) {
        let (values, turned) = to_first(&values, &shape, lead);
        console::notice(&format!(
            "{}: shape {shape:?} has its channels last; transposed to {turned:?}",
            path.display()
        ));
        return Ok((values, turned));
    }
    let fits = Layout::expect_channels_first(&shape, pixel);
    fits.map_err(|error| Failure::from(error).at(path))?;
    Ok((values, shape))
}

/// An array whose channels are last, as its file and the network's have them, with its channels first.
fn from_last(
    path: &Path,
    values: Vec<f64>,
    shape: Vec<usize>,
    signature: &Signature,
) -> Result<(Vec<f64>, Vec<usize>)> {
    // Four axes where the file does not say.
    let rank = match signature.dims.len() {
        0 => 4,
        rank => rank,
    };
    let whole = match shape.len() {
        len if len == rank => Some(shape.clone()),
        len if len + 1 == rank => Some([&[1], &shape[..]].concat()),
        _ => None,
    };
    let fits = whole.is_some_and(|mut whole| {
        whole[1..].rotate_right(1);
        signature.fits(&whole)
    });
    if !fits {
        let mut takes = signature.clone();
        if takes.dims.len() == rank {
            takes.dims[1..].rotate_left(1);
        }
        return Err(Failure::input(format!(
            "{} has shape {shape:?}, but the network takes {takes}, channels last",
            path.display()
        ))
        .hint("use --layout to set the position of the channel axis"));
    }
    Ok(to_first(&values, &shape, usize::from(shape.len() == rank)))
}

/// Read a picture or an array for an input of the given signature.
pub(crate) fn read_input<'a>(
    input: impl Into<Input<'a>>,
    recipe: Option<&Recipe>,
    signature: &Signature,
    channels_last: bool,
    limits: &Limits,
) -> Result<Read> {
    let input = input.into();
    let path = input.name();
    let array = match input {
        Input::Array(values, shape) => Some((values.to_vec(), shape.to_vec())),
        Input::File(path) if is_npy(path) => Some(npy::read(path, limits)?),
        Input::File(_) => None,
    };
    if let Some((values, shape)) = array {
        let (values, shape) = match channels_last {
            true => from_last(path, values, shape, signature)?,
            false => as_first(path, values, shape, signature)?,
        };
        return Ok(Read {
            values,
            shape: with_batch_axis(shape, signature),
            file: Value::Null,
        });
    }
    let Some(recipe) = recipe else {
        return Err(Failure::input(format!(
            "input \"{}\" of shape {signature} is not a picture",
            signature.name
        ))
        .hint("give it as an .npy array"));
    };
    let options = recipe.preprocess.read_options().with_limits(*limits);
    let picture = Picture::open(path, &options).map_err(refused)?;
    for notice in &picture.notices {
        console::notice(&format!("{}: {notice}", path.display()));
    }
    let input = recipe.preprocess.apply(&picture.image);
    let input = input.map_err(|error| Failure::from(error).at(path))?;
    Ok(Read {
        values: input.values,
        shape: with_batch_axis(input.shape.to_vec(), signature),
        file: json!(picture),
    })
}

/// No NaN and no infinity goes in.
pub(crate) fn check_finite(path: &Path, values: &[f64]) -> Result<()> {
    let mut bad = values.iter().enumerate().filter(|(_, v)| !v.is_finite());
    match bad.next() {
        None => Ok(()),
        Some((first, value)) => Err(Failure::input(format!(
            "{} holds {} values that are not finite (the first, {value}, at flat index {first})",
            path.display(),
            1 + bad.count()
        ))
        .hint("freezing a network at NaN or infinity is meaningless")),
    }
}
