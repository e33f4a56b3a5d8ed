//! Sums, products and quotients of two tensors, either or both of which may be probed.
//!
//! x ± y: linear in both; a constant operand is a source. x · c, x / c, x W: linear.
//! x · y and x / y with both probed have no rule yet (gates are a later step) and are refused.

use burn_backend::{Backend, Scalar, Shape, TensorMetadata, tensor::FloatTensor};

use crate::{
    error::Error,
    linear::{Divide, Expand, MatmulLeft, MatmulRight, Scale, batch},
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

/// The probe of an operand broadcast to the shape of the result.
pub(crate) fn broadcast<B: Backend>(probe: Probe<B>, from: &Shape, to: &Shape) -> Probe<B> {
    if from == to {
        probe
    } else {
        probe.map(Expand::new(from, to), to)
    }
}

/// The lineage of a result none of whose operands is probed.
pub(crate) fn unprobed<B: Backend>(a: Lineage<B>, b: Lineage<B>) -> Lineage<B> {
    match a {
        Lineage::Constant => b.frozen(),
        a => a.frozen(),
    }
}

/// Note that a rule used an operand that was read from x₀.
pub(crate) fn note_decision<B: Backend>(operand: &Lineage<B>, rule: &'static str) {
    if let Lineage::Decision(scope) = operand {
        scope.note_rule(rule);
    }
}

/// x + c y for c = ±1.
pub(crate) fn add<B: Backend>(
    x: ScopeTensor<B>,
    y: ScopeTensor<B>,
    c: f64,
    value: impl FnOnce(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (y, y_lineage) = y.open();
    let (x_shape, y_shape) = (x.shape(), y.shape());
    match (x_lineage, y_lineage) {
        (Lineage::Probed(px), Lineage::Probed(py)) => {
            let out = value(x, y);
            let shape = out.shape();
            let px = broadcast(px, &x_shape, &shape);
            let py = broadcast(py, &y_shape, &shape);
            ScopeTensor::probed(out, Probe::sum(vec![(1.0, px), (c, py)], &shape))
        }
        (Lineage::Probed(px), constant) => {
            note_decision(&constant, "shift");
            let source = batch::scaled::<B>(y.clone(), c);
            let out = value(x, y);
            let shape = out.shape();
            let probe = broadcast(px, &x_shape, &shape).source(source, &shape);
            ScopeTensor::probed(out, probe)
        }
        (constant, Lineage::Probed(py)) => {
            note_decision(&constant, "shift");
            let source = x.clone();
            let out = value(x, y);
            let shape = out.shape();
            let py = broadcast(py, &y_shape, &shape);
            let probe = Probe::sum(vec![(c, py)], &shape).source(source, &shape);
            ScopeTensor::probed(out, probe)
        }
        (a, b) => ScopeTensor {
            value: value(x, y),
            lineage: unprobed(a, b),
        },
    }
}

/// x ⊙ y.
pub(crate) fn mul<B: Backend>(x: ScopeTensor<B>, y: ScopeTensor<B>) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (y, y_lineage) = y.open();
    let (x_shape, y_shape) = (x.shape(), y.shape());
    match (x_lineage, y_lineage) {
        (Lineage::Probed(px), Lineage::Probed(py)) => both_probed(
            px,
            py,
            B::float_mul(x, y),
            "float_mul",
            &x_shape,
            "both factors depend on the input, and products of two probed tensors have no rule yet",
        ),
        (Lineage::Probed(p), factor) => {
            note_decision(&factor, "factor");
            let gain = y.clone();
            let out = B::float_mul(x, y);
            let shape = out.shape();
            let probe = broadcast(p, &x_shape, &shape).map(Scale::new(gain), &shape);
            ScopeTensor::probed(out, probe)
        }
        (factor, Lineage::Probed(p)) => {
            note_decision(&factor, "factor");
            let gain = x.clone();
            let out = B::float_mul(x, y);
            let shape = out.shape();
            let probe = broadcast(p, &y_shape, &shape).map(Scale::new(gain), &shape);
            ScopeTensor::probed(out, probe)
        }
        (a, b) => ScopeTensor {
            value: B::float_mul(x, y),
            lineage: unprobed(a, b),
        },
    }
}

/// x / y for a y that does not depend on the input.
pub(crate) fn div<B: Backend>(x: ScopeTensor<B>, y: ScopeTensor<B>) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (y, y_lineage) = y.open();
    let x_shape = x.shape();
    match (x_lineage, y_lineage) {
        (Lineage::Probed(px), Lineage::Probed(py)) => both_probed(
            px,
            py,
            B::float_div(x, y),
            "float_div",
            &x_shape,
            "both sides depend on the input, and quotients of two probed tensors have no rule yet",
        ),
        (Lineage::Probed(p), divided_by) => {
            note_decision(&divided_by, "divisor");
            let divisor = y.clone();
            let out = B::float_div(x, y);
            let shape = out.shape();
            let probe = broadcast(p, &x_shape, &shape).map(Divide::new(divisor), &shape);
            ScopeTensor::probed(out, probe)
        }
        (_, Lineage::Probed(p)) => {
            let shape = y.shape().to_vec();
            let error = Error::NoRule {
                place: p.scope().place("float_div"),
                shape,
                because: ": the divisor depends on the input".into(),
            };
            ScopeTensor::probed(B::float_div(x, y), p.refuse(error))
        }
        (a, b) => ScopeTensor {
            value: B::float_div(x, y),
            lineage: unprobed(a, b),
        },
    }
}

/// x y, the matrix product over the last two axes. A frozen right-hand side is a layer's weight.
pub(crate) fn matmul<B: Backend>(x: ScopeTensor<B>, y: ScopeTensor<B>) -> ScopeTensor<B> {
    let (x, x_lineage) = x.open();
    let (y, y_lineage) = y.open();
    let (x_shape, y_shape) = (x.shape(), y.shape());
    match (x_lineage, y_lineage) {
        (Lineage::Probed(px), Lineage::Probed(py)) => both_probed(
            px,
            py,
            B::float_matmul(x, y),
            "float_matmul",
            &x_shape,
            "both sides depend on the input, and products of two probed tensors have no rule yet",
        ),
        (Lineage::Probed(p), _) => {
            let map = MatmulRight::new(&x_shape, y.clone());
            let out = B::float_matmul(x, y);
            let shape = out.shape();
            ScopeTensor::probed(out, p.weighted(map, &shape))
        }
        (_, Lineage::Probed(p)) => {
            let map = MatmulLeft::new(&y_shape, x.clone());
            let out = B::float_matmul(x, y);
            let shape = out.shape();
            ScopeTensor::probed(out, p.weighted(map, &shape))
        }
        (a, b) => ScopeTensor {
            value: B::float_matmul(x, y),
            lineage: unprobed(a, b),
        },
    }
}

fn both_probed<B: Backend>(
    px: Probe<B>,
    py: Probe<B>,
    value: FloatTensor<B>,
    op: &str,
    shape: &Shape,
    because: &str,
) -> ScopeTensor<B> {
    let place = px.scope().place(op);
    let error = if std::sync::Arc::ptr_eq(px.scope(), py.scope()) {
        Error::NoRule {
            place,
            shape: shape.to_vec(),
            because: format!(": {because}"),
        }
    } else {
        Error::ScopesMeet { place }
    };
    py.refuse(error.clone());
    ScopeTensor::probed(value, px.refuse(error))
}

/// x + c for a number c: a source.
pub(crate) fn shift<B: Backend>(
    x: ScopeTensor<B>,
    c: f64,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let y = value(x);
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor { value: y, lineage };
    };
    let shape = y.shape();
    let source = batch::literal::<B>(Scalar::Float(c), shape.num_dims(), &y);
    ScopeTensor::probed(y, probe.source(source, &shape))
}

/// x / c for a number c; the value divides, as the plain backend does.
pub(crate) fn div_scalar<B: Backend>(x: ScopeTensor<B>, c: Scalar) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let y = B::float_div_scalar(x, c);
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor { value: y, lineage };
    };
    let shape = y.shape();
    let divisor = batch::literal::<B>(c, shape.num_dims(), &y);
    ScopeTensor::probed(y, probe.map(Divide::new(divisor), &shape))
}
