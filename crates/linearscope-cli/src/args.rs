//! Flags that several commands share. A command's own flags stand in its own file.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::{
    ends::{EndFlags, Shaped},
    task::Task,
};
use burn::tensor::FloatDType;
use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use linearscope::Kernels;
use linearscope_analysis::discussion::Propagation;
use linearscope_preprocess::{Background, Channels, Interpolation, Profiles, Size};
use serde::{Serialize, Serializer};

/// Heading of what goes in and comes out.
const FILES: &str = "Input and output";
/// Heading of how the network is frozen and computed.
const FREEZING: &str = "Freezing and computing";

/// What every command about a picture takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// The network: an .onnx file, zoo:NAME or zoo:NAME@WEIGHTS (docs/book/src/zoo.md)
    pub model: PathBuf,
    /// The input x₀: a picture, or an .npy array, which is used without preprocessing
    #[arg(long, value_name = "FILE", help_heading = FILES)]
    pub input: PathBuf,
    /// Folder for results; this command writes to OUT/<input>/<command>/
    #[arg(long, default_value = "out", help_heading = FILES)]
    pub out: PathBuf,
    /// Print the manifest as JSON instead of text
    #[arg(long, help_heading = FILES)]
    pub json: bool,
    /// Draw each channel of a signed colour picture separately, blue to red
    #[arg(long, help_heading = FILES)]
    pub each_channel: bool,
    /// Process only the I-th of N equal parts; `linearscope merge` combines the parts
    #[arg(long, value_name = "I/N", help_heading = FILES)]
    pub shard: Option<Shard>,
    /// Recompute everything, including results that an earlier run finished
    #[arg(long, help_heading = FILES)]
    pub fresh: bool,
    /// What the network does [default: inferred from its shapes]
    #[arg(long, help_heading = crate::ends::ENDS)]
    pub task: Option<Task>,
    #[command(flatten)]
    pub ends: EndFlags,
    #[command(flatten)]
    pub freezing: Freezing,
    #[command(flatten)]
    pub recipe: RecipeFlags,
}

/// How the network is frozen, and where that is computed.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = FREEZING)]
pub(crate) struct Freezing {
    /// How non-linear units are frozen: presets (paper, taylor, mask, std-only), entries such as `tanh=taylor`,
    /// `node:features.*=mask`, `at:3..9=constant`, or a .toml file of entries. The first match wins. See docs/book/src/rules.md
    #[arg(long, value_name = "RULE[,RULE]", value_delimiter = ',')]
    pub rules: Vec<String>,
    /// Precision of all computations; use f64 to tell rounding error from bugs
    #[arg(long, default_value = "f32")]
    pub dtype: Precision,
    /// Device to compute on: cpu, one that the program was built with (wgpu, vulkan, metal, cuda, rocm; append :N
    /// for the N-th of several), remote:ws://HOST:PORT, or auto, the best of this machine. `linearscope devices` lists them
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
    #[command(flatten)]
    pub kernels: KernelsFlag,
    /// Memory for decisions and probes, in GB [default: half of the free memory]. If given, half of it is reserved for
    /// the bases of svd, which are otherwise unlimited
    #[arg(long, value_name = "GB")]
    pub max_memory: Option<f64>,
    /// Freeze again in f64 and list the decisions that differ
    #[arg(long)]
    pub check_decisions: bool,
}

impl Freezing {
    /// Whose kernels compute the reference.
    pub(crate) fn kernels(&self) -> Kernels {
        self.kernels.on(&self.device)
    }
}

/// Whose convolutions the reference is computed by.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct KernelsFlag {
    /// Kernels that compute f(x₀): LinearScope's own for convolutions (faster, and the default on the CPU), or Burn's
    /// for everything. Their results differ by rounding
    #[arg(long, value_parser = one_of::<Kernels, _>(Kernels::ALL.map(Kernels::name)))]
    kernels: Option<Kernels>,
}

impl KernelsFlag {
    /// Whose were requested, if any were.
    pub(crate) fn asked(self) -> Option<Kernels> {
        self.kernels
    }

    /// Whose they are on a device.
    pub(crate) fn on(self, device: &str) -> Kernels {
        let kind = device.split(':').next();
        self.kernels.unwrap_or(match kind {
            Some("cpu") => Kernels::Own,
            _ => Kernels::Burn,
        })
    }
}

/// How a picture becomes x₀. Each flag overrides the file MODEL.toml alongside the model.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Recipe: how a picture becomes x₀")]
pub(crate) struct RecipeFlags {
    /// Value of white before the mean and std are applied: 1 or 255 [default: 1]
    #[arg(long)]
    pub range: Option<f64>,
    /// Mean subtracted from each channel, in units of the range
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub mean: Option<Vec<f64>>,
    /// Standard deviation that each channel is divided by, in units of the range
    #[arg(long, value_delimiter = ',')]
    pub std: Option<Vec<f64>>,
    /// Channel order; `y` is luminance [default: rgb for 3 channels, y for 1]
    #[arg(long, value_parser = one_of::<Channels, _>(Channels::ALL.map(Channels::name)))]
    pub channels: Option<Channels>,
    /// Resize the shorter side to N, or to exactly HxW
    #[arg(long, value_name = "N|HxW")]
    pub resize: Option<Size>,
    /// After resizing, crop N×N, or HxW, from the centre
    #[arg(long, value_name = "N|HxW")]
    pub crop: Option<Size>,
    /// Resampling filter, always antialiased [default: bilinear]
    #[arg(long, value_parser = one_of::<Interpolation, _>(Interpolation::ALL.map(Interpolation::name)))]
    pub interpolation: Option<Interpolation>,
    /// Background behind transparent pixels: white, black, #rrggbb, or none [default: white]
    #[arg(long, value_name = "COLOUR")]
    pub background: Option<Background>,
    /// How to treat a colour profile other than sRGB [default: ignore, as torchvision does]
    #[arg(long, value_name = "ignore|convert")]
    pub profiles: Option<Profiles>,
    /// Values of black and white in the output [default: the same as in the input]
    #[arg(
        long,
        value_delimiter = ',',
        allow_hyphen_values = true,
        value_name = "BLACK,WHITE"
    )]
    pub output_range: Option<Vec<f64>>,
    /// File of class names, one per line
    #[arg(long)]
    pub labels: Option<PathBuf>,
    /// Largest picture or array to read, in GB once decoded; reading it takes two to four times as much memory
    /// [default: 2, and 200 megapixels]
    #[arg(long, value_name = "GB", allow_hyphen_values = true)]
    pub max_input: Option<f64>,
}

impl RecipeFlags {
    /// The flags that say how a picture becomes x₀, of those that were given.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let given = [
            ("--range", self.range.is_some()),
            ("--mean", self.mean.is_some()),
            ("--std", self.std.is_some()),
            ("--channels", self.channels.is_some()),
            ("--resize", self.resize.is_some()),
            ("--crop", self.crop.is_some()),
            ("--interpolation", self.interpolation.is_some()),
            ("--background", self.background.is_some()),
            ("--profiles", self.profiles.is_some()),
        ];
        let given = given.into_iter().filter(|(_, given)| *given);
        given.map(|(flag, _)| flag).collect()
    }
}

/// The names that a flag takes, as `--help` lists them.
fn one_of<T, const N: usize>(names: [&'static str; N]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

/// A word of a command line, quoted where a shell would break it.
pub(crate) fn quoted(word: &str) -> String {
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
        for (name, value) in self.ends.words() {
            flag(name, Some(value));
        }
        flag("task", self.task.map(Task::name));
        flag(
            "dtype",
            (self.freezing.dtype == Precision::F64).then(|| "f64".into()),
        );
        let kernels = self.freezing.kernels.kernels;
        flag("kernels", kernels.map(|kernels| kernels.to_string()));
        let rules = (!self.freezing.rules.is_empty()).then(|| self.freezing.rules.join(","));
        flag("rules", rules);
        let recipe = &self.recipe;
        flag("range", recipe.range.map(|x| x.to_string()));
        flag("mean", recipe.mean.as_deref().map(joined));
        flag("std", recipe.std.as_deref().map(joined));
        flag("channels", recipe.channels.map(|c| c.to_string()));
        flag("resize", recipe.resize.map(|size| size.to_string()));
        flag("crop", recipe.crop.map(|size| size.to_string()));
        flag("interpolation", recipe.interpolation.map(|i| i.to_string()));
        flag("background", recipe.background.map(|b| b.to_string()));
        flag("profiles", recipe.profiles.map(|p| p.to_string()));
        flag("output-range", recipe.output_range.as_deref().map(joined));
        flag(
            "labels",
            recipe.labels.as_ref().map(|p| p.display().to_string()),
        );
        flag("max-input", recipe.max_input.map(|x| x.to_string()));
        line.join(" ")
    }
}

/// A part of the network, by names of nodes: those shown, or the file's.
#[derive(Clone, Debug, Default, Args, Serialize)]
pub(crate) struct Between {
    /// Begin at the output of this node instead of the input
    #[arg(long, value_name = "NODE")]
    pub from: Option<String>,
    /// End at the output of this node instead of the output
    #[arg(long, value_name = "NODE")]
    pub to: Option<String>,
}

impl Between {
    /// What vectors at its beginning and at its end are.
    pub(crate) fn shaped(&self) -> [Shaped; 2] {
        let end = |node: &Option<String>, whole| match node {
            None => whole,
            Some(_) => Shaped::Within,
        };
        [
            end(&self.from, Shaped::Input),
            end(&self.to, Shaped::Output),
        ]
    }
}

/// What the discussions of pixels are made of. See docs/book/src/votes.md
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Hearing {
    /// How the contribution of the sources is carried back to pixels
    #[arg(long, default_value = "conserving")]
    pub discussion: Propagation,
    /// Terms to include: all, input (only the pixels: gradient × input), or the sources of one layer by name or number
    #[arg(
        long,
        alias = "heard",
        default_value = "all",
        value_name = "all|input|LAYER"
    )]
    pub terms: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
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

    /// As Burn has it.
    pub(crate) fn dtype(self) -> FloatDType {
        match self {
            Precision::F32 => FloatDType::F32,
            Precision::F64 => FloatDType::F64,
        }
    }
}

/// One of several equal parts of a folder, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub index: usize,
    pub of: usize,
}

impl Shard {
    /// Whether the item of this number belongs to it.
    pub(crate) fn has(self, item: usize) -> bool {
        item % self.of == self.index - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl Serialize for Shard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (index, of) = text.split_once('/')?;
            Some((index.trim().parse().ok()?, of.trim().parse().ok()?))
        };
        match read() {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err("expected I/N with 1 ≤ I ≤ N, such as 2/3".into()),
        }
    }
}
