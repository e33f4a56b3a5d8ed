//! How far a reading holds, and what deconvolution makes of an output.

use crate::folder::{Folder, assets, close, noise, ops, ops_input, picture, sr};

/// How much of the way to another picture is exact, and the error at every distance.
#[test]
fn project_says_how_far_the_reading_holds() {
    let folder = Folder::new();
    let probe = folder.write_npy("x1.npy", &noise(48 * 48), &[1, 1, 48, 48]);
    let args = [
        "project",
        &sr(),
        "--input",
        &picture(),
        "--probe",
        &probe,
        "--out",
        "o",
    ];
    let out = folder.ok(&args);
    assert!(out.contains("exact for the first"), "{out}");
    let manifest = folder.json("o/manifest.json");
    let radius = manifest["validity_towards_probe"]["radii"][0]
        .as_f64()
        .expect("a radius");
    assert!(radius > 0.0 && radius < 1.0, "{radius}");
    let growth = manifest["error_towards_probe"].as_array().expect("a curve");
    assert!(growth[0][1].as_f64().expect("a number") < 1e-5);
    assert!(
        growth.last().expect("points")[1]
            .as_f64()
            .expect("a number")
            > 1e-3
    );
    let facade = assets().join("facade/facade.onnx").display().to_string();
    let probe = folder.write_npy("other.npy", &noise(3 * 32 * 32), &[1, 3, 32, 32]);
    let zero = folder.write_npy("x0.npy", &vec![0.25; 3 * 32 * 32], &[1, 3, 32, 32]);
    let out = folder.ok(&[
        "project", &facade, "--input", &zero, "--probe", &probe, "--out", "p",
    ]);
    assert!(out.contains("off f a tenth of the way"), "{out}");
    assert!(
        out.contains("how far it is exact is unknown: in node"),
        "{out}"
    );
    let told = folder.json("p/manifest.json")["validity_towards_probe"].to_string();
    assert!(told.contains("not piecewise linear"), "{told}");
}

/// Where every unit passes, both are the same; in general they are not.
#[test]
fn deconvolution_is_not_the_adjoint() {
    let folder = Folder::new();
    folder.ok(&["run", &ops(), "--input", &ops_input(), "--out", "r"]);
    let (y, shape) = folder.npy("r/output.npy");
    let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    let y: Vec<f32> = y.iter().map(|&v| v as f32).collect();
    let y = folder.write_npy("y.npy", &y, &shape);
    let common = [
        "backproject",
        &ops(),
        "--input",
        &ops_input(),
        "--output",
        &y,
    ];
    folder.ok(&[&common[..], &["--out", "a"]].concat());
    folder.ok(&[&common[..], &["--deconvolution", "--out", "d"]].concat());
    let (adjoint, deconvolution) = (
        folder.npy("a/backprojected.npy").0,
        folder.npy("d/backprojected.npy").0,
    );
    assert!(!close(&adjoint, &deconvolution, 1e-3));
    assert!(deconvolution.iter().any(|v| *v != 0.0));
    assert_eq!(
        folder.json("d/manifest.json")["arguments"]["deconvolution"],
        true
    );
}

/// x · clip(x) is made of a clip, whose kinks are known, and a product, which is curved: the second
/// is named though both are one node.
#[test]
fn a_gate_is_no_piecewise_linear_unit() {
    use onnx_ir::{Message, ModelProto};
    let folder = Folder::new();
    let bytes = std::fs::read(sr()).expect("a model");
    let mut model = ModelProto::parse_from_bytes(&bytes).expect("ONNX");
    model.opset_import[0].version = 18;
    let nodes = &mut model.graph.mut_or_insert_default().node;
    let relu = nodes.iter_mut().find(|node| node.op_type == "Relu");
    relu.expect("a unit").op_type = "HardSwish".into();
    let gated = folder.path("gated.onnx");
    std::fs::write(&gated, model.write_to_bytes().expect("bytes")).expect("written");
    let probe = folder.write_npy("x1.npy", &noise(48 * 48), &[1, 1, 48, 48]);
    folder.ok(&[
        "project",
        &gated.display().to_string(),
        "--input",
        &picture(),
        "--probe",
        &probe,
        "--out",
        "o",
    ]);
    let told = folder.json("o/manifest.json")["validity_towards_probe"].to_string();
    assert!(told.contains("not piecewise linear"), "{told}");
}
