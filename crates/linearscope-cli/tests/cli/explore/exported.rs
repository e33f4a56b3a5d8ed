//! `explore --export`: the folder that it writes. That the page opens from it is tested in a browser
//! (`tests/outside/explore/exported.rs`).

use std::{fs, path::Path, process::Stdio, thread::sleep, time::Duration};

use serde_json::Value;

use crate::folder::{Folder, picture, scene, sr, vgg};

/// The upscaler as files.
fn export<'a>(model: &'a str, input: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["explore", model, "--input", input, "--export", "site"];
    args.extend(more);
    args
}

/// Names and bytes of all packs.
fn packs(folder: &Folder) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder.path("site/data")).into_iter().flatten();
    let mut packs: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").display().to_string();
            (name, fs::read(&path).expect("a file"))
        })
        .collect();
    packs.sort();
    packs
}

fn changed(path: &Path) -> std::time::SystemTime {
    fs::metadata(path)
        .expect("a file")
        .modified()
        .expect("a time")
}

/// Run, and insist on being refused with these words.
fn refused(folder: &Folder, args: &[&str], expected: &[&str]) {
    let output = folder.run(args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    for words in expected {
        assert!(said.contains(words), "{args:?}: {words}: {said}");
    }
}

#[test]
fn an_export_is_gone_on_with_after_it_was_killed() {
    let folder = Folder::new();
    let (model, input) = (sr(), picture());
    let args = export(&model, &input, &["--step", "1", "--yes"]);
    folder.ok(&args);
    let whole = packs(&folder);
    let page = fs::read(folder.path("site/index.html")).expect("a page");
    assert!(whole.len() > 6, "{} packs", whole.len());
    fs::remove_dir_all(folder.path("site")).expect("it goes");

    // Killed at any moment, until something is there and not all.
    for _ in 0..50 {
        let mut child = folder
            .command()
            .args(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        while packs(&folder).is_empty() && matches!(child.try_wait(), Ok(None)) {
            sleep(Duration::from_millis(2));
        }
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
        if packs(&folder).len() < whole.len() {
            break;
        }
        fs::remove_dir_all(folder.path("site")).expect("it goes");
    }
    let some = packs(&folder);
    assert!(
        !some.is_empty() && some.len() < whole.len(),
        "{} packs",
        some.len()
    );
    assert!(
        !folder.path("site/index.html").exists(),
        "half an export has no page"
    );
    let kept = some.iter().find(|(name, _)| name.ends_with(".js"));
    let kept = kept.map(|(name, _)| folder.path(&format!("site/data/{name}")));
    let before = kept.as_deref().map(changed);

    // What is there stays, what is missing comes, and the whole is the same, byte by byte.
    folder.ok(&args);
    assert_eq!(kept.as_deref().map(changed), before);
    let again: Vec<_> = packs(&folder);
    let names = |packs: &[(String, Vec<u8>)]| {
        packs
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&again), names(&whole));
    for ((name, again), (_, whole)) in again.iter().zip(&whole) {
        assert!(again == whole, "{name} differs");
    }
    assert!(fs::read(folder.path("site/index.html")).expect("a page") == page);
    assert_eq!(parts(&folder), [""; 0]);
}

/// Half-written files in a folder of an export.
fn parts(folder: &Folder) -> Vec<String> {
    let entries = ["site", "site/data"].map(|at| fs::read_dir(folder.path(at)).expect("a folder"));
    let names = entries.into_iter().flatten();
    let names = names.map(|entry| entry.expect("an entry").file_name().display().to_string());
    names.filter(|name| name.ends_with(".part")).collect()
}

/// A kill in the middle of a file leaves a part of it. None outlives the run that goes on, wherever the kill was.
#[test]
fn half_written_files_go() {
    let folder = Folder::new();
    let (model, input) = (sr(), picture());
    let args = export(&model, &input, &["--step", "7", "--yes"]);
    // In the mark of a new folder, which is written before all else.
    fs::create_dir_all(folder.path("site/data")).expect("a folder");
    fs::write(folder.path("site/export.part"), "{\n  \"asked\"").expect("written");
    folder.ok(&args);
    assert_eq!(parts(&folder), [""; 0]);
    let whole = packs(&folder);
    // In a pack, in one that a later run with another grid would not write, and in the page.
    let (first, _) = &whole[0];
    fs::remove_file(folder.path(&format!("site/data/{first}"))).expect("removed");
    let cut = format!("data/{}", first.replace(".js", ".part"));
    let left = [&cut[..], "data/row-99-99.part", "index.part", "export.part"];
    let leave = || {
        for name in left {
            fs::write(folder.path(&format!("site/{name}")), "linearscopePack(").expect("written");
        }
        assert_eq!(parts(&folder).len(), left.len());
    };
    leave();
    folder.ok(&args);
    assert_eq!(parts(&folder), [""; 0]);
    assert!(packs(&folder) == whole, "the packs are others");
    // With --fresh, and after everything was there.
    for more in [&["--fresh"][..], &[]] {
        leave();
        folder.ok(&[&args[..], more].concat());
        assert_eq!(parts(&folder), [""; 0], "{more:?}");
    }
    // What is somebody else's stays.
    fs::create_dir_all(folder.path("other/data")).expect("a folder");
    for name in ["export.part", "data/mine.part"] {
        fs::write(folder.path(&format!("other/{name}")), "dear").expect("a file");
    }
    let theirs = [
        "explore", &model, "--input", &input, "--export", "other", "--yes",
    ];
    refused(&folder, &theirs, &["other contains something else: "]);
    refused(
        &folder,
        &[&theirs[..], &["--fresh"]].concat(),
        &["other contains something else: "],
    );
    assert!(folder.path("other/export.part").exists());
    assert!(folder.path("other/data/mine.part").exists());
}

#[test]
fn only_an_equal_export_is_gone_on_with() {
    let folder = Folder::new();
    let (model, other) = (sr(), vgg());
    let input = picture();
    let scene = scene();
    folder.ok(&export(&model, &input, &["--step", "7", "--yes"]));
    for (args, expected) in [
        (export(&other, &scene, &["--yes"]), "another model"),
        (
            export(&model, &input, &["--yes", "--step", "3"]),
            "another --step",
        ),
        (
            export(&model, &input, &["--yes", "--rules", "taylor"]),
            "other flags",
        ),
        (
            export(&model, &input, &["--yes", "--method", "gradient"]),
            "other methods",
        ),
    ] {
        refused(
            &folder,
            &args,
            &["site contains the export of", expected, "--fresh"],
        );
    }
    // Anew.
    folder.ok(&export(
        &other,
        &scene,
        &["--step", "9", "--yes", "--fresh"],
    ));
    assert!(
        packs(&folder)
            .iter()
            .any(|(name, _)| name.starts_with("output-"))
    );
    assert!(
        !packs(&folder)
            .iter()
            .any(|(name, _)| name.starts_with("row-"))
    );
    // What is somebody else's is left alone.
    fs::create_dir(folder.path("other")).expect("a folder");
    fs::write(folder.path("other/index.html"), "dear").expect("a file");
    let theirs = [
        "explore", &model, "--input", &input, "--export", "other", "--yes",
    ];
    refused(
        &folder,
        &theirs,
        &["other contains something else: index.html"],
    );
    let fresh = [&theirs[..], &["--fresh"]].concat();
    refused(
        &folder,
        &fresh,
        &["other contains something else: index.html"],
    );
    assert!(folder.path("other/index.html").exists());
}

#[test]
fn size_and_time_are_told_and_asked_for() {
    let folder = Folder::new();
    let (model, input) = (sr(), picture());
    let lines = [
        "rows of every place: ",
        "columns of every place: ",
        "total: about ",
        "--yes",
    ];
    refused(&folder, &export(&model, &input, &[]), &lines);
    assert!(!folder.path("site").exists(), "nobody said yes");
    refused(
        &folder,
        &export(
            &model,
            &input,
            &["--step", "1", "--max-size", "0.001", "--yes"],
        ),
        &[
            "the export would take about ",
            "more than 1.0 MB",
            "--max-size 0.",
        ],
    );
    for (flags, expected) in [
        (&["--method", "nonsense"][..], "--method nonsense: "),
        (&["--target", "3"], "--target selects classes"),
        (&["--max-size", "0"], "--max-size 0 is not a valid amount"),
        (&["--port", "80"], "cannot be used with"),
    ] {
        refused(
            &folder,
            &export(&model, &input, &[flags, &["--yes"]].concat()),
            &[expected],
        );
    }
    refused(
        &folder,
        &["explore", &model, "--input", &input, "--step", "2"],
        &["--export <DIR>"],
    );
}

/// What is said before is near what comes.
#[test]
fn the_estimate_is_near() {
    let folder = Folder::new();
    let (model, input) = (sr(), picture());
    let output = folder.run(&export(&model, &input, &["--yes"]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let bytes = |text: &str| -> f64 {
        let mut words = text.split_whitespace();
        let number: f64 = words.next().expect("a number").parse().expect("a number");
        number
            * match words.next().map(|unit| unit.trim_end_matches(',')) {
                Some("kB") => 1e3,
                Some("MB") => 1e6,
                unit => panic!("{unit:?}"),
            }
    };
    for (name, start) in [("row-", "rows of "), ("column-", "columns of ")] {
        let line = said
            .lines()
            .find(|line| line.starts_with(start))
            .expect("a line");
        let told = bytes(line.split_once("about ").expect("about").1);
        let there = packs(&folder);
        let there = there.iter().filter(|(pack, _)| pack.starts_with(name));
        let there: usize = there.map(|(_, bytes)| bytes.len()).sum();
        let ratio = told / there as f64;
        assert!((0.6..1.7).contains(&ratio), "{line}: {there} bytes");
    }
    let mark: Value =
        serde_json::from_slice(&fs::read(folder.path("site/export.json")).expect("a mark"))
            .expect("JSON");
    assert_eq!(mark["sides"][0]["step"], 1);
}
