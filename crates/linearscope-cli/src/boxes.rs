//! Detectors: networks that say of many boxes where each is and what is in it.

use std::ops::Range;

use linearscope_analysis::{argmax, ranking};
use linearscope_picture::page::{Cell, Column, Table};
use serde::Serialize;

use crate::{
    commands::{position::At, votes::name},
    error::Result,
    session::Session,
};

/// Numbers that say where a box is.
const COORDINATES: usize = 4;
/// How many classes' best boxes are listed.
const LISTED: usize = 5;

/// How boxes lie in an output `[1, boxes, numbers]` or `[1, numbers, boxes]`: of each box four coordinates, whether
/// there is anything in it, and a score a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Boxes {
    pub count: usize,
    /// Numbers of each box.
    pub numbers: usize,
    /// A box's numbers stand one behind the other.
    pub last: bool,
    /// The fifth number says whether anything is in the box.
    pub objectness: bool,
}

/// The best box of a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Best {
    #[serde(rename = "box")]
    pub number: usize,
    pub class: usize,
    pub label: Option<String>,
    /// Of the class, times that of there being anything.
    pub score: f64,
    /// The four numbers that say where, as the network gives them.
    pub coordinates: String,
}

impl Boxes {
    /// By the shape alone: many boxes of few numbers. Where a box's numbers stand together the fifth is taken as
    /// "is there anything" (YOLOv5, YOLOX), where boxes stand together there is none (YOLOv8 and later).
    pub(crate) fn of(shape: &[usize]) -> Option<Self> {
        let &[1, a, b] = shape else { return None };
        let enough = |numbers: usize| numbers > COORDINATES;
        // Boxes are many more than the numbers of one.
        match (a, b) {
            _ if enough(b) && a >= 4 * b => Some((a, b, true)),
            _ if enough(a) && b >= 4 * a => Some((b, a, false)),
            _ => None,
        }
        .map(|(count, numbers, last)| Self {
            count,
            numbers,
            last,
            objectness: last && numbers > COORDINATES + 1,
        })
    }

    /// Of coordinates and scores that were two outputs: `[1, boxes, 4 + classes]`, however many there are.
    pub(crate) fn joined(shape: &[usize]) -> Option<Self> {
        let &[1, count, numbers] = shape else {
            return None;
        };
        Some(Self {
            count,
            numbers,
            last: true,
            objectness: false,
        })
    }

    /// The same where it is known how many classes there are.
    pub(crate) fn known(self, classes: Option<usize>) -> Self {
        let objectness = match classes {
            Some(classes) if classes + COORDINATES == self.numbers => false,
            Some(classes) if classes + COORDINATES + 1 == self.numbers => true,
            _ => self.objectness,
        };
        Self { objectness, ..self }
    }

    /// Where a number of a box is in the output.
    pub(crate) fn position(&self, number: usize, of: usize) -> usize {
        match self.last {
            true => number * self.numbers + of,
            false => of * self.count + number,
        }
    }

    /// The box of a position, and which of its numbers it is.
    fn place(&self, position: usize) -> (usize, usize) {
        match self.last {
            true => (position / self.numbers, position % self.numbers),
            false => (position % self.count, position / self.count),
        }
    }

    /// How many classes it tells apart.
    pub(crate) fn classes(&self) -> usize {
        self.scores().len()
    }

    fn scores(&self) -> Range<usize> {
        COORDINATES + usize::from(self.objectness)..self.numbers
    }

    /// The best score of each class, and its box.
    fn best_of_each(&self, values: &[f64]) -> Vec<(usize, f64)> {
        let score = |number: usize, of: usize| {
            let anything = match self.objectness {
                true => values[self.position(number, COORDINATES)],
                false => 1.0,
            };
            anything * values[self.position(number, of)]
        };
        let of_class = |of: usize| {
            let scores: Vec<f64> = (0..self.count).map(|number| score(number, of)).collect();
            let best = argmax(&scores).unwrap_or(0);
            (best, scores.get(best).copied().unwrap_or(f64::NAN))
        };
        self.scores().map(of_class).collect()
    }

    /// The best box of each of the best classes. Of several alike only the best is here: boxes are not compared,
    /// since what their coordinates mean differs from network to network.
    fn best(&self, session: &Session, values: &[f64]) -> Vec<Best> {
        let each = self.best_of_each(values);
        let scores: Vec<f64> = each.iter().map(|one| one.1).collect();
        let classes = ranking(&scores).into_iter().take(LISTED);
        classes
            .map(|class| {
                let (number, score) = each[class];
                let at = |of| format!("{:.4}", values[self.position(number, of)]);
                let coordinates: Vec<String> = (0..COORDINATES).map(at).collect();
                Best {
                    number,
                    class,
                    label: session.label(class).map(String::from),
                    score,
                    coordinates: coordinates.join(" "),
                }
            })
            .collect()
    }

    /// [`best`](Self::best), written.
    pub(crate) fn save(&self, session: &mut Session, values: &[f64]) -> Result<Vec<Best>> {
        let best = self.best(session, values);
        session.save_table("boxes", &best)?;
        Ok(best)
    }

    /// The best box's best class and its other numbers, the score first.
    pub(crate) fn chosen(&self, values: &[f64]) -> Vec<At> {
        let each = self.best_of_each(values);
        let scores: Vec<f64> = each.iter().map(|one| one.1).collect();
        let Some(class) = argmax(&scores) else {
            return Vec::new();
        };
        let number = each[class].0;
        let numbers = [self.scores().start + class].into_iter();
        numbers
            .chain(
                (0..self.scores().start)
                    .rev()
                    .filter(|of| *of >= COORDINATES),
            )
            .chain(0..COORDINATES)
            .map(|of| At {
                text: match self.last {
                    true => format!("{number},{of}"),
                    false => format!("{of},{number}"),
                },
                positions: vec![self.position(number, of)],
            })
            .collect()
    }

    /// What a position of the output says, in words.
    pub(crate) fn name(&self, session: &Session, position: usize) -> String {
        let (number, of) = self.place(position);
        let what = match of {
            0..COORDINATES => format!("coordinate {of}"),
            COORDINATES if self.objectness => "anything there".into(),
            of => name(session, of - self.scores().start),
        };
        format!("{what} of box {number}")
    }
}

/// The best boxes as a table.
pub(crate) fn table(session: &Session, best: &[Best]) -> Table {
    let columns = [
        Column::number("box"),
        Column::number("score"),
        Column::text("class"),
        Column::text("where"),
    ];
    best.iter().fold(Table::new(columns), |table, one| {
        table.row([
            Cell::number(one.number as f64, one.number.to_string()),
            Cell::number(one.score, format!("{:.4}", one.score)),
            Cell::text(name(session, one.class)),
            Cell::text(&one.coordinates),
        ])
    })
}

/// The same in lines.
pub(crate) fn lines(best: &[Best]) -> Vec<String> {
    let line = |one: &Best| {
        format!(
            "  box {:6}  score {:9.4}  at {}  class {} {}",
            one.number,
            one.score,
            one.coordinates,
            one.class,
            one.label.as_deref().unwrap_or("")
        )
    };
    best.iter().map(|one| line(one).trim_end().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::Boxes;

    #[test]
    fn boxes_lie_either_way() {
        // 24 boxes of 4 + 1 + 1 numbers; box 7 is best, box 9 has a higher score but nothing in it.
        let last = Boxes::of(&[1, 24, 6]).expect("boxes");
        assert_eq!((last.count, last.numbers, last.objectness), (24, 6, true));
        let mut values = vec![0.0; 144];
        (values[7 * 6 + 4], values[7 * 6 + 5]) = (0.9, 0.8);
        (values[9 * 6 + 4], values[9 * 6 + 5]) = (0.1, 1.0);
        let texts = |boxes: &Boxes, values: &[f64]| -> Vec<String> {
            boxes.chosen(values).into_iter().map(|at| at.text).collect()
        };
        assert_eq!(
            texts(&last, &values),
            ["7,5", "7,4", "7,0", "7,1", "7,2", "7,3"]
        );
        for at in last.chosen(&values) {
            let [position] = at.positions[..] else {
                panic!("one")
            };
            assert_eq!(last.place(position).0, 7);
        }
        let first = Boxes::of(&[1, 6, 24]).expect("boxes");
        assert_eq!((first.last, first.objectness), (false, false));
        let mut values = vec![0.0; 144];
        values[5 * 24 + 7] = 0.8;
        assert_eq!(texts(&first, &values), ["5,7", "0,7", "1,7", "2,7", "3,7"]);
        assert_eq!(first.place(5 * 24 + 7), (7, 5));
        assert!(first.known(Some(1)).objectness);
        assert!(!last.known(Some(2)).objectness);
        let joined = Boxes::joined(&[1, 24, 6]).expect("boxes");
        assert!(!joined.objectness);
        assert_eq!((joined.count, joined.numbers, joined.last), (24, 6, true));
        assert_eq!(Boxes::of(&[1, 24, 4]), None);
        assert_eq!(Boxes::of(&[1, 197, 768]), None);
        assert_eq!(Boxes::of(&[24, 6]), None);
    }
}
