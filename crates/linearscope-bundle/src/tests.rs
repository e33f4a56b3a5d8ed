use super::*;

fn modules(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, source): &(&str, &str)| (name.to_string(), source.to_string());
    files.iter().map(owned).collect()
}

fn refused(files: &[(&str, &str)]) -> String {
    bundle(&modules(files), "a.js")
        .expect_err("it is not in the subset")
        .to_string()
}

#[test]
fn modules_become_one_script_in_the_order_of_a_browser() {
    let script = bundle(
        &modules(&[
            (
                "a.js",
                "import { x, y as z } from \"./b.js\";\nimport * as c from \"./c-d.js\";\nimport {\n  w,\n} from \"./b.js\";\nc.go(x, z, w);\n",
            ),
            (
                "b.js",
                "import { go } from \"./c-d.js\";\nexport const x = 1;\nexport class y {}\nconst w = go;\nexport { w };\n",
            ),
            (
                "c-d.js",
                "// exported\nexport const go = () => {};\nexport async function stay() {}\nconst importing = 1;\n",
            ),
            ("unused.js", "export const never = 1;"),
        ]),
        "a.js",
    )
    .expect("modules of the subset");
    let expected = "\"use strict\";\n(() => {\n\
        const module$c_d = (() => {\n// exported\n const go = () => {};\n async function stay() {}\nconst importing = 1;\n\nreturn Object.freeze({ go, stay });\n})();\n\
        const module$b = (() => {\nconst { go } = module$c_d;\n const x = 1;\n class y {}\nconst w = go;\n\n\nreturn Object.freeze({ w, x, y });\n})();\n\
        const module$a = (() => {\nconst { x, y: z } = module$b;\nconst c = module$c_d;\nconst { w } = module$b;\nc.go(x, z, w);\n\nreturn Object.freeze({  });\n})();\n\
        })();\n";
    assert_eq!(script, expected);
}

#[test]
fn what_is_not_in_the_subset_is_refused_by_its_place() {
    for (source, expected) in [
        ("\nimport x from \"./b.js\";", "a.js:2: an import is"),
        ("import \"./b.js\";", "a.js:1: an import is"),
        ("import { x } from \"b\";", "a.js:1: an import is"),
        ("import { x } from \"./deep/b.js\";", "a.js:1: an import is"),
        ("import { x y } from \"./b.js\";", "a.js:1: an import is"),
        ("import { x } from \"./b.js\"", "a.js:1: an import is"),
        ("export default 1;", "a.js:1: an export is"),
        ("export let x = 1;", "a.js:1: an export is"),
        ("export const { x } = y;", "a.js:1: an export is"),
        ("export const x;", "a.js:1: an export is"),
        ("export * from \"./b.js\";", "a.js:1: an export is"),
        ("export { x as y };", "a.js:1: an export is"),
        ("export function* x() {}", "a.js:1: an export is"),
        (
            "export const x = 1;\nexport { x };",
            "a.js:2: x is exported twice",
        ),
        ("import { y } from \"./b.js\";", "a.js:1: b.js exports no y"),
        (
            "import { y } from \"./c.js\";",
            "a.js:1: there is no module c.js",
        ),
        ("const x = await import(\"./b.js\");", "a.js:1: import( "),
        ("await x;", "a.js:1: a module cannot wait"),
        ("const x = \"</SCRIPT>\";", "a.js:1: </script "),
    ] {
        let said = refused(&[("a.js", source), ("b.js", "export const x = 1;")]);
        assert!(said.starts_with(expected), "{source}: {said}");
    }
}

#[test]
fn modules_that_import_each_other_are_refused() {
    let said = refused(&[
        ("a.js", "import { b } from \"./b.js\";\nexport const a = 1;"),
        ("b.js", "import { a } from \"./a.js\";\nexport const b = 1;"),
    ]);
    assert_eq!(
        said,
        "b.js:1: modules import each other: a.js → b.js → a.js"
    );
    let said = refused(&[
        (
            "a.js",
            "import { b } from \"./b-c.js\";\nimport { c } from \"./b_c.js\";",
        ),
        ("b-c.js", "export const b = 1;"),
        ("b_c.js", "export const c = 1;"),
    ]);
    assert_eq!(said, "a.js:2: b_c.js and b-c.js would have one name");
}
