//! Rule sets decide which rule an op takes. They are read top-down, and the first entry that fits
//! wins.
//!
//! A [`RuleSet`] is a list of [`Entry`]s. An entry says where it applies and which [`Rule`] it
//! chooses there. It can name an op, a glob over node names and a range of positions; all
//! conditions that are given must fit. Each family of ops asks for its own kind of choice. So
//! `taylor` on top and `std-only` below it gives norms the tangent too, because the first entry
//! that says something about norms wins. Where no entry applies, the default is used: the paper's
//! reading where it has one.
//!
//! The command line and manifests write a rule set as text: entries separated by commas, each
//! `where=rule` or `rule`. `where` is an op (`tanh`), a family (`pointwise`, `norm`, `product`) or
//! conditions joined by `&`: `op:tanh`, `node:features.*`, `at:10..20`.

mod choice;
mod custom;
mod words;

use std::{ops::Range, sync::Arc};

use wildmatch::WildMatch;

pub use self::{
    choice::{Choices, Normalisation, Pointwise, Product},
    custom::{CustomRule, Reference},
};
use crate::error::{Error, Result};

/// What an [`Entry`] chooses.
#[derive(Clone, Debug)]
pub enum Rule {
    /// For smooth pointwise functions.
    Pointwise(Pointwise),
    /// For norms that compute statistics from their input.
    Normalisation(Normalisation),
    /// For products and quotients, and softmax.
    Product(Product),
    /// The tangent of everything: F is the network's Jacobian at x₀.
    Taylor,
    /// y₁ = x₁ + (y₀ − x₀) for an op whose result has its operand's shape: rounding, quantising. It
    /// applies to the ops that an entry names, whatever rule they have.
    StraightThrough,
    /// y₁ = y₀: the op's result is a decision. It applies to the ops that an entry names.
    Constant,
    /// A custom rule, for the ops that an entry names. See [`Rule::custom`].
    Custom(CustomRule),
}

impl Rule {
    /// Whether it says nothing until an entry names the ops it is for.
    fn needs_place(&self) -> bool {
        matches!(
            self,
            Rule::StraightThrough | Rule::Constant | Rule::Custom(_)
        )
    }
}

impl From<Pointwise> for Rule {
    fn from(rule: Pointwise) -> Self {
        Rule::Pointwise(rule)
    }
}
impl From<Normalisation> for Rule {
    fn from(rule: Normalisation) -> Self {
        Rule::Normalisation(rule)
    }
}
impl From<Product> for Rule {
    fn from(rule: Product) -> Self {
        Rule::Product(rule)
    }
}

impl<R: Into<Rule>> From<R> for RuleSet {
    fn from(rule: R) -> Self {
        RuleSet::of(rule)
    }
}

/// A rule, and where it applies. A condition that is not given fits everywhere.
#[derive(Clone, Debug)]
pub struct Entry {
    op: Option<String>,
    node: Option<String>,
    at: Option<Range<usize>>,
    rule: Rule,
}

impl Entry {
    /// A rule that applies everywhere.
    pub fn new(rule: impl Into<Rule>) -> Self {
        Self {
            op: None,
            node: None,
            at: None,
            rule: rule.into(),
        }
    }

    /// Restrict the entry to ops of this name, written as `inspect` prints it or as Burn names its
    /// function: `max_pool2d` and `MaxPool2d` are the same, and so are `float_tanh` and `tanh`.
    pub fn op(self, name: impl Into<String>) -> Self {
        Self {
            op: Some(plain(&name.into())),
            ..self
        }
    }

    /// Restrict the entry to nodes whose name or alias (the file's own name) fits this glob (`*` any
    /// run of characters, `?` one).
    pub fn node(self, glob: impl Into<String>) -> Self {
        Self {
            node: Some(glob.into()),
            ..self
        }
    }

    /// Restrict the entry to nodes whose number, as `inspect` counts them, lies in this range.
    pub fn at(self, positions: Range<usize>) -> Self {
        Self {
            at: Some(positions),
            ..self
        }
    }

    fn has_place(&self) -> bool {
        self.op.is_some() || self.node.is_some() || self.at.is_some()
    }

    fn fits(&self, site: &Site) -> bool {
        self.op.as_ref().is_none_or(|op| *op == site.op)
            && self
                .at
                .as_ref()
                .is_none_or(|at| at.contains(&site.position))
            && self.node.as_ref().is_none_or(|glob| {
                let glob = WildMatch::new(glob);
                let alias = site.alias.as_ref();
                glob.matches(&site.node) || alias.is_some_and(|alias| glob.matches(alias))
            })
    }
}

/// An op's name as it is compared: lower case, without `float_` and underscores.
pub(crate) fn plain(op: &str) -> String {
    let lower = op.to_lowercase();
    lower.trim_start_matches("float_").replace('_', "")
}

/// Where a run is. Entries are compared with this.
#[derive(Clone, Debug, Default)]
pub(crate) struct Site {
    /// [`plain`] name of the op; empty on the bare decorator, which does not know it.
    pub op: String,
    /// The node's name.
    pub node: Arc<str>,
    /// Its alias.
    pub alias: Option<Arc<str>>,
    /// The node's number in the order they run.
    pub position: usize,
}

impl Site {
    /// Burn's name of the op, the node's name and its number.
    pub(crate) fn new(op: &str, node: &Arc<str>, position: usize) -> Self {
        Self {
            op: plain(op),
            node: node.clone(),
            alias: None,
            position,
        }
    }

    /// The same for a node with an alias.
    pub(crate) fn also_called(self, alias: Option<&Arc<str>>) -> Self {
        Self {
            alias: alias.cloned(),
            ..self
        }
    }
}

/// The rules of a run: a list of entries, read top-down, of which the first that fits wins. The
/// default is empty: the paper's reading where it has one.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    entries: Vec<Entry>,
}

/// Names of the presets.
pub const PRESETS: &[(&str, &str)] = &[
    (
        "default",
        "secant, mean-and-std, gate: the paper's reading, with sources for what it leaves out",
    ),
    (
        "paper",
        "mask, mean-and-std, gate: the paper's words; refuses where x₀ ≈ 0 and h(0) ≠ 0",
    ),
    ("taylor", "the tangent of everything: F is the Jacobian"),
    ("mask", "gain h(x₀)/x₀ for pointwise functions, no source"),
    (
        "std-only",
        "norms keep their mean as a linear map of the input",
    ),
];

impl RuleSet {
    /// Apply one rule everywhere: `RuleSet::of(Pointwise::Taylor)`.
    pub fn of(rule: impl Into<Rule>) -> Self {
        Self::default().with(Entry::new(rule))
    }

    /// The preset of this name, see [`PRESETS`].
    ///
    /// # Errors
    /// [`Error::Rules`] for another name.
    pub fn preset(name: &str) -> Result<Self> {
        let rules: Vec<Rule> = match name {
            "default" => vec![],
            "paper" => vec![
                Pointwise::Mask.into(),
                Normalisation::MeanAndStd.into(),
                Product::Gate.into(),
            ],
            "taylor" => vec![Rule::Taylor],
            "mask" => vec![Pointwise::Mask.into()],
            "std-only" => vec![Normalisation::StdOnly.into()],
            other => {
                let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
                return Err(Error::Rules(format!(
                    "\"{other}\" is not a preset; presets are {}",
                    names.join(", ")
                )));
            }
        };
        Ok(rules
            .into_iter()
            .fold(Self::default(), |set, rule| set.with(Entry::new(rule))))
    }

    /// Add an entry below the existing ones.
    pub fn with(mut self, entry: Entry) -> Self {
        self.entries.push(entry);
        self
    }

    /// The entries, top-down.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Check that every entry can apply: a rule for one op must name the op.
    ///
    /// # Errors
    /// [`Error::Rules`].
    pub fn check(&self) -> Result<()> {
        let vague = |entry: &&Entry| entry.rule.needs_place() && !entry.has_place();
        match self.entries.iter().find(vague) {
            None => Ok(()),
            Some(entry) => Err(Error::Rules(format!(
                "{entry} would apply to every op of the network; restrict it, for instance round={entry} or \
                 node:quant*={entry}"
            ))),
        }
    }

    /// The choices at a place, family by family.
    pub(crate) fn choices(&self, site: &Site) -> Choices {
        let (mut pointwise, mut normalisation, mut product) = (None, None, None);
        for entry in self.entries.iter().filter(|entry| entry.fits(site)) {
            match &entry.rule {
                Rule::Pointwise(rule) => pointwise = pointwise.or(Some(*rule)),
                Rule::Normalisation(rule) => normalisation = normalisation.or(Some(*rule)),
                Rule::Product(rule) => product = product.or(Some(*rule)),
                Rule::Taylor => {
                    pointwise = pointwise.or(Some(Pointwise::Taylor));
                    normalisation = normalisation.or(Some(Normalisation::Taylor));
                    product = product.or(Some(Product::Taylor));
                }
                Rule::StraightThrough | Rule::Constant | Rule::Custom(_) => {}
            }
        }
        Choices {
            pointwise: pointwise.unwrap_or_default(),
            normalisation: normalisation.unwrap_or_default(),
            product: product.unwrap_or_default(),
        }
    }

    /// The rule that replaces an op's own at a place, if there is one.
    pub(crate) fn replacement(&self, site: &Site) -> Option<&Rule> {
        let fitting = self.entries.iter().filter(|entry| entry.fits(site));
        let mut rules = fitting.map(|entry| &entry.rule);
        rules.find(|rule| rule.needs_place())
    }

    /// Numbers of the entries that name this place.
    pub(crate) fn fitting(&self, site: &Site) -> impl Iterator<Item = usize> {
        let entries = self.entries.iter().enumerate();
        entries.filter_map(move |(index, entry)| entry.fits(site).then_some(index))
    }
}
