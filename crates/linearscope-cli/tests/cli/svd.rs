//! `svd`.

use crate::folder::{Folder, close, picture, sr};

#[test]
fn svd_writes_triplets_that_are_triplets() {
    let folder = Folder::new();
    let input = picture();
    let base = ["svd", &sr(), "--input", &input, "--out", "o", "-k", "3"];
    let out = folder.ok(&[&base[..], &["--tol", "1e-5"]].concat());
    assert!(out.contains("products"), "{out}");
    let (sigma, shape) = folder.npy("o/sigma.npy");
    assert_eq!(shape, [3]);
    assert!(sigma[0] >= sigma[1] && sigma[1] >= sigma[2] && sigma[2] > 0.0);
    let ((u, u_shape), (v, v_shape)) = (folder.npy("o/u.npy"), folder.npy("o/v.npy"));
    assert_eq!(u_shape, [3, 1, 1, 96, 96]);
    assert_eq!(v_shape, [3, 1, 1, 48, 48]);
    // F v = σ u, by another command.
    let first: Vec<f32> = v[..48 * 48].iter().map(|x| *x as f32).collect();
    let probe = folder.write_npy("v1.npy", &first, &[1, 1, 48, 48]);
    folder.ok(&[
        "project",
        &sr(),
        "--input",
        &input,
        "--probe",
        &probe,
        "--out",
        "p",
    ]);
    let (fv, _) = folder.npy("p/projected.npy");
    let su: Vec<f64> = u[..96 * 96].iter().map(|x| x * sigma[0]).collect();
    assert!(close(&fv, &su, 2e-5));
    let manifest = folder.json("o/manifest.json");
    let triplets = manifest["svd"]["triplets"].as_array().unwrap();
    assert!(triplets.iter().all(|t| t["converged"] == true
        && t["right_over_sigma1"].as_f64().unwrap() <= 1e-5
        && t["left_over_sigma"].as_f64().unwrap() <= 1e-4));
    for file in ["o/svd.png", "o/svd.svg"] {
        assert!(folder.path(file).exists(), "{file}");
    }

    // The paper's algorithm finds the same.
    let power = [
        "--solver", "power", "--tol", "1e-4", "--out", "q", "-k", "1",
    ];
    folder.ok(&[&["svd", &sr(), "--input", &input][..], &power].concat());
    let (other, _) = folder.npy("q/sigma.npy");
    assert!(
        (other[0] - sigma[0]).abs() <= 1e-3 * sigma[0],
        "{other:?} {sigma:?}"
    );
}

/// Not converged: exit code 4, and what there is was written and says so.
#[test]
fn svd_that_does_not_converge_says_so_and_keeps_what_there_is() {
    let folder = Folder::new();
    let input = picture();
    let args = ["svd", &sr(), "--input", &input, "--out", "o", "-k", "4"];
    let error = folder.fails(4, &[&args[..], &["--max-products", "20"]].concat());
    assert!(
        error.contains("of 4 triplets") && error.contains("--max-products"),
        "{error}"
    );
    let manifest = folder.json("o/manifest.json");
    let triplets = manifest["svd"]["triplets"].as_array().unwrap();
    assert!(triplets.iter().any(|t| t["converged"] == false));
    assert_eq!(folder.npy("o/sigma.npy").1, [triplets.len()]);
    for (flags, word) in [
        (["-k", "0"], "triplets"),
        (["-k", "3000"], "triplets"),
        (["--tol", "0"], "tolerance"),
        (["--block", "0"], "block"),
        (["--basis", "1"], "basis"),
    ] {
        let error = folder.fails(
            2,
            &[&["svd", &sr(), "--input", &input][..], &flags].concat(),
        );
        assert!(error.contains(word), "{flags:?}: {error}");
    }
}

#[test]
fn svd_of_a_part_of_the_network() {
    let folder = Folder::new();
    let args = ["svd", &sr(), "--input", &picture(), "--out", "o", "-k", "2"];
    folder.ok(&[&args[..], &["--from", "relu1", "--to", "conv3"]].concat());
    assert_eq!(folder.npy("o/v.npy").1, [2, 1, 16, 48, 48]);
    assert_eq!(folder.npy("o/u.npy").1, [2, 1, 4, 48, 48]);
}
