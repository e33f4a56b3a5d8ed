//! Downloads, by a `curl` of the test's own: nothing here uses the internet.
#![cfg(unix)]

use std::{fs, os::unix::fs::PermissionsExt, process::Output};

use linearscope_test_support::process::text;

use crate::folder::Folder;

/// A `curl` that appends what it is asked to `asked`, and then carries out the script with `$out`, the file after --output.
fn curl(folder: &Folder, script: &str) {
    let bin = folder.path("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let asked = folder.path("asked");
    let program = format!(
        "#!/bin/sh\necho \"$@\" >> '{}'\nwhile [ \"$1\" != --output ]; do shift; done\nout=\"$2\"\n{script}\n",
        asked.display()
    );
    fs::write(bin.join("curl"), program).expect("written");
    fs::set_permissions(bin.join("curl"), fs::Permissions::from_mode(0o755)).expect("set");
}

fn fetch(folder: &Folder, name: &str) -> Output {
    let path = format!("{}:/usr/bin:/bin", folder.path("bin").display());
    let mut program = folder.command();
    program
        .args(["fetch", name])
        .env("PATH", path)
        .output()
        .expect("it runs")
}

#[test]
fn the_list_needs_no_internet() {
    let folder = Folder::new();
    let list = folder.ok(&["fetch"]);
    assert!(
        list.contains("resnet50") && list.contains("https://download.pytorch.org"),
        "{list}"
    );
    assert!(!list.contains("bicubic"), "{list}");
}

#[test]
fn a_file_that_its_name_does_not_describe_is_rejected() {
    let folder = Folder::new();
    curl(&folder, "printf wrong > \"$out\"");
    let output = fetch(&folder, "resnet50");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    // SHA-256 of "wrong" is 8810ad58…
    assert!(
        said.contains("8810ad58") && said.contains("0676ba61"),
        "{said}"
    );
    assert!(
        folder
            .path("weights/resnet50-0676ba61.pth.rejected")
            .is_file()
    );
    assert!(!folder.path("weights/resnet50-0676ba61.pth").exists());
    // The next run does not continue it.
    assert!(!folder.path("weights/resnet50-0676ba61.pth.part").exists());
}

#[test]
fn a_download_that_breaks_off_is_continued() {
    let folder = Folder::new();
    curl(&folder, "printf first >> \"$out\"; exit 18");
    let output = fetch(&folder, "cyclegan_9blocks");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("run it again to continue"));
    curl(&folder, "printf second >> \"$out\"");
    let output = fetch(&folder, "cyclegan_9blocks");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let path = folder.path("weights/horse2zebra.pth");
    assert_eq!(fs::read(&path).expect("there"), b"firstsecond");
    let asked = fs::read_to_string(folder.path("asked")).expect("asked");
    assert!(
        asked.lines().all(|line| line.contains("--continue-at -")),
        "{asked}"
    );
    // Nobody published its hash: it is pinned, said so, and checked from then on.
    assert!(
        text(&output.stdout).contains("pinned") && text(&output.stderr).contains("not encrypted")
    );
    let again = fetch(&folder, "cyclegan_9blocks");
    assert_eq!(again.status.code(), Some(0));
    assert!(text(&again.stdout).contains("pinned at the first download"));
    assert_eq!(asked.lines().count(), 2);
    fs::write(&path, "other").expect("written");
    let changed = fetch(&folder, "cyclegan_9blocks");
    assert_eq!(changed.status.code(), Some(2), "{}", text(&changed.stdout));
    assert_eq!(fs::read(&path).expect("there"), b"other");
}

#[test]
fn what_cannot_be_fetched_is_said() {
    let folder = Folder::new();
    for (name, word) in [
        ("resnet51", "resnet50"),
        ("bicubic_x2", "no published weights"),
    ] {
        let output = fetch(&folder, name);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).contains(word),
            "{}",
            text(&output.stderr)
        );
    }
    let mut program = folder.command();
    program.args(["fetch", "resnet18"]);
    let output = program
        .env("PATH", folder.path("nowhere"))
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("curl is not installed"),
        "{}",
        text(&output.stderr)
    );
}
