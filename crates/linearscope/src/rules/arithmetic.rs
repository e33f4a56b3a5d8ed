//! Sums of tensors and numbers: x ± y is linear in both, a constant operand is a source.

use burn_backend::{Backend, Scalar, TensorMetadata, tensor::FloatTensor};

use crate::{
    coefficient::{Coefficient, literal},
    linear::{Divide, batch},
    run::{
        ScopeTensor, Tracer,
        open::{Opened, Operand, unary_after},
    },
};

/// x + c y for c = ±1.
pub(crate) fn add<B: Backend>(
    x: ScopeTensor<B>,
    y: ScopeTensor<B>,
    c: f64,
    value: impl FnOnce(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    match (op.float(x), op.float(y)) {
        (Operand::Fixed(x), Operand::Fixed(y)) => op.fixed(value(x.into_value(), y.into_value())),
        (Operand::Traced(x), Operand::Traced(y)) => {
            let (from_x, from_y) = (x.value.shape(), y.value.shape());
            let out = value(x.value, y.value);
            let shape = out.shape();
            let x = x.tracer.broadcast(&from_x, &shape);
            let y = y.tracer.broadcast(&from_y, &shape);
            op.traced(out, Tracer::sum(vec![(1.0, x), (c, y)], &shape))
        }
        (Operand::Traced(x), Operand::Fixed(y)) => {
            let source = y.clone().map(|y| batch::scaled::<B>(y, c));
            let from = x.value.shape();
            let out = value(x.value, y.into_value());
            let shape = out.shape();
            let tracer = x.tracer.broadcast(&from, &shape);
            op.traced(out, tracer.source(source, &shape))
        }
        (Operand::Fixed(x), Operand::Traced(y)) => {
            let source = x.clone();
            let from = y.value.shape();
            let out = value(x.into_value(), y.value);
            let shape = out.shape();
            let y = y.tracer.broadcast(&from, &shape);
            let tracer = Tracer::sum(vec![(c, y)], &shape).source(source, &shape);
            op.traced(out, tracer)
        }
    }
}

/// x + c for a number c: a source.
pub(crate) fn shift<B: Backend>(
    x: ScopeTensor<B>,
    c: f64,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    unary_after(x, value, |_, y, tracer| {
        let shape = y.shape();
        tracer.source(literal::<B>(c, shape.num_dims(), y), &shape)
    })
}

/// x / c for a number c; the value divides, as the plain backend does.
pub(crate) fn div_scalar<B: Backend>(x: ScopeTensor<B>, c: Scalar) -> ScopeTensor<B> {
    unary_after(
        x,
        |x| B::float_div_scalar(x, c),
        |_, y, tracer| {
            let shape = y.shape();
            let divisor = batch::literal::<B>(c, shape.num_dims(), y);
            let gate = tracer.is_gate();
            let tracer = tracer.map(Divide::new(Coefficient::weight(divisor)), &shape);
            // A gate over a number is one, as in hard swish.
            if gate { tracer.gate() } else { tracer }
        },
    )
}
