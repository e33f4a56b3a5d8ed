//! What the decisions of large networks take: one bit a ReLU unit, one byte a pooled cell, statistics
//! per channel, against the 32-bit floats of the paper's Table 1. Seeded random weights.
//!
//! ```text
//! cargo bench -p linearscope-benches --bench decisions
//! ```

use std::time::Instant;

use burn::{
    module::Module,
    nn::{
        InstanceNorm, InstanceNormConfig, Linear, LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig},
        pool::MaxPool2dConfig,
    },
    tensor::{Device, FloatDType, Tensor, TensorData, activation::relu, ops::PadMode},
};
use linearscope::{Network, RuleSet};
use linearscope_analysis::{FrozenNetwork, noise};

fn conv(from: usize, to: usize, k: usize, pad: usize, stride: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([from, to], [k, k])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_stride([stride, stride])
        .init(device)
}

/// VGG-19, 224².
#[derive(Module, Debug)]
struct Vgg {
    convs: Vec<Conv2d>,
    dense: Vec<Linear>,
}

/// Channels of its convolutions, and how many of them before each pool.
const VGG: [(usize, usize); 5] = [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)];

impl Vgg {
    fn new(device: &Device) -> Self {
        let mut from = 3;
        let mut convs = Vec::new();
        for (channels, count) in VGG {
            for _ in 0..count {
                convs.push(conv(from, channels, 3, 1, 1, device));
                from = channels;
            }
        }
        let dense = [(25_088, 4096), (4096, 4096), (4096, 1000)];
        let dense = dense.map(|(from, to)| LinearConfig::new(from, to).init(device));
        Self {
            convs,
            dense: dense.into(),
        }
    }

    fn forward(&self, mut x: Tensor<4>) -> Tensor<2> {
        let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        let mut convs = self.convs.iter();
        for (_, count) in VGG {
            for conv in convs.by_ref().take(count) {
                x = relu(conv.forward(x));
            }
            x = pool.forward(x);
        }
        let x = relu(self.dense[0].forward(x.flatten(1, 3)));
        self.dense[2].forward(relu(self.dense[1].forward(x)))
    }
}

/// EDSR, 32 blocks of 256 channels, ×4.
#[derive(Module, Debug)]
struct Edsr {
    head: Conv2d,
    body: Vec<Conv2d>,
    ups: Vec<Conv2d>,
    tail: Conv2d,
}

impl Edsr {
    fn new(device: &Device) -> Self {
        let same = |from, to| conv(from, to, 3, 1, 1, device);
        Self {
            head: same(3, 256),
            body: (0..65).map(|_| same(256, 256)).collect(),
            ups: (0..2).map(|_| same(256, 1024)).collect(),
            tail: same(256, 3),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let head = self.head.forward(x);
        let mut x = head.clone();
        for pair in self.body[..64].chunks(2) {
            let branch = pair[1].forward(relu(pair[0].forward(x.clone())));
            x = x + branch * 0.1;
        }
        let mut x = self.body[64].forward(x) + head;
        for up in &self.ups {
            let [n, _, h, w] = x.dims();
            let wide: Tensor<6> = up.forward(x).reshape([n, 256, 2, 2, h, w]);
            x = wide
                .permute([0, 1, 4, 2, 5, 3])
                .reshape([n, 256, 2 * h, 2 * w]);
        }
        self.tail.forward(x)
    }
}

/// CycleGAN's generator, 9 blocks.
#[derive(Module, Debug)]
struct CycleGan {
    down: Vec<Conv2d>,
    blocks: Vec<Conv2d>,
    up: Vec<ConvTranspose2d>,
    last: Conv2d,
    norms: Vec<InstanceNorm>,
}

impl CycleGan {
    fn new(device: &Device) -> Self {
        let up = |from, to| {
            ConvTranspose2dConfig::new([from, to], [3, 3])
                .with_stride([2, 2])
                .with_padding([1, 1])
                .with_padding_out([1, 1])
                .init(device)
        };
        let channels = [64, 128, 256].into_iter().chain([256; 18]).chain([128, 64]);
        Self {
            down: vec![
                conv(3, 64, 7, 0, 1, device),
                conv(64, 128, 3, 1, 2, device),
                conv(128, 256, 3, 1, 2, device),
            ],
            blocks: (0..18).map(|_| conv(256, 256, 3, 0, 1, device)).collect(),
            up: vec![up(256, 128), up(128, 64)],
            last: conv(64, 3, 7, 0, 1, device),
            norms: channels
                .map(|c| InstanceNormConfig::new(c).init(device))
                .collect(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let reflect = |x: Tensor<4>, p: usize| x.pad((p, p, p, p), PadMode::Reflect);
        let mut norms = self.norms.iter();
        let mut norm = |x| norms.next().expect("a norm each").forward(x);
        let mut x = relu(norm(self.down[0].forward(reflect(x, 3))));
        for down in &self.down[1..] {
            x = relu(norm(down.forward(x)));
        }
        for pair in self.blocks.chunks(2) {
            let branch = relu(norm(pair[0].forward(reflect(x.clone(), 1))));
            x = x + norm(pair[1].forward(reflect(branch, 1)));
        }
        for up in &self.up {
            x = relu(norm(up.forward(x)));
        }
        self.last.forward(reflect(x, 3)).tanh()
    }
}

fn report(name: &str, network: Network, shape: [usize; 4]) -> linearscope_analysis::Result<()> {
    let device = Device::flex();
    let loaded = FrozenNetwork::load(network, &device, FloatDType::F32)?;
    let x0: Vec<f64> = noise(shape.iter().product(), 1);
    let start = Instant::now();
    let frozen = FrozenNetwork::new(loaded, TensorData::new(x0, shape), RuleSet::default())?;
    let seconds = start.elapsed().as_secs_f64();
    let account = frozen.recorded().expect("it fits").program().account();
    println!(
        "{name} at {shape:?}: {} decisions in {:.2} MB, as floats {:.1} MB, {:.1} times as much; \
         {:.1} GFLOP a probe; frozen in {seconds:.1} s",
        account.decisions,
        account.decision_bytes as f64 / 1e6,
        account.decision_floats as f64 / 1e6,
        account.decision_floats as f64 / account.decision_bytes as f64,
        account.flops as f64 / 1e9,
    );
    Ok(())
}

fn main() -> linearscope_analysis::Result<()> {
    let device = Device::flex();
    device.seed(1);
    let shape = [1, 3, 224, 224];
    let vgg = Network::capture(&Vgg::new(&device), |module, ports| {
        let x = ports.input("x", shape);
        ports.output("y", module.forward(x));
    })?;
    report("VGG-19", vgg, shape)?;
    let shape = [1, 3, 48, 48];
    let edsr = Network::capture(&Edsr::new(&device), |module, ports| {
        let x = ports.input("x", shape);
        ports.output("y", module.forward(x));
    })?;
    report("EDSR 32×256 ×4", edsr, shape)?;
    let shape = [1, 3, 256, 256];
    let cyclegan = Network::capture(&CycleGan::new(&device), |module, ports| {
        let x = ports.input("x", shape);
        ports.output("y", module.forward(x));
    })?;
    report("CycleGAN generator", cyclegan, shape)
}
