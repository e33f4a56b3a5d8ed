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
    coefficient::Coefficient,
    host,
    linear::Pick,
    run::{
        ScopeTensor, Tracked,
        kinks::{Decides, Read},
        open::{Opened, Operand},
    },
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
) -> (ScopeTensor<B>, Tracked<B, T>) {
    let mut op = Opened::default();
    let x = op.float(x);
    let (y, rest) = value(x.value().clone());
    let rest = op.tracked(rest);
    let x = match x {
        Operand::Fixed(_) => return (op.fixed(y), rest),
        Operand::Traced(x) => x,
    };
    let (input, shape) = (x.value.shape(), y.shape());
    let device = x.value.device();
    let read = Read::traced(&x.value, &x.tracer);
    let decides = Decides::Order(read, dim, shape[dim], descending);
    let decided = x.tracer.freeze("order", Some(decides));
    let tracer = match host::<B>(B::float_detach(x.value)) {
        Ok(values) => {
            let order = order(&values, &input, dim, shape[dim], descending);
            let order = positions::from_host::<B>(order, &device);
            let order = Coefficient::decided(order, &decided);
            x.tracer.map(Pick::new(&input, &shape, order), &shape)
        }
        Err(error) => x.tracer.refuse(error),
    };
    (op.traced(y, tracer), rest)
}
