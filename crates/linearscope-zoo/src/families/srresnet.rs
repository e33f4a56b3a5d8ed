use burn::tensor::Device;

use crate::{
    Chain, Layer,
    layer::{batch_norm, conv, prelu, residual, shuffle},
};

/// SRResNet: Ledig et al., *Photo-realistic single image super-resolution using a generative adversarial network*
/// (2017). The authors published no PyTorch weights; names follow leftthomas/SRGAN, which did. Pictures of 0 to 1,
/// `[n, 3, h, w]` → `[n, 3, h·scale, w·scale]`.
#[derive(Clone, Debug)]
pub struct SrResNetConfig {
    /// Residual blocks: 16 in the paper, 5 of leftthomas.
    pub blocks: usize,
    /// Channels (64).
    pub width: usize,
    /// How much finer: a power of two.
    pub scale: usize,
    /// What follows the convolution behind the blocks: a batch norm in the paper, a PReLU in leftthomas' weights.
    pub norm_behind_blocks: bool,
    /// (tanh + 1)/2 at the end, as leftthomas has it. The paper has none.
    pub bounded: bool,
}

impl SrResNetConfig {
    /// The paper's.
    pub fn paper(scale: usize) -> Self {
        Self {
            blocks: 16,
            width: 64,
            scale,
            norm_behind_blocks: true,
            bounded: false,
        }
    }

    /// leftthomas/SRGAN's generator.
    pub fn leftthomas(scale: usize) -> Self {
        Self {
            blocks: 5,
            width: 64,
            scale,
            norm_behind_blocks: false,
            bounded: true,
        }
    }

    /// The network, with random weights.
    pub fn init(&self, device: &Device) -> Chain<Layer> {
        let w = self.width;
        let same = |from, to, k| conv(from, to, k).same().init(device);
        let norm = || batch_norm(w, 1e-5, device);
        let mut body = Chain::new();
        for block in 2..2 + self.blocks {
            let within = Chain::new()
                .named("conv1", same(w, w, 3))
                .named("bn1", norm())
                .named("prelu", prelu(device))
                .named("conv2", same(w, w, 3))
                .named("bn2", norm());
            body = body.named(format!("block{block}"), residual(within, 1.0));
        }
        let closing = format!("block{}", 2 + self.blocks);
        body = body.named(format!("{closing}.0"), same(w, w, 3)).named(
            format!("{closing}.1"),
            match self.norm_behind_blocks {
                true => norm(),
                false => prelu(device),
            },
        );
        let mut chain = Chain::new()
            .named("block1.0", same(3, w, 9))
            .named("block1.1", prelu(device))
            .then(residual(body, 1.0));
        let (last, steps) = (3 + self.blocks, self.scale.trailing_zeros());
        for step in 0..steps {
            chain = chain
                .named(format!("block{last}.{step}.conv"), same(w, 4 * w, 3))
                .then(shuffle(2))
                .named(format!("block{last}.{step}.prelu"), prelu(device));
        }
        chain = chain.named(format!("block{last}.{steps}"), same(w, 3, 9));
        match self.bounded {
            true => chain.then(Layer::Tanh).then(Layer::Affine {
                scale: [0.5; 3],
                shift: [0.5; 3],
            }),
            false => chain,
        }
    }
}
