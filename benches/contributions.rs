//! The contributions of one score, once per line of stdin: the milliseconds of each on stdout.
//!
//! ```text
//! cargo bench -p linearscope-benches --bench contributions -- net.onnx x0.npy TARGET
//! ```
//!
//! `wheel_overhead.py` asks this and the Python package in turn.

use std::{fs, io::Write, time::Instant};

use burn::tensor::{Device, FloatDType, TensorData};
use linearscope::RuleSet;
use linearscope_analysis::{FrozenNetwork, contribution::contributions};
use linearscope_onnx::Model;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let [model, x0, target] = given.as_slice() else {
        println!("give MODEL.onnx x0.npy TARGET");
        return Ok(());
    };
    let target = target.parse()?;
    // The allocator as the package has it.
    linearscope_cli::embed::prepare();
    let bytes = fs::read(x0)?;
    let file = npyz::NpyFile::new(&bytes[..])?;
    let shape: Vec<usize> = file.shape().iter().map(|&size| size as usize).collect();
    let x0 = TensorData::new(file.into_vec::<f32>()?, shape.clone());
    let network = Model::load(model)?.network(&[shape])?;
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F32)?;
    let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default())?;
    for line in std::io::stdin().lines() {
        line?;
        let start = Instant::now();
        let found = contributions(&frozen, target)?;
        println!("{} {}", start.elapsed().as_secs_f64() * 1e3, found.score);
        std::io::stdout().flush()?;
    }
    Ok(())
}
