//! Scores of boxes, and which box is best by them.

use std::ops::Range;

use linearscope_analysis::argmax;

use super::{Boxes, COORDINATES};

/// Scores before what makes probabilities of them, as some of them lie outside of 0..1. Two numbers below 0 have a
/// product above 0, so that boxes are ranked by logarithms of probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raw {
    /// Ranked by log σ(anything there) + log σ(class), shown as σ(anything there) · σ(class).
    Product,
    /// Of a class alone. Its logistic has the order of the number itself, which is shown.
    Alone,
    /// Among classes and a background: ranked by the logarithm of the softmax, shown as the softmax. The numbers
    /// themselves do not compare from box to box.
    Softmax,
}

impl Raw {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Product => {
                "raw scores: ranked by their sigmoid; a score is σ(objectness) · σ(class)"
            }
            Self::Alone => "raw scores: ranked by their sigmoid, shown as the network gives them",
            Self::Softmax => {
                "raw scores: ranked and shown as a softmax that includes the background"
            }
        }
    }

    /// Over a column of them.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Product => "score, σ · σ",
            Self::Alone => "raw score",
            Self::Softmax => "score, softmax",
        }
    }
}

/// log σ(x), without overflow on either side.
fn log_logistic(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

/// log Σ exp(x), without overflow.
fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = values.clone().fold(f64::NEG_INFINITY, f64::max);
    most + values.map(|x| (x - most).exp()).sum::<f64>().ln()
}

/// A class's best box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Winner {
    pub class: usize,
    pub number: usize,
    /// What it was ranked by.
    pub ranked: f64,
}

/// The scores of an output.
pub(super) struct Scores<'a> {
    boxes: Boxes,
    values: &'a [f64],
    pub raw: Option<Raw>,
    /// Of each box log Σ exp over classes and background, where that is what raw scores are held against.
    totals: Vec<f64>,
}

impl Boxes {
    /// Where the scores of classes are among a box's numbers.
    pub(super) fn scores(&self) -> Range<usize> {
        self.first..self.first + self.classes
    }

    /// Where all scores are that a softmax was over, or will be: of classes and of a background.
    fn rivals(&self) -> Range<usize> {
        let scores = self.scores();
        match self.background {
            None => scores,
            Some(background) => scores.start.min(background)..scores.end.max(background + 1),
        }
    }

    /// Whether any score, or whether anything is there, lies outside of 0..1.
    pub(crate) fn raw(&self, values: &[f64]) -> Option<Raw> {
        let (mut read, raw) = match (self.objectness(), self.background) {
            (true, _) => (COORDINATES..self.scores().end, Raw::Product),
            (_, Some(_)) => (self.rivals(), Raw::Softmax),
            (_, None) => (self.scores(), Raw::Alone),
        };
        let outside = |value: f64| !value.is_nan() && !(0.0..=1.0).contains(&value);
        read.any(|of| (0..self.count).any(|number| outside(values[self.position(number, of)])))
            .then_some(raw)
    }

    /// The scores of an output's values.
    pub(super) fn scored<'a>(&self, values: &'a [f64]) -> Scores<'a> {
        let raw = self.raw(values);
        let total = |number| {
            let rivals = self.rivals();
            log_sum_exp(rivals.map(|of| values[self.position(number, of)]))
        };
        Scores {
            boxes: *self,
            values,
            raw,
            totals: match raw {
                Some(Raw::Softmax) => (0..self.count).map(total).collect(),
                _ => Vec::new(),
            },
        }
    }
}

impl Scores<'_> {
    /// What a box is ranked by for a class: of raw scores the logarithm, else the score.
    fn ranked(&self, number: usize, class: usize) -> f64 {
        let at = |of| self.values[self.boxes.position(number, of)];
        let score = at(self.boxes.scores().start + class);
        match (self.raw, self.boxes.objectness()) {
            (Some(Raw::Product), _) => log_logistic(at(COORDINATES)) + log_logistic(score),
            (Some(Raw::Softmax), _) => score - self.totals[number],
            (_, true) => at(COORDINATES) * score,
            (_, false) => score,
        }
    }

    /// As it is shown.
    pub(super) fn shown(&self, winner: &Winner) -> f64 {
        match self.raw {
            Some(Raw::Product | Raw::Softmax) => winner.ranked.exp(),
            Some(Raw::Alone) | None => winner.ranked,
        }
    }

    /// The best box of one class.
    pub(super) fn best_of(&self, class: usize) -> Winner {
        let ranked: Vec<f64> = (0..self.boxes.count)
            .map(|number| self.ranked(number, class))
            .collect();
        let number = argmax(&ranked).unwrap_or(0);
        Winner {
            class,
            number,
            ranked: ranked.get(number).copied().unwrap_or(f64::NAN),
        }
    }

    /// The best box of each class. A background is none.
    pub(super) fn best_of_each(&self) -> Vec<Winner> {
        let first = self.boxes.scores().start;
        let classes = 0..self.boxes.classes;
        classes
            .filter(|class| Some(first + class) != self.boxes.background)
            .map(|class| self.best_of(class))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Boxes, Raw, log_logistic, log_sum_exp};
    use crate::boxes::BoxLayout;

    /// Two numbers below 0 are no box, however large their product.
    #[test]
    fn raw_scores_are_ranked_by_their_logistic() {
        let boxes = Boxes::of(&[1, 24, 6]).expect("boxes");
        let mut values = vec![0.0; 144];
        for number in 0..24 {
            (values[number * 6 + 4], values[number * 6 + 5]) = (-20.0, -20.0);
        }
        (values[7 * 6 + 4], values[7 * 6 + 5]) = (2.0, 1.0);
        (values[9 * 6 + 4], values[9 * 6 + 5]) = (-900.0, 900.0);
        assert_eq!(boxes.raw(&values), Some(Raw::Product));
        assert_eq!(boxes.chosen(&values)[0].text, "7,5");
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        let scores = boxes.scored(&values);
        let winner = scores.best_of_each()[0];
        assert_eq!(winner.number, 7);
        assert!((scores.shown(&winner) - logistic(2.0) * logistic(1.0)).abs() < 1e-15);
        // A slow twin where that neither overflows nor rounds to 1, and the limits where it would.
        for x in [-30.0, -1.0, 0.0, 0.5, 30.0] {
            assert!((log_logistic(x) - logistic(x).ln()).abs() < 1e-13, "{x}");
        }
        assert_eq!((log_logistic(-1e4), log_logistic(1e4)), (-1e4, 0.0));
        // Within 0..1 they are what they say.
        let within: Vec<f64> = values.iter().map(|x| logistic(*x)).collect();
        assert_eq!(boxes.raw(&within), None);
        assert_eq!(boxes.chosen(&within)[0].text, "7,5");
        // Numbers that are no scores say nothing of them.
        let mut within = within;
        for number in 0..24 {
            within[number * 6] = 640.0;
        }
        assert_eq!(boxes.raw(&within), None);
    }

    /// Against a background the largest number is not the likeliest class, and the background is none.
    #[test]
    fn raw_scores_beside_a_background_are_ranked_by_their_softmax() {
        let pair = Boxes::joined(&[1, 24, 7]).expect("boxes");
        // Of box 3 the class has the larger number, of box 5 it has nearly all of the softmax.
        let scores = |first: bool| {
            let mut values = vec![0.0; 24 * 7];
            for (number, row) in values.chunks_mut(7).enumerate() {
                let (background, classes) = match number {
                    3 => (9.0, [8.0, -4.0]),
                    5 => (-5.0, [4.0, -4.0]),
                    _ => (6.0, [-2.0, -3.0]),
                };
                let three = match first {
                    true => [background, classes[0], classes[1]],
                    false => [classes[0], classes[1], background],
                };
                row[4..].copy_from_slice(&three);
            }
            values
        };
        for (layout, at) in [
            (BoxLayout::BackgroundFirst, 5),
            (BoxLayout::BackgroundLast, 4),
        ] {
            let boxes = pair
                .known(None, Some(layout))
                .expect("fits")
                .expect("known");
            let values = scores(layout == BoxLayout::BackgroundFirst);
            assert_eq!(boxes.raw(&values), Some(Raw::Softmax));
            let scored = boxes.scored(&values);
            let each = scored.best_of_each();
            assert_eq!(each.len(), 2);
            assert_eq!((each[0].class, each[0].number), (0, 5));
            let softmax = 4.0f64.exp() / (4.0f64.exp() + (-4.0f64).exp() + (-5.0f64).exp());
            assert!((scored.shown(&each[0]) - softmax).abs() < 1e-15);
            assert_eq!(boxes.chosen(&values)[0].text, format!("5,{at}"));
            // After a softmax the scores are what they are.
            let mut soft = values.clone();
            for row in soft.chunks_mut(7) {
                let total = log_sum_exp(row[4..].iter().copied());
                row[4..].iter_mut().for_each(|x| *x = (*x - total).exp());
            }
            assert_eq!(boxes.raw(&soft), None);
            let after = boxes.scored(&soft).best_of(0);
            assert_eq!(after.number, 5);
            assert!((after.ranked - softmax).abs() < 1e-15);
        }
        // A background that labels name is a class by number only.
        let labels: Vec<String> = ["background", "cat", "dog"].map(String::from).into();
        let boxes = pair
            .known(Some(&labels), None)
            .expect("fits")
            .expect("known");
        let values = scores(true);
        let each = boxes.scored(&values).best_of_each();
        let classes: Vec<usize> = each.iter().map(|winner| winner.class).collect();
        assert_eq!(classes, [1, 2]);
        assert_eq!(boxes.chosen(&values)[0].text, "5,5");
        assert_eq!(log_sum_exp([1e4, 1e4].into_iter()), 1e4 + 2.0f64.ln());
    }
}
