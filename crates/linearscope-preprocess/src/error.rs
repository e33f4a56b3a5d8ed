//! What can go wrong between a file and a network's input.

use std::{io, path::PathBuf};

use crate::{Format, Size};

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a file and a network's input. [`Error::hint`] names the next step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that exists but cannot be read: no permission, a folder, not UTF-8.
    #[error("{}: {source}", file.display())]
    Read {
        /// Which one.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A recipe that is not TOML.
    #[error("{}not TOML: {message}", place(file))]
    Syntax {
        /// Where it was read from, if from a file.
        file: Option<PathBuf>,
        /// Line and problem.
        message: String,
    },
    /// A key of a recipe that is unknown, or whose value makes no sense.
    #[error("{}{key}: {problem}", place(file))]
    Value {
        /// Where it was read from, if from a file.
        file: Option<PathBuf>,
        /// The key.
        key: String,
        /// What is wrong, with the value.
        problem: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// A folder, where a file was expected.
    #[error("{}: a folder, not a file", file.display())]
    Folder {
        /// Which one.
        file: PathBuf,
    },
    /// A file with contents that this crate does not read.
    #[error("{}: not a supported picture, but {what}", file.display())]
    Foreign {
        /// Which one.
        file: PathBuf,
        /// What it is, with its article: "an HEIC picture".
        what: String,
        /// How to convert it to a picture; IN and OUT stand for file names.
        hint: String,
    },
    /// A picture file that is cut off or broken.
    #[error("{}: a damaged {format}: {problem}", file.display())]
    Damaged {
        /// Which one.
        file: PathBuf,
        /// What it begins as.
        format: Format,
        /// What is wrong.
        problem: String,
    },
    /// A picture of a rare kind, which its format allows but the decoder does not read.
    #[error("{}: unsupported kind of {format}: {problem}", file.display())]
    Unsupported {
        /// Which one.
        file: PathBuf,
        /// What it is.
        format: Format,
        /// What the decoder says.
        problem: String,
    },
    /// A picture whose header claims more pixels than the limit.
    #[error(
        "{}: {h}x{w} is {:.1} megapixels, above the limit of {:.1}",
        file.display(),
        (u64::from(*h) * u64::from(*w)) as f64 / 1e6,
        *limit as f64 / 1e6
    )]
    TooManyPixels {
        /// Which one.
        file: PathBuf,
        /// Its height.
        h: u32,
        /// Its width.
        w: u32,
        /// [`Limits::pixels`](crate::Limits::pixels).
        limit: u64,
    },
    /// A file that is larger than the limit, or whose numbers are.
    #[error(
        "{}: takes {}, above the limit of {}",
        file.display(),
        size(*bytes),
        size(*limit)
    )]
    TooManyBytes {
        /// Which one.
        file: PathBuf,
        /// At least this many.
        bytes: u64,
        /// [`Limits::bytes`](crate::Limits::bytes).
        limit: u64,
    },
    /// A file that is not an array this crate reads.
    #[error("{}: {problem}", file.display())]
    Array {
        /// Which one.
        file: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do; IN and OUT stand for file names.
        hint: String,
    },
    /// An array whose channels are last, for a network that takes them first.
    #[error("shape {shape:?} has its channels last, but the network takes them first")]
    ChannelsLast {
        /// The array's.
        shape: Vec<usize>,
    },
    /// An array that fits a network both with its channels first and with its channels last.
    #[error(
        "shape {shape:?} is ambiguous: {} channels of {}x{} pixels first, or {}x{} pixels with their {} channels last",
        side(shape, 0),
        side(shape, 1),
        side(shape, 2),
        side(shape, 0),
        side(shape, 1),
        side(shape, 2)
    )]
    AmbiguousLayout {
        /// The array's.
        shape: Vec<usize>,
    },
    /// A picture without opacity, for a network that takes it.
    #[error("the network takes 4 channels; the picture has {channels}")]
    NoTransparency {
        /// What the picture has.
        channels: usize,
    },
    /// A picture without pixels.
    #[error("a picture of {h}x{w} has no pixels")]
    NoPixels {
        /// Its height.
        h: u32,
        /// Its width.
        w: u32,
    },
    /// A resize that needs more memory than any network's input would.
    #[error(
        "resize {resize} turns a picture of {from_h}x{from_w} into {h}x{w}, which takes more than {megapixels} \
        megapixels on the way"
    )]
    TooLarge {
        /// What was requested.
        resize: Size,
        /// The resulting height.
        h: u32,
        /// The resulting width.
        w: u32,
        /// The picture's height.
        from_h: u32,
        /// The picture's width.
        from_w: u32,
        /// The limit.
        megapixels: u64,
    },
    /// A crop that is larger than the picture. (torchvision would pad it with zeros.)
    #[error("crop {h}x{w} does not fit into a picture of {from_h}x{from_w}")]
    CropTooLarge {
        /// The crop's height.
        h: u32,
        /// The crop's width.
        w: u32,
        /// The picture's height after resizing.
        from_h: u32,
        /// The picture's width after resizing.
        from_w: u32,
    },
}

/// One of the last three sides of a shape.
fn side(shape: &[usize], i: usize) -> usize {
    let at = (shape.len() + i).checked_sub(3);
    at.and_then(|at| shape.get(at)).copied().unwrap_or(0)
}

/// How an array's channels come first.
fn transposition(shape: &[usize]) -> &'static str {
    match shape.len() {
        4 => "x.transpose(0, 3, 1, 2)",
        _ => "x.transpose(2, 0, 1)",
    }
}

/// Bytes, for people.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

fn place(file: &Option<PathBuf>) -> String {
    match file {
        Some(file) => format!("{}: ", file.display()),
        None => String::new(),
    }
}

impl Error {
    /// A value of a recipe that means nothing.
    pub(crate) fn value(key: &str, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Value {
            file: None,
            key: key.into(),
            problem: problem.into(),
            hint: Some(hint.into()),
        }
    }

    /// The same, about a recipe read from this file.
    pub(crate) fn of_file(mut self, path: &std::path::Path) -> Self {
        if let Error::Value { file, .. } | Error::Syntax { file, .. } = &mut self {
            *file = Some(path.into());
        }
        self
    }

    /// The next step, if there is one to name.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Value { hint, .. } => return hint.clone(),
            Error::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "check its name",
                io::ErrorKind::InvalidData => "save it as UTF-8 text",
                _ => "make it a file that this user may read",
            },
            Error::Syntax { .. } => "lines are `key = value`, such as `resize = 256`",
            Error::Folder { .. } => "name a file in it",
            Error::Foreign { hint, .. } => hint,
            Error::Damaged { .. } => "copy or download it again",
            Error::Unsupported { .. } => "save it as PNG",
            Error::TooManyPixels { .. } => "scale it down first, or raise the limit of pixels",
            Error::TooManyBytes { .. } => "give a smaller one, or raise the limit of bytes",
            Error::Array { hint, .. } => hint,
            Error::ChannelsLast { shape } => {
                return Some(format!(
                    "channels last: transpose with {}",
                    transposition(shape)
                ));
            }
            Error::AmbiguousLayout { shape } => {
                return Some(format!(
                    "transpose with {} if channels are last",
                    transposition(shape)
                ));
            }
            Error::NoTransparency { .. } => {
                "give a picture with transparency (RGBA), or an array of its shape"
            }
            Error::NoPixels { .. } => return None,
            Error::TooLarge { .. } => "resize to what the network takes",
            Error::CropTooLarge { .. } => "resize it first, with `resize`",
        };
        Some(hint.into())
    }
}
