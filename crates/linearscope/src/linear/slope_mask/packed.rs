//! A [`SlopeMask`] in bits.
//!
//! The bits lie on the host; a replay expands them to a gain, one table look-up for eight units, unless
//! the gain of an earlier replay was kept. An expansion writes as many numbers as one probe has.

use std::sync::Arc;

use burn_backend::{
    Backend, DType, Shape, TensorData, TensorMetadata, get_or_init_device_settings,
    tensor::{Device, FloatTensor},
};

use super::{
    super::{
        Amount, Choice, Chosen, Cut, LinearMap, Locality, Region, Restricted, Storage, Stored,
        Structure, batch,
        bits::{Bits, Table, table},
        expansion::Expansion,
        locality::entrywise,
    },
    Left, SlopeMask,
};
use crate::{
    coefficient::{Coefficient, Origin},
    error::Result,
};

/// y = s ⊙ x; s is `right` where the bit is set, else one of `slopes`.
#[derive(Debug)]
pub(super) struct PackedSlopeMask<B: Backend> {
    bits: Coefficient<Bits>,
    shape: Shape,
    right: f64,
    left: Left<B>,
    /// The numbers of `left`.
    slopes: Vec<f64>,
    /// Units in a row (of the flat tensor) that share an entry of `slopes`.
    run: usize,
    /// Which entry of `slopes` each run has.
    entry: Vec<u32>,
    device: Device<B>,
    dtype: DType,
    gain: Expansion<FloatTensor<B>>,
}

impl<B: Backend> PackedSlopeMask<B> {
    /// Reads the mask back from the device.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data).
    pub(super) fn new(map: &SlopeMask<B>) -> Result<Self> {
        let mask = &map.mask.value().get();
        let shape = mask.shape();
        let (slopes, run, entry) = match &map.left {
            Left::Number(number) => (vec![*number], shape.num_elements().max(1), vec![0]),
            Left::Tensor(left) => {
                let (run, entry) = runs(&shape, &left.value().shape());
                (crate::host::<B>(left.value().clone())?, run, entry)
            }
        };
        let bits = Bits::read::<B>(mask)?;
        Ok(Self {
            bits: map.mask.as_ref().map(|_| bits),
            right: map.right,
            left: map.left.clone(),
            slopes,
            run,
            entry,
            device: mask.device(),
            dtype: map.dtype,
            gain: Expansion::default(),
            shape,
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

    /// The slopes of a box, on the device.
    fn within(&self, region: &Region) -> SlopeMask<B> {
        let mut units = vec![0];
        for (range, &size) in region.0.iter().zip(self.shape.iter()) {
            let next = |unit: &usize| {
                let start = unit * size;
                range.clone().map(move |i| start + i)
            };
            units = units.iter().flat_map(next).collect();
        }
        let mask = self.bits.as_ref().map(|bits| {
            let sides: Vec<bool> = units.iter().map(|&unit| bits.get(unit) == 1).collect();
            let dtype = get_or_init_device_settings::<B>(&self.device).bool_dtype;
            let data = TensorData::new(sides, region.shape()).convert_dtype(dtype.into());
            B::bool_from_data(data, &self.device)
        });
        SlopeMask::of_dtype(mask, self.right, self.left.within(region), self.dtype)
    }

    /// The slopes as numbers, flat.
    fn expanded<T: Copy>(&self, number: impl Fn(f64) -> T) -> Vec<T> {
        let (bits, len) = (self.bits.value(), self.shape.num_elements());
        let mut slopes = Vec::with_capacity(len);
        let mut tables: Vec<Option<Table<T>>> = vec![None; self.slopes.len()];
        for (i, entry) in self.entry.iter().enumerate() {
            let start = i * self.run;
            let pair = [number(self.slopes[*entry as usize]), number(self.right)];
            // A table pays off where it is read often.
            if self.run < 64 {
                slopes.extend((start..start + self.run).map(|at| pair[bits.get(at)]));
                continue;
            }
            let table = tables[*entry as usize].get_or_insert_with(|| table(pair));
            bits.expand(start, (start + self.run).min(len), table, &mut slopes);
        }
        slopes
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

impl<B: Backend> LinearMap<B> for PackedSlopeMask<B> {
    fn name(&self) -> &'static str {
        "slope_mask"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_mul(x, self.gain())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_mul(y, self.gain())
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::SlopeMask(self)
    }
}

impl<B: Backend> Storage<B> for PackedSlopeMask<B> {
    fn stored(&self) -> Stored {
        let bits = Amount {
            bytes: self.bits.value().bytes().len(),
            coefficients: self.bits.value().len(),
        };
        let bits = Stored::amount(self.bits.origin(), bits);
        let all = match &self.left {
            // A number of the op's own.
            Left::Number(_) => bits,
            Left::Tensor(left) => {
                let slopes = Amount {
                    bytes: size_of_val(self.slopes.as_slice()) + size_of_val(&self.entry[..]),
                    coefficients: self.slopes.len(),
                };
                bits.and(Stored::amount(left.origin(), slopes))
            }
        };
        Stored {
            expanded: self.shape.num_elements() * self.dtype.size(),
            ..all
        }
    }
}

impl<B: Backend> Choice<B> for PackedSlopeMask<B> {
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        Ok(match self.bits.origin() {
            Origin::Weight => None,
            Origin::Decision => Some(self.bits.value().into()),
        })
    }
    fn largest(&self) -> [f64; 2] {
        let left = self.slopes.iter().fold(0f64, |most, s| most.max(s.abs()));
        [self.right.abs(), left]
    }
    fn keep_expanded(&self, keep: bool) {
        self.gain.keep(keep);
    }
    fn packed(&self) -> Result<Option<Arc<dyn LinearMap<B>>>> {
        Ok(None)
    }
}

impl<B: Backend> Locality<B> for PackedSlopeMask<B> {
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        output.num_elements() as u64
    }
    entrywise!(Self::within);
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::{BoolTensorOps, FloatTensorOps};
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    fn slopes(len: usize, left: Left<Flex>, shape: &[usize]) -> (Vec<bool>, PackedSlopeMask<Flex>) {
        let mask: Vec<bool> = (0..len).map(|i| (i * i / 3 + i / 5) % 2 == 1).collect();
        let data = TensorData::new(mask.clone(), shape.to_vec());
        let like = Flex::float_from_data(TensorData::new(vec![0f64], [1]), &FlexDevice);
        let sides = Coefficient::carried(Flex::bool_from_data(data, &FlexDevice));
        let unpacked = SlopeMask::new(sides, 1.0, left, &like);
        let packed = PackedSlopeMask::new(&unpacked).expect("packs");
        // The device's gain is the same, bit for bit.
        let read = |gain| crate::host::<Flex>(gain).expect("reads");
        assert_eq!(read(unpacked.gain()), read(packed.gain()));
        (mask, packed)
    }

    #[test]
    fn a_unit_takes_one_bit_and_comes_back() {
        for len in [1, 7, 8, 9, 63, 64, 65, 1000] {
            let (mask, slopes) = slopes(len, Left::Number(-0.5), &[len]);
            let expected: Vec<f64> = mask.iter().map(|&m| if m { 1.0 } else { -0.5 }).collect();
            assert_eq!(slopes.expanded(|s| s), expected, "{len} units");
            assert_eq!(slopes.bits.value().bytes().len(), len.div_ceil(8));
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
            let alpha_there = Flex::float_from_data(tensor, &FlexDevice);
            let left = Left::Tensor(Coefficient::weight(alpha_there));
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
        Choice::<Flex>::keep_expanded(&slopes, true);
        for _ in 0..2 {
            assert_eq!(
                crate::host::<Flex>(slopes.apply(x())).expect("reads"),
                fresh
            );
        }
        assert_eq!(Storage::<Flex>::stored(&slopes).expanded, 800);
    }
}
