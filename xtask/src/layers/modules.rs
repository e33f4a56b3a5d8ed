//! Which file of a crate takes what from which: paths are resolved to the module that defines the name.
//!
//! A file is read as tokens, so that paths in signatures, bodies and macros count like those of `use`
//! items. What only types tell (methods, associated functions of a type in hand) is not seen; its type
//! mostly is. Items under `cfg(test)` are left out.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
    path::Path,
};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Item, UseTree};

/// From file to file: the names that the first takes from the second.
pub(super) type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A name that a `use` item binds.
struct Binding {
    path: Vec<String>,
    /// Whether others may take it from here: then it is an import only where the file names it itself.
    exported: bool,
}

/// A path in the code.
struct Mention {
    path: Vec<String>,
    /// Whether `!` follows.
    is_macro: bool,
}

/// One module: a file, or `mod name { … }` within one.
#[derive(Default)]
struct Module {
    /// The file, relative to the source folder.
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// Names that it defines, as far as no macro makes them.
    items: BTreeSet<String>,
    bindings: BTreeMap<String, Vec<Binding>>,
    globs: Vec<Binding>,
    mentions: Vec<Mention>,
}

/// What a path leads to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(usize),
    /// A name and the module that defines it.
    Item(usize, String),
}

/// The modules of a crate.
#[derive(Default)]
pub(super) struct Modules {
    modules: Vec<Module>,
    /// Macros that `#[macro_use]` lets all see: where each is defined.
    macros: BTreeMap<String, usize>,
}

/// How a file is read: the tests have theirs in memory.
pub(super) type Read<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

impl Modules {
    /// The modules of the crate whose `lib.rs` lies in `source`.
    ///
    /// # Errors
    /// A file that cannot be read or parsed.
    pub(super) fn read(source: &Path, read: Read<'_>) -> Result<Self, String> {
        let mut modules = Self::default();
        let text = read(&source.join("lib.rs"));
        let text = text.map_err(|error| format!("{}/lib.rs: {error}", source.display()))?;
        modules.file(source, "lib.rs", &text, None, Path::new(""), read)?;
        Ok(modules)
    }

    /// Add a file; the files of its child modules lie in `folder`.
    fn file(
        &mut self,
        source: &Path,
        file: &str,
        text: &str,
        parent: Option<usize>,
        folder: &Path,
        read: Read<'_>,
    ) -> Result<usize, String> {
        let parsed = syn::parse_file(text).map_err(|error| format!("{file}: {error}"))?;
        self.module(source, file, &parsed.items, parent, folder, read)
    }

    fn module(
        &mut self,
        source: &Path,
        file: &str,
        items: &[Item],
        parent: Option<usize>,
        folder: &Path,
        read: Read<'_>,
    ) -> Result<usize, String> {
        let at = self.modules.len();
        self.modules.push(Module {
            file: file.into(),
            parent,
            ..Module::default()
        });
        for item in items {
            let Item::Mod(child) = item else {
                let module = &mut self.modules[at];
                module.items.extend(defined(item));
                module.scan(item.to_token_stream());
                continue;
            };
            if child.attrs.iter().any(for_tests) {
                continue;
            }
            let name = child.ident.to_string();
            let inner = folder.join(&name);
            let index = match &child.content {
                Some((_, items)) => self.module(source, file, items, Some(at), &inner, read)?,
                None => {
                    let beside = inner.with_extension("rs");
                    let within = inner.join("mod.rs");
                    let found = [beside, within].into_iter().find_map(|path| {
                        let text = read(&source.join(&path)).ok()?;
                        Some((path, text))
                    });
                    let (path, text) =
                        found.ok_or_else(|| format!("{file}: no file of `mod {name}`"))?;
                    let path = path.to_string_lossy().replace('\\', "/");
                    self.file(source, &path, &text, Some(at), &inner, read)?
                }
            };
            if child
                .attrs
                .iter()
                .any(|attr| attr.path().is_ident("macro_use"))
            {
                let macros = self.modules[index].items.clone();
                self.macros
                    .extend(macros.into_iter().map(|name| (name, index)));
            }
            self.modules[at].children.insert(name, index);
        }
        Ok(at)
    }

    /// What `name` is in a module; none if nothing there binds it, and empty for what other crates
    /// define.
    fn lookup(&self, at: usize, name: &str, seen: &mut Seen) -> Option<Vec<Target>> {
        let module = &self.modules[at];
        let mut found = Vec::new();
        found.extend(module.children.get(name).copied().map(Target::Module));
        if module.items.contains(name) {
            found.push(Target::Item(at, name.into()));
        }
        let here = (at, name.to_string());
        if !seen.insert(here.clone()) {
            return Some(found).filter(|found| !found.is_empty());
        }
        let bindings = module.bindings.get(name);
        for binding in bindings.into_iter().flatten() {
            found.extend(self.resolve(at, &binding.path, seen));
        }
        let found = if bindings.is_some() || !found.is_empty() {
            Some(found)
        } else {
            module.globs.iter().find_map(|glob| {
                let targets = self.resolve(at, &glob.path, seen);
                targets.into_iter().find_map(|target| match target {
                    Target::Module(of) => self.lookup(of, name, seen),
                    Target::Item(..) => None,
                })
            })
        };
        seen.remove(&here);
        found
    }

    /// What a path in module `at` leads to; nothing for paths into other crates.
    fn resolve(&self, at: usize, path: &[String], seen: &mut Seen) -> Vec<Target> {
        let mut found: Option<Vec<Target>> = None;
        for (step, name) in path.iter().enumerate() {
            let modules = match &found {
                None => vec![at],
                Some(found) => found
                    .iter()
                    .filter_map(|target| match target {
                        Target::Module(at) => Some(*at),
                        Target::Item(..) => None,
                    })
                    .collect(),
            };
            if modules.is_empty() {
                // A variant, or a function of a type.
                break;
            }
            let next = modules.into_iter().flat_map(|at| match &name[..] {
                "crate" => vec![Target::Module(0)],
                "self" => vec![Target::Module(at)],
                "super" => vec![Target::Module(self.modules[at].parent.unwrap_or(0))],
                name => match self.lookup(at, name, seen) {
                    Some(found) => found,
                    None if step == 0 => Vec::new(),
                    // What a macro defines there.
                    None => vec![Target::Item(at, name.into())],
                },
            });
            found = Some(next.collect());
        }
        found.unwrap_or_default()
    }

    /// The names that a module takes, each with the module that defines it.
    fn taken(&self, at: usize) -> BTreeSet<(usize, String)> {
        let module = &self.modules[at];
        let imported = module.bindings.values().flatten();
        let imported = imported.filter(|binding| !binding.exported);
        // A single name means something only where a `use` item bound it: locals are many.
        let mentioned = module.mentions.iter().filter(|mention| {
            mention.path.len() > 1 || module.bindings.contains_key(&mention.path[0])
        });
        let paths = imported
            .map(|binding| &binding.path)
            .chain(mentioned.map(|mention| &mention.path));
        let mut taken: BTreeSet<(usize, String)> = paths
            .flat_map(|path| self.resolve(at, path, &mut Seen::new()))
            .filter_map(|target| match target {
                Target::Item(of, name) => Some((of, name)),
                Target::Module(_) => None,
            })
            .collect();
        for glob in module.globs.iter().filter(|glob| !glob.exported) {
            let targets = self.resolve(at, &glob.path, &mut Seen::new());
            taken.extend(targets.into_iter().map(|target| match target {
                Target::Module(of) => (of, "*".into()),
                Target::Item(of, name) => (of, name),
            }));
        }
        for mention in module.mentions.iter().filter(|mention| mention.is_macro) {
            if let [name] = &mention.path[..]
                && let Some(of) = self.macros.get(name)
            {
                taken.insert((*of, name.clone()));
            }
        }
        taken
    }

    /// What each file takes from others.
    pub(super) fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (at, module) in self.modules.iter().enumerate() {
            let from = imports.entry(module.file.clone()).or_default();
            for (of, name) in self.taken(at) {
                let file = &self.modules[of].file;
                if *file != module.file {
                    from.entry(file.clone()).or_default().insert(name);
                }
            }
        }
        imports
    }
}

/// Names that are being looked up, so that bindings through each other end.
type Seen = HashSet<(usize, String)>;

impl Module {
    /// The `use` items and paths among tokens.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut i = 0;
        while i < tokens.len() {
            match &tokens[i] {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(attribute)) = tokens.get(i + 1)
                        && is_cfg_test(attribute.stream())
                    {
                        i = after_item(&tokens, i + 2);
                        continue;
                    }
                }
                TokenTree::Ident(ident) if ident == "use" => {
                    let end = (i..tokens.len()).find(|&at| is_punct(&tokens, at, ';'));
                    let end = end.unwrap_or(tokens.len());
                    let tree: TokenStream = tokens[i + 1..end].iter().cloned().collect();
                    // `use<'a>` among bounds is no such tree.
                    if let Ok(tree) = syn::parse2::<UseTree>(tree) {
                        self.bind(&tree, &mut Vec::new(), is_public(&tokens[..i]));
                        i = end + 1;
                        continue;
                    }
                }
                TokenTree::Ident(_) => {
                    let (path, end) = path(&tokens, i);
                    if may_begin(&tokens, i) && !(path.len() == 1 && is_declared(&tokens, i)) {
                        let is_macro = is_punct(&tokens, end, '!');
                        self.mentions.push(Mention { path, is_macro });
                    }
                    i = end;
                    continue;
                }
                _ => {}
            }
            i += 1;
        }
    }

    fn bind(&mut self, tree: &UseTree, prefix: &mut Vec<String>, exported: bool) {
        let mut insert = |name: String, path: Vec<String>| {
            let binding = Binding { path, exported };
            self.bindings.entry(name).or_default().push(binding);
        };
        let with = |last: String| {
            let mut path = prefix.clone();
            // `use a::{self}` binds `a`.
            if last != "self" || path.is_empty() {
                path.push(last);
            }
            path
        };
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.bind(&path.tree, prefix, exported);
                prefix.pop();
            }
            UseTree::Name(name) => {
                let path = with(name.ident.to_string());
                insert(path.last().cloned().unwrap_or_default(), path);
            }
            UseTree::Rename(name) => insert(name.rename.to_string(), with(name.ident.to_string())),
            UseTree::Glob(_) => self.globs.push(Binding {
                path: prefix.clone(),
                exported,
            }),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.bind(tree, prefix, exported);
                }
            }
        }
    }
}

/// The name an item defines.
fn defined(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::TraitAlias(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

fn for_tests(attribute: &syn::Attribute) -> bool {
    is_cfg_test(attribute.meta.to_token_stream())
}

/// Whether an attribute is `cfg(test)`, alone or among others.
fn is_cfg_test(attribute: TokenStream) -> bool {
    fn names_test(tokens: TokenStream) -> bool {
        let mut negated = false;
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => {
                negated = ident == "not";
                ident == "test" || ident == "doctest"
            }
            TokenTree::Group(group) => !negated && names_test(group.stream()),
            _ => false,
        })
    }
    let mut tokens = attribute.into_iter();
    let is_cfg = matches!(tokens.next(), Some(TokenTree::Ident(ident)) if ident == "cfg");
    is_cfg && names_test(tokens.collect())
}

/// Where the item after an attribute ends: past its `;` or its braces.
fn after_item(tokens: &[TokenTree], from: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    let end = (from..tokens.len()).find(|&at| ends(&tokens[at]));
    end.map_or(tokens.len(), |end| end + 1)
}

fn is_punct(tokens: &[TokenTree], at: usize, wanted: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// Whether `::` stands at `at`.
fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let joint = |punct: &proc_macro2::Punct| punct.spacing() == Spacing::Joint;
    matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':' && joint(p))
        && is_punct(tokens, at + 1, ':')
}

/// Whether what stands before a `use` makes it public, to a part of the crate at least.
fn is_public(before: &[TokenTree]) -> bool {
    let is_pub = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Ident(ident)) if ident == "pub");
    let mut before = before.iter().rev();
    match before.next() {
        Some(TokenTree::Group(_)) => is_pub(before.next()),
        token => is_pub(token),
    }
}

/// The path that begins at `at`, and where it ends.
fn path(tokens: &[TokenTree], at: usize) -> (Vec<String>, usize) {
    let mut names = vec![tokens[at].to_string()];
    let mut end = at + 1;
    while is_colons(tokens, end)
        && let Some(TokenTree::Ident(name)) = tokens.get(end + 2)
    {
        names.push(name.to_string());
        end += 3;
    }
    (names, end)
}

/// Whether a path may begin at `at`: no field or method, lifetime, macro variable, or the rest of a
/// path.
fn may_begin(tokens: &[TokenTree], at: usize) -> bool {
    let before = |steps: usize, wanted| at >= steps && is_punct(tokens, at - steps, wanted);
    let field = before(1, '.') && !before(2, '.');
    let variable = before(1, '$') && tokens[at].to_string() != "crate";
    let rest = at >= 2 && is_colons(tokens, at - 2);
    !(field || variable || rest || before(1, '\''))
}

/// Whether a single name is declared here rather than meant: after `fn` or `let`, or before `:`.
fn is_declared(tokens: &[TokenTree], at: usize) -> bool {
    let words = [
        "const", "enum", "fn", "let", "mod", "mut", "ref", "static", "struct", "trait", "type",
    ];
    let before = at.checked_sub(1).map(|at| &tokens[at]);
    let after = is_punct(tokens, at + 1, ':') && !is_colons(tokens, at + 1);
    after || matches!(before, Some(TokenTree::Ident(word)) if words.iter().any(|w| word == w))
}
