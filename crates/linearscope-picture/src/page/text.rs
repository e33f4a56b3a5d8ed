//! Plain pieces of a body.

use maud::{Markup, html};

/// A paragraph.
pub fn paragraph(text: &str) -> Markup {
    html! { p { (unbroken(text)) } }
}

/// Text in which no line ends within a number or a flag: 1.2e-7, 5 %, --dtype.
pub(super) fn unbroken(text: &str) -> Markup {
    let text = text.replace(" %", "\u{a0}%");
    let whole = |word: &str| {
        let bare = word.trim_start_matches('(');
        bare.contains('-') && bare.starts_with(|c: char| c == '-' || c.is_ascii_digit())
    };
    html! {
        @for (place, word) in text.split(' ').enumerate() {
            @if place > 0 { " " }
            @if whole(word) { span.whole { (word) } } @else { (word) }
        }
    }
}

/// What a command prints, line by line, in letters of one width. A line that is too long continues
/// indented.
pub fn lines<T: AsRef<str>>(lines: &[T]) -> Markup {
    html! {
        div.lines {
            @for line in lines { span { (line.as_ref()) } }
        }
    }
}

/// Pieces beside each other, or one below the other where there is no room.
pub fn side_by_side(pieces: impl IntoIterator<Item = Markup>) -> Markup {
    html! {
        div.side-by-side {
            @for piece in pieces { div { (piece) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_flags_are_not_broken() {
        let html = unbroken("1 % of 1e-4 (-3), a well-kept --flag <x>").into_string();
        let expected = "1\u{a0}% of <span class=\"whole\">1e-4</span> <span class=\"whole\">(-3),</span> a \
                        well-kept <span class=\"whole\">--flag</span> &lt;x&gt;";
        assert_eq!(html, expected);
    }

    #[test]
    fn lines_stay_lines() {
        let html = lines(&["a  <b>", "c"]).into_string();
        let expected = "<div class=\"lines\"><span>a  &lt;b&gt;</span><span>c</span></div>";
        assert_eq!(html, expected);
    }
}
