//! What the tests want of the machine, made ready where that is possible: a Vulkan driver, a browser, a
//! Python with SciPy.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use linearscope_test_support::machine::{browser, has_scipy, in_path, own_python, vulkan};

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// Run quietly; what it said when it failed.
fn quietly(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().last().unwrap_or("no reason given").into())
}

/// Install what is absent, if this is a container or a virtual machine's root with apt; give graphics
/// drivers the folder they want.
pub(crate) fn prepare(wgpu: bool) {
    let mut wanted = Vec::new();
    if wgpu && vulkan().is_err() {
        wanted.extend(["mesa-vulkan-drivers", "libvulkan1"]);
    }
    if browser().is_err() {
        wanted.push("chromium");
    }
    if !wanted.is_empty() && is_root() && in_path(&["apt-get"]).is_some() {
        println!("$ apt-get install {}", wanted.join(" "));
        let install = ["install", "-y", "-qq", "--no-install-recommends"];
        let installed = quietly("apt-get", &["update", "-qq"])
            .and_then(|()| quietly("apt-get", &[&install[..], &wanted].concat()));
        if let Err(reason) = installed {
            println!("not installed: {reason}");
        }
    }
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        let folder: PathBuf = std::env::temp_dir().join("linearscope-runtime");
        if std::fs::create_dir_all(&folder).is_ok() {
            // SAFETY: no other thread runs yet.
            unsafe { std::env::set_var("XDG_RUNTIME_DIR", folder) };
        }
    }
}

/// Make a Python with NumPy and SciPy of our own, in `target/python`, unless the user named one or
/// `python3` has them; say what came of it.
pub(crate) fn prepare_python() {
    let folder = own_python();
    let python = folder.join("bin/python3");
    if std::env::var_os("LINEARSCOPE_PYTHON").is_some()
        || has_scipy(&python)
        || has_scipy("python3".as_ref())
    {
        return;
    }
    println!("$ python3 -m venv target/python, with numpy and scipy (60 MB)");
    let text = |path: &PathBuf| path.display().to_string();
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    let wheels = ["--only-binary", ":all:", "numpy", "scipy"];
    let made = quietly("python3", &["-m", "venv", &text(&folder)])
        .and_then(|()| quietly(&text(&python), &[&pip[..], &wheels].concat()));
    if let Err(reason) = made {
        println!("not made, and the test of SciPy is skipped: {reason}");
    }
}
