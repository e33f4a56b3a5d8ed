//! Softmax and its logarithm: the log-normaliser ℓ₀ = log Σ exp(x₀) is frozen.
//!
//! log_softmax: y₁ = x₁ − ℓ₀. softmax: exp of that by the pointwise rule, at z₀ = x₀ − ℓ₀ ≤ 0: secant
//! y₁ = (e^z₀ − 1)/z₀ · (x₁ − ℓ₀) + 1, or tangent y₁ = y₀ (1 + z₁ − z₀). As a factor of a product a
//! softmax is a gate: attention's weights are frozen, its values pass.

use burn_backend::{Backend, Scalar, TensorMetadata, tensor::FloatTensor};

use super::{Pointwise, pointwise::exp_secant};
use crate::{
    linear::{self, Scale, batch},
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

/// x − ℓ₀ of the reference, and the probe of it.
fn shifted<B: Backend>(
    probe: Probe<B>,
    x: FloatTensor<B>,
    dim: usize,
) -> (FloatTensor<B>, Probe<B>) {
    let shape = x.shape();
    let z = B::log_softmax(x.clone(), dim);
    let source = B::float_sub(z.clone(), x);
    probe.scope().note_rule("log-normaliser");
    (z, probe.source(source, &shape))
}

/// log softmax along `dim`.
pub(crate) fn log_softmax<B: Backend>(x: ScopeTensor<B>, dim: usize) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    match lineage {
        Lineage::Probed(probe) => {
            let (z, probe) = shifted(probe, x, dim);
            ScopeTensor::probed(z, probe)
        }
        lineage => ScopeTensor {
            value: B::log_softmax(x, dim),
            lineage: lineage.frozen(),
        },
    }
}

/// softmax along `dim`; its value by `value`, with the sign of x given apart (softmin is −1).
pub(crate) fn softmax<B: Backend>(
    x: ScopeTensor<B>,
    dim: usize,
    sign: f64,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor {
            value: value(x),
            lineage,
        };
    };
    let shape = x.shape();
    let y = value(x.clone());
    let (x, probe) = match sign {
        1.0 => (x, probe),
        sign => (
            batch::scaled::<B>(x, sign),
            probe.map(linear::Scalar(sign), &shape),
        ),
    };
    let pointwise = probe.scope().rules().pointwise;
    let (z, probe) = shifted(probe, x, dim);
    let probe = match pointwise {
        // Of a mask nothing is said here: at z₀ = 0 it would have no gain.
        Pointwise::Secant | Pointwise::Mask => {
            let one = batch::literal::<B>(Scalar::Float(1.0), shape.num_dims(), &y);
            probe
                .map(Scale::new(exp_secant::<B>(&z)), &shape)
                .source(one, &shape)
        }
        Pointwise::Taylor => {
            let source = B::float_sub(y.clone(), B::float_mul(y.clone(), z));
            probe
                .map(Scale::new(y.clone()), &shape)
                .source(source, &shape)
        }
    };
    ScopeTensor::probed(y, probe.gate())
}
