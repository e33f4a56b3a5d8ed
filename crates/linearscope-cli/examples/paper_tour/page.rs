//! The tour as a page, as Markdown, and as lines.

use std::{fs, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use linearscope_picture::page::{Cell, Column, Markup, Page, Part, Render, Section, Table};
use maud::html;

use crate::lab::{Entry, Outcome, Verdict};

/// How many of each.
fn tally(entries: &[Entry]) -> String {
    let kinds = [
        Verdict::Replicated,
        Verdict::InPart,
        Verdict::Not,
        Verdict::NotAttempted,
    ];
    let counts = kinds.map(|kind| {
        let n = entries.iter().filter(|entry| entry.verdict == kind).count();
        format!("{n} {}", kind.words())
    });
    counts.join(", ")
}

/// One file with its pictures inside.
pub(crate) fn html(entries: &[Entry]) -> Outcome<String> {
    let mut verdicts = Table::new(["", "claim", "verdict"].map(Column::text));
    for entry in entries {
        verdicts.push([entry.name, entry.claim, entry.verdict.words()].map(Cell::text));
    }
    let mut sections = vec![Section {
        title: "Verdicts".into(),
        lead: format!("{}.", tally(entries)),
        parts: vec![Part {
            body: vec![verdicts.render()],
            ..Part::default()
        }],
        ..Section::default()
    }];
    for entry in entries {
        let measured = html! { ul { @for figure in &entry.figures { li { (figure) } } } };
        let mut body = vec![measured];
        for picture in &entry.pictures {
            body.push(drawn(picture)?);
        }
        sections.push(Section {
            title: format!("{}: {}", entry.name, entry.verdict.words()),
            lead: entry.claim.into(),
            parts: vec![Part {
                look: format!("{}: {}.", entry.label(), entry.criterion),
                body,
                commands: entry.commands.clone(),
                ..Part::default()
            }],
            ..Section::default()
        });
    }
    let page = Page {
        title: "The paper, replicated".into(),
        intro: vec![
            "Tables and figures of A Tour of Convolutional Networks Guided by Linear Interpreters (ICCV 2019): what they claim, \
             what we measure, and whether it holds. Its networks and pictures are not bundled; each entry says what stands in \
             for them."
                .into(),
        ],
        sections,
        ..Page::default()
    };
    Ok(page.render().into_string())
}

/// A picture that a command drew, with its caption.
fn drawn((path, caption): &(PathBuf, String)) -> Outcome<Markup> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let source = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes));
    Ok(html! {
        figure {
            img style="max-width:100%" alt=(caption) src=(source);
            figcaption { (caption) }
        }
    })
}

/// For the documentation: a table of verdicts, then what was measured.
pub(crate) fn markdown(entries: &[Entry]) -> String {
    let mut text = String::from("| | claim | verdict |\n| --- | --- | --- |\n");
    for entry in entries {
        let verdict = entry.verdict.words();
        text += &format!("| {} | {} | **{verdict}** |\n", entry.name, entry.claim);
    }
    for entry in entries {
        text += &format!("\n## {}: {}\n\n", entry.name, entry.verdict.words());
        for figure in &entry.figures {
            text += &format!("- {figure}\n");
        }
        if !entry.figures.is_empty() {
            text += "\n";
        }
        text += &format!("*{}:* {}.\n", entry.label(), entry.criterion);
    }
    text
}

/// A line each, for the terminal.
pub(crate) fn plain(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        text += &format!(
            "{:10} {:14} {}\n",
            entry.name,
            entry.verdict.words(),
            entry.claim
        );
        for figure in &entry.figures {
            text += &format!("{:25} {figure}\n", "");
        }
    }
    text + &format!("{}\n", tally(entries))
}
