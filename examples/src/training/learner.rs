//! The classifier under Burn's `Learner`: only `TrainStep` is written differently.

use std::{path::Path, sync::Arc};

use burn::{
    data::{
        dataloader::{DataLoader, DataLoaderBuilder, batcher::Batcher},
        dataset::InMemDataset,
    },
    module::Module,
    optim::{AdamConfig, lr_scheduler::constant::ConstantLr},
    tensor::{Device, Int, Tensor},
    train::{
        ClassificationOutput, InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep,
        logger::InMemoryMetricLogger, metric::LossMetric,
    },
};
use linearscope::{Interpreter, RuleSet, training::Traced};
use linearscope_analysis::SplitMix64;

use super::{
    Any,
    classifier::{Classifier, batch, cross_entropy, loss},
};

/// The network, and how it was captured.
#[derive(Module, Debug)]
pub struct Penalised {
    /// What is trained.
    pub network: Classifier,
    #[module(skip)]
    traced: Arc<Traced>,
    #[module(skip)]
    weight: f64,
}

impl Penalised {
    /// A fresh network with the residual's share in its loss at `weight`.
    ///
    /// # Errors
    /// As [`Traced::capture`].
    pub fn new(device: &Device, weight: f64) -> linearscope::Result<Self> {
        let network = Classifier::new(device);
        Ok(Self {
            traced: Arc::new(network.traced()?),
            network,
            weight,
        })
    }

    fn freeze(&self, x: Tensor<4>) -> linearscope::Result<Interpreter> {
        self.traced
            .bind(&self.network)?
            .freeze(x, RuleSet::default())
    }

    /// Loss and scores of a batch.
    ///
    /// # Errors
    /// Those of the interpreter.
    pub fn evaluate(&self, batch: Pictures) -> linearscope::Result<ClassificationOutput> {
        let step = self.freeze(batch.pictures)?;
        let loss = loss(&step, batch.kinds.clone(), self.weight)?;
        Ok(ClassificationOutput::new(
            loss,
            step.reference::<2>()?,
            batch.kinds.squeeze_dim::<1>(1),
        ))
    }
}

/// A batch.
#[derive(Clone, Debug)]
pub struct Pictures {
    pictures: Tensor<4>,
    kinds: Tensor<2, Int>,
}

/// Makes the batch of a seed.
#[derive(Clone, Debug)]
struct Seeds;

impl Batcher<u64, Pictures> for Seeds {
    fn batch(&self, seeds: Vec<u64>, device: &Device) -> Pictures {
        let (pictures, kinds) = batch(&mut SplitMix64::new(seeds[0]), device);
        Pictures { pictures, kinds }
    }
}

impl TrainStep for Penalised {
    type Input = Pictures;
    type Output = ClassificationOutput;

    fn step(&self, batch: Pictures) -> TrainOutput<ClassificationOutput> {
        // The trait has no room for an error; what can fail failed at capture.
        let output = self.evaluate(batch).expect("the interpreter runs");
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Penalised {
    type Input = Pictures;
    type Output = ClassificationOutput;

    fn step(&self, batch: Pictures) -> ClassificationOutput {
        self.evaluate(batch).expect("the interpreter runs")
    }
}

fn loader(seeds: std::ops::Range<u64>) -> Arc<dyn DataLoader<Pictures>> {
    DataLoaderBuilder::new(Seeds)
        .batch_size(1)
        .build(InMemDataset::new(seeds.collect()))
}

/// Train `batches` batches for one epoch; gives the network.
///
/// # Errors
/// As [`Penalised::new`], and when the training stopped.
pub fn train(folder: &Path, weight: f64, batches: u64) -> Any<Penalised> {
    let device = Device::flex().autodiff();
    let model = Penalised::new(&device, weight)?;
    let learner = Learner::new(model, AdamConfig::new().init(), ConstantLr::new(2e-3));
    let result = SupervisedTraining::new(folder, loader(0..batches), loader(1000..1004))
        .num_epochs(1)
        .metrics((LossMetric::new(),))
        .with_metric_logger(InMemoryMetricLogger::new())
        .with_application_logger(None)
        .launch(learner);
    match result.error {
        Some(error) => Err(error.to_string().into()),
        None => Ok(result.model),
    }
}

/// Mean cross entropy on batches that no training sees.
///
/// # Errors
/// Those of the interpreter.
pub fn judged(model: &Penalised) -> Any<f64> {
    let mut sum = 0.0;
    for seed in 2000..2004 {
        let (x, kinds) = batch(&mut SplitMix64::new(seed), &Device::flex());
        let y0 = model.freeze(x)?.reference::<2>()?;
        sum += cross_entropy(y0, kinds).into_scalar::<f64>() / 4.0;
    }
    Ok(sum)
}
