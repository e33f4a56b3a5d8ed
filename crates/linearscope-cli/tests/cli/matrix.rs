//! `matrix`.

use std::{collections::BTreeMap, fs, io::Read, path::Path};

use crate::folder::{Folder, noise, sr};

/// The members of a stored `.npz`, by name.
fn npz(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let file = fs::File::open(path).expect("the matrix");
    let mut archive = zip::ZipArchive::new(file).expect("a zip");
    let mut members = BTreeMap::new();
    for number in 0..archive.len() {
        let mut member = archive.by_index(number).expect("a member");
        assert_eq!(member.compression(), zip::CompressionMethod::Stored);
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).expect("its checksum fits");
        members.insert(member.name().expect("a name").into_owned(), bytes);
    }
    members
}

fn array<T: npyz::Deserialize>(bytes: &[u8]) -> Vec<T> {
    npyz::NpyFile::new(bytes)
        .expect("an npy")
        .into_vec()
        .expect("of that type")
}

#[test]
fn the_matrix_holds_every_row() {
    let folder = Folder::new();
    let shape = [1, 1, 9, 8];
    let n = 72;
    folder.write_npy("x.npy", &noise(n), &shape);
    let out = folder.ok(&[
        "matrix",
        &sr(),
        "--input",
        "x.npy",
        "--out",
        "m",
        "--chunk",
        "5",
    ]);
    assert!(out.contains("filter.npz"), "{out}");
    let members = npz(&folder.path("m/filter.npz"));
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "data.npy",
            "format.npy",
            "indices.npy",
            "indptr.npy",
            "shape.npy"
        ]
    );
    let values: Vec<f32> = array(&members["data.npy"]);
    let columns: Vec<i32> = array(&members["indices.npy"]);
    let rows: Vec<i32> = array(&members["indptr.npy"]);
    assert_eq!(
        array::<i64>(&members["shape.npy"]),
        [4 * n as i64, n as i64]
    );
    assert!(members["format.npy"].ends_with(b"csr"));
    assert_eq!(rows.len(), 4 * n + 1);
    for at in ["0,0,0", "0,7,9", "0,17,15", "0,8,3"] {
        folder.ok(&["row", &sr(), "--input", "x.npy", "--out", "r", "--at", at]);
        let (row, _) = folder.npy("r/row.npy");
        let place: Vec<usize> = at.split(',').map(|i| i.parse().unwrap()).collect();
        let p = place[1] * 16 + place[2];
        let mut dense = vec![0.0; n];
        for entry in rows[p] as usize..rows[p + 1] as usize {
            dense[columns[entry] as usize] = f64::from(values[entry]);
        }
        for (a, b) in dense.iter().zip(&row) {
            assert!((a - b).abs() < 1e-5, "row {at}: {a} and {b}");
        }
    }
    // The pieces are gone.
    assert_eq!(fs::read_dir(folder.path("m/x.npy")).expect("it").count(), 1);
    let refused = ["matrix", &sr(), "--input", "x.npy", "--max-size", "0.00001"];
    assert!(folder.fails(2, &refused).contains("--max-size"));
}

/// SIGKILL half-way, and again: the run after goes on and ends with the same bytes.
#[test]
fn a_killed_matrix_goes_on_where_it_was() {
    let folder = Folder::new();
    folder.write_npy("x.npy", &noise(40 * 36), &[1, 1, 40, 36]);
    let args = |out: &'static str| {
        ["matrix", "--input", "x.npy", "--chunk", "1", "--out", out].map(String::from)
    };
    let start = |out| {
        folder
            .command()
            .arg(args(out)[0].clone())
            .arg(sr())
            .args(&args(out)[1..])
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("the program starts")
    };
    assert!(start("whole").wait().expect("it ends").success());
    let entered = || {
        let below = fs::read_dir(folder.path("cut/x.npy")).into_iter().flatten();
        let pieces = below
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().contains("matrix.pieces."));
        let files = pieces.flat_map(|path| fs::read_dir(path).into_iter().flatten().flatten());
        files
            .filter(|file| file.file_name().to_string_lossy().starts_with("piece-"))
            .count()
    };
    let mut before = 0;
    for _ in 0..2 {
        let mut child = start("cut");
        while entered() < before + 5 {
            assert!(
                child.try_wait().expect("it runs").is_none(),
                "it ended too soon"
            );
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        // `kill` is SIGKILL on Unix.
        child.kill().expect("it is killed");
        child.wait().expect("it is gone");
        assert!(entered() >= before + 5);
        before = entered();
    }
    assert!(!folder.path("cut/x.npy/matrix").exists());
    let out = folder.ok(&[
        "matrix",
        &sr(),
        "--input",
        "x.npy",
        "--chunk",
        "1",
        "--out",
        "cut",
    ]);
    assert!(out.contains("from an earlier run"), "{out}");
    let read = |name: &str| fs::read(folder.path(name)).expect("a matrix");
    assert!(
        read("whole/filter.npz") == read("cut/filter.npz"),
        "other bytes"
    );
    // Two shards make the same file.
    for shard in ["1/2", "2/2"] {
        let shared = ["--chunk", "1", "--out", "parts", "--shard", shard];
        folder.ok(&[&["matrix", &sr(), "--input", "x.npy"][..], &shared].concat());
    }
    let part = |i: usize| format!("parts/x.npy/matrix.part-{i}-of-2");
    let err = folder.fails(2, &["merge", &part(2)]);
    assert!(err.contains("piece 0 is missing from all parts"), "{err}");
    folder.ok(&["merge", &part(1), &part(2)]);
    for file in ["filter.npz", "manifest.json", "x0.npy"] {
        let [whole, parts] = ["whole", "parts"]
            .map(|out| fs::read(folder.path(&format!("{out}/x.npy/matrix/{file}"))).expect(file));
        assert!(whole == parts, "{file} differs");
    }
    // Another question does not take up what an earlier one left.
    let mut child = start("cut");
    while entered() < 5 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().expect("it is killed");
    child.wait().expect("it is gone");
    let other = [
        "matrix",
        &sr(),
        "--input",
        "x.npy",
        "--out",
        "cut",
        "--dtype",
        "f64",
    ];
    assert!(!folder.ok(&other).contains("earlier run"));
}
