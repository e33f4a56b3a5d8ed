//! Axes in another order, written out, for pixel shuffles on the host.
//!
//! A backend that only notes the order copies at the next reshape, entry by entry where the last axis is
//! strided: undoing a pixel shuffle takes Flex five times as long as the shuffle.

use burn_backend::{
    Backend, DType, Shape, TensorData, TensorMetadata, read_sync, tensor::FloatTensor,
};
use rayon::prelude::*;

use super::on_host;

/// Axes of a tensor that a pixel shuffle splits, the probe's with it: below, a copy seldom follows.
const SPLIT: usize = 6;

/// `x` with its axes in another order, if this is the place to write it out.
pub(in crate::linear) fn permuted<B: Backend>(
    x: FloatTensor<B>,
    axes: &[usize],
) -> Result<FloatTensor<B>, FloatTensor<B>> {
    let device = x.device();
    let float = matches!(x.dtype(), DType::F32 | DType::F64);
    if axes.len() < SPLIT || !float || !on_host::<B>(&device) {
        return Err(x);
    }
    let (shape, dtype) = (x.shape(), x.dtype());
    let made = Shape::from(axes.iter().map(|&axis| shape[axis]).collect::<Vec<_>>());
    let data = read_sync(B::float_into_data(x)).expect("the host's memory can be read");
    let kind = "numbers of the tensor's kind";
    let data = match dtype {
        DType::F64 => TensorData::new(
            copied::<f64>(data.as_slice().expect(kind), &shape, axes),
            made,
        ),
        _ => TensorData::new(
            copied::<f32>(data.as_slice().expect(kind), &shape, axes),
            made,
        ),
    };
    Ok(B::float_from_data(data, &device))
}

fn copied<T: Copy + Default + Send + Sync>(x: &[T], shape: &Shape, axes: &[usize]) -> Vec<T> {
    let rank = axes.len();
    let mut strides = vec![1; rank];
    for axis in (1..rank).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let sizes: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
    let strides: Vec<usize> = axes.iter().map(|&axis| strides[axis]).collect();
    let mut made = vec![T::default(); x.len()];
    // The last two axes go by in one piece.
    let ([outer @ .., rows, columns], [outer_strides @ .., down, right]) =
        (&sizes[..], &strides[..])
    else {
        unreachable!("a pixel shuffle splits axes");
    };
    let piece = (rows * columns).max(1);
    made.par_chunks_mut(piece)
        .with_min_len(4096usize.div_ceil(piece))
        .enumerate()
        .for_each(|(mut number, made)| {
            let mut from = 0;
            for (size, stride) in outer.iter().zip(outer_strides).rev() {
                from += number % size * stride;
                number /= size;
            }
            for (row, made) in made.chunks_mut((*columns).max(1)).enumerate() {
                let x = &x[from + row * down..];
                for (made, &x) in made.iter_mut().zip(x.iter().step_by(*right)) {
                    *made = x;
                }
            }
        });
    made
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::FloatTensorOps;
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    #[test]
    fn orders_are_the_backends() {
        let shape = [2, 3, 4, 2, 5, 3];
        let numbers: Vec<f32> = (0..720).map(|i| i as f32).collect();
        let x = Flex::float_from_data(TensorData::new(numbers, shape), &FlexDevice);
        for axes in [
            [0, 1, 2, 3, 4, 5],
            [0, 3, 5, 1, 4, 2],
            [5, 4, 3, 2, 1, 0],
            [0, 1, 4, 2, 5, 3],
        ] {
            let made = permuted::<Flex>(x.clone(), &axes).expect("the host's");
            let expected = Flex::float_permute(x.clone(), &axes);
            assert_eq!(made.shape(), expected.shape());
            let read = |x| crate::host::<Flex>(x).expect("reads");
            assert_eq!(read(made), read(expected));
        }
        let few = Flex::float_reshape(x, Shape::from(vec![2, 3, 120]));
        assert!(permuted::<Flex>(few, &[2, 1, 0]).is_err());
    }
}
