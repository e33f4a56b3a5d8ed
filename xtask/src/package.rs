//! `cargo xtask package`: the crates that are published, in the order in which they are published, packaged and looked through.
//!
//! A package holds its own folder only. What its sources include from elsewhere in the checkout compiles here and nowhere else;
//! so each package is unpacked, and what its sources include is looked for in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde_json::Value;

use crate::tally::cargo;

/// What crates.io takes at most, in bytes.
const MOST: u64 = 10 << 20;

/// A crate that is published.
struct Published {
    name: String,
    version: String,
    /// Ours that have to be published before it.
    needs: Vec<String>,
}

/// Package all of them. With `--verify` they are compiled from what the packages hold, see [`verify`]; `--allow-dirty` is cargo's.
pub(crate) fn run(flags: &[String]) -> Result<(), String> {
    for flag in flags {
        if !["--verify", "--allow-dirty"].contains(&flag.as_str()) {
            return Err(format!(
                "unknown flag {flag}: --verify and --allow-dirty are known"
            ));
        }
    }
    let metadata = metadata()?;
    let crates = ordered(published(&metadata)?)?;
    let mut args = vec!["package", "--locked", "--no-verify"];
    if flags.iter().any(|flag| flag == "--allow-dirty") {
        args.push("--allow-dirty");
    }
    for one in &crates {
        args.extend(["-p", one.name.as_str()]);
    }
    println!("$ cargo {}", args.join(" "));
    if !cargo(&args).status().is_ok_and(|status| status.success()) {
        return Err("cargo package failed: see above".into());
    }
    let target = metadata["target_directory"].as_str().unwrap_or("target");
    let packages = Path::new(target).join("package");
    let unpacked = packages.join("unpacked");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).map_err(|error| told(&unpacked, error))?;
    }
    fs::create_dir_all(&unpacked).map_err(|error| told(&unpacked, error))?;
    let mut problems = Vec::new();
    println!("in the order of publishing:");
    for one in &crates {
        let full = format!("{}-{}", one.name, one.version);
        let file = packages.join(format!("{full}.crate"));
        let size = fs::metadata(&file)
            .map_err(|error| told(&file, error))?
            .len();
        let tar = Command::new("tar")
            .arg("-xzf")
            .arg(&file)
            .arg("-C")
            .arg(&unpacked)
            .status();
        if !tar.is_ok_and(|status| status.success()) {
            return Err(format!("{}: tar does not unpack it", file.display()));
        }
        let folder = unpacked.join(&full);
        let found = looked_through(&folder)?;
        println!(
            "  {full:32} {:>6} kB, {} files included",
            size.div_ceil(1000),
            found.files
        );
        problems.extend(found.problems);
        if size > MOST {
            problems.push(format!("{full}: {size} bytes, and crates.io takes {MOST}"));
        }
    }
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    match flags.iter().any(|flag| flag == "--verify") {
        true => verify(&unpacked, &crates),
        false => Ok(()),
    }
}

/// Compile the unpacked packages, with each other in place of crates.io's.
///
/// `cargo package` compiles one package after the other, each with features of its own, and Burn with it each time. As one workspace
/// they take minutes: what is missing from a package is missing here too. What a crate uses of a dependency without asking
/// for the feature is not found where another one asks for it.
fn verify(unpacked: &Path, crates: &[Published]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = root.join("Cargo.toml");
    let ours = fs::read_to_string(&manifest).map_err(|error| told(&manifest, error))?;
    // As in a checkout, so that dependencies are not compiled once more.
    let mut profiles = false;
    let profiles: Vec<&str> = ours
        .lines()
        .filter(|line| {
            if line.starts_with('[') {
                profiles = line.starts_with("[profile.");
            }
            profiles
        })
        .collect();
    let (mut members, mut patches) = (String::new(), String::new());
    for one in crates {
        let folder = format!("{}-{}", one.name, one.version);
        members.push_str(&format!("    {folder:?},\n"));
        patches.push_str(&format!("{} = {{ path = {folder:?} }}\n", one.name));
    }
    let whole = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [\n{members}]\n\n[patch.crates-io]\n{patches}\n{}\n",
        profiles.join("\n")
    );
    let made = unpacked.join("Cargo.toml");
    fs::write(&made, whole).map_err(|error| told(&made, error))?;
    let lock = unpacked.join("Cargo.lock");
    fs::copy(root.join("Cargo.lock"), &lock).map_err(|error| told(&lock, error))?;
    println!("$ cargo check --release --workspace, of the packages alone");
    let status = cargo(&["check", "--release", "--workspace"])
        .current_dir(unpacked)
        .status();
    match status.is_ok_and(|status| status.success()) {
        true => Ok(()),
        false => Err("the packages do not compile: see above".into()),
    }
}

fn told(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

fn metadata() -> Result<Value, String> {
    let output = cargo(&["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

/// The crates of the workspace that do not say `publish = false`, each with what crates.io shows of it.
fn published(metadata: &Value) -> Result<Vec<Published>, String> {
    let empty = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    let public: Vec<&Value> = packages
        .iter()
        .filter(|package| package["publish"].is_null())
        .collect();
    let name_of = |package: &Value| package["name"].as_str().unwrap_or_default().to_string();
    let names: Vec<String> = public.iter().map(|package| name_of(package)).collect();
    let mut crates = Vec::new();
    for package in public {
        let name = name_of(package);
        for field in ["description", "license", "readme", "rust_version"] {
            if !package[field].is_string() {
                return Err(format!("{name}: its manifest has no {field}"));
            }
        }
        for (field, most) in [("keywords", 5), ("categories", 5)] {
            let count = package[field].as_array().map_or(0, Vec::len);
            if count == 0 || count > most {
                return Err(format!("{name}: {count} {field}; 1 to {most} are wanted"));
            }
        }
        let mut needs = Vec::new();
        for dependency in package["dependencies"].as_array().unwrap_or(&empty) {
            // Cargo leaves a dev-dependency without a version out of what it publishes.
            let left_out = dependency["kind"] == "dev" && dependency["req"] == "*";
            if dependency["path"].is_null() || left_out {
                continue;
            }
            let needed = name_of(dependency);
            if !names.contains(&needed) {
                return Err(format!("{name} needs {needed}, which is not published"));
            }
            if !needs.contains(&needed) {
                needs.push(needed);
            }
        }
        crates.push(Published {
            name,
            version: package["version"].as_str().unwrap_or_default().into(),
            needs,
        });
    }
    Ok(crates)
}

/// Each after what it needs, else by name.
fn ordered(mut left: Vec<Published>) -> Result<Vec<Published>, String> {
    left.sort_by(|a, b| a.name.cmp(&b.name));
    let mut done: Vec<Published> = Vec::new();
    while !left.is_empty() {
        let is_done = |name: &String| done.iter().any(|one| one.name == *name);
        let ready = left.iter().position(|one| one.needs.iter().all(is_done));
        let Some(ready) = ready else {
            let names: Vec<&str> = left.iter().map(|one| one.name.as_str()).collect();
            return Err(format!("{} need each other", names.join(", ")));
        };
        done.push(left.remove(ready));
    }
    Ok(done)
}

/// What the sources of a package include.
#[derive(Default)]
struct Looked {
    /// How many files are included and there.
    files: usize,
    problems: Vec<String>,
}

fn looked_through(folder: &Path) -> Result<Looked, String> {
    let root = folder.canonicalize().map_err(|error| told(folder, error))?;
    let mut looked = Looked::default();
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        if !root.join(file).is_file() {
            looked
                .problems
                .push(format!("{}: no {file}", folder.display()));
        }
    }
    let mut sources = Vec::new();
    rust_files(&root, &mut sources)?;
    for source in sources {
        let text = fs::read_to_string(&source).map_err(|error| told(&source, error))?;
        let tokens: TokenStream = text
            .parse()
            .map_err(|error| told(&source, format!("no Rust: {error}")))?;
        let mut included = Included::default();
        included.read(tokens);
        for path in included.files {
            let there = source.parent().unwrap_or(&root).join(&path).canonicalize();
            if there.is_ok_and(|there| there.starts_with(&root) && there.is_file()) {
                looked.files += 1;
            } else {
                let problem = format!("includes {path:?}, which is not in the package");
                looked.problems.push(told(&source, problem));
            }
        }
        for unclear in included.unclear {
            let problem = format!("includes ({unclear}), which is not to be followed");
            looked.problems.push(told(&source, problem));
        }
    }
    Ok(looked)
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    for entry in fs::read_dir(folder).map_err(|error| told(folder, error))? {
        let path = entry.map_err(|error| told(folder, error))?.path();
        if path.is_dir() {
            rust_files(&path, found)?;
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The arguments of `include!`, `include_str!` and `include_bytes!`, and `#[path]`s, tests and doc tests included.
#[derive(Default)]
struct Included {
    /// Relative to the source.
    files: Vec<String>,
    /// Macros of the file that include their argument.
    macros: Vec<String>,
    /// The body of a macro includes its argument.
    by_argument: bool,
    /// What is none of these.
    unclear: Vec<String>,
}

impl Included {
    fn read(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        for at in 0..trees.len() {
            match &trees[at..] {
                [
                    TokenTree::Ident(rules),
                    TokenTree::Punct(bang),
                    TokenTree::Ident(name),
                    TokenTree::Group(body),
                    ..,
                ] if rules == "macro_rules" && bang.as_char() == '!' => {
                    let mut inner = Self::default();
                    inner.read(body.stream());
                    if inner.by_argument {
                        self.macros.push(name.to_string());
                    }
                }
                [
                    TokenTree::Ident(name),
                    TokenTree::Punct(bang),
                    TokenTree::Group(body),
                    ..,
                ] if bang.as_char() == '!' => {
                    if ["include", "include_str", "include_bytes"]
                        .iter()
                        .any(|known| name == known)
                    {
                        self.argument(body.stream());
                    } else if self.macros.contains(&name.to_string()) {
                        self.files
                            .extend(body.stream().into_iter().filter_map(text));
                    }
                }
                _ => {}
            }
            if let TokenTree::Group(group) = &trees[at] {
                if group.delimiter() == Delimiter::Bracket {
                    self.attribute(group.stream());
                }
                self.read(group.stream());
            }
        }
    }

    fn argument(&mut self, tokens: TokenStream) {
        let said = tokens.to_string();
        let mut trees = tokens.into_iter();
        match (trees.next().and_then(text), trees.next()) {
            (Some(path), None) => self.files.push(path),
            // What the build script has made.
            _ if said.contains("\"OUT_DIR\"") => {}
            _ if said.contains('$') => self.by_argument = true,
            _ => self.unclear.push(said),
        }
    }

    /// `path = "…"` of a module.
    fn attribute(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        if let [TokenTree::Ident(name), TokenTree::Punct(_), value] = &trees[..]
            && name == "path"
        {
            self.files.extend(text(value.clone()));
        }
    }
}

/// What a literal string says.
fn text(tree: TokenTree) -> Option<String> {
    let literal: syn::LitStr = syn::parse_str(&tree.to_string()).ok()?;
    Some(literal.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sources_include_is_found() {
        let source = r#"
            #![doc = include_str!("../README.md")]
            #[path = "../elsewhere.rs"]
            mod elsewhere;
            macro_rules! bundled { ($($path:literal)*) => { [$(include_bytes!($path)),*] }; }
            const FILES: [&[u8]; 2] = bundled! { "a.bin" "b/c.bin" };
            const MADE: &str = include_str!(concat!(env!("OUT_DIR"), "/made.js"));
            /// include_str!("in a comment")
            const UNCLEAR: &str = include_str!(env!("SOMETHING"));
        "#;
        let mut included = Included::default();
        included.read(source.parse().expect("tokens"));
        let expected = ["../README.md", "../elsewhere.rs", "a.bin", "b/c.bin"];
        assert_eq!(included.files, expected);
        assert_eq!(included.unclear.len(), 1);
    }

    #[test]
    fn what_is_published_has_an_order() {
        let crates = published(&metadata().expect("cargo runs tests")).expect("manifests");
        let order = ordered(crates).expect("no circle");
        let place = |name: &str| order.iter().position(|one| one.name == name);
        assert!(place("linearscope").is_some());
        assert!(place("linearscope") < place("linearscope-analysis"));
        assert!(place("linearscope-bundle") < place("linearscope-picture"));
        assert_eq!(place("linearscope-features"), None);
        let circle = |name: &str, needs: &str| Published {
            name: name.into(),
            version: "0.1.0".into(),
            needs: vec![needs.into()],
        };
        assert!(ordered(vec![circle("a", "b"), circle("b", "a")]).is_err());
    }
}
