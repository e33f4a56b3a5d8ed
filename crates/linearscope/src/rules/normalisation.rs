//! Norms that arrive as one op.
//!
//! batch_norm (inference): y = γ(x − μ)/√(σ² + ε) + β with running statistics: linear already.
//! layer_norm over the last axis: the same with μ₀, σ₀ of x₀ frozen (mean and std), or with the
//! mean kept as a linear map (std only): y₁ = γ(x₁ − μ)/σ₀ + β, or its tangent (taylor): with
//! d = x − mean(x), v₀ = mean(d₀²), y₁ = γ(d₁ − d₀ mean(d₀ d₁)/σ₀² + d₀ v₀/σ₀²)/σ₀ + β.
//! Instance, group and RMS norms arrive decomposed; the network's recogniser freezes their statistics
//! by marking the ops that compute them as reference-only, or has all of them take their tangents.

use burn_backend::{Backend, Scalar, Shape, TensorMetadata, tensor::FloatTensor};

use super::{Normalisation, weighted::per_channel};
use crate::{
    coefficient::Coefficient,
    linear::{Diagonal, Divide, Expand, MeanDim},
    run::{
        ScopeTensor, Tracer,
        open::{Opened, Operand, Traced},
    },
};

fn root<B: Backend>(variance: FloatTensor<B>, epsilon: f64) -> FloatTensor<B> {
    B::float_sqrt(B::float_add_scalar(variance, Scalar::Float(epsilon)))
}

/// Parameters that depend on the input linearly have no rule here.
const PARAMETERS: &str = ": its parameters depend on the input";

/// Inference batch norm: −μ, ÷√(σ² + ε), ·γ, +β per channel; −μ and β are sources.
pub(crate) fn batch_norm<B: Backend>(
    x: ScopeTensor<B>,
    parameters: [ScopeTensor<B>; 4],
    epsilon: f64,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let x = op.float(x);
    let parameters = parameters.map(|parameter| op.float(parameter));
    let [gamma, beta, mean, variance] = parameters.each_ref().map(|p| p.value().clone());
    let y = B::batch_norm(x.value().clone(), gamma, beta, mean, variance, epsilon);
    let [Some(gamma), Some(beta), Some(mean), Some(variance)] = parameters.map(Operand::fixed)
    else {
        return op.refused(y, "batch_norm", PARAMETERS);
    };
    let Operand::Traced(Traced { value: x, tracer }) = x else {
        return op.fixed(y);
    };
    let shape = x.shape();
    let spread = |x: FloatTensor<B>| per_channel::<B>(x, shape.num_dims());
    let root = variance.map(|variance| root::<B>(variance, epsilon));
    let scale = gamma.join(root, B::float_div);
    let tracer = tracer
        .source(mean.map(|mean| spread(B::float_neg(mean))), &shape)
        .map(Diagonal::new(scale.map(spread)), &shape)
        .source(beta.map(spread), &shape);
    op.traced(y, tracer)
}

/// Layer norm over the last axis with the statistics of x₀.
pub(crate) fn layer_norm<B: Backend>(
    x: ScopeTensor<B>,
    gamma: ScopeTensor<B>,
    beta: Option<ScopeTensor<B>>,
    epsilon: f64,
) -> ScopeTensor<B> {
    let mut op = Opened::default();
    let (x, gamma) = (op.float(x), op.float(gamma));
    let beta = beta.map(|beta| op.float(beta));
    let y = B::layer_norm(
        x.value().clone(),
        gamma.value().clone(),
        beta.as_ref().map(|beta| beta.value().clone()),
        epsilon,
    );
    let (Some(gamma), Ok(beta)) = (
        gamma.fixed(),
        beta.map(|beta| beta.fixed().ok_or(())).transpose(),
    ) else {
        return op.refused(y, "layer_norm", PARAMETERS);
    };
    let Operand::Traced(Traced { value: x, tracer }) = x else {
        return op.fixed(y);
    };
    let shape = x.shape();
    let last = shape.num_dims() - 1;
    let mut per_feature = vec![1; shape.num_dims()];
    per_feature[last] = shape[last];
    let per_feature = Shape::from(per_feature);
    let mut per_row = shape.clone();
    per_row[last] = 1;

    let mean_of = |tracer: Tracer<B>| {
        tracer
            .map(MeanDim::new(&shape, last), &per_row)
            .map(Expand::new(&per_row, &shape), &shape)
    };
    let mean = B::float_mean_dim(x.clone(), last);
    let centred = B::float_sub(x, mean.clone());
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), last);
    let std = root::<B>(variance.clone(), epsilon);
    let normalisation = tracer.run().rules().normalisation;
    let decided = tracer.freeze(
        match normalisation {
            Normalisation::MeanAndStd => "mean and std",
            Normalisation::StdOnly => "std",
            Normalisation::Taylor => "taylor",
        },
        None,
    );
    let decided = |value| Coefficient::decided(value, &decided);
    let centre = |tracer: Tracer<B>| {
        let mean = mean_of(tracer.clone());
        Tracer::sum(vec![(1.0, tracer), (-1.0, mean)], &shape)
    };
    let tracer = match normalisation {
        Normalisation::MeanAndStd => tracer.source(decided(B::float_neg(mean)), &shape),
        Normalisation::StdOnly => centre(tracer),
        Normalisation::Taylor => {
            // d₁ − d₀ mean(d₀ d₁)/σ₀² + d₀ v₀/σ₀², which is d₀ at x₁ = x₀.
            let unit = B::float_div(B::float_div(centred.clone(), std.clone()), std.clone());
            let deviation = centre(tracer);
            let along = deviation
                .clone()
                .map(Diagonal::new(decided(centred)), &shape);
            let along = mean_of(along).map(Diagonal::new(decided(unit.clone())), &shape);
            let source = decided(B::float_mul(unit, variance));
            Tracer::sum(vec![(1.0, deviation), (-1.0, along)], &shape).source(source, &shape)
        }
    };
    let spread = |x| B::float_reshape(x, per_feature.clone());
    let tracer = tracer
        .map(Divide::new(decided(std)), &shape)
        .map(Diagonal::new(gamma.map(spread)), &shape);
    let tracer = match beta {
        Some(beta) => tracer.source(beta.map(spread), &shape),
        None => tracer,
    };
    op.traced(y, tracer)
}
