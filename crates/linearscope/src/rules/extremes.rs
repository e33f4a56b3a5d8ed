//! Maxima and minima: y₁ picks from x₁ the entry that won at x₀.
//!
//! | op | y₁ |
//! | --- | --- |
//! | max, min (of everything, along an axis) | x₁ at the winner of x₀ |
//! | max_abs | s x₁ at the winner of \|x₀\|, s its sign (−1 at 0, as for abs) |
//! | cummax, cummin | x₁ at the record that x₀ holds so far |
//!
//! Ties: the first index, on every device, whatever index the backend's own `argmax` reports (flex:
//! the first; GPU kernels promise none). An entry equal to the record so far is no new record.
//! Exact at x₀. Where a NaN won, its comparison finds no winner and the last index of the line is
//! picked: y₀ is the backend's, F means nothing there. Cost: a few elementwise passes over x₀.

use burn_backend::{
    Backend, Scalar, Shape, Slice, TensorMetadata, get_or_init_device_settings,
    tensor::{FloatTensor, IntTensor},
};

use super::{positions, slope};
use crate::{
    coefficient::Coefficient,
    linear::Pick,
    run::{
        ScopeTensor,
        kinks::{Decides, Read},
        open::unary_at,
    },
};

/// The first index along `dim` where x is `best` (size 1 there); the last where it never is.
fn first<B: Backend>(x: FloatTensor<B>, best: FloatTensor<B>, dim: usize) -> IntTensor<B> {
    let shape = x.shape();
    let device = x.device();
    let bool_dtype = get_or_init_device_settings::<B>(&device).bool_dtype;
    let wins = B::float_equal(x, B::float_expand(best, shape.clone()), bool_dtype);
    let last = B::int_full(
        shape.clone(),
        Scalar::Int(shape[dim] as i64 - 1),
        &device,
        positions::dtype::<B>(&device),
    );
    let count = positions::counting::<B>(&shape, dim, &device);
    B::int_min_dim(B::int_mask_where(last, wins, count), dim)
}

/// Which end of the line wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Largest,
    Smallest,
}

impl End {
    /// What makes the winner the largest.
    pub(crate) fn sign(self) -> f64 {
        match self {
            End::Largest => 1.0,
            End::Smallest => -1.0,
        }
    }
}

/// The extreme of x along `dim`, or of all of x (`None`); `value` computes it.
pub(crate) fn extreme<B: Backend>(
    x: ScopeTensor<B>,
    dim: Option<usize>,
    end: End,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    unary_at(x, value, |x, y, tracer| {
        let input = x.shape();
        let decides = Decides::Extreme(Read::traced(&x, &tracer), dim, end.sign());
        let decided = tracer.freeze("switches", Some(decides));
        let (lines, dim) = match dim {
            Some(dim) => (input.clone(), dim),
            None => (Shape::from(vec![input.num_elements()]), 0),
        };
        let mut one = lines.clone();
        one[dim] = 1;
        let best = B::float_reshape(y.clone(), one);
        let winners = first::<B>(B::float_reshape(x, lines.clone()), best, dim);
        let winners = positions::along::<B>(winners, &lines, dim);
        let winners = Coefficient::decided(winners, &decided);
        let shape = y.shape();
        tracer.map(Pick::new(&input, &shape, winners), &shape)
    })
}

/// The extreme of |x|, by its own `value` of x.
pub(crate) fn extreme_abs<B: Backend>(
    x: ScopeTensor<B>,
    dim: Option<usize>,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    let plain = x.value.clone();
    extreme(slope::abs(x), dim, End::Largest, |_| value(plain))
}

/// The running extreme along `dim`, by `value`: each entry that changes it is a record.
pub(crate) fn running<B: Backend>(
    x: ScopeTensor<B>,
    dim: usize,
    end: End,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    unary_at(x, value, |x, y, tracer| {
        let decides = Decides::Record(Read::traced(&x, &tracer), dim, end.sign());
        let decided = tracer.freeze("switches", Some(decides));
        let shape = y.shape();
        let records = Coefficient::decided(records::<B>(y, dim), &decided);
        let records = records.map(|records| positions::along::<B>(records, &shape, dim));
        tracer.map(Pick::new(&shape, &shape, records), &shape)
    })
}

/// Where along `dim` each running extreme was reached.
fn records<B: Backend>(y: &FloatTensor<B>, dim: usize) -> IntTensor<B> {
    let shape = y.shape();
    let size = shape[dim];
    let device = y.device();
    let bool_dtype = get_or_init_device_settings::<B>(&device).bool_dtype;
    let part = |from: usize, to: usize| {
        let mut ranges: Vec<Slice> = shape.iter().map(|&size| Slice::from(0..size)).collect();
        ranges[dim] = Slice::from(from..to);
        ranges
    };
    let records = positions::counting::<B>(&shape, dim, &device);
    if size == 1 {
        return records;
    }
    let before = B::float_slice(y.clone(), &part(0, size - 1));
    let after = B::float_slice(y.clone(), &part(1, size));
    let same = B::float_equal(after, before, bool_dtype);
    let later = B::int_slice(records.clone(), &part(1, size));
    let later = B::int_mask_fill(later, same, Scalar::Int(0));
    let first = B::int_slice(records, &part(0, 1));
    B::int_cummax(B::int_cat(vec![first, later], dim), dim)
}
