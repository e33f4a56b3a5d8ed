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

use super::{
    arithmetic::unprobed,
    positions,
    selection::{chosen, note_origin},
};
use crate::{
    ScopeTensor, Tracked,
    error::Error,
    linear::{MaskOut, Pick, Reshape, Select, Transpose},
    scope::Probe,
    tensor::Lineage,
};

type Indices<B> = Tracked<B, <B as burn_backend::BackendTypes>::IntTensorPrimitive>;

/// out[.., j, ..] = x[.., indices[.., j, ..], ..] along one axis.
pub(crate) fn gather<B: Backend>(
    dim: usize,
    x: ScopeTensor<B>,
    indices: Indices<B>,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let input = x.shape();
    let value = B::float_gather(dim, x, indices.value.clone());
    let shape = value.shape();
    let lineage = match lineage {
        Lineage::Probed(probe) => {
            note_origin(&indices.origin, "indices");
            let at = positions::along::<B>(indices.value, &input, dim);
            Lineage::Probed(probe.map(Pick::new(&input, &shape, at), &shape))
        }
        lineage => chosen(lineage, indices.origin),
    };
    ScopeTensor { value, lineage }
}

/// The probe of rows `at` of x, seen as `[rows, rest]`.
fn rows_of<B: Backend>(
    probe: Probe<B>,
    input: &Shape,
    rows: usize,
    at: IntTensor<B>,
    output: &Shape,
) -> Probe<B> {
    let table = Shape::from(vec![rows, input.num_elements() / rows]);
    let read = Shape::from(vec![at.shape()[0], table[1]]);
    probe
        .map(Reshape::new(input, &table), &table)
        .map(Select::new(&table, 0, at), &read)
        .map(Reshape::new(&read, output), output)
}

/// out[.., ..rest] = x[indices[.., 0], …, indices[.., t − 1], ..rest].
pub(crate) fn gather_nd<B: Backend>(x: ScopeTensor<B>, indices: Indices<B>) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let input = x.shape();
    let value = B::float_gather_nd(x, indices.value.clone());
    let lineage = match lineage {
        Lineage::Probed(probe) => {
            note_origin(&indices.origin, "indices");
            let tuples = indices.value.shape();
            let rows = input[..tuples[tuples.num_dims() - 1]].iter().product();
            let at = positions::rows::<B>(indices.value, &input);
            Lineage::Probed(rows_of(probe, &input, rows, at, &value.shape()))
        }
        lineage => chosen(lineage, indices.origin),
    };
    ScopeTensor { value, lineage }
}

/// Rows of a table `[v, d]` by `[n, length]` indices: `[n, length, d]`.
pub(crate) fn embedding<B: Backend>(
    weights: ScopeTensor<B>,
    indices: Indices<B>,
) -> ScopeTensor<B> {
    let (weights, lineage) = weights.open();
    let input = weights.shape();
    let value = B::embedding(weights, indices.value.clone());
    let lineage = match lineage {
        Lineage::Probed(probe) => {
            note_origin(&indices.origin, "indices");
            let count = indices.value.shape().num_elements();
            let at = B::int_reshape(indices.value, Shape::from(vec![count]));
            Lineage::Probed(rows_of(probe, &input, input[0], at, &value.shape()))
        }
        lineage => chosen(lineage, indices.origin),
    };
    ScopeTensor { value, lineage }
}

/// The gradient of a table from that of its rows `[n, length, d]`: rows read twice add up.
pub(crate) fn table_of<B: Backend>(
    gradient: Shape,
    indices: IntTensor<B>,
) -> impl FnOnce(Probe<B>, &Shape) -> Probe<B> {
    move |probe, table| {
        let count = indices.shape().num_elements();
        let read = Shape::from(vec![count, table[1]]);
        let at = B::int_reshape(indices, Shape::from(vec![count]));
        probe
            .map(Reshape::new(&gradient, &read), &read)
            .map(Transpose(Select::new(table, 0, at)), table)
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
    by: U,
    origin: Option<std::sync::Arc<crate::scope::Scope<B>>>,
    v: ScopeTensor<B>,
    update: IndexingUpdateOp,
) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (v, v_lineage) = v.open();
    let (shape, v_shape) = (x.shape(), v.shape());
    let y = by.floats(x.clone(), v.clone(), update);
    let (px, pv) = match (x_lineage, v_lineage) {
        (Lineage::Probed(px), Lineage::Probed(pv)) => (Some(px), Some(pv)),
        (Lineage::Probed(px), _) => (Some(px), None),
        (_, Lineage::Probed(pv)) => (None, Some(pv)),
        (a, b) => {
            let lineage = chosen(unprobed(a, b), origin);
            return ScopeTensor { value: y, lineage };
        }
    };
    note_origin(&origin, "indices");
    let zeros =
        |like: &FloatTensor<B>| B::float_zeros(like.shape(), &like.device(), like.dtype().into());
    let (kept, written, source): (Option<Probe<B>>, Option<Probe<B>>, _) = match update {
        IndexingUpdateOp::Add => {
            let spread = |pv: Probe<B>| {
                let pick = Pick::new(&shape, &v_shape, by.positions(&shape, &v_shape));
                pv.map(Transpose(pick), &shape)
            };
            let source = match (&px, &pv) {
                (Some(_), None) => Some(by.floats(zeros(&x), v, update)),
                (None, Some(_)) => Some(x),
                _ => None,
            };
            (px, pv.map(spread), source)
        }
        IndexingUpdateOp::Assign => {
            let device = x.device();
            let settings = get_or_init_device_settings::<B>(&device);
            let nobody = B::int_full(shape.clone(), Scalar::Int(-1), &device, settings.int_dtype);
            let count = v_shape.num_elements() as i64;
            let each = B::int_arange(0..count, &device, settings.int_dtype);
            let writer = by.ints(nobody, B::int_reshape(each, v_shape.clone()), update);
            let untouched = B::int_lower_elem(writer.clone(), Scalar::Int(0), settings.bool_dtype);
            let touched = B::bool_not(untouched.clone());
            let keep = |px: Probe<B>| px.map(MaskOut::new(touched.clone()), &shape);
            let spread = |pv: Probe<B>| {
                let writer = B::int_clamp_min(writer, Scalar::Int(0));
                let writer = B::int_reshape(writer, Shape::from(vec![shape.num_elements()]));
                pv.map(Pick::new(&v_shape, &shape, writer), &shape)
                    .map(MaskOut::new(untouched), &shape)
            };
            let source = match (&px, &pv) {
                (Some(_), None) => Some(by.floats(zeros(&x), v, update)),
                (None, Some(_)) => Some(B::float_mask_fill(x, touched.clone(), Scalar::Float(0.0))),
                _ => None,
            };
            (px.map(keep), pv.map(spread), source)
        }
        other => {
            let probe = px.or(pv).expect("one operand is probed");
            let error = Error::NoRule {
                place: probe.scope().place(U::OP),
                shape: shape.to_vec(),
                because: format!(": only Add and Assign are linear, not {other:?}"),
            };
            return ScopeTensor::probed(y, probe.refuse(error));
        }
    };
    let terms: Vec<_> = [kept, written]
        .into_iter()
        .flatten()
        .map(|p| (1.0, p))
        .collect();
    let probe = match <[_; 1]>::try_from(terms) {
        Ok([(_, only)]) => only,
        Err(both) => Probe::sum(both, &shape),
    };
    let probe = match source {
        Some(source) => probe.source(source, &shape),
        None => probe,
    };
    ScopeTensor::probed(y, probe)
}
