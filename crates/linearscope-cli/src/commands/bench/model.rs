//! What k probes of a network cost against its plain forward.

use std::path::Path;

use linearscope_analysis::bench::{BenchConfig, bench, node_times};
use serde_json::json;

use super::{super::inspect::shape_of, Bench};
use crate::{
    console, device,
    error::{Failure, Result},
    model,
    opened::{header, heading, with},
    results::pretty,
};

pub(super) fn measure(args: &Bench, path: &Path) -> Result<()> {
    if args.k == 0 || args.rounds == 0 {
        return Err(Failure::input("-k and --rounds must be at least 1"));
    }
    let (name, device) = device::opened(&args.device, args.dtype)?;
    let (model, hash) = model::read(path)?;
    let model = args.ends.of(model)?.model;
    let signature = &model.inputs()[0];
    let given = args.shape.clone().or_else(|| model.made_for());
    let (shape, _) = shape_of(given.as_deref(), signature)?;
    linearscope::check_input(&signature.name, &shape)?;
    let mut many = shape.clone();
    many[0] *= args.k;
    // The forward that probes are compared with is one of k pictures.
    if let Some(Ok(batch)) = signature.dims.first()
        && *batch != many[0]
    {
        return Err(Failure::input(format!(
            "the model takes a batch of {batch} only, and -k {} needs a plain forward of {}",
            args.k, many[0]
        ))
        .hint(match shape[0] == *batch {
            true => {
                "-k 1 compares one probe with one picture; or export the model with a dynamic batch"
            }
            false => "give --shape the model's own batch, and -k 1",
        }));
    }
    let single = || model.network(std::slice::from_ref(&shape));
    let batched = model.network(std::slice::from_ref(&many))?;
    let parameters = batched.parameters();
    let mut out = batched.outputs()[0].shape.to_vec();
    out[0] /= args.k;
    let kernels = args.kernels.on(&name);
    let config = BenchConfig::new(&device)
        .with_k(args.k)
        .with_rounds(args.rounds)
        .with_dtype(args.dtype.dtype())
        .with_kernels(kernels);
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
            "device": name,
            "kernels": kernels.name(),
            "threads": std::thread::available_parallelism().map_or(1, usize::from),
            "nodes": nodes.iter().map(|node| json!({
                "node": &*node.name,
                "map": node.kind,
                "shape": node.shape,
                "apply_ms": node.apply_ms,
                "adjoint_ms": node.adjoint_ms,
            })).collect::<Vec<_>>(),
        });
        let header = header("bench", path, &hash, parameters);
        print!("{}", pretty(&with(with(header, more), json!(found))));
        return Ok(());
    }
    let computed = [name.as_str(), args.dtype.name()];
    println!("{}", heading(path, "noise", [&shape, &out], &computed));
    println!(
        "forward pass of {} as one batch: {:.2} ms (median of {} rounds, like all values below)",
        args.k, found.forward_ms, found.rounds
    );
    let rows = [
        ("paired", found.paired_over_forward),
        ("replay", found.replay_over_forward),
        ("adjoint", found.adjoint_over_forward),
    ];
    for ((name, ratio), [low, high]) in rows.into_iter().zip(found.quartiles) {
        println!(
            "{name:8} {ratio:.2} forward passes (half of the rounds within {low:.2}–{high:.2})"
        );
    }
    println!("freezing took {:.1} ms, needed once", found.freeze_ms);
    for node in nodes {
        println!(
            "{:8.2} {:8.2} ms  {:16} {:?} {}",
            node.apply_ms, node.adjoint_ms, node.kind, node.shape, node.name
        );
    }
    Ok(())
}
