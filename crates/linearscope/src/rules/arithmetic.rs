//! Sums of tensors and numbers: x ± y is linear in both, a constant operand is a source.

use burn_backend::{Backend, Scalar, Shape, TensorMetadata, tensor::FloatTensor};

use crate::{
    linear::{Divide, Expand, batch},
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
    let gate = probe.is_gate();
    let probe = probe.map(Divide::new(divisor), &shape);
    // A gate over a number is one, as in hard swish.
    ScopeTensor::probed(y, if gate { probe.gate() } else { probe })
}
