//! Ops that choose, join or overwrite entries by frozen indices, ranges and masks: linear in what
//! they move; what they write from constants is a source. Entrywise indices: `indexing.rs`.

use burn_backend::{Backend, Scalar, Shape, Slice as Range, TensorMetadata, tensor::FloatTensor};

use super::arithmetic::unprobed;
use crate::{
    ScopeTensor, Tracked,
    linear::{Embed, MaskOut, Select, Slice},
    scope::Probe,
    tensor::Lineage,
};

/// The lineage of an unprobed tensor chosen by indices or a mask that may be decisions.
pub(super) fn chosen<B: Backend>(
    lineage: Lineage<B>,
    origin: Option<std::sync::Arc<crate::scope::Scope<B>>>,
) -> Lineage<B> {
    match (lineage, origin) {
        (Lineage::Constant, Some(scope)) => Lineage::Decision(scope),
        (lineage, _) => lineage.frozen(),
    }
}

/// Note that indices or a mask were read from x₀.
pub(super) fn note_origin<B: Backend>(
    origin: &Option<std::sync::Arc<crate::scope::Scope<B>>>,
    rule: &'static str,
) {
    if let Some(scope) = origin {
        scope.note_rule(rule);
    }
}

/// x[.., indices, ..] along one axis.
pub(crate) fn select<B: Backend>(
    x: ScopeTensor<B>,
    dim: usize,
    indices: Tracked<B, B::IntTensorPrimitive>,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let input = x.shape();
    let value = B::float_select(x, dim, indices.value.clone());
    let lineage = match lineage {
        Lineage::Probed(probe) => {
            note_origin(&indices.origin, "indices");
            let map = Select::new(&input, dim, indices.value);
            Lineage::Probed(probe.map(map, &value.shape()))
        }
        lineage => chosen(lineage, indices.origin),
    };
    ScopeTensor { value, lineage }
}

/// x with a sub-range replaced by v: x with a hole plus v embedded.
pub(crate) fn slice_assign<B: Backend>(
    x: ScopeTensor<B>,
    ranges: &[Range],
    v: ScopeTensor<B>,
) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (v, v_lineage) = v.open();
    let shape = x.shape();
    let v_shape = v.shape();
    if !matches!(
        (&x_lineage, &v_lineage),
        (Lineage::Probed(_), _) | (_, Lineage::Probed(_))
    ) {
        return ScopeTensor {
            value: B::float_slice_assign(x, ranges, v),
            lineage: unprobed(x_lineage, v_lineage),
        };
    }
    let zeros = || B::float_zeros(shape.clone(), &x.device(), x.dtype().into());
    // What x contributes as a constant, and v as one.
    let hole = |x: FloatTensor<B>| {
        let none = B::float_zeros(v_shape.clone(), &v.device(), v.dtype().into());
        B::float_slice_assign(x, ranges, none)
    };
    let probe = match (x_lineage, v_lineage) {
        (Lineage::Probed(px), v_lineage) => {
            let patch = px
                .clone()
                .map(Slice::new(&shape, ranges), &v_shape)
                .map(Embed::new(&shape, ranges), &shape);
            let mut terms = vec![(1.0, px), (-1.0, patch)];
            if let Lineage::Probed(pv) = v_lineage {
                terms.push((1.0, pv.map(Embed::new(&shape, ranges), &shape)));
                Probe::sum(terms, &shape)
            } else {
                let source = B::float_slice_assign(zeros(), ranges, v.clone());
                Probe::sum(terms, &shape).source(source, &shape)
            }
        }
        (_, Lineage::Probed(pv)) => pv
            .map(Embed::new(&shape, ranges), &shape)
            .source(hole(x.clone()), &shape),
        _ => unreachable!("one operand is probed"),
    };
    ScopeTensor::probed(B::float_slice_assign(x, ranges, v), probe)
}

/// v where the mask is true, x elsewhere.
pub(crate) fn mask_where<B: Backend>(
    x: ScopeTensor<B>,
    mask: Tracked<B, B::BoolTensorPrimitive>,
    v: ScopeTensor<B>,
) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (v, v_lineage) = v.open();
    let (x_shape, v_shape) = (x.shape(), v.shape());
    let y = B::float_mask_where(x.clone(), mask.value.clone(), v.clone());
    let shape = y.shape();
    let full = |mask: B::BoolTensorPrimitive| B::bool_expand(mask, shape.clone());
    let kept = |x: FloatTensor<B>, out: B::BoolTensorPrimitive| {
        B::float_mask_fill(B::float_expand(x, shape.clone()), out, Scalar::Float(0.0))
    };
    let part = |p: Probe<B>, from: &Shape, out: B::BoolTensorPrimitive| {
        super::arithmetic::broadcast(p, from, &shape).map(MaskOut::new(out), &shape)
    };
    if matches!(&x_lineage, Lineage::Probed(_)) || matches!(&v_lineage, Lineage::Probed(_)) {
        note_origin(&mask.origin, "mask");
    }
    let taken = full(mask.value);
    let left = B::bool_not(taken.clone());
    let lineage = match (x_lineage, v_lineage) {
        (Lineage::Probed(px), Lineage::Probed(pv)) => Lineage::Probed(Probe::sum(
            vec![
                (1.0, part(px, &x_shape, taken)),
                (1.0, part(pv, &v_shape, left)),
            ],
            &shape,
        )),
        (Lineage::Probed(px), _) => {
            Lineage::Probed(part(px, &x_shape, taken).source(kept(v, left), &shape))
        }
        (_, Lineage::Probed(pv)) => {
            Lineage::Probed(part(pv, &v_shape, left).source(kept(x, taken), &shape))
        }
        (a, b) => chosen(unprobed(a, b), mask.origin),
    };
    ScopeTensor { value: y, lineage }
}

/// A number where the mask is true, x elsewhere.
pub(crate) fn mask_fill<B: Backend>(
    x: ScopeTensor<B>,
    mask: Tracked<B, B::BoolTensorPrimitive>,
    c: Scalar,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let y = B::float_mask_fill(x, mask.value.clone(), c);
    let shape = y.shape();
    let lineage = match lineage {
        Lineage::Probed(probe) => {
            note_origin(&mask.origin, "mask");
            let taken = B::bool_expand(mask.value, shape.clone());
            let mut probe = probe.map(MaskOut::new(taken.clone()), &shape);
            if c.elem::<f64>() != 0.0 {
                let fill = B::float_zeros(shape.clone(), &y.device(), y.dtype().into());
                probe = probe.source(B::float_mask_fill(fill, taken, c), &shape);
            }
            Lineage::Probed(probe)
        }
        lineage => chosen(lineage, mask.origin),
    };
    ScopeTensor { value: y, lineage }
}

/// Tensors joined along one axis; constant parts are sources.
pub(crate) fn cat<B: Backend>(parts: Vec<ScopeTensor<B>>, dim: usize) -> ScopeTensor<B> {
    let (values, lineages): (Vec<_>, Vec<_>) = parts.into_iter().map(ScopeTensor::open).unzip();
    let shapes: Vec<Shape> = values.iter().map(|v| v.shape()).collect();
    let lent = lineages
        .iter()
        .zip(&shapes)
        .find_map(|(lineage, shape)| match lineage {
            Lineage::Probed(probe) => Some((probe.clone(), shape.clone())),
            _ => None,
        });
    let Some((lent, lent_shape)) = lent else {
        let lineage = lineages
            .into_iter()
            .reduce(unprobed)
            .unwrap_or(Lineage::Constant);
        return ScopeTensor {
            value: B::float_cat(values, dim),
            lineage,
        };
    };
    let probes = lineages
        .into_iter()
        .zip(values.iter().zip(&shapes))
        .map(|(lineage, (value, shape))| match lineage {
            Lineage::Probed(probe) => probe,
            _ => Probe::constant_beside(&lent, value.clone(), &lent_shape, shape),
        })
        .collect();
    let extents = shapes.iter().map(|shape| shape[dim]).collect();
    let value = B::float_cat(values, dim);
    let probe = Probe::concat(probes, dim, extents, &value.shape());
    ScopeTensor::probed(value, probe)
}
