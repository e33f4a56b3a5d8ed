//! `bench`: what k probes of a network cost, or what a device can do.

mod model;
mod suite;

pub(super) use suite::rate;

use std::path::PathBuf;

use clap::Args;

use crate::{
    args::{KernelsFlag, Precision},
    command::{About, Command, Group, Pictures},
    ends::EndFlags,
    error::{Failure, Result},
};

/// `bench`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Bench {
    /// The network: an .onnx file, zoo:NAME or zoo:NAME@WEIGHTS (docs/book/src/zoo.md)
    #[arg(required_unless_present = "gpu_suite")]
    pub model: Option<PathBuf>,
    /// Input shape [default: as in the file; where it is open, batch size 1 and 64×64]
    #[arg(long, value_delimiter = ',', value_name = "N,C,H,W")]
    pub shape: Option<Vec<usize>>,
    /// Number of probes to run side by side
    #[arg(short, default_value_t = 8, value_name = "K")]
    pub k: usize,
    /// Number of interleaved rounds that medians are taken over
    #[arg(long, default_value_t = 15, value_name = "N")]
    pub rounds: usize,
    /// Device to compute on, as for the other commands
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
    /// Precision of all computations
    #[arg(long, default_value = "f32")]
    pub dtype: Precision,
    #[command(flatten)]
    pub kernels: KernelsFlag,
    /// Also time every map of the program separately
    #[arg(long)]
    pub nodes: bool,
    /// Print the results as JSON on stdout
    #[arg(long)]
    pub json: bool,
    /// Measure the device instead of a model: four published architectures with seeded weights, in f32, in at most six
    /// minutes. With --json, print one object per line as soon as it is measured
    #[arg(
        long,
        conflicts_with_all = ["model", "shape", "k", "dtype", "kernels", "nodes", "read_output", "set", "layout", "boxes"]
    )]
    pub gpu_suite: bool,
    /// Time limit for each row of the suite, in seconds; work that the device has already begun is finished [default:
    /// 30]
    #[arg(long, value_name = "SECONDS")]
    pub row_limit: Option<f64>,
    /// Divide the widths and sizes of the suite's networks by N, for a quick look; compare such results only with each
    /// other
    #[arg(long, value_name = "N")]
    pub scale: Option<usize>,
    #[command(flatten)]
    pub ends: EndFlags,
}

impl Command for Bench {
    const ABOUT: &'static About = &About {
        name: "bench",
        group: Group::Check,
        summary: "Measure what k probes cost: paired, replayed and adjoint, relative to a plain forward pass",
        details: "With --gpu-suite, measures the device and needs no model file; docs/book/src/devices.md explains the rows.",
        example: "bench net.onnx --shape 1,3,224,224 -k 8",
        pictures: Pictures::None,
        files: &[],
        tables: &[],
        includes: &[],
    };

    fn run(&self) -> Result<()> {
        let of_the_suite = [
            ("--row-limit", self.row_limit.is_some()),
            ("--scale", self.scale.is_some()),
        ];
        if let Some((flag, _)) = of_the_suite
            .into_iter()
            .find(|(_, given)| *given && !self.gpu_suite)
        {
            return Err(Failure::input(format!("{flag} needs --gpu-suite")));
        }
        match &self.model {
            None => suite::measure(self),
            Some(path) => model::measure(self, path),
        }
    }
}
