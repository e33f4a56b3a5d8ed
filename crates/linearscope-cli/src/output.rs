//! The folder results go to. A file appears whole or not at all.

use std::{
    fs,
    io::{IsTerminal, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use linearscope_analysis::Progress;

use crate::error::{Failure, Result};

/// Say on stderr what is being done, if somebody watches.
pub(crate) fn progress(step: &str) {
    let stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = writeln!(stderr.lock(), "{step} …");
    }
}

/// An observer of long computations that says every two seconds how far they are, and never stops them.
pub(crate) fn observer() -> impl FnMut(&Progress) -> ControlFlow<()> {
    let mut told = Instant::now();
    move |at| {
        if told.elapsed() > Duration::from_secs(2) {
            told = Instant::now();
            let mut text = format!("{}: {} of {}", at.doing, at.done, at.of);
            if at.products > 0 {
                text += &format!(", {} products", at.products);
            }
            if at.residual > 0.0 {
                text += &format!(", the worst residual {:.1e}", at.residual);
            }
            progress(&text);
        }
        ControlFlow::Continue(())
    }
}

/// Say on stderr what the user should know though nothing failed.
pub(crate) fn notice(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "notice: {text}");
}

/// A folder that can be written to, made before anything is computed.
pub(crate) fn prepare(out: &Path) -> Result<PathBuf> {
    fs::create_dir_all(out).map_err(|error| unwritable(out, error))?;
    tempfile::tempfile_in(out).map_err(|error| unwritable(out, error))?;
    Ok(out.to_path_buf())
}

fn unwritable(out: &Path, error: std::io::Error) -> Failure {
    Failure::input(format!(
        "--out {} cannot be written to: {error}",
        out.display()
    ))
    .hint("name a folder of yours; nothing was computed yet")
}

/// Write beside, then rename: an interrupted or full disk leaves no half file.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let whole = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        // As any new file of the user's: the umask decides.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut partial = builder.tempfile_in(folder)?;
        partial.write_all(bytes)?;
        partial.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    whole()
        .map_err(|error| Failure::file(path, error).hint("files finished before this one are kept"))
}
