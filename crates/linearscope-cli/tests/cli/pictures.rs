//! A folder of pictures: results of each, a summary of all; a picture that fails is told and left out.

use std::fs;

use serde_json::Value;

use crate::folder::{Folder, assets, picture, sr, vgg};

fn copied(folder: &Folder, names: &[&str], from: &str) {
    fs::create_dir(folder.path("in")).expect("a folder");
    for name in names {
        fs::copy(from, folder.path(&format!("in/{name}"))).expect("copied");
    }
}

/// One line of JSON for each picture.
fn lines(folder: &Folder) -> Vec<Value> {
    let text = fs::read_to_string(folder.path("o/pictures.jsonl")).expect("lines");
    let line = |line: &str| serde_json::from_str(line).expect("JSON");
    text.lines().map(line).collect()
}

/// Two pictures of the classifier's size.
fn scenes(folder: &Folder) {
    fs::create_dir(folder.path("in")).expect("a folder");
    let all = fs::read_dir(assets().join("pictures")).expect("pictures");
    let mut paths: Vec<_> = all.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let scenes = paths.iter().filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("scene") && name.ends_with(".png")
    });
    for path in scenes.take(2) {
        let name = path.file_name().expect("a name");
        fs::copy(path, folder.path("in").join(name)).expect("copied");
    }
}

#[test]
fn contributions_over_a_folder_have_means_and_a_chart() {
    let folder = Folder::new();
    scenes(&folder);
    let out = folder.ok(&["contributions", &vgg(), "--input", "in", "--out", "o"]);
    assert!(out.contains("residual share"), "{out}");
    let summary = folder.json("o/summary.json");
    assert_eq!(summary["pictures"], 2);
    let pictures = lines(&folder);
    let scores: Vec<f64> = pictures
        .iter()
        .map(|picture| picture["score"].as_f64().expect("a score"))
        .collect();
    assert_eq!(scores.len(), 2);
    let mean = summary["over"]["score"]["mean"].as_f64().expect("a mean");
    assert!((mean - 0.5 * (scores[0] + scores[1])).abs() < 1e-9 * mean.abs());
    for picture in &pictures {
        let name = picture["picture"].as_str().expect("a name");
        assert!(
            folder
                .path(&format!("o/{name}/contributions.json"))
                .exists()
        );
    }
    assert!(folder.path("o/contributions.png").exists());
}

#[test]
fn a_picture_that_fails_is_left_out_and_told() {
    let folder = Folder::new();
    copied(&folder, &["a.png", "b.png"], &picture());
    fs::write(folder.path("in/broken.png"), b"no picture").expect("written");
    fs::write(folder.path("in/notes.txt"), b"no picture either").expect("written");
    let output = folder.run(&["svd", &sr(), "--input", "in", "-k", "2", "--out", "o"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("broken.png is left out"), "{told}");
    let summary = folder.json("o/summary.json");
    assert_eq!(summary["pictures"], 2);
    assert_eq!(summary["left_out"][0]["picture"], "broken.png");
    assert!(told.contains("notes.txt"), "{told}");
    // The same picture twice: the same numbers.
    let pictures = lines(&folder);
    let sigma = |i: usize| pictures[i]["sigma"].clone();
    assert!(sigma(0).is_array());
    assert_eq!(sigma(0), sigma(1));
    assert!(folder.path("o/a.png/sigma.npy").exists());
}

#[test]
fn a_page_leads_to_the_report_of_each() {
    let folder = Folder::new();
    copied(&folder, &["first.png", "second.png"], &picture());
    let args = [
        "analyse",
        &sr(),
        "--input",
        "in",
        "-k",
        "2",
        "--out",
        "o",
        "--json",
    ];
    let out = folder.ok(&args);
    let summary: serde_json::Value = serde_json::from_str(&out).expect("JSON alone");
    assert_eq!(summary["pictures"], 2);
    let html = fs::read_to_string(folder.path("o/report.html")).expect("a report");
    for name in ["first.png", "second.png"] {
        assert!(
            html.contains(&format!("href=\"{name}/report.html\"")),
            "{name}"
        );
        let own = folder.path(&format!("o/{name}/report.html"));
        let own = fs::read_to_string(own).expect("its own report");
        assert!(own.contains("How far it reaches") && own.contains(name));
    }
}

#[test]
fn attacks_over_a_folder() {
    let folder = Folder::new();
    scenes(&folder);
    let args = [
        "attack",
        &vgg(),
        "--input",
        "in",
        "--eps",
        "8",
        "--probes",
        "2",
        "--out",
        "o",
    ];
    let out = folder.ok(&args);
    assert!(out.contains("are now classified differently"), "{out}");
    let summary = folder.json("o/summary.json");
    assert_eq!(summary["over"]["pictures"], 2);
    assert!(folder.path("o/contributions.svg").exists());
}

#[test]
fn folders_without_pictures_and_commands_of_one_picture_refuse() {
    let folder = Folder::new();
    fs::create_dir(folder.path("in")).expect("a folder");
    let told = folder.fails(2, &["votes", &vgg(), "--input", "in"]);
    assert!(told.contains("contains no picture"), "{told}");
    let told = folder.fails(2, &["row", &sr(), "--input", "in"]);
    assert!(told.contains("is a folder"), "{told}");
}
