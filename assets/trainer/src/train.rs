//! Training, the same for all: Adam, a cosine schedule, a seed.

use std::{f64::consts::PI, time::Instant};

use burn::{
    module::Module,
    optim::{AdamConfig, GradientsParams},
    tensor::{Device, Int, Tensor, TensorData, activation},
};

use crate::{
    facades, judge,
    networks::{Edsr, Generator, PixelShuffle, Vgg},
    photos,
    picture::Picture,
    random::Random,
    scenes,
};

type Any<T> = Result<T, Box<dyn std::error::Error>>;

/// How long and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    pub steps: usize,
    pub batch: usize,
    pub rate: f64,
    pub seed: u64,
}

/// Walk down `loss(model, step's random)`.
fn train<M: Module>(
    model: M,
    schedule: Schedule,
    mut loss: impl FnMut(&M, &mut Random) -> Tensor<1>,
) -> M {
    let mut model = model;
    let mut optimiser = AdamConfig::new().init();
    let mut random = Random::new(schedule.seed);
    let started = Instant::now();
    let (mut mean, report) = (0.0, (schedule.steps / 20).max(1));
    for step in 0..schedule.steps {
        let warm = (step as f64 / 50.0).min(1.0);
        let part = step as f64 / schedule.steps as f64;
        let rate = schedule.rate * warm * (0.01 + 0.99 * 0.5 * (1.0 + (PI * part).cos()));
        let value = loss(&model, &mut random);
        let gradients = GradientsParams::from_grads(value.backward(), &model);
        model = optimiser.step(rate, model, gradients);
        mean += f64::from(value.into_scalar::<f32>()) / report as f64;
        if (step + 1) % report == 0 {
            let seconds = started.elapsed().as_secs_f64();
            eprintln!("  step {:6}, loss {mean:.5}, {seconds:6.0} s", step + 1);
            mean = 0.0;
        }
    }
    model
}

/// Pictures as a batch, `[n, 3, h, w]`, each value v as (v − shift)/scale.
fn batch(pictures: &[Picture], shift: f32, scale: f32, device: &Device) -> Tensor<4> {
    let (h, w) = (pictures[0].h, pictures[0].w);
    let values: Vec<f32> = pictures
        .iter()
        .flat_map(|p| p.values.iter().map(|v| (v - shift) / scale))
        .collect();
    Tensor::from_data(TensorData::new(values, [pictures.len(), 3, h, w]), device)
}

/// Pictures' luminance as a batch, `[n, 1, h, w]`.
fn luminances(pictures: &[Picture], device: &Device) -> Tensor<4> {
    let (h, w) = (pictures[0].h, pictures[0].w);
    let values: Vec<f32> = pictures.iter().flat_map(Picture::luminance).collect();
    Tensor::from_data(TensorData::new(values, [pictures.len(), 1, h, w]), device)
}

/// The classifier, without or with batch norm.
pub fn classifier(batch_norm: bool, schedule: Schedule) -> Vgg {
    let device = Device::flex().autodiff();
    device.seed(schedule.seed);
    let model = train(Vgg::new(batch_norm, &device), schedule, |model, random| {
        let scenes: Vec<_> = (0..schedule.batch).map(|_| scenes::scene(random)).collect();
        let pictures: Vec<Picture> = scenes.iter().map(|s| s.picture.clone()).collect();
        let kinds: Vec<i32> = scenes.iter().map(|scene| scene.kind as i32).collect();
        let kinds = TensorData::new(kinds, [schedule.batch, 1]);
        let kinds = Tensor::<2, Int>::from_data(kinds, &device);
        let scores = model.forward(batch(&pictures, 0.5, 0.5, &device));
        activation::log_softmax(scores, 1)
            .gather(1, kinds)
            .mean()
            .neg()
    });
    model.valid()
}

/// Low and high patches of a step.
fn patches(
    photos: &[Picture],
    side: usize,
    factor: usize,
    count: usize,
    random: &mut Random,
) -> (Vec<Picture>, Vec<Picture>) {
    (0..count)
        .map(|_| judge::pair(photos::patch(photos, side * factor, random), factor))
        .unzip()
}

/// The ×3 upscaler of luminance.
pub fn pixel_shuffle(schedule: Schedule) -> Any<PixelShuffle> {
    let device = Device::flex().autodiff();
    device.seed(schedule.seed);
    let factor = PixelShuffle::FACTOR;
    let photos = photos::load(&photos::TRAIN)?;
    let model = train(PixelShuffle::new(&device), schedule, |model, random| {
        let (low, high) = patches(&photos, 20, factor, schedule.batch, random);
        let y = model.forward(luminances(&low, &device));
        (y - luminances(&high, &device)).square().mean() * 100.0
    });
    Ok(model.valid())
}

/// The ×2 upscaler in colour.
pub fn edsr(schedule: Schedule) -> Any<Edsr> {
    let device = Device::flex().autodiff();
    device.seed(schedule.seed);
    let factor = Edsr::FACTOR;
    let photos = photos::load(&photos::TRAIN)?;
    let model = train(Edsr::new(&device), schedule, |model, random| {
        let (low, high) = patches(&photos, 20, factor, schedule.batch, random);
        let y = model.forward(batch(&low, 0.0, 1.0, &device));
        (y - batch(&high, 0.0, 1.0, &device)).abs().mean() * 10.0
    });
    Ok(model.valid())
}

/// The generator, paired: a façade and its labels.
pub fn generator(schedule: Schedule) -> Generator {
    let device = Device::flex().autodiff();
    device.seed(schedule.seed);
    let model = train(Generator::new(&device), schedule, |model, random| {
        let made: Vec<_> = (0..schedule.batch)
            .map(|_| facades::facade(random))
            .collect();
        let pictures: Vec<Picture> = made.iter().map(|f| f.picture.clone()).collect();
        let labels: Vec<Picture> = made.iter().map(facades::Facade::label_picture).collect();
        let y = model.forward(batch(&pictures, 0.5, 0.5, &device));
        (y - batch(&labels, 0.5, 0.5, &device)).abs().mean()
    });
    model.valid()
}
