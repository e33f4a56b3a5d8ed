//! Sliding windows: linear, each window entry a copy of one of the input.
//!
//! Windows along one axis are a select with overlapping indices, then axes in another order; their
//! adjoint adds up the copies. `fold4d`, the adjoint of `unfold4d`, needs no row: Burn composes it
//! of a transposed convolution, and no backend overrides that.

use burn_backend::{
    Backend, Shape, TensorMetadata,
    ops::{PadMode, UnfoldOptions},
};

use super::positions;
use crate::{
    coefficient::Coefficient,
    linear::{Pad, Permute, Reshape, Select},
    run::{ScopeTensor, Tracer, open::unary_after},
};

/// Entries of one axis, by numbers that depend on shapes alone.
fn select<B: Backend>(
    tracer: Tracer<B>,
    shape: &mut Shape,
    dim: usize,
    indices: Vec<i64>,
    device: &B::Device,
) -> Tracer<B> {
    let count = indices.len();
    let indices = Coefficient::weight(positions::from_host::<B>(indices, device));
    let map = Select::new(shape, dim, indices);
    shape[dim] = count;
    tracer.map(map, shape)
}

/// Windows of `size` along `dim`, `step` apart: `[.., n, ..] → [.., windows, .., size]`.
pub(crate) fn unfold<B: Backend>(
    x: ScopeTensor<B>,
    dim: usize,
    size: usize,
    step: usize,
) -> ScopeTensor<B> {
    unary_after(
        x,
        |x| B::float_unfold(x, dim, size, step),
        |input, y, tracer| {
            let output = y.shape();
            let windows = output[dim];
            let indices = (0..windows * size)
                .map(|i| (i / size * step + i % size) as i64)
                .collect();
            let mut apart = input.to_vec();
            apart.splice(dim..=dim, [windows, size]);
            let apart = Shape::from(apart);
            let mut axes: Vec<usize> = (0..apart.num_dims()).collect();
            axes.remove(dim + 1);
            axes.push(dim + 1);
            let mut side_by_side = input.clone();
            select(tracer, &mut side_by_side, dim, indices, &y.device())
                .map(Reshape::new(&side_by_side, &apart), &apart)
                .map(Permute::new(&axes), &output)
        },
    )
}

/// Blocks of a picture as columns: `[n, c, h, w] → [n, c·kh·kw, blocks]`, padded with zeros.
pub(crate) fn unfold4d<B: Backend>(
    x: ScopeTensor<B>,
    kernel: [usize; 2],
    options: UnfoldOptions,
) -> ScopeTensor<B> {
    let value = |x| B::unfold4d(x, kernel, options.clone());
    unary_after(x, value, |input, y, tracer| {
        let output = y.shape();
        let [ph, pw] = options.padding;
        let padding = [(0, 0), (0, 0), (ph, ph), (pw, pw)];
        let mut shape = input.clone();
        (shape[2], shape[3]) = (shape[2] + 2 * ph, shape[3] + 2 * pw);
        let pad = Pad::new(input, &padding, &PadMode::Constant(0.0));
        let mut tracer = tracer.map(pad, &shape);
        let mut blocks = [0; 2];
        for axis in 0..2 {
            let (stride, dilation) = (options.stride[axis], options.dilation[axis]);
            let cells = kernel[axis];
            blocks[axis] = (shape[2 + axis] - dilation * (cells - 1) - 1) / stride + 1;
            // Every kernel cell at every block.
            let indices = (0..cells * blocks[axis])
                .map(|i| (i % blocks[axis] * stride + i / blocks[axis] * dilation) as i64)
                .collect();
            tracer = select(tracer, &mut shape, 2 + axis, indices, &y.device());
        }
        let (n, c) = (input[0], input[1]);
        let apart = Shape::from(vec![n, c, kernel[0], blocks[0], kernel[1], blocks[1]]);
        let columns = Shape::from(vec![n, c, kernel[0], kernel[1], blocks[0], blocks[1]]);
        tracer
            .map(Reshape::new(&shape, &apart), &apart)
            .map(Permute::new(&[0, 1, 2, 4, 3, 5]), &columns)
            .map(Reshape::new(&columns, &output), &output)
    })
}
