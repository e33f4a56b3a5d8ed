//! A program run in a folder of its own, and what it leaves there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own for a test, where a program is run; gone when it is dropped.
#[derive(Debug)]
pub struct Folder {
    folder: TempDir,
    program: PathBuf,
}

impl Folder {
    /// A new folder for `program`: `env!("CARGO_BIN_EXE_name")` in a test of the package that makes it.
    ///
    /// # Panics
    /// When the system has no room for it.
    pub fn of(program: impl AsRef<Path>) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            program: program.as_ref().into(),
        }
    }

    /// A file in it; the folder itself for "". Below a folder of results `OUT/FILE` is short for
    /// `OUT/PICTURE/COMMAND/FILE` where that is one file only.
    pub fn path(&self, name: &str) -> PathBuf {
        let direct = self.folder.path().join(name);
        let (false, Some((out, file))) = (direct.exists(), name.split_once('/')) else {
            return direct;
        };
        let below = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten();
            entries.flatten().map(|entry| entry.path())
        };
        let pictures = below(&self.folder.path().join(out));
        let commands = pictures.flat_map(|picture| below(&picture).collect::<Vec<_>>());
        let mut found = commands
            .map(|command| command.join(file))
            .filter(|path| path.exists());
        match (found.next(), found.next()) {
            (Some(only), None) => only,
            _ => direct,
        }
    }

    /// The program, to be run here.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.folder.path());
        command
    }

    /// Run it.
    ///
    /// # Panics
    /// When it does not start.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command()
            .args(args)
            .output()
            .expect("the program starts")
    }

    /// Run and insist on success; stdout.
    ///
    /// # Panics
    /// When it fails, with its stderr.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{args:?}: {err}");
        out
    }

    /// Run and insist on an exit code; stderr, which must be `error:`, after notices at most, and no
    /// panic.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
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

    /// A `.npy` of the folder: values and shape.
    ///
    /// # Panics
    /// When it is not there or holds no floats.
    pub fn npy(&self, name: &str) -> (Vec<f64>, Vec<usize>) {
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

    /// A JSON file of the folder.
    ///
    /// # Panics
    /// When it is not there or no JSON.
    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).expect(name)).expect("JSON")
    }

    /// Write a `.npy` of f4; its whole path.
    ///
    /// # Panics
    /// When it is not written.
    pub fn write_npy(&self, name: &str, values: &[f32], shape: &[u64]) -> String {
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

/// What a process said.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
