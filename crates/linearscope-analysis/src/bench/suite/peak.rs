//! How fast a device multiplies matrices.

use burn::tensor::{Device, Distribution, FloatDType, Tensor};

use super::{clock::Clock, config::SuiteConfig, row::Figures};
use crate::{bench::synced, error::Result};

/// Rows of the largest matrices that are tried: 0.27 GB each.
const LARGEST: usize = 8192;
/// And of the smallest.
const SMALLEST: usize = 128;

fn square(size: usize, device: &Device) -> Tensor<2> {
    let dtype = burn::tensor::DType::from(FloatDType::F32);
    Tensor::random([size, size], Distribution::Default, (device, dtype))
}

/// The largest product of two square matrices that takes no longer than about eight times [`LONG`](super::clock::LONG), the best of all
/// rounds.
pub(super) fn peak(config: &SuiteConfig, clock: &Clock) -> Result<Figures> {
    let device = &config.device;
    let largest = (LARGEST / config.scale).max(SMALLEST);
    let sizes = (SMALLEST, largest);
    let (size, times) =
        clock.long_enough("looking for the peak", sizes, config.rounds, |size| {
            let [a, b] = [square(size, device), square(size, device)];
            synced(device)?;
            Ok(move || {
                let made = a.clone().matmul(b.clone());
                synced(device)?;
                drop(made);
                Ok(())
            })
        })?;
    let flops = 2.0 * (size as f64).powi(3);
    Ok(Figures {
        ms: Some(times.best()),
        size: Some(size),
        ..times.figures()
    }
    .at_rate(flops, None))
}
