//! `demo` and `analyse`.

use std::fs;

use crate::folder::{Folder, ops, ops_input, picture, sr};

/// A page for the eyes: every picture inside, nothing fetched, every command shown runs.
fn assert_report(html: &str) {
    assert!(
        !html.contains("http://") && !html.contains("https://") && !html.contains("<script "),
        "the report is offline"
    );
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("@media print"));
    assert!(
        !html.contains('@') || !html.contains("@CHAPTERS@"),
        "a gap of the page is open"
    );
    assert!(html.len() < 10_000_000, "{} bytes", html.len());
    for part in [
        "certificate (f32)",
        "class=\"bars\"",
        "data:image/png;base64,",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

/// The commands a report shows, as arguments.
pub(crate) fn commands(html: &str) -> Vec<Vec<String>> {
    html.split("<code class=\"command\">linearscope ")
        .skip(1)
        .map(|rest| {
            let line = rest.split("</code>").next().expect("a split has a first");
            line.split(' ').map(String::from).collect()
        })
        .collect()
}

#[test]
fn the_demo_ends_in_a_report_whose_commands_run() {
    let folder = Folder::new();
    let out = folder.ok(&["demo", "--out", "d"]);
    assert!(out.contains("report.html"), "{out}");
    let html = fs::read_to_string(folder.path("d/report.html")).unwrap();
    assert_report(&html);
    assert_eq!(html.matches("<section>").count(), 4);
    let commands = commands(&html);
    assert!(commands.len() >= 20, "{commands:?}");
    let mut kinds = std::collections::BTreeSet::new();
    for command in &commands {
        // Each kind of command once is enough.
        if kinds.insert(command[0].clone()) {
            let args: Vec<&str> = command.iter().map(String::as_str).collect();
            folder.ok(&[&args[..], &["--out", "again"]].concat());
        }
    }
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    assert_eq!(
        kinds,
        [
            "attribute",
            "column",
            "contributions",
            "maps",
            "row",
            "run",
            "svd",
            "votes"
        ]
    );
}

#[test]
fn analyse_recognises_the_task() {
    let folder = Folder::new();
    for (name, model, input, task, words) in [
        (
            "scores",
            ops(),
            ops_input(),
            "classifier",
            "Which layer made it",
        ),
        ("larger", sr(), picture(), "sr", "Where a pixel goes"),
    ] {
        folder.ok(&[
            "analyse", &model, "--input", &input, "--out", name, "-k", "2",
        ]);
        let html = fs::read_to_string(folder.path(&format!("{name}/report.html"))).unwrap();
        assert_report(&html);
        assert!(html.contains(words), "{name}");
        let manifest = folder.json(&format!("{name}/manifest.json"));
        assert_eq!(manifest["task"], task);
        assert!(manifest["svd"]["triplets"].as_array().is_some());
        for file in ["row.npy", "sigma.npy", "contributions.json", "output.npy"] {
            assert!(
                folder.path(&format!("{name}/{file}")).exists(),
                "{name}/{file}"
            );
        }
    }
    let args = [
        "analyse",
        &sr(),
        "--input",
        &picture(),
        "--out",
        "o",
        "-k",
        "2",
    ];
    folder.ok(&[&args[..], &["--task", "i2i"]].concat());
    assert_eq!(folder.json("o/manifest.json")["task"], "i2i");
    // The flags that decide what is computed are in the commands shown.
    folder.ok(&[&args[..], &["--dtype", "f64", "--range", "1"]].concat());
    let html = fs::read_to_string(folder.path("o/report.html")).unwrap();
    assert!(html.contains("--dtype f64 --range 1 -k 2"));
}

/// Each figure of the report as a file: as many in every format, each what its name says.
#[test]
fn figures_are_files_for_a_paper() {
    let folder = Folder::new();
    let mut counts = Vec::new();
    for format in ["png", "svg", "pdf"] {
        let out = folder.ok(&[
            "analyse",
            &sr(),
            "--input",
            &picture(),
            "--out",
            format,
            "--figures",
            format,
        ]);
        let manifest = folder.json(&format!("{format}/manifest.json"));
        let files = manifest["files"].as_array().expect("files");
        let names = files.iter().filter_map(|file| file["file"].as_str());
        let names: Vec<&str> = names.filter(|name| name.starts_with("figures/")).collect();
        assert!(
            out.contains(&format!("{} figures are in figures/", names.len())),
            "{out}"
        );
        for name in &names {
            let bytes = fs::read(folder.path(&format!("{format}/{name}"))).expect("a figure");
            match format {
                "png" => {
                    image::load_from_memory(&bytes).expect("a picture");
                }
                "svg" => {
                    let text = String::from_utf8(bytes).expect("text");
                    assert!(
                        text.starts_with("<svg") && !text.contains("<text"),
                        "{name}"
                    );
                }
                _ => {
                    assert!(
                        bytes.starts_with(b"%PDF-1.7") && bytes.ends_with(b"%%EOF"),
                        "{name}"
                    );
                    assert!(
                        bytes.windows(6).any(|part| part == b"/Image") || name.contains("layer"),
                        "{name}"
                    );
                }
            }
        }
        assert!(
            names
                .iter()
                .any(|name| name.starts_with("figures/01-what-it-makes.")),
            "{names:?}"
        );
        counts.push(names.len());
    }
    assert!(
        counts[0] >= 5 && counts.iter().all(|count| *count == counts[0]),
        "{counts:?}"
    );
    let plain = folder.ok(&["analyse", &sr(), "--input", &picture(), "--out", "none"]);
    assert!(!plain.contains("figures are in") && !folder.path("none/figures").exists());
}
