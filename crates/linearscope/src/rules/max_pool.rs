//! Max pooling: y₁ picks from x₁ the cells that won at x₀ (ties: the index Burn reports).

use burn_backend::{
    Backend, IntDType, Shape, TensorMetadata, get_or_init_device_settings,
    tensor::{FloatTensor, IntTensor},
};

use super::kink::{self, Windows};
use crate::{
    linear::{Pick, Winners},
    tensor::{Lineage, ScopeTensor},
};

/// `[n, c, ..out]` winners, each an index into its own plane of `[n, c, ..in]`, become flat
/// indices into the whole tensor.
fn flat_indices<B: Backend>(
    indices: IntTensor<B>,
    input: &Shape,
    output: &Shape,
    dtype: IntDType,
) -> IntTensor<B> {
    let planes = input[0] * input[1];
    let plane: usize = input.iter().skip(2).product();
    let cells: usize = output.iter().skip(2).product();
    let device = indices.device();
    let starts = B::int_arange_step(0..(planes * plane) as i64, plane, &device, dtype);
    let starts = B::int_expand(
        B::int_reshape(starts, Shape::from(vec![planes, 1])),
        Shape::from(vec![planes, cells]),
    );
    let indices = B::int_cast(indices, dtype);
    let indices = B::int_reshape(indices, Shape::from(vec![planes, cells]));
    B::int_reshape(
        B::int_add(indices, starts),
        Shape::from(vec![planes * cells]),
    )
}

/// The pooled value by `value`, the winners by `winners` (Burn's `…_with_indices`).
pub(crate) fn max_pool<B: Backend>(
    x: ScopeTensor<B>,
    windows: &Windows,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    winners: impl FnOnce(FloatTensor<B>, IntDType) -> IntTensor<B>,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor {
            value: value(x),
            lineage,
        };
    };
    let input = x.shape();
    let dtype = get_or_init_device_settings::<B>(&x.device()).int_dtype;
    let indices = winners(x.clone(), dtype);
    kink::watch_pool(&probe, &x, windows, || indices.clone());
    let y = value(x);
    let output = y.shape();
    let probe = if probe.scope().records() && !B::ad_enabled(&y.device()) {
        match Winners::new(&input, &output, indices) {
            Ok(winners) => probe.decided("winners", winners, &output),
            Err(error) => probe.refuse(error),
        }
    } else {
        // A paired run, and one that trains, reads nothing back from the device.
        let flat = flat_indices::<B>(indices, &input, &output, dtype);
        probe.decided("winners", Pick::new(&input, &output, flat), &output)
    };
    ScopeTensor::probed(y, probe)
}
