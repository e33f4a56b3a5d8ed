//! Softmax and its logarithm: the log-normaliser ℓ₀ = log Σ exp(x₀) is frozen.
//!
//! log_softmax: y₁ = x₁ − ℓ₀. softmax: exp of that by the pointwise rule, at z₀ = x₀ − ℓ₀ ≤ 0: secant
//! y₁ = (e^z₀ − 1)/z₀ · (x₁ − ℓ₀) + 1, or tangent y₁ = y₀ (1 + z₁ − z₀). As a factor of a product a
//! softmax is a gate: attention's weights are frozen, its values pass.
//!
//! Where products take their tangent (`taylor`), so does the normaliser: with δ = x₁ − x₀ and p₀ the
//! softmax of x₀, log_softmax is y₀ + δ − Σ p₀ δ, softmax y₀ + p₀ (δ − Σ p₀ δ).

use burn_backend::{Backend, Scalar, TensorMetadata, tensor::FloatTensor};

use super::{Pointwise, Product, pointwise::exp_secant};
use crate::{
    linear::{self, Expand, Scale, SumDim, batch},
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

/// The probe of z = x − ℓ₀, from z₀ and x₀.
fn shifted<B: Backend>(probe: Probe<B>, z: FloatTensor<B>, x: FloatTensor<B>) -> Probe<B> {
    let shape = x.shape();
    probe.scope().note_rule("log-normaliser");
    probe.source(B::float_sub(z, x), &shape)
}

/// The probe of x − Σ p₀ x along `dim`, and its value at x₀.
fn deviation<B: Backend>(
    probe: Probe<B>,
    x: FloatTensor<B>,
    p: FloatTensor<B>,
    dim: usize,
) -> (FloatTensor<B>, Probe<B>) {
    let shape = x.shape();
    let mut row = shape.clone();
    row[dim] = 1;
    let mean = B::float_sum_dim(B::float_mul(p.clone(), x.clone()), dim);
    let along = probe
        .clone()
        .decided("taylor", Scale::new(p), &shape)
        .map(SumDim::new(&shape, dim), &row)
        .map(Expand::new(&row, &shape), &shape);
    let probe = Probe::sum(vec![(1.0, probe), (-1.0, along)], &shape);
    (B::float_sub(x, mean), probe)
}

/// The probe of z₀ = log softmax(x₀) along `dim`, however it was computed.
pub(crate) fn frozen_logarithm<B: Backend>(
    probe: Probe<B>,
    x: FloatTensor<B>,
    z: &FloatTensor<B>,
    dim: usize,
) -> Probe<B> {
    if probe.scope().rules().product != Product::Taylor {
        return shifted(probe, z.clone(), x);
    }
    let shape = x.shape();
    let (d, probe) = deviation(probe, x, B::float_exp(z.clone()), dim);
    probe.source(B::float_sub(z.clone(), d), &shape)
}

/// The probe of y₀ = softmax(x₀) along `dim`, however it was computed. A gate.
pub(crate) fn frozen<B: Backend>(
    probe: Probe<B>,
    x: FloatTensor<B>,
    y: &FloatTensor<B>,
    dim: usize,
) -> Probe<B> {
    let shape = x.shape();
    let rules = probe.scope().rules();
    if rules.product == Product::Taylor {
        let (d, probe) = deviation(probe, x, y.clone(), dim);
        let source = B::float_sub(y.clone(), B::float_mul(y.clone(), d));
        return probe
            .map(Scale::new(y.clone()), &shape)
            .source(source, &shape)
            .gate();
    }
    let pointwise = rules.pointwise;
    let z = B::log_softmax(x.clone(), dim);
    let probe = shifted(probe, z.clone(), x);
    let probe = match pointwise {
        Pointwise::Taylor => {
            let source = B::float_sub(y.clone(), B::float_mul(y.clone(), z));
            probe
                .map(Scale::new(y.clone()), &shape)
                .source(source, &shape)
        }
        // Of a mask nothing is said here: at z₀ = 0 it would have no gain.
        _ => {
            let one = batch::literal::<B>(Scalar::Float(1.0), shape.num_dims(), y);
            probe
                .map(Scale::new(exp_secant::<B>(&z)), &shape)
                .source(one, &shape)
        }
    };
    probe.gate()
}

/// log softmax along `dim`.
pub(crate) fn log_softmax<B: Backend>(x: ScopeTensor<B>, dim: usize) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    match lineage {
        Lineage::Probed(probe) => {
            let z = B::log_softmax(x.clone(), dim);
            let probe = frozen_logarithm(probe, x, &z, dim);
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
    let probe = frozen(probe, x, &y, dim);
    ScopeTensor::probed(y, probe)
}
