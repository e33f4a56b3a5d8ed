use burn::tensor::Device;

use crate::{
    Chain, Layer,
    layer::{conv, doubling, instance_norm, residual},
};

/// CycleGAN's generator: Zhu et al., *Unpaired image-to-image translation using cycle-consistent adversarial networks*
/// (2017), under the names of the authors' pytorch-CycleGAN-and-pix2pix (`resnet_9blocks` or `resnet_6blocks` without
/// dropout). Pictures of −1 to 1, at least 5×5; sides that are multiples of 4 are kept, others grow to the next.
#[derive(Clone, Debug)]
pub struct CycleGanConfig {
    /// Residual blocks: 9, or 6 for pictures of 128×128.
    pub blocks: usize,
    /// Channels behind the entrance (64).
    pub width: usize,
    /// Channels of the pictures that go in and come out (3).
    pub channels: [usize; 2],
}

impl CycleGanConfig {
    /// The authors' network of this many blocks, on colour pictures.
    pub fn blocks(blocks: usize) -> Self {
        Self {
            blocks,
            width: 64,
            channels: [3, 3],
        }
    }

    /// The network, with random weights.
    pub fn init(&self, device: &Device) -> Chain<Layer> {
        let w = self.width;
        let norm = |channels| instance_norm(channels, device);
        let mut chain = Chain::new()
            .then(Layer::Reflect(3))
            .named("model.1", conv(self.channels[0], w, 7).init(device))
            .then(norm(w))
            .then(Layer::Relu);
        for (index, from) in [(4, w), (7, 2 * w)] {
            chain = chain
                .named(
                    format!("model.{index}"),
                    conv(from, 2 * from, 3).stride(2).pad(1).init(device),
                )
                .then(norm(2 * from))
                .then(Layer::Relu);
        }
        for block in 0..self.blocks {
            let within = Chain::new()
                .then(Layer::Reflect(1))
                .named("conv_block.1", conv(4 * w, 4 * w, 3).init(device))
                .then(norm(4 * w))
                .then(Layer::Relu)
                .then(Layer::Reflect(1))
                .named("conv_block.5", conv(4 * w, 4 * w, 3).init(device))
                .then(norm(4 * w));
            chain = chain.named(format!("model.{}", 10 + block), residual(within, 1.0));
        }
        let behind = 10 + self.blocks;
        for (index, from) in [(behind, 4 * w), (behind + 3, 2 * w)] {
            chain = chain
                .named(format!("model.{index}"), doubling(from, from / 2, device))
                .then(norm(from / 2))
                .then(Layer::Relu);
        }
        chain
            .then(Layer::Reflect(3))
            .named(
                format!("model.{}", behind + 7),
                conv(w, self.channels[1], 7).init(device),
            )
            .then(Layer::Tanh)
    }
}
