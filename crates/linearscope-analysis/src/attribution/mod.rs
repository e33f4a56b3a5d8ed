//! Attributions: how much each input entry adds to a score, by the methods the field uses.
//!
//! Four families, which the types keep apart:
//!
//! | family | what it is | what it has |
//! | --- | --- | --- |
//! | [`AdjointMethod`] | the adjoint of a program, at x₀ | rows, columns, an adjoint test, an SVD |
//! | [`SweepMethod`] | a backward sweep with rules of its own | a map, no operator |
//! | [`MeanMethod`] | a mean of gradients at several inputs | a map |
//! | [`ForwardMethod`] | forward passes alone, or a layer's values | a map |
//!
//! Where a method promises that its map sums to something, [`Attribution::promised`] is what, and
//! [`Attribution::gap`] how far it is off.

mod composite;
mod forward;
mod map;
mod means;
mod method;

use std::ops::ControlFlow;

use linearscope::program::Clip;

pub use composite::{Composite, LayerRule, Selector};
pub use map::{Attribution, Surroundings};
use map::{inputs, rows, tangent_at};
pub use method::{AdjointMethod, ForwardMethod, MeanMethod, Method, NAMES, SweepMethod};

use crate::{
    discussion::{Propagation, Terms, discussions_of_sums, scores},
    error::{Error, Result, tell},
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    progress::Progress,
    vectors::{batched, flat, numbers, read, shaped},
};

/// Attribute sums of outputs, each target a list of flat positions, to the input's entries. Progress counts the
/// freezings or forward passes of methods that take several.
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
/// Cost a target: adjoints and guided backpropagation 1 adjoint, with sources 2; those of the gradient freeze once
/// more; LRP a replay and 1 to 4 adjoints; means a freezing and an adjoint a step; Grad-CAM a
/// freezing, a replay and a part of an adjoint; occlusion a forward a patch.
///
/// # Errors
/// [`Error::OutOfRange`]; [`Error::Empty`]; [`Error::Setting`] for bounds or layers there are not;
/// [`linearscope::Error::Memory`] where nothing was recorded; [`Error::NotFinite`]; [`Error::Stopped`].
pub fn attribute(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    method: &Method,
    around: &Surroundings,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Attribution>> {
    let scores = scores(f, targets)?;
    let promising = |maps: Vec<Vec<f64>>, promised: &dyn Fn(usize) -> Option<f64>| {
        let each = maps.into_iter().zip(targets).enumerate();
        each.map(|(i, (map, target))| Attribution::new(method, target, scores[i], map, promised(i)))
            .collect::<Vec<_>>()
    };
    let found = match method {
        Method::Adjoint(adjoint) => {
            let maps = adjoint_maps(f, targets, *adjoint)?;
            let residual = match adjoint {
                AdjointMethod::Row => read(f.residual()?)?,
                _ => Vec::new(),
            };
            promising(maps, &|i| match adjoint {
                AdjointMethod::Conserving | AdjointMethod::Paper => Some(scores[i]),
                AdjointMethod::Row => {
                    let r: f64 = targets[i].iter().map(|&at| residual[at]).sum();
                    Some(scores[i] - r)
                }
                AdjointMethod::Scored
                | AdjointMethod::Gradient
                | AdjointMethod::Saliency
                | AdjointMethod::GradientInput => None,
            })
        }
        Method::Sweep(sweep) => {
            let maps = sweep_maps(f, targets, sweep, around)?;
            promising(maps, &|i| match sweep {
                SweepMethod::Lrp(_) => Some(scores[i]),
                SweepMethod::GuidedBackprop | SweepMethod::Deconvolution => None,
            })
        }
        Method::Mean(mean) => {
            means::maps(f, targets, &scores, (method, *mean), around, &mut observer)?
        }
        Method::Forward(forward) => forward::maps(
            f,
            targets,
            &scores,
            (method, forward),
            around,
            &mut observer,
        )?,
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

fn adjoint_maps(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    method: AdjointMethod,
) -> Result<Vec<Vec<f64>>> {
    let discussed = |propagation| -> Result<Vec<Vec<f64>>> {
        let found = discussions_of_sums(f, targets, propagation, Terms::All)?;
        Ok(inputs(f, &numbers(found.pixels)?))
    };
    let x0 = read(f.x0())?;
    let times_x0 = |rows: Vec<Vec<f64>>| -> Vec<Vec<f64>> {
        let one = |row: Vec<f64>| row.iter().zip(&x0).map(|(a, b)| a * b).collect();
        rows.into_iter().map(one).collect()
    };
    let gradients = || rows(&tangent_at(f, x0.clone())?, targets);
    Ok(match method {
        AdjointMethod::Conserving => discussed(Propagation::Conserving)?,
        AdjointMethod::Scored => discussed(Propagation::Scored)?,
        AdjointMethod::Paper => discussed(Propagation::Paper)?,
        AdjointMethod::Row => times_x0(rows(f, targets)?),
        AdjointMethod::Gradient => gradients()?,
        AdjointMethod::GradientInput => times_x0(gradients()?),
        AdjointMethod::Saliency => {
            let one = |row: Vec<f64>| row.into_iter().map(f64::abs).collect();
            gradients()?.into_iter().map(one).collect()
        }
    })
}

fn sweep_maps(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    method: &SweepMethod,
    around: &Surroundings,
) -> Result<Vec<Vec<f64>>> {
    let len = f.output_len();
    let seeds = indicators(targets, len);
    let found = match method {
        SweepMethod::GuidedBackprop | SweepMethod::Deconvolution => {
            let clip = match method {
                SweepMethod::GuidedBackprop => Clip::Guided,
                _ => Clip::Deconvolution,
            };
            let y = batched(f.upload(seeds, len), f.output_shape());
            let recorded = f.recorded_for("a clipped sweep")?;
            recorded.clipped_between(y, None, None, clip)?
        }
        SweepMethod::Lrp(composite) => {
            composite.check(around.bounds.is_some())?;
            // Relevance begins as the score itself.
            let y0 = read(f.reference())?;
            let scored = seeds.iter().enumerate().map(|(i, on)| on * y0[i % len]);
            let y = batched(f.upload(scored.collect(), len), f.output_shape());
            let x0 = shaped(f.x0(), f.input_shape());
            let recorded = f.recorded_for("a relevance")?;
            recorded.relevance(&x0, &y, composite.stabiliser, |layer| {
                composite.rule(layer, around.bounds.as_ref())
            })?
        }
    };
    Ok(inputs(f, &read(flat(found))?))
}
