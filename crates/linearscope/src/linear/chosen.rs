//! What x₀ chose among finitely many, unit by unit, in a form that compares with another x₀.

use std::borrow::Cow;

use burn_backend::{
    Backend,
    tensor::{BoolTensor, IntTensor},
};

use super::bits::Bits;
use crate::{error::Result, host};

/// One choice for each unit of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen<'a> {
    /// One of two: a slope, or whether something passes. A bit a unit, the first in the lowest bit
    /// of the first byte.
    Sides {
        /// The bits; those beyond the last unit are 0.
        bits: Cow<'a, [u8]>,
        /// How many units there are.
        units: usize,
    },
    /// One of many: where the unit took its value from.
    Places(Vec<i64>),
}

impl<'a> From<&'a Bits> for Chosen<'a> {
    fn from(bits: &'a Bits) -> Self {
        Self::Sides {
            bits: bits.bytes().into(),
            units: bits.len(),
        }
    }
}

impl Chosen<'_> {
    /// Which side each unit of a mask took, read back from the device.
    pub(super) fn sides<B: Backend>(mask: &BoolTensor<B>) -> Result<Self> {
        let bits = Bits::read::<B>(mask)?;
        Ok(Self::Sides {
            units: bits.len(),
            bits: bits.into_bytes().into(),
        })
    }

    /// Where indices point, read back from the device.
    pub(crate) fn places<B: Backend>(indices: &IntTensor<B>) -> Result<Self> {
        Ok(Self::Places(host::ints::<B>(indices)?.into_owned()))
    }

    /// How many units chose.
    pub fn units(&self) -> usize {
        match self {
            Self::Sides { units, .. } => *units,
            Self::Places(places) => places.len(),
        }
    }

    /// Whether each unit chose the side that the same unit in `other` did not.
    pub(crate) fn opposes(&self, other: &Chosen<'_>) -> bool {
        match (self, other) {
            (Self::Sides { units, .. }, Chosen::Sides { .. }) => {
                self.differing(other) == Some(*units)
            }
            (Self::Sides { .. } | Self::Places(_), _) => false,
        }
    }

    /// How many units chose otherwise than in `other`; `None` where the two are not of the same
    /// units.
    pub fn differing(&self, other: &Chosen<'_>) -> Option<usize> {
        if self.units() != other.units() {
            return None;
        }
        match (self, other) {
            (Self::Sides { bits: a, .. }, Chosen::Sides { bits: b, .. }) => {
                let bytes = a.iter().zip(b.iter());
                Some(bytes.map(|(a, b)| (a ^ b).count_ones() as usize).sum())
            }
            (Self::Places(a), Chosen::Places(b)) => {
                Some(a.iter().zip(b).filter(|(a, b)| a != b).count())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_compared_one_by_one() {
        let sides = |bits: &[u8], units| Chosen::Sides {
            bits: bits.to_vec().into(),
            units,
        };
        let (a, b) = (sides(&[0b1010_0110, 0b1], 9), sides(&[0b0010_0101, 0b0], 9));
        assert_eq!(a.differing(&b), Some(4));
        assert_eq!(a.differing(&a), Some(0));
        assert_eq!(a.differing(&sides(&[0; 2], 10)), None);
        assert!(a.opposes(&sides(&[0b0101_1001, 0b0], 9)));
        assert!(!a.opposes(&b) && !a.opposes(&a));
        let (a, b) = (Chosen::Places(vec![3, 1, 4]), Chosen::Places(vec![3, 2, 5]));
        assert_eq!(a.differing(&b), Some(2));
        assert_eq!(a.differing(&sides(&[0], 3)), None);
    }
}
