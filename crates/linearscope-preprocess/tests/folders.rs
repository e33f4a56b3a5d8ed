//! What of a folder is read, and what is left out.

use std::{fs, path::Path};

use linearscope_preprocess::{Error, SkipReason, pictures_in};

#[test]
fn a_folder_is_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for name in [
        "b10.png",
        "b9.PNG",
        "B1.JPeG",
        "x.npy",
        "x.npz",
        "c.tiff",
        "d.webp",
        "e.gif",
        "f.bmp",
        ".hidden.png",
        "._b9.PNG",
        "readme.txt",
        "no_ending",
        "g.heic",
        "h.NEF",
        "i.svg",
    ] {
        fs::write(at(name), "not opened").expect("writes");
    }
    fs::create_dir(at("more.png")).expect("a folder");
    let listing = pictures_in(folder.path()).expect("lists");
    let names = |paths: Vec<&Path>| -> Vec<String> {
        let name = |path: &Path| {
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        };
        paths.into_iter().map(name).collect()
    };
    let files = names(listing.files.iter().map(AsRef::as_ref).collect());
    let expected = [
        "B1.JPeG", "b10.png", "b9.PNG", "c.tiff", "d.webp", "e.gif", "f.bmp", "x.npy", "x.npz",
    ];
    assert_eq!(files, expected);
    let skipped: Vec<(String, String)> = listing
        .skipped
        .iter()
        .map(|skipped| {
            (
                names(vec![&skipped.path]).remove(0),
                skipped.reason.to_string(),
            )
        })
        .collect();
    let expected = [
        ("._b9.PNG", "hidden"),
        (".hidden.png", "hidden"),
        (
            "g.heic",
            "an HEIC picture; convert it: heif-convert IN OUT.png",
        ),
        (
            "h.NEF",
            "a raw camera file; develop it: darktable-cli IN OUT.png, or rawpy.imread(IN).postprocess() in Python",
        ),
        ("i.svg", "an SVG drawing; render it: resvg IN OUT.png"),
        ("more.png", "a folder"),
        ("no_ending", "not a picture or array by its name"),
        ("readme.txt", "not a picture or array by its name"),
    ];
    assert_eq!(
        skipped,
        expected.map(|(name, reason)| (name.to_string(), reason.to_string()))
    );
    let json = serde_json::to_string(&listing).expect("plain data");
    assert_eq!(
        serde_json::from_str::<linearscope_preprocess::Listing>(&json).expect("reads"),
        listing
    );
    assert!(matches!(
        pictures_in(&at("nowhere")),
        Err(Error::Read { .. })
    ));
}

#[cfg(unix)]
#[test]
fn links_to_nothing_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("nowhere", folder.path().join("a.png")).expect("a link");
    let listing = pictures_in(folder.path()).expect("lists");
    assert!(listing.files.is_empty());
    assert!(matches!(
        listing.skipped[0].reason,
        SkipReason::NoFile { .. }
    ));
}
