//! One command over a folder of pictures: each picture's results in a folder of its own, and a summary
//! of all. A picture that fails is told and left out; the others go on.

use std::path::{Path, PathBuf};

use linearscope_picture::CurveChart;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    args::Common,
    error::{Failure, Result},
    output,
    session::SCHEMA,
};

/// What files of a folder are taken for pictures.
const PICTURES: [&str; 6] = ["png", "jpg", "jpeg", "bmp", "webp", "npy"];

/// Whether a command is asked about a folder.
pub(crate) fn is_one(common: &Common) -> bool {
    common.input.is_dir()
}

/// What a command says of one picture.
pub(crate) struct One<T> {
    /// In a line of the summary.
    pub line: String,
    /// In `summary.json`.
    pub numbers: Value,
    /// For what is said of all.
    pub found: T,
}

/// What a command says of a folder.
pub(crate) struct Set<T> {
    command: &'static str,
    common: Common,
    done: Vec<(String, One<T>)>,
    failed: Vec<(String, Failure)>,
}

fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|error| Failure::file(folder, error))?;
    for entry in entries {
        let path = entry.map_err(|error| Failure::file(folder, error))?.path();
        let kind = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        if path.is_file() && kind.is_some_and(|kind| PICTURES.contains(&kind.as_str())) {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(
            Failure::input(format!("{} holds no picture", folder.display()))
                .hint(format!("files that end with {}", PICTURES.join(", "))),
        );
    }
    Ok(found)
}

/// Do `one` for each picture of the folder that `--input` names.
///
/// # Errors
/// No picture, or not one that it could be done for.
pub(crate) fn each<A: Clone, T>(
    command: &'static str,
    args: &A,
    common: impl Fn(&mut A) -> &mut Common,
    mut one: impl FnMut(&A) -> Result<One<T>>,
) -> Result<Set<T>> {
    let mut args = args.clone();
    let whole = common(&mut args).clone();
    let all = pictures(&whole.input)?;
    output::prepare(&whole.out)?;
    let mut done: Vec<(String, One<T>)> = Vec::new();
    let mut failed: Vec<(String, Failure)> = Vec::new();
    for (i, path) in all.iter().enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.into_owned();
        output::progress(&format!("picture {} of {}, {name}", i + 1, all.len()));
        let here = common(&mut args);
        here.input = path.clone();
        here.out = whole.out.join(&name);
        here.quiet = true;
        match one(&args) {
            Ok(found) => done.push((name, found)),
            Err(failure) => {
                eprintln!("notice: {name} is left out: {}", failure.message);
                failed.push((name, failure));
            }
        }
    }
    match (done.is_empty(), failed.is_empty()) {
        (true, false) => Err(failed.remove(0).1),
        _ => Ok(Set {
            command,
            common: whole,
            done,
            failed,
        }),
    }
}

impl<T> Set<T> {
    /// What was found, picture by picture, and the set without it.
    pub(crate) fn apart(self) -> (Set<()>, Vec<T>) {
        let (mut done, mut all) = (Vec::new(), Vec::new());
        for (
            name,
            One {
                line,
                numbers,
                found,
            },
        ) in self.done
        {
            let kept = One {
                line,
                numbers,
                found: (),
            };
            done.push((name, kept));
            all.push(found);
        }
        let set = Set {
            command: self.command,
            common: self.common,
            done,
            failed: self.failed,
        };
        (set, all)
    }

    /// The folder of all results.
    pub(crate) fn out(&self) -> &Path {
        &self.common.out
    }

    /// Write a chart of all pictures.
    pub(crate) fn save_curves(&self, name: &str, chart: &CurveChart) -> Result<()> {
        let drawing = chart.draw();
        let path = |kind: &str| self.out().join(format!("{name}.{kind}"));
        output::write_whole(&path("svg"), drawing.to_svg().as_bytes())?;
        output::write_whole(&path("png"), &drawing.to_png()?)
    }

    /// Write and print the summary; `over` and `lines` are what there is to say of all together.
    ///
    /// # Errors
    /// The first picture's that was left out.
    pub(crate) fn close(mut self, over: impl Serialize, lines: &[String]) -> Result<()> {
        let left_out: Vec<Value> = self
            .failed
            .iter()
            .map(|(name, failure)| json!({ "file": name, "error": failure.message }))
            .collect();
        let each: Vec<Value> = self
            .done
            .iter()
            .map(|(name, one)| json!({ "file": name, "found": one.numbers }))
            .collect();
        let summary = json!({
            "schema": SCHEMA,
            "command": self.command,
            "model": self.common.model,
            "folder": self.common.input,
            "pictures": each,
            "left_out": left_out,
            "over": over,
        });
        let text = serde_json::to_string_pretty(&summary).expect("plain data serialises");
        output::write_whole(&self.common.out.join("summary.json"), text.as_bytes())?;
        if self.common.json {
            println!("{text}");
        } else {
            let width = self.done.iter().map(|(name, _)| name.chars().count());
            let width = width.max().unwrap_or(0);
            for (name, one) in &self.done {
                println!("{name:width$}  {}", one.line);
            }
            for line in lines {
                println!("{line}");
            }
            println!(
                "{} pictures, {} left out; results in {}",
                self.done.len(),
                self.failed.len(),
                self.common.out.display()
            );
        }
        match self.failed.is_empty() {
            true => Ok(()),
            false => Err(self.failed.remove(0).1),
        }
    }
}
