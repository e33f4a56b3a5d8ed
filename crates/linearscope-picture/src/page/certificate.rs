//! Certificates.

use maud::{Markup, Render, html};

use super::text::unbroken;

/// What was measured of the arithmetic, and whether it is within its limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Whether it holds.
    pub holds: bool,
    /// What was measured, a line each.
    pub lines: Vec<String>,
}

impl Render for Certificate {
    fn render(&self) -> Markup {
        let (class, verdict) = match self.holds {
            true => ("holds", "✓ The certificate holds"),
            false => ("fails", "✗ The certificate does not hold"),
        };
        html! {
            aside class={ "certificate " (class) } {
                b { (verdict) }
                @for line in &self.lines { p { (unbroken(line)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In words, not by colour alone.
    #[test]
    fn a_verdict_is_said() {
        let of = |holds| {
            let lines = vec!["exactness 0.001".into()];
            Certificate { holds, lines }.render().into_string()
        };
        assert!(of(true).contains("<b>✓ The certificate holds</b><p>exactness 0.001</p>"));
        assert!(
            of(false).contains("class=\"certificate fails\"><b>✗ The certificate does not hold")
        );
    }
}
