//! The table of supported ops in the README is that of the crate.
//! `LINEARSCOPE_WRITE_README=1` writes it.

use linearscope_onnx::SUPPORTED_OPS;

const BEGIN: &str = "<!-- ops: written by tests/readme.rs -->\n";
const END: &str = "<!-- end of ops -->";

/// Five columns, alphabetical along the rows.
fn table() -> String {
    let mut ops = SUPPORTED_OPS.to_vec();
    ops.sort_unstable_by_key(|op| op.to_lowercase());
    let mut table = format!(
        "{} ops:\n\n| | | | | |\n| --- | --- | --- | --- | --- |\n",
        ops.len()
    );
    for row in ops.chunks(5) {
        let mut cells = row.to_vec();
        cells.resize(5, "");
        table += &format!("| {} |\n", cells.join(" | "));
    }
    table
}

#[test]
fn the_readme_lists_the_supported_ops() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = std::fs::read_to_string(path).expect("a README");
    let (head, rest) = text.split_once(BEGIN).expect("the table's beginning");
    let (found, tail) = rest.split_once(END).expect("the table's end");
    if std::env::var_os("LINEARSCOPE_WRITE_README").is_some() {
        std::fs::write(path, format!("{head}{BEGIN}{}{END}{tail}", table())).expect("is written");
    } else {
        assert_eq!(found, table(), "write it with LINEARSCOPE_WRITE_README=1");
    }
}
