//! The folder of an export: what is there, whether it may be gone on with, and files that are there whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::{
    Wish, html,
    pack::Pack,
    plan::{Plan, Side},
};
use crate::error::{Failure, Result};

/// What the export is of; written first.
const MARK: &str = "export.json";
const PAGE: &str = "index.html";
const DATA: &str = "data";
/// How the name of a file ends until all of it is there.
const PART: &str = "part";

#[derive(Debug)]
pub(super) struct Folder {
    at: PathBuf,
    /// What an earlier run wrote down.
    earlier: Option<Value>,
}

/// Remove a file, if it is there.
fn gone(path: PathBuf) -> Result<()> {
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::file(&path, error)),
        _ => Ok(()),
    }
}

/// What differs, in words.
fn said(name: &str) -> &'static str {
    match name {
        "version" => "another version of linearscope",
        "model" => "another model",
        "input" => "another picture",
        "targets" => "other classes (--top, --target)",
        "methods" => "other methods (--method)",
        "along" => "another --max-size",
        "step" => "another --step",
        _ => "other flags",
    }
}

impl Folder {
    /// An empty folder, or one that an equal export has begun.
    ///
    /// # Errors
    /// One that holds something else.
    pub(super) fn open(wish: &Wish, plan: &Plan) -> Result<Self> {
        let at = wish.folder.clone();
        let folder = Self { at, earlier: None };
        if wish.fresh {
            folder.clear()?;
        }
        // Of a run that was killed before it had said what the folder is, this and an empty folder are left.
        folder.forget_mark()?;
        let at = &folder.at;
        let mark = at.join(MARK);
        let text = match fs::read_to_string(&mark) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match folder.others()? {
                    None => Ok(folder),
                    Some(name) => Err(Failure::input(format!(
                        "{} contains something else: {name}",
                        at.display()
                    ))
                    .hint("an export needs a folder of its own")),
                };
            }
            Err(error) => return Err(Failure::file(&mark, error)),
        };
        let anew = "pass --fresh to export again, or choose another folder";
        let earlier: Value =
            serde_json::from_str(&text).map_err(|error| Failure::file(&mark, error).hint(anew))?;
        let steps = earlier["sides"].as_array().into_iter().flatten();
        let another_step = wish
            .step
            .is_some_and(|step| steps.clone().any(|side| side["step"] != json!(step)));
        // Which one comes first is what is said.
        let names = plan.asked.as_object().into_iter().flatten();
        let differing = names
            .filter(|(name, value)| earlier["asked"][name.as_str()] != **value)
            .map(|(name, _)| name.as_str())
            .chain(another_step.then_some("step"));
        if let Some(name) = differing.into_iter().next() {
            return Err(Failure::input(format!(
                "{} contains the export of {}",
                at.display(),
                said(name)
            ))
            .hint(anew));
        }
        if steps.count() != plan.sides.len() {
            return Err(Failure::file(&mark, "it lists other grids").hint(anew));
        }
        folder.sweep()?;
        Ok(Self {
            earlier: Some(earlier),
            ..folder
        })
    }

    /// Remove files that a killed run has left half written.
    fn sweep(&self) -> Result<()> {
        let is_part = |path: &PathBuf| path.extension().is_some_and(|end| end == PART);
        let own = [MARK, PAGE].map(|name| self.at.join(name).with_extension(PART));
        let packs = self.packs()?;
        packs
            .into_iter()
            .filter(is_part)
            .chain(own)
            .try_for_each(gone)
    }

    /// Remove a mark that is half written, from a folder that contains nothing else.
    fn forget_mark(&self) -> Result<()> {
        let half = self.at.join(MARK).with_extension(PART);
        let alone = |entry: &fs::DirEntry| entry.path() == half || entry.file_name() == DATA;
        let entries = fs::read_dir(&self.at).into_iter().flatten();
        let ours = self.at.join(DATA).is_dir() && self.packs()?.is_empty();
        match ours && entries.flatten().all(|entry| alone(&entry)) {
            true => gone(half),
            false => Ok(()),
        }
    }

    /// What the folder of packs contains.
    fn packs(&self) -> Result<Vec<PathBuf>> {
        let data = self.at.join(DATA);
        let entries = match fs::read_dir(&data) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| Failure::file(&data, error))?,
        };
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths
            .collect::<io::Result<_>>()
            .map_err(|error| Failure::file(&data, error))
    }

    /// Remove what an export has written, and nothing else. Without its mark all of it is somebody else's, so that goes last.
    fn clear(&self) -> Result<()> {
        let mark = self.at.join(MARK);
        if !mark.is_file() {
            return Ok(());
        }
        self.sweep()?;
        let is_ours = |path: &PathBuf| path.extension().is_some_and(|end| end == "js");
        let packs = self.packs()?.into_iter().filter(is_ours);
        packs.chain([self.at.join(PAGE), mark]).try_for_each(gone)
    }

    /// A file that no export has written.
    fn others(&self) -> Result<Option<String>> {
        for folder in [self.at.clone(), self.at.join(DATA)] {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(|error| Failure::file(&folder, error))?,
            };
            for entry in entries {
                let name = entry
                    .map_err(|error| Failure::file(&folder, error))?
                    .file_name();
                if name != DATA {
                    return Ok(Some(name.display().to_string()));
                }
            }
        }
        Ok(None)
    }

    /// Take over the grids of an earlier run; whether there was one.
    pub(super) fn known(&self, sides: &mut [Side]) -> bool {
        let Some(earlier) = &self.earlier else {
            return false;
        };
        let number = |value: &Value| value.as_u64().map_or(1, |number| number.max(1) as usize);
        for (side, known) in sides
            .iter_mut()
            .zip(earlier["sides"].as_array().into_iter().flatten())
        {
            (side.step, side.tile) = (number(&known["step"]), number(&known["tile"]));
        }
        true
    }

    /// Say what this folder is.
    pub(super) fn begin(&self, plan: &Plan) -> Result<()> {
        let sides = plan
            .sides
            .iter()
            .map(|side| json!({ "of": side.name(), "step": side.step, "tile": side.tile }));
        let data = self.at.join(DATA);
        fs::create_dir_all(&data).map_err(|error| Failure::file(&data, error))?;
        let mark = json!({ "asked": plan.asked, "sides": sides.collect::<Vec<_>>() });
        self.put(&self.at.join(MARK), format!("{mark:#}\n").as_bytes())
    }

    fn pack(&self, name: &str) -> PathBuf {
        self.at.join(DATA).join(format!("{name}.js"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.pack(name).is_file()
    }

    pub(super) fn write(&self, pack: &Pack) -> Result<()> {
        let path = self.pack(&pack.name);
        let script = pack.script().map_err(|error| Failure::file(&path, error))?;
        self.put(&path, &script)
    }

    /// Write a file alongside its place, and move it there when all of it is on the disk.
    fn put(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let part = path.with_extension(PART);
        let write = || {
            let mut file = File::create(&part)?;
            file.write_all(bytes)?;
            file.sync_data()?;
            fs::rename(&part, path)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&part);
            Failure::file(path, error)
        })
    }

    pub(super) fn page(&self) -> PathBuf {
        self.at.join(PAGE)
    }

    /// The page, which is there when all else is.
    pub(super) fn finish(&self, plan: &Plan) -> Result<()> {
        let mut packs = Map::new();
        for group in &plan.groups {
            for query in &group.queries {
                packs.insert(query.name(), json!(group.name));
            }
        }
        let grids = plan.sides.iter().map(|side| {
            let grid = side.grid();
            let said = json!({ "step": side.step, "tile": side.tile, "y": grid.y, "x": grid.x });
            (side.name().to_string(), said)
        });
        let grids: Map<String, Value> = grids.collect();
        let again = &plan.session["exported"]["again"];
        let page = html::page(&json!({ "again": again, "grids": grids, "packs": packs }))?;
        self.put(&self.page(), page.as_bytes())
    }

    /// How many packs there are.
    pub(super) fn count(&self) -> usize {
        let entries = fs::read_dir(self.at.join(DATA)).into_iter().flatten();
        let is_pack =
            |entry: &fs::DirEntry| entry.path().extension().is_some_and(|end| end == "js");
        entries.flatten().filter(is_pack).count()
    }

    /// Files, and their bytes.
    pub(super) fn size(&self) -> Result<[u64; 2]> {
        let mut sum = [0; 2];
        for folder in [self.at.clone(), self.at.join(DATA)] {
            let entries = fs::read_dir(&folder).map_err(|error| Failure::file(&folder, error))?;
            for entry in entries.flatten() {
                let about = entry
                    .metadata()
                    .map_err(|error| Failure::file(&folder, error))?;
                if about.is_file() {
                    sum = [sum[0] + 1, sum[1] + about.len()];
                }
            }
        }
        Ok(sum)
    }
}
