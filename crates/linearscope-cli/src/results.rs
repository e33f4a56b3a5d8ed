//! A folder of results: staged alongside its place, listed with checksums, and put there as a whole.
//!
//! `OUT/cat.png/row/` is what `row` found about `cat.png`. While it works the files lie in
//! `OUT/cat.png/.row.partial/`; a rename puts them in place, together with a manifest that lists each of them.
//! Nobody sees half of one result, or files of two.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    args::Precision,
    command::{About, FileAbout, TableAbout},
    error::{Failure, Result},
    npy,
};

/// Version of the manifest's and `--json`'s form. docs/book/src/results.md is its description.
pub(crate) const SCHEMA: u32 = 2;

/// The list of what a folder holds, and the proof that a folder is ours to replace.
pub(crate) const MANIFEST: &str = "manifest.json";
/// When, where, how long and by which version: the only file that differs from run to run.
pub(crate) const RUN: &str = "run.json";

/// Write beside, then rename: an interrupted or full disk leaves no half file.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let whole = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        // As any new file of the user's: the umask decides.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut partial = builder.tempfile_in(folder)?;
        partial.write_all(bytes)?;
        partial.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    whole().map_err(|error| Failure::file(path, error))
}

/// Hexadecimal digits of a SHA-256.
pub(crate) fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// The SHA-256 of bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

/// The SHA-256 of a file.
pub(crate) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hex(hasher.finalize()))
}

/// Two folders change places; where the system cannot do that in one step, in two.
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    let aside = b.with_extension("aside");
    fs::rename(b, &aside)?;
    fs::rename(a, b)?;
    fs::rename(&aside, a)
}

/// `NAME` as a hidden sibling of a path: `.NAME.suffix`.
fn hidden(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{suffix}"))
}

/// A lock that other processes see, gone with the process.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn new(path: PathBuf, what: &Path) -> Result<Self> {
        let file = File::create(&path).map_err(|error| unwritable(what, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, _file: file }),
            Err(TryLockError::WouldBlock) => Err(Failure::input(format!(
                "another process is writing to {}",
                what.display()
            ))
            .hint("wait for it to finish, or choose another --out")),
            // Some network disks lock nothing.
            Err(TryLockError::Error(_)) => Ok(Self { path, _file: file }),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn unwritable(out: &Path, error: &io::Error) -> Failure {
    Failure::input(format!("cannot write {}: {error}", out.display()))
        .hint("give --out a folder that you can write to; nothing has been computed yet")
}

/// Where a folder of results will be, and where it is made.
pub(crate) struct Place {
    target: PathBuf,
    stage: PathBuf,
    /// Whether the stage outlives a process that fails.
    lasting: bool,
    _lock: Lock,
}

impl Place {
    /// A place whose stage begins empty and goes with the process.
    pub(crate) fn new(target: &Path) -> Result<Self> {
        let place = Self::at(target, hidden(target, "partial"), false)?;
        if place.stage.exists() {
            fs::remove_dir_all(&place.stage).map_err(|error| unwritable(target, &error))?;
        }
        fs::create_dir(&place.stage).map_err(|error| unwritable(target, &error))?;
        Ok(place)
    }

    /// A place whose stage keeps what an earlier process left for the same question.
    pub(crate) fn resumed(target: &Path, question: &str) -> Result<Self> {
        let stage = hidden(target, &format!("{}.partial", &question[..12]));
        let place = Self::at(target, stage, true)?;
        fs::create_dir_all(&place.stage).map_err(|error| unwritable(target, &error))?;
        Ok(place)
    }

    fn at(target: &Path, stage: PathBuf, lasting: bool) -> Result<Self> {
        let parent = target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(|error| unwritable(target, &error))?;
        check_ours(target)?;
        Ok(Self {
            _lock: Lock::new(hidden(target, "lock"), target)?,
            target: target.to_path_buf(),
            stage,
            lasting,
        })
    }

    /// Where the files are made.
    pub(crate) fn stage(&self) -> &Path {
        &self.stage
    }

    /// Put the files where they belong, in the place of older ones.
    pub(crate) fn commit(self) -> Result<PathBuf> {
        let incomplete = self.incomplete();
        if incomplete.exists() {
            let _ = fs::remove_dir_all(&incomplete);
        }
        self.put(self.target.clone())
    }

    /// Put what there is alongside the place: `row.incomplete`. What is complete there stays.
    pub(crate) fn commit_incomplete(self) -> Result<PathBuf> {
        let path = self.incomplete();
        self.put(path)
    }

    fn incomplete(&self) -> PathBuf {
        let name = self.target.file_name().unwrap_or_default();
        self.target
            .with_file_name(format!("{}.incomplete", name.to_string_lossy()))
    }

    fn put(&self, target: PathBuf) -> Result<PathBuf> {
        check_ours(&target)?;
        let put = || match target.exists() {
            true => {
                exchange(&self.stage, &target)?;
                fs::remove_dir_all(&self.stage)
            }
            false => fs::rename(&self.stage, &target),
        };
        put().map_err(|error: io::Error| {
            Failure::file(&target, error)
                .hint(format!("the results are in {}", self.stage.display()))
        })?;
        Ok(target)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.lasting {
            let _ = fs::remove_dir_all(&self.stage);
        }
    }
}

/// Nothing is replaced that this program did not write.
fn check_ours(target: &Path) -> Result<()> {
    let ours = match fs::read_dir(target) {
        Err(_) => !target.exists(),
        Ok(mut files) => files.next().is_none() || target.join(MANIFEST).is_file(),
    };
    match ours {
        true => Ok(()),
        false => Err(Failure::input(format!(
            "{} already exists and has no {MANIFEST}, so linearscope did not write it",
            target.display()
        ))
        .hint("move it away, or choose another --out")),
    }
}

/// The files of one result, as they are written.
pub(crate) struct Results {
    place: Place,
    about: &'static About,
    precision: Precision,
    files: Vec<Value>,
}

impl Results {
    pub(crate) fn new(target: &Path, about: &'static About, precision: Precision) -> Result<Self> {
        Ok(Self {
            place: Place::new(target)?,
            about,
            precision,
            files: Vec::new(),
        })
    }

    /// A path in the folder that is being made.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.place.stage().join(file)
    }

    /// Whether anything but what every result has was written.
    pub(crate) fn any(&self) -> bool {
        self.files.iter().any(|entry| entry["file"] != "x0.npy")
    }

    /// Write a file and list it.
    pub(crate) fn save(&mut self, file: &str, bytes: &[u8], more: Value) -> Result<()> {
        write_whole(&self.path(file), bytes)?;
        self.list(file, sha256(bytes), bytes.len() as u64, more);
        Ok(())
    }

    /// List a file that is there already.
    pub(crate) fn list(&mut self, file: &str, sha256: String, bytes: u64, more: Value) {
        let mut entry = Map::new();
        entry.insert("file".into(), file.into());
        entry.insert("meaning".into(), self.about.meaning(file).into());
        if let Value::Object(more) = more {
            entry.extend(more);
        }
        entry.insert("bytes".into(), bytes.into());
        entry.insert("sha256".into(), sha256.into());
        self.files.push(entry.into());
    }

    /// Write an array of the run's precision.
    pub(crate) fn save_array(&mut self, name: &str, values: &[f64], shape: &[usize]) -> Result<()> {
        self.save_array_as(name, values, shape, self.precision)
    }

    /// Write an array of a precision of its own.
    pub(crate) fn save_array_as(
        &mut self,
        name: &str,
        values: &[f64],
        shape: &[usize],
        precision: Precision,
    ) -> Result<()> {
        let file = format!("{name}.npy");
        let bytes = npy::encode(values, shape, precision)
            .map_err(|error| Failure::file(&self.path(&file), error))?;
        let more = json!({ "shape": shape, "dtype": precision.name() });
        self.save(&file, &bytes, more)
    }

    /// Write an array of whole numbers.
    pub(crate) fn save_whole(&mut self, name: &str, values: &[i32], shape: &[usize]) -> Result<()> {
        let file = format!("{name}.npy");
        let bytes = npy::encode_whole_numbers(values, shape)
            .map_err(|error| Failure::file(&self.path(&file), error))?;
        self.save(&file, &bytes, json!({ "shape": shape, "dtype": "i32" }))
    }

    /// Write a tidy table: flat records under the described columns, as CSV and as JSON.
    pub(crate) fn save_table(&mut self, name: &str, records: &[impl Serialize]) -> Result<()> {
        let table = self.about.table(name);
        let records: Vec<Value> = records.iter().map(|record| json!(record)).collect();
        let csv = csv(table, &records);
        let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        let more = json!({ "columns": columns, "rows": records.len() });
        self.save(&format!("{name}.csv"), &csv, more.clone())?;
        self.save_json_with(name, &records, more)
    }

    /// Write a JSON file.
    pub(crate) fn save_json(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        self.save_json_with(name, value, Value::Null)
    }

    fn save_json_with(&mut self, name: &str, value: &impl Serialize, more: Value) -> Result<()> {
        let text = pretty(value);
        self.save(&format!("{name}.json"), text.as_bytes(), more)
    }

    /// Write the archive of all arrays, the manifest and the run's own facts, and put the folder in its place;
    /// what is not complete alongside it. Gives where it is and the manifest with the run's facts.
    pub(crate) fn finish(
        mut self,
        mut manifest: Map<String, Value>,
        run: &Value,
        complete: bool,
    ) -> Result<(PathBuf, Value)> {
        self.save_archive()?;
        manifest.insert("complete".into(), complete.into());
        manifest.insert("files".into(), std::mem::take(&mut self.files).into());
        write_whole(&self.path(MANIFEST), pretty(&manifest).as_bytes())?;
        write_whole(&self.path(RUN), pretty(run).as_bytes())?;
        let path = match complete {
            true => self.place.commit()?,
            false => self.place.commit_incomplete()?,
        };
        manifest.insert("run".into(), run.clone());
        Ok((path, manifest.into()))
    }

    fn save_archive(&mut self) -> Result<()> {
        let is_array = |entry: &&Value| entry["file"].as_str().is_some_and(|f| f.ends_with(".npy"));
        let arrays: Vec<String> = self
            .files
            .iter()
            .filter(is_array)
            .filter_map(|entry| entry["file"].as_str().map(String::from))
            .collect();
        let file = "arrays.npz";
        let path = self.path(file);
        let write = || -> io::Result<()> {
            let mut archive = Archive::new(File::create(&path)?);
            for array in &arrays {
                let mut from = File::open(self.place.stage().join(array))?;
                let size = from.metadata()?.len();
                archive.begin(array, size)?;
                io::copy(&mut from, &mut archive)?;
            }
            archive.finish()
        };
        write().map_err(|error| Failure::file(&path, error))?;
        let bytes = fs::metadata(&path).map_or(0, |meta| meta.len());
        let hash = sha256_of(&path).map_err(|error| Failure::file(&path, error))?;
        let more = json!({ "arrays": arrays });
        self.list(file, hash, bytes, more);
        Ok(())
    }
}

/// JSON as files have it.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain data serialises") + "\n"
}

/// Records under the described columns. A record that does not have exactly these is a mistake of ours.
fn csv(table: &TableAbout, records: &[Value]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = table.columns.iter().map(|(name, _)| *name);
    writer.write_record(header).expect("to memory");
    for record in records {
        writer
            .write_record(cells(table, record))
            .expect("to memory");
    }
    writer.into_inner().expect("to memory")
}

/// A record's values in the order of the described columns.
pub(crate) fn cells(table: &TableAbout, record: &Value) -> Vec<String> {
    let object = record.as_object().expect("records are flat structs");
    let described: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let there: Vec<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(described, there, "the columns of the table {}", table.name);
    object.values().map(cell).collect()
}

/// One value for CSV; what there is not is empty.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A zip of stored members with one fixed date, so that equal results are equal files.
pub(crate) struct Archive(zip::ZipWriter<File>);

impl Archive {
    pub(crate) fn new(file: File) -> Self {
        Self(zip::ZipWriter::new(file))
    }

    /// A member of so many bytes; what is written next is its content.
    pub(crate) fn begin(&mut self, name: &str, size: u64) -> io::Result<()> {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::DEFAULT)
            .unix_permissions(0o644)
            .large_file(size >= u64::from(u32::MAX));
        self.0.start_file(name, options).map_err(io::Error::other)
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        self.0.finish().map_err(io::Error::other)?;
        Ok(())
    }
}

impl Write for Archive {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What every folder of results has.
pub(crate) const ALWAYS: &[FileAbout] = &[
    FileAbout("x0.npy", "x₀ as the network saw it, in the input's shape"),
    FileAbout(
        "arrays.npz",
        "all arrays of this folder in one file, for numpy.load",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, file: &str) {
        fs::write(folder.join(file), file).unwrap();
    }

    #[test]
    fn results_are_replaced_as_a_whole() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("cat.png/row");
        for name in ["first", "second"] {
            let place = Place::new(&target).unwrap();
            write(place.stage(), name);
            write(place.stage(), MANIFEST);
            assert!(!target.join(name).exists());
            place.commit().unwrap();
            assert!(target.join(name).exists());
        }
        assert!(!target.join("first").exists(), "of an older result");
        // What fails leaves what is there.
        drop(Place::new(&target).unwrap());
        let place = Place::new(&target).unwrap();
        write(place.stage(), "third");
        write(place.stage(), MANIFEST);
        let beside = place.commit_incomplete().unwrap();
        assert!(target.join("second").exists() && beside.ends_with("row.incomplete"));
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_not_ours_stays() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("row");
        fs::create_dir(&target).unwrap();
        write(&target, "thesis.tex");
        let error = Place::new(&target).err().expect("refused");
        assert!(error.message.contains("linearscope did not write it"));
        assert!(target.join("thesis.tex").exists());
    }

    #[test]
    fn two_processes_do_not_write_one_result() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("row");
        let _first = Place::new(&target).unwrap();
        // A second handle in one process is refused as one in another is.
        let error = Place::new(&target).err().expect("refused");
        assert!(
            error.message.contains("another process"),
            "{}",
            error.message
        );
    }
}
