//! Files that cannot be run: their nodes all the same, and which of them it was.

use std::collections::BTreeSet;

use linearscope_onnx::{Model, NodeInfo, hint_for_op};
use serde_json::{Value, json};

use super::Inspect;
use crate::{
    error::{Failure, UNSUPPORTED},
    opened::{header, name_of, sizes, with},
    results::pretty,
};

/// Ops without a row, each once with its first node.
pub(super) fn unknown_ops(unknown: &[(String, String)]) -> Failure {
    let mut ops: Vec<(&str, &str, usize)> = Vec::new();
    for (node, op) in unknown {
        match ops.iter_mut().find(|(known, _, _)| known == op) {
            Some((_, _, count)) => *count += 1,
            None => ops.push((op, node, 1)),
        }
    }
    let list: Vec<String> = ops
        .iter()
        .map(|(op, node, count)| match count {
            1 => format!("{op} (node \"{node}\")"),
            count => format!("{op} ({count} nodes, the first \"{node}\")"),
        })
        .collect();
    let hints: BTreeSet<&str> = ops.iter().map(|(op, ..)| hint_for_op(op)).collect();
    let hints: Vec<&str> = hints.into_iter().collect();
    Failure {
        message: format!("ONNX ops that are not supported: {}", list.join(", ")),
        hint: Some(hints.join("; ")),
        code: UNSUPPORTED,
        cause: None,
    }
}

/// A file that the loader refuses: its nodes all the same, and which of them it was.
pub(super) fn cannot_run(
    args: &Inspect,
    model: &Model,
    hash: &str,
    shape: &[usize],
    refused: &[(String, String)],
    failure: &Failure,
) {
    let is_refused = |node: &NodeInfo| {
        refused
            .iter()
            .any(|(name, op)| (name, op) == (&node.name, &node.op))
    };
    let nodes: Vec<NodeInfo> = model.nodes().collect();
    let input = &model.inputs()[0];
    if args.json {
        let rows: Vec<Value> = nodes
            .iter()
            .map(|node| {
                json!({
                    "node": node.name,
                    "file_node": node.file_name,
                    "op": node.op,
                    "refused": is_refused(node),
                })
            })
            .collect();
        let more = json!({
            "input": { "name": input.name, "shape": shape },
            "can_be_run": false,
            "can_be_frozen": false,
            "why": failure.message,
            "what_to_do": failure.hint,
            "nodes": rows,
        });
        print!(
            "{}",
            pretty(&with(header("inspect", &args.model, hash, 0), more))
        );
        return;
    }
    println!(
        "{} · input \"{}\" {}",
        name_of(&args.model),
        input.name,
        sizes(shape)
    );
    for node in &nodes {
        let word = if is_refused(node) { "refused" } else { "" };
        let in_file = match node.file_name == node.name {
            true => "",
            false => &node.file_name,
        };
        println!(
            "{}",
            format!("  {:34} {:22} {word:8} {in_file}", node.name, node.op).trim_end()
        );
    }
    println!(
        "this model cannot be run: {} of {} nodes are not supported",
        refused.len(),
        nodes.len()
    );
}
