//! Networks and pictures, and questions to them by the program's own commands.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    io::BufReader,
    path::{Path, PathBuf},
    rc::Rc,
};

use linearscope::Interrupt;
use linearscope_cli::embed::{Deaf, From, ModelFrom, Net};
use serde_json::Value;

/// What can fail, with words for the person at the terminal.
pub(crate) type Outcome<T> = Result<T, String>;

/// Whether a claim of the paper holds here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Replicated,
    InPart,
    Not,
    NotAttempted,
}

impl Verdict {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Verdict::Replicated => "replicated",
            Verdict::InPart => "in part",
            Verdict::Not => "not replicated",
            Verdict::NotAttempted => "not attempted",
        }
    }

    /// Of several findings: all, some, none.
    pub(crate) fn of(findings: &[bool]) -> Self {
        match findings.iter().filter(|holds| **holds).count() {
            0 => Verdict::Not,
            n if n == findings.len() => Verdict::Replicated,
            _ => Verdict::InPart,
        }
    }
}

/// A table or figure of the paper.
pub(crate) struct Entry {
    /// Its place in the paper: tables from 10, figure n from 100 + 10 n, the rest from 300.
    pub order: u32,
    pub name: &'static str,
    /// What it claims, in our words.
    pub claim: &'static str,
    /// What was measured.
    pub figures: Vec<String>,
    pub commands: Vec<String>,
    /// When it counts as replicated.
    pub criterion: String,
    pub verdict: Verdict,
    /// Pictures and their captions.
    pub pictures: Vec<(PathBuf, String)>,
}

impl Entry {
    pub(crate) fn not_attempted(
        order: u32,
        name: &'static str,
        claim: &'static str,
        reason: &str,
    ) -> Self {
        Self {
            order,
            name,
            claim,
            figures: vec![],
            commands: vec![],
            criterion: reason.into(),
            verdict: Verdict::NotAttempted,
            pictures: vec![],
        }
    }

    /// What its criterion is called.
    pub(crate) fn label(&self) -> &'static str {
        match self.verdict {
            Verdict::NotAttempted => "Why not",
            _ => "Criterion",
        }
    }
}

/// A network with the flags that it is read with.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub name: &'static str,
    pub path: PathBuf,
    pub flags: Vec<String>,
}

impl Model {
    /// The same, frozen by these rules.
    pub(crate) fn by(&self, rules: &str) -> Self {
        let mut model = self.clone();
        model.flags.extend(["--rules".into(), rules.into()]);
        model
    }
}

/// What a command found.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub folder: PathBuf,
    pub found: Value,
    pub manifest: Value,
    pub line: String,
}

impl Answer {
    /// A number of what was found, or of the manifest, by its path (`/found/…`).
    pub(crate) fn number(&self, pointer: &str) -> Outcome<f64> {
        let value = self
            .found
            .pointer(pointer)
            .or_else(|| self.manifest.pointer(pointer));
        value
            .and_then(Value::as_f64)
            .ok_or_else(|| format!("{}: there is no number {pointer}", self.line))
    }

    /// An array that the command wrote, with its shape.
    pub(crate) fn array(&self, name: &str) -> Outcome<(Vec<f64>, Vec<usize>)> {
        let path = self.folder.join(format!("{name}.npy"));
        let read = || -> Result<(Vec<f64>, Vec<usize>), Box<dyn std::error::Error>> {
            let file = npyz::NpyFile::new(BufReader::new(fs::File::open(&path)?))?;
            let shape = file.shape().iter().map(|size| *size as usize).collect();
            let kind = file.dtype().descr();
            let values = match &kind {
                kind if kind.contains("f4") => {
                    file.into_vec::<f32>()?.into_iter().map(f64::from).collect()
                }
                kind if kind.contains("f8") => file.into_vec::<f64>()?,
                _ => file.into_vec::<i32>()?.into_iter().map(f64::from).collect(),
            };
            Ok((values, shape))
        };
        read().map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(crate) fn picture(&self, name: &str, caption: impl Into<String>) -> (PathBuf, String) {
        (self.folder.join(name), caption.into())
    }
}

/// Networks, pictures, and what was already asked.
pub(crate) struct Lab {
    data: Option<PathBuf>,
    out: PathBuf,
    asked: RefCell<BTreeMap<String, Answer>>,
}

impl Lab {
    pub(crate) fn new(data: Option<PathBuf>, out: PathBuf) -> Self {
        Self {
            data,
            out,
            asked: RefCell::default(),
        }
    }

    /// A bundled network.
    pub(crate) fn bundled(&self, name: &'static str) -> Model {
        Model {
            name,
            path: assets().join(format!("{name}/{name}.onnx")),
            flags: vec![],
        }
    }

    /// A network of `assets/graphs`.
    pub(crate) fn graph(&self, name: &'static str) -> Model {
        Model {
            name,
            path: assets().join(format!("graphs/{name}.onnx")),
            flags: vec![],
        }
    }

    /// A network of the data, where it is there.
    pub(crate) fn real(&self, name: &'static str, flags: &[&str]) -> Option<Model> {
        let path = self.data.as_ref()?.join(format!("models/{name}.onnx"));
        let flags = flags.iter().map(|&flag| flag.into()).collect();
        path.is_file().then_some(Model { name, path, flags })
    }

    /// A bundled picture.
    pub(crate) fn picture(&self, name: &str) -> PathBuf {
        assets().join("pictures").join(name)
    }

    /// The pictures of a folder of the data, by name.
    pub(crate) fn pictures(&self, folder: &str) -> Outcome<Vec<PathBuf>> {
        let Some(data) = &self.data else {
            return Ok(vec![]);
        };
        let folder = data.join("images").join(folder);
        let entries =
            fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut all: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        let kinds = ["png", "jpg", "jpeg", "bmp"];
        all.retain(|path| {
            path.extension()
                .is_some_and(|kind| kinds.iter().any(|one| kind.eq_ignore_ascii_case(one)))
        });
        all.sort();
        Ok(all)
    }

    /// Carry out a command about pictures, one after the other; the network is loaded once.
    pub(crate) fn ask_all(
        &self,
        model: &Model,
        pictures: &[PathBuf],
        command: &str,
        own: &[&str],
    ) -> Outcome<Vec<Answer>> {
        let mut net = None;
        let mut answers = Vec::new();
        for picture in pictures {
            let line = line(model, picture, command, own);
            if let Some(answer) = self.asked.borrow().get(&line) {
                answers.push(answer.clone());
                continue;
            }
            eprintln!("  {line}");
            let failed =
                |error: linearscope_cli::embed::Failure| format!("{line}: {}", error.message);
            let quiet = || Rc::new(Deaf(Interrupt::new()));
            if net.is_none() {
                net = Some(
                    Net::open(ModelFrom::File(&model.path), &model.flags, quiet())
                        .map_err(failed)?,
                );
            }
            let net = net.as_ref().expect("opened above");
            let point = net
                .freeze(From::File(picture), &model.flags, quiet())
                .map_err(failed)?;
            let own: Vec<String> = own.iter().map(|&word| word.into()).collect();
            let place = self.out.join(format!("{:03}", self.asked.borrow().len()));
            let report = point
                .ask(quiet(), |question| question.command(command, &own, &place))
                .map_err(failed)?;
            if let Some(failure) = report.failure {
                return Err(failed(failure));
            }
            let manifest = report.folder.join("manifest.json");
            let manifest =
                fs::read(&manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
            let answer = Answer {
                manifest: serde_json::from_slice(&manifest).map_err(|error| error.to_string())?,
                folder: report.folder,
                found: report.found,
                line: line.clone(),
            };
            self.asked.borrow_mut().insert(line, answer.clone());
            answers.push(answer);
        }
        Ok(answers)
    }

    /// The same about one picture.
    pub(crate) fn ask(
        &self,
        model: &Model,
        picture: &Path,
        command: &str,
        own: &[&str],
    ) -> Outcome<Answer> {
        let mut all = self.ask_all(model, &[picture.into()], command, own)?;
        Ok(all.pop().expect("one picture, one answer"))
    }
}

/// The command that does the same; files by their names alone.
fn line(model: &Model, picture: &Path, command: &str, own: &[&str]) -> String {
    let name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let mut words = vec!["linearscope".into(), command.into(), name(&model.path)];
    words.extend(["--input".into(), name(picture)]);
    for flag in model
        .flags
        .iter()
        .map(String::as_str)
        .chain(own.iter().copied())
    {
        words.push(match Path::new(flag).is_absolute() {
            true => name(Path::new(flag)),
            false => flag.into(),
        });
    }
    words.join(" ")
}

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets")
}
