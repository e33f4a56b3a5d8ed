//! What a network does, by the shapes of its ends, or as the user says: what is worth looking at follows from it.

use clap::ValueEnum;
use serde::Serialize;

use crate::{boxes::Boxes, error::Failure, kind::Kind};

/// What a network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Task {
    /// From a picture to scores
    Classifier,
    /// Super-resolution: from a picture to a larger one
    Sr,
    /// From a picture, a signal or a volume to another
    I2i,
    /// From a picture to class scores at each of its places
    Segmenter,
    /// From a picture to boxes, each with scores of classes
    Detector,
}

/// More channels than any picture has.
const CHANNELS: usize = 4;

impl Task {
    /// As the shapes say; none where they do not.
    pub(crate) fn of(input: &[usize], output: &[usize]) -> Option<Self> {
        match (Kind::of(output), input, output) {
            (Kind::Scores, ..) => Some(Self::Classifier),
            (Kind::Picture, _, [1, c, ..]) if output.len() == 4 && *c > CHANNELS => {
                Some(Self::Segmenter)
            }
            (Kind::Picture, &[.., h, w], &[.., rows, columns]) if rows > h && columns > w => {
                Some(Self::Sr)
            }
            (Kind::Signal, ..) if Kind::of(input) == Kind::Picture => {
                Boxes::of(output).map(|_| Self::Detector)
            }
            // A signal or a volume is looked at as a picture is: rows, columns, singular vectors.
            (Kind::Picture | Kind::Signal | Kind::Volume, ..) => Some(Self::I2i),
            (Kind::Other, ..) => None,
        }
    }

    /// Whether an output of this shape can be looked at in this way, with so many labels.
    pub(crate) fn fits(self, output: &[usize], labels: Option<usize>) -> bool {
        match self {
            Self::Classifier => Kind::of(output) == Kind::Scores,
            Self::Segmenter => matches!(output, [1, _, _, _]),
            Self::Detector => Boxes::told(output, labels).is_some(),
            Self::Sr | Self::I2i => !matches!(Kind::of(output), Kind::Scores | Kind::Other),
        }
    }

    /// The shapes of outputs that it fits.
    fn shapes(self) -> &'static str {
        match self {
            Self::Classifier => "one number a class, as [1, classes]",
            Self::Segmenter => "classes at places, as [1, classes, h, w]",
            Self::Detector => {
                "[1, boxes, numbers] or [1, numbers, boxes] with more than 4 numbers a box"
            }
            Self::Sr | Self::I2i => {
                "a picture [1, c, h, w], a signal [1, c, l] or a volume [1, c, d, h, w]"
            }
        }
    }

    /// That it does not fit, and what the shapes say themselves.
    pub(crate) fn misfit(
        self,
        output: &[usize],
        labels: Option<usize>,
        taken: Option<Self>,
    ) -> Failure {
        let without = match taken {
            Some(taken) => format!("it is treated as `{}`", taken.name()),
            None => "the task is unknown".into(),
        };
        let fitting = Self::value_variants()
            .iter()
            .filter(|task| task.fits(output, labels));
        let fitting: Vec<String> = fitting
            .map(|task| format!("--task {}", task.name()))
            .collect();
        let fitting = match &fitting[..] {
            [] => String::new(),
            some => format!("; tasks that fit are {}", some.join(", ")),
        };
        Failure::input(format!(
            "--task {}: the output must be {}, but has shape {output:?}",
            self.name(),
            self.shapes()
        ))
        .hint(format!("without --task {without}{fitting}"))
    }

    /// As flags and manifests write it.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("none is hidden");
        value.get_name().into()
    }
}

#[cfg(test)]
mod tests {
    use super::Task;

    #[test]
    fn shapes_say_what_a_network_does() {
        let picture = &[1, 3, 64, 64][..];
        for (input, output, task) in [
            (picture, &[1, 1000][..], Some(Task::Classifier)),
            (picture, &[1, 1000, 1, 1], Some(Task::Classifier)),
            (picture, &[1, 1], Some(Task::Classifier)),
            (picture, &[1, 3, 128, 128], Some(Task::Sr)),
            (picture, &[1, 3, 64, 64], Some(Task::I2i)),
            (picture, &[1, 4, 64, 64], Some(Task::I2i)),
            (picture, &[1, 21, 64, 64], Some(Task::Segmenter)),
            (picture, &[1, 5, 8, 8], Some(Task::Segmenter)),
            (picture, &[1, 25200, 85], Some(Task::Detector)),
            (picture, &[1, 84, 8400], Some(Task::Detector)),
            // Tokens of a transformer; a line of letters.
            (picture, &[1, 197, 768], None),
            (picture, &[1, 26, 37], None),
            (picture, &[2, 3, 64, 64], None),
            (&[1, 1, 400], &[1, 20, 400], Some(Task::I2i)),
            (&[1, 1, 8, 8, 8], &[1, 2, 8, 8, 8], Some(Task::I2i)),
        ] {
            assert_eq!(Task::of(input, output), task, "{input:?} {output:?}");
            assert!(
                task.is_none_or(|task| task.fits(output, None)),
                "{input:?} {output:?}"
            );
        }
        assert!(!Task::Segmenter.fits(&[1, 1000], None));
        assert!(!Task::Classifier.fits(&[1, 3, 8, 8], None));
        // Said to be a detector, an output need not look like one.
        for (output, fits) in [
            (&[1, 100, 92][..], true),
            (&[1, 197, 768], true),
            (&[1, 100, 4], false),
            (&[1, 1000], false),
        ] {
            assert_eq!(Task::Detector.fits(output, None), fits, "{output:?}");
        }
        assert_eq!(Task::Detector.name(), "detector");
    }

    #[test]
    fn a_misfit_says_what_fits() {
        let picture = &[1, 3, 64, 64];
        for (task, output, says) in [
            (
                Task::Detector,
                &[1, 1000][..],
                [
                    "more than 4 numbers",
                    "[1, 1000]",
                    "treated as `classifier`",
                ],
            ),
            (
                Task::Classifier,
                &[1, 84, 8400],
                ["[1, classes]", "[1, 84, 8400]", "treated as `detector`"],
            ),
            (
                Task::Segmenter,
                &[1, 26, 37],
                ["[1, classes, h, w]", "[1, 26, 37]", "the task is unknown"],
            ),
            (
                Task::Sr,
                &[1, 1000],
                [
                    "[1, c, h, w]",
                    "tasks that fit are --task classifier",
                    "treated as `classifier`",
                ],
            ),
        ] {
            let failure = task.misfit(output, None, Task::of(picture, output));
            let text = format!("{} {}", failure.message, failure.hint.expect("a hint"));
            assert!(text.starts_with(&format!("--task {}: ", task.name())));
            for part in says {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }
}
