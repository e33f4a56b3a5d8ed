//! What an op sees of the run, and what it gives back.

use std::collections::HashMap;

use burn_backend::{
    Backend, DType, Shape, TensorData, TensorMetadata,
    tensor::{BoolTensor, FloatTensor, IntTensor},
};
use onnx_ir::Argument;

use crate::error::{Error, Result};

/// What flows along an edge of the graph.
#[derive(Clone, Debug)]
pub enum Value<B: Backend> {
    /// Floats of any precision.
    Float(FloatTensor<B>),
    /// Integers.
    Int(IntTensor<B>),
    /// Booleans.
    Bool(BoolTensor<B>),
}

/// What an op sees: the node's operands and name.
pub(crate) struct Context<'a, B: Backend> {
    /// Every value made so far, by `onnx-ir`'s names.
    pub values: &'a HashMap<String, Value<B>>,
    /// Where constants go.
    pub device: &'a B::Device,
    /// The file's name of the node.
    pub node: &'a str,
    /// The node's operands.
    pub inputs: &'a [Argument],
    /// Name of the op, for errors.
    pub op: &'static str,
}

impl<B: Backend> Context<'_, B> {
    /// "this op with {what} is not supported".
    pub(crate) fn unsupported(&self, what: impl Into<String>) -> Error {
        Error::Unsupported {
            node: self.node.into(),
            op: self.op,
            what: what.into(),
        }
    }

    /// Whether operand number `index` is given.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.inputs
            .get(index)
            .is_some_and(|input| !input.is_optional())
    }

    fn value(&self, index: usize) -> Result<Value<B>> {
        let Some(input) = self.inputs.get(index).filter(|_| self.has(index)) else {
            return Err(self.unsupported(format!("its input number {index} missing")));
        };
        if let Some(value) = self.values.get(&input.name) {
            return Ok(value.clone());
        }
        match input.value() {
            Some(data) => Ok(constant::<B>(data, self.device)),
            None => Err(self.unsupported(format!("an input \"{}\" nobody makes", input.name))),
        }
    }

    /// The data of operand number `index` if it is a constant of the file.
    pub(crate) fn constant(&self, index: usize) -> Option<TensorData> {
        self.inputs.get(index).filter(|_| self.has(index))?.value()
    }

    /// Operand number `index`, a float tensor.
    pub(crate) fn float(&self, index: usize) -> Result<FloatTensor<B>> {
        match self.value(index)? {
            Value::Float(tensor) => Ok(tensor),
            _ => Err(self.unsupported(format!("a non-float input number {index}"))),
        }
    }

    /// Operand number `index` if it is given.
    pub(crate) fn optional_float(&self, index: usize) -> Result<Option<FloatTensor<B>>> {
        self.has(index).then(|| self.float(index)).transpose()
    }

    /// Every operand, float tensors.
    pub(crate) fn floats(&self) -> Result<Vec<FloatTensor<B>>> {
        (0..self.inputs.len()).map(|i| self.float(i)).collect()
    }

    /// Operand number `index` at rank `rank`, with leading axes of size 1 (ONNX's broadcasting).
    pub(crate) fn float_at_rank(&self, index: usize, rank: usize) -> Result<FloatTensor<B>> {
        Ok(at_rank::<B>(self.float(index)?, rank))
    }
}

/// Leading axes of size 1 up to `rank`.
pub(crate) fn at_rank<B: Backend>(x: FloatTensor<B>, rank: usize) -> FloatTensor<B> {
    let shape = x.shape();
    if shape.num_dims() >= rank {
        return x;
    }
    let mut dims = vec![1; rank - shape.num_dims()];
    dims.extend(shape.iter());
    B::float_reshape(x, Shape::from(dims))
}

/// A constant on the device. Floats become f32, the dtype of captured graphs.
fn constant<B: Backend>(data: TensorData, device: &B::Device) -> Value<B> {
    let dtype = data.dtype();
    if dtype.is_float() {
        let data = data.convert_dtype(DType::F32);
        // A scalar is a tensor of one element here.
        Value::Float(at_rank::<B>(B::float_from_data(data, device), 1))
    } else if dtype.is_bool() {
        Value::Bool(B::bool_from_data(data, device))
    } else {
        Value::Int(B::int_from_data(data, device))
    }
}

/// The row type of the op table.
pub(crate) type Outputs<B> = Result<Vec<Value<B>>>;

/// One float result.
pub(crate) fn one<B: Backend>(tensor: FloatTensor<B>) -> Outputs<B> {
    Ok(vec![Value::Float(tensor)])
}
