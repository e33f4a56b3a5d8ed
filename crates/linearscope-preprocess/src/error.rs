//! What can go wrong between a file and a network's input.

use std::{io, path::PathBuf};

use crate::Size;

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a file and a network's input. [`Error::hint`] names the next step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file is there but cannot be read: no permission, a folder, not UTF-8.
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
    /// A key of a recipe that is unknown, or whose value means nothing.
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
    /// A file that is not a picture this crate reads.
    #[error("{}: not a readable picture ({source})", file.display())]
    Picture {
        /// Which one.
        file: PathBuf,
        /// What the decoder says.
        source: image::ImageError,
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
        "resize {resize} makes {h}x{w} of a picture of {from_h}x{from_w}, more than {megapixels} megapixels on the way"
    )]
    TooLarge {
        /// What was asked for.
        resize: Size,
        /// The height it comes to.
        h: u32,
        /// The width it comes to.
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

    /// The next step, where there is one to name.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Value { hint, .. } => return hint.clone(),
            Error::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "check its name",
                io::ErrorKind::InvalidData => "save it as UTF-8 text",
                _ => "make it a file that this user may read",
            },
            Error::Syntax { .. } => "lines are `key = value`, such as `resize = 256`",
            Error::Picture { .. } => "PNG, JPEG, BMP and WebP are read",
            Error::NoPixels { .. } => return None,
            Error::TooLarge { .. } => "resize to what the network takes",
            Error::CropTooLarge { .. } => "resize it first, with `resize`",
        };
        Some(hint.into())
    }
}
