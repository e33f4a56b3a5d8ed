//! `completions`: what a shell needs to complete this program's command line.

use clap::Args;
use clap_complete::Shell;

use crate::{
    command::{About, Command, Group, Pictures},
    error::Result,
};

/// `completions`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Completions {
    /// Shell to generate the script for
    pub shell: Shell,
}

impl Command for Completions {
    const ABOUT: &'static About = &About {
        name: "completions",
        group: Group::Files,
        summary: "Generate a shell completion script",
        details: "Prints the script on stdout. For bash: linearscope completions bash > \
            ~/.local/share/bash-completion/completions/linearscope",
        example: "completions zsh",
        pictures: Pictures::None,
        files: &[],
        tables: &[],
        includes: &[],
    };

    fn run(&self) -> Result<()> {
        let mut program = super::clap();
        clap_complete::generate(
            self.shell,
            &mut program,
            "linearscope",
            &mut std::io::stdout(),
        );
        Ok(())
    }
}
