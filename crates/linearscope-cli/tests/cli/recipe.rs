//! How a picture becomes x₀.

use std::fs;

use serde_json::Value;

use crate::{
    folder::{Folder, ops, ops_input, picture, scene, sr, text, vgg},
    report::commands,
};

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
    // Only a file that does not exist counts as none, for arrays too.
    fs::remove_file(folder.path("net.toml")).unwrap();
    fs::create_dir(folder.path("net.toml")).unwrap();
    let array = folder.write_npy("x.npy", &[0.5; 64], &[1, 1, 8, 8]);
    for input in [picture(), array] {
        let error = folder.fails(2, &["run", "net.onnx", "--input", &input]);
        assert!(
            error.contains("net.toml: ") && error.contains("hint: "),
            "{error}"
        );
    }
}

/// A part that means nothing is named as it was said: as a flag, or as a key of the file.
#[test]
fn a_part_is_named_as_it_was_said() {
    let folder = Folder::new();
    fs::copy(sr(), folder.path("net.onnx")).unwrap();
    fs::write(
        folder.path("net.toml"),
        "mean = [0.1, 0.2, 0.3]\ncrop = 16\n",
    )
    .unwrap();
    let input = picture();
    let base = ["run", "net.onnx", "--input", &input];
    let error = folder.fails(2, &base);
    let said = "net.toml: mean: has 3 values, but the network takes 1 channel";
    assert!(error.contains(said), "{error}");
    for (flags, said) in [
        (&["--mean", "1,2"][..], "error: --mean: has 2 values"),
        (
            &["--mean", "0", "--resize", "8"],
            "net.toml: crop: 16 is larger than resize 8",
        ),
        (
            &["--mean", "0", "--resize", "8", "--crop", "9"],
            "error: --crop: 9 is larger than resize 8",
        ),
        (
            &["--mean", "0", "--channels", "rgb"],
            "error: --channels: rgb makes 3",
        ),
        (&["--crop", "3x"], "'--crop <N|HxW>': 3x is not a size"),
    ] {
        let error = folder.fails(2, &[&base[..], flags].concat());
        assert!(error.contains(said), "{flags:?}: {error}");
    }
    let flags = [
        "--mean",
        "0",
        "--resize",
        "20",
        "--interpolation",
        "bicubic",
    ];
    let out = folder.ok(&[&base[..], &flags, &["--json"]].concat());
    let manifest: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(manifest["recipe"]["interpolation"], "bicubic");
    assert_eq!(manifest["recipe"]["from"]["interpolation"], "flag");
}

/// What nobody says is guessed from the network's input; who said what is told.
#[test]
fn the_recipe_is_guessed_where_nobody_says_it() {
    let folder = Folder::new();
    fs::copy(sr(), folder.path("net.onnx")).unwrap();
    fs::write(folder.path("net.toml"), "range = 255\n").unwrap();
    let args = ["run", "net.onnx", "--input", &picture(), "--out", "o"];
    let output = folder.run(&[&args[..], &["--mean", "0.5"]].concat());
    let told = text(&output.stderr);
    let line = told
        .lines()
        .find(|line| line.contains("recipe:"))
        .expect("a line");
    for part in [
        "channels y (inferred from the network's input)",
        "range 255 (file)",
        "mean 0.5 (flag)",
        "std 1 (default)",
    ] {
        assert!(line.contains(part), "{line}");
    }
    let manifest = folder.json("o/manifest.json");
    let from = &manifest["recipe"]["from"];
    assert_eq!(from["channels"], "guess");
    assert_eq!(
        (&from["range"], &from["mean"]),
        (&"file".into(), &"flag".into())
    );
    // An input of any size keeps the picture's; an .npy has no recipe to tell.
    assert_eq!(from["resize"], Value::Null);

    // A network of one size, not square: resized to it, nothing lost.
    folder.ok(&["run", &ops(), "--input", &picture(), "--out", "o"]);
    let manifest = folder.json("o/manifest.json");
    assert_eq!(
        manifest["input"]["shape"],
        serde_json::json!([1, 3, 11, 13])
    );
    assert_eq!(manifest["recipe"]["resize"], "11x13");
    assert_eq!(manifest["recipe"]["from"]["resize"], "guess");
    // A square one: the shorter side, then the middle.
    use onnx_ir::{Message, ModelProto};
    let mut model = ModelProto::parse_from_bytes(&fs::read(sr()).unwrap()).unwrap();
    let kind = model.graph.mut_or_insert_default().input[0]
        .type_
        .mut_or_insert_default();
    let dims = &mut kind.mut_tensor_type().shape.mut_or_insert_default().dim;
    dims[2].set_dim_value(16);
    dims[3].set_dim_value(16);
    fs::write(folder.path("square.onnx"), model.write_to_bytes().unwrap()).unwrap();
    let made = image::ImageReader::open(picture())
        .unwrap()
        .decode()
        .unwrap();
    made.crop_imm(0, 0, 40, 20)
        .save(folder.path("wide.png"))
        .unwrap();
    folder.ok(&["run", "square.onnx", "--input", "wide.png", "--out", "w"]);
    let manifest = folder.json("w/manifest.json");
    assert_eq!(
        manifest["input"]["shape"],
        serde_json::json!([1, 1, 16, 16])
    );
    let recipe = &manifest["recipe"];
    assert_eq!(
        (&recipe["resize"], &recipe["crop"]),
        (&"16".into(), &"16".into())
    );
    // A graph that convolves without transposing has channels first, whatever its sizes look like.
    let kind = model.graph.mut_or_insert_default().input[0]
        .type_
        .mut_or_insert_default();
    let dims = &mut kind.mut_tensor_type().shape.mut_or_insert_default().dim;
    dims[1].set_dim_value(16);
    dims[3].set_dim_value(3);
    fs::write(folder.path("last.onnx"), model.write_to_bytes().unwrap()).unwrap();
    let error = folder.fails(2, &["run", "last.onnx", "--input", "wide.png"]);
    assert!(error.contains("16"), "{error}");
    // A flag of either kind ends the guessing.
    let error = folder.fails(
        2,
        &["run", "square.onnx", "--input", "wide.png", "--crop", "20"],
    );
    assert!(error.contains("[1, 1, 20, 20]"), "{error}");
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
        ("--resize", "0"),
        ("--interpolation", "nearest"),
    ] {
        let error = folder.fails(2, &[&base[..], &[flag, value]].concat());
        assert!(error.contains(flag), "{flag} {value}: {error}");
    }
}

/// What looks like a mistake is said, and computed all the same.
#[test]
fn doubtful_recipes_are_noticed() {
    let folder = Folder::new();
    let (vgg, scene) = (vgg(), scene());
    std::fs::write(folder.path("many.txt"), "thing\n".repeat(1000)).expect("written");
    let notices = |more: &[&str]| {
        let args = [&["run", &vgg, "--input", &scene, "--out", "o"], more].concat();
        let out = folder.run(&args);
        assert!(out.status.success(), "{}", text(&out.stderr));
        text(&out.stderr)
    };
    assert!(notices(&["--mean", "123,117,104"]).contains("--range 255"));
    assert!(notices(&["--std", "58,57,57"]).contains("nearly flat"));
    assert!(notices(&["--range", "255"]).contains("--range 1"));
    assert!(notices(&["--labels", "many.txt"]).contains("1000 labels for 8 classes"));
    let usual = notices(&[]);
    assert!(
        !usual.contains("usually used with") && !usual.contains("labels for"),
        "{usual}"
    );
    let args = [
        "run",
        &ops(),
        "--input",
        &ops_input(),
        "--mean",
        "0.5",
        "--crop",
        "4",
    ];
    let told = text(&folder.run(&args).stderr);
    assert!(told.contains("--mean, --crop: no effect"), "{told}");
}

/// A picture whose header asks for more than the limit is refused with the flag that raises it, which then does: by
/// bytes, however many pixels those are.
#[test]
fn a_flag_raises_the_limit_of_what_is_read() {
    let folder = Folder::new();
    let read = |input: &str, more: &[&str]| {
        let run = [
            "run",
            &sr(),
            "--input",
            input,
            "--resize",
            "8",
            "--crop",
            "8",
            "--out",
            "o",
        ];
        let run = folder.run(&[&run[..], more].concat());
        (run.status.code(), text(&run.stderr))
    };
    // 20 000 × 20 000 pixels in a header, and no more: what passes it is damaged.
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8], data: &[u8]| {
        png.extend((data.len() as u32).to_be_bytes());
        let body = [kind, data].concat();
        let crc = body.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
            })
        });
        png.extend(body);
        png.extend((!crc).to_be_bytes());
    };
    let side = 20_000u32.to_be_bytes();
    chunk(b"IHDR", &[&side[..], &side, &[8, 2, 0, 0, 0]].concat());
    chunk(b"IDAT", &[]);
    chunk(b"IEND", &[]);
    fs::write(folder.path("large.png"), png).unwrap();
    let (code, said) = read("large.png", &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("400.0 megapixels") && said.contains("--max-input 1.7"),
        "{said}"
    );
    let (code, said) = read("large.png", &["--max-input", "1"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("takes 1.20 GB") && said.contains("--max-input 1.3"),
        "{said}"
    );
    let (_, said) = read("large.png", &["--max-input", "1.3"]);
    assert!(
        said.contains("damaged PNG") && !said.contains("--max-input"),
        "{said}"
    );
    // Lowered, it is a limit as well: of pictures, arrays, probes and references.
    let small = ["--max-input", "0.0001"];
    let (code, said) = read(&picture(), &small);
    assert_eq!(code, Some(0), "{said}");
    let array = folder.write_npy("x.npy", &[0.5; 20_000], &[1, 1, 100, 200]);
    let (code, said) = read(&array, &small);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("x.npy: takes") && said.contains("--max-input 0.1"),
        "{said}"
    );
    let probe = ["project", &sr(), "--input", &picture(), "--probe", &array];
    let error = folder.fails(2, &[&probe[..], &small].concat());
    assert!(error.contains("x.npy: takes"), "{error}");
    let verify = [
        "verify",
        &sr(),
        "--input",
        &picture(),
        "--reference",
        &array,
    ];
    let error = folder.fails(2, &[&verify[..], &small].concat());
    assert!(error.contains("x.npy: takes"), "{error}");
    for wrong in ["0", "-3", "inf"] {
        let (code, said) = read(&picture(), &["--max-input", wrong]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("is not a valid amount of memory"), "{said}");
    }
}
