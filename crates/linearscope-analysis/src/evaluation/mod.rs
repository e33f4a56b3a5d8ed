//! How good is a method of [`attribution`](crate::attribution) here? The field's measures of a map.
//!
//! | measure | asks | good |
//! | --- | --- | --- |
//! | [deletion](Evaluation::deletion) | does the score fall without the places that the map marks as important | low |
//! | [insertion](Evaluation::insertion) | does the score rise with them | high |
//! | [infidelity](Evaluation::infidelity) | does the map predict what the score loses without a part of x₀ | 0 |
//! | [sensitivity](Evaluation::sensitivity) | does the map change more than x₀ does | low |
//! | [randomised](Evaluation::randomised) | does the map depend on the weights | 0 |
//! | [object](Evaluation::object) | does the map lie on the object | above its share |
//! | [stability](Evaluation::stability) | does the map depend on chance | 0 |
//!
//! No measure shows that a map is right. Deletion and insertion run the network on inputs for which it was not
//! made, and depend on the baseline. A map can be very robust and still meaningless.

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

/// The measures of one map. All numbers are finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The method, by its name.
    pub method: String,
    /// The outputs whose scores are added, flat.
    pub target: Vec<usize>,
    /// Σ f(x₀) over the target.
    pub score: f64,
    /// From x₀ to the baseline, the highest places first (Petsiuk et al., *RISE*, 2018): its area is low if the map is
    /// good.
    pub deletion: Curve,
    /// From the baseline to x₀, the highest places first: its area is high if the map is good.
    pub insertion: Curve,
    /// 1 − (Σ a b)² / (Σ a² Σ b²) over random parts of x₀, where a is the map's value for a part and b is what the
    /// score loses when the part is set to the baseline. 0 is perfect, 1 is uninformative. This is the infidelity of
    /// Yeh et al. (*On the (in)fidelity and sensitivity of explanations*, 2019) for the map's best multiple, over Σ b².
    /// `None` if the score loses nothing.
    pub infidelity: Option<f64>,
    /// The largest ‖Φ(x) − Φ(x₀)‖ / ‖Φ(x₀)‖ over the inputs around x₀ (max-sensitivity, ibid.). `None` if x₀ is
    /// constant, the map is 0, or a map is missing.
    pub sensitivity: Option<f64>,
    /// The map of the network with its last layers re-drawn, compared with the map itself (Adebayo et al., *Sanity
    /// checks for saliency maps*, 2018).
    pub randomised: Vec<Stage>,
    /// Where the map lies, if the object is known.
    pub object: Option<OnObject>,
    /// ‖Φ′ − Φ‖ / ‖Φ‖ for the map with another seed; `None` for methods without a seed, and for a map of
    /// 0.
    pub stability: Option<f64>,
}

/// Evaluate methods for one score, a sum of outputs at flat positions. A method that fails here has its own error
/// in the list and does not affect the others. Random parts and inputs are the same for all.
///
/// *Places* of a picture `[1, c, h, w]` are its pixels, with the map summed over channels; those of other inputs are
/// their entries. They are taken from the highest down, ties by position. `object` has one value per place.
///
/// *Values of curves*: if the outputs are a vector of scores and the target is one of them, its softmax
/// probability. Otherwise the score's excess over that at the baseline, relative to the excess at x₀.
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
/// Cost: 2 forward passes, one per perturbation and 2 (steps − 1) per method; a freeze per neighbour; a loading and
/// a freeze per stage. Each method runs once at x₀ and at each neighbour and stage, and once more if it is random.
///
/// # Errors
/// [`Error::Empty`] without methods, outputs, or an object; [`Error::OutOfRange`]; [`Error::Length`] of the baseline or
/// the object; [`Error::Setting`] for settings that make no sense, and if x₀ and baseline have the same score and it is
/// not a class score; [`Error::NotFinite`] if the network overflows; [`Error::Stopped`], and interrupts. In the list:
/// as [`attribute`](crate::attribution::attribute).
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
