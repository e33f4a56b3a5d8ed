//! An upscaler ×2 that is asked for compact columns.
//!
//! Column k of F is what one pixel of the small picture contributes to the large one: at x₀, the
//! upscaler's own interpolation kernel. Its spread is its second moment around its place,
//!
//! ```text
//! spread = Σ_p c_p² |p − p₀|² / Σ_p c_p²        in large pixels squared
//! ```
//!
//! and the loss is 100 · mean squared error + weight · mean spread, over two columns of each picture
//! at places drawn anew in each step. That costs two replays.

use burn::{
    module::Module,
    nn::{
        PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
    },
    optim::AdamConfig,
    tensor::{Device, Tensor, TensorData, activation},
};
use linearscope::{Interpreter, RuleSet, training::Traced};
use linearscope_analysis::SplitMix64;

use super::{Any, Run, descend, medians, shapes};

/// Side of a small picture.
const SIDE: usize = 16;
/// Pictures in a step.
const BATCH: usize = 16;

/// Three convolutions and a pixel shuffle (Shi et al., 2016): `[n, 1, 16, 16] → [n, 1, 32, 32]`.
#[derive(Module, Debug)]
pub struct Upscaler {
    convs: Vec<Conv2d>,
}

impl Upscaler {
    /// Seeded weights.
    pub fn new(device: &Device) -> Self {
        device.seed(12);
        let conv = |[from, to, k]: [usize; 3]| {
            Conv2dConfig::new([from, to], [k, k])
                .with_padding(PaddingConfig2d::Same)
                .init(device)
        };
        Self {
            convs: [[1, 16, 5], [16, 16, 3], [16, 4, 3]].map(conv).into(),
        }
    }

    /// The large picture.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut x = x;
        for (i, conv) in self.convs.iter().enumerate() {
            x = conv.forward(x);
            if i < 2 {
                x = activation::relu(x);
            }
        }
        let [n, _, h, w] = x.dims();
        x.reshape([n, 2, 2, h, w])
            .permute([0, 3, 1, 4, 2])
            .reshape([n, 1, 2 * h, 2 * w])
    }

    /// Captured for a batch.
    ///
    /// # Errors
    /// As [`Traced::capture`].
    pub fn traced(&self) -> linearscope::Result<Traced> {
        Traced::capture(self, |model, ports| {
            let x = ports.input("small", [BATCH, 1, SIDE, SIDE]);
            ports.output("large", model.forward(x));
        })
    }
}

/// Small pictures and the large ones they are means of, `[n, 1, 16, 16]` and `[n, 1, 32, 32]`.
pub fn batch(random: &mut SplitMix64, device: &Device) -> (Tensor<4>, Tensor<4>) {
    let large: Vec<f32> = (0..BATCH)
        .flat_map(|_| shapes::shape(random, 2 * SIDE, 0.02).values)
        .collect();
    let data = TensorData::new(large, [BATCH, 1, 2 * SIDE, 2 * SIDE]);
    let large = Tensor::<4>::from_data(data, device);
    let small = large
        .clone()
        .reshape([BATCH, SIDE, 2, SIDE, 2])
        .mean_dim(4)
        .mean_dim(2)
        .reshape([BATCH, 1, SIDE, SIDE]);
    (small, large)
}

/// The mean spread of the columns at two places, of every picture.
///
/// # Errors
/// As [`Interpreter::columns`].
pub fn spread(step: &Interpreter, places: [[usize; 2]; 2]) -> linearscope::Result<Tensor<1>> {
    let at = places.map(|[y, x]| [0, y, x]);
    let energy = step.columns::<5>(&[&at[0], &at[1]])?.square();
    // |p − p₀|², p₀ the middle of the four large pixels at the place: [2, 1, 1, 32, 32].
    let large = 2 * SIDE;
    let distances: Vec<f32> = places
        .iter()
        .flat_map(|[y, x]| {
            let (y, x) = (2.0 * *y as f32 + 0.5, 2.0 * *x as f32 + 0.5);
            (0..large * large).map(move |i| {
                let (v, u) = ((i / large) as f32, (i % large) as f32);
                (v - y).powi(2) + (u - x).powi(2)
            })
        })
        .collect();
    let distances = TensorData::new(distances, [2, 1, 1, large, large]);
    let distances = Tensor::<5>::from_data(distances, &energy.device());
    let total = |x: Tensor<5>| x.sum_dim(4).sum_dim(3);
    Ok((total(energy.clone() * distances) / (total(energy) + 1e-9)).mean())
}

/// The loss of a step; `weight` is that of the spread.
///
/// # Errors
/// As [`spread`].
pub fn loss(
    step: &Interpreter,
    large: Tensor<4>,
    places: [[usize; 2]; 2],
    weight: f64,
) -> linearscope::Result<Tensor<1>> {
    let loss = (step.reference::<4>()? - large).square().mean() * 100.0;
    if weight == 0.0 {
        return Ok(loss);
    }
    Ok(loss + spread(step, places)? * weight)
}

/// Two places inside a small picture.
fn places(random: &mut SplitMix64) -> [[usize; 2]; 2] {
    let mut one = || 4 + (((random.next_uniform() + 1.0) * 4.0) as usize).min(7);
    [[one(), one()], [one(), one()]]
}

/// PSNR in dB and the mean spread on `batches` batches that training never sees.
fn judged(model: &Upscaler, traced: &Traced, batches: usize) -> Any<[f64; 2]> {
    let device = Device::flex();
    let bound = traced.bind(&model.valid())?;
    let mut random = SplitMix64::new(1 << 41);
    let (mut error, mut wide) = (0.0, 0.0);
    for _ in 0..batches {
        let (small, large) = batch(&mut random, &device);
        let step = bound.freeze(small, RuleSet::default())?;
        error += (step.reference::<4>()? - large)
            .square()
            .mean()
            .into_scalar::<f64>();
        wide += spread(&step, places(&mut random))?.into_scalar::<f64>();
    }
    let batches = batches as f64;
    Ok([-10.0 * (error / batches).log10(), wide / batches])
}

/// Train for `steps` steps with the columns' spread in the loss at `weight`.
///
/// # Errors
/// Those of the interpreter.
pub fn train(name: &str, weight: f64, steps: usize) -> Any<Run> {
    let device = Device::flex().autodiff();
    let mut model = Upscaler::new(&device);
    let traced = model.traced()?;
    let mut optimiser = AdamConfig::new().init();
    let mut random = SplitMix64::new(4);
    let mut run = Run {
        name: name.into(),
        ..Run::default()
    };
    let every = (steps / 20).max(1);
    for step in 0..=steps {
        if step % every == 0 {
            let [psnr, wide] = judged(&model, &traced, 8)?;
            run.note(
                step,
                &[("PSNR, dB", psnr), ("spread of columns, px²", wide)],
            );
        }
        if step == steps {
            break;
        }
        let (small, large) = batch(&mut random, &device);
        let rate = 3e-3 * (1.0 - 0.9 * step as f64 / steps as f64);
        let frozen = traced.bind(&model)?.freeze(small, RuleSet::default())?;
        let loss = loss(&frozen, large, places(&mut random), weight)?;
        model = descend(model, &mut optimiser, rate, loss);
    }
    Ok(run)
}

/// Median milliseconds of a plain step, and of one with two columns of every picture in the loss.
///
/// # Errors
/// Those of the interpreter.
pub fn overhead(rounds: usize) -> Any<[f64; 2]> {
    let device = Device::flex().autodiff();
    let model = Upscaler::new(&device);
    let traced = model.traced()?;
    let (small, large) = batch(&mut SplitMix64::new(5), &device);
    let step = |loss: Tensor<1>| {
        let mut optimiser = AdamConfig::new().init();
        drop(descend(model.clone(), &mut optimiser, 1e-3, loss));
    };
    let found = medians(
        rounds,
        &mut [
            &mut || {
                let y = model.forward(small.clone());
                step((y - large.clone()).square().mean() * 100.0);
                Ok(())
            },
            &mut || {
                let bound = traced.bind(&model)?;
                let frozen = bound.freeze(small.clone(), RuleSet::default())?;
                step(loss(&frozen, large.clone(), [[5, 6], [9, 8]], 1.0)?);
                Ok(())
            },
        ],
    )?;
    Ok([found[0] * 1e3, found[1] * 1e3])
}
