//! What a tensor is of, by its shape: how it is drawn, and which measures it has.

/// What an input or an output is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One number a class: `[1, k]`, `[1, k, 1, 1]`.
    Scores,
    /// `[1, c, l]`: c lines of l numbers.
    Signal,
    /// `[1, c, h, w]`, `[c, h, w]` or `[h, w]`.
    Picture,
    /// `[1, c, d, h, w]`.
    Volume,
    /// Several at once, or more axes.
    Other,
}

impl Kind {
    /// By axes alone: a convolution in one, two or three dimensions has a batch and a channel axis before them.
    pub(crate) fn of(shape: &[usize]) -> Self {
        match *shape {
            [] | [_] | [1, _] => Self::Scores,
            // A pooled picture is a vector; a signal of one channel is not.
            [1, _, ref space @ ..] if space.iter().all(|&size| size == 1) => Self::Scores,
            [_, _] => Self::Picture,
            [1, _, _] => Self::Signal,
            [_, _, _] | [1, _, _, _] => Self::Picture,
            [1, _, _, _, _] => Self::Volume,
            _ => Self::Other,
        }
    }

    /// What it is called.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Scores => "scores",
            Self::Signal => "a signal",
            Self::Picture => "a picture",
            Self::Volume => "a volume",
            Self::Other => "a tensor",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn axes_say_what_it_is() {
        for (shape, kind) in [
            (&[1, 10][..], Kind::Scores),
            (&[10], Kind::Scores),
            (&[1, 10, 1], Kind::Scores),
            (&[1, 10, 1, 1], Kind::Scores),
            (&[1, 1, 1], Kind::Scores),
            (&[1, 1, 64], Kind::Signal),
            (&[1, 3, 64], Kind::Signal),
            (&[1, 3, 8, 9], Kind::Picture),
            (&[1, 1, 1, 9], Kind::Picture),
            (&[3, 8, 9], Kind::Picture),
            (&[8, 9], Kind::Picture),
            (&[1, 2, 4, 8, 9], Kind::Volume),
            (&[1, 1, 1, 8, 9], Kind::Volume),
            (&[2, 3, 8, 9], Kind::Other),
            (&[1, 2, 2, 4, 8, 9], Kind::Other),
        ] {
            assert_eq!(Kind::of(shape), kind, "{shape:?}");
        }
    }
}
