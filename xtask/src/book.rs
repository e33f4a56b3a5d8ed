//! The book, built by mdBook. Tests of `linearscope-cli` run its commands and follow its links.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use linearscope_test_support::root;

use crate::tally::{Tally, cargo};

const SOURCE: &str = "docs/book";

/// The mdBook that the pages were looked at with.
const VERSION: &str = "0.4.52";

/// Build the book into `docs/book/book`. Without mdBook it is compiled first, into the target directory: three minutes of two cores, once.
/// False when mdBook fails.
pub(crate) fn build(tally: &mut Tally) -> bool {
    let Some(mdbook) = mdbook() else {
        tally.skip(
            "the book",
            "mdbook is not installed, and cargo install mdbook --locked failed",
        );
        return true;
    };
    println!("$ mdbook build {SOURCE}");
    let built = Command::new(mdbook)
        .args(["build", SOURCE])
        .stdout(Stdio::null())
        .status();
    let built = built.is_ok_and(|status| status.success());
    if built {
        println!("the book is {SOURCE}/book/index.html");
    } else {
        tally.broke("mdbook build");
    }
    built
}

/// The program: the user's own, or one of this project's.
fn mdbook() -> Option<PathBuf> {
    let runs = |program: &PathBuf| {
        let version = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        version.is_ok_and(|status| status.success())
    };
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let tools = target.join("tools");
    let name = format!("mdbook{}", env::consts::EXE_SUFFIX);
    let known = [PathBuf::from("mdbook"), tools.join("bin").join(name)];
    if let Some(found) = known.iter().find(|program| runs(program)) {
        return Some(found.clone());
    }
    println!("$ cargo install mdbook --version {VERSION}");
    let [_, ours] = known;
    let installed = cargo(&[
        "install",
        "mdbook",
        "--version",
        VERSION,
        "--locked",
        "--quiet",
    ])
    .args(["--no-default-features", "--features", "search", "--root"])
    .arg(&tools)
    .env("CARGO_TARGET_DIR", tools.join("build"))
    .status();
    (installed.is_ok_and(|status| status.success()) && runs(&ours)).then_some(ours)
}
