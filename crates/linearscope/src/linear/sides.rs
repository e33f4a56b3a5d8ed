//! Which of two sides each unit took, where the device has it: a bool tensor, or 31 units in an integer.
//!
//! Nothing here waits for the device.

use burn_backend::{
    Backend, Scalar, Shape, Slice as Range, TensorData, TensorMetadata,
    get_or_init_device_settings,
    tensor::{BoolTensor, Device, IntTensor},
};

use super::{Amount, Chosen, Stored, expansion::Expansion};
use crate::{
    coefficient::{Coefficient, Origin},
    error::Result,
};

/// Units in an integer: its sign stays out of it, so that 32 bits do everywhere.
const UNITS: usize = 31;

/// The side of each unit of a tensor.
#[derive(Debug)]
pub(crate) struct Sides<B: Backend> {
    shape: Shape,
    form: Form<B>,
}

#[derive(Debug)]
enum Form<B: Backend> {
    Whole(BoolTensor<B>),
    Packed {
        words: IntTensor<B>,
        whole: Expansion<BoolTensor<B>>,
    },
}

impl<B: Backend> Clone for Sides<B> {
    fn clone(&self) -> Self {
        match &self.form {
            Form::Whole(whole) => Self::whole(whole.clone()),
            Form::Packed { words, .. } => Self::of_words(words.clone(), self.shape.clone()),
        }
    }
}

impl<B: Backend> Sides<B> {
    /// As an op made them.
    pub(crate) fn whole(mask: BoolTensor<B>) -> Self {
        Self {
            shape: mask.shape(),
            form: Form::Whole(mask),
        }
    }

    fn of_words(words: IntTensor<B>, shape: Shape) -> Self {
        let whole = Expansion::default();
        Self {
            shape,
            form: Form::Packed { words, whole },
        }
    }

    /// In as few bytes as ops of any backend can make without a wait: Σ 2ⁱ bᵢ over 31 units.
    pub(crate) fn packed(&self) -> Self {
        let Form::Whole(mask) = &self.form else {
            return self.clone();
        };
        let (device, units) = (mask.device(), self.shape.num_elements());
        let dtype = get_or_init_device_settings::<B>(&device).int_dtype;
        let words = units.div_ceil(UNITS);
        let flat = B::bool_reshape(mask.clone(), Shape::from(vec![units]));
        let mut bits = B::bool_into_int(flat, dtype);
        if words * UNITS > units {
            let rest = Shape::from(vec![words * UNITS - units]);
            bits = B::int_cat(vec![bits, B::int_zeros(rest, &device, dtype)], 0);
        }
        let table = Shape::from(vec![words, UNITS]);
        let powers = along_units::<B>(|unit| 1 << unit, &table, &device);
        let bits = B::int_mul(B::int_reshape(bits, table), powers);
        let words = B::int_reshape(B::int_sum_dim(bits, 1), Shape::from(vec![words]));
        Self::of_words(words, self.shape.clone())
    }

    /// As a bool tensor.
    pub(crate) fn get(&self) -> BoolTensor<B> {
        match &self.form {
            Form::Whole(whole) => whole.clone(),
            Form::Packed { words, whole } => whole.get(|| self.unpacked(words)),
        }
    }

    fn unpacked(&self, words: &IntTensor<B>) -> BoolTensor<B> {
        let (device, count) = (words.device(), words.shape()[0]);
        let table = Shape::from(vec![count, UNITS]);
        let words = B::int_reshape(words.clone(), Shape::from(vec![count, 1]));
        let words = B::int_expand(words, table.clone());
        let shifts = along_units::<B>(|unit| unit, &table, &device);
        let bits = B::bitwise_and_scalar(B::bitwise_right_shift(words, shifts), Scalar::Int(1));
        let bits = B::int_reshape(bits, Shape::from(vec![count * UNITS]));
        let bits = B::int_slice(bits, &[Range::from(0..self.shape.num_elements())]);
        let bool_dtype = get_or_init_device_settings::<B>(&device).bool_dtype;
        let bits = B::int_reshape(bits, self.shape.clone());
        B::int_equal_elem(bits, Scalar::Int(1), bool_dtype)
    }

    /// Whether they take the form of few bytes.
    pub(crate) fn is_packed(&self) -> bool {
        matches!(self.form, Form::Packed { .. })
    }

    /// Keep the bool tensor between uses; of those that are one anyway nothing changes.
    pub(crate) fn keep(&self, keep: bool) {
        if let Form::Packed { whole, .. } = &self.form {
            whole.keep(keep);
        }
    }

    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Bytes at rest.
    fn bytes(&self) -> usize {
        match &self.form {
            Form::Whole(mask) => self.shape.num_elements() * mask.dtype().size(),
            Form::Packed { words, .. } => words.shape().num_elements() * words.dtype().size(),
        }
    }
}

/// A number for each unit of a word, `[words, 31]`.
fn along_units<B: Backend>(
    number: impl Fn(i64) -> i64,
    table: &Shape,
    device: &Device<B>,
) -> IntTensor<B> {
    let dtype = get_or_init_device_settings::<B>(device).int_dtype;
    let numbers: Vec<i64> = (0..UNITS as i64).map(number).collect();
    let data = TensorData::new(numbers, [1, UNITS]).convert_dtype(dtype.into());
    B::int_expand(B::int_from_data(data, device), table.clone())
}

impl<B: Backend> Coefficient<Sides<B>> {
    /// What they store; `expanded` bytes an entry are what a replay works with, where that is another form.
    pub(super) fn stored(&self, expanded: usize) -> Stored {
        let sides = self.value();
        let amount = Amount {
            bytes: sides.bytes(),
            coefficients: sides.shape.num_elements(),
        };
        Stored {
            expanded: sides.shape.num_elements() * expanded,
            ..Stored::amount(self.origin(), amount)
        }
    }

    /// Which side each unit took, read back from the device; `None` where the network has them anyway.
    pub(super) fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        match self.origin() {
            Origin::Weight => Ok(None),
            Origin::Decision => Chosen::sides::<B>(&self.value().get()).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::BoolTensorOps;
    use burn_flex::{Flex, FlexDevice};

    use super::*;
    use crate::host;

    #[test]
    fn what_is_packed_comes_back() {
        for shape in [vec![1], vec![31], vec![2, 31], vec![3, 5, 7], vec![1, 4, 1]] {
            let units: usize = shape.iter().product();
            let sides: Vec<bool> = (0..units).map(|i| (i * i) % 7 < 3).collect();
            let data = TensorData::new(sides.clone(), shape.clone());
            let whole = Sides::<Flex>::whole(Flex::bool_from_data(data, &FlexDevice));
            let packed = whole.packed();
            assert!(packed.is_packed() && !whole.is_packed());
            for _ in 0..2 {
                let back = packed.get();
                assert_eq!(back.shape().to_vec(), shape);
                let back = host::bools::<Flex>(&back).expect("reads");
                let back: Vec<bool> = back.iter().map(|side| *side != 0).collect();
                assert_eq!(back, sides);
                packed.keep(true);
            }
            let stored = Coefficient::carried(packed).stored(4);
            assert_eq!(stored.decisions.bytes, 4 * units.div_ceil(31));
            assert_eq!(
                (stored.decisions.coefficients, stored.expanded),
                (units, 4 * units)
            );
        }
    }
}
