//! The `linearscope` program.

mod args;
mod baseline;
mod boxes;
mod command;
mod commands;
mod console;
mod content;
#[cfg(test)]
mod docs;
mod ends;
mod error;
#[cfg(feature = "explore")]
mod explore;
mod job;
mod kind;
mod labels;
mod limits;
mod npy;
mod opened;
mod picture;
mod recipe;
mod report;
mod results;
mod rules;
mod segments;
mod session;
mod side_by_side;
mod subject;
mod task;

use std::{
    panic,
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use error::{BUG, Failure};

/// Where the program last panicked.
static PANICKED: Mutex<String> = Mutex::new(String::new());

fn dispatch() -> error::Result<()> {
    let matches = commands::clap().get_matches();
    let (name, matches) = matches.subcommand().expect("clap asks for one");
    let entry = commands::ALL.iter().find(|entry| entry.about.name == name);
    (entry.expect("clap knows these alone").run)(matches)
}

/// A mistake of ours, with what its report needs.
fn bug(message: &str) -> Failure {
    let place = PANICKED.lock().unwrap_or_else(PoisonError::into_inner);
    Failure {
        message: format!("a bug in linearscope: {message} ({place})"),
        hint: Some(format!(
            "please report it with this line, the model and the command: linearscope {}, {}",
            env!("CARGO_PKG_VERSION"),
            opened::typed()
        )),
        code: BUG,
    }
}

/// Let glibc keep what tensors gave back, for the next ones. Otherwise it returns every large buffer to the system and
/// asks for it again, and the system clears it page by page: half of what a pixel shuffle takes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_buffers() {
    /// The most that glibc promises to take. Beyond it a buffer is the system's business: holes of that size would seldom
    /// be filled again.
    const LARGE: libc::c_int = 32 << 20;
    // SAFETY: two numbers that say when memory is given back. Where glibc takes neither, all is as before.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 8 * LARGE);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_buffers() {}

fn main() -> ExitCode {
    keep_buffers();
    // Panics of Burn are caught where they happen and come back as errors with the node's name; of others the
    // place is kept for the report.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        *PANICKED.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
    console::answer_ctrl_c();
    let result = panic::catch_unwind(dispatch).unwrap_or_else(|panic| {
        let message = linearscope::panic_message(panic.as_ref());
        // Whoever read our output (head, less) has seen enough.
        match message.contains("failed printing to stdout") {
            true => Ok(()),
            false => Err(bug(&message)),
        }
    });
    console::clear();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            if let Some(hint) = failure.hint {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(failure.code)
        }
    }
}
