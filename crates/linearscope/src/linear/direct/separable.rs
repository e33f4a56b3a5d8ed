//! Y = R X Cᵀ on the host, for matrices of few entries a row: interpolations.
//!
//! Products of whole matrices would touch every row for every other, and sum in an order of the library's.

use burn_backend::{Backend, DType, Shape, TensorData, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{lanes::Lanes, on_host};
use crate::{
    host::{self, in_own_precision},
    interrupt::Interrupt,
};

/// A matrix by what lies between the first and the last entry of each row.
#[derive(Clone, Debug)]
pub(in crate::linear) struct Banded {
    /// The first column of each row's entries, and the entries.
    rows: Vec<(usize, Vec<f64>)>,
}

impl Banded {
    /// Of `[rows, columns]` numbers, or of their transpose.
    pub(in crate::linear) fn new(
        values: &[f64],
        [rows, columns]: [usize; 2],
        transposed: bool,
    ) -> Self {
        let (lines, cells) = match transposed {
            true => (columns, rows),
            false => (rows, columns),
        };
        let at = |line: usize, cell: usize| match transposed {
            true => values[cell * columns + line],
            false => values[line * columns + cell],
        };
        let row = |line: usize| {
            let mut used = (0..cells).filter(|&cell| at(line, cell) != 0.0);
            let Some(first) = used.next() else {
                return (0, Vec::new());
            };
            let last = used.next_back().unwrap_or(first);
            (first, (first..=last).map(|cell| at(line, cell)).collect())
        };
        Self {
            rows: (0..lines).map(row).collect(),
        }
    }
}

/// `[n, c, h, w]` to `[n, c, h′, w′]`: down by a matrix `[h′, h]`, across by one of `[w′, w]`. Each entry is
/// summed in order, across first. `None` where x is not on the host. Numbers that mean nothing once
/// `interrupt` is stopped.
pub(in crate::linear) fn separable<B: Backend>(
    x: &FloatTensor<B>,
    down: &Banded,
    across: &Banded,
    interrupt: &Interrupt,
) -> Option<FloatTensor<B>> {
    let device = x.device();
    if !on_host::<B>(&device) || !matches!(x.dtype(), DType::F32 | DType::F64) {
        return None;
    }
    let shape = x.shape();
    let made = [down.rows.len(), across.rows.len()];
    let dims = Shape::from(vec![shape[0], shape[1], made[0], made[1]]);
    let size = [shape[2], shape[3]];
    let x = host::look::<B>(x).ok()?;
    let data = in_own_precision!(x, |x| TensorData::new(
        planes(x, size, down, across, interrupt),
        dims
    ));
    Some(B::float_from_data(data, &device))
}

fn planes<T: Lanes>(
    x: &[T],
    [h, w]: [usize; 2],
    down: &Banded,
    across: &Banded,
    interrupt: &Interrupt,
) -> Vec<T> {
    let numbers = |matrix: &Banded| -> Vec<(usize, Vec<T>)> {
        let rows = matrix.rows.iter();
        rows.map(|(first, row)| (*first, row.iter().map(|&w| T::from_elem(w)).collect()))
            .collect()
    };
    let (down, across) = (numbers(down), numbers(across));
    let (to_h, to_w) = (down.len(), across.len());
    let (plane, to_plane) = ((h * w).max(1), (to_h * to_w).max(1));
    let mut y = vec![T::default(); x.len() / plane * to_h * to_w];
    y.par_chunks_mut(to_plane)
        .zip(x.par_chunks(plane))
        .with_min_len(1 + 4096 / to_plane)
        .for_each_init(Vec::new, |between, (y, x)| {
            if interrupt.is_stopped() {
                return;
            }
            between.clear();
            for x in x.chunks(w.max(1)) {
                between.extend(across.iter().map(|(first, weights)| {
                    let terms = weights.iter().zip(&x[*first..]);
                    terms.fold(T::default(), |sum, (&w, &x)| sum + w * x)
                }));
            }
            for ((first, weights), y) in down.iter().zip(y.chunks_mut(to_w.max(1))) {
                for (&weight, x) in weights.iter().zip(between.chunks(to_w).skip(*first)) {
                    for (y, &x) in y.iter_mut().zip(x) {
                        *y = *y + weight * x;
                    }
                }
            }
        });
    y
}
