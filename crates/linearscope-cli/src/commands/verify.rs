//! `verify`: whether this model keeps every promise on this device, and agrees with another program.

use burn::tensor::TensorData;
use clap::Args;
use linearscope_analysis::{
    FrozenNetwork, LinearOperator,
    certificate::certificate,
    conformance::{Check, conformance},
    noise,
    vectors::read,
};
use serde_json::{Value, json};
use std::path::PathBuf;

use super::inspect::shape_of;
use crate::{
    args::{KernelsFlag, Precision, RecipeFlags},
    command::{About, Command, Group, Pictures},
    console, device,
    ends::{EndFlags, Ends, Shaped, to_first},
    error::{CERTIFICATE, Failure, Result},
    input::{check_finite, read_input},
    limits, model,
    npy::{self, is_npy},
    opened::{header, heading, load, name_of, scores, with},
    recipe::Recipe,
    results::{pretty, write_whole},
    rules,
    session::certificate_line,
    subject::is_shape,
};

/// `verify`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    /// The network: an .onnx file, zoo:NAME or zoo:NAME@WEIGHTS (docs/book/src/zoo.md)
    pub model: PathBuf,
    /// Input shape [default: as in the file; where it is open, batch size 1 and 64×64]
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "N,C,H,W",
        conflicts_with = "input"
    )]
    pub shape: Option<Vec<usize>>,
    /// The input x₀: a picture, or an .npy array, which is used without preprocessing [default: noise in 0..1 with a
    /// fixed seed]
    #[arg(long, value_name = "IMG|NPY")]
    pub input: Option<PathBuf>,
    /// Write x₀ to this .npy file, for another program to run
    #[arg(long, value_name = "NPY")]
    pub write_input: Option<PathBuf>,
    /// The output of another program, such as onnxruntime, for the same x₀
    #[arg(long, value_name = "NPY")]
    pub reference: Option<PathBuf>,
    /// Seed for the noise
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Device to compute on, as for the other commands
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
    /// Precision of all computations
    #[arg(long, default_value = "f32")]
    pub dtype: Precision,
    #[command(flatten)]
    pub kernels: KernelsFlag,
    /// How non-linear units are frozen, as for the other commands
    #[arg(long, value_name = "RULE[,RULE]", value_delimiter = ',')]
    pub rules: Vec<String>,
    /// Print everything as JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub ends: EndFlags,
    #[command(flatten)]
    pub recipe: RecipeFlags,
}

impl Command for Verify {
    const ABOUT: &'static About = &About {
        name: "verify",
        group: Group::Check,
        summary: "Check that a model keeps every promise on this device and agrees with onnxruntime",
        details: "",
        example: "verify net.onnx --input x.npy --reference y.npy",
        pictures: Pictures::None,
        files: &[],
        tables: &[],
        includes: &[],
    };

    fn run(&self) -> Result<()> {
        verify(self)
    }
}

/// What another program's output may be off, over its largest entry: it computes in f32.
const AGREEMENT: f64 = 1e-4;

/// max |y − e| / max |e|.
fn disagreement(y: &[f64], expected: &[f64]) -> f64 {
    let largest =
        |values: &mut dyn Iterator<Item = f64>| values.fold(0.0f64, |a, b| a.max(b.abs()));
    let gap = largest(&mut y.iter().zip(expected).map(|(a, b)| a - b));
    match gap {
        0.0 => 0.0,
        gap => gap / largest(&mut expected.iter().copied()),
    }
}

fn verify(args: &Verify) -> Result<()> {
    let dtype = args.dtype.dtype();
    let (name, device) = device::opened(&args.device, args.dtype)?;
    let limits = limits::of(args.recipe.max_input)?;
    let (model, hash) = model::read(&args.model)?;
    let Ends { model, layouts, .. } = args.ends.of(model)?;
    let signature = model.inputs()[0].clone();
    let (values, shape) = match &args.input {
        Some(path) => {
            let (beside, array) = (true, is_npy(path));
            let recipe = Recipe::of_input(&args.model, &args.recipe, beside, array, &signature)?;
            let read = read_input(path, recipe.as_ref(), &signature, layouts.input, &limits)?;
            check_finite(path, &read.values)?;
            if let Some(recipe) = recipe.filter(|_| !is_npy(path)) {
                console::notice(&recipe.line());
            }
            (read.values, read.shape)
        }
        None => {
            let given = args.shape.clone().or_else(|| model.made_for());
            let (shape, _) = shape_of(given.as_deref(), &signature)?;
            linearscope::check_input(&signature.name, &shape)?;
            let values = noise(shape.iter().product(), args.seed);
            (values.iter().map(|v| 0.5 + 0.5 * v).collect(), shape)
        }
    };
    if let Some(path) = &args.write_input {
        let (values, shape) = layouts.in_file(Shaped::Input, &values, &shape, 0);
        let bytes = npy::encode(&values, &shape, args.dtype);
        write_whole(path, &bytes.map_err(|error| Failure::file(path, error))?)?;
    }
    let whole = model.network(std::slice::from_ref(&shape))?;
    let (network, left_out) = scores(whole.clone());
    let parameters = network.parameters();
    let x0 = TensorData::new(values, shape.clone());
    let kernels = args.kernels.on(&name);
    let loaded = load(network, &device, dtype, kernels)?;
    console::step(&format!(
        "freezing {parameters} parameters at x₀ of shape {shape:?}"
    ));
    let frozen = FrozenNetwork::new(loaded, x0.clone(), rules::read(&args.rules)?)?;
    console::step("checking the promises");
    let certificate = certificate(&frozen)?;
    let mut checks = conformance(&frozen)?;

    if let Some(path) = &args.reference {
        let (mut expected, mut given) = npy::read(path, &limits)?;
        let out = whole.outputs()[0].shape.to_vec();
        if layouts.output && given.len() + 1 >= out.len() {
            let lead = usize::from(given.len() == out.len());
            (expected, given) = to_first(&expected, &given, lead);
        }
        check_finite(path, &expected)?;
        // The other program ran the whole network, a final softmax too.
        if !is_shape(&given, &out) {
            return Err(Failure::input(format!(
                "{} has shape {given:?}, but the network's output has {out:?}",
                path.display()
            ))
            .hint("use numpy.save to save the other program's output for the same x₀"));
        }
        let y: Vec<f64> = match left_out.is_empty() {
            true => read(frozen.reference())?,
            false => {
                // Those that made y₀: paired runs are by Burn's.
                let kernels = frozen.frozen().loaded().kernels();
                let loaded = load(whole, &device, dtype, kernels)?;
                FrozenNetwork::forward(&loaded, x0)?.iter::<f64>().collect()
            }
        };
        checks.push(Check {
            promise: "f(x₀) equals the reference file".into(),
            error: disagreement(&y, &expected),
            limit: AGREEMENT,
        });
    }
    console::clear();
    let holds = certificate.holds() && checks.iter().all(Check::holds);

    if args.json {
        let rows: Vec<Value> = checks
            .iter()
            .map(|check| {
                json!({
                    "promise": check.promise,
                    "error": check.error,
                    "limit": check.limit,
                    "holds": check.holds(),
                })
            })
            .collect();
        let more = json!({
            "input": {
                "file": args.input,
                "seed": args.input.is_none().then_some(args.seed),
                "shape": shape,
            },
            "output": { "shape": frozen.output_shape() },
            "reference": args.reference,
            "backend": frozen.backend_name(),
            "device": name,
            "dtype": args.dtype.name(),
            "kernels": frozen.frozen().loaded().kernels().name(),
            "rules": frozen.frozen().rules().to_string(),
            "final_softmax_left_out": left_out,
            "mode": if frozen.recorded().is_some() { "recorded" } else { "paired" },
            "certificate": certificate,
            "checks": rows,
            "holds": holds,
        });
        let header = header("verify", &args.model, &hash, parameters);
        print!("{}", pretty(&with(header, more)));
    } else {
        let from = match &args.input {
            Some(path) => name_of(path),
            None => format!("noise of seed {}", args.seed),
        };
        let rules = format!("rules {}", frozen.frozen().rules());
        let computed = [name.as_str(), args.dtype.name(), &rules];
        let shapes = [&shape[..], frozen.output_shape()];
        println!("{}", heading(&args.model, &from, shapes, &computed));
        for check in &checks {
            println!(
                "{:5} {:40} {:.1e} (limit {:.0e})",
                if check.holds() { "holds" } else { "FAILS" },
                check.promise,
                check.error,
                check.limit,
            );
        }
        if frozen.recorded().is_none() {
            println!(
                "not recorded, since the decisions do not fit into memory; contributions were not checked"
            );
        }
        println!("{}", certificate_line(&certificate, args.dtype));
    }
    if holds {
        return Ok(());
    }
    let broken: Vec<String> = checks
        .iter()
        .filter(|check| !check.holds())
        .map(|check| {
            format!(
                "{}: {:.1e}, limit {:.0e}",
                check.promise, check.error, check.limit
            )
        })
        .collect();
    let mut message = format!("{} does not hold", args.model.display());
    match broken.is_empty() {
        true => message += &format!(": {}", certificate_line(&certificate, args.dtype)),
        false => message += &format!(": {}", broken.join("; ")),
    }
    Err(Failure {
        message,
        hint: Some(match args.dtype {
            Precision::F32 => "use --dtype f64 to tell rounding error from a bug".into(),
            Precision::F64 => {
                "check that the reference was computed from this x₀; if so, please report this, with the model".into()
            }
        }),
        code: CERTIFICATE,
        cause: None,
    })
}
