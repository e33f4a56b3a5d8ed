//! What a box's numbers are besides its coordinates and the scores of its classes. Shapes do not say: one number more
//! than there are labels may be an objectness score, the score of there being nothing, or an angle.

use clap::ValueEnum;
use serde::Serialize;

use super::{Boxes, COORDINATES};
use crate::error::{Failure, Result};

/// What a box's numbers are besides its coordinates and the scores of its classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BoxLayout {
    /// Nothing else (YOLOv8 and later, RT-DETR)
    Classes,
    /// An objectness score before the class scores (YOLOv5, YOLOX)
    Objectness,
    /// A background score before the class scores (SSD, Faster R-CNN)
    BackgroundFirst,
    /// A background score after the class scores (DETR)
    BackgroundLast,
    /// The angle of the box after the class scores (YOLO-OBB)
    Angle,
}

impl BoxLayout {
    /// Where a background's score is, of a box of so many numbers.
    fn background(self, numbers: usize) -> Option<usize> {
        match self {
            Self::BackgroundFirst => Some(COORDINATES),
            Self::BackgroundLast => Some(numbers - 1),
            Self::Classes | Self::Objectness | Self::Angle => None,
        }
    }

    /// As the flag is written.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("none is hidden");
        value.get_name().into()
    }
}

/// How far the scores of a box may add up to something else than 1 and still be those of a softmax in f32.
const SOFTMAX: f64 = 1e-4;

/// The end at which labels name a background, as the files of SSD and Faster R-CNN do.
fn named(labels: &[String]) -> Option<BoxLayout> {
    let is = |label: &String| {
        let letters = label.chars().filter(|c| c.is_alphanumeric());
        let word: String = letters.flat_map(char::to_lowercase).collect();
        matches!(&word[..], "background" | "noobject")
    };
    match (
        labels.first().is_some_and(is),
        labels.last().is_some_and(is),
    ) {
        (true, false) => Some(BoxLayout::BackgroundFirst),
        (false, true) => Some(BoxLayout::BackgroundLast),
        _ => None,
    }
}

impl Boxes {
    /// The same in this layout. A background that the labels name is a class like the others by number, so that
    /// numbers and labels agree. None where no class is left.
    fn laid_out(self, layout: BoxLayout, named: bool) -> Option<Self> {
        let other = usize::from(layout != BoxLayout::Classes && !named);
        let classes = self.numbers.checked_sub(COORDINATES + other)?;
        let before = matches!(layout, BoxLayout::Objectness | BoxLayout::BackgroundFirst);
        (classes > usize::from(named)).then(|| Self {
            layout,
            named,
            first: COORDINATES + usize::from(before && !named),
            classes,
            background: layout.background(self.numbers),
            ..self
        })
    }

    /// The same where labels or the user say what there is: `told` before names, names before how many there are.
    /// None where that leaves open what a number is; [`unknown`](Self::unknown) says so.
    ///
    /// # Errors
    /// A layout that leaves no class.
    pub(crate) fn known(
        self,
        labels: Option<&[String]>,
        told: Option<BoxLayout>,
    ) -> Result<Option<Self>> {
        // A file without any says nothing.
        let labels = labels.filter(|labels| !labels.is_empty());
        let rest = labels.and_then(|labels| self.numbers.checked_sub(COORDINATES + labels.len()));
        let by_name = labels.and_then(named).filter(|_| rest.is_some());
        let layout = match (told, by_name, rest) {
            (Some(layout), ..) | (None, Some(layout), _) => layout,
            (None, None, Some(0)) => BoxLayout::Classes,
            (None, None, Some(1)) if self.pair => return Ok(None),
            (None, None, Some(1)) if self.last => BoxLayout::Objectness,
            // Where boxes stand together nobody has an objectness, and YOLO-OBB an angle.
            (None, None, Some(1)) => BoxLayout::Angle,
            (None, None, _) => self.layout,
        };
        let found = self.laid_out(layout, labels.and_then(named) == Some(layout));
        let found = found.ok_or_else(|| {
            Failure::input(format!(
                "--boxes {} leaves no class scores: a box has {} numbers",
                layout.name(),
                self.numbers
            ))
        })?;
        Ok(Some(Self {
            settled: told.is_some() || rest == Some(0),
            ..found.limited(labels.map(<[String]>::len))
        }))
    }

    /// No more classes than labels.
    fn limited(self, labels: Option<usize>) -> Self {
        match labels {
            Some(labels) if (1..self.classes).contains(&labels) => Self {
                classes: labels,
                background: match self.layout {
                    BoxLayout::BackgroundLast if self.named => Some(self.first + labels - 1),
                    _ => self.background,
                },
                ..self
            },
            _ => self,
        }
    }

    /// That it is not known which of a box's scores is that of a background.
    pub(crate) fn unknown(&self, labels: usize) -> Failure {
        Failure::input(format!(
            "each of {} boxes has {} scores, but there are {labels} labels: one score may be a background's, \
             and the model does not say whether it is the first (as in SSD) or the last (as in DETR)",
            self.count,
            self.numbers - COORDINATES
        ))
        .hint("pass --boxes background-first or --boxes background-last, or labels that name the background")
    }

    /// How the output is read, in words.
    pub(crate) fn words(&self) -> String {
        let (before, behind) = match (self.layout, self.named) {
            (BoxLayout::Classes, _) => ("", ""),
            (BoxLayout::Objectness, _) => ("an objectness score, ", ""),
            (BoxLayout::Angle, _) => ("", ", followed by an angle"),
            (_, true) => ("", " besides the background that the labels name"),
            (BoxLayout::BackgroundFirst, false) => ("the score of a background, ", ""),
            (BoxLayout::BackgroundLast, false) => ("", ", followed by the score of a background"),
        };
        let others = match self.others() {
            0 => String::new(),
            others => format!(
                ", as many as there are labels: {others} other {} of each box {} not read as scores",
                if others == 1 { "number" } else { "numbers" },
                if others == 1 { "is" } else { "are" },
            ),
        };
        format!(
            "the output is read as {} boxes of 4 coordinates, {before}and {}{behind}{others} (use --boxes if a \
             box holds something else, --task if these are not boxes)",
            self.count,
            match self.classes - usize::from(self.named) {
                1 => "1 class".into(),
                many => format!("{many} classes"),
            }
        )
    }

    /// What there is to say of so many labels.
    pub(crate) fn doubt(&self, labels: usize) -> Option<String> {
        (labels != self.classes).then(|| {
            format!(
                "there are {labels} labels for {} classes, so names may be wrong (a box of 4 coordinates and \
                 {labels} classes has {} numbers; these have {})",
                self.classes,
                labels.saturating_add(COORDINATES),
                self.numbers
            )
        })
    }

    /// What an output's values say against how they are read, unless the user or as many labels have said how: scores
    /// of each box that add up to 1, of which one may be that of a background, and last numbers that are no scores where the others are.
    pub(crate) fn suspicion(&self, values: &[f64]) -> Option<String> {
        if self.settled || self.background.is_some() || self.count == 0 {
            return None;
        }
        let within = |of: usize| {
            (0..self.count).all(|number| (0.0..=1.0).contains(&values[self.position(number, of)]))
        };
        let sum = |number: usize| -> f64 {
            (COORDINATES..self.numbers)
                .map(|of| values[self.position(number, of)])
                .sum()
        };
        let scores = self.numbers - COORDINATES;
        if scores > 1
            && (0..self.count).all(|number| (sum(number) - 1.0).abs() <= SOFTMAX)
            && (COORDINATES..self.numbers).all(within)
        {
            return Some(format!(
                "the {scores} numbers after each box's coordinates add up to 1, as after a softmax; if one is \
                 the score of a background, pass --boxes background-first or --boxes background-last"
            ));
        }
        let read = self.scores();
        let strange = read.clone().rev().take_while(|&of| !within(of)).count();
        let inside = read.len() - strange;
        (strange > 0 && inside > 0 && (read.start..read.start + inside).all(within)).then(|| {
            format!(
                "the last {strange} of {} scores of each box lie outside 0 to 1, unlike the others; if they \
                 are not scores, pass --labels to set the number of classes, or --boxes angle if the last \
                 number is an angle",
                read.len()
            )
        })
    }

    /// Numbers that are not read.
    pub(super) fn others(&self) -> usize {
        let other = usize::from(self.layout != BoxLayout::Classes && !self.named);
        self.numbers - COORDINATES - other - self.classes
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Boxes, BoxLayout};

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    fn classes(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    /// Classes, where their scores begin, where the background's is.
    fn parts(boxes: &Boxes) -> (BoxLayout, usize, usize, Option<usize>) {
        (boxes.layout, boxes.classes, boxes.first, boxes.background)
    }

    /// One number more than labels: what a convention says, what names say, and what nothing says.
    #[test]
    fn one_number_more_than_labels_is_what_is_known_of_it() {
        use BoxLayout::*;
        let five = classes(5);
        let known = |boxes: Boxes, labels: &[String], told| {
            let found = boxes.known(Some(labels), told).expect("classes are left");
            found.map(|boxes| parts(&boxes))
        };
        let last = Boxes::of(&[1, 84, 10]).expect("boxes");
        let beside = Boxes::of(&[1, 10, 84]).expect("boxes");
        let pair = Boxes::joined(&[1, 84, 10]).expect("boxes");
        assert_eq!(known(last, &five, None), Some((Objectness, 5, 5, None)));
        assert_eq!(known(beside, &five, None), Some((Angle, 5, 4, None)));
        assert_eq!(known(pair, &five, None), None);
        // The user says which, of any of them.
        for boxes in [last, beside, pair] {
            for (told, first, background) in [
                (Objectness, 5, None),
                (Angle, 4, None),
                (BackgroundFirst, 5, Some(4)),
                (BackgroundLast, 4, Some(9)),
            ] {
                let found = known(boxes, &five, Some(told));
                assert_eq!(found, Some((told, 5, first, background)));
            }
        }
        // Labels that name the background count it.
        let first = labels(&["__background__", "a", "b", "c", "d", "e"]);
        let end = labels(&["a", "b", "c", "d", "e", "No object"]);
        for boxes in [last, beside, pair] {
            let found = known(boxes, &first, None);
            assert_eq!(found, Some((BackgroundFirst, 6, 4, Some(4))));
            let found = known(boxes, &end, None);
            assert_eq!(found, Some((BackgroundLast, 6, 4, Some(9))));
            // Of six labels none of which is one there is none.
            assert_eq!(known(boxes, &classes(6), None), Some((Classes, 6, 4, None)));
        }
        // Two numbers more, the second of which is something else.
        let wide = Boxes::joined(&[1, 84, 11]).expect("boxes");
        assert_eq!(
            known(wide, &end, None),
            Some((BackgroundLast, 6, 4, Some(9)))
        );
        let told = known(wide, &five, Some(BackgroundFirst));
        assert_eq!(told, Some((BackgroundFirst, 5, 5, Some(4))));
        let few = Boxes::of(&[1, 84, 5]).expect("boxes");
        let failure = few.known(None, Some(Angle)).expect_err("no class is left");
        assert!(
            failure
                .message
                .starts_with("--boxes angle leaves no class scores: a box has 5")
        );
        let failure = pair.unknown(5);
        assert!(failure.message.contains("6 scores, but there are 5 labels"));
        assert!(
            failure
                .hint
                .expect("a hint")
                .contains("--boxes background-first")
        );
    }

    #[test]
    fn the_layout_is_said() {
        use BoxLayout::*;
        let boxes = Boxes::joined(&[1, 84, 10]).expect("boxes");
        for (told, words) in [
            (Classes, "and 6 classes (use --boxes"),
            (Objectness, "an objectness score, and 5 classes ("),
            (
                BackgroundFirst,
                "the score of a background, and 5 classes (",
            ),
            (
                BackgroundLast,
                "and 5 classes, followed by the score of a background (",
            ),
            (Angle, "and 5 classes, followed by an angle ("),
        ] {
            let boxes = boxes.known(None, Some(told)).expect("fits").expect("known");
            assert!(boxes.words().contains(words), "{}", boxes.words());
        }
        let six = labels(&["Background", "a", "b", "c", "d", "e"]);
        let boxes = boxes.known(Some(&six), None).expect("fits").expect("known");
        let words = boxes.words();
        assert!(
            words.contains("5 classes besides the background"),
            "{words}"
        );
        assert_eq!(boxes.doubt(6), None);
    }

    /// Values that say otherwise are told, and settle nothing.
    #[test]
    fn values_that_fit_another_layout_are_told() {
        let boxes = Boxes::joined(&[1, 84, 10]).expect("boxes");
        let mut softmax = vec![0.0; 840];
        for (number, row) in softmax.chunks_mut(10).enumerate() {
            row[0] = 300.0;
            row[4] = 0.75;
            row[5 + number % 5] = 0.25;
        }
        let suspicion = boxes.suspicion(&softmax).expect("told");
        assert!(suspicion.contains("6 numbers after") && suspicion.contains("background-first"));
        // One box less than 1, and nothing is to be said.
        let mut other = softmax.clone();
        other[4] = 0.5;
        assert_eq!(boxes.suspicion(&other), None);
        // Once it is said it is not said again.
        let told = boxes.known(None, Some(BoxLayout::Classes)).expect("fits");
        assert_eq!(told.expect("known").suspicion(&softmax), None);
        let first = boxes.known(None, Some(BoxLayout::BackgroundFirst));
        assert_eq!(
            first.expect("fits").expect("known").suspicion(&softmax),
            None
        );

        let beside = Boxes::of(&[1, 8, 84]).expect("boxes");
        let mut angle = vec![0.25; 8 * 84];
        angle[7 * 84 + 3] = -0.5;
        let suspicion = beside.suspicion(&angle).expect("told");
        assert!(
            suspicion.contains("the last 1 of 4 scores") && suspicion.contains("--boxes angle")
        );
        // Raw scores leave it all together.
        angle[4 * 84] = 2.0;
        assert_eq!(beside.suspicion(&angle), None);
    }
}
