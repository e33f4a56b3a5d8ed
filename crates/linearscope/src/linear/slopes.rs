//! A mask of slopes: y = s ⊙ x where each sᵢ is one of two, stored in one bit.
//!
//! relu (1 or 0), leaky_relu, prelu, abs, clip. The bits lie on the host; a replay expands them to
//! a gain, one table look-up for eight units, unless the gain of an earlier replay was kept. An
//! expansion writes as many numbers as one probe has; a multiplication by a float gain is what
//! backends do best.

use burn_backend::{
    Backend, DType, Shape, TensorData, TensorMetadata, read_sync,
    tensor::{BoolTensor, Device, FloatTensor},
};

use super::{
    Chosen, Cut, LinearMap, Region, Restricted, Scale, Stored, batch, expansion::Expansion,
};
use crate::error::{Error, Result};

/// The slope where the mask is false.
#[derive(Clone, Debug)]
pub(crate) enum Left<B: Backend> {
    /// The same for every unit.
    Number(f64),
    /// Of the units' rank, broadcasting against them (prelu).
    Tensor(FloatTensor<B>),
}

/// y = s ⊙ x; s is `right` where the mask was true, else `left`.
#[derive(Debug)]
pub(crate) struct Slopes<B: Backend> {
    bits: Vec<u8>,
    shape: Shape,
    right: f64,
    left: Vec<f64>,
    /// Units in a row (of the flat tensor) that share an entry of `left`.
    run: usize,
    /// Which entry of `left` each run has.
    entry: Vec<u32>,
    device: Device<B>,
    dtype: DType,
    gain: Expansion<FloatTensor<B>>,
}

impl<B: Backend> Slopes<B> {
    /// Pack a mask; `like` lends device and dtype. Reads the mask back from the device.
    ///
    /// # Errors
    /// [`Error::Data`].
    pub(crate) fn new(
        mask: BoolTensor<B>,
        right: f64,
        left: Left<B>,
        like: &FloatTensor<B>,
    ) -> Result<Self> {
        let shape = mask.shape();
        let data = read_sync(B::bool_into_data(mask))
            .map_err(|error| Error::Data(format!("{error:?}")))?;
        let bits = pack(&data);
        let (left, run, entry) = match left {
            Left::Number(number) => (vec![number], shape.num_elements().max(1), vec![0]),
            Left::Tensor(tensor) => {
                let of = tensor.shape();
                let (run, entry) = runs(&shape, &of);
                (crate::host::<B>(tensor)?, run, entry)
            }
        };
        Ok(Self {
            bits,
            shape,
            right,
            left,
            run,
            entry,
            device: like.device(),
            dtype: like.dtype(),
            gain: Expansion::default(),
        })
    }

    fn gain(&self) -> FloatTensor<B> {
        self.gain.get(|| {
            let shape = batch::shape_of(1, &self.shape);
            let data = match self.dtype {
                DType::F64 => TensorData::new(self.expanded(|s| s), shape),
                dtype => TensorData::new(self.expanded(|s| s as f32), shape).convert_dtype(dtype),
            };
            B::float_from_data(data, &self.device)
        })
    }

    /// The slopes of a box as a gain of floats.
    fn within(&self, region: &Region) -> Scale<B> {
        let [outer @ .., last] = region.0.as_slice() else {
            return Scale::new(self.numbers(self.expanded(|s| s), &self.shape));
        };
        let mut rows = vec![0];
        for (range, &size) in outer.iter().zip(self.shape.iter()) {
            let next = |row: &usize| {
                range
                    .clone()
                    .map(move |i| row * size + i)
                    .collect::<Vec<_>>()
            };
            rows = rows.iter().flat_map(next).collect();
        }
        let width = self.shape[self.shape.num_dims() - 1];
        let slope = |at: usize| match self.bit(at) {
            0 => self.left[self.entry[at / self.run] as usize],
            _ => self.right,
        };
        let slopes = rows
            .iter()
            .flat_map(|row| last.clone().map(move |i| slope(row * width + i)))
            .collect();
        Scale::new(self.numbers(slopes, &region.shape()))
    }

    fn numbers(&self, slopes: Vec<f64>, shape: &Shape) -> FloatTensor<B> {
        let data = TensorData::new(slopes, shape.clone()).convert_dtype(self.dtype);
        B::float_from_data(data, &self.device)
    }

    /// The slopes as numbers, flat.
    fn expanded<T: Copy>(&self, number: impl Fn(f64) -> T) -> Vec<T> {
        let len = self.shape.num_elements();
        let mut slopes = Vec::with_capacity(len);
        let mut tables: Vec<Option<Box<[[T; 8]; 256]>>> = vec![None; self.left.len()];
        for (i, entry) in self.entry.iter().enumerate() {
            let start = i * self.run;
            let pair = [number(self.left[*entry as usize]), number(self.right)];
            // A table pays off where it is read often.
            if self.run < 64 {
                slopes.extend((start..start + self.run).map(|at| pair[self.bit(at)]));
                continue;
            }
            let table = tables[*entry as usize].get_or_insert_with(|| table(pair));
            let end = (start + self.run).min(len);
            let (first, last) = (start.next_multiple_of(8).min(end), end / 8 * 8);
            slopes.extend((start..first).map(|at| pair[self.bit(at)]));
            if first < last {
                for byte in &self.bits[first / 8..last / 8] {
                    slopes.extend_from_slice(&table[*byte as usize]);
                }
            }
            slopes.extend((last.max(first)..end).map(|at| pair[self.bit(at)]));
        }
        slopes
    }

    fn bit(&self, at: usize) -> usize {
        usize::from(self.bits[at / 8] >> (at % 8) & 1)
    }
}

/// The eight slopes of every byte of mask.
fn table<T: Copy>(pair: [T; 2]) -> Box<[[T; 8]; 256]> {
    let mut table = Box::new([[pair[0]; 8]; 256]);
    for (byte, slopes) in table.iter_mut().enumerate() {
        for (bit, slope) in slopes.iter_mut().enumerate() {
            *slope = pair[byte >> bit & 1];
        }
    }
    table
}

/// One bit per entry, the first in the lowest bit of the first byte.
fn pack(mask: &TensorData) -> Vec<u8> {
    let packed = |mask: &[bool]| {
        mask.chunks(8)
            .map(|eight| {
                eight
                    .iter()
                    .enumerate()
                    .fold(0, |byte, (bit, &set)| byte | (u8::from(set) << bit))
            })
            .collect()
    };
    match mask.as_slice::<bool>() {
        Ok(mask) => packed(mask),
        // Devices that store a bool in 8 or 32 bits.
        Err(_) => packed(&mask.iter::<bool>().collect::<Vec<_>>()),
    }
}

/// How entries of a tensor of shape `of` repeat when it is broadcast to `shape`: how many in a row
/// are the same one, and which, row by row.
fn runs(shape: &Shape, of: &Shape) -> (usize, Vec<u32>) {
    let rank = shape.num_dims();
    let inner = (0..rank).rev().take_while(|&axis| of[axis] == 1).count();
    let run = shape.iter().skip(rank - inner).product::<usize>().max(1);
    let outer = &shape[..rank - inner];
    let mut entries = vec![0u32];
    for (axis, &size) in outer.iter().enumerate() {
        let step = |i: usize| if of[axis] == 1 { 0 } else { i };
        entries = entries
            .iter()
            .flat_map(|&e| (0..size).map(move |i| (e as usize * of[axis] + step(i)) as u32))
            .collect();
    }
    (run, entries)
}

impl<B: Backend> LinearMap<B> for Slopes<B> {
    fn name(&self) -> &'static str {
        "slopes"
    }
    fn is_entrywise(&self) -> bool {
        true
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_mul(x, self.gain())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_mul(y, self.gain())
    }
    fn stored(&self) -> Stored {
        Stored {
            bytes: self.bits.len()
                + self.left.len() * size_of::<f64>()
                + self.entry.len() * size_of::<u32>(),
            coefficients: self.shape.num_elements(),
            expanded: self.shape.num_elements() * self.dtype.size(),
        }
    }
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        Ok(Some(Chosen::Sides {
            bits: self.bits.as_slice().into(),
            units: self.shape.num_elements(),
        }))
    }
    fn keep_expanded(&self, keep: bool) {
        self.gain.keep(keep);
    }
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        output.num_elements() as u64
    }
    fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
        from.clone()
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        to.clone()
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let region = cut.from.intersection(cut.to);
        Some(Restricted::entrywise(region, |region| self.within(region)))
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::{BoolTensorOps, FloatTensorOps};
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    fn slopes(len: usize, left: Left<Flex>, shape: &[usize]) -> (Vec<bool>, Slopes<Flex>) {
        let mask: Vec<bool> = (0..len).map(|i| (i * i / 3 + i / 5) % 2 == 1).collect();
        let data = TensorData::new(mask.clone(), shape.to_vec());
        let like = Flex::float_from_data(TensorData::new(vec![0f64], [1]), &FlexDevice);
        let packed = Flex::bool_from_data(data, &FlexDevice);
        (mask, Slopes::new(packed, 1.0, left, &like).expect("packs"))
    }

    #[test]
    fn a_unit_takes_one_bit_and_comes_back() {
        for len in [1, 7, 8, 9, 63, 64, 65, 1000] {
            let (mask, slopes) = slopes(len, Left::Number(-0.5), &[len]);
            let expected: Vec<f64> = mask.iter().map(|&m| if m { 1.0 } else { -0.5 }).collect();
            assert_eq!(slopes.expanded(|s| s), expected, "{len} units");
            assert_eq!(slopes.bits.len(), len.div_ceil(8));
        }
    }

    /// Runs of every length and alignment, left slopes by channel, by cell, and by both.
    #[test]
    fn left_slopes_broadcast() {
        let shape = [2, 3, 7, 11];
        for of in [
            [1, 3, 1, 1],
            [1, 1, 7, 11],
            [1, 1, 1, 11],
            [2, 1, 7, 1],
            [2, 3, 7, 11],
            [1, 1, 1, 1],
        ] {
            let alpha: Vec<f64> = (0..of.iter().product())
                .map(|i| i as f64 / 7.0 - 2.0)
                .collect();
            let tensor = TensorData::new(alpha.clone(), of);
            let left = Left::Tensor(Flex::float_from_data(tensor, &FlexDevice));
            let (mask, slopes) = slopes(shape.iter().product(), left, &shape);
            let expected: Vec<f64> = (0..mask.len())
                .map(|i| {
                    let (mut rest, mut at, mut step) = (i, 0, 1);
                    for axis in (0..4).rev() {
                        let index = rest % shape[axis];
                        rest /= shape[axis];
                        at += if of[axis] == 1 { 0 } else { index * step };
                        step *= of[axis];
                    }
                    if mask[i] { 1.0 } else { alpha[at] }
                })
                .collect();
            assert_eq!(
                slopes.expanded(|s| s),
                expected,
                "left slopes of shape {of:?}"
            );
        }
    }

    #[test]
    fn a_kept_gain_is_the_same() {
        let (_, slopes) = slopes(100, Left::Number(0.0), &[100]);
        let x = || {
            Flex::float_ones(
                vec![2, 100].into(),
                &FlexDevice,
                burn_backend::FloatDType::F64,
            )
        };
        let fresh = crate::host::<Flex>(slopes.apply(x())).expect("reads");
        LinearMap::<Flex>::keep_expanded(&slopes, true);
        for _ in 0..2 {
            assert_eq!(
                crate::host::<Flex>(slopes.apply(x())).expect("reads"),
                fresh
            );
        }
        assert_eq!(LinearMap::<Flex>::stored(&slopes).expanded, 800);
    }
}
