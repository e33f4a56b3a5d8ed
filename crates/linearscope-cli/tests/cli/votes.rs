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
    assert!(
        out.contains("among 8 classes") && out.contains("--discussion paper"),
        "{out}"
    );
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
    assert!(svg.contains("Which pixels support which class") && svg.contains("star"));
    assert!(image::open(folder.path("v/votes.png")).unwrap().width() > 500);
}

/// Votes of the scene in `out`, with labels of kinds; stdout.
fn of_scene(folder: &Folder, out: &str, more: &[&str]) -> String {
    let (model, input) = (vgg(), scene());
    let common = ["votes", &model, "--input", &input, "--out", out];
    folder.ok(&[&common[..], more].concat())
}

/// What the manifest says of the classes that were heard.
fn heard(folder: &Folder, out: &str) -> Vec<u64> {
    let manifest = folder.json(&format!("{out}/manifest.json"));
    let list = manifest["votes"]["classes_heard"].as_array().expect("some");
    assert_eq!(manifest["votes"]["among"], list.len());
    list.iter()
        .map(|class| class.as_u64().expect("a class"))
        .collect()
}

/// Classes of `out` by their scores, of those that are listed.
fn by_rank(folder: &Folder, out: &str) -> Vec<u64> {
    let table = folder.json(&format!("{out}/votes.json"));
    let rows = table.as_array().expect("a list").iter();
    let number = |row: &serde_json::Value, name: &str| row[name].as_u64().expect("a number");
    let mut ranks: Vec<(u64, u64)> = rows
        .map(|row| (number(row, "rank"), number(row, "class")))
        .collect();
    ranks.sort_unstable();
    ranks.into_iter().map(|(_, class)| class).collect()
}

#[test]
fn some_classes_are_voted_on_and_the_best_scores_shown() {
    let folder = Folder::new();
    of_scene(&folder, "all", &["--top", "8"]);
    let whole = folder.json("all/manifest.json");
    assert!(whole["votes"]["classes_heard"].is_null() && whole["votes"]["among"] == 8);
    let order = by_rank(&folder, "all");
    assert_eq!(order.len(), 8);

    let out = of_scene(&folder, "best", &["--among", "top:3", "--top", "2"]);
    assert!(out.contains("votes among 3 of 8 classes"), "{out}");
    assert_eq!(heard(&folder, "best"), order[..3]);
    let (votes, _) = whole_of(&folder, "best");
    for vote in votes {
        assert!(vote == -1 || order[..3].contains(&(vote as u64)), "{vote}");
    }

    // Two that have not the best scores: these are listed, drawn and written all the same.
    let (a, b) = (order[6].to_string(), order[7].to_string());
    let numbers = format!("{b},{a}");
    let out = of_scene(&folder, "last", &["--among", &numbers, "--top", "2"]);
    assert_eq!(heard(&folder, "last"), order[6..]);
    assert!(out.contains("(not voted on)"), "{out}");
    assert_eq!(by_rank(&folder, "last")[..2], order[..2]);
    let (discussion, shape) = folder.npy("last/discussion.npy");
    assert_eq!(shape, [2, 48, 48]);
    let (same, _) = folder.npy("all/discussion.npy");
    let most = same.iter().fold(0f64, |most, v| most.max(v.abs()));
    for (a, b) in discussion.iter().zip(&same) {
        assert!((a - b).abs() <= 1e-5 * most, "{a} {b}");
    }
    let svg = fs::read_to_string(folder.path("last/votes.svg")).expect("drawn");
    assert!(svg.contains("0.0 % ") && svg.contains("among 2 of 8 classes"));

    // By name, and by flags of one each.
    of_scene(&folder, "names", &["--among", "Star,disc"]);
    of_scene(&folder, "apart", &["--among", "star", "--among", "0"]);
    let mut named = heard(&folder, "names");
    assert_eq!(heard(&folder, "apart"), named);
    named.sort_unstable();
    assert_eq!(named, [0, 5]);
    assert_eq!(whole_of(&folder, "names"), whole_of(&folder, "apart"));

    // Names that hold commas.
    let names: String = (0..8)
        .map(|i| format!("thing {i}, kind {}\n", i / 2))
        .collect();
    fs::write(folder.path("names.txt"), names).expect("written");
    let more = [
        "--labels",
        "names.txt",
        "--among",
        "thing 2, kind 1",
        "--among",
        "THING 7",
    ];
    of_scene(&folder, "commas", &more);
    let mut named = heard(&folder, "commas");
    named.sort_unstable();
    assert_eq!(named, [2, 7]);
}

fn whole_of(folder: &Folder, out: &str) -> (Vec<i32>, Vec<u64>) {
    whole(folder, &format!("{out}/votes.npy"))
}

/// The colour beside a class in the key of a sheet.
fn colour_of(folder: &Folder, out: &str, class: &str) -> String {
    let svg = fs::read_to_string(folder.path(&format!("{out}/votes.svg"))).expect("drawn");
    let lines: Vec<&str> = svg.lines().collect();
    let end = format!(" % {class}</text>");
    let at = lines.iter().position(|line| line.ends_with(&end));
    // Before the text a square and its frame.
    let square = lines[at.expect("it is in the key") - 2];
    let fill = square.split("fill=\"").nth(1).expect("a fill");
    fill.split('"').next().expect("a colour").into()
}

#[test]
fn a_class_has_one_colour_in_all_runs() {
    let folder = Folder::new();
    for (out, more) in [
        ("a", &[][..]),
        ("b", &["--among", "star,disc", "--top", "2"]),
        (
            "c",
            &["--among", "5,1,2", "--discussion", "paper", "--top", "8"],
        ),
        ("d", &["--by-channel"]),
    ] {
        of_scene(&folder, out, more);
        assert_eq!(colour_of(&folder, out, "5 star"), "#56b4e9", "{out}");
    }
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
    assert!(err.contains("not a classifier"), "{err}");
    let err = folder.fails(2, &["votes", &ops(), "--input", &ops_input(), "--top", "0"]);
    assert!(err.contains("--top 0"), "{err}");
    let err = folder.fails(
        2,
        &["votes", &ops(), "--input", &ops_input(), "--heard", "conv9"],
    );
    assert!(err.contains("conv9") && err.contains("conv1"), "{err}");
    let (model, input) = (ops(), ops_input());
    for (among, why) in [
        ("2", "at least two classes"),
        ("2,5", "--among 5: the network has classes 0 to 4"),
        ("top:some", "top:some"),
        ("cat,dog", "no labels were given"),
    ] {
        let err = folder.fails(2, &["votes", &model, "--input", &input, "--among", among]);
        assert!(err.contains(why), "{among}: {err}");
    }
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
