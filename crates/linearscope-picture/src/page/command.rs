//! Command lines.

use maud::{Markup, html};

/// A command line to copy: a click selects all of it, and only it. Where it does not fit on a line, what
/// goes on is indented; with the page's script it breaks before a flag, which stays with its value.
pub fn command(line: &str) -> Markup {
    html! { code.command { (line) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing stands within that would be copied along.
    #[test]
    fn a_command_is_its_text() {
        let html = command("linearscope run 'a b.onnx' --out <dir>").into_string();
        let expected =
            "<code class=\"command\">linearscope run 'a b.onnx' --out &lt;dir&gt;</code>";
        assert_eq!(html, expected);
    }
}
