//! What the largest singular triplets cost: products, and where the time goes, block by block.
//!
//! ```text
//! cargo bench -p linearscope-benches --bench svd -- net.onnx x0.npy [BLOCK,BLOCK,…] [K] [ROUNDS] [BASIS]
//! ```
//!
//! One JSON object a solve on stdout. `svd_peers.py` asks scipy the same beside it.

use std::{cell::Cell, fs, io::Write, ops::ControlFlow, time::Instant};

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use linearscope::RuleSet;
use linearscope_analysis::{
    FrozenNetwork, LinearOperator,
    svd::{Solver, SvdConfig, svd},
};
use linearscope_onnx::Model;

/// An operator that is watched with a clock.
struct Timed<'a> {
    f: &'a FrozenNetwork,
    seconds: Cell<f64>,
}

impl Timed<'_> {
    fn timed(
        &self,
        work: impl FnOnce() -> linearscope_analysis::Result<Tensor<2>>,
    ) -> linearscope_analysis::Result<Tensor<2>> {
        let start = Instant::now();
        let made = work()?;
        self.seconds
            .set(self.seconds.get() + start.elapsed().as_secs_f64());
        Ok(made)
    }
}

impl LinearOperator for Timed<'_> {
    fn input_shape(&self) -> &[usize] {
        self.f.input_shape()
    }

    fn output_shape(&self) -> &[usize] {
        self.f.output_shape()
    }

    fn device(&self) -> &Device {
        self.f.device()
    }

    fn dtype(&self) -> FloatDType {
        self.f.dtype()
    }

    fn apply(&self, x: Tensor<2>) -> linearscope_analysis::Result<Tensor<2>> {
        self.timed(|| self.f.apply(x))
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> linearscope_analysis::Result<Tensor<2>> {
        self.timed(|| self.f.apply_adjoint(y))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let [model, x0, rest @ ..] = given.as_slice() else {
        println!("give MODEL.onnx x0.npy [BLOCK,BLOCK,…] [K] [ROUNDS] [BASIS]");
        return Ok(());
    };
    let number = |at: usize, default: usize| rest.get(at).map_or(Ok(default), |text| text.parse());
    let blocks: Vec<usize> = match rest.first() {
        Some(list) => list.split(',').map(str::parse).collect::<Result<_, _>>()?,
        None => vec![1, 2, 4],
    };
    let (k, rounds) = (number(1, 8)?, number(2, 1)?);
    let basis = rest.get(3).map(|text| text.parse()).transpose()?;
    let bytes = fs::read(x0)?;
    let file = npyz::NpyFile::new(&bytes[..])?;
    let shape: Vec<usize> = file.shape().iter().map(|&d| d as usize).collect();
    let values = file.into_vec::<f32>()?;
    let model = Model::load(model.as_ref() as &std::path::Path)?;
    let network = model.network(std::slice::from_ref(&shape))?;
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F32)?;
    let frozen = FrozenNetwork::new(loaded, TensorData::new(values, shape), RuleSet::default())?;
    // The first replay expands gains and folds scales; it is the network's, not a solver's.
    for k in [1, blocks.iter().copied().max().unwrap_or(1)] {
        let x = frozen.upload(vec![1.0; k * frozen.input_len()], frozen.input_len());
        frozen.apply_adjoint(frozen.apply(x)?)?;
    }
    for _ in 0..rounds {
        for &block in &blocks {
            let timed = Timed {
                f: &frozen,
                seconds: Cell::new(0.0),
            };
            let config = SvdConfig::new(k).with_solver(Solver::Lanczos { block, basis });
            let start = Instant::now();
            let mut first = 0;
            let found = svd(&timed, &config, |at| {
                if first == 0 && at.done == k {
                    first = at.products;
                }
                ControlFlow::Continue(())
            })?;
            let seconds = start.elapsed().as_secs_f64();
            let worst = found
                .residuals
                .iter()
                .map(|r| r.worst())
                .fold(0.0, f64::max);
            writeln!(
                std::io::stdout(),
                "{{\"block\": {block}, \"products\": {}, \"converged_at\": {first}, \"passes\": {}, \"seconds\": {seconds:.4}, \
                 \"in_products\": {:.4}, \"worst\": {worst:.2e}, \"sigma\": {:?}}}",
                found.products,
                found.passes,
                timed.seconds.get(),
                found.sigma,
            )?;
        }
    }
    Ok(())
}
