//! Reports: the program's findings as one page.

use linearscope_picture::page::{Certificate, Page, Render, Section};

pub(crate) use linearscope_picture::page::Part;

/// One network at one picture.
#[derive(Debug, Default)]
pub(crate) struct Chapter {
    pub title: String,
    pub lead: String,
    pub parts: Vec<Part>,
    /// The certificate's lines.
    pub certificate: String,
    /// Whether it holds.
    pub holds: bool,
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
        let section = |chapter: &Chapter| Section {
            title: chapter.title.clone(),
            lead: chapter.lead.clone(),
            parts: chapter.parts.clone(),
            certificate: Some(Certificate {
                holds: chapter.holds,
                lines: chapter.certificate.lines().map(String::from).collect(),
            }),
        };
        let page = Page {
            title: self.title.clone(),
            intro: self.intro.clone(),
            sections: self.chapters.iter().map(section).collect(),
            footer: footer(),
        };
        page.render().into_string()
    }
}

/// What every page ends with.
pub(crate) fn footer() -> String {
    format!(
        "Made by linearscope {}. Everything on this page is also stored next to it as arrays (.npy), pictures \
         (.png, .svg) and manifests.",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chapter_is_a_section_with_its_certificate() {
        let report = Report {
            title: "a <b>".into(),
            chapters: vec![Chapter {
                title: "one & two".into(),
                certificate: "exactness 0\ndecisions at risk: 0".into(),
                ..Chapter::default()
            }],
            ..Report::default()
        };
        let html = report.html();
        assert_eq!(html.matches("a &lt;b&gt;").count(), 2);
        assert_eq!(html.matches("one &amp; two").count(), 1);
        assert!(html.contains("does not hold</b><p>exactness 0</p><p>decisions at risk: 0</p>"));
    }
}
