//! Ops that choose, join or overwrite entries by frozen indices, ranges and masks: linear in what
//! they move; what they write from constants is a source. Entrywise indices: `indexing.rs`.

use burn_backend::{
    Backend, Scalar, Shape, Slice as Range, TensorMetadata,
    tensor::{BoolTensor, FloatTensor, IntTensor},
};

use crate::{
    coefficient::Coefficient,
    linear::{Embed, Mask, Select, Slice},
    run::{
        ScopeTensor, Tracer, Tracked,
        open::{Opened, Operand, Traced},
    },
};

/// x[.., indices, ..] along one axis.
pub(crate) fn select<B: Backend>(
    x: ScopeTensor<B>,
    dim: usize,
    indices: Tracked<B, IntTensor<B>>,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let (x, indices) = (op.float(x), op.other(indices));
    let y = B::float_select(x.value().clone(), dim, indices.value().clone());
    match x {
        Operand::Fixed(_) => op.fixed(y),
        Operand::Traced(x) => {
            let map = Select::new(&x.value.shape(), dim, indices);
            let tracer = x.tracer.map(map, &y.shape());
            op.traced(y, tracer)
        }
    }
}

/// x with a sub-range replaced by v: x with a hole plus v embedded.
pub(crate) fn slice_assign<B: Backend>(
    x: ScopeTensor<B>,
    ranges: &[Range],
    v: ScopeTensor<B>,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let (x, v) = (op.float(x), op.float(v));
    let y = B::float_slice_assign(x.value().clone(), ranges, v.value().clone());
    let (shape, v_shape) = (y.shape(), v.value().shape());
    let zeros = |shape: &Shape| B::float_zeros(shape.clone(), &y.device(), y.dtype().into());
    let holed = |tracer: Tracer<B>| {
        let patch = tracer
            .clone()
            .map(Slice::new(&shape, ranges), &v_shape)
            .map(Embed::new(&shape, ranges), &shape);
        [(1.0, tracer), (-1.0, patch)]
    };
    let embedded = |tracer: Tracer<B>| tracer.map(Embed::new(&shape, ranges), &shape);
    let tracer = match (x, v) {
        (Operand::Fixed(_), Operand::Fixed(_)) => return op.fixed(y),
        (Operand::Traced(x), Operand::Fixed(v)) => {
            let source = v.map(|v| B::float_slice_assign(zeros(&shape), ranges, v));
            Tracer::sum(holed(x.tracer).into(), &shape).source(source, &shape)
        }
        (Operand::Fixed(x), Operand::Traced(v)) => {
            let source = x.map(|x| B::float_slice_assign(x, ranges, zeros(&v_shape)));
            embedded(v.tracer).source(source, &shape)
        }
        (Operand::Traced(x), Operand::Traced(v)) => {
            let [x, patch] = holed(x.tracer);
            Tracer::sum(vec![x, patch, (1.0, embedded(v.tracer))], &shape)
        }
    };
    op.traced(y, tracer)
}

/// v where the mask is true, x elsewhere.
pub(crate) fn mask_where<B: Backend>(
    x: ScopeTensor<B>,
    mask: Tracked<B, BoolTensor<B>>,
    v: ScopeTensor<B>,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let (x, v, mask) = (op.float(x), op.float(v), op.other(mask));
    let y = B::float_mask_where(x.value().clone(), mask.value().clone(), v.value().clone());
    let shape = y.shape();
    let taken = mask.map(|mask| B::bool_expand(mask, shape.clone()));
    let left = taken.clone().map(B::bool_not);
    let part = |x: Traced<B>, out: Coefficient<BoolTensor<B>>| {
        x.broadcast(&shape).tracer.map(Mask::new(out), &shape)
    };
    let rest = |x: Coefficient<FloatTensor<B>>, out: Coefficient<BoolTensor<B>>| {
        x.join(out, |x, out| {
            B::float_mask_fill(B::float_expand(x, shape.clone()), out, Scalar::Float(0.0))
        })
    };
    let tracer = match (x, v) {
        (Operand::Fixed(_), Operand::Fixed(_)) => return op.fixed(y),
        (Operand::Traced(x), Operand::Fixed(v)) => part(x, taken).source(rest(v, left), &shape),
        (Operand::Fixed(x), Operand::Traced(v)) => part(v, left).source(rest(x, taken), &shape),
        (Operand::Traced(x), Operand::Traced(v)) => {
            Tracer::sum(vec![(1.0, part(x, taken)), (1.0, part(v, left))], &shape)
        }
    };
    op.traced(y, tracer)
}

/// A number where the mask is true, x elsewhere.
pub(crate) fn mask_fill<B: Backend>(
    x: ScopeTensor<B>,
    mask: Tracked<B, BoolTensor<B>>,
    c: Scalar,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let (x, mask) = (op.float(x), op.other(mask));
    let y = B::float_mask_fill(x.value().clone(), mask.value().clone(), c);
    let shape = y.shape();
    let Operand::Traced(x) = x else {
        return op.fixed(y);
    };
    let taken = mask.map(|mask| B::bool_expand(mask, shape.clone()));
    let mut tracer = x.tracer.map(Mask::new(taken.clone()), &shape);
    if c.elem::<f64>() != 0.0 {
        let zeros = B::float_zeros(shape.clone(), &y.device(), y.dtype().into());
        let source = taken.map(|taken| B::float_mask_fill(zeros, taken, c));
        tracer = tracer.source(source, &shape);
    }
    op.traced(y, tracer)
}

/// Tensors joined along one axis; constant parts are sources.
pub(crate) fn cat<B: Backend>(parts: Vec<ScopeTensor<B>>, dim: usize) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let parts: Vec<Operand<B>> = parts.into_iter().map(|part| op.float(part)).collect();
    let values: Vec<FloatTensor<B>> = parts.iter().map(|part| part.value().clone()).collect();
    let shapes: Vec<Shape> = values.iter().map(|value| value.shape()).collect();
    let y = B::float_cat(values, dim);
    let lent = parts.iter().find_map(|part| match part {
        Operand::Traced(x) => Some((x.tracer.clone(), x.value.shape())),
        Operand::Fixed(_) => None,
    });
    let Some((lent, own)) = lent else {
        return op.fixed(y);
    };
    let extents = shapes.iter().map(|shape| shape[dim]).collect();
    let tracers = parts
        .into_iter()
        .zip(&shapes)
        .map(|(part, shape)| match part {
            Operand::Traced(x) => x.tracer,
            Operand::Fixed(x) => lent.constant_beside(x, &own, shape),
        });
    let tracer = Tracer::concat(tracers.collect(), dim, extents, &y.shape());
    op.traced(y, tracer)
}
