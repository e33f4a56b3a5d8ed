//! The tour as a page, as Markdown, and as lines.

use std::fs;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::lab::{Entry, Outcome, Verdict};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}
h2{margin-top:2.5rem;border-top:1px solid #8886;padding-top:1rem}code{font-size:.85em;overflow-wrap:anywhere}
.replicated{color:#157a3a}.part{color:#946200}.not{color:#b3261e}.no{color:#777}
@media(prefers-color-scheme:dark){.replicated{color:#6fd08c}.part{color:#f0b94a}.not{color:#ff8a80}}
figure{display:inline-block;margin:.5rem 1rem .5rem 0;max-width:100%}figure img{max-width:100%;max-height:26rem}
figcaption{font-size:.85em}table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Replicated => "replicated",
        Verdict::InPart => "part",
        Verdict::Not => "not",
        Verdict::NotAttempted => "no",
    }
}

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
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>The paper, replicated</title><style>{STYLE}</style>\
         <h1>The paper, replicated</h1><p>Tables and figures of <i>A Tour of Convolutional Networks Guided by Linear \
         Interpreters</i> (ICCV 2019): what they claim, what we measure, and whether it holds. Its networks and pictures \
         are not bundled; each entry says what stands in for them.<p>{}.<table>",
        tally(entries)
    );
    for entry in entries {
        page += &format!(
            "<tr><th><a href=\"#{0}\">{1}</a><td>{2}<td class={3}>{4}",
            entry.order,
            escaped(entry.name),
            escaped(entry.claim),
            class(entry.verdict),
            entry.verdict.words()
        );
    }
    page += "</table>";
    for entry in entries {
        page += &format!(
            "<h2 id=\"{}\">{}: <span class={}>{}</span></h2><p><b>Claim.</b> {}",
            entry.order,
            escaped(entry.name),
            class(entry.verdict),
            entry.verdict.words(),
            escaped(entry.claim)
        );
        let label = match entry.verdict {
            Verdict::NotAttempted => "Why not",
            _ => "Criterion",
        };
        page += &format!("<p><b>{label}.</b> {}", escaped(&entry.criterion));
        if !entry.figures.is_empty() {
            let items = entry
                .figures
                .iter()
                .map(|text| format!("<li>{}", escaped(text)));
            page += &format!("<p><b>Measured.</b><ul>{}</ul>", items.collect::<String>());
        }
        for (path, caption) in &entry.pictures {
            let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let caption = escaped(caption);
            page += &format!(
                "<figure><img alt=\"{caption}\" src=\"data:image/png;base64,{}\"><figcaption>{caption}</figcaption></figure>",
                BASE64_STANDARD.encode(bytes)
            );
        }
        for line in &entry.commands {
            page += &format!("<p><code>{}</code>", escaped(line));
        }
    }
    Ok(page + "</html>\n")
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
        let label = match entry.verdict {
            Verdict::NotAttempted => "Why not",
            _ => "Criterion",
        };
        text += &format!("*{label}:* {}.\n", entry.criterion);
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
