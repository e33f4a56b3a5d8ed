//! `devices`: what `--device` can name on this machine, and what each can do.

use std::time::Duration;

use burn::tensor::{Device, FloatDType};
use clap::Args;
use linearscope::{
    Kernels,
    device::{self, Class, Description, Presence},
    program::machine_budget,
};
use linearscope_analysis::bench::suite::{Event, Measure, Row, Status, SuiteConfig, rates};
use linearscope_picture::significant;
use serde_json::{Value, json};

use super::bench::rate;
use crate::{
    args::Precision,
    command::{About, Command, Group, Pictures},
    console,
    error::{Failure, Result},
    results::{SCHEMA, pretty},
};

/// `devices`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Devices {
    /// List this device only
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// List devices without measuring how fast they are
    #[arg(long)]
    pub no_rates: bool,
    /// The most that one measurement may take, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10.0,
        conflicts_with = "no_rates"
    )]
    pub row_limit: f64,
    /// Print the list as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

impl Command for Devices {
    const ABOUT: &'static About = &About {
        name: "devices",
        group: Group::Check,
        summary: "List the devices that --device can name, and measure how fast they are",
        details: "For each device: its adapter, what sort of hardware it is, memory and the largest tensor as far as its driver says, \
            the precisions it computes in, and two rates in f32: of a matrix product, and of a 3×3 convolution of 64 to 64 channels \
            at 64×64, by the kernels that --device NAME uses. Each takes a few seconds. A device that does not open, or fails while it \
            is measured, says so in its line, and the others go on. The last lines name the kinds of devices that this program was \
            not built with, and what --device auto would choose.",
        example: "devices",
        pictures: Pictures::None,
        files: &[],
        tables: &[],
        includes: &[],
    };

    fn run(&self) -> Result<()> {
        devices(self)
    }
}

/// A device, looked at.
struct Looked {
    name: String,
    /// What it says of itself, or why it does not open.
    said: std::result::Result<Description, String>,
    /// Precisions that it computes in.
    dtypes: Vec<&'static str>,
    /// What was measured.
    rates: Vec<Row>,
}

fn devices(args: &Devices) -> Result<()> {
    let limit = Duration::try_from_secs_f64(args.row_limit).map_err(|_| {
        Failure::input(format!(
            "--row-limit {} is not a valid time; give it in seconds, for instance 10",
            args.row_limit
        ))
    })?;
    let kinds = device::kinds();
    let present = match &args.device {
        Some(name) if name == device::AUTO => {
            let chosen = device::auto(FloatDType::F32)?;
            vec![(chosen.name, chosen.device)]
        }
        Some(name) => vec![(name.clone(), device::select(name)?)],
        None => {
            let devices = kinds.iter().flat_map(|kind| match &kind.presence {
                Presence::Devices(devices) => devices.clone(),
                _ => Vec::new(),
            });
            devices.collect()
        }
    };
    let mut all = Vec::new();
    for (name, device) in present {
        let looked = look(name, &device, (!args.no_rates).then_some(limit))?;
        if !args.json {
            console::print(&text(&looked));
        }
        all.push(looked);
    }
    // Choosing opens all of them.
    let precisions: &[Precision] = match &args.device {
        Some(name) if name != device::AUTO => &[],
        _ => &[Precision::F32, Precision::F64],
    };
    let choose = |precision: &Precision| {
        let chosen = device::auto(precision.dtype());
        (precision.name(), chosen.map(|chosen| chosen.name))
    };
    let auto: Vec<_> = precisions.iter().map(choose).collect();
    console::clear();
    if args.json {
        let kinds: Vec<Value> = kinds
            .iter()
            .map(|kind| {
                let (compiled, count, because) = match &kind.presence {
                    Presence::NotCompiled => (false, None, None),
                    Presence::Failed(because) => (true, None, Some(because)),
                    Presence::Devices(devices) => (true, Some(devices.len()), None),
                };
                json!({ "kind": kind.name, "compiled_in": compiled, "devices": count, "because": because })
            })
            .collect();
        let auto: serde_json::Map<String, Value> = auto
            .into_iter()
            .map(|(precision, name)| (precision.into(), json!(name.ok())))
            .collect();
        let devices: Vec<Value> = all.iter().map(record).collect();
        let found = json!({
            "schema": SCHEMA,
            "command": "devices",
            "program": concat!("linearscope ", env!("CARGO_PKG_VERSION")),
            "devices": devices,
            "kinds": kinds,
            "auto": auto,
        });
        let found = found.as_object().expect("a literal object").clone();
        print!("{}", pretty(&found));
        return Ok(());
    }
    let names = |wanted: fn(&Presence) -> bool| -> String {
        let kinds = kinds.iter().filter(|kind| wanted(&kind.presence));
        let names: Vec<&str> = kinds.map(|kind| kind.name).collect();
        names.join(", ")
    };
    let none = names(|presence| matches!(presence, Presence::Devices(all) if all.is_empty()));
    if !none.is_empty() {
        println!("built in, but not on this machine: {none}");
    }
    for kind in &kinds {
        if let Presence::Failed(because) = &kind.presence {
            println!("{}: its driver does not list devices: {because}", kind.name);
        }
    }
    let absent = names(|presence| matches!(presence, Presence::NotCompiled));
    if !absent.is_empty() {
        println!("not built in: {absent} (cargo build --features NAME)");
    }
    for (precision, name) in auto {
        match name {
            Ok(name) => println!("--device auto --dtype {precision}: {name}"),
            Err(error) => println!("--device auto --dtype {precision}: {error}"),
        }
    }
    Ok(())
}

/// Open a device, and measure it within this time a row. Only Ctrl-C is an error: all else is said of the device.
fn look(name: String, device: &Device, limit: Option<Duration>) -> Result<Looked> {
    console::step(&format!("opening {name}"));
    let said = device::describe(&name, device).map_err(|error| because(&error));
    let mut dtypes = Vec::new();
    let mut found = Vec::new();
    if said.is_ok() {
        for precision in [Precision::F32, Precision::F64] {
            if device::check_dtype(&name, device, precision.dtype()).is_ok() {
                dtypes.push(precision.name());
            }
        }
        if let Some(limit) = limit {
            let config = SuiteConfig::new(device)
                .with_rounds(5)
                .with_row_limit(limit)
                .with_interrupt(console::interrupt());
            let kernels = match &said {
                Ok(description) if description.class == Class::Cpu => Kernels::Own,
                _ => Kernels::Burn,
            };
            found = rates(&config, kernels, |event| {
                if let Event::Begins { row, .. } = event {
                    console::step(&format!("measuring {name}: {}", row.name()));
                }
            })?;
        }
    }
    Ok(Looked {
        name,
        said,
        dtypes,
        rates: found,
    })
}

/// What is wrong, without the list of other devices.
fn because(error: &linearscope::Error) -> String {
    match error {
        linearscope::Error::Device { because, .. } => because.clone(),
        other => other.to_string(),
    }
}

/// Bytes that a device has: what its driver says; of the CPU, what the machine has left.
fn memory(description: &Description) -> Option<u64> {
    match description.class {
        // Half of what is left is what a run may take.
        Class::Cpu => Some(2 * machine_budget() as u64),
        _ => description.memory,
    }
}

fn record(looked: &Looked) -> Value {
    let described = looked.said.as_ref().ok();
    json!({
        "name": looked.name,
        "kind": looked.name.split(':').next(),
        "opens": described.is_some(),
        "because": looked.said.as_ref().err(),
        "adapter": described.and_then(|said| said.adapter.clone()),
        "class": described.map(|said| said.class.name()),
        "memory_bytes": described.and_then(memory),
        "largest_tensor_bytes": described.and_then(|said| said.largest_tensor),
        "dtypes": looked.dtypes,
        "rates": looked.rates,
    })
}

/// A device for people: a line, and one for each of its rates.
fn text(looked: &Looked) -> String {
    let said = match &looked.said {
        Ok(said) => said,
        Err(because) => return format!("{:8} {because}", looked.name),
    };
    let gigabytes = |bytes: u64| format!("{} GB", significant(bytes as f64 / 1e9, 3));
    let parts = [
        Some(said.class.name().to_string()),
        said.adapter.clone(),
        memory(said).map(|bytes| match said.class {
            Class::Cpu => format!("{} free", gigabytes(bytes)),
            _ => format!("{} of memory", gigabytes(bytes)),
        }),
        said.largest_tensor
            .map(|bytes| format!("tensors up to {}", gigabytes(bytes))),
        Some(looked.dtypes.join(", ")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let mut text = format!("{:8} {}", looked.name, parts.join(" · "));
    for row in &looked.rates {
        let size = row.figures.size.unwrap_or_default();
        let what = match row.row {
            Measure::Convolution => "3×3 convolution, 64 to 64 channels, 64×64".into(),
            _ => format!("product of {size}×{size}"),
        };
        let result = match (row.status, row.figures.gflops) {
            (Status::Ok, Some(gflops)) => format!("{} · {what}", rate(gflops)),
            (Status::Time, _) => format!("{}: out of time: {}", row.row.name(), row.said()),
            (Status::Memory, _) => format!("{}: out of memory: {}", row.row.name(), row.said()),
            _ => format!("{}: failed: {}", row.row.name(), row.said()),
        };
        text += &format!("\n{:8} {result}", "");
    }
    text
}
