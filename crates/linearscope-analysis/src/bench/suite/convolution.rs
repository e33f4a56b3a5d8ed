//! How fast a device convolves.

use burn::tensor::FloatDType;
use linearscope::Kernels;

use super::{clock::Clock, config::SuiteConfig, row::Figures};
use crate::{
    bench::{networks, synced, tensor},
    error::Result,
    frozen::FrozenNetwork,
};

/// Channels of the convolution, and the sides of its pictures.
const CHANNELS: usize = 64;
const SIDE: usize = 64;
/// Pictures side by side at most: 67 MB on either side of the convolution.
const PICTURES: usize = 64;

/// One picture.
pub(super) const SHAPE: [usize; 4] = [1, CHANNELS, SIDE, SIDE];

/// A plain forward pass by these kernels, of a batch that takes about [`LONG`](super::clock::LONG); the best of all rounds.
pub(super) fn convolution(
    config: &SuiteConfig,
    kernels: Kernels,
    clock: &Clock,
) -> Result<Figures> {
    let device = &config.device;
    let (doing, sizes) = ("looking for the rate of a convolution", (1, PICTURES));
    let (pictures, times) = clock.long_enough(doing, sizes, config.rounds, |pictures| {
        let network = networks::convolution(pictures, CHANNELS, SIDE)?;
        let loaded = FrozenNetwork::load(network, device, FloatDType::F32)?;
        let loaded = loaded.with_kernels(kernels)?;
        let shape = [pictures, CHANNELS, SIDE, SIDE];
        let x = tensor(&shape, 1, device, FloatDType::F32);
        synced(device)?;
        Ok(move || {
            let made = loaded.forward(vec![x.clone()])?;
            synced(device)?;
            drop(made);
            Ok(())
        })
    })?;
    let flops = 2.0 * 9.0 * (pictures * CHANNELS * CHANNELS * SIDE * SIDE) as f64;
    Ok(Figures {
        ms: Some(times.best()),
        size: Some(pictures),
        ..times.figures()
    }
    .at_rate(flops, None))
}
