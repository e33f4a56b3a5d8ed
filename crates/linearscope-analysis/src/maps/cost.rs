//! What maps of a network cost, before they are computed.

use super::Pictures;
use crate::{error::Result, frozen::FrozenNetwork, locality::flops, operator::Field};

/// What fields cost, in floating-point operations, a multiply-add counted as two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Of the rows of one output pixel, all channels.
    pub row: u64,
    /// Of the columns of one input pixel, all channels.
    pub column: u64,
}

impl Cost {
    /// Of a row at each of some places, as many columns, and the three rows of shift-variance at a quarter of
    /// them.
    pub fn of_maps(&self, rows: usize, columns: usize) -> u64 {
        let times = |each: u64, count: usize| each.saturating_mul(count as u64);
        times(self.row, rows)
            .saturating_add(times(self.row, 3 * rows / 4))
            .saturating_add(times(self.column, columns))
    }
}

/// The cost of the fields of the pixels in the middle, which meet the fewest borders; `None` where nothing was
/// recorded, so that nothing is known of it. An upper bound where several fields share a product.
///
/// Cost: a few comparisons a node.
///
/// # Errors
/// As [`row_maps`](super::row_maps), [`Error::Stopped`](crate::Error::Stopped) apart.
pub fn cost(f: &FrozenNetwork) -> Result<Option<Cost>> {
    let Some(recorded) = f.recorded() else {
        return Ok(None);
    };
    let pictures = Pictures::of(f)?;
    let of = |field| -> Result<u64> {
        let [[channels, h, w], _] = pictures.ends(field);
        let middle = h / 2 * w + w / 2;
        (0..channels)
            .map(|channel| flops(recorded, field, &[channel * h * w + middle]))
            .sum()
    };
    Ok(Some(Cost {
        row: of(Field::Row)?,
        column: of(Field::Column)?,
    }))
}
