//! Attributions: how much each input entry adds to a score, by the field's usual methods.
//!
//! There are four families, one type each:
//!
//! | family | what it is | what it has |
//! | --- | --- | --- |
//! | [`AdjointMethod`] | the adjoint of a program, at x₀ | rows, columns, an adjoint test, an SVD |
//! | [`SweepMethod`] | a backward sweep with its own rules | a map, no operator |
//! | [`MeanMethod`] | a mean of gradients at several inputs | a map |
//! | [`ForwardMethod`] | only forward passes, or a layer's values | a map |
//!
//! If a method promises the sum of its map, [`Attribution::promised`] is the promised sum, and
//! [`Attribution::gap`] says how far the map is off.

mod composite;
mod layers;
mod map;
mod means;
mod method;
mod perturbation;
mod relevance;
mod secant;

use std::ops::ControlFlow;

use linearscope::program::Clip;

pub use composite::{Composite, LayerEntry, LayerRule, Position};
use layers::Weighing;
pub(crate) use map::tangent_at;
pub use map::{Attribution, Surroundings};
use map::{inputs, rows};
pub use method::{AdjointMethod, ForwardMethod, MeanMethod, Method, NAMES, SweepMethod};

use crate::{
    discussion::{Propagation, Terms, discussions_of_sums, scores},
    error::{Error, Result, tell},
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    progress::Progress,
    vectors::{batched, flat, numbers, read},
};

/// Attribute sums of outputs to the input's entries. Each target is a list of flat positions. Progress counts
/// the freezes or forward passes of methods that need several.
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
/// use linearscope_analysis::{attribution::{Surroundings, attribute}, progress::unobserved};
///
/// let method = "conserving".parse()?;
/// let found = attribute(&frozen, &[vec![2]], &method, &Surroundings::default(), unobserved)?;
/// assert!((found[0].sum - found[0].score).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Cost per target: adjoints and guided backpropagation take 1 adjoint, with sources 2; methods of the gradient
/// freeze once more. LRP takes a replay and 1 to 4 adjoints. DeepLift takes 2 freezes, 2 replays and an adjoint.
/// Means take a freeze and an adjoint per step. Grad-CAM and FullGrad take a freeze, a replay and an adjoint.
/// Occlusion, ablation and RISE take, for all targets together, a forward pass per patch, group or mask.
///
/// # Errors
/// [`Error::OutOfRange`]; [`Error::Empty`]; [`Error::Setting`] for missing bounds or layers;
/// [`linearscope::Error::Memory`] if nothing was recorded; [`Error::NotFinite`]; [`Error::Stopped`].
pub fn attribute(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    method: &Method,
    around: &Surroundings,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Attribution>> {
    let scores = scores(f, targets)?;
    let found = match method {
        Method::Adjoint(adjoint) => adjoints(f, targets, &scores, (method, *adjoint))?,
        Method::Sweep(sweep) => sweeps(f, targets, &scores, (method, sweep), around)?,
        Method::Mean(mean) => {
            means::maps(f, targets, &scores, (method, *mean), around, &mut observer)?
        }
        Method::Forward(forward) => {
            let parts = forwards(f, targets, &scores, forward, around, &mut observer)?;
            maps(method, targets, &scores, parts, |_| None)
        }
    };
    tell(&mut observer, Progress::new("attributing", 1, 1))?;
    for one in &found {
        if let Some(bad) = one.map.iter().find(|v| !v.is_finite()) {
            return Err(Error::NotFinite {
                what: format!("the attribution by {}", one.method),
                because: format!("it holds {bad}"),
            });
        }
    }
    Ok(found)
}

/// Maps with what there is to say of each.
type Noted = (Vec<Vec<f64>>, Vec<Option<String>>);

/// Attributions of maps, whose sums are promised to be something.
fn maps(
    method: &Method,
    targets: &[Vec<usize>],
    scores: &[f64],
    (maps, notes): Noted,
    promised: impl Fn(usize) -> Option<f64>,
) -> Vec<Attribution> {
    let each = maps.into_iter().zip(notes).zip(targets).enumerate();
    each.map(|(i, ((map, note), target))| {
        Attribution::new(method, target, scores[i], map, promised(i)).noted(note)
    })
    .collect()
}

/// Maps of which there is nothing to say, or the same of each.
fn all(maps: Vec<Vec<f64>>, note: Option<String>) -> Noted {
    let notes = vec![note; maps.len()];
    (maps, notes)
}

fn adjoints(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    scores: &[f64],
    (method, adjoint): (&Method, AdjointMethod),
) -> Result<Vec<Attribution>> {
    let discussed = |propagation| -> Result<Noted> {
        let found = discussions_of_sums(f, targets, propagation, Terms::All)?;
        let notes = found.evenly.iter().zip(scores);
        let notes = notes.map(|(evenly, score)| spread(*evenly, *score));
        let notes = notes.collect();
        Ok((inputs(f, &numbers(found.pixels)?), notes))
    };
    let x0 = read(f.x0())?;
    let times_x0 = |rows: Vec<Vec<f64>>| -> Vec<Vec<f64>> {
        let one = |row: Vec<f64>| row.iter().zip(&x0).map(|(a, b)| a * b).collect();
        rows.into_iter().map(one).collect()
    };
    let gradients = || rows(&tangent_at(f, x0.clone())?, targets);
    let parts = match adjoint {
        AdjointMethod::Conserving => discussed(Propagation::Conserving)?,
        AdjointMethod::Scored => discussed(Propagation::Scored)?,
        AdjointMethod::Paper => discussed(Propagation::Paper)?,
        AdjointMethod::Row => all(times_x0(rows(f, targets)?), None),
        AdjointMethod::Gradient => all(gradients()?, None),
        AdjointMethod::GradientInput => all(times_x0(gradients()?), None),
        AdjointMethod::Saliency => {
            let one = |row: Vec<f64>| row.into_iter().map(f64::abs).collect();
            all(gradients()?.into_iter().map(one).collect(), None)
        }
    };
    let residual = match adjoint {
        AdjointMethod::Row => read(f.residual()?)?,
        _ => Vec::new(),
    };
    let promised = |i: usize| match adjoint {
        AdjointMethod::Conserving | AdjointMethod::Paper => Some(scores[i]),
        AdjointMethod::Row => {
            let r: f64 = targets[i].iter().map(|&at| residual[at]).sum();
            Some(scores[i] - r)
        }
        AdjointMethod::Scored
        | AdjointMethod::Gradient
        | AdjointMethod::Saliency
        | AdjointMethod::GradientInput => None,
    };
    Ok(maps(method, targets, scores, parts, promised))
}

/// What is said of a part that no pixel has said.
fn spread(evenly: f64, score: f64) -> Option<String> {
    // Rounding of sums that cancel is nothing to speak of.
    (evenly.abs() > 1e-6 * score.abs()).then(|| {
        format!("{evenly:.4} of it comes from biases where nothing depends on the input, and is spread evenly")
    })
}

fn sweeps(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    scores: &[f64],
    (method, sweep): (&Method, &SweepMethod),
    around: &Surroundings,
) -> Result<Vec<Attribution>> {
    let len = f.output_len();
    let seeds = indicators(targets, len);
    let found = match sweep {
        SweepMethod::DeepLift => {
            let (found, promised) = secant::maps(f, targets, around)?;
            let parts = all(found, None);
            return Ok(maps(method, targets, scores, parts, |i| Some(promised[i])));
        }
        SweepMethod::GuidedBackprop | SweepMethod::Deconvolution => {
            let clip = match sweep {
                SweepMethod::GuidedBackprop => Clip::Guided,
                _ => Clip::Deconvolution,
            };
            let y = batched(f.upload(seeds, len), f.output_shape());
            let recorded = f.recorded_for("a clipped sweep")?;
            recorded.clipped_between(y, None, None, clip)?
        }
        SweepMethod::Lrp(composite) => {
            let (found, note) = relevance::maps(f, targets, composite, around)?;
            let parts = all(found, note);
            return Ok(maps(method, targets, scores, parts, |i| Some(scores[i])));
        }
    };
    let parts = all(inputs(f, &read(flat(found))?), None);
    Ok(maps(method, targets, scores, parts, |_| None))
}

fn forwards(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    scores: &[f64],
    method: &ForwardMethod,
    around: &Surroundings,
    observer: &mut impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Noted> {
    let (places, note) = match method {
        ForwardMethod::Ablation { patch } => {
            let (found, note) =
                perturbation::ablation(f, targets, scores, *patch, around, observer)?;
            return Ok(all(found, Some(note)));
        }
        ForwardMethod::GradCam { node } => {
            let [_, h, w] = perturbation::picture(f)?;
            let weighing = Weighing::GradCam;
            let (found, _, node) = layers::of_layer(f, targets, weighing, node.as_deref(), [h, w])?;
            (found, vec![format!("of the layer {node}"); targets.len()])
        }
        ForwardMethod::Layer { node } => {
            let [_, h, w] = perturbation::picture(f)?;
            let weighing = Weighing::Shares;
            let (found, sums, node) =
                layers::of_layer(f, targets, weighing, node.as_deref(), [h, w])?;
            let note = |sum| format!("of the layer {node}, where it sums to {sum:.4}");
            (found, sums.iter().map(note).collect())
        }
        ForwardMethod::FullGrad => {
            let [_, h, w] = perturbation::picture(f)?;
            let (found, note) = layers::full_grad(f, targets, [h, w])?;
            (found, vec![note; targets.len()])
        }
        ForwardMethod::Occlusion { patch, stride } => {
            let size = (*patch, *stride);
            let (found, note) =
                perturbation::occlusion(f, targets, scores, size, around, observer)?;
            (found, vec![note; targets.len()])
        }
        ForwardMethod::Rise { masks, seed } => {
            let masks = (*masks, *seed);
            let (found, note) = perturbation::rise(f, targets, masks, around, observer)?;
            (found, vec![note; targets.len()])
        }
    };
    // Places alone: each channel has an even share.
    let [channels, ..] = perturbation::picture(f)?;
    let shared = |places: Vec<f64>| -> Vec<f64> {
        let share = |v: &f64| v / channels as f64;
        (0..channels)
            .flat_map(|_| places.iter().map(share))
            .collect()
    };
    let found = places.into_iter().map(shared).collect();
    Ok((found, note.into_iter().map(Some).collect()))
}
