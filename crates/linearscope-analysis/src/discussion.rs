//! Pixel discussions: what each pixel says for each class, sources included.
//!
//! A row ⊙ x₀ leaves out what the sources say; a discussion carries them back to the pixels too. One
//! backward sweep takes (q, s) along, q ← Wᵀ q as for rows, and at a source b̂ adds to s:
//!
//! - *scored*: s ← Wᵀ(s + q ⊙ b̂), D = q₀ ⊙ x₀ + s₀. It does not sum to the score: the gap is told.
//! - *conserving*: the same with W's shares of what passes, |Wᵢⱼ| / Σₖ|Wᵢₖ| for weighted maps, so
//!   that nothing is lost or made and D sums to the score.
//! - *paper*: equation 18 of the paper leaves the class out of what sources say: s ← Wᵀ(s + b̂),
//!   D = q₀ ⊙ x₀ + λ s₀ with the λ for which D sums to the score. λ is told; a class whose own
//!   words count for less than λ s₀ is one whose discussion means little.

use burn::tensor::Tensor;
use burn_dispatch::Dispatch;
use linearscope::{Error, program::Carry};

use crate::{
    FrozenNetwork, LinearOperator,
    frozen::{batched, flat, host},
    operator::Result,
    projection::indicators,
};

/// How sources are carried back to pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Weighted by what the class makes of them; the default for votes.
    #[default]
    Scored,
    /// Shared out so that a discussion sums to its score.
    Conserving,
    /// Equation 18 as printed, normalised.
    Paper,
}

/// Who is heard in a discussion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heard {
    /// Pixels and all sources.
    #[default]
    All,
    /// The pixels alone: the row ⊙ x₀, which is gradient × input where the network is piecewise
    /// linear.
    Input,
    /// The sources of one layer (a number of [`FrozenNetwork::layers`]) alone.
    Layer(usize),
}

/// What pixels say about some outputs.
#[derive(Clone, Debug)]
pub struct Discussions {
    /// D, `[targets, n]`.
    pub pixels: Tensor<2>,
    /// f(x₀) at each target.
    pub scores: Vec<f64>,
    /// Σ D − score, over |score|, for each target; what scored readings lack, what others lose by
    /// rounding, and what those who are not heard would add.
    pub gaps: Vec<f64>,
    /// λ for each target; 1 where the reading has none.
    pub factors: Vec<f64>,
}

/// The discussions of outputs (flat) in one backward sweep for all of them.
///
/// Cost: 2 adjoint products a target, conserving also one forward product; paper 1, and 2 once,
/// because what its sources say has no class in it.
///
/// # Errors
/// [`Error::OutOfRange`]; [`Error::Memory`] where nothing was recorded; [`Error::NotFinite`] where
/// λ is infinite, since no source reaches the pixels.
pub fn discussions(f: &FrozenNetwork, targets: &[usize], reading: Reading) -> Result<Discussions> {
    discussions_of(f, targets, reading, Heard::All)
}

/// [`discussions`] in which only some are heard. What the pixels and all layers say adds up to the
/// whole discussion; the paper's λ is that of the whole.
///
/// Cost: as [`discussions`]; the pixels alone: 1 adjoint product a target.
///
/// # Errors
/// As [`discussions`]; [`Error::OutOfRange`] for a layer there is not.
pub fn discussions_of(
    f: &FrozenNetwork,
    targets: &[usize],
    reading: Reading,
    heard: Heard,
) -> Result<Discussions> {
    let layer = match heard {
        Heard::Layer(layer) if layer >= f.layers().len() => {
            return Err(Error::OutOfRange {
                what: "the layer".into(),
                index: vec![layer],
                shape: vec![f.layers().len()],
            });
        }
        Heard::Layer(layer) => Some(layer),
        Heard::All | Heard::Input => None,
    };
    let len = f.output_len();
    if let Some(&outside) = targets.iter().find(|&&target| target >= len) {
        return Err(Error::OutOfRange {
            what: "the target".into(),
            index: vec![outside],
            shape: f.output_shape().to_vec(),
        });
    }
    let reference = host(f.reference())?;
    let scores: Vec<f64> = targets.iter().map(|&target| reference[target]).collect();
    let places: Vec<Vec<usize>> = targets.iter().map(|&target| vec![target]).collect();
    let seeds = indicators(f, &places, len);
    let n = f.input_len();
    let mut factors = vec![1.0; targets.len()];
    let carried = |seeds: Tensor<2>, carry, layer| {
        let seeds = batched(seeds, f.output_shape());
        let (q, s) = f
            .recorded_for("a discussion")?
            .carried(&seeds, carry, layer)?;
        Ok::<_, Error>((flat(q), flat(s)))
    };
    let (own, sources) = match (reading, heard) {
        (_, Heard::Input) => (f.apply_adjoint(seeds)? * f.x0(), None),
        (Reading::Paper, _) => {
            let own = f.apply_adjoint(seeds.clone())? * f.x0();
            // Nothing of the class is in what the sources say: one target speaks for all.
            let first = seeds.narrow(0, 0, 1);
            let (_, made) = carried(first.clone(), Carry::Plain, None)?;
            let made_sum: f64 = host(made.clone())?.iter().sum();
            let said = host(own.clone())?;
            for (i, (factor, said)) in factors.iter_mut().zip(said.chunks(n)).enumerate() {
                *factor = (scores[i] - said.iter().sum::<f64>()) / made_sum;
                if !factor.is_finite() {
                    return Err(Error::NotFinite {
                        what: "the factor of equation 18".into(),
                        count: 1,
                        first: i,
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
        (Reading::Scored, _) => {
            let (q, s) = carried(seeds, Carry::Scored, layer)?;
            (q * f.x0(), Some(s))
        }
        (Reading::Conserving, _) => {
            let (q, s) = carried(seeds, Carry::Conserving, layer)?;
            (q * f.x0(), Some(s))
        }
    };
    let pixels = match (heard, sources) {
        (Heard::Layer(_), Some(sources)) => sources,
        (_, Some(sources)) => own + sources,
        (_, None) => own,
    };
    let gaps = host(pixels.clone())?
        .chunks(n)
        .zip(&scores)
        .map(|(d, score)| (d.iter().sum::<f64>() - score) / score.abs())
        .collect();
    Ok(Discussions {
        pixels,
        scores,
        gaps,
        factors,
    })
}

/// Contributions of every layer to all outputs in forward passes, `[layers, N]`: entry `[l, o]` is
/// what the sources of layer l add to output o. Layers as in [`FrozenNetwork::layers`]; Σₗ is r.
///
/// It says the same as one adjoint sweep for each output, and the two check each other. Cost: one
/// forward for each layer that has sources.
///
/// # Errors
/// [`Error::Memory`] where nothing was recorded.
pub fn contributions_of_all(f: &FrozenNetwork) -> Result<Tensor<2>> {
    let found = f.recorded_for("contributions")?.contributions_of_all()?;
    let mut rows = found.into_iter();
    let first: <Dispatch as burn_backend::BackendTypes>::FloatTensorPrimitive =
        rows.next().expect("one output");
    Ok(flat(first))
}
