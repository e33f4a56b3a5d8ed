//! Results that cannot be mixed up, and jobs that go on where they were.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::folder::{Folder, assets, ops, ops_input, picture, sr, vgg};

/// Every file below a folder and its bytes; `run.json` says when and where, and is left out.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "run.json") {
                let name = path.strip_prefix(folder).expect("below it").to_path_buf();
                all.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    all
}

/// The same names with the same bytes.
fn assert_same(folder: &Folder, one: &str, other: &str) {
    let (one, other) = (
        files(&folder.path("").join(one)),
        files(&folder.path("").join(other)),
    );
    let names = |of: &BTreeMap<PathBuf, Vec<u8>>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&one), names(&other));
    for (name, bytes) in &one {
        assert!(*bytes == other[name], "{} differs", name.display());
    }
    assert!(one.len() >= 8, "{} files", one.len());
}

/// So many scenes of the classifier's size, all different.
fn scenes(folder: &Folder, count: usize) {
    fs::create_dir(folder.path("in")).expect("a folder");
    let scene = image::open(assets().join("pictures/scene.png")).expect("a scene");
    let scene = scene.to_rgb8();
    for number in 0..count {
        let mut picture = scene.clone();
        let pixel = picture.get_pixel_mut(number as u32 % 48, number as u32 / 48);
        pixel.0 = [255 - pixel.0[0], pixel.0[1], number as u8];
        let path = folder.path("in").join(format!("{number:04}.png"));
        picture.save(path).expect("written");
    }
}

fn start(folder: &Folder, args: &[&str]) -> Child {
    folder
        .command()
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// The hidden folder that a job is made in, once it is there.
fn stage(folder: &Folder, parent: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder.path("").join(parent)).ok()?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.find(|path| path.to_string_lossy().ends_with(".partial"))
}

/// How many pieces are finished in it.
fn pieces(stage: Option<PathBuf>) -> usize {
    let entries = stage.and_then(|stage| fs::read_dir(stage).ok());
    let entries = entries.into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            !name.starts_with('.')
                && (entry.path().join("manifest.json").exists() || name.starts_with("piece-"))
        })
        .count()
}

fn wait_for(child: &mut Child, what: impl Fn() -> bool) {
    while !what() {
        assert!(
            child.try_wait().expect("it runs").is_none(),
            "it ended too soon"
        );
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// Everything a result holds is in its manifest, with checksum, and says what it is about.
#[test]
fn two_commands_on_two_pictures_are_four_results() {
    let folder = Folder::new();
    let other = folder.path("other.png");
    image::open(picture())
        .expect("a picture")
        .fliph()
        .save(&other)
        .expect("written");
    let other = other.display().to_string();
    for input in [&picture(), &other] {
        for command in ["row", "column"] {
            folder.ok(&[command, &sr(), "--input", input]);
        }
    }
    let mut seen = Vec::new();
    for name in ["input.png", "other.png"] {
        for command in ["row", "column"] {
            let place = format!("out/{name}/{command}");
            let manifest = folder.json(&format!("{place}/manifest.json"));
            assert_eq!(manifest["command"], command);
            assert_eq!(manifest["complete"], true);
            seen.push(manifest["input"]["sha256"].clone());
            let mut listed: Vec<&str> = Vec::new();
            for file in manifest["files"].as_array().expect("a list") {
                let name = file["file"].as_str().expect("a name");
                let bytes = fs::read(folder.path(&format!("{place}/{name}"))).expect(name);
                assert_eq!(file["bytes"], bytes.len());
                assert!(file["meaning"].as_str().is_some_and(|text| text.len() > 4));
                if name.ends_with(".npy") {
                    let (values, shape) = folder.npy(&format!("{place}/{name}"));
                    assert_eq!(file["shape"], serde_json::json!(shape));
                    assert!(!values.is_empty());
                }
                listed.push(name);
            }
            let mut there: Vec<String> = files(&folder.path(&place))
                .keys()
                .map(|path| path.display().to_string())
                .collect();
            there.retain(|name| name != "manifest.json");
            listed.sort_unstable();
            assert_eq!(there, listed);
            assert!(listed.contains(&"x0.npy") && listed.contains(&"arrays.npz"));
        }
    }
    assert!(seen[0] == seen[1] && seen[2] == seen[3] && seen[0] != seen[2]);
    // Nothing else is left, neither stages nor locks.
    assert_eq!(
        fs::read_dir(folder.path("out/input.png"))
            .expect("it")
            .count(),
        2
    );
    // The same question again: the same bytes.
    folder.ok(&["row", &sr(), "--input", &picture(), "--out", "again"]);
    assert_same(&folder, "out/input.png/row", "again/input.png/row");
}

#[test]
fn another_models_results_are_replaced_aloud() {
    let folder = Folder::new();
    folder.ok(&["run", &sr(), "--input", &picture()]);
    let run = folder.run(&["run", &sr(), "--input", &picture()]);
    assert!(!String::from_utf8_lossy(&run.stderr).contains("replacing"));
    let bicubic = assets().join("graphs/bicubic.onnx").display().to_string();
    let run = folder.run(&["run", &bicubic, "--input", &picture()]);
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(
        told.contains("replacing") && told.contains("tiny_sr.onnx"),
        "{told}"
    );
}

/// Killed half-way, started again, divided in three, one picture after the other or several at once: always the bytes of
/// a run that nobody disturbed.
#[test]
fn a_folder_is_the_same_however_it_was_done() {
    let folder = Folder::new();
    scenes(&folder, 24);
    let ask = |out: &'static str, more: &[&'static str]| {
        let mut args = vec!["contributions".to_string(), vgg()];
        args.extend(["--input", "in", "--out", out].map(String::from));
        args.extend(more.iter().map(|text| (*text).to_string()));
        args
    };
    let run = |args: Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        folder.ok(&args)
    };
    run(ask("whole", &[]));
    for threads in ["1", "3", "5"] {
        let mut command = folder.command();
        command.args(ask("threads", &["--fresh"]));
        let status = command.env("RAYON_NUM_THREADS", threads).output();
        assert!(status.expect("the program starts").status.success());
        assert_same(
            &folder,
            "whole/in/contributions",
            "threads/in/contributions",
        );
    }
    let args = ask("killed", &[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut done = 0;
    for _ in 0..2 {
        let mut child = start(&folder, &args);
        wait_for(&mut child, || {
            pieces(stage(&folder, "killed/in")) >= done + 4
        });
        // `kill` is SIGKILL on Unix.
        child.kill().expect("it is killed");
        child.wait().expect("it is gone");
        done = pieces(stage(&folder, "killed/in"));
    }
    assert!(done < 24 && !folder.path("killed/in/contributions").exists());
    // A piece that was torn is computed again.
    let torn = stage(&folder, "killed/in")
        .expect("a stage")
        .join("0001.png/x0.npy");
    let bytes = fs::read(&torn).expect("a piece");
    fs::remove_file(&torn).expect("removed");
    fs::write(&torn, &bytes[..bytes.len() / 2]).expect("written");
    let out = run(ask("killed", &[]));
    assert!(
        out.contains(&format!("{} of them from an earlier run", done - 1)),
        "{out}"
    );
    assert_same(&folder, "whole/in/contributions", "killed/in/contributions");

    for shard in ["1/3", "3/3"] {
        run(ask("parts", &["--shard", shard]));
    }
    let part = |i: usize| format!("parts/in/contributions.part-{i}-of-3");
    let err = folder.fails(2, &["merge", &part(1), &part(3)]);
    assert!(err.contains("0001.png is missing from all parts"), "{err}");
    run(ask("parts", &["--shard", "2/3"]));
    let merge = ["merge", &part(1), &part(2), &part(3)];
    let torn = folder
        .path("")
        .join(part(2))
        .join("0001.png/contributions.csv");
    let bytes = fs::read(&torn).expect("a piece");
    fs::write(&torn, b"layer").expect("written");
    let err = folder.fails(2, &merge);
    assert!(
        err.contains("0001.png is damaged") && err.contains("contributions.csv"),
        "{err}"
    );
    fs::write(&torn, bytes).expect("written");
    folder.ok(&merge);
    assert_same(&folder, "whole/in/contributions", "parts/in/contributions");
    // Another question takes up nothing of this one's.
    let mut other = ask("killed", &["--target", "1"]);
    other.push("--json".into());
    let summary: Value = serde_json::from_str(&run(other)).expect("JSON alone");
    assert_eq!(summary["pictures"], 24);
    let first = folder.json("killed/in/contributions/0000.png/manifest.json");
    assert_eq!(first["contributions"]["target"], 1);
}

/// Pieces with folders in them are kept, put together and taken up again like all others.
#[test]
fn figures_of_a_folder_are_merged_and_kept() {
    let folder = Folder::new();
    scenes(&folder, 2);
    let model = vgg();
    let ask = |out: &'static str, more: &[&'static str]| {
        let args = [
            "analyse",
            &model,
            "--input",
            "in",
            "--figures",
            "svg",
            "--out",
            out,
        ];
        let args: Vec<&str> = args.iter().chain(more).copied().collect();
        folder.ok(&args)
    };
    ask("whole", &[]);
    let out = ask("whole", &[]);
    assert!(out.contains("2 of them from an earlier run"), "{out}");
    ask("parts", &["--shard", "1/2"]);
    ask("parts", &["--shard", "2/2"]);
    let part = |i: usize| format!("parts/in/analyse.part-{i}-of-2");
    folder.ok(&["merge", &part(1), &part(2)]);
    assert_same(&folder, "whole/in/analyse", "parts/in/analyse");
    let figures = folder.path("parts/in/analyse/0001.png/figures");
    assert!(fs::read_dir(figures).expect("a folder").count() > 2);
}

/// The tables of a folder are its pictures' tables under each other.
#[test]
fn tables_of_a_folder_name_their_picture() {
    let folder = Folder::new();
    scenes(&folder, 2);
    folder.ok(&["votes", &vgg(), "--input", "in", "--top", "2"]);
    let table = fs::read_to_string(folder.path("out/in/votes/votes.csv")).expect("a table");
    let mut lines = table.lines();
    assert_eq!(
        lines.next(),
        Some("picture,class,label,votes,share,score,rank")
    );
    for name in ["0000.png", "0001.png"] {
        let own = format!("out/in/votes/{name}/votes.csv");
        let own = fs::read_to_string(folder.path(&own)).expect("its own");
        for line in own.lines().skip(1) {
            assert_eq!(lines.next(), Some(&*format!("{name},{line}")));
        }
    }
    assert_eq!(lines.next(), None);
    let wide = fs::read_to_string(folder.path("out/in/votes/pictures.csv")).expect("a table");
    assert_eq!(wide.lines().count(), 3);
    assert!(wide.starts_with("picture,best,"), "{wide}");
}

/// SIGINT: what is finished is kept, the exit code is 130, and the rest is done by the same command.
#[cfg(unix)]
#[test]
fn an_interrupted_folder_goes_on() {
    let folder = Folder::new();
    scenes(&folder, 24);
    let model = vgg();
    let args = ["contributions", &model, "--input", "in"];
    let mut child = start(&folder, &args);
    wait_for(&mut child, || pieces(stage(&folder, "out/in")) >= 2);
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(
        told.contains("stopping") && told.contains("run the same command again"),
        "{told}"
    );
    // Nothing that was in the middle is called a failure.
    assert!(!told.contains("left out"), "{told}");
    let out = folder.ok(&args);
    assert!(
        out.contains("from an earlier run") && out.contains("24 pictures"),
        "{out}"
    );
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    let status = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(status.expect("kill runs").success());
}

#[test]
fn a_folder_of_somebody_elses_is_not_replaced() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("out/input.npy/run")).expect("a folder");
    fs::write(folder.path("out/input.npy/run/thesis.tex"), "x").expect("written");
    let err = folder.fails(2, &["run", &ops(), "--input", &ops_input()]);
    assert!(err.contains("linearscope did not write it"), "{err}");
    let err = folder.fails(
        2,
        &["run", &ops(), "--input", &ops_input(), "--shard", "1/2"],
    );
    assert!(err.contains("--shard divides a folder"), "{err}");
}

/// A piece has its picture's name, and lies beside results over all pictures: one name for both is refused before any work.
#[test]
fn pictures_named_like_results_are_refused() {
    let folder = Folder::new();
    for (command, model, name) in [
        ("contributions", vgg(), "contributions.png"),
        ("evaluate", vgg(), "evaluation.png"),
        ("attack", vgg(), "contributions.png"),
        ("mean", sr(), "filters.npy"),
        ("mean", sr(), "shares.png"),
    ] {
        let pictures = format!("{command}-{name}");
        fs::create_dir(folder.path(&pictures)).expect("a folder");
        fs::copy(picture(), folder.path(&pictures).join(name)).expect("a copy");
        let eps: &[&str] = if command == "attack" {
            &["--eps", "0.1"]
        } else {
            &[]
        };
        let args = [&[command, &model, "--input", &pictures][..], eps].concat();
        let error = folder.fails(2, &args);
        assert!(
            error.contains(name) && error.contains("rename"),
            "{command}: {error}"
        );
        assert!(!folder.path("out").exists(), "{command} began");
    }
}
