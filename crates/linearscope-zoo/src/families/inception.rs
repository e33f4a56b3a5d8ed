use burn::tensor::Device;

use crate::{
    Chain, Classifier, Layer,
    classifier::linear,
    layer::{Conv, adaptive, avg_pool, batch_norm, conv, max_pool},
};

/// Inception v3: Szegedy et al., *Rethinking the Inception architecture for computer vision* (2015), as it is after
/// training: the auxiliary classifier of torchvision's weights (`AuxLogits`) is not read. Pictures of at least 75×75.
#[derive(Clone, Debug)]
pub struct InceptionConfig {
    /// From ImageNet's mean and standard deviation to the network's own, (x − 0.5)/0.5. torchvision's weights want it.
    pub transform_input: bool,
    /// Number of scores.
    pub classes: usize,
}

/// One branch of a block: named convolutions, each with its norm and ReLU.
struct Branch<'a> {
    device: &'a Device,
    chain: Chain<Layer>,
}

impl<'a> Branch<'a> {
    fn new(device: &'a Device) -> Self {
        Self {
            device,
            chain: Chain::new(),
        }
    }

    /// A convolution of this kernel that keeps the size, under this name.
    fn same(self, name: &str, from: usize, to: usize, kernel: [usize; 2]) -> Self {
        let convolution = conv(from, to, 1).kernel(kernel).same();
        self.unit(name, to, convolution)
    }

    /// A 3×3 convolution that halves the size.
    fn halving(self, name: &str, from: usize, to: usize) -> Self {
        self.unit(name, to, conv(from, to, 3).stride(2))
    }

    fn unit(mut self, name: &str, to: usize, convolution: Conv) -> Self {
        let unit = Chain::new()
            .named("conv", convolution.no_bias().init(self.device))
            .named("bn", batch_norm(to, 1e-3, self.device))
            .then(Layer::Relu);
        self.chain = self.chain.named(name, unit);
        self
    }

    fn then(mut self, layer: impl Into<Layer>) -> Self {
        self.chain = self.chain.then(layer);
        self
    }
}

fn side_by_side<const N: usize>(branches: [Branch<'_>; N]) -> Layer {
    Layer::Concat(branches.map(|branch| branch.chain).into())
}

/// An average pool, then a 1×1 convolution.
fn pooled(from: usize, to: usize, device: &Device) -> Branch<'_> {
    Branch::new(device)
        .then(avg_pool(3, 1, 1))
        .same("branch_pool", from, to, [1, 1])
}

/// The 35×35 blocks.
fn a(from: usize, pool: usize, device: &Device) -> Layer {
    let branch = || Branch::new(device);
    side_by_side([
        branch().same("branch1x1", from, 64, [1, 1]),
        branch()
            .same("branch5x5_1", from, 48, [1, 1])
            .same("branch5x5_2", 48, 64, [5, 5]),
        branch()
            .same("branch3x3dbl_1", from, 64, [1, 1])
            .same("branch3x3dbl_2", 64, 96, [3, 3])
            .same("branch3x3dbl_3", 96, 96, [3, 3]),
        pooled(from, pool, device),
    ])
}

/// From 35×35 to 17×17.
fn b(from: usize, device: &Device) -> Layer {
    let branch = || Branch::new(device);
    side_by_side([
        branch().halving("branch3x3", from, 384),
        branch()
            .same("branch3x3dbl_1", from, 64, [1, 1])
            .same("branch3x3dbl_2", 64, 96, [3, 3])
            .halving("branch3x3dbl_3", 96, 96),
        branch().then(max_pool(3, 2, 0, false)),
    ])
}

/// The 17×17 blocks, 7×7 kernels as rows and columns.
fn c(from: usize, within: usize, device: &Device) -> Layer {
    let branch = || Branch::new(device);
    side_by_side([
        branch().same("branch1x1", from, 192, [1, 1]),
        branch()
            .same("branch7x7_1", from, within, [1, 1])
            .same("branch7x7_2", within, within, [1, 7])
            .same("branch7x7_3", within, 192, [7, 1]),
        branch()
            .same("branch7x7dbl_1", from, within, [1, 1])
            .same("branch7x7dbl_2", within, within, [7, 1])
            .same("branch7x7dbl_3", within, within, [1, 7])
            .same("branch7x7dbl_4", within, within, [7, 1])
            .same("branch7x7dbl_5", within, 192, [1, 7]),
        pooled(from, 192, device),
    ])
}

/// From 17×17 to 8×8.
fn d(from: usize, device: &Device) -> Layer {
    let branch = || Branch::new(device);
    side_by_side([
        branch()
            .same("branch3x3_1", from, 192, [1, 1])
            .halving("branch3x3_2", 192, 320),
        branch()
            .same("branch7x7x3_1", from, 192, [1, 1])
            .same("branch7x7x3_2", 192, 192, [1, 7])
            .same("branch7x7x3_3", 192, 192, [7, 1])
            .halving("branch7x7x3_4", 192, 192),
        branch().then(max_pool(3, 2, 0, false)),
    ])
}

/// The 8×8 blocks, whose branches part again into rows and columns.
fn e(from: usize, device: &Device) -> Layer {
    let branch = || Branch::new(device);
    let parted = |row: &str, column: &str| {
        side_by_side([
            branch().same(row, 384, 384, [1, 3]),
            branch().same(column, 384, 384, [3, 1]),
        ])
    };
    side_by_side([
        branch().same("branch1x1", from, 320, [1, 1]),
        branch()
            .same("branch3x3_1", from, 384, [1, 1])
            .then(parted("branch3x3_2a", "branch3x3_2b")),
        branch()
            .same("branch3x3dbl_1", from, 448, [1, 1])
            .same("branch3x3dbl_2", 448, 384, [3, 3])
            .then(parted("branch3x3dbl_3a", "branch3x3dbl_3b")),
        pooled(from, 192, device),
    ])
}

impl InceptionConfig {
    /// The network, with random weights.
    pub fn init(&self, device: &Device) -> Classifier {
        let entrance = Branch::new(device)
            .halving("Conv2d_1a_3x3", 3, 32)
            .unit("Conv2d_2a_3x3", 32, conv(32, 32, 3))
            .same("Conv2d_2b_3x3", 32, 64, [3, 3])
            .then(max_pool(3, 2, 0, false))
            .same("Conv2d_3b_1x1", 64, 80, [1, 1])
            .unit("Conv2d_4a_3x3", 192, conv(80, 192, 3))
            .then(max_pool(3, 2, 0, false));
        let mut features = Chain::new();
        if self.transform_input {
            features = features.then(Layer::Affine {
                scale: [0.229, 0.224, 0.225].map(|std| std / 0.5),
                shift: [0.485, 0.456, 0.406].map(|mean| (mean - 0.5) / 0.5),
            });
        }
        let features = features
            .followed_by(entrance.chain)
            .named("Mixed_5b", a(192, 32, device))
            .named("Mixed_5c", a(256, 64, device))
            .named("Mixed_5d", a(288, 64, device))
            .named("Mixed_6a", b(288, device))
            .named("Mixed_6b", c(768, 128, device))
            .named("Mixed_6c", c(768, 160, device))
            .named("Mixed_6d", c(768, 160, device))
            .named("Mixed_6e", c(768, 192, device))
            .named("Mixed_7a", d(768, device))
            .named("Mixed_7b", e(1280, device))
            .named("Mixed_7c", e(2048, device))
            .then(adaptive(1));
        Classifier {
            features,
            head: Chain::new().named("fc", linear(2048, self.classes, device)),
        }
    }
}
