//! Drawings: text, lines and rasters at positions in pixels, as SVG and as PNG.

use std::{
    fmt::Write,
    io::Cursor,
    sync::{Arc, LazyLock},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use image::{ImageFormat, RgbImage};
use maud::Escaper;
use resvg::{tiny_skia, usvg};
use skrifa::{
    FontRef, MetadataProvider,
    instance::{LocationRef, Size},
};

use crate::pdf;

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The PNG encoder's own words.
    #[error("PNG: {0}")]
    Png(String),
    /// What cannot be written as PDF.
    #[error("PDF: {0}")]
    Pdf(String),
    /// A drawing too large to rasterise.
    #[error("a drawing of {width}×{height} is too large for a PNG; the SVG shows it")]
    TooLarge {
        /// In pixels.
        width: f64,
        /// In pixels.
        height: f64,
    },
}

const FONT: &[u8] = include_bytes!("../font/DejaVuSans-subset.ttf");

/// The bundled font and no other, so that a drawing is the same on every machine.
static FACE: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// The width of a text in pixels.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let Ok(font) = FontRef::new(FONT) else {
        unreachable!("the bundled font is one; a test reads it")
    };
    let (letters, metrics) = (
        font.charmap(),
        font.glyph_metrics(Size::new(size as f32), LocationRef::default()),
    );
    // A letter the font lacks is drawn by the reader's own: as wide as a digit, about.
    let of = |c: char| metrics.advance_width(letters.map(c)?).map(f64::from);
    text.chars().map(|c| of(c).unwrap_or(0.65 * size)).sum()
}

fn options() -> usvg::Options<'static> {
    usvg::Options {
        font_family: "DejaVu Sans".into(),
        fontdb: FACE.clone(),
        ..usvg::Options::default()
    }
}

/// As pages escape text; and XML has no control characters, but for white space.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    let _ = Escaper::new(&mut escaped).write_str(&text.replace(char::is_control, " "));
    escaped
}

/// `text` cut in the middle so that it is at most `room` pixels wide.
pub(crate) fn fitted(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_string();
    }
    let letters: Vec<char> = text.chars().collect();
    // Both ends tell names apart; the end more often.
    for kept in (1..letters.len()).rev() {
        let head = kept / 3;
        let cut: String = letters[..head]
            .iter()
            .chain(&['…'])
            .chain(&letters[letters.len() - (kept - head)..])
            .collect();
        if width(&cut, size) <= room {
            return cut;
        }
    }
    "…".into()
}

/// `text` in lines of at most `room` pixels, broken at spaces.
pub(crate) fn wrapped(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(" ", size) + width(word, size) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fitted(word, size, room)),
        }
    }
    lines
}

pub(crate) fn png(picture: &RgbImage) -> Result<Vec<u8>, Error> {
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|error| Error::Png(error.to_string()))?;
    Ok(bytes.into_inner())
}

/// Where a text stands relative to its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Anchor {
    Start,
    End,
}

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type {
    pub size: f64,
    pub colour: &'static str,
    pub anchor: Anchor,
}

/// Black, for what is read first.
pub(crate) const INK: &str = "#1a1a1a";
/// Dark grey (7:1 on white), for captions.
pub(crate) const DIM: &str = "#555555";
/// Hairlines.
pub(crate) const LINE: &str = "#b8b8b8";

/// A line with a head of two short ones, as an SVG path.
pub(crate) fn arrow_path(from: (f64, f64), to: (f64, f64), head: f64) -> String {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let long = dx.hypot(dy).max(f64::MIN_POSITIVE);
    let (ux, uy) = (dx / long * head, dy / long * head);
    // 30° to either side.
    let back = |side: f64| {
        let (sin, cos) = (side * 0.5, 0.75f64.sqrt());
        (to.0 - (ux * cos - uy * sin), to.1 - (ux * sin + uy * cos))
    };
    let (left, right) = (back(1.0), back(-1.0));
    format!(
        "M{:.2} {:.2}L{:.2} {:.2}M{:.2} {:.2}L{:.2} {:.2}L{:.2} {:.2}",
        from.0, from.1, to.0, to.1, left.0, left.1, to.0, to.1, right.0, right.1
    )
}

/// A drawing on white, built from the top left corner; sizes are in pixels at 100 %.
#[derive(Clone, Debug)]
pub struct Drawing {
    width: f64,
    height: f64,
    title: String,
    body: String,
}

impl Drawing {
    pub(crate) fn new(title: &str, width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            title: title.into(),
            body: String::new(),
        }
    }

    pub(crate) fn text(&mut self, (x, y): (f64, f64), text: &str, style: Type) {
        let anchor = match style.anchor {
            Anchor::Start => "start",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{}\" fill=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            style.size,
            style.colour,
            escaped(text),
        );
    }

    pub(crate) fn rectangle(&mut self, (x, y): (f64, f64), (w, h): (f64, f64), fill: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{w:.2}\" height=\"{h:.2}\" fill=\"{fill}\"/>"
        );
    }

    pub(crate) fn frame(&mut self, (x, y): (f64, f64), (w, h): (f64, f64), stroke: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"none\" stroke=\"{stroke}\"/>",
            x - 0.5,
            y - 0.5,
            w + 1.0,
            h + 1.0,
        );
    }

    pub(crate) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str) {
        let _ = writeln!(
            self.body,
            "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"{stroke}\"/>"
        );
    }

    /// A thicker line with round ends, a piece of a curve.
    pub(crate) fn stroke(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str) {
        let _ = writeln!(
            self.body,
            "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"{stroke}\" stroke-width=\"2\" stroke-linecap=\"round\"/>"
        );
    }

    /// A translucent polygon, under curves.
    pub(crate) fn area(&mut self, points: &[(f64, f64)], fill: &str) {
        let points: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = writeln!(
            self.body,
            "<polygon points=\"{}\" fill=\"{fill}\" fill-opacity=\"0.18\"/>",
            points.join(" "),
        );
    }

    /// A ring that shows on any ground: black between two white ones.
    pub(crate) fn ring(&mut self, (x, y): (f64, f64), radius: f64) {
        for (stroke, width) in [("#ffffff", 4.0), ("#000000", 1.6)] {
            let _ = writeln!(
                self.body,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{width}\"/>"
            );
        }
    }

    /// An arrow that shows on any ground: black with a white rim, wider for a greater strength.
    pub(crate) fn arrow(&mut self, from: (f64, f64), to: (f64, f64), strength: f64) {
        let path = arrow_path(from, to, 4.0 + 3.0 * strength);
        let width = 1.0 + 1.5 * strength;
        for (stroke, width) in [("#ffffff", width + 2.0), ("#000000", width)] {
            let _ = writeln!(
                self.body,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{width:.1}\" stroke-linecap=\"round\"/>"
            );
        }
    }

    /// A text that shows on any ground: black with a white rim.
    pub(crate) fn tag(&mut self, (x, y): (f64, f64), text: &str, size: f64) {
        let text = escaped(text);
        for (style, fill) in [
            (
                "stroke=\"#ffffff\" stroke-width=\"4\" stroke-linejoin=\"round\"",
                "#ffffff",
            ),
            ("", "#000000"),
        ] {
            let _ = writeln!(
                self.body,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{fill}\" {style}>{text}</text>"
            );
        }
    }

    pub(crate) fn picture(&mut self, (x, y): (f64, f64), picture: &RgbImage) -> Result<(), Error> {
        let _ = writeln!(
            self.body,
            "<image x=\"{x:.1}\" y=\"{y:.1}\" width=\"{}\" height=\"{}\" image-rendering=\"pixelated\" href=\"data:image/png;base64,{}\"/>",
            picture.width(),
            picture.height(),
            STANDARD.encode(png(picture)?),
        );
        Ok(())
    }

    /// Width and height in pixels at 100 %.
    pub fn size(&self) -> [f64; 2] {
        [self.width, self.height]
    }

    /// Write self-contained SVG. Text stays text; a viewer without DejaVu Sans shows Verdana or
    /// another sans-serif font.
    pub fn to_svg(&self) -> String {
        let (w, h) = (self.width.ceil(), self.height.ceil());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" font-family=\"DejaVu Sans, Verdana, sans-serif\" role=\"img\">\n\
             <title>{}</title>\n<rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            escaped(&self.title),
            self.body,
        )
    }

    fn tree(&self) -> Result<usvg::Tree, Error> {
        usvg::Tree::from_str(&self.to_svg(), &options())
            .map_err(|error| Error::Png(error.to_string()))
    }

    /// Write SVG with text as outlines, so that it looks the same everywhere.
    ///
    /// # Errors
    /// [`Error::Png`] of pictures within.
    pub fn to_outlined_svg(&self) -> Result<String, Error> {
        let outlined = usvg::WriteOptions {
            preserve_text: false,
            ..usvg::WriteOptions::default()
        };
        Ok(self.tree()?.to_string(&outlined))
    }

    /// Write a PDF of one page, at 0.75 points per pixel. Lines and text (as outlines) are vectors; pictures keep
    /// every dot.
    ///
    /// # Errors
    /// [`Error::Pdf`].
    pub fn to_pdf(&self) -> Result<Vec<u8>, Error> {
        pdf::page(&self.tree()?, &self.title).map_err(Error::Pdf)
    }

    /// Write a PNG at 100 %: one pixel per unit of the drawing.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond 32,767 pixels per side; [`Error::Png`].
    pub fn to_png(&self) -> Result<Vec<u8>, Error> {
        png(&self.to_dots()?)
    }

    /// The same as dots.
    pub(crate) fn to_dots(&self) -> Result<RgbImage, Error> {
        let too_large = Error::TooLarge {
            width: self.width,
            height: self.height,
        };
        if self.width > 32767.0 || self.height > 32767.0 {
            return Err(too_large);
        }
        let tree = self.tree()?;
        let size = tree.size().to_int_size();
        let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height()).ok_or(too_large)?;
        resvg::render(&tree, tiny_skia::Transform::default(), &mut pixels.as_mut());
        // Opaque and without alpha: half the size.
        Ok(RgbImage::from_fn(size.width(), size.height(), |x, y| {
            let dot = pixels.pixel(x, y).expect("inside");
            image::Rgb([dot.red(), dot.green(), dot.blue()])
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Glyphs that drawings use must be in the font: a missing one would be left out silently.
    #[test]
    fn the_font_has_what_drawings_say() {
        let letters = FontRef::new(FONT).unwrap().charmap();
        for letter in "abcXYZ019 ± × · − – … σ ‖ ₀ ₁ ᵀ δ Σ ² ≈ ≤ ∞ → é ü".chars()
        {
            if letter == ' ' {
                continue;
            }
            assert!(letters.map(letter).is_some(), "no glyph for {letter}");
        }
    }

    #[test]
    fn widths_are_the_fonts_own() {
        // DejaVu Sans: a digit is 0.636 em, an i 0.278.
        assert!(
            (width("0", 100.0) - 63.6).abs() < 0.7,
            "{}",
            width("0", 100.0)
        );
        assert!(
            (width("i", 100.0) - 27.8).abs() < 0.7,
            "{}",
            width("i", 100.0)
        );
        assert!((width("0i0", 10.0) - 15.5).abs() < 0.3);
    }

    #[test]
    fn text_is_escaped_cut_and_wrapped() {
        assert_eq!(escaped("a<b & \"c\"\u{1}"), "a&lt;b &amp; &quot;c&quot; ");
        let cut = fitted("features.0.very.long.name.conv", 12.0, 100.0);
        assert!(cut.contains('…') && cut.ends_with("conv") && width(&cut, 12.0) <= 100.0);
        assert_eq!(fitted("conv", 12.0, 100.0), "conv");
        let lines = wrapped("one two three four five six", 12.0, 80.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| width(line, 12.0) <= 80.0));
        assert_eq!(lines.join(" "), "one two three four five six");
    }

    #[test]
    fn png_and_svg_show_the_same() {
        let mut drawing = Drawing::new("t", 40.0, 20.0);
        drawing.rectangle((0.0, 0.0), (20.0, 20.0), "#ff0000");
        let dot = RgbImage::from_pixel(20, 20, image::Rgb([0, 0, 255]));
        drawing.picture((20.0, 0.0), &dot).unwrap();
        let png = image::load_from_memory(&drawing.to_png().unwrap())
            .unwrap()
            .to_rgb8();
        assert_eq!(png.dimensions(), (40, 20));
        assert_eq!(png.get_pixel(5, 10).0, [255, 0, 0]);
        assert_eq!(png.get_pixel(30, 10).0, [0, 0, 255]);
        assert!(drawing.to_svg().contains("<title>t</title>"));
        let huge = Drawing::new("t", 1e6, 1.0);
        assert!(matches!(huge.to_png(), Err(Error::TooLarge { .. })));
    }
}
