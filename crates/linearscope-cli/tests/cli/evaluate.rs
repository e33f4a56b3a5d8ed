//! `evaluate`.

use std::fs;

use serde_json::Value;

use crate::folder::{Folder, assets, close, ops, ops_input, scene, text, vgg};

/// Few of everything: these tests are about files and words.
const FEW: [&str; 8] = [
    "--steps",
    "6",
    "--perturbations",
    "3",
    "--neighbours",
    "1",
    "--stages",
    "2",
];

fn mask() -> String {
    assets()
        .join("pictures/scene_mask.png")
        .display()
        .to_string()
}

/// `evaluate` with few of everything and with more words.
fn line<'a>(input: &'a str, model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["evaluate", model, "--input", input][..], &FEW, more].concat()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

/// The lines of `evaluations.json`, by their methods.
fn lines(folder: &Folder, name: &str) -> Vec<Value> {
    let lines = folder.json(name);
    lines.as_array().expect("lines").clone()
}

#[test]
fn a_picture_has_a_line_a_method_and_curves_with_these_areas() {
    let folder = Folder::new();
    let (vgg, scene, mask) = (vgg(), scene(), mask());
    let more = ["--masks", &mask, "--dtype", "f64", "--out", "e"];
    let told = folder.ok(&line(&scene, &vgg, &more));
    let methods = [
        "conserving",
        "gradient-input",
        "integrated-gradients:8",
        "lrp-epsilon-plus",
        "grad-cam",
        "saliency",
    ];
    for word in methods
        .iter()
        .chain(&["deletion", "pointing", "lower is better", "covers"])
    {
        assert!(told.contains(word), "{word}: {told}");
    }
    // None of these has a seed.
    assert!(!told.contains("stability"), "{told}");
    let lines = lines(&folder, "e/evaluations.json");
    let found: Vec<&str> = lines
        .iter()
        .filter_map(|one| one["method"].as_str())
        .collect();
    assert_eq!(found, methods);
    let points = folder.json("e/curves.json");
    let points = points.as_array().expect("points");
    assert_eq!(points.len(), methods.len() * 2 * 7);
    for line in &lines {
        for curve in ["deletion", "insertion"] {
            let own: Vec<(f64, f64)> = points
                .iter()
                .filter(|point| point["method"] == line["method"] && point["curve"] == curve)
                .map(|point| (number(&point["share"]), number(&point["value"])))
                .collect();
            assert_eq!((own[0].0, own[6].0), (0.0, 1.0));
            let area: f64 = own
                .windows(2)
                .map(|two| (two[1].0 - two[0].0) * (two[0].1 + two[1].1) / 2.0)
                .sum();
            assert!(
                (area - number(&line[curve])).abs() < 1e-12,
                "{curve}: {line}"
            );
        }
        for one in ["infidelity", "sensitivity", "energy"] {
            assert!(line[one].is_f64(), "{one}: {line}");
        }
        assert!(line["stability"].is_null() && line["failure"].is_null());
    }
    // Both curves go between the same two values, whatever the method.
    let ends: Vec<&Value> = points
        .iter()
        .filter(|point| point["curve"] == "deletion" && point["share"] == 0.0)
        .map(|point| &point["value"])
        .collect();
    assert!(ends.iter().all(|end| *end == ends[0]));
    let stages = folder.json("e/stages.json");
    assert_eq!(stages.as_array().map(Vec::len), Some(2 * methods.len()));
    assert_eq!(stages[1]["similarity"], lines[0]["randomised"]);
    let svg = fs::read_to_string(folder.path("e/evaluation.svg")).expect("drawn");
    assert!(svg.contains("deletion") && svg.contains("grad-cam"));
}

/// Its part of what is above 0 in the map that `attribute` writes, channels summed.
#[test]
fn energy_and_pointing_are_those_of_the_map() {
    let folder = Folder::new();
    let (vgg, scene, mask) = (vgg(), scene(), mask());
    let method = ["--method", "conserving", "--dtype", "f64", "--out"];
    let more = [&["--masks", &mask][..], &method, &["e"]].concat();
    folder.ok(&line(&scene, &vgg, &more));
    let command = ["attribute", &vgg, "--input", &scene];
    folder.ok(&[&command[..], &method, &["a"]].concat());
    let (map, shape) = folder.npy("a/attribution.npy");
    assert_eq!(shape, [1, 3, 48, 48]);
    let places: Vec<f64> = (0..48 * 48)
        .map(|at| map[at] + map[2304 + at] + map[4608 + at])
        .collect();
    let marked = image::open(mask).expect("a mask").to_luma8();
    let object: Vec<bool> = marked.pixels().map(|pixel| pixel.0[0] > 127).collect();
    let positive = |keep: bool| -> f64 {
        let places = places.iter().zip(&object);
        let kept = places.filter(|(value, object)| **value > 0.0 && (keep || **object));
        kept.map(|(value, _)| value).sum()
    };
    let found = &lines(&folder, "e/evaluations.json")[0];
    let energy = positive(false) / positive(true);
    assert!(
        close(&[number(&found["energy"])], &[energy], 1e-10),
        "{found}"
    );
    let covered = object.iter().filter(|object| **object).count() as f64;
    assert_eq!(number(&found["share"]), covered / 2304.0);
    let most = places.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let at = places.iter().position(|value| *value == most);
    assert_eq!(found["pointing"], object[at.expect("a highest place")]);
}

/// A mask goes through the recipe as its picture does.
#[test]
fn masks_are_cut_as_their_pictures_are() {
    let folder = Folder::new();
    // A picture of 96×60, of which the middle 60×60 becomes 48×48: columns 18 to 77.
    let wide = image::RgbImage::from_fn(96, 60, |x, y| {
        image::Rgb([(2 * x) as u8, (4 * y) as u8, ((x * y) % 251) as u8])
    });
    wide.save(folder.path("wide.png")).expect("written");
    let left = |edge: u32| {
        image::GrayImage::from_fn(96, 60, |x, _| image::Luma([if x < edge { 255 } else { 0 }]))
    };
    left(48).save(folder.path("half.png")).expect("written");
    left(10).save(folder.path("outside.png")).expect("written");
    let vgg = vgg();
    let with = |mask: &'static str| ["--method", "saliency", "--out", "e", "--masks", mask];
    folder.ok(&line("wide.png", &vgg, &with("half.png")));
    let found = &lines(&folder, "e/evaluations.json")[0];
    assert_eq!(number(&found["share"]), 0.5);
    // Nothing of it is left: said, and evaluated without.
    let output = folder.run(&line("wide.png", &vgg, &with("outside.png")));
    let told = text(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("lies outside the part of"), "{told}");
    assert!(lines(&folder, "e/evaluations.json")[0]["energy"].is_null());
}

#[test]
fn a_folder_has_means() {
    let folder = Folder::new();
    for made in ["in", "masks"] {
        fs::create_dir(folder.path(made)).expect("a folder");
    }
    let (picture, object) = (
        image::open(scene()).expect("a scene"),
        image::open(mask()).expect("a mask"),
    );
    picture.save(folder.path("in/one.png")).expect("written");
    picture
        .fliph()
        .save(folder.path("in/two.png"))
        .expect("written");
    object
        .fliph()
        .save(folder.path("masks/two.png"))
        .expect("written");
    let vgg = vgg();
    let more = [
        "--method",
        "conserving",
        "--method",
        "smooth-grad:2",
        "--method",
        "layer:nowhere",
        "--masks",
        "masks",
        "--out",
        "o",
    ];
    let output = folder.run(&line("in", &vgg, &more));
    let (told, notices) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{notices}");
    assert!(notices.contains("one.png has no mask"), "{notices}");
    assert!(
        told.contains("layer:nowhere has no map for 2 of 2 pictures"),
        "{told}"
    );
    assert!(
        told.contains("±") && told.contains("of the 1 with a mask"),
        "{told}"
    );
    let [one, two] = ["one.png", "two.png"]
        .map(|name| lines(&folder, &format!("o/in/evaluate/{name}/evaluations.json")));
    let summary = lines(&folder, "o/evaluation_summary.json");
    assert_eq!(summary.len(), 2);
    for (at, all) in summary.iter().enumerate() {
        assert_eq!(all["method"], one[at]["method"]);
        assert_eq!(all["pictures"], 2);
        for measure in ["deletion", "insertion", "infidelity", "sensitivity"] {
            let (a, b) = (number(&one[at][measure]), number(&two[at][measure]));
            let mean = number(&all[measure]["mean"]);
            assert!(
                (mean - (a + b) / 2.0).abs() <= 1e-12 * mean.abs(),
                "{measure}: {all}"
            );
            let std = number(&all[measure]["std"]);
            let twin = (a - b).abs() / 2f64.sqrt();
            assert!((std - twin).abs() < 1e-9, "{measure}: {all}");
        }
        assert_eq!(all["object"]["pictures"], 1);
        assert_eq!(all["object"]["energy"]["mean"], two[at]["energy"]);
        assert_eq!(all["stability"].is_null(), at == 0);
    }
    let csv = fs::read_to_string(folder.path("o/evaluation_summary.csv")).expect("written");
    assert!(
        csv.starts_with("method,pictures,deletion,deletion_std,"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 3);
    assert!(folder.path("o/evaluation.svg").exists());
    // Other masks are another question: what was found with these is not taken for it.
    object.save(folder.path("masks/one.png")).expect("written");
    let told = folder.ok(&line("in", &vgg, &more));
    assert!(!told.contains("from an earlier run"), "{told}");
    let both = lines(&folder, "o/evaluation_summary.json");
    assert_eq!(both[0]["object"]["pictures"], 2);
}

#[test]
fn shards_make_the_same_summary() {
    let folder = Folder::new();
    fs::create_dir(folder.path("in")).expect("a folder");
    let picture = image::open(scene()).expect("a scene");
    picture.save(folder.path("in/one.png")).expect("written");
    picture
        .flipv()
        .save(folder.path("in/two.png"))
        .expect("written");
    let vgg = vgg();
    let of = |more: &[&'static str]| {
        let method = ["--method", "conserving", "--method", "saliency", "--out"];
        folder.ok(&line("in", &vgg, &[&method[..], more].concat()));
    };
    of(&["whole"]);
    of(&["parts", "--shard", "1/2"]);
    of(&["parts", "--shard", "2/2"]);
    folder.ok(&[
        "merge",
        "parts/in/evaluate.part-1-of-2",
        "parts/in/evaluate.part-2-of-2",
    ]);
    for file in [
        "evaluation_summary.csv",
        "evaluation_summary.json",
        "curves.csv",
        "evaluation.svg",
    ] {
        let read =
            |out: &str| fs::read(folder.path(&format!("{out}/in/evaluate/{file}"))).expect(file);
        assert!(read("whole") == read("parts"), "{file}");
    }
}

#[test]
fn a_method_that_cannot_be_had_loses_the_others_nothing() {
    let folder = Folder::new();
    let (vgg, scene) = (vgg(), scene());
    let unfit = ["--method", "grad-cam:nowhere", "--out", "e"];
    let more = [&unfit[..], &["--method", "conserving"]].concat();
    let told = folder.ok(&line(&scene, &vgg, &more));
    let row = told.lines().find(|line| line.contains("grad-cam:nowhere"));
    assert!(row.is_some_and(|row| row.contains(" – ")), "{told}");
    let found = lines(&folder, "e/evaluations.json");
    assert!(found[0]["failure"].is_string() && found[0]["deletion"].is_null());
    assert!(found[1]["failure"].is_null() && found[1]["deletion"].is_f64());
    assert_eq!(found[0]["score"], found[1]["score"]);
    let told = folder.fails(2, &line(&scene, &vgg, &unfit));
    assert!(
        told.contains("no method has a map here: grad-cam:nowhere"),
        "{told}"
    );
}

#[test]
fn what_means_nothing_here_is_refused() {
    let folder = Folder::new();
    let (vgg, scene, mask) = (vgg(), scene(), mask());
    for made in ["in", "empty"] {
        fs::create_dir(folder.path(made)).expect("a folder");
    }
    fs::copy(&scene, folder.path("in/a.png")).expect("copied");
    fs::write(folder.path("words.png"), b"no picture").expect("written");
    let dark = image::GrayImage::from_pixel(48, 48, image::Luma([127]));
    dark.save(folder.path("dark.png")).expect("written");
    let small = image::GrayImage::from_pixel(24, 48, image::Luma([255]));
    small.save(folder.path("small.png")).expect("written");
    for (input, more, why) in [
        (
            &scene[..],
            &["--masks", "nowhere.png"][..],
            "--masks nowhere.png: no such",
        ),
        (&scene, &["--masks", "empty"], "contains no mask for"),
        ("in", &["--masks", "empty"], "contains no mask for in"),
        ("in", &["--masks", &mask], "a folder of pictures"),
        (&scene, &["--masks", "words.png"], "words.png"),
        (&scene, &["--masks", "dark.png"], "marks no object"),
        (&scene, &["--masks", "small.png"], "48×24"),
        (&scene, &["--steps", "0"], "--steps 0"),
        (
            &scene,
            &["--target", "auto"],
            "evaluate takes a single score",
        ),
        (&scene, &["--method", "magic"], "no such method"),
    ] {
        let all = [&["evaluate", &vgg, "--input", input][..], more].concat();
        let told = folder.fails(2, &all);
        assert!(told.contains(why), "{more:?}: {told}");
    }
    // An array is used as it is, and so is its mask.
    let (ops, input) = (ops(), ops_input());
    let told = folder.fails(2, &["evaluate", &ops, "--input", &input, "--masks", &mask]);
    assert!(told.contains("48×48") && told.contains("11×13"), "{told}");
}
