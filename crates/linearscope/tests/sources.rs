//! Whose a source is: a bias is what the network adds, a constant that freezing leaves over is a unit's.

use burn::{
    nn::{BatchNormConfig, InstanceNormConfig},
    tensor::{Device, FloatDType, Tensor, activation, module::conv2d, ops::ConvOptions},
};
use linearscope::{Interpreter, Network, Normalisation, Pointwise, RuleSet, program::SourceKind};

const SHAPE: [usize; 4] = [1, 2, 3, 3];

/// Kinds of the sources of a function of one picture, in order.
fn kinds(
    rules: impl Into<RuleSet>,
    forward: impl Fn(Tensor<4>, &Device) -> Tensor<4>,
) -> Vec<SourceKind> {
    let device = Device::flex();
    let network = Network::capture(&Vec::<burn::nn::Linear>::new(), |_, ports| {
        let x = ports.input("x", SHAPE);
        let device = x.device();
        ports.output("y", forward(x, &device));
    })
    .expect("captures");
    let loaded = Interpreter::load(network, &device, FloatDType::F64).expect("loads");
    let count = SHAPE.iter().product::<usize>() as i64;
    let x0 = Tensor::arange(0..count, &device)
        .float()
        .div_scalar(7.0)
        .sub_scalar(1.1);
    let x0 = x0.reshape(SHAPE).cast(FloatDType::F64);
    let frozen = Interpreter::freeze(loaded, x0, rules.into()).expect("freezes");
    let y: Tensor<4> = frozen.reference().expect("of rank 4");
    let y = y.ones_like().unsqueeze::<5>();
    let (_, shares) = frozen.contributions::<5, 5>(y).expect("recorded");
    shares.iter().map(|share| share.kind).collect()
}

use SourceKind::{Bias, Unit};

#[test]
fn what_the_network_adds_is_a_bias() {
    let default = RuleSet::default;
    assert_eq!(kinds(default(), |x, _| x.add_scalar(0.5)), [Bias]);
    let convolution = |x: Tensor<4>, device: &Device| {
        let weight = Tensor::ones([2, 2, 1, 1], device);
        let bias = Tensor::from_floats([0.25, -0.5], device);
        let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        conv2d(x, weight, Some(bias), options)
    };
    assert_eq!(kinds(default(), convolution), [Bias]);
    // −μ of the running mean, and β: both are learned.
    let norm = |x: Tensor<4>, device: &Device| BatchNormConfig::new(2).init(device).forward(x);
    let found = kinds(default(), norm);
    assert!(
        !found.is_empty() && found.iter().all(|kind| *kind == Bias),
        "{found:?}"
    );
    assert_eq!(kinds(default(), |x, _| activation::relu(x)), []);
}

#[test]
fn what_freezing_leaves_over_is_a_units() {
    let default = RuleSet::default;
    let sigmoid = |x: Tensor<4>, _: &Device| activation::sigmoid(x);
    assert_eq!(kinds(default(), sigmoid), [Unit]);
    assert_eq!(kinds(Pointwise::Taylor, sigmoid), [Unit]);
    // h(0) = 0 leaves nothing over by the secant, and something by the tangent.
    let tanh = |x: Tensor<4>, _: &Device| x.tanh();
    assert_eq!(kinds(default(), tanh), []);
    assert_eq!(kinds(Pointwise::Taylor, tanh), [Unit]);
    assert_eq!(kinds(default(), |x, _| x.clamp(-0.5, 0.5)), [Unit]);
    let softmax = |x: Tensor<4>, _: &Device| activation::softmax(x, 3);
    let found = kinds(default(), softmax);
    assert!(
        !found.is_empty() && found.iter().all(|kind| *kind == Unit),
        "{found:?}"
    );
    // Softplus written out is frozen as a whole: h(0) = log 2.
    let softplus = |x: Tensor<4>, _: &Device| x.exp().add_scalar(1.0).log();
    assert_eq!(kinds(default(), softplus), [Unit]);
}

/// −μ of the picture is a unit's, β is the layer's.
#[test]
fn a_norm_has_both() {
    let norm = |x: Tensor<4>, device: &Device| InstanceNormConfig::new(2).init(device).forward(x);
    assert_eq!(kinds(RuleSet::default(), norm), [Unit, Bias]);
    assert_eq!(kinds(Normalisation::StdOnly, norm), [Bias]);
}
