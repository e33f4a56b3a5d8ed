//! One command over a folder of pictures, as a job that can be killed, resumed and divided.
//!
//! Each picture's results are a *piece*: a folder that appears whole, with a key that says what it answers. A
//! job that is started again keeps the pieces whose key and checksums fit and computes the rest. What is said
//! of all pictures is folded from the pieces on disk, in the order of the pictures' names, so it is the same whether the
//! job ran at once, was resumed, or was put together from shards; memory does not grow with the folder.
//!
//! ```text
//! out/photos/votes/             the finished job
//!   job.json                    what was asked, about which pictures
//!   cat.png/ dog.jpg/ …         the pieces, as one picture's results always are
//!   pictures.jsonl pictures.csv a line for each picture
//!   votes.csv                   the pictures' tables under each other
//!   summary.json                what is said of all
//! out/photos/.votes.3f0a….partial/   the same while it is made
//! out/photos/votes.part-2-of-3/      one shard
//! ```

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use linearscope_picture::{CurveChart, Drawing};
use linearscope_preprocess::{Listing, SkipReason, pictures_in};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    args::{Common, Precision, Shard},
    command::{About, OnPicture},
    console,
    error::{Failure, Result},
    model, npy,
    opened::{Opened, name_of, run_facts, typed},
    results::{MANIFEST, Place, RUN, SCHEMA, cell, pretty, sha256, sha256_of, write_whole},
    session::judge,
    side_by_side::side_by_side,
};

const JOB: &str = "job.json";

/// What a folder job was asked. Jobs of equal questions about equal pictures end byte-identical.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    schema: u32,
    pub command: String,
    /// The model's file and its SHA-256.
    pub model: Value,
    folder: PathBuf,
    pub question: Value,
    /// Every picture of the folder, whichever shard it belongs to.
    pub pictures: Vec<String>,
    /// "2/3" for a part of the job.
    pub shard: Option<String>,
}

impl Job {
    /// The model's file name, for titles.
    pub(crate) fn model_name(&self) -> String {
        let file = self.model["file"].as_str().unwrap_or("");
        model::name(Path::new(file))
    }

    /// A job about one picture whose pieces are not pictures.
    pub(crate) fn of_one(command: &str, common: &Common, model: &str, question: Value) -> Self {
        Self {
            schema: SCHEMA,
            command: command.into(),
            model: json!({ "file": common.model, "sha256": model }),
            folder: common.input.clone(),
            question,
            pictures: Vec::new(),
            shard: common.shard.map(|shard| shard.to_string()),
        }
    }

    fn hash(&self) -> String {
        sha256(self.question.to_string().as_bytes())
    }

    /// The same job, the shard apart.
    fn whole(&self) -> Self {
        Self {
            shard: None,
            ..self.clone()
        }
    }
}

/// A part of a job on disk, for merging.
pub(crate) struct Part {
    pub path: PathBuf,
    pub job: Job,
}

impl Part {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = path.join(JOB);
        let text = fs::read_to_string(&file).map_err(|error| {
            Failure::file(&file, error).hint("give the folders that --shard produced")
        })?;
        let job = serde_json::from_str(&text).map_err(|error| Failure::file(&file, error))?;
        Ok(Self {
            path: path.to_path_buf(),
            job,
        })
    }
}

/// What is said of all pictures together, picture by picture.
pub(crate) trait Fold: Default {
    /// What a command says of one picture, as the piece has it.
    type Found: DeserializeOwned;

    /// Files that it writes beside the pieces, and whose names a picture may have: a piece has its picture's name.
    const NAMES: &'static [&'static str] = &[];

    fn add(&mut self, name: &str, found: Self::Found) -> Result<()>;

    fn finish(self, job: &Job, summary: &mut Summary<'_>) -> Result<()>;
}

/// Nothing is said of all pictures together.
#[derive(Default)]
pub(crate) struct NoFold;

impl Fold for NoFold {
    type Found = serde::de::IgnoredAny;

    fn add(&mut self, _: &str, _: Self::Found) -> Result<()> {
        Ok(())
    }

    fn finish(self, _: &Job, _: &mut Summary<'_>) -> Result<()> {
        Ok(())
    }
}

/// What a fold has to say, and where its charts go.
pub(crate) struct Summary<'a> {
    folder: &'a Path,
    /// For `summary.json`.
    pub over: Value,
    /// For the person who asked.
    pub lines: Vec<String>,
}

impl Summary<'_> {
    /// Where the results of one picture are, for what is too large to be in its manifest.
    pub(crate) fn piece(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Write a chart of all pictures.
    pub(crate) fn save_curves(&self, name: &str, chart: &CurveChart) -> Result<()> {
        self.save_drawing(name, &chart.draw())
    }

    /// Write a drawing of all pictures.
    pub(crate) fn save_drawing(&self, name: &str, drawing: &Drawing) -> Result<()> {
        let path = |kind: &str| self.folder.join(format!("{name}.{kind}"));
        write_whole(&path("svg"), drawing.to_svg().as_bytes())?;
        write_whole(&path("png"), &drawing.to_png()?)
    }

    /// Write an array of all pictures.
    pub(crate) fn save_array(
        &self,
        name: &str,
        values: &[f64],
        shape: &[usize],
        precision: Precision,
    ) -> Result<()> {
        let path = self.folder.join(format!("{name}.npy"));
        let bytes = npy::encode(values, shape, precision);
        let bytes = bytes.map_err(|error| Failure::file(&path, error))?;
        write_whole(&path, &bytes)
    }

    /// Write a JSON file of all pictures.
    pub(crate) fn save_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.folder.join(format!("{name}.json"));
        write_whole(&path, pretty(value).as_bytes())
    }

    /// Write a page of all pictures.
    pub(crate) fn save_page(&self, name: &str, html: &str) -> Result<()> {
        write_whole(&self.folder.join(name), html.as_bytes())
    }
}

/// The pictures and arrays of a folder in the order of their names; what else lies there is said.
fn pictures(folder: &Path) -> Result<Vec<String>> {
    let Listing {
        files, mut skipped, ..
    } = pictures_in(folder)?;
    skipped.retain(|skipped| skipped.reason != SkipReason::Hidden);
    if files.is_empty() {
        return Err(Failure::input(format!(
            "{} contains no picture",
            folder.display()
        )));
    }
    if !skipped.is_empty() {
        let shown = skipped.iter().take(5);
        let shown: Vec<String> = shown
            .map(|skipped| format!("{} ({})", name_of(&skipped.path), skipped.reason))
            .collect();
        let more = match skipped.len() - shown.len() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        console::notice(&format!(
            "skipped in {}: {}{more}",
            folder.display(),
            shown.join(", ")
        ));
    }
    Ok(files.iter().map(|path| name_of(path)).collect())
}

/// A picture that failed, as the job remembers it until it is finished.
#[derive(Serialize, Deserialize)]
struct LeftOut {
    picture: String,
    error: String,
    hint: Option<String>,
    code: u8,
}

fn left_out_file(folder: &Path, picture: &str) -> PathBuf {
    folder.join(format!(".{picture}.failed.json"))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// What is wrong with a piece: `None` for one that is whole.
fn torn(piece: &Path, key: Option<&str>) -> Option<String> {
    let Some(manifest) = read_json::<Value>(&piece.join(MANIFEST)) else {
        return Some(format!("{MANIFEST} is missing or not readable"));
    };
    if key.is_some_and(|key| manifest["key"] != *key) {
        return Some("it belongs to a different job".into());
    }
    let Some(files) = manifest["files"].as_array() else {
        return Some(format!("its {MANIFEST} lists no files"));
    };
    files.iter().find_map(|entry| {
        let file = entry["file"].as_str().unwrap_or_default();
        match sha256_of(&piece.join(file)) {
            Err(error) => Some(format!("{file}: {error}")),
            Ok(hash) if entry["sha256"] != *hash => Some(format!("{file} has changed")),
            Ok(_) => None,
        }
    })
}

/// Every file of a folder, and of those in it, in another: links where the disk has them, copies elsewhere.
fn link_all(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            link_all(&entry.path(), &target)?;
        } else if fs::hard_link(entry.path(), &target).is_err() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// The same piece in another folder, which appears whole.
fn link(from: &Path, to: &Path) -> Result<()> {
    let stage = to.with_file_name(format!(".{}.linking", name_of(to)));
    let all = || -> std::io::Result<()> {
        if stage.exists() {
            fs::remove_dir_all(&stage)?;
        }
        link_all(from, &stage)?;
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        fs::rename(&stage, to)
    };
    all().map_err(|error| Failure::file(to, error))
}

/// Do a command for each picture of the folder that `--input` names.
///
/// # Errors
/// No picture, or not one that it could be done for; the first picture's that was left out.
pub(crate) fn folder<T: OnPicture>(command: &T) -> Result<()> {
    let (started, since) = (jiff::Timestamp::now(), Instant::now());
    let common = command.common();
    let about = <T as OnPicture>::ABOUT;
    let pictures = pictures(&common.input)?;
    for name in <T::Fold as Fold>::NAMES {
        if pictures.iter().any(|picture| picture == name) {
            return Err(Failure::input(format!(
                "{}: results over the folder have a file of this name",
                common.input.join(name).display()
            ))
            .hint("rename it"));
        }
    }
    let mut opened = Opened::new(about, common, json!(command))?;
    let first = common.input.join(&pictures[0]);
    let job = Job {
        schema: SCHEMA,
        command: about.name.into(),
        model: json!({ "file": common.model, "sha256": opened.model_hash() }),
        folder: common.input.clone(),
        question: opened.question(&first)?,
        pictures,
        shard: common.shard.map(|shard| shard.to_string()),
    };
    let mine = |number: &usize| common.shard.is_none_or(|shard| shard.has(*number));
    let mine: Vec<usize> = (0..job.pictures.len()).filter(mine).collect();
    let shares = shares(common, opened.device_name(), opened.budget());
    opened.share_of(shares);
    let workers = shares.min(mine.len());
    let opened = &opened;
    let whole = common.out.join(name_of(&common.input)).join(about.name);
    let target = match common.shard {
        None => whole.clone(),
        Some(shard) => part_folder(&whole, shard),
    };
    let place = Place::resumed(&target, &job.hash())?;
    let stage = place.stage().to_path_buf();
    let name = |number: usize| &job.pictures[mine[number]];
    let work = |number: usize| -> Picture {
        if console::stopped() {
            return Picture::Stopped;
        }
        let name = name(number);
        console::picture(number + 1, mine.len(), name);
        let (path, piece) = (common.input.join(name), stage.join(name));
        let key = opened.key(&path);
        let fits = |piece: &Path| {
            !common.fresh
                && piece.exists()
                && key
                    .as_ref()
                    .is_ok_and(|key| torn(piece, Some(key)).is_none())
        };
        let earlier = target.join(name);
        let reused = match fits(&piece) {
            true => Some(Ok(())),
            false => fits(&earlier).then(|| link(&earlier, &piece)),
        };
        if let Some(linked) = reused {
            return Picture::Reused(linked);
        }
        let done = opened.at(&path, &piece);
        let done = done.and_then(|session| session.carry_out(command));
        Picture::Done(done.and_then(|done| {
            let failure = done.told.failure;
            let certificate = done.certificate.as_ref();
            failure.map_or_else(|| certificate.map_or(Ok(()), judge), Err)?;
            Ok(done.told.line)
        }))
    };
    let mut tally = Tally::default();
    let mut stopped = false;
    let done = |number: usize, picture: Picture| -> Result<()> {
        let name = name(number);
        match picture {
            Picture::Stopped => stopped = true,
            Picture::Reused(linked) => {
                linked?;
                tally.reused += 1;
            }
            Picture::Done(Ok(line)) => {
                tally.done += 1;
                let _ = fs::remove_file(left_out_file(&stage, name));
                // A line as soon as it is finished; the same lines in the order of names at the end.
                append(&stage.join(PROGRESS), &line_of(&stage.join(name), name)?)?;
                if !common.json {
                    console::print(&format!("{name}  {line}"));
                }
            }
            // Another may have finished while this one was stopped.
            Picture::Done(Err(failure)) if failure.is_interruption() => stopped = true,
            Picture::Done(Err(failure)) => {
                console::notice(&format!("{name} is left out: {}", failure.message));
                tally.left_out += 1;
                let left_out = LeftOut {
                    picture: name.clone(),
                    error: failure.message,
                    hint: failure.hint,
                    code: failure.code,
                };
                write_whole(&left_out_file(&stage, name), pretty(&left_out).as_bytes())?;
            }
        }
        if workers > 1 {
            console::pictures(number + 1, mine.len());
        }
        Ok(())
    };
    if workers > 1 {
        console::pictures(0, mine.len());
    }
    side_by_side(mine.len(), workers, work, done)?;
    if stopped {
        return Err(tally.stopped(mine.len(), &stage));
    }
    console::clear();
    if tally.done + tally.reused == 0 {
        return Err(first_left_out(&job, &stage)
            .unwrap_or_else(|| Failure::input("nothing to do in this shard")));
    }
    let run = run_facts(started, since, &typed());
    write_whole(&stage.join(RUN), pretty(&run).as_bytes())?;
    if let Some(shard) = common.shard {
        write_whole(&stage.join(JOB), pretty(&job).as_bytes())?;
        let manifest = json!({ "schema": SCHEMA, "command": about.name, "part": shard });
        write_whole(&stage.join(MANIFEST), pretty(&manifest).as_bytes())?;
        let _ = fs::remove_file(stage.join(PROGRESS));
        let path = place.commit()?;
        if !common.json {
            println!("{}; part {shard} is in {}", tally.line(), path.display());
            println!(
                "when all {} parts are finished, run: linearscope merge {}.part-*",
                shard.of,
                whole.display()
            );
        }
        return Ok(());
    }
    sum_up::<T>(&job, place, common.json, &tally)
}

/// What came of one picture.
enum Picture {
    /// Nothing, since somebody stopped the job.
    Stopped,
    /// Its results, of an earlier run.
    Reused(Result<()>),
    /// The line that its command says.
    Done(Result<String>),
}

/// How many pictures may be worked on at once, each with an equal share of the memory: on processors, one a core, of no less
/// than [`SHARE`], or two where memory is scarce. One where the user limits memory, since what fits would hang on the number of
/// cores then; and one elsewhere: a graphics card has one queue. It does not hang on the number of pictures, so that a shard's
/// have what they would have in the whole job.
fn shares(common: &Common, device: &str, budget: usize) -> usize {
    let one = device != "cpu" || common.freezing.max_memory.is_some();
    // Who listens instead of the person before the terminal listens to one thread.
    if one || console::is_heard() {
        return 1;
    }
    rayon::current_num_threads().min((budget / SHARE).max(2))
}

/// Bytes of memory for a picture among others.
const SHARE: usize = 4 << 30;

/// Where one shard's part goes.
pub(crate) fn part_folder(whole: &Path, shard: Shard) -> PathBuf {
    let name = format!("{}.part-{}-of-{}", name_of(whole), shard.index, shard.of);
    whole.with_file_name(name)
}

/// Lines of pictures as they finish.
const PROGRESS: &str = "finished.jsonl";

fn append(path: &Path, line: &str) -> Result<()> {
    let write = || {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        writeln!(file, "{line}")
    };
    write().map_err(|error: std::io::Error| Failure::file(path, error))
}

#[derive(Default)]
struct Tally {
    done: usize,
    reused: usize,
    left_out: usize,
}

impl Tally {
    fn line(&self) -> String {
        let mut text = match self.done + self.reused {
            1 => "1 picture".to_string(),
            many => format!("{many} pictures"),
        };
        if self.reused > 0 {
            text += &format!(", {} of them from an earlier run", self.reused);
        }
        if self.left_out > 0 {
            text += &format!(", {} left out", self.left_out);
        }
        text
    }

    fn stopped(&self, of: usize, stage: &Path) -> Failure {
        console::clear();
        Failure::interrupted(format!(
            "interrupted: {} of {of} pictures are finished, in {}",
            self.done + self.reused,
            stage.display()
        ))
        .hint("run the same command again for the rest")
    }
}

fn first_left_out(job: &Job, folder: &Path) -> Option<Failure> {
    let found = job
        .pictures
        .iter()
        .find_map(|name| read_json::<LeftOut>(&left_out_file(folder, name)))?;
    Some(Failure {
        message: format!("{}: {}", found.picture, found.error),
        hint: found.hint,
        code: found.code,
        cause: None,
    })
}

/// One picture in a line of JSON.
fn line_of(piece: &Path, name: &str) -> Result<String> {
    let path = piece.join(MANIFEST);
    let manifest = read_json::<Value>(&path)
        .ok_or_else(|| Failure::input(format!("{} cannot be read", path.display())))?;
    let mut line = Map::new();
    line.insert("picture".into(), name.into());
    if let Value::Object(found) = &manifest["found"] {
        line.extend(found.clone());
    }
    Ok(Value::Object(line).to_string())
}

/// Fold the pieces, write what is said of all, put the job in its place, and tell.
fn sum_up<T: OnPicture>(job: &Job, place: Place, json: bool, tally: &Tally) -> Result<()> {
    let about = <T as OnPicture>::ABOUT;
    let stage = place.stage().to_path_buf();
    let failed = |error: std::io::Error| Failure::file(&stage, error);
    let mut fold = T::Fold::default();
    let open = |name: &str| -> Result<BufWriter<File>> {
        let path = stage.join(name);
        let file = File::create(&path).map_err(|error| Failure::file(&path, error))?;
        Ok(BufWriter::new(file))
    };
    let mut lines = open("pictures.jsonl")?;
    let mut columns: Option<Vec<String>> = None;
    let mut wide = csv::Writer::from_writer(open("pictures.csv")?);
    let mut tables = Vec::new();
    for table in about.tables {
        let mut writer = csv::Writer::from_writer(open(&format!("{}.csv", table.name))?);
        let header = std::iter::once("picture").chain(table.columns.iter().map(|(name, _)| *name));
        writer
            .write_record(header)
            .map_err(|error| failed(error.into()))?;
        tables.push((table.name, writer));
    }
    let (mut left_out, mut pictures) = (Vec::new(), 0usize);
    for name in &job.pictures {
        let piece = stage.join(name);
        if !piece.is_dir() {
            left_out.extend(read_json::<LeftOut>(&left_out_file(&stage, name)));
            continue;
        }
        pictures += 1;
        let line = line_of(&piece, name)?;
        writeln!(lines, "{line}").map_err(failed)?;
        let found: Value = serde_json::from_str(&line).expect("written just now");
        let flat = flat(&found);
        let header = columns.get_or_insert_with(|| {
            let names: Vec<String> = flat.iter().map(|(name, _)| name.clone()).collect();
            let _ = wide.write_record(&names);
            names
        });
        let value = |column: &String| {
            let found = flat.iter().find(|(name, _)| name == column);
            found.map_or(String::new(), |(_, value)| cell(value))
        };
        wide.write_record(header.iter().map(value))
            .map_err(|error| failed(error.into()))?;
        for (table, writer) in &mut tables {
            let path = piece.join(format!("{table}.csv"));
            // A table that this picture has no rows for is not there.
            let Ok(file) = File::open(&path) else {
                continue;
            };
            for record in csv::Reader::from_reader(file).records() {
                let record = record.map_err(|error| Failure::file(&path, error))?;
                let row = std::iter::once(name.as_str()).chain(record.iter());
                writer
                    .write_record(row)
                    .map_err(|error| failed(error.into()))?;
            }
        }
        let found = read_json::<Value>(&piece.join(MANIFEST)).map(|mut m| m["found"].take());
        let found = serde_json::from_value(found.unwrap_or_default())
            .map_err(|error| Failure::file(&piece.join(MANIFEST), error))?;
        fold.add(name, found)?;
    }
    lines.flush().map_err(failed)?;
    wide.flush().map_err(failed)?;
    for (_, writer) in &mut tables {
        writer.flush().map_err(failed)?;
    }
    let mut summary = Summary {
        folder: &stage,
        over: Value::Null,
        lines: Vec::new(),
    };
    fold.finish(job, &mut summary)?;
    let Summary { over, lines, .. } = summary;
    let text = json!({
        "schema": SCHEMA,
        "command": job.command,
        "model": job.model,
        "folder": job.folder,
        "pictures": pictures,
        "left_out": left_out,
        "over": over,
    });
    write_whole(&stage.join("summary.json"), pretty(&text).as_bytes())?;
    write_whole(&stage.join(JOB), pretty(&job.whole()).as_bytes())?;
    tidy(&stage, job)?;
    let files = summary_files(&stage, about)?;
    let manifest = json!({
        "schema": SCHEMA,
        "command": job.command,
        "pictures": pictures,
        "complete": left_out.is_empty(),
        "files": files,
    });
    write_whole(&stage.join(MANIFEST), pretty(&manifest).as_bytes())?;
    let path = place.commit()?;
    if json {
        print!("{}", pretty(&text));
    } else {
        for line in &lines {
            println!("{line}");
        }
        println!("{}; results in {}", tally.line(), path.display());
    }
    match left_out.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(Failure {
            message: format!("{}: {}", first.picture, first.error),
            hint: first.hint,
            code: first.code,
            cause: None,
        }),
    }
}

/// The numbers and words of an object, as columns.
fn flat(found: &Value) -> Vec<(String, Value)> {
    let object = found.as_object().into_iter().flatten();
    object
        .filter(|(_, value)| !value.is_array() && !value.is_object())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Remove what is no piece of this job and no part of its summary.
fn tidy(stage: &Path, job: &Job) -> Result<()> {
    let failed = |error| Failure::file(stage, error);
    let known: HashSet<&str> = job.pictures.iter().map(String::as_str).collect();
    for entry in fs::read_dir(stage).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = name_of(&path);
        let stale = path.is_dir() && !known.contains(name.as_str());
        if name == PROGRESS || (name.starts_with('.') && path.is_file()) {
            fs::remove_file(&path).map_err(failed)?;
        } else if stale {
            fs::remove_dir_all(&path).map_err(failed)?;
        }
    }
    Ok(())
}

/// The files of the summary with their checksums; each piece has a manifest of its own.
fn summary_files(stage: &Path, about: &About) -> Result<Vec<Value>> {
    let failed = |error| Failure::file(stage, error);
    let mut files = Vec::new();
    for entry in fs::read_dir(stage).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = name_of(&path);
        if path.is_file() && name != RUN && name != MANIFEST {
            let hash = sha256_of(&path).map_err(failed)?;
            files.push((name, hash));
        }
    }
    files.sort();
    let entry = |(name, hash): (String, String)| {
        let meaning = folder_meaning(&name, about);
        json!({ "file": name, "meaning": meaning, "sha256": hash })
    };
    Ok(files.into_iter().map(entry).collect())
}

/// What every finished job has.
pub(crate) const OF_A_FOLDER: &[(&str, &str)] = &[
    ("job.json", "the command and the pictures it covers"),
    ("pictures.jsonl", "one JSON object per picture"),
    ("pictures.csv", "the same numbers, one row per picture"),
    (
        "summary.json",
        "results over all pictures, and which pictures were left out",
    ),
];

fn folder_meaning(name: &str, about: &About) -> String {
    let fixed = OF_A_FOLDER.iter().find(|(file, _)| *file == name);
    match fixed {
        Some((_, meaning)) => (*meaning).into(),
        None => format!("over all pictures: {}", about.meaning(name)),
    }
}

/// Put the parts of one job together, as one process would have made it.
///
/// # Errors
/// Parts of different jobs; pictures that no part has; pieces that are torn.
pub(crate) fn merge<T: OnPicture>(target: &Path, parts: &[Part]) -> Result<()> {
    let job = parts[0].job.whole();
    let place = Place::resumed(target, &job.hash())?;
    let stage = place.stage().to_path_buf();
    let mut tally = Tally::default();
    let mut missing = Vec::new();
    for name in &job.pictures {
        let pieces = parts.iter().map(|part| part.path.join(name));
        let left_out = parts.iter().map(|part| left_out_file(&part.path, name));
        if let Some(piece) = pieces.into_iter().find(|piece| piece.is_dir()) {
            match torn(&piece, None) {
                None => {
                    link(&piece, &stage.join(name))?;
                    tally.done += 1;
                }
                Some(why) => missing.push(format!("{} is damaged: {why}", piece.display())),
            }
        } else if let Some(file) = left_out.into_iter().find(|file| file.is_file()) {
            let copy = left_out_file(&stage, name);
            fs::copy(&file, &copy).map_err(|error| Failure::file(&copy, error))?;
            tally.left_out += 1;
        } else {
            missing.push(format!("{name} is missing from all parts"));
        }
    }
    if !missing.is_empty() {
        return Err(Failure::input(missing.join("\n")).hint(
            "run the shards that these belong to again; each resumes and repairs damaged files",
        ));
    }
    let run = run_facts(jiff::Timestamp::now(), Instant::now(), &typed());
    write_whole(&stage.join(RUN), pretty(&run).as_bytes())?;
    sum_up::<T>(&job, place, false, &tally)
}

/// Whether parts belong together.
///
/// # Errors
/// Names the first that does not.
pub(crate) fn check_parts(parts: &[Part]) -> Result<()> {
    let Some(first) = parts.first() else {
        return Err(Failure::input("nothing to merge"));
    };
    for part in parts {
        if part.job.whole() != first.job.whole() {
            return Err(Failure::input(format!(
                "{} and {} are parts of different jobs",
                first.path.display(),
                part.path.display()
            ))
            .hint(
                "all shards must have the same command, flags, model, version and folder of pictures",
            ));
        }
    }
    Ok(())
}
