//! `mean`: what is fixed, what adapts, over one picture and over folders.

use std::{fs, path::Path};

use burn::tensor::{Device, FloatDType, TensorData};
use linearscope::RuleSet;
use linearscope_analysis::{
    FrozenNetwork, LinearOperator,
    maps::{
        Grid,
        mean::{MeanOperator, MeanOperatorTotals},
    },
    progress::unobserved,
};
use linearscope_onnx::Model;
use onnx_ir::{AttributeProto, AttributeType, NodeProto, TensorProto};

use crate::{
    folder::{Folder, assets, noise, ops, ops_input, picture, sr},
    made::{self, FLOAT},
};

fn asset(name: &str) -> String {
    assets().join(name).display().to_string()
}

/// A graph of one node with whole numbers as attributes, from x `[1, from, 12, 14]`, and with a weight where there is one.
fn one_node(
    folder: &Folder,
    name: &str,
    op: &str,
    (attribute, numbers): (&str, &[i64]),
    from: i64,
    weight: Option<(&[i64], Vec<f32>)>,
    to: &[i64],
) {
    let mut node = NodeProto::new();
    (node.op_type, node.name) = (op.into(), "only".into());
    (node.input, node.output) = (vec!["x".into()], vec!["y".into()]);
    let mut ints = AttributeProto::new();
    ints.name = attribute.into();
    ints.type_ = AttributeType::INTS.into();
    ints.ints = numbers.to_vec();
    node.attribute = vec![ints];
    let mut weights = Vec::new();
    if let Some((dims, values)) = weight {
        node.input.push("w".into());
        let mut tensor = TensorProto::new();
        (tensor.name, tensor.data_type) = ("w".into(), FLOAT);
        (tensor.dims, tensor.float_data) = (dims.to_vec(), values);
        weights.push(tensor);
    }
    made::save(
        folder,
        name,
        vec![made::value("x", FLOAT, &[1, from, 12, 14])],
        vec![node],
        weights,
        vec![made::value("y", FLOAT, to)],
    );
}

fn share(folder: &Folder, file: &str, part: &str) -> f64 {
    let value = &folder.json(file)["shares"][part];
    value.as_f64().unwrap_or_else(|| panic!("{part}: {value}"))
}

/// A convolution has one row everywhere, which is its own weights.
#[test]
fn the_mean_of_a_convolution_is_its_kernel() {
    let folder = Folder::new();
    let weights: Vec<f32> = (0..54).map(|i| ((i * 7 % 11) as f32 - 5.0) / 8.0).collect();
    let kernel = (&[3, 2, 3, 3][..], weights.clone());
    let to = [1, 3, 12, 14];
    let pads = ("pads", &[1, 1, 1, 1][..]);
    one_node(&folder, "conv.onnx", "Conv", pads, 2, Some(kernel), &to);
    let x = folder.write_npy("x.npy", &noise(2 * 12 * 14), &[1, 2, 12, 14]);
    let args = [
        "mean",
        "conv.onnx",
        "--input",
        &x,
        "--radius",
        "2",
        "--dtype",
        "f64",
        "--out",
        "o",
    ];
    let said = folder.ok(&args);
    assert!(
        said.contains("one filter of 5×5 input pixels from 2 channels to 3")
            && said.contains("100.00 %"),
        "{said}"
    );
    let (filters, shape) = folder.npy("o/filters.npy");
    assert_eq!(shape, [1, 1, 3, 2, 5, 5]);
    for (i, value) in filters.iter().enumerate() {
        let [pair, y, x] = [i / 25, i / 5 % 5, i % 5];
        let inside = (1..4).contains(&y) && (1..4).contains(&x);
        let expected = match inside {
            true => f64::from(weights[pair * 9 + (y - 1) * 3 + x - 1]),
            false => 0.0,
        };
        assert!((value - expected).abs() < 1e-12, "{i}: {value} {expected}");
    }
    assert!((share(&folder, "o/mean.json", "fixed") - 1.0).abs() < 1e-12);
    assert!(share(&folder, "o/mean.json", "within_pictures") < 1e-24);
    assert!(share(&folder, "o/mean.json", "outside") < 1e-24);
    // A window that is too narrow: the middle of the kernel is fixed, the rest lies outside.
    let narrow = [&args[..5], &["0", "--dtype", "f64", "--out", "n"]].concat();
    folder.ok(&narrow);
    let square = |w: &f32| f64::from(*w).powi(2);
    let middle: f64 = weights.iter().skip(4).step_by(9).map(square).sum();
    let middle = middle / weights.iter().map(square).sum::<f64>();
    assert!((share(&folder, "n/mean.json", "fixed") - middle).abs() < 1e-12);
    assert!((share(&folder, "n/mean.json", "outside") - (1.0 - middle)).abs() < 1e-12);

    let table = folder.json("o/shares.json");
    let parts: Vec<&str> = table
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["part"].as_str().unwrap())
        .collect();
    assert_eq!(parts, ["fixed", "within pictures", "outside"]);
    let manifest = folder.json("o/manifest.json");
    let files = manifest["files"].as_array().unwrap();
    for name in [
        "filters.npy",
        "shares.csv",
        "shares.png",
        "mean.png",
        "mean.svg",
    ] {
        assert!(files.iter().any(|file| file["file"] == name), "{name}");
        assert!(folder.path(&format!("o/{name}")).exists(), "{name}");
    }
}

/// One filter for each of 3×3 sub-pixels, the same in every picture.
#[test]
fn bicubic_is_fixed_over_pictures() {
    let folder = Folder::new();
    fs::create_dir(folder.path("in")).expect("a folder");
    for (from, to) in [
        ("pictures/cat.png", "cat.png"),
        ("pictures/facade.png", "facade.png"),
    ] {
        fs::copy(assets().join(from), folder.path("in").join(to)).expect("copied");
    }
    let model = asset("graphs/bicubic.onnx");
    let said = folder.ok(&[
        "mean", &model, "--input", "in", "--resize", "24x20", "--dtype", "f64", "--out", "o",
    ]);
    assert!(
        said.contains("3×3 filters") && said.contains("of 2 pictures"),
        "{said}"
    );
    let found = folder.json("o/in/mean/mean.json");
    assert_eq!(found["pictures"], 2);
    let shares = &found["shares"];
    // The graph's weights are made in f32: sub-pixels a row apart agree to its rounding, squared.
    for part in ["within_pictures", "between_pictures", "outside"] {
        assert!(shares[part].as_f64().unwrap() < 1e-12, "{shares}");
    }
    // Interpolation keeps a flat picture flat: each filter sums to 1 for its own channel.
    let (filters, shape) = folder.npy("o/in/mean/filters.npy");
    let each = shape[4] * shape[5];
    for (i, filter) in filters.chunks(each).enumerate() {
        let pair = i % (shape[2] * shape[3]);
        let own = pair / shape[3] == pair % shape[3];
        let sum: f64 = filter.iter().sum();
        assert!((sum - f64::from(u8::from(own))).abs() < 1e-6, "{i}: {sum}");
    }
}

/// What the library says of an array, at the program's own places and with its kernels.
fn by_library(
    model: &Path,
    x: &[f32],
    shape: [usize; 4],
    stride: usize,
    radius: usize,
) -> MeanOperator {
    let network = Model::load(model)
        .unwrap()
        .network(&[shape.to_vec()])
        .unwrap();
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).unwrap();
    let x0 = TensorData::new(x.to_vec(), shape.to_vec());
    let f = FrozenNetwork::new(loaded, x0, RuleSet::default()).unwrap();
    let output = f.output_shape().to_vec();
    let grid = Grid::every(stride, [output[2], output[3]]);
    MeanOperator::of_picture(&f, &grid, radius, unobserved).unwrap()
}

/// A bundled upscaler over a folder with a bad picture: what the library puts together, whether at once, resumed or by shards.
#[test]
fn a_folder_of_an_upscaler_agrees_with_the_library() {
    let folder = Folder::new();
    fs::create_dir(folder.path("in")).expect("a folder");
    let model = assets().join("edsr/edsr.onnx");
    let shape = [1, 3, 14, 16];
    let mut totals = MeanOperatorTotals::new(3);
    for (name, turn) in [("a", 0), ("b", 211), ("c", 400)] {
        let mut x = noise(3 * 14 * 16);
        x.rotate_left(turn);
        folder.write_npy(
            &format!("in/{name}.npy"),
            &x,
            &shape.map(|side| side as u64),
        );
        totals.merge(&by_library(&model, &x, shape, 3, 3)).unwrap();
    }
    fs::write(folder.path("in").join("bad.png"), "no picture").expect("written");
    let expected = totals.finish().unwrap();
    assert!(
        expected.shares.between_pictures > 1e-4,
        "{:?}",
        expected.shares
    );

    let model = model.display().to_string();
    let args = [
        "mean", &model, "--input", "in", "--stride", "3", "--radius", "3", "--dtype", "f64",
    ];
    // The bad picture is told, and stops nothing.
    let error = folder.fails(2, &[&args[..], &["--out", "o"]].concat());
    assert!(error.contains("bad.png"), "{error}");
    let job = "o/in/mean";
    let summary = folder.json(&format!("{job}/summary.json"));
    assert_eq!(summary["pictures"], 3);
    assert_eq!(summary["left_out"][0]["picture"], "bad.png");
    let found = folder.json(&format!("{job}/mean.json"));
    assert_eq!(summary["over"]["mean"], found);
    assert_eq!(
        (found["pictures"].clone(), found["places"].clone()),
        (3.into(), expected.places.into())
    );
    for (part, value) in [
        ("fixed", expected.shares.fixed),
        ("within_pictures", expected.shares.within_pictures),
        ("between_pictures", expected.shares.between_pictures),
        ("outside", expected.shares.outside),
    ] {
        let found = found["shares"][part].as_f64().unwrap();
        assert!((found - value).abs() < 1e-9, "{part}: {found} {value}");
    }
    let (filters, dims) = folder.npy(&format!("{job}/filters.npy"));
    assert_eq!(dims, expected.shape);
    for (a, b) in filters.iter().zip(&expected.filters) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
    for file in ["mean.png", "shares.svg", "a.npy/filters.npy", "shares.csv"] {
        assert!(folder.path("").join(job).join(file).exists(), "{file}");
    }

    // Nothing is measured again, and what was put together before is put together the same.
    fs::remove_file(folder.path("in").join("bad.png")).expect("removed");
    let said = folder.ok(&[&args[..], &["--out", "o"]].concat());
    assert!(said.contains("3 of them from an earlier run"), "{said}");
    let bytes = |file: &str| fs::read(folder.path("").join(file)).expect("a file");
    let whole = bytes("o/in/mean/filters.npy");
    for part in ["1/2", "2/2"] {
        folder.ok(&[&args[..], &["--out", "p", "--shard", part]].concat());
    }
    folder.ok(&["merge", "p/in/mean.part-1-of-2", "p/in/mean.part-2-of-2"]);
    for file in ["filters.npy", "mean.json", "shares.csv", "mean.png"] {
        let (one, other) = (format!("o/in/mean/{file}"), format!("p/in/mean/{file}"));
        assert!(bytes(&one) == bytes(&other), "{file}");
    }
    assert!(whole == bytes("p/in/mean/filters.npy"));
}

/// A picture that is laid out in another way is told and left out of the mean, but measured.
#[test]
fn pictures_of_another_layout_are_not_mixed() {
    let folder = Folder::new();
    fs::create_dir(folder.path("in")).expect("a folder");
    // Resized to 24×24 whatever comes in: sizes of the input change the step.
    for (name, side) in [("a", 12u64), ("b", 12), ("c", 8)] {
        let x = noise((side * side) as usize);
        folder.write_npy(&format!("in/{name}.npy"), &x, &[1, 1, side, side]);
    }
    let mut resize = NodeProto::new();
    (resize.op_type, resize.name) = ("Resize".into(), "resize".into());
    (resize.input, resize.output) = (
        vec!["x".into(), String::new(), String::new(), "sizes".into()],
        vec!["y".into()],
    );
    let mut mode = AttributeProto::new();
    (mode.name, mode.s) = ("mode".into(), "linear".into());
    mode.type_ = AttributeType::STRING.into();
    resize.attribute = vec![mode];
    let mut sizes = TensorProto::new();
    (sizes.name, sizes.data_type) = ("sizes".into(), 7);
    (sizes.dims, sizes.int64_data) = (vec![4], vec![1, 1, 24, 24]);
    made::save(
        &folder,
        "resize.onnx",
        vec![made::value("x", FLOAT, &[])],
        vec![resize],
        vec![sizes],
        vec![made::value("y", FLOAT, &[])],
    );
    let said = folder.ok(&[
        "mean",
        "resize.onnx",
        "--input",
        "in",
        "--radius",
        "1",
        "--dtype",
        "f64",
        "--out",
        "o",
    ]);
    assert!(said.contains("c.npy is not in the mean"), "{said}");
    let summary = folder.json("o/in/mean/summary.json");
    assert_eq!(summary["over"]["mean"]["pictures"], 2);
    assert_eq!(summary["over"]["not_in_the_mean"][0]["picture"], "c.npy");
    assert!(folder.path("").join("o/in/mean/c.npy/mean.json").exists());
}

#[test]
fn what_has_no_places_and_flags_that_skip_some_are_refused() {
    let folder = Folder::new();
    let error = folder.fails(2, &["mean", &ops(), "--input", &ops_input()]);
    for word in ["mean needs", "[1, 5]", "[1, 3, 11, 13]", "contributions"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    let turned = [1, 1, 14, 12];
    one_node(
        &folder,
        "turned.onnx",
        "Transpose",
        ("perm", &[0, 1, 3, 2]),
        1,
        None,
        &turned,
    );
    let x = folder.write_npy("x.npy", &noise(12 * 14), &[1, 1, 12, 14]);
    let error = folder.fails(2, &["mean", "turned.onnx", "--input", &x]);
    for word in [
        "output pixels have no position",
        "different axes",
        "hint: row",
    ] {
        assert!(error.contains(word), "{word}: {error}");
    }
    let (model, input) = (sr(), picture());
    for (flags, words) in [
        (["--stride", "0"], ["--stride 0", "at least 1"]),
        (["--stride", "4"], ["2×2 phases", "such as 5"]),
        (["--radius", "30"], ["61×61", "48×48"]),
    ] {
        let args = [&["mean", &model, "--input", &input][..], &flags].concat();
        let error = folder.fails(2, &args);
        for word in words {
            assert!(error.contains(word), "{flags:?}: {error}");
        }
    }
}
