use burn::tensor::Device;

use crate::{
    Chain, Layer,
    layer::{conv, residual, shuffle},
};

/// EDSR: Lim et al., *Enhanced deep residual networks for single image super-resolution* (2017), under the names of the
/// authors' EDSR-PyTorch. Pictures of 0 to 255, `[n, 3, h, w]` → `[n, 3, h·scale, w·scale]`.
///
/// The shifts by the training set's mean colour are 1×1 convolutions of the network (`sub_mean`, `add_mean`), and the
/// published files hold them.
#[derive(Clone, Debug)]
pub struct EdsrConfig {
    /// Residual blocks: 16, or 32 of the full network.
    pub blocks: usize,
    /// Channels: 64, or 256 of the full network.
    pub width: usize,
    /// What the blocks' sums are multiplied with: 1, or 0.1 of the full network.
    pub residual_scale: f64,
    /// How much finer: 2, 3 or 4.
    pub scale: usize,
}

impl EdsrConfig {
    /// The baseline: 16 blocks of 64 channels.
    pub fn baseline(scale: usize) -> Self {
        Self {
            blocks: 16,
            width: 64,
            residual_scale: 1.0,
            scale,
        }
    }

    /// The full network: 32 blocks of 256 channels.
    pub fn full(scale: usize) -> Self {
        Self {
            blocks: 32,
            width: 256,
            residual_scale: 0.1,
            scale,
        }
    }

    /// The network, with random weights. A power of two is reached in steps of 2, as the authors do.
    pub fn init(&self, device: &Device) -> Chain<Layer> {
        let w = self.width;
        let same = |from, to| conv(from, to, 3).same().init(device);
        let mut body = Chain::new();
        for block in 0..self.blocks {
            let within = Chain::new()
                .named("body.0", same(w, w))
                .then(Layer::Relu)
                .named("body.2", same(w, w));
            body = body.named(
                format!("body.{block}"),
                residual(within, self.residual_scale),
            );
        }
        body = body.named(format!("body.{}", self.blocks), same(w, w));
        let mut chain = Chain::new()
            .named("sub_mean", conv(3, 3, 1).init(device))
            .named("head.0", same(3, w))
            .then(residual(body, 1.0));
        let steps = match self.scale.is_power_of_two() {
            true => vec![2; self.scale.trailing_zeros() as usize],
            false => vec![self.scale],
        };
        for (step, factor) in steps.into_iter().enumerate() {
            chain = chain
                .named(format!("tail.0.{}", 2 * step), same(w, w * factor * factor))
                .then(shuffle(factor));
        }
        chain
            .named("tail.1", same(w, 3))
            .named("add_mean", conv(3, 3, 1).init(device))
    }
}
