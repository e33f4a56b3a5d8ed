//! What a command is: its name, what it says of itself, its flags, its files, and what it does.
//!
//! Help, dispatch, the list of commands that take folders, the tables of README and docs, the meanings in
//! manifests and shell completions are made of [`About`]s. A command is one file in `commands/` and one line
//! of [`commands::ALL`](crate::commands::ALL).

use std::path::Path;

use clap::{ArgMatches, Args};
use serde::Serialize;
use serde_json::Value;

use crate::{
    args::Common,
    error::{Failure, Result},
    job::{self, Fold, NoFold, Part},
    results::ALWAYS,
    session::{self, Done, Session},
};

/// A file that a command writes, and what is in it.
#[derive(Debug)]
pub(crate) struct FileAbout(pub &'static str, pub &'static str);

/// A tidy table: `NAME.csv` and `NAME.json`, its columns and what they mean.
#[derive(Debug)]
pub(crate) struct TableAbout {
    pub name: &'static str,
    pub rows: &'static str,
    pub columns: &'static [(&'static str, &'static str)],
}

/// Whether a command is asked about pictures, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pictures {
    /// None, or only as an example.
    None,
    One,
    /// One, or a folder of them.
    Folders,
}

/// The headings under which commands are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Start,
    Explain,
    Operator,
    Check,
    Files,
}

impl Group {
    pub(crate) const ALL: [Group; 5] = [
        Group::Start,
        Group::Explain,
        Group::Operator,
        Group::Check,
        Group::Files,
    ];

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Group::Start => "Start here",
            Group::Explain => "Explain one output",
            Group::Operator => "Look at F itself",
            Group::Check => "Check a model",
            Group::Files => "Results and shell",
        }
    }
}

/// Everything there is to say of a command before it runs.
#[derive(Debug)]
pub(crate) struct About {
    pub name: &'static str,
    pub group: Group,
    /// One line, for lists.
    pub summary: &'static str,
    /// A paragraph or two, for its own help.
    pub details: &'static str,
    /// What a user types, after the program's name.
    pub example: &'static str,
    pub pictures: Pictures,
    pub files: &'static [FileAbout],
    pub tables: &'static [TableAbout],
    /// Commands whose files it writes, too.
    pub includes: &'static [&'static About],
}

impl About {
    fn described(&self, file: &str) -> Option<String> {
        // One that ends with / is a folder, of whose files all is said.
        let is = |about: &&FileAbout| {
            about.0 == file || (about.0.ends_with('/') && file.starts_with(about.0))
        };
        let own = self.files.iter().find(is);
        let of_table = || {
            let (name, kind) = file.rsplit_once('.')?;
            let table = self.tables.iter().find(|table| table.name == name)?;
            matches!(kind, "csv" | "json").then(|| table.rows.to_string())
        };
        own.map(|about| about.1.to_string())
            .or_else(of_table)
            .or_else(|| self.includes.iter().find_map(|about| about.described(file)))
    }

    /// What is in a file that this command writes.
    ///
    /// # Panics
    /// For a file that no description lists: the description is what is wrong then.
    pub(crate) fn meaning(&self, file: &str) -> String {
        let always = || {
            let found = ALWAYS.iter().find(|about| about.0 == file);
            found.map(|about| about.1.to_string())
        };
        self.described(file)
            .or_else(always)
            .unwrap_or_else(|| panic!("`{}` does not describe its file {file}", self.name))
    }

    /// A table that this command writes.
    ///
    /// # Panics
    /// As [`meaning`](Self::meaning).
    pub(crate) fn table(&self, name: &str) -> &'static TableAbout {
        let own = self.tables.iter().find(|table| table.name == name);
        own.or_else(|| {
            let tables = self.includes.iter().flat_map(|about| about.tables);
            tables.into_iter().find(|table| table.name == name)
        })
        .unwrap_or_else(|| panic!("`{}` does not describe its table {name}", self.name))
    }
}

/// Puts the parts of a job together in a folder.
pub(crate) type SumUp = fn(&Path, &[Part]) -> Result<()>;

/// Carries out a command, with its flags, about a frozen network.
pub(crate) type OnFrozen = fn(&ArgMatches, Session) -> Result<Done>;

/// A command.
pub(crate) trait Command: Args {
    const ABOUT: &'static About;

    fn run(&self) -> Result<()>;

    /// Sum up the pieces of a job; `None` for commands that make none.
    const SUM_UP: Option<SumUp> = None;

    /// How it is carried out about a network that is frozen already; `None` for commands that freeze for themselves.
    const ON_FROZEN: Option<OnFrozen> = None;

    /// Flags of [`Common`] that mean nothing here, and that help does not list.
    const HIDDEN: &'static [&'static str] = &[];
}

/// What a command found about one picture.
#[derive(Default)]
pub(crate) struct Told {
    /// Lines for the person who asked.
    pub summary: Vec<String>,
    /// One line, among many pictures.
    pub line: String,
    /// Flat numbers, for the lines and columns of a folder's summary, and for what is said of all.
    pub found: Value,
    /// What did not hold, though there are results.
    pub failure: Option<Failure>,
}

/// A command about a picture, or each picture of a folder.
pub(crate) trait OnPicture: Args + Clone + Serialize + Sync {
    const ABOUT: &'static About;

    /// What is said of all pictures of a folder together.
    type Fold: Fold;

    fn common(&self) -> &Common;

    /// Flags that mean nothing, before anything is read.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Compute and write. What is written when this fails is kept, marked as incomplete.
    fn picture(&self, session: &mut Session) -> Result<Told>;
}

impl<T: OnPicture> Command for T {
    const ABOUT: &'static About = <T as OnPicture>::ABOUT;

    const SUM_UP: Option<SumUp> = match Self::ABOUT.pictures {
        Pictures::Folders => Some(job::merge::<T>),
        _ => None,
    };

    const ON_FROZEN: Option<OnFrozen> = Some(|matches, mut session| {
        let command =
            T::from_arg_matches(matches).map_err(|error| Failure::input(error.to_string()))?;
        command.check()?;
        session.note("command", <T as OnPicture>::ABOUT.name);
        session.note("arguments", &command);
        session.carry_out(&command)
    });

    fn run(&self) -> Result<()> {
        self.check()?;
        let common = self.common();
        if !common.input.is_dir() {
            if common.shard.is_some() {
                return Err(Failure::input(format!(
                    "--shard divides a folder of pictures, but --input {} is a single file",
                    common.input.display()
                )));
            }
            return session::one(self);
        }
        match Self::ABOUT.pictures {
            Pictures::Folders => job::folder(self),
            _ => Err(Failure::input(format!(
                "--input {} is a folder, but {} takes a single picture",
                common.input.display(),
                Self::ABOUT.name
            ))
            .hint(format!(
                "these commands take folders: {}",
                crate::commands::on_folders().join(", ")
            ))),
        }
    }
}

/// For commands that say nothing of all pictures together.
pub(crate) type Alone = NoFold;

/// A command as the program's table has it.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub about: &'static About,
    augment: fn(clap::Command) -> clap::Command,
    pub run: fn(&ArgMatches) -> Result<()>,
    pub sum_up: Option<SumUp>,
    pub on_frozen: Option<OnFrozen>,
    hidden: &'static [&'static str],
}

impl Entry {
    pub(crate) const fn of<T: Command>() -> Self {
        Self {
            about: T::ABOUT,
            augment: T::augment_args,
            run: |matches| {
                T::from_arg_matches(matches)
                    .map_err(|error| Failure::input(error.to_string()))?
                    .run()
            },
            sum_up: T::SUM_UP,
            on_frozen: T::ON_FROZEN,
            hidden: T::HIDDEN,
        }
    }

    /// Its part of the command line.
    pub(crate) fn clap(&self) -> clap::Command {
        let about = self.about;
        let long = match about.details {
            "" => about.summary.to_string(),
            details => format!("{}.\n\n{details}", about.summary),
        };
        let example = format!("Example:\n  linearscope {}", about.example);
        // Flags first: they bring the type's own documentation along, which is not for users.
        let mut command = (self.augment)(clap::Command::new(about.name))
            .about(about.summary)
            .long_about(long)
            .after_help(example);
        let has = |command: &clap::Command, flag: &str| {
            command
                .get_arguments()
                .any(|argument| argument.get_id() == flag)
        };
        if about.pictures == Pictures::Folders {
            let input = "The input x₀: a picture, an .npy array, which is used without preprocessing, or a folder of these";
            command = command.mut_arg("input", |argument| argument.help(input));
        }
        // `backproject --output` is an array; there the network's own output is chosen by another word.
        if has(&command, "output") && has(&command, "read_output") {
            command = command.mut_arg("read_output", |argument| argument.long("read"));
        }
        let of_jobs: &[&str] = match self.sum_up {
            None => &["shard", "fresh"],
            Some(_) => &[],
        };
        for flag in of_jobs.iter().chain(self.hidden) {
            if has(&command, flag) {
                command = command.mut_arg(flag, |argument| argument.hide(true));
            }
        }
        command
    }
}
