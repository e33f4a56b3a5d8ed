//! Interpolation in every mode Burn has. All are separable: Y = A_h X A_wᵀ.
//!
//! The two small matrices are read off the backend's own kernel by interpolating unit vectors. On the
//! host both ways are sums over their entries, in order, on a window as on the whole. Elsewhere `apply` is
//! the backend's kernel, and the adjoint is A_hᵀ Y A_w by products: cubecl's backward knows nearest only.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use burn_backend::{
    Backend, Shape, Slice, TensorData, TensorMetadata, ops::InterpolateOptions, tensor::FloatTensor,
};

use super::{
    AxisPlace, Cut, Filters, LinearMap, Locality, Region, Restricted, Storage, Stored, Structure,
    Transform, Weighted, batch,
    direct::{self, Banded},
    locality::everywhere,
    unstopped,
};
use crate::{coefficient::Coefficient, host, interrupt::Interrupt};

/// `interpolate`; input `[n, c, h, w]`.
#[derive(Debug)]
pub(crate) struct Interpolate<B: Backend> {
    output_size: [usize; 2],
    options: InterpolateOptions,
    matrices: Matrices<B>,
    /// The inputs that each output row and column reads, once somebody asked.
    supports: OnceLock<[Vec<Range<usize>>; 2]>,
}

/// A_h and A_w.
#[derive(Clone, Debug)]
struct Matrices<B: Backend> {
    /// A_hᵀ as `[1, 1, h, h_out]`.
    rows: Coefficient<FloatTensor<B>>,
    /// A_w as `[1, 1, w_out, w]`.
    columns: Coefficient<FloatTensor<B>>,
    /// What replays on the host read, once they ask.
    banded: Arc<OnceLock<Option<Bands>>>,
}

/// A_h and A_w, and their transposes.
#[derive(Debug)]
struct Bands {
    forward: [Banded; 2],
    adjoint: [Banded; 2],
}

impl<B: Backend> Matrices<B> {
    fn new(rows: Coefficient<FloatTensor<B>>, columns: Coefficient<FloatTensor<B>>) -> Self {
        Self {
            rows,
            columns,
            banded: Arc::default(),
        }
    }

    /// `None` where a device does not deliver the matrices.
    fn bands(&self) -> Option<&Bands> {
        let read = |matrix: &FloatTensor<B>| {
            let shape = matrix.shape();
            let values = host::<B>(matrix.clone()).ok()?;
            let of = |transposed| Banded::new(&values, [shape[2], shape[3]], transposed);
            Some([of(false), of(true)])
        };
        let made = || {
            let [back, down] = read(self.rows.value())?;
            let [across, beside] = read(self.columns.value())?;
            Some(Bands {
                forward: [down, across],
                adjoint: [back, beside],
            })
        };
        self.banded.get_or_init(made).as_ref()
    }

    /// `None` elsewhere than on the host.
    fn on_host(
        &self,
        x: &FloatTensor<B>,
        which: impl Fn(&Bands) -> &[Banded; 2],
        interrupt: &Interrupt,
    ) -> Option<FloatTensor<B>> {
        if !direct::on_host::<B>(&x.device()) {
            return None;
        }
        let [down, across] = which(self.bands()?);
        direct::separable::<B>(x, down, across, interrupt)
    }

    fn apply(&self, x: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        if let Some(y) = self.on_host(&x, |bands| &bands.forward, interrupt) {
            return y;
        }
        let rows = B::float_swap_dims(self.rows.value().clone(), 2, 3);
        let columns = B::float_swap_dims(self.columns.value().clone(), 2, 3);
        B::float_matmul(B::float_matmul(rows, x), columns)
    }

    fn adjoint(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        if let Some(x) = self.on_host(&y, |bands| &bands.adjoint, interrupt) {
            return x;
        }
        let (rows, columns) = (self.rows.value().clone(), self.columns.value().clone());
        B::float_matmul(B::float_matmul(rows, y), columns)
    }

    fn stored(&self) -> Stored {
        Stored::of(&self.rows).and(Stored::of(&self.columns))
    }

    fn map(&self, rows: Transform, columns: Transform) -> Self {
        Self::new(
            self.rows.clone().map(|w| rows.of_sparse::<B>(w)),
            self.columns.clone().map(|w| columns.of_sparse::<B>(w)),
        )
    }

    /// A_h ⊗ A_w with something else in place of its entries: a product of two of one sign is positive.
    fn transformed(&self, transform: Transform) -> Vec<Self> {
        use Transform::{Absolute, Negative, Ones, Positive, Squared};
        let pairs: &[(Transform, Transform)] = match transform {
            Absolute => &[(Absolute, Absolute)],
            Squared => &[(Squared, Squared)],
            Ones => &[(Ones, Ones)],
            Positive => &[(Positive, Positive), (Negative, Negative)],
            Negative => &[(Positive, Negative), (Negative, Positive)],
        };
        let pairs = pairs.iter();
        pairs
            .map(|&(rows, columns)| self.map(rows, columns))
            .collect()
    }
}

/// Y = Σ A_h X A_wᵀ by the matrices alone: parts of an interpolation, or one with other weights. No two
/// terms have an entry in the same place.
#[derive(Debug)]
struct Separable<B: Backend> {
    terms: Vec<Matrices<B>>,
}

impl<B: Backend> LinearMap<B> for Separable<B> {
    fn name(&self) -> &'static str {
        "interpolate"
    }
    unstopped!();
    fn apply_until(&self, x: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        let (x, k) = batch::merge::<B>(x);
        let terms = self.terms.iter();
        let terms = terms.map(|term| term.apply(x.clone(), interrupt));
        let y = terms.reduce(B::float_add).expect("it has terms");
        batch::split::<B>(y, k)
    }
    fn adjoint_until(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        let (y, k) = batch::merge::<B>(y);
        let terms = self.terms.iter();
        let terms = terms.map(|term| term.adjoint(y.clone(), interrupt));
        let x = terms.reduce(B::float_add).expect("it has terms");
        batch::split::<B>(x, k)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Weighted(self)
    }
}

impl<B: Backend> Storage<B> for Separable<B> {
    fn stored(&self) -> Stored {
        let terms = self.terms.iter().map(Matrices::stored);
        terms.fold(Stored::default(), Stored::and)
    }
}

impl<B: Backend> Weighted<B> for Separable<B> {
    fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
        let terms = self.terms.iter();
        Arc::new(Self {
            terms: terms.flat_map(|term| term.transformed(transform)).collect(),
        })
    }
    fn filters(&self) -> Option<Filters<'_, B>> {
        None
    }
    fn adjoint_has_gradient(&self) -> bool {
        true
    }
}

impl<B: Backend> Locality<B> for Separable<B> {
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        (self.terms.len() * output.num_elements()) as u64
    }
    everywhere!();
}

/// The columns of a matrix `[rows, columns]` in which each of `lines` has entries, a line being a
/// row or a column.
fn support(values: &[f64], [rows, columns]: [usize; 2], by_column: bool) -> Vec<Range<usize>> {
    let (lines, cells) = if by_column {
        (columns, rows)
    } else {
        (rows, columns)
    };
    let at = |line: usize, cell: usize| match by_column {
        true => values[cell * columns + line],
        false => values[line * columns + cell],
    };
    (0..lines)
        .map(|line| {
            let mut used = (0..cells).filter(|&cell| at(line, cell) != 0.0);
            match used.next() {
                Some(first) => first..used.next_back().unwrap_or(first) + 1,
                None => 0..0,
            }
        })
        .collect()
}

impl<B: Backend> Interpolate<B> {
    /// `like` lends its device and dtype.
    pub(crate) fn new(
        like: &FloatTensor<B>,
        input: &Shape,
        output_size: [usize; 2],
        options: InterpolateOptions,
    ) -> Self {
        let (h, w) = (input[2], input[3]);
        let unit = |size: usize| {
            let mut eye = vec![0f32; size * size];
            eye.iter_mut().step_by(size + 1).for_each(|v| *v = 1.0);
            let eye = B::float_from_data(TensorData::new(eye, [1, size, size, 1]), &like.device());
            B::float_cast(eye, like.dtype().into())
        };
        // Channel i holds the unit vector i; its interpolation is column i of A.
        let rows = B::interpolate(unit(h), [output_size[0], 1], options.clone());
        let rows = B::float_reshape(rows, Shape::from(vec![1, 1, h, output_size[0]]));
        let columns = B::float_reshape(unit(w), Shape::from(vec![1, w, 1, w]));
        let columns = B::interpolate(columns, [1, output_size[1]], options.clone());
        let columns = B::float_reshape(columns, Shape::from(vec![1, 1, w, output_size[1]]));
        Self {
            output_size,
            options,
            matrices: Matrices::new(
                Coefficient::weight(rows),
                Coefficient::weight(B::float_swap_dims(columns, 2, 3)),
            ),
            supports: OnceLock::new(),
        }
    }

    /// Read off the matrices; where a device cannot deliver them, everything.
    fn supports(&self) -> &[Vec<Range<usize>>; 2] {
        self.supports.get_or_init(|| {
            let read = |matrix: &FloatTensor<B>, by_column: bool| {
                let shape = matrix.shape();
                let dims = [shape[2], shape[3]];
                let values = host::<B>(matrix.clone());
                let values = values.unwrap_or_else(|_| vec![1.0; dims[0] * dims[1]]);
                support(&values, dims, by_column)
            };
            let Matrices { rows, columns, .. } = &self.matrices;
            [read(rows.value(), true), read(columns.value(), false)]
        })
    }
}

impl<B: Backend> LinearMap<B> for Interpolate<B> {
    fn name(&self) -> &'static str {
        "interpolate"
    }
    unstopped!();
    fn apply_until(&self, x: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        let (x, k) = batch::merge::<B>(x);
        let y = self.matrices.on_host(&x, |bands| &bands.forward, interrupt);
        let y = y.unwrap_or_else(|| B::interpolate(x, self.output_size, self.options.clone()));
        batch::split::<B>(y, k)
    }
    fn adjoint_until(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        let (y, k) = batch::merge::<B>(y);
        batch::split::<B>(self.matrices.adjoint(y, interrupt), k)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Interpolation(self)
    }
}

impl<B: Backend> Storage<B> for Interpolate<B> {
    fn stored(&self) -> Stored {
        self.matrices.stored()
    }
}

impl<B: Backend> Weighted<B> for Interpolate<B> {
    fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
        Arc::new(Separable {
            terms: self.matrices.transformed(transform),
        })
    }
    fn filters(&self) -> Option<Filters<'_, B>> {
        None
    }
    fn adjoint_has_gradient(&self) -> bool {
        true
    }
}

impl<B: Backend> Locality<B> for Interpolate<B> {
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        output.num_elements() as u64
    }
    fn reach(&self, _input: &Shape, output: &Shape, from: &Region) -> Region {
        let along = |support: &[Range<usize>], from: &Range<usize>, size: usize| {
            let meets = |o: &usize| support[*o].start < from.end && from.start < support[*o].end;
            let mut reached = (0..size).filter(meets);
            match reached.next() {
                Some(first) => first..reached.next_back().unwrap_or(first) + 1,
                None => 0..0,
            }
        };
        let [rows, columns] = self.supports();
        let mut ranges = from.0[..2].to_vec();
        ranges.push(along(rows, &from.0[2], output[2]));
        ranges.push(along(columns, &from.0[3], output[3]));
        Region(ranges)
    }
    fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
        let along = |support: &[Range<usize>], to: &Range<usize>| {
            support[to.clone()]
                .iter()
                .fold(0..0, |all: Range<usize>, one| match all.is_empty() {
                    true => one.clone(),
                    false => all.start.min(one.start)..all.end.max(one.end),
                })
        };
        let [rows, columns] = self.supports();
        let mut ranges = to.0[..2].to_vec();
        ranges.push(along(rows, &to.0[2]));
        ranges.push(along(columns, &to.0[3]));
        Region(ranges)
    }
    fn places(&self, input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        let mut places = AxisPlace::entrywise(2);
        for (axis, windows) in self.supports().iter().enumerate() {
            let read: Vec<[usize; 2]> = windows
                .iter()
                .map(|window| (!window.is_empty()).then(|| [window.start, window.end - 1]))
                .collect::<Option<_>>()?;
            places.push(match read.len() {
                1 => AxisPlace::Any,
                _ => AxisPlace::of_windows(axis + 2, &read, input[axis + 2]),
            });
        }
        Some(places)
    }
    /// The two matrices, cut.
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let to = self
            .reach(cut.input, cut.output, cut.from)
            .intersection(cut.to);
        let from = self.field(cut.input, cut.output, &to);
        if from.is_empty() {
            return None;
        }
        type Of<B> = Coefficient<FloatTensor<B>>;
        let part = |matrix: &Of<B>, first: &Range<usize>, second: &Range<usize>| {
            let all = [&(0..1), &(0..1), first, second];
            let ranges: Vec<Slice> = all.map(|range| Slice::from(range.clone())).to_vec();
            let matrix = matrix.clone();
            matrix.map(|matrix| B::float_slice(matrix, &ranges))
        };
        let part = Matrices::new(
            part(&self.matrices.rows, &from.0[2], &to.0[2]),
            part(&self.matrices.columns, &to.0[3], &from.0[3]),
        );
        Some(Restricted {
            map: Arc::new(Separable { terms: vec![part] }),
            from,
            to,
        })
    }
}
