//! Composites of one's own, and files in the key of a job.

use std::fs;

use crate::folder::{Folder, scene, vgg};

/// The bytes of a map.
fn map(folder: &Folder, out: &str, more: &[&str]) -> Vec<u8> {
    let (vgg, scene) = (vgg(), scene());
    let common = ["attribute", &vgg, "--input", &scene, "--out", out];
    folder.ok(&[&common[..], more].concat());
    fs::read(folder.path(&format!("{out}/attribution.npy"))).expect("a map")
}

fn composite_of(folder: &Folder, out: &str) -> String {
    let manifest = folder.json(&format!("{out}/manifest.json"));
    let composite = manifest["arguments"]["composite"][0].as_str();
    composite.expect("it is written out").to_string()
}

#[test]
fn a_file_that_says_what_a_preset_says_gives_its_map_to_the_bit() {
    let folder = Folder::new();
    let text = "preset = \"epsilon\"\n\n[[rule]]\nposition = \"first\"\nlrp = \"box\"\n\n[[rule]]\nop = \"conv\"\nlrp = \"gamma\"\n";
    fs::write(folder.path("own.toml"), text).expect("written");
    let preset = map(&folder, "p", &["--method", "lrp-epsilon-gamma-box"]);
    assert!(map(&folder, "f", &["--composite", "own.toml"]) == preset);
    let words = ["--composite", "first=box,conv=gamma,epsilon"];
    assert!(map(&folder, "w", &words) == preset);
    // Nothing else was asked for, and the preset is recognised.
    let lines = folder.json("f/attributions.json");
    assert_eq!(lines.as_array().map(Vec::len), Some(1));
    assert_eq!(lines[0]["method"], "lrp-epsilon-gamma-box");
    assert!(map(&folder, "o", &["--composite", "conv=gamma"]) != preset);
}

/// What the manifest has of a file, as words, is the same composite.
#[test]
fn a_run_can_be_repeated_from_its_manifest() {
    let folder = Folder::new();
    let text = "preset = \"epsilon-plus\"\nstabiliser = 1e-7\n\n[[rule]]\nposition = \"last\"\nlrp = \"zero\"\n\n\
                [[rule]]\nop = \"conv\"\nat = [1, 4]\nlrp = \"gamma:0.3\"\n\n[[rule]]\nnode = \"nowhere.*\"\nlrp = \"flat\"\n";
    fs::write(folder.path("own.toml"), text).expect("written");
    let both = ["--composite", "own.toml", "--method", "row"];
    map(&folder, "both", &both);
    let first = map(&folder, "f", &["--composite", "own.toml"]);
    let words = composite_of(&folder, "f");
    assert_eq!(
        words,
        "last=zero,conv&at:1..4=gamma:0.3,node:nowhere.*=flat,conv=plus,epsilon,stabiliser:0.0000001"
    );
    assert!(map(&folder, "w", &["--composite", &words]) == first);
    assert!(map(&folder, "m", &["--method", &format!("lrp-{words}")]) == first);
    // A method that is named stays, and stands first.
    let lines = folder.json("both/attributions.json");
    assert_eq!(lines[0]["method"], "row");
    assert_eq!(lines[1]["method"], format!("lrp-{words}"));
    // An entry that says nothing is told.
    let note = lines[1]["note"].as_str().unwrap_or_default();
    assert_eq!(note, "no layer matches node:nowhere.*=flat");
}

#[test]
fn a_mistake_in_a_file_is_told_with_its_line() {
    let folder = Folder::new();
    let (vgg, scene) = (vgg(), scene());
    for (text, line, why) in [
        ("[[rule]]\nlrp = \"gama\"", "line 2", "is not a rule"),
        (
            "[[rule]]\nlrp = \"flat\"\nlayer = 1",
            "line 3",
            "unknown field",
        ),
    ] {
        fs::write(folder.path("own.toml"), text).expect("written");
        let args = [
            "attribute",
            &vgg,
            "--input",
            &scene,
            "--composite",
            "own.toml",
        ];
        let told = folder.fails(2, &args);
        assert!(told.contains(line) && told.contains(why), "{told}");
    }
    // Rule sets tell it in the same way.
    fs::write(folder.path("rules.toml"), "\n[[rule]]\nfreeze = \"sekant\"").expect("written");
    let args = ["run", &vgg, "--input", &scene, "--rules", "rules.toml"];
    let told = folder.fails(2, &args);
    assert!(
        told.contains("rules.toml, line 3") && told.contains("sekant"),
        "{told}"
    );
}

/// What a job asks about is what its files hold.
#[test]
fn a_job_knows_its_files_by_what_they_hold() {
    let folder = Folder::new();
    fs::create_dir(folder.path("in")).expect("made");
    fs::copy(scene(), folder.path("in/one.png")).expect("copied");
    let vgg = vgg();
    let again = |more: &[&str]| -> bool {
        let common = ["attribute", &vgg, "--input", "in", "--out", "o"];
        let out = folder.ok(&[&common[..], more].concat());
        out.contains("from an earlier run")
    };
    let write = |name: &str, text: &str| fs::write(folder.path(name), text).expect("written");
    write("a.toml", "preset = \"epsilon-plus\"");
    assert!(!again(&["--composite", "a.toml"]));
    assert!(again(&["--composite", "a.toml"]));
    // Under another name, with a remark: the same question.
    write("b.toml", "# the same\npreset = \"epsilon-plus\"\n");
    assert!(again(&["--composite", "b.toml"]));
    write("a.toml", "preset = \"epsilon-plus-flat\"");
    assert!(!again(&["--composite", "a.toml"]));

    // The same name, another baseline.
    let baseline = ["--method", "occlusion:24", "--baseline", "grey.png"];
    let grey = |level: u8| {
        let picture = image::RgbImage::from_pixel(48, 48, image::Rgb([level; 3]));
        picture.save(folder.path("grey.png")).expect("written");
    };
    grey(90);
    assert!(!again(&baseline));
    assert!(again(&baseline));
    let first = folder.npy("o/in/attribute/one.png/attribution.npy").0;
    grey(200);
    assert!(!again(&baseline));
    assert_ne!(
        folder.npy("o/in/attribute/one.png/attribution.npy").0,
        first
    );

    // And other groups.
    let groups = ["--method", "feature-ablation", "--groups", "groups.npy"];
    let numbers = |halves: bool| {
        let number = |at: usize| if halves { (at >= 3456) as u8 } else { 0 };
        let numbers: Vec<f32> = (0..6912).map(|at| f32::from(number(at))).collect();
        folder.write_npy("groups.npy", &numbers, &[1, 3, 48, 48]);
    };
    numbers(true);
    assert!(!again(&groups));
    assert!(again(&groups));
    numbers(false);
    assert!(!again(&groups));
}
