//! Probes that are regrouped on their way.
//!
//! Input pixels share a probe if no output sees two of them. Before the last layers fields are smaller, and more pixels could
//! share one. So the first layers take fewer, denser probes, up to a node that everything passes; there each probe of
//! the rest takes from them what its own pixels have made, cell by cell. Of the four-layer upscaler's fields, 11 × 11
//! pixels at the end, 7 × 7 are there after the layer that costs most: 49 probes in place of 121.

use std::{collections::HashMap, ops::Range};

use burn_dispatch::Dispatch;
use linearscope::{
    linear::Region,
    program::{NodeId, Operation, Program},
};
use rayon::prelude::*;

use super::axis::{Axis, along, only};
use crate::error::Result;

/// A node that everything passes, where probes are regrouped.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) node: NodeId,
    /// For each of its cells, the inputs it may depend on, along either axis.
    fields: [Vec<Range<usize>>; 2],
    /// Inputs this far apart are never seen by one of its cells.
    apart: [usize; 2],
}

/// What a node costs, and how far its field reaches in the middle of the picture.
struct Candidate {
    node: NodeId,
    apart: [usize; 2],
    /// Of the nodes up to this one.
    flops: u64,
}

impl Cut {
    /// The cut that saves most of what columns cost, if one saves anything.
    ///
    /// Cost: shapes only; a walk over the program for each node that everything passes, and for each row and column of the picture.
    pub(super) fn best(program: &Program<Dispatch>, h: &Axis, w: &Axis) -> Result<Option<Self>> {
        let output = program.outputs()[0];
        let whole = [h.columns_apart(), w.columns_apart()];
        let (candidates, all) = candidates(program, output)?;
        let probes = |apart: [usize; 2]| (apart[0] * apart[1]) as u64;
        let cost = |one: &Candidate| {
            let rest = all - one.flops;
            (one.flops.saturating_mul(probes(one.apart)))
                .saturating_add(rest.saturating_mul(probes(whole)))
        };
        let Some(best) = candidates.iter().min_by_key(|one| cost(one)) else {
            return Ok(None);
        };
        // A twentieth at least: regrouping costs something, too.
        if cost(best) >= all.saturating_mul(probes(whole)) / 20 * 19 {
            return Ok(None);
        }
        let input = program.inputs()[0];
        let fields = [2, 3].map(|axis| along(program, [best.node, input], axis, true));
        let [fields_h, fields_w] = fields;
        let fields = [fields_h?, fields_w?];
        let apart = fields.each_ref().map(|fields| {
            let longest = fields.iter().map(Range::len).max();
            longest.unwrap_or(1).max(1)
        });
        // What looks small in the middle may not be elsewhere.
        let smaller = apart[0] <= whole[0] && apart[1] <= whole[1] && apart != whole;
        Ok(smaller.then_some(Self {
            node: best.node,
            fields,
            apart,
        }))
    }

    /// How far apart the pixels of a probe are before the cut.
    pub(super) fn apart(&self) -> [usize; 2] {
        self.apart
    }

    /// What a probe with ones at the cells `[i, j]` modulo `apart` of an input channel is in `cells`, the box of the node that the
    /// probes before the cut have been computed on: from `[probes, ..cells]` of these into `[..cells]`.
    /// `number` is that of the probe before the cut with ones at these cells modulo [`apart`](Self::apart).
    pub(super) fn regrouped<E: Copy + Default + Send + Sync>(
        &self,
        made: &[E],
        cells: &Region,
        [i, j]: [usize; 2],
        apart: [usize; 2],
        number: impl Fn(usize, usize) -> usize + Sync,
        out: &mut [E],
    ) {
        let (rows, columns) = (cells.0[2].len(), cells.0[3].len());
        // All leading axes are in it.
        let each = out.len();
        // The input pixel that a cell sees of the probe, before the cut modulo its own distance.
        let seen = |axis: usize, residue: usize| -> Vec<Option<usize>> {
            let fields = self.fields[axis][cells.0[axis + 2].clone()].iter();
            let pixel = |field: &Range<usize>| {
                let offset = only(field, residue, apart[axis])?;
                Some((field.start + offset) % self.apart[axis])
            };
            fields.map(pixel).collect()
        };
        let (down, across) = (seen(0, i), seen(1, j));
        out.par_chunks_mut(rows * columns)
            .enumerate()
            .for_each(|(channel, plane)| {
                for (y, line) in plane.chunks_mut(columns).enumerate() {
                    let Some(row) = down[y] else {
                        line.fill(E::default());
                        continue;
                    };
                    let at = (channel * rows + y) * columns;
                    for (x, (cell, column)) in line.iter_mut().zip(&across).enumerate() {
                        *cell = match column {
                            Some(column) => made[number(row, *column) * each + at + x],
                            None => E::default(),
                        };
                    }
                }
            });
    }
}

/// The nodes that everything passes and that are pictures, with the operations up to each, and those of all.
fn candidates(program: &Program<Dispatch>, output: NodeId) -> Result<(Vec<Candidate>, u64)> {
    let input = program.inputs()[0];
    let ids: Vec<NodeId> = program.ids().collect();
    let places: HashMap<NodeId, usize> = ids.iter().copied().zip(0..).collect();
    // What depends on the input and is needed for the output, with the last node that reads it.
    let to = program.fields(&[(output, Region::full(program.shape(output)?))])?;
    let from = program.reaches(&[(input, Region::full(program.shape(input)?))])?;
    let mut read_last = vec![0; ids.len()];
    let mut on_the_way = vec![false; ids.len()];
    for (at, &id) in ids.iter().enumerate() {
        on_the_way[at] = to.of(id)?.is_some() && from.of(id)?.is_some();
        if on_the_way[at] {
            for operand in program.operands(id)? {
                read_last[places[&operand]] = at;
            }
        }
    }
    let (mut flops, mut furthest) = (0u64, 0);
    let mut found = Vec::new();
    for (at, &id) in ids.iter().enumerate() {
        if !on_the_way[at] {
            continue;
        }
        let node = program.node(id)?;
        if let Operation::Map { map, .. } = &node.operation {
            let read = program.shape(program.operands(id)?[0])?;
            if let Some(map) = map.structure().locality() {
                flops = flops.saturating_add(map.flops(read, &node.shape));
            }
        }
        let passed = furthest <= at;
        furthest = furthest.max(read_last[at]);
        if !passed || id == input || id == output || node.shape.num_dims() != 4 {
            continue;
        }
        let mut cell = Region::full(&node.shape);
        for axis in [2, 3] {
            let middle = node.shape[axis] / 2;
            cell.0[axis] = middle..(middle + 1).min(node.shape[axis]);
        }
        if let Some(field) = program.fields(&[(id, cell)])?.of(input)? {
            found.push(Candidate {
                node: id,
                apart: [field.0[2].len().max(1), field.0[3].len().max(1)],
                flops,
            });
        }
    }
    Ok((found, flops))
}
