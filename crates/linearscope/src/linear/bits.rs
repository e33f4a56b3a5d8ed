//! Masks in bits on the host.

use burn_backend::{Backend, TensorData, tensor::BoolTensor};

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
    pub(super) fn read<B: Backend>(mask: BoolTensor<B>) -> Result<Self> {
        Ok(Self::of(&host::bools::<B>(mask)?))
    }

    fn of(mask: &TensorData) -> Self {
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
        let bytes = match mask.as_slice::<bool>() {
            Ok(mask) => packed(mask),
            // Devices that store a bool in 8 or 32 bits.
            Err(_) => packed(&mask.iter::<bool>().collect::<Vec<_>>()),
        };
        Self {
            bytes,
            len: mask.num_elements(),
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
