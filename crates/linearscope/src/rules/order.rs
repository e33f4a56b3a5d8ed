//! Sorting and top-k: y₁ is x₁ in the order that x₀ had along the axis.
//!
//! Ties: the lower index first, ascending and descending alike. Burn's own sorts are unstable and
//! promise no order of equal entries, so the order is found here by a stable sort on the host
//! (f64's total order, NaN last), of x₀ alone: O(n log n) a line, and x₀ is read from the device
//! once, as Burn's own sort does where a device has none. Exact at x₀. Indices handed to the user
//! are the backend's.

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use super::positions;
use crate::{
    host,
    linear::Pick,
    tensor::{Lineage, ScopeTensor},
};

/// Flat positions of the first `keep` entries of every line along `dim`, in order.
fn order(x: &[f64], shape: &Shape, dim: usize, keep: usize, descending: bool) -> Vec<i64> {
    let inner: usize = shape[dim + 1..].iter().product();
    let size = shape[dim];
    let outer = x.len() / (size * inner);
    let mut picked = vec![0; outer * keep * inner];
    for line in 0..outer * inner {
        let (o, i) = (line / inner, line % inner);
        let at = |j: usize| (o * size + j) * inner + i;
        let mut order: Vec<usize> = (0..size).map(at).collect();
        order.sort_by(|&a, &b| match descending {
            true => x[b].total_cmp(&x[a]),
            false => x[a].total_cmp(&x[b]),
        });
        for (rank, &from) in order[..keep].iter().enumerate() {
            picked[(o * keep + rank) * inner + i] = from as i64;
        }
    }
    picked
}

/// x in order along `dim`, or the first entries of it; the value, and what else the op returns, by
/// `value`.
pub(crate) fn sorted<B: Backend, T>(
    x: ScopeTensor<B>,
    dim: usize,
    descending: bool,
    value: impl FnOnce(FloatTensor<B>) -> (FloatTensor<B>, T),
) -> (ScopeTensor<B>, T) {
    let (x, lineage) = x.open();
    let (y, rest) = value(x.clone());
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return (ScopeTensor { value: y, lineage }, rest);
    };
    let (input, shape) = (x.shape(), y.shape());
    let device = x.device();
    let probe = match host::<B>(B::float_detach(x)) {
        Ok(x) => {
            let order = order(&x, &input, dim, shape[dim], descending);
            let order = positions::from_host::<B>(order, &device);
            probe.decided("order", Pick::new(&input, &shape, order), &shape)
        }
        Err(error) => probe.refuse(error),
    };
    (ScopeTensor::probed(y, probe), rest)
}
