//! Makes the modules of reports one script: a report is one file, and opens from disk.

use std::{collections::BTreeMap, env, fs, path::Path};

/// The report's own modules; the others are shared with the explorer.
const OWN: [&str; 3] = ["report.js", "fade.js", "read.js"];

fn main() {
    let manifest = env::var("CARGO_MANIFEST_DIR").expect("cargo says where the crate is");
    let folder = Path::new(&manifest).join("src/page");
    let shared = linearscope_bundle::SHARED.map(|(name, source)| (name.into(), source.into()));
    let mut modules: BTreeMap<String, String> = shared.into();
    for name in OWN {
        let path = folder.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        let source = fs::read_to_string(&path).expect("a module is text");
        modules.insert(name.into(), source);
    }
    let script = linearscope_bundle::bundle(&modules, "report.js")
        .unwrap_or_else(|refused| panic!("the report's script: {refused}"));
    let out = env::var("OUT_DIR").expect("cargo says where to write");
    fs::write(Path::new(&out).join("report.js"), script).expect("the folder that cargo made");
}
