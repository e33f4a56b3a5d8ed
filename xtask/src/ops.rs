//! `cargo xtask ops`: the inventory of Burn's backend functions and what each is to the decorator.
//!
//! Burn's traits give some five hundred functions, half of them with default bodies, and a default that
//! is silently inherited computes other bits than the backend's own function. The compiler does not
//! tell. So the inventory is read off Burn's own trait sources, held against the index tables in
//! `crates/linearscope/src/ops`, and written to `docs/book/src/ops.md`. An unclassified function fails, and so
//! does an inherited one that any of Burn's backends overrides.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{ImplItem, Item, TraitItem};

/// The traits a backend implements, in the order of the document, and the file of their index table.
const TRAITS: &[(&str, &str)] = &[
    ("FloatTensorOps", "ops/float.rs"),
    ("ActivationOps", "ops/activation.rs"),
    ("ModuleOps", "ops/module.rs"),
    ("IntTensorOps", "ops/int.rs"),
    ("BoolTensorOps", "ops/bool.rs"),
    ("QTensorOps", "ops/quantized.rs"),
    ("TransactionOps", "ops/transaction.rs"),
    ("DistributedOps", "ops/distributed.rs"),
    ("Backend", "backend.rs"),
];

/// Burn's backends; what one of them overrides may not be inherited.
const BACKENDS: &[&str] = &[
    "burn-dispatch",
    "burn-flex",
    "burn-fusion",
    "burn-cubecl",
    "burn-autodiff",
];

/// The class macros of `ops/classes.rs`.
const CLASSES: &[&str] = &[
    "inert",
    "passes_on",
    "reads",
    "compares",
    "steps",
    "linear",
    "shift",
    "ruled",
    "refused",
];

/// The macro of the backward ops: linear in the output gradient, refused where another operand depends
/// on the input.
const GRADIENT: &str = "gradient";

/// What may be inherited though one of Burn's backends overrides it, and why that changes no value.
const INHERITED: &[(&str, &str)] = &[
    (
        "linear",
        "a matmul and an add, through the rows above; autodiff only shortens its tape",
    ),
    ("linear_x_backward", "the same"),
    ("linear_weight_backward", "the same"),
    ("linear_bias_backward", "the same"),
    (
        "start_communication_server",
        "Burn's server, generic over the backend; no tensor",
    ),
    ("close_communication_server", "the same"),
    ("register_sync_parameters", "the same"),
    ("submit_sync_collective", "the same"),
    ("submit_gradient_sync", "hands a reference to that server"),
    ("comm_device", "a dereference"),
    ("float_from_ref", "a dereference and a clone"),
];

/// Modules of `rules/` whose functions are linear maps with sources: nothing is frozen there but
/// what other rules froze.
const AFFINE: &[&str] = &["padding", "weighted", "reduction", "resampling", "transfer"];

/// One function of one of Burn's traits.
#[derive(Debug)]
struct Function {
    name: String,
    defaulted: bool,
}

/// What a row of an index table says.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    class: String,
    /// The file of its rule or map, below `crates/linearscope/src`; empty for none.
    by: String,
}

type Any<T> = Result<T, String>;

fn read(path: &Path) -> Any<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return vec![];
    };
    let mut files = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The folders of Burn's crates, by name, as cargo resolved them. Crates of features that are off by
/// default are there once they have been downloaded.
fn burn_sources() -> Any<BTreeMap<String, PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--all-features"])
        .output()
        .map_err(|error| format!("cargo metadata does not start: {error}"))?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let packages = metadata["packages"].as_array().ok_or("no packages")?;
    let folders = packages.iter().filter_map(|package| {
        let name = package["name"].as_str()?;
        let manifest = Path::new(package["manifest_path"].as_str()?);
        let ours = name == "burn-backend" || BACKENDS.contains(&name);
        ours.then(|| (name.to_string(), manifest.with_file_name("src")))
    });
    Ok(folders.collect())
}

/// Items of a file, those in modules included.
fn items(source: &str, path: &Path) -> Any<Vec<Item>> {
    fn flat(items: Vec<Item>, into: &mut Vec<Item>) {
        for item in items {
            match item {
                Item::Mod(module) => {
                    flat(module.content.map_or(vec![], |(_, items)| items), into);
                }
                item => into.push(item),
            }
        }
    }
    let file = syn::parse_file(source).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut all = Vec::new();
    flat(file.items, &mut all);
    Ok(all)
}

/// The functions of Burn's traits, by trait, in the traits' order.
fn traits(burn_backend: &Path) -> Any<BTreeMap<String, Vec<Function>>> {
    let mut found = BTreeMap::new();
    for path in rust_files(burn_backend) {
        for item in items(&read(&path)?, &path)? {
            let Item::Trait(item) = item else { continue };
            let functions = item.items.iter().filter_map(|item| match item {
                TraitItem::Fn(function) => Some(Function {
                    name: function.sig.ident.to_string(),
                    defaulted: function.default.is_some(),
                }),
                _ => None,
            });
            found.insert(item.ident.to_string(), functions.collect());
        }
    }
    Ok(found)
}

/// The names of the functions that rows in a macro's tokens declare: what follows `fn`.
fn declared(tokens: TokenStream) -> Vec<(String, TokenStream)> {
    let mut rows: Vec<(String, Vec<TokenTree>)> = Vec::new();
    let mut name_follows = false;
    for token in tokens {
        match &token {
            TokenTree::Ident(ident) if ident == "fn" => name_follows = true,
            TokenTree::Ident(ident) if name_follows => {
                rows.push((ident.to_string(), vec![]));
                name_follows = false;
            }
            _ => {
                if let Some((_, row)) = rows.last_mut() {
                    row.push(token);
                }
            }
        }
    }
    let streams = rows.into_iter();
    streams
        .map(|(name, row)| (name, row.into_iter().collect()))
        .collect()
}

fn is_trait(item: &syn::ItemImpl, name: &str) -> bool {
    let path = item.trait_.as_ref().map(|(_, path, _)| path);
    path.and_then(|path| path.segments.last())
        .is_some_and(|segment| segment.ident == name)
}

/// The functions a backend implements of one of the traits.
fn overridden(folder: &Path, of: &str) -> Any<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for path in rust_files(folder) {
        for item in items(&read(&path)?, &path)? {
            let Item::Impl(item) = item else { continue };
            if !is_trait(&item, of) {
                continue;
            }
            for item in item.items {
                match item {
                    ImplItem::Fn(function) => {
                        names.insert(function.sig.ident.to_string());
                    }
                    ImplItem::Macro(call) => {
                        names.extend(declared(call.mac.tokens).into_iter().map(|(name, _)| name));
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(names)
}

/// `rules/x.rs` where a piece of an index table calls into a rule module `x`.
fn rule_file(text: &str, source: &Path) -> Option<(String, String)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(3).find_map(|three| {
        let [module, "::", function] = three else {
            return None;
        };
        let file = source.join("rules").join(format!("{module}.rs"));
        let folder = source.join("rules").join(module).join("mod.rs");
        let by = match (file.is_file(), folder.is_file()) {
            (true, _) => format!("rules/{module}.rs"),
            (_, true) => format!("rules/{module}/"),
            _ => return None,
        };
        let class = match (*module, *function) {
            ("arithmetic", "add" | "shift") => "shift",
            (module, _) if AFFINE.contains(&module) => "linear",
            _ => "ruled",
        };
        Some((class.into(), by))
    })
}

/// A class that a written-out function's documentation names: `/// *reads*: …`.
fn named_class(attributes: &[syn::Attribute]) -> Option<String> {
    let text: String = attributes
        .iter()
        .map(|attribute| attribute.to_token_stream().to_string())
        .collect();
    CLASSES
        .iter()
        .find(|class| text.contains(&format!("*{class}*")))
        .map(|class| class.to_string())
}

fn written_out(function: &syn::ImplItemFn, source: &Path) -> Row {
    let body = function.block.to_token_stream().to_string();
    let signature = function.sig.to_token_stream().to_string();
    let rule = rule_file(&body, source);
    let class = named_class(&function.attrs).unwrap_or_else(|| match &rule {
        Some((class, _)) => class.clone(),
        None if body.contains("refused") => "refused".into(),
        None if !signature.contains("Tensor") && !signature.contains("Transaction") => {
            "inert".into()
        }
        None => "reads".into(),
    });
    Row {
        class,
        by: rule.map_or(String::new(), |(_, by)| by),
    }
}

/// The rows of the index table of one trait.
fn table(source: &Path, file: &str, of: &str) -> Any<BTreeMap<String, Row>> {
    let path = source.join(file);
    let mut rows = BTreeMap::new();
    for item in items(&read(&path)?, &path)? {
        let Item::Impl(item) = item else { continue };
        if !is_trait(&item, of) {
            continue;
        }
        for item in item.items {
            match item {
                ImplItem::Fn(function) => {
                    let row = written_out(&function, source);
                    rows.insert(function.sig.ident.to_string(), row);
                }
                ImplItem::Macro(call) => {
                    let class = call.mac.path.to_token_stream().to_string();
                    if !CLASSES.contains(&class.as_str()) && class != GRADIENT {
                        return Err(format!("{}: `{class}!` is no class", path.display()));
                    }
                    for (name, row) in declared(call.mac.tokens) {
                        let by = match class.as_str() {
                            "linear" => "linear/".into(),
                            GRADIENT => "rules/gradient.rs".into(),
                            _ => rule_file(&row.to_string(), source)
                                .map_or(String::new(), |(_, by)| by),
                        };
                        rows.insert(
                            name,
                            Row {
                                class: match class.as_str() {
                                    GRADIENT => "linear".into(),
                                    class => class.into(),
                                },
                                by,
                            },
                        );
                    }
                }
                _ => {}
            }
        }
    }
    Ok(rows)
}

/// The test file that calls a function of the decorator, by its name.
fn tested_in(tests: &[(String, String)], function: &str) -> String {
    let called = |text: &str| {
        [format!("S::{function}"), format!("::{function}(")]
            .iter()
            .any(|call| {
                text.match_indices(call.as_str()).any(|(at, _)| {
                    let next = text[at + call.len()..].chars().next();
                    call.ends_with('(') || !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
                })
            })
    };
    tests
        .iter()
        .find(|(_, text)| called(text))
        .map_or(String::new(), |(name, _)| name.clone())
}

fn document(root: &Path) -> Any<String> {
    let source = root.join("crates/linearscope/src");
    let burn = burn_sources()?;
    let backend = burn
        .get("burn-backend")
        .ok_or("burn-backend is not there")?;
    let traits = traits(backend)?;
    let tests: Vec<(String, String)> = rust_files(&source.join("rules/tests"))
        .into_iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            Some((name, fs::read_to_string(&path).ok()?))
        })
        .collect();

    let mut problems: Vec<String> = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut required, mut total) = (0, 0);
    let mut body = String::new();
    for (name, file) in TRAITS {
        let functions = traits
            .get(*name)
            .ok_or_else(|| format!("Burn has no trait {name} any more"))?;
        let rows = table(&source, file, name)?;
        let mut overrides: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for backend in BACKENDS {
            if let Some(folder) = burn.get(*backend).filter(|folder| folder.is_dir()) {
                overrides.insert(backend, overridden(folder, name)?);
            }
        }
        let _ = write!(
            body,
            "\n## `{name}` (`{file}`)\n\n| function | in Burn | class | by | test |\n| --- | --- | --- | --- | --- |\n"
        );
        for function in functions {
            total += 1;
            required += usize::from(!function.defaulted);
            let row = match rows.get(&function.name) {
                Some(row) => row.clone(),
                None if function.defaulted => {
                    let excused = INHERITED.iter().find(|(name, _)| *name == function.name);
                    for (backend, names) in &overrides {
                        if names.contains(&function.name) && excused.is_none() {
                            problems.push(format!(
                                "{name}::{} is inherited here, but {backend} overrides it: what \
                                 the default computes differs in bits; write a row in {file}",
                                function.name
                            ));
                        }
                    }
                    Row {
                        class: "inherited".into(),
                        by: excused.map_or(String::new(), |(_, why)| why.to_string()),
                    }
                }
                None => {
                    problems.push(format!(
                        "{name}::{} has no row in {file}; give it a class",
                        function.name
                    ));
                    continue;
                }
            };
            *counts.entry(row.class.clone()).or_default() += 1;
            let test = match row.class.as_str() {
                "linear" | "shift" | "ruled" => tested_in(&tests, &function.name),
                _ => String::new(),
            };
            let origin = match function.defaulted {
                true => "default",
                false => "required",
            };
            let _ = writeln!(
                body,
                "| {} | {origin} | {} | {} | {test} |",
                function.name, row.class, row.by
            );
        }
    }
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    let sums: Vec<String> = counts
        .iter()
        .map(|(class, count)| format!("{count} {class}"))
        .collect();
    Ok(format!(
        "# Burn's backend functions, and what each is to the decorator

Written by `cargo xtask ops` from Burn's own trait sources and the index tables in
`crates/linearscope/src`; the build fails when a function has no class, or when one is inherited that
any of Burn's backends ({backends}) overrides.

{total} functions, {required} required and {defaulted} with a default body: {sums}.

| class | value | tracer |
| --- | --- | --- |
| inert | the inner backend's | no tensor that could carry one goes in |
| passes_on | the inner backend's | ints and bools go in: a decision of decisions |
| reads | the inner backend's | x₀ is read, the result is a decision with its kinks |
| compares | the inner backend's | the same of one tensor against another |
| steps | the inner backend's | a staircase: read where a rule or the loader says so, else refused |
| linear | the inner backend's | y₁ = A x₁, a constant operand is a source |
| shift | the inner backend's | y₁ = x₁ + b and sums of two |
| ruled | the inner backend's | frozen at x₀ by a rule, see [rules.md](rules.md) |
| refused | the inner backend's | an error that names the op; `--rules OP=straight-through` or `=constant` overrides |
| inherited | Burn's default, made of the functions above | whatever those do |
{body}",
        backends = BACKENDS.join(", "),
        defaulted = total - required,
        sums = sums.join(", "),
    ))
}

/// Write `docs/book/src/ops.md`, or with `check` only compare.
pub(crate) fn run(root: &Path, check: bool) -> Any<String> {
    let text = document(root)?;
    let path = root.join("docs/book/src/ops.md");
    if check {
        return match fs::read_to_string(&path) {
            Ok(there) if there == text => Ok("docs/book/src/ops.md is up to date".into()),
            _ => Err("docs/book/src/ops.md is out of date: run `cargo xtask ops`".into()),
        };
    }
    fs::write(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
    let summary = text
        .lines()
        .find(|line| line.contains("with a default body"));
    Ok(summary.unwrap_or_default().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        // Asked when it runs: a target folder may serve several checkouts.
        Path::new(&std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs tests")).join("..")
    }

    /// Every function of Burn's traits has a class, and the document says which.
    #[test]
    fn every_backend_function_is_classified() {
        run(&root(), true).expect("the inventory");
    }

    #[test]
    fn rows_of_a_class_macro_are_found() {
        let tokens: TokenStream =
            "fn float_neg(x: T) -> T => |s: &Shape| Scalar(-1.0); fn relu(x: T) -> T;"
                .parse()
                .expect("tokens");
        let names: Vec<String> = declared(tokens).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["float_neg", "relu"]);
    }
}
