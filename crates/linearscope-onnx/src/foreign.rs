//! Files that are no ONNX models, by their first bytes: what they are, and how to come from there to a
//! model.

use std::io::{self, Read, Seek, SeekFrom};

/// What to do about a file that is damaged, or of a kind that nobody knows.
pub(crate) const AGAIN: &str =
    "check that it is a complete .onnx file; download or export it again";

const FROM_TORCH: &str = "it contains weights and perhaps a module: load it in PyTorch and export the network \
with torch.onnx.export";

/// Bytes that tell a file: the names in the first part of an archive are among them.
const HEAD: u64 = 4096;

/// What a file is that is no ONNX model, and what to do about it. The source is left at its begin.
///
/// # Errors
/// What the system says.
pub(crate) fn recognise<S: Read + Seek + ?Sized>(
    source: &mut S,
) -> io::Result<Option<(&'static str, &'static str)>> {
    source.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    (&mut *source).take(HEAD).read_to_end(&mut head)?;
    source.seek(SeekFrom::Start(0))?;
    Ok(kind(&head))
}

fn kind(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let holds = |text: &str| head.windows(text.len()).any(|at| at == text.as_bytes());
    let begins = |text: &str| {
        let start = head.iter().position(|byte| !byte.is_ascii_whitespace());
        let text = text.as_bytes();
        start.is_some_and(|start| {
            head[start..].len() >= text.len()
                && head[start..][..text.len()].eq_ignore_ascii_case(text)
        })
    };
    Some(match head {
        [] => (
            "it is empty",
            "the download or export did not finish: repeat it",
        ),
        _ if head.starts_with(b"version https://git-lfs.github.com") => (
            "it is a Git LFS pointer, not the file itself",
            "run git lfs pull in its repository, or download the file from the repository's page",
        ),
        _ if head.starts_with(b"PK\x03\x04") && holds("config.json") => (
            "it is a Keras model, a zip archive",
            "convert it with tf2onnx: python -m tf2onnx.convert --keras FILE --output net.onnx",
        ),
        _ if head.starts_with(b"PK\x03\x04") && (holds("data.pkl") || holds("/version")) => (
            "it is a PyTorch checkpoint, a zip archive with data.pkl",
            FROM_TORCH,
        ),
        _ if head.starts_with(b"PK\x03\x04") => (
            "it is a zip archive",
            "unpack it and give the .onnx file inside",
        ),
        // Pickles of protocols 2 to 5; PyTorch's begin with its magic number.
        [0x80, 2..=5, ..] => (
            "it is a Python pickle, such as a checkpoint from PyTorch before 1.6",
            FROM_TORCH,
        ),
        [0x1f, 0x8b, ..] => ("it is compressed with gzip", "unpack it with gunzip"),
        _ if head.starts_with(b"\x89HDF\r\n\x1a\n") => (
            "it is an HDF5 file, such as a Keras .h5 model",
            "convert it with tf2onnx: python -m tf2onnx.convert --keras FILE --output net.onnx",
        ),
        _ if head.get(4..8) == Some(b"TFL3") => (
            "it is a TensorFlow Lite model",
            "convert it with tf2onnx: python -m tf2onnx.convert --tflite FILE --output net.onnx",
        ),
        // Its length in eight bytes, then JSON.
        _ if head.get(5..9).is_some_and(|bytes| bytes == [0, 0, 0, b'{']) => (
            "it is a safetensors file, weights without a network",
            "load them into the module in PyTorch and export that with torch.onnx.export",
        ),
        _ if begins("<!doctype html") || begins("<html") || begins("<?xml") => (
            "it is a web page",
            "the link led to a page instead of the file: download the file itself",
        ),
        _ if holds("saved_model_schema_version") || holds("SavedModel") => {
            (SAVED_MODEL, FROM_SAVED)
        }
        // The graph of a SavedModel: schema version 1, then a MetaGraphDef.
        [0x08, 0x01, 0x12, ..] if holds("serve") || holds("tf.") || holds("NoOp") => {
            (SAVED_MODEL, FROM_SAVED)
        }
        _ => return None,
    })
}

const SAVED_MODEL: &str = "it is a TensorFlow SavedModel";
const FROM_SAVED: &str = "convert its folder with tf2onnx: python -m tf2onnx.convert --saved-model FOLDER --output net.onnx";
