//! `--rules`: entries, presets and files of both, read top-down.

pub(crate) mod composites;

use std::{ops::Range, path::Path};

use linearscope::{Entry, PRESETS, RuleSet};
use serde::{Deserialize, de::DeserializeOwned};
use toml::Spanned;

use crate::error::{Failure, Result};

/// A rule file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    /// Below the entries: what holds where none fits.
    preset: Option<Spanned<String>>,
    #[serde(default)]
    rule: Vec<FileEntry>,
}

/// One entry of a rule file; every condition that is given must fit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    op: Option<String>,
    node: Option<String>,
    at: Option<[usize; 2]>,
    freeze: Spanned<String>,
}

/// A .toml file of rules and its text, of which errors name the line.
struct Source<'a> {
    path: &'a Path,
    text: String,
}

impl<'a> Source<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
        Ok(Self { path, text })
    }

    /// What it holds. Keys that there are not are errors.
    fn parsed<T: DeserializeOwned>(&self) -> Result<T> {
        toml::from_str(&self.text).map_err(|error| Failure::file(self.path, error))
    }

    /// What is wrong at a place of the file.
    fn at(&self, span: Range<usize>, failure: Failure) -> Failure {
        let before = self.text.as_bytes().iter().take(span.start);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Failure {
            message: format!("{}, line {line}: {}", self.path.display(), failure.message),
            ..failure
        }
    }
}

fn hinted(error: linearscope::Error) -> Failure {
    let presets: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
    Failure::from(error).hint(format!(
        "presets are {}; see docs/book/src/rules.md for all rules",
        presets.join(", ")
    ))
}

fn from_file(path: &Path) -> Result<RuleSet> {
    let source = Source::open(path)?;
    let file: RuleFile = source.parsed()?;
    let mut set = RuleSet::default();
    for entry in file.rule {
        let family = matches!(entry.op.as_deref(), Some("pointwise" | "norm" | "product"));
        let freeze = entry.freeze.get_ref();
        let mut read = match (&entry.op, family) {
            // A family is no condition but a kind of rule.
            (Some(op), true) => format!("{op}={freeze}").parse::<Entry>(),
            _ => freeze.parse::<Entry>(),
        }
        .map_err(|error| source.at(entry.freeze.span(), hinted(error)))?;
        if let (Some(op), false) = (entry.op, family) {
            read = read.op(op);
        }
        if let Some(glob) = entry.node {
            read = read.node(glob);
        }
        if let Some([from, to]) = entry.at {
            read = read.at(from..to);
        }
        set = set.with(read);
    }
    if let Some(name) = file.preset {
        let preset = RuleSet::preset(name.get_ref())
            .map_err(|error| source.at(name.span(), hinted(error)))?;
        set = preset.entries().iter().cloned().fold(set, RuleSet::with);
    }
    Ok(set)
}

/// The rule set that `--rules` names: presets, entries and `.toml` files, the first that fits wins.
pub(crate) fn read(given: &[String]) -> Result<RuleSet> {
    let mut rules = RuleSet::default();
    for text in given {
        let set = match text.ends_with(".toml") {
            true => from_file(Path::new(text))?,
            false => text.parse::<RuleSet>().map_err(hinted)?,
        };
        rules = set.entries().iter().cloned().fold(rules, RuleSet::with);
    }
    rules.check().map_err(hinted)?;
    Ok(rules)
}
