//! A folder of its own for each test, the bundled files, and what is asked of the program's results.

use std::ops::Deref;

use linearscope_test_support::process;
pub(crate) use linearscope_test_support::{assets, process::text};

pub(crate) fn ops() -> String {
    assets()
        .join("tiny_ops/tiny_ops.onnx")
        .display()
        .to_string()
}

pub(crate) fn sr() -> String {
    assets().join("tiny_sr/tiny_sr.onnx").display().to_string()
}

pub(crate) fn ops_input() -> String {
    assets().join("tiny_ops/input.npy").display().to_string()
}

pub(crate) fn picture() -> String {
    assets().join("tiny_sr/input.png").display().to_string()
}

/// A classifier of the objects in scenes.
pub(crate) fn vgg() -> String {
    assets().join("vgg/vgg.onnx").display().to_string()
}

pub(crate) fn scene() -> String {
    assets().join("pictures/scene.png").display().to_string()
}

/// A folder of its own, and the program in it.
pub(crate) struct Folder(process::Folder);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(process::Folder::of(env!("CARGO_BIN_EXE_linearscope")))
    }
}

impl Deref for Folder {
    type Target = process::Folder;

    fn deref(&self) -> &process::Folder {
        &self.0
    }
}

pub(crate) fn close(a: &[f64], b: &[f64], limit: f64) -> bool {
    let gap: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    let scale: f64 = b.iter().map(|b| b * b).sum();
    a.len() == b.len() && gap.sqrt() <= limit * scale.sqrt()
}

/// Numbers in 0..1 that look random.
pub(crate) fn noise(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (i * 7919 % 1000) as f32 / 1000.0)
        .collect()
}
