//! Combines plain ES modules into one classic script.
//!
//! Browsers load no modules from `file://`, so a page that opens from disk needs its modules in one script. This
//! crate knows the subset of syntax in which the project's pages are written, and refuses anything else with its
//! file and line:
//!
//! | | |
//! | --- | --- |
//! | `import { a, b as c } from "./x.js";` | at the beginning of a line; over several lines, too |
//! | `import * as keys from "./keys.js";` | |
//! | `export const NAME = …`, `export class NAME`, `export function NAME`, `export async function NAME` | |
//! | `export { a, b };` | |
//!
//! Each module becomes a function that is called once, in the order in which a browser would run them, and returns its
//! exports. So the modules' scopes stay separate, and nothing within them is changed. A line that begins with `import`
//! or `export` is always taken for a declaration, so strings over several lines must not contain one.

mod declaration;
mod refused;

use std::collections::{BTreeMap, BTreeSet};

use declaration::{Declaration, Names, declarations};
pub use refused::Refused;

/// Modules that several pages use, by file name: how numbers are written, tables that sort, numbers packed in text.
pub const SHARED: [(&str, &str); 3] = [
    ("number.js", include_str!("shared/number.js")),
    ("sort.js", include_str!("shared/sort.js")),
    ("unpack.js", include_str!("shared/unpack.js")),
];

/// What no module may hold: it would end the element that the script stands in, load what is not there, or clash with
/// the names that this crate gives.
const NOWHERE: [(&str, &str); 5] = [
    ("</script", "it would end the script's element"),
    ("<!--", "it would begin a comment of the page"),
    ("import(", "modules are loaded at the beginning only"),
    ("import.meta", "the script has no address of its own"),
    ("module$", "names of modules begin so"),
];

/// Make one classic script that does what a browser does with the module `entry`. `modules` are sources by file name;
/// those that `entry` does not reach are left out.
///
/// # Errors
/// [`Refused`]: a form that is not in the subset, a missing file or name, modules that import each other.
pub fn bundle(modules: &BTreeMap<String, String>, entry: &str) -> Result<String, Refused> {
    let mut bundle = Bundle {
        modules,
        done: BTreeMap::new(),
        on_the_way: Vec::new(),
        script: String::from("\"use strict\";\n(() => {\n"),
    };
    bundle.add(entry, ("", 0))?;
    bundle.script.push_str("})();\n");
    Ok(bundle.script)
}

struct Bundle<'a> {
    modules: &'a BTreeMap<String, String>,
    /// What each finished module exports.
    done: BTreeMap<String, BTreeSet<String>>,
    on_the_way: Vec<String>,
    script: String,
}

/// The name that a module's exports have.
fn name(file: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!(
        "module${}",
        file.trim_end_matches(".js")
            .chars()
            .map(plain)
            .collect::<String>()
    )
}

impl Bundle<'_> {
    /// Add a module after all that it imports. `from` says who asks for it.
    fn add(&mut self, file: &str, from: (&str, usize)) -> Result<(), Refused> {
        if self.done.contains_key(file) {
            return Ok(());
        }
        let refuse = |why: String| Refused {
            file: from.0.into(),
            line: from.1,
            why,
        };
        let source = self
            .modules
            .get(file)
            .ok_or_else(|| refuse(format!("there is no module {file}")))?;
        if self.on_the_way.iter().any(|one| one == file) {
            let circle = [&self.on_the_way[..], &[file.to_string()]].concat();
            return Err(refuse(format!(
                "modules import each other: {}",
                circle.join(" → ")
            )));
        }
        if let Some(other) = self.done.keys().find(|other| name(other) == name(file)) {
            return Err(refuse(format!("{file} and {other} would have one name")));
        }
        check(file, source)?;
        let found = declarations(file, source)?;
        self.on_the_way.push(file.into());
        for one in &found {
            if let Declaration::Import { file: other, .. } = &one.what {
                self.add(other, (file, one.line))?;
            }
        }
        self.on_the_way.pop();
        let (body, exports) = self.body(file, source, &found)?;
        let list: Vec<&str> = exports.iter().map(String::as_str).collect();
        self.script += &format!(
            "const {} = (() => {{\n{body}\nreturn Object.freeze({{ {} }});\n}})();\n",
            name(file),
            list.join(", ")
        );
        self.done.insert(file.into(), exports);
        Ok(())
    }

    /// A module's source with plain declarations in place of imports and exports, and the names that it exports.
    fn body(
        &self,
        file: &str,
        source: &str,
        found: &[declaration::At],
    ) -> Result<(String, BTreeSet<String>), Refused> {
        let (mut body, mut at) = (String::new(), 0);
        let mut exports = BTreeSet::new();
        for one in found {
            let refuse = |why: String| Refused {
                file: file.into(),
                line: one.line,
                why,
            };
            body += &source[at..one.span.start];
            at = one.span.end;
            match &one.what {
                Declaration::Import { names, file: other } => {
                    let there = &self.done[other];
                    body += &match names {
                        Names::All(as_name) => format!("const {as_name} = {};", name(other)),
                        Names::Some(names) => {
                            if let Some((missing, _)) =
                                names.iter().find(|(theirs, _)| !there.contains(theirs))
                            {
                                return Err(refuse(format!("{other} exports no {missing}")));
                            }
                            let taken = names.iter().map(|(theirs, ours)| match theirs == ours {
                                true => ours.clone(),
                                false => format!("{theirs}: {ours}"),
                            });
                            let taken: Vec<String> = taken.collect();
                            format!("const {{ {} }} = {};", taken.join(", "), name(other))
                        }
                    };
                }
                Declaration::Export { names } => {
                    for name in names {
                        if !exports.insert(name.clone()) {
                            return Err(refuse(format!("{name} is exported twice")));
                        }
                    }
                }
            }
        }
        body += &source[at..];
        Ok((body, exports))
    }
}

fn check(file: &str, source: &str) -> Result<(), Refused> {
    for (number, line) in source.lines().enumerate() {
        let lower = line.to_ascii_lowercase();
        let refuse = |why: String| {
            Err(Refused {
                file: file.into(),
                line: number + 1,
                why,
            })
        };
        if let Some((text, why)) = NOWHERE.iter().find(|(text, _)| lower.contains(text)) {
            return refuse(format!("{text} cannot stand here: {why}"));
        }
        if line.starts_with("await ") {
            return refuse("a module cannot wait before it is done".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
