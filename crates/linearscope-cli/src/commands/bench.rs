//! `bench`: what k probes cost against a plain forward of the same batch.

use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use linearscope_analysis::bench::{BenchConfig, bench, node_times};
use serde_json::json;

use crate::{
    args::Precision,
    command::{About, Command, Group, Pictures},
    console,
    error::{Failure, Result},
    opened::{header, read_model, with},
    results::pretty,
};

/// `bench`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Bench {
    /// The network, an .onnx file
    pub model: PathBuf,
    /// The input's shape
    #[arg(long, value_delimiter = ',', value_name = "N,C,H,W", required = true)]
    pub shape: Vec<usize>,
    /// How many probes run side by side
    #[arg(short, default_value_t = 8, value_name = "K")]
    pub k: usize,
    /// How many interleaved rounds the medians are of
    #[arg(long, default_value_t = 15, value_name = "N")]
    pub rounds: usize,
    /// Precision of everything
    #[arg(long, default_value = "f32")]
    pub dtype: Precision,
    /// Time every map of the program alone, too
    #[arg(long)]
    pub nodes: bool,
    /// Print the figures as JSON on stdout
    #[arg(long)]
    pub json: bool,
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
    if args.k == 0 || args.rounds == 0 || args.shape.is_empty() {
        return Err(Failure::input("-k, --rounds and --shape need at least 1"));
    }
    let (model, hash) = read_model(&args.model)?;
    let mut many = args.shape.clone();
    many[0] *= args.k;
    let single = || model.network(std::slice::from_ref(&args.shape));
    let batched = model.network(std::slice::from_ref(&many))?;
    let parameters = batched.parameters();
    let config = BenchConfig::new(&Device::flex())
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
            "input": { "shape": args.shape },
            "k": args.k,
            "dtype": args.dtype.name(),
            "device": "cpu",
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
    println!(
        "{} at {:?}, {} probes, {} rounds, medians:",
        args.model.display(),
        args.shape,
        args.k,
        found.rounds
    );
    println!(
        "forward of {} as one batch: {:.2} ms",
        args.k, found.forward_ms
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
