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
mod means;

use std::{fmt, ops::ControlFlow, str::FromStr};

use burn::tensor::TensorData;
use linearscope::program::Clip;
use serde::{Deserialize, Serialize};

pub use composite::{Composite, LayerRule, Selector};

use crate::{
    attack::tangent,
    discussion::{Propagation, Terms, discussions_of_sums},
    error::{Error, Result, tell},
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    progress::Progress,
    vectors::{batched, flat, read, shaped},
};

/// Adjoints of a program recorded at x₀, with or without what sources say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdjointMethod {
    /// Row ⊙ x₀ and the sources, shared out so that the map sums to the score; see
    /// [`discussion`](crate::discussion).
    Conserving,
    /// The same, sources weighted by what the class makes of them.
    Scored,
    /// The same by the paper's equation 18.
    Paper,
    /// Row ⊙ x₀ alone, under the rules that the network is frozen with: the score without its residual.
    Row,
    /// The gradient, signed.
    Gradient,
    /// Magnitudes of the gradient (Simonyan et al., 2014).
    Saliency,
    /// Gradient ⊙ x₀: row ⊙ x₀ under the rules *taylor*.
    GradientInput,
}

/// Backward sweeps that are no adjoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SweepMethod {
    /// Layer-wise relevance propagation.
    Lrp(Composite),
    /// Units let through what is positive of what x₀ let through (Springenberg et al., 2015).
    GuidedBackprop,
    /// Units let through what is positive on the way back (Zeiler and Fergus, 2014).
    Deconvolution,
}

/// Means over several freezings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeanMethod {
    /// (x₀ − x′) ⊙ the mean gradient on the way from the baseline x′ to x₀, by Gauss–Legendre nodes (Sundararajan et
    /// al., 2017). `None`: 8 nodes, then twice as many, until the map misses f(x₀) − f(x′) by at most 1 %, or 128.
    IntegratedGradients {
        /// How many nodes.
        steps: Option<usize>,
    },
    /// The mean gradient around x₀ (Smilkov et al., 2017).
    SmoothGrad {
        /// How many gradients.
        samples: usize,
        /// Standard deviation of the noise, over the range of x₀.
        noise: f64,
        /// Of the noise.
        seed: u64,
    },
}

/// Forward passes alone, or a layer's values and gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardMethod {
    /// A layer's channels, weighted with their mean gradients, what is above 0, bilinearly enlarged to the input's
    /// size (Selvaraju et al., 2017).
    GradCam {
        /// The node whose output it is; `None`: the last with places.
        node: Option<String>,
    },
    /// What the score loses where a patch is put to the baseline, mean over the patches that cover a place (Zeiler and
    /// Fergus, 2014).
    Occlusion {
        /// Side of the patch; `None`: an eighth of the shorter side.
        patch: Option<usize>,
        /// From patch to patch; `None`: half a patch.
        stride: Option<usize>,
    },
}

/// A method of attribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// An adjoint.
    Adjoint(AdjointMethod),
    /// A sweep that is none.
    Sweep(SweepMethod),
    /// A mean of gradients.
    Mean(MeanMethod),
    /// Forward passes.
    Forward(ForwardMethod),
}

/// The names of methods, as `--method` takes them, each with what it assumes in a line.
pub const NAMES: [(&str, &str); 18] = [
    (
        "conserving",
        "adjoint; sums to the score: pixels, and what biases add shared out among them",
    ),
    (
        "scored",
        "adjoint; the same, biases weighted by what the class makes of them; does not sum",
    ),
    (
        "paper",
        "adjoint; the same by the paper's equation 18; sums by its λ",
    ),
    (
        "row",
        "adjoint; row ⊙ x₀ of the frozen network; sums to the score without its residual",
    ),
    ("gradient", "adjoint; the signed gradient; no sum"),
    ("saliency", "adjoint; magnitudes of the gradient; no sum"),
    (
        "gradient-input",
        "adjoint; gradient ⊙ x₀; sums to the score only without biases",
    ),
    (
        "lrp-epsilon",
        "sweep; LRP-ε everywhere; sums up to biases and ε",
    ),
    (
        "lrp-epsilon-plus",
        "sweep; z⁺ in convolutions, ε in dense layers",
    ),
    (
        "lrp-epsilon-plus-flat",
        "sweep; the same, flat in the first layer",
    ),
    (
        "lrp-epsilon-gamma-box",
        "sweep; the input's box in the first layer, γ in convolutions, ε in dense layers",
    ),
    (
        "lrp-epsilon-alpha2-beta1",
        "sweep; αβ with 2 and 1 in convolutions, ε in dense layers",
    ),
    (
        "guided-backprop",
        "sweep; units pass what is positive of what x₀ let through; no sum",
    ),
    (
        "deconvolution",
        "sweep; units pass what is positive on the way back; no sum",
    ),
    (
        "integrated-gradients",
        "mean; sums to what the score is above the baseline's; one freezing a step",
    ),
    (
        "smooth-grad",
        "mean; the gradient over 25 noisy inputs; no sum",
    ),
    (
        "grad-cam",
        "forward; coarse: the last layer with places, enlarged; no sum",
    ),
    (
        "occlusion",
        "forward; what the score loses where a patch is the baseline; one pass a patch; no sum",
    ),
];

impl Method {
    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Method::Adjoint(AdjointMethod::Conserving) => "conserving".into(),
            Method::Adjoint(AdjointMethod::Scored) => "scored".into(),
            Method::Adjoint(AdjointMethod::Paper) => "paper".into(),
            Method::Adjoint(AdjointMethod::Row) => "row".into(),
            Method::Adjoint(AdjointMethod::Gradient) => "gradient".into(),
            Method::Adjoint(AdjointMethod::Saliency) => "saliency".into(),
            Method::Adjoint(AdjointMethod::GradientInput) => "gradient-input".into(),
            Method::Sweep(SweepMethod::Lrp(composite)) => format!("lrp-{composite}"),
            Method::Sweep(SweepMethod::GuidedBackprop) => "guided-backprop".into(),
            Method::Sweep(SweepMethod::Deconvolution) => "deconvolution".into(),
            Method::Mean(MeanMethod::IntegratedGradients { steps: None }) => {
                "integrated-gradients".into()
            }
            Method::Mean(MeanMethod::IntegratedGradients { steps: Some(n) }) => {
                format!("integrated-gradients:{n}")
            }
            Method::Mean(MeanMethod::SmoothGrad { .. }) => "smooth-grad".into(),
            Method::Forward(ForwardMethod::GradCam { node: None }) => "grad-cam".into(),
            Method::Forward(ForwardMethod::GradCam { node: Some(node) }) => {
                format!("grad-cam:{node}")
            }
            Method::Forward(ForwardMethod::Occlusion { patch: None, .. }) => "occlusion".into(),
            Method::Forward(ForwardMethod::Occlusion {
                patch: Some(patch),
                stride: None,
            }) => format!("occlusion:{patch}"),
            Method::Forward(ForwardMethod::Occlusion {
                patch: Some(patch),
                stride: Some(stride),
            }) => format!("occlusion:{patch}/{stride}"),
        }
    }

    /// Whether it has a sign: others say only how much.
    pub fn is_signed(&self) -> bool {
        !matches!(
            self,
            Method::Adjoint(AdjointMethod::Saliency)
                | Method::Forward(ForwardMethod::GradCam { .. })
        )
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl FromStr for Method {
    type Err = String;

    /// A name of [`NAMES`]; `integrated-gradients:50` with a number of steps, `grad-cam:NODE`, `occlusion:16` or
    /// `occlusion:16/8` with patch and stride, `lrp-` with a composite of one's own ([`Composite`]).
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, more) = match text.split_once(':') {
            // A composite has colons of its own.
            Some(_) if text.starts_with("lrp-") => (text, None),
            Some((name, more)) => (name, Some(more)),
            None => (text, None),
        };
        let number = |text: &str| match text.parse::<usize>() {
            Ok(0) | Err(_) => Err(format!("`{text}` is not a number above 0")),
            Ok(number) => Ok(number),
        };
        let method = match (name, more) {
            ("conserving", None) => Method::Adjoint(AdjointMethod::Conserving),
            ("scored", None) => Method::Adjoint(AdjointMethod::Scored),
            ("paper", None) => Method::Adjoint(AdjointMethod::Paper),
            ("row", None) => Method::Adjoint(AdjointMethod::Row),
            ("gradient", None) => Method::Adjoint(AdjointMethod::Gradient),
            ("saliency", None) => Method::Adjoint(AdjointMethod::Saliency),
            ("gradient-input", None) => Method::Adjoint(AdjointMethod::GradientInput),
            ("guided-backprop", None) => Method::Sweep(SweepMethod::GuidedBackprop),
            ("deconvolution", None) => Method::Sweep(SweepMethod::Deconvolution),
            ("integrated-gradients", steps) => Method::Mean(MeanMethod::IntegratedGradients {
                steps: steps.map(number).transpose()?,
            }),
            ("smooth-grad", samples) => Method::Mean(MeanMethod::SmoothGrad {
                samples: samples.map(number).transpose()?.unwrap_or(25),
                noise: 0.15,
                seed: 0,
            }),
            ("grad-cam", node) => Method::Forward(ForwardMethod::GradCam {
                node: node.map(String::from),
            }),
            ("occlusion", size) => {
                let (patch, stride) = match size.map(|size| size.split_once('/').ok_or(size)) {
                    None => (None, None),
                    Some(Err(patch)) => (Some(number(patch)?), None),
                    Some(Ok((patch, stride))) => (Some(number(patch)?), Some(number(stride)?)),
                };
                Method::Forward(ForwardMethod::Occlusion { patch, stride })
            }
            (name, None) if name.starts_with("lrp-") => {
                Method::Sweep(SweepMethod::Lrp(name["lrp-".len()..].parse()?))
            }
            _ => {
                let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
                return Err(format!(
                    "there is no such method; there are {}",
                    names.join(", ")
                ));
            }
        };
        Ok(method)
    }
}

/// What a score is measured from, and the bounds of inputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Surroundings {
    /// An input that says nothing, flat; `None`: zeros.
    pub baseline: Option<Vec<f64>>,
    /// The least and the largest value of each channel, or of all.
    pub bounds: Option<[Vec<f64>; 2]>,
}

setters!(
    Surroundings: with_baseline baseline: Option<Vec<f64>>, with_bounds bounds: Option<[Vec<f64>; 2]>
);

impl Surroundings {
    fn baseline_of(&self, f: &FrozenNetwork) -> Result<Vec<f64>> {
        match &self.baseline {
            None => Ok(vec![0.0; f.input_len()]),
            Some(baseline) if baseline.len() == f.input_len() => Ok(baseline.clone()),
            Some(baseline) => Err(Error::Length {
                what: "the baseline",
                got: [1, baseline.len()],
                expected: f.input_len(),
            }),
        }
    }
}

/// What each input entry adds to a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// The method, by its name.
    pub method: String,
    /// The outputs whose scores are added, flat.
    pub target: Vec<usize>,
    /// Σ f(x₀) over the target.
    pub score: f64,
    /// An entry an input entry, C order of the input's shape. Methods that know places alone say the same for each
    /// channel, shared out evenly.
    pub map: Vec<f64>,
    /// Σ map.
    pub sum: f64,
    /// What the method promises the sum to be; `None`: nothing.
    pub promised: Option<f64>,
    /// (sum − promised) over |score|.
    pub gap: Option<f64>,
    /// What there is to say of this map: the layer of Grad-CAM, the nodes of integrated gradients.
    pub note: Option<String>,
}

impl Attribution {
    fn new(
        method: &Method,
        target: &[usize],
        score: f64,
        map: Vec<f64>,
        promised: Option<f64>,
    ) -> Self {
        let sum = map.iter().sum();
        Self {
            method: method.name(),
            target: target.to_vec(),
            score,
            map,
            sum,
            promised,
            gap: promised.map(|promised| (sum - promised) / score.abs()),
            note: None,
        }
    }

    fn noted(self, note: String) -> Self {
        Self {
            note: Some(note),
            ..self
        }
    }
}

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
/// Cost a target: adjoints and guided backpropagation 1 adjoint, with sources 2; those of the gradient freeze once more
/// where a unit is smooth; LRP a replay and 1 to 4 adjoints; means a freezing and an adjoint a step; Grad-CAM a
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

/// Σ f(x₀) over each target.
fn scores(f: &FrozenNetwork, targets: &[Vec<usize>]) -> Result<Vec<f64>> {
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

/// The same network at some input under the rules that make F its Jacobian.
fn tangent_at(f: &FrozenNetwork, x: Vec<f64>) -> Result<FrozenNetwork> {
    let frozen = f.frozen();
    let x = TensorData::new(x, f.input_shape().to_vec());
    let rules = tangent(frozen.rules())?;
    FrozenNetwork::within(frozen.loaded().clone(), x, rules, frozen.budget())
}

/// Fᵀ of the indicators of targets, a row a target.
fn rows(f: &FrozenNetwork, targets: &[Vec<usize>]) -> Result<Vec<Vec<f64>>> {
    let len = f.output_len();
    let seeds = f.upload(indicators(targets, len), len);
    let rows = read(f.apply_adjoint(seeds)?)?;
    Ok(rows.chunks(f.input_len()).map(<[f64]>::to_vec).collect())
}

fn adjoint_maps(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    method: AdjointMethod,
) -> Result<Vec<Vec<f64>>> {
    let discussed = |propagation| -> Result<Vec<Vec<f64>>> {
        let found = discussions_of_sums(f, targets, propagation, Terms::All)?;
        let pixels = crate::vectors::numbers(found.pixels)?;
        Ok(pixels.chunks(f.input_len()).map(<[f64]>::to_vec).collect())
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
    let found = read(flat(found))?;
    Ok(found.chunks(f.input_len()).map(<[f64]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::{Method, NAMES};

    #[test]
    fn names_are_read_as_they_are_said() {
        for (name, _) in NAMES {
            let method: Method = name.parse().expect(name);
            assert_eq!(method.name(), name);
        }
        for name in [
            "integrated-gradients:20",
            "occlusion:16",
            "occlusion:16/4",
            "grad-cam:a.b",
        ] {
            assert_eq!(name.parse::<Method>().expect(name).name(), name);
        }
        for name in [
            "",
            "magic",
            "integrated-gradients:0",
            "occlusion:4/0",
            "lrp-magic",
            "row:3",
        ] {
            assert!(name.parse::<Method>().is_err(), "{name}");
        }
    }
}
