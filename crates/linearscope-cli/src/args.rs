//! The whole interface of the program.

use std::{path::PathBuf, str::FromStr};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use linearscope_preprocess::{Channels, Interpolation, Size};

/// See how a convolutional network solves its problem: freeze what its non-linear units decided
/// for one picture, and read the affine map y = F x + r that is left.
#[derive(Debug, Parser)]
#[command(name = "linearscope", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The tour on the bundled networks: pictures and a report to open
    Demo(Demo),
    /// The graph as the interpreter sees it: role, rule, shape, cost and field of every op
    Inspect(Inspect),
    /// f(x₀), the residual r, and the certificate
    Run(Common),
    /// Columns F δ: where single input pixels go (projective fields)
    Column(At),
    /// Rows Fᵀ δ: which input pixels single outputs use (receptive fields)
    Row(At),
    /// F x₁, and F x₁ + r, for any probe x₁
    Project(Project),
    /// Fᵀ y₂ for any output y₂
    Backproject(Backproject),
    /// The largest singular triplets of F: eigen-inputs, eigen-outputs and σ
    Svd(Svd),
    /// The whole spectrum of F by random probes: norm, effective rank, density, with error bars
    Spectrum(Spectrum),
    /// Layer-wise contributions to one score
    Contributions(Contributions),
    /// Field radii, off-diagonal energy, copy–move, templates, shift-variance: from picture to picture
    Maps(Maps),
    /// Pixel discussions and votes: which class each pixel speaks for
    Votes(Votes),
    /// A picture close by that is read otherwise, and what changed
    Attack(Attack),
    /// Everything that fits the task, and one report to open
    Analyse(Analyse),
    /// All of F, as a sparse matrix for SciPy; an interrupted run goes on where it was
    Matrix(Matrix),
    /// What k probes cost: paired, replayed and adjoint, against plain forwards
    Bench(Bench),
    /// Whether this model keeps every promise on this device, and agrees with onnxruntime
    Verify(Verify),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Demo {
    /// Folder for the report and its numbers
    #[arg(long, default_value = "linearscope-demo")]
    pub out: PathBuf,
    /// Open the report when it is there
    #[arg(long)]
    pub open: bool,
}

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
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// The network, an .onnx file
    pub model: PathBuf,
    /// x₀: a picture, or an .npy that goes in as it is; for svd, votes, contributions, attack, maps and
    /// analyse also a folder of them
    #[arg(long, value_name = "IMG|NPY|FOLDER")]
    pub input: PathBuf,
    /// Folder for the results
    #[arg(long, default_value = "linearscope-out")]
    pub out: PathBuf,
    /// Where to compute: cpu, or what the program was built with (wgpu, vulkan, metal, cuda, rocm),
    /// with :N for the N-th of several
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
    /// Precision of everything
    #[arg(long, default_value = "f32")]
    pub dtype: Precision,
    /// How non-linear units are frozen: presets (paper, taylor, mask, std-only), entries such as
    /// `tanh=taylor`, `node:features.*=mask`, `at:3..9=constant`, or a .toml file of them; read
    /// left to right, the first that fits wins. See docs/rules.md
    #[arg(long, value_name = "RULE[,RULE]", value_delimiter = ',')]
    pub rules: Vec<String>,
    /// How much memory decisions and probes may take, in GB [default: half of what is free]
    #[arg(long, value_name = "GB")]
    pub max_memory: Option<f64>,
    /// Freeze once more in f64 and list the decisions that differ: what the decisions at risk come to
    #[arg(long)]
    pub check_decisions: bool,
    /// Draw each channel of a signed colour picture apart, blue to red
    #[arg(long)]
    pub each_channel: bool,
    /// Print the manifest as JSON on stdout
    #[arg(long)]
    pub json: bool,
    /// One of several pictures: results are written, and the summary of all is printed.
    #[arg(skip)]
    pub quiet: bool,
    #[command(flatten)]
    pub recipe: RecipeFlags,
}

/// How a picture becomes x₀. Each flag overrides the file MODEL.toml beside the model.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Recipe (a picture's way into the network)")]
pub(crate) struct RecipeFlags {
    /// White in the network's units, before mean and std: 1 or 255 [default: 1]
    #[arg(long)]
    pub range: Option<f64>,
    /// Subtracted per channel, in units of the range
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub mean: Option<Vec<f64>>,
    /// Divided by per channel, in units of the range
    #[arg(long, value_delimiter = ',')]
    pub std: Option<Vec<f64>>,
    /// Channel order; `y` is luminance [default: rgb for 3 channels, y for 1]
    #[arg(long, value_parser = one_of::<Channels, _>(Channels::ALL.map(Channels::name)))]
    pub channels: Option<Channels>,
    /// Resize the shorter side to N, or to exactly HxW
    #[arg(long, value_name = "N|HxW")]
    pub resize: Option<Size>,
    /// Then cut N×N, or HxW, from the middle
    #[arg(long, value_name = "N|HxW")]
    pub crop: Option<Size>,
    /// How the resize finds its pixels, always antialiased [default: bilinear]
    #[arg(long, value_parser = one_of::<Interpolation, _>(Interpolation::ALL.map(Interpolation::name)))]
    pub interpolation: Option<Interpolation>,
    /// What is black and white in the output [default: the input's, back through mean and std]
    #[arg(
        long,
        value_delimiter = ',',
        allow_hyphen_values = true,
        value_name = "BLACK,WHITE"
    )]
    pub output_range: Option<Vec<f64>>,
    /// Class names, one a line
    #[arg(long)]
    pub labels: Option<PathBuf>,
}

/// The names that a flag takes, as `--help` lists them.
fn one_of<T, const N: usize>(names: [&'static str; N]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

/// A word of a command line, quoted where a shell would break it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./,=:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn joined(values: &[f64]) -> String {
    let values: Vec<String> = values.iter().map(f64::to_string).collect();
    values.join(",")
}

impl Common {
    /// The model and every flag that decides what is computed, as a user would type them.
    pub(crate) fn line(&self) -> String {
        // A name that begins with a dash would be taken for a flag.
        let file = |path: &PathBuf| {
            let name = path.display().to_string();
            quoted(&if name.starts_with('-') {
                format!("./{name}")
            } else {
                name
            })
        };
        let mut line = vec![file(&self.model), "--input".into(), file(&self.input)];
        let mut flag = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                line.extend([format!("--{name}"), quoted(&value)]);
            }
        };
        flag(
            "dtype",
            (self.dtype == Precision::F64).then(|| "f64".into()),
        );
        let rules = (!self.rules.is_empty()).then(|| self.rules.join(","));
        flag("rules", rules);
        let recipe = &self.recipe;
        flag("range", recipe.range.map(|x| x.to_string()));
        flag("mean", recipe.mean.as_deref().map(joined));
        flag("std", recipe.std.as_deref().map(joined));
        flag("channels", recipe.channels.map(|c| c.to_string()));
        flag("resize", recipe.resize.map(|size| size.to_string()));
        flag("crop", recipe.crop.map(|size| size.to_string()));
        flag("interpolation", recipe.interpolation.map(|i| i.to_string()));
        flag("output-range", recipe.output_range.as_deref().map(joined));
        flag(
            "labels",
            recipe.labels.as_ref().map(|p| p.display().to_string()),
        );
        line.join(" ")
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct At {
    #[command(flatten)]
    pub common: Common,
    /// Which one: `c,y,x` (c may be `all`) for pictures, `k` for classes; repeat for several.
    /// `auto` chooses six: from the strongest edge to the flattest part, or the largest scores
    #[arg(long, default_value = "auto", value_name = "C,Y,X|K|auto")]
    pub at: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Project {
    #[command(flatten)]
    pub common: Common,
    /// x₁: an .npy of the input's shape, or a picture that takes the recipe's way
    #[arg(long, value_name = "IMG|NPY")]
    pub probe: PathBuf,
    #[command(flatten)]
    pub between: Between,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Backproject {
    #[command(flatten)]
    pub common: Common,
    /// y₂: an .npy of the output's shape
    #[arg(long, value_name = "NPY")]
    pub output: PathBuf,
    /// Zeiler and Fergus' deconvolution instead of Fᵀ: units let through what is positive on the way
    /// back. No part of F; for comparison
    #[arg(long)]
    pub deconvolution: bool,
    #[command(flatten)]
    pub between: Between,
}

/// A part of the network, by the model's own node names.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Between {
    /// Begin at the output of this node instead of the input
    #[arg(long, value_name = "NODE")]
    pub from: Option<String>,
    /// End at the output of this node instead of the output
    #[arg(long, value_name = "NODE")]
    pub to: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Analyse {
    #[command(flatten)]
    pub common: Common,
    /// What the network does [default: as its shapes say: scores, a larger picture, or one of the
    /// same size]
    #[arg(long)]
    pub task: Option<Task>,
    /// How many singular triplets
    #[arg(short, default_value_t = 6, value_name = "K")]
    pub k: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// From a picture to scores
    Classifier,
    /// Super-resolution: from a picture to a larger one
    Sr,
    /// From a picture to a picture
    I2i,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Svd {
    #[command(flatten)]
    pub common: Common,
    /// How many triplets
    #[arg(short, default_value_t = 8, value_name = "K")]
    pub k: usize,
    /// How they are computed
    #[arg(long, default_value = "lanczos")]
    pub solver: SolverName,
    /// Vectors multiplied at once (lanczos)
    #[arg(long, default_value_t = 1, value_name = "B")]
    pub block: usize,
    /// Vectors kept on either side before a restart (lanczos) [default: the larger of 4 K and
    /// K + 24]
    #[arg(long, value_name = "N")]
    pub basis: Option<usize>,
    /// Allowed ‖F v − σ u‖ and ‖Fᵀ u − σ v‖, over σ₁
    #[arg(long, default_value_t = 1e-5, value_name = "TOL")]
    pub tol: f64,
    /// Give up after so many products with F and Fᵀ
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    pub max_products: usize,
    /// Seed of the starting vectors
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub between: Between,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SolverName {
    /// Thick-restart block Golub–Kahan–Lanczos
    Lanczos,
    /// Subspace iteration on K + 8 vectors at once
    Subspace,
    /// The paper's Algorithm 1: power iteration with momentum, deflation
    Power,
    /// The same as printed: without momentum
    PowerPlain,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Contributions {
    #[command(flatten)]
    pub common: Common,
    /// Which score: `top1`, a class index `k`, or `c,y,x` of an output picture
    #[arg(long, default_value = "top1", value_name = "top1|K|C,Y,X")]
    pub target: String,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Spectrum {
    #[command(flatten)]
    pub common: Common,
    /// Random vectors: error bars shrink with their square root
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub probes: usize,
    /// Lanczos steps for each, of two products: how fine the density can be told
    #[arg(long, default_value_t = 40, value_name = "N")]
    pub steps: usize,
    /// Standard deviation of the Gaussian that the density is smoothed with, over σ₁
    #[arg(long, default_value_t = 0.04, value_name = "WIDTH")]
    pub width: f64,
    /// Seed of the random vectors
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub between: Between,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Maps {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub grid: MapFlags,
}

/// Where maps look, and what counts.
#[derive(Clone, Debug, Args)]
pub(crate) struct MapFlags {
    /// Distance of the places whose rows are looked at, in output pixels [default: about 16 places
    /// along the longer side, meeting every sub-pixel]
    #[arg(long, value_name = "PX")]
    pub stride: Option<usize>,
    /// Places of the output to look at one by one, all channels together: `c,y,x` with any c, or `all`;
    /// repeat for several. `auto` chooses six: from the strongest edge to the flattest part
    #[arg(long, default_value = "auto", value_name = "C,Y,X|auto")]
    pub at: Vec<String>,
    /// What counts as a place's own surroundings, in input pixels [default: an eighth of the
    /// input's shorter side]
    #[arg(long, value_name = "PX")]
    pub radius: Option<f64>,
    /// How many input pixels apart rows are compared for the shift-variance; a network that strides
    /// by s inside wants a multiple of s
    #[arg(long, default_value_t = 1, value_name = "PX")]
    pub period: usize,
    /// From what effective area, in output pixels, a column is a template [default: 2 % of the
    /// output]
    #[arg(long, value_name = "PX")]
    pub template_area: Option<f64>,
    /// How many templates to list
    #[arg(long, default_value_t = 6, value_name = "N")]
    pub templates: usize,
}

impl Default for MapFlags {
    fn default() -> Self {
        Self {
            stride: None,
            at: vec!["auto".into()],
            radius: None,
            period: 1,
            template_area: None,
            templates: 6,
        }
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Votes {
    #[command(flatten)]
    pub common: Common,
    /// How many classes: discussions of those with the best scores, masks of those with most votes
    #[arg(long, default_value_t = 5, value_name = "K")]
    pub top: usize,
    #[command(flatten)]
    pub hearing: Hearing,
    /// A vote for each channel of a pixel
    #[arg(long)]
    pub by_channel: bool,
}

/// What the discussions of pixels are made of. See docs/votes.md
#[derive(Clone, Debug, Args)]
pub(crate) struct Hearing {
    /// How the sources' part is carried back to pixels
    #[arg(long, default_value = "scored")]
    pub discussion: DiscussionName,
    /// Which terms are taken: all, input (the pixels alone, gradient × input), or the sources of one layer
    /// by name or number
    #[arg(
        long,
        alias = "heard",
        default_value = "all",
        value_name = "all|input|LAYER"
    )]
    pub terms: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiscussionName {
    /// Weighted by what the class makes of them
    Scored,
    /// Shared out so that a discussion sums to its score
    Conserving,
    /// Equation 18 of the paper, normalised
    Paper,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Attack {
    #[command(flatten)]
    pub common: Common,
    /// How far each entry may go
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    pub eps: f64,
    /// What ε counts: levels of 0..255 of the picture, or units of the network's input
    #[arg(long, default_value = "pixel")]
    pub eps_unit: EpsUnit,
    /// Gradients taken: 1 is FGSM, more is PGD
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub steps: usize,
    /// Towards this class [default: away from the best one]
    #[arg(long, value_name = "K")]
    pub target: Option<usize>,
    /// What the gradient is of
    #[arg(long, default_value = "cross-entropy")]
    pub loss: LossName,
    /// Begin at a random picture within ε, with this seed [default: at x₀]
    #[arg(long, value_name = "SEED")]
    pub random_start: Option<u64>,
    /// Random products that ‖F′ − F‖ is estimated with
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub probes: usize,
    /// How many classes are shown
    #[arg(long, default_value_t = 5, value_name = "K")]
    pub top: usize,
    #[command(flatten)]
    pub hearing: Hearing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EpsUnit {
    Pixel,
    Input,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LossName {
    CrossEntropy,
    Score,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Matrix {
    #[command(flatten)]
    pub common: Common,
    /// Rows of the output picture computed and written at a time [default: what memory allows]
    #[arg(long, value_name = "ROWS")]
    pub chunk: Option<usize>,
    /// Refuse to write a file larger than this many GB
    #[arg(long, default_value_t = 20.0, value_name = "GB")]
    pub max_size: f64,
}

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

#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    /// The network, an .onnx file
    pub model: PathBuf,
    /// The input's shape [default: what the file says, batch 1 and 64×64 where it says nothing]
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "N,C,H,W",
        conflicts_with = "input"
    )]
    pub shape: Option<Vec<usize>>,
    /// x₀: a picture, or an .npy that goes in as it is [default: noise in 0..1, always the same]
    #[arg(long, value_name = "IMG|NPY")]
    pub input: Option<PathBuf>,
    /// Write x₀ there as .npy, for another program to run
    #[arg(long, value_name = "NPY")]
    pub write_input: Option<PathBuf>,
    /// What another program makes of the same x₀, such as onnxruntime's output
    #[arg(long, value_name = "NPY")]
    pub reference: Option<PathBuf>,
    /// Seed of the noise
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to compute, as for the other commands
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
    /// Precision of everything
    #[arg(long, default_value = "f32")]
    pub dtype: Precision,
    /// How non-linear units are frozen, as for the other commands
    #[arg(long, value_name = "RULE[,RULE]", value_delimiter = ',')]
    pub rules: Vec<String>,
    /// Print everything as JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub recipe: RecipeFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    F32,
    F64,
}

impl Precision {
    /// As flags and manifests write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::F64 => "f64",
        }
    }
}
