//! What `--max-memory` holds: the program in an address space that is capped.

#[cfg(target_os = "linux")]
use std::process::{Command, Output};
use std::{fs, path::Path};

use crate::folder::{Folder, assets, noise};

/// The program with at most `kilobytes` of address space. Two threads and one heap, so that what it reserves does not hang
/// on how many cores there are.
#[cfg(target_os = "linux")]
fn within(folder: &Folder, kilobytes: usize, args: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", "ulimit -v \"$0\" && exec \"$@\""])
        .arg(kilobytes.to_string())
        .arg(env!("CARGO_BIN_EXE_linearscope"))
        .args(args)
        .env("MALLOC_ARENA_MAX", "1")
        .env("RAYON_NUM_THREADS", "2")
        .current_dir(folder.path(""))
        .output()
        .expect("a shell")
}

fn network(name: &str) -> String {
    let path = assets().join(name).join(format!("{name}.onnx"));
    path.display().to_string()
}

/// The cap in kilobytes: 190 to 220 MB were measured for each of the commands with 0.05 GB, and 520 MB for `matrix` without.
#[cfg(target_os = "linux")]
const CAP: usize = 320_000;

#[cfg(target_os = "linux")]
#[test]
fn a_budget_holds_in_a_capped_address_space() {
    let folder = Folder::new();
    folder.write_npy("sr.npy", &noise(128 * 128), &[1, 1, 128, 128]);
    folder.write_npy("edsr.npy", &noise(3 * 64 * 64), &[1, 3, 64, 64]);
    let (pixelshuffle, edsr) = (network("pixelshuffle"), network("edsr"));
    let matrix = ["matrix", &pixelshuffle, "--input", "sr.npy", "--out", "m"];
    // Else the cap would show nothing.
    let free = within(&folder, CAP, &matrix);
    assert!(!free.status.success(), "the cap is too high to tell");
    for args in [
        &matrix[..],
        &["run", &pixelshuffle, "--input", "sr.npy"],
        &["row", &pixelshuffle, "--input", "sr.npy"],
        &["column", &edsr, "--input", "edsr.npy"],
        &["svd", &pixelshuffle, "--input", "sr.npy", "-k", "2"],
        &[
            "contributions",
            &edsr,
            "--input",
            "edsr.npy",
            "--target",
            "0,9,9",
        ],
        &[
            "attribute",
            &edsr,
            "--input",
            "edsr.npy",
            "--target",
            "0,9,9",
        ],
        &["maps", &edsr, "--input", "edsr.npy", "--stride", "8"],
    ] {
        let args = [args, &["--max-memory", "0.05"]].concat();
        let made = within(&folder, CAP, &args);
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{args:?}: {said}");
    }
}

/// How much is looked at at once changes no number.
#[test]
fn maps_do_not_depend_on_the_budget() {
    let folder = Folder::new();
    folder.write_npy("x.npy", &noise(3 * 24 * 24), &[1, 3, 24, 24]);
    let edsr = network("edsr");
    let maps = ["maps", &edsr, "--input", "x.npy", "--stride", "3"];
    folder.ok(&[&maps[..], &["--out", "much"]].concat());
    folder.ok(&[&maps[..], &["--out", "little", "--max-memory", "0.002"]].concat());
    let (much, little) = (
        folder.path("much/x.npy/maps"),
        folder.path("little/x.npy/maps"),
    );
    let mut compared = 0;
    for entry in fs::read_dir(&much).expect("results") {
        let name = entry.expect("an entry").file_name();
        if name.to_string_lossy().ends_with(".npy") {
            let read = |folder: &Path| fs::read(folder.join(&name)).expect("an array");
            assert_eq!(read(&much), read(&little), "{name:?}");
            compared += 1;
        }
    }
    assert!(compared > 3, "{compared} arrays");
}
