//! One self-contained page: no scripts, no network, light and dark, printable.

use std::fmt::Write;

/// Text as HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// One finding: what to look at, its pictures, and the command that made it.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub heading: String,
    /// A plain sentence or two on what to look at.
    pub look: String,
    /// HTML: figures, tables.
    pub body: String,
    pub commands: Vec<String>,
}

/// One network at one picture.
#[derive(Debug, Default)]
pub(crate) struct Chapter {
    pub title: String,
    pub lead: String,
    pub parts: Vec<Part>,
    /// The certificate's line.
    pub certificate: String,
}

/// The page.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub title: String,
    /// Paragraphs.
    pub intro: Vec<String>,
    pub chapters: Vec<Chapter>,
}

impl Report {
    pub(crate) fn html(&self) -> String {
        let mut chapters = String::new();
        let mut links = String::new();
        for (number, chapter) in self.chapters.iter().enumerate() {
            let title = escaped(&chapter.title);
            let _ = writeln!(links, "<li><a href=\"#chapter{number}\">{title}</a></li>");
            let _ = writeln!(
                chapters,
                "<section><h2 id=\"chapter{number}\">{title}</h2>\n<p class=\"lead\">{}</p>",
                escaped(&chapter.lead)
            );
            for part in &chapter.parts {
                let _ = writeln!(
                    chapters,
                    "<h3>{}</h3>\n<p class=\"look\">{}</p>\n{}",
                    escaped(&part.heading),
                    escaped(&part.look),
                    part.body
                );
                for command in &part.commands {
                    let _ = writeln!(
                        chapters,
                        "<code class=\"command\">{}</code>",
                        escaped(command)
                    );
                }
            }
            for line in chapter.certificate.lines() {
                let _ = writeln!(chapters, "<p>{}</p>", escaped(line));
            }
            chapters.push_str("</section>\n");
        }
        let nav = match self.chapters.len() {
            0 | 1 => String::new(),
            _ => format!("<nav><ul>\n{links}</ul></nav>"),
        };
        let intro: String = self
            .intro
            .iter()
            .map(|text| format!("<p>{}</p>\n", escaped(text)))
            .collect();
        let title = escaped(&self.title);
        // In one pass, so that what is filled in is not looked at again.
        let mut page = String::new();
        for (number, part) in include_str!("page.html").split('@').enumerate() {
            let filled = match part {
                "TITLE" => &title,
                "INTRO" => &intro,
                "NAV" => &nav,
                "VERSION" => env!("CARGO_PKG_VERSION"),
                "CHAPTERS" => &chapters,
                text => {
                    // An at sign of the page's own, as in @media.
                    let own = number > 0 && text.starts_with(char::is_lowercase);
                    page.push_str(if own { "@" } else { "" });
                    text
                }
            };
            page.push_str(filled);
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_and_gaps_are_filled_once() {
        let report = Report {
            title: "a@CHAPTERS@<b>@TITLE@".into(),
            intro: vec!["@NAV@".into()],
            chapters: vec![Chapter {
                title: "one & two".into(),
                parts: vec![Part {
                    heading: "h".into(),
                    commands: vec!["linearscope run 'a b' <c>".into()],
                    ..Part::default()
                }],
                ..Chapter::default()
            }],
        };
        let html = report.html();
        assert_eq!(html.matches("a@CHAPTERS@&lt;b&gt;@TITLE@").count(), 2);
        assert_eq!(html.matches("one &amp; two").count(), 1);
        assert!(html.contains("<p>@NAV@</p>") && html.contains("@media print"));
        assert!(html.contains("@media (prefers-color-scheme: dark)"));
        assert!(html.contains("linearscope run 'a b' &lt;c&gt;"));
    }
}
