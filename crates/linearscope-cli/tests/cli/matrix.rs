//! `matrix`.

use std::{fs, path::Path};

use crate::folder::{Folder, noise, sr};

/// A little-endian integer of a zip.
fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .fold(0, |n, byte| n << 8 | usize::from(*byte))
}

/// The members of a stored `.npz`, by name, read through its directory.
fn npz(path: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let bytes = fs::read(path).expect("the matrix");
    let end = bytes.len() - 22;
    assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
    let wide = number(&bytes[end - 20 + 8..end - 20 + 16]);
    assert_eq!(&bytes[wide..wide + 4], b"PK\x06\x06");
    let (count, mut at) = (
        number(&bytes[wide + 32..wide + 40]),
        number(&bytes[wide + 48..wide + 56]),
    );
    let mut members = std::collections::BTreeMap::new();
    for _ in 0..count {
        assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
        assert_eq!(number(&bytes[at + 10..at + 12]), 0, "stored");
        let name = number(&bytes[at + 28..at + 30]);
        let extra = at + 46 + name;
        let size = number(&bytes[extra + 4..extra + 12]);
        let local = number(&bytes[extra + 20..extra + 28]);
        assert_eq!(&bytes[local..local + 4], b"PK\x03\x04");
        let start = local + 30 + name + number(&bytes[local + 28..local + 30]);
        let text = String::from_utf8(bytes[at + 46..extra].to_vec()).expect("a name");
        members.insert(text, bytes[start..start + size].to_vec());
        at = extra + number(&bytes[at + 30..at + 32]);
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
    assert!(!folder.path("m/filter.journal").exists());
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
        fs::read_to_string(folder.path("cut/filter.journal")).map_or(0, |text| {
            text.lines().filter(|line| line.ends_with("done")).count()
        })
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
    assert!(!folder.path("cut/filter.npz").exists());
    let out = folder.ok(&["matrix", &sr(), "--input", "x.npy", "--out", "cut"]);
    assert!(out.contains("from an earlier run"), "{out}");
    let read = |name: &str| fs::read(folder.path(name)).expect("a matrix");
    assert!(
        read("whole/filter.npz") == read("cut/filter.npz"),
        "other bytes"
    );
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
