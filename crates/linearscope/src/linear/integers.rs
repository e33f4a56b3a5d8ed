//! Integers that index.

use burn_backend::{Backend, IntDType, TensorMetadata, tensor::IntTensor};

/// In this width, without an op where they have it: Burn's interpreter, by which a remote device's server computes, has
/// no cast of integers and panics at one.
pub(crate) fn cast<B: Backend>(x: IntTensor<B>, dtype: IntDType) -> IntTensor<B> {
    match x.dtype() == dtype.into() {
        true => x,
        false => B::int_cast(x, dtype),
    }
}
