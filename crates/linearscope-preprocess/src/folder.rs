//! What of a folder is read.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Error, Format, Result, content, is_array};

/// What of a folder is read, by the endings of names alone: no file is opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Listing {
    /// Pictures and arrays, in the order of their names' bytes: `A10` before `A9`, and both before `a1`.
    pub files: Vec<PathBuf>,
    /// All else, in the same order.
    pub skipped: Vec<Skipped>,
}

/// A part of a folder that is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Which one.
    pub path: PathBuf,
    /// Why not.
    pub reason: SkipReason,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Why a part of a folder is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SkipReason {
    /// Its name begins with a dot.
    Hidden,
    /// A folder: only the files of one folder are read.
    Folder,
    /// A picture, or what one can be made of, but of a kind that is not read.
    Foreign {
        /// What it is.
        what: String,
        /// What makes a picture of it.
        hint: String,
    },
    /// Its name ends with nothing that a picture or an array ends with.
    OtherEnding,
    /// Neither file nor folder, or a link to nothing.
    NoFile {
        /// What the system says.
        problem: String,
    },
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipReason::Hidden => f.write_str("hidden"),
            SkipReason::Folder => f.write_str("a folder"),
            SkipReason::Foreign { what, hint } => write!(f, "{what}; {hint}"),
            SkipReason::OtherEnding => f.write_str("not a picture or array by its name"),
            SkipReason::NoFile { problem } => write!(f, "not a file: {problem}"),
        }
    }
}

/// The pictures and arrays of a folder, and what of it is not read.
///
/// # Errors
/// [`Error::Read`] for a folder that cannot be listed.
pub fn pictures_in(folder: &Path) -> Result<Listing> {
    let fail = |source| Error::Read {
        file: folder.into(),
        source,
    };
    let mut names = fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.file_name()))
                .collect::<std::io::Result<Vec<_>>>()
        })
        .map_err(fail)?;
    names.sort_unstable_by(|a, b| a.as_encoded_bytes().cmp(b.as_encoded_bytes()));
    let mut listing = Listing::default();
    for name in names {
        let path = folder.join(&name);
        let reason = match fs::metadata(&path) {
            _ if name.as_encoded_bytes().starts_with(b".") => SkipReason::Hidden,
            Err(error) => SkipReason::NoFile {
                problem: error.to_string(),
            },
            Ok(about) if about.is_dir() => SkipReason::Folder,
            Ok(about) if !about.is_file() => SkipReason::NoFile {
                problem: "a pipe or device".into(),
            },
            Ok(_) if is_array(&path) || Format::of_name(&path).is_some() => {
                listing.files.push(path);
                continue;
            }
            Ok(_) => match content::foreign_name(&path) {
                Some(foreign) => SkipReason::Foreign {
                    what: foreign.what.into(),
                    hint: foreign.hint.into(),
                },
                None => SkipReason::OtherEnding,
            },
        };
        listing.skipped.push(Skipped { path, reason });
    }
    Ok(listing)
}
