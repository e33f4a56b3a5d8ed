//! Project tasks: `cargo xtask test` passes all tests and ends with their sum.

mod layers;
mod machine;
mod node_tests;
mod ops;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

const HELP: &str = "\
cargo xtask test      every test of the workspace: documentation, units, conformance on the CPU and on
                      wgpu, the program as a process. As root it installs a software Vulkan driver
                      and a browser by apt where there is none; else it says what it skips
cargo xtask test-cpu  the same without wgpu, which takes ten minutes to compile for the first time
cargo xtask node-tests  fetch the ONNX backend node tests (python3 with pip); test does, too
cargo xtask features  cargo check with each feature that this system can check
cargo xtask lint      formatting, clippy and the links of the documentation
cargo xtask layers    imports within the library crates: from lower layers only in the core crate, and no
                      circles of files in the others. Prints what breaks this, file → file: names
cargo xtask layers CRATE  the circles of files of one crate, the core crate's too
cargo xtask ops       the inventory of Burn's backend functions, docs/ops.md; fails on one without a class";

fn main() -> ExitCode {
    let ok = match std::env::args().nth(1).as_deref() {
        Some("test") => test(true),
        Some("test-cpu") => test(false),
        Some("features") => features(),
        Some("lint") => lint(),
        Some("ops") => match ops::run(Path::new("."), false) {
            Ok(said) => {
                println!("{said}");
                true
            }
            Err(problems) => {
                eprintln!("{problems}");
                false
            }
        },
        Some("layers") => {
            let only = std::env::args().nth(2);
            layers::run(Path::new("."), only.as_deref()).unwrap_or_else(|problem| {
                eprintln!("{problem}");
                false
            })
        }
        Some("node-tests") => node_tests::fetch(),
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// Passed, failed and ignored of one `test result:` line.
fn counts(line: &str) -> Option<[usize; 3]> {
    let rest = line.strip_prefix("test result: ")?;
    let number = |word: &str| {
        let before = rest.split(word).next()?;
        before.trim().rsplit([' ', '.']).next()?.parse().ok()
    };
    Some([number(" passed")?, number(" failed")?, number(" ignored")?])
}

/// Run one cargo command, pass its output on, and add up what its tests say.
fn run(args: &[&str], total: &mut [usize; 3]) -> bool {
    println!("$ cargo {}", args.join(" "));
    let mut child = match cargo(args).stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("cargo does not start: {error}");
            return false;
        }
    };
    let stdout = child.stdout.take().expect("stdout is piped");
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        println!("{line}");
        if let Some(found) = counts(&line) {
            for (sum, count) in total.iter_mut().zip(found) {
                *sum += count;
            }
        }
    }
    child.wait().is_ok_and(|status| status.success())
}

fn test(wgpu: bool) -> bool {
    machine::prepare(wgpu);
    if !node_tests::fetch() {
        println!("skipped: the ONNX node tests");
    }
    // The same profile and features as `cargo run --release`, so that nothing compiles twice.
    let mut total = [0; 3];
    let docs = run(&["test", "--release", "--workspace", "--doc"], &mut total);
    let tests = run(
        &[
            "test",
            "--release",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--examples",
            "--no-fail-fast",
        ],
        &mut total,
    );
    let wgpu = match (wgpu, machine::has_vulkan()) {
        (true, true) => Some(run(
            // One workspace with one more feature: what it does not touch stays compiled.
            &[
                "test",
                "--release",
                "--workspace",
                "--features",
                "linearscope-tests/wgpu",
                "--test",
                "promises_wgpu",
            ],
            &mut total,
        )),
        (true, false) => {
            println!("skipped: the promises on wgpu (apt install mesa-vulkan-drivers)");
            None
        }
        (false, _) => {
            println!("skipped: the promises on wgpu");
            None
        }
    };
    let data = std::env::var_os("LINEARSCOPE_DATA").unwrap_or_else(|| "../shared/data".into());
    if !Path::new(&data).join("models").is_dir() {
        println!("skipped: what needs real networks (set LINEARSCOPE_DATA to their folder)");
    }
    if !machine::has_browser() {
        println!("skipped: the report in a browser (apt install chromium)");
    }
    println!();
    println!(
        "{} passed, {} failed, {} skipped",
        total[0], total[1], total[2]
    );
    docs && tests && wgpu != Some(false) && total[0] > 0
}

/// Metal needs a Mac to compile, ROCm its libraries.
fn features() -> bool {
    let other = match cfg!(target_os = "macos") {
        true => "metal",
        false => "cuda",
    };
    ["wgpu", "vulkan", "wgpu,fusion,autotune", other]
        .iter()
        .all(|features| {
            let args = [
                "check",
                "--release",
                "-p",
                "linearscope-cli",
                "--features",
                features,
            ];
            println!("$ cargo {}", args.join(" "));
            cargo(&args).status().is_ok_and(|status| status.success())
        })
}

fn lint() -> bool {
    [
        &["fmt", "--all", "--check"][..],
        &[
            "clippy",
            "--release",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
        &["doc", "--release", "--workspace", "--no-deps"],
    ]
    .iter()
    .all(|args| {
        println!("$ cargo {}", args.join(" "));
        cargo(args).status().is_ok_and(|status| status.success())
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn test_results_are_counted() {
        let line = "test result: ok. 13 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(super::counts(line), Some([13, 2, 1]));
        assert_eq!(super::counts("running 3 tests"), None);
    }
}
