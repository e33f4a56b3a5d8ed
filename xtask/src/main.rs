//! Project tasks: `cargo xtask test` passes all tests and ends with their sum.

mod book;
mod layers;
mod machine;
mod node_tests;
mod ops;
mod package;
mod quick;
mod tally;
mod wheel;

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use linearscope_test_support::machine::vulkan;
use tally::{Tally, cargo};

const HELP: &str = "\
cargo xtask test      cargo xtask lint, then every test of the workspace: documentation, units,
                      conformance on the CPU and on wgpu, the program as a process. As root it installs a software Vulkan driver
                      and a browser by apt where there is none; where python3 lacks SciPy it makes a
                      venv, target/python. What a test still lacks is said, and counted as skipped
cargo xtask wheel     the Python package as a wheel, target/wheels; needs Python from 3.10 on and pip. test builds it,
                      installs it into a fresh venv and runs pytest there. --manylinux links it with Zig, by pip, for
                      every Linux with glibc from 2.28 on, and compiles everything once more
cargo xtask test-python  that part of test alone
cargo xtask test-peers  the package beside PyTorch, Captum, zennit and Quantus: gigabytes by pip, or the
                      Python that LINEARSCOPE_PEERS names
cargo xtask test-cpu  the same as test without wgpu, which takes ten minutes to compile for the first time
cargo xtask test-remote  the promises on a device behind Burn's remote backend, over loopback: compiles 140 more crates, and Burn
cargo xtask quick     for daily work, compiling incrementally with little optimisation: all unit
                      tests, the promises on small networks, the program's main paths
cargo xtask node-tests  fetch the ONNX backend node tests (python3 with pip); test does, too
cargo xtask features  cargo check with each feature that this system can check
cargo xtask wasm      cargo check of the library crates for wasm32, where that target is installed
cargo xtask book      the book, docs/book/book/index.html; compiles mdbook into the target directory if there is none
cargo xtask lint      formatting, clippy and the links of the documentation
cargo xtask deny      licences, versions and sources of all dependencies by cargo-deny, as deny.toml allows them
cargo xtask package   package the crates that are published, in the order of publishing, and look that no source
                      includes a file that is not in its package. --verify compiles each package
cargo xtask layers    imports within the library crates: from lower layers only in the core crate, and no
                      circles of files in the others. Prints what breaks this, file → file: names
cargo xtask layers CRATE  the circles of files of one crate, the core crate's too
cargo xtask ops       the inventory of Burn's backend functions, docs/book/src/ops.md; fails on one without a class";

fn main() -> ExitCode {
    let ok = match std::env::args().nth(1).as_deref() {
        Some("test") => test(true),
        Some("test-cpu") => test(false),
        Some("quick") => quick::run(),
        Some("wheel") => {
            let systems = match std::env::args().nth(2).as_deref() {
                None => Ok(wheel::For::Here),
                Some("--manylinux") => Ok(wheel::For::ManyLinux),
                Some(other) => Err(format!("{other}: wheel takes --manylinux alone")),
            };
            succeeded(systems.and_then(wheel::build)).is_some()
        }
        Some("test-python") => {
            let mut tally = Tally::default();
            wheel::test(&mut tally);
            tally.close()
        }
        Some("test-remote") => test_remote(),
        Some("test-peers") => {
            let mut tally = Tally::default();
            wheel::test_peers(&mut tally);
            tally.close()
        }
        Some("book") => book::build(&mut Tally::default()),
        Some("features") => features(),
        Some("wasm") => wasm(),
        Some("lint") => lint(),
        Some("deny") => deny(),
        Some("package") => {
            let flags: Vec<String> = std::env::args().skip(2).collect();
            succeeded(package::run(&flags)).is_some()
        }
        Some("ops") => {
            let said = succeeded(ops::run(Path::new("."), false));
            said.inspect(|said| println!("{said}")).is_some()
        }
        Some("layers") => {
            let only = std::env::args().nth(2);
            succeeded(layers::run(Path::new("."), only.as_deref())).unwrap_or(false)
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

/// What a task gave; its problem is printed.
fn succeeded<T>(done: Result<T, String>) -> Option<T> {
    done.inspect_err(|problem| eprintln!("{problem}")).ok()
}

fn test(wgpu: bool) -> bool {
    let clean = lint();
    machine::prepare(wgpu);
    machine::prepare_python();
    node_tests::fetch();
    // The same profile and features as `cargo run --release`, so that nothing compiles twice.
    let mut tally = Tally::default();
    tally.run(&["test", "--release", "--workspace", "--doc"]);
    let mut all = vec!["test", "--release", "--workspace"];
    all.extend(["--lib", "--bins", "--tests", "--examples", "--no-fail-fast"]);
    let wgpu = wgpu && vulkan().is_ok();
    if wgpu {
        // They run below, and are not to be counted as ignored here.
        all.extend(["--", "--skip", "wgpu::"]);
    }
    tally.run(&all);
    if wgpu {
        // One workspace with more features: what they do not touch stays compiled.
        let features = "linearscope-tests/wgpu,linearscope-analysis/faer";
        let targets = ["--test", "promises_wgpu", "--test", "faer"];
        let command = ["test", "--release", "--workspace", "--features", features];
        tally.run(&[&command[..], &targets].concat());
    }
    if !wasm() {
        tally.broke("cargo xtask wasm");
    } else if !has_target(WASM) {
        tally.skip("cargo check for WebAssembly", "the target is not installed");
    }
    wheel::test(&mut tally);
    book::build(&mut tally);
    if !clean {
        println!("cargo xtask lint fails: see above");
    }
    tally.close() && clean
}

/// The promises on a device of another process, over loopback. Apart from the others: Burn's remote backend brings Iroh along, whichever
/// transport is used, which is 140 crates and Burn once more.
fn test_remote() -> bool {
    let mut tally = Tally::default();
    let features = ["--features", "linearscope-tests/remote"];
    let command = [
        "test",
        "--release",
        "--workspace",
        "--test",
        "promises_remote",
    ];
    tally.run(&[&command[..], &features].concat());
    tally.close()
}

/// Metal needs a Mac to compile, ROCm its libraries.
fn features() -> bool {
    let other = match cfg!(target_os = "macos") {
        true => "metal",
        false => "cuda",
    };
    let devices = [
        "wgpu",
        "vulkan",
        "wgpu,fusion,autotune",
        "remote-server",
        other,
    ];
    devices
        .map(|features| ("linearscope-cli", features))
        .iter()
        .chain(&[("linearscope-analysis", "faer")])
        .all(|&(package, features)| {
            let args = [
                "check",
                "--release",
                "--tests",
                "-p",
                package,
                "--features",
                features,
            ];
            println!("$ cargo {}", args.join(" "));
            cargo(&args).status().is_ok_and(|status| status.success())
        })
}

/// The target of browsers.
const WASM: &str = "wasm32-unknown-unknown";

/// Whether the toolchain can compile for a target.
fn has_target(target: &str) -> bool {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    sysroot.is_ok_and(|output| {
        let root = String::from_utf8_lossy(&output.stdout).trim().to_string();
        Path::new(&root)
            .join("lib/rustlib")
            .join(target)
            .join("lib")
            .is_dir()
    })
}

/// cargo check of the crates that a page could use, for the target of browsers; true where it is not installed.
fn wasm() -> bool {
    if !has_target(WASM) {
        println!("skipped: the target {WASM} is not installed (rustup target add {WASM})");
        return true;
    }
    let packages = ["linearscope", "linearscope-analysis", "linearscope-picture"];
    let packages = packages.iter().flat_map(|name| ["-p", name]);
    let args = ["check", "--release", "--target", WASM]
        .into_iter()
        .chain(packages);
    let args: Vec<&str> = args.collect();
    println!("$ cargo {}", args.join(" "));
    cargo(&args).status().is_ok_and(|status| status.success())
}

/// Whether cargo has this tool; said where it has not.
fn installed(tool: &str, how: &str) -> bool {
    let found = cargo(&[tool, "--version"]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: cargo {tool} is not installed ({how})");
    }
    found
}

/// What can be said of dependencies without asking for advisories; the release workflow asks for those.
fn deny() -> bool {
    if !installed("deny", "cargo install --locked cargo-deny") {
        return true;
    }
    let args = ["deny", "check", "licenses", "bans", "sources"];
    println!("$ cargo {}", args.join(" "));
    cargo(&args).status().is_ok_and(|status| status.success())
}

/// Formatting, clippy and the links of the documentation; what the toolchain lacks is said and skipped.
fn lint() -> bool {
    let there = |tool| installed(tool, "rustup component add rustfmt clippy");
    let mut clean = true;
    let mut run = |args: &[&str]| {
        println!("$ cargo {}", args.join(" "));
        clean &= cargo(args).status().is_ok_and(|status| status.success());
    };
    if there("fmt") {
        run(&["fmt", "--all", "--check"]);
    }
    if there("clippy") {
        let all = ["clippy", "--release", "--workspace", "--all-targets"];
        run(&[&all[..], &["--", "-D", "warnings"]].concat());
    }
    run(&["doc", "--release", "--workspace", "--no-deps"]);
    clean
}
