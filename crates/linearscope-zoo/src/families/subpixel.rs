use burn::tensor::Device;

use crate::{
    Chain, Layer,
    layer::{conv, shuffle},
};

/// Four convolutions and a pixel shuffle: the sub-pixel network of Shi et al., *Real-time single image and video
/// super-resolution using an efficient sub-pixel convolutional neural network* (2016), with ReLUs as PyTorch's
/// `super_resolution` example has it. Luminance of 0 to 1, `[n, 1, h, w]` → `[n, 1, h·scale, w·scale]`.
#[derive(Clone, Debug)]
pub struct SubPixelConfig {
    /// Channels of the first two convolutions (64); the third has half as many.
    pub width: usize,
    /// How much finer.
    pub scale: usize,
}

impl SubPixelConfig {
    /// The network, with random weights.
    pub fn init(&self, device: &Device) -> Chain<Layer> {
        let w = self.width;
        let same = |from, to, k| conv(from, to, k).same().init(device);
        Chain::new()
            .named("conv1", same(1, w, 5))
            .then(Layer::Relu)
            .named("conv2", same(w, w, 3))
            .then(Layer::Relu)
            .named("conv3", same(w, w / 2, 3))
            .then(Layer::Relu)
            .named("conv4", same(w / 2, self.scale * self.scale, 3))
            .then(shuffle(self.scale))
    }
}
