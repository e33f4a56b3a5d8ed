//! Lists the explorer's page, so that a file that is added to it is in the program without more said, and makes its
//! modules one script for pages that open from disk.

use std::{collections::BTreeMap, env, fs, path::Path};

fn main() {
    let manifest = env::var("CARGO_MANIFEST_DIR").expect("cargo says where the crate is");
    let folder = Path::new(&manifest).join("src/explore/page");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names: Vec<String> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| folder.join(name).is_file() && !name.starts_with('.'))
        .collect();
    names.sort();
    let out = env::var("OUT_DIR").expect("cargo says where to write");
    let out = Path::new(&out);
    let mut table = String::from("&[\n");
    let mut add = |name: &str, path: &Path| {
        let path = path.display().to_string();
        table += &format!("    ({name:?}, include_bytes!({path:?})),\n");
    };
    let mut modules = BTreeMap::new();
    for (name, source) in linearscope_bundle::SHARED {
        let path = out.join(name);
        fs::write(&path, source).expect("the folder that cargo made");
        add(name, &path);
        modules.insert(name.to_string(), source.to_string());
    }
    for name in names {
        let path = folder.join(&name);
        println!("cargo::rerun-if-changed={}", path.display());
        add(&name, &path);
        if name.ends_with(".js") {
            let source = fs::read_to_string(&path).expect("a module is text");
            modules.insert(name, source);
        }
    }
    table += "]\n";
    fs::write(out.join("page.rs"), table).expect("the folder that cargo made");
    let script = linearscope_bundle::bundle(&modules, "app.js")
        .unwrap_or_else(|refused| panic!("the explorer's page: {refused}"));
    fs::write(out.join("page-script.js"), script).expect("the folder that cargo made");
}
