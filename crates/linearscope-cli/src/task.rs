//! What a network does, by the shapes of its ends, or as the user says: what is worth looking at follows from it.

use clap::ValueEnum;
use serde::Serialize;

use crate::{boxes::Boxes, kind::Kind};

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
    /// From a picture to scores of classes at each of its places
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

    /// Whether an output of this shape can be looked at in this way.
    pub(crate) fn fits(self, output: &[usize]) -> bool {
        match self {
            Self::Classifier => Kind::of(output) == Kind::Scores,
            Self::Segmenter => matches!(output, [1, _, _, _]),
            Self::Detector => Boxes::of(output).is_some(),
            Self::Sr | Self::I2i => !matches!(Kind::of(output), Kind::Scores | Kind::Other),
        }
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
                task.is_none_or(|task| task.fits(output)),
                "{input:?} {output:?}"
            );
        }
        assert!(!Task::Segmenter.fits(&[1, 1000]));
        assert!(!Task::Classifier.fits(&[1, 3, 8, 8]));
        assert_eq!(Task::Detector.name(), "detector");
    }
}
