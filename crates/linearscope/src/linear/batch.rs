//! The probe axis: how `[k, ..shape]` meets ops that know nothing of it.

use burn_backend::{
    Backend, Scalar, Shape, Slice, TensorMetadata,
    tensor::{FloatTensor, IntTensor},
};

use crate::error::{Error, Result};

/// `[k, ..shape]`.
pub(crate) fn shape_of(k: usize, shape: &Shape) -> Shape {
    let mut dims = vec![k];
    dims.extend(shape.iter());
    Shape::from(dims)
}

/// k of a batch `found`, if it is `[k, ..shape]` for the k of the `others` there are, which is at
/// least 1; `what` it is, for the error.
pub(crate) fn count(
    what: impl FnOnce() -> String,
    found: &Shape,
    shape: &Shape,
    others: Option<usize>,
) -> Result<usize> {
    let k = others.or(found.first().copied()).unwrap_or(1);
    if k == 0 {
        return Err(Error::NoProbes { what: what() });
    }
    let expected = shape_of(k, shape);
    if *found != expected {
        return Err(Error::Shape {
            what: what(),
            got: found.to_vec(),
            expected: expected.to_vec(),
            hint: "; the first axis counts the probes".into(),
        });
    }
    Ok(k)
}

/// A constant as a batch of one: `[..shape] → [1, ..shape]`, ready to broadcast over k.
pub(crate) fn of_one<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = shape_of(1, &x.shape());
    B::float_reshape(x, shape)
}

/// The same with a probe axis of one.
pub(crate) fn of_one_int<B: Backend>(x: IntTensor<B>) -> IntTensor<B> {
    let shape = shape_of(1, &x.shape());
    B::int_reshape(x, shape)
}

/// Merge the probe axis into the batch axis: `[k, n, ..] → [k·n, ..]`, also giving k.
pub(crate) fn merge<B: Backend>(x: FloatTensor<B>) -> (FloatTensor<B>, usize) {
    let shape = x.shape();
    let k = shape[0];
    let mut dims = vec![k * shape[1]];
    dims.extend(shape.iter().skip(2));
    (B::float_reshape(x, Shape::from(dims)), k)
}

/// Undo [`merge`]: `[k·n, ..] → [k, n, ..]`.
pub(crate) fn split<B: Backend>(x: FloatTensor<B>, k: usize) -> FloatTensor<B> {
    let shape = x.shape();
    let mut dims = vec![k, shape[0] / k];
    dims.extend(shape.iter().skip(1));
    B::float_reshape(x, Shape::from(dims))
}

/// `[k, ..] → [k, numel]`.
pub(crate) fn flatten<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = x.shape();
    let numel = shape.iter().skip(1).product();
    let flat = Shape::from(vec![shape[0], numel]);
    B::float_reshape(x, flat)
}

/// c · x, without a pass over memory when c is 1.
pub(crate) fn scaled<B: Backend>(x: FloatTensor<B>, c: f64) -> FloatTensor<B> {
    if c == 1.0 {
        x
    } else if c == -1.0 {
        B::float_neg(x)
    } else {
        B::float_mul_scalar(x, Scalar::Float(c))
    }
}

/// Zeros like `[k, ..shape]`, on the device and in the dtype of `like`.
pub(crate) fn zeros<B: Backend>(like: &FloatTensor<B>, k: usize, shape: &Shape) -> FloatTensor<B> {
    B::float_zeros(shape_of(k, shape), &like.device(), like.dtype().into())
}

/// Storage of `[k·n, ..]` nobody reads: Burn's backward ops ask for the input's shape only.
pub(crate) fn shape_only<B: Backend>(
    like: &FloatTensor<B>,
    k: usize,
    shape: &Shape,
) -> FloatTensor<B> {
    let mut dims = shape.to_vec();
    dims[0] *= k;
    B::float_empty(Shape::from(dims), &like.device(), like.dtype().into())
}

/// Sum `[k, ..]` down to `[k, ..target]`, where target's axes of size 1 were broadcast.
pub(crate) fn sum_to<B: Backend>(mut x: FloatTensor<B>, target: &Shape) -> FloatTensor<B> {
    for axis in 0..target.num_dims() {
        if target[axis] == 1 && x.shape()[axis + 1] != 1 {
            x = B::float_sum_dim(x, axis + 1);
        }
    }
    x
}

/// Full ranges for every axis of `[k, ..shape]`, to be narrowed by the caller.
pub(crate) fn full_ranges(k: usize, shape: &Shape) -> Vec<Slice> {
    std::iter::once(Slice::from(0..k))
        .chain(shape.iter().map(|&size| Slice::from(0..size)))
        .collect()
}

/// The number c as a tensor of the given rank with one element, ready to broadcast.
pub(crate) fn literal<B: Backend>(c: Scalar, rank: usize, like: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_full(
        Shape::from(vec![1; rank]),
        c,
        &like.device(),
        like.dtype().into(),
    )
}
