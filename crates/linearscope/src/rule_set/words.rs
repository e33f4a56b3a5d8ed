//! Rule sets in words: read from the command line and files, echoed in manifests.

use std::{fmt, ops::Range, str::FromStr};

use super::{Entry, Normalisation, Pointwise, Product, Rule, RuleSet};
use crate::error::{Error, Result};

impl Rule {
    /// The word that surveys, manifests and the command line use.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Rule::Pointwise(Pointwise::Secant) => "secant",
            Rule::Pointwise(Pointwise::Mask) => "mask",
            Rule::Normalisation(Normalisation::MeanAndStd) => "mean-and-std",
            Rule::Normalisation(Normalisation::StdOnly) => "std-only",
            Rule::Product(Product::Gate) => "gate",
            Rule::Product(Product::Halves) => "halves",
            Rule::Pointwise(Pointwise::Taylor)
            | Rule::Normalisation(Normalisation::Taylor)
            | Rule::Product(Product::Taylor)
            | Rule::Taylor => "taylor",
            Rule::StraightThrough => "straight-through",
            Rule::Constant => "constant",
            Rule::Custom(rule) => rule.name(),
        }
    }

    /// The family whose tangent it is alone.
    fn family(&self) -> Option<&'static str> {
        match self {
            Rule::Pointwise(Pointwise::Taylor) => Some("pointwise"),
            Rule::Normalisation(Normalisation::Taylor) => Some("norm"),
            Rule::Product(Product::Taylor) => Some("product"),
            _ => None,
        }
    }
}

/// The words of rules, and what they may be said of.
const WORDS: &str = "secant, taylor, mask (pointwise functions), mean-and-std, std-only, taylor \
                     (norms), gate, halves, taylor (products), straight-through, constant (any op)";

impl FromStr for Rule {
    type Err = Error;
    fn from_str(word: &str) -> Result<Self> {
        Ok(match word {
            "secant" => Pointwise::Secant.into(),
            "mask" => Pointwise::Mask.into(),
            "mean-and-std" => Normalisation::MeanAndStd.into(),
            "std-only" => Normalisation::StdOnly.into(),
            "gate" => Product::Gate.into(),
            "halves" => Product::Halves.into(),
            "taylor" => Rule::Taylor,
            "straight-through" => Rule::StraightThrough,
            "constant" => Rule::Constant,
            other => {
                return Err(Error::Rules(format!(
                    "\"{other}\" is not a rule; rules are {WORDS}"
                )));
            }
        })
    }
}

impl Entry {
    fn conditions(&self) -> Vec<String> {
        let mut conditions = Vec::new();
        conditions.extend(self.op.as_ref().map(|op| format!("op:{op}")));
        conditions.extend(self.node.as_ref().map(|glob| format!("node:{glob}")));
        let range = |at: &Range<usize>| format!("at:{}..{}", at.start, at.end);
        conditions.extend(self.at.as_ref().map(range));
        conditions.extend(self.rule.family().map(String::from));
        conditions
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = self.conditions();
        match conditions.is_empty() {
            true => f.write_str(self.rule.word()),
            false => write!(f, "{}={}", conditions.join("&"), self.rule.word()),
        }
    }
}

impl FromStr for Entry {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let Some((place, word)) = text.rsplit_once('=') else {
            return Ok(Entry::new(text.trim().parse::<Rule>()?));
        };
        let mut entry = Entry::new(word.trim().parse::<Rule>()?);
        for condition in place.split('&').map(str::trim) {
            let misfit = |what: &str| {
                Error::Rules(format!(
                    "in \"{text}\": {what}; write a rule as where=rule; where is an op, a family (pointwise, \
                     norm, product), or op:NAME, node:GLOB, at:A..B joined by &"
                ))
            };
            entry = match condition.split_once(':') {
                Some(("op", name)) => entry.op(name),
                Some(("node", glob)) => entry.node(glob),
                Some(("at", range)) => {
                    let ends = range.split_once("..").map(|(a, b)| (a.parse(), b.parse()));
                    let Some((Ok(from), Ok(to))) = ends else {
                        return Err(misfit(&format!("\"{range}\" is no range")));
                    };
                    entry.at(from..to)
                }
                Some((other, _)) => return Err(misfit(&format!("\"{other}:\" is no condition"))),
                None => match (condition, &entry.rule) {
                    ("", _) => return Err(misfit("nothing stands before the =")),
                    ("pointwise", Rule::Taylor) => Entry {
                        rule: Pointwise::Taylor.into(),
                        ..entry
                    },
                    ("norm", Rule::Taylor) => Entry {
                        rule: Normalisation::Taylor.into(),
                        ..entry
                    },
                    ("product", Rule::Taylor) => Entry {
                        rule: Product::Taylor.into(),
                        ..entry
                    },
                    ("pointwise", Rule::Pointwise(_))
                    | ("norm", Rule::Normalisation(_))
                    | ("product", Rule::Product(_)) => entry,
                    (family @ ("pointwise" | "norm" | "product"), rule) => {
                        let rule = rule.word();
                        return Err(misfit(&format!("{rule} is not a rule for a {family}")));
                    }
                    (op, _) => entry.op(op),
                },
            };
        }
        Ok(entry)
    }
}

impl fmt::Display for RuleSet {
    /// Every entry, and below them the defaults: read back, it is the same rule set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            write!(f, "{entry}, ")?;
        }
        f.write_str("secant, mean-and-std, gate")
    }
}

impl FromStr for RuleSet {
    type Err = Error;
    /// Entries and presets separated by commas.
    fn from_str(text: &str) -> Result<Self> {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            match Self::preset(part) {
                Ok(preset) => set.entries.extend(preset.entries),
                Err(_) => set.entries.push(part.parse()?),
            }
        }
        set.check()?;
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Choices, Site, plain},
        *,
    };

    fn at(op: &str, node: &str, position: usize) -> Site {
        Site {
            op: plain(op),
            node: node.into(),
            position,
            ..Site::default()
        }
    }

    #[test]
    fn a_node_is_named_either_way() {
        let rules: RuleSet = "node:layer1.*=mask".parse().expect("a rule set");
        let site = at("tanh", "layer1.act", 0).also_called(Some(&"node_tanh_3".into()));
        assert_eq!(rules.choices(&site).pointwise, Pointwise::Mask);
        let rules: RuleSet = "node:node_tanh_3=mask".parse().expect("a rule set");
        assert_eq!(rules.choices(&site).pointwise, Pointwise::Mask);
        assert_ne!(
            rules.choices(&at("tanh", "act", 0)).pointwise,
            Pointwise::Mask
        );
    }

    #[test]
    fn the_first_entry_that_fits_wins() {
        let rules: RuleSet = "tanh=taylor, node:features.*=mask, at:3..5=secant, taylor, std-only"
            .parse()
            .expect("a rule set");
        let pointwise = |site: &Site| rules.choices(site).pointwise;
        assert_eq!(
            pointwise(&at("float_tanh", "features.1", 3)),
            Pointwise::Taylor
        );
        assert_eq!(pointwise(&at("sigmoid", "features.1", 3)), Pointwise::Mask);
        assert_eq!(pointwise(&at("sigmoid", "head", 4)), Pointwise::Secant);
        assert_eq!(pointwise(&at("sigmoid", "head", 5)), Pointwise::Taylor);
        // `taylor` stands above `std-only` and speaks of norms too.
        let norm = rules.choices(&at("x", "y", 9)).normalisation;
        assert_eq!(norm, Normalisation::Taylor);
    }

    #[test]
    fn families_are_told_apart() {
        let rules: RuleSet = "norm=taylor, pointwise=mask, product=halves"
            .parse()
            .expect("reads");
        let found = rules.choices(&Site::default());
        assert_eq!(found.pointwise, Pointwise::Mask);
        assert_eq!(found.normalisation, Normalisation::Taylor);
        assert_eq!(found.product, Product::Halves);
        assert_eq!(
            RuleSet::default().choices(&Site::default()),
            Choices::default()
        );
    }

    #[test]
    fn what_is_printed_reads_back() {
        for text in [
            "",
            "op:tanh=taylor, op:maxpool2d&node:a*&at:1..4=constant",
            "norm=taylor, paper",
            "MaxPool2d=straight-through",
            "node:a&norm=taylor",
        ] {
            let rules: RuleSet = text.parse().expect("reads");
            let again: RuleSet = rules.to_string().parse().expect("reads back");
            assert_eq!(again.entries.len(), rules.entries.len() + 3, "{text}");
            for (old, new) in rules.entries.iter().zip(&again.entries) {
                assert_eq!(old.to_string(), new.to_string(), "{text}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_there_is() {
        for (text, word) in [
            ("sekant", "secant, taylor, mask"),
            ("norm=mask", "mask is not a rule for a norm"),
            ("at:3=mask", "is no range"),
            ("place:3=mask", "is no condition"),
            ("=mask", "before the ="),
            ("constant", "restrict it"),
        ] {
            let error = text.parse::<RuleSet>().expect_err(text).to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
