//! Files that are not what they say: an error, never a panic, never a wrong network.

use linearscope_onnx::{Error, Model};

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

/// Flip bytes all over: whatever comes of it, no panic reaches the caller.
#[test]
fn damaged_files_do_not_panic() {
    let whole = bytes();
    for i in (0..whole.len()).step_by(41) {
        let mut damaged = whole.clone();
        damaged[i] ^= 0x55;
        let _ = open(&damaged);
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
