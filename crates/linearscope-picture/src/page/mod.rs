//! Self-contained pages: what reports, sheets and live views are made of, as HTML.
//!
//! A component is a function ([`figure`], [`sheet()`], [`bars`], [`command`]) or a type that renders
//! ([`Table`], [`Certificate`], [`Part`], [`Section`], [`Page`]). Each gives [`Markup`], in which every
//! text is escaped. A component alone needs [`style`] on its page, and [`script`] if tables are to be
//! sorted and pictures to be read under the cursor; a [`Page`] has both. Without the script a page
//! shows the same. Nothing is fetched: a page forbids its browser to.
//!
//! ```
//! use linearscope_picture::page::{Cell, Column, Page, Part, Render, Section, Table};
//!
//! let scores = Table::new([Column::number("score"), Column::text("class")])
//!     .row([Cell::number(3.14159, "3.142"), Cell::text("cat & <dog>")]);
//! let page = Page {
//!     title: "What it says".into(),
//!     sections: vec![Section {
//!         parts: vec![Part {
//!             body: vec![scores.render()],
//!             ..Part::default()
//!         }],
//!         ..Section::default()
//!     }],
//!     ..Page::default()
//! };
//! assert!(page.render().into_string().contains("cat &amp; &lt;dog&gt;"));
//! ```

mod bars;
mod certificate;
mod command;
mod figure;
mod table;
mod text;
mod values;

pub use bars::bars;
pub use certificate::Certificate;
pub use command::command;
pub use figure::{figure, sheet};
pub use maud::{Markup, Render};
pub use table::{Cell, Column, Table};
pub use text::{lines, paragraph, side_by_side};
pub use values::planes;

use std::fmt::Write;

use maud::{DOCTYPE, PreEscaped, html};

use self::text::unbroken;
use crate::{
    BarChart, Drawing, Error, Sheet,
    colour::{Ramp, STOPS, hex},
};

/// One page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In the window's title and above all.
    pub title: String,
    /// Paragraphs under the title.
    pub intro: Vec<String>,
    /// One after the other; where there are several, links to them stand first.
    pub sections: Vec<Section>,
    /// At the end: what made the page, where its data are.
    pub footer: String,
}

/// One subject: one network at one picture.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// What it is about.
    pub title: String,
    /// A sentence or two under the title; may be empty.
    pub lead: String,
    /// What was found.
    pub parts: Vec<Part>,
    /// Whether to trust it.
    pub certificate: Option<Certificate>,
}

/// One finding.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// The question it answers; may be empty.
    pub heading: String,
    /// What to look at; may be empty.
    pub look: String,
    /// Figures and tables.
    pub body: Vec<Markup>,
    /// Commands that make the same.
    pub commands: Vec<String>,
    /// The same figures for those who take them along; the page has them in [`body`](Self::body).
    pub figures: Vec<Shown>,
}

/// A figure of a page that can be drawn by itself.
#[derive(Clone, Debug)]
pub enum Shown {
    /// Pictures.
    Sheet(Sheet),
    /// Bars.
    Bars(BarChart),
}

impl Shown {
    /// The figure alone.
    ///
    /// # Errors
    /// [`Error`] of its pictures.
    pub fn draw(&self) -> Result<Drawing, Error> {
        match self {
            Self::Sheet(sheet) => sheet.draw(),
            Self::Bars(chart) => Ok(chart.draw()),
        }
    }
}

impl Render for Part {
    fn render(&self) -> Markup {
        html! {
            @if !self.heading.is_empty() { h3 { (self.heading) } }
            @if !self.look.is_empty() { p.look { (unbroken(&self.look)) } }
            @for piece in &self.body { (piece) }
            @for line in &self.commands { (command(line)) }
        }
    }
}

impl Section {
    /// What stands under the title.
    fn content(&self) -> Markup {
        html! {
            @if !self.lead.is_empty() { p.lead { (unbroken(&self.lead)) } }
            @for part in &self.parts { (part) }
            @if let Some(certificate) = &self.certificate { (certificate) }
        }
    }
}

impl Render for Section {
    fn render(&self) -> Markup {
        html! {
            section {
                @if !self.title.is_empty() { h2 { (self.title) } }
                (self.content())
            }
        }
    }
}

/// The modules beside this file, and those that pages share, as one script; build.rs makes it.
const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/report.js"));

/// What a page may load: its own pictures, style and script, and nothing from anywhere else.
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

impl Render for Page {
    fn render(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    title { (self.title) }
                    (style())
                }
                body {
                    h1 { (self.title) }
                    @for text in &self.intro { (paragraph(text)) }
                    @if self.sections.len() > 1 {
                        nav {
                            ul {
                                @for (number, section) in self.sections.iter().enumerate() {
                                    li { a href={ "#section" (number) } { (section.title) } }
                                }
                            }
                        }
                    }
                    main {
                        @for (number, section) in self.sections.iter().enumerate() {
                            section {
                                h2 id={ "section" (number) } { (section.title) }
                                (section.content())
                            }
                        }
                    }
                    @if !self.footer.is_empty() { footer { (self.footer) } }
                    (script())
                }
            }
        }
    }
}

/// The style of all components: light and dark, from 360 pixels on, and for paper.
pub fn style() -> Markup {
    let mut css = include_str!("style.css").to_string();
    for ramp in Ramp::ALL {
        for (span, [from, to]) in [
            ("both", [-1.0, 1.0]),
            ("above", [0.0, 1.0]),
            ("below", [-1.0, 0.0]),
        ] {
            let stops: Vec<String> = (0..=8)
                .map(|i| hex(ramp.at(from + (to - from) * f64::from(i) / 8.0)))
                .collect();
            let (name, stops) = (ramp.name(), stops.join(","));
            let _ = writeln!(
                css,
                ".ramp.{name}.{span} {{ background: linear-gradient(90deg,{stops}) }}"
            );
        }
    }
    html! { style { (PreEscaped(css)) } }
}

/// What makes tables sortable by a click on a header, and says what lies under the cursor.
/// `linearscope.dress(element)` does it for what is added to a page later.
pub fn script() -> Markup {
    let code = SCRIPT.replace("RAMP_STOPS", &format!("{STOPS:?}"));
    html! { script { (PreEscaped(code)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\"><script>alert('x')</script>&amp;<b onload=\"y\">";

    /// No text reaches a page unescaped, in content or in attributes.
    #[test]
    fn hostile_text_stays_text() {
        use crate::{Arrow, Band, Bar, BarChart, Mark, Panel, Sheet};

        let text = || HOSTILE.to_string();
        let values: Vec<f64> = (0..16).map(|i| f64::from(i) - 8.0).collect();
        let array = crate::Array::new(&values, &[4, 4]).unwrap();
        let panel = Panel::new(text(), array.signed(array.whole(), None, 9))
            .caption(text())
            .key(vec![([1, 2, 3], text())])
            .arrows(vec![Arrow {
                from: [0.0, 0.0],
                to: [2.0, 2.0],
                strength: 1.0,
            }])
            .marks(vec![Mark {
                y: 0,
                x: 0,
                label: text(),
            }]);
        let zeros = [0.0; 16];
        let zeros = crate::Array::new(&zeros, &[4, 4]).unwrap();
        let empty = Panel::new(text(), zeros.signed(zeros.whole(), None, 9)).caption(text());
        let shown = Sheet {
            title: text(),
            notes: vec![text()],
            bands: vec![Band {
                heading: text(),
                panels: vec![panel, empty],
            }],
        };
        let chart = BarChart {
            title: text(),
            notes: vec![text()],
            bars: vec![Bar {
                label: text(),
                value: 1.0,
                note: text(),
                apart: false,
            }],
        };
        let table = Table::new([Column::text(HOSTILE), Column::number(HOSTILE)])
            .caption(HOSTILE)
            .row([
                Cell::text(HOSTILE).coloured([0; 3]).sorted_by(HOSTILE),
                Cell::number(1.0, HOSTILE),
            ]);
        let part = Part {
            heading: text(),
            look: text(),
            body: vec![
                sheet(&shown).unwrap(),
                bars(&chart),
                table.render(),
                lines(&[text()]),
                paragraph(HOSTILE),
                side_by_side([paragraph(HOSTILE), paragraph(HOSTILE)]),
            ],
            commands: vec![text()],
            figures: Vec::new(),
        };
        let section = |part: &Part| Section {
            title: text(),
            lead: text(),
            parts: vec![part.clone()],
            certificate: Some(Certificate {
                holds: false,
                lines: vec![text()],
            }),
        };
        let page = Page {
            title: text(),
            intro: vec![text()],
            sections: vec![section(&part), section(&part)],
            footer: text(),
        };
        let html = page.render().into_string();
        // The page's own script and nothing else.
        assert_eq!(html.matches("<script").count(), 1);
        assert!(!html.contains("<b onload"));
        assert!(!html.contains("\"\"><") && !html.contains("=\"\">"));
        // Wherever the text stands, so does its escaped whole.
        let escaped = "&quot;&gt;&lt;script&gt;alert('x')&lt;/script&gt;&amp;amp;&lt;b onload=\
                       &quot;y&quot;&gt;";
        assert_eq!(
            html.matches("alert('x')").count(),
            html.matches(escaped).count()
        );
        assert!(
            html.matches(escaped).count() >= 45,
            "{}",
            html.matches(escaped).count()
        );
    }

    /// As a browser sees it: light and dark, on paper, and offline.
    #[test]
    fn a_page_needs_nothing_but_itself() {
        let html = Page::default().render().into_string();
        for part in [
            "<!DOCTYPE html>",
            "prefers-color-scheme: dark",
            "@media print",
            "default-src 'none'",
            ".ramp.diverging.both { background: linear-gradient(90deg,#053061,",
        ] {
            assert!(html.contains(part), "{part}");
        }
        assert!(!html.contains("http://") && !html.contains("https://"));
        // The script reads colours by the stops that made them.
        assert!(html.contains("[[5.0, 48.0, 97.0]") && !html.contains("RAMP_STOPS"));
        // What would end the elements they stand in.
        for text in [include_str!("style.css"), SCRIPT] {
            assert!(!text.contains("</"));
        }
    }

    #[test]
    fn links_stand_where_there_is_a_choice() {
        let section = |title: &str| Section {
            title: title.into(),
            ..Section::default()
        };
        let mut page = Page {
            sections: vec![section("one")],
            ..Page::default()
        };
        assert!(!page.render().into_string().contains("<nav>"));
        page.sections.push(section("two"));
        let html = page.render().into_string();
        assert!(html.contains("<a href=\"#section1\">two</a>"));
        assert!(html.contains("<h2 id=\"section1\">two</h2>"));
    }

    #[test]
    fn a_section() {
        let section = Section {
            title: "net.onnx at cat.png".into(),
            lead: "A lead.".into(),
            parts: vec![Part {
                heading: "What it says".into(),
                look: "Look here.".into(),
                body: vec![paragraph("a body")],
                commands: vec!["linearscope run net.onnx --input cat.png".into()],
                figures: Vec::new(),
            }],
            certificate: Some(Certificate {
                holds: true,
                lines: vec!["certificate (f32): exactness 1e-7".into()],
            }),
        };
        insta::assert_snapshot!(section.render().into_string().replace("><", ">\n<"));
    }
}
