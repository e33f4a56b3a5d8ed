//! What k probes cost against a plain forward of the same batch: medians of interleaved runs.
//!
//! ```text
//! cargo run --release -p linearscope-examples --bin replay_cost -- net.onnx 1,3,224,224 8
//! ```

use std::{sync::Arc, time::Instant};

use burn::tensor::{DType, Device, TensorData};
use burn_backend::{Shape, TensorMetadata, ops::FloatTensorOps};
use burn_dispatch::{Dispatch, DispatchTensor};
use linearscope::{Loaded, Paired, Recorded, RuleSet};
use linearscope_onnx::Model;

const RUNS: usize = 15;

fn tensor(shape: &[usize], device: &Device) -> DispatchTensor {
    let numel: usize = shape.iter().product();
    let values: Vec<f32> = (0..numel)
        .map(|i| (i * 7919 % 1000) as f32 / 1000.0)
        .collect();
    Dispatch::float_from_data(
        TensorData::new(values, shape.to_vec()),
        device.as_dispatch(),
    )
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, shape, k] = args.as_slice() else {
        return Err("usage: replay_cost MODEL n,c,h,w K".into());
    };
    let shape = shape
        .split(',')
        .map(str::parse)
        .collect::<Result<Vec<usize>, _>>()?;
    let k: usize = k.parse()?;
    let device = Device::flex();
    let model = Model::load(path)?;
    let load = |shape: &[usize]| -> Result<Loaded<Dispatch>, Box<dyn std::error::Error>> {
        let network = Arc::new(model.network(&[shape.to_vec()])?);
        Ok(Loaded::new(
            network,
            device.as_dispatch().clone(),
            DType::F32,
        )?)
    };
    let mut batch = shape.clone();
    batch[0] *= k;
    let (single, many) = (load(&shape)?, load(&batch)?);
    let single = Arc::new(single);
    let x0 = tensor(&shape, &device);
    let frozen = Recorded::new(single.clone(), vec![x0.clone()], RuleSet::default())?;
    let plain_input = tensor(&batch, &device);
    let probes = Dispatch::float_reshape(
        plain_input.clone(),
        Shape::from([vec![k], shape.clone()].concat()),
    );
    let output = frozen.reference()[0].shape().to_vec();
    let cotangents = tensor(&[vec![k], output].concat(), &device);

    let mut times: [Vec<f64>; 4] = Default::default();
    for run in 0..=RUNS {
        let timed = |work: &dyn Fn()| {
            let start = Instant::now();
            work();
            1e3 * start.elapsed().as_secs_f64()
        };
        let found = [
            timed(&|| drop(many.forward(vec![plain_input.clone()]))),
            timed(&|| {
                let rules = RuleSet::default();
                let (x0, probes) = (vec![x0.clone()], vec![probes.clone()]);
                drop(Paired::beside(&single, x0, probes, rules, true));
            }),
            timed(&|| drop(frozen.apply(std::slice::from_ref(&probes)))),
            timed(&|| drop(frozen.adjoint(std::slice::from_ref(&cotangents)))),
        ];
        // The first round warms up.
        if run > 0 {
            times
                .iter_mut()
                .zip(found)
                .for_each(|(all, one)| all.push(one));
        }
    }
    let [forward, paired, replay, adjoint] = times.map(|mut all| {
        all.sort_by(f64::total_cmp);
        all[RUNS / 2]
    });
    println!(
        "forward of {k}: {forward:.1} ms · paired {:.2} · replay {:.2} · adjoint {:.2} (× forward)",
        paired / forward,
        replay / forward,
        adjoint / forward
    );
    Ok(())
}
