//! What the program says when it cannot go on, pinned so that a change is seen.

use std::fs;

use crate::folder::{Folder, assets, text};

#[test]
fn errors_are_as_pinned() {
    let folder = Folder::new();
    for (name, from) in [
        ("sr.onnx", "tiny_sr/tiny_sr.onnx"),
        ("cat.png", "tiny_sr/input.png"),
        ("net.onnx", "tiny_ops/tiny_ops.onnx"),
        ("x.npy", "tiny_ops/input.npy"),
    ] {
        fs::copy(assets().join(from), folder.path("").join(name)).expect("copied");
    }
    fs::create_dir(folder.path("empty")).expect("a folder");
    fs::write(folder.path("broken.onnx"), b"not a model").expect("written");
    fs::write(folder.path("broken.png"), b"not a picture").expect("written");
    folder.write_npy("nan.npy", &[f32::NAN; 3 * 11 * 13], &[1, 3, 11, 13]);
    folder.write_npy("small.npy", &[0.0; 12], &[1, 3, 2, 2]);
    let mut told = String::new();
    for line in [
        "run sr.onnx",
        "row sr.onnx --input cat.png --target 0,999,0",
        "row net.onnx --input x.npy --target dog",
        "column net.onnx --input x.npy --at 1,2",
        "run missing.onnx --input cat.png",
        "run broken.onnx --input cat.png",
        "run sr.onnx --input missing.png",
        "run sr.onnx --input broken.png",
        "run net.onnx --input nan.npy",
        "run sr.onnx --input cat.png --max-memory 0",
        "run sr.onnx --input cat.png --device gpu",
        "run sr.onnx --input cat.png --rules relu=sometimes",
        "run sr.onnx --input cat.png --range nan",
        "row sr.onnx --input empty",
        "votes net.onnx --input empty",
        "votes sr.onnx --input cat.png",
        "votes net.onnx --input x.npy --terms conv9",
        "maps net.onnx --input x.npy",
        "svd sr.onnx --input cat.png -k 0",
        "svd sr.onnx --input cat.png --max-products 4",
        "attack net.onnx --input x.npy --eps 1",
        "attack net.onnx --input x.npy --eps 0 --eps-unit input",
        "spectrum sr.onnx --input cat.png --probes 2",
        "matrix sr.onnx --input cat.png --max-size 0.0001",
        "run net.onnx --input x.npy --shard 4/3",
        "run net.onnx --input x.npy --shard 1/3",
        "merge empty",
        "inspect net.onnx --shape 1,2,3",
        "frobnicate",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let output = folder.run(&args);
        let code = output.status.code().expect("a code");
        assert_ne!(code, 0, "{line}");
        told += &format!(
            "$ linearscope {line}   [{code}]\n{}\n",
            text(&output.stderr)
        );
    }
    insta::assert_snapshot!("errors", told);
}
