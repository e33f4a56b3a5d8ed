//! Layer-wise contributions to one score (the paper's Theorem 1).
//!
//! With q the cotangent that one adjoint sweep carries from the score back to a source b,
//!
//! ```text
//! score = ⟨Fᵀδ, x₀⟩ + Σ_sources ⟨q, b⟩
//! ```
//!
//! on any acyclic graph. A layer is one weighted op and everything up to the next. The pixels' own
//! part comes first, then any sources before the first weighted op.
//!
//! Not every source is a bias. Freezing a sigmoid leaves σ(0) = ½ over, and freezing a norm that
//! measures x₀ leaves −μ. These are constants of a *unit*, which training did not choose. They are
//! listed next to their layer's biases, one entry for each node that has some.

use burn::tensor::Tensor;
use burn_backend::BackendTypes;
use burn_dispatch::Dispatch;
use linearscope::program::SourceKind;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    estimate::{MeanStd, MeanStdTotals},
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    ranking::argmax,
    vectors::{dot, flat, read},
};

/// Where a part of a score comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartKind {
    /// The pixels.
    Input,
    /// A layer's biases, and whatever else the network itself adds: [`SourceKind::Bias`].
    Bias,
    /// The constants of one node's frozen units: [`SourceKind::Unit`].
    Unit,
}

impl From<SourceKind> for PartKind {
    fn from(kind: SourceKind) -> Self {
        match kind {
            SourceKind::Bias => Self::Bias,
            SourceKind::Unit => Self::Unit,
        }
    }
}

/// One part of a score: the pixels', that of a layer's biases, or that of the constants of its units at one
/// node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerContribution {
    /// Number of the layer; 0 is the input and everything before the first weighted op.
    pub layer: usize,
    /// Name of the weighted op that begins the layer, or of the node for units; for number 0, "input" (the
    /// pixels' own part) or "before the first layer" (biases there).
    pub name: String,
    /// Where it comes from.
    pub kind: PartKind,
    /// Its part of the score.
    pub value: f64,
    /// value / score; 0 if the score is 0.
    pub share: f64,
}

/// A score, split into its parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contributions {
    /// Flat index of the output that was asked about.
    pub target: usize,
    /// f(x₀) there.
    pub score: f64,
    /// ⟨row, x₀⟩: what the pixels themselves add, without sources.
    pub input: f64,
    /// r there: the sum over all sources.
    pub residual: f64,
    /// What the biases of all layers add.
    pub biases: f64,
    /// What the constants of units of all layers add; together with the biases this is the
    /// residual.
    pub units: f64,
    /// residual / score; 0 if the score is 0. Meaningless for a score ≤ 0, which is flagged for that
    /// reason.
    pub residual_share: f64,
    /// The score is not positive: shares flip their sign.
    pub score_not_positive: bool,
    /// |Σ contributions − score| / Σ|contributions|.
    pub gap: f64,
    /// The input, then for each layer one entry for its biases and one for each node with constants of
    /// units. Parts that do not exist are left out.
    pub layers: Vec<LayerContribution>,
}

impl Contributions {
    /// What a layer adds: its biases, and the constants of its units. Number 0 does not include the
    /// pixels' own part, which is [`input`](Self::input).
    pub fn of_layer(&self, layer: usize) -> (f64, f64) {
        let of = |kind| {
            let parts = self.layers.iter();
            let parts = parts.filter(|part| (part.layer, part.kind) == (layer, kind));
            // A sum of none would be −0.
            parts.fold(0.0, |sum, part| sum + part.value)
        };
        (of(PartKind::Bias), of(PartKind::Unit))
    }
}

/// Compute the contributions of every layer to output `target` (a flat index), with biases and constants of
/// units listed separately. Cost: one adjoint sweep.
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
    let entry = |layer: usize, name: &str, kind: PartKind, value: f64| LayerContribution {
        layer,
        name: name.to_string(),
        kind,
        value,
        share: part_of(value, score),
    };
    let mut layers = vec![entry(0, "input", PartKind::Input, input)];
    for (layer, name) in f.layers().iter().enumerate() {
        let name = match layer {
            0 => "before the first layer",
            _ => &**name,
        };
        let mut parts: Vec<(&str, PartKind, f64)> = Vec::new();
        for source in sources.iter().filter(|source| source.layer == layer) {
            let (name, kind) = match source.kind {
                SourceKind::Bias => (name, PartKind::Bias),
                SourceKind::Unit => (&source.node[..], PartKind::Unit),
            };
            let known = parts
                .iter_mut()
                .find(|part| (part.0, part.1) == (name, kind));
            match known {
                Some(part) => part.2 += source.values[0],
                None => parts.push((name, kind, source.values[0])),
            }
        }
        // Biases first, units in the order they run.
        parts.sort_by_key(|part| part.1);
        layers.extend(
            parts
                .into_iter()
                .map(|(name, kind, value)| entry(layer, name, kind, value)),
        );
    }
    let of_kind = |kind: SourceKind| -> f64 {
        let some = sources.iter().filter(|source| source.kind == kind);
        some.fold(0.0, |sum, source| sum + source.values[0])
    };
    let (biases, units) = (of_kind(SourceKind::Bias), of_kind(SourceKind::Unit));
    let residual: f64 = sources.iter().map(|source| source.values[0]).sum();
    let total: f64 = layers.iter().map(|layer| layer.value).sum();
    let magnitude: f64 = layers.iter().map(|layer| layer.value.abs()).sum();
    Ok(Contributions {
        target,
        score,
        input,
        residual,
        biases,
        units,
        residual_share: part_of(residual, score),
        score_not_positive: score <= 0.0,
        gap: (total - score).abs() / magnitude.max(f64::MIN_POSITIVE),
        layers,
    })
}

/// A part over a score; nothing is a part of no score.
fn part_of(value: f64, score: f64) -> f64 {
    match score {
        0.0 => 0.0,
        score => value / score,
    }
}

/// The flat index of the largest output; ties go to the first.
///
/// # Errors
/// [`Error::Data`]; [`Error::Empty`] for an output without elements.
pub fn top1(f: &FrozenNetwork) -> Result<usize> {
    argmax(&read(f.reference())?).ok_or(Error::Empty { what: "the output" })
}

/// Compute the contributions of every layer to all outputs by forward passes, `[layers, N]`: entry
/// `[l, o]` is what the sources of layer l add to output o. Layers are those of
/// [`FrozenNetwork::layers`]; Σₗ is r.
///
/// The result equals that of one adjoint sweep for each output, so the two check each other. Cost:
/// one forward pass for each layer that has sources.
///
/// # Errors
/// [`linearscope::Error::Memory`] if nothing was recorded.
pub fn contributions_of_all(f: &FrozenNetwork) -> Result<Tensor<2>> {
    let found = f.recorded_for("contributions")?.contributions_of_all()?;
    let first: <Dispatch as BackendTypes>::FloatTensorPrimitive =
        found.into_iter().next().expect("one output");
    Ok(flat(first))
}

/// What one part adds over a set of pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerStatistics {
    /// As in [`LayerContribution`].
    pub layer: usize,
    /// As in [`LayerContribution`].
    pub name: String,
    /// As in [`LayerContribution`].
    pub kind: PartKind,
    /// Statistics of value; a part that a picture does not have counts as 0 there.
    pub value: MeanStd,
    /// Statistics of value / score.
    pub share: MeanStd,
}

/// Contributions over a set of pictures: the paper's Tables 3 and 4, and one curve of its Fig. 8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContributionStatistics {
    /// How many pictures.
    pub pictures: usize,
    /// Pictures whose score is not positive: they are left out of the shares, whose sign would flip.
    pub not_positive: usize,
    /// Statistics of the scores.
    pub score: MeanStd,
    /// Statistics of residual / score; NaN if no score is positive.
    pub residual_share: MeanStd,
    /// The largest |Σ contributions − score| / Σ|contributions|.
    pub gap: f64,
    /// One entry for each part that any picture has, in the order of [`Contributions::layers`].
    pub layers: Vec<LayerStatistics>,
}

/// Accumulates [`ContributionStatistics`] picture by picture, without keeping the pictures' results. It is plain
/// data, so that a long run can be saved and resumed.
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
    kind: PartKind,
    value: MeanStdTotals,
    share: MeanStdTotals,
}

impl LayerTotals {
    /// One that so many pictures before did not have, and so many of positive score.
    fn of(part: &LayerContribution, pictures: usize, positive: usize) -> Self {
        let mut totals = Self {
            layer: part.layer,
            name: part.name.clone(),
            kind: part.kind,
            value: MeanStdTotals::default(),
            share: MeanStdTotals::default(),
        };
        (0..pictures).for_each(|_| totals.value.add(0.0));
        (0..positive).for_each(|_| totals.share.add(0.0));
        totals
    }

    fn is_of(&self, part: &LayerContribution) -> bool {
        (self.layer, self.kind, &self.name[..]) == (part.layer, part.kind, &part.name[..])
    }
}

impl ContributionTotals {
    /// How many pictures were added.
    pub fn pictures(&self) -> usize {
        self.score.count()
    }

    /// Add one more picture of the same network. After an error the totals are unchanged.
    ///
    /// # Errors
    /// [`Error::Different`] if the layers differ from those of earlier pictures.
    pub fn add(&mut self, found: &Contributions) -> Result<()> {
        let of_network = |kind: PartKind| kind != PartKind::Unit;
        if self.pictures() > 0 {
            let known = self.layers.iter().filter(|layer| of_network(layer.kind));
            let known = known.map(|layer| &layer.name);
            let names = found.layers.iter().filter(|layer| of_network(layer.kind));
            let names = names.map(|layer| &layer.name);
            if !known.clone().eq(names.clone()) {
                let (names, known): (Vec<_>, Vec<_>) = (names.collect(), known.collect());
                return Err(Error::Different {
                    what: "contributions",
                    because: format!("layers {names:?} and {known:?}"),
                });
            }
        }
        // A picture may lack a unit's constants: some are left over where x₀ has infinities only.
        let (before, positive_before) = (self.pictures(), self.residual_share.count());
        for part in &found.layers {
            if !self.layers.iter().any(|layer| layer.is_of(part)) {
                let key = (part.layer, part.kind);
                let at = self
                    .layers
                    .iter()
                    .position(|layer| (layer.layer, layer.kind) > key);
                let new = LayerTotals::of(part, before, positive_before);
                self.layers.insert(at.unwrap_or(self.layers.len()), new);
            }
        }
        // Shares of a score that is not positive would flip their sign.
        let positive = !found.score_not_positive;
        self.not_positive += usize::from(!positive);
        self.score.add(found.score);
        self.gap = self.gap.max(found.gap);
        if positive {
            self.residual_share.add(found.residual_share);
        }
        for totals in &mut self.layers {
            let part = found.layers.iter().find(|part| totals.is_of(part));
            totals.value.add(part.map_or(0.0, |part| part.value));
            if positive {
                totals.share.add(part.map_or(0.0, |part| part.share));
            }
        }
        Ok(())
    }

    /// The statistics of the pictures added so far.
    ///
    /// # Errors
    /// [`Error::Empty`] without pictures.
    pub fn finish(&self) -> Result<ContributionStatistics> {
        if self.pictures() == 0 {
            return Err(Error::Empty {
                what: "a set of contributions",
            });
        }
        let layers = self.layers.iter().map(|layer| LayerStatistics {
            layer: layer.layer,
            name: layer.name.clone(),
            kind: layer.kind,
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

/// Compute the mean and standard deviation over pictures of one network, layer by layer. Each
/// picture has its own target (for instance its best class). See [`ContributionTotals`].
///
/// # Errors
/// [`Error::Empty`] without pictures; [`Error::Different`] if the layers are not those of one network.
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
        let entry = |layer, name: &str, kind, value: f64| LayerContribution {
            layer,
            name: name.into(),
            kind,
            value,
            share: value / score,
        };
        Contributions {
            target: 0,
            score,
            input,
            residual: layer,
            biases: layer,
            units: 0.0,
            residual_share: layer / score,
            score_not_positive: score <= 0.0,
            gap: 1e-9,
            layers: vec![
                entry(0, "input", PartKind::Input, input),
                entry(1, "conv", PartKind::Bias, layer),
            ],
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

    /// A unit's constant that only some pictures have is 0 on the others, whatever their order.
    #[test]
    fn units_may_come_and_go() {
        let with = |value: f64| {
            let mut with = found(4.0, 1.0, 3.0);
            with.layers[1].value -= value;
            let name = "sigmoid".into();
            let part = LayerContribution {
                name,
                kind: PartKind::Unit,
                value,
                share: value / 4.0,
                ..with.layers[1].clone()
            };
            with.layers.insert(2, part);
            with.layers.push(LayerContribution {
                layer: 2,
                name: "head".into(),
                kind: PartKind::Bias,
                value: 0.0,
                share: 0.0,
            });
            with
        };
        let without = || {
            let mut without = with(0.0);
            without.layers.remove(2);
            without
        };
        assert_eq!(with(0.5).of_layer(1), (2.5, 0.5));
        for set in [
            [without(), with(1.0), with(0.5)],
            [with(1.0), without(), with(0.5)],
        ] {
            let all = aggregate(&set).expect("one network");
            let names: Vec<&str> = all.layers.iter().map(|part| &part.name[..]).collect();
            assert_eq!(names, ["input", "conv", "sigmoid", "head"]);
            let expected = MeanStd::of(&[0.0, 1.0, 0.5]);
            let unit = &all.layers[2];
            assert!((unit.value.mean - expected.mean).abs() < 1e-15);
            assert!((unit.value.std - expected.std).abs() < 1e-15);
            assert!((unit.share.mean - expected.mean / 4.0).abs() < 1e-15);
        }
    }
}
