//! Whether an array has its channels first, as networks here expect, or last, as pictures in NumPy do.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Where an array has its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `[c, h, w]`.
    ChannelsFirst,
    /// `[h, w, c]`.
    ChannelsLast,
}

impl Layout {
    /// How an array of this shape fits a network that takes `[c, h, w]`, where each side is fixed or free. Both may
    /// have a batch axis in front. `None` if it fits neither way, or is not a picture.
    ///
    /// A network whose number of channels is free accepts any array as it is.
    ///
    /// ```
    /// use linearscope_preprocess::Layout;
    ///
    /// let takes = [Some(3), None, None];
    /// assert_eq!(Layout::of(&[3, 40, 60], &takes)?, Some(Layout::ChannelsFirst));
    /// assert_eq!(Layout::of(&[40, 60, 3], &takes)?, Some(Layout::ChannelsLast));
    /// assert_eq!(Layout::of(&[40, 60, 4], &takes)?, None);
    /// assert!(Layout::of(&[3, 60, 3], &takes).is_err());
    /// # Ok::<(), linearscope_preprocess::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::AmbiguousLayout`] if it fits both ways.
    pub fn of(shape: &[usize], takes: &[Option<usize>]) -> Result<Option<Self>> {
        let (Some(&[a, b, c]), Some(takes)) = (picture(shape), picture(takes)) else {
            return Ok(None);
        };
        let fits = |sides: [usize; 3]| {
            let mut pairs = sides.iter().zip(takes);
            pairs.all(|(side, takes)| takes.is_none_or(|takes| takes == *side))
        };
        Ok(match (fits([a, b, c]), fits([c, a, b])) {
            (true, true) if takes[0].is_some() && [a, b, c] != [1; 3] => {
                return Err(Error::AmbiguousLayout {
                    shape: shape.into(),
                });
            }
            (true, _) => Some(Layout::ChannelsFirst),
            (false, true) => Some(Layout::ChannelsLast),
            (false, false) => None,
        })
    }

    /// Refuse an array whose channels are last, and one that could be meant either way.
    ///
    /// # Errors
    /// [`Error::ChannelsLast`], [`Error::AmbiguousLayout`].
    pub fn expect_channels_first(shape: &[usize], takes: &[Option<usize>]) -> Result<()> {
        match Self::of(shape, takes)? {
            Some(Layout::ChannelsLast) => Err(Error::ChannelsLast {
                shape: shape.into(),
            }),
            _ => Ok(()),
        }
    }
}

/// Three sides, behind a batch axis or not.
fn picture<T>(sides: &[T]) -> Option<&[T; 3]> {
    match sides.len() {
        3 | 4 => sides.last_chunk(),
        _ => None,
    }
}
