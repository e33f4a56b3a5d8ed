//! What `inspect` says of ops and of the program that is recorded of them.

use std::{collections::BTreeMap, sync::Arc};

use linearscope::{
    Network,
    survey::{FieldSize, Recording, Standing, Surveyed},
};
use serde_json::{Value, json};

use crate::opened::sizes;

/// What is recorded, as JSON.
pub(super) fn recorded(recording: &Recording) -> Value {
    let (program, homogeneous) = (&recording.program, &recording.homogeneous);
    json!({
        "nodes": program.nodes,
        "nodes_without_sources": homogeneous.nodes,
        "decisions": program.decisions,
        "decision_bytes": program.decision_bytes,
        "decision_bytes_as_floats": program.decision_floats,
        "flops_per_probe": homogeneous.flops,
    })
}

/// The same in a line.
pub(super) fn recorded_line(recording: &Recording) -> String {
    let (program, homogeneous) = (&recording.program, &recording.homogeneous);
    format!(
        "recorded: {} nodes ({} without sources) · {} decisions in {}B, {}B as floats · {} flop per probe",
        program.nodes,
        homogeneous.nodes,
        program.decisions,
        scaled(program.decision_bytes as u64),
        scaled(program.decision_floats as u64),
        scaled(homogeneous.flops),
    )
}

/// Cells along the last axis are `w`, then `h`, then `d`.
fn field(size: &FieldSize) -> Value {
    let axes = ["w", "h", "d"].into_iter().zip(size.cells.iter().rev());
    let mut field: serde_json::Map<String, Value> = axes
        .map(|(axis, cells)| (axis.into(), json!(cells)))
        .collect();
    field.insert("reaches_the_border".into(), json!(size.clipped));
    field.into()
}

/// One op as JSON.
pub(super) fn entry(
    op: &Surveyed,
    fields: &BTreeMap<Arc<str>, FieldSize>,
    alias: Option<&Arc<str>>,
) -> Value {
    let field = fields.get(&op.node).map(field);
    json!({
        "position": op.position,
        "node": &*op.node,
        "file_node": &**alias.unwrap_or(&op.node),
        "op": op.op,
        "role": match op.standing.word() {
            "reads x₀" => "reads",
            word => word,
        },
        "rule": match &op.standing {
            Standing::Ruled(rule) => json!(rule),
            _ => Value::Null,
        },
        "why": match &op.standing {
            Standing::Refused(why) => json!(why),
            _ => Value::Null,
        },
        "shape": op.shape.to_vec(),
        "parameters": op.parameters,
        "flops": op.flops,
        "node_field": field,
    })
}

/// 1.23 G, 45.6 M, 789.
pub(super) fn scaled(count: u64) -> String {
    let x = count as f64;
    match count {
        1_000_000_000.. => format!("{:.2} G", x / 1e9),
        1_000_000.. => format!("{:.1} M", x / 1e6),
        1_000.. => format!("{:.1} k", x / 1e3),
        _ => count.to_string(),
    }
}

/// The ops that depend on the input, as a table.
pub(super) fn table(
    survey: &[Surveyed],
    fields: &BTreeMap<Arc<str>, FieldSize>,
    network: &Network,
) {
    let row = |number: &str, node: &str, cells: [String; 8]| {
        let [op, role, rule, shape, parameters, flops, field, in_file] = cells;
        let line = format!(
            "{number:>4} {node:34} {op:22} {role:9} {rule:16} {shape:>20} {parameters:>10} {flops:>9} {field:>10} \
             {in_file}"
        );
        println!("{}", line.trim_end());
    };
    let in_file = match survey.iter().any(|op| network.alias(&op.node).is_some()) {
        true => "in the file",
        false => "",
    };
    row(
        "at",
        "node",
        [
            "op",
            "role",
            "rule",
            "shape",
            "parameters",
            "flop",
            "field",
            in_file,
        ]
        .map(String::from),
    );
    let mut last = "";
    let shown: Vec<&Surveyed> = survey
        .iter()
        .filter(|op| op.standing != Standing::Constant)
        .collect();
    for op in shown {
        let first = last != &*op.node;
        last = &op.node;
        let field = match fields.get(last) {
            Some(size) if first => {
                let bound = if size.clipped { "≥" } else { "" };
                format!("{bound}{}", sizes(&size.cells))
            }
            _ => String::new(),
        };
        let letters: Vec<char> = last.chars().collect();
        let name: String = match (first, letters.len()) {
            (false, _) => String::new(),
            (true, ..=34) => last.into(),
            // The end of a long name tells more.
            (true, long) => std::iter::once('…')
                .chain(letters[long - 33..].iter().copied())
                .collect(),
        };
        let shape: Vec<String> = op.shape.iter().map(|d| d.to_string()).collect();
        let number = match first {
            true => op.position.to_string(),
            false => String::new(),
        };
        row(
            &number,
            &name,
            [
                op.op.clone(),
                op.standing.word().into(),
                match &op.standing {
                    Standing::Ruled(rule) => (*rule).into(),
                    _ => String::new(),
                },
                shape.join("×"),
                match op.parameters {
                    0 => String::new(),
                    count => count.to_string(),
                },
                match op.flops {
                    0 => String::new(),
                    flops => scaled(flops),
                },
                field,
                match network.alias(last) {
                    Some(alias) if first => alias.to_string(),
                    _ => String::new(),
                },
            ],
        );
    }
}
