//! `inspect`: the graph as the interpreter sees it.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    path::PathBuf,
    sync::Arc,
};

use burn::tensor::{Device, FloatDType, TensorData};
use clap::Args;
use linearscope::{
    Network,
    program::Account,
    survey::{Standing, Surveyed},
};
use linearscope_analysis::{FrozenNetwork, LinearOperator, noise, vectors::read};
use linearscope_onnx::{Error, Model, NodeInfo, Signature, hint_for_op};
use serde_json::{Value, json};

use crate::{
    command::{About, Command, Group, Pictures},
    console,
    ends::{EndFlags, Ends, fixed},
    error::{Failure, Result, UNSUPPORTED},
    opened::{header, heading, load, name_of, read_model, scores, sizes, with},
    results::pretty,
    rules,
};

/// `inspect`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Inspect {
    /// The network, an .onnx file
    pub model: PathBuf,
    /// The input's shape [default: what the file says, batch 1 and 64×64 where it says nothing]
    #[arg(long, value_delimiter = ',', value_name = "N,C,H,W")]
    pub shape: Option<Vec<usize>>,
    /// How non-linear units are frozen, as for the other commands
    #[arg(long, value_name = "RULE[,RULE]", value_delimiter = ',')]
    pub rules: Vec<String>,
    /// Print everything as JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub ends: EndFlags,
}

impl Command for Inspect {
    const ABOUT: &'static About = &About {
        name: "inspect",
        group: Group::Check,
        summary: "The graph as the interpreter sees it: role, rule, shape, cost and field of every op",
        details: "",
        example: "inspect net.onnx",
        pictures: Pictures::None,
        files: &[],
        tables: &[],
        includes: &[],
    };

    fn run(&self) -> Result<()> {
        inspect(self)
    }
}

/// Height and width where the file says nothing.
const SIDE: usize = 64;

/// The shape asked for, or the file's own with its gaps filled; and whether any was.
pub(crate) fn shape_of(
    given: Option<&[usize]>,
    signature: &Signature,
) -> Result<(Vec<usize>, bool)> {
    if let Some(shape) = given {
        return Ok((shape.to_vec(), false));
    }
    if signature.dims.is_empty() {
        return Err(
            Failure::input("the file does not say what shape its input has")
                .hint("give it, for instance --shape 1,3,224,224"),
        );
    }
    let dims = signature.dims.iter().enumerate();
    let shape = dims.map(|(axis, dim)| match (dim, axis) {
        (Ok(size), _) => *size,
        (Err(_), 0) => 1,
        (Err(_), 1) => 3,
        (Err(_), _) => SIDE,
    });
    // A batch of one is no guess.
    let assumed = signature.dims.iter().skip(1).any(|dim| dim.is_err());
    Ok((shape.collect(), assumed))
}

/// Height and width of the part of the input that the middle of a node's output depends on, all
/// channels; "≥" where it reaches the border.
#[derive(Clone, Copy, Debug, PartialEq)]
struct FieldSize {
    h: usize,
    w: usize,
    clipped: bool,
}

fn field(frozen: &FrozenNetwork, node: &str) -> Result<Option<FieldSize>> {
    let Ok(part) = frozen.between(None, Some(node)) else {
        return Ok(None);
    };
    let (&[_, c, h, w], &[.., rows, columns]) = (part.output_shape(), part.input_shape()) else {
        return Ok(None);
    };
    // Random signs, so that channels do not cancel.
    let signs = noise(c, 3);
    let mut seed = vec![0.0; part.output_len()];
    for (channel, sign) in signs.iter().enumerate() {
        seed[(channel * h + h / 2) * w + w / 2] = *sign;
    }
    let len = seed.len();
    let row = read(part.apply_adjoint(part.upload(seed, len))?)?;
    let (mut top, mut left, mut bottom, mut right) = (rows, columns, 0, 0);
    for (i, _) in row.iter().enumerate().filter(|(_, v)| **v != 0.0) {
        let (y, x) = (i % (rows * columns) / columns, i % columns);
        (top, left) = (top.min(y), left.min(x));
        (bottom, right) = (bottom.max(y + 1), right.max(x + 1));
    }
    Ok((bottom > 0).then(|| FieldSize {
        h: bottom - top,
        w: right - left,
        clipped: top == 0 || left == 0 || bottom == rows || right == columns,
    }))
}

/// The recorded program in numbers, with sources and without.
struct Accounts {
    program: Account,
    homogeneous: Account,
}

impl Accounts {
    fn json(&self) -> Value {
        json!({
            "nodes": self.program.nodes,
            "nodes_without_sources": self.homogeneous.nodes,
            "decisions": self.program.decisions,
            "decision_bytes": self.program.decision_bytes,
            "decision_bytes_as_floats": self.program.decision_floats,
            "flops_per_probe": self.homogeneous.flops,
        })
    }
}

impl fmt::Display for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "recorded: {} nodes ({} without sources) · {} decisions in {}B, {}B as floats · {} flop a probe",
            self.program.nodes,
            self.homogeneous.nodes,
            self.program.decisions,
            scaled(self.program.decision_bytes as u64),
            scaled(self.program.decision_floats as u64),
            scaled(self.homogeneous.flops),
        )
    }
}

/// Ops without a row, each once with its first node.
fn unknown_ops(unknown: &[(String, String)]) -> Failure {
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
    }
}

/// A file that the loader refuses: its nodes all the same, and which of them it was.
fn cannot_run(
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
        "it cannot be run: {} of {} nodes are refused",
        refused.len(),
        nodes.len()
    );
}

/// Inputs and outputs of the file, and the ends that are inspected: of several inputs the first that may be a
/// picture varies, and the others are fixed to zeros where nothing else is said.
fn ends(args: &Inspect, mut model: Model) -> Result<(Ends, Value)> {
    let port = |port: &Signature| {
        json!({
            "name": port.name,
            "shape": port.to_string(),
            "channels_last": port.channels_last,
        })
    };
    let ports = json!({
        "inputs": model.inputs().iter().map(port).collect::<Vec<_>>(),
        "outputs": model.outputs().iter().map(port).collect::<Vec<_>>(),
    });
    let set = |name: &str| {
        args.ends
            .set
            .iter()
            .any(|set| set.starts_with(&format!("{name}=")))
    };
    let free: Vec<Signature> = model
        .inputs()
        .iter()
        .filter(|one| !set(&one.name))
        .cloned()
        .collect();
    let pictures = free.iter().position(|input| input.dims.len() >= 3);
    let varied = pictures.unwrap_or(0);
    let mut flags = args.ends.clone();
    let others = free.iter().enumerate().filter(|(at, _)| *at != varied);
    for (_, input) in others {
        console::notice(&format!(
            "the input \"{}\" {input} is taken as zeros; --set {}=… gives something else, and {} varies",
            input.name, input.name, free[varied].name
        ));
        flags.set.push(format!("{}=0", input.name));
    }
    for set in flags.set.drain(..) {
        model = fixed(&model, &set)?;
    }
    Ok((flags.of(model)?, ports))
}

fn inspect(args: &Inspect) -> Result<()> {
    let (whole, hash) = read_model(&args.model)?;
    let (ends, ports) = ends(args, whole)?;
    let model = &ends.model;
    let signature = &model.inputs()[0];
    let (shape, assumed) = shape_of(args.shape.as_deref(), signature)?;
    let shapes = std::slice::from_ref(&shape);
    let unknown = model.unsupported(shapes)?;
    let network = match unknown.is_empty() {
        true => model.network(shapes).map_err(|error| {
            let refused = match &error {
                Error::UnsupportedOp { node, op } | Error::Unsupported { node, op, .. } => {
                    vec![(node.clone(), op.clone())]
                }
                _ => vec![],
            };
            (Failure::from(error), refused)
        }),
        false => Err((unknown_ops(&unknown), unknown)),
    };
    let network = match network {
        Ok(network) => network,
        Err((failure, refused)) => {
            if !refused.is_empty() {
                cannot_run(args, model, &hash, &shape, &refused, &failure);
            }
            // An assumed shape may be all that is wrong.
            return Err(match assumed {
                true => Failure {
                    message: format!(
                        "{} (the shape {shape:?} was assumed; --shape gives another)",
                        failure.message
                    ),
                    ..failure
                },
                false => failure,
            });
        }
    };
    let (network, left_out) = scores(network);
    let parameters = network.parameters();
    let rules = rules::read(&args.rules)?;
    let device = Device::flex();
    let loaded = load(network, &device, FloatDType::F32)?;
    let network = loaded.network().clone();
    // Any picture shows the structure: noise in 0..1.
    let x0: Vec<f64> = noise(shape.iter().product(), 1)
        .iter()
        .map(|v| 0.5 + 0.5 * v)
        .collect();
    let x0 = TensorData::new(x0, shape.clone());
    let survey = FrozenNetwork::survey(&loaded, x0.clone(), rules.clone())?;
    let refused: Vec<&Surveyed> = survey
        .iter()
        .filter(|op| matches!(op.standing, Standing::Refused(_)))
        .collect();

    // Fields are measured through the program, which a refused op leaves without.
    let mut fields: HashMap<&str, FieldSize> = HashMap::new();
    let mut account = None;
    if refused.is_empty() {
        let frozen = FrozenNetwork::new(loaded, x0, rules.clone())?;
        account = frozen.recorded().map(|f| Accounts {
            program: f.program().account(),
            homogeneous: f.homogeneous().account(),
        });
        let mut last = "";
        for (number, op) in survey.iter().enumerate() {
            if last == &*op.node {
                continue;
            }
            last = &op.node;
            console::step(&format!("field {} of {}", number + 1, survey.len()));
            if let Some(size) = field(&frozen, last)? {
                fields.insert(last, size);
            }
        }
    }

    console::clear();
    if args.json {
        let ops: Vec<Value> = survey
            .iter()
            .map(|op| entry(op, &fields, network.alias(&op.node)))
            .collect();
        let more = json!({
            "input": { "name": signature.name, "shape": shape, "assumed": assumed },
            "ends": ends.facts,
            "ports": ports,
            "rules": rules.to_string(),
            "final_softmax_left_out": left_out,
            "can_be_frozen": refused.is_empty(),
            "recorded": account.as_ref().map(Accounts::json),
            "ops": ops,
        });
        let header = header("inspect", &args.model, &hash, parameters);
        print!("{}", pretty(&with(header, more)));
        return Ok(());
    }
    let assumed = if assumed { " assumed to be" } else { "" };
    let input = format!("input \"{}\"{assumed}", signature.name);
    let out = survey.last().map_or(&[][..], |op| &op.shape[..]);
    let rules = format!("rules {rules}");
    println!("{}", heading(&args.model, &input, [&shape, out], &[&rules]));
    table(&survey, &fields, &network);
    let flops: u64 = survey.iter().map(|op| op.flops).sum();
    let count = |word: &str| {
        survey
            .iter()
            .filter(|op| op.standing.word() == word)
            .count()
    };
    println!(
        "{} ops: {} linear, {} by a rule, {} read x₀ only, {} constant, {} refused · {parameters} \
         parameters · {} flop a forward",
        survey.len(),
        count("linear"),
        count("rule"),
        count("reads x₀"),
        count("constant"),
        refused.len(),
        scaled(flops),
    );
    if let Some(account) = account {
        println!("it can be frozen");
        println!("{account}");
    } else {
        println!("it cannot be frozen yet:");
        for op in refused {
            if let Standing::Refused(why) = &op.standing {
                println!("  node \"{}\", {}: {why}", op.node, op.op);
            }
        }
        println!("docs/rules.md lists the ops that have a rule");
    }
    Ok(())
}

fn entry(op: &Surveyed, fields: &HashMap<&str, FieldSize>, alias: Option<&Arc<str>>) -> Value {
    let field = fields
        .get(&*op.node)
        .map(|size| json!({ "h": size.h, "w": size.w, "reaches_the_border": size.clipped }));
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
fn scaled(count: u64) -> String {
    let x = count as f64;
    match count {
        1_000_000_000.. => format!("{:.2} G", x / 1e9),
        1_000_000.. => format!("{:.1} M", x / 1e6),
        1_000.. => format!("{:.1} k", x / 1e3),
        _ => count.to_string(),
    }
}

fn table(survey: &[Surveyed], fields: &HashMap<&str, FieldSize>, network: &Network) {
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
            Some(size) if first => format!(
                "{}{}×{}",
                if size.clipped { "≥" } else { "" },
                size.h,
                size.w
            ),
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
