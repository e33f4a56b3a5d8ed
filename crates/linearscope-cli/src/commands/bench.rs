//! `bench`: what k probes of a network cost, or what a device can do.

mod model;
mod suite;

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
    /// The network, an .onnx file
    #[arg(required_unless_present = "gpu_suite")]
    pub model: Option<PathBuf>,
    /// The input's shape [default: what the file says, batch 1 and 64×64 where it says nothing]
    #[arg(long, value_delimiter = ',', value_name = "N,C,H,W")]
    pub shape: Option<Vec<usize>>,
    /// How many probes run side by side
    #[arg(short, default_value_t = 8, value_name = "K")]
    pub k: usize,
    /// How many interleaved rounds the medians are of
    #[arg(long, default_value_t = 15, value_name = "N")]
    pub rounds: usize,
    /// Where to compute, as for the other commands
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
    /// Precision of everything
    #[arg(long, default_value = "f32")]
    pub dtype: Precision,
    #[command(flatten)]
    pub kernels: KernelsFlag,
    /// Time every map of the program alone, too
    #[arg(long)]
    pub nodes: bool,
    /// Print the figures as JSON on stdout
    #[arg(long)]
    pub json: bool,
    /// Measure the device instead of a model, on four published architectures with seeded weights, in f32 and at most
    /// six minutes. With --json one object a line, as soon as it is measured
    #[arg(
        long,
        conflicts_with_all = ["model", "shape", "k", "dtype", "kernels", "nodes", "read_output", "set", "layout", "boxes"]
    )]
    pub gpu_suite: bool,
    /// The most that a row of the suite may take, in seconds; what the device has begun by then is waited for
    /// [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub row_limit: Option<f64>,
    /// Divide widths and sizes of the suite's networks, for a quick look; such figures compare with nothing else
    #[arg(long, value_name = "N")]
    pub scale: Option<usize>,
    #[command(flatten)]
    pub ends: EndFlags,
}

impl Command for Bench {
    const ABOUT: &'static About = &About {
        name: "bench",
        group: Group::Check,
        summary: "What k probes cost: paired, replayed and adjoint, in plain forwards",
        details: "With --gpu-suite it measures a device and needs no file: docs/book/src/devices.md says what the rows are.",
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
            return Err(Failure::input(format!(
                "{flag} means something with --gpu-suite only"
            )));
        }
        match &self.model {
            None => suite::measure(self),
            Some(path) => model::measure(self, path),
        }
    }
}
