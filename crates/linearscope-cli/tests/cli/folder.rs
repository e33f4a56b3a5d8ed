//! A folder of its own for each test, the bundled files, and what is asked of the program's results.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets")
}

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

pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_linearscope"))
            .args(args)
            .current_dir(self.0.path())
            .output()
            .expect("the program starts")
    }

    /// Run and insist on success; stdout.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{args:?}: {err}");
        out
    }

    /// Run and insist on an exit code; stderr, which must be `error:`, after notices at most, and no
    /// panic.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {err}");
        let mut lines = err.lines();
        let first = lines.find(|line| !line.starts_with("notice: "));
        assert!(
            first.is_some_and(|line| line.starts_with("error: ")),
            "{err}"
        );
        assert!(!err.contains("panicked"), "{err}");
        err
    }

    pub(crate) fn npy(&self, name: &str) -> (Vec<f64>, Vec<usize>) {
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

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).expect(name)).expect("JSON")
    }

    pub(crate) fn write_npy(&self, name: &str, values: &[f32], shape: &[u64]) -> String {
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

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
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
