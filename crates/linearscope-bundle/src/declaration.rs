//! The declarations of a module: what it takes from others, what it gives.

use std::ops::Range;

use crate::refused::Refused;

/// One declaration and where it stands.
#[derive(Debug)]
pub(crate) struct At {
    /// Counted from 1.
    pub line: usize,
    /// The bytes that the script has something else for: of `export const x = 1;` the word `export` alone.
    pub span: Range<usize>,
    pub what: Declaration,
}

#[derive(Debug)]
pub(crate) enum Declaration {
    Import { names: Names, file: String },
    Export { names: Vec<String> },
}

#[derive(Debug)]
pub(crate) enum Names {
    /// `* as name`.
    All(String),
    /// What it is called there, and here.
    Some(Vec<(String, String)>),
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}

/// The declarations of a source, in order.
pub(crate) fn declarations(file: &str, source: &str) -> Result<Vec<At>, Refused> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    for text in source.split_inclusive('\n') {
        let rest = &source[at..];
        let parse = match () {
            () if begins(text, "import") => Some(import(rest)),
            () if begins(text, "export") => Some(export(rest)),
            () => None,
        };
        if let Some(parsed) = parse {
            let (length, what) = parsed.map_err(|why| Refused {
                file: file.into(),
                line,
                why,
            })?;
            found.push(At {
                line,
                span: at..at + length,
                what,
            });
        }
        at += text.len();
        line += 1;
    }
    Ok(found)
}

/// Whether a line begins with a word.
fn begins(line: &str, word: &str) -> bool {
    let rest = line.strip_prefix(word).and_then(|rest| rest.chars().next());
    rest.is_some_and(|c| !(c.is_ascii_alphanumeric() || c == '_' || c == '$'))
}

/// A list in braces: `a, b as c`.
fn list(text: &str) -> Option<Vec<(String, String)>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let parts = inner.split(',').map(str::trim);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let pair = |part: &&str| {
        let words: Vec<&str> = part.split_whitespace().collect();
        match words[..] {
            [name] if is_name(name) => Some((name.into(), name.into())),
            [theirs, "as", ours] if is_name(theirs) && is_name(ours) => {
                Some((theirs.into(), ours.into()))
            }
            _ => None,
        }
    };
    parts.iter().map(pair).collect()
}

/// `import … from "./file.js";` and its length.
fn import(rest: &str) -> Result<(usize, Declaration), String> {
    let why = || {
        String::from("an import is import { a, b as c } from \"./x.js\"; or import * as x from …")
    };
    let end = rest.find(';').ok_or_else(why)?;
    let text = &rest["import".len()..end];
    let (names, file) = text.rsplit_once(" from ").ok_or_else(why)?;
    let file = file.trim().strip_prefix("\"./").ok_or_else(why)?;
    let file = file.strip_suffix('"').ok_or_else(why)?;
    if !file.ends_with(".js") || file.contains(['/', '\\', '"']) {
        return Err(why());
    }
    let names = match names.trim().strip_prefix("* as ") {
        Some(name) if is_name(name.trim()) => Names::All(name.trim().into()),
        _ => Names::Some(list(names).ok_or_else(why)?),
    };
    Ok((
        end + 1,
        Declaration::Import {
            names,
            file: file.into(),
        },
    ))
}

/// `export` before a declaration of one name, or a whole list with its length.
fn export(rest: &str) -> Result<(usize, Declaration), String> {
    let why = || {
        String::from(
            "an export is export const NAME = …, class NAME, function NAME, async function NAME, or { a, b };",
        )
    };
    let text = rest["export".len()..].trim_start_matches(' ');
    if text.starts_with('{') {
        let end = rest.find(';').ok_or_else(why)?;
        let names = list(&rest["export".len()..end]).ok_or_else(why)?;
        if names.iter().any(|(theirs, ours)| theirs != ours) {
            return Err(why());
        }
        let names = names.into_iter().map(|(name, _)| name).collect();
        return Ok((end + 1, Declaration::Export { names }));
    }
    let line = text.lines().next().unwrap_or_default();
    let forms = ["const ", "class ", "function ", "async function "];
    let form = forms.iter().find(|form| line.starts_with(**form));
    let form = form.ok_or_else(why)?;
    let after = &line[form.len()..];
    let end = after
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$'))
        .unwrap_or(after.len());
    let (name, after) = after.split_at(end);
    let follows = match *form {
        "const " => after.trim_start().starts_with('=') && !after.trim_start().starts_with("=="),
        "class " => after.starts_with(' ') || after.is_empty(),
        _ => after.trim_start().starts_with('('),
    };
    if !is_name(name) || !follows {
        return Err(why());
    }
    let names = vec![name.into()];
    Ok(("export".len(), Declaration::Export { names }))
}
