//! Files that are not what they say: an error, never a panic, never a wrong network.

mod made;

use std::path::{Path, PathBuf};

use linearscope_onnx::{Error, Model};
use made::{external, float_weight};
use onnx_ir::{Message, ModelProto};

fn bytes() -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../assets/tiny_ops/tiny_ops.onnx"
    );
    std::fs::read(path).expect("an asset")
}

const SHAPE: [usize; 4] = [1, 3, 11, 13];

fn open(bytes: &[u8]) -> Result<(), Error> {
    Model::from_bytes(bytes, "test.onnx")?.network(&[SHAPE.to_vec()])?;
    Ok(())
}

#[test]
fn the_whole_file_opens() {
    open(&bytes()).expect("the asset opens");
}

#[test]
fn text_and_nothing_are_no_models() {
    for junk in [&b""[..], b"hello, world\n", b"\x00\x01\x02", &[0xff; 64]] {
        assert!(matches!(open(junk), Err(Error::NotOnnx { .. })));
    }
}

/// Files that hold networks of other kinds, or stand where one should be: each by its name, with the next step.
#[test]
fn other_files_are_recognised() {
    let tensors = b"{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    let mut safetensors = (tensors.len() as u64).to_le_bytes().to_vec();
    safetensors.extend(tensors);
    for (bytes, what, step) in [
        (&b""[..], "it is empty", "repeat it"),
        (
            b"PK\x03\x04\0\0\x08\x08net/data.pklFB",
            "PyTorch checkpoint",
            "torch.onnx.export",
        ),
        (
            b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
            "Python pickle",
            "torch.onnx.export",
        ),
        (&safetensors, "safetensors", "torch.onnx.export"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "Git LFS",
            "git lfs pull",
        ),
        (
            b"\n<!DOCTYPE html><html>",
            "web page",
            "download the file itself",
        ),
        (b"\x1c\0\0\0TFL3\x14\0", "TensorFlow Lite", "tf2onnx"),
        (b"\x89HDF\r\n\x1a\n\0\0", "HDF5", "tf2onnx"),
        (
            b"PK\x03\x04\x14\0metadata.json{}config.json",
            "Keras",
            "tf2onnx",
        ),
        (
            b"\x08\x01\x12\x10\x0a\x0e\x12\x05serve*\x05NoOp..",
            "SavedModel",
            "tf2onnx",
        ),
        (b"PK\x03\x04\x14\0net.onnx", "zip archive", "unpack"),
        (b"\x1f\x8b\x08\0", "gzip", "gunzip"),
    ] {
        let error = open(bytes).unwrap_err();
        assert!(matches!(error, Error::NotOnnx { .. }), "{error:?}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.hint().expect("a hint").contains(step), "{error:?}");
    }
    let model = bytes();
    let cut = open(&model[..model.len() / 2]).unwrap_err();
    assert!(cut.hint().expect("a hint").contains("again"), "{cut}");
}

/// A name that is not UTF-8 is an error that says so.
#[test]
fn names_that_are_not_utf8() {
    let mut bytes = bytes();
    let at = bytes
        .windows(7)
        .position(|w| w == b"sigmoid")
        .expect("a name");
    bytes[at..at + 2].copy_from_slice(b"\xe4\xf6");
    let error = open(&bytes).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}

/// Cut anywhere, the file is refused; it never opens as something else.
#[test]
fn truncated_files_are_refused() {
    let whole = bytes();
    for cut in (0..whole.len()).step_by(whole.len() / 200) {
        assert!(
            open(&whole[..cut]).is_err(),
            "cut at {cut} of {} opened",
            whole.len()
        );
    }
}

/// A fixed sequence: xorshift.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 16) as usize
}

/// One of: flip a byte, set it to an extreme, cut, repeat a piece, drop a piece, swap two pieces.
fn mutated(whole: &[u8], state: &mut u64) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=next(state) % 3 {
        if bytes.len() < 2 {
            break;
        }
        let at = next(state) % bytes.len();
        let size = (1 + next(state) % 32).min(bytes.len() - at);
        match next(state) % 6 {
            0 => bytes[at] ^= 1 << (next(state) % 8),
            1 => bytes[at] = [0x00, 0x01, 0x7f, 0x80, 0xff][next(state) % 5],
            2 => bytes.truncate(at),
            3 => {
                let piece = bytes[at..at + size].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                bytes.drain(at..at + size);
            }
            _ => {
                let other = next(state) % bytes.len();
                bytes.swap(at, other);
            }
        }
    }
    bytes
}

fn find_models(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("opens").flatten() {
        let path = entry.path();
        if path.is_dir() {
            find_models(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "onnx")
        {
            found.push(path);
        }
    }
}

/// What a fuzzer does with a file: open it and capture it for small sizes. Whether it opened.
fn fuzzed(bytes: &[u8]) -> bool {
    let Ok(model) = Model::from_bytes(bytes, "fuzzed.onnx") else {
        return false;
    };
    let shapes: Vec<Vec<usize>> = model
        .inputs()
        .iter()
        .map(|input| {
            let size = |dim: &Result<usize, String>| dim.as_ref().map_or(8, |&d| d.min(64));
            input.dims.iter().map(size).collect()
        })
        .collect();
    let _ = model.network(&shapes);
    true
}

/// The fuzzer's corpus: files of one trick each. None panics, hangs or allocates; and none of them is
/// taken for a network, but for the one that is.
#[test]
fn the_corpus_of_the_fuzzer() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/load");
    let mut files = Vec::new();
    find_models(Path::new(corpus), &mut files);
    assert!(files.len() >= 20, "{} files", files.len());
    let mut networks = Vec::new();
    for file in files {
        let begun = std::time::Instant::now();
        let bytes = std::fs::read(&file).expect("reads");
        let name = file.file_stem().expect("a name").display().to_string();
        let model = Model::from_bytes(&bytes, "fuzzed.onnx");
        let network = model.and_then(|model| {
            let dim = |dim: &Result<usize, String>| dim.as_ref().map_or(8, |&d| d.min(64));
            let shape = |input: &linearscope_onnx::Signature| input.dims.iter().map(dim).collect();
            let shapes: Vec<Vec<usize>> = model.inputs().iter().map(shape).collect();
            model.network(&shapes)
        });
        match network {
            Ok(_) => networks.push(name),
            Err(Error::Panicked { message, .. }) => panic!("{name}: {message}"),
            Err(_) => {}
        }
        assert!(
            begun.elapsed().as_secs() < 20,
            "{file:?}: {:?}",
            begun.elapsed()
        );
    }
    assert_eq!(networks, ["sound"]);
}

/// Damaged at random, the same each time: whatever comes of it, no panic reaches the caller and
/// nothing hangs. Structure is hit as well as weights: half of the damage is in files whose weights
/// were cut down to the last of the first bytes.
#[test]
fn mutations_of_the_bundled_networks_do_not_panic() {
    let mut files = Vec::new();
    let assets = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets");
    find_models(Path::new(assets), &mut files);
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let begun = std::time::Instant::now();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut opened = 0;
    for file in &files {
        let whole = std::fs::read(file).expect("reads");
        // Large files are nearly all weights: those teach nothing, and take long.
        let rounds = if whole.len() > 500_000 { 12 } else { 60 };
        for _ in 0..rounds {
            opened += usize::from(fuzzed(&mutated(&whole, &mut state)));
        }
    }
    std::panic::set_hook(hook);
    assert!(opened > 50, "only {opened} mutations opened at all");
    assert!(begun.elapsed().as_secs() < 300, "{:?}", begun.elapsed());
}

/// Headers that promise more than there is: refused before anything is allocated for them.
#[test]
fn lying_headers_are_refused() {
    let refused = |dims: &[i64], values: usize| {
        let bytes = float_weight(dims, values).write_to_bytes().unwrap();
        Model::from_bytes(&bytes, "lying.onnx")
            .unwrap_err()
            .to_string()
    };
    for dims in [&[1 << 40][..], &[1 << 31, 1 << 31, 1 << 31], &[i64::MAX, 8]] {
        let error = refused(dims, 4);
        assert!(error.contains("\"weight\""), "{error}");
    }
    assert!(refused(&[5], 4).contains("claims 20 bytes"));
    assert!(refused(&[-3], 4).contains("[-3]"));
    assert!(refused(&[3], 4).contains("weight"));
    // The product of these overflows to 0 in 64 bits.
    assert!(refused(&[1 << 32, 1 << 32], 0).contains("weight"));
}

/// Constants that grow: 2²⁶ elements are the most that is folded.
#[test]
fn growing_constants_are_refused() {
    for (op, inputs) in [
        ("ConstantOfShape", &["huge"][..]),
        ("Expand", &["one", "huge"]),
        ("Tile", &["one", "huge"]),
        ("Range", &["zero", "most", "step"]),
    ] {
        let weights = vec![
            made::longs("huge", &[1 << 20, 1 << 20]),
            made::floats("one", &[1, 1], vec![1.0]),
            made::floats("zero", &[], vec![0.0]),
            made::floats("most", &[], vec![1e12]),
            made::floats("step", &[], vec![1.0]),
        ];
        let nodes = vec![made::node(op, inputs, "y", vec![])];
        let error = made::network_error(&[1], nodes, weights);
        let place = format!("the_{}", op.to_lowercase());
        assert!(error.contains(&place), "{error}");
    }
}

fn open_beside(folder: &Path, model: &ModelProto) -> Result<Model, Error> {
    let path = folder.join("model.onnx");
    std::fs::write(&path, model.write_to_bytes().unwrap()).unwrap();
    Model::load(path)
}

#[test]
fn weights_beside_the_model_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let values: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let stored = [&[0u8; 8][..], &values].concat();
    std::fs::write(folder.path().join("weights.bin"), stored).unwrap();
    let model = external(
        &[4],
        &[
            ("location", "weights.bin"),
            ("offset", "8"),
            ("length", "16"),
        ],
    );
    let model = open_beside(folder.path(), &model).expect("reads");
    let y = made::run_model(&model, &[4], vec![10.0; 4]);
    assert_eq!(y, [11.0, 12.0, 13.0, 14.0]);
}

/// No path out of the model's folder, and nothing that is not there.
#[test]
fn weights_elsewhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(folder.path().join("secret.bin"), [0u8; 16]).unwrap();
    std::fs::write(inside.join("short.bin"), [0u8; 12]).unwrap();
    let absolute = folder.path().join("secret.bin").display().to_string();
    for location in [
        "../secret.bin",
        &absolute,
        "",
        "a/../../secret.bin",
        "..\\secret.bin",
        ".",
    ] {
        let error = open_beside(&inside, &external(&[4], &[("location", location)])).unwrap_err();
        assert!(
            matches!(error, Error::ExternalData { .. }),
            "{location}: {error}"
        );
    }
    let missing = open_beside(&inside, &external(&[4], &[("location", "none.bin")])).unwrap_err();
    assert!(missing.to_string().contains("none.bin"), "{missing}");
    for entries in [
        &[("location", "short.bin")][..],
        &[("location", "short.bin"), ("length", "16")],
        &[("location", "short.bin"), ("offset", "8"), ("length", "16")],
        &[
            ("location", "short.bin"),
            ("offset", "18446744073709551615"),
            ("length", "16"),
        ],
        &[
            ("location", "short.bin"),
            ("offset", "-1"),
            ("length", "16"),
        ],
    ] {
        let error = open_beside(&inside, &external(&[4], entries)).unwrap_err();
        assert!(
            matches!(error, Error::ExternalData { .. }),
            "{entries:?}: {error}"
        );
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path().join("secret.bin"), inside.join("link.bin"))
            .unwrap();
        let error = open_beside(&inside, &external(&[4], &[("location", "link.bin")])).unwrap_err();
        assert!(error.to_string().contains("link"), "{error}");
    }
}

/// Replace an op's name by another of the same length.
fn with_op(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes();
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .expect("the op is there");
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[test]
fn unknown_ops_are_named_with_their_node() {
    let error = open(&with_op("Sigmoid", "Sigmoin"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "in node \"sigmoid\": ONNX op Sigmoin is not supported"
    );
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let model = Model::from_bytes(&bytes(), "test.onnx").expect("opens");
    let error = model
        .network(&[vec![1, 3, 12, 13]])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("[N, 3, 11, 13]") && error.contains("[1, 3, 12, 13]"),
        "{error}"
    );
    assert!(model.network(&[]).is_err());
    assert!(model.network(&[vec![3, 11, 13]]).is_err());
    assert!(model.network(&[vec![0, 3, 11, 13]]).is_err());
}
