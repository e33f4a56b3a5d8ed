//! How fast a device multiplies matrices.

use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, FloatDType, Tensor};

use super::{clock::Clock, config::SuiteConfig, row::Figures};
use crate::{
    bench::synced,
    error::{Error, Result},
    progress::Progress,
};

/// Rows of the largest matrices that are tried: 0.27 GB each.
const LARGEST: usize = 8192;
/// And of the smallest.
const SMALLEST: usize = 128;
/// What takes so long is large enough to be at its device's rate.
pub(super) const LONG: Duration = Duration::from_millis(100);

fn square(size: usize, device: &Device) -> Tensor<2> {
    let dtype = burn::tensor::DType::from(FloatDType::F32);
    Tensor::random([size, size], Distribution::Default, (device, dtype))
}

/// The largest product of two square matrices that takes no longer than about eight times [`LONG`], the best of all
/// rounds.
pub(super) fn peak(config: &SuiteConfig, clock: &Clock) -> Result<Figures> {
    let device = &config.device;
    let largest = (LARGEST / config.scale).max(SMALLEST);
    let mut size = SMALLEST;
    loop {
        let [a, b] = [square(size, device), square(size, device)];
        synced(device)?;
        let product = || {
            let made = a.clone().matmul(b.clone());
            synced(device)?;
            drop(made);
            Ok(())
        };
        // The first one compiles its kernel.
        product()?;
        let start = Instant::now();
        product()?;
        if start.elapsed() < LONG && 2 * size <= largest {
            if clock.is_over() {
                return Err(Error::Stopped(Progress::new(
                    "looking for the peak",
                    size,
                    largest,
                )));
            }
            size *= 2;
            continue;
        }
        let times = clock.rounds(config.rounds, product)?;
        let flops = 2.0 * (size as f64).powi(3);
        return Ok(Figures {
            ms: Some(times.best()),
            size: Some(size),
            ..times.figures()
        }
        .at_rate(flops, None));
    }
}
