//! Bar charts of signed parts of a whole.

use crate::{
    colour::{NEGATIVE, NEUTRAL, POSITIVE},
    drawing::{Anchor, DIM, Drawing, INK, LINE, Type, fitted, wrapped},
    sheet::number,
};

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it is.
    pub label: String,
    /// How long it is; its sign says the side.
    pub value: f64,
    /// What stands at the right end of its line.
    pub note: String,
    /// Drawn grey: it is no part like the others.
    pub apart: bool,
}

/// Bars from one zero line, in the given order from top to bottom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarChart {
    /// What it shows.
    pub title: String,
    /// Sentences under the title.
    pub notes: Vec<String>,
    /// The bars.
    pub bars: Vec<Bar>,
}

impl BarChart {
    /// Draw it: 760 pixels wide, 20 a bar. Sign is said three times: by side, by colour, in figures.
    pub fn draw(&self) -> Drawing {
        let (margin, big, text, step) = (20.0, 18.0, 13.0, 20.0);
        let (names, bars, values, notes) = (210.0, 340.0, 80.0, 70.0);
        let inner = names + bars + values + notes + 20.0;
        let title = wrapped(&self.title, big, inner);
        let sentences: Vec<String> = self
            .notes
            .iter()
            .flat_map(|note| wrapped(note, text, inner))
            .collect();
        let top = margin
            + title.len() as f64 * (big + 6.0)
            + sentences.len() as f64 * (text + 5.0)
            + 12.0;
        let height = top + self.bars.len() as f64 * step + margin;
        let mut to = Drawing::new(&self.title, inner + 2.0 * margin, height);
        let style = |size, colour, anchor| Type {
            size,
            colour,
            anchor,
        };
        let mut y = margin + big;
        for line in &title {
            to.text((margin, y), line, style(big, INK, Anchor::Start));
            y += big + 6.0;
        }
        for line in &sentences {
            to.text((margin, y - 4.0), line, style(text, DIM, Anchor::Start));
            y += text + 5.0;
        }

        // Values that are not finite have no length; the figure says what they are.
        let length = |bar: &Bar| {
            if bar.value.is_finite() {
                bar.value
            } else {
                0.0
            }
        };
        let most = self.bars.iter().map(length).fold(0.0, f64::max);
        let least = self.bars.iter().map(length).fold(0.0, f64::min);
        let span = if most > least { most - least } else { 1.0 };
        let zero = margin + names + 10.0 + bars * -least / span;
        for (i, bar) in self.bars.iter().enumerate() {
            let y = top + i as f64 * step;
            let baseline = y + 14.0;
            if i % 2 == 1 {
                to.rectangle((margin - 4.0, y), (inner + 8.0, step), "#f4f4f4");
            }
            let label = fitted(&bar.label, text, names);
            let right = margin + names;
            to.text((right, baseline), &label, style(text, INK, Anchor::End));
            let long = bars * length(bar).abs() / span;
            let left = if bar.value < 0.0 { zero - long } else { zero };
            let fill = match bar {
                Bar { apart: true, .. } => NEUTRAL,
                bar if bar.value < 0.0 => NEGATIVE,
                _ => POSITIVE,
            };
            to.rectangle((left, y + 4.0), (long, step - 8.0), fill);
            let right = margin + names + bars + values + 10.0;
            let value = number(bar.value);
            to.text((right, baseline), &value, style(text, INK, Anchor::End));
            let right = margin + inner;
            to.text((right, baseline), &bar.note, style(text, DIM, Anchor::End));
        }
        let bottom = top + self.bars.len() as f64 * step;
        to.line((zero, top - 3.0), (zero, bottom + 3.0), INK);
        to.line((margin, bottom + 8.0), (margin + inner, bottom + 8.0), LINE);
        to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[f64]) -> BarChart {
        let bar = |&value| Bar {
            label: "features.0.a_long_name_of_a_convolution".into(),
            value,
            note: "50.0 %".into(),
            apart: false,
        };
        BarChart {
            title: "Contributions".into(),
            notes: vec![],
            bars: values.iter().map(bar).collect(),
        }
    }

    fn pixels(values: &[f64]) -> image::RgbImage {
        let png = chart(values).draw().to_png().unwrap();
        image::load_from_memory(&png).unwrap().to_rgb8()
    }

    #[test]
    fn lengths_are_in_proportion() {
        let picture = pixels(&[2.0, -1.0, 0.5]);
        let count = |colour: [u8; 3]| {
            let of = |dot: &&image::Rgb<u8>| dot.0 == colour;
            picture.pixels().filter(of).count() as f64
        };
        let (positive, negative) = (count([0xd5, 0x5e, 0x00]), count([0x00, 0x72, 0xb2]));
        assert!(
            (positive / negative - 2.5).abs() < 0.05,
            "{positive} {negative}"
        );
    }

    #[test]
    fn nothing_zero_and_infinite_are_drawn() {
        for values in [&[][..], &[0.0, 0.0], &[f64::NAN, f64::INFINITY, 1.0]] {
            assert!(pixels(values).width() > 700);
        }
    }
}
