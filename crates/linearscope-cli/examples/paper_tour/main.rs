//! Every table and figure of *A Tour of Convolutional Networks Guided by Linear Interpreters* (ICCV 2019), in its order: what
//! it claims, what we measure, by which command, and whether the claim is replicated.
//!
//! ```sh
//! cargo run --release --example paper_tour                    # the bundled networks
//! cargo run --release --example paper_tour -- --data DIR      # and real weights: DIR/models/*.onnx, DIR/images
//! ```
//!
//! The paper's own networks and pictures are not bundled, so most figures are about others of the same kind. Every verdict is
//! made by the criterion printed next to it. Results go to `out/paper_tour`: `tour.html`, `tour.md`, and the files of the commands.

mod classifiers;
mod generators;
mod lab;
mod measures;
mod page;
mod upscalers;

use std::{fs, path::PathBuf, process::ExitCode};

use lab::{Entry, Lab, Outcome};

/// A part of the tour.
type Part = fn(&Lab) -> Outcome<Vec<Entry>>;

/// The parts, in the paper's order of subjects.
const PARTS: &[(&str, Part)] = &[
    ("classifiers", classifiers::entries),
    ("upscalers", upscalers::entries),
    ("generators", generators::entries),
];

fn main() -> ExitCode {
    match tour() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn tour() -> Outcome<()> {
    let mut data = None;
    let mut out = PathBuf::from("out/paper_tour");
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .map(PathBuf::from)
                .ok_or(format!("{word} needs a folder"))
        };
        match word.as_str() {
            "--data" => data = Some(value()?),
            "--out" => out = value()?,
            _ => return Err(format!("{word}: there are --data DIR and --out DIR")),
        }
    }
    if let Some(folder) = data
        .as_ref()
        .filter(|folder| !folder.join("models").is_dir())
    {
        return Err(format!("{}/models is not a folder", folder.display()));
    }
    linearscope_cli::embed::prepare();
    let lab = Lab::new(data, out.clone());
    let mut entries = Vec::new();
    for (name, part) in PARTS {
        eprintln!("the {name}");
        entries.extend(part(&lab)?);
    }
    entries.extend(not_attempted());
    entries.sort_by_key(|entry| entry.order);
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    for (name, text) in [
        ("tour.html", page::html(&entries)?),
        ("tour.md", page::markdown(&entries)),
    ] {
        let path = out.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    print!("{}", page::plain(&entries));
    println!("{}", out.join("tour.html").display());
    Ok(())
}

/// What cannot be tried, rather than reconstructed.
fn not_attempted() -> Vec<Entry> {
    let table = Entry::not_attempted(
        20,
        "Table 2",
        "the paper's list of the networks it studies",
        "a list, not a measurement; linearscope-zoo has the networks (docs, \"the zoo\")",
    );
    let figures = Entry::not_attempted(
        110,
        "Fig. 1, 2",
        "drawings of the method: reference and probe next to each other, [y₀, F x₁ + r]",
        "drawings, not measurements; `linearscope verify` tests what they state on any network",
    );
    vec![table, figures]
}
