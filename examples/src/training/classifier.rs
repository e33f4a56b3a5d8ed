//! A classifier that is asked to leave little to its residual.
//!
//! The score of class c is y_c = (F x₀)_c + r_c: what the frozen network makes of the picture, and
//! what its sources (here the biases) add whatever the picture. The share of the residual is
//! |r_c| / (|r_c| + |(F x₀)_c|) at the true class c. The loss is
//!
//! ```text
//! cross entropy(y₀) + weight · mean of r_c² / (r_c² + (F x₀)_c²)
//! ```
//!
//! r costs one replay, and (F x₀)_c = y_c − r_c nothing.

use burn::{
    module::Module,
    nn::{
        Linear, LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
        pool::{MaxPool2d, MaxPool2dConfig},
    },
    optim::AdamConfig,
    tensor::{Device, Int, Tensor, TensorData, activation},
};
use linearscope::{Interpreter, RuleSet, training::Traced};
use linearscope_analysis::SplitMix64;

use super::{Any, Run, descend, medians, shapes};

const SIDE: usize = 24;
/// Pictures in a step.
pub const BATCH: usize = 32;

/// Three convolutions, two max pools, a dense layer: `[n, 1, 24, 24] → [n, 6]`.
#[derive(Module, Debug)]
pub struct Classifier {
    convs: Vec<Conv2d>,
    pool: MaxPool2d,
    head: Linear,
}

impl Classifier {
    /// Seeded weights.
    pub fn new(device: &Device) -> Self {
        device.seed(11);
        let conv = |[from, to]: [usize; 2]| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device)
        };
        Self {
            convs: [[1, 12], [12, 24], [24, 32]].map(conv).into(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            head: LinearConfig::new(32 * 36, shapes::KINDS.len()).init(device),
        }
    }

    /// Scores.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut x = x;
        for (i, conv) in self.convs.iter().enumerate() {
            x = activation::relu(conv.forward(x));
            if i < 2 {
                x = self.pool.forward(x);
            }
        }
        self.head.forward(x.flatten(1, 3))
    }

    /// Captured for a batch.
    ///
    /// # Errors
    /// As [`Traced::capture`].
    pub fn traced(&self) -> linearscope::Result<Traced> {
        Traced::capture(self, |model, ports| {
            let x = ports.input("picture", [BATCH, 1, SIDE, SIDE]);
            ports.output("scores", model.forward(x));
        })
    }
}

/// A batch of pictures around 0 and their kinds, `[n, 1, 24, 24]` and `[n, 1]`.
pub fn batch(random: &mut SplitMix64, device: &Device) -> (Tensor<4>, Tensor<2, Int>) {
    let shapes: Vec<_> = (0..BATCH)
        .map(|_| shapes::shape(random, SIDE, 0.08))
        .collect();
    let values: Vec<f32> = shapes
        .iter()
        .flat_map(|s| s.values.iter().map(|v| 2.0 * v - 1.0))
        .collect();
    let kinds: Vec<i32> = shapes.iter().map(|s| s.kind as i32).collect();
    (
        Tensor::from_data(TensorData::new(values, [BATCH, 1, SIDE, SIDE]), device),
        Tensor::from_data(TensorData::new(kinds, [BATCH, 1]), device),
    )
}

/// Mean of −log softmax at the true kinds.
pub fn cross_entropy(scores: Tensor<2>, kinds: Tensor<2, Int>) -> Tensor<1> {
    activation::log_softmax(scores, 1)
        .gather(1, kinds)
        .mean()
        .neg()
}

/// r_c and (F x₀)_c at the true kinds, each `[n, 1]`.
fn parts(step: &Interpreter, kinds: Tensor<2, Int>) -> linearscope::Result<(Tensor<2>, Tensor<2>)> {
    let r = step.residual::<2>()?.gather(1, kinds.clone());
    let linear = step.reference::<2>()?.gather(1, kinds) - r.clone();
    Ok((r, linear))
}

/// The loss of a step; `weight` is that of the residual's share.
///
/// # Errors
/// As [`Interpreter::residual`].
pub fn loss(
    step: &Interpreter,
    kinds: Tensor<2, Int>,
    weight: f64,
) -> linearscope::Result<Tensor<1>> {
    let loss = cross_entropy(step.reference::<2>()?, kinds.clone());
    if weight == 0.0 {
        return Ok(loss);
    }
    let (r, linear) = parts(step, kinds)?;
    let (r, linear) = (r.square(), linear.square());
    let share = r.clone() / (r + linear + 1e-6);
    Ok(loss + share.mean() * weight)
}

/// Accuracy and the mean share of the residual on `batches` batches that training never sees.
fn judged(model: &Classifier, traced: &Traced, batches: usize) -> Any<[f64; 2]> {
    let device = Device::flex();
    let bound = traced.bind(&model.valid())?;
    let mut random = SplitMix64::new(1 << 40);
    let (mut right, mut share) = (0.0, 0.0);
    for _ in 0..batches {
        let (x, kinds) = batch(&mut random, &device);
        let step = bound.freeze(x, RuleSet::default())?;
        let best = step.reference::<2>()?.argmax(1);
        right += best
            .equal(kinds.clone())
            .float()
            .mean()
            .into_scalar::<f64>();
        let (r, linear) = parts(&step, kinds)?;
        let (r, linear) = (r.abs(), linear.abs());
        share += (r.clone() / (r + linear)).mean().into_scalar::<f64>();
    }
    Ok([right / batches as f64, share / batches as f64])
}

/// Train for `steps` steps with the residual's share in the loss at `weight`.
///
/// # Errors
/// Those of the interpreter.
pub fn train(name: &str, weight: f64, steps: usize) -> Any<Run> {
    let device = Device::flex().autodiff();
    let mut model = Classifier::new(&device);
    let traced = model.traced()?;
    let mut optimiser = AdamConfig::new().init();
    let mut random = SplitMix64::new(3);
    let mut run = Run {
        name: name.into(),
        ..Run::default()
    };
    let every = (steps / 20).max(1);
    for step in 0..=steps {
        if step % every == 0 {
            let [accuracy, share] = judged(&model, &traced, 8)?;
            run.note(
                step,
                &[("accuracy", accuracy), ("share of the residual", share)],
            );
        }
        if step == steps {
            break;
        }
        let (x, kinds) = batch(&mut random, &device);
        // The penalty grows in between a quarter and a half of the steps: a network that cannot tell
        // anything yet would only learn to be silent.
        let grown = (4.0 * step as f64 / steps as f64 - 1.0).clamp(0.0, 1.0);
        let rate = 2e-3 * (1.0 - 0.9 * step as f64 / steps as f64);
        let frozen = traced.bind(&model)?.freeze(x, RuleSet::default())?;
        let loss = loss(&frozen, kinds, weight * grown)?;
        model = descend(model, &mut optimiser, rate, loss);
    }
    Ok(run)
}

/// Median milliseconds of a plain step, of one whose y₀ comes from the interpreter, and of one
/// with the residual in the loss.
///
/// # Errors
/// Those of the interpreter.
pub fn overhead(rounds: usize) -> Any<[f64; 3]> {
    let device = Device::flex().autodiff();
    let model = Classifier::new(&device);
    let traced = model.traced()?;
    let (x, kinds) = batch(&mut SplitMix64::new(5), &device);
    let step = |loss: Tensor<1>| {
        let mut optimiser = AdamConfig::new().init();
        drop(descend(model.clone(), &mut optimiser, 1e-3, loss));
    };
    let frozen = || -> linearscope::Result<Interpreter> {
        traced.bind(&model)?.freeze(x.clone(), RuleSet::default())
    };
    let found = medians(
        rounds,
        &mut [
            &mut || {
                step(cross_entropy(model.forward(x.clone()), kinds.clone()));
                Ok(())
            },
            &mut || {
                step(loss(&frozen()?, kinds.clone(), 0.0)?);
                Ok(())
            },
            &mut || {
                step(loss(&frozen()?, kinds.clone(), 1.0)?);
                Ok(())
            },
        ],
    )?;
    Ok([found[0] * 1e3, found[1] * 1e3, found[2] * 1e3])
}
