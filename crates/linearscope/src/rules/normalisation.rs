//! Norms that arrive as one op.
//!
//! batch_norm (inference): y = γ(x − μ)/√(σ² + ε) + β with running statistics: linear already.
//! layer_norm over the last axis: the same with μ₀, σ₀ of x₀ frozen (mean and std), or with the
//! mean kept as a linear map (std only): y₁ = γ(x₁ − μ)/σ₀ + β.
//! Instance and group norms arrive decomposed; the network's recogniser freezes their statistics
//! by marking the ops that compute them as reference-only.

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
    if let Lineage::Probed(probe) = &lineage
        && probe.scope().rules().normalisation == Normalisation::Taylor
    {
        let error = Error::NoRule {
            place: probe.scope().place("layer_norm"),
            shape: x.shape().to_vec(),
            because: ": it has none for taylor".into(),
        };
        let probe = probe.clone().refuse(error);
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

    let mean = B::float_mean_dim(x.clone(), last);
    let centred = B::float_sub(x.clone(), mean.clone());
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred), last);
    probe
        .scope()
        .note_rule(match probe.scope().rules().normalisation {
            Normalisation::MeanAndStd => "mean and std",
            _ => "std",
        });
    let probe = match probe.scope().rules().normalisation {
        Normalisation::MeanAndStd => probe.source(B::float_neg(mean), &shape),
        _ => {
            let mean = probe
                .clone()
                .map(MeanDim::new(&shape, last), &per_row)
                .map(Expand::new(&per_row, &shape), &shape);
            Probe::sum(vec![(1.0, probe), (-1.0, mean)], &shape)
        }
    };
    let mut probe = probe
        .map(Divide::new(root::<B>(variance, epsilon)), &shape)
        .map(
            Scale::new(B::float_reshape(gamma.clone(), per_feature.clone().into())),
            &shape,
        );
    if let Some(beta) = beta.clone() {
        probe = probe.source(B::float_reshape(beta, per_feature.into()), &shape);
    }
    ScopeTensor::probed(B::layer_norm(x, gamma, beta, epsilon), probe)
}
