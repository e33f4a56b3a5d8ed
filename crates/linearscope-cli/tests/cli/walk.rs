//! `walk`.

use std::{fs::File, io::BufReader};

use image::{AnimationDecoder, codecs::png::PngDecoder};

use crate::folder::{Folder, picture, scene, sr, vgg};

/// The frames of an animated PNG.
fn frames(path: &std::path::Path) -> Vec<image::RgbaImage> {
    let file = BufReader::new(File::open(path).expect("an animation"));
    let decoder = PngDecoder::new(file).expect("a PNG");
    let frames = decoder.apng().expect("animated").into_frames();
    let frames = frames.collect_frames().expect("frames");
    frames.into_iter().map(image::Frame::into_buffer).collect()
}

/// Each frame is about the field that `row` writes there, on one scale.
#[test]
fn frames_show_the_fields_of_their_places() {
    let folder = Folder::new();
    let (model, input) = (sr(), picture());
    let walk = ["walk", &model, "--input", &input, "--frames", "4"];
    let path = ["--through", "2,3", "--through", "8,9"];
    let said = folder.ok(&[&walk[..], &path, &["--out", "walked"]].concat());
    assert!(said.contains("4 frames of a row"), "{said}");
    let shown = frames(&folder.path("walked/walk.png"));
    assert_eq!(shown.len(), 4);
    assert!(shown.windows(2).all(|two| two[0] != two[1]));
    let steps = folder.json("walked/steps.json");
    let steps = steps.as_array().expect("records");
    let places: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["at"].as_str())
        .collect();
    assert_eq!(places, ["2,3", "4,5", "6,7", "8,9"]);
    for step in steps {
        let at = format!("all,{}", step["at"].as_str().expect("a place"));
        let row = [
            "row", &model, "--input", &input, "--target", &at, "--out", "row",
        ];
        folder.ok(&[&row[..], &["--fresh"]].concat());
        let (row, _) = folder.npy("row/row.npy");
        let (sum, whole): (f64, f64) = (row.iter().sum(), row.iter().map(|w| w.abs()).sum());
        let said = step["sum"].as_f64().expect("a number");
        assert!((said - sum).abs() <= 1e-6 * whole, "{at}: {said} and {sum}");
    }
    // Columns, once around the middle.
    folder.ok(&[&walk[..], &["--over", "input", "--out", "columns"]].concat());
    assert_eq!(frames(&folder.path("columns/walk.png")).len(), 4);
}

#[test]
fn what_cannot_be_walked_over_is_refused() {
    let folder = Folder::new();
    let (model, input) = (sr(), picture());
    let walk = ["walk", &model, "--input", &input];
    let said = folder.fails(2, &[&walk[..], &["--through", "2,9999"]].concat());
    assert!(said.contains("outside the picture"), "{said}");
    for wrong in [["--frames", "1"], ["--fps", "0"], ["--through", "2"]] {
        folder.fails(2, &[&walk[..], &wrong].concat());
    }
    let said = folder.fails(2, &["walk", &vgg(), "--input", &scene()]);
    assert!(said.contains("a picture at both ends"), "{said}");
}
