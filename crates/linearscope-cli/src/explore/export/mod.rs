//! The page as plain files: what was computed for them can be looked at from disk, or from any static host, without the
//! program.
//!
//! ```text
//! plan (what is asked) ──► estimate (from a sample) ──► asked for ──► packs (files of answers) ──► index.html, at last
//! ```
//!
//! Each answer is the one that the server gives to the page's question, byte by byte. Answers lie in *packs*, deflated
//! scripts that call back: `file://` has neither modules nor requests. A pack is written alongside its place and moved
//! there, so that one that is there is whole; a later run goes on with what is missing.

mod estimate;
mod folder;
mod html;
mod pack;
mod plan;
mod query;

use std::{
    io::{BufRead, IsTerminal, Write},
    ops::ControlFlow,
    path::PathBuf,
};

use linearscope_analysis::{Progress, operator::Field};

use self::{
    estimate::Estimate,
    folder::Folder,
    pack::Pack,
    plan::{Group, Plan, Side},
};
use super::{answer::Answer, compute, desk::Desk, points::Points, refusal::Refusal};
use crate::{
    console,
    error::{Failure, Result},
};

/// What is wanted of an export.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub folder: PathBuf,
    /// Every how many places there are rows and columns; `None`: as few as fit the size.
    pub step: Option<usize>,
    /// How many of the best classes have maps.
    pub top: usize,
    /// Classes that have some besides.
    pub targets: Vec<String>,
    pub methods: Vec<String>,
    /// In bytes.
    pub max_size: u64,
    /// Nobody is asked.
    pub yes: bool,
    /// What another export has left in the folder goes.
    pub fresh: bool,
}

/// The most entries of fields that are held at once, in f64.
const HELD: usize = 1 << 24;

/// Write the page and what can be asked of it.
///
/// # Errors
/// A folder that holds something else, a size beyond the limit, a failed write, an interruption. What is written until
/// then is gone on with.
pub(crate) fn export(points: Points, wish: &Wish) -> Result<()> {
    let desk = Desk::new(points);
    let mut plan = Plan::new(&desk, wish)?;
    let folder = Folder::open(wish, &plan)?;
    // What an earlier run has begun is gone on with as it was begun.
    if folder.known(&mut plan.sides) {
        console::notice(&format!(
            "resuming: {} files are already there",
            folder.count()
        ));
    } else {
        let samples = estimate::samples(&desk, &plan)?;
        let estimate = estimate::choose(&mut plan, &samples, wish)?;
        agree(&plan, &estimate, wish)?;
        folder.begin(&plan)?;
    }
    let written = write(&desk, &plan, &folder);
    console::clear();
    written.map_err(|failure| {
        let there = format!(
            "{} files are written; run the same command again to resume",
            folder.count()
        );
        let hint = match &failure.hint {
            Some(hint) => format!("{hint}; {there}"),
            None => there,
        };
        failure.hint(hint)
    })?;
    folder.finish(&plan)?;
    let [files, bytes] = folder.size()?;
    println!("{}", folder.page().display());
    println!("{files} files, {}", said_bytes(bytes as f64));
    Ok(())
}

/// All packs that are not there.
fn write(desk: &Desk, plan: &Plan, folder: &Folder) -> Result<()> {
    for group in &plan.groups {
        if !folder.has(&group.name) {
            folder.write(&answers(desk, plan, group)?)?;
        }
    }
    plan.sides
        .iter()
        .try_for_each(|side| fields(desk, side, folder))
}

/// Bytes for people.
fn said_bytes(bytes: f64) -> String {
    match bytes {
        ..1e6 => format!("{:.0} kB", (bytes / 1e3).ceil()),
        ..1e8 => format!("{:.1} MB", bytes / 1e6),
        ..1e9 => format!("{:.0} MB", bytes / 1e6),
        _ => format!("{:.2} GB", bytes / 1e9),
    }
}

/// Seconds for people.
fn said_time(seconds: f64) -> String {
    match seconds {
        ..60.0 => format!("{:.0} s", seconds.max(1.0).ceil()),
        ..3600.0 => format!("{:.0} min", (seconds / 60.0).ceil()),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Tell what it will take, and ask.
fn agree(plan: &Plan, estimate: &Estimate, wish: &Wish) -> Result<()> {
    console::clear();
    for line in estimate.lines(plan) {
        eprintln!("{line}");
    }
    if wish.yes {
        return Ok(());
    }
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(
            Failure::input("cannot ask for confirmation: there is no terminal").hint(
                "pass --yes to export without asking, or --step or --max-size to make it smaller",
            ),
        );
    }
    eprint!("Continue? [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let heard = std::io::stdin().lock().read_line(&mut answer);
    match heard.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        true => Ok(()),
        false => Err(Failure::interrupted("nothing was exported")),
    }
}

/// An observer that only stops.
fn quiet(_: &Progress) -> ControlFlow<()> {
    match console::stopped() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

fn failed(refusal: Refusal) -> Failure {
    let failure = match console::stopped() {
        true => Failure::interrupted("the export was interrupted"),
        false => Failure::input(refusal.message),
    };
    Failure {
        hint: refusal.hint,
        ..failure
    }
}

/// A pack of what one group asks. What the program refuses is refused by the export in the same words.
fn answers(desk: &Desk, plan: &Plan, group: &Group) -> Result<Pack> {
    console::step(&format!("exporting {}", group.name));
    let mut pack = Pack::new(&group.name, group.width);
    for query in &group.queries {
        if query.is_session() {
            pack.add(query.name(), &Answer::json(&plan.session));
            continue;
        }
        let made = query
            .asked()
            .and_then(|asked| compute::ask(desk, &asked, &mut console::observer()));
        if console::stopped() {
            return Err(Failure::interrupted("the export was interrupted"));
        }
        match made {
            Ok(answer) => pack.add(query.name(), &answer),
            Err(refusal) => pack.refuse(query.name(), &refusal),
        }
    }
    Ok(pack)
}

/// The rows or columns of one grid, pack by pack.
fn fields(desk: &Desk, side: &Side, folder: &Folder) -> Result<()> {
    let tiles = side.tiles();
    let of = side.count();
    let mut done = 0;
    let doing = match side.field {
        Field::Row => "exporting rows",
        Field::Column => "exporting columns",
    };
    let mut observer = console::observer();
    for tile in tiles {
        if !folder.has(&tile.name) {
            let mut pack = Pack::new(&tile.name, side.width);
            for places in tile.places.chunks((HELD / side.entries.max(1)).max(1)) {
                if observer(&Progress::new(doing, done, of)).is_break() {
                    return Err(Failure::interrupted("the export was interrupted"));
                }
                for (at, answer) in places.iter().zip(of_places(desk, side, places)?) {
                    pack.add(side.query(*at).name(), &answer);
                }
                done += places.len();
            }
            folder.write(&pack)?;
        } else {
            done += tile.places.len();
        }
    }
    Ok(())
}

fn of_places(desk: &Desk, side: &Side, places: &[[usize; 2]]) -> Result<Vec<Answer>> {
    let texts: Vec<String> = places.iter().map(|at| side.at(*at)).collect();
    compute::fields(desk, side.field, &texts, &mut quiet).map_err(failed)
}
