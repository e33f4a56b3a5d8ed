//! The methods: four families, by name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::composite::Composite;

/// Adjoints of a program recorded at x₀, with or without sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdjointMethod {
    /// Row ⊙ x₀ and the sources, redistributed so that the map sums to the score; see
    /// [`discussion`](crate::discussion).
    Conserving,
    /// The same, with sources weighted by the gradient of the class score.
    Scored,
    /// The same by the paper's equation 18.
    Paper,
    /// Row ⊙ x₀ alone, under the rules with which the network is frozen: the score without its
    /// residual.
    Row,
    /// The gradient, signed.
    Gradient,
    /// Magnitudes of the gradient (Simonyan et al., 2014).
    Saliency,
    /// Gradient ⊙ x₀: row ⊙ x₀ under the rules *taylor*.
    GradientInput,
}

impl AdjointMethod {
    const ALL: [Self; 7] = [
        Self::Conserving,
        Self::Scored,
        Self::Paper,
        Self::Row,
        Self::Gradient,
        Self::Saliency,
        Self::GradientInput,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Conserving => "conserving",
            Self::Scored => "scored",
            Self::Paper => "paper",
            Self::Row => "row",
            Self::Gradient => "gradient",
            Self::Saliency => "saliency",
            Self::GradientInput => "gradient-input",
        }
    }
}

/// Backward sweeps that are not adjoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SweepMethod {
    /// Layer-wise relevance propagation.
    Lrp(Composite),
    /// Guided backpropagation: of what x₀ lets through, units pass only positive values
    /// (Springenberg et al., 2015).
    GuidedBackprop,
    /// Deconvolution: on the way back, units pass only positive values (Zeiler and Fergus, 2014).
    Deconvolution,
    /// The rescale rule of DeepLift (Shrikumar et al., 2017): units pass the secant between x₀ and the baseline.
    DeepLift,
}

/// Means over several freezes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeanMethod {
    /// (x₀ − x′) ⊙ the mean gradient on the way from the baseline x′ to x₀, by Gauss–Legendre nodes (Sundararajan et
    /// al., 2017). `None`: 8 nodes, doubled until the map misses f(x₀) − f(x′) by at most 1 %, up to 128 nodes.
    IntegratedGradients {
        /// How many nodes.
        steps: Option<usize>,
    },
    /// The mean over baselines of (x₀ − x′) ⊙ the gradient on the way, at random points, one in each equal part of
    /// the way (Erion et al., 2021).
    ExpectedGradients {
        /// How many gradients, over all baselines.
        samples: usize,
        /// Of the points.
        seed: u64,
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

/// Only forward passes, or a layer's values and gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardMethod {
    /// A layer's channels, weighted with their mean gradients and summed, with negative values set to 0,
    /// then enlarged bilinearly to the input's size (Selvaraju et al., 2017).
    GradCam {
        /// The node whose output it is; `None`: the last with places.
        node: Option<String>,
    },
    /// Row ⊙ value of a layer, summed over channels and enlarged bilinearly to the input's size.
    Layer {
        /// The node whose output it is; `None`: the last with places.
        node: Option<String>,
    },
    /// Magnitudes of what pixels and sources add, layer by layer, enlarged and summed (Srinivas and Fleuret, 2019).
    FullGrad,
    /// What the score loses without a group of entries, spread evenly over them.
    Ablation {
        /// Side of the patches of a picture; `None`: an eighth of the shorter side.
        patch: Option<usize>,
    },
    /// For each place, the mean score over random masks that show it (Petsiuk et al., 2018).
    Rise {
        /// How many masks.
        masks: usize,
        /// Of the masks.
        seed: u64,
    },
    /// What the score loses when a patch is set to the baseline, averaged over the patches that cover a place (Zeiler
    /// and Fergus, 2014).
    Occlusion {
        /// Side of the patch; `None`: an eighth of the shorter side.
        patch: Option<usize>,
        /// Step from patch to patch; `None`: half a patch.
        stride: Option<usize>,
    },
}

/// A method of attribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// An adjoint.
    Adjoint(AdjointMethod),
    /// A sweep that is not an adjoint.
    Sweep(SweepMethod),
    /// A mean of gradients.
    Mean(MeanMethod),
    /// Forward passes.
    Forward(ForwardMethod),
}

/// The names of methods, as `--method` takes them, each with a line on what it assumes.
pub const NAMES: [(&str, &str); 24] = [
    (
        "conserving",
        "adjoint; pixels, plus what biases add, redistributed among them; sums to the score",
    ),
    (
        "scored",
        "adjoint; the same, with biases weighted by the gradient of the class score; no sum",
    ),
    (
        "paper",
        "adjoint; the same, by the paper's equation 18; its factor λ makes it sum to the score",
    ),
    (
        "row",
        "adjoint; row ⊙ x₀ of the frozen network; sums to the score minus its residual",
    ),
    ("gradient", "adjoint; the signed gradient; no sum"),
    ("saliency", "adjoint; magnitudes of the gradient; no sum"),
    (
        "gradient-input",
        "adjoint; gradient ⊙ x₀; sums to the score only if the network has no biases",
    ),
    (
        "lrp-epsilon",
        "sweep; LRP-ε everywhere; sums to the score except for biases and ε",
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
        "sweep; units that x₀ activates pass only positive values back; no sum",
    ),
    (
        "deconvolution",
        "sweep; units pass only positive values back; no sum",
    ),
    (
        "deep-lift",
        "sweep; units by their secant between the baseline and x₀; sums to the score minus the baseline's score",
    ),
    (
        "integrated-gradients",
        "mean; sums to the score minus the baseline's score; freezes once per step",
    ),
    (
        "expected-gradients",
        "mean; the same over several baselines, 32 random points; sums in expectation",
    ),
    (
        "smooth-grad",
        "mean; the gradient over 25 noisy inputs; no sum",
    ),
    (
        "grad-cam",
        "forward; coarse: the last spatial layer, enlarged; no sum",
    ),
    (
        "layer",
        "forward; row ⊙ value of the last spatial layer, enlarged; no sum",
    ),
    (
        "full-grad",
        "forward; magnitudes of what pixels and biases add in every layer, enlarged; no sum",
    ),
    (
        "feature-ablation",
        "forward; what the score loses when each patch, or group, is removed; no sum",
    ),
    (
        "rise",
        "forward; the mean score over those of 500 random masks that leave a place visible; no sum",
    ),
    (
        "occlusion",
        "forward; what the score loses when a patch is replaced by the baseline; one pass per patch; no sum",
    ),
];

/// Steps, samples and pixels beyond which a number is a mistake.
const MOST: usize = 4097;
/// Samples of expected gradients, inputs of SmoothGrad and masks of RISE unless given.
const SAMPLES: usize = 32;
const NOISY: usize = 25;
const MASKS: usize = 500;

/// A name, with a number that is not the usual one.
fn counted(name: &str, number: usize, usual: usize) -> String {
    perhaps(name, (number != usual).then_some(&number))
}

/// A name, with what is said of it.
fn perhaps(name: &str, more: Option<&impl fmt::Display>) -> String {
    more.map_or(name.into(), |more| format!("{name}:{more}"))
}

impl Method {
    /// Whether it starts from each of [`Surroundings::baselines`](super::Surroundings), which others do not read.
    pub fn has_several_baselines(&self) -> bool {
        matches!(self, Method::Mean(MeanMethod::ExpectedGradients { .. }))
    }

    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Method::Adjoint(adjoint) => adjoint.name().into(),
            Method::Sweep(SweepMethod::Lrp(composite)) => format!("lrp-{composite}"),
            Method::Sweep(SweepMethod::GuidedBackprop) => "guided-backprop".into(),
            Method::Sweep(SweepMethod::Deconvolution) => "deconvolution".into(),
            Method::Sweep(SweepMethod::DeepLift) => "deep-lift".into(),
            Method::Mean(MeanMethod::ExpectedGradients { samples, .. }) => {
                counted("expected-gradients", *samples, SAMPLES)
            }
            Method::Mean(MeanMethod::IntegratedGradients { steps: None }) => {
                "integrated-gradients".into()
            }
            Method::Mean(MeanMethod::IntegratedGradients { steps: Some(n) }) => {
                format!("integrated-gradients:{n}")
            }
            Method::Mean(MeanMethod::SmoothGrad { samples, .. }) => {
                counted("smooth-grad", *samples, NOISY)
            }
            Method::Forward(ForwardMethod::GradCam { node }) => perhaps("grad-cam", node.as_ref()),
            Method::Forward(ForwardMethod::Layer { node }) => perhaps("layer", node.as_ref()),
            Method::Forward(ForwardMethod::FullGrad) => "full-grad".into(),
            Method::Forward(ForwardMethod::Ablation { patch }) => {
                perhaps("feature-ablation", patch.as_ref())
            }
            Method::Forward(ForwardMethod::Rise { masks, .. }) => counted("rise", *masks, MASKS),
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

    /// Whether the map is signed: others only give magnitudes.
    pub fn is_signed(&self) -> bool {
        !matches!(
            self,
            Method::Adjoint(AdjointMethod::Saliency)
                | Method::Forward(ForwardMethod::GradCam { .. } | ForwardMethod::FullGrad)
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

    /// Parse a name of [`NAMES`]. A number of steps, samples or masks can follow, as in `integrated-gradients:50`.
    /// Also accepted are `grad-cam:NODE` and `layer:NODE`; `feature-ablation:16`, `occlusion:16` or
    /// `occlusion:16/8` with patch and stride; and `lrp-` with a custom composite ([`Composite`]).
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, more) = match text.split_once(':') {
            // A composite has colons of its own.
            Some(_) if text.starts_with("lrp-") => (text, None),
            Some((name, more)) => (name, Some(more)),
            None => (text, None),
        };
        let number = |text: &str| match text.parse::<usize>() {
            Ok(0) | Err(_) => Err(format!("`{text}` must be a number greater than 0")),
            Ok(MOST..) => Err(format!("`{text}` is above the limit of {}", MOST - 1)),
            Ok(number) => Ok(number),
        };
        let mut adjoints = AdjointMethod::ALL.into_iter();
        if let Some(adjoint) = adjoints.find(|one| one.name() == text) {
            return Ok(Method::Adjoint(adjoint));
        }
        let method = match (name, more) {
            ("guided-backprop", None) => Method::Sweep(SweepMethod::GuidedBackprop),
            ("deconvolution", None) => Method::Sweep(SweepMethod::Deconvolution),
            ("deep-lift", None) => Method::Sweep(SweepMethod::DeepLift),
            ("expected-gradients", samples) => Method::Mean(MeanMethod::ExpectedGradients {
                samples: samples.map(number).transpose()?.unwrap_or(SAMPLES),
                seed: 0,
            }),
            ("integrated-gradients", steps) => Method::Mean(MeanMethod::IntegratedGradients {
                steps: steps.map(number).transpose()?,
            }),
            ("smooth-grad", samples) => Method::Mean(MeanMethod::SmoothGrad {
                samples: samples.map(number).transpose()?.unwrap_or(NOISY),
                noise: 0.15,
                seed: 0,
            }),
            ("grad-cam", node) => Method::Forward(ForwardMethod::GradCam {
                node: node.map(String::from),
            }),
            ("layer", node) => Method::Forward(ForwardMethod::Layer {
                node: node.map(String::from),
            }),
            ("full-grad", None) => Method::Forward(ForwardMethod::FullGrad),
            ("feature-ablation", patch) => Method::Forward(ForwardMethod::Ablation {
                patch: patch.map(number).transpose()?,
            }),
            ("rise", masks) => Method::Forward(ForwardMethod::Rise {
                masks: masks.map(number).transpose()?.unwrap_or(MASKS),
                seed: 0,
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
                return Err(format!("no such method; methods are {}", names.join(", ")));
            }
        };
        Ok(method)
    }
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
            "layer:a.b",
            "rise:7",
            "smooth-grad:3",
            "expected-gradients:64",
            "feature-ablation:8",
        ] {
            assert_eq!(name.parse::<Method>().expect(name).name(), name);
        }
        for name in [
            "",
            "magic",
            "integrated-gradients:0",
            "integrated-gradients:5000",
            "lrp-at:5..2=plus",
            "occlusion:4/0",
            "lrp-magic",
            "row:3",
            "rise:0",
            "full-grad:3",
            "feature-ablation:x",
        ] {
            assert!(name.parse::<Method>().is_err(), "{name}");
        }
    }
}
