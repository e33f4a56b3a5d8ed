//! [`Switches`](super::Switches) in few bits: each stored as its offset from where its output lies.
//!
//! An output cell o = (o₁, …) of a plane lies over the input cell (⌊oᵢ·inᵢ/outᵢ⌋); the cell it takes is a
//! few cells away from that. The offsets of one pool span few cells, so that their number among those
//! fits one byte for every pool in use (two or four where it does not).

use std::{ops::Range, sync::Arc};

use burn_backend::{
    Backend, Shape, TensorData, TensorMetadata, get_or_init_device_settings,
    tensor::{Device, FloatTensor, IndexingUpdateOp, IntTensor},
};

use super::super::{
    Amount, AxisPlace, Choice, Chosen, Cut, LinearMap, Locality, Pick, Region, Restricted, Storage,
    Stored, Stride, Structure, batch, expansion::Expansion,
};
use crate::{
    coefficient::{Coefficient, Origin},
    error::{Error, Result},
    host,
};

/// Numbers in the smallest integers that hold them.
#[derive(Debug)]
enum Codes {
    One(Vec<u8>),
    Two(Vec<u16>),
    Four(Vec<u32>),
}

impl Codes {
    /// Numbers below `kinds`.
    fn of(codes: impl Iterator<Item = usize>, kinds: usize) -> Self {
        match kinds {
            0..=0x100 => Self::One(codes.map(|c| c as u8).collect()),
            0x101..=0x1_0000 => Self::Two(codes.map(|c| c as u16).collect()),
            _ => Self::Four(codes.map(|c| c as u32).collect()),
        }
    }

    fn get(&self, i: usize) -> usize {
        match self {
            Self::One(codes) => codes[i].into(),
            Self::Two(codes) => codes[i].into(),
            Self::Four(codes) => codes[i] as usize,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::One(codes) => codes.len(),
            Self::Two(codes) => 2 * codes.len(),
            Self::Four(codes) => 4 * codes.len(),
        }
    }
}

/// Max pooling with frozen switches; input `[n, c, ..]`.
#[derive(Debug)]
pub(super) struct PackedSwitches<B: Backend> {
    input: Shape,
    output: Shape,
    windows: Vec<Stride>,
    codes: Coefficient<Codes>,
    /// The least offset along each axis of a plane, and how many there are.
    least: Vec<isize>,
    span: Vec<usize>,
    device: Device<B>,
    indices: Expansion<IntTensor<B>>,
}

/// For each output cell of a plane, the input cell it lies over, axis by axis.
fn under(output: &[usize], input: &[usize]) -> Vec<Vec<isize>> {
    let cells: usize = output.iter().product();
    (0..cells)
        .map(|cell| {
            let mut rest = cell;
            let mut at = vec![0; output.len()];
            for axis in (0..output.len()).rev() {
                at[axis] = (rest % output[axis] * input[axis] / output[axis]) as isize;
                rest /= output[axis];
            }
            at
        })
        .collect()
}

impl<B: Backend> PackedSwitches<B> {
    /// From Burn's indices, each into its own plane of the input, `[n, c, ..output]`. Reads them
    /// back from the device.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data).
    pub(super) fn new(
        input: &Shape,
        output: &Shape,
        windows: &[Stride],
        indices: &Coefficient<IntTensor<B>>,
    ) -> Result<Self> {
        let device = indices.value().device();
        let data = host::ints::<B>(indices.value())?;
        let (plane, cells) = (&input[2..], &output[2..]);
        let under = under(cells, plane);
        let size: usize = plane.iter().product();
        let inside = 0..size.min(i32::MAX as usize) as i64;
        if let Some(index) = data.iter().find(|index| !inside.contains(index)) {
            return Err(Error::Data(format!(
                "a max pool selected cell {index} of a plane {plane:?}: a window that lies entirely in the \
                 padding has no largest entry; use less padding or dilation"
            )));
        }
        // Offsets, axis after axis, by short divisions, which are quick.
        let axes = plane.len();
        let size: Vec<u32> = plane.iter().map(|&size| size as u32).collect();
        let mut offsets = vec![0i32; axes * data.len()];
        let none = data.is_empty();
        let [mut least, mut most] =
            [i32::MAX, i32::MIN].map(|end| vec![if none { 0 } else { end }; axes]);
        for (number, indices) in data.chunks(under.len().max(1)).enumerate() {
            let offsets = &mut offsets[axes * number * under.len()..];
            let cells = indices.iter().zip(&under).zip(offsets.chunks_mut(axes));
            for ((index, from), offset) in cells {
                let mut rest = *index as u32;
                for axis in (0..axes).rev() {
                    let apart = (rest % size[axis]) as i32 - from[axis] as i32;
                    rest /= size[axis];
                    offset[axis] = apart;
                    least[axis] = apart.min(least[axis]);
                    most[axis] = apart.max(most[axis]);
                }
            }
        }
        let span: Vec<usize> = (0..axes)
            .map(|axis| (most[axis] - least[axis] + 1) as usize)
            .collect();
        let code = |offset: &[i32]| {
            let axes = offset.iter().zip(&least).zip(&span);
            axes.fold(0, |code, ((o, least), span)| {
                code * span + (o - least) as usize
            })
        };
        let codes = Codes::of(offsets.chunks(axes).map(code), span.iter().product());
        let least = least.into_iter().map(|o| o as isize).collect();
        Ok(Self {
            input: input.clone(),
            output: output.clone(),
            windows: windows.to_vec(),
            codes: indices.as_ref().map(|_| codes),
            least,
            span,
            device,
            indices: Expansion::default(),
        })
    }

    /// Flat positions in the whole input, one for each output entry.
    fn positions(&self) -> Vec<i64> {
        let plane = &self.input[2..];
        let size: usize = plane.iter().product();
        let under = under(&self.output[2..], plane);
        // What each code means, axis by axis.
        let kinds: usize = self.span.iter().product();
        let offset: Vec<isize> = (0..kinds)
            .map(|code| {
                let (mut rest, mut step, mut flat) = (code, 1, 0);
                for axis in (0..plane.len()).rev() {
                    flat += ((rest % self.span[axis]) as isize + self.least[axis]) * step;
                    rest /= self.span[axis];
                    step *= plane[axis] as isize;
                }
                flat
            })
            .collect();
        let base: Vec<isize> = under
            .iter()
            .map(|at| {
                at.iter()
                    .zip(plane)
                    .fold(0, |flat, (at, &size)| flat * size as isize + at)
            })
            .collect();
        let planes = self.output[0] * self.output[1];
        let mut positions = Vec::with_capacity(planes * base.len());
        for p in 0..planes {
            let start = (p * size) as isize;
            positions.extend(base.iter().enumerate().map(|(cell, base)| {
                (start + base + offset[self.codes.value().get(p * under.len() + cell)]) as i64
            }));
        }
        positions
    }

    fn indices(&self) -> IntTensor<B> {
        self.indices.get(|| self.upload(self.positions()))
    }

    fn upload(&self, positions: Vec<i64>) -> IntTensor<B> {
        let dtype = get_or_init_device_settings::<B>(&self.device).int_dtype;
        let len = positions.len();
        let data = TensorData::new(positions, [len]).convert_dtype(dtype.into());
        B::int_from_data(data, &self.device)
    }

    /// The input cells, along an axis of the plane, that a range of outputs takes.
    fn cells(&self, axis: usize, to: &Range<usize>) -> Range<usize> {
        if to.is_empty() {
            return 0..0;
        }
        let (input, output) = (self.input[axis + 2], self.output[axis + 2]);
        let under = |o: usize| (o * input / output) as isize + self.least[axis];
        let start = under(to.start).clamp(0, input as isize) as usize;
        let end = under(to.end - 1) + self.span[axis] as isize;
        start..end.clamp(start as isize, input as isize) as usize
    }
}

impl<B: Backend> LinearMap<B> for PackedSwitches<B> {
    fn name(&self) -> &'static str {
        "switches"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let k = x.shape()[0];
        let y = B::float_select(batch::flatten::<B>(x), 1, self.indices());
        B::float_reshape(y, batch::shape_of(k, &self.output))
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let k = y.shape()[0];
        let flat = Shape::from(vec![self.input.num_elements()]);
        let zeros = batch::zeros::<B>(&y, k, &flat);
        let y = batch::flatten::<B>(y);
        let x = B::float_select_assign(zeros, 1, self.indices(), y, IndexingUpdateOp::Add);
        B::float_reshape(x, batch::shape_of(k, &self.input))
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Selection(self)
    }
}

impl<B: Backend> Storage<B> for PackedSwitches<B> {
    fn stored(&self) -> Stored {
        let coefficients = self.output.num_elements();
        let amount = Amount {
            bytes: self.codes.value().bytes(),
            coefficients,
        };
        Stored {
            expanded: coefficients * size_of::<i64>(),
            ..Stored::amount(self.codes.origin(), amount)
        }
    }
}

impl<B: Backend> Choice<B> for PackedSwitches<B> {
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        Ok(match self.codes.origin() {
            Origin::Weight => None,
            Origin::Decision => Some(Chosen::Places(self.positions())),
        })
    }
    fn largest(&self) -> [f64; 2] {
        [1.0, 1.0]
    }
    fn keep_expanded(&self, keep: bool) {
        self.indices.keep(keep);
    }
    fn packed(&self) -> Result<Option<Arc<dyn LinearMap<B>>>> {
        Ok(None)
    }
}

impl<B: Backend> Locality<B> for PackedSwitches<B> {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
        let mut ranges = from.0[..2].to_vec();
        for (axis, from) in from.0[2..].iter().enumerate() {
            let reads = |o: &usize| {
                let field = self.cells(axis, &(*o..o + 1));
                field.start < from.end && from.start < field.end
            };
            let mut reached = (0..self.output[axis + 2]).filter(reads);
            ranges.push(match reached.next() {
                Some(first) => first..reached.last().unwrap_or(first) + 1,
                None => 0..0,
            });
        }
        Region(ranges)
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        let mut ranges = to.0[..2].to_vec();
        let axes = to.0[2..].iter().enumerate();
        ranges.extend(axes.map(|(axis, to)| self.cells(axis, to)));
        Region(ranges)
    }
    fn places(&self, _input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        Some(super::places(&self.windows))
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let reached = self.reach(cut.input, cut.output, cut.from);
        let to = reached.intersection(cut.to);
        if to.is_empty() {
            return None;
        }
        let from = self.field(cut.input, cut.output, &to);
        let all = self.positions();
        let mut cells = vec![0];
        for (range, &size) in to.0.iter().zip(self.output.iter()) {
            let next = |cell: &usize| {
                range
                    .clone()
                    .map(move |i| cell * size + i)
                    .collect::<Vec<_>>()
            };
            cells = cells.iter().flat_map(next).collect();
        }
        // Positions in the whole input become positions in the box.
        let positions: Vec<i64> = cells
            .iter()
            .map(|&cell| {
                let (mut rest, mut step, mut at) = (all[cell] as usize, 1, 0);
                for axis in (0..self.input.num_dims()).rev() {
                    let range = &from.0[axis];
                    at += (rest % self.input[axis] - range.start) * step;
                    rest /= self.input[axis];
                    step *= range.len();
                }
                at as i64
            })
            .collect();
        let indices = self.codes.as_ref().map(|_| self.upload(positions));
        Some(Restricted {
            map: Arc::new(Pick::new(&from.shape(), &to.shape(), indices)),
            from,
            to,
        })
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::IntTensorOps;
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    fn switches(input: &[usize], output: &[usize], indices: &[i64]) -> PackedSwitches<Flex> {
        let data = TensorData::new(indices.to_vec(), output.to_vec());
        let indices = Coefficient::carried(Flex::int_from_data(data, &FlexDevice));
        let shape = |dims: &[usize]| Shape::from(dims.to_vec());
        PackedSwitches::new(&shape(input), &shape(output), &[], &indices).expect("packs")
    }

    #[test]
    fn positions_come_back_from_one_byte() {
        // 3×3 windows of stride 2 over 15×9; any cell of a window may have won.
        let (h, w, oh, ow) = (15, 9, 7, 4);
        let indices: Vec<i64> = (0..2 * oh * ow)
            .map(|i| {
                let (oy, ox) = (i % (oh * ow) / ow, i % ow);
                let (dy, dx) = (i * 7 % 3, i * 5 % 3);
                ((2 * oy + dy) * w + 2 * ox + dx) as i64
            })
            .collect();
        let found = switches(&[1, 2, h, w], &[1, 2, oh, ow], &indices);
        let expected: Vec<i64> = indices
            .iter()
            .enumerate()
            .map(|(i, index)| (i / (oh * ow) * h * w) as i64 + index)
            .collect();
        assert_eq!(found.positions(), expected);
        assert_eq!(
            Storage::<Flex>::stored(&found).decisions.bytes,
            indices.len()
        );
    }

    /// One window over everything: the cell's number is its position, in two bytes.
    #[test]
    fn far_switches_take_more_bytes() {
        let found = switches(&[1, 1, 40, 50], &[1, 1, 1, 1], &[1777]);
        assert_eq!(found.positions(), [1777]);
        let two = switches(&[2, 1, 40, 50], &[2, 1, 1, 1], &[3, 1777]);
        assert_eq!(two.positions(), [3, 2000 + 1777]);
        assert_eq!(Storage::<Flex>::stored(&two).decisions.bytes, 4);
    }
}
