//! Layer-wise contributions to one score (the paper's Theorem 1).
//!
//! With q the cotangent that one adjoint sweep carries from the score back to a source b,
//!
//! ```text
//! score = ⟨Fᵀδ, x₀⟩ + Σ_sources ⟨q, b⟩
//! ```
//!
//! on any acyclic graph. A layer is one weighted op and all up to the next; the pixels' own part
//! comes first, then sources before the first weighted op, if there are any.

use burn::tensor::Tensor;
use burn_backend::BackendTypes;
use burn_dispatch::Dispatch;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    estimate::{MeanStd, MeanStdTotals},
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    ranking::argmax,
    vectors::{dot, flat, read},
};

/// What one layer adds to a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerContribution {
    /// Number of the layer; 0 is the input, and what comes before the first weighted op.
    pub layer: usize,
    /// Name of the weighted op that begins it; for number 0 "input" (the pixels' own part) or
    /// "before the first layer" (sources there).
    pub name: String,
    /// Its part of the score.
    pub value: f64,
    /// value / score.
    pub share: f64,
}

/// A score taken apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contributions {
    /// Flat index of the output that was asked about.
    pub target: usize,
    /// f(x₀) there.
    pub score: f64,
    /// ⟨row, x₀⟩: what the pixels themselves add, without any source.
    pub input: f64,
    /// r there: the sum over all sources.
    pub residual: f64,
    /// residual / score. Meaningless for a score ≤ 0, which is why that is flagged.
    pub residual_share: f64,
    /// The score is not positive: shares flip their sign.
    pub score_not_positive: bool,
    /// |Σ contributions − score| / Σ|contributions|.
    pub gap: f64,
    /// One entry a layer, input first. Layers without sources are left out.
    pub layers: Vec<LayerContribution>,
}

/// The contributions of every layer to output `target` (flat). Cost: one adjoint sweep.
///
/// # Example
/// ```
/// # use burn::{nn::LinearConfig, tensor::{Device, FloatDType, TensorData, activation::relu}};
/// # use linearscope::{Network, RuleSet};
/// # use linearscope_analysis::FrozenNetwork;
/// # let device = Device::flex();
/// # let layers = vec![LinearConfig::new(4, 8).init(&device), LinearConfig::new(8, 3).init(&device)];
/// # let network = Network::capture(&layers, |layers, ports| {
/// #     let x = ports.input("x", [1, 4]);
/// #     ports.output("y", layers[1].forward(relu(layers[0].forward(x))));
/// # })?;
/// # let loaded = FrozenNetwork::load(network, &device, FloatDType::F64)?;
/// # let x0 = TensorData::from([[0.3, -0.2, 0.9, 0.5]]);
/// # let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default())?;
/// use linearscope_analysis::contribution::{contributions, top1};
///
/// let found = contributions(&frozen, top1(&frozen)?)?;
/// let sum: f64 = found.layers.iter().map(|layer| layer.value).sum();
/// assert!((sum - found.score).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::OutOfRange`] for a target outside the output.
pub fn contributions(f: &FrozenNetwork, target: usize) -> Result<Contributions> {
    if target >= f.output_len() {
        return Err(Error::OutOfRange {
            what: "the target",
            index: vec![target],
            shape: f.output_shape().to_vec(),
        });
    }
    let score = read(f.reference())?[target];
    let len = f.output_len();
    let target_row = f.upload(indicators(&[vec![target]], len), len);
    let (row, sources) = f.contributions(target_row)?;
    let input = dot(&read(row)?, &read(f.x0())?);
    // Sources ahead of the first weighted op (an input normalised in the graph) have layer 0 too,
    // but are no part of what the pixels add.
    let mut values = vec![None; f.layers().len()];
    for source in &sources {
        *values[source.layer].get_or_insert(0.0) += source.values[0];
    }
    let residual: f64 = sources.iter().map(|source| source.values[0]).sum();
    let entry = |layer: usize, name: &str, value: f64| LayerContribution {
        layer,
        name: name.to_string(),
        value,
        share: value / score,
    };
    let mut layers = vec![entry(0, "input", input)];
    for (layer, value) in values.iter().enumerate() {
        let name = match layer {
            0 => "before the first layer",
            layer => &f.layers()[layer],
        };
        layers.extend(value.map(|value| entry(layer, name, value)));
    }
    let total: f64 = layers.iter().map(|layer| layer.value).sum();
    let magnitude: f64 = layers.iter().map(|layer| layer.value.abs()).sum();
    Ok(Contributions {
        target,
        score,
        input,
        residual,
        residual_share: residual / score,
        score_not_positive: score <= 0.0,
        gap: (total - score).abs() / magnitude.max(f64::MIN_POSITIVE),
        layers,
    })
}

/// The flat index of the largest output, the first of ties.
///
/// # Errors
/// [`Error::Data`]; [`Error::Empty`] for an output without elements.
pub fn top1(f: &FrozenNetwork) -> Result<usize> {
    argmax(&read(f.reference())?).ok_or(Error::Empty { what: "the output" })
}

/// Contributions of every layer to all outputs in forward passes, `[layers, N]`: entry `[l, o]` is
/// what the sources of layer l add to output o. Layers as in [`FrozenNetwork::layers`]; Σₗ is r.
///
/// It says the same as one adjoint sweep for each output, and the two check each other. Cost: one
/// forward for each layer that has sources.
///
/// # Errors
/// [`linearscope::Error::Memory`] where nothing was recorded.
pub fn contributions_of_all(f: &FrozenNetwork) -> Result<Tensor<2>> {
    let found = f.recorded_for("contributions")?.contributions_of_all()?;
    let first: <Dispatch as BackendTypes>::FloatTensorPrimitive =
        found.into_iter().next().expect("one output");
    Ok(flat(first))
}

/// What one layer adds over a set of pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerStatistics {
    /// As in [`LayerContribution`].
    pub layer: usize,
    /// As in [`LayerContribution`].
    pub name: String,
    /// Of value.
    pub value: MeanStd,
    /// Of value / score.
    pub share: MeanStd,
}

/// Contributions over a set of pictures: the paper's Tables 3 and 4, and one curve of its Fig. 8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContributionStatistics {
    /// How many pictures.
    pub pictures: usize,
    /// Pictures whose score is not positive: they are left out of shares, which would flip their sign.
    pub not_positive: usize,
    /// Of the scores.
    pub score: MeanStd,
    /// Of residual / score; NaN where no score is positive.
    pub residual_share: MeanStd,
    /// The largest |Σ contributions − score| / Σ|contributions|.
    pub gap: f64,
    /// One entry a layer, input first.
    pub layers: Vec<LayerStatistics>,
}

/// [`ContributionStatistics`] of pictures that come one by one; nothing is kept of them. Plain data, so that a long
/// run can be written down and taken up again.
///
/// ```
/// # use linearscope_analysis::contribution::{ContributionTotals, Contributions};
/// # fn over(pictures: impl Iterator<Item = Contributions>) -> linearscope_analysis::Result<()> {
/// let mut totals = ContributionTotals::default();
/// for found in pictures {
///     totals.add(&found)?;
/// }
/// println!("{}", totals.finish()?.residual_share.percent());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContributionTotals {
    not_positive: usize,
    score: MeanStdTotals,
    residual_share: MeanStdTotals,
    gap: f64,
    layers: Vec<LayerTotals>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct LayerTotals {
    layer: usize,
    name: String,
    value: MeanStdTotals,
    share: MeanStdTotals,
}

impl ContributionTotals {
    /// How many pictures there were.
    pub fn pictures(&self) -> usize {
        self.score.count()
    }

    /// One more picture of the same network. After an error the totals are as before.
    ///
    /// # Errors
    /// [`Error::Different`] for layers that are not those of the pictures before.
    pub fn add(&mut self, found: &Contributions) -> Result<()> {
        if self.pictures() == 0 {
            let layers = found.layers.iter().map(|layer| LayerTotals {
                layer: layer.layer,
                name: layer.name.clone(),
                value: MeanStdTotals::default(),
                share: MeanStdTotals::default(),
            });
            self.layers = layers.collect();
        }
        let known = self.layers.iter().map(|layer| &layer.name);
        let names = found.layers.iter().map(|layer| &layer.name);
        if !known.clone().eq(names.clone()) {
            let (names, known): (Vec<_>, Vec<_>) = (names.collect(), known.collect());
            return Err(Error::Different {
                what: "contributions",
                because: format!("layers {names:?} and {known:?}"),
            });
        }
        // Shares of a score that is not positive would flip their sign.
        let positive = !found.score_not_positive;
        self.not_positive += usize::from(!positive);
        self.score.add(found.score);
        self.gap = self.gap.max(found.gap);
        if positive {
            self.residual_share.add(found.residual_share);
        }
        for (totals, layer) in self.layers.iter_mut().zip(&found.layers) {
            totals.value.add(layer.value);
            if positive {
                totals.share.add(layer.share);
            }
        }
        Ok(())
    }

    /// The statistics of the pictures so far.
    ///
    /// # Errors
    /// [`Error::Empty`] for no pictures.
    pub fn finish(&self) -> Result<ContributionStatistics> {
        if self.pictures() == 0 {
            return Err(Error::Empty {
                what: "a set of contributions",
            });
        }
        let layers = self.layers.iter().map(|layer| LayerStatistics {
            layer: layer.layer,
            name: layer.name.clone(),
            value: layer.value.finish(),
            share: layer.share.finish(),
        });
        Ok(ContributionStatistics {
            pictures: self.pictures(),
            not_positive: self.not_positive,
            score: self.score.finish(),
            residual_share: self.residual_share.finish(),
            gap: self.gap,
            layers: layers.collect(),
        })
    }
}

/// Mean and standard deviation over pictures of one network, each with its own target (for instance
/// its best class), layer by layer; see [`ContributionTotals`].
///
/// # Errors
/// [`Error::Empty`] for no pictures; [`Error::Different`] for layers that are not those of one network.
pub fn aggregate<'a>(
    set: impl IntoIterator<Item = &'a Contributions>,
) -> Result<ContributionStatistics> {
    let mut totals = ContributionTotals::default();
    for found in set {
        totals.add(found)?;
    }
    totals.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(score: f64, input: f64, layer: f64) -> Contributions {
        let entry = |layer, name: &str, value: f64| LayerContribution {
            layer,
            name: name.into(),
            value,
            share: value / score,
        };
        Contributions {
            target: 0,
            score,
            input,
            residual: layer,
            residual_share: layer / score,
            score_not_positive: score <= 0.0,
            gap: 1e-9,
            layers: vec![entry(0, "input", input), entry(1, "conv", layer)],
        }
    }

    #[test]
    fn aggregated_over_a_set() {
        let set = [
            found(4.0, 1.0, 3.0),
            found(-1.0, -2.0, 1.0),
            found(2.0, 1.0, 1.0),
        ];
        let all = aggregate(&set).expect("a set");
        assert_eq!((all.pictures, all.not_positive), (3, 1));
        assert_eq!(all.score, MeanStd::of(&[4.0, -1.0, 2.0]));
        assert_eq!(all.residual_share.mean, (0.75 + 0.5) / 2.0);
        assert!((all.residual_share.std - 0.125 * 2f64.sqrt()).abs() < 1e-15);
        assert_eq!(all.layers[1].value, MeanStd::of(&[3.0, 1.0, 1.0]));
        assert_eq!(all.layers[1].share, MeanStd::of(&[0.75, 0.5]));
        assert!(
            aggregate(&set[1..2])
                .expect("one")
                .residual_share
                .mean
                .is_nan()
        );
        assert!(aggregate(&[]).is_err());
        let mut other = found(1.0, 0.5, 0.5);
        other.layers.pop();
        assert!(aggregate(&[found(1.0, 0.5, 0.5), other]).is_err());
    }
}
