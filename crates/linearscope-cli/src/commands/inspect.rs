//! `inspect`: the graph as the interpreter sees it.

mod ops;
mod refusal;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use clap::Args;
use linearscope::survey::{Overview, Standing};
use linearscope_onnx::{Error, Signature};
use linearscope_preprocess::Limits;
use serde_json::{Value, json};

use self::ops::scaled;
use crate::{
    command::{About, Command, Group, Pictures},
    console,
    ends::{EndFlags, Ends, fixed},
    error::{Failure, Result},
    model::{self, Model},
    opened::{header, heading, scores, with},
    results::pretty,
    rules,
};

/// `inspect`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Inspect {
    /// The network: an .onnx file, zoo:NAME or zoo:NAME@WEIGHTS (docs/book/src/zoo.md)
    pub model: PathBuf,
    /// Input shape [default: as in the file; where it is open, batch size 1 and 64×64]
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
        summary: "Show the graph as the interpreter sees it: role, rule, shape, cost and field of every op",
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
            Failure::input("the file does not specify the shape of its input")
                .hint("pass it, for instance --shape 1,3,224,224"),
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

/// Inputs and outputs of the file, and the ends that are inspected: of several inputs the first that may be a
/// picture varies, and the others are fixed to zeros where nothing else is said.
fn ends(args: &Inspect, model: Model) -> Result<(Ends, Value)> {
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
    let mut model = match model {
        Model::Onnx(model) => model,
        zoo @ Model::Zoo(_) => return Ok((args.ends.of(zoo)?, ports)),
    };
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
            "the input \"{}\" {input} is set to zeros (change it with --set {}=…); {} varies",
            input.name, input.name, free[varied].name
        ));
        flags.set.push(format!("{}=0", input.name));
    }
    for set in flags.set.drain(..) {
        model = fixed(&model, &set, &Limits::default())?;
    }
    Ok((flags.of(Model::Onnx(model))?, ports))
}

fn inspect(args: &Inspect) -> Result<()> {
    let (whole, hash) = model::read(&args.model)?;
    let (ends, ports) = ends(args, whole)?;
    let model = &ends.model;
    let signature = &model.inputs()[0];
    let given = args.shape.clone().or_else(|| model.made_for());
    let (shape, assumed) = shape_of(given.as_deref(), signature)?;
    let shapes = std::slice::from_ref(&shape);
    let network = match model {
        Model::Zoo(zoo) => zoo.network(shapes).map_err(|failure| (failure, vec![])),
        Model::Onnx(model) => {
            let unknown = model.unsupported(shapes)?;
            match unknown.is_empty() {
                true => model.network(shapes).map_err(|error| {
                    let refused = match &error {
                        Error::UnsupportedOp { node, op } | Error::Unsupported { node, op, .. } => {
                            vec![(node.clone(), op.clone())]
                        }
                        _ => vec![],
                    };
                    (Failure::from(error), refused)
                }),
                false => Err((refusal::unknown_ops(&unknown), unknown)),
            }
        }
    };
    let network = match network {
        Ok(network) => network,
        Err((failure, refused)) => {
            if let (Model::Onnx(model), false) = (model, refused.is_empty()) {
                refusal::cannot_run(args, model, &hash, &shape, &refused, &failure);
            }
            // An assumed shape may be all that is wrong.
            return Err(match assumed {
                true => Failure {
                    message: format!(
                        "{} (assuming the shape {shape:?}; change it with --shape)",
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
    let network = Arc::new(network);
    console::step("analysing every op");
    let Overview {
        ops: survey,
        recording,
    } = Overview::of(&network, &rules, &console::interrupt())?;
    let none = BTreeMap::new();
    let fields = recording.as_ref().map_or(&none, |found| &found.fields);

    console::clear();
    if args.json {
        let ops: Vec<Value> = survey
            .iter()
            .map(|op| ops::entry(op, fields, network.alias(&op.node)))
            .collect();
        let more = json!({
            "input": { "name": signature.name, "shape": shape, "assumed": assumed },
            "ends": ends.facts,
            "ports": ports,
            "rules": rules.to_string(),
            "final_softmax_left_out": left_out,
            "can_be_frozen": recording.is_some(),
            "recorded": recording.as_ref().map(ops::recorded),
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
    ops::table(&survey, fields, &network);
    let flops: u64 = survey.iter().map(|op| op.flops).sum();
    let count = |word: &str| {
        survey
            .iter()
            .filter(|op| op.standing.word() == word)
            .count()
    };
    println!(
        "{} ops: {} linear, {} by a rule, {} read x₀ only, {} constant, {} refused · {parameters} parameters · \
         {} flop per forward pass",
        survey.len(),
        count("linear"),
        count("rule"),
        count("reads x₀"),
        count("constant"),
        count("refused"),
        scaled(flops),
    );
    if let Some(recording) = recording {
        println!("it can be frozen");
        println!("{}", ops::recorded_line(&recording));
    } else {
        println!("it cannot be frozen yet:");
        for op in &survey {
            if let Standing::Refused(why) = &op.standing {
                println!("  node \"{}\", {}: {why}", op.node, op.op);
            }
        }
        println!("docs/book/src/rules.md lists the ops that have a rule");
    }
    Ok(())
}
