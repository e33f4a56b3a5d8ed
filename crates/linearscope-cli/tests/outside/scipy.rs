//! `filter.npz` as SciPy reads it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use linearscope_test_support::{
    assets,
    numbers::pseudo,
    process::{Folder, text},
};

/// The matrix beside F x₁ and Fᵀ y₂: prints the relative errors of both, the shape and how much is stored.
const READ: &str = "
import numpy as np, scipy.sparse
F = scipy.sparse.load_npz('m/x0.npy/matrix/filter.npz')
assert F.format == 'csr' and F.has_canonical_format, F
load = lambda name: np.load(name).astype(np.float64).ravel()
off = lambda a, b: np.linalg.norm(a - b) / np.linalg.norm(b)
F64 = F.astype(np.float64)
print(off(F64 @ load('x1.npy'), load('p/x0.npy/project/projected.npy')),
      off(F64.T @ load('y2.npy'), load('b/x0.npy/backproject/backprojected.npy')),
      *F.shape, F.nnz, F.dtype)
";

fn read(python: &Path, folder: &Folder) -> Vec<String> {
    let mut command = Command::new(python);
    command.args(["-c", READ]).current_dir(folder.path(""));
    let output = command.output().expect("Python starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    said.split_whitespace().map(String::from).collect()
}

fn numbers(count: u64, offset: usize) -> Vec<f32> {
    let number = |i| (pseudo(i as usize + offset) - 0.5) as f32;
    (0..count).map(number).collect()
}

/// An upscaler in f32 and a classifier in f64: F x₁ is what `project` says, Fᵀ y₂ what `backproject` does.
pub(crate) fn scipy_reads_the_matrix_that_project_applies(python: PathBuf) {
    for (file, dtype, input, output, limit) in [
        (
            "tiny_sr/tiny_sr.onnx",
            "f32",
            &[1u64, 1, 9, 8][..],
            &[1u64, 1, 18, 16][..],
            1e-5,
        ),
        (
            "tiny_ops/tiny_ops.onnx",
            "f64",
            &[1, 3, 11, 13],
            &[1, 5],
            1e-12,
        ),
    ] {
        let folder = Folder::of(crate::PROGRAM);
        let model = assets().join(file).display().to_string();
        let (n, m) = (input.iter().product::<u64>(), output.iter().product());
        folder.write_npy("x0.npy", &numbers(n, 0), input);
        folder.write_npy("x1.npy", &numbers(n, 1000), input);
        folder.write_npy("y2.npy", &numbers(m, 5000), output);
        let run = |command: &str, more: &[&str]| {
            let common = [command, &model, "--input", "x0.npy", "--dtype", dtype];
            folder.ok(&[&common[..], more].concat());
        };
        run("matrix", &["--out", "m"]);
        run("project", &["--probe", "x1.npy", "--out", "p"]);
        run("backproject", &["--output", "y2.npy", "--out", "b"]);
        let said = read(&python, &folder);
        let [forwards, backwards] = [0, 1].map(|at| said[at].parse::<f64>().expect("a number"));
        println!("{file}: SciPy's F x is {forwards:.1e} off, Fᵀ y {backwards:.1e}");
        for error in [forwards, backwards] {
            // Not `error > limit`, so that NaN fails.
            assert!(error <= limit, "{file}: {said:?}");
        }
        assert_eq!(said[2..4], [m.to_string(), n.to_string()], "{file}");
        assert!(said[4].parse::<u64>().expect("a count") > 0, "{file}");
        assert_eq!(said[5], format!("float{}", &dtype[1..]), "{file}");
    }
}
