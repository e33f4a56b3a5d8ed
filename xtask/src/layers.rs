//! The layers of the core crate: each module imports only from those before it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The modules of `crates/linearscope`, lowest first. Those in one row know nothing of each other.
const LAYERS: &[&[&str]] = &[
    &["error"],
    &["report", "host", "device"],
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

/// Names that a file takes from the crate: first components after `crate::`.
#[derive(Default)]
struct Imports(Vec<String>);

impl Imports {
    fn tree(&mut self, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.0.push(path.ident.to_string()),
            syn::UseTree::Name(name) => self.0.push(name.ident.to_string()),
            syn::UseTree::Rename(name) => self.0.push(name.ident.to_string()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree)),
            syn::UseTree::Glob(_) => self.0.push("*".into()),
        }
    }
}

/// The names after `crate::` in a file, its tests aside.
fn imports(file: &syn::File, text: &str) -> Vec<String> {
    let mut imports = Imports::default();
    for item in &file.items {
        if let syn::Item::Use(item) = item
            && let syn::UseTree::Path(path) = &item.tree
            && path.ident == "crate"
        {
            imports.tree(&path.tree);
        }
    }
    // Paths inside functions, macros and signatures.
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    for line in code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
    {
        for rest in line.split("crate::").skip(1) {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if !name.is_empty() {
                imports.0.push(name);
            }
        }
    }
    imports.0
}

/// Rust files below a folder, tests aside.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        match (path.is_dir(), name) {
            (_, Some("tests")) => {}
            (true, _) => sources(&path, found)?,
            (false, _) if path.extension().is_some_and(|ext| ext == "rs") => found.push(path),
            _ => {}
        }
    }
    Ok(())
}

/// Which module each name of `lib.rs` comes from: modules are their own.
fn exported(lib: &syn::File) -> HashMap<String, String> {
    fn names(tree: &syn::UseTree, of: &str, map: &mut HashMap<String, String>) {
        match tree {
            syn::UseTree::Path(path) => names(&path.tree, of, map),
            syn::UseTree::Name(name) => {
                map.insert(name.ident.to_string(), of.into());
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|t| names(t, of, map)),
            syn::UseTree::Rename(_) | syn::UseTree::Glob(_) => {}
        }
    }
    let mut map = HashMap::new();
    for item in &lib.items {
        if let syn::Item::Use(item) = item
            && let syn::UseTree::Path(path) = &item.tree
        {
            names(&path.tree, &path.ident.to_string(), &mut map);
        }
    }
    // A module and a function of one name: `crate::host` is either.
    for module in LAYERS.iter().copied().flatten() {
        map.insert((*module).into(), (*module).into());
    }
    map
}

/// Imports from a higher layer, or from beside, one a line.
///
/// # Errors
/// A file that cannot be read or parsed.
pub(crate) fn broken(source: &Path) -> Result<Vec<String>, String> {
    let layer = |module: &str| LAYERS.iter().position(|row| row.contains(&module));
    let parse = |path: &Path| -> Result<(syn::File, String), String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let file = syn::parse_file(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok((file, text))
    };
    let exported = exported(&parse(&source.join("lib.rs"))?.0);
    let mut files = Vec::new();
    sources(source, &mut files).map_err(|error| error.to_string())?;
    files.sort();
    let mut broken = Vec::new();
    for file in files {
        let within = file.strip_prefix(source).expect("it is below");
        let first = within.components().next().expect("a file has a name");
        let module = first.as_os_str().to_string_lossy();
        let module = module.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let Some(own) = layer(module) else {
            broken.push(format!("{}: \"{module}\" has no layer", within.display()));
            continue;
        };
        let (parsed, text) = parse(&file)?;
        for name in imports(&parsed, &text) {
            let from = exported.get(&name).map_or(name.as_str(), String::as_str);
            match layer(from) {
                Some(other) if other < own || from == module => {}
                Some(_) => broken.push(format!("{}: {module} imports {from}", within.display())),
                None => broken.push(format!("{}: crate::{name} has no layer", within.display())),
            }
        }
    }
    broken.dedup();
    Ok(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ◆ No module of the core crate imports from a higher layer.
    #[test]
    fn layers_import_downwards() {
        let source = Path::new("../crates/linearscope/src");
        let broken = broken(source).expect("the sources parse");
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }
}
