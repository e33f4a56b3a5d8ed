//! What the documentation says of commands is made of what they say of themselves. The tests here compare; with
//! `LINEARSCOPE_BLESS=1` in the environment they write.

use std::{fmt::Write, fs, path::PathBuf};

use crate::{
    command::{About, Group, Pictures, TableAbout},
    commands,
    job::OF_A_FOLDER,
    results::{ALWAYS, SCHEMA},
};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name)
}

/// Compare a file with what it should be, or write it.
fn check(name: &str, text: &str) {
    let path = file(name);
    if std::env::var_os("LINEARSCOPE_BLESS").is_some() {
        fs::write(&path, text).expect("written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "{name} is not what the commands say of themselves: LINEARSCOPE_BLESS=1 cargo test --release \
         -p linearscope-cli docs:: writes it"
    );
}

/// Why the book's test does not run the examples here; `tests/cli/book.rs` holds it to the second half.
const NOT_RUN: &str = "<!-- not run: names a network and a picture of yours; the other pages run every command on bundled \
     ones -->";

/// Every command in a line.
fn overview() -> String {
    let mut text = format!("{NOT_RUN}\n```sh\n");
    let examples = commands::ALL.iter().map(|entry| entry.about.example.len());
    let width = examples.max().unwrap_or(0);
    for about in commands::ALL.iter().map(|entry| entry.about) {
        let _ = writeln!(
            text,
            "linearscope {:width$}  # {}",
            about.example, about.summary
        );
    }
    text.push_str("```\n\n");
    let _ = writeln!(
        text,
        "`--input` may be a folder of pictures for {}.",
        commands::on_folders().join(", ")
    );
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn table(text: &mut String, table: &TableAbout) {
    let _ = writeln!(text, "`{0}.csv`, `{0}.json`: {1}\n", table.name, table.rows);
    text.push_str("| column | |\n| --- | --- |\n");
    for (name, meaning) in table.columns {
        let _ = writeln!(text, "| `{name}` | {} |", cell(meaning));
    }
    text.push('\n');
}

fn options(about: &About) -> String {
    let mut program = commands::clap();
    program.build();
    let command = program.find_subcommand(about.name).expect("it is one");
    let mut text = String::new();
    for argument in command.get_arguments() {
        let shared = [
            "Input and output",
            "Freezing and computing",
            "Recipe: how a picture becomes x₀",
        ];
        let heading = argument.get_help_heading().unwrap_or("");
        let hidden =
            argument.is_hide_set() || ["help", "version"].contains(&argument.get_id().as_str());
        if hidden || shared.contains(&heading) || argument.get_id() == "model" {
            continue;
        }
        let mut name = match (argument.get_long(), argument.get_short()) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            _ => argument.get_id().to_string(),
        };
        if let Some([value]) = argument.get_value_names()
            && argument.get_action().takes_values()
        {
            name += &format!(" {value}");
        }
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let default: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        let default = match default.is_empty() || !argument.get_action().takes_values() {
            true => String::new(),
            false => format!(" (default {})", default.join(",")),
        };
        let _ = writeln!(text, "| `{}` | {}{default} |", cell(&name), cell(&help));
    }
    text
}

fn reference() -> String {
    let mut text = format!(
        "# Commands\n\nMade from what the program says of itself (`linearscope COMMAND --help` has the options that all \
         commands share). Results lie in `out/<input>/<command>/`; [results.md](results.md) describes manifests and \
         folders (schema {SCHEMA}).\n\n{}",
        overview()
    );
    for group in Group::ALL {
        let _ = writeln!(text, "\n## {}", group.heading());
        for about in commands::ALL.iter().map(|entry| entry.about) {
            if about.group != group {
                continue;
            }
            let _ = writeln!(text, "\n### {}\n\n{}.", about.name, about.summary);
            if !about.details.is_empty() {
                let _ = writeln!(text, "{}", about.details);
            }
            if about.pictures == Pictures::Folders {
                text.push_str("Takes a picture or a folder of pictures.\n");
            }
            let _ = writeln!(
                text,
                "\n{NOT_RUN}\n```sh\nlinearscope {}\n```\n",
                about.example
            );
            let options = options(about);
            if !options.is_empty() {
                let _ = writeln!(text, "| option | |\n| --- | --- |\n{options}");
            }
            if !about.files.is_empty() {
                text.push_str("| file | |\n| --- | --- |\n");
                for file in about.files {
                    let _ = writeln!(text, "| `{}` | {} |", file.0, cell(file.1));
                }
                text.push('\n');
            }
            for one in about.tables {
                table(&mut text, one);
            }
            if !about.includes.is_empty() {
                let names: Vec<String> = about
                    .includes
                    .iter()
                    .map(|about| format!("`{}`", about.name))
                    .collect();
                let _ = writeln!(text, "And the files of {}.\n", names.join(", "));
            }
            while text.ends_with("\n\n") {
                text.pop();
            }
        }
    }
    text.push_str("\n## Files that every result has\n\n| file | |\n| --- | --- |\n");
    for file in ALWAYS {
        let _ = writeln!(text, "| `{}` | {} |", file.0, cell(file.1));
    }
    text.push_str(
        "| `manifest.json` | what was computed of what, and every file with its checksum |\n",
    );
    text.push_str("| `run.json` | when, where, how long, by which version |\n");
    text.push_str("\n## Files that every finished folder has\n\n| file | |\n| --- | --- |\n");
    for (name, meaning) in OF_A_FOLDER {
        let _ = writeln!(text, "| `{name}` | {meaning} |");
    }
    text.push_str(
        "| `TABLE.csv` | the tables of all pictures under each other, with a column `picture` |\n",
    );
    text
}

#[test]
fn the_reference_is_what_commands_say_of_themselves() {
    check("docs/book/src/commands.md", &reference());
}

/// What the program says of itself is seen when it changes.
#[test]
fn help_is_as_pinned() {
    let mut program = commands::clap();
    program.build();
    insta::assert_snapshot!("help", program.render_long_help().to_string());
    for entry in commands::ALL {
        let name = entry.about.name;
        let command = program.find_subcommand_mut(name).expect("it is one");
        insta::assert_snapshot!(
            format!("help_{name}"),
            command.render_long_help().to_string()
        );
    }
}
