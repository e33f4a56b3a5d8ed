//! Which layers share out their relevance by which rule.

use std::{fmt, str::FromStr};

use linearscope::program::{RelevanceLayer, RelevanceRule};
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use crate::error::{Error, Result};

/// zennit's.
const STABILISER: f64 = 1e-6;
/// Presets, by the names that zennit has for them.
const PRESETS: [(&str, &str); 5] = [
    ("epsilon", "epsilon"),
    ("epsilon-plus", "conv=plus,epsilon"),
    ("epsilon-plus-flat", "first=flat,conv=plus,epsilon"),
    ("epsilon-gamma-box", "first=box,conv=gamma,epsilon"),
    ("epsilon-alpha2-beta1", "conv=alpha-beta,epsilon"),
];

/// Which layers an entry of a composite is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selector {
    /// All.
    All,
    /// Those with no layer before them.
    First,
    /// Convolutions, transposed ones too.
    Conv,
    /// Matrix products.
    Dense,
    /// Those whose node fits this glob.
    Node(String),
    /// Those from one number up to below another, in order, counted from 0.
    At(usize, usize),
}

/// How a layer shares out relevance; [`RelevanceRule`] has the formulas.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerRule {
    /// LRP-ε; 0 is LRP-0.
    Epsilon(f64),
    /// LRP-γ.
    Gamma(f64),
    /// LRP-αβ; 1 and 0 are z⁺.
    AlphaBeta(f64, f64),
    /// Flat.
    Flat,
    /// w².
    WSquare,
    /// The box of the input's bounds.
    Box,
}

/// Rules by layer, the first that fits; and what divisions are stabilised with.
///
/// As text: entries separated by commas, each a rule, perhaps behind `first=`, `conv=`, `dense=`, `node:GLOB=` or
/// `at:2..5=`. Rules are `epsilon` (also `epsilon:0.01`), `zero`, `plus`, `gamma` (`gamma:0.25`), `alpha-beta`
/// (`alpha-beta:2:1`), `flat`, `w-square`, `box`. Presets are `epsilon`, `epsilon-plus`, `epsilon-plus-flat`,
/// `epsilon-gamma-box` and `epsilon-alpha2-beta1`, as in zennit.
///
/// ```
/// use linearscope_analysis::attribution::Composite;
///
/// let own: Composite = "first=box,node:features.*=gamma:0.5,epsilon:0.01".parse()?;
/// assert_eq!(own.to_string(), "first=box,node:features.*=gamma:0.5,epsilon:0.01");
/// assert_eq!("epsilon-plus".parse::<Composite>()?, "conv=plus,epsilon".parse()?);
/// assert!("conv=magic".parse::<Composite>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Composite {
    /// The first that fits a layer has it; layers that none fits have LRP-ε.
    pub rules: Vec<(Selector, LayerRule)>,
    /// ε of every division but those of LRP-ε, which has its own; 1e-6, as in zennit.
    pub stabiliser: f64,
}

impl Composite {
    /// Rules in order.
    pub fn new(rules: Vec<(Selector, LayerRule)>) -> Self {
        Self {
            rules,
            stabiliser: STABILISER,
        }
    }

    /// The same with another stabiliser.
    #[must_use]
    pub fn with_stabiliser(self, stabiliser: f64) -> Self {
        Self { stabiliser, ..self }
    }

    /// Whether what it needs is there.
    pub(super) fn check(&self, bounds: bool) -> Result<()> {
        if !bounds && self.rules.iter().any(|(_, rule)| *rule == LayerRule::Box) {
            return Err(Error::Setting {
                what: "the rule box",
                got: "without bounds".into(),
                allowed: "it takes the least and the largest value of each channel of the input"
                    .into(),
            });
        }
        Ok(())
    }

    /// The rule of a layer, and which entry it is of; `None`: of none.
    pub(super) fn rule(
        &self,
        layer: &RelevanceLayer<'_>,
        bounds: Option<&[Vec<f64>; 2]>,
    ) -> (RelevanceRule, Option<usize>) {
        let fits = |selector: &Selector| match selector {
            Selector::All => true,
            Selector::First => layer.first,
            Selector::Conv => layer.convolution,
            Selector::Dense => !layer.convolution,
            Selector::Node(glob) => WildMatch::new(glob).matches(layer.name),
            Selector::At(from, to) => (*from..*to).contains(&layer.number),
        };
        let entry = self.rules.iter().position(|(selector, _)| fits(selector));
        let rule = entry.map_or(LayerRule::Epsilon(STABILISER), |entry| self.rules[entry].1);
        let rule = match rule {
            LayerRule::Epsilon(epsilon) => RelevanceRule::Epsilon(epsilon),
            LayerRule::Gamma(gamma) => RelevanceRule::Gamma(gamma),
            LayerRule::AlphaBeta(alpha, beta) => RelevanceRule::AlphaBeta(alpha, beta),
            LayerRule::Flat => RelevanceRule::Flat,
            LayerRule::WSquare => RelevanceRule::WSquare,
            LayerRule::Box => {
                let [low, high] = bounds.cloned().unwrap_or_default();
                RelevanceRule::Box { low, high }
            }
        };
        (rule, entry)
    }

    /// What there is to say of entries that no layer fits: those that name layers.
    pub(super) fn unfit(&self, fits: &[bool]) -> Option<String> {
        let entries = self.rules.iter().zip(fits);
        let unfit: Vec<String> = entries
            .filter(|((selector, _), fits)| {
                !**fits && matches!(selector, Selector::Node(_) | Selector::At(..))
            })
            .map(|((selector, rule), _)| format!("{selector}{rule}"))
            .collect();
        (!unfit.is_empty()).then(|| format!("no layer fits {}", unfit.join(", ")))
    }
}

impl fmt::Display for LayerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epsilon(epsilon) if *epsilon == STABILISER => f.write_str("epsilon"),
            Self::Epsilon(0.0) => f.write_str("zero"),
            Self::Epsilon(epsilon) => write!(f, "epsilon:{epsilon}"),
            Self::Gamma(0.25) => f.write_str("gamma"),
            Self::Gamma(gamma) => write!(f, "gamma:{gamma}"),
            Self::AlphaBeta(1.0, 0.0) => f.write_str("plus"),
            Self::AlphaBeta(2.0, 1.0) => f.write_str("alpha-beta"),
            Self::AlphaBeta(alpha, beta) => write!(f, "alpha-beta:{alpha}:{beta}"),
            Self::Flat => f.write_str("flat"),
            Self::WSquare => f.write_str("w-square"),
            Self::Box => f.write_str("box"),
        }
    }
}

impl FromStr for LayerRule {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let numbers: Vec<f64> = parts
            .map(|part| match part.parse::<f64>() {
                Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
                _ => Err(format!("`{part}` is not a number, 0 or above")),
            })
            .collect::<std::result::Result<_, String>>()?;
        Ok(match (name, &numbers[..]) {
            ("epsilon", []) => Self::Epsilon(STABILISER),
            ("epsilon", &[epsilon]) => Self::Epsilon(epsilon),
            ("zero", []) => Self::Epsilon(0.0),
            ("gamma", []) => Self::Gamma(0.25),
            ("gamma", &[gamma]) => Self::Gamma(gamma),
            ("plus", []) => Self::AlphaBeta(1.0, 0.0),
            ("alpha-beta", []) => Self::AlphaBeta(2.0, 1.0),
            ("alpha-beta", &[alpha, beta]) if (alpha - beta - 1.0).abs() < 1e-12 => {
                Self::AlphaBeta(alpha, beta)
            }
            ("alpha-beta", &[_, _]) => return Err(format!("{text}: α − β is not 1")),
            ("flat", []) => Self::Flat,
            ("w-square", []) => Self::WSquare,
            ("box", []) => Self::Box,
            _ => {
                return Err(format!(
                    "`{text}` is no rule; there are epsilon[:E], zero, plus, gamma[:G], alpha-beta[:A:B], flat, \
                     w-square, box"
                ));
            }
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::First => f.write_str("first="),
            Self::Conv => f.write_str("conv="),
            Self::Dense => f.write_str("dense="),
            Self::Node(glob) => write!(f, "node:{glob}="),
            Self::At(from, to) => write!(f, "at:{from}..{to}="),
        }
    }
}

fn selector(text: &str) -> std::result::Result<Selector, String> {
    let number = |text: &str| {
        let number = text.parse::<usize>();
        number.map_err(|_| format!("`{text}` is not a number of a layer"))
    };
    Ok(match (text, text.split_once(':')) {
        ("first", _) => Selector::First,
        ("conv", _) => Selector::Conv,
        ("dense", _) => Selector::Dense,
        (_, Some(("node", glob))) => Selector::Node(glob.into()),
        (_, Some(("at", range))) => {
            let (from, to) = match range.split_once("..") {
                Some((from, to)) => (number(from)?, number(to)?),
                None => (number(range)?, number(range)?.saturating_add(1)),
            };
            if from >= to {
                return Err(format!(
                    "`{text}` names no layers: {from} is not below {to}"
                ));
            }
            Selector::At(from, to)
        }
        _ => {
            return Err(format!(
                "`{text}` names no layers; there are first, conv, dense, node:GLOB, at:N, at:N..M"
            ));
        }
    })
}

impl fmt::Display for Composite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> = (self.rules.iter())
            .map(|(selector, rule)| format!("{selector}{rule}"))
            .collect();
        let text = entries.join(",");
        let preset = PRESETS.iter().find(|(_, rules)| *rules == text);
        f.write_str(preset.map_or(text.as_str(), |(name, _)| name))
    }
}

impl FromStr for Composite {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let preset = PRESETS.iter().find(|(name, _)| *name == text);
        let text = preset.map_or(text, |(_, rules)| rules);
        let entry = |entry: &str| match entry.rsplit_once('=') {
            Some((of, rule)) => Ok((selector(of)?, rule.parse()?)),
            None => Ok((Selector::All, entry.parse()?)),
        };
        let rules: std::result::Result<Vec<_>, String> = text.split(',').map(entry).collect();
        Ok(Self::new(rules?))
    }
}
