//! Sums and means over several axes or everything: linear.

use burn_backend::{Backend, TensorMetadata};

use crate::{
    linear::{Scalar, Sum, SumDim},
    tensor::{Lineage, ScopeTensor},
};

/// Σ over the given axes, each kept with size 1.
pub(crate) fn sum_dims<B: Backend>(x: ScopeTensor<B>, dims: &[usize]) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let mut shape = x.shape();
    let value = B::float_sum_dims(x, dims);
    let Lineage::Probed(mut probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor { value, lineage };
    };
    for &dim in dims {
        let map = SumDim::new(&shape, dim);
        shape[dim] = 1;
        probe = probe.map(map, &shape);
    }
    ScopeTensor::probed(value, probe)
}

/// The mean of everything, `[1]`.
pub(crate) fn mean<B: Backend>(x: ScopeTensor<B>) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let shape = x.shape();
    let value = B::float_mean(x);
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor { value, lineage };
    };
    let output = value.shape();
    let count = shape.num_elements() as f64;
    let probe = probe
        .map(Sum::new(&shape), &output)
        .map(Scalar(1.0 / count), &output);
    ScopeTensor::probed(value, probe)
}
