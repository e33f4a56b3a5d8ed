//! Reading and writing by given indices: linear in what is read and written. Indices read from x₀
//! are decisions.
//!
//! | op | y₁ |
//! | --- | --- |
//! | gather, gather_nd, embedding | P x₁, P picks the entries that the indices name |
//! | scatter, scatter_nd, select_assign with Add | x₁ + Pᵀ v₁ |
//! | the same with Assign | x₁ where nothing is written, else v₁ at the entry that wrote last |
//!
//! Assign with repeated indices: the entry that stays is found by the backend's own int op of the
//! same name, so the two agree wherever both are deterministic (flex: the last one; on a GPU Burn
//! promises no order). Mul, Min and Max are refused. Exact at x₀. A constant operand is a source.

use burn_backend::{
    Backend, Scalar, Shape, TensorMetadata, get_or_init_device_settings,
    tensor::{FloatTensor, IndexingUpdateOp, IntTensor},
};

use super::positions;
use crate::{
    coefficient::Coefficient,
    linear::{Mask, Pick, Reshape, Select, Transpose},
    run::{
        ScopeTensor, Tracer, Tracked,
        open::{Opened, Operand},
    },
};

type Indices<B> = Tracked<B, IntTensor<B>>;

/// An op that reads entries of x by indices: its value, and what becomes of the tracer, from the shapes
/// of operand and result.
fn reading<B: Backend>(
    x: ScopeTensor<B>,
    indices: Indices<B>,
    value: impl FnOnce(FloatTensor<B>, IntTensor<B>) -> FloatTensor<B>,
    rule: impl FnOnce(Tracer<B>, Coefficient<IntTensor<B>>, &Shape, &Shape) -> Tracer<B>,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let (x, indices) = (op.float(x), op.other(indices));
    let input = x.value().shape();
    let y = value(x.value().clone(), indices.value().clone());
    match x {
        Operand::Fixed(_) => op.fixed(y),
        Operand::Traced(x) => {
            let tracer = rule(x.tracer, indices, &input, &y.shape());
            op.traced(y, tracer)
        }
    }
}

/// out[.., j, ..] = x[.., indices[.., j, ..], ..] along one axis.
pub(crate) fn gather<B: Backend>(
    dim: usize,
    x: ScopeTensor<B>,
    indices: Indices<B>,
) -> ScopeTensor<B> {
    reading(
        x,
        indices,
        |x, indices| B::float_gather(dim, x, indices),
        |tracer, indices, input, output| {
            let at = indices.map(|indices| positions::along::<B>(indices, input, dim));
            tracer.map(Pick::new(input, output, at), output)
        },
    )
}

/// The tracer of rows `at` of x, seen as `[rows, rest]`.
fn rows_of<B: Backend>(
    tracer: Tracer<B>,
    input: &Shape,
    rows: usize,
    at: Coefficient<IntTensor<B>>,
    output: &Shape,
) -> Tracer<B> {
    let table = Shape::from(vec![rows, input.num_elements() / rows]);
    let read = Shape::from(vec![at.value().shape()[0], table[1]]);
    tracer
        .map(Reshape::new(input, &table), &table)
        .map(Select::new(&table, 0, at), &read)
        .map(Reshape::new(&read, output), output)
}

/// All entries in one row.
fn flat<B: Backend>(indices: IntTensor<B>) -> IntTensor<B> {
    let count = indices.shape().num_elements();
    B::int_reshape(indices, Shape::from(vec![count]))
}

/// out[.., ..rest] = x[indices[.., 0], …, indices[.., t − 1], ..rest].
pub(crate) fn gather_nd<B: Backend>(x: ScopeTensor<B>, indices: Indices<B>) -> ScopeTensor<B> {
    reading(
        x,
        indices,
        B::float_gather_nd,
        |tracer, indices, input, output| {
            let tuples = indices.value().shape();
            let rows = input[..tuples[tuples.num_dims() - 1]].iter().product();
            let at = indices.map(|indices| positions::rows::<B>(indices, input));
            rows_of(tracer, input, rows, at, output)
        },
    )
}

/// Rows of a table `[v, d]` by `[n, length]` indices: `[n, length, d]`.
pub(crate) fn embedding<B: Backend>(
    weights: ScopeTensor<B>,
    indices: Indices<B>,
) -> ScopeTensor<B> {
    reading(
        weights,
        indices,
        B::embedding,
        |tracer, indices, input, output| {
            rows_of(tracer, input, input[0], indices.map(flat::<B>), output)
        },
    )
}

/// The gradient of a table from that of its rows `[n, length, d]`: rows read twice add up.
pub(crate) fn table_of<B: Backend>(
    gradient: Shape,
    indices: Coefficient<IntTensor<B>>,
) -> impl FnOnce(Tracer<B>, &Shape) -> Tracer<B> {
    move |tracer, table| {
        let count = indices.value().shape().num_elements();
        let read = Shape::from(vec![count, table[1]]);
        tracer.map(Reshape::new(&gradient, &read), &read).map(
            Transpose(Select::new(table, 0, indices.map(flat::<B>))),
            table,
        )
    }
}

/// What an update writes into: floats, or the positions of who wrote.
pub(crate) trait Update<B: Backend> {
    /// Burn's name of the op.
    const OP: &'static str;
    /// Its value.
    fn floats(
        &self,
        x: FloatTensor<B>,
        v: FloatTensor<B>,
        update: IndexingUpdateOp,
    ) -> FloatTensor<B>;
    /// The same op on ints.
    fn ints(&self, x: IntTensor<B>, v: IntTensor<B>, update: IndexingUpdateOp) -> IntTensor<B>;
    /// Flat positions in x of the entries of v.
    fn positions(&self, x: &Shape, v: &Shape) -> IntTensor<B>;
}

/// v entrywise at indices along an axis.
pub(crate) struct Scatter<B: Backend>(pub usize, pub IntTensor<B>);
/// Slices of v along an axis.
pub(crate) struct SelectAssign<B: Backend>(pub usize, pub IntTensor<B>);
/// Slices of v at tuples of indices.
pub(crate) struct ScatterNd<B: Backend>(pub IntTensor<B>);

impl<B: Backend> Update<B> for Scatter<B> {
    const OP: &'static str = "float_scatter";
    fn floats(
        &self,
        x: FloatTensor<B>,
        v: FloatTensor<B>,
        update: IndexingUpdateOp,
    ) -> FloatTensor<B> {
        B::float_scatter(self.0, x, self.1.clone(), v, update)
    }
    fn ints(&self, x: IntTensor<B>, v: IntTensor<B>, update: IndexingUpdateOp) -> IntTensor<B> {
        B::int_scatter(self.0, x, self.1.clone(), v, update)
    }
    fn positions(&self, x: &Shape, _: &Shape) -> IntTensor<B> {
        positions::along::<B>(self.1.clone(), x, self.0)
    }
}

impl<B: Backend> Update<B> for SelectAssign<B> {
    const OP: &'static str = "float_select_assign";
    fn floats(
        &self,
        x: FloatTensor<B>,
        v: FloatTensor<B>,
        update: IndexingUpdateOp,
    ) -> FloatTensor<B> {
        B::float_select_assign(x, self.0, self.1.clone(), v, update)
    }
    fn ints(&self, x: IntTensor<B>, v: IntTensor<B>, update: IndexingUpdateOp) -> IntTensor<B> {
        B::int_select_assign(x, self.0, self.1.clone(), v, update)
    }
    fn positions(&self, x: &Shape, v: &Shape) -> IntTensor<B> {
        let mut line = vec![1; v.num_dims()];
        line[self.0] = v[self.0];
        let indices = B::int_reshape(self.1.clone(), Shape::from(line));
        positions::along::<B>(B::int_expand(indices, v.clone()), x, self.0)
    }
}

impl<B: Backend> Update<B> for ScatterNd<B> {
    const OP: &'static str = "float_scatter_nd";
    fn floats(
        &self,
        x: FloatTensor<B>,
        v: FloatTensor<B>,
        update: IndexingUpdateOp,
    ) -> FloatTensor<B> {
        B::float_scatter_nd(x, self.0.clone(), v, update)
    }
    fn ints(&self, x: IntTensor<B>, v: IntTensor<B>, update: IndexingUpdateOp) -> IntTensor<B> {
        B::int_scatter_nd(x, self.0.clone(), v, update)
    }
    fn positions(&self, x: &Shape, v: &Shape) -> IntTensor<B> {
        let rows = positions::rows::<B>(self.0.clone(), x);
        let count = rows.shape()[0];
        let rest = v.num_elements() / count;
        let rows = B::int_reshape(rows, Shape::from(vec![count, 1]));
        let rows = B::int_expand(rows, Shape::from(vec![count, rest]));
        let table = Shape::from(vec![x.num_elements() / rest, rest]);
        positions::along::<B>(rows, &table, 0)
    }
}

/// x with v written at indices.
pub(crate) fn update<B: Backend, U: Update<B>>(
    x: ScopeTensor<B>,
    by: impl FnOnce(IntTensor<B>) -> U,
    indices: Indices<B>,
    v: ScopeTensor<B>,
    update: IndexingUpdateOp,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let (x, indices, v) = (op.float(x), op.other(indices), op.float(v));
    // Everything made of the indices says where they came from.
    let at = indices.clone().map(|_| ());
    let by = by(indices.into_value());
    let (x0, v0) = (x.value().clone(), v.value().clone());
    let (shape, v_shape) = (x0.shape(), v0.shape());
    let y = by.floats(x0.clone(), v0, update);
    if !x.is_traced() && !v.is_traced() {
        return op.fixed(y);
    }
    // What v alone writes.
    let written = |v: Coefficient<FloatTensor<B>>| {
        let zeros = B::float_zeros(shape.clone(), &y.device(), y.dtype().into());
        v.join(at.clone(), |v, ()| by.floats(zeros, v, update))
    };
    let (kept, spread): (Kept<'_, B>, Spread<'_, B>) = match update {
        IndexingUpdateOp::Add => {
            let spread = |v: Tracer<B>| {
                let positions = at.clone().map(|()| by.positions(&shape, &v_shape));
                v.map(Transpose(Pick::new(&shape, &v_shape, positions)), &shape)
            };
            (Box::new(|x| x), Box::new(spread))
        }
        IndexingUpdateOp::Assign => {
            let device = x0.device();
            let settings = get_or_init_device_settings::<B>(&device);
            let nobody = B::int_full(shape.clone(), Scalar::Int(-1), &device, settings.int_dtype);
            let count = v_shape.num_elements() as i64;
            let each = B::int_arange(0..count, &device, settings.int_dtype);
            let writer = by.ints(nobody, B::int_reshape(each, v_shape.clone()), update);
            let untouched = B::int_lower_elem(writer.clone(), Scalar::Int(0), settings.bool_dtype);
            let touched = at.clone().map(|()| B::bool_not(untouched.clone()));
            let untouched = at.clone().map(|()| untouched);
            let writer = at.clone().map(|()| {
                let writer = B::int_clamp_min(writer, Scalar::Int(0));
                B::int_reshape(writer, Shape::from(vec![shape.num_elements()]))
            });
            let (v_shape, shape) = (&v_shape, &shape);
            (
                Box::new(move |x| x.map(Mask::new(touched), shape)),
                Box::new(move |v| {
                    v.map(Pick::new(v_shape, shape, writer), shape)
                        .map(Mask::new(untouched), shape)
                }),
            )
        }
        other => {
            let because = format!(": only Add and Assign are linear, not {other:?}");
            return op.refused(y, U::OP, &because);
        }
    };
    let tracer = match (x, v) {
        (Operand::Traced(x), Operand::Traced(v)) => {
            Tracer::sum(vec![(1.0, kept(x.tracer)), (1.0, spread(v.tracer))], &shape)
        }
        (Operand::Traced(x), Operand::Fixed(v)) => kept(x.tracer).source(written(v), &shape),
        (Operand::Fixed(x), Operand::Traced(v)) => {
            // What x keeps: all of it, or what nothing is written over.
            let none = B::float_zeros(v_shape.clone(), &y.device(), y.dtype().into());
            let source = x.join(at.clone(), |x, ()| by.floats(x, none, update));
            spread(v.tracer).source(source, &shape)
        }
        (Operand::Fixed(_), Operand::Fixed(_)) => unreachable!("one operand is traced"),
    };
    op.traced(y, tracer)
}

type Kept<'a, B> = Box<dyn FnOnce(Tracer<B>) -> Tracer<B> + 'a>;
type Spread<'a, B> = Box<dyn FnOnce(Tracer<B>) -> Tracer<B> + 'a>;
