//! The `linearscope` program as a library. [`run`] is the program. [`embed`] is its machinery for a host process that
//! keeps networks and arrays in memory, such as Python.

mod args;
mod baseline;
mod boxes;
mod command;
mod commands;
mod console;
mod content;
mod device;
#[cfg(test)]
mod docs;
pub mod embed;
mod ends;
mod error;
#[cfg(feature = "explore")]
mod explore;
mod input;
mod job;
mod kind;
mod labels;
mod limits;
mod model;
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
    ffi::OsString,
    io::Write,
    panic,
    sync::{Mutex, PoisonError},
};

use error::{BUG, Failure};

/// Where the program last panicked.
static PANICKED: Mutex<String> = Mutex::new(String::new());

fn dispatch(words: &[OsString]) -> error::Result<()> {
    let matches = match commands::clap().try_get_matches_from(words) {
        Ok(matches) => matches,
        // Help and version are errors, too: of code 0.
        Err(said) => {
            let _ = said.print();
            return match said.exit_code() {
                0 => Ok(()),
                code => Err(Failure {
                    code: u8::try_from(code).unwrap_or(error::BAD_INPUT),
                    ..Failure::input("")
                }),
            };
        }
    };
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
        cause: None,
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

/// What a process that computes wants: buffers that are kept, and panics that are silent. Those of Burn are caught where they
/// happen and come back as errors with the node's name; of others the place is kept for the report.
fn prepare() {
    keep_buffers();
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        *PANICKED.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
}

/// Run the program: `words` are its name and its arguments. It handles Ctrl-C, prints its output, and returns its exit
/// code: 0 ok, 1 a bug, 2 usage or bad input, 3 unsupported op, 4 certificate failed or not converged, 130 interrupted.
///
/// Meant for a process that does nothing else: the Ctrl-C handler, the panic hook and the allocator's thresholds
/// stay in place.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = words.into_iter().collect();
    opened::type_in(&words);
    prepare();
    console::answer_ctrl_c();
    let result = panic::catch_unwind(|| dispatch(&words)).unwrap_or_else(|panic| {
        let message = linearscope::panic_message(panic.as_ref());
        // Whoever read our output (head, less) has seen enough.
        match message.contains("failed printing to stdout") {
            true => Ok(()),
            false => Err(bug(&message)),
        }
    });
    console::clear();
    // A library's output is not flushed by itself.
    let _ = std::io::stdout().flush();
    match result {
        Ok(()) => 0,
        // clap has said it.
        Err(failure) if failure.message.is_empty() => failure.code,
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            if let Some(hint) = failure.hint {
                eprintln!("hint: {hint}");
            }
            failure.code
        }
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
