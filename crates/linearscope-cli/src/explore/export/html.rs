//! The page in one file: its own sources, inlined.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    error::{Failure, Result},
    explore::page,
};

/// The page's modules as one classic script; build.rs makes it.
const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/page-script.js"));

fn file(name: &str) -> Result<String> {
    let found = page::file(name).and_then(|file| String::from_utf8(file.bytes.to_vec()).ok());
    found.ok_or_else(|| Failure::input(format!("the page has no file {name}")))
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// index.html with style, icon, script and this index in it.
///
/// # Errors
/// A page that is not made as this expects; a test reads it.
pub(super) fn page(index: &Value) -> Result<String> {
    let (style, icon) = (file("style.css")?, file("icon.svg")?);
    // Packs come from beside the page: on a host that is its own, from disk it is `file:`.
    let policy = format!(
        "default-src 'none'; script-src {} 'self' file:; style-src {}; img-src blob: data:; base-uri 'none'; \
         form-action 'none'",
        hash(SCRIPT),
        hash(&style),
    );
    // Within a script element no text may end it.
    let index = index.to_string().replace('<', "\\u003c");
    let mut html = file("index.html")?;
    for (from, to) in [
        (
            "<meta charset=\"utf-8\">",
            format!(
                "<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">"
            ),
        ),
        (
            "href=\"/page/icon.svg\"",
            format!(
                "href=\"data:image/svg+xml;base64,{}\"",
                STANDARD.encode(icon)
            ),
        ),
        (
            "<link rel=\"stylesheet\" href=\"/page/style.css\">",
            format!("<style>{style}</style>"),
        ),
        (
            "<script type=\"module\" src=\"/page/app.js\"></script>\n",
            String::new(),
        ),
        (
            "</body>",
            format!(
                "<script type=\"application/json\" id=\"exported\">{index}</script>\n<script>{SCRIPT}</script>\n</body>"
            ),
        ),
    ] {
        if html.matches(from).count() != 1 {
            return Err(Failure::input(format!("the page has no single {from}")));
        }
        html = html.replacen(from, &to, 1);
    }
    Ok(html)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_is_one_file_that_names_no_other() {
        let html = page(&json!({ "again": "linearscope </script> & so on" })).expect("a page");
        assert!(!html.contains("\"/page/"), "something is not inlined");
        assert!(!html.contains("src="), "something is loaded");
        // The module's end and the index's.
        assert_eq!(html.matches("</script>").count(), 2);
        assert_eq!(html.matches("\\u003c/script>").count(), 1);
        for part in [SCRIPT, "Content-Security-Policy", "sha256-"] {
            assert!(html.contains(part));
        }
        assert!(!SCRIPT.contains("\nimport ") && !SCRIPT.contains("\nexport "));
    }
}
