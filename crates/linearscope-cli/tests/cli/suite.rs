//! `bench --gpu-suite`, on the CPU and on networks of a few thousand weights.

use serde_json::Value;

use crate::folder::Folder;

/// Widths and sizes over 32, and few rounds.
const SMALL: [&str; 6] = ["bench", "--gpu-suite", "--scale", "32", "--rounds", "2"];

fn json_lines(text: &str) -> Vec<Value> {
    let line = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    text.lines().map(line).collect()
}

#[test]
fn every_row_is_a_line_of_json() {
    let folder = Folder::new();
    let lines = json_lines(&folder.ok(&[&SMALL[..], &["--json"]].concat()));
    let [header, rows @ ..] = &lines[..] else {
        panic!("no lines")
    };
    assert_eq!(header["row"], "suite");
    for (key, value) in [("schema", 2), ("scale", 32), ("rounds", 2)] {
        assert_eq!(header[key], value, "{header}");
    }
    assert_eq!(header["device"], "cpu");
    let of_an_operator = [
        "load", "freeze", "forward", "replay", "adjoint", "rows", "svd",
    ];
    let mut expected = vec![(None, "peak")];
    for (network, measures) in [
        ("squeezenet1.1", &of_an_operator[..]),
        ("cyclegan_9_blocks", &of_an_operator),
        ("vgg19", &["load", "freeze", "forward", "votes"]),
        ("edsr_32x256_x4", &of_an_operator),
    ] {
        expected.extend(measures.iter().map(|measure| (Some(network), *measure)));
    }
    let there: Vec<(Option<&str>, &str)> = rows
        .iter()
        .map(|row| {
            (
                row["network"].as_str(),
                row["row"].as_str().expect("a name"),
            )
        })
        .collect();
    assert_eq!(there, expected);
    for row in rows {
        assert_eq!(row["status"], "ok", "{row}");
        let ms = row["ms"].as_f64();
        assert!(ms.is_some_and(|ms| ms > 0.0), "{row}");
        let key = match row["row"].as_str().expect("a name") {
            "forward" | "replay" | "adjoint" => "peak_share",
            "rows" => "rows_per_second",
            "votes" => "extrapolated_seconds",
            _ => continue,
        };
        assert!(row[key].as_f64().is_some_and(|v| v > 0.0), "{row}");
    }
}

#[test]
fn a_table_says_what_ran_out_of_time() {
    let folder = Folder::new();
    let out = folder.ok(&[&SMALL[..], &["--row-limit", "0"]].concat());
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 1 + 26 + 1, "{out}");
    assert!(
        lines[0].contains("cpu (dispatch<flex>), f32 · widths and sizes over 32"),
        "{out}"
    );
    let timed: Vec<&&str> = lines
        .iter()
        .filter(|line| line.contains("out of time: "))
        .collect();
    assert_eq!(timed.len(), 22, "{out}");
    assert!(
        timed[21].starts_with("edsr_32x256_x4     1×3×4×4      svd"),
        "{out}"
    );
    assert_eq!(lines[27], "4 of 26 rows measured");
}

#[test]
fn what_means_nothing_with_it_is_refused_by_name() {
    let folder = Folder::new();
    let suite = ["bench", "--gpu-suite"];
    for flags in [
        &["net.onnx"][..],
        &["--shape", "1,3,8,8"],
        &["-k", "4"],
        &["--dtype", "f64"],
        &["--nodes"],
        &["--output", "all"],
        &["--set", "x=1"],
        &["--layout", "channels-last"],
    ] {
        let error = folder.fails(2, &[&suite[..], flags].concat());
        let named = flags[0].replace("net.onnx", "[MODEL]");
        assert!(error.contains("cannot be used with"), "{error}");
        assert!(error.contains(&named), "{flags:?}: {error}");
    }
    for (flags, word) in [
        (["--scale", "0"], "--scale 0"),
        (["--rounds", "0"], "--rounds 0"),
        (
            ["--row-limit", "inf"],
            "--row-limit inf is not a valid time",
        ),
        (
            ["--row-limit", "NaN"],
            "--row-limit NaN is not a valid time",
        ),
        (["--device", "abacus"], "device \"abacus\""),
    ] {
        let error = folder.fails(2, &[&suite[..], &flags].concat());
        assert!(error.contains(word), "{flags:?}: {error}");
    }
    // And the other way round.
    let error = folder.fails(2, &["bench"]);
    assert!(error.contains("<MODEL>"), "{error}");
    for flags in [["--scale", "2"], ["--row-limit", "3"]] {
        let error = folder.fails(2, &[&["bench", "net.onnx"][..], &flags].concat());
        assert!(error.contains("--gpu-suite"), "{error}");
    }
}

/// Ctrl-C, as a terminal sends it, once two rows are written: what is there stays, whole lines, and the exit code says why.
#[cfg(unix)]
#[test]
fn an_interrupted_suite_keeps_its_rows() {
    use std::{
        io::{BufRead, BufReader, Read},
        process::{Command, Stdio},
    };

    let folder = Folder::new();
    let mut program = folder
        .command()
        // At a fourth of their widths the networks take long enough to be interrupted.
        .args(["bench", "--gpu-suite", "--scale", "4", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = BufReader::new(program.stdout.take().expect("piped"));
    let mut text = String::new();
    for _ in 0..3 {
        out.read_line(&mut text).expect("a line");
    }
    let sent = Command::new("kill")
        .args(["-INT", &program.id().to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
    out.read_to_string(&mut text).expect("the rest");
    let output = program.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("interrupted while measuring the device, at "),
        "{error}"
    );
    let lines = json_lines(&text);
    assert!((3..27).contains(&lines.len()), "{text}");
    assert!(lines[1..].iter().all(|row| row["status"] == "ok"), "{text}");
}
