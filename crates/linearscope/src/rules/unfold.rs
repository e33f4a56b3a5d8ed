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
    linear::{Pad, Permute, Reshape, Select},
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

/// Windows of `size` along `dim`, `step` apart: `[.., n, ..] → [.., windows, .., size]`.
pub(crate) fn unfold<B: Backend>(
    x: ScopeTensor<B>,
    dim: usize,
    size: usize,
    step: usize,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let (input, device) = (x.shape(), x.device());
    let value = B::float_unfold(x, dim, size, step);
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor { value, lineage };
    };
    let output = value.shape();
    let windows = output[dim];
    let indices = (0..windows * size)
        .map(|i| (i / size * step + i % size) as i64)
        .collect();
    let mut side_by_side = input.clone();
    side_by_side[dim] = windows * size;
    let mut apart = input.to_vec();
    apart.splice(dim..=dim, [windows, size]);
    let apart = Shape::from(apart);
    let mut axes: Vec<usize> = (0..apart.num_dims()).collect();
    axes.remove(dim + 1);
    axes.push(dim + 1);
    let probe = probe
        .map(
            Select::new(&input, dim, positions::from_host::<B>(indices, &device)),
            &side_by_side,
        )
        .map(Reshape::new(&side_by_side, &apart), &apart)
        .map(Permute::new(&axes), &output);
    ScopeTensor::probed(value, probe)
}

/// Every kernel cell at every block along one axis: `[.., size, ..] → [.., kernel·blocks, ..]`.
fn cells<B: Backend>(
    probe: Probe<B>,
    shape: &mut Shape,
    dim: usize,
    [kernel, blocks, stride, dilation]: [usize; 4],
    device: &B::Device,
) -> Probe<B> {
    let indices = (0..kernel * blocks)
        .map(|i| (i % blocks * stride + i / blocks * dilation) as i64)
        .collect();
    let map = Select::new(shape, dim, positions::from_host::<B>(indices, device));
    shape[dim] = kernel * blocks;
    probe.map(map, shape)
}

/// Blocks of a picture as columns: `[n, c, h, w] → [n, c·kh·kw, blocks]`, padded with zeros.
pub(crate) fn unfold4d<B: Backend>(
    x: ScopeTensor<B>,
    kernel: [usize; 2],
    options: UnfoldOptions,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let (input, device) = (x.shape(), x.device());
    let value = B::unfold4d(x, kernel, options.clone());
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor { value, lineage };
    };
    let output = value.shape();
    let [ph, pw] = options.padding;
    let padding = [(0, 0), (0, 0), (ph, ph), (pw, pw)];
    let mut shape = input.clone();
    (shape[2], shape[3]) = (shape[2] + 2 * ph, shape[3] + 2 * pw);
    let mut probe = probe.map(Pad::new(&input, &padding, &PadMode::Constant(0.0)), &shape);
    let mut blocks = [0; 2];
    for axis in 0..2 {
        let (stride, dilation) = (options.stride[axis], options.dilation[axis]);
        blocks[axis] = (shape[2 + axis] - dilation * (kernel[axis] - 1) - 1) / stride + 1;
        let along = [kernel[axis], blocks[axis], stride, dilation];
        probe = cells(probe, &mut shape, 2 + axis, along, &device);
    }
    let (n, c) = (input[0], input[1]);
    let apart = Shape::from(vec![n, c, kernel[0], blocks[0], kernel[1], blocks[1]]);
    let columns = Shape::from(vec![n, c, kernel[0], kernel[1], blocks[0], blocks[1]]);
    let probe = probe
        .map(Reshape::new(&shape, &apart), &apart)
        .map(Permute::new(&[0, 1, 2, 4, 3, 5]), &columns)
        .map(Reshape::new(&columns, &output), &output);
    ScopeTensor::probed(value, probe)
}
