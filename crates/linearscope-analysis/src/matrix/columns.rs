//! Parts by columns: forward products with probes of input pixels.

use std::ops::Range;

use burn_dispatch::{Dispatch, DispatchTensor};
use linearscope::{
    linear::Region,
    program::{NodeId, Window},
};

use super::{BATCH, MatrixPlan, Number, axis::only, batches, overlapped, read, regroup::Cut};
use crate::error::Result;

/// Bytes of the values of a batch at a cut: an allocator returns larger blocks to the system, and gets them anew page by page.
const KEPT: usize = 16 << 20;

impl MatrixPlan<'_> {
    /// Probes of input pixels this far apart, each a channel and a cell modulo the distances, in the box `from`.
    fn column_probes(&self, from: &Region, apart: [usize; 2]) -> Vec<[usize; 3]> {
        let [c, _] = self.channels;
        let mut probes = Vec::new();
        for channel in 0..c {
            for i in 0..apart[0].min(from.0[2].end) {
                for j in 0..apart[1].min(from.0[3].end) {
                    probes.push([channel, i, j]);
                }
            }
        }
        probes
    }

    /// Ones at the pixels of these probes.
    fn deltas(&self, probes: &[[usize; 3]], from: &Region, apart: [usize; 2]) -> DispatchTensor {
        let [c, _] = self.channels;
        let (rows, across) = (from.0[2].len(), from.0[3].len());
        let mut delta = vec![0f32; probes.len() * c * rows * across];
        let cells = |range: &Range<usize>, i: usize, apart: usize| {
            let range = range.clone();
            let first = range.start;
            range
                .filter(move |cell| cell % apart == i)
                .map(move |cell| cell - first)
        };
        for (k, &[channel, i, j]) in probes.iter().enumerate() {
            for y in cells(&from.0[2], i, apart[0]) {
                let row = ((k * c + channel) * rows + y) * across;
                for x in cells(&from.0[3], j, apart[1]) {
                    delta[row + x] = 1.0;
                }
            }
        }
        self.upload(delta, probes.len(), &from.shape())
    }

    pub(super) fn by_columns<E: Number>(
        &self,
        stripe: &Range<usize>,
        budget: usize,
        values: &mut [Vec<E>],
    ) -> Result<()> {
        let cut: Vec<NodeId> = self.cut()?.iter().map(|cut| cut.node).collect();
        let (window, from, to) = self.window(stripe, &cut)?;
        if from.is_empty() {
            return Ok(());
        }
        let program = &window.program;
        let apart = [self.h.columns_apart(), self.w.columns_apart()];
        let [c, _] = self.channels;
        let probes = self.column_probes(&from, apart);
        let (made_h, made_w) = (to.0[2].len(), to.0[3].len());
        let most = program.probes_within(budget).min(BATCH);
        let end = [*program.outputs().last().expect("the output")];
        let begun = self.until_the_cut::<E>(&window, &from, budget, most)?;
        let most = begun.as_ref().map_or(most, |begun| begun.batch(most));
        let compute = |some: &[[usize; 3]]| {
            let made = match &begun {
                None => {
                    let x = self.deltas(some, &from, apart);
                    program.forward(&[(program.inputs()[0], x)], &end, false)?
                }
                Some(begun) => {
                    let x = begun.regrouped(self, some, apart);
                    program.forward(&[(program.outputs()[0], x)], &end, false)?
                }
            };
            read::<E>(made.into_iter().next().expect("one stop"))
        };
        let keep = |some: &[[usize; 3]], made: Vec<E>| {
            for (k, &[channel, i, j]) in some.iter().enumerate() {
                let columns: Vec<Option<usize>> = self
                    .w
                    .fields
                    .iter()
                    .map(|field| only(field, j, apart[1]))
                    .collect();
                for (out, values) in values.iter_mut().enumerate() {
                    for (row, y) in stripe.clone().enumerate() {
                        let field = &self.h.fields[y];
                        let Some(down) = only(field, i, apart[0]) else {
                            continue;
                        };
                        let line = channel * field.len() + down;
                        let at = ((k * self.channels[1] + out) * made_h + row) * made_w;
                        let start = self.start(stripe, y, 0);
                        let each = c * field.len();
                        let cells = columns.iter().zip(&self.w.fields).zip(&self.w.before);
                        for (x, ((right, field), before)) in cells.enumerate() {
                            if let Some(right) = right {
                                let slot = start + each * before + line * field.len() + right;
                                values[slot] = made[at + x];
                            }
                        }
                    }
                }
            }
        };
        overlapped(&batches(&probes, most), compute, keep)
    }

    /// What the probes before the cut make of it, on the host; none where there is no cut, or where they do not fit.
    fn until_the_cut<E: Number>(
        &self,
        window: &Window<Dispatch>,
        from: &Region,
        budget: usize,
        most: usize,
    ) -> Result<Option<Begun<'_, E>>> {
        let Some(cut) = self.cut()? else {
            return Ok(None);
        };
        let cells = window.outputs[0].clone();
        let probes = self.column_probes(from, cut.apart());
        let each = cells.num_elements();
        // The other half is for the batches after it.
        if probes.len() * each * size_of::<E>() > budget / 2 {
            return Ok(None);
        }
        let most = batch::<E>(each, most);
        let program = &window.program;
        let node = [program.outputs()[0]];
        let mut made = Vec::with_capacity(probes.len() * each);
        let compute = |some: &[[usize; 3]]| {
            let x = self.deltas(some, from, cut.apart());
            let made = program.forward(&[(program.inputs()[0], x)], &node, false)?;
            read::<E>(made.into_iter().next().expect("one stop"))
        };
        let keep = |_: &[[usize; 3]], some: Vec<E>| made.extend(some);
        overlapped(&batches(&probes, most), compute, keep)?;
        let sizes = [2, 3].map(|axis| cut.apart()[axis - 2].min(from.0[axis].end));
        Ok(Some(Begun {
            cut,
            cells,
            made,
            sizes,
        }))
    }
}

/// What the probes before a cut have made of its node.
struct Begun<'a, E> {
    cut: &'a Cut,
    /// The node's box.
    cells: Region,
    /// `[probes, ..cells]`.
    made: Vec<E>,
    /// Probes of an input channel along either axis.
    sizes: [usize; 2],
}

/// The largest batch, `most` at most, of which a node of `each` entries takes no more than [`KEPT`].
fn batch<E>(each: usize, most: usize) -> usize {
    (KEPT / (each * size_of::<E>()).max(1)).clamp(1, most)
}

impl<E: Number> Begun<'_, E> {
    fn batch(&self, most: usize) -> usize {
        batch::<E>(self.cells.num_elements(), most)
    }

    /// The node's values of other probes, `[k, ..cells]`.
    fn regrouped(
        &self,
        plan: &MatrixPlan<'_>,
        probes: &[[usize; 3]],
        apart: [usize; 2],
    ) -> DispatchTensor {
        let each = self.cells.num_elements();
        let [down, across] = self.sizes;
        let mut values = vec![E::default(); probes.len() * each];
        for (&[channel, i, j], out) in probes.iter().zip(values.chunks_mut(each.max(1))) {
            let number = |row: usize, column: usize| (channel * down + row) * across + column;
            self.cut
                .regrouped(&self.made, &self.cells, [i, j], apart, number, out);
        }
        plan.upload(values, probes.len(), &self.cells.shape())
    }
}
