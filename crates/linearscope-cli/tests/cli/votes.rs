//! `votes`.

use std::fs;

use crate::folder::{Folder, ops, ops_input, picture, scene, sr, text, vgg};

/// An `.npy` of 32-bit integers and its shape.
fn whole(folder: &Folder, name: &str) -> (Vec<i32>, Vec<u64>) {
    let bytes = fs::read(folder.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let file = npyz::NpyFile::new(&bytes[..]).expect("an npy");
    let shape = file.shape().to_vec();
    (file.into_vec::<i32>().expect("i4"), shape)
}

#[test]
fn votes_come_as_table_arrays_and_sheet() {
    let folder = Folder::new();
    let out = folder.ok(&[
        "votes",
        &vgg(),
        "--input",
        &scene(),
        "--out",
        "v",
        "--top",
        "3",
    ]);
    assert!(out.contains("abstain") && out.contains("star"), "{out}");
    let (votes, shape) = whole(&folder, "v/votes.npy");
    assert_eq!(shape, [48, 48]);
    let table = folder.json("v/votes.json");
    let table = table.as_array().expect("a list");
    let mut total = 0;
    let mut last = u64::MAX;
    for row in table {
        let class = row["class"].as_u64().unwrap();
        let count = votes.iter().filter(|v| **v as i64 == class as i64).count() as u64;
        assert_eq!(row["votes"], count);
        assert!((row["share"].as_f64().unwrap() - count as f64 / 2304.0).abs() < 1e-12);
        assert!(row["label"].is_string() && count <= last);
        (total, last) = (total + count, count);
    }
    let manifest = folder.json("v/manifest.json");
    let abstained = manifest["votes"]["abstained"].as_u64().unwrap();
    assert_eq!(total + abstained, 2304);
    assert_eq!(votes.iter().filter(|v| **v == -1).count() as u64, abstained);
    // The best score's discussion comes first, and the votes go to the largest.
    let (discussion, shape) = folder.npy("v/discussion.npy");
    assert_eq!(shape, [3, 48, 48]);
    let classes = manifest["votes"]["discussion_classes"].as_array().unwrap();
    let best = table.iter().find(|row| row["rank"] == 1).unwrap();
    assert_eq!((&classes[0], classes.len()), (&best["class"], 3));
    for i in 0..2304 {
        let at = |k: usize| discussion[k * 2304 + i];
        let voted = classes
            .iter()
            .position(|c| c.as_i64() == Some(i64::from(votes[i])));
        if let Some(k) = voted {
            assert!(
                at(k) >= at((k + 1) % 3) && at(k) >= at((k + 2) % 3),
                "pixel {i}"
            );
        }
    }
    let (masks, shape) = whole(&folder, "v/masks.npy");
    assert_eq!(shape[1..], [48, 48]);
    let first = table[0]["class"].as_i64().unwrap();
    for (i, vote) in votes.iter().enumerate() {
        assert_eq!(masks[i], i32::from(i64::from(*vote) == first));
    }
    let svg = fs::read_to_string(folder.path("v/votes.svg")).unwrap();
    assert!(svg.contains("Who speaks for what") && svg.contains("star"));
    assert!(image::open(folder.path("v/votes.png")).unwrap().width() > 500);
}

#[test]
fn readings_and_voices_differ_and_conserve() {
    let folder = Folder::new();
    let run = |name: &str, more: &[&str]| {
        let (model, input) = (ops(), ops_input());
        let mut args = vec!["votes", &model, "--input", &input];
        args.extend(["--dtype", "f64", "--out", name]);
        args.extend(more);
        folder.ok(&args);
        whole(&folder, &format!("{name}/votes.npy")).0
    };
    let scored = run("s", &[]);
    assert_eq!(scored.len(), 11 * 13);
    let input = run("i", &["--heard", "input"]);
    let paper = run("p", &["--discussion", "paper"]);
    let layer = run("l", &["--heard", "conv2"]);
    assert!(scored != input && scored != paper && scored != layer);
    // A number names the layer too.
    assert_eq!(run("n", &["--heard", "2"]), layer);
    let manifest = folder.json("p/manifest.json");
    for of in manifest["votes"]["discussions"].as_array().unwrap() {
        assert!(of["gap"].as_f64().unwrap().abs() < 1e-9, "{of}");
    }
    let channels = run("c", &["--by-channel", "--discussion", "conserving"]);
    assert_eq!(channels.len(), 3 * 11 * 13);
    let out = folder.ok(&[
        "votes",
        &ops(),
        "--input",
        &ops_input(),
        "--json",
        "--out",
        "j",
    ]);
    let shown: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["votes"]["reading"], "conserving");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = Folder::new();
    let err = folder.fails(2, &["votes", &sr(), "--input", &picture()]);
    assert!(err.contains("no classifier"), "{err}");
    let err = folder.fails(2, &["votes", &ops(), "--input", &ops_input(), "--top", "0"]);
    assert!(err.contains("--top 0"), "{err}");
    let err = folder.fails(
        2,
        &["votes", &ops(), "--input", &ops_input(), "--heard", "conv9"],
    );
    assert!(err.contains("conv9") && err.contains("conv1"), "{err}");
    let run = folder.run(&[
        "votes",
        &ops(),
        "--input",
        &ops_input(),
        "--discussion",
        "loud",
    ]);
    assert_eq!(run.status.code(), Some(2));
    assert!(text(&run.stderr).contains("conserving"));
}
