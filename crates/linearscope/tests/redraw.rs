//! Networks whose weights are shuffled.

use burn::{
    module::Module,
    nn::{
        BatchNorm, BatchNormConfig, Linear, LinearConfig,
        conv::{Conv2d, Conv2dConfig},
    },
    tensor::{Device, FloatDType, Tensor, TensorData, activation::relu},
};
use linearscope::{Interpreter, Network, Ports, RuleSet};

#[derive(Module, Debug)]
struct Net {
    conv: Conv2d,
    norm: BatchNorm,
    hidden: Linear,
    scores: Linear,
}

impl Net {
    fn forward(&self, ports: &mut Ports) {
        let x = ports.input("x", [1, 2, 4, 4]);
        let x = relu(self.norm.forward(self.conv.forward(x)));
        let x = relu(self.hidden.forward(x.flatten::<2>(1, 3)));
        ports.output("y", self.scores.forward(x));
    }
}

fn network() -> Network {
    let device = Device::flex();
    device.seed(5);
    let net = Net {
        conv: Conv2dConfig::new([2, 3], [3, 3]).init(&device),
        norm: BatchNormConfig::new(3).init(&device),
        hidden: LinearConfig::new(12, 6).init(&device),
        scores: LinearConfig::new(6, 4).init(&device),
    };
    Network::capture(&net, Net::forward).expect("captures")
}

/// F and r, as numbers: all that the weights make of a network without its decisions.
fn output(network: Network, dtype: FloatDType) -> Vec<f64> {
    let device = Device::flex();
    let loaded = Interpreter::load(network, &device, dtype).expect("loads");
    let x0: Vec<f64> = (0..32).map(|i| (i as f64 * 0.7).sin()).collect();
    let x0 = TensorData::new(x0, [1, 2, 4, 4]).convert_dtype(loaded.dtype());
    let x0 = Tensor::<4>::from_data(x0, (&device, loaded.dtype()));
    let frozen = Interpreter::freeze(loaded, x0, RuleSet::default()).expect("freezes");
    let y = frozen.reference::<2>().expect("an output").into_data();
    y.convert_dtype(burn_backend::DType::F64)
        .try_to_vec()
        .expect("numbers")
}

#[test]
fn layers_are_those_with_weights() {
    let layers = network().weighted_layers();
    let names: Vec<&str> = layers.iter().map(|layer| &**layer).collect();
    assert_eq!(names, ["conv", "hidden", "scores"]);
}

#[test]
fn a_seed_is_a_network() {
    let network = network();
    let layers = network.weighted_layers();
    for dtype in [FloatDType::F32, FloatDType::F64] {
        let plain = output(network.clone(), dtype);
        assert_eq!(output(network.redrawn(&[], 3), dtype), plain);
        assert_eq!(
            output(network.redrawn(&["norm".into(), "nobody".into()], 3), dtype),
            plain
        );
        let found = output(network.redrawn(&layers, 3), dtype);
        assert_eq!(output(network.redrawn(&layers, 3), dtype), found);
        assert_ne!(output(network.redrawn(&layers, 4), dtype), found);
        assert_ne!(found, plain);
        for layer in &layers {
            let one = output(network.redrawn(std::slice::from_ref(layer), 3), dtype);
            assert!(one != plain && one != found, "{layer}");
        }
        // Others first or later, a weight is shuffled alike.
        let (last, before) = layers.split_last().expect("layers");
        let last = std::slice::from_ref(last);
        assert_eq!(
            output(network.redrawn(last, 3).redrawn(before, 3), dtype),
            found
        );
    }
}
