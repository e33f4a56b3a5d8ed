//! `explore`: the server behind the page, as a process.

mod exported;
mod guard;
mod hostile;
mod jobs;
mod numbers;

use std::fs;

use linearscope_test_support::server::{Response, Server};
use serde_json::Value;

use crate::folder::{Folder, ops, ops_input, picture, scene, sr, vgg};

/// The explorer of a network at a picture, at any free port.
fn explore(folder: &Folder, model: &str, input: &str, more: &[&str]) -> Server {
    let mut command = folder.command();
    command
        .args(["explore", model, "--input", input, "--no-open"])
        .args(more);
    if !more.contains(&"--port") {
        command.args(["--port", "0"]);
    }
    Server::start(&mut command)
}

/// The shape of an `.npy` and the bytes of its numbers.
fn npy(bytes: &[u8]) -> (Vec<usize>, Vec<u8>) {
    let file = npyz::NpyFile::new(bytes).expect("an npy");
    let shape: Vec<usize> = file.shape().iter().map(|&d| d as usize).collect();
    let order = format!("{:?}", file.order());
    assert_eq!(order, "C");
    let size = shape.iter().product::<usize>() * file.dtype().num_bytes().expect("of one type");
    (shape, bytes[bytes.len() - size..].to_vec())
}

/// An array of the server, put back into the whole that its window was cut from.
fn whole(response: &Response) -> Vec<u8> {
    let (shape, numbers) = npy(&response.body);
    let read = |name: &str| -> Option<Vec<usize>> {
        let header = response.header(name)?;
        Some(
            header
                .split(',')
                .map(|n| n.parse().expect("a number"))
                .collect(),
        )
    };
    let (Some(full), Some(window)) = (read("linearscope-full"), read("linearscope-window")) else {
        return numbers;
    };
    let (&[c, h, w], &[y, x, rows, columns]) = (&full[..], &window[..]) else {
        panic!("{full:?} {window:?}");
    };
    assert_eq!(shape, [c, rows, columns]);
    let each = if numbers.is_empty() {
        4
    } else {
        numbers.len() / (c * rows * columns)
    };
    let mut all = vec![0; c * h * w * each];
    for line in 0..c * rows {
        let to = ((line / rows * h + y + line % rows) * w + x) * each;
        let from = line * columns * each;
        all[to..to + columns * each].copy_from_slice(&numbers[from..from + columns * each]);
    }
    all
}

/// The numbers of a file that a command wrote.
fn written(folder: &Folder, file: &str) -> Vec<u8> {
    npy(&fs::read(folder.path(file)).unwrap_or_else(|e| panic!("{file}: {e}"))).1
}

/// What the server says is what the command writes, bit by bit.
fn same(server: &Server, path: &str, folder: &Folder, file: &str) {
    let (got, expected) = (whole(&server.ok(path)), written(folder, file));
    assert_eq!(got.len(), expected.len(), "{path} and {file}");
    let differing = got.iter().zip(&expected).filter(|(a, b)| a != b).count();
    assert_eq!(differing, 0, "bytes of {path} that differ from {file}");
    assert!(
        got.iter().any(|byte| *byte != 0),
        "{path}: nothing but zeros"
    );
}

#[test]
fn rows_and_columns_are_those_of_the_commands() {
    let folder = Folder::new();
    for (model, input, more, rows, columns) in [
        (
            sr(),
            picture(),
            &[][..],
            &["all,20,31", "0,0,0"][..],
            &["all,10,15", "0,0,3"][..],
        ),
        (
            sr(),
            picture(),
            &["--dtype", "f64"],
            &["0,47,47"],
            &["all,23,0"],
        ),
        (ops(), ops_input(), &[], &["3"], &["1,4,5"]),
    ] {
        let server = explore(&folder, &model, &input, more);
        let common = [&[&model, "--input", &input][..], more].concat();
        let run = |command: &str, flag: &str, at: &str| {
            folder.ok(&[&[command], &common[..], &[flag, at, "--out", "out"]].concat());
        };
        for at in rows {
            run("row", "--target", at);
            same(
                &server,
                &format!("/api/row?at={at}"),
                &folder,
                "out/row.npy",
            );
            fs::remove_dir_all(folder.path("out")).expect("removed");
        }
        for at in columns {
            run("column", "--at", at);
            same(
                &server,
                &format!("/api/column?at={at}"),
                &folder,
                "out/column.npy",
            );
            fs::remove_dir_all(folder.path("out")).expect("removed");
        }
        folder.ok(&[&["run"], &common[..], &["--out", "out"]].concat());
        same(&server, "/api/array/y0", &folder, "out/output.npy");
        same(&server, "/api/array/residual", &folder, "out/residual.npy");
        same(&server, "/api/array/x0", &folder, "out/x0.npy");
        fs::remove_dir_all(folder.path("out")).expect("removed");
    }
}

#[test]
fn a_region_is_the_sum_of_its_places() {
    let folder = Folder::new();
    let (model, input) = (sr(), picture());
    let server = explore(&folder, &model, &input, &[]);
    let region = server.ok("/api/row?c=all&region=10,12,13,20");
    assert_eq!(region.body, server.ok("/api/row?at=all,10..13,12..20").body);
    folder.ok(&[
        "row",
        &model,
        "--input",
        &input,
        "--target",
        "all,10..13,12..20",
        "--out",
        "out",
    ]);
    same(
        &server,
        "/api/row?c=all&region=10,12,13,20",
        &folder,
        "out/row.npy",
    );
}

#[test]
fn scores_are_taken_apart_as_the_commands_do() {
    let folder = Folder::new();
    let (model, input) = (vgg(), scene());
    let server = explore(&folder, &model, &input, &[]);
    let run = |command: &str, more: &[&str]| {
        folder.ok(&[
            &[command, &model, "--input", &input, "--out", command],
            more,
        ]
        .concat());
    };
    for method in [
        "conserving",
        "integrated-gradients",
        "grad-cam",
        "lrp-epsilon-plus",
        "occlusion",
    ] {
        run("attribute", &["--method", method, "--target", "1"]);
        let path = format!("/api/attribution?target=1&method={method}");
        same(&server, &path, &folder, "attribute/attribution.npy");
        let said = server.ok(&path);
        let line = &folder.json("attribute/attributions.json")[0];
        for (header, column) in [("linearscope-score", "score"), ("linearscope-sum", "sum")] {
            let number: f64 = said
                .header(header)
                .and_then(|n| n.parse().ok())
                .expect(header);
            assert_eq!(Some(number), line[column].as_f64(), "{method}: {column}");
        }
    }
    run("contributions", &["--target", "1"]);
    let said = server.ok("/api/contributions?target=1").json();
    assert_eq!(
        said["layers"],
        folder.json("contributions/contributions.json")
    );
    assert_eq!(said["target"], "1");
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let words = bytes.chunks(4);
    words
        .map(|word| f32::from_le_bytes(word.try_into().expect("four")).into())
        .collect()
}

#[test]
fn other_rules_and_other_ends_are_those_of_the_flags() {
    let folder = Folder::new();
    let (model, input) = (ops(), ops_input());
    let server = explore(&folder, &model, &input, &[]);
    for rules in ["taylor", "paper"] {
        folder.ok(&[
            "row", &model, "--input", &input, "--rules", rules, "--target", "2", "--out", rules,
        ]);
        let path = format!("/api/row?at=2&rules={rules}");
        same(&server, &path, &folder, &format!("{rules}/row.npy"));
    }
    let session = server.ok("/api/session").json();
    let nodes = session["nets"][0]["nodes"]
        .as_array()
        .expect("a list")
        .clone();
    let node = nodes[nodes.len() / 2].as_str().expect("a name");
    let there = server.ok(&format!("/api/session?to={node}")).json();
    let shape: Vec<u64> =
        serde_json::from_value(there["nets"][0]["output_shape"].clone()).expect("a shape");
    let at = vec!["0"; shape.len()].join(",");
    folder.ok(&[
        "row", &model, "--input", &input, "--output", node, "--target", &at, "--out", "to",
    ]);
    same(
        &server,
        &format!("/api/row?at={at}&to={node}"),
        &folder,
        "to/row.npy",
    );
}

#[test]
fn the_session_says_what_there_is() {
    let folder = Folder::new();
    let (model, input) = (vgg(), scene());
    let server = explore(&folder, &model, &input, &[]);
    let session = server.ok("/api/session").json();
    let net = &session["nets"][0];
    assert_eq!(net["task"], "classifier");
    assert_eq!(net["input_is_picture"], true);
    assert_eq!(net["output_is_picture"], false);
    assert_eq!(net["panels"]["votes"], true);
    assert!(
        net["panels"]["fields"]
            .as_str()
            .is_some_and(|why| why.contains("scores"))
    );
    let scores = net["scores"].as_array().expect("scores");
    let best = &net["top"][0];
    assert_eq!(scores[best[0].as_u64().expect("a class") as usize], best[1]);
    assert!(net["certificate"]["exactness"].as_f64().expect("a number") < 1e-4);
    assert_eq!(
        session["stops"],
        serde_json::json!([
            [5, 48, 97],
            [67, 147, 195],
            [255, 255, 255],
            [214, 96, 77],
            [103, 0, 31]
        ])
    );
    // The commands can be typed as they are.
    let line = session["commands"]["row"]
        .as_str()
        .expect("a line")
        .replace("{at}", "1");
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    folder.ok(&[&words[..], &["--out", "typed"]].concat());
    same(&server, "/api/row?at=1", &folder, "typed/row.npy");
    assert!(
        server
            .ok("/api/picture/x0.png")
            .body
            .starts_with(b"\x89PNG")
    );
    assert_eq!(server.get("/api/picture/y0.png").status, 404);
    let upscaler = explore(&folder, &sr(), &picture(), &[]);
    let net = upscaler.ok("/api/session").json()["nets"][0].clone();
    assert_eq!(
        (&net["task"], &net["scale"]),
        (&Value::from("super_resolution"), &Value::from(2.0))
    );
    assert!(
        upscaler
            .ok("/api/picture/y0.png")
            .body
            .starts_with(b"\x89PNG")
    );
}

#[test]
fn two_pictures_stand_beside_each_other() {
    let folder = Folder::new();
    let (model, input) = (ops(), ops_input());
    let other = folder.write_npy("other.npy", &crate::folder::noise(429), &[1, 3, 11, 13]);
    let server = explore(&folder, &model, &input, &["--compare-input", &other]);
    assert_eq!(
        server.ok("/api/session").json()["nets"]
            .as_array()
            .expect("nets")
            .len(),
        2
    );
    for (net, input) in [("0", &input), ("1", &other)] {
        folder.ok(&[
            "row", &model, "--input", input, "--target", "2", "--out", net,
        ]);
        let path = format!("/api/row?at=2&net={net}");
        same(&server, &path, &folder, &format!("{net}/row.npy"));
    }
    assert_eq!(server.get("/api/row?at=2&net=2").status, 404);
    // From one to the other: exact at x₀.
    let both = floats(&npy(&server.ok("/api/along?towards=other&t=0").body).1);
    let (f, read) = both.split_at(both.len() / 2);
    assert!(crate::folder::close(f, read, 1e-5));
}

/// Two freezings that are compared are of the same file.
#[test]
fn a_picture_that_changed_meanwhile_is_noticed() {
    let folder = Folder::new();
    let input = folder.write_npy("x.npy", &crate::folder::noise(429), &[1, 3, 11, 13]);
    let server = explore(&folder, &ops(), &input, &[]);
    server.ok("/api/row?at=2&rules=taylor");
    folder.write_npy("x.npy", &[0.5; 429], &[1, 3, 11, 13]);
    let refused = server.get("/api/row?at=2&rules=std-only");
    assert_eq!(refused.status, 409, "{}", refused.text());
    // What is frozen already is not touched by it.
    server.ok("/api/row?at=1&rules=taylor");
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    let folder = Folder::new();
    let server = explore(&folder, &sr(), &picture(), &[]);
    for (path, status) in [
        ("/api/row", 400),
        ("/api/row?at=all,1", 400),
        ("/api/row?at=0,99999,0", 400),
        ("/api/row?at=-1,0,0", 400),
        ("/api/row?at=NaN,0,0", 400),
        ("/api/row?at=0,0,0&at=0,1,1", 400),
        ("/api/row?at=0,0,0&file=/etc/passwd", 400),
        ("/api/row?at=0,0,0&rules=rules.toml", 400),
        ("/api/row?at=0,0,0&to=nowhere", 404),
        ("/api/row?c=all&region=5,5,5,5", 400),
        ("/api/row?c=all&region=0,0,1e9,1", 400),
        ("/api/attribution?baseline=/etc/passwd", 400),
        ("/api/attribution?method=magic", 400),
        ("/api/votes/map", 409),
        ("/api/svd/u?k=4&i=0", 409),
        ("/api/svd?k=0", 400),
        ("/api/svd?k=1000000", 400),
        ("/api/attack?eps=NaN", 400),
        ("/api/along?t=inf", 400),
        ("/api/nothing", 404),
        ("/page/../../Cargo.toml", 404),
        ("/page/..%2f..%2fCargo.toml", 404),
        ("/nothing", 404),
    ] {
        let response = server.get(path);
        assert_eq!(response.status, status, "{path}: {}", response.text());
        assert!(response.json()["error"].is_string(), "{path}");
    }
    // Where a place is wrong, its forms are named.
    let hint = server.get("/api/row?at=5").json()["hint"].clone();
    assert!(
        hint.as_str().is_some_and(|hint| hint.contains("c,y,x")),
        "{hint}"
    );
}

#[test]
fn a_browsers_copy_is_good_while_the_session_lasts() {
    let folder = Folder::new();
    let server = explore(&folder, &sr(), &picture(), &[]);
    let first = server.ok("/api/row?at=0,3,3");
    let tag = first.header("etag").expect("a tag").to_string();
    let again = server.get_with("/api/row?at=0,3,3", &[("If-None-Match", &tag)]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    let other = explore(&folder, &sr(), &picture(), &["--rules", "taylor"]);
    let elsewhere = other.get_with("/api/row?at=0,3,3", &[("If-None-Match", &tag)]);
    assert_eq!(elsewhere.status, 200);
}

#[test]
fn ctrl_c_ends_it_and_a_port_in_use_says_which_is_free() {
    let folder = Folder::new();
    let mut server = explore(&folder, &sr(), &picture(), &[]);
    let port = server.at.port().to_string();
    let (model, input) = (sr(), picture());
    let arguments = [
        "explore",
        &model,
        "--input",
        &input,
        "--no-open",
        "--port",
        &port,
    ];
    let said = folder.fails(2, &arguments);
    assert!(said.contains("another program is using it"), "{said}");
    assert!(said.contains("--port "), "{said}");
    assert_eq!(server.interrupt(), Some(130));
    // The port is free again: a link survives.
    let again = explore(&folder, &model, &input, &["--port", &port]);
    assert_eq!(again.at.port().to_string(), port);
}
