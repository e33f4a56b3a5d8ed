//! The book and the README: commands run, links lead somewhere, and what isn't run says why.
//!
//! A block of `sh`, `python` or `rust` is run by a test, or has `<!-- not run: REASON -->` right above it. Blocks of
//! `sh` are run here; of `python` by `crates/linearscope-python/tests/test_book.py`; of `rust` as documentation tests of
//! `linearscope-examples`, whose `src/lib.rs` names the pages.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::{Component, Path, PathBuf},
};

use linearscope_test_support::root;

#[cfg(unix)]
use crate::folder::Folder;

/// A fenced block of a page.
struct Block {
    /// Line of its fence, from 1.
    line: usize,
    /// What stands behind the fence: `sh`, `rust,no_run`, ….
    language: String,
    text: String,
    /// Why it is not run.
    reason: Option<String>,
}

struct Page {
    path: PathBuf,
    /// Path from the root of the checkout.
    name: String,
    blocks: Vec<Block>,
    /// Lines outside blocks, with their numbers.
    prose: Vec<(usize, String)>,
}

fn book() -> PathBuf {
    root().join("docs/book/src")
}

fn read(path: PathBuf, name: String) -> Page {
    let text = fs::read_to_string(&path).expect("a page can be read");
    let (mut blocks, mut prose): (Vec<Block>, Vec<(usize, String)>) = (Vec::new(), Vec::new());
    let mut open: Option<Block> = None;
    let mut above = String::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(mut block) = open.take() {
            if line == "```" {
                blocks.push(block);
                above.clear();
            } else {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
        } else if let Some(language) = line.strip_prefix("```") {
            let reason = above
                .strip_prefix("<!-- not run: ")
                .and_then(|rest| rest.strip_suffix(" -->"));
            open = Some(Block {
                line: index + 1,
                language: language.to_string(),
                text: String::new(),
                reason: reason.map(String::from),
            });
        } else {
            if !line.trim().is_empty() {
                above = line.to_string();
            }
            prose.push((index + 1, line.to_string()));
        }
    }
    assert!(open.is_none(), "{name}: the last block has no end");
    Page {
        path,
        name,
        blocks,
        prose,
    }
}

/// The README and every page of the book, in the order of their names.
fn pages() -> Vec<Page> {
    let mut pages = vec![read(root().join("README.md"), "README.md".into())];
    let mut paths: Vec<PathBuf> = fs::read_dir(book())
        .expect("the book is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        pages.push(read(path, format!("docs/book/src/{name}")));
    }
    pages
}

/// The language alone, without `no_run` and its like.
fn language(block: &Block) -> &str {
    block.language.split(',').next().unwrap_or("")
}

/// Past libtest, which keeps what a test that passes prints.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[test]
fn every_block_is_run_or_says_why_not() {
    let documented = fs::read_to_string(root().join("examples/src/lib.rs")).expect("it is there");
    let mut run: BTreeMap<&str, usize> = BTreeMap::new();
    let mut not_run: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let pages = pages();
    for page in &pages {
        for block in &page.blocks {
            let place = format!("{}:{}", page.name, block.line);
            let kind = language(block);
            if ["text", "toml", "json"].contains(&kind) {
                continue;
            }
            if !["sh", "python", "rust"].contains(&kind) {
                wrong.push(format!(
                    "{place}: a block of unknown language `{}`",
                    block.language
                ));
            } else if let Some(reason) = &block.reason {
                *not_run.entry(reason.clone()).or_default() += 1;
                if kind == "rust" && !block.language.contains("ignore") {
                    wrong.push(format!(
                        "{place}: says that it isn't run, but isn't `rust,ignore`"
                    ));
                }
            } else if kind == "rust" {
                if block.language.contains("ignore") {
                    wrong.push(format!("{place}: is ignored, and doesn't say why"));
                }
                if !documented.contains(&format!("/{}\"", page.name)) {
                    wrong.push(format!(
                        "{place}: examples/src/lib.rs doesn't name {}",
                        page.name
                    ));
                }
                *run.entry("rust").or_default() += 1;
            } else {
                let kind = if kind == "sh" { "sh" } else { "python" };
                *run.entry(kind).or_default() += 1;
            }
        }
    }
    let mut text = String::from("\nblocks of the book and the README that tests run:\n");
    for (kind, count) in &run {
        text += &format!("{count:5} {kind}\n");
    }
    text += &format!("and that they don't: {}\n", not_run.values().sum::<usize>());
    for (reason, count) in &not_run {
        text += &format!("{count:5} {reason}\n");
    }
    say(&text);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Blocks of a page run in one folder, one after the other, so that a later one may use what an earlier one wrote.
#[cfg(unix)]
#[test]
fn the_commands_run() {
    let program = Path::new(env!("CARGO_BIN_EXE_linearscope"));
    let mut search = vec![program.parent().expect("a folder").to_path_buf()];
    if let Some(path) = std::env::var_os("PATH") {
        search.extend(std::env::split_paths(&path));
    }
    let search = std::env::join_paths(search).expect("a path");
    let (mut failed, mut run) = (Vec::new(), String::new());
    for page in pages() {
        let folder = Folder::new();
        let assets = root().join("assets").canonicalize().expect("the assets");
        std::os::unix::fs::symlink(assets, folder.path("assets")).expect("a link");
        for block in &page.blocks {
            if language(block) != "sh" || block.reason.is_some() {
                continue;
            }
            let output = std::process::Command::new("sh")
                .args(["-e", "-c", &block.text])
                .current_dir(folder.path(""))
                .env("PATH", &search)
                .output()
                .expect("sh starts");
            run.push_str(&block.text);
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                failed.push(format!(
                    "{}:{}\n{}{said}",
                    page.name, block.line, block.text
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));

    // What the page of commands promises: each is run somewhere.
    let commands = fs::read_to_string(book().join("commands.md")).expect("it is there");
    let missing: Vec<&str> = commands
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter(|name| {
            !run.contains(&format!("linearscope {name} "))
                && !run.contains(&format!("linearscope {name}\n"))
        })
        .collect();
    assert!(missing.is_empty(), "no page runs {missing:?}");
}

/// The anchor of a heading, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    heading
        .trim()
        .chars()
        .filter_map(|c| match c {
            _ if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
            _ if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .flat_map(char::to_lowercase)
        .collect()
}

fn anchors(page: &Page) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in &page.prose {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() && heading.starts_with(' ') {
            let first = anchor(heading);
            let mut name = first.clone();
            let mut number = 0;
            while !found.insert(name.clone()) {
                number += 1;
                name = format!("{first}-{number}");
            }
        }
    }
    found
}

/// Where the links of a line lead, code left out.
fn links(line: &str) -> Vec<String> {
    let prose: String = line.split('`').step_by(2).collect();
    let parts = prose.split("](").skip(1);
    let ends = parts.filter_map(|part| part.split_once(')'));
    ends.map(|(target, _)| target.trim().to_string()).collect()
}

/// A path without `.` and `..`, so that two ways to one file are equal.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let known: BTreeMap<PathBuf, BTreeSet<String>> = pages
        .iter()
        .map(|page| (plain(&page.path), anchors(page)))
        .collect();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in &pages {
        for (number, line) in &page.prose {
            for link in links(line) {
                if link.starts_with("http:") || link.starts_with("https:") {
                    continue;
                }
                count += 1;
                let (file, wanted) = link.split_once('#').unwrap_or((&link, ""));
                let path = match file {
                    "" => plain(&page.path),
                    _ => plain(&page.path.parent().expect("a folder").join(file)),
                };
                let there = path.exists();
                let found = wanted.is_empty()
                    || known
                        .get(&path)
                        .is_some_and(|anchors| anchors.contains(wanted));
                if !there || !found {
                    wrong.push(format!("{}:{number}: {link}", page.name));
                }
            }
        }
    }
    assert!(count > 80, "only {count} links were found");
    assert!(
        wrong.is_empty(),
        "these lead nowhere:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_table_of_contents_lists_every_page() {
    let pages = pages();
    let contents = pages
        .iter()
        .find(|page| page.name.ends_with("SUMMARY.md"))
        .expect("a table of contents");
    let listed: Vec<String> = contents
        .prose
        .iter()
        .flat_map(|(_, line)| links(line))
        .collect();
    let mut once = listed.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), listed.len(), "a page is listed twice");
    let mut there: Vec<String> = pages
        .iter()
        .filter_map(|page| page.name.strip_prefix("docs/book/src/"))
        .filter(|name| *name != "SUMMARY.md")
        .map(String::from)
        .collect();
    there.sort();
    assert_eq!(once, there);
}
