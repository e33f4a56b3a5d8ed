//! Padding: linear in every mode; a constant other than 0 is a source on the border.

use burn_backend::{Backend, TensorMetadata, ops::PadMode};

use crate::{
    linear::Pad,
    tensor::{Lineage, ScopeTensor},
};

pub(crate) fn pad<B: Backend>(
    x: ScopeTensor<B>,
    padding: &[(usize, usize)],
    mode: PadMode,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let input = x.shape();
    let y = B::float_pad(x, padding, mode);
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor { value: y, lineage };
    };
    let shape = y.shape();
    let mut probe = probe.map(Pad::new(&input, padding, &mode), &shape);
    if let PadMode::Constant(c) = mode
        && c != 0.0
    {
        let zeros = B::float_zeros(input, &y.device(), y.dtype().into());
        probe = probe.source(B::float_pad(zeros, padding, mode), &shape);
    }
    ScopeTensor::probed(y, probe)
}
