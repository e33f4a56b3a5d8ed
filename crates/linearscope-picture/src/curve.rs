//! Charts of quantities over steps: one panel a quantity, one curve a run.

use plotters::coord::{ranged1d::Ranged, types::RangedCoordf64};

use crate::{
    colour::{NEGATIVE, NEUTRAL, POSITIVE},
    drawing::{Anchor, DIM, Drawing, INK, LINE, Type, fitted, wrapped},
    sheet::number,
};

/// One run of a quantity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What it is of; stands alongside its end.
    pub label: String,
    /// (step, value), steps increasing.
    pub points: Vec<(f64, f64)>,
    /// Half the width of a band around the curve, point by point (a standard deviation); empty for none.
    pub band: Vec<f64>,
}

/// One quantity, from 0 (or its least value, if that is below) to its largest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurvePanel {
    /// What is drawn upwards.
    pub title: String,
    /// The runs, told apart by colour and by the labels at their ends.
    pub curves: Vec<Curve>,
}

/// Panels above each other with the same steps across.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurveChart {
    /// What it shows.
    pub title: String,
    /// Sentences under the title.
    pub notes: Vec<String>,
    /// What is drawn to the right.
    pub across: String,
    /// From top to bottom.
    pub panels: Vec<CurvePanel>,
}

impl Curve {
    /// The ends of the band, point by point, where there is one.
    fn ends(&self) -> impl Iterator<Item = [(f64, f64); 2]> + '_ {
        let points = self.points.iter().zip(&self.band);
        points
            .filter(|((step, v), half)| step.is_finite() && (v + *half).is_finite())
            .map(|(&(step, v), half)| [(step, v - half), (step, v + half)])
    }
}

/// Least and largest of finite numbers, 0 among them; a span of 1 where there is none.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|v| v.is_finite())
        .fold((0f64, 0f64), |(low, high), v| (low.min(v), high.max(v)));
    if high > low {
        (low, high)
    } else {
        (low, low + 1.0)
    }
}

/// Up to six round numbers, evenly apart, within an axis' ends.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    RangedCoordf64::from(low..high).key_points(6)
}

/// A tick with as many decimals as their distance has.
fn tick_label(value: f64, ticks: &[f64]) -> String {
    let step = ticks
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .fold(f64::INFINITY, f64::min);
    let largest = ticks
        .iter()
        .fold(0.0, |most: f64, tick| most.max(tick.abs()));
    if !(step >= 1e-4 && largest < 1e5 && step.is_finite()) {
        return number(value);
    }
    let decimals = (-(step * 1.001).log10().floor()).max(0.0) as usize;
    let label = format!("{value:.decimals$}");
    // Rounding leaves −0 of a tick just below 0.
    match label
        .trim_start_matches('-')
        .trim_matches(['0', '.'])
        .is_empty()
    {
        true => "0".into(),
        false => label,
    }
}

impl CurveChart {
    /// Draw it: 760 pixels wide, 210 a panel. A value that is not finite makes a gap.
    pub fn draw(&self) -> Drawing {
        const MARGIN: f64 = 20.0;
        const PANEL: f64 = 210.0;
        let (big, text, inner) = (18.0, 13.0, 720.0);
        let (left, right) = (60.0, 150.0);
        let (wide, tall) = (inner - left - right, PANEL - 56.0);
        let colours = [NEGATIVE, POSITIVE, NEUTRAL];
        let style = |size, colour, anchor| Type {
            size,
            colour,
            anchor,
        };
        let title = wrapped(&self.title, big, inner);
        let notes: Vec<String> = self
            .notes
            .iter()
            .flat_map(|note| wrapped(note, text, inner))
            .collect();
        let top = MARGIN + title.len() as f64 * 24.0 + notes.len() as f64 * 18.0;
        let height = top + self.panels.len() as f64 * PANEL + 24.0 + MARGIN;
        let mut to = Drawing::new(&self.title, inner + 2.0 * MARGIN, height);
        let mut y = MARGIN + big;
        for line in &title {
            to.text((MARGIN, y), line, style(big, INK, Anchor::Start));
            y += 24.0;
        }
        for line in &notes {
            to.text((MARGIN, y - 4.0), line, style(text, DIM, Anchor::Start));
            y += 18.0;
        }
        let points = |panel: &CurvePanel| {
            let curves = panel.curves.iter();
            let points = |c: &Curve| {
                c.points
                    .iter()
                    .copied()
                    .chain(c.ends().flatten())
                    .collect::<Vec<_>>()
            };
            curves.flat_map(points).collect::<Vec<(f64, f64)>>()
        };
        let all = self.panels.iter().flat_map(points);
        let (first, last) = span(all.map(|(step, _)| step));
        for (i, panel) in self.panels.iter().enumerate() {
            let (x0, y0) = (MARGIN + left, top + i as f64 * PANEL + 40.0);
            let (low, high) = span(points(panel).into_iter().map(|(_, value)| value));
            let place = |(step, value): (f64, f64)| {
                (
                    x0 + wide * (step - first) / (last - first),
                    y0 + tall * (high - value) / (high - low),
                )
            };
            let heading = (MARGIN, y0 - 14.0);
            to.text(heading, &panel.title, style(text + 1.0, INK, Anchor::Start));
            let ticks = ticks(low, high);
            for &value in &ticks {
                let (_, y) = place((first, value));
                to.line((x0, y), (x0 + wide, y), LINE);
                let at = (x0 - 8.0, y + 4.0);
                let label = tick_label(value, &ticks);
                to.text(at, &label, style(text, DIM, Anchor::End));
            }
            for (curve, colour) in panel.curves.iter().zip(colours.iter().cycle()) {
                let ends: Vec<_> = curve.ends().collect();
                let (low, high) = (ends.iter().map(|e| e[0]), ends.iter().rev().map(|e| e[1]));
                let area: Vec<(f64, f64)> = low.chain(high).map(place).collect();
                if area.len() > 2 {
                    to.area(&area, colour);
                }
            }
            // Labels stand beside the ends, and give way to each other downwards.
            let mut labels: Vec<(f64, &str, &'static str)> = Vec::new();
            for (curve, colour) in panel.curves.iter().zip(colours.iter().cycle()) {
                for pair in curve.points.windows(2) {
                    if pair
                        .iter()
                        .all(|(step, v)| step.is_finite() && v.is_finite())
                    {
                        to.stroke(place(pair[0]), place(pair[1]), colour);
                    }
                }
                if let Some(end) = curve.points.last().filter(|(_, v)| v.is_finite()) {
                    labels.push((place(*end).1, &curve.label, colour));
                }
            }
            labels.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut free = f64::MIN;
            for (y, label, colour) in labels {
                let y = y.max(free);
                free = y + 16.0;
                let label = fitted(label, text, right - 12.0);
                let at = (x0 + wide + 8.0, y + 4.0);
                to.text(at, &label, style(text, colour, Anchor::Start));
            }
        }
        let y = top + self.panels.len() as f64 * PANEL + 12.0;
        let x0 = MARGIN + left;
        to.text((x0, y), &number(first), style(text, DIM, Anchor::Start));
        let end = format!("{} {}", self.across, number(last));
        to.text((x0 + wide, y), &end, style(text, DIM, Anchor::End));
        to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[f64]) -> CurveChart {
        let points = values.iter().enumerate().map(|(i, v)| (i as f64, *v));
        CurveChart {
            title: "Training".into(),
            notes: vec!["One run.".into()],
            across: "step".into(),
            panels: vec![CurvePanel {
                title: "loss".into(),
                curves: vec![Curve {
                    label: "plain".into(),
                    points: points.collect(),
                    band: Vec::new(),
                }],
            }],
        }
    }

    /// Rows of the leftmost and of the rightmost dot of the curve.
    fn ends(values: &[f64]) -> (u32, u32) {
        let png = chart(values).draw().to_png().unwrap();
        let picture = image::load_from_memory(&png).unwrap().to_rgb8();
        // The labels stand to the right of 600.
        let dots = picture
            .enumerate_pixels()
            .filter(|(x, _, dot)| *x < 590 && dot.0 == [0x00, 0x72, 0xb2]);
        let dots: Vec<(u32, u32)> = dots.map(|(x, y, _)| (x, y)).collect();
        let (left, right) = (dots.iter().min().unwrap(), dots.iter().max().unwrap());
        (left.1, right.1)
    }

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        for (low, high, expected) in [
            (0.0, 1.0, &["0", "0.2", "0.4", "0.6", "0.8", "1.0"][..]),
            (-2.0, 4.0, &["-2", "0", "2", "4"]),
            (0.0, 0.037, &["0", "0.01", "0.02", "0.03"]),
            (0.0, 7.3e6, &["0", "2.00e6", "4.00e6", "6.00e6"]),
            (0.0, 3.1e-7, &["0", "1.00e-7", "2.00e-7", "3.00e-7"]),
        ] {
            let ticks = ticks(low, high);
            assert!(
                ticks.iter().all(|tick| (low..=high).contains(tick)),
                "{ticks:?}"
            );
            let labels: Vec<String> = ticks.iter().map(|t| tick_label(*t, &ticks)).collect();
            assert_eq!(labels, expected);
        }
    }

    #[test]
    fn a_falling_curve_falls() {
        let (left, right) = ends(&[2.0, 1.0, 0.0]);
        // The whole panel: 154 pixels.
        assert!((150..158).contains(&(right - left)), "{left} {right}");
        let (left, right) = ends(&[1.0, 1.5, 2.0]);
        assert!((74..80).contains(&(left - right)), "{left} {right}");
    }

    /// A band is drawn, and fits into its panel.
    #[test]
    fn a_band_surrounds_its_curve() {
        let mut banded = chart(&[1.0, 1.0]);
        assert!(!banded.draw().to_svg().contains("<polygon"));
        banded.panels[0].curves[0].band = vec![1.0, 3.0];
        let svg = banded.draw().to_svg();
        // The scale goes to 1 + 3 and down to 1 − 3.
        assert!(svg.contains("<polygon") && svg.contains(">4<") && svg.contains(">-2<"));
        banded.panels[0].curves[0].band = vec![f64::NAN, f64::INFINITY];
        assert!(!banded.draw().to_svg().contains("<polygon"));
    }

    #[test]
    fn nothing_constant_and_infinite_are_drawn() {
        for values in [&[][..], &[0.0, 0.0], &[f64::NAN, f64::INFINITY, 1.0]] {
            assert!(chart(values).draw().to_png().is_ok());
        }
        assert!(CurveChart::default().draw().to_png().is_ok());
    }
}
