//! ◆ Decisions at risk: every decision that differs between f32 and f64 lies within the rounding band of
//! its kink or is an exact tie, and the band holds few of all decisions.

use std::sync::Arc;

use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{Device, Tensor, activation::relu},
};
use burn_backend::{DType, TensorData};
use burn_flex::{Flex, FlexDevice};
use linearscope::{Loaded, Network, Recorded, RuleSet};
use linearscope_tests::{risk::on_inputs, *};

const DEVICE: FlexDevice = FlexDevice;

#[test]
fn bundled_networks_differ_only_within_the_band() {
    for (name, shape) in BUNDLED.iter().filter(|(name, _)| {
        // An instance norm of a bundled network divides its noise by little, as the real ones do.
        !name.starts_with("graphs")
    }) {
        println!("{}", on_inputs(name, &assets().join(name), shape, 1.0));
    }
}

/// relu(W x + b) with one row whose sum cancels but for rounding.
#[derive(Module, Debug)]
struct Cancelling {
    linear: Linear,
}

impl Cancelling {
    /// 1000 terms 0.1 against one of −100, and `away` more.
    fn new(device: &Device, away: f32) -> Self {
        let mut linear = LinearConfig::new(1001, 2).init(device);
        let mut weight = vec![0f32; 1001 * 2];
        for term in 0..1000 {
            weight[2 * term] = 0.1;
            weight[2 * term + 1] = 0.1;
        }
        weight[2 * 1000] = -100.0;
        let weight = Tensor::<2>::from_data(TensorData::new(weight, [1001, 2]), device);
        linear.weight = burn::module::Param::from_tensor(weight);
        let bias = Tensor::<1>::from_data([away, 0.0], device);
        linear.bias = Some(burn::module::Param::from_tensor(bias));
        Self { linear }
    }
}

/// A unit within rounding of its kink is counted, one beyond it is not, and one that is far never.
#[test]
fn what_cancels_is_at_risk() {
    let device = Device::flex();
    for (away, expected) in [(0.0, 1), (1e-5, 1), (0.1, 0), (-0.1, 0)] {
        let module = Cancelling::new(&device, away);
        let network = Network::capture(&module, |module, ports| {
            let x = ports.input("x", [1, 1001]);
            let x: Tensor<2> = x;
            ports.output("y", relu(module.linear.forward(x)));
        })
        .expect("captured");
        let x0 = TensorData::new(vec![1f32; 1001], [1, 1001]);
        let loaded = Loaded::<Flex>::new(Arc::new(network), DEVICE, DType::F32).expect("loads");
        let x0 = upload::<Flex>(&x0, &DEVICE, DType::F32);
        let frozen = Recorded::new(Arc::new(loaded), vec![x0], RuleSet::default());
        let frozen = frozen.expect("freezes");
        let risk = frozen
            .decisions_at_risk()
            .expect("counts")
            .expect("counted");
        assert_eq!(
            (risk.units, risk.within + risk.ties),
            (2, expected),
            "{away}: {risk:?}"
        );
        assert_eq!(risk.nodes.len(), risk.within.min(1));
    }
}
