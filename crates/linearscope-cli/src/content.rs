//! Files among a command's own options, as its question has them: a job asks about what a file holds, not about its name.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::{baseline::Baseline, results::sha256_of};

/// The path and what lies there, so that a file that has changed is another question. Nothing is known of one that
/// cannot be read; that is told where it is read.
fn file(path: &Path) -> Value {
    json!({ "path": path, "sha256": sha256_of(path).ok() })
}

/// Baselines by their names, files with what they hold.
pub(crate) fn of_baselines<S: Serializer>(
    baselines: &[Baseline],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let one = |baseline: &Baseline| match baseline {
        Baseline::Named(_) => json!(baseline),
        Baseline::File(path) => json!({ "file": file(path) }),
    };
    serializer.collect_seq(baselines.iter().map(one))
}

/// A file with what it holds, where there is one.
pub(crate) fn of_file<S: Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    path.as_deref().map(file).serialize(serializer)
}

/// The same of a file that there always is.
pub(crate) fn of_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    file(path).serialize(serializer)
}
