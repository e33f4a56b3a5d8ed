//! Detectors: networks that say of many boxes where each is and what is in it.

use linearscope_analysis::{argmax, ranking};
use linearscope_picture::page::{Cell, Column, Table};
use serde::Serialize;

use crate::{
    commands::{position::At, votes::name},
    error::Result,
    session::Session,
    subject::Subject,
};

mod layout;
mod scores;

pub(crate) use layout::BoxLayout;
use scores::Raw;

/// Numbers that say where a box is.
pub(crate) const COORDINATES: usize = 4;
/// How many classes' best boxes are listed.
const LISTED: usize = 5;

/// How boxes lie in an output `[1, boxes, numbers]` or `[1, numbers, boxes]`: of each box four coordinates, a score a
/// class, and before or behind those what its [`BoxLayout`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Boxes {
    pub count: usize,
    /// Numbers of each box.
    pub numbers: usize,
    /// A box's numbers stand one behind the other.
    pub last: bool,
    /// Coordinates and scores were two outputs.
    pair: bool,
    layout: BoxLayout,
    /// The user said so, or there is a label for each score.
    settled: bool,
    /// The labels name the background, which is so one of the classes by number.
    named: bool,
    /// Where the scores begin.
    first: usize,
    /// How many scores there are. Numbers behind them are something else: coefficients of masks, an angle, the
    /// score of a background.
    pub classes: usize,
    /// Which number is the score of there being nothing.
    background: Option<usize>,
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
    /// What its score is, where that is no matter of course.
    #[serde(skip)]
    raw: Option<Raw>,
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
        .map(|(count, numbers, last)| Self::lying(count, numbers, last))
    }

    fn lying(count: usize, numbers: usize, last: bool) -> Self {
        let objectness = last && numbers > COORDINATES + 1;
        let first = COORDINATES + usize::from(objectness);
        Self {
            count,
            numbers,
            last,
            pair: false,
            layout: match objectness {
                true => BoxLayout::Objectness,
                false => BoxLayout::Classes,
            },
            settled: false,
            named: false,
            first,
            classes: numbers - first,
            background: None,
        }
    }

    /// Where the user says that it is a detector: of whichever axis the labels tell that it holds a box's numbers,
    /// else of the shorter one.
    pub(crate) fn told(shape: &[usize], labels: Option<usize>) -> Option<Self> {
        let &[1, a, b] = shape else { return None };
        let tells = |numbers: usize| {
            labels.is_some_and(|labels| {
                labels > 0
                    && [COORDINATES, COORDINATES + 1]
                        .map(|more| more + labels)
                        .contains(&numbers)
            })
        };
        let last = match (tells(a), tells(b)) {
            (true, false) => false,
            (false, true) => true,
            _ => a >= b,
        };
        let (count, numbers) = if last { (a, b) } else { (b, a) };
        let enough = count > 0 && numbers > COORDINATES;
        enough.then(|| Self::lying(count, numbers, last))
    }

    /// Of coordinates and scores that were two outputs: `[1, boxes, 4 + classes]`, however many there are.
    pub(crate) fn joined(shape: &[usize]) -> Option<Self> {
        match *shape {
            [1, count, numbers] if numbers > COORDINATES => Some(Self {
                pair: true,
                layout: BoxLayout::Classes,
                first: COORDINATES,
                classes: numbers - COORDINATES,
                ..Self::lying(count, numbers, true)
            }),
            _ => None,
        }
    }

    /// Whether the fifth number says that anything is there.
    fn objectness(&self) -> bool {
        self.layout == BoxLayout::Objectness
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

    /// The best box of each of the best classes. Of several alike only the best is here: boxes are not compared,
    /// since what their coordinates mean differs from network to network.
    fn best(&self, session: &Session, values: &[f64]) -> Vec<Best> {
        let scores = self.scored(values);
        let each = scores.best_of_each();
        let ranked: Vec<f64> = each.iter().map(|winner| winner.ranked).collect();
        let winners = ranking(&ranked).into_iter().take(LISTED);
        winners
            .map(|at| {
                let winner = each[at];
                let at = |of| format!("{:.4}", values[self.position(winner.number, of)]);
                let coordinates: Vec<String> = (0..COORDINATES).map(at).collect();
                Best {
                    number: winner.number,
                    class: winner.class,
                    label: session.label(winner.class).map(String::from),
                    score: scores.shown(&winner),
                    coordinates: coordinates.join(" "),
                    raw: scores.raw,
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

    /// The best box's best class and its other numbers, the score first, then that of anything or nothing.
    pub(crate) fn chosen(&self, values: &[f64]) -> Vec<At> {
        let each = self.scored(values).best_of_each();
        let ranked: Vec<f64> = each.iter().map(|winner| winner.ranked).collect();
        let Some(winner) = argmax(&ranked).map(|at| each[at]) else {
            return Vec::new();
        };
        let score = self.scores().start + winner.class;
        let anything = self.objectness().then_some(COORDINATES);
        [score]
            .into_iter()
            .chain(anything.or(self.background))
            .chain(0..COORDINATES)
            .map(|of| self.at(winner.number, of))
            .collect()
    }

    /// The score of a class's best box; nothing where there is no such class.
    pub(crate) fn of_class(&self, values: &[f64], class: usize) -> Vec<At> {
        if class >= self.classes {
            return Vec::new();
        }
        let number = self.scored(values).best_of(class).number;
        vec![self.at(number, self.scores().start + class)]
    }

    fn at(&self, number: usize, of: usize) -> At {
        At {
            text: match (self.count, self.last) {
                // Axes of one entry go unsaid.
                (1, _) => format!("{of}"),
                (_, true) => format!("{number},{of}"),
                (_, false) => format!("{of},{number}"),
            },
            positions: vec![self.position(number, of)],
        }
    }

    /// What `--target` and `--at` take, for hints.
    pub(crate) fn forms(&self) -> String {
        let form = match self.last {
            true => "BOX,NUMBER",
            false => "NUMBER,BOX",
        };
        format!(
            "give {form}, with box 0 to {} and number 0 to {}, or a class, which selects the score of its best \
             box: by number, 0 to {}, or in `attribute` by its label",
            self.count - 1,
            self.numbers - 1,
            self.classes - 1
        )
    }

    /// What a position of the output says, in words.
    pub(crate) fn name(&self, session: &Subject, position: usize) -> String {
        let (number, of) = self.place(position);
        let what = match of {
            0..COORDINATES => format!("coordinate {of}"),
            COORDINATES if self.objectness() => "anything there".into(),
            of if Some(of) == self.background => "the background".into(),
            of if self.scores().contains(&of) => name(session, of - self.scores().start),
            of if self.layout == BoxLayout::Angle && of + 1 == self.numbers => "the angle".into(),
            of => format!("number {of}"),
        };
        format!("{what} of box {number}")
    }
}

/// The best boxes as a table.
pub(crate) fn table(session: &Session, best: &[Best]) -> Table {
    let raw = best.first().and_then(|one| one.raw);
    let columns = [
        Column::number("box"),
        Column::number(raw.map_or("score", Raw::column)),
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
    let raw = best.first().and_then(|one| one.raw);
    let raw = raw.map(|raw| format!("  {}", raw.words()));
    let lines = best.iter().map(|one| line(one).trim_end().into());
    raw.into_iter().chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::{BoxLayout, Boxes};

    /// So many labels that say nothing but how many they are.
    fn known(boxes: Boxes, labels: Option<usize>) -> Boxes {
        let labels = labels.map(|count| vec![String::from("a class"); count]);
        let found = boxes
            .known(labels.as_deref(), None)
            .expect("classes are left");
        found.expect("known")
    }

    #[test]
    fn boxes_lie_either_way() {
        // 24 boxes of 4 + 1 + 1 numbers; box 7 is best, box 9 has a higher score but nothing in it.
        let last = Boxes::of(&[1, 24, 6]).expect("boxes");
        assert_eq!((last.count, last.numbers, last.objectness()), (24, 6, true));
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
        assert_eq!((first.last, first.objectness()), (false, false));
        let mut values = vec![0.0; 144];
        values[5 * 24 + 7] = 0.8;
        assert_eq!(texts(&first, &values), ["5,7", "0,7", "1,7", "2,7", "3,7"]);
        assert_eq!(first.place(5 * 24 + 7), (7, 5));
        assert_eq!(known(first, Some(1)).layout, BoxLayout::Angle);
        assert_eq!(known(last, Some(2)).layout, BoxLayout::Classes);
        let joined = Boxes::joined(&[1, 24, 6]).expect("boxes");
        assert!(!joined.objectness());
        assert_eq!((joined.count, joined.numbers, joined.last), (24, 6, true));
        // Two labels fewer are no sign of anything where coordinates and scores were two outputs.
        let joined = known(Boxes::joined(&[1, 24, 7]).expect("boxes"), Some(1));
        assert_eq!((joined.objectness(), joined.classes), (false, 1));
        assert_eq!(Boxes::of(&[1, 24, 4]), None);
        assert_eq!(Boxes::of(&[1, 197, 768]), None);
        assert_eq!(Boxes::of(&[24, 6]), None);
    }

    /// YOLOs that segment, with and without "is there anything", and a background behind the classes.
    #[test]
    fn classes_are_no_more_than_labels() {
        for (shape, labels, objectness, classes, others) in [
            (&[1, 8400, 84][..], Some(80), false, 80, 0),
            (&[1, 84, 8400], Some(80), false, 80, 0),
            (&[1, 25200, 85], Some(80), true, 80, 0),
            (&[1, 116, 8400], Some(80), false, 80, 32),
            (&[1, 25200, 117], Some(80), true, 80, 32),
            (&[1, 116, 8400], None, false, 112, 0),
            // More labels than there is room for are told, and so is a file without any.
            (&[1, 84, 8400], Some(1000), false, 80, 0),
            (&[1, 84, 8400], Some(0), false, 80, 0),
        ] {
            let boxes = known(Boxes::of(shape).expect("boxes"), labels);
            let found = (boxes.objectness(), boxes.classes, boxes.others());
            assert_eq!(found, (objectness, classes, others), "{shape:?} {labels:?}");
            assert_eq!(
                boxes.words().contains("other number"),
                others > 0,
                "{}",
                boxes.words()
            );
            let told = labels.and_then(|labels| boxes.doubt(labels));
            assert_eq!(told.is_some(), matches!(labels, Some(0 | 1000)), "{told:?}");
        }
        // A coefficient of 9 is no score.
        let boxes = known(Boxes::of(&[1, 8, 32]).expect("boxes"), Some(2));
        let mut values = vec![0.5; 8 * 32];
        values[5 * 32 + 3] = 0.75;
        values[7 * 32 + 4] = 9.0;
        assert_eq!(boxes.raw(&values), None);
        assert_eq!(boxes.chosen(&values)[0].text, "5,3");
    }

    #[test]
    fn a_class_means_its_best_box() {
        let boxes = Boxes::of(&[1, 28, 7]).expect("boxes");
        let mut values = vec![0.0; 28 * 7];
        (values[3 * 7 + 4], values[3 * 7 + 5]) = (0.9, 0.8);
        (values[5 * 7 + 4], values[5 * 7 + 6]) = (0.5, 0.5);
        let texts = |class| -> Vec<String> {
            let found = boxes.of_class(&values, class);
            found.into_iter().map(|at| at.text).collect()
        };
        assert_eq!(
            (texts(0), texts(1)),
            (vec!["3,5".into()], vec!["5,6".into()])
        );
        assert_eq!(boxes.of_class(&values, 1)[0].positions, [5 * 7 + 6]);
        assert!(texts(2).is_empty());
        assert!(boxes.forms().contains("BOX,NUMBER") && boxes.forms().contains("0 to 1,"));
    }

    /// What is said to be a detector need not have many more boxes than numbers.
    #[test]
    fn told_boxes_lie_along_the_longer_axis_or_as_labels_say() {
        let lies = |shape: &[usize], labels| {
            Boxes::told(shape, labels).map(|boxes| (boxes.count, boxes.numbers, boxes.last))
        };
        assert_eq!(lies(&[1, 100, 92], None), Some((100, 92, true)));
        assert_eq!(lies(&[1, 84, 100], None), Some((100, 84, false)));
        assert_eq!(lies(&[1, 9, 9], None), Some((9, 9, true)));
        // 20 boxes of 4 + 80 numbers, of 5 + 80.
        assert_eq!(lies(&[1, 20, 84], Some(80)), Some((20, 84, true)));
        assert_eq!(lies(&[1, 85, 20], Some(80)), Some((20, 85, false)));
        // Both axes would do, or neither.
        assert_eq!(lies(&[1, 84, 85], Some(80)), Some((85, 84, false)));
        assert_eq!(lies(&[1, 20, 84], Some(3)), Some((84, 20, false)));
        let boxes = Boxes::told(&[1, 20, 85], Some(80)).expect("boxes");
        assert!(known(boxes, Some(80)).objectness());
        for shape in [&[1, 100, 4][..], &[1, 10], &[2, 100, 9], &[1, 0, 9]] {
            assert_eq!(Boxes::told(shape, None), None, "{shape:?}");
        }
    }
}
