//! What can go wrong with names and files of weights.

use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No network of this name.
    #[error("no network is named \"{name}\"; available are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// All names, separated by commas.
        known: String,
    },
    /// A file of weights that cannot be read.
    #[error("{}: not readable as {format}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What its name says it is.
        format: &'static str,
        /// What the reader says.
        reason: String,
    },
    /// A file whose name says nothing of its format.
    #[error("{}: weights are read from .pth, .pt and .safetensors files", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// Weights of another network.
    #[error("{}: not the weights of this network: {reason}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Counts, and the first names.
        reason: String,
    },
    /// Tensors of another network.
    #[error("not the weights of this network: {0}")]
    Tensors(String),
    /// A network that cannot be captured at this size.
    #[error(transparent)]
    Network(#[from] linearscope::Error),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
