//! The `linearscope` program.

mod args;
mod commands;
mod error;
mod folder;
mod npy;
mod npz;
mod output;
mod picture;
mod recipe;
mod report;
mod rules;
mod session;

use std::{panic, process::ExitCode};

use clap::Parser;

use args::{Cli, Command};
use commands::{
    analyse, attack, bench, contributions, demo, fields, inspect, maps, matrix, project, run,
    spectrum, svd, verify, votes,
};
use error::{BAD_INPUT, Failure};
use linearscope_analysis::operator::Field;

fn dispatch(cli: &Cli) -> error::Result<()> {
    match &cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Run(common) => run::run(common),
        Command::Column(args) => fields::run(args, Field::Column),
        Command::Row(args) => fields::run(args, Field::Row),
        Command::Project(args) => project::project(args),
        Command::Backproject(args) => project::backproject(args),
        Command::Svd(args) => svd::run(args),
        Command::Contributions(args) => contributions::run(args),
        Command::Spectrum(args) => spectrum::run(args),
        Command::Maps(args) => maps::run(args),
        Command::Votes(args) => votes::run(args),
        Command::Attack(args) => attack::run(args),
        Command::Analyse(args) => analyse::run(args),
        Command::Matrix(args) => matrix::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Verify(args) => verify::run(args),
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Panics of Burn are caught where they happen and come back as errors with the node's name.
    panic::set_hook(Box::new(|_| {}));
    let result = panic::catch_unwind(|| dispatch(&cli)).unwrap_or_else(|panic| {
        let message = linearscope::panic_message(panic.as_ref());
        // Whoever read our output (head, less) has seen enough.
        if message.contains("failed printing to stdout") {
            return Ok(());
        }
        Err(Failure {
            message: format!("a mistake in linearscope itself: {message}"),
            hint: Some("please report it with the model and the command".into()),
            code: BAD_INPUT,
        })
    });
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
