//! `cargo xtask layers`: what may take what from what, in every library crate.
//!
//! The core crate has layers, and each module imports only from those before it. The files of the others
//! need only be free of circles.

mod circles;
mod modules;

use std::path::Path;

use self::{
    circles::{Circle, circles},
    modules::{Imports, Modules},
};

/// The core crate.
const CORE: &str = "linearscope";

/// The modules of [`CORE`], lowest first. Those in one row know nothing of each other.
const LAYERS: &[&[&str]] = &[
    &["error"],
    &["report", "host", "device", "random", "interrupt"],
    &["coefficient"],
    &["linear"],
    &["program"],
    &["rule_set"],
    &["run"],
    &["smooth"],
    &["rules"],
    &["backend"],
    &["ops"],
    &["network"],
    &["driver"],
    &["findings"],
    &["frozen"],
    &["interpreter"],
    &["training", "survey", "conformance"],
];

/// The program: a library only for the Python package. Its commands are listed in one table, and go through what knows the table.
const PROGRAM: &str = "linearscope-cli";

/// The library crates of the workspace at `root` but [`CORE`] and [`PROGRAM`], whose files may have no circles.
fn without_circles(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("crates");
    let entries = std::fs::read_dir(&folder)
        .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let libraries = entries
        .into_iter()
        .filter(|entry| entry.path().join("src/lib.rs").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = libraries
        .filter(|name| ![CORE, PROGRAM].contains(&&**name))
        .collect();
    names.sort();
    Ok(names)
}

/// What the files of a crate in the workspace at `root` take from each other.
fn imports(root: &Path, name: &str) -> Result<Imports, String> {
    let source = root.join("crates").join(name).join("src");
    let modules = Modules::read(&source, &|path| std::fs::read_to_string(path));
    Ok(modules
        .map_err(|error| format!("{name}: {error}"))?
        .imports())
}

/// The first component of a file's path: its module below `lib.rs`.
fn layer_of(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.trim_end_matches(".rs")
}

/// Imports from a higher layer, or from beside, one a line.
fn upwards(imports: &Imports) -> Vec<String> {
    let layer = |module: &str| LAYERS.iter().position(|row| row.contains(&module));
    let mut lines = Vec::new();
    for (file, to) in imports {
        let module = layer_of(file);
        if module == "lib" {
            continue;
        }
        let Some(own) = layer(module) else {
            lines.push(format!("{file}: \"{module}\" has no layer"));
            continue;
        };
        for (other, names) in to {
            let from = layer_of(other);
            if from != module && layer(from).is_none_or(|layer| layer >= own) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                lines.push(format!("{file} → {other}: {}", names.join(", ")));
            }
        }
    }
    lines
}

/// The circles of a crate's files, for a reader.
fn told(name: &str, circles: &[Circle]) -> String {
    let lines = circles.iter().map(|circle| format!("{name}: {circle}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Check every library crate of the workspace at `root`, or say which circles the files of crate `only`
/// have: the core crate's, too, whose layers are all that is asked of it. Whether all is as it should
/// be.
///
/// # Errors
/// A file that cannot be read or parsed.
pub(crate) fn run(root: &Path, only: Option<&str>) -> Result<bool, String> {
    let names = match only {
        Some(name) => vec![name.to_string()],
        None => without_circles(root)?,
    };
    let mut clean = true;
    if only.is_none() {
        let upwards = upwards(&imports(root, CORE)?);
        clean = upwards.is_empty();
        upwards
            .iter()
            .for_each(|line| println!("{CORE}: not from a lower layer: {line}"));
    }
    for name in names {
        let circles = circles(&imports(root, &name)?);
        if !circles.is_empty() {
            println!("{}", told(&name, &circles));
            clean = false;
        }
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, io};

    use super::*;

    /// ◆ No module of the core crate imports from a higher layer.
    #[test]
    fn layers_import_downwards() {
        let imports = imports(Path::new(".."), CORE).expect("the sources parse");
        let upwards = upwards(&imports);
        assert!(upwards.is_empty(), "{}", upwards.join("\n"));
    }

    /// ◆ No file of the other library crates needs another that needs it.
    #[test]
    fn files_have_no_circles() {
        let names = without_circles(Path::new("..")).expect("the crates are listed");
        for library in ["analysis", "onnx", "picture"] {
            assert!(
                names.contains(&format!("linearscope-{library}")),
                "{names:?}"
            );
        }
        for name in names {
            let circles = circles(&imports(Path::new(".."), &name).expect("the sources parse"));
            assert!(circles.is_empty(), "{}", told(&name, &circles));
        }
    }

    fn of(files: &[(&str, &str)]) -> Result<Imports, String> {
        let files: HashMap<&str, &str> = files.iter().copied().collect();
        let read = |path: &Path| {
            let file = path.to_str().and_then(|path| files.get(path));
            file.map(|text| text.to_string())
                .ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        Ok(Modules::read(Path::new(""), &read)?.imports())
    }

    /// Edges as `from → to: names`.
    fn edges(files: &[(&str, &str)]) -> Vec<String> {
        let mut edges = Vec::new();
        for (from, to) in of(files).expect("parses") {
            for (to, names) in to {
                let names: Vec<String> = names.into_iter().collect();
                edges.push(format!("{from} → {to}: {}", names.join(", ")));
            }
        }
        edges
    }

    /// A circle through three files and two re-exports, beside files that are none of it.
    #[test]
    fn a_circle_is_found_through_re_exports() {
        let imports = of(&[
            (
                "lib.rs",
                "mod shape; mod round; mod leaf; pub use shape::Square;",
            ),
            (
                "shape/mod.rs",
                "mod square; mod side; pub use square::Square; pub(crate) use self::side::*;",
            ),
            (
                "shape/square.rs",
                "use super::Side; pub struct Square(Side);",
            ),
            (
                "shape/side.rs",
                "pub struct Side; impl Side { fn of(x: &crate::round::Circle) {} }",
            ),
            (
                "round.rs",
                "use crate::{Square, leaf::Leaf}; pub struct Circle(Square, Leaf);",
            ),
            ("leaf.rs", "pub struct Leaf;"),
        ]);
        let circles = circles(&imports.expect("parses"));
        assert_eq!(circles.len(), 1);
        assert_eq!(
            circles[0].to_string(),
            "a circle of 3 files:\n  \
             round.rs → shape/square.rs: Square\n  \
             shape/side.rs → round.rs: Circle\n  \
             shape/square.rs → shape/side.rs: Side"
        );
    }

    /// What a `mod.rs` only re-exports is no import of it; what it names itself is, and so is what a
    /// child takes from it.
    #[test]
    fn a_parent_that_only_re_exports_takes_nothing() {
        let children = ("a/b.rs", "pub struct B; pub fn b() {}");
        let lib = ("lib.rs", "mod a;");
        let re_exports = "mod b; pub use b::{B, b};";
        assert!(edges(&[lib, ("a/mod.rs", re_exports), children]).is_empty());
        let names = format!("{re_exports} fn two() -> B {{ b() }}");
        assert_eq!(
            edges(&[lib, ("a/mod.rs", &names), children]),
            ["a/mod.rs → a/b.rs: B, b"]
        );
        let both = [
            lib,
            ("a/mod.rs", &names[..]),
            ("a/b.rs", "pub struct B; pub fn b() -> B { super::two() }"),
        ];
        assert_eq!(circles(&of(&both).expect("parses")).len(), 1);
    }

    /// Every place where a path may stand; comments, strings, fields, methods and tests are none.
    #[test]
    fn paths_are_found_wherever_they_stand() {
        let user = r#"
            //! crate::a::InDocs
            use crate::a::{self, InUse, Renamed as Other};
            use crate::host;
            use extern_name::Nothing;
            fn body() {
                use crate::a::InBody;
                let x = call!(crate::a::in_macro, [a::in_brackets]);
                x.a::<u8>(); x.b;
                <Self as crate::a::Trait>::method(); "crate::a::in_string"
            }
            mod inline { fn inner() { super::super::a::from_inline(); super::body(); } }
            #[cfg(test)] fn only() { crate::a::in_test(); }
            fn after() -> crate::a::After { crate::a::Kind::Variant }
            #[cfg(all(test, unix))] mod more { use crate::a::InTests; }
            #[cfg(not(test))] fn always() { crate::a::always() }
            #[cfg(test)] mod tests;
        "#;
        let found = edges(&[
            ("lib.rs", "mod a; mod user; mod host; pub use host::host;"),
            ("a.rs", "pub struct InUse; make!(in_macro);"),
            ("host.rs", "pub fn host() {}"),
            ("user.rs", user),
        ]);
        assert_eq!(
            found,
            [
                "user.rs → a.rs: After, InBody, InUse, Kind, Renamed, Trait, always, from_inline, \
                 in_brackets, in_macro",
                "user.rs → host.rs: host",
            ]
        );
    }

    /// Names of other crates and globs: the first are no import, whoever hands them on.
    #[test]
    fn names_of_other_crates_are_no_imports() {
        let found = edges(&[
            (
                "lib.rs",
                "#[macro_use] mod table; mod a; mod b; pub use other::Error; pub use b::*;",
            ),
            (
                "table.rs",
                "macro_rules! row { () => { $crate::b::inner } }",
            ),
            (
                "a.rs",
                "use crate::{Error, B}; use std::fmt::*; use super::b::Kind::*; row!();",
            ),
            ("b.rs", "pub struct B; pub enum Kind { One }"),
        ]);
        assert_eq!(
            found,
            [
                "a.rs → b.rs: B, Kind",
                "a.rs → table.rs: row",
                "table.rs → b.rs: inner"
            ]
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = of(&[("lib.rs", "mod gone;")]).expect_err("no such file");
        assert_eq!(error, "lib.rs: no file of `mod gone`");
    }

    /// A module without a layer and one that imports upwards, by name.
    #[test]
    fn imports_from_above_are_named() {
        let found = upwards(
            &of(&[
                (
                    "lib.rs",
                    "mod error; mod linear; mod extra; pub use linear::Map;",
                ),
                ("error.rs", "use crate::Map;"),
                ("linear.rs", "use crate::error::Error; pub struct Map;"),
                ("extra.rs", ""),
            ])
            .expect("parses"),
        );
        assert_eq!(
            found,
            [
                "error.rs → linear.rs: Map",
                "extra.rs: \"extra\" has no layer"
            ]
        );
    }
}
