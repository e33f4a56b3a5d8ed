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

use std::{any::Any, fmt, ops::Range, str::FromStr, sync::Arc};

use burn_backend::{Backend, tensor::FloatTensor};
use wildmatch::WildMatch;

use crate::{
    error::{Error, Result},
    linear::LinearMap,
};

/// How a smooth pointwise function h is frozen at x₀.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pointwise {
    /// Gain (h(x₀) − h(0))/x₀, source h(0): the line through the origin's image and the point.
    #[default]
    Secant,
    /// Gain h′(x₀), source h(x₀) − h′(x₀) x₀: the tangent.
    Taylor,
    /// Gain h(x₀)/x₀, no source: the paper's words. An error where x₀ ≈ 0 and h(0) ≠ 0.
    Mask,
}

/// What is frozen of an instance, group, layer or RMS norm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalisation {
    /// Mean and standard deviation (the paper's Fig. 2): the norm becomes pointwise.
    #[default]
    MeanAndStd,
    /// The standard deviation only; the mean stays a linear map of the input.
    StdOnly,
    /// Nothing: mean and standard deviation follow the input to first order.
    Taylor,
}

/// How a product or quotient of two tensors from the input is frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Product {
    /// x · g with one gate: the gate is frozen, g₀ x₁; none or two: ½(g₀ x₁ + x₀ g₁). a / b: b is
    /// frozen.
    #[default]
    Gate,
    /// ½(g₀ x₁ + x₀ g₁) always; a / b: b is frozen.
    Halves,
    /// The tangent: g₀ x₁ + x₀ g₁ − x₀ g₀; a₁/b₀ − a₀ b₁/b₀² + a₀/b₀.
    Taylor,
}

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
    /// A rule of the user's, for the ops an entry names. See [`Rule::own`].
    Own(Own),
}

/// An op at x₀, as a rule of the user's sees it.
#[derive(Debug)]
pub struct Reference<B: Backend> {
    /// The op's float operands at x₀, in order.
    pub operands: Vec<FloatTensor<B>>,
    /// Which of them the rule's map acts on: the first that depends linearly on the input.
    pub probed: usize,
    /// The op's value y₀.
    pub value: FloatTensor<B>,
}

impl<B: Backend> Reference<B> {
    /// x₀, the operand the map acts on.
    pub fn x0(&self) -> FloatTensor<B> {
        self.operands[self.probed].clone()
    }

    /// y₀.
    pub fn y0(&self) -> FloatTensor<B> {
        self.value.clone()
    }
}

type OwnRule<B> = dyn Fn(&Reference<B>) -> Box<dyn LinearMap<B>> + Send + Sync;

/// A rule of the user's, for one backend.
#[derive(Clone)]
pub struct Own {
    name: &'static str,
    /// An `Arc<OwnRule<B>>`; rule sets do not know their backend.
    rule: Arc<dyn Any + Send + Sync>,
}

impl Own {
    /// The word surveys and manifests print.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The map for an op at x₀; `None` when it was written for another backend.
    pub(crate) fn freeze<B: Backend>(&self, at: &Reference<B>) -> Option<Box<dyn LinearMap<B>>> {
        let rule = self.rule.downcast_ref::<Arc<OwnRule<B>>>()?;
        Some(rule(at))
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Own({:?})", self.name)
    }
}

impl Rule {
    /// A rule in a few lines: from the op at x₀ the linear map A that its probe takes; the source
    /// y₀ − A x₀ is added, so that the rule is exact at x₀ whatever A is. `name` is what surveys
    /// and manifests print. The map acts on the first operand that depends linearly on the input;
    /// others count as frozen. `B` is the backend the network is loaded on, for instance `Dispatch`.
    pub fn own<B: Backend>(
        name: &'static str,
        rule: impl Fn(&Reference<B>) -> Box<dyn LinearMap<B>> + Send + Sync + 'static,
    ) -> Self {
        let rule: Arc<OwnRule<B>> = Arc::new(rule);
        Rule::Own(Own {
            name,
            rule: Arc::new(rule),
        })
    }

    /// Whether it says nothing until an entry names the ops it is for.
    fn needs_place(&self) -> bool {
        matches!(
            self,
            Rule::StraightThrough | Rule::Constant | Rule::Own { .. }
        )
    }

    fn word(&self) -> &'static str {
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
            Rule::Own(own) => own.name,
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
                    "\"{other}\" is no rule; there are {WORDS}"
                )));
            }
        })
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

    /// Only for nodes whose name fits this glob (`*` any run of characters, `?` one).
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
            && self
                .node
                .as_ref()
                .is_none_or(|glob| WildMatch::new(glob).matches(&site.node))
    }

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
                    "in \"{text}\": {what}; a rule reads where=rule, where is an op, a family \
                     (pointwise, norm, product), or op:NAME, node:GLOB, at:A..B joined by &"
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
                        return Err(misfit(&format!("{rule} is no rule for a {family}")));
                    }
                    (op, _) => entry.op(op),
                },
            };
        }
        Ok(entry)
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
    /// The node's number in the order they run.
    pub position: usize,
}

/// What the entries choose at one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// For smooth pointwise functions.
    pub pointwise: Pointwise,
    /// For norms.
    pub normalisation: Normalisation,
    /// For products, quotients and softmax.
    pub product: Product,
}

impl Choices {
    /// The tangent of everything.
    pub(crate) const TANGENT: Self = Self {
        pointwise: Pointwise::Taylor,
        normalisation: Normalisation::Taylor,
        product: Product::Taylor,
    };
}

/// The rules of a run; see the [module](self). The default is empty: the paper's reading where it
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
                    "\"{other}\" is no preset; there are {}",
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
                "{entry} would hold for every op of the network; say which, for instance \
                 round={entry} or node:quant*={entry}"
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
                Rule::StraightThrough | Rule::Constant | Rule::Own(_) => {}
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
    use super::*;

    fn at(op: &str, node: &str, position: usize) -> Site {
        Site {
            op: plain(op),
            node: node.into(),
            position,
        }
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
            ("norm=mask", "mask is no rule for a norm"),
            ("at:3=mask", "is no range"),
            ("place:3=mask", "is no condition"),
            ("=mask", "before the ="),
            ("constant", "say which"),
        ] {
            let error = text.parse::<RuleSet>().expect_err(text).to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
