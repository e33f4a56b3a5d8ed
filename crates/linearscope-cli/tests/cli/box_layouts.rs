//! What a box's numbers are beside its coordinates and the scores of classes: a background, an angle, what nothing says.

use std::fs;

use serde_json::Value;

use crate::{
    detectors::{Graph, detector, said},
    folder::Folder,
    made::{self, FLOAT},
};

const BOXES: usize = 30;

/// Raw scores of five classes and a background, which of box 3 have the largest number of all and of box 5 the
/// likeliest class, the first. Coordinates are 100 times the box and more, so that they are no scores.
fn rows(background_first: bool) -> Vec<f32> {
    let row = |number: usize| {
        let (background, best) = match number {
            3 => (9.0, 8.0),
            5 => (-5.0, 4.0),
            _ => (6.0, -2.0),
        };
        let classes = [best, -4.0, -4.0, -4.0, -4.0];
        let at = number as f32 * 100.0;
        let scores = match background_first {
            true => [&[background], &classes[..]].concat(),
            false => [&classes[..], &[background]].concat(),
        };
        [vec![at, at + 1.0, at + 2.0, at + 3.0], scores].concat()
    };
    (0..BOXES).flat_map(row).collect()
}

/// `pair.onnx`: the picture's rows as two outputs, scores `[1, 30, 6]` first and then boxes, which may have an axis of
/// one more; with a softmax, or without. And the picture.
fn pair(folder: &Folder, values: &[f32], more_axes: bool, softmax: bool) -> String {
    let mut graph = Graph::default();
    let count = BOXES as i64;
    graph.weights("w", &[1, 1, 1, 1], vec![1.0]);
    graph.node("Conv", &["x", "w"], "c", None);
    graph.reshape("c", "rows", &[1, count, 10]);
    for (name, value) in [("none", 0), ("four", 4), ("ten", 10), ("two", 2)] {
        graph.whole_numbers(name, &[value]);
    }
    let scores = if softmax { "raw" } else { "scores" };
    graph.node("Slice", &["rows", "four", "ten", "two"], scores, None);
    if softmax {
        graph.node("Softmax", &["raw"], "scores", None);
    }
    graph.node("Slice", &["rows", "none", "four", "two"], "flat", None);
    let shape: &[i64] = match more_axes {
        true => &[1, count, 1, 4],
        false => &[1, count, 4],
    };
    graph.reshape("flat", "boxes", shape);
    let outputs = vec![
        made::value("scores", FLOAT, &[1, count, 6]),
        made::value("boxes", FLOAT, shape),
    ];
    graph.save(folder, "pair.onnx", &[1, 1, count, 10], outputs);
    fs::write(folder.path("five.txt"), "a\nb\nc\nd\ne\n").expect("written");
    fs::write(folder.path("six.txt"), "BACKGROUND\na\nb\nc\nd\ne\n").expect("written");
    folder.write_npy("x.npy", values, &[1, 1, BOXES as u64, 10])
}

/// The first of the best boxes.
fn best(folder: &Folder) -> Value {
    folder.json("o/boxes.json")[0].clone()
}

/// The background is no class, and scores compare between boxes only by their softmax.
#[test]
fn a_background_is_no_class() {
    let softmax = 1.0 / (1.0 + 4.0 * (-8.0f64).exp() + (-9.0f64).exp());
    let folder = Folder::new();
    for (first, flag) in [(true, "background-first"), (false, "background-last")] {
        for more_axes in [false, true] {
            for after_softmax in [false, true] {
                let x = pair(&folder, &rows(first), more_axes, after_softmax);
                let base = ["run", "pair.onnx", "--input", &x, "--out", "o"];
                let told = ["--boxes", flag, "--labels", "five.txt"];
                let (_, err) = said(&folder, &[&base[..], &told].concat());
                assert!(
                    err.contains("30 boxes of 4 coordinates") && err.contains("5 classes"),
                    "{err}"
                );
                assert_eq!(err.contains("shown as a softmax"), !after_softmax, "{err}");
                let best = best(&folder);
                assert_eq!(
                    (&best["box"], &best["class"], &best["label"]),
                    (&5.into(), &0.into(), &"a".into()),
                    "{flag} {more_axes} {after_softmax}"
                );
                let score = best["score"].as_f64().expect("a score");
                assert!((score - softmax).abs() < 1e-6, "{score} for {softmax}");
                let coordinates = best["coordinates"].as_str().expect("coordinates");
                assert!(
                    coordinates.starts_with("500.0000 501.0000"),
                    "{coordinates}"
                );
            }
        }
    }
}

/// Labels that name the background count it, and so do numbers of classes.
#[test]
fn labels_may_name_the_background() {
    let folder = Folder::new();
    let x = pair(&folder, &rows(true), true, false);
    let base = [
        "pair.onnx",
        "--input",
        &x,
        "--labels",
        "six.txt",
        "--out",
        "o",
    ];
    let (_, err) = said(&folder, &[&["run"], &base[..]].concat());
    assert!(
        err.contains("5 classes besides the background that the labels name"),
        "{err}"
    );
    let best = best(&folder);
    assert_eq!(
        (&best["box"], &best["class"], &best["label"]),
        (&5.into(), &1.into(), &"a".into())
    );
    // Its row, then that of there being nothing, then where it is.
    folder.ok(&[&["row"], &base[..]].concat());
    let rows = folder.json("o/rows.json");
    let at: Vec<&str> = (rows.as_array().expect("lines").iter())
        .map(|row| row["at"].as_str().expect("a place"))
        .collect();
    assert_eq!(at, ["5,5", "5,4", "5,0", "5,1", "5,2", "5,3"]);
    folder.ok(&[&["attribute"], &base[..], &["--target", "5,4"]].concat());
    let line = &folder.json("o/attributions.json")[0];
    assert_eq!(line["label"], "the background of box 5");
    // A report repeats how it was read.
    let flags = ["--boxes", "background-first", "-k", "1"];
    folder.ok(&[&["analyse"], &base[..], &flags].concat());
    let html = fs::read_to_string(folder.path("o/report.html")).expect("a report");
    assert!(html.contains("--boxes background-first"));
}

/// Six scores and five labels are SSD's or DETR's, and nothing says which.
#[test]
fn what_nothing_says_is_not_guessed() {
    let folder = Folder::new();
    let x = pair(&folder, &rows(true), false, false);
    let base = ["run", "pair.onnx", "--input", &x, "--out", "o"];
    let labels = ["--labels", "five.txt"];
    let (out, err) = said(&folder, &[&base[..], &labels].concat());
    assert!(
        err.contains("6 scores, but there are 5 labels") && err.contains("--boxes background-last"),
        "{err}"
    );
    assert!(
        !out.contains("box ") && !folder.path("o/boxes.json").exists(),
        "{out}"
    );
    let error = folder.fails(2, &[&base[..], &labels, &["--task", "detector"]].concat());
    assert!(
        error.contains("the model does not say whether") && error.contains("hint: pass --boxes"),
        "{error}"
    );
    // Without labels all are classes, and values that add up to 1 are told.
    let (_, err) = said(&folder, &base);
    assert!(
        err.contains("and 6 classes") && !err.contains("add up to 1"),
        "{err}"
    );
    pair(&folder, &rows(true), false, true);
    let (_, err) = said(&folder, &base);
    assert!(
        err.contains("add up to 1") && err.contains("background-first"),
        "{err}"
    );
    // The flag is for detectors.
    let flags = ["--boxes", "angle", "--task", "i2i"];
    let error = folder.fails(2, &[&base[..], &flags].concat());
    assert!(error.contains("--boxes angle is for detectors"), "{error}");
    let error = folder.fails(
        2,
        &[&base[..], &["--output", "c", "--boxes", "angle"]].concat(),
    );
    assert!(error.contains("more than 4 numbers a box"), "{error}");
}

/// An angle behind the scores is none of them.
#[test]
fn an_angle_is_no_score() {
    let folder = Folder::new();
    let mut values = vec![0.25; 8 * 40];
    values[5 * 40 + 3] = 0.75;
    for number in 0..40 {
        values[7 * 40 + number] = 1.5;
    }
    values[7 * 40 + 9] = -0.75;
    let x = detector(&folder, &values, [8, 40]);
    fs::write(folder.path("three.txt"), "plane\nship\ncar\n").expect("written");
    let base = ["run", "net.onnx", "--input", &x, "--out", "o"];
    let seen = || {
        let best = best(&folder);
        (
            best["box"].clone(),
            best["class"].clone(),
            best["score"].clone(),
        )
    };
    let best_ship = (3.into(), 1.into(), 0.75.into());
    let (_, err) = said(&folder, &[&base[..], &["--labels", "three.txt"]].concat());
    assert!(
        err.contains("3 classes, followed by an angle") && err.contains("--boxes"),
        "{err}"
    );
    assert_eq!(seen(), best_ship);
    let (_, err) = said(&folder, &[&base[..], &["--boxes", "angle"]].concat());
    assert!(
        !err.contains("raw scores") && !err.contains("leave 0 to 1"),
        "{err}"
    );
    assert_eq!(seen(), best_ship);
    // Without either it is taken for a score, and told that it does not look like one.
    let (_, err) = said(&folder, &base);
    assert!(
        err.contains("the last 1 of 4 scores") && err.contains("--boxes angle"),
        "{err}"
    );
    let flags = ["--boxes", "objectness", "--labels", "three.txt"];
    let (_, err) = said(&folder, &[&base[..], &flags].concat());
    assert!(err.contains("an objectness score, and 3 classes"), "{err}");
    let flags = ["--target", "7,9", "--boxes", "angle"];
    let attribute = ["attribute", "net.onnx", "--input", &x, "--out", "o"];
    folder.ok(&[&attribute[..], &flags].concat());
    let line = &folder.json("o/attributions.json")[0];
    assert_eq!(line["label"], "the angle of box 9");
}
