//! Rule sets: which rule an op takes, read top-down, the first that fits wins.
//!
//! A [`RuleSet`] is a list of [`Entry`]s. An entry says where it holds (an op's name, a glob over
//! node names, a range of positions; all that are given must fit) and what it chooses (a [`Rule`]).
//! Each family of ops asks for its own kind of choice, so `taylor` on top and `std-only` below it
//! gives norms the tangent too: the first entry that says something about norms wins. What no entry
//! says is the default, the paper's reading where it has one.
//!
//! In words, as the command line and manifests write it: entries separated by commas, each
//! `where=rule` or `rule`; `where` is an op (`tanh`), a family (`pointwise`, `norm`, `product`) or
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
    /// y₁ = x₁ + (y₀ − x₀) for an op whose result has its operand's shape: rounding, quantising.
    /// Holds for the ops an entry names, whatever rule they have.
    StraightThrough,
    /// y₁ = y₀: the op's result is a decision. Holds for the ops an entry names.
    Constant,
    /// A rule of the user's, for the ops an entry names. See [`Rule::custom`].
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

/// Where a rule holds, and the rule. Conditions that are not given fit everywhere.
#[derive(Clone, Debug)]
pub struct Entry {
    op: Option<String>,
    node: Option<String>,
    at: Option<Range<usize>>,
    rule: Rule,
}

impl Entry {
    /// A rule that holds everywhere.
    pub fn new(rule: impl Into<Rule>) -> Self {
        Self {
            op: None,
            node: None,
            at: None,
            rule: rule.into(),
        }
    }

    /// Only for ops of this name, as `inspect` prints it or as Burn's function is called:
    /// `max_pool2d`, `MaxPool2d` and `float_tanh`, `tanh` are the same.
    pub fn op(self, name: impl Into<String>) -> Self {
        Self {
            op: Some(plain(&name.into())),
            ..self
        }
    }

    /// Only for nodes whose name, or what the file calls them besides, fits this glob (`*` any run of
    /// characters, `?` one).
    pub fn node(self, glob: impl Into<String>) -> Self {
        Self {
            node: Some(glob.into()),
            ..self
        }
    }

    /// Only for nodes whose number, as `inspect` counts them, lies in this range.
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

/// Where a run is: what entries are held against.
#[derive(Clone, Debug, Default)]
pub(crate) struct Site {
    /// [`plain`] name of the op; empty on the bare decorator, which does not know.
    pub op: String,
    /// The node's name.
    pub node: Arc<str>,
    /// What it is called besides.
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

    /// The same of a node that is called otherwise besides.
    pub(crate) fn also_called(self, alias: Option<&Arc<str>>) -> Self {
        Self {
            alias: alias.cloned(),
            ..self
        }
    }
}

/// The rules of a run; see the module's own words. The default is empty: the paper's reading where it
/// has one.
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
    /// One rule everywhere: `RuleSet::of(Pointwise::Taylor)`.
    pub fn of(rule: impl Into<Rule>) -> Self {
        Self::default().with(Entry::new(rule))
    }

    /// A named preset, see [`PRESETS`].
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

    /// The same with one more entry, below those there are.
    pub fn with(mut self, entry: Entry) -> Self {
        self.entries.push(entry);
        self
    }

    /// The entries, top-down.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether every entry can say something: a rule for one op needs to name it.
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

    /// What is chosen at a place, family by family.
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

    /// The rule that replaces an op's own at a place, if one does.
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
