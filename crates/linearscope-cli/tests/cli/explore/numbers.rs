//! Numbers that stand behind the page's pictures and curves: what a command writes at the same place, bit by bit.

use std::fs;

use linearscope_test_support::server::Server;
use serde_json::Value;

use super::{Folder, explore, floats, npy, picture, same, scene, sr, vgg, written};

/// A picture file of one colour, as large as another.
fn plain(folder: &Folder, like: &str, level: u8) -> String {
    let like = image::open(like).expect("a picture");
    let plain = image::RgbImage::from_pixel(like.width(), like.height(), image::Rgb([level; 3]));
    let path = folder.path(&format!("plain-{level}.png"));
    plain.save(&path).expect("written");
    path.display().to_string()
}

/// The numbers of an `.npy` of a run in f32 or f64.
fn numbers(bytes: &[u8]) -> Vec<f64> {
    let file = npyz::NpyFile::new(bytes).expect("an npy");
    match file.dtype().descr().contains("f8") {
        true => file.into_vec::<f64>().expect("f8"),
        false => floats(&npy(bytes).1),
    }
}

/// `f64` numbers of JSON; NaN for null, as arrays have it.
fn listed(of: &Value) -> Vec<f64> {
    let all = of.as_array().unwrap_or_else(|| panic!("no list: {of}"));
    all.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

/// Every number is the array's, to the last bit of the array's precision.
fn equal(said: &[f64], array: &[f64], what: &str) {
    assert_eq!(said.len(), array.len(), "{what}");
    for (at, (said, array)) in said.iter().zip(array).enumerate() {
        let rounded = f64::from(*said as f32);
        assert!(
            said == array || rounded == *array || said.is_nan() && array.is_nan(),
            "{what}: entry {at} is {said} and in the array {array}"
        );
    }
    assert!(array.iter().any(|v| *v != 0.0 && !v.is_nan()), "{what}: 0");
}

/// r, and what is left of f(x₀) without it, for scores and for pictures.
#[test]
fn the_residual_is_that_of_run() {
    let folder = Folder::new();
    for (model, input, more) in [
        (vgg(), scene(), &[][..]),
        (sr(), picture(), &["--dtype", "f64"]),
        (sr(), picture(), &["--rules", "paper"]),
    ] {
        let server = explore(&folder, &model, &input, more);
        let args = ["run", &model, "--input", &input, "--out", "out"];
        folder.ok(&[&args[..], more].concat());
        same(&server, "/api/array/residual", &folder, "out/residual.npy");
        let net = server.ok("/api/session").json()["nets"][0].clone();
        let norm = |of: &[f64]| of.iter().map(|v| v * v).sum::<f64>().sqrt();
        let (r, _) = folder.npy("out/residual.npy");
        let (y, _) = folder.npy("out/output.npy");
        assert_eq!(net["residual"]["norm"], norm(&r), "{model}");
        assert_eq!(net["residual"]["share"], norm(&r) / norm(&y), "{model}");
        fs::remove_dir_all(folder.path("out")).expect("removed");
    }
}

/// What a layer adds, channels summed, is the discussion that `votes` writes of its terms: of the input, and of every
/// layer.
#[test]
fn a_layers_part_is_that_of_votes() {
    let folder = Folder::new();
    let (model, input) = (vgg(), scene());
    let server = explore(&folder, &model, &input, &[]);
    let net = server.ok("/api/session").json()["nets"][0].clone();
    let best = net["top"][0][0].as_u64().expect("a class");
    let layers = net["layers"].as_array().expect("layers");
    let names = layers.iter().map(|layer| layer["name"].as_str());
    let names: Vec<&str> = names.map(|name| name.expect("a name")).collect();
    assert!(names.len() > 4, "{names:?}");
    let said = server.ok(&format!("/api/contributions?target={best}"));
    for (at, name) in ["input"].into_iter().chain(names).enumerate() {
        let layer = server.ok(&format!("/api/layer?name={name}&target={best}"));
        let (shape, bytes) = npy(&layer.body);
        let &[channels, h, w] = &shape[..] else {
            panic!("{shape:?}")
        };
        let values = floats(&bytes);
        let plane = h * w;
        let summed: Vec<f64> = (0..plane)
            .map(|at| (0..channels).map(|c| values[c * plane + at]).sum())
            .collect();
        let args = [
            "votes", &model, "--input", &input, "--terms", name, "--top", "1", "--out", "out",
            "--fresh",
        ];
        folder.ok(&args);
        let (discussion, _) = folder.npy("out/discussion.npy");
        equal(&summed, &discussion, name);
        // The list beside it says the same sum, but for what f32 loses on the way: measured, 1 ε of the magnitudes.
        let sum: f64 = values.iter().sum();
        let part = &said.json()["layers"][at];
        assert_eq!(part["name"], name);
        let value = part["value"].as_f64().expect("a value");
        let size: f64 = values.iter().map(|v| v.abs()).sum();
        let rounding = 4.0 * f64::from(f32::EPSILON) * size;
        assert!((sum - value).abs() <= rounding, "{name}: {sum}, {value}");
    }
}

/// f(x) and F x + r at a part of the way are `run` at that x and `project` of it; to every picture that the page goes to
/// and that is a file, too.
#[test]
fn the_way_to_another_picture_is_that_of_run_and_project() {
    let folder = Folder::new();
    let (model, input) = (sr(), picture());
    for more in [&[][..], &["--dtype", "f64"]] {
        let dtype = ["--dtype", if more.is_empty() { "f32" } else { "f64" }];
        let noise = folder.path("noise.npy").display().to_string();
        let shape = ["--shape", "1,1,48,48", "--write-input", &noise];
        folder.ok(&[&["verify", &model, "--seed", "0"][..], &shape, &dtype].concat());
        let ends = [
            ("black", plain(&folder, &input, 0)),
            ("white", plain(&folder, &input, 255)),
            ("noise", noise),
        ];
        for (towards, end) in ends {
            // In f32 the noise's file is rounded before the way to it is divided, the page's noise after.
            if towards == "noise" && more.is_empty() {
                continue;
            }
            let flags = [&["--compare-input", &end][..], more].concat();
            let server = explore(&folder, &model, &input, &flags);
            let [x0, end] =
                [0, 1].map(|net| numbers(&server.ok(&format!("/api/array/x0?net={net}")).body));
            for t in [0.0, 0.35, 1.0] {
                let path = format!("/api/along?towards={towards}&t={t}");
                let both = server.ok(&path);
                let other = server.ok(&format!("/api/along?towards=other&t={t}"));
                assert_eq!(both.body, other.body, "{towards} and its file, at {t}");
                let x: Vec<f64> = (x0.iter().zip(&end).map(|(x, to)| x + t * (to - x))).collect();
                is_there(&folder, [&model, &input], &dtype, &x, &both.body);
            }
        }
    }
}

/// The two halves of `along`'s answer at x are what `run` and `project` write of it.
fn is_there(folder: &Folder, [model, input]: [&str; 2], dtype: &[&str], x: &[f64], both: &[u8]) {
    let values: Vec<u8> = match dtype[1] {
        "f64" => x.iter().flat_map(|v| v.to_le_bytes()).collect(),
        _ => x.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect(),
    };
    // Arrays in f64 keep all of x.
    let descr = if dtype[1] == "f64" { "<f8" } else { "<f4" };
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1, 1, 48, 48), }}");
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.into_bytes());
    bytes.extend(values);
    fs::write(folder.path("x.npy"), bytes).expect("written");
    let run = |command: &str, more: &[&str]| {
        let args = [&[command, model][..], more, &["--out", command, "--fresh"]];
        folder.ok(&[&args.concat()[..], dtype].concat());
    };
    run("run", &["--input", "x.npy"]);
    run("project", &["--input", input, "--probe", "x.npy"]);
    let (_, both) = npy(both);
    let (f, read) = both.split_at(both.len() / 2);
    for (what, served, file) in [
        ("f(x)", f, "run/output.npy"),
        ("F x + r", read, "project/affine.npy"),
    ] {
        let expected = written(folder, file);
        assert_eq!(served.len(), expected.len(), "{what}");
        let differing = served.iter().zip(&expected).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 0, "bytes of {what} that differ from {file}");
    }
}

fn validity(server: &Server, towards: &str) -> Value {
    server
        .ok(&format!("/api/validity?towards={towards}"))
        .done()
}

/// The error at a part of the way.
fn error_at(validity: &Value, t: f64) -> &Value {
    let curve = validity["curve"].as_array().expect("a curve");
    let point = curve.iter().find(|point| point["t"] == t);
    &point.unwrap_or_else(|| panic!("nothing at {t}"))["relative_error"]
}

/// Where the first unit flips, in which node, and the error along the way: what `project` says of the picture at its end.
#[test]
fn validity_is_that_of_project() {
    let folder = Folder::new();
    let (model, input) = (sr(), picture());
    let black = plain(&folder, &input, 0);
    let server = explore(&folder, &model, &input, &["--compare-input", &black]);
    folder.ok(&[
        "project", &model, "--input", &input, "--probe", &black, "--out", "out",
    ]);
    let manifest = folder.json("out/manifest.json");
    let written = &manifest["validity_towards_probe"];
    let growth = folder.json("out/growth.json");
    let growth = growth.as_array().expect("a table");
    for towards in ["black", "other"] {
        let found = validity(&server, towards);
        assert_eq!(found["curve"].as_array().map(Vec::len), Some(21));
        assert_eq!(found["exact_until"], written["radii"][0], "{towards}");
        assert_eq!(found["first"], written["by"][0], "{towards}");
        assert_eq!(found["at_kink"], written["at_kink"], "{towards}");
        let flips = found["flips"].as_array().expect("a list");
        assert!(flips.len() > 1, "{flips:?}");
        for flip in flips {
            let decisions = written["decisions"].as_array().expect("a list");
            let same = decisions.iter().find(|one| one["node"] == flip["node"]);
            let same = same.unwrap_or_else(|| panic!("{flip} is not written"));
            assert_eq!(flip["t"], same["first"][0], "{flip}");
            assert_eq!(flip["units"], same["units"], "{flip}");
        }
        for t in [0.0, 0.1, 0.3, 1.0] {
            let line = growth.iter().find(|line| line["t"] == t).expect("a line");
            assert_eq!(error_at(&found, t), &line["relative_error"], "at {t}");
        }
    }
    // `to`, which elsewhere is a node, means the same.
    let by_to = server.ok("/api/validity?to=black").done();
    assert_eq!(by_to, validity(&server, "black"));
}

/// The directions that `attribute` tries, for a classifier.
#[test]
fn validity_is_that_of_attribute() {
    let folder = Folder::new();
    let (model, input) = (vgg(), scene());
    let server = explore(&folder, &model, &input, &[]);
    folder.ok(&["attribute", &model, "--input", &input, "--out", "out"]);
    let trust = folder.json("out/manifest.json")["trust"].clone();
    let trust = trust.as_array().expect("a list");
    assert_eq!(trust.len(), 3);
    for (towards, written) in ["black", "blur", "mean"].into_iter().zip(trust) {
        let words = written["towards"].as_str().expect("words");
        assert!(words.contains(towards), "{towards} and {words}");
        let found = validity(&server, towards);
        assert_eq!(found["exact_until"], written["exact"], "{towards}");
        assert_eq!(found["first"], written["first"], "{towards}");
        assert_eq!(
            error_at(&found, 0.1),
            &written["error_at_tenth"],
            "{towards}"
        );
        assert_eq!(error_at(&found, 1.0), &written["error_at_end"], "{towards}");
    }
}

/// Radii, shares, origins and arrows are those of `maps`, place by place.
#[test]
fn fields_are_those_of_maps() {
    let folder = Folder::new();
    for (more, query) in [
        (&[][..], ""),
        (&["--dtype", "f64"], ""),
        (&["--stride", "9"], "?step=9"),
    ] {
        let (model, input) = (sr(), picture());
        let flags: &[&str] = if query.is_empty() { more } else { &[] };
        let server = explore(&folder, &model, &input, flags);
        let found = server.ok(&format!("/api/fields{query}")).done();
        let args = ["maps", &model, "--input", &input, "--out", "out", "--fresh"];
        folder.ok(&[&args[..], more].concat());
        let (radius, shape) = folder.npy("out/row_radius.npy");
        let grid = [&found["y"], &found["x"]].map(|axis| axis.as_array().expect("a grid").len());
        assert_eq!(shape[1..], grid, "{query}");
        let lists = |of: &Value| -> Vec<f64> {
            of.as_array()
                .expect("radii")
                .iter()
                .flat_map(listed)
                .collect()
        };
        equal(&lists(&found["row_radii"]), &radius, "radii of rows");
        let (radius, shape) = folder.npy("out/column_radius.npy");
        let columns = &found["columns"];
        let inputs = [&columns["y"], &columns["x"]].map(|axis| axis.as_array().map_or(0, Vec::len));
        assert_eq!(shape[1..], inputs, "{query}");
        equal(&lists(&columns["radii"]), &radius, "radii of columns");
        let (share, _) = folder.npy("out/off_diagonal.npy");
        equal(
            &listed(&found["off_diagonal"]),
            &share,
            "off-diagonal energy",
        );
        let (moves, _) = folder.npy("out/copy_move.npy");
        let places = grid[0] * grid[1];
        let origins = found["origins"].as_array().expect("origins");
        for (i, of) in ["peak", "centroid"].into_iter().enumerate() {
            for axis in [0, 1] {
                let said = origins.iter().map(|at| at[of][axis].as_f64());
                let said: Vec<f64> = said.map(|v| v.unwrap_or(f64::NAN)).collect();
                let written = &moves[(2 * i + axis) * places..][..places];
                equal(&said, written, of);
            }
        }
        let maps = folder.json("out/maps.json");
        assert_eq!(found["y"], maps["rows"]["grid"]["y"], "{query}");
        assert_eq!(found["x"], maps["rows"]["grid"]["x"], "{query}");
        assert_eq!(columns["y"], maps["columns"]["grid"]["y"], "{query}");
        assert_eq!(columns["x"], maps["columns"]["grid"]["x"], "{query}");
        assert_eq!(found["radius"], maps["off_diagonal"]["beyond_input_px"]);
        assert_eq!(found["share"], maps["off_diagonal"]["whole"]);
        assert_eq!(found["arrows"], maps["arrows"]);
        let arrows = found["arrows"].as_array().expect("arrows");
        assert!(!arrows.is_empty());
    }
}
