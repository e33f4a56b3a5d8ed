//! `matrix`: all of F as a sparse matrix, in parts, with a journal.
//!
//! `filter.npz.partial` has its final size from the start; each part is written where it belongs and
//! then entered in `filter.journal`. A run that finds both, for the same question, goes on after the
//! last part entered, and ends with the same bytes as one that nobody disturbed.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::Path,
};

use linearscope_analysis::{
    LinearOperator,
    matrix::{Direction, MatrixPlan},
};
use serde_json::{Value, json};

use crate::{
    args::Matrix,
    error::{Failure, Result},
    npz::Csr,
    output,
    session::Session,
};

/// Bytes of a part: large enough that its window's border costs little.
const PART: usize = 192 << 20;
/// Bytes of probes side by side: more of them gain nothing on a CPU.
const PROBES: usize = 256 << 20;

pub(crate) fn run(args: &Matrix) -> Result<()> {
    let mut session = Session::open("matrix", &args.common)?;
    let frozen = &session.frozen;
    let plan = MatrixPlan::new(frozen)?;
    let value = match args.common.dtype.name() {
        "f64" => 8,
        _ => 4,
    };
    let csr = Csr::new(plan.shape(), plan.entries(), value);
    let size = csr.size() as f64 / 1e9;
    if size > args.max_size {
        return Err(Failure::input(format!(
            "the matrix of {} × {} with {} entries would take {size:.1} GB, more than --max-size {}",
            plan.shape()[0],
            plan.shape()[1],
            plan.entries(),
            args.max_size
        ))
        .hint("ask for single rows or columns, or raise --max-size"));
    }
    let (partial, journal, finished) = (
        session.out.join("filter.npz.partial"),
        session.out.join("filter.journal"),
        session.out.join("filter.npz"),
    );
    let question = json!({
        "version": 1,
        "program": env!("CARGO_PKG_VERSION"),
        "model": session.model_hash(),
        "x0": session.input_hash()?,
        "shape": frozen.input_shape(),
        "rules": frozen.frozen().rules().to_string(),
        "dtype": args.common.dtype.name(),
        "entries": plan.entries(),
    });
    let budget = frozen.frozen().budget();
    let found = Journal::read(&journal).filter(|found| {
        let same = found.question == question && args.chunk.is_none_or(|c| c == found.chunk);
        let whole = fs::metadata(&partial).is_ok_and(|meta| meta.len() == csr.size());
        same && whole
    });
    let resumed = found.is_some();
    let chunk = match (&found, args.chunk) {
        (Some(found), _) => found.chunk,
        (None, Some(chunk)) => chunk.max(1),
        (None, None) => plan.stripe_within(PART.min(budget / 8)),
    };
    let parts = plan.stripes().div_ceil(chunk);
    let done = found.map_or(Vec::new(), |found| found.done);
    let failed = |error: std::io::Error| Failure::file(&partial, error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(!resumed)
        .open(&partial)
        .map_err(failed)?;
    let mut log = if resumed {
        OpenOptions::new()
            .append(true)
            .open(&journal)
            .map_err(|error| Failure::file(&journal, error))?
    } else {
        csr.begin(&mut file, plan.row_lengths()).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        Journal::begin(&journal, &question, chunk)?
    };
    for part in (0..parts).filter(|part| !done.contains(part)) {
        output::progress(&format!("part {} of {parts}", part + 1));
        let stripe = part * chunk..((part + 1) * chunk).min(plan.stripes());
        let made = plan.part(stripe, PROBES.min(budget / 4))?;
        let columns = csr.columns(&made.columns);
        for segment in &made.segments {
            let values = segment.values.as_bytes();
            csr.entries(&mut file, segment.first, &columns, values)
                .map_err(failed)?;
        }
        // Entered only when it is on the disk.
        file.sync_data().map_err(failed)?;
        writeln!(log, "part {part} done")
            .and_then(|()| log.sync_data())
            .map_err(|error| Failure::file(&journal, error))?;
    }
    output::progress("checksums");
    csr.finish(&mut file).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    drop(file);
    fs::rename(&partial, &finished).map_err(|error| Failure::file(&finished, error))?;
    fs::remove_file(&journal).map_err(|error| Failure::file(&journal, error))?;
    let [rows, columns] = plan.shape();
    let way = match plan.direction() {
        Direction::Forward => "columns",
        Direction::Adjoint => "rows",
    };
    let entries = plan.entries();
    let resumed_parts = done.len();
    session.note(
        "matrix",
        json!({
            "file": "filter.npz", "format": "csr", "shape": [rows, columns], "entries": entries,
            "by": way, "chunk": chunk, "parts": parts, "parts_of_an_earlier_run": resumed_parts,
        }),
    );
    let dense = entries as f64 / (rows as f64 * columns as f64);
    let mut summary = vec![format!(
        "F is {rows} × {columns} with {entries} entries ({:.3} %), by {way}, in {parts} parts of {chunk} rows: filter.npz, {size:.2} GB",
        100.0 * dense
    )];
    if resumed_parts > 0 {
        summary.push(format!(
            "{resumed_parts} parts were there from an earlier run"
        ));
    }
    session.close(&summary)
}

/// What an interrupted run left.
struct Journal {
    question: Value,
    chunk: usize,
    done: Vec<usize>,
}

impl Journal {
    fn begin(path: &Path, question: &Value, chunk: usize) -> Result<File> {
        let failed = |error: std::io::Error| Failure::file(path, error);
        let mut file = File::create(path).map_err(failed)?;
        let head = json!({ "question": question, "chunk": chunk });
        writeln!(file, "{head}")
            .and_then(|()| file.sync_data())
            .map_err(failed)?;
        Ok(file)
    }

    /// `None` where there is none, or where not even its first line is whole.
    fn read(path: &Path) -> Option<Self> {
        let mut lines = BufReader::new(File::open(path).ok()?).lines();
        let head: Value = serde_json::from_str(&lines.next()?.ok()?).ok()?;
        let part = |line: String| {
            let number = line.strip_prefix("part ")?.strip_suffix(" done")?;
            number.parse().ok()
        };
        Some(Self {
            question: head.get("question")?.clone(),
            chunk: head.get("chunk")?.as_u64().filter(|&c| c > 0)? as usize,
            done: lines.map_while(|line| line.ok()).filter_map(part).collect(),
        })
    }
}
