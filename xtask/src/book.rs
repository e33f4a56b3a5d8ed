//! The book, built by mdBook where it is installed. Tests of `linearscope-cli` run its commands and follow its links.

use std::process::{Command, Stdio};

use crate::tally::Tally;

const SOURCE: &str = "docs/book";

/// Build the book into `docs/book/book`. False when mdBook fails.
pub(crate) fn build(tally: &mut Tally) -> bool {
    let mdbook = || {
        let mut command = Command::new("mdbook");
        command.stdout(Stdio::null());
        command
    };
    let installed = mdbook().arg("--version").status();
    if !installed.is_ok_and(|status| status.success()) {
        tally.skip(
            "the book",
            "mdbook is not installed (cargo install mdbook --locked)",
        );
        return true;
    }
    println!("$ mdbook build {SOURCE}");
    let built = mdbook().args(["build", SOURCE]).status();
    let built = built.is_ok_and(|status| status.success());
    if built {
        println!("the book is {SOURCE}/book/index.html");
    } else {
        tally.broke("mdbook build");
    }
    built
}
