//! What the decisions of large networks take: one bit a ReLU unit, one byte a pooled cell, statistics
//! per channel, against the 32-bit floats of the paper's Table 1. Seeded random weights.
//!
//! ```text
//! cargo bench -p linearscope-benches --bench decisions
//! ```

use std::time::Instant;

use burn::tensor::{Device, FloatDType, TensorData};
use linearscope::RuleSet;
use linearscope_analysis::{FrozenNetwork, bench::networks::Architecture, noise};

fn report(name: &str, architecture: Architecture, size: usize) -> linearscope_analysis::Result<()> {
    let device = Device::flex();
    let shape = [1, 3, size, size];
    let loaded = FrozenNetwork::load(architecture.network(1, size, 1)?, &device, FloatDType::F32)?;
    let x0: Vec<f64> = noise(shape.iter().product(), 1);
    let start = Instant::now();
    let frozen = FrozenNetwork::new(loaded, TensorData::new(x0, shape), RuleSet::default())?;
    let seconds = start.elapsed().as_secs_f64();
    let account = frozen.recorded().expect("it fits").program().account();
    println!(
        "{name} at {shape:?}: {} decisions in {:.2} MB, as floats {:.1} MB, {:.1} times as much; \
         {:.1} GFLOP a probe; frozen in {seconds:.1} s",
        account.decisions,
        account.decision_bytes as f64 / 1e6,
        account.decision_floats as f64 / 1e6,
        account.decision_floats as f64 / account.decision_bytes as f64,
        account.flops as f64 / 1e9,
    );
    Ok(())
}

fn main() -> linearscope_analysis::Result<()> {
    report("VGG-19", Architecture::Vgg19, 224)?;
    report("EDSR 32×256 ×4", Architecture::Edsr, 48)?;
    report("CycleGAN generator", Architecture::CycleGan, 256)
}
