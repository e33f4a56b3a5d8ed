//! `bench`: what k probes cost against a plain forward of the same batch.

use burn::tensor::{Device, FloatDType};
use linearscope_analysis::bench::{BenchConfig, bench, node_times};
use serde_json::json;

use crate::{
    args::{Bench, Precision},
    error::{Failure, Result},
    output,
    session::{SCHEMA, read_model},
};

pub(crate) fn run(args: &Bench) -> Result<()> {
    if args.k == 0 || args.rounds == 0 || args.shape.is_empty() {
        return Err(Failure::input("-k, --rounds and --shape need at least 1"));
    }
    let (model, hash) = read_model(&args.model)?;
    let mut many = args.shape.clone();
    many[0] *= args.k;
    let dtype = match args.dtype {
        Precision::F32 => FloatDType::F32,
        Precision::F64 => FloatDType::F64,
    };
    let single = || model.network(std::slice::from_ref(&args.shape));
    let batched = model.network(std::slice::from_ref(&many))?;
    let config = BenchConfig::new(&Device::flex())
        .with_k(args.k)
        .with_rounds(args.rounds)
        .with_dtype(dtype);
    let found = bench(single()?, batched, &config, output::observer())?;
    let nodes = match args.nodes {
        true => node_times(single()?, &config.with_rounds(args.rounds.min(5)))?,
        false => Vec::new(),
    };
    if args.json {
        let mut text = json!(found);
        let more = json!({
            "schema": SCHEMA,
            "program": format!("linearscope {}", env!("CARGO_PKG_VERSION")),
            "command": "bench",
            "model": { "file": args.model, "sha256": hash },
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
        if let (Some(text), serde_json::Value::Object(more)) = (text.as_object_mut(), more) {
            text.extend(more);
        }
        println!(
            "{}",
            serde_json::to_string_pretty(&text).expect("plain data serialises")
        );
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
