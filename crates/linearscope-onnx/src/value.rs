//! The values on an edge of the graph: floats, integers or booleans on the device, or constants on
//! the host. Also the ops that only move entries, which are the same for all three kinds.

use burn_backend::{
    Backend, BoolDType, DType, FloatDType, IntDType, Shape, Slice, TensorData, TensorMetadata,
    get_or_init_device_settings,
    tensor::{BoolTensor, FloatTensor, IntTensor},
};

/// The value on an edge of the graph: a tensor on the device, or a constant on the host.
///
/// A node whose operands are all constants is computed on the host, and its results are constants.
///
/// ```
/// use burn_backend::{DType, TensorData};
/// use burn_flex::Flex;
/// use linearscope_onnx::Value;
///
/// let shape = Value::<Flex>::Constant(TensorData::new(vec![1i64, 3, 8, 8], [4]));
/// assert_eq!(shape.shape(), [4]);
/// assert_eq!(shape.dtype(), DType::I64);
/// ```
#[derive(Clone, Debug)]
pub enum Value<B: Backend> {
    /// Floats of any precision.
    Float(FloatTensor<B>),
    /// Integers of any width.
    Int(IntTensor<B>),
    /// Booleans.
    Bool(BoolTensor<B>),
    /// Numbers on the host: weights, shapes, indices, and what is computed from them.
    Constant(TensorData),
}

/// One expression for each kind of tensor. Numbers on the host are uploaded before.
macro_rules! each {
    ($value:expr, $x:ident => $float:expr, $int:expr, $bool:expr) => {
        match $value {
            Value::Float($x) => Value::Float($float),
            Value::Int($x) => Value::Int($int),
            Value::Bool($x) => Value::Bool($bool),
            Value::Constant(_) => unreachable!("operands are on the device"),
        }
    };
}

impl<B: Backend> Value<B> {
    /// Its shape; empty for a scalar.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Float(x) => x.shape().to_vec(),
            Self::Int(x) => x.shape().to_vec(),
            Self::Bool(x) => x.shape().to_vec(),
            Self::Constant(data) => data.shape().to_vec(),
        }
    }

    /// Its dtype; for a constant, that of the file.
    pub fn dtype(&self) -> DType {
        match self {
            Self::Float(x) => x.dtype(),
            Self::Int(x) => x.dtype(),
            Self::Bool(x) => x.dtype(),
            Self::Constant(data) => data.dtype(),
        }
    }

    /// The number of its entries.
    pub(crate) fn numel(&self) -> usize {
        self.shape().iter().product()
    }

    /// The numbers on the host. Cost: nothing for a constant; otherwise a read, which waits for the
    /// device.
    ///
    /// # Errors
    /// The backend's, if the device cannot be read.
    pub fn into_data(self) -> Result<TensorData, burn_backend::ExecutionError> {
        use burn_backend::read_sync;
        match self {
            Self::Float(x) => read_sync(B::float_into_data(x)),
            Self::Int(x) => read_sync(B::int_into_data(x)),
            Self::Bool(x) => read_sync(B::bool_into_data(x)),
            Self::Constant(data) => Ok(data),
        }
    }

    /// On the device. `single`: floats become f32; else they, and integers, keep their dtype
    /// where the backend has it.
    pub(crate) fn upload(self, device: &B::Device, single: bool) -> Self {
        let Self::Constant(data) = self else {
            return self;
        };
        let dtype = data.dtype();
        let settings = || get_or_init_device_settings::<B>(device);
        if dtype.is_float() {
            let data = if dtype == DType::F32 || (!single && B::supports_dtype(device, dtype)) {
                data
            } else {
                data.convert_dtype(DType::F32)
            };
            Self::Float(B::float_from_data(data, device))
        } else if dtype.is_bool() {
            Self::Bool(B::bool_from_data(data, device))
        } else {
            let data = if !single && B::supports_dtype(device, dtype) {
                data
            } else {
                data.convert_dtype(settings().int_dtype.into())
            };
            Self::Int(B::int_from_data(data, device))
        }
    }

    pub(crate) fn reshape(self, dims: &[usize]) -> Self {
        if self.shape() == dims {
            return self;
        }
        let shape = Shape::from(dims.to_vec());
        each!(self, x => B::float_reshape(x, shape), B::int_reshape(x, shape), B::bool_reshape(x, shape))
    }

    pub(crate) fn permute(self, axes: &[usize]) -> Self {
        each!(self, x => B::float_permute(x, axes), B::int_permute(x, axes), B::bool_permute(x, axes))
    }

    pub(crate) fn flip(self, axes: &[usize]) -> Self {
        each!(self, x => B::float_flip(x, axes), B::int_flip(x, axes), B::bool_flip(x, axes))
    }

    pub(crate) fn slice(self, slices: &[Slice]) -> Self {
        each!(self, x => B::float_slice(x, slices), B::int_slice(x, slices), B::bool_slice(x, slices))
    }

    pub(crate) fn expand(self, dims: &[usize]) -> Self {
        if self.shape() == dims {
            return self;
        }
        let shape = Shape::from(dims.to_vec());
        each!(self, x => B::float_expand(x, shape), B::int_expand(x, shape), B::bool_expand(x, shape))
    }

    /// Entries `indices` along an axis.
    pub(crate) fn select(self, axis: usize, indices: IntTensor<B>) -> Self {
        each!(self, x => B::float_select(x, axis, indices), B::int_select(x, axis, indices), B::bool_select(x, axis, indices))
    }

    /// Entries from `start` on, `size` of them, along an axis.
    pub(crate) fn narrow(self, axis: usize, start: usize, size: usize) -> Self {
        let slices: Vec<Slice> = self
            .shape()
            .iter()
            .enumerate()
            .map(|(at, &all)| match at == axis {
                true => Slice::from(start..start + size),
                false => Slice::from(0..all),
            })
            .collect();
        self.slice(&slices)
    }

    /// `other` where the mask is set; all of one shape.
    pub(crate) fn mask_where(self, mask: BoolTensor<B>, other: Self) -> Self {
        match (self, other) {
            (Self::Float(x), Self::Float(y)) => Self::Float(B::float_mask_where(x, mask, y)),
            (Self::Int(x), Self::Int(y)) => Self::Int(B::int_mask_where(x, mask, y)),
            (Self::Bool(x), Self::Bool(y)) => Self::Bool(B::bool_mask_where(x, mask, y)),
            _ => unreachable!("the operands are of one kind"),
        }
    }

    /// Put together along an axis; all of one kind.
    pub(crate) fn cat(values: Vec<Self>, axis: usize) -> Option<Self> {
        let (mut floats, mut ints, mut bools) = (vec![], vec![], vec![]);
        let count = values.len();
        for value in values {
            match value {
                Self::Float(x) => floats.push(x),
                Self::Int(x) => ints.push(x),
                Self::Bool(x) => bools.push(x),
                Self::Constant(_) => unreachable!("operands are on the device"),
            }
        }
        if floats.len() == count && count > 0 {
            Some(Self::Float(B::float_cat(floats, axis)))
        } else if ints.len() == count && count > 0 {
            Some(Self::Int(B::int_cat(ints, axis)))
        } else if bools.len() == count && count > 0 {
            Some(Self::Bool(B::bool_cat(bools, axis)))
        } else {
            None
        }
    }

    /// In another dtype; numbers become true where they are not 0.
    pub(crate) fn cast(self, to: DType) -> Self {
        if self.dtype() == to {
            return self;
        }
        if to.is_float() {
            let to = FloatDType::from(to);
            Self::Float(match self {
                Self::Float(x) => B::float_cast(x, to),
                Self::Int(x) => B::int_into_float(x, to),
                Self::Bool(x) => B::bool_into_float(x, to),
                Self::Constant(_) => unreachable!("operands are on the device"),
            })
        } else if to.is_bool() {
            let zero = burn_backend::Scalar::Int(0);
            let dtype = BoolDType::from(to);
            Self::Bool(match self {
                Self::Float(x) => B::float_not_equal_elem(x, zero, dtype),
                Self::Int(x) => B::int_not_equal_elem(x, zero, dtype),
                Self::Bool(x) => x,
                Self::Constant(_) => unreachable!("operands are on the device"),
            })
        } else {
            let to = IntDType::from(to);
            Self::Int(match self {
                Self::Float(x) => B::float_into_int(x, to),
                Self::Int(x) => B::int_cast(x, to),
                Self::Bool(x) => B::bool_into_int(x, to),
                Self::Constant(_) => unreachable!("operands are on the device"),
            })
        }
    }
}
