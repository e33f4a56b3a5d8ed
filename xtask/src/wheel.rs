//! The Python package: built as a wheel by maturin, installed into a fresh environment, and tested there by pytest.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use linearscope_test_support::{machine::python_for_wheels, root};

use crate::tally::Tally;

/// The crate of the package.
const CRATE: &str = "crates/linearscope-python";

/// What pip is told every time.
const PIP: [&str; 5] = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
];

/// Where environments and wheels are made.
fn target() -> PathBuf {
    root().join("target")
}

/// The Python of an environment.
fn python_of(environment: &Path) -> PathBuf {
    match cfg!(windows) {
        true => environment.join("Scripts/python.exe"),
        false => environment.join("bin/python3"),
    }
}

/// Run, shown; an error where it fails.
fn run(command: &mut Command) -> Result<(), String> {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    println!("$ {}", words.join(" "));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} ended with {status}", words[0])),
        Err(error) => Err(format!("{}: {error}", words[0])),
    }
}

/// An environment with these packages from a registry. A new one each time where it is to be fresh.
fn environment(name: &str, fresh: bool, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = target().join(name);
    let python = python_of(&folder);
    if fresh && folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    if !python.is_file() {
        run(Command::new(python_for_wheels()?)
            .args(["-m", "venv"])
            .arg(&folder))?;
    }
    run(Command::new(&python)
        .args(PIP)
        .args(["--only-binary", ":all:"])
        .args(packages))?;
    Ok(python)
}

/// Which systems a wheel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// This one, and those whose glibc is no older.
    Here,
    /// Every Linux with glibc from 2.28 on (Debian 10, Ubuntu 18.10, RHEL 8). Zig links it, and everything is compiled once more.
    ManyLinux,
}

/// The oldest glibc of such a wheel.
const MANYLINUX: &str = "manylinux_2_28";

/// Build the wheel of this checkout: one for every Python from 3.10 on. Cost: what of the workspace is not built yet, and half a
/// minute.
pub(crate) fn build(systems: For) -> Result<PathBuf, String> {
    let maturin = "maturin>=1.9.4,<2";
    let python = match systems {
        For::Here => environment("python-maturin", false, &[maturin])?,
        For::ManyLinux => environment("python-maturin-zig", false, &[maturin, "ziglang>=0.13"])?,
    };
    let wheels = target().join("wheels");
    if wheels.exists() {
        fs::remove_dir_all(&wheels).map_err(|error| format!("{}: {error}", wheels.display()))?;
    }
    let mut maturin = Command::new(&python);
    maturin
        .args(["-m", "maturin", "build", "--release", "--interpreter"])
        .arg(&python)
        .arg("--out")
        .arg(&wheels)
        .current_dir(root().join(CRATE));
    if systems == For::ManyLinux {
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        maturin.args(["--zig", "--compatibility", MANYLINUX, "--target", &target]);
        // maturin looks for the Python that has Zig on the path.
        let folder = python.parent().map(PathBuf::from);
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let all = folder.into_iter().chain(std::env::split_paths(&paths));
        maturin.env(
            "PATH",
            std::env::join_paths(all).map_err(|error| error.to_string())?,
        );
    }
    run(&mut maturin)?;
    let files = fs::read_dir(&wheels).map_err(|error| error.to_string())?;
    let mut files = files.filter_map(|entry| Some(entry.ok()?.path()));
    let wheel = files.find(|path| path.extension().is_some_and(|kind| kind == "whl"));
    let wheel = wheel.ok_or("maturin built no wheel")?;
    let size = fs::metadata(&wheel)
        .map_err(|error| error.to_string())?
        .len();
    let name = wheel.file_name().unwrap_or_default().to_string_lossy();
    println!("target/wheels/{name}, {:.1} MB", size as f64 / 1e6);
    match size <= LARGEST {
        true => Ok(wheel),
        false => Err(format!("the wheel has {size} bytes, more than {LARGEST}")),
    }
}

/// Bytes that a wheel may have.
const LARGEST: u64 = 25_000_000;

/// Build it, install it into a fresh environment, and run its tests there.
pub(crate) fn test(tally: &mut Tally) {
    const WHAT: &str = "the tests of the Python package";
    if let Err(reason) = python_for_wheels() {
        return tally.skip(WHAT, &reason);
    }
    // A registry that is not reached is no mistake of the package's.
    let packages = [
        "numpy",
        "scipy",
        "pytest",
        "onnx",
        "mypy",
        "pandas",
        "matplotlib",
        "tqdm",
        "pillow",
        "ray[data]",
        "dask[array,distributed]",
    ];
    let python = match environment("python-wheel", true, &packages) {
        Ok(python) => python,
        Err(reason) => return tally.skip(WHAT, &format!("needs packages by pip: {reason}")),
    };
    let installed = build(For::Here).and_then(|wheel| {
        run(Command::new(&python)
            .args(PIP)
            .args(["--no-deps", "--no-index"])
            .arg(wheel))
    });
    match installed {
        Ok(()) => pytest(tally, Command::new(&python).arg("tests")),
        Err(reason) => tally.broke(&format!("cargo xtask wheel: {reason}")),
    }
}

/// Its tests beside PyTorch, Captum, zennit and Quantus. These take gigabytes: an environment of their own, or the Python that
/// `LINEARSCOPE_PEERS` names.
pub(crate) fn test_peers(tally: &mut Tally) {
    const WHAT: &str = "the tests beside PyTorch";
    let packages = [
        "torch", "captum", "zennit", "quantus", "onnx", "scipy", "pytest",
    ];
    let python = match std::env::var_os("LINEARSCOPE_PEERS") {
        Some(named) => Ok(PathBuf::from(named)),
        None => environment("python-peers", false, &packages),
    };
    let python = match python {
        Ok(python) => python,
        Err(reason) => return tally.skip(WHAT, &reason),
    };
    // Beside the environment, which may be somebody's own.
    let site = target().join("python-peers-site");
    let installed = build(For::Here).and_then(|wheel| {
        let pip = environment("python-maturin", false, &["pip"])?;
        let command = ["--no-deps", "--no-index", "--upgrade", "--target"];
        run(Command::new(pip)
            .args(PIP)
            .args(command)
            .arg(&site)
            .arg(wheel))
    });
    match installed {
        Ok(()) => {
            let mut command = Command::new(&python);
            pytest(tally, command.arg("tests/peers").env("PYTHONPATH", &site));
        }
        Err(reason) => tally.broke(&format!("cargo xtask wheel: {reason}")),
    }
}

/// pytest with the arguments of `command`, a Python.
fn pytest(tally: &mut Tally, command: &mut Command) {
    let tests: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut whole = Command::new(command.get_program());
    whole
        .args(["-m", "pytest", "-rs", "-p", "no:cacheprovider"])
        .args(tests);
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            whole.env(name, value);
        }
    }
    whole
        .env("LINEARSCOPE_ASSETS", root().join("assets"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(root().join(CRATE));
    tally.pytest(&mut whole);
}
