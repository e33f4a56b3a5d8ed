//! The quick tier: what a day's work is tried with between two runs of everything.

use crate::tally::Tally;

/// The workspace's own crates that are compiled for it.
const PACKAGES: [&str; 8] = [
    "linearscope",
    "linearscope-analysis",
    "linearscope-bundle",
    "linearscope-cli",
    "linearscope-onnx",
    "linearscope-picture",
    "linearscope-test-support",
    "linearscope-tests",
];

/// The program's tests that are run, by parts of their names: a picture in, results out; every promise; what
/// is refused.
const MAIN_PATHS: [&str; 6] = [
    "fields::",
    "contributions::",
    "inspect::inspect_shows_every_op",
    "svd::svd_writes_triplets_that_are_triplets",
    "verify::",
    "refusals::",
];

/// Every library's unit tests; the promises on small bundled and random networks; the program's main
/// paths. What compiling takes decides how long one waits for that: our own crates are compiled
/// incrementally and optimised little, third-party ones are those of every other task.
pub(crate) fn run() -> bool {
    let mut settings = vec!["profile.release.incremental=true".to_string()];
    settings.extend(PACKAGES.map(|name| format!("profile.release.package.{name}.opt-level=1")));
    let mut tally = Tally::default();
    let mut test = |args: &[&str]| {
        let settings = settings.iter().flat_map(|setting| ["--config", setting]);
        let command = ["test", "--release"].into_iter().chain(settings);
        tally.run(&command.chain(args.iter().copied()).collect::<Vec<_>>());
    };
    // The same packages in both, so that they are compiled with the same features.
    let packages: Vec<&str> = PACKAGES.iter().flat_map(|name| ["-p", name]).collect();
    let libraries = ["--lib", "--test", "promises_flex", "--no-fail-fast"];
    test(&[&packages[..], &libraries].concat());
    let program = ["--test", "cli", "--"];
    test(&[&packages[..], &program, &MAIN_PATHS].concat());
    tally.close()
}
