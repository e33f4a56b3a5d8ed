//! What a map depends on: on x₀ a little, on the weights much, on chance not at all.

use std::sync::Arc;

use burn::tensor::TensorData;
use linearscope::{Loaded, SplitMix64};
use serde::{Deserialize, Serialize};

use super::asked::{Asked, own};
use crate::{
    attribution::{Attribution, ForwardMethod, MeanMethod, Method, attribute},
    error::{Error, Result, tell},
    frozen::FrozenNetwork,
    operator::LinearOperator,
    progress::{Observer, Progress},
    vectors::{distance, dot, norm},
};

/// A network whose last layers were re-drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// How many, from the output on.
    pub layers: usize,
    /// Spearman's correlation of the magnitudes of places with those of the network as it is: 1 where the weights do not
    /// matter. `None` where a map is constant, or the method has none there.
    pub similarity: Option<f64>,
}

/// The one map of a method.
pub(super) fn map_of(
    asked: &Asked<'_>,
    f: &FrozenNetwork,
    method: &Method,
    observer: &mut Observer<'_>,
) -> Result<Attribution> {
    let found = attribute(f, &asked.target, method, asked.around, &mut *observer)?;
    found.into_iter().next().ok_or(Error::Empty {
        what: "the list of outputs",
    })
}

/// What is asked of each method whose map at x₀ is there.
pub(super) type Known<'a> = [(&'a Method, &'a Attribution)];

/// ‖a − b‖ / ‖b‖; `None` where b is 0.
fn change(a: &[f64], b: &[f64]) -> Option<f64> {
    Some(distance(a, b) / norm(b)).filter(|change| change.is_finite())
}

/// Inputs around x₀, each entry off by up to the radius; none around a constant x₀.
pub(super) fn neighbours(asked: &Asked<'_>) -> Vec<Vec<f64>> {
    let least = asked.x0.iter().copied().fold(f64::INFINITY, f64::min);
    let most = asked.x0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let radius = asked.config.radius * (most - least);
    if radius == 0.0 {
        return Vec::new();
    }
    let mut random = SplitMix64::new(asked.config.seed);
    (0..asked.config.neighbours)
        .map(|_| {
            let x0 = asked.x0.iter();
            x0.map(|x| x + radius * random.next_uniform()).collect()
        })
        .collect()
}

/// The largest relative change of each method's map over the neighbours. Cost: a freezing and all methods a neighbour.
pub(super) fn sensitivities(
    asked: &Asked<'_>,
    known: &Known<'_>,
    observer: &mut Observer<'_>,
) -> Result<Vec<Option<f64>>> {
    let neighbours = neighbours(asked);
    let all = neighbours.len();
    let mut most = vec![(all > 0).then_some(0.0f64); known.len()];
    for (done, x) in neighbours.into_iter().enumerate() {
        tell(observer, Progress::new("visiting neighbours", done, all))?;
        let maps = maps(asked, known, asked.f.frozen().loaded().clone(), x, observer)?;
        for ((most, map), (_, at_x0)) in most.iter_mut().zip(maps).zip(known) {
            let change = map.and_then(|map| change(&map, &at_x0.map));
            *most = most.zip(change).map(|(most, change)| most.max(change));
        }
    }
    Ok(most)
}

/// Each method's map of a network at an input; `None` where it has none, or nothing can be frozen.
fn maps(
    asked: &Asked<'_>,
    known: &Known<'_>,
    loaded: Arc<Loaded<burn_dispatch::Dispatch>>,
    x: Vec<f64>,
    observer: &mut Observer<'_>,
) -> Result<Vec<Option<Vec<f64>>>> {
    let frozen = asked.f.frozen();
    let x = TensorData::new(x, asked.f.input_shape().to_vec());
    let made = FrozenNetwork::within(loaded, x, frozen.rules().clone(), frozen.budget());
    let Ok(f) = own(made)? else {
        return Ok(vec![None; known.len()]);
    };
    let each = known.iter().enumerate().map(|(done, (method, _))| {
        tell(observer, Progress::new("attributing", done, known.len()))?;
        let found = own(map_of(asked, &f, method, observer))?;
        Ok(found.ok().map(|one| one.map))
    });
    each.collect()
}

/// Each method's stages. Cost: a loading, a freezing and all methods a stage.
pub(super) fn randomised(
    asked: &Asked<'_>,
    known: &Known<'_>,
    observer: &mut Observer<'_>,
) -> Result<Vec<Vec<Stage>>> {
    let loaded = asked.f.frozen().loaded();
    let layers = loaded.network().weighted_layers();
    let stages = stages(layers.len(), asked.config.stages);
    let all = stages.len();
    let magnitudes = |map: &[f64]| -> Vec<f64> {
        let places = asked.places.sums(map).into_iter();
        places.map(f64::abs).collect()
    };
    let mut found = vec![Vec::new(); known.len()];
    for (done, last) in stages.into_iter().enumerate() {
        tell(observer, Progress::new("re-drawing weights", done, all))?;
        let chosen = &layers[layers.len() - last..];
        let network = Arc::new(loaded.network().redrawn(chosen, asked.config.seed));
        let redrawn = Loaded::new(network, loaded.device().clone(), loaded.dtype())
            .and_then(|redrawn| redrawn.with_kernels(loaded.kernels()));
        let maps = match own(redrawn.map_err(Error::from))? {
            Ok(redrawn) => {
                let redrawn = redrawn.with_interrupt(loaded.interrupt().clone());
                maps(asked, known, Arc::new(redrawn), asked.x0.clone(), observer)?
            }
            Err(_) => vec![None; known.len()],
        };
        for ((found, map), (_, whole)) in found.iter_mut().zip(maps).zip(known) {
            found.push(Stage {
                layers: last,
                similarity: map
                    .and_then(|map| spearman(&magnitudes(&map), &magnitudes(&whole.map))),
            });
        }
    }
    Ok(found)
}

/// How many of so many layers each stage re-draws.
fn stages(layers: usize, stages: usize) -> Vec<usize> {
    let stages = stages.min(layers);
    let last = |stage: usize| (stage as u128 * layers as u128).div_ceil(stages as u128) as usize;
    (1..=stages).map(last).collect()
}

/// The relative change of a map under another seed; `None` where nothing is random.
pub(super) fn stability(
    asked: &Asked<'_>,
    method: &Method,
    map: &[f64],
    observer: &mut Observer<'_>,
) -> Result<Option<f64>> {
    let seeds = [1, 2].map(|more| asked.config.seed.wrapping_add(more));
    let mut others = seeds.iter().filter_map(|&seed| reseeded(method, seed));
    let Some(other) = others.find(|other| other != method) else {
        return Ok(None);
    };
    let other = map_of(asked, asked.f, &other, observer)?;
    Ok(change(&other.map, map))
}

/// The same method with another seed; `None` where it has none.
fn reseeded(method: &Method, seed: u64) -> Option<Method> {
    match *method {
        Method::Mean(MeanMethod::SmoothGrad { samples, noise, .. }) => {
            Some(Method::Mean(MeanMethod::SmoothGrad {
                samples,
                noise,
                seed,
            }))
        }
        Method::Mean(MeanMethod::ExpectedGradients { samples, .. }) => {
            Some(Method::Mean(MeanMethod::ExpectedGradients {
                samples,
                seed,
            }))
        }
        Method::Forward(ForwardMethod::Rise { masks, .. }) => {
            Some(Method::Forward(ForwardMethod::Rise { masks, seed }))
        }
        Method::Mean(MeanMethod::IntegratedGradients { .. })
        | Method::Adjoint(_)
        | Method::Sweep(_)
        | Method::Forward(
            ForwardMethod::GradCam { .. }
            | ForwardMethod::Layer { .. }
            | ForwardMethod::FullGrad
            | ForwardMethod::Ablation { .. }
            | ForwardMethod::Occlusion { .. },
        ) => None,
    }
}

/// Correlation of ranks, those of ties their mean; `None` where all of one are tied.
fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (centred_ranks(a), centred_ranks(b));
    // The root of the product, exact where both are the same.
    let sizes = (dot(&a, &a) * dot(&b, &b)).sqrt();
    (sizes > 0.0).then(|| (dot(&a, &b) / sizes).clamp(-1.0, 1.0))
}

/// Ranks less their mean.
fn centred_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (tied.len() as f64 - 1.0) / 2.0;
        tied.iter().for_each(|&at| ranks[at] = rank - middle);
        first += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the definition, ranks by counting.
    fn naive(a: &[f64], b: &[f64]) -> f64 {
        let ranks = |v: &[f64]| -> Vec<f64> {
            let rank = |x: &f64| {
                let less = v.iter().filter(|y| *y < x).count() as f64;
                let tied = v.iter().filter(|y| *y == x).count() as f64;
                less + (tied + 1.0) / 2.0
            };
            v.iter().map(rank).collect()
        };
        let (a, b) = (ranks(a), ranks(b));
        let n = a.len() as f64;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
        let (of_a, of_b) = (mean(&a), mean(&b));
        let cov = |x: &[f64], of_x: f64, y: &[f64], of_y: f64| -> f64 {
            let each = x.iter().zip(y);
            each.map(|(x, y)| (x - of_x) * (y - of_y)).sum()
        };
        cov(&a, of_a, &b, of_b) / (cov(&a, of_a, &a, of_a) * cov(&b, of_b, &b, of_b)).sqrt()
    }

    #[test]
    fn ranks_correlate_as_by_counting() {
        let mut random = SplitMix64::new(8);
        for len in [2, 3, 10, 57] {
            for levels in [2.0, 7.0, 1e9] {
                let mut some = || -> Vec<f64> {
                    let all = (0..len).map(|_| (random.next_uniform() * levels).round());
                    all.collect()
                };
                let (a, b) = (some(), some());
                let tied = |v: &[f64]| v.iter().all(|x| *x == v[0]);
                match spearman(&a, &b) {
                    Some(found) => assert!((found - naive(&a, &b)).abs() < 1e-12, "{a:?} {b:?}"),
                    None => assert!(tied(&a) || tied(&b)),
                }
            }
        }
        assert_eq!(spearman(&[1.0, 2.0, 5.0], &[0.0, 0.1, 9.0]), Some(1.0));
        assert_eq!(spearman(&[1.0, 2.0, 5.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        assert_eq!(spearman(&[1.0; 3], &[3.0, 2.0, 1.0]), None);
        assert_eq!(spearman(&[1.0], &[2.0]), None);
        assert_eq!(spearman(&[], &[]), None);
    }

    #[test]
    fn stages_end_with_all_layers() {
        assert_eq!(stages(7, 3), [3, 5, 7]);
        assert_eq!(stages(2, 3), [1, 2]);
        assert_eq!(stages(5, 1), [5]);
        assert!(stages(0, 3).is_empty() && stages(3, 0).is_empty());
    }

    #[test]
    fn only_what_is_random_has_another_seed() {
        for name in ["smooth-grad", "expected-gradients", "rise"] {
            let random: Method = name.parse().expect("a name");
            let other = reseeded(&random, 9).expect("a seed");
            assert_ne!(other, random);
            assert_eq!(reseeded(&other, 0), Some(random));
        }
        for name in ["row", "lrp-epsilon", "integrated-gradients", "occlusion"] {
            assert_eq!(reseeded(&name.parse().expect("a name"), 9), None);
        }
    }
}
