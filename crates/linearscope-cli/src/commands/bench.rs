//! `bench`: what k probes cost against a plain forward of the same batch.

use std::path::PathBuf;

use clap::Args;
use linearscope::device;
use linearscope_analysis::bench::{BenchConfig, bench, node_times};
use serde_json::json;

use super::inspect::shape_of;
use crate::{
    args::Precision,
    command::{About, Command, Group, Pictures},
    console,
    ends::EndFlags,
    error::{Failure, Result},
    opened::{header, heading, read_model, with},
    results::pretty,
};

/// `bench`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Bench {
    /// The network, an .onnx file
    pub model: PathBuf,
    /// The input's shape [default: what the file says, batch 1 and 64×64 where it says nothing]
    #[arg(long, value_delimiter = ',', value_name = "N,C,H,W")]
    pub shape: Option<Vec<usize>>,
    /// How many probes run side by side
    #[arg(short, default_value_t = 8, value_name = "K")]
    pub k: usize,
    /// How many interleaved rounds the medians are of
    #[arg(long, default_value_t = 15, value_name = "N")]
    pub rounds: usize,
    /// Where to compute, as for the other commands
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
    /// Precision of everything
    #[arg(long, default_value = "f32")]
    pub dtype: Precision,
    /// Time every map of the program alone, too
    #[arg(long)]
    pub nodes: bool,
    /// Print the figures as JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub ends: EndFlags,
}

impl Command for Bench {
    const ABOUT: &'static About = &About {
        name: "bench",
        group: Group::Check,
        summary: "What k probes cost: paired, replayed and adjoint, in plain forwards",
        details: "",
        example: "bench net.onnx --shape 1,3,224,224 -k 8",
        pictures: Pictures::None,
        files: &[],
        tables: &[],
        includes: &[],
    };

    fn run(&self) -> Result<()> {
        measure(self)
    }
}

fn measure(args: &Bench) -> Result<()> {
    if args.k == 0 || args.rounds == 0 {
        return Err(Failure::input("-k and --rounds need at least 1"));
    }
    let device = device::select(&args.device)?;
    device::check_dtype(&args.device, &device, args.dtype.dtype())?;
    let (model, hash) = read_model(&args.model)?;
    let model = args.ends.of(model)?.model;
    let signature = &model.inputs()[0];
    let (shape, _) = shape_of(args.shape.as_deref(), signature)?;
    linearscope::check_input(&signature.name, &shape)?;
    let mut many = shape.clone();
    many[0] *= args.k;
    let single = || model.network(std::slice::from_ref(&shape));
    let batched = model.network(std::slice::from_ref(&many))?;
    let parameters = batched.parameters();
    let mut out = batched.outputs()[0].shape.to_vec();
    out[0] /= args.k;
    let config = BenchConfig::new(&device)
        .with_k(args.k)
        .with_rounds(args.rounds)
        .with_dtype(args.dtype.dtype());
    let found = bench(single()?, batched, &config, console::observer())?;
    let nodes = match args.nodes {
        true => node_times(single()?, &config.with_rounds(args.rounds.min(5)))?,
        false => Vec::new(),
    };
    console::clear();
    if args.json {
        let more = json!({
            "input": { "shape": shape },
            "k": args.k,
            "dtype": args.dtype.name(),
            "device": args.device,
            "threads": std::thread::available_parallelism().map_or(1, usize::from),
            "nodes": nodes.iter().map(|node| json!({
                "node": &*node.name,
                "map": node.kind,
                "shape": node.shape,
                "apply_ms": node.apply_ms,
                "adjoint_ms": node.adjoint_ms,
            })).collect::<Vec<_>>(),
        });
        let header = header("bench", &args.model, &hash, parameters);
        print!("{}", pretty(&with(with(header, more), json!(found))));
        return Ok(());
    }
    let computed = [args.device.as_str(), args.dtype.name()];
    println!(
        "{}",
        heading(&args.model, "noise", [&shape, &out], &computed)
    );
    println!(
        "forward of {} as one batch: {:.2} ms (median of {} rounds, as all below)",
        args.k, found.forward_ms, found.rounds
    );
    let rows = [
        ("paired", found.paired_over_forward),
        ("replay", found.replay_over_forward),
        ("adjoint", found.adjoint_over_forward),
    ];
    for ((name, ratio), [low, high]) in rows.into_iter().zip(found.quartiles) {
        println!("{name:8} {ratio:.2} forwards (half of the rounds within {low:.2}–{high:.2})");
    }
    println!("freezing took {:.1} ms, once", found.freeze_ms);
    for node in nodes {
        println!(
            "{:8.2} {:8.2} ms  {:16} {:?} {}",
            node.apply_ms, node.adjoint_ms, node.kind, node.shape, node.name
        );
    }
    Ok(())
}
