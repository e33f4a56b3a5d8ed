//! Norms that arrive as one op.
//!
//! batch_norm (inference): y = γ(x − μ)/√(σ² + ε) + β with running statistics: linear already.
//! layer_norm over the last axis: the same with μ₀, σ₀ of x₀ frozen (mean and std), or with the
//! mean kept as a linear map (std only): y₁ = γ(x₁ − μ)/σ₀ + β, or its tangent (taylor): with
//! d = x − mean(x), v₀ = mean(d₀²), y₁ = γ(d₁ − d₀ mean(d₀ d₁)/σ₀² + d₀ v₀/σ₀²)/σ₀ + β.
//! Instance, group and RMS norms arrive decomposed; the network's recogniser freezes their statistics
//! by marking the ops that compute them as reference-only, or has all of them take their tangents.

use burn_backend::{Backend, Scalar, TensorMetadata, tensor::FloatTensor};

use super::{Normalisation, weighted::per_channel};
use crate::{
    error::Error,
    linear::{Divide, Expand, MeanDim, Scale},
    scope::Probe,
    tensor::{Lineage, ScopeTensor},
};

fn root<B: Backend>(variance: FloatTensor<B>, epsilon: f64) -> FloatTensor<B> {
    B::float_sqrt(B::float_add_scalar(variance, Scalar::Float(epsilon)))
}

fn refuse<B: Backend>(
    op: &str,
    parameters: &[&Lineage<B>],
    x: &FloatTensor<B>,
) -> Option<Probe<B>> {
    parameters.iter().find_map(|lineage| match lineage {
        Lineage::Probed(probe) => Some(probe.clone().refuse(Error::NoRule {
            place: probe.scope().place(op),
            shape: x.shape().to_vec(),
            because: ": its parameters depend on the input".into(),
        })),
        _ => None,
    })
}

/// Inference batch norm: −μ, ÷√(σ² + ε), ·γ, +β per channel; −μ and β are sources.
pub(crate) fn batch_norm<B: Backend>(
    x: ScopeTensor<B>,
    [gamma, beta, mean, variance]: [ScopeTensor<B>; 4],
    epsilon: f64,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let (gamma, g) = gamma.open();
    let (beta, b) = beta.open();
    let (mean, m) = mean.open();
    let (variance, v) = variance.open();
    let value =
        |x, gamma, beta, mean, variance| B::batch_norm(x, gamma, beta, mean, variance, epsilon);
    if let Some(probe) = refuse("batch_norm", &[&g, &b, &m, &v], &x) {
        return ScopeTensor::probed(value(x, gamma, beta, mean, variance), probe);
    }
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor {
            value: value(x, gamma, beta, mean, variance),
            lineage,
        };
    };
    let shape = x.shape();
    let rank = shape.num_dims();
    let scale = B::float_div(gamma.clone(), root::<B>(variance.clone(), epsilon));
    let probe = probe
        .source(per_channel::<B>(B::float_neg(mean.clone()), rank), &shape)
        .map(Scale::new(per_channel::<B>(scale, rank)), &shape)
        .source(per_channel::<B>(beta.clone(), rank), &shape);
    ScopeTensor::probed(value(x, gamma, beta, mean, variance), probe)
}

/// Layer norm over the last axis with the statistics of x₀.
pub(crate) fn layer_norm<B: Backend>(
    x: ScopeTensor<B>,
    gamma: ScopeTensor<B>,
    beta: Option<ScopeTensor<B>>,
    epsilon: f64,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let (gamma, g) = gamma.open();
    let (beta, b) = beta.map_or((None, Lineage::Constant), |beta| {
        let (beta, lineage) = beta.open();
        (Some(beta), lineage)
    });
    if let Some(probe) = refuse("layer_norm", &[&g, &b], &x) {
        return ScopeTensor::probed(B::layer_norm(x, gamma, beta, epsilon), probe);
    }
    let Lineage::Probed(probe) = lineage else {
        let lineage = lineage.frozen();
        return ScopeTensor {
            value: B::layer_norm(x, gamma, beta, epsilon),
            lineage,
        };
    };
    let shape = x.shape();
    let last = shape.num_dims() - 1;
    let mut per_feature = vec![1; shape.num_dims()];
    per_feature[last] = shape[last];
    let mut per_row = shape.clone();
    per_row[last] = 1;

    let mean_of = |probe: Probe<B>| {
        probe
            .map(MeanDim::new(&shape, last), &per_row)
            .map(Expand::new(&per_row, &shape), &shape)
    };
    let mean = B::float_mean_dim(x.clone(), last);
    let centred = B::float_sub(x.clone(), mean.clone());
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), last);
    let std = root::<B>(variance.clone(), epsilon);
    let normalisation = probe.scope().rules().normalisation;
    probe.scope().note_rule(match normalisation {
        Normalisation::MeanAndStd => "mean and std",
        Normalisation::StdOnly => "std",
        Normalisation::Taylor => "taylor",
    });
    let centre = |probe: Probe<B>| {
        let mean = mean_of(probe.clone());
        Probe::sum(vec![(1.0, probe), (-1.0, mean)], &shape)
    };
    let probe = match normalisation {
        Normalisation::MeanAndStd => probe.source(B::float_neg(mean), &shape),
        Normalisation::StdOnly => centre(probe),
        Normalisation::Taylor => {
            // d₁ − d₀ mean(d₀ d₁)/σ₀² + d₀ v₀/σ₀², which is d₀ at x₁ = x₀.
            let unit = B::float_div(B::float_div(centred.clone(), std.clone()), std.clone());
            let deviation = centre(probe);
            let along = deviation.clone().map(Scale::new(centred), &shape);
            let along = mean_of(along).map(Scale::new(unit.clone()), &shape);
            let source = B::float_mul(unit, variance);
            Probe::sum(vec![(1.0, deviation), (-1.0, along)], &shape).source(source, &shape)
        }
    };
    let mut probe = probe.map(Divide::new(std), &shape).map(
        Scale::new(B::float_reshape(gamma.clone(), per_feature.clone().into())),
        &shape,
    );
    if let Some(beta) = beta.clone() {
        probe = probe.source(B::float_reshape(beta, per_feature.into()), &shape);
    }
    ScopeTensor::probed(B::layer_norm(x, gamma, beta, epsilon), probe)
}
