//! Flags as words of a command line, without a command line.

use std::path::Path;

use clap::{ArgMatches, Args, FromArgMatches};

use crate::{
    args::Common,
    command::Entry,
    commands,
    error::{Failure, Result},
};

/// The flags that every command about a picture takes.
#[derive(Args)]
struct Flags {
    #[command(flatten)]
    common: Common,
}

/// A name as a positional word: one that begins with a dash would be taken for a flag.
fn positional(path: &Path) -> String {
    let name = path.display().to_string();
    match name.starts_with('-') {
        true => format!("./{name}"),
        false => name,
    }
}

/// What clap says, without usage and colour.
fn said(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut parts = text.trim_start_matches("error: ").split("\n\n");
    let message = parts.next().unwrap_or_default().trim().to_string();
    let tip = parts.find_map(|part| part.trim().strip_prefix("tip: "));
    match tip {
        Some(tip) => Failure::input(message).hint(tip.trim()),
        None => Failure::input(message),
    }
}

/// The words of a whole line.
fn line(name: &str, [model, input]: [&Path; 2], words: &[String]) -> Vec<String> {
    let mut line = vec![
        name.to_string(),
        positional(model),
        "--input".into(),
        input.display().to_string(),
    ];
    line.extend_from_slice(words);
    line
}

/// What these flags say about a model.
pub(super) fn common(model: &Path, flags: &[String]) -> Result<Common> {
    let command = Flags::augment_args(clap::Command::new("linearscope"));
    let words = line("linearscope", [model, Path::new("array")], flags);
    let matches = command.try_get_matches_from(words);
    let matches = matches.map_err(|error| said(&error))?;
    let flags = Flags::from_arg_matches(&matches).map_err(|error| said(&error))?;
    Ok(flags.common)
}

/// A command of the program by its name.
pub(super) fn entry(name: &str) -> Result<&'static Entry> {
    let found = commands::ALL.iter().find(|entry| entry.about.name == name);
    found.ok_or_else(|| {
        let all = commands::ALL
            .iter()
            .filter(|entry| entry.on_frozen.is_some());
        let all: Vec<&str> = all.map(|entry| entry.about.name).collect();
        Failure::input(format!("no such command: {name}")).hint(format!(
            "commands for a frozen network are {}",
            all.join(", ")
        ))
    })
}

/// The flags of a command, of these words.
pub(super) fn matches(entry: &Entry, ends: [&Path; 2], words: &[String]) -> Result<ArgMatches> {
    let words = line(entry.about.name, ends, words);
    let matches = entry.clap().try_get_matches_from(words);
    matches.map_err(|error| said(&error))
}

/// The same as the command has them.
pub(super) fn command<T: FromArgMatches>(
    name: &str,
    ends: [&Path; 2],
    words: &[String],
) -> Result<T> {
    let matches = matches(entry(name)?, ends, words)?;
    T::from_arg_matches(&matches).map_err(|error| said(&error))
}
