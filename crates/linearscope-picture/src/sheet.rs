//! Sheets: many pictures side by side, each with its number, its scale and its place.

use std::ops::Range;

use crate::{
    Error, Raster,
    colour::{NEGATIVE, Ramp, diverging, hex},
    drawing::{Anchor, DIM, Drawing, INK, LINE, Type, fitted, wrapped},
    line::{self, Line},
};

/// A place in an array, shown as a numbered ring.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Row in the array.
    pub y: usize,
    /// Column in the array.
    pub x: usize,
    /// The label next to the ring.
    pub label: String,
}

/// An arrow between two positions in an array, `[y, x]` in entries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrow {
    /// Where it begins.
    pub from: [f64; 2],
    /// Where its head is.
    pub to: [f64; 2],
    /// How strong it is, 0 to 1: its width.
    pub strength: f64,
}

/// One picture of a sheet.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The title, shown above.
    pub title: String,
    /// Lines shown under it; the scale and the window are added.
    pub caption: Vec<String>,
    /// The picture; of a signal, only what part of it is shown.
    pub raster: Raster,
    /// The line in place of the picture.
    pub(crate) line: Option<Line>,
    /// Places in it.
    pub marks: Vec<Mark>,
    /// Arrows in it.
    pub arrows: Vec<Arrow>,
    /// What its colours stand for, shown under it.
    pub key: Vec<([u8; 3], String)>,
    /// Of how many equal parts it is put together, down and right; lines are drawn between them.
    pub(crate) tiles: [usize; 2],
}

impl Panel {
    /// A picture with a title.
    pub fn new(title: impl Into<String>, raster: Raster) -> Self {
        Self {
            title: title.into(),
            caption: Vec::new(),
            raster,
            line: None,
            marks: Vec::new(),
            arrows: Vec::new(),
            key: Vec::new(),
            tiles: [1, 1],
        }
    }

    /// A line over a part of the entries of a signal. A signed one spans ± `scale`, with zero in the middle; without
    /// a scale the line spans the values it shows.
    pub fn line(
        title: impl Into<String>,
        values: &[f64],
        part: Range<usize>,
        scale: Option<f64>,
    ) -> Self {
        let (line, raster) = line::line(values, part, scale);
        Self {
            line: Some(line),
            ..Self::new(title, raster)
        }
    }

    /// With what its colours stand for.
    pub fn key(mut self, key: Vec<([u8; 3], String)>) -> Self {
        self.key = key;
        self
    }

    /// With lines that divide it into equal parts, so many down and so many to the right: pictures put together in one
    /// array.
    pub fn tiles(mut self, tiles: [usize; 2]) -> Self {
        self.tiles = tiles;
        self
    }

    /// The lines between its parts, from `[x, y]` to `[x, y]`, in a picture of width 1 and height 1.
    pub(crate) fn tile_lines(&self) -> impl Iterator<Item = [[f64; 2]; 2]> {
        let [down, right] = self.tiles;
        let at = |i: usize, of: usize| i as f64 / of as f64;
        let across = (1..down).map(move |i| [[0.0, at(i, down)], [1.0, at(i, down)]]);
        let upright = (1..right).map(move |i| [[at(i, right), 0.0], [at(i, right), 1.0]]);
        across.chain(upright)
    }

    /// With a line under it.
    pub fn caption(mut self, line: impl Into<String>) -> Self {
        self.caption.push(line.into());
        self
    }

    /// With places in it.
    pub fn marks(mut self, marks: Vec<Mark>) -> Self {
        self.marks = marks;
        self
    }

    /// With arrows in it.
    pub fn arrows(mut self, arrows: Vec<Arrow>) -> Self {
        self.arrows = arrows;
        self
    }

    /// The arrows whose ends are both in the part shown, in dots.
    pub(crate) fn seen_arrows(&self) -> impl Iterator<Item = Arrow> + '_ {
        let raster = &self.raster;
        let part = raster.window;
        let dots = move |at: [f64; 2]| {
            let block = raster.block as f64;
            [
                (at[0] + 0.5 - part.y as f64) / block,
                (at[1] + 0.5 - part.x as f64) / block,
            ]
        };
        let [h, w] = raster.size().map(|size| size as f64);
        let inside = move |[y, x]: [f64; 2]| (0.0..=h).contains(&y) && (0.0..=w).contains(&x);
        self.arrows
            .iter()
            .map(move |arrow| Arrow {
                from: dots(arrow.from),
                to: dots(arrow.to),
                ..*arrow
            })
            .filter(move |arrow| inside(arrow.from) && inside(arrow.to))
    }

    /// What stands under it where no colour bar does.
    fn lines(&self) -> Vec<String> {
        let mut lines = self.caption.clone();
        match self.raster.scale {
            Some(scale) if !self.raster.is_zero() => lines.push(format!("±{}", number(scale))),
            _ => {}
        }
        lines.extend(self.parts());
        lines
    }

    /// What part of the array is shown, and how coarsely.
    pub(crate) fn parts(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let raster = &self.raster;
        let [h, w] = raster.of;
        let part = raster.window;
        if let Some(line) = &self.line {
            if raster.scale.is_none() {
                let [low, high] = line.span();
                lines.push(format!("from {} to {}", number(low), number(high)));
            }
            lines.push(match part.w == w {
                true => format!("{w} entries"),
                false => format!("entries {}–{} of {w}", part.x, part.x + part.w - 1),
            });
            return lines;
        }
        if (part.h, part.w) != (h, w) {
            let (bottom, right) = (part.y + part.h - 1, part.x + part.w - 1);
            lines.push(format!("y {}–{bottom}, x {}–{right}", part.y, part.x));
        }
        if raster.block > 1 {
            let of = match raster.scale {
                Some(_) => "peak",
                None if !self.key.is_empty() => "most",
                None => "mean",
            };
            lines.push(format!("a dot: {of} of {0}×{0}", raster.block));
        }
        lines
    }
}

/// Pictures that belong together, in a row; long rows wrap.
#[derive(Clone, Debug, Default)]
pub struct Band {
    /// The heading, shown above.
    pub heading: String,
    /// The pictures.
    pub panels: Vec<Panel>,
}

/// Pictures side by side.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// What it shows.
    pub title: String,
    /// Sentences under the title.
    pub notes: Vec<String>,
    /// The pictures, from top to bottom.
    pub bands: Vec<Band>,
}

/// The least whole factor that brings a picture to three quarters of a cell, so that an upscaler's
/// output is not shown smaller than its input.
pub(crate) fn zoom_of(dots: usize) -> usize {
    (3 * CELL / 4).div_ceil(dots)
}

/// Three significant digits.
pub(crate) fn number(x: f64) -> String {
    crate::significant(x, 3)
}

/// How a signed picture in three channels is read.
const COLOUR_KEY: &str = "Signed colour pictures: red, green and blue each run from −s (none) through 0 (half, \
    so that zero is grey) to +s (full), with ±s under each picture.";

/// What stands in place of a signed picture without anything to see.
pub(crate) const ALL_ZERO: &str = "all zero";

const MARGIN: f64 = 20.0;
const GAP: f64 = 16.0;
/// Pictures are enlarged to about this size, by a whole factor.
const CELL: usize = 200;

impl Sheet {
    /// The largest number of dots per side that a raster of a sheet should have.
    pub const MOST: usize = 288;
    const ACROSS: usize = 6;
    /// What a row may take, in pixels.
    const WIDTH: f64 = 1500.0;

    /// Whether a panel is to be read by this ramp.
    pub(crate) fn has(&self, ramp: Ramp) -> bool {
        let mut panels = self.bands.iter().flat_map(|band| &band.panels);
        panels.any(|panel| {
            let raster = &panel.raster;
            panel.line.is_none()
                && raster.scale.is_some()
                && raster.ramp == ramp
                && !raster.is_zero()
        })
    }

    /// Draw it. The width depends on the pictures: three to six cells per row.
    ///
    /// # Errors
    /// [`Error::Png`] of an embedded picture.
    pub fn draw(&self) -> Result<Drawing, Error> {
        let (big, text, small) = (18.0, 13.0, 12.0);
        let dots = |panel: &Panel| panel.raster.size().into_iter().max().unwrap_or(1);
        let zoom = |panel: &Panel| zoom_of(dots(panel));
        let panels = || self.bands.iter().flat_map(|band| &band.panels);
        let cell = panels()
            .map(|p| dots(p) * zoom(p))
            .max()
            .unwrap_or(CELL)
            .max(160) as f64;
        let widest = self.bands.iter().map(|band| band.panels.len()).max();
        let fit = (Self::WIDTH / (cell + GAP)) as usize;
        let across = widest.unwrap_or(1).clamp(3, fit.clamp(3, Self::ACROSS));
        let inner = across as f64 * (cell + GAP) - GAP;
        let (grey, colour) = (self.has(Ramp::Diverging), self.has(Ramp::AroundGrey));
        let style = |size, colour| Type {
            size,
            colour,
            anchor: Anchor::Start,
        };

        // First where everything goes, then the drawing of that height.
        type Step<'a> = Box<dyn FnOnce(&mut Drawing) -> Result<(), Error> + 'a>;
        let mut steps: Vec<Step> = Vec::new();
        let mut y = MARGIN + big;
        for line in wrapped(&self.title, big, inner) {
            steps.push(Box::new(move |to| {
                to.text((MARGIN, y), &line, style(big, INK));
                Ok(())
            }));
            y += big + 6.0;
        }
        for line in self
            .notes
            .iter()
            .flat_map(|note| wrapped(note, text, inner))
        {
            steps.push(Box::new(move |to| {
                to.text((MARGIN, y), &line, style(text, DIM));
                Ok(())
            }));
            y += text + 5.0;
        }
        if grey {
            steps.push(Box::new(move |to| {
                key(to, (MARGIN, y - 4.0));
                Ok(())
            }));
            y += 24.0;
        }
        if colour {
            for line in wrapped(COLOUR_KEY, text, inner) {
                steps.push(Box::new(move |to| {
                    to.text((MARGIN, y), &line, style(text, DIM));
                    Ok(())
                }));
                y += text + 5.0;
            }
        }
        for band in &self.bands {
            y += 10.0;
            if !band.heading.is_empty() {
                let top = y;
                let heading = fitted(&band.heading, 15.0, inner);
                steps.push(Box::new(move |to| {
                    to.line((MARGIN, top - 4.0), (MARGIN + inner, top - 4.0), LINE);
                    to.text((MARGIN, top + 15.0), &heading, style(15.0, INK));
                    Ok(())
                }));
                y += 26.0;
            }
            for row in band.panels.chunks(across) {
                let top = y;
                let tall = row
                    .iter()
                    .map(|p| p.raster.size()[0] * zoom(p))
                    .max()
                    .unwrap_or(0) as f64;
                let captions: Vec<Vec<String>> = row
                    .iter()
                    .map(|panel| {
                        let lines = panel.lines();
                        lines.iter().flat_map(|l| wrapped(l, small, cell)).collect()
                    })
                    .collect();
                let under = row.iter().zip(&captions);
                let lines = under.map(|(panel, caption)| panel.key.len() + caption.len());
                let lines = lines.max().unwrap_or(0);
                for (i, (panel, caption)) in row.iter().zip(captions).enumerate() {
                    let x = MARGIN + i as f64 * (cell + GAP);
                    let zoom = zoom(panel);
                    steps.push(Box::new(move |to| {
                        let title = fitted(&panel.title, text, cell);
                        to.text((x, top + text), &title, style(text, INK));
                        let at = (x, top + text + 7.0);
                        let picture = panel.raster.zoomed(zoom);
                        let size = (f64::from(picture.width()), f64::from(picture.height()));
                        if panel.raster.is_zero() {
                            to.rectangle(at, size, "#f4f4f4");
                            let middle = (at.0 + 8.0, at.1 + size.1 / 2.0 + 4.0);
                            to.text(middle, ALL_ZERO, style(small, DIM));
                        } else if let Some(line) = &panel.line {
                            draw_line(to, line, at, size);
                        } else {
                            to.picture(at, &picture)?;
                        }
                        to.frame(at, size, LINE);
                        for ends in panel.tile_lines() {
                            let [from, end] =
                                ends.map(|[x, y]| (at.0 + x * size.0, at.1 + y * size.1));
                            to.line(from, end, LINE);
                        }
                        for arrow in panel.seen_arrows() {
                            let scaled =
                                |[y, x]: [f64; 2]| (at.0 + x * zoom as f64, at.1 + y * zoom as f64);
                            to.arrow(scaled(arrow.from), scaled(arrow.to), arrow.strength);
                        }
                        marks(to, panel, at, zoom);
                        let line = |line: usize| at.1 + tall + 16.0 + line as f64 * (small + 4.0);
                        for (i, (colour, text)) in panel.key.iter().enumerate() {
                            let (y, side) = (line(i), small - 2.0);
                            to.rectangle((x, y - side), (side, side), &hex(*colour));
                            to.frame((x, y - side), (side, side), LINE);
                            let text = fitted(text, small, cell - small - 6.0);
                            to.text((x + small + 4.0, y), &text, style(small, INK));
                        }
                        for (i, text) in caption.iter().enumerate() {
                            to.text((x, line(panel.key.len() + i)), text, style(small, DIM));
                        }
                        Ok(())
                    }));
                }
                y += text + 7.0 + tall + 16.0 + lines as f64 * (small + 4.0) + 6.0;
            }
        }
        let mut drawing = Drawing::new(&self.title, inner + 2.0 * MARGIN, y + MARGIN - 6.0);
        for step in steps {
            step(&mut drawing)?;
        }
        Ok(drawing)
    }
}

/// The colours' key: −s to +s, with zero in the middle.
fn key(to: &mut Drawing, (x, y): (f64, f64)) {
    let style = |anchor| Type {
        size: 12.0,
        colour: DIM,
        anchor,
    };
    let (left, width, height) = (x + 24.0, 160.0, 12.0);
    to.text((x + 18.0, y + 11.0), "−s", style(Anchor::End));
    const STEPS: u32 = 80;
    for i in 0..STEPS {
        let t = 2.0 * (f64::from(i) + 0.5) / f64::from(STEPS) - 1.0;
        let fill = hex(diverging(t));
        let step = width / f64::from(STEPS);
        // A little wider than its step, so that no seam shows.
        let wide = if i + 1 == STEPS { step } else { step + 0.4 };
        to.rectangle((left + f64::from(i) * step, y), (wide, height), &fill);
    }
    to.frame((left, y), (width, height), LINE);
    to.line(
        (left + width / 2.0, y),
        (left + width / 2.0, y + height),
        INK,
    );
    to.text(
        (left + width + 6.0, y + 11.0),
        "+s, with ±s under each picture; zero is white",
        style(Anchor::Start),
    );
}

/// A line on white, with zero where it lies.
fn draw_line(to: &mut Drawing, line: &Line, (x, y): (f64, f64), (w, h): (f64, f64)) {
    to.rectangle((x, y), (w, h), "#ffffff");
    if let Some(zero) = line.zero(h) {
        to.line((x, y + zero), (x + w, y + zero), LINE);
    }
    for stroke in line.strokes([w, h]) {
        for pair in stroke.windows(2) {
            let at = |(dx, dy): (f64, f64)| (x + dx, y + dy);
            to.stroke(at(pair[0]), at(pair[1]), NEGATIVE);
        }
    }
}

fn marks(to: &mut Drawing, panel: &Panel, (left, top): (f64, f64), zoom: usize) {
    let raster = &panel.raster;
    let part = raster.window;
    // Far-off entries of a window are not in it.
    let inside = panel.marks.iter().filter(|mark| {
        (part.y..part.y + part.h).contains(&mark.y) && (part.x..part.x + part.w).contains(&mark.x)
    });
    for mark in inside {
        let dot = |at: usize, from: usize| {
            ((at - from) / raster.block) as f64 * zoom as f64 + zoom as f64 / 2.0
        };
        let [rows, columns] = raster.size().map(|size| (size * zoom) as f64);
        let (x, y) = match panel.line {
            // Entries of a signal share the width, whatever it is.
            Some(_) => {
                let share = ((mark.x - part.x) as f64 + 0.5) / part.w as f64;
                (left + share * columns, top + rows / 2.0)
            }
            None => (left + dot(mark.x, part.x), top + dot(mark.y, part.y)),
        };
        to.ring((x, y), 5.0);
        // The label to the right, or to the left where the right edge is near.
        let near = x + 24.0 > left + columns;
        let shift = if near { -22.0 } else { 8.0 };
        to.tag((x + shift, y + 4.5), &mark.label, 13.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Array;

    fn sheet(panels: usize) -> Sheet {
        let values: Vec<f64> = (0..64).map(|i| f64::from(i) - 32.0).collect();
        let array = Array::new(&values, &[8, 8]).unwrap();
        let panel = |i: usize| {
            Panel::new(format!("row {i}"), array.signed(array.whole(), None, 288))
                .caption("0, 3, 4")
                .marks(vec![Mark {
                    y: 7,
                    x: 7,
                    label: "1".into(),
                }])
        };
        Sheet {
            title: "Rows of F".into(),
            notes: vec!["A note <with> & signs.".into()],
            bands: vec![Band {
                heading: "rows".into(),
                panels: (0..panels).map(panel).collect(),
            }],
        }
    }

    #[test]
    fn says_scale_and_numbers_and_wraps() {
        let one = sheet(1).draw().unwrap();
        let svg = one.to_svg();
        assert!(svg.contains("±32.0") && svg.contains("0, 3, 4") && svg.contains("&lt;with&gt;"));
        assert_eq!(svg.matches("<image").count(), 1);
        let six = sheet(6).draw().unwrap();
        let seven = sheet(7).draw().unwrap();
        assert_eq!(six.size()[0], seven.size()[0]);
        assert!(seven.size()[1] > six.size()[1] + 200.0);
        let png = image::load_from_memory(&seven.to_png().unwrap()).unwrap();
        assert_eq!(f64::from(png.width()), seven.size()[0].ceil());
    }

    /// In dots of what is shown; those that leave it are left out.
    #[test]
    fn arrows_go_between_entries() {
        let mut one = sheet(1);
        let arrow = |to: [f64; 2]| Arrow {
            from: [0.0, 0.0],
            to,
            strength: 1.0,
        };
        one.bands[0].panels[0].arrows = vec![arrow([3.0, 6.0]), arrow([3.0, 60.0])];
        let seen: Vec<Arrow> = one.bands[0].panels[0].seen_arrows().collect();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].from, seen[0].to), ([0.5, 0.5], [3.5, 6.5]));
        let plain = sheet(1).draw().unwrap().to_svg();
        let svg = one.draw().unwrap().to_svg();
        assert!(svg.matches("<path").count() > plain.matches("<path").count());
    }

    /// Between 2×3 parts lie one line across and two upright ones, at equal distances.
    #[test]
    fn lines_divide_a_panel_of_tiles() {
        let mut tiled = sheet(1);
        let panel = tiled.bands[0].panels.remove(0).tiles([2, 3]);
        let lines: Vec<[[f64; 2]; 2]> = panel.tile_lines().collect();
        assert_eq!(lines[0], [[0.0, 0.5], [1.0, 0.5]]);
        assert_eq!(lines[1], [[1.0 / 3.0, 0.0], [1.0 / 3.0, 1.0]]);
        assert_eq!(lines.len(), 3);
        tiled.bands[0].panels.push(panel);
        let count = |sheet: Sheet| sheet.draw().unwrap().to_svg().matches("<path").count();
        assert_eq!(count(tiled), count(sheet(1)) + 3);
    }

    #[test]
    fn numbers_have_three_digits() {
        for (x, text) in [
            (0.0, "0"),
            (0.012345, "0.0123"),
            (1.0, "1.00"),
            (123.4, "123"),
            (1234.0, "1234"),
            (1e-5, "1.00e-5"),
            (-2.5e7, "-2.50e7"),
        ] {
            assert_eq!(number(x), text);
        }
    }

    /// Colours that stand for something say for what, in lines of their own.
    #[test]
    fn keys_stand_under_pictures() {
        let mut keyed = sheet(1);
        let key = vec![
            ([1, 2, 3], "a <class>".to_string()),
            ([255; 3], "none".into()),
        ];
        let panel = keyed.bands[0].panels.remove(0).key(key);
        keyed.bands[0].panels.push(panel);
        let (plain, keyed) = (sheet(1).draw().unwrap(), keyed.draw().unwrap());
        assert!(keyed.size()[1] > plain.size()[1] + 30.0);
        let svg = keyed.to_svg();
        assert!(svg.contains("#010203") && svg.contains("a &lt;class&gt;"));
    }

    /// A signal is strokes and no picture, its marks share the width, and no key of colours stands above it.
    #[test]
    fn a_signal_is_a_line() {
        let values: Vec<f64> = (0..50).map(|i| (f64::from(i) * 0.3).sin()).collect();
        let mut signal = sheet(1);
        let mark = Mark {
            y: 0,
            x: 25,
            label: "7".into(),
        };
        let panel = Panel::line("row 3", &values, 10..40, Some(1.0)).marks(vec![mark]);
        signal.bands[0].panels = vec![panel];
        let svg = signal.draw().unwrap().to_svg();
        assert!(!svg.contains("<image") && !svg.contains("zero is white"));
        assert!(
            svg.contains(">entries 10–39 of 50<") && svg.contains(">±1.00<"),
            "{svg}"
        );
        assert!(svg.contains(">7<"));
        // 30 points, 29 strokes of the line's colour.
        assert_eq!(svg.matches(NEGATIVE).count(), 29);
        let whole = Panel::line("x₀", &values, 0..50, None);
        assert_eq!(whole.lines()[1], "50 entries");
        assert!(
            whole.lines()[0].starts_with("from -0.99"),
            "{:?}",
            whole.lines()
        );
    }

    /// In place of an empty picture and ±0.
    #[test]
    fn a_panel_of_zeros_says_so() {
        let array = Array::new(&[0.0; 16], &[4, 4]).unwrap();
        let mut zeros = sheet(1);
        zeros.bands[0].panels = vec![Panel::new("zeros", array.signed(array.whole(), None, 9))];
        let svg = zeros.draw().unwrap().to_svg();
        assert!(svg.contains(">all zero<") && !svg.contains("<image") && !svg.contains("±"));
    }

    /// An empty sheet is a drawing too.
    #[test]
    fn nothing_to_show() {
        assert!(Sheet::default().draw().unwrap().to_png().is_ok());
    }
}
