//! How fast a device convolves.

use std::time::Instant;

use burn::tensor::FloatDType;
use linearscope::Kernels;

use super::{clock::Clock, config::SuiteConfig, peak::LONG, row::Figures};
use crate::{
    bench::{networks, synced, tensor},
    error::{Error, Result},
    frozen::FrozenNetwork,
    progress::Progress,
};

/// Channels of the convolution, and the sides of its pictures.
const CHANNELS: usize = 64;
const SIDE: usize = 64;
/// Pictures side by side at most: 67 MB on either side of the convolution.
const PICTURES: usize = 64;

/// One picture.
pub(super) const SHAPE: [usize; 4] = [1, CHANNELS, SIDE, SIDE];

/// A plain forward pass by these kernels, of a batch that takes about [`LONG`]; the best of all rounds.
pub(super) fn convolution(
    config: &SuiteConfig,
    kernels: Kernels,
    clock: &Clock,
) -> Result<Figures> {
    let device = &config.device;
    let mut pictures = 1;
    loop {
        let network = networks::convolution(pictures, CHANNELS, SIDE)?;
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
