//! What a machine has beyond the checkout. Each function says where a thing is, or what to do to have it:
//! that is the reason an ignored test gives.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use crate::root;

/// Where a thing is, or why it is not there.
pub type Found<T = PathBuf> = Result<T, String>;

/// The folder of real networks and pictures: `LINEARSCOPE_DATA`, else `../shared/data` beside the
/// checkout.
///
/// # Errors
/// Where there is no such folder, or it holds no `models`.
pub fn shared_data() -> Found {
    let beside = || root().join("../shared/data");
    let path = env::var_os("LINEARSCOPE_DATA").map_or_else(beside, PathBuf::from);
    match path.join("models").is_dir() {
        true => Ok(path),
        false => Err("needs the shared data: set LINEARSCOPE_DATA to its folder".into()),
    }
}

/// A file or folder of the shared data.
///
/// # Errors
/// Without the shared data, or without this part of it.
pub fn shared(name: &str) -> Found {
    let path = shared_data()?.join(name);
    match path.exists() {
        true => Ok(path),
        false => Err(format!(
            "needs {name} of the shared data, which LINEARSCOPE_DATA lacks"
        )),
    }
}

/// The ONNX backend node tests: `LINEARSCOPE_ONNX_NODE_TESTS`, else where `cargo xtask node-tests` puts
/// them.
///
/// # Errors
/// Where there is no such folder.
pub fn node_tests() -> Found {
    let fetched = || root().join("target/onnx-node-tests");
    let path = env::var_os("LINEARSCOPE_ONNX_NODE_TESTS").map_or_else(fetched, PathBuf::from);
    match path.is_dir() {
        true => Ok(path),
        false => Err("needs the ONNX node tests: cargo xtask node-tests fetches them".into()),
    }
}

/// The first of these programs in the path.
pub fn in_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|path| path.is_file())
}

/// A Chromium: `CHROMIUM`, else one in the path.
///
/// # Errors
/// Where there is none.
pub fn browser() -> Found {
    let named = env::var_os("CHROMIUM").map(PathBuf::from);
    named
        .filter(|path| path.is_file())
        .or_else(|| in_path(&["chromium", "chromium-browser", "google-chrome"]))
        .ok_or_else(|| {
            "needs a browser: apt install chromium, or set CHROMIUM to the program".into()
        })
}

/// A Chromium that [`crate::browser`] can drive.
///
/// # Errors
/// Where there is none, or no shell that hands it its pipes.
pub fn driven_browser() -> Found {
    match cfg!(unix) {
        true => browser(),
        false => Err("needs a Unix: a browser is driven through descriptors 3 and 4".into()),
    }
}

/// Whether wgpu will find an adapter: a Vulkan driver on Linux; the system's own elsewhere.
///
/// # Errors
/// On Linux without a driver.
pub fn vulkan() -> Found<()> {
    let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let holds_a_driver = |folder: &str| {
        Path::new(folder)
            .read_dir()
            .is_ok_and(|mut files| files.next().is_some())
    };
    let there = !cfg!(target_os = "linux")
        || env::var_os("VK_DRIVER_FILES").is_some()
        || folders.iter().any(|folder| holds_a_driver(folder));
    match there {
        true => Ok(()),
        false => Err("needs a Vulkan driver: apt install mesa-vulkan-drivers".into()),
    }
}

/// Where `cargo xtask test` makes a Python of its own.
pub fn own_python() -> PathBuf {
    root().join("target/python")
}

/// A Python that builds and installs wheels: `LINEARSCOPE_PYTHON` where it is set, else `python3`; 3.10 or later, with venv
/// and pip.
///
/// # Errors
/// Where there is none.
pub fn python_for_wheels() -> Found {
    let named = env::var_os("LINEARSCOPE_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| "python3".into());
    let mut command = Command::new(&python);
    command.args([
        "-c",
        "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))",
    ]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    match command.status().is_ok_and(|status| status.success()) {
        true => Ok(python),
        false => {
            Err("needs Python from 3.10 on with venv and pip: set LINEARSCOPE_PYTHON to one".into())
        }
    }
}

/// Whether this Python reads sparse matrices.
pub fn has_scipy(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import numpy, scipy.sparse"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A Python with NumPy and SciPy: `LINEARSCOPE_PYTHON` alone where it is set, else the one that `cargo
/// xtask test` made, else `python3`. Cost: half a second of importing, once.
///
/// # Errors
/// Where there is none.
pub fn python_with_scipy() -> Found {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let look = || {
        let candidates = match env::var_os("LINEARSCOPE_PYTHON") {
            Some(named) => vec![PathBuf::from(named)],
            None => vec![own_python().join("bin/python3"), "python3".into()],
        };
        candidates.into_iter().find(|python| has_scipy(python))
    };
    FOUND.get_or_init(look).clone().ok_or_else(|| {
        "needs Python with scipy: set LINEARSCOPE_PYTHON to one, or run cargo xtask test".into()
    })
}
