//! Is a method of [`attribution`](crate::attribution) any good here? What the field measures of a map.
//!
//! | measure | asks | good |
//! | --- | --- | --- |
//! | [deletion](Evaluation::deletion) | does the score fall without the places the map calls important | low |
//! | [insertion](Evaluation::insertion) | does it rise with them | high |
//! | [infidelity](Evaluation::infidelity) | does the map say what the score loses without a part of x₀ | 0 |
//! | [sensitivity](Evaluation::sensitivity) | does the map change more than x₀ does | low |
//! | [randomised](Evaluation::randomised) | does the map depend on the weights | 0 |
//! | [object](Evaluation::object) | does it lie on the object | above its share |
//! | [stability](Evaluation::stability) | does it depend on chance | 0 |
//!
//! None says that a map is right. Deletion and insertion ask the network about inputs that it was not made for, and
//! depend on the baseline; a map may be as robust as one likes and say nothing.

mod asked;
mod config;
mod curves;
mod fidelity;
mod object;
mod places;
mod robustness;
mod summary;

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

pub use config::EvaluationConfig;
pub use curves::Curve;
pub use object::OnObject;
pub use robustness::Stage;
pub use summary::{ObjectSummary, StageSummary, Summary, summarised};

use asked::{Asked, own};
use curves::curves;
use fidelity::{infidelity, perturbations};
use object::on_object;
use robustness::{map_of, randomised, sensitivities, stability};

use crate::{
    attribution::{Attribution, Method, Surroundings},
    error::{Error, Result, tell},
    frozen::FrozenNetwork,
    progress::{Observer, Progress},
};

/// What was measured of one map. All numbers are finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The method, by its name.
    pub method: String,
    /// The outputs whose scores are added, flat.
    pub target: Vec<usize>,
    /// Σ f(x₀) over the target.
    pub score: f64,
    /// From x₀ to the baseline, the highest places first (Petsiuk et al., *RISE*, 2018): its area is low where the map is
    /// good.
    pub deletion: Curve,
    /// From the baseline to x₀, the highest places first: its area is high where the map is good.
    pub insertion: Curve,
    /// 1 − (Σ a b)² / (Σ a² Σ b²) over random parts of x₀, a what the map says of a part and b what the score loses where
    /// it is put to the baseline: 0 is perfect, 1 says nothing. That is the infidelity of Yeh et al. (*On the
    /// (in)fidelity and sensitivity of explanations*, 2019) of the map's best multiple, over Σ b². `None` where the
    /// score loses nothing.
    pub infidelity: Option<f64>,
    /// The largest ‖Φ(x) − Φ(x₀)‖ / ‖Φ(x₀)‖ over the inputs around x₀ (max-sensitivity, ibid.). `None` where x₀ is
    /// constant, the map 0, or a map is missing.
    pub sensitivity: Option<f64>,
    /// The map of the network with its last layers re-drawn alongside the map as it is (Adebayo et al., *Sanity checks for
    /// saliency maps*, 2018).
    pub randomised: Vec<Stage>,
    /// Where the map lies, if the object is known.
    pub object: Option<OnObject>,
    /// ‖Φ′ − Φ‖ / ‖Φ‖ of the map with another seed; `None` of methods without a seed, and of a map of 0.
    pub stability: Option<f64>,
}

/// Evaluate methods for one score, a sum of outputs at flat positions. A method that cannot be had here has its own
/// error in the list and loses the others nothing. Random parts and inputs are the same for all.
///
/// *Places*: of a picture `[1, c, h, w]` its pixels, the map summed over channels; of other inputs their entries. They
/// go from the highest, ties by position. `object` has one a place.
///
/// *Values of curves*: where the outputs are a vector of scores and the target is one of them, its probability by a
/// softmax; else what the score is above that at the baseline, over what it is at x₀.
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
/// use linearscope_analysis::{
///     attribution::Surroundings, evaluation::{EvaluationConfig, evaluate}, progress::unobserved,
/// };
///
/// let methods = ["conserving".parse()?, "grad-cam".parse()?];
/// let (around, config) = (Surroundings::default(), EvaluationConfig::default());
/// let found = evaluate(&frozen, &[2], &methods, &around, None, &config, unobserved)?;
/// let conserving = found[0].1.as_ref().expect("dense networks have one");
/// assert_eq!(conserving.deletion.value.len(), 5);
/// assert!(found[1].1.is_err(), "Grad-CAM is of pictures");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Cost: 2 forwards, one a perturbation, 2 (steps − 1) a method; a freezing a neighbour, a loading and a freezing a
/// stage; each method once at x₀, at each neighbour and stage, and once more if it is random.
///
/// # Errors
/// [`Error::Empty`] without methods, outputs, or an object; [`Error::OutOfRange`]; [`Error::Length`] of the baseline or
/// the object; [`Error::Setting`] for settings that mean nothing, and where x₀ and baseline have the same score that is
/// no class's; [`Error::NotFinite`] where the network overflows; [`Error::Stopped`], and interrupts. In the list: as
/// [`attribute`](crate::attribution::attribute).
pub fn evaluate(
    f: &FrozenNetwork,
    target: &[usize],
    methods: &[Method],
    around: &Surroundings,
    object: Option<&[bool]>,
    config: &EvaluationConfig,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<(Method, Result<Evaluation>)>> {
    let observer: &mut Observer<'_> = &mut observer;
    config.check()?;
    if methods.is_empty() {
        return Err(Error::Empty {
            what: "the list of methods",
        });
    }
    let asked = Asked::new(f, target, around, config)?;
    if let Some(object) = object {
        if object.len() != asked.places.count {
            return Err(Error::Length {
                what: "the object",
                got: [1, object.len()],
                expected: asked.places.count,
            });
        }
        if !object.contains(&true) {
            return Err(Error::Empty { what: "the object" });
        }
    }
    let mut maps: Vec<(&Method, Result<Attribution>)> = Vec::new();
    for (done, method) in methods.iter().enumerate() {
        tell(observer, Progress::new("attributing", done, methods.len()))?;
        maps.push((method, own(map_of(&asked, f, method, observer))?));
    }
    let known: Vec<(&Method, &Attribution)> = maps
        .iter()
        .filter_map(|(method, map)| Some((*method, map.as_ref().ok()?)))
        .collect();
    let mut evaluations = Vec::new();
    if !known.is_empty() {
        let perturbations = perturbations(&asked, observer)?;
        for (method, attribution) in &known {
            let one = evaluated(&asked, method, attribution, object, observer);
            evaluations.push(own(one)?.map(|one| Evaluation {
                infidelity: infidelity(&asked, method, &attribution.map, &perturbations),
                ..one
            }));
        }
        let sensitivities = sensitivities(&asked, &known, observer)?;
        let randomised = randomised(&asked, &known, observer)?;
        let more = sensitivities.into_iter().zip(randomised);
        for (one, (sensitivity, randomised)) in evaluations.iter_mut().zip(more) {
            if let Ok(one) = one {
                one.sensitivity = sensitivity;
                one.randomised = randomised;
            }
        }
    }
    let all = methods.len();
    tell(observer, Progress::new("attributing", all, all))?;
    let mut evaluations = evaluations.into_iter();
    let found = maps.into_iter().map(|(method, map)| {
        let missing = Error::Empty {
            what: "the list of evaluations",
        };
        let one = map.and_then(|_| evaluations.next().unwrap_or(Err(missing)));
        (method.clone(), one)
    });
    Ok(found.collect())
}

/// What is measured of one map alone.
fn evaluated(
    asked: &Asked<'_>,
    method: &Method,
    attribution: &Attribution,
    object: Option<&[bool]>,
    observer: &mut Observer<'_>,
) -> Result<Evaluation> {
    let map = asked.places.sums(&attribution.map);
    let [deletion, insertion] = curves(asked, &map, observer)?;
    Ok(Evaluation {
        method: attribution.method.clone(),
        target: attribution.target.clone(),
        score: attribution.score,
        deletion,
        insertion,
        infidelity: None,
        sensitivity: None,
        randomised: Vec::new(),
        object: object.map(|object| on_object(&map, object)),
        stability: stability(asked, method, &attribution.map, observer)?,
    })
}

#[cfg(test)]
mod tests;
