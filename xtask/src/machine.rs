//! What the tests want of the machine: a Vulkan driver and a browser.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Whether one of these programs is in the path.
fn in_path(names: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| names.iter().any(|name| folder.join(name).is_file()))
}

/// Whether the report can be looked at.
pub(crate) fn has_browser() -> bool {
    in_path(&["chromium", "chromium-browser", "google-chrome"])
}

/// Whether wgpu will find an adapter: a Vulkan driver on Linux; the system's own elsewhere.
pub(crate) fn has_vulkan() -> bool {
    let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let holds_a_driver = |folder: &str| {
        Path::new(folder)
            .read_dir()
            .is_ok_and(|mut files| files.next().is_some())
    };
    !cfg!(target_os = "linux")
        || std::env::var_os("VK_DRIVER_FILES").is_some()
        || folders.iter().any(|folder| holds_a_driver(folder))
}

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
    if wgpu && !has_vulkan() {
        wanted.extend(["mesa-vulkan-drivers", "libvulkan1"]);
    }
    if !has_browser() {
        wanted.push("chromium");
    }
    if !wanted.is_empty() && is_root() && in_path(&["apt-get"]) {
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
