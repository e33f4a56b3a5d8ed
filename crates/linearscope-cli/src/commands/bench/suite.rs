//! What a device can do: one line per row, as soon as it is measured.

use std::time::Duration;

use linearscope_analysis::bench::{
    networks::{Architecture, SEED},
    suite::{Event, Figures, Measure, Row, Status, SuiteConfig, suite},
};
use linearscope_picture::significant;
use serde_json::{Value, json};

use super::Bench;
use crate::{
    args::Precision,
    console, device,
    error::{Failure, Result},
    opened::sizes,
    results::SCHEMA,
};

pub(super) fn measure(args: &Bench) -> Result<()> {
    let limit = Duration::try_from_secs_f64(row_limit(args)).map_err(|_| {
        Failure::input(format!(
            "--row-limit {} is not a valid time; give it in seconds, for instance 30",
            row_limit(args)
        ))
    })?;
    for (flag, value) in [("--scale", scale(args)), ("--rounds", args.rounds)] {
        if value == 0 {
            return Err(Failure::input(format!("{flag} 0: must be at least 1")));
        }
    }
    let (name, device) = device::opened(&args.device, Precision::F32)?;
    let config = SuiteConfig::new(&device)
        .with_scale(scale(args))
        .with_rounds(args.rounds)
        .with_row_limit(limit)
        .with_interrupt(console::interrupt());
    console::print(&match args.json {
        true => header(args, &name, &config).to_string(),
        false => heading(args, &name, &config),
    });
    let (mut measured, mut of) = (0, 0);
    let mut failed: Vec<String> = Vec::new();
    suite(&config, |event| match event {
        Event::Begins {
            row,
            network,
            done,
            of,
        } => console::step(&format!(
            "row {} of {of}: {}",
            done + 1,
            called(row, network)
        )),
        Event::Ended(row) => {
            of += 1;
            match row.status {
                Status::Ok => measured += 1,
                Status::Failed => {
                    failed.push(format!("{}: {}", called(row.row, row.network), row.said()))
                }
                Status::Time | Status::Memory => {}
            }
            console::print(&match args.json {
                true => json!(row).to_string(),
                false => line(row),
            });
        }
    })?;
    console::clear();
    if !args.json {
        println!("{measured} of {of} rows measured");
    }
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(Failure::input(format!(
            "{} of {of} rows failed, the first of them {first}",
            failed.len()
        ))
        .hint("run `linearscope verify MODEL --device DEVICE` to check the results of a device")),
    }
}

/// The most that a row may take, in seconds.
fn row_limit(args: &Bench) -> f64 {
    args.row_limit.unwrap_or(30.0)
}

/// What widths and sizes are divided by.
fn scale(args: &Bench) -> usize {
    args.scale.unwrap_or(1)
}

/// The first line of JSON: what all rows have in common.
fn header(args: &Bench, device: &str, config: &SuiteConfig) -> Value {
    json!({
        "schema": SCHEMA,
        "command": "bench",
        "row": "suite",
        "program": concat!("linearscope ", env!("CARGO_PKG_VERSION")),
        "device": device,
        "backend": config.backend_name(),
        "dtype": Precision::F32.name(),
        "threads": threads(),
        "seed": SEED,
        "scale": config.scale,
        "rounds": config.rounds,
        "row_limit_seconds": row_limit(args),
        "limit_seconds": config.limit.as_secs_f64(),
    })
}

fn heading(args: &Bench, device: &str, config: &SuiteConfig) -> String {
    let scale = match scale(args) {
        1 => String::new(),
        scale => format!(" · widths and sizes over {scale}"),
    };
    format!(
        "linearscope {} · {} ({}), f32{scale} · medians of {} rounds, at most {} s a row",
        env!("CARGO_PKG_VERSION"),
        device,
        config.backend_name(),
        args.rounds,
        row_limit(args),
    )
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// "squeezenet1.1 forward".
fn called(row: Measure, network: Option<Architecture>) -> String {
    match network {
        Some(network) => format!("{} {}", network.name(), row.name()),
        None => row.name().into(),
    }
}

/// A row for people.
fn line(row: &Row) -> String {
    let network = row.network.map_or("", Architecture::name);
    let size = row.input.as_deref().map_or(String::new(), sizes);
    let k = row.k.map_or(String::new(), |k| format!("k={k}"));
    let said = match row.status {
        Status::Ok => found(row.row, &row.figures),
        Status::Time => match found(row.row, &row.figures) {
            none if none.is_empty() => format!("out of time: {}", row.said()),
            some => format!("{some}; out of time: {}", row.said()),
        },
        Status::Memory => format!("out of memory: {}", row.said()),
        Status::Failed => format!("failed: {}", row.said()),
    };
    format!("{network:18} {size:12} {:8} {k:4} {said}", row.row.name())
}

/// What a row found, in words; nothing where it found nothing.
fn found(row: Measure, figures: &Figures) -> String {
    let ms = figures.ms.map(time);
    let parts = match row {
        Measure::Peak => vec![
            figures.gflops.map(rate),
            figures
                .size
                .map(|size| format!("a product of {size}×{size} in f32")),
            ms,
        ],
        Measure::Freeze => vec![
            ms,
            figures
                .first_ms
                .map(|first| format!("the first time {}", time(first))),
        ],
        Measure::Rows => vec![
            figures
                .rows_per_second
                .map(|rows| format!("{} rows a second", significant(rows, 3))),
            figures.rows.map(|rows| format!("{rows} at once")),
        ],
        Measure::Svd => vec![
            figures
                .triplets
                .zip(figures.triplets_wanted)
                .map(|(triplets, wanted)| format!("{triplets} of {wanted} triplets")),
            ms,
            figures
                .products
                .map(|products| format!("{products} products")),
        ],
        Measure::Votes => vec![
            figures
                .ms_per_class
                .map(|ms| format!("{} a class", time(ms))),
            figures.classes.map(|classes| format!("{classes} classes")),
            figures
                .extrapolated_seconds
                .zip(figures.classes_of)
                .map(|(seconds, of)| {
                    let how = match figures.classes == Some(of) {
                        true => "all",
                        false => "extrapolated to all",
                    };
                    format!("{how} {of}: {} s", significant(seconds, 3))
                }),
        ],
        // `linearscope devices` measures it.
        Measure::Convolution => vec![figures.gflops.map(rate), ms],
        Measure::Load | Measure::Forward | Measure::Replay | Measure::Adjoint => vec![
            ms,
            figures.gflops.map(rate),
            figures
                .peak_share
                .map(|share| format!("{} % of the peak", significant(100.0 * share, 2))),
        ],
    };
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(" · ")
}

/// 10⁹ operations a second, for people.
pub(in crate::commands) fn rate(gflops: f64) -> String {
    match gflops {
        1000.0.. => format!("{} TFLOP/s", significant(gflops / 1e3, 3)),
        _ => format!("{} GFLOP/s", significant(gflops, 3)),
    }
}

fn time(ms: f64) -> String {
    match ms {
        1000.0.. => format!("{} s", significant(ms / 1e3, 3)),
        _ => format!("{} ms", significant(ms, 3)),
    }
}
