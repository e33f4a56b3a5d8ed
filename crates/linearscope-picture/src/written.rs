//! Drawings as files, read again: PDF and outlined SVG.

use std::io::Read;

use flate2::read::ZlibDecoder;
use image::{Rgb, RgbImage};

use crate::drawing::{Anchor, Drawing, INK, Type};

/// The objects of a file by their numbers, found as a reader finds them: by the table at its end.
fn objects(pdf: &[u8]) -> Vec<&[u8]> {
    assert!(pdf.starts_with(b"%PDF-1.7"));
    let text = String::from_utf8_lossy(&pdf[pdf.len().saturating_sub(400)..]).into_owned();
    let (_, end) = text.rsplit_once("startxref").expect("where the table is");
    let table: usize = end
        .split_whitespace()
        .next()
        .expect("a number")
        .parse()
        .expect("a number");
    assert!(end.trim_end().ends_with("%%EOF"));
    let table = std::str::from_utf8(&pdf[table..]).expect("the table and the trailer are text");
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("xref"));
    let count: usize = lines
        .next()
        .expect("a range")
        .strip_prefix("0 ")
        .expect("from 0")
        .parse()
        .expect("a count");
    let offsets: Vec<usize> = lines
        .take(count)
        .map(|line| line[..10].parse().expect("an offset"))
        .collect();
    for (number, &at) in offsets.iter().enumerate().skip(1) {
        assert!(
            pdf[at..].starts_with(format!("{number} 0 obj").as_bytes()),
            "{number}"
        );
    }
    offsets.iter().map(|&at| &pdf[at..]).collect()
}

/// What a stream holds, and what is said of it.
fn stream(object: &[u8]) -> (String, Vec<u8>) {
    let at = object
        .windows(7)
        .position(|part| part == b"stream\n")
        .expect("a stream");
    let said = String::from_utf8_lossy(&object[..at]).into_owned();
    let mut bytes = Vec::new();
    ZlibDecoder::new(&object[at + 7..])
        .read_to_end(&mut bytes)
        .expect("deflated");
    (said, bytes)
}

#[test]
fn pictures_keep_every_dot_and_lines_are_lines() {
    let mut drawing = Drawing::new("σ ‖ a title", 80.0, 40.0);
    let dots = RgbImage::from_fn(7, 5, |x, y| Rgb([x as u8 * 30, y as u8 * 50, 9]));
    drawing.picture((4.0, 6.0), &dots).expect("a picture");
    drawing.line((0.0, 20.0), (40.0, 20.0), "#ff0000");
    drawing.area(&[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)], "#0000ff");
    let style = Type {
        size: 12.0,
        colour: INK,
        anchor: Anchor::Start,
    };
    drawing.text((20.0, 30.0), "0.5", style);
    let pdf = drawing.to_pdf().expect("a PDF");
    let objects = objects(&pdf);
    let whole = String::from_utf8_lossy(&pdf);
    assert!(whole.contains("/MediaBox [0 0 60 30]"));
    // One picture, of the dots that were given.
    assert_eq!(whole.matches("/Subtype /Image").count(), 1);
    let (said, bytes) = stream(objects[6]);
    assert!(
        said.contains("/Width 7") && said.contains("/Height 5"),
        "{said}"
    );
    assert_eq!(bytes, dots.into_raw());
    // No font: text is outlines, of three letters at least one curve.
    assert!(!whole.contains("/Font"));
    let (_, content) = stream(objects[4]);
    let content = String::from_utf8(content).expect("operators");
    assert!(
        content.contains("1 0 0 RG") && content.contains("/P0 Do"),
        "{content}"
    );
    assert!(content.lines().filter(|line| line.ends_with(" c")).count() > 6);
    assert!(
        content.contains("/O0 gs") && whole.contains("/ca 0.18"),
        "{content}"
    );
    assert_eq!(
        content.matches("\nq").count() + 1,
        content.matches("\nQ").count() + usize::from(!content.starts_with('q'))
    );
}

#[test]
fn outlined_svg_needs_no_font() {
    let mut drawing = Drawing::new("t", 40.0, 20.0);
    drawing.text(
        (2.0, 12.0),
        "σ 0.5",
        Type {
            size: 12.0,
            colour: INK,
            anchor: Anchor::Start,
        },
    );
    let svg = drawing.to_outlined_svg().expect("an SVG");
    assert!(!svg.contains("<text") && svg.contains("<path"), "{svg}");
}
