//! `matrix`: all of F as a sparse matrix, in pieces.
//!
//! A piece holds the entries of some rows of the output picture, with a checksum of its own; it appears by a rename.
//! Which pieces there are and what is in them depends on the question alone, so a run that was killed goes on
//! with the pieces it finds, shards compute disjoint ones, and `filter.npz` is the same file whoever made
//! the pieces.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    thread::ScopedJoinHandle,
    time::Instant,
};

use clap::Args;
use linearscope_analysis::matrix::{Direction, MatrixPlan};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    args::{Common, Precision},
    command::{About, Command, FileAbout, Group, Pictures, SumUp},
    console,
    error::{Failure, Result},
    job::{Job, Part, part_folder},
    npy,
    opened::{Opened, name_of, run_facts, typed},
    results::{Archive, MANIFEST, Place, Results, SCHEMA, hex, pretty, write_whole},
    session::{Session, certificate_line, judge},
};

/// Bytes of a piece: large enough that its window's border costs little.
const PIECE: usize = 192 << 20;
/// Bytes of probes side by side, and of what is regrouped of them: more gains nothing on a CPU.
const PROBES: usize = 448 << 20;

/// What the command is called.
pub(crate) const NAME: &str = "matrix";

/// `matrix`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Matrix {
    /// Rows of the output picture per piece [default: about 200 MB of entries]
    #[arg(long, value_name = "ROWS")]
    pub chunk: Option<usize>,
    /// Largest file to write, in GB; refuse to start if F needs more
    #[arg(long, default_value_t = 20.0, value_name = "GB")]
    #[serde(skip)]
    pub max_size: f64,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

const ABOUT: &About = &About {
    name: NAME,
    group: Group::Operator,
    summary: "Write all of F as a sparse matrix for SciPy; an interrupted run can be resumed",
    details: "filter.npz is in SciPy's CSR format; read it with scipy.sparse.load_npz. While the command runs, \
        intermediate pieces take up the same amount of disk space again.",
    example: "matrix net.onnx --input cat.jpg",
    pictures: Pictures::One,
    files: &[FileAbout(
        "filter.npz",
        "F, rows by columns, in SciPy's CSR form",
    )],
    tables: &[],
    includes: &[],
};

impl Command for Matrix {
    const ABOUT: &'static About = ABOUT;

    const SUM_UP: Option<SumUp> = Some(merge);

    fn run(&self) -> Result<()> {
        let (started, since) = (jiff::Timestamp::now(), Instant::now());
        let common = &self.common;
        if common.input.is_dir() {
            return Err(Failure::input(format!(
                "--input {} is a folder, but matrix takes a single picture",
                common.input.display()
            )));
        }
        let opened = Opened::new(ABOUT, common, json!(self))?;
        let whole = common.out.join(name_of(&common.input)).join(ABOUT.name);
        let key = opened.key(&common.input)?;
        let question = opened.question(&common.input)?;
        let target = match common.shard {
            None => whole.clone(),
            Some(shard) => part_folder(&whole, shard),
        };
        // The whole's own results are staged apart from its pieces.
        let pieces_at = match common.shard {
            None => whole.with_file_name(format!("{}.pieces", ABOUT.name)),
            Some(_) => target.clone(),
        };
        let place = Place::resumed(&pieces_at, &key)?;
        let folder = Folder(place.stage().to_path_buf());
        if common.fresh {
            folder.clear()?;
        }
        let session = opened.at(&common.input, &place.stage().join("session"))?;
        let (plan, found) = compute(self, session, &folder)?;
        if let Some(shard) = common.shard {
            let job = Job::of_one(ABOUT.name, common, opened.model_hash(), question);
            write_whole(&folder.0.join("job.json"), pretty(&job).as_bytes())?;
            let manifest = json!({ "schema": SCHEMA, "command": ABOUT.name, "part": shard });
            write_whole(&folder.0.join(MANIFEST), pretty(&manifest).as_bytes())?;
            let path = place.commit()?;
            console::clear();
            println!(
                "{} of {} pieces, {} of them from an earlier run; part {shard} is in {}",
                found.done,
                plan.pieces,
                found.reused,
                path.display()
            );
            println!(
                "when all {} parts are finished, run: linearscope merge {}.part-*",
                shard.of,
                whole.display()
            );
            return Ok(());
        }
        let run = run_facts(started, since, &typed());
        let (path, manifest) = assemble(std::slice::from_ref(&folder), &target, &run)?;
        drop(place);
        let _ = fs::remove_dir_all(&folder.0);
        console::clear();
        if common.json {
            print!("{}", pretty(&manifest));
        } else {
            println!("{}", plan.line());
            if found.reused > 0 {
                println!("reused {} pieces from an earlier run", found.reused);
            }
            let certificate = &found.certificate;
            println!("{}", certificate_line(certificate, common.freezing.dtype));
            println!("results in {}", path.display());
        }
        judge(&found.certificate)
    }
}

/// What there is to know of F before its entries: enough to put pieces together without the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Plan {
    shape: [usize; 2],
    entries: usize,
    direction: Direction,
    dtype: String,
    /// Rows of the output picture in a piece.
    chunk: usize,
    pieces: usize,
}

impl Plan {
    /// Bytes of a value and of an index.
    fn widths(&self) -> (usize, usize) {
        let small = self.entries.max(self.shape[1]) < i32::MAX as usize;
        let value = if self.dtype == "f64" { 8 } else { 4 };
        (value, if small { 4 } else { 8 })
    }

    /// Bytes of the finished file, without its headers.
    fn size(&self) -> u64 {
        let (value, index) = self.widths();
        (self.entries * (value + index) + (self.shape[0] + 1) * index) as u64
    }

    fn integers(&self, values: impl Iterator<Item = usize>) -> Vec<u8> {
        match self.widths().1 {
            4 => values.flat_map(|v| (v as i32).to_le_bytes()).collect(),
            _ => values.flat_map(|v| (v as i64).to_le_bytes()).collect(),
        }
    }

    fn line(&self) -> String {
        let [rows, columns] = self.shape;
        let way = match self.direction {
            Direction::Forward => "columns",
            Direction::Adjoint => "rows",
        };
        let pieces = match self.pieces {
            1 => "1 piece".to_string(),
            many => format!("{many} pieces"),
        };
        format!(
            "F is {rows} × {columns} with {} entries ({:.3} %), computed by {way} in {pieces}: filter.npz, {}",
            self.entries,
            100.0 * self.entries as f64 / (rows as f64 * columns as f64),
            indicatif::DecimalBytes(self.size()),
        )
    }
}

/// What a run found in its folder and added to it.
struct Computed {
    done: usize,
    reused: usize,
    certificate: linearscope_analysis::certificate::Certificate,
}

/// Compute the pieces that are not there, and note what else the whole needs.
fn compute(args: &Matrix, mut session: Session, folder: &Folder) -> Result<(Plan, Computed)> {
    let of_f = MatrixPlan::new(&session.frozen)?;
    let within = args
        .common
        .freezing
        .max_memory
        .map(|gb| (gb * 1e9) as usize / 8);
    let chunk = match args.chunk {
        Some(chunk) => chunk.max(1),
        None => of_f.stripe_within(PIECE.min(within.unwrap_or(PIECE))),
    };
    let plan = Plan {
        shape: of_f.shape(),
        entries: of_f.entries(),
        direction: of_f.direction(),
        dtype: session.precision.name().into(),
        chunk,
        pieces: of_f.stripes().div_ceil(chunk),
    };
    let size = plan.size() as f64 / 1e9;
    if size > args.max_size {
        let [rows, columns] = plan.shape;
        return Err(Failure::input(format!(
            "the {rows} × {columns} matrix with {} entries would take {}, more than --max-size {} GB",
            plan.entries,
            indicatif::DecimalBytes(plan.size()),
            args.max_size
        ))
        .hint("ask for single rows or columns, or raise --max-size"));
    }
    let budget = session.frozen.frozen().budget();
    let mine = |piece: &usize| args.common.shard.is_none_or(|shard| shard.has(*piece));
    let mine: Vec<usize> = (0..plan.pieces).filter(mine).collect();
    let (mut done, mut reused) = (0, 0);
    // A piece is written while the next one is computed.
    std::thread::scope(|scope| {
        let mut writing: Option<ScopedJoinHandle<'_, Result<()>>> = None;
        for (number, &piece) in mine.iter().enumerate() {
            if folder.has(piece) {
                (done, reused) = (done + 1, reused + 1);
                continue;
            }
            console::step(&format!("piece {} of {}", number + 1, mine.len()));
            let stripe = piece * chunk..((piece + 1) * chunk).min(of_f.stripes());
            let made = match console::stopped() {
                true => None,
                false => match of_f.part(stripe, PROBES.min(budget / 4)) {
                    Ok(made) => Some(made),
                    Err(error) => match Failure::from(error) {
                        failure if failure.is_interruption() => None,
                        failure => return Err(failure),
                    },
                },
            };
            written(writing.take(), &mut done)?;
            let Some(made) = made else {
                return Err(Failure::interrupted(format!(
                    "interrupted: {done} of {} pieces are finished, in {}",
                    mine.len(),
                    folder.0.display()
                ))
                .hint("run the same command again for the rest"));
            };
            let plan = &plan;
            writing = Some(scope.spawn(move || folder.write(piece, plan, &made)));
        }
        written(writing, &mut done)
    })?;
    let ends = of_f.row_lengths().scan(0, |end, length| {
        *end += length;
        Some(*end)
    });
    let pointers = plan.integers(std::iter::once(0).chain(ends));
    drop(of_f);
    write_whole(&folder.0.join("indptr.bin"), &pointers)?;
    write_whole(&folder.0.join("plan.json"), pretty(&plan).as_bytes())?;
    let certificate = session.certify()?;
    session.note(
        "matrix",
        json!({ "file": "filter.npz", "format": "csr", "plan": plan }),
    );
    let x0 = session.results.path("x0.npy");
    let bytes = fs::read(&x0).map_err(|error| Failure::file(&x0, error))?;
    write_whole(&folder.0.join("x0.npy"), &bytes)?;
    let text = pretty(&session.manifest);
    write_whole(&folder.0.join("session.json"), text.as_bytes())?;
    Ok((
        plan,
        Computed {
            done,
            reused,
            certificate,
        },
    ))
}

/// Wait for a piece that is being written, and count it.
fn written(writing: Option<ScopedJoinHandle<'_, Result<()>>>, done: &mut usize) -> Result<()> {
    let Some(writing) = writing else {
        return Ok(());
    };
    let result = writing.join();
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    *done += 1;
    Ok(())
}

/// A folder of pieces.
#[derive(Clone, Debug)]
struct Folder(PathBuf);

/// The first line of a piece: how many columns follow, and the runs of entries they are of.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    columns: usize,
    /// The first entry of each run among all of F; each has as many entries as there are columns.
    first: Vec<usize>,
}

impl Folder {
    fn piece(&self, number: usize) -> PathBuf {
        self.0.join(format!("piece-{number:06}.bin"))
    }

    fn clear(&self) -> Result<()> {
        let failed = |error| Failure::file(&self.0, error);
        for entry in fs::read_dir(&self.0).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_file() {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Whether a piece is there and whole: its last 32 bytes are the SHA-256 of all before.
    fn has(&self, number: usize) -> bool {
        let whole = || -> io::Result<bool> {
            let file = File::open(self.piece(number))?;
            let length = file.metadata()?.len().saturating_sub(32);
            let mut file = BufReader::with_capacity(1 << 20, file);
            let mut hasher = Sha256::new();
            io::copy(&mut file.by_ref().take(length), &mut hasher)?;
            let mut end = Vec::new();
            file.read_to_end(&mut end)?;
            Ok(end[..] == hasher.finalize()[..])
        };
        whole().unwrap_or(false)
    }

    fn write(
        &self,
        number: usize,
        plan: &Plan,
        made: &linearscope_analysis::matrix::Part,
    ) -> Result<()> {
        let path = self.piece(number);
        let head = Head {
            columns: made.columns.len(),
            first: made.segments.iter().map(|segment| segment.first).collect(),
        };
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
            let mut hasher = Sha256::new();
            let mut out = BufWriter::with_capacity(1 << 20, file.as_file_mut());
            let mut put = |bytes: &[u8]| {
                hasher.update(bytes);
                out.write_all(bytes)
            };
            let line = serde_json::to_string(&head)? + "\n";
            put(line.as_bytes())?;
            put(&plan.integers(made.columns.iter().copied()))?;
            for segment in &made.segments {
                put(segment.values.as_bytes())?;
            }
            let digest = hasher.finalize();
            out.write_all(&digest)?;
            out.flush()?;
            drop(out);
            file.as_file().sync_data()?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| Failure::file(&path, error))
    }
}

/// Where one run of entries lies.
struct Run {
    first: usize,
    count: usize,
    file: usize,
    /// Where its columns and its values begin in the file.
    columns: u64,
    values: u64,
}

/// Put the pieces of these folders together. A pure function of what the folders hold.
fn assemble(folders: &[Folder], target: &Path, run: &Value) -> Result<(PathBuf, Value)> {
    let read = |name: &str| {
        let path = folders[0].0.join(name);
        fs::read(&path).map_err(|error| Failure::file(&path, error))
    };
    let parsed = |name: &str, bytes: &[u8]| -> Result<Value> {
        serde_json::from_slice(bytes)
            .map_err(|error| Failure::file(&folders[0].0.join(name), error))
    };
    let plan = parsed("plan.json", &read("plan.json")?)?;
    let plan: Plan = serde_json::from_value(plan)
        .map_err(|error| Failure::file(&folders[0].0.join("plan.json"), error))?;
    let manifest = parsed("session.json", &read("session.json")?)?;
    let manifest: Map<String, Value> = manifest.as_object().cloned().unwrap_or_default();
    let (mut paths, mut missing) = (Vec::new(), Vec::new());
    console::step("checking the pieces");
    for number in 0..plan.pieces {
        let there = folders.iter().find(|folder| folder.piece(number).is_file());
        match there {
            None => missing.push(format!("piece {number} is missing from all parts")),
            Some(folder) if !folder.has(number) => {
                missing.push(format!("{} is damaged", folder.piece(number).display()));
            }
            Some(folder) => paths.push(folder.piece(number)),
        }
    }
    if !missing.is_empty() {
        return Err(Failure::input(missing.join("\n")).hint(
            "run the shards that these belong to again; each resumes and repairs damaged files",
        ));
    }
    let precision = match plan.dtype.as_str() {
        "f64" => Precision::F64,
        _ => Precision::F32,
    };
    let mut results = Results::new(target, ABOUT, precision)?;
    let x0 = read("x0.npy")?;
    let shape = &manifest["input"]["shape"];
    results.save(
        "x0.npy",
        &x0,
        json!({ "shape": shape, "dtype": plan.dtype }),
    )?;
    console::step("writing filter.npz");
    let path = results.path("filter.npz");
    let pointers = read("indptr.bin")?;
    let failed = |error: io::Error| Failure::file(&path, error);
    archive(&path, &plan, &paths, &pointers).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut file = File::open(&path).map_err(failed)?;
    let bytes = io::copy(&mut file, &mut hasher).map_err(failed)?;
    let more = json!({ "format": "csr", "shape": plan.shape, "dtype": plan.dtype });
    results.list("filter.npz", hex(hasher.finalize()), bytes, more);
    results.finish(manifest, run, true)
}

/// The matrix as SciPy stores it.
fn archive(path: &Path, plan: &Plan, pieces: &[PathBuf], pointers: &[u8]) -> io::Result<()> {
    let (value, index) = plan.widths();
    let mut files = Vec::new();
    let mut runs = Vec::new();
    for (file, piece) in pieces.iter().enumerate() {
        let mut reader = BufReader::new(File::open(piece)?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let head: Head = serde_json::from_str(&line)?;
        let columns = line.len() as u64;
        let mut values = columns + (head.columns * index) as u64;
        for first in head.first {
            let count = head.columns;
            runs.push(Run {
                first,
                count,
                file,
                columns,
                values,
            });
            values += (count * value) as u64;
        }
        files.push(reader.into_inner());
    }
    runs.sort_by_key(|run| run.first);
    let mut next = 0;
    for run in &runs {
        if run.first != next {
            return Err(io::Error::other(format!(
                "entries {next} to {} are missing from all pieces",
                run.first
            )));
        }
        next += run.count;
    }
    let integer = if index == 4 { "<i4" } else { "<i8" };
    let float = if value == 4 { "<f4" } else { "<f8" };
    let mut archive = Archive::new(File::create(path)?);
    let begin = |archive: &mut Archive, name: &str, descr: &str, shape: &[usize], each: usize| {
        let header = npy::header(descr, shape);
        let data = shape.iter().product::<usize>().max(1) * each;
        archive.begin(name, (header.len() + data) as u64)?;
        archive.write_all(&header)
    };
    let mut copy = |archive: &mut Archive, run: &Run, at: u64, each: usize| -> io::Result<()> {
        let file = &mut files[run.file];
        file.seek(SeekFrom::Start(at))?;
        let bytes = (run.count * each) as u64;
        match io::copy(&mut file.take(bytes), archive)? {
            whole if whole == bytes => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    };
    begin(&mut archive, "indices.npy", integer, &[plan.entries], index)?;
    for run in &runs {
        copy(&mut archive, run, run.columns, index)?;
    }
    begin(
        &mut archive,
        "indptr.npy",
        integer,
        &[plan.shape[0] + 1],
        index,
    )?;
    archive.write_all(pointers)?;
    begin(&mut archive, "format.npy", "|S3", &[], 3)?;
    archive.write_all(b"csr")?;
    begin(&mut archive, "shape.npy", "<i8", &[2], 8)?;
    for size in plan.shape {
        archive.write_all(&(size as i64).to_le_bytes())?;
    }
    begin(&mut archive, "data.npy", float, &[plan.entries], value)?;
    for run in &runs {
        copy(&mut archive, run, run.values, value)?;
    }
    archive.finish()
}

/// The parts of one matrix, put together.
fn merge(target: &Path, parts: &[Part]) -> Result<()> {
    let run = run_facts(jiff::Timestamp::now(), Instant::now(), &typed());
    let folders: Vec<Folder> = parts.iter().map(|part| Folder(part.path.clone())).collect();
    let (path, manifest) = assemble(&folders, target, &run)?;
    console::clear();
    let plan = serde_json::from_value::<Plan>(manifest["matrix"]["plan"].clone());
    if let Ok(plan) = plan {
        println!("{}", plan.line());
    }
    println!("results in {}", path.display());
    Ok(())
}
