//! `merge`: the parts of a job that --shard divided, put together.

use std::path::PathBuf;

use clap::Args;

use crate::{
    command::{About, Command, Group, Pictures},
    error::{Failure, Result},
    job::{Part, check_parts},
};

/// `merge`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Merge {
    /// Folders that --shard produced: OUT/<folder>/<command>.part-I-of-N
    #[arg(required = true)]
    pub parts: Vec<PathBuf>,
    /// Folder for the combined result [default: OUT/<folder>/<command>, next to the parts]
    #[arg(long)]
    pub to: Option<PathBuf>,
}

impl Command for Merge {
    const ABOUT: &'static About = &About {
        name: "merge",
        group: Group::Files,
        summary: "Combine the parts that --shard produced",
        details: "Verifies every checksum. If anything is missing or damaged, names it and writes nothing. The \
            result is byte-identical to that of a single process, except for run.json.",
        example: "merge out/photos/votes.part-*",
        pictures: Pictures::None,
        files: &[],
        tables: &[],
        includes: &[],
    };

    fn run(&self) -> Result<()> {
        let parts = self.parts.iter().map(|path| Part::read(path));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        check_parts(&parts)?;
        let first = &parts[0];
        let command = &first.job.command;
        let entry = super::ALL.iter().find(|entry| entry.about.name == command);
        let sum_up = entry.and_then(|entry| entry.sum_up).ok_or_else(|| {
            Failure::input(format!(
                "this version cannot merge parts of the command `{command}`"
            ))
        })?;
        let beside = || first.path.with_file_name(command);
        let target = self.to.clone().unwrap_or_else(beside);
        sum_up(&target, &parts)
    }
}
