//! Padding: linear in every mode; a constant other than 0 is a source on the border.

use burn_backend::{
    Backend, Shape, TensorData, TensorMetadata, get_or_init_device_settings, ops::PadMode,
};

use crate::{
    linear::{Pad, Select},
    tensor::{Lineage, ScopeTensor},
};

/// Which input cell each cell of a padded axis shows.
fn shown(size: usize, (before, after): (usize, usize), mode: &PadMode) -> Vec<i64> {
    let size = size as i64;
    (-(before as i64)..size + after as i64)
        .map(|i| match mode {
            // 2 1 | 0 1 2 3 | 2 1: the border cell is not repeated.
            PadMode::Reflect if i < 0 => -i,
            PadMode::Reflect if i >= size => 2 * (size - 1) - i,
            _ => i.clamp(0, size - 1),
        })
        .collect()
}

pub(crate) fn pad<B: Backend>(
    x: ScopeTensor<B>,
    padding: &[(usize, usize)],
    mode: PadMode,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let Lineage::Probed(mut probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor {
            value: B::float_pad(x, padding, mode),
            lineage,
        };
    };
    let mut shape = x.shape();
    let device = x.device();
    if let PadMode::Constant(c) = mode {
        let input = shape.clone();
        let y = B::float_pad(x, padding, mode);
        shape = y.shape();
        probe = probe.map(Pad::new(&input, padding), &shape);
        if c != 0.0 {
            let zeros = B::float_zeros(input, &device, y.dtype().into());
            probe = probe.source(B::float_pad(zeros, padding, mode), &shape);
        }
        return ScopeTensor::probed(y, probe);
    }
    let int_dtype = get_or_init_device_settings::<B>(&device).int_dtype;
    for (axis, &amount) in padding.iter().enumerate() {
        if amount == (0, 0) {
            continue;
        }
        let cells = shown(shape[axis], amount, &mode);
        let count = cells.len();
        let indices = B::int_from_data(TensorData::new(cells, [count]), &device);
        let map = Select::new(&shape, axis, B::int_cast(indices, int_dtype));
        let mut padded: Vec<usize> = shape.to_vec();
        padded[axis] = count;
        shape = Shape::from(padded);
        probe = probe.map(map, &shape);
    }
    ScopeTensor::probed(B::float_pad(x, padding, mode), probe)
}
