//! `--composite`: which layers share out relevance by which rule, said as rule sets are: entries, presets and files of
//! both, read top-down.

use std::path::Path;

use linearscope_analysis::attribution::{Composite, LayerEntry, LayerRule, Position};
use serde::Deserialize;
use toml::Spanned;

use super::Source;
use crate::error::{Failure, Result};

/// A composite's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompositeFile {
    /// Below the entries: what holds where none fits.
    preset: Option<Spanned<String>>,
    /// ε of every division but those of LRP-ε.
    stabiliser: Option<Spanned<f64>>,
    #[serde(default)]
    rule: Vec<FileEntry>,
}

/// One entry; every condition that is given must fit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    position: Option<Place>,
    op: Option<Spanned<String>>,
    node: Option<Spanned<String>>,
    at: Option<Spanned<[usize; 2]>>,
    lrp: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    First,
    Last,
}

fn from_file(path: &Path) -> Result<Composite> {
    let source = Source::open(path)?;
    let file: CompositeFile = source.parsed()?;
    if file.rule.is_empty() && file.preset.is_none() {
        return Err(Failure::file(path, "it has neither a rule nor a preset")
            .hint("docs/book/src/attributions.md has an example"));
    }
    let mut found = Composite::default();
    for entry in file.rule {
        found = found.with(read_entry(&source, entry)?);
    }
    if let Some(name) = file.preset {
        let preset = Composite::preset(name.get_ref())
            .map_err(|why| source.at(name.span(), Failure::input(why)))?;
        let below = preset.entries().iter().cloned();
        found = below.fold(found, Composite::with);
    }
    if let Some(stabiliser) = file.stabiliser {
        found = found.with_stabiliser(*stabiliser.get_ref());
        found
            .check()
            .map_err(|error| source.at(stabiliser.span(), error.into()))?;
    }
    Ok(found)
}

fn read_entry(source: &Source<'_>, entry: FileEntry) -> Result<LayerEntry> {
    // Manifests write a composite in words, where these part one condition or entry from the next.
    let word = |word: Spanned<String>| match word.get_ref().contains([',', '&']) {
        false => Ok(word.into_inner()),
        true => {
            let why = format!("\"{}\" contains a comma or an &", word.get_ref());
            let failure = Failure::input(why).hint("use ? to match any single character");
            Err(source.at(word.span(), failure))
        }
    };
    let rule: LayerRule = (entry.lrp.get_ref().parse())
        .map_err(|why: String| source.at(entry.lrp.span(), Failure::input(why)))?;
    let mut read = LayerEntry::new(rule);
    if let Some(place) = entry.position {
        read = read.position(match place {
            Place::First => Position::First,
            Place::Last => Position::Last,
        });
    }
    if let Some(op) = entry.op {
        read = read.op(&word(op)?);
    }
    if let Some(glob) = entry.node {
        read = read.node(word(glob)?);
    }
    if let Some(at) = entry.at {
        let [from, to] = *at.get_ref();
        if from >= to {
            let why = format!("at = [{from}, {to}] selects no layers: {from} is not below {to}");
            return Err(source.at(at.span(), Failure::input(why)));
        }
        read = read.at(from..to);
    }
    Ok(read)
}

/// The composite that `--composite` names: entries and presets separated by commas, and .toml files of them, the first
/// that fits wins.
///
/// # Errors
/// A file that cannot be read, with the line; a word that means nothing, with those that there are.
pub(crate) fn read(text: &str) -> Result<Composite, String> {
    // What a file says stands where the file is named.
    let words = text.split(',').map(|part| match part.trim() {
        file if file.ends_with(".toml") => match from_file(Path::new(file)) {
            Ok(composite) => Ok(composite.to_string()),
            Err(Failure { message, hint, .. }) => Err(match hint {
                Some(hint) => format!("{message} ({hint})"),
                None => message,
            }),
        },
        words => Ok(words.into()),
    });
    words
        .collect::<Result<Vec<String>, String>>()?
        .join(",")
        .parse()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::read;

    fn of_file(text: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("own.toml");
        fs::write(&path, text).expect("written");
        read(&path.display().to_string()).map(|composite| composite.to_string())
    }

    #[test]
    fn a_file_says_what_words_say() {
        let text = r#"
            preset = "epsilon-plus"
            stabiliser = 1e-9
            [[rule]]
            position = "first"
            lrp = "box"
            [[rule]]
            op = "conv"
            node = "features.*"
            at = [2, 5]
            lrp = "gamma:0.5"
        "#;
        let words = "first=box,conv&node:features.*&at:2..5=gamma:0.5,conv=plus,epsilon,stabiliser:0.000000001";
        assert_eq!(of_file(text).as_deref(), Ok(words));
        assert_eq!(read(words).map(|own| own.to_string()).as_deref(), Ok(words));
    }

    #[test]
    fn a_file_stands_among_entries() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("own.toml");
        fs::write(&path, "preset = \"epsilon-plus\"").expect("written");
        let found = read(&format!("last=zero, {}, at:9=flat", path.display()));
        let found = found.expect("read").to_string();
        assert_eq!(found, "last=zero,conv=plus,epsilon,at:9=flat");
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        for (text, line, why) in [
            ("", None, "neither a rule nor a preset"),
            ("\n[[rule]]\nlrp = \"gama\"", Some(3), "is not a rule"),
            ("[[rule]]\nop = \"conv\"", Some(1), "lrp"),
            ("[[rule]]\nlrp = \"flat\"\nlayer = 3", Some(3), "layer"),
            ("presets = \"epsilon\"", Some(1), "presets"),
            ("preset = \"epsilon-minus\"", Some(1), "epsilon-plus"),
            (
                "[[rule]]\nlrp = \"flat\"\nposition = \"frist\"",
                Some(3),
                "frist",
            ),
            (
                "[[rule]]\nlrp = \"flat\"\n\nat = [5, 2]",
                Some(4),
                "not below",
            ),
            ("[[rule]]\nlrp = \"flat\"\nat = 5", Some(3), "invalid type"),
            ("[[rule]]\nnode = \"a,b\"\nlrp = \"flat\"", Some(2), "comma"),
            (
                "preset = \"epsilon\"\nstabiliser = -1",
                Some(2),
                "0 or above",
            ),
            (
                "[[rule]]\nlrp = \"alpha-beta:2:2\"",
                Some(2),
                "α − β is not 1",
            ),
        ] {
            let refused = of_file(text).expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}");
            assert!(refused.contains("own.toml"), "{text}: {refused}");
            if let Some(line) = line {
                assert!(
                    refused.contains(&format!("line {line}")),
                    "{text}: {refused}"
                );
            }
        }
        assert!(
            read("nowhere.toml")
                .expect_err("not there")
                .contains("nowhere.toml")
        );
    }
}
