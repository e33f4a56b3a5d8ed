//! One axis of a picture: which inputs an output may depend on, from shapes alone.

use std::ops::Range;

use burn_dispatch::Dispatch;
use linearscope::{
    linear::Region,
    program::{NodeId, Program},
};

use crate::error::Result;

/// One axis of the picture: what outputs see and inputs reach along it.
#[derive(Debug)]
pub(super) struct Axis {
    /// For each output, the inputs it may depend on.
    pub fields: Vec<Range<usize>>,
    /// For each input, the outputs it may reach.
    pub reaches: Vec<Range<usize>>,
    /// Σ of the lengths of all fields before an output.
    pub before: Vec<usize>,
}

impl Axis {
    pub(super) fn new(fields: Vec<Range<usize>>, reaches: Vec<Range<usize>>) -> Self {
        let mut before = vec![0];
        for field in &fields {
            before.push(before[before.len() - 1] + field.len());
        }
        Self {
            fields,
            reaches,
            before,
        }
    }

    /// Inputs this far apart are never seen by one output.
    pub(super) fn columns_apart(&self) -> usize {
        self.fields.iter().map(Range::len).max().unwrap_or(1).max(1)
    }

    /// Outputs this far apart are never reached by one input.
    pub(super) fn rows_apart(&self) -> usize {
        self.reaches
            .iter()
            .map(Range::len)
            .max()
            .unwrap_or(1)
            .max(1)
    }

    pub(super) fn all(&self) -> usize {
        self.before[self.fields.len()]
    }
}

/// Along an axis, what each cell of `from` may depend on of `to`, or, forwards, what it may reach.
pub(super) fn along(
    program: &Program<Dispatch>,
    [from, to]: [NodeId; 2],
    axis: usize,
    back: bool,
) -> Result<Vec<Range<usize>>> {
    let shape = program.shape(from)?;
    let size = shape[axis];
    (0..size)
        .map(|i| {
            let mut region = Region::full(shape);
            region.0[axis] = i..i + 1;
            let regions = match back {
                true => program.fields(&[(from, region)])?,
                false => program.reaches(&[(from, region)])?,
            };
            Ok(match regions.of(to)? {
                Some(region) if !region.is_empty() => region.0[axis].clone(),
                _ => 0..0,
            })
        })
        .collect()
}

/// The one cell of a range that is `i` modulo `apart`, from the start of the range; `apart` is at least its length.
pub(super) fn only(range: &Range<usize>, i: usize, apart: usize) -> Option<usize> {
    let offset = (i + apart - range.start % apart) % apart;
    (offset < range.len()).then_some(offset)
}
