//! Façades and their labels, for the generator: windows, door, roof and wall at known places.

use crate::{picture::Picture, random::Random};

/// Side of a façade.
pub const SIDE: usize = 64;

/// What a pixel is, and the colour that stands for it in the label picture.
pub const LABELS: [(&str, [f64; 3]); 5] = [
    ("sky", [0.1, 0.6, 1.0]),
    ("wall", [1.0, 0.85, 0.1]),
    ("roof", [0.8, 0.1, 0.1]),
    ("window", [0.1, 0.1, 0.7]),
    ("door", [0.1, 0.8, 0.3]),
];

/// A façade with its labels.
#[derive(Clone, Debug)]
pub struct Facade {
    pub picture: Picture,
    /// Index into [`LABELS`] for each pixel, `[h, w]`.
    pub labels: Vec<usize>,
}

impl Facade {
    /// The labels as a picture.
    pub fn label_picture(&self) -> Picture {
        let mut picture = Picture::plain(SIDE, SIDE, [0.0; 3]);
        for (i, &label) in self.labels.iter().enumerate() {
            picture.set(i / SIDE, i % SIDE, LABELS[label].1);
        }
        picture
    }
}

/// The label whose colour is nearest.
pub fn nearest(colour: [f64; 3]) -> usize {
    let distance = |i: &usize| -> f64 {
        let other = LABELS[*i].1;
        (0..3).map(|c| (colour[c] - other[c]).powi(2)).sum()
    };
    (0..LABELS.len())
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
        .expect("there are labels")
}

struct Canvas {
    picture: Picture,
    labels: Vec<usize>,
}

impl Canvas {
    /// Fill whole pixels where `inside` holds.
    fn fill(&mut self, label: usize, colour: [f64; 3], inside: impl Fn(usize, usize) -> bool) {
        for y in 0..SIDE {
            for x in 0..SIDE {
                if inside(y, x) {
                    self.picture.set(y, x, colour);
                    self.labels[y * SIDE + x] = label;
                }
            }
        }
    }
}

fn near(random: &mut Random, colour: [f64; 3], spread: f64) -> [f64; 3] {
    colour.map(|c| (c + random.between(-spread, spread)).clamp(0.0, 1.0))
}

/// One façade.
pub fn facade(random: &mut Random) -> Facade {
    let sky = near(random, [0.65, 0.75, 0.9], 0.12);
    let mut canvas = Canvas {
        picture: Picture::plain(SIDE, SIDE, sky),
        labels: vec![0; SIDE * SIDE],
    };
    let top = 10 + random.below(12);
    let (left, right) = (random.below(7), SIDE - random.below(7));
    let wall = [
        [0.75, 0.45, 0.35],
        [0.85, 0.8, 0.7],
        [0.6, 0.6, 0.58],
        [0.8, 0.65, 0.45],
    ][random.below(4)];
    let wall = near(random, wall, 0.1);
    canvas.fill(1, wall, |y, x| y >= top && (left..right).contains(&x));
    let roof = near(random, [0.4, 0.22, 0.2], 0.12);
    let (high, steep) = (4 + random.below(top - 5), random.between(0.0, 1.5));
    canvas.fill(2, roof, |y, x| {
        let rise = (top.saturating_sub(y)) as f64 * steep;
        y < top
            && y + high >= top
            && x as f64 >= left as f64 + rise
            && (x as f64) < right as f64 - rise
    });

    // Windows on a grid; one size for all of a house, dark panes with a light frame.
    let (columns, rows) = (2 + random.below(3), 2 + random.below(3));
    let (step_x, step_y) = ((right - left) / columns, (SIDE - top - 4) / rows);
    let (w, h) = (
        (step_x * (45 + random.below(25)) / 100).max(3),
        (step_y * (50 + random.below(25)) / 100).max(4),
    );
    let pane = near(random, [0.22, 0.28, 0.36], 0.12);
    let frame = near(random, [0.9, 0.9, 0.88], 0.1);
    let door_column = random.below(columns);
    for row in 0..rows {
        for column in 0..columns {
            let x0 = left + column * step_x + (step_x - w) / 2;
            let y0 = top + 3 + row * step_y + (step_y - h) / 2;
            let door = row + 1 == rows && column == door_column;
            let missing = random.chance(0.08);
            let glass = near(random, pane, 0.06);
            if door {
                let colour = near(random, [0.35, 0.25, 0.15], 0.12);
                canvas.fill(4, colour, |y, x| y >= y0 && (x0..x0 + w).contains(&x));
            } else if !missing {
                let rim =
                    |y: usize, x: usize| y == y0 || y + 1 == y0 + h || x == x0 || x + 1 == x0 + w;
                let area =
                    |y: usize, x: usize| (y0..y0 + h).contains(&y) && (x0..x0 + w).contains(&x);
                canvas.fill(3, glass, area);
                canvas.fill(3, frame, |y, x| area(y, x) && rim(y, x));
            }
        }
    }

    // A shadow falls over it all, and there is grain; neither changes what things are.
    let (angle, dark) = (
        random.between(0.0, std::f64::consts::TAU),
        random.between(0.0, 0.35),
    );
    let Canvas {
        mut picture,
        labels,
    } = canvas;
    for y in 0..SIDE {
        for x in 0..SIDE {
            let along = x as f64 * angle.cos() + y as f64 * angle.sin();
            let light = 1.0 - dark * (0.5 + 0.5 * (along / 14.0).sin());
            let grain = random.between(-0.04, 0.04);
            let lit = picture
                .at(y, x)
                .map(|c| (c * light + grain).clamp(0.0, 1.0));
            picture.set(y, x, lit);
        }
    }
    Facade { picture, labels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facades_have_all_parts_and_labels_have_their_own_colours() {
        let mut random = Random::new(1);
        let mut counts = [0; 5];
        for _ in 0..50 {
            let facade = facade(&mut random);
            facade.labels.iter().for_each(|&label| counts[label] += 1);
            let labels = facade.label_picture();
            for (i, &label) in facade.labels.iter().enumerate() {
                assert_eq!(nearest(labels.at(i / SIDE, i % SIDE)), label);
            }
        }
        assert!(counts.iter().all(|count| *count > 1000), "{counts:?}");
    }
}
