//! Masks in bits on the host.

use burn_backend::{Backend, tensor::BoolTensor};

use crate::{error::Result, host};

/// One bit an entry, the first in the lowest bit of the first byte; those beyond the last entry are 0.
#[derive(Clone, Debug)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    len: usize,
}

/// The eight values that every byte of bits stands for.
pub(super) type Table<T> = Box<[[T; 8]; 256]>;

/// [`Table`] of a value for 0 and one for 1.
pub(super) fn table<T: Copy>(pair: [T; 2]) -> Table<T> {
    let mut table = Box::new([[pair[0]; 8]; 256]);
    for (byte, values) in table.iter_mut().enumerate() {
        for (bit, value) in values.iter_mut().enumerate() {
            *value = pair[byte >> bit & 1];
        }
    }
    table
}

impl Bits {
    /// A mask, read back from its device.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data).
    pub(super) fn read<B: Backend>(mask: &BoolTensor<B>) -> Result<Self> {
        Ok(Self::of(&host::bools::<B>(mask)?))
    }

    /// Of entries that are 0 where false.
    fn of(mask: &[u8]) -> Self {
        let (eights, rest) = mask.as_chunks::<8>();
        let mut bytes: Vec<u8> = Vec::with_capacity(mask.len().div_ceil(8));
        let packed = |eight: &[u8; 8]| {
            let eight = u64::from_le_bytes(*eight);
            // 1 in each byte that is not 0: its low bits carry into the highest, unless that is set.
            let low = u64::from_ne_bytes([0x7f; 8]);
            let ones = ((((eight & low) + low) | eight) & !low) >> 7;
            // The product moves the lowest bit of byte i to bit 56 + i; no two meet before.
            (ones.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
        };
        bytes.extend(eights.iter().map(packed));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            bytes.push(packed(&last));
        }
        Self {
            bytes,
            len: mask.len(),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Eight in a byte.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Eight in a byte.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Number `at`, as an index.
    pub(super) fn get(&self, at: usize) -> usize {
        usize::from(self.bytes[at / 8] >> (at % 8) & 1)
    }

    /// Append what bits `start..end` stand for, most of them eight at a time.
    pub(super) fn expand<T: Copy>(
        &self,
        start: usize,
        end: usize,
        table: &Table<T>,
        to: &mut Vec<T>,
    ) {
        let pair = [table[0][0], table[255][0]];
        let (first, last) = (start.next_multiple_of(8).min(end), end / 8 * 8);
        to.extend((start..first).map(|at| pair[self.get(at)]));
        if first < last {
            for byte in &self.bytes[first / 8..last / 8] {
                to.extend_from_slice(&table[usize::from(*byte)]);
            }
        }
        to.extend((last.max(first)..end).map(|at| pair[self.get(at)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any byte but 0 is true, wherever it stands.
    #[test]
    fn bytes_become_bits() {
        let mask: Vec<u8> = (0..1003u32).map(|i| (i * i % 7 * 37) as u8).collect();
        let bits = Bits::of(&mask);
        assert_eq!(bits.len(), mask.len());
        assert_eq!(bits.bytes().len(), 126);
        for (at, byte) in mask.iter().enumerate() {
            assert_eq!(bits.get(at), usize::from(*byte != 0), "{at}");
        }
        assert_eq!(Bits::of(&[1, 255, 0, 128, 2]).bytes(), [0b11011]);
        assert!(Bits::of(&[]).bytes().is_empty());
    }
}
