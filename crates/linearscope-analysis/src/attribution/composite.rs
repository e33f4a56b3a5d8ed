//! Which layers share out their relevance by which rule.

use std::{fmt, ops::Range, str::FromStr};

use linearscope::program::RelevanceRule;
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
/// What layers are called by, as messages list it.
const CONDITIONS: &str = "first, last, conv, dense, op:NAME, node:GLOB, at:N, at:N..M, joined by &";

/// Where a layer stands among those with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// No layer comes before it.
    First,
    /// No layer comes behind it.
    Last,
}

/// How a layer shares out relevance; [`RelevanceRule`] has the formulas.
#[derive(Clone, Copy, Debug, PartialEq)]
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

/// Which layers have a rule, and the rule. Conditions that are not given fit every layer, those that are given must all
/// hold; see [`Composite`].
#[derive(Clone, Debug, PartialEq)]
pub struct LayerEntry {
    position: Option<Position>,
    op: Option<String>,
    node: Option<String>,
    at: Option<Range<usize>>,
    rule: LayerRule,
}

impl LayerEntry {
    /// A rule for every layer.
    pub fn new(rule: LayerRule) -> Self {
        Self {
            position: None,
            op: None,
            node: None,
            at: None,
            rule,
        }
    }

    /// Only for layers with no layer before them, or none behind.
    #[must_use]
    pub fn position(self, position: Position) -> Self {
        Self {
            position: Some(position),
            ..self
        }
    }

    /// Only for layers of this op: `conv` (convolutions, transposed ones too), `dense` (the others), or an op as `inspect`
    /// prints it; `ConvTranspose2d` and `conv_transpose2d` are the same.
    #[must_use]
    pub fn op(self, name: &str) -> Self {
        Self {
            op: Some(plain(name)),
            ..self
        }
    }

    /// Only for layers whose node, or what the file calls it besides, fits this glob (`*` any run of characters, `?` one).
    #[must_use]
    pub fn node(self, glob: impl Into<String>) -> Self {
        Self {
            node: Some(glob.into()),
            ..self
        }
    }

    /// Only for layers whose number, in order and counted from 0, lies in this range.
    #[must_use]
    pub fn at(self, numbers: Range<usize>) -> Self {
        Self {
            at: Some(numbers),
            ..self
        }
    }

    fn fits(&self, layer: &Site<'_>) -> bool {
        let position = |position: &Position| match position {
            Position::First => layer.first,
            Position::Last => layer.last,
        };
        let op = |op: &String| match op.as_str() {
            "conv" => layer.convolution,
            "dense" => !layer.convolution,
            name => plain(layer.op) == name,
        };
        let node = |glob: &String| {
            let glob = WildMatch::new(glob);
            glob.matches(layer.name) || layer.alias.is_some_and(|alias| glob.matches(alias))
        };
        self.position.as_ref().is_none_or(position)
            && self.op.as_ref().is_none_or(op)
            && self.node.as_ref().is_none_or(node)
            && (self.at.as_ref()).is_none_or(|at| at.contains(&layer.number))
    }

    /// Whether somebody must have meant certain layers by it, so that it is told where it says nothing. `conv` and
    /// `dense` alone are families, of which a network may have none.
    fn is_meant(&self) -> bool {
        let family = matches!(self.op.as_deref(), None | Some("conv" | "dense"));
        !family || self.position.is_some() || self.node.is_some() || self.at.is_some()
    }

    fn conditions(&self) -> Vec<String> {
        let position = self.position.map(|position| match position {
            Position::First => "first".to_string(),
            Position::Last => "last".to_string(),
        });
        let op = self.op.as_ref().map(|op| match op.as_str() {
            family @ ("conv" | "dense") => family.to_string(),
            name => format!("op:{name}"),
        });
        let node = self.node.as_ref().map(|glob| format!("node:{glob}"));
        let at = self.at.as_ref().map(|at| match at.len() {
            1 => format!("at:{}", at.start),
            _ => format!("at:{}..{}", at.start, at.end),
        });
        [position, op, node, at].into_iter().flatten().collect()
    }

    /// The entry with one more condition, in words.
    fn with(self, condition: &str) -> std::result::Result<Self, String> {
        let number = |text: &str| {
            let number = text.trim().parse::<usize>();
            number.map_err(|_| format!("`{text}` is not a number of a layer"))
        };
        let twice = |is: bool| match is {
            true => Err(format!("`{condition}` is the second condition of its kind")),
            false => Ok(()),
        };
        match (condition, condition.split_once(':')) {
            ("", _) => Err(format!(
                "nothing stands before the =; conditions are {CONDITIONS}"
            )),
            ("first" | "last", _) => {
                twice(self.position.is_some())?;
                Ok(self.position(match condition {
                    "first" => Position::First,
                    _ => Position::Last,
                }))
            }
            (op @ ("conv" | "dense"), _) | (_, Some(("op", op))) => {
                twice(self.op.is_some())?;
                Ok(self.op(op))
            }
            (_, Some(("node", glob))) => {
                twice(self.node.is_some())?;
                Ok(self.node(glob))
            }
            (_, Some(("at", range))) => {
                twice(self.at.is_some())?;
                let (from, to) = match range.split_once("..") {
                    Some((from, to)) => (number(from)?, number(to)?),
                    None => (number(range)?, number(range)?.saturating_add(1)),
                };
                match from < to {
                    true => Ok(self.at(from..to)),
                    false => Err(format!(
                        "`{condition}` selects no layers: {from} is not below {to}"
                    )),
                }
            }
            _ => Err(format!(
                "`{condition}` is not a condition; conditions are {CONDITIONS}"
            )),
        }
    }
}

/// An op's name as it is compared: as rule sets compare them.
fn plain(op: &str) -> String {
    op.to_lowercase().replace('_', "")
}

/// A layer with weights, as entries are held against it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site<'a> {
    /// Its node, and what that is called besides.
    pub name: &'a str,
    pub alias: Option<&'a str>,
    /// Its op, as `inspect` prints it.
    pub op: &'a str,
    pub number: usize,
    pub convolution: bool,
    pub first: bool,
    pub last: bool,
}

/// Rules by layer, the first that fits; and what divisions are stabilised with.
///
/// As text, which is also how it is serialised: entries separated by commas, each a rule, perhaps behind conditions and
/// `=`. Conditions are `first` and `last` (no layer with weights before it, or behind), `conv`, `dense`, `op:NAME`,
/// `node:GLOB`, `at:5` and `at:2..5`, joined by `&`. Rules are `epsilon` (also `epsilon:0.01`), `zero`, `plus`, `gamma`
/// (`gamma:0.25`), `alpha-beta` (`alpha-beta:2:1`), `flat`, `w-square`, `box`. A preset stands for its entries: `epsilon`,
/// `epsilon-plus`, `epsilon-plus-flat`, `epsilon-gamma-box` and `epsilon-alpha2-beta1`, as in zennit. `stabiliser:1e-9`
/// sets the stabiliser. A glob with a comma or an `&` cannot be written so; `?` stands for either.
///
/// ```
/// use linearscope_analysis::attribution::{Composite, LayerEntry, LayerRule, Position};
///
/// let own: Composite = "first=box,conv&node:features.*=gamma:0.5,epsilon:0.01".parse()?;
/// assert_eq!(own.to_string(), "first=box,conv&node:features.*=gamma:0.5,epsilon:0.01");
/// let same = Composite::default()
///     .with(LayerEntry::new(LayerRule::Box).position(Position::First))
///     .with(LayerEntry::new(LayerRule::Gamma(0.5)).op("conv").node("features.*"))
///     .with(LayerEntry::new(LayerRule::Epsilon(0.01)));
/// assert_eq!(own, same);
/// assert_eq!("epsilon-plus".parse::<Composite>()?, "conv=plus,epsilon".parse()?);
/// assert!("conv=magic".parse::<Composite>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Composite {
    entries: Vec<LayerEntry>,
    stabiliser: f64,
}

impl Default for Composite {
    /// LRP-ε everywhere.
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            stabiliser: STABILISER,
        }
    }
}

impl Composite {
    /// The same with one more entry, below those there are. Layers that none fits have LRP-ε.
    #[must_use]
    pub fn with(mut self, entry: LayerEntry) -> Self {
        self.entries.push(entry);
        self
    }

    /// The same with another ε of every division but those of LRP-ε, which has its own; 1e-6, as in zennit.
    #[must_use]
    pub fn with_stabiliser(self, stabiliser: f64) -> Self {
        Self { stabiliser, ..self }
    }

    /// The entries, top-down.
    pub fn entries(&self) -> &[LayerEntry] {
        &self.entries
    }

    /// ε of every division but those of LRP-ε.
    pub fn stabiliser(&self) -> f64 {
        self.stabiliser
    }

    /// A named preset.
    ///
    /// # Errors
    /// Another name, with those that there are.
    pub fn preset(name: &str) -> std::result::Result<Self, String> {
        match PRESETS.iter().find(|(preset, _)| *preset == name) {
            Some((_, rules)) => {
                let rules = rules.split(',').map(str::parse);
                Ok(Self {
                    entries: rules.collect::<std::result::Result<_, String>>()?,
                    ..Self::default()
                })
            }
            None => Err(format!(
                "`{name}` is not a preset; presets are {}",
                PRESETS.map(|(name, _)| name).join(", ")
            )),
        }
    }

    /// Whether its numbers mean something: text is checked as it is read, code is not.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self) -> Result<()> {
        let rules = self.entries.iter().map(|entry| entry.rule.check());
        let stabiliser = amount(self.stabiliser).map(|_| ());
        let wrong = rules.chain([stabiliser]).find_map(std::result::Result::err);
        match wrong {
            None => Ok(()),
            Some(why) => Err(Error::Setting {
                what: "the composite",
                got: self.to_string(),
                allowed: why,
            }),
        }
    }

    /// Whether there are bounds for a box.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub(super) fn check_bounds(&self, bounds: bool) -> Result<()> {
        let mut rules = self.entries.iter().map(|entry| entry.rule);
        match !bounds && rules.any(|rule| rule == LayerRule::Box) {
            false => Ok(()),
            true => Err(Error::Setting {
                what: "the rule box",
                got: "without bounds".into(),
                allowed: "it needs the smallest and largest value of each input channel (--bounds LOW,HIGH; \
                          known for pictures)"
                    .into(),
            }),
        }
    }

    /// The rule of a layer.
    pub(super) fn rule(
        &self,
        layer: &Site<'_>,
        bounds: Option<&[Vec<f64>; 2]>,
        said: &mut Said,
    ) -> RelevanceRule {
        let rule = match said.of(&self.entries, layer) {
            Some(entry) => self.entries[entry].rule,
            None => LayerRule::Epsilon(STABILISER),
        };
        match rule {
            LayerRule::Epsilon(epsilon) => RelevanceRule::Epsilon(epsilon),
            LayerRule::Gamma(gamma) => RelevanceRule::Gamma(gamma),
            LayerRule::AlphaBeta(alpha, beta) => RelevanceRule::AlphaBeta(alpha, beta),
            LayerRule::Flat => RelevanceRule::Flat,
            LayerRule::WSquare => RelevanceRule::WSquare,
            LayerRule::Box => {
                let [low, high] = bounds.cloned().unwrap_or_default();
                RelevanceRule::Box { low, high }
            }
        }
    }

    /// What there is to say of entries that had no say, of those that mean certain layers: a misspelt name, or one above
    /// that takes all of theirs.
    pub(super) fn idle(&self, said: &Said) -> Option<String> {
        let of = |is: fn(&Had) -> bool| -> Option<String> {
            let entries = self.entries.iter().zip(&said.0);
            let idle = entries.filter(|(entry, had)| entry.is_meant() && is(had));
            let idle: Vec<String> = idle.map(|(entry, _)| entry.to_string()).collect();
            (!idle.is_empty()).then(|| idle.join(", "))
        };
        let unfit = of(|had| *had == Had::Nothing).map(|idle| format!("no layer matches {idle}"));
        let hidden = of(|had| *had == Had::Fitting)
            .map(|idle| format!("earlier entries take all layers that match {idle}"));
        let told: Vec<String> = unfit.into_iter().chain(hidden).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// What an entry had to do with a network's layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Had {
    #[default]
    Nothing,
    /// It fitted some, and another entry had them.
    Fitting,
    /// It had some.
    Say,
}

/// Which entries of a composite had a say, over a network's layers.
#[derive(Debug)]
pub(super) struct Said(Vec<Had>);

impl Said {
    pub(super) fn nothing(of: &Composite) -> Self {
        Self(vec![Had::default(); of.entries.len()])
    }

    /// The first entry that fits.
    fn of(&mut self, entries: &[LayerEntry], layer: &Site<'_>) -> Option<usize> {
        let mut first = None;
        for (number, entry) in entries.iter().enumerate() {
            if entry.fits(layer) {
                let had = match first {
                    None => Had::Say,
                    Some(_) => Had::Fitting,
                };
                first = first.or(Some(number));
                self.0[number] = self.0[number].max(had);
            }
        }
        first
    }
}

/// A number that rules take.
fn amount(number: f64) -> std::result::Result<f64, String> {
    match number.is_finite() && number >= 0.0 {
        true => Ok(number),
        false => Err(format!("`{number}` is not a number, 0 or above")),
    }
}

fn read_amount(text: &str) -> std::result::Result<f64, String> {
    let number = text.parse::<f64>();
    amount(number.map_err(|_| format!("`{text}` is not a number, 0 or above"))?)
}

impl LayerRule {
    fn check(&self) -> std::result::Result<(), String> {
        let numbers = match *self {
            Self::Epsilon(number) | Self::Gamma(number) => vec![number],
            Self::AlphaBeta(alpha, beta) => vec![alpha, beta],
            Self::Flat | Self::WSquare | Self::Box => Vec::new(),
        };
        numbers
            .into_iter()
            .try_for_each(|n| amount(n).map(|_| ()))?;
        match *self {
            Self::AlphaBeta(alpha, beta) if (alpha - beta - 1.0).abs() >= 1e-12 => {
                Err(format!("{self}: α − β is not 1"))
            }
            _ => Ok(()),
        }
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
            .map(read_amount)
            .collect::<std::result::Result<_, String>>()?;
        let rule = match (name, &numbers[..]) {
            ("epsilon", []) => Self::Epsilon(STABILISER),
            ("epsilon", &[epsilon]) => Self::Epsilon(epsilon),
            ("zero", []) => Self::Epsilon(0.0),
            ("gamma", []) => Self::Gamma(0.25),
            ("gamma", &[gamma]) => Self::Gamma(gamma),
            ("plus", []) => Self::AlphaBeta(1.0, 0.0),
            ("alpha-beta", []) => Self::AlphaBeta(2.0, 1.0),
            ("alpha-beta", &[alpha, beta]) => Self::AlphaBeta(alpha, beta),
            ("flat", []) => Self::Flat,
            ("w-square", []) => Self::WSquare,
            ("box", []) => Self::Box,
            _ => {
                return Err(format!(
                    "`{text}` is not a rule; rules are epsilon[:E], zero, plus, gamma[:G], alpha-beta[:A:B], \
                     flat, w-square, box"
                ));
            }
        };
        rule.check()?;
        Ok(rule)
    }
}

impl fmt::Display for LayerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = self.conditions();
        match conditions.is_empty() {
            true => write!(f, "{}", self.rule),
            false => write!(f, "{}={}", conditions.join("&"), self.rule),
        }
    }
}

impl FromStr for LayerEntry {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.rsplit_once('=') {
            None => Ok(Self::new(text.trim().parse()?)),
            Some((conditions, rule)) => conditions
                .split('&')
                .try_fold(Self::new(rule.trim().parse()?), |entry, condition| {
                    entry.with(condition.trim())
                }),
        }
    }
}

impl fmt::Display for Composite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> = self.entries.iter().map(LayerEntry::to_string).collect();
        let text = match entries.is_empty() {
            true => LayerRule::Epsilon(STABILISER).to_string(),
            false => entries.join(","),
        };
        let preset = PRESETS.iter().find(|(_, rules)| *rules == text);
        f.write_str(preset.map_or(text.as_str(), |(name, _)| name))?;
        match self.stabiliser == STABILISER {
            true => Ok(()),
            false => write!(f, ",stabiliser:{}", self.stabiliser),
        }
    }
}

impl FromStr for Composite {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (mut found, mut stabiliser) = (Self::default(), None);
        for part in text.split(',').map(str::trim) {
            if let Some(number) = part.strip_prefix("stabiliser:") {
                if stabiliser.replace(read_amount(number)?).is_some() {
                    return Err(format!("`{part}`: the stabiliser is given twice"));
                }
                continue;
            }
            match Self::preset(part) {
                Ok(preset) => found.entries.extend(preset.entries),
                Err(_) => found.entries.push(part.parse()?),
            }
        }
        Ok(found.with_stabiliser(stabiliser.unwrap_or(STABILISER)))
    }
}

impl From<Composite> for String {
    fn from(composite: Composite) -> Self {
        composite.to_string()
    }
}

impl TryFrom<String> for Composite {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::{Composite, Had, LayerEntry, LayerRule, Said, Site};

    fn composite(text: &str) -> Composite {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    const CONV: Site<'_> = Site {
        name: "features.0",
        alias: Some("node_conv_7"),
        op: "conv_transpose2d",
        number: 0,
        convolution: true,
        first: true,
        last: false,
    };
    const DENSE: Site<'_> = Site {
        name: "head",
        alias: None,
        op: "matmul",
        number: 1,
        convolution: false,
        first: false,
        last: true,
    };

    #[test]
    fn what_is_written_is_read_back_and_survives_json() {
        for text in [
            "epsilon",
            "epsilon-gamma-box",
            "first&conv&node:features.*&at:0..3=gamma:0.5,last=zero,op:matmul=w-square,at:4=plus",
            "epsilon-plus,stabiliser:0.000000001",
            "node:a=b=alpha-beta:1.5:0.5,flat",
        ] {
            let read = composite(text);
            assert_eq!(read.to_string(), text);
            let json = serde_json::to_string(&read).expect("written");
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(
                serde_json::from_str::<Composite>(&json).expect("read"),
                read
            );
        }
        // A preset stands for its entries, wherever it stands.
        assert_eq!(
            composite(" at:3=flat , epsilon-plus"),
            composite("at:3=flat,conv=plus,epsilon")
        );
        assert_eq!(Composite::default().to_string(), "epsilon");
    }

    #[test]
    fn nonsense_is_refused_with_what_there_is() {
        for (text, why) in [
            ("", "is not a rule"),
            ("conv=plus,,epsilon", "is not a rule"),
            ("=plus", "before the ="),
            ("fist=box", "first, last, conv"),
            ("conv&op:matmul=plus", "second condition"),
            ("at:5..2=plus", "5 is not below 2"),
            ("at:x=plus", "not a number of a layer"),
            ("gamma:-1", "0 or above"),
            ("gamma:nan", "0 or above"),
            ("alpha-beta:2:2", "α − β is not 1"),
            ("first=epsilon-plus", "is not a rule"),
            ("epsilon,stabiliser:1,stabiliser:2", "given twice"),
            ("stabiliser:inf", "0 or above"),
        ] {
            let refused = text.parse::<Composite>().expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}");
        }
        // What code can make and text cannot.
        let own = Composite::default().with(LayerEntry::new(LayerRule::AlphaBeta(3.0, 1.0)));
        let refused = own.check().expect_err("refused").to_string();
        assert!(refused.contains("α − β is not 1"), "{refused}");
        assert!(
            Composite::default()
                .with_stabiliser(f64::NAN)
                .check()
                .is_err()
        );
        assert!(composite("first=box").check_bounds(false).is_err());
        assert!(composite("first=box").check_bounds(true).is_ok());
        let refused = Composite::preset("conv=plus").expect_err("refused");
        assert!(refused.contains("epsilon-gamma-box"), "{refused}");
    }

    #[test]
    fn all_conditions_hold_and_the_first_entry_wins() {
        let fits = |text: &str, site: &Site<'_>| {
            let entry: LayerEntry = format!("{text}=plus").parse().expect(text);
            entry.fits(site)
        };
        for (text, conv, dense) in [
            ("first", true, false),
            ("last", false, true),
            ("conv", true, false),
            ("dense", false, true),
            ("op:conv", true, false),
            ("op:ConvTranspose2d", true, false),
            ("op:Conv2d", false, false),
            ("op:Matmul", false, true),
            ("node:features.*", true, false),
            ("node:node_conv_?", true, false),
            ("at:1", false, true),
            ("at:0..2", true, true),
            ("first&dense", false, false),
            ("last&node:h*", false, true),
        ] {
            assert_eq!(
                [fits(text, &CONV), fits(text, &DENSE)],
                [conv, dense],
                "{text}"
            );
        }
        let own = composite("first=flat,conv=plus,node:features.*=gamma,node:none=box,last=zero");
        let mut said = Said::nothing(&own);
        assert_eq!(said.of(own.entries(), &CONV), Some(0));
        assert_eq!(said.of(own.entries(), &DENSE), Some(4));
        assert_eq!(
            said.0,
            [Had::Say, Had::Fitting, Had::Fitting, Had::Nothing, Had::Say]
        );
        // `conv` is a family, and not told.
        assert_eq!(
            own.idle(&said).as_deref(),
            Some(
                "no layer matches node:none=box; earlier entries take all layers that match node:features.*=gamma"
            )
        );
    }
}
