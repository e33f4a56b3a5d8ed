//! Two rates of a device, in seconds: for a list of devices, and for whoever chooses among them.

use std::time::Instant;

use burn::tensor::FloatDType;
use linearscope::{Interrupt, Kernels};

use super::{
    Event, Run,
    clock::Clock,
    config::SuiteConfig,
    peak::{LONG, peak},
    row::{Figures, Measure, Row, Status},
};
use crate::{
    bench::{networks::convolution, synced, tensor},
    error::{Error, Result},
    frozen::FrozenNetwork,
    progress::Progress,
};

/// Channels of the convolution, and the sides of its pictures.
const CHANNELS: usize = 64;
const SIDE: usize = 64;
/// Pictures side by side at most: 67 MB on either side of the convolution.
const PICTURES: usize = 64;

/// The rates of a matrix product (`peak`) and of a 3×3 convolution (`convolution`), both f32, a row each. The convolution is a
/// plain forward pass by these kernels, of more and more pictures until one takes 100 ms.
///
/// Rows are those of [`suite`](super::suite) with its limits; `scale` divides the largest product that is tried. Memory: 0.8
/// GB at scale 1.
///
/// # Errors
/// [`Error::Stopped`] once [`SuiteConfig::interrupt`] is. What goes wrong within a row, a panic of the backend too, is that
/// row's [`Status`].
pub fn rates(
    config: &SuiteConfig,
    kernels: Kernels,
    observer: impl FnMut(Event<'_>),
) -> Result<Vec<Row>> {
    let mut run = Run {
        config,
        began: Instant::now(),
        peak: None,
        done: 0,
        of: 2,
        observer,
    };
    let alone = Interrupt::new();
    let product = run.row(Row::of(Measure::Peak), &alone, |clock| {
        Ok((peak(config, clock)?, Status::Ok))
    })?;
    let row = Row {
        input: Some(vec![1, CHANNELS, SIDE, SIDE]),
        ..Row::of(Measure::Convolution)
    };
    let convolution = run.row(row, &alone, |clock| {
        Ok((convolved(config, kernels, clock)?, Status::Ok))
    })?;
    Ok(vec![product, convolution])
}

/// The best of all rounds of a batch that takes about [`LONG`].
fn convolved(config: &SuiteConfig, kernels: Kernels, clock: &Clock) -> Result<Figures> {
    let device = &config.device;
    let mut pictures = 1;
    loop {
        let network = convolution(pictures, CHANNELS, SIDE)?;
        let loaded = FrozenNetwork::load(network, device, FloatDType::F32)?;
        let loaded = loaded.with_kernels(kernels)?;
        let shape = [pictures, CHANNELS, SIDE, SIDE];
        let x = tensor(&shape, 1, device, FloatDType::F32);
        synced(device)?;
        let forward = || {
            let made = loaded.forward(vec![x.clone()])?;
            synced(device)?;
            drop(made);
            Ok(())
        };
        // The first one compiles its kernel, or packs weights.
        forward()?;
        let start = Instant::now();
        forward()?;
        if start.elapsed() < LONG && 2 * pictures <= PICTURES {
            if clock.is_over() {
                return Err(Error::Stopped(Progress::new(
                    "looking for the rate of a convolution",
                    pictures,
                    PICTURES,
                )));
            }
            pictures *= 2;
            continue;
        }
        let times = clock.rounds(config.rounds, forward)?;
        let flops = 2.0 * 9.0 * (pictures * CHANNELS * CHANNELS * SIDE * SIDE) as f64;
        return Ok(Figures {
            ms: Some(times.best()),
            size: Some(pictures),
            ..times.figures()
        }
        .at_rate(flops, None));
    }
}
