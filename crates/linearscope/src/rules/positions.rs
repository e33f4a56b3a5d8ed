//! Flat positions: indices along one axis, or tuples of indices, as one number into the whole
//! tensor, `[numel]`. Selection by them needs no index expanded over the probes.

use burn_backend::{
    Backend, IntDType, Scalar, Shape, Slice, TensorData, TensorMetadata,
    get_or_init_device_settings, tensor::IntTensor,
};

use crate::linear::integers;

/// The device's own int dtype.
pub(crate) fn dtype<B: Backend>(device: &B::Device) -> IntDType {
    get_or_init_device_settings::<B>(device).int_dtype
}

/// Indices made on the host, `[len]`.
pub(crate) fn from_host<B: Backend>(indices: Vec<i64>, device: &B::Device) -> IntTensor<B> {
    let shape = [indices.len()];
    let data = TensorData::new(indices, shape).convert_dtype(dtype::<B>(device).into());
    B::int_from_data(data, device)
}

/// 0, 1, …, size − 1 along axis `dim` of `shape`.
pub(crate) fn counting<B: Backend>(shape: &Shape, dim: usize, device: &B::Device) -> IntTensor<B> {
    let mut line = vec![1; shape.num_dims()];
    line[dim] = shape[dim];
    let count = B::int_arange(0..shape[dim] as i64, device, dtype::<B>(device));
    B::int_expand(B::int_reshape(count, Shape::from(line)), shape.clone())
}

/// `[..outer, m, ..inner]` indices along axis `dim` of `input`: out[o, j, i] reads in[o, index, i].
pub(crate) fn along<B: Backend>(indices: IntTensor<B>, input: &Shape, dim: usize) -> IntTensor<B> {
    let outer: usize = input[..dim].iter().product();
    let inner: usize = input[dim + 1..].iter().product();
    let m = indices.shape()[dim];
    let device = indices.device();
    let dtype = dtype::<B>(&device);
    let shape = Shape::from(vec![outer, m, inner]);
    let at = B::int_reshape(integers::cast::<B>(indices, dtype), shape.clone());
    let at = B::int_mul_scalar(at, Scalar::Int(inner as i64));
    let planes = counting::<B>(&shape, 0, &device);
    let planes = B::int_mul_scalar(planes, Scalar::Int((input[dim] * inner) as i64));
    let at = B::int_add(at, B::int_add(planes, counting::<B>(&shape, 2, &device)));
    B::int_reshape(at, Shape::from(vec![outer * m * inner]))
}

/// Tuples `[.., t]` of indices into the first t axes of `input` → rows of
/// `[product of those, rest]`.
pub(crate) fn rows<B: Backend>(indices: IntTensor<B>, input: &Shape) -> IntTensor<B> {
    let shape = indices.shape();
    let t = shape[shape.num_dims() - 1];
    let count = shape.num_elements() / t;
    let dtype = dtype::<B>(&indices.device());
    let tuples = B::int_reshape(
        integers::cast::<B>(indices, dtype),
        Shape::from(vec![count, t]),
    );
    let rows = (0..t)
        .map(|axis| {
            let stride: usize = input[axis + 1..t].iter().product();
            let column = [Slice::from(0..count), Slice::from(axis..axis + 1)];
            B::int_mul_scalar(
                B::int_slice(tuples.clone(), &column),
                Scalar::Int(stride as i64),
            )
        })
        .reduce(B::int_add)
        .expect("a tuple has entries");
    B::int_reshape(rows, Shape::from(vec![count]))
}
