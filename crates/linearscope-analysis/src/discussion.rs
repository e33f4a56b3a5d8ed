//! Pixel discussions: how much each pixel supports each class, sources included.
//!
//! A row ⊙ x₀ leaves out what the sources add to a score; a discussion carries this back to the
//! pixels too. One backward sweep carries (q, s). As for rows, q ← Wᵀ q. A source b̂ adds to s:
//!
//! - *scored*: s ← Wᵀ(s + q ⊙ b̂), D = q₀ ⊙ x₀ + s₀. It does not sum to the score: the gap is
//!   reported.
//! - *conserving*: the same with W replaced by the shares of what passes, |Wᵢⱼ| / Σₖ|Wᵢₖ| for weighted
//!   maps. So nothing is lost or created, and D sums to the score. What sources add at entries that
//!   depend on no pixel (a pruned filter's bias, a window wholly on padding) is spread evenly over all
//!   pixels, and reported.
//! - *paper*: equation 18 of the paper leaves the class out of the sources' part: s ← Wᵀ(s + b̂),
//!   D = q₀ ⊙ x₀ + λ s₀ with the λ for which D sums to the score. λ is reported. Where the class's
//!   own part is smaller than λ s₀, its discussion means little.

use burn::tensor::{Tensor, TensorData};
use linearscope::{delivered, program::Carry};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    vectors::{batched, flat, numbers, over, read},
};

/// How sources are carried back to pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Propagation {
    /// Weighted by the gradient of the class score.
    Scored,
    /// Redistributed so that a discussion sums to its score; the default.
    #[default]
    Conserving,
    /// Equation 18 as printed, normalised.
    Paper,
}

/// Which terms of a discussion are included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Terms {
    /// Pixels and all sources.
    #[default]
    All,
    /// The pixels alone: the row ⊙ x₀, which is gradient × input where the network is piecewise
    /// linear.
    Input,
    /// The sources of one layer (a number of [`FrozenNetwork::layers`]) alone.
    Layer(usize),
}

/// The discussions of some outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discussions {
    /// D, `[targets, n]`, in the network's dtype.
    pub pixels: TensorData,
    /// f(x₀) at each target.
    pub scores: Vec<f64>,
    /// Σ D − score, relative to |score|, for each target: what the scored propagation lacks, what others
    /// lose by rounding, and what excluded terms would add.
    pub gaps: Vec<f64>,
    /// λ for each target; 1 where the propagation has none.
    pub factors: Vec<f64>,
    /// The part of each D that comes from sources where nothing depends on a pixel. It is spread evenly over all
    /// pixels. 0 except for the conserving propagation.
    pub evenly: Vec<f64>,
}

/// Compute the discussions of outputs (flat positions) in one backward sweep for all of them.
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
/// use linearscope_analysis::{discussion::{Propagation, discussions}, vectors::numbers};
///
/// let found = discussions(&frozen, &[0, 2], Propagation::Conserving)?;
/// let sum: f64 = numbers(found.pixels)?[..4].iter().sum();
/// assert!((sum - found.scores[0]).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Cost: 2 adjoint products per target, for conserving also one forward product. For paper, 1 per
/// target and 2 once, because its sources' part does not depend on the class.
///
/// # Errors
/// [`Error::OutOfRange`]; [`Error::Empty`] without outputs; [`linearscope::Error::Memory`] if nothing was recorded;
/// [`Error::NotFinite`] if λ is infinite because no source reaches the pixels.
pub fn discussions(
    f: &FrozenNetwork,
    targets: &[usize],
    propagation: Propagation,
) -> Result<Discussions> {
    discussions_of(f, targets, propagation, Terms::All)
}

/// Like [`discussions`], but with only some of the terms. The terms of the pixels and of all layers add
/// up to the whole discussion; the paper's λ is that of the whole.
///
/// Cost: as [`discussions`]; for the pixels alone, 1 adjoint product per target.
///
/// # Errors
/// As [`discussions`]; [`Error::OutOfRange`] for a layer that does not exist.
pub fn discussions_of(
    f: &FrozenNetwork,
    targets: &[usize],
    propagation: Propagation,
    terms: Terms,
) -> Result<Discussions> {
    let places: Vec<Vec<usize>> = targets.iter().map(|&target| vec![target]).collect();
    discussions_of_sums(f, &places, propagation, terms)
}

/// Σ f(x₀) over each target, a list of flat positions.
///
/// # Errors
/// [`Error::Empty`] without targets, and for one without positions; [`Error::OutOfRange`].
pub(crate) fn scores(f: &FrozenNetwork, targets: &[Vec<usize>]) -> Result<Vec<f64>> {
    if targets.is_empty() || targets.iter().any(Vec::is_empty) {
        return Err(Error::Empty {
            what: "the list of outputs",
        });
    }
    let y0 = read(f.reference())?;
    if let Some(&outside) = targets.iter().flatten().find(|&&at| at >= y0.len()) {
        return Err(Error::OutOfRange {
            what: "the target",
            index: vec![outside],
            shape: f.output_shape().to_vec(),
        });
    }
    let score = |target: &Vec<usize>| target.iter().map(|&at| y0[at]).sum();
    Ok(targets.iter().map(score).collect())
}

/// Like [`discussions_of`], but for sums of outputs: each target is a list of positions whose scores are added, such
/// as the pixels of a region or a class over a mask.
///
/// Cost: as [`discussions_of`], whatever the length of the lists.
///
/// # Errors
/// As [`discussions_of`].
pub fn discussions_of_sums(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    propagation: Propagation,
    terms: Terms,
) -> Result<Discussions> {
    let layer = match terms {
        Terms::Layer(layer) if layer >= f.layers().len() => {
            return Err(Error::OutOfRange {
                what: "the layer",
                index: vec![layer],
                shape: vec![f.layers().len()],
            });
        }
        Terms::Layer(layer) => Some(layer),
        Terms::All | Terms::Input => None,
    };
    let scores = scores(f, targets)?;
    let len = f.output_len();
    let seeds = f.upload(indicators(targets, len), len);
    let n = f.input_len();
    let mut factors = vec![1.0; targets.len()];
    let mut evenly = vec![0.0; targets.len()];
    let carried = |seeds: Tensor<2>, carry, layer| {
        let seeds = batched(seeds, f.output_shape());
        let (q, s, elsewhere) = f
            .recorded_for("a discussion")?
            .carried(&seeds, carry, layer)?;
        Ok::<_, Error>((flat(q), flat(s), flat(elsewhere)))
    };
    let (own, sources) = match (propagation, terms) {
        (_, Terms::Input) => (f.apply_adjoint(seeds)? * f.x0(), None),
        (Propagation::Paper, _) => {
            let own = f.apply_adjoint(seeds.clone())? * f.x0();
            // Nothing of the class is in what the sources say: one target speaks for all.
            let first = seeds.narrow(0, 0, 1);
            let (_, made, _) = carried(first.clone(), Carry::Plain, None)?;
            let made_sum: f64 = read(made.clone())?.iter().sum();
            let said = read(own.clone())?;
            for (i, (factor, said)) in factors.iter_mut().zip(said.chunks(n)).enumerate() {
                *factor = (scores[i] - said.iter().sum::<f64>()) / made_sum;
                if !factor.is_finite() {
                    return Err(Error::NotFinite {
                        what: format!("λ of equation 18 for output {:?}", targets[i]),
                        because: "no source reaches the pixels; use the scored or the conserving propagation"
                            .into(),
                    });
                }
            }
            let made = match layer {
                None => made,
                Some(_) => carried(first, Carry::Plain, layer)?.1,
            };
            let factors = f.upload(factors.clone(), 1);
            (own, Some(factors.matmul(made)))
        }
        (Propagation::Scored, _) => {
            let (q, s, _) = carried(seeds, Carry::Scored, layer)?;
            (q * f.x0(), Some(s))
        }
        (Propagation::Conserving, _) => {
            let (q, s, elsewhere) = carried(seeds, Carry::Conserving, layer)?;
            evenly = read(elsewhere.clone())?;
            (q * f.x0(), Some(s + elsewhere.div_scalar(n as f64)))
        }
    };
    let pixels = match (terms, sources) {
        (Terms::Layer(_), Some(sources)) => sources,
        (_, Some(sources)) => own + sources,
        (_, None) => own,
    };
    let pixels = delivered(pixels.try_into_data())?;
    if let Some(bad) = numbers(pixels.clone())?.iter().find(|v| !v.is_finite()) {
        return Err(Error::NotFinite {
            what: "a discussion".into(),
            because: format!(
                "it contains {bad}: the paper's propagation cannot handle sources that are infinite where no \
                 decision selects them; use the scored or the conserving one"
            ),
        });
    }
    let gaps = numbers(pixels.clone())?
        .chunks(n)
        .zip(&scores)
        .map(|(d, score)| over(d.iter().sum::<f64>() - score, score.abs()))
        .collect();
    Ok(Discussions {
        pixels,
        scores,
        gaps,
        factors,
        evenly,
    })
}
