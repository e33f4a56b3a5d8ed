//! Softmax and its logarithm: the log-normaliser ℓ₀ = log Σ exp(x₀) is frozen.
//!
//! log_softmax: y₁ = x₁ − ℓ₀. softmax: exp of that by the pointwise rule, at z₀ = x₀ − ℓ₀ ≤ 0: secant
//! y₁ = (e^z₀ − 1)/z₀ · (x₁ − ℓ₀) + 1, or tangent y₁ = y₀ (1 + z₁ − z₀). As a factor of a product a
//! softmax is a gate: attention's weights are frozen, its values pass.
//!
//! An entry of −∞ (a mask) has y₀ = 0 and keeps it: it is cut off, and enters no sum (`infinite.rs`).
//!
//! Where products take their tangent (`taylor`), so does the normaliser: with δ = x₁ − x₀ and p₀ the
//! softmax of x₀, log_softmax is y₀ + δ − Σ p₀ δ, softmax y₀ + p₀ (δ − Σ p₀ δ).

use burn_backend::{
    Backend, TensorMetadata,
    tensor::{BoolTensor, FloatTensor},
};

use super::{Pointwise, Product, infinite};
use crate::{
    coefficient::{Coefficient, literal},
    linear::{Diagonal, Expand, Multiple, SumDim, batch},
    report::Decided,
    run::{ScopeTensor, Tracer, open::unary_at},
    smooth::{Entries, exp_secant},
};

/// x − Σ p₀ x along `dim`: its tracer, and its value at x₀.
fn deviation<B: Backend>(
    tracer: Tracer<B>,
    x: FloatTensor<B>,
    p: FloatTensor<B>,
    dim: usize,
    decided: &Decided,
) -> (FloatTensor<B>, Tracer<B>) {
    let shape = x.shape();
    let mut row = shape.clone();
    row[dim] = 1;
    let mean = B::float_sum_dim(B::float_mul(p.clone(), x.clone()), dim);
    let along = tracer
        .clone()
        .map(Diagonal::new(Coefficient::decided(p, decided)), &shape)
        .map(SumDim::new(&shape, dim), &row)
        .map(Expand::new(&row, &shape), &shape);
    let tracer = Tracer::sum(vec![(1.0, tracer), (-1.0, along)], &shape);
    (B::float_sub(x, mean), tracer)
}

/// The tracer of z₀ = log softmax(x₀) along `dim`, however it was computed.
pub(crate) fn freeze_logarithm<B: Backend>(
    tracer: Tracer<B>,
    x: FloatTensor<B>,
    z: &FloatTensor<B>,
    dim: usize,
) -> Tracer<B> {
    let shape = x.shape();
    let infinite = infinite::entries::<B>(tracer.run(), &x);
    if tracer.run().rules().product != Product::Taylor {
        let decided = tracer.freeze("log-normaliser", None);
        let mut source = B::float_sub(z.clone(), x);
        if let Some(at) = infinite {
            // x₁ is −∞ there itself.
            source = infinite::filled::<B>(source, &at, 0.0);
        }
        return tracer.source(Coefficient::decided(source, &decided), &shape);
    }
    let decided = tracer.freeze("taylor", None);
    let (x, tracer) = within(x, tracer, &infinite, &decided);
    let (d, tracer) = deviation(tracer, x, B::float_exp(z.clone()), dim, &decided);
    let source = B::float_sub(z.clone(), d);
    tracer.source(Coefficient::decided(source, &decided), &shape)
}

/// The tracer of y₀ = softmax(x₀) along `dim`, however it was computed. A gate.
pub(crate) fn freeze<B: Backend>(
    tracer: Tracer<B>,
    x: FloatTensor<B>,
    y: &FloatTensor<B>,
    dim: usize,
) -> Tracer<B> {
    let shape = x.shape();
    let rules = tracer.run().rules();
    let gain = |gain, decided: &Decided| Diagonal::new(Coefficient::decided(gain, decided));
    // Their y₀ is 0, and stays.
    let infinite = infinite::entries::<B>(tracer.run(), &x);
    if rules.product == Product::Taylor {
        let decided = tracer.freeze("taylor", None);
        let (x, tracer) = within(x, tracer, &infinite, &decided);
        let (d, tracer) = deviation(tracer, x, y.clone(), dim, &decided);
        let source = B::float_sub(y.clone(), B::float_mul(y.clone(), d));
        return tracer
            .map(gain(y.clone(), &decided), &shape)
            .source(Coefficient::decided(source, &decided), &shape)
            .gate();
    }
    let mut z = B::log_softmax(x.clone(), dim);
    let decided = tracer.freeze("log-normaliser", None);
    let (x, tracer) = within(x, tracer, &infinite, &decided);
    if let Some(at) = &infinite {
        z = infinite::filled::<B>(z, at, 0.0);
    }
    let shift = B::float_sub(z.clone(), x);
    let tracer = tracer.source(Coefficient::decided(shift, &decided), &shape);
    let tracer = match rules.pointwise {
        Pointwise::Taylor => {
            let source = B::float_sub(y.clone(), B::float_mul(y.clone(), z));
            tracer
                .map(gain(y.clone(), &decided), &shape)
                .source(Coefficient::decided(source, &decided), &shape)
        }
        // Of a mask nothing is said here: at z₀ = 0 it would have no gain.
        _ => {
            let exp = Entries::<B>(B::float_exp(z.clone()));
            let secant = exp_secant(Entries(z), exp).0;
            tracer
                .map(gain(secant, &decided), &shape)
                .unit(literal::<B>(1.0, shape.num_dims(), y), &shape)
        }
    };
    let tracer = match &infinite {
        Some(at) => infinite::cut(tracer, at, &decided),
        None => tracer,
    };
    tracer.gate()
}

/// x and its tracer with 0 wherever x is infinite.
fn within<B: Backend>(
    x: FloatTensor<B>,
    tracer: Tracer<B>,
    infinite: &Option<BoolTensor<B>>,
    decided: &Decided,
) -> (FloatTensor<B>, Tracer<B>) {
    match infinite {
        Some(at) => (
            infinite::filled::<B>(x, at, 0.0),
            infinite::cut(tracer, at, decided),
        ),
        None => (x, tracer),
    }
}

/// log softmax along `dim`.
pub(crate) fn log_softmax<B: Backend>(x: ScopeTensor<B>, dim: usize) -> ScopeTensor<B> {
    unary_at(
        x,
        |x| B::log_softmax(x, dim),
        |x, z, tracer| freeze_logarithm(tracer, x, z, dim),
    )
}

/// softmax along `dim`; its value by `value`, with the sign of x given apart (softmin is −1).
pub(crate) fn softmax<B: Backend>(
    x: ScopeTensor<B>,
    dim: usize,
    sign: f64,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> ScopeTensor<B> {
    unary_at(x, value, |x, y, tracer| {
        let (x, tracer) = match sign {
            1.0 => (x, tracer),
            sign => {
                let shape = x.shape();
                (
                    batch::scaled::<B>(x, sign),
                    tracer.map(Multiple(sign), &shape),
                )
            }
        };
        freeze(tracer, x, y, dim)
    })
}
