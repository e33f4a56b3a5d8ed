//! The program as a process, each test in a folder of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets")
}

fn ops() -> String {
    assets()
        .join("tiny_ops/tiny_ops.onnx")
        .display()
        .to_string()
}

fn sr() -> String {
    assets().join("tiny_sr/tiny_sr.onnx").display().to_string()
}

fn ops_input() -> String {
    assets().join("tiny_ops/input.npy").display().to_string()
}

fn picture() -> String {
    assets().join("tiny_sr/input.png").display().to_string()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_linearscope"))
            .args(args)
            .current_dir(self.0.path())
            .output()
            .expect("the program starts")
    }

    /// Run and insist on success; stdout.
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{args:?}: {err}");
        out
    }

    /// Run and insist on an exit code; stderr, which must be `error:` and no panic.
    fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {err}");
        assert!(err.starts_with("error: "), "{err}");
        assert!(!err.contains("panicked"), "{err}");
        err
    }

    fn npy(&self, name: &str) -> (Vec<f64>, Vec<usize>) {
        let bytes = fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let file = npyz::NpyFile::new(&bytes[..]).expect("an npy");
        let shape = file.shape().iter().map(|&d| d as usize).collect();
        let values = match file.dtype().descr().contains("f8") {
            true => file.into_vec::<f64>().expect("f8"),
            false => file
                .into_vec::<f32>()
                .expect("f4")
                .into_iter()
                .map(f64::from)
                .collect(),
        };
        (values, shape)
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).expect(name)).expect("JSON")
    }

    fn write_npy(&self, name: &str, values: &[f32], shape: &[u64]) -> String {
        use npyz::WriterBuilder;
        let mut bytes = Vec::new();
        let options = npyz::WriteOptions::new().default_dtype().shape(shape);
        let mut writer = options.writer(&mut bytes).begin_nd().expect("npy");
        writer.extend(values.iter().copied()).expect("npy");
        writer.finish().expect("npy");
        fs::write(self.path(name), bytes).expect("written");
        self.path(name).display().to_string()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn close(a: &[f64], b: &[f64], limit: f64) -> bool {
    let gap: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    let scale: f64 = b.iter().map(|b| b * b).sum();
    a.len() == b.len() && gap.sqrt() <= limit * scale.sqrt()
}

#[test]
fn run_writes_output_residual_pictures_and_manifest() {
    let folder = Folder::new();
    let out = folder.ok(&["run", &sr(), "--input", &picture(), "--out", "o"]);
    assert!(out.contains("certificate (f32)"), "{out}");
    let (_, shape) = folder.npy("o/output.npy");
    assert_eq!(shape, [1, 1, 96, 96]);
    assert_eq!(folder.npy("o/residual.npy").1, [1, 1, 96, 96]);
    for name in ["output.png", "residual.png"] {
        assert!(
            fs::read(folder.path(&format!("o/{name}")))
                .expect(name)
                .starts_with(b"\x89PNG")
        );
    }
    let manifest = folder.json("o/manifest.json");
    assert_eq!(manifest["schema"], 1);
    assert_eq!(manifest["command"], "run");
    // 16·(25 + 1) + 16·(16·9 + 1) + 4·(16·9 + 1): every weight once.
    assert_eq!(manifest["model"]["parameters"], 3316);
    assert_eq!(manifest["recipe"]["channels"], "y");
    assert_eq!(manifest["model"]["sha256"].as_str().map(str::len), Some(64));
    assert!(manifest["certificate"]["exactness"].as_f64().unwrap() < 1e-4);
    for key in ["backend", "device", "dtype", "arithmetic", "rules"] {
        assert!(manifest[key].is_string(), "{key}");
    }
}

#[test]
fn json_goes_to_stdout_alone() {
    let folder = Folder::new();
    let out = folder.ok(&[
        "run",
        &ops(),
        "--input",
        &ops_input(),
        "--json",
        "--dtype",
        "f64",
    ]);
    let printed: Value = serde_json::from_str(&out).expect("stdout is JSON");
    assert_eq!(printed, folder.json("linearscope-out/manifest.json"));
    assert_eq!(printed["dtype"], "f64");
    assert!(printed["certificate"]["adjoint"].as_f64().unwrap() < 1e-10);
    assert_eq!(printed["top"][0]["class"], 0);
}

/// row · x₀ + r = y, column k of F is what projecting δₖ gives, and backprojecting δ is the row.
#[test]
fn rows_columns_and_projections_agree() {
    let folder = Folder::new();
    let (model, input) = (ops(), ops_input());
    let common = |command: &'static str| vec![command, &model, "--input", &input, "--dtype", "f64"];
    let run = |command: &'static str, more: &[&str]| {
        folder.ok(&[common(command), more.to_vec()].concat())
    };
    run("run", &["--out", "run"]);
    run("row", &["--at", "3", "--out", "row"]);
    run("column", &["--at", "1,4,5", "--out", "column"]);
    let mut delta = vec![0f32; 429];
    delta[143 + 4 * 13 + 5] = 1.0;
    let delta = folder.write_npy("delta.npy", &delta, &[1, 3, 11, 13]);
    run("project", &["--probe", &delta, "--out", "project"]);
    let picked = folder.write_npy("picked.npy", &[0.0, 0.0, 0.0, 1.0, 0.0], &[1, 5]);
    run("backproject", &["--output", &picked, "--out", "back"]);
    run("project", &["--probe", &input, "--out", "self"]);

    let (output, _) = folder.npy("run/output.npy");
    let (residual, _) = folder.npy("run/residual.npy");
    let (row, row_shape) = folder.npy("row/row.npy");
    let (column, column_shape) = folder.npy("column/column.npy");
    assert_eq!((row_shape, column_shape), (vec![1, 3, 11, 13], vec![1, 5]));
    let x0: Vec<f64> = {
        let bytes = fs::read(&input).unwrap();
        let file = npyz::NpyFile::new(&bytes[..]).unwrap();
        file.into_vec::<f32>()
            .unwrap()
            .into_iter()
            .map(f64::from)
            .collect()
    };
    let dot: f64 = row.iter().zip(&x0).map(|(r, x)| r * x).sum();
    assert!((dot + residual[3] - output[3]).abs() < 1e-10);
    assert!(close(
        &folder.npy("project/projected.npy").0,
        &column,
        1e-12
    ));
    let affine: Vec<f64> = column.iter().zip(&residual).map(|(c, r)| c + r).collect();
    assert!(close(&folder.npy("project/affine.npy").0, &affine, 1e-12));
    assert!(close(&folder.npy("back/backprojected.npy").0, &row, 1e-12));
    assert!(close(&folder.npy("self/affine.npy").0, &output, 1e-12));
}

#[test]
fn several_places_get_a_leading_axis_and_all_channels_add_up() {
    let folder = Folder::new();
    let (model, input) = (ops(), ops_input());
    let column = |at: &[&str], out: &str| {
        let mut args = vec![
            "column", &model, "--input", &input, "--dtype", "f64", "--out", out,
        ];
        for at in at {
            args.extend(["--at", at]);
        }
        folder.ok(&args);
        folder.npy(&format!("{out}/column.npy"))
    };
    let (three, shape) = column(&["0,2,3", "1,2,3", "2,2,3"], "three");
    assert_eq!(shape, [3, 1, 5]);
    let (all, shape) = column(&["all,2,3"], "all");
    assert_eq!(shape, [1, 5]);
    let sum: Vec<f64> = (0..5)
        .map(|i| three[i] + three[5 + i] + three[10 + i])
        .collect();
    assert!(close(&all, &sum, 1e-12));
}

#[test]
fn sub_networks_go_by_the_files_own_names() {
    let folder = Folder::new();
    let (model, input) = (ops(), ops_input());
    folder.ok(&[
        "project", &model, "--input", &input, "--probe", &input, "--to", "maxpool", "--out",
        "head", "--dtype", "f64",
    ]);
    let (_, shape) = folder.npy("head/projected.npy");
    assert_eq!(shape, [1, 8, 6, 7]);
    let affine = folder.path("head/affine.npy").display().to_string();
    folder.ok(&[
        "project", &model, "--input", &input, "--probe", &affine, "--from", "maxpool", "--out",
        "tail", "--dtype", "f64",
    ]);
    folder.ok(&[
        "run", &model, "--input", &input, "--out", "run", "--dtype", "f64",
    ]);
    assert!(close(
        &folder.npy("tail/affine.npy").0,
        &folder.npy("run/output.npy").0,
        1e-12
    ));
    let error = folder.fails(
        2,
        &[
            "project", &model, "--input", &input, "--probe", &input, "--to", "layer7",
        ],
    );
    assert!(
        error.contains("\"layer7\"") && error.contains("maxpool"),
        "{error}"
    );
}

#[test]
fn contributions_sum_to_the_score() {
    let folder = Folder::new();
    let out = folder.ok(&[
        "contributions",
        &ops(),
        "--input",
        &ops_input(),
        "--out",
        "c",
    ]);
    assert!(out.contains("residual share"), "{out}");
    let layers = folder.json("c/contributions.json");
    let layers = layers.as_array().expect("a list");
    assert_eq!(layers[0]["name"], "input");
    assert_eq!(layers[1]["name"], "conv1");
    let manifest = folder.json("c/manifest.json");
    let score = manifest["contributions"]["score"].as_f64().unwrap();
    let sum: f64 = layers.iter().map(|l| l["value"].as_f64().unwrap()).sum();
    assert!((sum - score).abs() < 1e-4 * score.abs(), "{sum} {score}");
    for layer in layers {
        let share = layer["value"].as_f64().unwrap() / score;
        assert!((layer["share"].as_f64().unwrap() - share).abs() < 1e-12);
    }
    folder.ok(&[
        "contributions",
        &ops(),
        "--input",
        &ops_input(),
        "--target",
        "3",
    ]);
}

#[test]
fn the_recipe_comes_from_the_file_and_flags_override_it() {
    let folder = Folder::new();
    fs::copy(sr(), folder.path("net.onnx")).unwrap();
    fs::write(
        folder.path("net.toml"),
        "range = 1\nmean = [0.25]\nresize = 20\ncrop = \"16x12\"\n",
    )
    .unwrap();
    let out = folder.ok(&["run", "net.onnx", "--input", &picture(), "--json"]);
    let manifest: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        manifest["input"]["shape"],
        serde_json::json!([1, 1, 16, 12])
    );
    assert_eq!(manifest["recipe"]["mean"], serde_json::json!([0.25]));
    let out = folder.ok(&[
        "run",
        "net.onnx",
        "--input",
        &picture(),
        "--json",
        "--mean",
        "0",
        "--crop",
        "8",
    ]);
    let manifest: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(manifest["input"]["shape"], serde_json::json!([1, 1, 8, 8]));
    assert_eq!(manifest["recipe"]["mean"], serde_json::json!([0.0]));
    fs::write(folder.path("net.toml"), "colour = 3\n").unwrap();
    let error = folder.fails(2, &["run", "net.onnx", "--input", &picture()]);
    assert!(
        error.contains("net.toml") && error.contains("colour"),
        "{error}"
    );
}

#[test]
fn bad_models_end_with_2() {
    let folder = Folder::new();
    fs::write(folder.path("text.onnx"), "this is a text file\n").unwrap();
    let error = folder.fails(2, &["run", "text.onnx", "--input", &picture()]);
    assert!(
        error.contains("text.onnx") && error.contains("ONNX"),
        "{error}"
    );
    let whole = fs::read(ops()).unwrap();
    fs::write(folder.path("cut.onnx"), &whole[..whole.len() / 2]).unwrap();
    let error = folder.fails(2, &["run", "cut.onnx", "--input", &ops_input()]);
    assert!(error.contains("cut.onnx"), "{error}");
    fs::write(folder.path("empty.onnx"), "").unwrap();
    folder.fails(2, &["run", "empty.onnx", "--input", &picture()]);
    let error = folder.fails(2, &["run", "absent.onnx", "--input", &picture()]);
    assert!(error.contains("absent.onnx"), "{error}");
}

#[test]
fn bad_inputs_end_with_2_and_name_the_numbers() {
    let folder = Folder::new();
    // A picture for a network of fixed size.
    let error = folder.fails(2, &["run", &ops(), "--input", &picture()]);
    assert!(
        error.contains("[1, 3, 48, 48]") && error.contains("[N, 3, 11, 13]"),
        "{error}"
    );
    let mut values = vec![0.5f32; 429];
    values[100] = f32::NAN;
    let nan = folder.write_npy("nan.npy", &values, &[1, 3, 11, 13]);
    let error = folder.fails(2, &["run", &ops(), "--input", &nan]);
    assert!(
        error.contains("nan.npy") && error.contains("100"),
        "{error}"
    );
    let short = folder.write_npy("short.npy", &[0.0; 6], &[1, 6]);
    let error = folder.fails(2, &["run", &ops(), "--input", &short]);
    assert!(error.contains("[1, 6]"), "{error}");
    let error = folder.fails(2, &["run", &ops(), "--input", "absent.npy"]);
    assert!(error.contains("absent.npy"), "{error}");
    fs::write(folder.path("lies.npy"), b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,)}  \n").unwrap();
    let error = folder.fails(2, &["run", &ops(), "--input", "lies.npy"]);
    assert!(error.contains("lies.npy"), "{error}");
    fs::write(folder.path("broken.png"), b"\x89PNG\r\n\x1a\nrubbish").unwrap();
    let error = folder.fails(2, &["run", &sr(), "--input", "broken.png"]);
    assert!(error.contains("broken.png"), "{error}");
    let error = folder.fails(
        2,
        &["run", &sr(), "--input", &picture(), "--resize", "60000"],
    );
    assert!(error.contains("60000x60000"), "{error}");
    for at in ["5", "-1", "x", "1,2,3"] {
        let at = format!("--at={at}");
        let error = folder.fails(2, &["row", &ops(), "--input", &ops_input(), &at]);
        assert!(
            error.contains("hint: for a tensor of shape [1, 5] give k"),
            "{error}"
        );
    }
    let error = folder.fails(
        2,
        &["column", &ops(), "--input", &ops_input(), "--at", "0,11,0"],
    );
    assert!(
        error.contains("index 11 is outside axis 1, which has 11 entries"),
        "{error}"
    );
}

#[test]
fn an_unwritable_out_ends_with_2_before_anything_is_computed() {
    let folder = Folder::new();
    fs::write(folder.path("file"), "not a folder").unwrap();
    let error = folder.fails(
        2,
        &[
            "run",
            &ops(),
            "--input",
            &ops_input(),
            "--out",
            "file/inside",
        ],
    );
    assert!(
        error.contains("file/inside") && error.contains("nothing was computed"),
        "{error}"
    );
}

/// An op the loader knows but no rule freezes, and one it does not know: 3, with the node's name.
#[test]
fn unsupported_ops_end_with_3() {
    let folder = Folder::new();
    use onnx_ir::{Message, ModelProto};
    let whole = fs::read(ops()).unwrap();
    for (file, op) in [("round.onnx", "Round"), ("unknown.onnx", "Sigmoin")] {
        let mut model = ModelProto::parse_from_bytes(&whole).unwrap();
        for node in &mut model.graph.mut_or_insert_default().node {
            if node.op_type == "Sigmoid" {
                node.op_type = op.into();
            }
        }
        fs::write(folder.path(file), model.write_to_bytes().unwrap()).unwrap();
    }
    let error = folder.fails(3, &["run", "round.onnx", "--input", &ops_input()]);
    assert!(
        error.contains("in node \"sigmoid\" (op float_round)"),
        "{error}"
    );
    let error = folder.fails(3, &["run", "unknown.onnx", "--input", &ops_input()]);
    assert!(error.contains("Sigmoin"), "{error}");
    // A survey lists what is refused, and goes on.
    let seen = folder.ok(&["inspect", "round.onnx"]);
    assert!(
        seen.contains("1 refused") && seen.contains("node \"sigmoid\", Round: no rule yet"),
        "{seen}"
    );
    assert!(seen.contains("cannot be frozen yet"), "{seen}");
    let error = folder.fails(3, &["inspect", "unknown.onnx"]);
    assert!(error.contains("Sigmoin (node \"sigmoid\")"), "{error}");
}

/// The paper asks about scores: a classifier's last softmax is left out, and the program says so.
#[test]
fn a_final_softmax_is_left_out_with_a_notice() {
    use onnx_ir::{Message, ModelProto};
    let folder = Folder::new();
    let vgg = assets().join("vgg/vgg.onnx");
    let mut model = ModelProto::parse_from_bytes(&fs::read(&vgg).unwrap()).unwrap();
    let graph = model.graph.mut_or_insert_default();
    let scores = graph.output[0].name.clone();
    let mut softmax = graph.node.last().unwrap().clone();
    softmax.op_type = "Softmax".into();
    softmax.name = "probabilities".into();
    softmax.attribute.clear();
    softmax.input = vec![scores];
    softmax.output = vec!["p".into()];
    graph.node.push(softmax);
    graph.output[0].name = "p".into();
    fs::write(folder.path("p.onnx"), model.write_to_bytes().unwrap()).unwrap();
    let shape: Vec<u64> = {
        let seen = folder.ok(&["inspect", vgg.to_str().unwrap(), "--json"]);
        let seen: Value = serde_json::from_str(&seen).unwrap();
        let shape = seen["input"]["shape"].as_array().unwrap();
        shape.iter().map(|size| size.as_u64().unwrap()).collect()
    };
    let count = shape.iter().product::<u64>();
    let values: Vec<f32> = (0..count).map(|i| (i % 17) as f32 / 17.0).collect();
    let x = folder.write_npy("x.npy", &values, &shape);
    let run = folder.run(&["run", "p.onnx", "--input", &x, "--out", "p"]);
    let said = text(&run.stderr);
    assert!(run.status.success(), "{said}");
    assert!(
        said.contains("notice: ") && said.contains("\"probabilities\" at the end is left out"),
        "{said}"
    );
    folder.ok(&[
        "run",
        vgg.to_str().unwrap(),
        "--input",
        &x,
        "--out",
        "scores",
    ]);
    assert_eq!(folder.npy("p/output.npy"), folder.npy("scores/output.npy"));
    let left_out = |name: &str| folder.json(name)["final_softmax_left_out"].clone();
    assert_eq!(
        left_out("p/manifest.json"),
        serde_json::json!(["probabilities"])
    );
    assert_eq!(left_out("scores/manifest.json"), serde_json::json!([]));
}

#[test]
fn usage_errors_end_with_2() {
    let folder = Folder::new();
    let output = folder.run(&["run"]);
    assert_eq!(output.status.code(), Some(2));
    let output = folder.run(&["project", &ops(), "--input", &ops_input()]);
    assert_eq!(output.status.code(), Some(2));
}

/// A page for the eyes: every picture inside, nothing fetched, every command shown runs.
fn assert_report(html: &str) {
    assert!(
        !html.contains("http://") && !html.contains("https://") && !html.contains("<script"),
        "the report is offline"
    );
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("@media print"));
    assert!(
        !html.contains('@') || !html.contains("@CHAPTERS@"),
        "a gap of the page is open"
    );
    assert!(html.len() < 10_000_000, "{} bytes", html.len());
    for part in [
        "certificate (f32)",
        "class=\"bars\"",
        "data:image/png;base64,",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

/// The commands a report shows, as arguments.
fn commands(html: &str) -> Vec<Vec<String>> {
    html.split("<code class=\"command\">linearscope ")
        .skip(1)
        .map(|rest| {
            let line = rest.split("</code>").next().expect("a split has a first");
            line.split(' ').map(String::from).collect()
        })
        .collect()
}

#[test]
fn the_demo_ends_in_a_report_whose_commands_run() {
    let folder = Folder::new();
    let out = folder.ok(&["demo", "--out", "d"]);
    assert!(out.contains("report.html"), "{out}");
    let html = fs::read_to_string(folder.path("d/report.html")).unwrap();
    assert_report(&html);
    assert_eq!(html.matches("<section>").count(), 4);
    let commands = commands(&html);
    assert!(commands.len() >= 20, "{commands:?}");
    let mut kinds = std::collections::BTreeSet::new();
    for command in &commands {
        // Each kind of command once is enough.
        if kinds.insert(command[0].clone()) {
            let args: Vec<&str> = command.iter().map(String::as_str).collect();
            folder.ok(&[&args[..], &["--out", "again"]].concat());
        }
    }
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    assert_eq!(kinds, ["column", "contributions", "row", "run", "svd"]);
}

#[test]
fn analyse_recognises_the_task() {
    let folder = Folder::new();
    for (name, model, input, task, words) in [
        (
            "scores",
            ops(),
            ops_input(),
            "classifier",
            "Which layer made it",
        ),
        ("larger", sr(), picture(), "sr", "Where a pixel goes"),
    ] {
        folder.ok(&[
            "analyse", &model, "--input", &input, "--out", name, "-k", "2",
        ]);
        let html = fs::read_to_string(folder.path(&format!("{name}/report.html"))).unwrap();
        assert_report(&html);
        assert!(html.contains(words), "{name}");
        let manifest = folder.json(&format!("{name}/manifest.json"));
        assert_eq!(manifest["task"], task);
        assert!(manifest["svd"]["triplets"].as_array().is_some());
        for file in ["row.npy", "sigma.npy", "contributions.json", "output.npy"] {
            assert!(
                folder.path(&format!("{name}/{file}")).exists(),
                "{name}/{file}"
            );
        }
    }
    let args = [
        "analyse",
        &sr(),
        "--input",
        &picture(),
        "--out",
        "o",
        "-k",
        "2",
    ];
    folder.ok(&[&args[..], &["--task", "i2i"]].concat());
    assert_eq!(folder.json("o/manifest.json")["task"], "i2i");
    // The flags that decide what is computed are in the commands shown.
    folder.ok(&[&args[..], &["--dtype", "f64", "--range", "1"]].concat());
    let html = fs::read_to_string(folder.path("o/report.html")).unwrap();
    assert!(html.contains("--dtype f64 --range 1 -k 2"));
}

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

/// Without --at, rows are chosen: from the strongest edge to the plain; all on one sheet.
#[test]
fn rows_come_as_a_sheet() {
    let folder = Folder::new();
    folder.ok(&["row", &sr(), "--input", &picture(), "--out", "o"]);
    assert_eq!(folder.npy("o/row.npy").1, [6, 1, 1, 48, 48]);
    let manifest = folder.json("o/manifest.json");
    let at = manifest["row_at"].as_array().unwrap();
    assert_eq!(at.len(), 6);
    let files = manifest["files"].as_array().unwrap();
    let sheet = files.iter().find(|file| file["file"] == "row.svg").unwrap();
    // x₀, f(x₀) and six rows; every signed one has its scale, and a window where it is small.
    let panels = sheet["panels"].as_array().unwrap();
    assert_eq!(panels.len(), 8);
    assert!(
        panels[2..]
            .iter()
            .all(|panel| panel["scale"].as_f64().unwrap() > 0.0)
    );
    assert!(
        panels[2..]
            .iter()
            .all(|panel| panel["window"]["h"].as_u64().unwrap() < 20)
    );
    let svg = fs::read_to_string(folder.path("o/row.svg")).unwrap();
    assert_eq!(svg.matches("<image").count(), 8);
    assert!(svg.contains("Rows of F, tiny_sr.onnx"));
    // A second look at the third place gives the third row.
    let third = at[2].as_str().unwrap();
    folder.ok(&[
        "row",
        &sr(),
        "--input",
        &picture(),
        "--out",
        "p",
        "--at",
        third,
    ]);
    let ((six, _), (one, shape)) = (folder.npy("o/row.npy"), folder.npy("p/row.npy"));
    assert_eq!(shape, [1, 1, 48, 48]);
    assert!(close(&one, &six[2 * 48 * 48..3 * 48 * 48], 1e-6));
}

#[test]
fn contributions_come_as_a_chart() {
    let folder = Folder::new();
    folder.ok(&[
        "contributions",
        &ops(),
        "--input",
        &ops_input(),
        "--out",
        "o",
    ]);
    let svg = fs::read_to_string(folder.path("o/contributions.svg")).unwrap();
    assert!(svg.contains("Contributions to output") && svg.contains(">input<"));
    let png = image::open(folder.path("o/contributions.png")).unwrap();
    assert!(png.width() > 700 && png.height() > 100);
}

#[test]
fn inspect_shows_every_op() {
    let folder = Folder::new();
    let text = folder.ok(&["inspect", &sr()]);
    assert!(
        text.contains("it can be frozen") && text.contains("3316 parameters"),
        "{text}"
    );
    let json: Value = serde_json::from_str(&folder.ok(&["inspect", &sr(), "--json"])).unwrap();
    assert_eq!(
        (&json["schema"], &json["can_be_frozen"]),
        (&1.into(), &true.into())
    );
    assert_eq!(json["input"]["shape"], serde_json::json!([1, 1, 64, 64]));
    let ops = json["ops"].as_array().unwrap();
    let of = |node: &str| ops.iter().find(|op| op["node"] == node).unwrap();
    assert_eq!(of("conv1")["role"], "linear");
    assert_eq!(of("conv1")["parameters"], 416);
    // 16 channels of 64×64, each 25 multiply-adds and a bias.
    assert_eq!(of("conv1")["flops"], 16 * 64 * 64 * 51);
    assert_eq!(
        (&of("relu1")["role"], &of("relu1")["rule"]),
        (&"rule".into(), &"slope".into())
    );
    // 5×5, then 3×3, then 3×3.
    for (node, size) in [("conv1", 5), ("relu2", 7), ("conv3", 9)] {
        assert_eq!(of(node)["node_field"]["h"], size, "{node}");
        assert_eq!(of(node)["node_field"]["reaches_the_border"], false);
    }
    let small = folder.ok(&["inspect", &sr(), "--shape", "1,1,8,8", "--json"]);
    let small: Value = serde_json::from_str(&small).unwrap();
    let last = small["ops"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["node_field"]["reaches_the_border"], true);
    let error = folder.fails(2, &["inspect", &sr(), "--shape", "1,3,8,8"]);
    assert!(error.contains("[1, 3, 8, 8]"), "{error}");
}

/// Lists with negative numbers, as the README writes them; and recipes that mean nothing.
#[test]
fn recipe_flags_take_negative_numbers_and_refuse_nonsense() {
    let folder = Folder::new();
    let input = picture();
    let base = ["run", &sr(), "--input", &input, "--out", "o"];
    folder.ok(&[&base[..], &["--output-range", "-1,1", "--mean", "-0.5"]].concat());
    let manifest = folder.json("o/manifest.json");
    assert_eq!(
        manifest["recipe"]["output_range"],
        serde_json::json!([-1.0, 1.0])
    );
    assert_eq!(manifest["recipe"]["mean"], serde_json::json!([-0.5]));
    // What a report shows with such flags runs again.
    let args = ["analyse", &sr(), "--input", &input, "--out", "a", "-k", "1"];
    folder.ok(&[&args[..], &["--output-range", "-1,1", "--mean", "-0.5"]].concat());
    let html = fs::read_to_string(folder.path("a/report.html")).unwrap();
    for command in commands(&html) {
        let args: Vec<&str> = command.iter().map(String::as_str).collect();
        folder.ok(&[&args[..], &["--out", "again"]].concat());
    }
    for (flag, value) in [
        ("--range", "0"),
        ("--range", "nan"),
        ("--mean", "nan"),
        ("--std", "0"),
        ("--output-range", "1,1"),
        ("--output-range", "1"),
    ] {
        let error = folder.fails(2, &[&base[..], &[flag, value]].concat());
        assert!(error.contains(flag), "{flag} {value}: {error}");
    }
}

/// Absurd shapes are refused before anything is allocated.
#[test]
fn absurd_shapes_are_refused() {
    let folder = Folder::new();
    for shape in [
        "1,1,100000,100000",
        "1000000,1,64,64",
        "1,1,0,8",
        "9999999999999,9999999999999,2,2",
    ] {
        let error = folder.fails(2, &["inspect", &sr(), "--shape", shape]);
        assert!(error.contains("2³⁰"), "{shape}: {error}");
    }
}

/// Batches of two have places too.
#[test]
fn places_are_chosen_in_a_batch() {
    let folder = Folder::new();
    let values: Vec<f32> = (0..288).map(|i| (i * 7 % 11) as f32 / 11.0).collect();
    let input = folder.write_npy("two.npy", &values, &[2, 1, 12, 12]);
    folder.ok(&["row", &sr(), "--input", &input, "--out", "o"]);
    assert_eq!(folder.npy("o/row.npy").1, [6, 2, 1, 12, 12]);
    let at = folder.json("o/manifest.json")["row_at"][0].clone();
    folder.ok(&[
        "row",
        &sr(),
        "--input",
        &input,
        "--out",
        "p",
        "--at",
        at.as_str().unwrap(),
    ]);
}

/// Numbers in 0..1 that look random.
fn noise(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (i * 7919 % 1000) as f32 / 1000.0)
        .collect()
}

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
        Command::new(env!("CARGO_BIN_EXE_linearscope"))
            .arg(args(out)[0].clone())
            .arg(sr())
            .args(&args(out)[1..])
            .current_dir(folder.0.path())
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

#[test]
fn bench_says_what_probes_cost() {
    let folder = Folder::new();
    let text = folder.ok(&[
        "bench",
        &sr(),
        "--shape",
        "1,1,16,16",
        "-k",
        "2",
        "--rounds",
        "3",
        "--json",
        "--nodes",
    ]);
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found["schema"], 1);
    for field in [
        "forward_ms",
        "paired_over_forward",
        "replay_over_forward",
        "adjoint_over_forward",
    ] {
        assert!(
            found[field].as_f64().is_some_and(|v| v > 0.0),
            "{field}: {text}"
        );
    }
    assert!(!found["nodes"].as_array().expect("nodes").is_empty());
    folder.fails(2, &["bench", &sr(), "--shape", "1,1,16,16", "-k", "0"]);
}

/// Decisions that do not fit: said, and the results are the same.
#[test]
fn little_memory_is_said_and_works() {
    let folder = Folder::new();
    let args = ["run", &sr(), "--input", &picture(), "--dtype", "f64"];
    folder.ok(&[&args[..], &["--out", "wide"]].concat());
    let little = [&args[..], &["--out", "little", "--max-memory", "0.0000001"]].concat();
    let output = folder.run(&little);
    let err = text(&output.stderr);
    assert!(output.status.success(), "{err}");
    assert!(err.contains("paired mode"), "{err}");
    let (wide, little) = (
        folder.npy("wide/residual.npy"),
        folder.npy("little/residual.npy"),
    );
    assert_eq!(wide.1, little.1);
    for (a, b) in wide.0.iter().zip(&little.0) {
        assert!((a - b).abs() < 1e-11, "{a} and {b}");
    }
    let refused = [&args[..], &["--max-memory", "-1"]].concat();
    assert_eq!(folder.run(&refused).status.code(), Some(2));
}
